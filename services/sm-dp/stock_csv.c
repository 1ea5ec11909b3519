/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/stock_csv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/sgp02/names.h"
#include "common/sgp02/stock.h"

enum { IMSI_MIN = 6, CELL_MAX = 64 };

static const struct {
	const char *name;
	bool needed;
} columns[CSV_COLUMNS] = {
	[COL_ICCID] = { "ICCID", true },           [COL_IMSI] = { "IMSI", true },
	[COL_MSISDN] = { "MSISDN", false },        [COL_KEYS + USE_KI] = { "Ki", true },
	[COL_KEYS + USE_OPC] = { "OPc", true },    [COL_KEYS + USE_KIC] = { "KIC", false },
	[COL_KEYS + USE_KID] = { "KID", false },   [COL_KEYS + USE_KIK] = { "KIK", false },
	[COL_KEYS + USE_ENC] = { "ENC", false },   [COL_KEYS + USE_MAC] = { "MAC", false },
	[COL_KEYS + USE_DEK] = { "DEK", false },   [COL_KEYS + USE_PIN1] = { "PIN1", false },
	[COL_KEYS + USE_PIN2] = { "PIN2", false }, [COL_KEYS + USE_PUK1] = { "PUK1", false },
	[COL_KEYS + USE_PUK2] = { "PUK2", false }, [COL_KEYS + USE_ADM1] = { "ADM1", false },
};

static const char *const use_names[STOCK_USES] = { "ki",  "opc",  "kic",  "kid",  "kik",  "enc", "mac",
						   "dek", "pin1", "pin2", "puk1", "puk2", "adm1" };

static const struct {
	const char *name, *what;
	size_t len;
} wraps[STOCK_WRAPS] = {
	[STOCK_WRAP_KW] = { "kw", "AES key wrap", STOCK_KEY_LEN + 8 },
	[STOCK_WRAP_ECB] = { "ecb", "AES-ECB", STOCK_KEY_LEN },
};

const char *stock_use_name(enum stock_use use)
{
	return use < STOCK_USES ? use_names[use] : "?";
}

const char *stock_wrap_name(enum stock_wrap wrap)
{
	return wrap < STOCK_WRAPS ? wraps[wrap].name : "?";
}

const char *stock_use_heading(enum stock_use use)
{
	return use < STOCK_USES ? columns[COL_KEYS + use].name : "?";
}

enum stock_wrap stock_wrap_by_name(const char *name)
{
	unsigned w = 0;

	while (w < STOCK_WRAPS && strcmp(wraps[w].name, name) != 0)
		w++;
	return (enum stock_wrap)w;
}

enum stock_use stock_use_by_name(const char *name)
{
	return (enum stock_use)name_index(use_names, STOCK_USES, name);
}

size_t stock_wrapped_len(enum stock_wrap wrap)
{
	return wrap < STOCK_WRAPS ? wraps[wrap].len : 0;
}

bool stock_csv_has(const struct stock_csv *csv, enum stock_use use)
{
	return csv->place[COL_KEYS + use] > 0;
}

static void blame_line(struct csv_fault *fault, size_t line, const char *text)
{
	fault->line = line;
	fault->column = 0;
	(void)snprintf(fault->text, sizeof(fault->text), "line %zu: %s", line, text);
}

void stock_csv_blame(const struct stock_csv *csv, size_t line, enum csv_column column, struct csv_fault *fault, const char *fmt,
		     ...)
{
	va_list args;
	int n;

	fault->line = line;
	fault->column = csv->place[column];
	n = snprintf(fault->text, sizeof(fault->text), "line %zu, column %u (%s): ", line, fault->column, columns[column].name);
	va_start(args, fmt);
	(void)vsnprintf(fault->text + n, sizeof(fault->text) - (size_t)n, fmt, args);
	va_end(args);
}

/* Takes the next line off rest, without its end. False: there is none. */
static bool line_take(struct stock_csv *csv, struct bytes *out)
{
	const uint8_t *end = csv->rest.len ? memchr(csv->rest.data, '\n', csv->rest.len) : NULL;
	size_t n = end ? (size_t)(end - csv->rest.data) : csv->rest.len;

	if (csv->rest.len == 0)
		return false;
	*out = (struct bytes){ csv->rest.data, n };
	csv->rest.data += n + (end != NULL);
	csv->rest.len -= n + (end != NULL);
	csv->line++;
	if (n && out->data[n - 1] == '\r')
		out->len--;
	return true;
}

/* Takes the next cell off line, without its quotes. *more: a comma follows. */
static struct bytes cell_take(struct bytes *line, bool *more)
{
	const uint8_t *comma = line->len ? memchr(line->data, ',', line->len) : NULL;
	struct bytes cell = { line->data, comma ? (size_t)(comma - line->data) : line->len };

	*more = comma != NULL;
	if (comma) {
		line->data += cell.len + 1;
		line->len -= cell.len + 1;
	}
	if (cell.len >= 2 && cell.data[0] == '"' && cell.data[cell.len - 1] == '"')
		cell = (struct bytes){ cell.data + 1, cell.len - 2 };
	return cell;
}

static bool name_is(struct bytes cell, const char *name)
{
	return cell.len == strlen(name) && !memcmp(cell.data, name, cell.len);
}

/* The column that a heading names; false: none, or one that was named before. */
static bool heading_take(struct stock_csv *csv, struct bytes cell, struct csv_fault *fault)
{
	for (unsigned c = 0; c < CSV_COLUMNS; c++) {
		if (!name_is(cell, columns[c].name))
			continue;
		if (csv->place[c]) {
			fault->column = csv->n_columns + 1;
			(void)snprintf(fault->text, sizeof(fault->text), "line 1, column %u: %s is column %u already: name it once",
				       fault->column, columns[c].name, csv->place[c]);
			return false;
		}
		csv->order[csv->n_columns++] = (enum csv_column)c;
		csv->place[c] = csv->n_columns;
		return true;
	}
	fault->column = csv->n_columns + 1;
	(void)snprintf(
		fault->text, sizeof(fault->text),
		"line 1, column %u: no such heading; the first line should name ICCID,IMSI,Ki,OPc and maybe MSISDN, KIC,KID,KIK, "
		"ENC,MAC,DEK, PIN1,PIN2,PUK1,PUK2,ADM1",
		fault->column);
	return false;
}

bool stock_csv_open(struct bytes text, enum stock_wrap wrap, struct stock_csv *out, struct csv_fault *fault)
{
	struct stock_csv csv = { .rest = text, .wrap = wrap };
	struct bytes line;
	bool more = true;

	if (text.len >= 3 && !memcmp(text.data, "\xEF\xBB\xBF", 3))
		csv.rest = (struct bytes){ text.data + 3, text.len - 3 };
	fault->line = 1;
	if (!line_take(&csv, &line)) {
		blame_line(fault, 1, "the file is empty; its first line should be ICCID,IMSI,Ki,OPc");
		return false;
	}
	while (more)
		if (!heading_take(&csv, cell_take(&line, &more), fault))
			return false;
	for (unsigned c = 0; c < CSV_COLUMNS; c++) {
		if (columns[c].needed && !csv.place[c]) {
			blame_line(fault, 1, "a heading is missing; the first line should name at least ICCID,IMSI,Ki,OPc");
			return false;
		}
	}
	*out = csv;
	return true;
}

static bool digits_take(const struct stock_csv *csv, struct bytes cell, enum csv_column column, size_t min, char out[IMSI_MAX + 1],
			struct csv_fault *fault)
{
	char text[IMSI_MAX + 1] = "";

	if (cell.len >= min && cell.len <= IMSI_MAX)
		memcpy(text, cell.data, cell.len);
	if (cell.len < min || cell.len > IMSI_MAX || strspn(text, "0123456789") != cell.len) {
		stock_csv_blame(csv, csv->line, column, fault, "should be %zu to %d digits", min, IMSI_MAX);
		return false;
	}
	memcpy(out, text, sizeof(text));
	return true;
}

static bool iccid_take(const struct stock_csv *csv, struct bytes cell, struct iccid *out, struct csv_fault *fault)
{
	const char *why = "should be 6 to 20 digits that start with 89";
	char text[CELL_MAX] = "";

	if (cell.len < sizeof(text) && !memchr(cell.data, 0, cell.len)) {
		memcpy(text, cell.data, cell.len);
		if (stock_iccid_parse(text, out, &why))
			return true;
	}
	stock_csv_blame(csv, csv->line, COL_ICCID, fault, "%s", why);
	return false;
}

static bool key_take(const struct stock_csv *csv, struct bytes cell, enum csv_column column, uint8_t out[STOCK_WRAPPED_MAX],
		     struct csv_fault *fault)
{
	size_t len = stock_wrapped_len(csv->wrap);

	if (cell.len == 2 * len && hex_decode((const char *)cell.data, cell.len, out))
		return true;
	stock_csv_blame(csv, csv->line, column, fault, "should be %zu hex digits: %d bytes under the transport key by %s (%s)",
			2 * len, STOCK_KEY_LEN, wraps[csv->wrap].what, wraps[csv->wrap].name);
	return false;
}

static bool cell_read(const struct stock_csv *csv, struct bytes cell, enum csv_column column, struct stock_row *row,
		      struct csv_fault *fault)
{
	switch (column) {
	case COL_ICCID:
		return iccid_take(csv, cell, &row->iccid, fault);
	case COL_IMSI:
		return digits_take(csv, cell, column, IMSI_MIN, row->imsi, fault);
	case COL_MSISDN:
		return cell.len == 0 || digits_take(csv, cell, column, 1, row->msisdn, fault);
	case COL_KEYS:
	case CSV_COLUMNS:
	default:
		return key_take(csv, cell, column, row->wrapped[column - COL_KEYS], fault);
	}
}

enum csv_next stock_csv_next(struct stock_csv *csv, struct stock_row *out, struct csv_fault *fault)
{
	struct stock_row row = { 0 };
	struct bytes line;
	bool more = true;
	unsigned n = 0;

	if (!line_take(csv, &line))
		return CSV_END;
	row.line = csv->line;
	for (struct bytes rest = line; more; n++)
		(void)cell_take(&rest, &more);
	if (n != csv->n_columns) {
		blame_line(fault, csv->line, "");
		(void)snprintf(fault->text, sizeof(fault->text),
			       "line %zu: has %u cells where the header names %u; leave no line empty", csv->line, n,
			       csv->n_columns);
		return CSV_BAD;
	}
	for (unsigned i = 0; i < n; i++)
		if (!cell_read(csv, cell_take(&line, &more), csv->order[i], &row, fault))
			return CSV_BAD;
	*out = row;
	return CSV_ROW;
}

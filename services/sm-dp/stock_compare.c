/* SPDX-License-Identifier: Apache-2.0 */
/* A batch that comes again: the same numbers and keys are the same batch, however the file is written or wrapped; else the first line and column
 * that differ are named. */
#include <stdio.h>
#include <string.h>

#include "common/crypto/aes.h"
#include "common/crypto/keys.h"
#include "services/sm-dp/import_internal.h"

enum { LINE, ICCID_, IMSI_, MSISDN_, KEYS_ };

static void differs(struct import *m, const struct stock_row *row, enum csv_column column, const char *what)
{
	m->out->end = IMPORT_OTHER;
	stock_csv_blame(&m->csv, row->line, column, &m->out->fault, "%s", what);
}

static void line_differs(struct import *m, size_t line, const char *what)
{
	m->out->end = IMPORT_OTHER;
	m->out->fault.line = line;
	m->out->fault.column = 0;
	(void)snprintf(m->out->fault.text, sizeof(m->out->fault.text), "line %zu: %s", line, what);
}

static result key_compare(struct import *m, const struct stock_row *row, enum stock_use use, const char *keys)
{
	CLEANUP(secret_free) struct secret ours = { 0 };
	CLEANUP(secret_free) struct secret theirs = { 0 };
	struct bytes wrapped = stock_wrapped_of(m->page, keys, use);

	if (m->drawn[use])
		return OK;
	if (stock_csv_has(&m->csv, use) != (wrapped.len > 0)) {
		line_differs(m, row->line,
			     wrapped.len ? "the batch has a key here for which the file has no column"
					 : "the file has a key more than the batch");
		return OK;
	}
	if (!wrapped.len || !import_key(m, row, use, &theirs))
		return OK;
	if (!kek_unwrap(&m->smdp->kek, stock_aad(m->page, &row->iccid, use), wrapped, &ours))
		return internal(m->arena, "%s of ICCID %s cannot be read with this KEK", stock_use_name(use), row->iccid.text);
	if (ours.len != theirs.len || !mac_equal(ours.data, theirs.data, ours.len))
		differs(m, row, (enum csv_column)(COL_KEYS + use), "the batch has another key here");
	return OK;
}

static result row_compare(struct import *m, const struct stock_row *row, const struct rows *r, size_t i)
{
	const char *msisdn = row_null(r, i, MSISDN_) ? "" : row_text(r, i, MSISDN_);

	if (strcmp(row_text(r, i, ICCID_), row->iccid.text) != 0)
		differs(m, row, COL_ICCID, "the batch has another ICCID here");
	else if (strcmp(row_text(r, i, IMSI_), row->imsi) != 0)
		differs(m, row, COL_IMSI, "the batch has another IMSI here");
	else if (strcmp(msisdn, row->msisdn) != 0 && m->csv.place[COL_MSISDN])
		differs(m, row, COL_MSISDN, "the batch has another MSISDN here");
	else if (strcmp(msisdn, row->msisdn) != 0)
		line_differs(m, row->line, "the batch has an MSISDN here, the file has no column for it");
	for (unsigned use = 0; use < STOCK_USES && m->out->end == IMPORT_REPEATED; use++)
		TRY(key_compare(m, row, use, row_text(r, i, KEYS_)));
	return OK;
}

static result chunk_compare(struct import *m)
{
	const struct rows *r;

	DB_QUEUE(m->db, SMDP_BATCH_LINES, p_text(m->in->mno->text), p_text(m->in->name), p_int(m->page, (int64_t)m->rows[0].line),
		 p_int(m->page, (int64_t)m->n));
	TRY(db_sync(m->db, m->page, &r, 1, NULL));
	for (size_t i = 0; i < m->n && m->out->end == IMPORT_REPEATED; i++) {
		if (i >= rows_count(r))
			line_differs(m, m->rows[i].line, "the batch ended before it");
		else
			TRY(row_compare(m, &m->rows[i], r, i));
	}
	return OK;
}

result import_compare(struct import *m, int64_t quantity)
{
	do {
		import_chunk_read(m);
		if (m->n > 0)
			TRY(chunk_compare(m));
	} while (m->n == IMPORT_CHUNK && m->out->end == IMPORT_REPEATED);
	if (m->out->end == IMPORT_REPEATED && (int64_t)m->out->rows < quantity)
		line_differs(m, m->out->rows + 2, "the batch goes on here, the file has ended");
	return OK;
}

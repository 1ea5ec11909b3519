/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/stock_import.h"

#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/hex.h"
#include "common/crypto/keys.h"
#include "services/sm-dp/import_internal.h"

/* The whole file once without the database: nothing is locked for a typing error. */
static bool file_check(struct import *m)
{
	struct stock_csv csv;
	struct stock_row row;
	enum csv_next next = CSV_BAD;

	if (stock_csv_open(m->in->file, m->in->wrap, &csv, &m->out->fault)) {
		m->csv = csv;
		while ((next = stock_csv_next(&csv, &row, &m->out->fault)) == CSV_ROW)
			m->out->rows++;
		if (next == CSV_END && m->out->rows == 0) {
			m->out->fault.line = 1;
			(void)snprintf(m->out->fault.text, sizeof(m->out->fault.text),
				       "line 2: there is no ICCID in it, only a header");
			next = CSV_BAD;
		}
	}
	if (next == CSV_BAD)
		m->out->end = IMPORT_BAD;
	return next == CSV_END;
}

void import_chunk_read(struct import *m)
{
	struct csv_fault fault;

	arena_reset(m->page);
	for (m->n = 0; m->n < IMPORT_CHUNK; m->n++)
		if (stock_csv_next(&m->csv, &m->rows[m->n], &fault) != CSV_ROW) /* it was checked: this is its end */
			return;
}

bool import_key(struct import *m, const struct stock_row *row, enum stock_use use, struct secret *out)
{
	const struct bytes wrapped = { row->wrapped[use], stock_wrapped_len(m->in->wrap) };
	struct secret readings[2] = { { 0 } };
	const char *why;
	bool opened;

	if (m->in->wrap == STOCK_WRAP_ECB) {
		opened = transport_unwrap(m->transport, wrapped, readings) > 0;
		secret_free(&readings[1]); /* a key of whole blocks is not padded */
	} else {
		opened = rfc3394_unwrap(m->transport, wrapped, &readings[0]);
	}
	if (!opened) {
		m->out->end = IMPORT_BAD;
		stock_csv_blame(&m->csv, row->line, (enum csv_column)(COL_KEYS + use), &m->out->fault,
				"does not open with the transport key of %s: wrapped under another key, or damaged",
				m->in->mno->text);
		return false;
	}
	*out = readings[0];
	why = stock_value_why(use, out);
	if (!why)
		return true;
	secret_free(out);
	m->out->end = IMPORT_BAD;
	stock_csv_blame(&m->csv, row->line, (enum csv_column)(COL_KEYS + use), &m->out->fault, "%s", why);
	return false;
}

/* Lists of one portion, as statements take them. */
struct lists {
	struct buf iccids, imsis, msisdns, owners, uses, keys;
};

static void lists_free(struct lists *l)
{
	buf_free(&l->iccids);
	buf_free(&l->imsis);
	buf_free(&l->msisdns);
	buf_free(&l->owners);
	buf_free(&l->uses);
	buf_free(&l->keys);
}

static void item_add(struct buf *list, const char *item)
{
	if (list->data)
		buf_char(list, ' ');
	buf_str(list, item);
}

static void numbers_list(const struct import *m, struct lists *l)
{
	for (size_t i = 0; i < m->n; i++) {
		item_add(&l->iccids, m->rows[i].iccid.text);
		item_add(&l->imsis, m->rows[i].imsi);
		item_add(&l->msisdns, m->rows[i].msisdn);
	}
}

static bool keys_list(struct import *m, struct lists *l)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct stock_row *row = &m->rows[i];

		for (unsigned use = 0; use < STOCK_USES; use++) {
			CLEANUP(secret_free) struct secret key = { 0 };
			struct bytes wrapped;

			if (m->drawn[use])
				key = stock_value_draw(use);
			else if (!stock_csv_has(&m->csv, use))
				continue;
			else if (!import_key(m, row, use, &key))
				return false;
			kek_wrap(&m->smdp->kek, stock_aad(m->page, &row->iccid, use), key.data, key.len, m->page, &wrapped);
			item_add(&l->owners, row->iccid.text);
			item_add(&l->uses, stock_use_name(use));
			item_add(&l->keys, hex_text(m->page, wrapped.data, wrapped.len));
		}
	}
	return true;
}

/* Names the number that is taken, and by whom. */
static void taken_blame(struct import *m, const struct rows *r)
{
	int64_t place = row_int(r, 0, 0);
	enum csv_column column = row_int(r, 0, 1) ? COL_IMSI : COL_ICCID;
	const char *mno = row_text(r, 0, 2), *batch = row_text(r, 0, 3);
	size_t line = place >= 1 && (size_t)place <= m->n ? m->rows[place - 1].line : m->rows[0].line;

	m->out->end = IMPORT_TAKEN;
	if (!strcmp(mno, m->in->mno->text) && !strcmp(batch, m->in->name))
		stock_csv_blame(&m->csv, line, column, &m->out->fault, "stands on an earlier line, too: give each number once");
	else
		stock_csv_blame(&m->csv, line, column, &m->out->fault,
				"is in the stock already, from batch %.64s of %.60s: leave it out", batch, mno);
}

static result chunk_save(struct import *m)
{
	CLEANUP(lists_free) struct lists l = { 0 };
	const struct rows *taken;

	numbers_list(m, &l);
	DB_QUEUE(m->db, SMDP_STOCK_TAKEN, p_text(l.iccids.data), p_text(l.imsis.data), p_text(m->in->mno->text),
		 p_text(m->in->name));
	TRY(db_sync(m->db, m->page, &taken, 1, NULL));
	if (rows_count(taken) > 0) {
		taken_blame(m, taken);
		return OK;
	}
	if (!keys_list(m, &l))
		return OK;
	DB_QUEUE(m->db, SMDP_STOCK_ADD, p_text(m->in->mno->text), p_text(m->in->name), p_text(m->in->type),
		 p_int(m->page, (int64_t)m->rows[0].line), p_text(l.iccids.data), p_text(l.imsis.data), p_text(l.msisdns.data));
	DB_QUEUE(m->db, SMDP_SECRETS_ADD, p_text(l.owners.data), p_text(l.uses.data), p_text(l.keys.data));
	TRY(db_sync(m->db, m->page, NULL, 0, NULL));
	(void)FAULT("sm-dp.import.portion", "*");
	return OK;
}

static result batch_save(struct import *m, const uint8_t digest[SHA256_LEN])
{
	const struct stock_import *in = m->in;

	DB_QUEUE(m->db, SMDP_BATCH_ADD, p_text(in->mno->text), p_text(in->name), p_text(in->type), p_int(m->arena, in->wrap),
		 p_int(m->arena, (int64_t)m->out->rows), p_bytes(digest, SHA256_LEN));
	TRY(db_sync(m->db, m->arena, NULL, 0, NULL));
	do {
		import_chunk_read(m);
		if (m->n > 0)
			TRY(chunk_save(m));
	} while (m->n == IMPORT_CHUNK && m->out->end == IMPORT_DONE);
	if (m->out->end != IMPORT_DONE)
		return OK;
	db_commit(m->db);
	return db_sync(m->db, m->arena, NULL, 0, NULL);
}

/* The batch of this name that is there already: is it this one? */
static result batch_repeated(struct import *m, const struct rows *r, const uint8_t digest[SHA256_LEN])
{
	const char *type = row_text(r, 0, 0);
	struct bytes known = row_bytes(r, 0, 3);

	m->out->end = IMPORT_REPEATED;
	if (strcmp(type, m->in->type) != 0) {
		m->out->end = IMPORT_OTHER;
		(void)snprintf(m->out->fault.text, sizeof(m->out->fault.text), "it is of profile type %.64s", type);
		return OK;
	}
	if (row_int(r, 0, 1) == (int64_t)m->in->wrap && known.len == SHA256_LEN && !memcmp(known.data, digest, SHA256_LEN))
		return OK;
	return import_compare(m, row_int(r, 0, 2));
}

/* One that is not there yet, of a type that is. */
static result batch_new(struct import *m, const struct rows *type, const uint8_t digest[SHA256_LEN])
{
	bool fits;

	TRY(import_fits(m, type, &fits));
	return fits ? batch_save(m, digest) : OK;
}

static result import_run(struct import *m)
{
	const struct rows *rows[3];
	uint8_t digest[SHA256_LEN];

	sha256(m->in->file.data, m->in->file.len, digest);
	db_begin(m->db);
	DB_QUEUE0(m->db, SMDP_STOCK_LOCK);
	DB_QUEUE(m->db, SMDP_BATCH_GET, p_text(m->in->mno->text), p_text(m->in->name));
	DB_QUEUE(m->db, SMDP_TYPE_GET, p_text(m->in->mno->text), p_text(m->in->type));
	TRY(db_sync(m->db, m->arena, rows, LEN(rows), NULL));
	if (rows_count(rows[2]) == 0) {
		m->out->end = IMPORT_NO_TYPE;
		return OK;
	}
	TRY(import_drawn(m, rows[2]));
	return rows_count(rows[1]) > 0 ? batch_repeated(m, rows[1], digest) : batch_new(m, rows[2], digest);
}

result stock_import(const struct smdp *smdp, struct db *db, struct arena *a, const struct stock_import *in,
		    struct stock_imported *out)
{
	CLEANUP(arena_freep) struct arena *page = arena_new();
	struct import m = { .smdp = smdp, .db = db, .arena = a, .page = page, .in = in, .out = out };
	result r;

	*out = (struct stock_imported){ .end = IMPORT_DONE };
	m.transport = transport_key_of(&smdp->transports, in->mno);
	if (!m.transport) {
		out->end = IMPORT_NO_KEY;
		return OK;
	}
	if (!file_check(&m))
		return OK;
	m.rows = arena_array(a, IMPORT_CHUNK, sizeof(*m.rows));
	r = import_run(&m);
	if (r != OK || out->end != IMPORT_DONE)
		db_rollback(db);
	if (r == OK)
		return OK;
	/* It lives in the page's arena. */
	return r->code == CODE_BUSY ? failed(a, CODE_BUSY, NULL, NULL)
				    : internal(a, "%s", r->cause ? r->cause : status_code(r->code)->text);
}

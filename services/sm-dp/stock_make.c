/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges: numbers that are counted up and keys that are drawn here. A made batch goes the way of an imported one, and any batch can be handed to
 * its operator as the file it would have imported. */
#include <stdio.h>
#include <string.h>

#include "common/crypto/keys.h"
#include "services/sm-dp/import_internal.h"
#include "services/sm-dp/profile_type.h"

enum { FIRST_LINE = 2, LINE_ = 0, ICCID_, IMSI_, MSISDN_, KEYS_ };

static void key_put(struct buf *out, const struct secret *transport, const struct secret *key, struct arena *page)
{
	struct bytes wrapped = { 0 };

	if (rfc3394_wrap(transport, key->data, key->len, page, &wrapped)) /* both are of fixed lengths */
		buf_hex(out, wrapped.data, wrapped.len);
}

/* False: the numbers run out. */
static bool file_make(const struct stock_order *o, const struct type_variables *t, const struct secret *transport,
		      struct arena *page, struct buf *out)
{
	buf_str(out, "ICCID,IMSI");
	for (unsigned use = 0; use < STOCK_USES; use++)
		if (t->source[use] == SOURCE_BATCH)
			buf_printf(out, ",%s", stock_use_heading(use));
	buf_char(out, '\n');
	for (size_t i = 0; i < o->quantity; i++) {
		char imsi[IMSI_MAX + 1];
		struct iccid iccid;

		arena_reset(page);
		if (!stock_iccid_at(&o->first, i, &iccid) || !stock_number_at(o->imsi, i, imsi))
			return false;
		buf_printf(out, "%s,%s", iccid.text, imsi);
		for (unsigned use = 0; use < STOCK_USES; use++) {
			CLEANUP(secret_free) struct secret value = { 0 };

			if (t->source[use] != SOURCE_BATCH)
				continue;
			value = stock_value_draw(use);
			buf_char(out, ',');
			key_put(out, transport, &value, page);
		}
		buf_char(out, '\n');
	}
	return true;
}

/* Is the batch of this name the one that was ordered? *out_known false: there is none. */
static result batch_known(struct db *db, struct arena *a, const struct stock_order *o, bool *out_known, bool *out_same)
{
	const struct rows *r[2];

	DB_QUEUE(db, SMDP_BATCH_GET, p_text(o->mno.text), p_text(o->name));
	DB_QUEUE(db, SMDP_BATCH_LINES, p_text(o->mno.text), p_text(o->name), p_int(a, FIRST_LINE), p_int(a, 1));
	TRY(db_sync(db, a, r, LEN(r), NULL));
	*out_known = rows_count(r[0]) > 0;
	*out_same = *out_known && rows_count(r[1]) > 0 && !strcmp(row_text(r[0], 0, 0), o->type) &&
		    row_int(r[0], 0, 2) == (int64_t)o->quantity && !strcmp(row_text(r[1], 0, ICCID_), o->first.text) &&
		    !strcmp(row_text(r[1], 0, IMSI_), o->imsi);
	return OK;
}

/* A type that is not there: the import will say so. */
static result variables_of(struct db *db, struct arena *a, const struct stock_order *o, struct type_variables *out)
{
	struct profile_type *type;
	const char *why;

	TRY(profile_type_load(db, a, &o->mno, o->type, &type));
	return type_variables_parse(a, type ? type->variables : "", out, &why) ? OK : internal(a, "type %s: %s", o->type, why);
}

static void fault_say(struct stock_imported *out, enum import_end end, const char *text)
{
	out->end = end;
	(void)snprintf(out->fault.text, sizeof(out->fault.text), "%s", text);
}

result stock_make(const struct smdp *smdp, struct db *db, struct arena *a, const struct stock_order *order,
		  struct stock_imported *out)
{
	CLEANUP(arena_freep) struct arena *page = arena_new();
	const struct secret *transport = transport_key_of(&smdp->transports, &order->mno);
	struct stock_import in = { .mno = &order->mno, .type = order->type, .name = order->name, .wrap = STOCK_WRAP_KW };
	CLEANUP(buf_free) struct buf file = { 0 };
	struct type_variables variables;
	bool known, same;

	*out = (struct stock_imported){ .end = transport ? IMPORT_REPEATED : IMPORT_NO_KEY, .rows = order->quantity };
	if (!transport)
		return OK;
	TRY(batch_known(db, a, order, &known, &same));
	if (known && !same)
		fault_say(out, IMPORT_OTHER, "its type, quantity or first numbers are others");
	if (known)
		return OK;
	TRY(variables_of(db, a, order, &variables));
	if (!file_make(order, &variables, transport, page, &file)) {
		fault_say(out, IMPORT_BAD, "the numbers run out: choose lower first ones or a smaller quantity");
		return OK;
	}
	in.file = (struct bytes){ (const uint8_t *)file.data, file.len };
	return stock_import(smdp, db, a, &in, out);
}

/* One line; its keys are opened and wrapped again. */
static result line_export(const struct smdp *smdp, const struct secret *transport, struct arena *page, const struct rows *r,
			  size_t i, struct buf *out)
{
	struct iccid iccid;

	if (!iccid_parse(row_text(r, i, ICCID_), &iccid))
		return internal(page, "stock: the row of %s cannot be read", row_text(r, i, ICCID_));
	buf_printf(out, "%s,%s,%s", iccid.text, row_text(r, i, IMSI_), row_null(r, i, MSISDN_) ? "" : row_text(r, i, MSISDN_));
	for (unsigned use = 0; use < STOCK_USES; use++) {
		struct bytes wrapped = stock_wrapped_of(page, row_text(r, i, KEYS_), use);
		CLEANUP(secret_free) struct secret key = { 0 };

		if (wrapped.len == 0)
			continue;
		if (!kek_unwrap(&smdp->kek, stock_aad(page, &iccid, use), wrapped, &key))
			return internal(page, "%s of ICCID %s cannot be read with this KEK", stock_use_name(use), iccid.text);
		buf_char(out, ',');
		key_put(out, transport, &key, page);
	}
	buf_char(out, '\n');
	return OK;
}

/* All lines of a batch have the same columns. */
static void head_export(struct arena *page, const struct rows *r, struct buf *out)
{
	buf_str(out, "ICCID,IMSI,MSISDN");
	for (unsigned use = 0; use < STOCK_USES; use++)
		if (stock_wrapped_of(page, row_text(r, 0, KEYS_), use).len)
			buf_printf(out, ",%s", stock_use_heading(use));
	buf_char(out, '\n');
}

static result lines_export(const struct smdp *smdp, struct db *db, struct arena *page, const struct oid *mno, const char *name,
			   const struct secret *transport, struct buf *out)
{
	int64_t line = FIRST_LINE;
	const struct rows *r;

	do {
		arena_reset(page);
		DB_QUEUE(db, SMDP_BATCH_LINES, p_text(mno->text), p_text(name), p_int(page, line), p_int(page, IMPORT_CHUNK));
		TRY(db_sync(db, page, &r, 1, NULL));
		if (line == FIRST_LINE && rows_count(r) > 0)
			head_export(page, r, out);
		for (size_t i = 0; i < rows_count(r); i++)
			TRY(line_export(smdp, transport, page, r, i, out));
		line += IMPORT_CHUNK;
	} while (rows_count(r) == IMPORT_CHUNK);
	return OK;
}

result stock_export(const struct smdp *smdp, struct db *db, struct arena *a, const struct oid *mno, const char *name,
		    struct buf *out, bool *out_found)
{
	CLEANUP(arena_freep) struct arena *page = arena_new();
	const struct secret *transport = transport_key_of(&smdp->transports, mno);
	result r = transport ? lines_export(smdp, db, page, mno, name, transport, out) : OK;

	*out_found = out->len > 0;
	if (r == OK || r->code == CODE_BUSY)
		return r == OK ? OK : failed(a, CODE_BUSY, NULL, NULL);
	return internal(a, "%s", r->cause ? r->cause : status_code(r->code)->text); /* it lives in the page's arena */
}

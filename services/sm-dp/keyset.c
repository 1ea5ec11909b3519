/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/keyset.h"

#include <string.h>

#include "common/base/hex.h"
#include "common/base/random.h"
#include "common/crypto/keys.h"

/* Columns of SMDP_EXPORT_TAKE. */
enum { EID_ = 0, ISDP_, ICCID_, KVN_, WRAPPED_ };

const char *keyset_aad(struct arena *a, const char *eid, const struct aid *isdp, unsigned kvn)
{
	char aid[2 * AID_MAX + 1];

	aid_format(isdp, aid);
	return arena_printf(a, "%s|%s|%02X", eid, aid, kvn);
}

bool keyset_isdp(struct bytes column, struct aid *out)
{
	if (column.len == 0 || column.len > AID_MAX)
		return false;
	*out = (struct aid){ .len = (uint8_t)column.len };
	memcpy(out->data, column.data, column.len);
	return true;
}

/* ",<wrapped>,<KCV>" of the key at a place of the set. */
static void key_put(struct arena *page, const struct secret *transport, const uint8_t *key, struct buf *out)
{
	uint8_t kcv[KCV_LEN] = { 0 };
	struct bytes wrapped = { 0 };

	(void)rfc3394_wrap(transport, key, AES_KEY, page, &wrapped); /* both are of fixed lengths */
	(void)key_kcv(KEY_TYPE_AES, key, AES_KEY, kcv);
	buf_char(out, ',');
	buf_hex(out, wrapped.data, wrapped.len);
	buf_char(out, ',');
	buf_hex(out, kcv, sizeof(kcv));
}

static result line_put(const struct smdp *smdp, struct arena *page, const struct secret *transport, const struct rows *r, size_t i,
		       struct buf *out)
{
	const char *eid = row_text(r, i, EID_);
	unsigned kvn = (unsigned)row_int(r, i, KVN_);
	CLEANUP(secret_free) struct secret keys = { 0 };
	char aid[2 * AID_MAX + 1];
	struct aid isdp;

	if (!keyset_isdp(row_bytes(r, i, ISDP_), &isdp) ||
	    !kek_unwrap(&smdp->kek, keyset_aad(page, eid, &isdp, kvn), row_bytes(r, i, WRAPPED_), &keys) || keys.len != KEYSET_KEYS)
		return internal(page, "the keys of ICCID %s on %s cannot be read with this KEK", row_text(r, i, ICCID_), eid);
	aid_format(&isdp, aid);
	buf_printf(out, "%s,%s,%s,%02X", eid, row_text(r, i, ICCID_), aid, kvn);
	for (size_t key = 0; key < KEYSET_KEYS; key += AES_KEY)
		key_put(page, transport, keys.data + key, out);
	buf_char(out, '\n');
	return OK;
}

static result file_make(const struct smdp *smdp, struct arena *a, const struct secret *transport, const struct rows *r,
			struct buf *out)
{
	CLEANUP(arena_freep) struct arena *page = arena_new();

	buf_str(out, "EID,ICCID,ISD-P,KVN,01-ENC,01-KCV,02-MAC,02-KCV,03-DEK,03-KCV\n");
	for (size_t i = 0; i < rows_count(r); i++) {
		result failure;

		arena_reset(page);
		failure = line_put(smdp, page, transport, r, i, out);
		if (failure != OK)
			return internal(a, "%s", failure->cause); /* it lives in the page's arena */
	}
	return OK;
}

/* Queues and executes; *out: the rows that go. */
static result take(struct db *db, struct arena *a, const struct keyset_order *o, const char *id, const struct rows **out)
{
	const struct rows *rows[2];

	db_begin(db);
	DB_QUEUE(db, SMDP_EXPORT_ADD, p_text(id), p_text(o->mno.text), p_text(o->type), p_text(o->by));
	DB_QUEUE(db, SMDP_EXPORT_TAKE, p_text(id), p_text(o->mno.text), p_text(o->type), p_bool(o->all),
		 p_int(a, TYPE_KEYS_HAND_OVER), p_int(a, KEYSET_EXPORT_MAX + 1));
	TRY(db_sync(db, a, rows, LEN(rows), NULL));
	*out = rows[1];
	return OK;
}

static result export_run(const struct smdp *smdp, struct db *db, struct arena *a, const struct keyset_order *o,
			 const struct secret *transport, struct buf *out, struct keyset_exported *done)
{
	const struct rows *r;

	TRY(take(db, a, o, done->id, &r));
	done->keysets = rows_count(r);
	if (done->keysets == 0 || done->keysets > KEYSET_EXPORT_MAX) {
		done->end = done->keysets ? KEYSET_TOO_MANY : KEYSET_NONE;
		return OK;
	}
	TRY(file_make(smdp, a, transport, r, out));
	DB_QUEUE(db, SMDP_EXPORT_COUNT, p_text(done->id), p_int(a, (int64_t)done->keysets));
	db_commit(db);
	return db_sync(db, a, NULL, 0, NULL);
}

result keyset_export(const struct smdp *smdp, struct db *db, struct arena *a, const struct keyset_order *order, struct buf *out,
		     struct keyset_exported *done)
{
	const struct secret *transport = transport_key_of(&smdp->transports, &order->mno);
	struct keyset_exported e = { .end = transport ? KEYSET_DONE : KEYSET_NO_KEY };
	CLEANUP(buf_free) struct buf file = { 0 };
	result r = OK;

	uuid_new(e.id);
	if (transport)
		r = export_run(smdp, db, a, order, transport, &file, &e);
	if (r != OK || e.end != KEYSET_DONE)
		db_rollback(db);
	TRY(r);
	if (e.end == KEYSET_DONE)
		buf_add(out, file.data, file.len);
	*done = e;
	return OK;
}

static result confirm_run(struct db *db, struct arena *a, const char *id, const char *by, bool *out_known,
			  struct keyset_confirmed *out)
{
	const struct rows *rows[2];

	db_begin(db);
	DB_QUEUE(db, SMDP_EXPORT_CONFIRM, p_text(id), p_text(by));
	DB_QUEUE(db, SMDP_EXPORT_WIPE, p_text(id), p_int(a, TYPE_KEYS_HAND_OVER));
	TRY(db_sync(db, a, rows, LEN(rows), NULL));
	*out_known = rows_count(rows[1]) > 0;
	if (*out_known) /* before the commit: rows last until the next round trip */
		*out = (struct keyset_confirmed){ .repeated = rows_affected(rows[0]) == 0,
						  .keysets = row_int(rows[1], 0, 0),
						  .wiped = row_int(rows[1], 0, 1) };
	db_commit(db);
	return db_sync(db, a, NULL, 0, NULL);
}

result keyset_confirm(struct db *db, struct arena *a, const char *id, const char *by, bool *out_known, struct keyset_confirmed *out)
{
	result r = confirm_run(db, a, id, by, out_known, out);

	if (r != OK)
		db_rollback(db);
	return r;
}

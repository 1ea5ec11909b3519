/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/stock_store.h"

#include <string.h>

#include "common/base/hex.h"
#include "common/base/log.h"
#include "common/crypto/keys.h"
#include "services/sm-dp/statements.h"

result stock_item_from(struct arena *a, const struct rows *r, struct stock_item **out)
{
	struct stock_item *item = ARENA_NEW(a, struct stock_item);
	int64_t state;

	*out = NULL;
	if (rows_count(r) == 0)
		return OK;
	state = row_int(r, 0, 6);
	*item = (struct stock_item){ .type = row_text_dup(a, r, 0, 2),
				     .batch = row_text_dup(a, r, 0, 3),
				     .imsi = row_text_dup(a, r, 0, 4),
				     .msisdn = row_text_dup(a, r, 0, 5),
				     .state = (enum stock_state)state,
				     .sent = row_bool(r, 0, 7) };
	if (state < 0 || state >= STOCK_STATES || !iccid_parse(row_text(r, 0, 0), &item->iccid) ||
	    !oid_parse(row_text(r, 0, 1), &item->mno))
		return internal(a, "stock: the row of %s cannot be read", row_text(r, 0, 0));
	if (!row_null(r, 0, 8)) {
		struct eid *eid = ARENA_NEW(a, struct eid);

		if (!eid_parse(row_text(r, 0, 8), eid))
			return internal(a, "stock: the EID of %s cannot be read", item->iccid.text);
		item->eid = eid;
	}
	*out = item;
	return OK;
}

result stock_load(struct db *db, struct arena *a, const struct iccid *iccid, struct stock_item **out)
{
	const struct rows *r;

	DB_QUEUE(db, SMDP_STOCK_GET, p_text(iccid->text));
	TRY(db_sync(db, a, &r, 1, NULL));
	return stock_item_from(a, r, out);
}

result stock_find(struct db *db, struct arena *a, const struct oid *mno, const char *type, const struct eid *eid,
		  struct stock_item **out)
{
	const struct rows *r;

	DB_QUEUE(db, SMDP_STOCK_FREE, p_text(mno->text), p_text(type), p_text(eid->text));
	TRY(db_sync(db, a, &r, 1, NULL));
	return stock_item_from(a, r, out);
}

bool stock_move(struct db *db, struct arena *a, struct stock_item *item, enum stock_event event, const struct eid *eid)
{
	enum stock_state next = stock_next(item->state, item->sent, event), old = item->state;

	if (next == STOCK_STATES || (event == STEV_RESERVED && (!eid || !stock_serves(item->sent, item->eid, eid)))) {
		log_msg(LOG_WARN, "stock_event", "ICCID %s is %s: %s cannot happen to it", item->iccid.text,
			stock_state_name(item->state), stock_event_name(event));
		return false;
	}
	item->state = next;
	item->sent = item->sent || event == STEV_SENT;
	if (event == STEV_RESERVED)
		item->eid = arena_memdup(a, eid, sizeof(*eid));
	else if (next == STOCK_AVAILABLE && !item->sent)
		item->eid = NULL;
	DB_QUEUE(db, SMDP_STOCK_MOVE, p_text(item->iccid.text), p_int(a, old), p_int(a, next), p_bool(item->sent),
		 p_text(item->eid ? item->eid->text : NULL));
	return true;
}

void stock_deleted(struct db *db, struct arena *a, const struct iccid *iccid, const struct eid *eid, int64_t at)
{
	for (unsigned state = 0; state < STOCK_STATES; state++) {
		enum stock_state next = stock_next(state, true, STEV_DELETED);

		if (next == STOCK_STATES)
			continue;
		DB_QUEUE(db, SMDP_STOCK_LEAVE, p_text(arena_strdup(a, iccid->text)), p_int(a, state), p_int(a, next),
			 p_text(arena_strdup(a, eid->text)), at ? p_time(a, at + STOCK_LATE_S * INT64_C(1000000)) : p_null());
	}
}

struct bytes stock_wrapped_of(struct arena *a, const char *keys, enum stock_use use)
{
	size_t n = strlen(stock_use_name(use));

	while (keys && *keys) {
		size_t len = strcspn(keys, " ");

		if (len > n && !strncmp(keys, stock_use_name(use), n) && keys[n] == ':') {
			uint8_t *data = arena_alloc(a, (len - n) / 2);

			if (hex_decode(keys + n + 1, len - n - 1, data))
				return (struct bytes){ data, (len - n - 1) / 2 };
		}
		keys += len + (keys[len] == ' ');
	}
	return (struct bytes){ 0 };
}

const char *stock_aad(struct arena *a, const struct iccid *iccid, enum stock_use use)
{
	return arena_printf(a, "%s|%s", iccid->text, stock_use_name(use));
}

result stock_secret_load(struct db *db, struct arena *a, const struct secret *kek, const struct iccid *iccid, enum stock_use use,
			 struct secret *out)
{
	const struct rows *r;

	DB_QUEUE(db, SMDP_SECRET_GET, p_text(iccid->text), p_text(stock_use_name(use)));
	TRY(db_sync(db, a, &r, 1, NULL));
	if (rows_count(r) == 0) {
		*out = (struct secret){ 0 };
		return OK;
	}
	return kek_unwrap(kek, stock_aad(a, iccid, use), row_bytes(r, 0, 0), out)
		       ? OK
		       : internal(a, "%s of ICCID %s cannot be read with this KEK", stock_use_name(use), iccid->text);
}

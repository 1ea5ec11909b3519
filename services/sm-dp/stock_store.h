/* SPDX-License-Identifier: Apache-2.0 */
/* The stock's rows: loaded and locked, moved, and their secrets (decisions.md D6). */
#ifndef SMDP_STOCK_STORE_H
#define SMDP_STOCK_STORE_H

#include "common/base/secret.h"
#include "common/sgp02/stock.h"
#include "common/store/store.h"
#include "services/sm-dp/stock_csv.h"

struct stock_item {
	struct iccid iccid;
	struct oid mno;
	const char *type, *batch, *imsi, *msisdn; /* msisdn NULL: none */
	enum stock_state state;
	bool sent;
	const struct eid *eid; /* the card of its last reservation; NULL: none */
};

/* The ICCID's row, locked until the transaction's end; *out NULL: not of our stock. One round trip. */
result stock_load(struct db *db, struct arena *a, const struct iccid *iccid, struct stock_item **out);
/* One that is free for this card, of a type, locked; not yet moved. *out NULL: there is none. One round trip. */
result stock_find(struct db *db, struct arena *a, const struct oid *mno, const char *type, const struct eid *eid,
		  struct stock_item **out);
/* From the row of SMDP_STOCK_GET or SMDP_STOCK_FREE, for loads that queue it themselves. INTERNAL: it is of a newer program. */
result stock_item_from(struct arena *a, const struct rows *r, struct stock_item **out);
/* The one mover: queues what the event does to a row that this transaction has locked, and changes item with it. eid: the card of
 * STEV_RESERVED, else NULL. False: this event cannot happen to it, or it may not go to this card; nothing is queued. */
bool stock_move(struct db *db, struct arena *a, struct stock_item *item, enum stock_event event, const struct eid *eid);

/* The same for STEV_DELETED of a row that is not loaded, in one statement: nothing happens to what was not sent to this card, nor does the same
 * again. With its ISD-P go the keys that we kept of it. at: when it was deleted, microseconds since 1970 by the clock of who says so; more than
 * STOCK_LATE_S before the row last moved, it is told of an earlier life and changes nothing. 0: just now. */
enum { STOCK_LATE_S = 300 };
void stock_deleted(struct db *db, struct arena *a, const struct iccid *iccid, const struct eid *eid, int64_t at);

/* The wrapped secret for a use in the last column of SMDP_BATCH_LINES, "ki:HEX opc:HEX"; empty: none. */
struct bytes stock_wrapped_of(struct arena *a, const char *keys, enum stock_use use);
/* What binds a wrapped secret to its place. */
const char *stock_aad(struct arena *a, const struct iccid *iccid, enum stock_use use);
/* A secret of an ICCID, opened; the caller frees it. *out empty: it has none for this use. INTERNAL: wrapped under another KEK. */
result stock_secret_load(struct db *db, struct arena *a, const struct secret *kek, const struct iccid *iccid, enum stock_use use,
			 struct secret *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The stock on a real database: a reservation's way through its states, who gets what, and secrets that open only in their place. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/crypto/keys.h"
#include "services/sm-dp/stock_store.h"
#include "tests/unit/services/stock_shop.h"

/* n ICCIDs with the same keys, as batch "b". */
static void fill(struct shop *s, unsigned n)
{
	CLEANUP(buf_free) struct buf file = { 0 };
	struct stock_import in = { .mno = &s->mno, .type = "t", .name = "b" };
	struct stock_imported done;
	struct iccid first, iccid;
	struct bytes wrapped;
	result r;

	cr_assert(iccid_complete("898830300000000000", &first));
	cr_assert(rfc3394_wrap(&s->transport.key, s->ki, sizeof(s->ki), s->a, &wrapped));
	buf_str(&file, "ICCID,IMSI,Ki,OPc\n");
	for (unsigned i = 0; i < n; i++) {
		cr_assert(stock_iccid_at(&first, i, &iccid));
		buf_printf(&file, "%s,90170%08u,", iccid.text, i);
		buf_hex(&file, wrapped.data, wrapped.len);
		buf_char(&file, ',');
		buf_hex(&file, wrapped.data, wrapped.len);
		buf_char(&file, '\n');
	}
	in.file = (struct bytes){ (const uint8_t *)file.data, file.len };
	r = stock_import(&s->smdp, s->db, s->a, &in, &done);
	cr_assert_eq(r, OK, "%s", r && r->cause ? r->cause : "");
	cr_assert_eq(done.end, IMPORT_DONE, "%s", done.fault.text);
	cr_assert_eq(done.rows, n);
}

/* What a free one is for a card; NULL: none. Leaves the transaction open. */
static struct stock_item *find(struct shop *s, const struct eid *eid)
{
	struct stock_item *item = NULL;

	db_begin(s->db);
	cr_assert_eq(stock_find(s->db, s->a, &s->mno, "t", eid, &item), OK);
	return item;
}

static void commit(struct shop *s)
{
	db_commit(s->db);
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
}

/* One event in a transaction of its own; false: it cannot happen. */
static bool step(struct shop *s, const struct iccid *iccid, enum stock_event event, const struct eid *eid)
{
	struct stock_item *item = NULL;
	bool moved;

	db_begin(s->db);
	cr_assert_eq(stock_load(s->db, s->a, iccid, &item), OK);
	cr_assert_not_null(item);
	moved = stock_move(s->db, s->a, item, event, eid);
	commit(s);
	return moved;
}

static struct stock_item *now(struct shop *s, const struct iccid *iccid)
{
	struct stock_item *item = NULL;

	cr_assert_eq(stock_load(s->db, s->a, iccid, &item), OK);
	return item;
}

Test(stock_store, a_reservation_and_its_ends, .timeout = 120)
{
	struct shop *s = shop_open();
	struct stock_item *item;
	struct iccid iccid;

	fill(s, 1);
	item = find(s, &s->eid);
	cr_assert_not_null(item);
	iccid = item->iccid;
	cr_assert(stock_move(s->db, s->a, item, STEV_RESERVED, &s->eid));
	commit(s);
	cr_assert_null(find(s, &s->other), "it is reserved");
	db_rollback(s->db);
	cr_expect(now(s, &iccid)->state == STOCK_RESERVED && eid_equal(now(s, &iccid)->eid, &s->eid));
	/* Nothing was sent: it is anybody's again. */
	cr_expect_not(step(s, &iccid, STEV_INSTALLED, NULL), "nothing was sent");
	cr_expect(step(s, &iccid, STEV_CLEANED, NULL));
	cr_expect(now(s, &iccid)->state == STOCK_AVAILABLE && !now(s, &iccid)->eid);
	/* Its secrets leave for a card, which then is known to be clean: a person must look at it, and only that card may have it. */
	cr_expect(step(s, &iccid, STEV_RESERVED, &s->other));
	cr_expect(step(s, &iccid, STEV_SENT, NULL));
	cr_expect(step(s, &iccid, STEV_CLEANED, NULL));
	cr_expect_eq(now(s, &iccid)->state, STOCK_QUARANTINED);
	cr_expect_not(step(s, &iccid, STEV_RESERVED, &s->other));
	cr_expect(step(s, &iccid, STEV_RELEASED, NULL));
	cr_assert_null(find(s, &s->eid), "its secrets were on another card");
	db_rollback(s->db);
	cr_expect_not(step(s, &iccid, STEV_RESERVED, &s->eid));
	cr_assert_not_null(find(s, &s->other));
	db_rollback(s->db);
	cr_expect(step(s, &iccid, STEV_RESERVED, &s->other));
	cr_expect(step(s, &iccid, STEV_INSTALLED, NULL));
	cr_expect_not(step(s, &iccid, STEV_RELEASED, NULL));
	cr_expect(step(s, &iccid, STEV_DELETED, NULL));
	cr_expect(now(s, &iccid)->state == STOCK_QUARANTINED && now(s, &iccid)->sent);
	shop_close(s);
}

Test(stock_store, two_downloads_at_once_get_two, .timeout = 120)
{
	struct shop *s = shop_open();
	struct db *second = db_open(s->store);
	struct stock_item *one, *two = NULL;

	fill(s, 2);
	one = find(s, &s->eid);
	db_begin(second);
	cr_assert_eq(stock_find(second, s->a, &s->mno, "t", &s->other, &two), OK);
	cr_assert(one && two);
	cr_expect_not(iccid_equal(&one->iccid, &two->iccid));
	cr_assert_eq(stock_find(second, s->a, &s->mno, "u", &s->other, &two), OK);
	cr_expect_null(two, "another type");
	db_rollback(second);
	db_rollback(s->db);
	db_close(second);
	shop_close(s);
}

Test(stock_store, a_secret_opens_in_its_place_alone, .timeout = 120)
{
	struct shop *s = shop_open();
	CLEANUP(secret_free) struct secret ki = { 0 };
	CLEANUP(secret_free) struct secret none = { 0 };
	CLEANUP(secret_free) struct secret other = secret_new(32);
	struct iccid iccid;
	struct bytes wrapped;
	result r;

	fill(s, 600); /* more than a portion */
	cr_assert(iccid_complete("898830300000000599", &iccid));
	cr_assert_eq(stock_secret_load(s->db, s->a, &s->smdp.kek, &iccid, USE_KI, &ki), OK);
	cr_assert_eq(ki.len, sizeof(s->ki));
	cr_assert_arr_eq(ki.data, s->ki, sizeof(s->ki));
	cr_assert_eq(stock_secret_load(s->db, s->a, &s->smdp.kek, &iccid, USE_KIC, &none), OK);
	cr_assert_eq(none.len, 0, "the file had none");
	r = stock_secret_load(s->db, s->a, &other, &iccid, USE_KI, &none);
	cr_assert(r != OK && r->code == CODE_INTERNAL);
	kek_wrap(&s->smdp.kek, stock_aad(s->a, &iccid, USE_OPC), s->ki, sizeof(s->ki), s->a, &wrapped);
	cr_assert_not(kek_unwrap(&s->smdp.kek, stock_aad(s->a, &iccid, USE_KI), wrapped, &none), "OPc is no Ki");
	shop_close(s);
}

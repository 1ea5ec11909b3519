/* SPDX-License-Identifier: Apache-2.0 */
/* SM-SR2: whole take-overs, and what must not become one (procedures.md 3.20; decisions.md E1, E2). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/crypto/keys.h"
#include "tests/unit/services/handover_fixture.h"

#define FORMER "1.3.6.1.4.1.99999.2"

static int64_t count(struct desk *d, const char *kind)
{
	const struct rows *r;

	DB_QUEUE(d->db, T_EVENTS, p_text(kind));
	desk_sync(d, &r, 1);
	return row_int(r, 0, 0);
}

/* How many rows of all tables hold these bytes. */
static int64_t find_bytes(struct desk *d, const void *data, size_t n)
{
	CLEANUP(buf_free) struct buf hex = { 0 };
	int64_t found = 0;

	buf_hex(&hex, data, n);
	for (int lower = 0; lower < 2; lower++) {
		const struct rows *r;

		for (size_t i = 0; lower && i < hex.len; i++)
			hex.data[i] = hex.data[i] >= 'A' ? (char)(hex.data[i] | 0x20) : hex.data[i];
		DB_QUEUE(d->db, T_FIND, p_text(arena_printf(d->a, "%%%s%%", hex.data)));
		desk_sync(d, &r, 1);
		found += row_int(r, 0, 0);
	}
	return found;
}

static const char *member(const struct desk_row *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row->json, name));

	return text ? text : "";
}

/* The sm-sr gets KS2 as the card has it, and nobody else ever sees it. */
static void adopts(struct desk *d, const struct desk_row *row)
{
	const uint8_t *const keys[] = { d->ks2.enc, d->ks2.mac, d->ks2.dek };
	const json_t *list = json_object_get(row->json, "keys");
	const char *eis = member(row, "eis");
	struct eis read;

	cr_assert_str_eq(row->kind, "adopt");
	cr_assert_str_eq(member(row, "former"), FORMER);
	cr_assert_str_eq(member(row, "context_id"), "context");
	cr_assert_eq(json_integer_value(json_object_get(row->json, "kvn")), d->ks2.kvn);
	cr_assert_eq(json_array_size(list), LEN(keys));
	for (size_t i = 0; i < LEN(keys); i++) {
		CLEANUP(secret_free) struct secret key = { 0 };
		const char *hex = json_string_value(json_object_get(json_array_get(list, i), "wrapped"));
		struct bytes wrapped = { arena_alloc(d->a, strlen(hex) / 2), strlen(hex) / 2 };

		cr_assert(hex_decode(hex, strlen(hex), (uint8_t *)(uintptr_t)wrapped.data));
		cr_assert(kek_unwrap(&d->hs.kek, arena_printf(d->a, "%s|%u|%zu", d->made.eid.text, d->ks2.kvn, i + 1), wrapped,
				     &key));
		cr_assert(key.len == AES_KEY && !memcmp(key.data, keys[i], AES_KEY));
		cr_assert_eq(find_bytes(d, keys[i], AES_KEY), 0, "a key stands in the database in clear");
	}
	cr_assert_eq(eis_text_read(d->a, (struct bytes){ (const uint8_t *)eis, strlen(eis) }, &read), OK);
	cr_assert(eid_equal(&read.info.eid, &d->made.eid) && read.n_profiles == d->eis.n_profiles);
	cr_assert(read.info_octets.len == d->eis.info_octets.len &&
			  !memcmp(read.info_octets.data, d->eis.info_octets.data, read.info_octets.len),
		  "the signed octets");
}

static void commands(struct desk *d, const char *command, const char *keep)
{
	struct desk_row row;
	char *kept;

	cr_assert(desk_next(d, DESK_SMSR, &row));
	cr_assert_str_eq(row.kind, "command");
	cr_assert_str_eq(member(&row, "command"), command);
	cr_assert_str_eq(member(&row, "step"), arena_printf(d->a, "%lld", (long long)desk_now(d)->step));
	kept = json_dumps(json_object_get(row.json, "keep"), JSON_COMPACT | JSON_ENCODE_ANY);
	cr_assert(keep ? kept && !strcmp(kept, keep) : !kept, "%s", kept ? kept : "none");
	free(kept);
	desk_reply(d, &row, true, false);
	cr_assert_eq(desk_outcome(d, desk_now(d)->step, "answered"), OK);
}

static void a_card_comes(struct desk *d)
{
	struct es7_create_additional_keyset_rs receipt;
	struct es7_authenticate_smsr_rs challenge;
	const struct es7_authenticate_smsr_rq *authenticate;
	struct desk_row row;
	const struct rows *r;
	struct handover_in *h;

	cr_assert_eq(desk_prepare(d, FORMER), OK);
	desk_untouched(d);
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
	cr_assert(desk_next(d, DESK_PEER, &row));
	cr_assert_eq(row.fn->id, FN_ES7_AuthenticateSMSR);
	authenticate = row.in;
	cr_assert(authenticate->eis && !authenticate->eid);
	cr_assert_eq(authenticate->certificate.len, d->hs.own.certificate.len);
	challenge = desk_challenge(d);
	desk_answer(d, &row, &challenge.base);
	cr_assert(desk_next(d, DESK_PEER, &row));
	cr_assert_eq(row.fn->id, FN_ES7_CreateAdditionalKeySet);
	receipt = desk_receipt(d, &row);
	desk_answer(d, &row, &receipt.base);
	cr_assert_eq(desk_now(d)->state, HIN_ADOPTING);
	cr_assert(desk_next(d, DESK_SMSR, &row));
	adopts(d, &row);
	desk_reply(d, &row, true, true);
	h = desk_now(d);
	cr_assert(!h->eis.len && !h->secret.len && !h->offer.len, "it is the sm-sr's now");
	cr_assert_null(desk_told(d, 1));
	commands(d, "put_key", NULL);
	commands(d, "addressing", NULL);
	commands(d, "finalise", arena_printf(d->a, "[%u,%u]", h->kvn, h->psk_kvn));
	desk_told_is(d, 1, "EXECUTED_SUCCESS", NULL, NULL);
	cr_assert(desk_next(d, DESK_SMSR, &row));
	commands(d, "audit", NULL);
	cr_assert_eq(desk_now(d)->state, HIN_OWNED);
	cr_assert_eq(count(d, "announce"), 1);
	cr_assert_eq(count(d, "handover.owned"), 1);
	DB_QUEUE(d->db, T_STAGES, p_text(desk_id(d)));
	desk_sync(d, &r, 1);
	cr_assert_str_eq(row_text(r, 0, 0), "0 1 2 3 4 5 6 7 8");
}

/* Silence: the same call once more, in place of the one that may not have got through. */
static void silence_is_asked_again(struct desk *d)
{
	struct es7_create_additional_keyset_rs receipt;
	const struct oid other = oid_of("1.3.6.1.4.1.99999.23");
	struct desk_row row, again;

	desk_run(d, HIN_KEYING);
	cr_assert(desk_next(d, DESK_PEER, &row));
	receipt = desk_receipt(d, &row);
	cr_assert_eq(desk_time(d, T_DUE), 1);
	cr_assert(desk_next(d, DESK_PEER, &again));
	cr_assert(again.id != row.id && !strcmp(again.ref, row.ref));
	cr_assert(!memcmp(((const struct es7_create_additional_keyset_rq *)again.in)->signature.data,
			  ((const struct es7_create_additional_keyset_rq *)row.in)->signature.data, P256_SIGNATURE));
	desk_callback(d, &again, &other, &receipt.base, CALLBACK_NOT_OURS);
	desk_callback(d, &again, &d->former.oid, &receipt.base, CALLBACK_TAKEN);
	cr_assert_eq(desk_now(d)->state, HIN_ADOPTING);
	desk_callback(d, &again, &d->former.oid, &receipt.base, CALLBACK_CLOSED);
}

/* E1: its time is over before the commit. */
static void time_is_over_before_the_receipt(struct desk *d)
{
	struct es7_create_additional_keyset_rs receipt;
	struct desk_row row;

	desk_run(d, HIN_KEYING);
	cr_assert(desk_next(d, DESK_PEER, &row));
	receipt = desk_receipt(d, &row);
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK); /* waits for the same */
	cr_assert_null(desk_told(d, 2));
	cr_assert_eq(desk_time(d, T_DEADLINE), 1);
	cr_assert_eq(desk_now(d)->state, HIN_FAILED);
	desk_told_is(d, 1, "EXPIRED", "1.6", "5.3");
	desk_told_is(d, 2, "EXPIRED", "1.6", "5.3");
	desk_answer(d, &row, &receipt.base);
	cr_assert_eq(desk_now(d)->state, HIN_FAILED, "a receipt that comes too late is refused");
	cr_assert(!desk_next(d, DESK_SMSR, &row));
}

/* E1: the receipt comes behind its time, and before anybody has looked at the clock. */
static void a_receipt_behind_its_time(struct desk *d)
{
	struct es7_create_additional_keyset_rs receipt;
	struct desk_row row;

	desk_run(d, HIN_KEYING);
	cr_assert(desk_next(d, DESK_PEER, &row));
	receipt = desk_receipt(d, &row);
	DB_QUEUE0(d->db, T_DEADLINE);
	desk_sync(d, NULL, 0);
	desk_callback(d, &row, &d->former.oid, &receipt.base, CALLBACK_TAKEN);
	cr_assert_eq(desk_now(d)->state, HIN_FAILED);
	desk_told_is(d, 1, "EXPIRED", "1.6", "5.3");
	cr_assert(!desk_next(d, DESK_SMSR, &row));
}

/* E1: asked again behind its time, it is marked dead, then FAILED is answered. */
static void a_question_ends_it(struct desk *d)
{
	struct es7_create_additional_keyset_rs receipt;
	struct desk_row row;

	desk_run(d, HIN_KEYING);
	cr_assert(desk_next(d, DESK_PEER, &row));
	receipt = desk_receipt(d, &row);
	DB_QUEUE0(d->db, T_DEADLINE); /* and nobody has looked yet */
	desk_sync(d, NULL, 0);
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
	cr_assert_eq(desk_time(d, T_DUE), 1);
	cr_assert_eq(desk_now(d)->state, HIN_FAILED);
	desk_told_is(d, 2, "FAILED", "8.7", "4.2");
	desk_answer(d, &row, &receipt.base);
	cr_assert_eq(desk_now(d)->state, HIN_FAILED);
	desk_refused(desk_hand(d, &d->former, 3600), CODE_SMSR_CHANGE_ENDED);
}

/* Behind the commit nothing is FAILED: a warning at the deadline, and it goes on. */
static void behind_the_commit_it_goes_on(struct desk *d)
{
	struct desk_row row;
	int64_t step;

	desk_run(d, HIN_FINALISING);
	cr_assert_eq(desk_time(d, T_DEADLINE), 1);
	cr_assert_eq(desk_now(d)->state, HIN_FINALISING);
	desk_told_is(d, 1, "EXECUTED_WITHWARNING", "1.6", "5.4");
	cr_assert_eq(count(d, "announce"), 1);
	step = desk_now(d)->step;
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(desk_outcome(d, desk_now(d)->step, "refused"), OK);
		cr_assert_eq(desk_now(d)->wait, IN_PAUSE);
		cr_assert_eq(desk_time(d, T_DUE), 1);
		cr_assert_eq(desk_now(d)->step, ++step);
	}
	cr_assert_eq(desk_outcome(d, step - 1, "answered"), OK); /* of an older command */
	cr_assert_eq(desk_now(d)->state, HIN_FINALISING);
	/* Asked again it says so, whenever. */
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
	cr_assert_eq(desk_time(d, T_DUE), 1);
	desk_told_is(d, 2, "EXECUTED_WITHWARNING", "8.1", "3.3");
	while (desk_next(d, DESK_SMSR, &row))
		desk_reply(d, &row, true, true);
	desk_run(d, HIN_OWNED);
	cr_assert_eq(count(d, "announce"), 0, "once, and it was taken");
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
	cr_assert_eq(desk_time(d, T_DUE), 1);
	desk_told_is(d, 3, "EXECUTED_WITHWARNING", "8.1", "3.3");
}

static void a_card_that_refuses_is_a_warning_at_once(struct desk *d)
{
	desk_run(d, HIN_ADDRESSING);
	cr_assert_eq(desk_outcome(d, desk_now(d)->step, "refused"), OK);
	desk_told_is(d, 1, "EXECUTED_WITHWARNING", "8.4", "4.2");
	cr_assert_eq(desk_now(d)->state, HIN_ADDRESSING);
	desk_refused(desk_outcome(d, desk_now(d)->step, "nonsense"), CODE_PARAM_INVALID);
}

/* A lost proof is none: it is told when the card did it the second time, or stays silent. */
static void a_card_that_stays_silent_is_a_warning(struct desk *d)
{
	desk_run(d, HIN_ADDRESSING);
	for (int tries = 0; tries < 2; tries++) {
		cr_assert_eq(desk_outcome(d, desk_now(d)->step, "silent"), OK);
		cr_assert_null(desk_told(d, 1));
		cr_assert_eq(desk_now(d)->state, HIN_ADDRESSING);
		cr_assert_eq(desk_time(d, T_DUE), 1);
	}
	cr_assert_eq(desk_outcome(d, desk_now(d)->step, "silent"), OK);
	desk_told_is(d, 1, "EXECUTED_WITHWARNING", "8.4", "4.2");
	cr_assert_eq(desk_now(d)->state, HIN_ADDRESSING);
}

/* The sm-sr is busy, then it takes a card that has no HTTPS: no key set for that. */
static void without_https(struct desk *d)
{
	struct desk_row row;

	desk_run(d, HIN_ADOPTING);
	cr_assert(desk_next(d, DESK_SMSR, &row));
	desk_reply(d, &row, false, false);
	cr_assert_eq(desk_now(d)->state, HIN_ADOPTING);
	cr_assert(!desk_next(d, DESK_SMSR, &row));
	cr_assert_eq(desk_time(d, T_DUE), 1);
	cr_assert(desk_next(d, DESK_SMSR, &row));
	adopts(d, &row);
	desk_reply(d, &row, true, false);
	cr_assert_eq(desk_now(d)->state, HIN_ADDRESSING);
	cr_assert_eq(desk_now(d)->psk_kvn, 0);
	commands(d, "addressing", NULL);
	commands(d, "finalise", arena_printf(d->a, "[%u]", desk_now(d)->kvn));
}

/* An announcement gives way to a newer one, but not when it has begun; the same again is the same. */
static void announced_again(struct desk *d)
{
	const struct rows *r;

	cr_assert_eq(desk_prepare(d, FORMER), OK);
	d->ids--;
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	desk_untouched(d);
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	desk_untouched(d);
	DB_QUEUE(d->db, T_STATE, p_text(arena_printf(d->a, DESK_ID, d->ids - 1)));
	desk_sync(d, &r, 1);
	cr_assert_eq(row_int(r, 0, 0), HIN_LAPSED);
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
	desk_refused(desk_prepare(d, FORMER), CODE_BUSY);
}

/* It went on to another SM-SR: whoever had it before is told nothing any more. */
static void what_left_is_not_managed_here(struct desk *d)
{
	desk_run(d, HIN_OWNED);
	handover_in_left(d->db, &d->made.eid);
	desk_sync(d, NULL, 0);
	desk_refused(desk_hand(d, &d->former, 3600), CODE_EID_UNKNOWN);
}

/* An audit that nobody answered yet keeps no row that would stand in its way back, and would say for ever that the card is managed here. */
static void what_left_before_its_audit_may_come_again(struct desk *d)
{
	const struct rows *r;

	desk_run(d, HIN_AUDITING);
	handover_in_left(d->db, &d->made.eid);
	desk_sync(d, NULL, 0);
	cr_assert_eq(desk_now(d)->state, HIN_OWNED);
	cr_assert(desk_now(d)->ended_at);
	DB_QUEUE(d->db, T_STAGES, p_text(desk_id(d)));
	desk_sync(d, &r, 1);
	cr_assert_str_eq(row_text(r, 0, 0), "0 1 2 3 4 5 6 7 8");
	cr_assert_eq(desk_time(d, T_DUE), 0);
	desk_refused(desk_hand(d, &d->former, 3600), CODE_EID_UNKNOWN);
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
	cr_assert_eq(desk_now(d)->state, HIN_AUTHENTICATING);
}

static void the_card_by_its_eid_where_the_peer_reads_it_so(struct desk *d)
{
	const struct es7_authenticate_smsr_rq *rq;
	struct desk_row row;

	DB_QUEUE0(d->db, T_DIALECT);
	desk_sync(d, NULL, 0);
	desk_run(d, HIN_AUTHENTICATING);
	cr_assert(desk_next(d, DESK_PEER, &row));
	rq = row.in;
	cr_assert(rq->eid && !rq->eis && eid_equal(rq->eid, &d->made.eid));
}

static void skip(struct desk *d)
{
	struct in_case c = { .rpc = &d->rpc, .hs = &d->hs, .db = d->db, .a = d->a };

	db_begin(d->db);
	cr_assert_eq(in_lock(d->db, d->a, desk_id(d), &c.h), OK);
	cr_assert_eq(in_step(&c, HIEV_SKIPPED, NULL, "by a person"), OK);
	db_commit(d->db);
	desk_sync(d, NULL, 0);
}

/* Others may command the card by now: that is no failure of the card's, and nobody is told. */
static void the_card_is_busy(struct desk *d)
{
	struct desk_row row;

	desk_run(d, HIN_ADDRESSING);
	cr_assert(desk_next(d, DESK_SMSR, &row));
	desk_reply(d, &row, false, false);
	cr_assert_null(desk_told(d, 1));
	cr_assert_eq(desk_now(d)->wait, IN_PAUSE);
	cr_assert_eq(desk_time(d, T_DUE), 1);
	cr_assert(desk_next(d, DESK_SMSR, &row));
	cr_assert_str_eq(member(&row, "command"), "addressing");
	desk_run(d, HIN_OWNED);
}

/* What a person leaves out is not kept either, and the old keys that stay are a warning. */
static void steps_left_out(struct desk *d)
{
	desk_run(d, HIN_PUTTING_KEY);
	skip(d);
	cr_assert_eq(desk_now(d)->state, HIN_ADDRESSING);
	cr_assert_eq(desk_now(d)->psk_kvn, 0);
	skip(d);
	cr_assert_null(desk_told(d, 1));
	skip(d);
	cr_assert_eq(desk_now(d)->state, HIN_AUDITING);
	desk_told_is(d, 1, "EXECUTED_WITHWARNING", "1.6", "5.4");
	skip(d);
	cr_assert_eq(desk_now(d)->state, HIN_OWNED);
	skip(d);
	cr_assert_eq(desk_now(d)->state, HIN_OWNED);
}

Test(handover_in, cards_come, .timeout = 600)
{
	static void (*const tests[])(struct desk * d) = {
		a_card_comes,
		without_https,
		the_card_by_its_eid_where_the_peer_reads_it_so,
		announced_again,
		what_left_is_not_managed_here,
		what_left_before_its_audit_may_come_again,
	};

	desk_each(tests, LEN(tests));
}

Test(handover_in, time_and_silence, .timeout = 600)
{
	static void (*const tests[])(struct desk * d) = {
		silence_is_asked_again,
		time_is_over_before_the_receipt,
		a_receipt_behind_its_time,
		a_question_ends_it,
		behind_the_commit_it_goes_on,
		a_card_that_refuses_is_a_warning_at_once,
		a_card_that_stays_silent_is_a_warning,
		steps_left_out,
		the_card_is_busy,
	};

	desk_each(tests, LEN(tests));
}

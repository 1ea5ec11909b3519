/* SPDX-License-Identifier: Apache-2.0 */
/* SM-SR1 from the order to the end, all going well or not: what leaves it, what it answers, what its sm-sr is told (decisions.md E1). */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "tests/unit/services/handover_out_stage.h"

enum { TIMEOUT = 120 };

static const char *text_of(const json_t *body, const char *member)
{
	const char *text = json_string_value(json_object_get(body, member));

	cr_assert(text, "no %s", member);
	return text;
}

/* The sm-sr is to drop or unlock it, and does. */
static void ends(struct go *g, const char *verb, const char *status, const char *code, enum handover_out_state state)
{
	struct left l;
	json_t *in = go_asked(g, verb, &l);

	cr_assert_str_eq(text_of(in, "code"), code);
	if (!strcmp(verb, "drop")) {
		cr_assert_str_eq(text_of(in, "status"), status);
		cr_assert_str_eq(text_of(in, "moved_to"), SMSR2);
	}
	json_decref(in);
	cr_assert(go_reply(g, &l, "", NULL));
	go_in(g, state);
	cr_assert(go_row(g)->ended_at && !go_row(g)->eis, "and forgets its EIS");
	cr_assert(!go_next(g, &l), "%s: nothing is left to be done", l.kind);
}

static const char *events(struct go *g)
{
	const struct rows *r;

	DB_QUEUE0(g->db, T_EVENTS);
	go_sync(g, &r, 1);
	return row_text_dup(g->a, r, 0, 0);
}

static int64_t number(struct go *g, unsigned statement)
{
	const struct rows *r;

	DB_QUEUE(g->db, statement, p_text(g->eid.text));
	go_sync(g, &r, 1);
	return row_int(r, 0, 0);
}

Test(handover_out_way, a_card_moves, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	const struct handover_out *h;
	struct left l;

	go_to(g, HOUT_CALLING, &l);
	cr_assert_str_eq(l.ref, HANDOVER ".1");
	cr_assert_str_eq(l.lane, "peer:" SMSR2);
	cr_assert_str_eq(l.order, HANDOVER, "answers to SM-SR2's calls about this card do not wait for it");
	cr_assert(l.wants_callback);
	cr_assert(strstr(l.body, "FunctionCallIdentifier>" HANDOVER ".1<"));
	cr_assert(strstr(l.body, g->eid.text) && strstr(l.body, "EumSignature") && !strstr(l.body, "<rps:Key>"));
	go_to(g, HOUT_CERTIFIED, &l);
	go_answer_is(g, "EXECUTED_SUCCESS", NULL, NULL);
	cr_assert(strstr(go_answer(g), "RandomChallenge>"));
	go_to(g, HOUT_ANSWERED, &l);
	go_in(g, HOUT_ANSWERED);
	go_answer_is(g, "EXECUTED_SUCCESS", NULL, NULL);
	cr_assert(strstr(go_answer(g), "DerivationRandom>") && strstr(go_answer(g), "Receipt>"));
	h = go_row(g);
	cr_assert(!h->challenge.len && !*h->fci, "a challenge is used once");
	DB_QUEUE(g->db, T_OWNED, p_text(g->eid.text));
	go_sync(g, NULL, 0);
	cr_assert(go_answered(g, &l, STATUS_SUCCESS, NULL, NULL));
	go_in(g, HOUT_DROPPING);
	cr_assert_eq(number(g, T_LEFT), 1, "who handed it to us once learns nothing here any more");
	ends(g, "drop", "success", "", HOUT_MOVED);
	cr_assert_str_eq(events(g), "calling certifying certified keying answered dropping moved");
	go_close(g);
}

/* What SM-SR2 derived from the answer is what the card has. */
Test(handover_out_way, the_receipt_holds_at_sm_sr2, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	CLEANUP(buf_free) struct buf data = { 0 };
	struct card_keys keys;
	struct ka_answer answer;
	struct left l;
	const char *step;

	go_to(g, HOUT_KEYING, &l);
	step = go_card_receipt(g, &data);
	cr_assert(ka_answer_parse((struct bytes){ (const uint8_t *)data.data, data.len }, &answer));
	cr_assert_eq(ka_host_finish(&g->host, g->ecasd_point, NULL, &answer, &keys), KA_GOOD);
	cr_assert(!memcmp(&keys, &g->keys, sizeof(keys)) && keys.kvn == KVN);
	cr_assert_eq(go_outcome(g, step, "answered", "", "9000", (struct bytes){ (const uint8_t *)data.data, data.len }), OK);
	cr_assert(strstr(go_answer(g), arena_printf(g->a, "Receipt>%s<", hex_text(g->a, answer.receipt, KA_RECEIPT))));
	go_in(g, HOUT_ANSWERED);
	/* The same once more changes nothing: its acknowledgement was lost. */
	cr_assert_eq(go_outcome(g, step, "refused", "8.4/4.2", "6A80", (struct bytes){ NULL, 0 }), OK);
	go_in(g, HOUT_ANSWERED);
	go_close(g);
}

Test(handover_out_way, an_order_is_taken_once, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	struct left l;

	cr_assert_eq(go_change(g, 3600), OK);
	cr_assert_eq(go_change(g, 3600), OK, "its answer was lost");
	json_decref(go_asked(g, "export", &l));
	cr_assert(!go_next(g, &l));
	/* Over before it began. */
	go_reset(g);
	cr_assert_eq(go_change(g, -1), OK);
	go_in(g, HOUT_UNLOCKING);
	ends(g, "unlock", NULL, "1.6/5.3", HOUT_KEPT);
	cr_assert_eq(go_change(g, 3600), OK, "and it has ended");
	cr_assert(!go_next(g, &l));
	/* Too late for a call. */
	go_reset(g);
	cr_assert_eq(go_change(g, 3), OK);
	json_decref(go_asked(g, "export", &l));
	cr_assert(go_reply(g, &l, "", json_pack("{s:s}", "eis", g->eis)));
	ends(g, "unlock", NULL, "1.6/5.3", HOUT_KEPT);
	go_close(g);
}

Test(handover_out_way, what_is_not_exported_is_unlocked, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	struct left l;

	go_to(g, HOUT_LOCKING, &l);
	json_decref(go_asked(g, "export", &l));
	cr_assert(go_reply(g, &l, "1.2/4.4", NULL));
	ends(g, "unlock", NULL, "1.2/4.4", HOUT_KEPT);
	go_to(g, HOUT_LOCKING, &l);
	json_decref(go_asked(g, "export", &l));
	cr_assert(go_reply(g, &l, "", json_pack("{s:s}", "eis", "<rps:Eis xmlns:rps=\"x\"/>")));
	ends(g, "unlock", NULL, "1.2/4.2", HOUT_KEPT);
	/* An unlock that is refused is asked again. */
	go_to(g, HOUT_LOCKING, &l);
	go_time(g, T_DEADLINE);
	json_decref(go_asked(g, "export", &l));
	json_decref(go_asked(g, "unlock", &l));
	cr_assert(!go_reply(g, &l, "1.2/4.4", NULL));
	go_in(g, HOUT_UNLOCKING);
	cr_assert(go_reply(g, &l, "", NULL));
	go_in(g, HOUT_KEPT);
	go_close(g);
}

/* ---- the answer to HandoverEUICC ---- */

static const struct {
	enum status status;
	const char *subject, *reason;
	enum handover_out_state to;
	const char *code;
} answers[] = {
	{ STATUS_SUCCESS, NULL, NULL, HOUT_DROPPING, "" },          { STATUS_WARNING, "8.4", "4.2", HOUT_DROPPING, "8.4/4.2" },
	{ STATUS_WARNING, "8.1", "3.3", HOUT_DROPPING, "8.1/3.3" }, { STATUS_FAILED, "8.1", "3.3", HOUT_DROPPING, "8.1/3.3" },
	{ STATUS_FAILED, "8.7", "4.2", HOUT_UNLOCKING, "8.7/4.2" }, { STATUS_FAILED, "8.5.2", "6.1", HOUT_UNLOCKING, "8.5.2/6.1" },
	{ STATUS_FAILED, "9.9", "7.7", HOUT_UNLOCKING, "8.7/3.8" },
};

static void answered_in(struct go *g, enum handover_out_state state)
{
	struct left l;

	for (size_t i = 0; i < LEN(answers); i++) {
		bool drop = answers[i].to == HOUT_DROPPING;

		go_to(g, state, &l);
		cr_assert(go_answered(g, &l, answers[i].status, answers[i].subject, answers[i].reason), "%zu", i);
		go_in(g, answers[i].to);
		ends(g, drop ? "drop" : "unlock", *answers[i].code ? "warning" : "success", answers[i].code,
		     drop ? HOUT_MOVED : HOUT_KEPT);
	}
}

Test(handover_out_way, answers_before_the_receipt_and_behind_it, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	struct left l;

	answered_in(g, HOUT_CALLING);
	answered_in(g, HOUT_ANSWERED);
	answered_in(g, HOUT_DOUBT);
	/* Of a card that cannot have SM-SR2's keys nobody is asked twice. */
	go_to(g, HOUT_CALLING, &l);
	cr_assert(go_answered(g, &l, STATUS_EXPIRED, "1.6", "5.3"));
	ends(g, "unlock", NULL, "1.6/5.3", HOUT_KEPT);
	go_to(g, HOUT_CALLING, &l);
	cr_assert(go_answered(g, &l, STATUS_FAILED, "1.1", "1.2"));
	ends(g, "unlock", NULL, "1.1/1.2", HOUT_KEPT);
	go_to(g, HOUT_CALLING, &l);
	cr_assert(go_answered_as(g, &l, &(const struct outbox_answer){ .fault = { .code = "Sender", .reason = "who are you?" } }));
	ends(g, "unlock", NULL, "8.7/3.8", HOUT_KEPT);
	go_close(g);
}

/* HandoverEUICC as it leaves once more. */
static void again(struct go *g, unsigned clock, const char *ref, struct left *l)
{
	go_time(g, clock);
	cr_assert(go_next(g, l), "it is not made again");
	cr_assert_str_eq(l->kind, "ES7-HandoverEUICC");
	cr_assert_str_eq(l->ref, ref);
	cr_assert(strstr(l->body, arena_printf(g->a, "FunctionCallIdentifier>%s<", ref)));
	cr_assert(!go_next(g, l));
}

/* What follows HandoverEUICC but for its own words: the same Eis, to the octet. */
static const char *eis_in(const char *body)
{
	const char *at = strstr(body, "<rps:Eis>");

	cr_assert(at, "%s", body);
	return at;
}

/* E1, behind the receipt: nothing but a word about the card ends it, and it is asked for until it comes. */
Test(handover_out_way, in_doubt_it_is_asked_until_it_is_answered_for_good, .timeout = TIMEOUT)
{
	static const struct {
		enum status status;
		const char *subject, *reason;
	} no_words[] = {
		{ STATUS_EXPIRED, "1.6", "5.3" }, /* stands under this identifier */
		{ STATUS_FAILED, "1.1", "1.2" },
		{ STATUS_FAILED, "1.6", "2.1" },
	};
	struct go *g = go_open();
	struct left first, l;
	json_t *in;

	go_to(g, HOUT_ANSWERED, &first);
	go_time(g, T_DEADLINE);
	go_in(g, HOUT_DOUBT);
	in = go_asked(g, "tell", &l);
	cr_assert_str_eq(text_of(in, "code"), "1.6/5.4");
	json_decref(in);
	cr_assert(go_row(g)->told);
	l = first;
	for (size_t i = 0; i < LEN(no_words); i++) {
		cr_assert(go_answered(g, &l, no_words[i].status, no_words[i].subject, no_words[i].reason));
		go_in(g, HOUT_DOUBT);
		cr_assert(!go_next(g, &l), "not at once");
		cr_assert_gt(go_row(g)->due_at - go_row(g)->now, (int64_t)(20 << i) * 1000000, "%zu: the pauses grow", i);
		again(g, T_AGAIN, arena_printf(g->a, "%s.%zu", HANDOVER, i + 2), &l);
		cr_assert_str_eq(eis_in(l.body), eis_in(first.body));
	}
	/* "Not now" of SM-SR2, and a fault, are no answers at all: the outbox sends the same again. */
	cr_assert(!go_answered(g, &l, STATUS_FAILED, "1.2", "4.4"));
	cr_assert(!go_answered(g, &l, STATUS_FAILED, "1.2", "4.2"));
	cr_assert(!go_answered_as(g, &l, &(const struct outbox_answer){ .fault = { .code = "Sender", .reason = "who are you?" } }));
	/* An answer of the first, late, or of somebody else, is none. */
	cr_assert(go_answered(g, &first, STATUS_FAILED, "8.7", "4.2"));
	cr_assert(go_answered_as(g, &l, &(const struct outbox_answer){ .to = g->other.oid, .fault = { .code = "Sender" } }));
	go_in(g, HOUT_DOUBT);
	cr_assert(go_answered(g, &l, STATUS_WARNING, "8.1", "3.3"));
	ends(g, "drop", "warning", "8.1/3.3", HOUT_MOVED);
	go_close(g);
}

/* E1, before it: the time is over, it is aborted and unlocked. */
Test(handover_out_way, before_the_receipt_the_deadline_unlocks, .timeout = TIMEOUT)
{
	static const enum handover_out_state states[] = { HOUT_CALLING, HOUT_CERTIFYING, HOUT_CERTIFIED, HOUT_KEYING };
	struct go *g = go_open();
	CLEANUP(buf_free) struct buf data = { 0 };
	const char *step = "";
	struct left l;

	for (size_t i = 0; i < LEN(states); i++) {
		go_to(g, states[i], &l);
		if (states[i] == HOUT_KEYING)
			step = go_card_receipt(g, &data);
		else if (states[i] == HOUT_CERTIFYING)
			(void)go_card_challenge(g, &data);
		go_time(g, T_DEADLINE);
		go_in(g, HOUT_UNLOCKING);
		if (states[i] == HOUT_CERTIFYING || states[i] == HOUT_KEYING)
			go_answer_is(g, "EXPIRED", "1.6", "5.3");
		if (states[i] == HOUT_KEYING) { /* what the card says then is answered to nobody */
			cr_assert_eq(go_outcome(g, step, "answered", "", "9000", (struct bytes){ NULL, 0 }), OK);
			go_in(g, HOUT_UNLOCKING);
			cr_assert(!strstr(go_answer(g), "Receipt>8"));
		}
		ends(g, "unlock", NULL, states[i] == HOUT_CALLING ? "8.7/5.1" : "1.6/5.3", HOUT_KEPT);
		buf_clear(&data);
	}
	go_close(g);
}

/* 202, and then a callback. */
Test(handover_out_way, by_callback, .timeout = TIMEOUT)
{
	const struct outbox_answer taken = { .accepted = true };
	struct go *g = go_open();
	struct left l, repeated;

	go_to(g, HOUT_CALLING, &l);
	cr_assert(go_answered_as(g, &l, &taken));
	go_in(g, HOUT_CALLING);
	again(g, T_AGAIN, l.ref, &repeated);
	cr_assert(go_answered_as(g, &repeated, &taken));
	cr_assert_eq(go_callback(g, l.ref, &g->other, STATUS_SUCCESS, NULL, NULL), CALLBACK_NOT_OURS);
	cr_assert_eq(go_callback(g, HANDOVER ".2", &g->sr2, STATUS_SUCCESS, NULL, NULL), CALLBACK_NOT_OURS);
	cr_assert_eq(go_callback(g, "nonsense", &g->sr2, STATUS_SUCCESS, NULL, NULL), CALLBACK_NOT_OURS);
	go_in(g, HOUT_CALLING);
	cr_assert_eq(go_callback(g, l.ref, &g->sr2, STATUS_FAILED, "1.2", "4.4"), CALLBACK_TAKEN, "not now: it is asked again");
	again(g, T_AGAIN, l.ref, &repeated);
	cr_assert_eq(go_callback(g, l.ref, &g->sr2, STATUS_SUCCESS, NULL, NULL), CALLBACK_TAKEN);
	ends(g, "drop", "success", "", HOUT_MOVED);
	cr_assert_eq(go_callback(g, l.ref, &g->sr2, STATUS_FAILED, "8.7", "4.2"), CALLBACK_CLOSED);
	/* Before its call's own 202: what waits in the outbox is taken back. */
	go_to(g, HOUT_CALLING, &l);
	cr_assert(go_answered_as(g, &l, &taken));
	go_time(g, T_AGAIN);
	cr_assert_eq(go_callback(g, l.ref, &g->sr2, STATUS_SUCCESS, NULL, NULL), CALLBACK_TAKEN);
	ends(g, "drop", "success", "", HOUT_MOVED);
	go_close(g);
}

/* How many rows the administrator sees, of one side and in one stage of SM-SR1's. */
static size_t listed(struct go *g, enum handover_side side, enum handover_out_state stage)
{
	const struct rows *r;

	DB_QUEUE(g->db, HANDOVER_LIST, p_int(g->a, side), p_int(g->a, stage), p_int(g->a, -1), p_text(g->eid.text), p_text(HANDOVER),
		 p_int(g->a, 10));
	go_sync(g, &r, 1);
	return rows_count(r);
}

/* A person decides, in doubt and nowhere else. */
Test(handover_out_way, resolve, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	struct out_case c = { .role = &g->role, .db = g->db, .a = g->a };
	struct left l;

	for (int moved = 0; moved < 2; moved++) {
		go_to(g, HOUT_DOUBT, &l);
		cr_assert(listed(g, HANDOVER_OUT, HOUT_DOUBT) == 1 && !listed(g, HANDOVER_OUT, HOUT_KEYING) && !listed(g, HANDOVER_IN, HOUT_DOUBT));
		cr_assert_eq(out_decide(&g->role, g->db, g->a, HANDOVER, moved, &c), OK);
		cr_assert(c.event);
		ends(g, moved ? "drop" : "unlock", "success", moved ? "" : "8.7/4.2", moved ? HOUT_MOVED : HOUT_KEPT);
		cr_assert_eq(out_decide(&g->role, g->db, g->a, HANDOVER, !moved, &c), OK);
		cr_assert(!c.event, "once");
	}
	for (int s = HOUT_CALLING; s < HOUT_DOUBT; s++) {
		go_to(g, (enum handover_out_state)s, &l);
		cr_assert_eq(out_decide(&g->role, g->db, g->a, HANDOVER, s % 2, &c), OK);
		cr_assert(c.h && !c.event, "%d", s);
		go_in(g, (enum handover_out_state)s);
	}
	go_reset(g);
	cr_assert_eq(out_decide(&g->role, g->db, g->a, HANDOVER, true, &c), OK);
	cr_assert(!c.h);
	go_close(g);
}

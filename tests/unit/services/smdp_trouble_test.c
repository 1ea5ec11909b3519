/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads that are refused, wait, lose answers, run out of time, or cannot be cleaned up. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/services/smdp_fixture.h"

enum { TIMEOUT = 600 };

/* ---- orders ---- */

static void order_is(struct shop *s, const struct es2_download_profile_rq *order, enum code code)
{
	result r = shop_order(s, order);

	cr_assert(r != OK && r->code == code, "%s instead of %s", r ? status_code(r->code)->name : "OK", status_code(code)->name);
}

Test(download_trouble, orders_are_judged, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();
	struct es2_download_profile_rq order = { .base = { .fci = "x" }, .eid = s->made.eid, .smsr = s->smsr };
	struct iccid strange = s->iccid[0];
	struct entity mno = s->mno;

	order_is(s, &order, CODE_PARAM_CONDITIONAL);
	order.profile_type = "none";
	order_is(s, &order, CODE_PROFILE_TYPE_UNKNOWN);
	order.profile_type = "large";
	order.iccid = &s->iccid[0];
	order_is(s, &order, CODE_PARAM_INVALID);
	order.profile_type = NULL;
	order.smsr = s->mno.oid;
	order_is(s, &order, CODE_SMSR_UNKNOWN);
	order.smsr = oid_of("1.2.3");
	order_is(s, &order, CODE_SMSR_UNKNOWN);
	order.smsr = s->smsr;
	cr_assert(iccid_complete("898830300000009999", &strange));
	order.iccid = &strange;
	order_is(s, &order, CODE_ICCID_UNKNOWN);
	order.iccid = &s->iccid[0];
	s->mno.oid = oid_of("1.2.4");
	order_is(s, &order, CODE_ICCID_UNKNOWN);
	s->mno = mno;
	cr_assert_eq(shop_order(s, &order), OK);
	order_is(s, &order, CODE_ICCID_IN_USE);
	order.iccid = &s->iccid[1];
	order_is(s, &order, CODE_BUSY);
	cr_assert_eq(shop_stock(s, &s->iccid[1])->state, STOCK_AVAILABLE);
	/* Another card; none is left for a third. */
	order.iccid = NULL;
	order.profile_type = "small";
	order.eid.text[0] = '7'; /* no more than another text here */
	cr_assert_eq(shop_order(s, &order), OK);
	order.eid.text[0] = '6';
	order_is(s, &order, CODE_PROFILE_TYPE_EMPTY);
	shop_close(s);
}

/* "None is left" is an answer for good; an order that locks the last one may still be refused, and leave it. */
Test(download_trouble, what_another_order_holds_is_not_gone, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();
	struct es2_download_profile_rq order = {
		.base = { .fci = "x" }, .eid = s->made.eid, .smsr = s->smsr, .profile_type = "small"
	};
	struct db *other = db_open(s->store);
	struct stock_item *held;

	cr_assert_eq(shop_order(s, &order), OK);
	order.eid.text[0] = '7'; /* no more than another text here */
	db_begin(other);
	cr_assert(stock_find(other, s->a, &s->mno.oid, "small", &s->made.eid, &held) == OK && held);
	order_is(s, &order, CODE_BUSY);
	db_rollback(other);
	cr_assert_eq(shop_order(s, &order), OK);
	order.eid.text[0] = '6';
	order_is(s, &order, CODE_PROFILE_TYPE_EMPTY);
	db_close(other);
	shop_close(s);
}

/* ---- waiting ---- */

static unsigned refusals;
static int64_t refused_at;

/* CreateISDP is refused while refusals are left. */
static bool busy_create(struct shop *s, const struct test_call *call, struct test_answer *out)
{
	if (call->fn->id != FN_ES3_CreateISDP || !refusals)
		return false;
	refusals--;
	*out = test_refusal(s, STATUS_FAILED, "1.2", "4.4");
	out->base.processing_end = refused_at ? arena_memdup(s->a, &refused_at, sizeof(refused_at)) : NULL;
	return true;
}

/* Until the SM-SR has time; under another FCI once a refusal may be a stored one. */
Test(download_trouble, a_busy_sm_sr_is_asked_again, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();
	struct test_call call;

	refusals = 4;
	refused_at = 0;
	s->hook = busy_create;
	shop_download(s, "small", false);
	shop_run(s, DOWNLOAD_CREATE_ISDP);
	for (int i = 0; i < 4; i++) {
		struct download *before = shop_now(s), *after;

		cr_assert(shop_step(s));
		after = shop_now(s);
		cr_assert(after->wait == DOWNLOAD_BACKOFF && after->tries == i + 1 && after->state == DOWNLOAD_CREATE_ISDP);
		cr_assert_geq(after->due_at - after->now, (INT64_C(1000000) << i) - INT64_C(900000), "the pause doubles");
		cr_assert_not(shop_next(s, &call), "not before its time");
		if (i == 2)
			refused_at = INT64_C(1700000000000000);
		shop_time(s, T_DUE);
		cr_assert(shop_next(s, &call));
		cr_assert_eq(shop_now(s)->step, before->step + (i < 3), "%d", i);
		cr_assert_str_eq(call.ref, download_ref(s->a, shop_now(s)));
	}
	shop_run(s, DOWNLOAD_DONE);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DONE);
	shop_close(s);
}

/* At any state: the same call with the same content, which fetches the answer; the answer to the first one, if it comes at last, does as well. */
Test(download_trouble, a_lost_answer_is_fetched, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();
	struct test_call first, second;
	struct test_answer answer;

	shop_download(s, "small", true);
	while (shop_next(s, &first)) {
		struct download *d = shop_now(s);

		answer = shop_execute(s, &first);
		shop_time(s, T_CALL_OVER);
		cr_assert_eq(shop_now(s)->wait, DOWNLOAD_REPEATED);
		cr_assert(shop_next(s, &second));
		cr_assert_neq(first.id, second.id);
		cr_assert_str_eq(first.ref, second.ref);
		if (first.fn->id == FN_ES3_SendData) {
			const struct es3_send_data_rq *one = first.in, *two = second.in;

			cr_assert(one->data.len == two->data.len && !memcmp(one->data.data, two->data.data, one->data.len));
			cr_assert_eq(*one->more_to_do, *two->more_to_do);
		}
		shop_answer(s, &second, &answer);
		cr_assert(shop_now(s)->step > d->step || download_ended(shop_now(s)->state));
	}
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DONE);
	shop_close(s);
}

/* ---- time ---- */

/* One that got to this state, with its call not answered. */
static struct test_call reach(struct shop *s, enum download_state state)
{
	struct test_call call;

	shop_reset(s);
	shop_download(s, "small", true);
	shop_run(s, state);
	cr_assert_eq(shop_now(s)->state, state);
	cr_assert(shop_next(s, &call));
	return call;
}

Test(download_trouble, its_time_is_over_at_each_state, .timeout = TIMEOUT)
{
	static const struct {
		enum download_state at;
		const char *reason;
		enum stock_state stock;
	} cases[] = {
		{ DOWNLOAD_GET_EIS, "5.3", STOCK_AVAILABLE },         { DOWNLOAD_CREATE_ISDP, "5.4", STOCK_AVAILABLE },
		{ DOWNLOAD_KEY_CERTIFICATE, "5.4", STOCK_AVAILABLE }, { DOWNLOAD_KEY_REQUEST, "5.4", STOCK_AVAILABLE },
		{ DOWNLOAD_INSTALL, "5.4", STOCK_QUARANTINED },       { DOWNLOAD_COMPLETE, "5.4", STOCK_QUARANTINED },
	};
	struct shop *s = shop_open();

	for (size_t i = 0; i < LEN(cases); i++) {
		struct test_call late = reach(s, cases[i].at), call;
		struct test_answer answer = shop_execute(s, &late);
		bool cleans = cases[i].at != DOWNLOAD_GET_EIS;

		shop_time(s, T_DEADLINE);
		shop_told_is(s, "EXPIRED", "1.6", cases[i].reason);
		cr_assert_eq(shop_now(s)->state, cleans ? DOWNLOAD_DELETE_EXPIRED : DOWNLOAD_EXPIRED, "%zu", i);
		cr_assert_eq(shop_next(s, &call), cleans, "%zu", i);
		/* What comes late changes nothing. */
		shop_callback(s, &late, &answer, CALLBACK_CLOSED);
		cr_assert_eq(shop_now(s)->state, cleans ? DOWNLOAD_DELETE_EXPIRED : DOWNLOAD_EXPIRED, "%zu", i);
		if (cleans) {
			cr_assert_eq(call.fn->id, FN_ES3_DeleteISDP);
			cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_RESERVED);
			cr_assert(shop_step(s));
		}
		cr_assert_eq(shop_now(s)->state, DOWNLOAD_EXPIRED, "%zu", i);
		cr_assert_eq(shop_stock(s, &s->iccid[0])->state, cases[i].stock, "%zu", i);
		cr_assert(shop_now(s)->secret.len == 0 && shop_now(s)->request.len == 0);
	}
	shop_close(s);
}

Test(download_trouble, time_over_while_it_is_enabled, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();

	(void)reach(s, DOWNLOAD_ENABLE);
	shop_time(s, T_DEADLINE);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DONE);
	shop_told_is(s, "EXECUTED_WITHWARNING", "1.6", "5.4");
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_INSTALLED);
	shop_close(s);
}

static bool delete_silent(struct shop *s, const struct test_call *call, struct test_answer *out)
{
	if (call->fn->id != FN_ES3_DeleteISDP)
		return false;
	*out = test_refusal(s, STATUS_EXPIRED, "1.6", "5.4");
	return true;
}

/* The deletion is tried behind the deadline, and given up at last: a person decides about the ICCID. */
Test(download_trouble, what_cannot_be_cleaned_up_is_quarantined, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();

	(void)reach(s, DOWNLOAD_KEY_REQUEST);
	s->hook = delete_silent;
	shop_time(s, T_DEADLINE);
	shop_told_is(s, "EXPIRED", "1.6", "5.4");
	for (int i = 0; i < 3; i++) {
		cr_assert(shop_step(s));
		cr_assert_eq(shop_now(s)->state, DOWNLOAD_DELETE_EXPIRED);
		shop_time(s, T_DUE);
	}
	shop_time(s, T_CLEANED);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_EXPIRED);
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_QUARANTINED, "nobody knows, although nothing was sent");
	shop_close(s);
}

/* ---- answers ---- */

static enum function_id answer_to;
static struct test_answer answer_is;
static unsigned answer_skip; /* so many go through before */

static bool answered_so(struct shop *s, const struct test_call *call, struct test_answer *out)
{
	(void)s;
	if (call->fn->id != answer_to || answer_skip-- > 0)
		return false;
	answer_skip = 0;
	*out = answer_is;
	return true;
}

static void with_answer(struct shop *s, enum function_id fn, unsigned skip, struct test_answer answer)
{
	shop_reset(s);
	answer_to = fn;
	answer_skip = skip;
	answer_is = answer;
	s->hook = answered_so;
	shop_download(s, "small", true);
	for (int i = 0; i < 20 && shop_step(s); i++)
		;
}

static void stands(struct shop *s, enum download_state state, enum stock_state stock, const char *asked)
{
	cr_assert_eq(shop_now(s)->state, state, "%s", download_state_name(shop_now(s)->state));
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, stock);
	cr_assert_str_eq(s->asked.data, asked);
}

Test(download_trouble, what_the_sm_sr_answers, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();
	struct test_answer none = { 0 };

	with_answer(s, FN_ES3_GetEIS, 0, test_refusal(s, STATUS_FAILED, "8.1.1", "1.1"));
	stands(s, DOWNLOAD_FAILED, STOCK_AVAILABLE, "GetEIS");
	shop_told_is(s, "FAILED", "8.1.1", "1.1");
	/* Refused before the card was asked: there is nothing to delete. */
	with_answer(s, FN_ES3_CreateISDP, 0, test_refusal(s, STATUS_FAILED, "8.1", "4.8"));
	stands(s, DOWNLOAD_FAILED, STOCK_AVAILABLE, "GetEIS CreateISDP+");
	shop_told_is(s, "FAILED", "8.1", "4.8");
	with_answer(s, FN_ES3_CreateISDP, 0, test_refusal(s, STATUS_FAILED, "8.4", "4.2"));
	stands(s, DOWNLOAD_FAILED, STOCK_AVAILABLE, "GetEIS CreateISDP+ DeleteISDP");
	with_answer(s, FN_ES3_CreateISDP, 0, none);
	stands(s, DOWNLOAD_FAILED, STOCK_AVAILABLE, "GetEIS CreateISDP+ DeleteISDP");
	shop_told_is(s, "FAILED", "1.2", "4.2");
	/* A code that we have no row for is told as text. */
	with_answer(s, FN_ES3_CreateISDP, 0, test_refusal(s, STATUS_FAILED, "9.9", "7.7"));
	shop_told_is(s, "FAILED", "1.2", "4.2");
	cr_assert(strstr(shop_told(s), "ES3-CreateISDP was answered 9.9/7.7"));
	/* Delivered, and no answer: segments are never sent again. */
	with_answer(s, FN_ES3_SendData, 2, test_refusal(s, STATUS_EXPIRED, "1.6", "5.4"));
	stands(s, DOWNLOAD_EXPIRED, STOCK_QUARANTINED, "GetEIS CreateISDP+ SendData+ SendData+ SendData+ DeleteISDP");
	shop_told_is(s, "EXPIRED", "1.6", "5.4");
	with_answer(s, FN_ES3_ProfileDownloadCompleted, 0, test_refusal(s, STATUS_FAILED, "8.2.1", "1.2"));
	stands(s, DOWNLOAD_FAILED, STOCK_QUARANTINED,
	       "GetEIS CreateISDP+ SendData+ SendData+ SendData+ ProfileDownloadCompleted DeleteISDP");
	/* The profile is there all the same. */
	with_answer(s, FN_ES3_EnableProfile, 0, test_refusal(s, STATUS_FAILED, "8.2.1", "4.2"));
	stands(s, DOWNLOAD_DONE, STOCK_INSTALLED,
	       "GetEIS CreateISDP+ SendData+ SendData+ SendData+ ProfileDownloadCompleted EnableProfile");
	shop_told_is(s, "EXECUTED_WITHWARNING", "8.2.1", "4.2");
	cr_assert(strstr(shop_told(s), s->iccid[0].text));
	shop_close(s);
}

static struct test_answer on_delete;

/* The profile is installed, but the card's last answer is spoiled; DeleteISDP is answered as the test wants. */
static bool spoiled(struct shop *s, const struct test_call *call, struct test_answer *out)
{
	if (call->fn->id != FN_ES3_DeleteISDP)
		return false;
	(void)s;
	*out = on_delete;
	return true;
}

static void spoil(struct shop *s, struct test_answer answer)
{
	shop_reset(s);
	on_delete = answer;
	s->hook = spoiled;
	s->card.fault = CARD_BAD_RMAC;
	shop_download(s, "small", false);
	for (int i = 0; i < 20 && shop_step(s); i++)
		;
}

Test(download_trouble, what_the_deletion_is_answered, .timeout = TIMEOUT)
{
	static const uint8_t not_found[] = { 0x23, 0x02, 0x6A, 0x88 }, pol1[] = { 0x23, 0x02, 0x69, 0xE1 };
	static const char asked[] = "GetEIS CreateISDP+ SendData+ SendData+ SendData DeleteISDP";
	struct shop *s = shop_open();
	struct test_answer answer;

	spoil(s, test_refusal(s, STATUS_FAILED, "8.2.1", "3.9"));
	stands(s, DOWNLOAD_FAILED, STOCK_QUARANTINED, asked);
	answer = test_refusal(s, STATUS_FAILED, "8.4", "4.2");
	answer.card.euicc_response_data = (struct bytes){ not_found, sizeof(not_found) };
	spoil(s, answer);
	stands(s, DOWNLOAD_FAILED, STOCK_QUARANTINED, asked);
	shop_told_is(s, "FAILED", "8.3", "6.1");
	/* POL1 forbids it: so there is a profile, and it counts as installed (3.1.4). */
	answer.card.euicc_response_data = (struct bytes){ pol1, sizeof(pol1) };
	spoil(s, answer);
	stands(s, DOWNLOAD_DONE, STOCK_INSTALLED,
	       "GetEIS CreateISDP+ SendData+ SendData+ SendData DeleteISDP ProfileDownloadCompleted");
	shop_told_is(s, "EXECUTED_SUCCESS", NULL, NULL);
	shop_close(s);
}

/* What went wrong in the SM-SR passes: it is asked again under another FCI, until there is no time left for that. */
Test(download_trouble, a_deletion_that_fails_in_the_sm_sr_is_asked_again, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();
	struct test_call call;
	const char *ref;

	for (int in_time = 0; in_time < 2; in_time++) {
		spoil(s, test_refusal(s, STATUS_FAILED, "1.2", "4.2"));
		cr_assert(shop_now(s)->state == DOWNLOAD_DELETE && shop_now(s)->wait == DOWNLOAD_BACKOFF);
		cr_assert_null(shop_told(s));
		ref = download_ref(s->a, shop_now(s));
		shop_time(s, T_DUE);
		cr_assert_str_neq(download_ref(s->a, shop_now(s)), ref);
		if (in_time)
			s->hook = NULL;
		cr_assert(shop_step(s));
		cr_assert_eq(shop_now(s)->state, in_time ? DOWNLOAD_FAILED : DOWNLOAD_DELETE);
	}
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_QUARANTINED);
	/* Behind the deadline as well: the pause goes on, and no longer. */
	spoil(s, test_refusal(s, STATUS_FAILED, "1.2", "4.2"));
	shop_time(s, T_DEADLINE);
	shop_told_is(s, "EXPIRED", "1.6", "5.4");
	cr_assert_lt(shop_now(s)->due_at - shop_now(s)->now, (int64_t)60 * 1000000);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(shop_now(s)->state, DOWNLOAD_DELETE_EXPIRED);
		shop_time(s, T_DUE);
		cr_assert(shop_next(s, &call) && call.fn->id == FN_ES3_DeleteISDP);
		cr_assert(shop_step(s));
	}
	shop_time(s, T_CLEANED);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_EXPIRED);
	shop_close(s);
}

/* Where nothing was sent there is no POL1. */
Test(download_trouble, no_pol1_without_a_profile, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();

	on_delete = test_refusal(s, STATUS_FAILED, "8.2.2", "3.8");
	s->hook = spoiled;
	s->card.fault = CARD_BAD_RECEIPT;
	shop_download(s, "small", false);
	for (int i = 0; i < 20 && shop_step(s); i++)
		;
	stands(s, DOWNLOAD_FAILED, STOCK_QUARANTINED, "GetEIS CreateISDP+ SendData+ SendData+ DeleteISDP");
	shop_close(s);
}

static void outbox_says(struct shop *s, const struct outbox_answer *answer)
{
	db_begin(s->db);
	cr_assert(smdp_answered(&s->smdp, s->db, s->a, answer));
	db_commit(s->db);
	shop_sync(s, NULL, 0);
}

static void give_up(struct shop *s, const struct test_call *call)
{
	outbox_says(s, &(const struct outbox_answer){
			       .fn = call->fn, .to = s->smsr, .ref = call->ref, .eid = s->made.eid.text, .given_up = true });
}

/* A SOAP Fault says nothing of what was done; that nobody was reached neither. */
Test(download_trouble, faults_and_silence, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();
	struct test_call call = reach(s, DOWNLOAD_CREATE_ISDP);
	struct outbox_answer fault = { .fn = call.fn,
				       .to = s->smsr,
				       .ref = call.ref,
				       .eid = s->made.eid.text,
				       .fault = { .code = "Sender", .reason = "who are you?" } };

	outbox_says(s, &fault);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DELETE);
	cr_assert(shop_step(s));
	shop_told_is(s, "FAILED", "1.2", "4.2");
	cr_assert(strstr(shop_told(s), "who are you?"));
	call = reach(s, DOWNLOAD_INSTALL);
	give_up(s, &call);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DELETE_EXPIRED);
	/* GetEIS is asked again instead. */
	call = reach(s, DOWNLOAD_GET_EIS);
	give_up(s, &call);
	cr_assert(shop_now(s)->state == DOWNLOAD_GET_EIS && shop_now(s)->wait == DOWNLOAD_BACKOFF);
	/* 202 changes nothing, and an answer of another entity is none. */
	call = reach(s, DOWNLOAD_CREATE_ISDP);
	fault = (struct outbox_answer){
		.accepted = true, .fn = call.fn, .to = s->smsr, .ref = call.ref, .eid = s->made.eid.text
	};
	outbox_says(s, &fault);
	fault.accepted = false;
	fault.to = oid_of("1.2.3");
	fault.fault.code = "Sender";
	outbox_says(s, &fault);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_CREATE_ISDP);
	shop_close(s);
}

/* ProfileDownloadCompleted was executed, and its answer never came: under another FCI it would be refused, and a complete profile deleted. */
Test(download_trouble, silence_is_no_refusal, .timeout = TIMEOUT)
{
	struct shop *s = shop_open();
	struct test_call call = reach(s, DOWNLOAD_COMPLETE), again;
	struct test_answer answer = shop_execute(s, &call);

	for (int i = 0; i < 3; i++) {
		give_up(s, &call);
		cr_assert(shop_now(s)->state == DOWNLOAD_COMPLETE && shop_now(s)->wait == DOWNLOAD_BACKOFF);
		shop_time(s, T_DUE);
		cr_assert(shop_next(s, &again));
		cr_assert_str_eq(again.ref, call.ref, "%d", i);
		call = again;
	}
	shop_answer(s, &call, &answer);
	shop_run(s, DOWNLOAD_DONE);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DONE);
	shop_told_is(s, "EXECUTED_SUCCESS", NULL, NULL);
	shop_close(s);
}

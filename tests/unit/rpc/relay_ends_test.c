/* SPDX-License-Identifier: Apache-2.0 */
/* How relayed calls end: by callback, too late, never reached, in another process than they began. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/http/raw.h"
#include "tests/unit/rpc/relay_stage.h"

#define DONE "<rps:Status>EXECUTED_SUCCESS</rps:Status>"

/* The RelatesTo of an answer to this message of ours. */
static const char *message_id_of(struct stage *s, const char *sent)
{
	const char *start = strstr(sent, "<wsa:MessageID>") + strlen("<wsa:MessageID>");

	return arena_strndup(s->p.arena, start, (size_t)(strstr(start, "</wsa:MessageID>") - start));
}

/* The SM-SR calls back, as often as it is told that this is not the moment (a loaded machine's database). */
static unsigned call_back(struct stage *s, const char *smsr, const char *relates_to, const char *body, const char **out_text)
{
	const struct message m = {
		.message_id = "cb", .entity = smsr, .relates_to = relates_to, .action = "x", .path = "/es3", .body = body
	};
	unsigned status;

	stage_caller(s, smsr, ROLE_SM_SR);
	status = partner_ask(&s->p, &m, out_text);
	for (int i = 0; i < 5 && status == 500; i++)
		status = partner_ask(&s->p, &m, out_text);
	stage_caller(s, PARTNER, ROLE_OPERATOR);
	return status;
}

/* The row to the operator: its address is nowhere, so that it stays. */
static const char *answer_row(struct stage *s)
{
	const char *row = "";

	for (int i = 0; i < 500 && !strstr(row, "ES2-"); i++) {
		row = partner_outbox(&s->p);
		sleep_ms(10);
	}
	return row;
}

static void run_due(struct stage *s)
{
	CLEANUP(db_closep) struct db *db = db_open(s->p.store);
	unsigned ms = 0;

	for (int i = 0; i < 1000 && !relays_due(&s->p.rpc, db, s->p.arena, &ms); i++) {
		cr_assert(ms >= 1 && ms <= 1000);
		sleep_ms(10);
	}
}

Test(rpc_relay_ends, by_callback_from_who_was_called)
{
	struct stage *s = stage_open();
	const char *text, *id, *done = response(s, "ES3-DeleteISDP", DONE, ""),
			       *request = es2_request(s, "DeleteProfile", "f1", 100, SMSR, ICCID, "");

	HOP(s, { 202, NULL });
	cr_expect_eq(es2_ask(s, "m1", REGISTERED, request, &text), 202);
	id = message_id_of(s, hop_wait(s, "ES3-DeleteISDPRequest", 1));
	outbox_empty(s); /* taken */
	/* Not who was called, not what was called, not of this call, none of ours. */
	cr_expect_eq(call_back(s, NO_SMSR, id, done, &text), 400);
	cr_expect_eq(call_back(s, SMSR, id, response(s, "ES3-EnableProfile", DONE, ""), &text), 400);
	cr_expect_eq(call_back(s, SMSR, "//us/1?TransactionID=relay-00000000-0000-4000-8000-000000000000.2", done, &text), 400);
	cr_expect_eq(call_back(s, SMSR, "//us/1?TransactionID=relay-nonsense.2", done, &text), 400);
	has(text, "no open call");
	cr_expect_eq(partner_counts(&s->p).outbox, 0);
	cr_expect_eq(es2_ask(s, "m2", REGISTERED, request, &text), 202); /* joins */
	cr_expect_eq(call_back(s, SMSR, id, done, &text), 202);
	text = answer_row(s);
	has(text, "ES2-DeleteProfileResponse|peer:" PARTNER);
	has(text, "EXECUTED_SUCCESS");
	cr_expect_eq(partner_counts(&s->p).answered, 1);
	cr_expect_eq(partner_counts(&s->p).replies, 0);
	cr_expect_eq(hop_seen(s, "Envelope", NULL), 1);
	cr_expect_eq(s->ended, 1);
	/* Once more, and another: nothing changes. */
	cr_expect_eq(call_back(s, SMSR, id, done, &text), 202);
	cr_expect_eq(call_back(s, SMSR, id, response(s, "ES3-DeleteISDP", "<rps:Status>FAILED</rps:Status>", ""), &text), 202);
	cr_expect_eq(s->ended, 1);
	cr_expect_eq(es2_ask(s, "m3", NULL, request, &text), 200);
	has(text, "EXECUTED_SUCCESS");
	stage_close(s);
}

Test(rpc_relay_ends, a_parked_caller_hears_of_the_callback)
{
	struct stage *s = stage_open();
	const struct message m = { .message_id = "m1",
				   .action = "x",
				   .path = "/es2",
				   .body = es2_request(s, "EnableProfile", "f1", 100, SMSR, ICCID, "") };
	const char *text, *id;
	int fd;

	HOP(s, { 202, NULL });
	fd = partner_send(&s->p, &m);
	id = message_id_of(s, hop_wait(s, "ES3-EnableProfileRequest", 1));
	partner_wait_parked(&s->p, 1);
	cr_expect_eq(call_back(s, SMSR, id, response(s, "ES3-EnableProfile", DONE, ""), &text), 202);
	cr_expect_eq(partner_read(fd, &text), 200);
	has(text, "<rps:ES2-EnableProfileResponse>");
	has(text, "EXECUTED_SUCCESS");
	(void)close(fd);
	stage_close(s);
}

/* dialect s_callback: S functions are answered so, too. */
Test(rpc_relay_ends, an_sm_sr_that_answers_all_by_callback)
{
	struct stage *s = stage_open();
	const struct message m = { .message_id = "m1",
				   .action = "x",
				   .path = "/es2",
				   .body = es2_request(s, "UpdatePolicyRules", "f1", 100, SHY_SMSR, FOREIGN, "") };
	const char *text, *sent;
	int fd;

	HOP(s, { 202, NULL });
	fd = partner_send(&s->p, &m);
	sent = hop_wait(s, "ES3-GetEISRequest", 1);
	has(sent, "ReplyTo");
	cr_expect_eq(call_back(s, SHY_SMSR, message_id_of(s, sent),
			       eis_response(s, "ES3-GetEISResponse", EID, PARTNER, FOREIGN, NULL, NULL), &text),
		     202, "%s", text);
	sent = hop_wait(s, "ES3-UpdatePolicyRulesRequest", 1);
	cr_expect_eq(call_back(s, SHY_SMSR, message_id_of(s, sent), response(s, "ES3-UpdatePolicyRules", DONE, ""), &text), 202);
	cr_expect_eq(partner_read(fd, &text), 200);
	has(text, "EXECUTED_SUCCESS");
	(void)close(fd);
	stage_close(s);
}

Test(rpc_relay_ends, expired_at_the_deadline_and_nothing_changes_that)
{
	struct stage *s = stage_open();
	const char *text, *id, *request = es2_request(s, "DeleteProfile", "f1", 6, SMSR, ICCID, "");
	int64_t begun = clock_ms();

	HOP(s, { 202, NULL });
	cr_expect_eq(es2_ask(s, "m1", REGISTERED, request, &text), 202);
	id = message_id_of(s, hop_wait(s, "<rps:ValidityPeriod>4</rps:ValidityPeriod>", 1));
	run_due(s);
	cr_expect_geq(clock_ms() - begun, 5900);
	text = answer_row(s);
	has(text, "<rps:Status>EXPIRED</rps:Status>");
	has(text, "<rps:Subject>1.6</rps:Subject><rps:Reason>5.3</rps:Reason>");
	has(s->ended_as, " -");
	cr_expect_eq(call_back(s, SMSR, id, response(s, "ES3-DeleteISDP", DONE, ""), &text), 202); /* late */
	cr_expect_eq(es2_ask(s, "m2", NULL, request, &text), 200);
	has(text, "EXPIRED");
	cr_expect_eq(s->ended, 1);
	stage_close(s);
}

Test(rpc_relay_ends, one_that_cannot_be_read_keeps_no_other_from_its_end)
{
	struct stage *s = stage_open();
	const char *text;

	HOP(s, { 202, NULL }, { 202, NULL });
	cr_expect_eq(es2_ask(s, "m1", REGISTERED, es2_request(s, "DeleteProfile", "f1", 6, SMSR, ICCID, ""), &text), 202);
	cr_expect_eq(es2_ask(s, "m2", REGISTERED, es2_request(s, "EnableProfile", "f2", 6, SMSR, ICCID, ""), &text), 202);
	hop_wait(s, "<rps:ValidityPeriod>4</rps:ValidityPeriod>", 2);
	partner_spoil_relay(&s->p, "f1");
	run_due(s);
	text = answer_row(s);
	has(text, "ES2-EnableProfileResponse");
	has(text, "<rps:Status>EXPIRED</rps:Status>");
	cr_expect_eq(s->ended, 1);
	stage_close(s);
}

Test(rpc_relay_ends, no_time_for_the_next_hop)
{
	struct stage *s = stage_open();
	const char *text;

	HOP(s, { 202, NULL });
	cr_expect_eq(es2_ask(s, "m1", NULL, es2_request(s, "GetEIS", "f1", 4, SMSR, NULL, ""), &text), 200);
	has(text, "<rps:Status>EXPIRED</rps:Status>");
	has(text, "<rps:Subject>1.6</rps:Subject><rps:Reason>5.3</rps:Reason>");
	cr_expect_eq(es2_ask(s, "m2", NULL, es2_request(s, "DeleteProfile", "f2", 4, SMSR, ICCID, ""), &text), 200);
	has(text, "EXPIRED");
	cr_expect_eq(partner_counts(&s->p).calls, 0);
	cr_expect_eq(partner_counts(&s->p).outbox, 0);
	cr_expect_eq(hop_seen(s, "Envelope", NULL), 0);
	stage_close(s);
}

Test(rpc_relay_ends, a_peer_that_is_down_or_silent)
{
	struct stage *s = stage_open();
	const char *text;

	/* Never reached: nothing can have happened. What waits is not sent later. */
	HOP(s, { 500, NULL });
	cr_expect_eq(es2_ask(s, "m1", NULL, es2_request(s, "DeleteProfile", "f1", 5, NO_SMSR, ICCID, ""), &text), 200);
	has(text, "FAILED");
	has(text, "<rps:Subject>8.7</rps:Subject><rps:Reason>5.1</rps:Reason>");
	has(text, NO_SMSR);
	outbox_empty(s);
	/* Reached, but it never said anything: nobody knows. */
	cr_expect_eq(es2_ask(s, "m2", NULL, es2_request(s, "DeleteProfile", "f2", 5, SMSR, ICCID, ""), &text), 200);
	has(text, "EXPIRED");
	cr_expect_gt(hop_seen(s, "ES3-DeleteISDPRequest", NULL), 1);
	outbox_empty(s);
	stage_close(s);
}

/* Killed at any point: rows only. */
Test(rpc_relay_ends, another_process_goes_on_with_what_one_had_begun)
{
	struct stage *s = stage_open();
	struct message m = { .message_id = "m1", .context_id = "ctx-7", .action = "x", .path = "/es2" };
	struct outbox *outbox = s->p.rpc.outbox;
	const char *text;
	int fd;

	m.body = es2_request(s, "UpdatePolicyRules", "f1", 100, SMSR, FOREIGN, "<rps:pol2/>");
	/* Killed with the claim committed: the first step is not sent yet. */
	HOP(s, { 500, NULL }, { 200, eis_response(s, "ES3-GetEISResponse", EID, PARTNER, FOREIGN, NULL, NULL) }, { 500, NULL },
	    { 200, response(s, "ES3-UpdatePolicyRules", DONE, "") });
	outbox_close(outbox);
	s->p.rpc.outbox = NULL;
	fd = partner_send(&s->p, &m);
	partner_wait_parked(&s->p, 1);
	stage_stop(s);
	(void)close(fd);
	cr_expect_eq(hop_seen(s, "Envelope", NULL), 0);
	stage_start(s);
	(void)hop_wait(s, "ES3-UpdatePolicyRulesRequest", 1); /* the second step was sent, its answer was lost */
	stage_stop(s);
	stage_start(s);
	/* The caller repeats its call at the new process: it joins what runs, or gets what was stored. */
	m.message_id = "m2";
	cr_expect_eq(partner_ask(&s->p, &m, &text), 200);
	has(text, "//mno/m2?");
	has(text, "EXECUTED_SUCCESS");
	cr_expect_eq(hop_seen(s, "ES3-UpdatePolicyRulesRequest", NULL), 2);
	{
		const char *sent = hop_wait(s, "ES3-UpdatePolicyRulesRequest", 2);
		char fci[100] = "";

		cr_assert_eq(sscanf(strstr(sent, "<rps:FunctionCallIdentifier>"), "<rps:FunctionCallIdentifier>%99[^<]", fci), 1);
		cr_expect_eq(hop_seen(s, fci, NULL), 2, "the same FunctionCallIdentifier at every attempt");
		has(sent, "ContextID=ctx-7");
		has(sent, "<rps:pol2");
	}
	cr_expect_eq(s->ended, 1);
	stage_close(s);
}

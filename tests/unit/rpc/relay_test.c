/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that go on to the next hop: what it gets, who may, whose answer comes back. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/http/raw.h"
#include "tests/unit/rpc/relay_stage.h"

#define DONE "<rps:Status>EXECUTED_SUCCESS</rps:Status>"
#define REFUSED                                                                                                           \
	"<rps:Status>FAILED</rps:Status><rps:StatusCodeData><rps:Subject>8.2.3</rps:Subject><rps:Reason>3.8</rps:Reason>" \
	"<rps:SubjectIdentifier>their own</rps:SubjectIdentifier><rps:Message>their words</rps:Message></rps:StatusCodeData>"

Test(rpc_relay, a_write_is_relayed_and_its_caller_waits_without_a_thread)
{
	struct stage *s = stage_open();
	const char *text, *sent, *request = es2_request(s, "UpdatePolicyRules", "f1", 40, SMSR, ICCID, "<rps:pol2/>");

	HOP(s, { 200, response(s, "ES3-UpdatePolicyRules", DONE, "") });
	cr_expect_eq(es2_ask(s, "m1", NULL, request, &text), 200);
	has(text, "<rps:ES2-UpdatePolicyRulesResponse>");
	has(text, "EXECUTED_SUCCESS");
	has(text, "//mno/m1?TransactionID=tx-m1?ContextID=ctx-7</wsa:RelatesTo>");
	sent = hop_wait(s, "<rps:ES3-UpdatePolicyRulesRequest>", 1);
	has(sent, "<rps:ValidityPeriod>38</rps:ValidityPeriod>");
	has(sent, "ContextID=ctx-7");
	has(sent, ".2</rps:FunctionCallIdentifier>");
	has(sent, "<rps:Eid>" EID "</rps:Eid>");
	has(sent, ICCID);
	has_not(sent, ">f1<"); /* a caller's identifier is never passed on */
	has_not(sent, "Smsr-id");
	has_not(sent, "ReplyTo");
	/* The same call again: the stored answer. Another input under its identifier: no. */
	cr_expect_eq(es2_ask(s, "m2", NULL, request, &text), 200);
	has(text, "EXECUTED_SUCCESS");
	cr_expect_eq(es2_ask(s, "m3", NULL, es2_request(s, "UpdatePolicyRules", "f1", 40, SMSR, FOREIGN, ""), &text), 200);
	has(text, "FunctionCallIdentifier");
	cr_expect_eq(hop_seen(s, "Envelope", NULL), 1);
	cr_expect_eq(s->ended, 1);
	cr_expect_str_eq(s->ended_as, "ES2-UpdatePolicyRules ES3-UpdatePolicyRules " PARTNER " " EID " EXECUTED_SUCCESS");
	stage_close(s);
}

Test(rpc_relay, an_answer_is_copied_whatever_it_says)
{
	struct stage *s = stage_open();
	const char *text;

	HOP(s, { 200, response(s, "ES3-DeleteISDP", REFUSED, "<rps:EuiccResponseData>69E1</rps:EuiccResponseData>") });
	cr_expect_eq(es2_ask(s, "m1", NULL, es2_request(s, "DeleteProfile", "f1", 100, SMSR, ICCID, ""), &text), 200);
	has(text, "<rps:ES2-DeleteProfileResponse>");
	has(text, "FAILED");
	has(text, "<rps:Subject>8.2.3</rps:Subject><rps:Reason>3.8</rps:Reason>");
	has(text, "their own");
	has(text, "their words");
	has_not(text, "69E1"); /* ES2 has no place for it */
	has(hop_wait(s, "ES3-DeleteISDPRequest", 1),
	    "<wsa:ReplyTo><wsa:Address>https://smsr.example/es3</wsa:Address></wsa:ReplyTo>");
	cr_expect_str_eq(s->ended_as, "ES2-DeleteProfile ES3-DeleteISDP " PARTNER " " EID " FAILED");
	/* The next hop's validity period is not the caller's. */
	HOP(s, { 200, arena_printf(s->p.arena,
				   "<rps:ES3-EnableProfileResponse><rps:AcceptableValidityPeriod>9</rps:AcceptableValidityPeriod>"
				   "<rps:FunctionExecutionStatus>%s</rps:FunctionExecutionStatus></rps:ES3-EnableProfileResponse>",
				   REFUSED) });
	cr_expect_eq(es2_ask(s, "m2", NULL, es2_request(s, "EnableProfile", "f2", 100, SMSR, ICCID, ""), &text), 200);
	has(text, "their own");
	has_not(text, "AcceptableValidityPeriod");
	/* A fault of the next hop is a failure of ours. */
	HOP(s, { 400, "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text xml:lang=\"en\">never heard of it"
		      "</s:Text></s:Reason></s:Fault>" });
	cr_expect_eq(es2_ask(s, "m3", NULL, es2_request(s, "EnableProfile", "f3", 100, SMSR, ICCID, ""), &text), 200);
	has(text, "never heard of it");
	has(text, "<rps:Subject>1.2</rps:Subject><rps:Reason>4.2</rps:Reason>");
	stage_close(s);
}

Test(rpc_relay, a_read_is_asked_anew_and_shows_the_callers_own)
{
	struct stage *s = stage_open();
	const char *text, *request = es2_request(s, "GetEIS", "f1", 30, SMSR, NULL, "");

	HOP(s, { 200, eis_response(s, "ES3-GetEISResponse", EID, PARTNER, ICCID, OTHER_MNO, FOREIGN) });
	for (unsigned i = 1; i <= 2; i++) {
		cr_expect_eq(es2_ask(s, "m1", NULL, request, &text), 200);
		has(text, "<rps:ES2-GetEISResponse>");
		has(text, "EumSignature");
		has(text, PARTNER "</rps:Mno-id>");
		has_not(text, OTHER_MNO);
		cr_expect_eq(hop_seen(s, "ES3-GetEISRequest", NULL), i);
	}
	/* Somebody else's card. */
	HOP(s, { 200, eis_response(s, "ES3-GetEISResponse", "89001012012341234012345678901321", PARTNER, ICCID, NULL, NULL) });
	cr_expect_eq(es2_ask(s, "m2", NULL, request, &text), 200);
	has(text, "FAILED");
	has(text, "another eUICC");
	has_not(text, "EumSignature");
	stage_close(s);
}

Test(rpc_relay, who_is_not_in_the_stock_is_looked_for_in_a_fresh_eis)
{
	struct stage *s = stage_open();
	const char *text, *sent;

	HOP(s, { 200, eis_response(s, "ES3-GetEISResponse", EID, PARTNER, FOREIGN, NULL, NULL) },
	    { 200, response(s, "ES3-DeleteISDP", DONE, "") });
	cr_expect_eq(es2_ask(s, "m1", NULL, es2_request(s, "DeleteProfile", "f1", 100, SMSR, FOREIGN, ""), &text), 200);
	has(text, "<rps:ES2-DeleteProfileResponse>");
	has(text, "EXECUTED_SUCCESS");
	sent = hop_wait(s, "ES3-GetEISRequest", 1);
	has(sent, ".1</rps:FunctionCallIdentifier>");
	has(sent, "ContextID=ctx-7");
	sent = hop_wait(s, "ES3-DeleteISDPRequest", 1);
	has(sent, ".2</rps:FunctionCallIdentifier>");
	has(sent, "ContextID=ctx-7");
	/* Another's, not on the card, no card: the call itself is never made. */
	HOP(s, { 200, eis_response(s, "ES3-GetEISResponse", EID, OTHER_MNO, FOREIGN, NULL, NULL) });
	cr_expect_eq(es2_ask(s, "m2", NULL, es2_request(s, "DeleteProfile", "f2", 100, SMSR, FOREIGN, ""), &text), 200);
	has(text, "<rps:Subject>8.2.1</rps:Subject><rps:Reason>1.2</rps:Reason>");
	HOP(s, { 200, eis_response(s, "ES3-GetEISResponse", EID, PARTNER, ICCID, NULL, NULL) });
	cr_expect_eq(es2_ask(s, "m3", NULL, es2_request(s, "DeleteProfile", "f3", 100, SMSR, FOREIGN, ""), &text), 200);
	has(text, "<rps:Subject>8.2.1</rps:Subject><rps:Reason>3.9</rps:Reason>");
	HOP(s, { 200, response(s, "ES3-GetEIS", REFUSED, "") });
	cr_expect_eq(es2_ask(s, "m4", NULL, es2_request(s, "DeleteProfile", "f4", 100, SMSR, FOREIGN, ""), &text), 200);
	has(text, "<rps:ES2-DeleteProfileResponse>");
	has(text, "their words");
	HOP(s, { 200, response(s, "ES3-GetEIS", DONE, "") });
	cr_expect_eq(es2_ask(s, "m5", NULL, es2_request(s, "DeleteProfile", "f5", 100, SMSR, FOREIGN, ""), &text), 200);
	has(text, "sent no EIS");
	cr_expect_eq(hop_seen(s, "ES3-DeleteISDP", NULL), 0);
	stage_close(s);
}

Test(rpc_relay, an_audit_is_for_owners_and_every_iccid_counts)
{
	struct stage *s = stage_open();
	const char *text, *eis = eis_response(s, "ES3-GetEISResponse", EID, PARTNER, ICCID, OTHER_MNO, FOREIGN);
	const char *audited = eis_response(s, "ES3-AuditEISResponse", EID, PARTNER, ICCID, OTHER_MNO, FOREIGN);

	HOP(s, { 200, eis }, { 200, audited });
	cr_expect_eq(es2_ask(s, "m1", NULL, es2_request(s, "AuditEIS", "f1", 100, SMSR, NULL, ""), &text), 200);
	has(text, "<rps:ES2-AuditEISResponse>");
	has(text, PARTNER "</rps:Mno-id>");
	has_not(text, OTHER_MNO);
	(void)hop_wait(s, "ES3-AuditEISRequest", 1);
	HOP(s, { 200, eis }, { 200, audited });
	cr_expect_eq(es2_ask(s, "m2", NULL,
			     es2_request(s, "AuditEIS", "f2", 100, SMSR, ICCID, "<rps:Iccid>" FOREIGN "</rps:Iccid>"), &text),
		     200);
	has(text, "<rps:Subject>8.2.1</rps:Subject><rps:Reason>1.2</rps:Reason>");
	cr_expect_eq(hop_seen(s, "ES3-AuditEISRequest", NULL), 0);
	/* Owns nothing there. */
	HOP(s, { 200, eis_response(s, "ES3-GetEISResponse", EID, OTHER_MNO, ICCID, NULL, NULL) });
	cr_expect_eq(es2_ask(s, "m3", NULL, es2_request(s, "AuditEIS", "f3", 100, SMSR, NULL, ""), &text), 200);
	has(text, "<rps:Subject>8.1</rps:Subject><rps:Reason>1.2</rps:Reason>");
	stage_close(s);
}

Test(rpc_relay, the_target_is_an_sm_sr_that_we_know)
{
	static const char *const strangers[] = { "1.2.3.4", OTHER_MNO, PARTNER };
	struct stage *s = stage_open();
	const char *text;

	HOP(s, { 200, "" });
	for (unsigned i = 0; i < LEN(strangers); i++) {
		const char *fci = arena_printf(s->p.arena, "f1-%u", i);

		cr_expect_eq(es2_ask(s, "m1", NULL, es2_request(s, "EnableProfile", fci, 100, strangers[i], ICCID, ""), &text),
			     200);
		has(text, "<rps:Subject>8.7</rps:Subject><rps:Reason>3.9</rps:Reason>");
		has(text, strangers[i]);
	}
	/* A refusal is remembered. */
	cr_expect_eq(es2_ask(s, "m1", NULL, es2_request(s, "EnableProfile", "f1-0", 100, OTHER_MNO, ICCID, ""), &text), 200);
	has(text, "FunctionCallIdentifier");
	cr_expect_eq(es2_ask(s, "m2", NULL, es2_request(s, "GetEIS", "f2", 30, OTHER_MNO, NULL, ""), &text), 200);
	has(text, "<rps:Subject>8.7</rps:Subject><rps:Reason>3.9</rps:Reason>");
	cr_expect_eq(partner_counts(&s->p).outbox, 0);
	cr_expect_eq(partner_counts(&s->p).calls, 3);
	stage_close(s);
}

/* Notifications ------------------------------------------------------------------------------------------------------------ */

static unsigned notify(struct stage *s, const char *message_id, const char *mno, const char **out_text)
{
	const struct message m = {
		.message_id = message_id,
		.context_id = "ctx-9",
		.entity = SMSR,
		.action = "x",
		.path = "/es3",
		.body = arena_printf(
			s->p.arena,
			"<rps:ES3-HandleProfileEnabledNotification><rps:Eid>" EID "</rps:Eid><rps:Iccid>" ICCID "</rps:Iccid>"
			"<rps:Mno-id>%s</rps:Mno-id><rps:CompletionTimestamp>2026-01-15T09:30:00Z</rps:CompletionTimestamp>"
			"</rps:ES3-HandleProfileEnabledNotification>",
			mno)
	};

	return partner_ask(&s->p, &m, out_text);
}

Test(rpc_relay, a_notification_is_forwarded_once_to_the_operator_it_names)
{
	struct stage *s = stage_open();
	const char *text, *sent;

	HOP(s, { 500, NULL }, { 202, NULL }); /* the first attempt fails: the second is the same message */
	stage_caller(s, SMSR, ROLE_SM_SR);
	cr_expect_eq(notify(s, "n1", OTHER_MNO, &text), 202, "%s", text);
	cr_expect_eq(notify(s, "n1", OTHER_MNO, &text), 202); /* a repetition */
	sent = hop_wait(s, "<rps:ES2-HandleProfileEnabledNotification>", 2);
	has(sent, "<rps:Eid>" EID "</rps:Eid>");
	has(sent, "2026-01-15T09:30:00");
	has(sent, "ContextID=ctx-9");
	has_not(sent, "Mno-id");
	outbox_empty(s);
	{
		char id[200] = "";

		cr_assert_eq(sscanf(strstr(sent, "<wsa:MessageID>"), "<wsa:MessageID>%199[^?]", id), 1);
		cr_expect_eq(hop_seen(s, id, NULL), 2, "one MessageID for all attempts");
	}
	/* What our role does not believe, and for nobody's customer: taken, and nothing is sent. */
	cr_expect_eq(notify(s, "n4", OTHER_MNO, &text), 202);
	cr_expect_eq(notify(s, "n2", "1.2.3.4", &text), 202);
	cr_expect_eq(notify(s, "n3", SMSR, &text), 202);
	cr_expect_eq(partner_counts(&s->p).outbox, 0);
	/* Our role heard of each of them, once. */
	cr_expect_eq(partner_counts(&s->p).seen, 2 * 4);
	cr_expect_str_eq(s->told_of, "ES3-HandleProfileEnabledNotification " EID " " ICCID " " SMSR);
	cr_expect_eq(hop_seen(s, "Envelope", NULL), 2);
	stage_close(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Partners who want their answers otherwise (decisions.md A4): D calls without ReplyTo, S calls that are answered by callback. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/rpc/partner.h"

#define ICCID "8933010000000000028"
#define POLLING NS_WSMC "/anonymous?id=1"

static struct partner p;
static atomic_uint ran;
static bool refuse;

static void load_queue(struct rq *rq, const void *in)
{
}

/* The profile is the caller's, whichever function asks. */
static result load_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	static struct iccid iccid;
	struct profile_info *profile = ARENA_NEW(rq->arena, struct profile_info);

	cr_assert(iccid_parse(ICCID, &iccid));
	profile->iccid = iccid;
	profile->mno = rq->caller->oid;
	profile->state = PROFILE_DISABLED;
	*facts = (struct relation_facts){ .eid_known = true, .iccid = &iccid, .profiles = profile, .n_profiles = 1 };
	return OK;
}

static result handle(struct rq *rq, const void *in, void *out)
{
	ran++;
	return refuse ? failed(rq->arena, CODE_POL2_REFUSES, "POL2", NULL) : OK;
}

/* Only refused: a whole EIS is more than is looked at here. */
static result get_eis(struct rq *rq, const void *in, void *out)
{
	ran++;
	return failed(rq->arena, CODE_POL2_REFUSES, "POL2", NULL);
}

static const struct load load = { 0, load_queue, load_take };
static const struct served served[] = {
	{ FN_ES4_EnableProfile, &load, handle, NULL },
	{ FN_ES4_UpdateSubscriptionAddress, &load, handle, NULL },
	{ FN_ES4_GetEIS, &load, get_eis, NULL },
};

/* REGISTERED is of ES2; iface_url: another one, of ES4. */
static void stage(struct dialect dialect, const char *iface_url)
{
	const struct rpc rpc = { .self_role = ROLE_SM_SR, .served = served, .n_served = LEN(served), .replica = "one" };

	partner_open(&p, &rpc);
	p.rpc.parked = parked_open(&p.rpc, 10, 10, 900);
	p.entity.dialect = dialect;
	if (iface_url)
		partner_register(&p, "ES4", iface_url);
	ran = 0;
	refuse = false;
}

static unsigned enable(const char *message_id, const char *fci, const char *reply_to, const char **out_text)
{
	const struct message m = { .message_id = message_id, .reply_to = reply_to, .body = enable_request(&p, fci, ICCID, 100) };

	return partner_ask(&p, &m, out_text);
}

static unsigned update(const char *message_id, const char *fci, const char *msisdn, const char *reply_to, const char **out_text)
{
	const struct message m = {
		.message_id = message_id,
		.reply_to = reply_to,
		.action = "http://gsma.com/ES4/ProfileManagement/ES4-UpdateSubscriptionAddressRequest",
		.body = arena_printf(p.arena,
				     "<rps:ES4-UpdateSubscriptionAddressRequest><rps:FunctionCallIdentifier>%s"
				     "</rps:FunctionCallIdentifier><rps:Eid>" EID "</rps:Eid><rps:Iccid>" ICCID "</rps:Iccid>"
				     "<rps:newSubscriptionAddress><rps:Msisdn>%s</rps:Msisdn></rps:newSubscriptionAddress>"
				     "</rps:ES4-UpdateSubscriptionAddressRequest>",
				     fci, msisdn),
	};

	return partner_ask(&p, &m, out_text);
}

static unsigned get(const char *message_id, const char *reply_to, const char **out_text)
{
	const struct message m = {
		.message_id = message_id,
		.reply_to = reply_to,
		.action = "http://gsma.com/ES4/ProfileManagement/ES4-GetEISRequest",
		.body = "<rps:ES4-GetEISRequest><rps:FunctionCallIdentifier>g</rps:FunctionCallIdentifier><rps:Eid>" EID
			"</rps:Eid></rps:ES4-GetEISRequest>",
	};

	return partner_ask(&p, &m, out_text);
}

static void has(const char *text, const char *part)
{
	cr_expect(strstr(text, part), "no '%s' in: %s", part, text);
}

static void expect_counts(int64_t calls, int64_t answered, int64_t replies, int64_t outbox)
{
	struct counts c = partner_counts(&p);

	cr_expect(c.calls == calls && c.answered == answered && c.replies == replies && c.outbox == outbox,
		  "calls %d answered %d replies %d outbox %d", (int)c.calls, (int)c.answered, (int)c.replies, (int)c.outbox);
}

Test(rpc_dialect, no_reply_to_goes_to_the_registered_address)
{
	const char *text;

	stage((struct dialect){ .no_reply_to = NO_REPLY_TO_ADDRESS }, "https://mno.example:9443/es4");
	cr_expect_eq(enable("m1", "f1", NULL, &text), 202);
	has(text, "Content-Length: 0");
	has(partner_reply(&p), "|callback|//mno/m1?TransactionID=tx-m1|||"); /* wherever the registry says by then, never to From */
	cr_expect_str_eq(partner_end(&p, "f1", OK), "");
	expect_counts(1, 1, 0, 1);
	has(partner_outbox(&p), "ES4-EnableProfileResponse|peer:" PARTNER "|" EID "||//mno/m1?TransactionID=tx-m1|tx-m1|");
	cr_expect_eq(enable("m2", "f1", NULL, &text), 202); /* the stored answer, too */
	refuse = true;
	cr_expect_eq(enable("m3", "f2", NULL, &text), 202); /* and a refusal */
	expect_counts(2, 2, 0, 3);
	has(partner_outbox(&p), ">8.2.3<");
	/* Who says where is answered there. */
	refuse = false;
	cr_expect_eq(enable("m4", "f3", REGISTERED, &text), 202);
	has(partner_reply(&p), "|" REGISTERED "|");
	partner_close(&p);
}

Test(rpc_dialect, no_reply_to_and_no_address)
{
	const char *text;

	stage((struct dialect){ .no_reply_to = NO_REPLY_TO_ADDRESS }, NULL); /* of ES2 it has one */
	cr_expect_eq(enable("m1", "f1", NULL, &text), 200);
	has(text, ">1.6<");
	has(text, ">2.3<");
	has(text, "no ES4 address");
	expect_counts(0, 0, 0, 0);
	cr_expect_eq(ran, 0);
	partner_close(&p);
}

Test(rpc_dialect, no_reply_to_is_refused)
{
	const char *text;

	stage((struct dialect){ .no_reply_to = NO_REPLY_TO_REFUSE }, NULL);
	cr_expect_eq(enable("m1", "f1", NULL, &text), 200);
	has(text, ">1.6<");
	has(text, ">2.3<");
	has(text, "<rps:SubjectIdentifier>ReplyTo</rps:SubjectIdentifier>");
	expect_counts(0, 0, 0, 0);
	cr_expect_eq(enable("m1", "f1", REGISTERED, &text), 202);
	cr_expect_eq(enable("m2", "f1", POLLING, &text), 202);
	cr_expect_eq(update("m3", "f2", "123", NULL, &text), 200); /* an S function never needs one */
	has(text, "EXECUTED_SUCCESS");
	partner_close(&p);
}

Test(rpc_dialect, at_once_unless_the_dialect_says_so)
{
	const char *text;

	stage((struct dialect){ 0 }, NULL);
	cr_expect_eq(update("m1", "f1", "123", REGISTERED, &text), 200);
	has(text, "EXECUTED_SUCCESS");
	cr_expect_eq(update("m2", "f2", "123", POLLING, &text), 200);
	has(text, "EXECUTED_SUCCESS");
	cr_expect_eq(get("m3", REGISTERED, &text), 200);
	expect_counts(2, 2, 0, 0);
	partner_close(&p);
}

Test(rpc_dialect, s_functions_by_callback)
{
	const char *text;

	stage((struct dialect){ .s_callback = true }, NULL);
	cr_expect_eq(update("m1", "f1", "123", REGISTERED "/x", &text), 202);
	has(text, "Content-Length: 0");
	expect_counts(1, 1, 0, 1);
	text = partner_outbox(&p);
	has(text, "ES4-UpdateSubscriptionAddressResponse|peer:" PARTNER "|" EID "|" REGISTERED "/x|//mno/m1?TransactionID=tx-m1|tx-m1|");
	has(text, "EXECUTED_SUCCESS");
	/* Repeated: the stored answer goes there again. */
	cr_expect_eq(update("m2", "f1", "123", REGISTERED, &text), 202);
	cr_expect_eq(ran, 1);
	expect_counts(1, 1, 0, 2);
	/* Refused: the handler's words, and another input under the same identifier. */
	refuse = true;
	cr_expect_eq(update("m3", "f2", "123", REGISTERED, &text), 202);
	has(partner_outbox(&p), ">8.2.3<");
	cr_expect_eq(update("m4", "f1", "124", REGISTERED, &text), 202);
	has(partner_outbox(&p), "FunctionCallIdentifier");
	expect_counts(2, 2, 0, 4);
	/* What only reads has no row of its own. */
	cr_expect_eq(get("m5", REGISTERED, &text), 202);
	text = partner_outbox(&p);
	has(text, "ES4-GetEISResponse|");
	has(text, ">8.2.3<");
	expect_counts(2, 2, 0, 5);
	/* Not asked for, by polling, or not allowed there: at once. */
	refuse = false;
	cr_expect_eq(update("m6", "f3", "123", NULL, &text), 200);
	cr_expect_eq(update("m7", "f4", "123", POLLING, &text), 200);
	cr_expect_eq(update("m8", "f5", "123", "https://evil.example:8443/es4", &text), 200);
	has(text, "EXECUTED_SUCCESS");
	expect_counts(5, 5, 0, 5);
	partner_close(&p);
}

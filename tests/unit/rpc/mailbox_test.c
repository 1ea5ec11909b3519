/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are fetched with WS-MakeConnection, through the whole pipeline. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/rpc/reply_to.h"
#include "tests/unit/rpc/partner.h"

#define ICCID "8933010000000000028"
#define OTHER_ICCID "8933010000000000036"
#define MAILBOX NS_WSMC "/anonymous?id="
#define ADDRESS(id) "<mc:Address>" id "</mc:Address>"

static struct partner p;
static atomic_uint ran;
static bool refuse, busy;

static void load_queue(struct rq *rq, const void *in)
{
}

static result load_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es4_profile_rq *req = in;
	struct profile_info *profile = ARENA_NEW(rq->arena, struct profile_info);

	profile->iccid = req->iccid;
	profile->mno = rq->caller->oid;
	profile->state = PROFILE_DISABLED;
	*facts = (struct relation_facts){ .iccid = &req->iccid, .profiles = profile, .n_profiles = 1 };
	return OK;
}

static result enable(struct rq *rq, const void *in, void *out)
{
	ran++;
	if (busy)
		return failed(rq->arena, CODE_BUSY, NULL, "the card is busy");
	return refuse ? failed(rq->arena, CODE_POL2_REFUSES, "POL2", NULL) : OK;
}

static const struct load load = { 0, load_queue, load_take };
static const struct served served = { FN_ES4_EnableProfile, &load, enable, NULL };

static void stage(void)
{
	const struct rpc rpc = { .self_role = ROLE_SM_SR, .served = &served, .n_served = 1, .replica = "one" };

	partner_open(&p, &rpc);
	p.rpc.parked = parked_open(&p.rpc, 10, 10, 900);
	ran = 0;
	refuse = busy = false;
}

static unsigned ask(const char *message_id, const char *fci, const char *reply_to, const char **out_text)
{
	const struct message m = { .message_id = message_id, .reply_to = reply_to, .body = enable_request(&p, fci, ICCID, 100) };

	return partner_ask(&p, &m, out_text);
}

static unsigned fetch_with(struct message m, const char *selection, const char **out_text)
{
	m.body = arena_printf(p.arena, "<mc:MakeConnection xmlns:mc=\"" NS_WSMC "\">%s</mc:MakeConnection>", selection);
	m.action = m.action ? m.action : NS_WSMC "/MakeConnection";
	return partner_ask(&p, &m, out_text);
}

static unsigned fetch(const char *address, const char **out_text)
{
	return fetch_with((struct message){ .bare = true }, arena_printf(p.arena, ADDRESS("%s"), address), out_text);
}

static void has(const char *text, const char *part)
{
	cr_expect(strstr(text, part), "no '%s' in: %s", part, text);
}

static void expect_counts(int64_t calls, int64_t answered, int64_t replies)
{
	struct counts c = partner_counts(&p);

	cr_expect(c.calls == calls && c.answered == answered && c.replies == replies && c.outbox == 0,
		  "calls %d answered %d replies %d outbox %d", (int)c.calls, (int)c.answered, (int)c.replies, (int)c.outbox);
}

/* One answer to this message, and whether more wait. */
static void expect_fetched(const char *address, const char *message_id, const char *status, bool more)
{
	const char *text;

	cr_expect_eq(fetch(address, &text), 200, "%s", text);
	has(text, arena_printf(p.arena, "<wsa:RelatesTo>//mno/%s?TransactionID=tx-%s</wsa:RelatesTo>", message_id, message_id));
	has(text, arena_printf(p.arena, "<wsmc:MessagePending xmlns:wsmc=\"" NS_WSMC "\" pending=\"%s\"/>", more ? "true" : "false"));
	has(text, arena_printf(p.arena, "<wsa:To>%s</wsa:To>", address));
	has(text, "<wsa:Action>http://gsma.com/ES4/PlatformManagementCallBack/ES4-EnableProfile</wsa:Action>");
	has(text, "<rps:ES4-EnableProfileResponse>");
	has(text, status);
}

static void expect_empty(const char *address)
{
	const char *text;

	cr_expect_eq(fetch(address, &text), 202, "%s", text);
	has(text, "Content-Length: 0");
}

Test(rpc_mailbox, an_answer_waits_and_is_served_once)
{
	const char *text;

	stage();
	expect_empty(MAILBOX "a");
	cr_expect_eq(ask("m1", "f1", MAILBOX "a", &text), 202);
	has(text, "Content-Length: 0");
	has(partner_reply(&p), PARTNER "|ES4-EnableProfile|f1|" EID "|poll|//mno/m1?TransactionID=tx-m1|" MAILBOX "a||8650");
	expect_empty(MAILBOX "a"); /* it runs */
	cr_expect_eq(ask("m1", "f1", MAILBOX "a", &text), 202); /* the same message: one answer */
	expect_counts(1, 0, 1);
	cr_expect_str_eq(partner_end(&p, "f1", OK), "");
	expect_counts(1, 1, 1);
	expect_empty(MAILBOX "b");
	expect_empty(MAILBOX "A"); /* an identifier is taken letter by letter */
	expect_fetched("HTTP://docs.oasis-open.org/WS-RX/wsmc/200702/Anonymous?ID=a", "m1", "EXECUTED_SUCCESS", false);
	expect_empty(MAILBOX "a");
	expect_counts(1, 1, 0);
	/* Lost: the identifier of the call brings it again, to whichever mailbox. */
	cr_expect_eq(ask("m2", "f1", MAILBOX "b", &text), 202);
	cr_expect_eq(ask("m2", "f1", MAILBOX "b", &text), 202);
	expect_fetched(MAILBOX "b", "m2", "EXECUTED_SUCCESS", false);
	expect_empty(MAILBOX "b");
	cr_expect_eq(ran, 1);
	partner_close(&p);
}

Test(rpc_mailbox, the_oldest_first)
{
	const char *text;

	stage();
	cr_expect_eq(ask("m1", "f1", MAILBOX "a", &text), 202);
	cr_expect_eq(ask("m2", "f2", MAILBOX "a", &text), 202);
	cr_expect_eq(ask("m3", "f1", MAILBOX "a", &text), 202); /* joins the first */
	(void)partner_end(&p, "f2", failed(p.arena, CODE_CARD_ERROR, NULL, NULL));
	(void)partner_end(&p, "f1", OK);
	expect_fetched(MAILBOX "a", "m2", "FAILED", true);
	cr_expect_eq(fetch(MAILBOX "a", &text), 200);
	has(text, "pending=\"true\"");
	cr_expect_eq(fetch(MAILBOX "a", &text), 200);
	has(text, "pending=\"false\"");
	expect_empty(MAILBOX "a");
	cr_expect_eq(ran, 2);
	partner_close(&p);
}

/* Whatever is said once the call is known goes the same way. */
Test(rpc_mailbox, refusals)
{
	const char *text;

	stage();
	refuse = true;
	cr_expect_eq(ask("m1", "f1", MAILBOX "a", &text), 202);
	expect_counts(1, 1, 1); /* remembered */
	expect_fetched(MAILBOX "a", "m1", ">8.2.3<", false);
	refuse = false;
	busy = true;
	cr_expect_eq(ask("m2", "f2", MAILBOX "a", &text), 202);
	expect_counts(1, 1, 1); /* not remembered */
	/* The same message again, now that it is possible: the old answer still waits, the new one will. */
	busy = false;
	cr_expect_eq(ask("m2", "f2", MAILBOX "a", &text), 202);
	expect_counts(2, 1, 2);
	expect_fetched(MAILBOX "a", "m2", "the card is busy", false);
	expect_empty(MAILBOX "a");
	(void)partner_end(&p, "f2", OK);
	expect_fetched(MAILBOX "a", "m2", "EXECUTED_SUCCESS", false);
	/* Another input under the same identifier. */
	cr_expect_eq(partner_ask(&p,
				 &(struct message){ .message_id = "m3",
						    .reply_to = MAILBOX "a",
						    .body = enable_request(&p, "f2", OTHER_ICCID, 100) },
				 &text),
		     202);
	expect_fetched(MAILBOX "a", "m3", "FunctionCallIdentifier", false);
	/* Refused before the transaction: on the connection. */
	cr_expect_eq(partner_ask(&p,
				 &(struct message){
					 .message_id = "m4", .reply_to = MAILBOX "a", .body = enable_request(&p, "f9", ICCID, 1) },
				 &text),
		     200);
	has(text, "AcceptableValidityPeriod");
	expect_empty(MAILBOX "a");
	partner_close(&p);
}

Test(rpc_mailbox, nobody_elses)
{
	const struct oid mine = { .text = PARTNER };
	const char *text;

	stage();
	cr_expect_eq(ask("m1", "f1", MAILBOX "a", &text), 202);
	(void)partner_end(&p, "f1", OK);
	cr_assert(oid_parse("1.3.6.1.4.1.99999.6", &p.entity.oid));
	expect_empty(MAILBOX "a");
	cr_expect_eq(fetch_with((struct message){ .message_id = "g1" }, ADDRESS(MAILBOX "a"), &text), 400); /* From is PARTNER */
	has(text, "wsa:From");
	expect_counts(1, 1, 1);
	p.entity.oid = mine;
	cr_expect_eq(fetch_with((struct message){ .message_id = "g1" }, ADDRESS(MAILBOX "a"), &text), 200);
	partner_close(&p);
}

Test(rpc_mailbox, wrong_requests)
{
	static const struct {
		const char *selection, *subcode, *reason;
	} rows[] = {
		{ "", "MissingSelection", "no Address" },
		{ ADDRESS(""), "MissingSelection", "empty" },
		{ ADDRESS("https://mno.example:8443/es4"), "UnsupportedSelection", "anonymous?id=" },
		{ ADDRESS(MAILBOX), "UnsupportedSelection", "anonymous?id=" },
		{ ADDRESS(WSA_ANONYMOUS), "UnsupportedSelection", "anonymous?id=" },
		{ "<wsrm:Identifier xmlns:wsrm=\"urn:rm\">1</wsrm:Identifier>", "UnsupportedSelection", "Identifier" },
		{ "<Address>" MAILBOX "a</Address>", "UnsupportedSelection", "Address" },
		{ ADDRESS(MAILBOX "a") ADDRESS(MAILBOX "b"), "UnsupportedSelection", "beside" },
	};
	const char *text;

	stage();
	cr_expect_eq(ask("m1", "f1", MAILBOX "a", &text), 202);
	(void)partner_end(&p, "f1", OK);
	for (unsigned i = 0; i < LEN(rows); i++) {
		cr_expect_eq(fetch_with((struct message){ .bare = true }, rows[i].selection, &text), 400, "%s", rows[i].selection);
		has(text, "<soap:Value>soap:Sender</soap:Value><soap:Subcode><soap:Value xmlns:wsmc=\"" NS_WSMC "\">wsmc:");
		has(text, rows[i].subcode);
		has(text, rows[i].reason);
		has(text, "<wsa:Action>" NS_WSMC "/fault</wsa:Action>");
	}
	cr_expect_eq(fetch_with((struct message){ .bare = true, .path = "/nowhere" }, ADDRESS(MAILBOX "a"), &text), 404);
	cr_expect_eq(fetch_with((struct message){ .bare = true, .action = "http://gsma.com/ES4/ProfileManagement/ES4-GetEIS" },
				ADDRESS(MAILBOX "a"), &text),
		     400);
	has(text, "wsa:Action names ES4-GetEIS");
	expect_counts(1, 1, 1);
	cr_expect_eq(fetch_with((struct message){ .bare = true, .path = "/es3" }, ADDRESS(MAILBOX "a"), &text), 200);
	partner_close(&p);
}

Test(rpc_mailbox, so_many_wait_and_so_long)
{
	const char *text;
	int fd;

	stage();
	partner_fill_mailbox(&p, MAILBOX_MAX);
	cr_expect_eq(ask("m1", "f1", MAILBOX "a", &text), 200);
	has(text, ">1.2<");
	has(text, ">4.4<");
	has(text, "not fetched");
	expect_counts(0, 0, MAILBOX_MAX);
	cr_expect_eq(ran, 0);
	/* What is too old is not counted, and not served. */
	partner_age_replies(&p);
	cr_expect_eq(ask("m1", "f1", MAILBOX "a", &text), 202);
	(void)partner_end(&p, "f1", OK);
	partner_age_replies(&p);
	expect_empty(MAILBOX "a");
	/* The answer itself is kept as that of any call. */
	fd = partner_send(&p, &(struct message){ .message_id = "m2", .body = enable_request(&p, "f1", ICCID, 100) });
	cr_expect_eq(partner_read(fd, &text), 200);
	has(text, "EXECUTED_SUCCESS");
	(void)close(fd);
	partner_close(&p);
}

/* What was asked and served stands in the journal, under a name of its own. */
Test(rpc_mailbox, journal)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	char path[] = "/tmp/mailbox-journal-XXXXXX", error[256];
	const char *text;
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	(void)close(fd);
	stage();
	p.rpc.journal = journal_open(path, 1 << 20, error);
	cr_assert_not_null(p.rpc.journal, "%s", error);
	cr_expect_eq(ask("m1", "f1", MAILBOX "a", &text), 202);
	(void)partner_end(&p, "f1", OK);
	expect_fetched(MAILBOX "a", "m1", "EXECUTED_SUCCESS", false);
	partner_close(&p);
	journal_read(p.rpc.journal, EID, NULL, 10, &json);
	has(json.data, "\"function\":\"MakeConnection\"");
	has(json.data, "ES4-EnableProfileResponse");
	journal_close(p.rpc.journal);
	(void)unlink(path);
}

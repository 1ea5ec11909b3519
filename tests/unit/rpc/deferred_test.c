/* SPDX-License-Identifier: Apache-2.0 */
/* D functions through the whole pipeline: ES4.EnableProfile with a handler of our own, answered by callback or on the parked
 * connection. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/rpc/reply_to.h"
#include "tests/unit/http/raw.h"
#include "tests/unit/rpc/partner.h"

#define ICCID "8933010000000000028"
#define OTHER_ICCID "8933010000000000036"

static struct partner p;
static atomic_uint ran;
static bool refuse, busy, answer_early;

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
	cr_expect_not_null(rq->claim_key);
	if (busy)
		return failed(rq->arena, CODE_BUSY, NULL, "the card is busy");
	return refuse ? failed(rq->arena, CODE_POL2_REFUSES, "POL2", NULL) : OK;
}

/* The answer comes before the connection is parked. */
static void early(struct rq *rq)
{
	if (!answer_early)
		return;
	(void)partner_end(&p, "early", OK);
	parked_ring(p.rpc.parked);
	sleep_ms(500);
}

static const struct load load = { 0, load_queue, load_take };
static const struct served served = { FN_ES4_EnableProfile, &load, enable, early };

static void stage(unsigned per_listener, unsigned per_entity, unsigned park_max_s)
{
	const struct rpc rpc = { .self_role = ROLE_SM_SR, .served = &served, .n_served = 1, .replica = "one" };

	partner_open(&p, &rpc);
	p.rpc.parked = parked_open(&p.rpc, per_listener, per_entity, park_max_s);
	ran = 0;
	refuse = busy = answer_early = false;
}

static unsigned ask(const char *message_id, const char *fci, const char *reply_to, const char **out_text)
{
	const struct message m = { .message_id = message_id, .reply_to = reply_to, .body = enable_request(&p, fci, ICCID, 100) };

	return partner_ask(&p, &m, out_text);
}

static int send_parked(const char *message_id, const char *fci)
{
	const struct message m = { .message_id = message_id, .body = enable_request(&p, fci, ICCID, 100) };

	return partner_send(&p, &m);
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

static void wait_replies(int64_t n)
{
	for (int i = 0; i < 300 && partner_counts(&p).replies != n; i++)
		sleep_ms(10);
	cr_expect_eq(partner_counts(&p).replies, n);
}

static void expect_answer(int fd, const char *relates_to, const char *status)
{
	const char *text;

	cr_expect_eq(partner_read(fd, &text), 200, "%s", text);
	has(text, relates_to);
	has(text, "<rps:ES4-EnableProfileResponse>");
	has(text, status);
	(void)close(fd);
}

Test(rpc_deferred, a_parked_caller_gets_its_answer)
{
	const char *text;
	int fd, again;

	stage(10, 10, 900);
	fd = send_parked("m1", "f1");
	partner_wait_parked(&p, 1);
	expect_counts(1, 0, 1, 0);
	has(partner_reply(&p), PARTNER "|ES4-EnableProfile|f1|" EID "|parked|//mno/m1?TransactionID=tx-m1||one|10");
	again = send_parked("m2", "f1"); /* a repetition while it runs waits as well */
	partner_wait_parked(&p, 2);
	cr_expect_eq(ran, 1);
	cr_expect_str_eq(partner_end(&p, "f1", OK), "one");
	parked_ring(p.rpc.parked);
	expect_answer(fd, "//mno/m1?TransactionID=tx-m1</wsa:RelatesTo>", "EXECUTED_SUCCESS");
	expect_answer(again, "//mno/m2?TransactionID=tx-m2</wsa:RelatesTo>", "EXECUTED_SUCCESS");
	wait_replies(0);
	/* Ended twice: what was said stays. */
	cr_expect_str_eq(partner_end(&p, "f1", failed(p.arena, CODE_CARD_ERROR, NULL, NULL)), "");
	expect_counts(1, 1, 0, 0);
	/* A repetition afterwards: at once, or by callback as it asks; the handler is not run. */
	cr_expect_eq(ask("m3", "f1", NULL, &text), 200);
	has(text, "EXECUTED_SUCCESS");
	cr_expect_eq(ask("m4", "f1", "https://MNO.example:8443/es4/callback?x", &text), 202);
	expect_counts(1, 1, 0, 1);
	text = partner_outbox(&p);
	has(text, "ES4-EnableProfileResponse|peer:" PARTNER "|" EID "|https://MNO.example:8443/es4/callback?x|"
		  "//mno/m4?TransactionID=tx-m4|tx-m4|");
	has(text, "EXECUTED_SUCCESS");
	cr_expect_eq(ran, 1);
	/* Another input under the same identifier. */
	cr_expect_eq(
		partner_ask(&p, &(struct message){ .message_id = "m5", .body = enable_request(&p, "f1", OTHER_ICCID, 100) }, &text),
		200);
	has(text, "FunctionCallIdentifier");
	partner_close(&p);
}

Test(rpc_deferred, the_answer_may_come_before_the_connection_is_parked)
{
	const char *text;

	stage(10, 10, 900);
	answer_early = true;
	cr_expect_eq(ask("m1", "early", NULL, &text), 200);
	has(text, "EXECUTED_SUCCESS");
	wait_replies(0);
	/* The same connection's place is free again, and what is told with a failure is told. */
	answer_early = false;
	{
		int fd = send_parked("m2", "late");

		partner_wait_parked(&p, 1);
		(void)partner_end(&p, "late", failed(p.arena, CODE_CARD_ERROR, NULL, "69E1"));
		parked_ring(p.rpc.parked);
		cr_expect_eq(partner_read(fd, &text), 200);
		has(text, "FAILED");
		has(text, "<rps:EuiccResponseData>69E1</rps:EuiccResponseData>");
		(void)close(fd);
	}
	partner_close(&p);
}

Test(rpc_deferred, by_callback)
{
	const char *text;

	stage(10, 10, 900);
	cr_expect_eq(ask("m1", "f1", REGISTERED "/callback", &text), 202);
	has(text, "Content-Length: 0");
	expect_counts(1, 0, 1, 0);
	has(partner_reply(&p), "|callback|//mno/m1?TransactionID=tx-m1|" REGISTERED "/callback|");
	cr_expect_eq(ask("m1", "f1", REGISTERED "/callback", &text), 202); /* the same message: one callback */
	expect_counts(1, 0, 1, 0);
	cr_expect_eq(ask("m2", "f1", REGISTERED, &text), 202); /* a repetition: one more */
	expect_counts(1, 0, 2, 0);
	cr_expect_eq(ran, 1);
	cr_expect_str_eq(partner_end(&p, "f1", OK), "");
	expect_counts(1, 1, 0, 2);
	text = partner_outbox(&p);
	has(text, "ES4-EnableProfileResponse|peer:" PARTNER "|" EID "|" REGISTERED);
	has(text, "|86|t|<rps:ES4-EnableProfileResponse"); /* a day and the validity period; its lane's shard */
	(void)partner_end(&p, "f1", OK);
	expect_counts(1, 1, 0, 2);
	/* A refusal goes the same way, and is remembered; "not now" is not. */
	refuse = true;
	cr_expect_eq(ask("m3", "f2", REGISTERED, &text), 202);
	expect_counts(2, 2, 0, 3);
	has(partner_outbox(&p), "8.2.3");
	refuse = false;
	busy = true;
	cr_expect_eq(ask("m4", "f3", REGISTERED, &text), 202);
	expect_counts(2, 2, 0, 4);
	has(partner_outbox(&p), "the card is busy");
	/* Another input under the same identifier: by callback as well. */
	cr_expect_eq(partner_ask(&p,
				 &(struct message){ .message_id = "m5",
						    .reply_to = REGISTERED,
						    .body = enable_request(&p, "f1", OTHER_ICCID, 100) },
				 &text),
		     202);
	has(partner_outbox(&p), "FunctionCallIdentifier");
	expect_counts(2, 2, 0, 5);
	/* Refused before the transaction: on the connection. */
	cr_expect_eq(partner_ask(&p,
				 &(struct message){
					 .message_id = "m6", .reply_to = REGISTERED, .body = enable_request(&p, "f9", ICCID, 1) },
				 &text),
		     200);
	has(text, "AcceptableValidityPeriod");
	partner_close(&p);
}

/* On the connection, nothing changed, not remembered. */
Test(rpc_deferred, a_reply_to_that_is_not_allowed)
{
	static const char *const wrong[] = {
		"https://evil.example:8443/es4",
		"http://mno.example:8443/es4",
		"https://mno.example/es4",
		"https://mno.example:8444/es4",
		"https://mno.example:8443@evil.example/",
		NS_WSMC "/anonymous",
		NS_WSMC "/anonymous?id=",
		NS_WSMC "/anonymous&amp;id=1",
	};
	const char *text;

	stage(10, 10, 900);
	for (unsigned i = 0; i < LEN(wrong); i++) {
		cr_expect_eq(ask("m1", "f1", wrong[i], &text), 200, "%s", wrong[i]);
		has(text, ">1.6<");
		has(text, ">2.1<");
		has(text, "ReplyTo");
		if (!strncmp(wrong[i], NS_WSMC, strlen(NS_WSMC)))
			has(text, "polling needs");
		expect_counts(0, 0, 0, 0);
	}
	cr_expect_eq(ran, 0);
	cr_expect_eq(ask("m1", "f1", REGISTERED, &text), 202);
	cr_expect_eq(ran, 1);
	partner_close(&p);
}

Test(rpc_deferred, urls)
{
	static const struct {
		const char *url;
		bool same;
	} rows[] = {
		{ "https://mno.example", true },
		{ "HTTPS://Mno.Example:443/x?y#z", true },
		{ "https://mno.example:0443", true },
		{ "https://mno.example:", false },
		{ "https://mno.example:0", false },
		{ "https://mno.example:65979", false }, /* 443 in sixteen bits */
		{ "https://mno.example.", false },
		{ "https://mno.example\\@evil.example/", false },
		{ "https://mno.example%40evil.example/", false },
		{ "https:///mno.example", false },
		{ "https://", false },
		{ "ftp://mno.example", false },
		{ "https://mno.example/a b", false },
	};

	for (unsigned i = 0; i < LEN(rows); i++)
		cr_expect_eq(reply_to_same_place(rows[i].url, "https://mno.example:443/es2"), rows[i].same, "%s", rows[i].url);
	cr_expect(reply_to_same_place("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443"));
	cr_expect_not(reply_to_same_place("https://[2001:db8::1", "https://[2001:db8::1"));
}

Test(rpc_deferred, so_many_may_wait)
{
	const char *text;
	int fds[2];

	stage(10, 2, 900);
	fds[0] = send_parked("m1", "f1");
	fds[1] = send_parked("m2", "f2");
	partner_wait_parked(&p, 2);
	cr_expect_eq(ask("m3", "f3", NULL, &text), 200);
	has(text, ">1.2<");
	has(text, ">4.4<");
	expect_counts(2, 0, 2, 0);                             /* rolled back, not remembered */
	cr_expect_eq(ask("m4", "f4", REGISTERED, &text), 202); /* callbacks are not counted */
	/* One hangs up: its place and its row are free, the call goes on. */
	(void)close(fds[0]);
	partner_wait_parked(&p, 1);
	wait_replies(2);
	fds[0] = send_parked("m5", "f3");
	partner_wait_parked(&p, 2);
	(void)partner_end(&p, "f3", OK);
	(void)partner_end(&p, "f1", OK); /* nobody waits for it any more */
	parked_ring(p.rpc.parked);
	expect_answer(fds[0], "tx-m5", "EXECUTED_SUCCESS");
	(void)close(fds[1]);
	partner_close(&p);
	/* All partners together. */
	stage(1, 10, 900);
	fds[0] = send_parked("m1", "f1");
	partner_wait_parked(&p, 1);
	cr_expect_eq(ask("m2", "f2", NULL, &text), 200);
	has(text, ">4.4<");
	(void)close(fds[0]);
	partner_close(&p);
}

static void *drain_main(void *arg)
{
	http_server_close(p.server, 0);
	return NULL;
}

Test(rpc_deferred, waiting_ends_with_503)
{
	const char *text;
	pthread_t thread;
	int fd;

	stage(10, 10, 1);
	fd = send_parked("m1", "f1");
	partner_wait_parked(&p, 1);
	cr_expect_eq(partner_read(fd, &text), 503);
	has(text, "Retry-After: ");
	(void)close(fd);
	wait_replies(0);
	/* The repetition finds the answer. */
	(void)partner_end(&p, "f1", OK);
	cr_expect_eq(ask("m2", "f1", NULL, &text), 200);
	partner_close(&p);
	/* The process ends: the row stays. */
	stage(10, 10, 900);
	fd = send_parked("m1", "f1");
	partner_wait_parked(&p, 1);
	parked_drain(p.rpc.parked);
	cr_assert_eq(pthread_create(&thread, NULL, drain_main, NULL), 0);
	cr_expect_eq(partner_read(fd, &text), 503);
	(void)close(fd);
	(void)pthread_join(thread, NULL);
	p.server = NULL;
	sleep_ms(300);
	expect_counts(1, 0, 1, 0);
	/* Its row is answered when it is gone: the next look of that replica drops it. */
	cr_expect_str_eq(partner_end(&p, "f1", OK), "one");
	parked_ring(p.rpc.parked);
	wait_replies(0);
	partner_close(&p);
}

/* Two replicas on one database: the one that ends the call is not the one where its caller waits. */
Test(rpc_deferred, another_replica_ends_the_call)
{
	struct rpc other;
	int fd;

	stage(10, 10, 900);
	other = p.rpc;
	other.replica = "two";
	other.parked = parked_open(&other, 10, 10, 900);
	fd = send_parked("m1", "f1");
	partner_wait_parked(&p, 1);
	cr_expect_str_eq(partner_end(&p, "f1", OK), "one");
	deferred_ring(&other, "one two"); /* without a bus: it finds nothing of its own */
	sleep_ms(300);
	partner_wait_parked(&p, 1);
	deferred_ring(&p.rpc, ""); /* the bell of the bus */
	expect_answer(fd, "tx-m1", "EXECUTED_SUCCESS");
	parked_close(other.parked);
	partner_close(&p);
}

/* A repetition that comes while the call ends finds the answer or is told of it. */
Test(rpc_deferred, no_end_is_missed)
{
	char fci[16], id[16];

	stage(10, 10, 900);
	for (int i = 0; i < 20; i++) {
		int first, second;

		(void)snprintf(fci, sizeof(fci), "f%d", i);
		(void)snprintf(id, sizeof(id), "a%d", i);
		first = send_parked(id, fci);
		while (partner_counts(&p).calls != i + 1)
			sleep_ms(1);
		(void)snprintf(id, sizeof(id), "b%d", i);
		second = send_parked(id, fci);
		sleep_ms(i % 5);
		(void)partner_end(&p, fci, OK);
		parked_ring(p.rpc.parked);
		expect_answer(first, fci + 1, "EXECUTED_SUCCESS");
		expect_answer(second, id, "EXECUTED_SUCCESS");
	}
	cr_expect_eq(ran, 20);
	wait_replies(0);
	partner_close(&p);
}

/* What a parked caller asked and was told stands in the journal. */
Test(rpc_deferred, journal)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	char path[] = "/tmp/deferred-journal-XXXXXX", error[256];
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	(void)close(fd);
	stage(10, 10, 900);
	p.rpc.journal = journal_open(path, 1 << 20, error);
	cr_assert_not_null(p.rpc.journal, "%s", error);
	fd = send_parked("m1", "f1");
	partner_wait_parked(&p, 1);
	(void)partner_end(&p, "f1", OK);
	parked_ring(p.rpc.parked);
	expect_answer(fd, "tx-m1", "EXECUTED_SUCCESS");
	wait_replies(0);
	journal_read(p.rpc.journal, EID, NULL, 10, &json);
	has(json.data, "ES4-EnableProfileRequest");
	has(json.data, "ES4-EnableProfileResponse");
	has(json.data, "\"status\":200");
	partner_close(&p);
	journal_close(p.rpc.journal);
	(void)unlink(path);
}

/* A process that parks nobody needs a ReplyTo. */
Test(rpc_deferred, nobody_is_parked)
{
	const char *text;

	stage(10, 10, 900);
	parked_close(p.rpc.parked);
	p.rpc.parked = NULL;
	cr_expect_eq(ask("m1", "f1", NULL, &text), 200);
	has(text, ">2.3<");
	has(text, "ReplyTo");
	cr_expect_eq(ask("m1", "f1", REGISTERED, &text), 202);
	partner_close(&p);
}

/* What is kept of a parked caller is small. */
Test(rpc_deferred, a_long_from)
{
	struct message m = { .message_id = "m1" };
	const char *text;

	stage(10, 10, 900);
	m.body = enable_request(&p, "f1", ICCID, 100);
	m.from = arena_printf(p.arena, "https://mno.example/%0*d", 3000, 0);
	cr_expect_eq(partner_ask(&p, &m, &text), 400);
	has(text, "wsa:From");
	expect_counts(0, 0, 0, 0);
	partner_close(&p);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests between roles, with a real nats-server and database: answered once and well, whoever is away, dies or repeats. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "tests/unit/rpc/ask_stage.h"

#define STAGE(s)             \
	struct stage s;      \
	if (!stage_open(&s)) \
	cr_skip_test("PostgreSQL or nats-server is not installed")

static const char *paused_why(struct stage *s)
{
	struct outbox_pause *list;
	size_t n = outbox_pauses(s->asker.outbox, s->a, &list);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].lane, "rq:sm-sr"))
			return list[i].why;
	return "";
}

/* The asker and one who answers; connected soon. */
static void both(struct stage *s, unsigned threads)
{
	stage_nats_start(s);
	side_open(s, &s->asker, "h1");
	side_open(s, &s->first, "r1");
	side_serve(&s->first, threads);
	side_ask(&s->asker);
}

static void expect_reply(struct stage *s, const char *eid, const char *step, const char *text)
{
	const char *got = "";

	AWAIT(stage_replies(s, eid, step, &got) > 0);
	cr_expect_str_eq(got, text);
	cr_expect_eq(stage_replies(s, eid, step, NULL), 1, "told once");
}

Test(rpc_ask, is_answered_and_refused)
{
	STAGE(s);
	both(&s, 2);
	stage_ask(&s, "adopt", stage_eid(&s, 1), "s1", ",\"until\":\"2026-01-15T09:30:00Z\"", 0);
	stage_ask(&s, "adopt", stage_eid(&s, 2), "s1", ",\"refuse\":\"yes\"", 0);
	stage_ask(&s, "adopt", stage_eid(&s, 3), "s1", ",\"until\":\"soon\"", 0);
	stage_ask(&s, "adopt", stage_eid(&s, 4), "s1", ",\"busy\":\"yes\"", 0);
	stage_ask(&s, "dance", stage_eid(&s, 5), "s1", "", 0);
	stage_ask(&s, "export", stage_eid(&s, 6), "s1", ",\"octets\":300000", 0);
	stage_ask(&s, "adopt", stage_eid(&s, 7), "s1", ",\"comma\":\"yes\"", 0);
	expect_reply(&s, stage_eid(&s, 1), "s1", "done by r1");
	expect_reply(&s, stage_eid(&s, 2), "s1", "refused 8.1/3.3 not \"this\" one");
	expect_reply(&s, stage_eid(&s, 3), "s1", "refused 1.6/2.1 until: missing, or not as the schema has it");
	expect_reply(&s, stage_eid(&s, 4), "s1", "refused 1.2/4.4 busy, try again later");
	expect_reply(&s, stage_eid(&s, 5), "s1", "refused 1.6/3.1 this role is not asked to dance");
	expect_reply(&s, stage_eid(&s, 6), "s1", "done by r1");
	expect_reply(&s, stage_eid(&s, 7), "s1", "done by r1");
	cr_expect_eq(stage_executed(&s, stage_eid(&s, 1), "s1"), 1);
	cr_expect_eq(stage_executed(&s, stage_eid(&s, 2), "s1"), 0, "a refusal changes nothing");
	cr_expect_eq(stage_left(&s), 0, "the row went with its reply");
	AWAIT(s.first.served == 3); /* its bells */
	stage_close(&s);
}

static void answered_by(void *user, enum bus_outcome outcome, const void *data, size_t n)
{
	char *out = user;

	snprintf(out, 512, "%d %.*s", (int)outcome, (int)n, (const char *)data);
}

Test(rpc_ask, says_what_is_wrong_with_a_request)
{
#define H "\"handover\":\"6f1d0b6e-8a3c-4a55-9d1e-0d7b3f6c2a10\""
#define S "\"step\":\"s\""
#define E "\"eid\":\"89001012012341234012345678901224\""
	static const struct {
		const char *json, *message;
	} rows[] = {
		{ "", "the request is no JSON: line 1, column 0" },
		{ "{" H, "the request is no JSON: line 1, column 50" },
		{ "[]", "the request is JSON, but no object" },
		{ "{" H "," S "," S "," E "}", "the request has a member twice: line 1, column 68" },
		{ "{" S "," E "}", "handover: missing, or not as the schema has it" },
		{ "{\"handover\":\"6F1D0B6E-8A3C-4A55-9D1E-0D7B3F6C2A10\"," S "," E "}",
		  "handover: missing, or not as the schema has it" },
		{ "{\"handover\":17," S "," E "}", "handover: missing, or not as the schema has it" },
		{ "{" H "," E "}", "step: missing, or not as the schema has it" },
		{ "{" H ",\"step\":\"\"," E "}", "step: missing, or not as the schema has it" },
		{ "{" H ",\"step\":\"0123456789012345678901234567890123456789012345678901234567890123x\"," E "}",
		  "step: missing, or not as the schema has it" },
		{ "{" H "," S "}", "eid: missing, or not as the schema has it" },
		{ "{" H "," S ",\"eid\":\"89001012012341234012345678901225\"}", "eid: missing, or not as the schema has it" },
	};
	STAGE(s);
	both(&s, 1);
	AWAIT(bus_connected(s.asker.bus) && bus_connected(s.first.bus));
	stage_ask(&s, "adopt", stage_eid(&s, 1), "s1", "", 0);
	expect_reply(&s, stage_eid(&s, 1), "s1", "done by r1"); /* it serves */
	for (size_t i = 0; i < LEN(rows); i++) {
		static char got[512];
		char want[512];

		got[0] = '\0';
		bus_request(s.asker.bus, &(struct bus_request){ .role = "sm-sr",
								.verb = "adopt",
								.payload = rows[i].json,
								.n = strlen(rows[i].json),
								.timeout_ms = 20000,
								.done = answered_by,
								.user = got });
		snprintf(want, sizeof(want), "0 {\"status\":\"refused\",\"code\":\"1.6/2.1\",\"message\":\"%s\"}", rows[i].message);
		AWAIT(got[0]);
		cr_expect_str_eq(got, want, "row %zu", i);
	}
	stage_close(&s);
}

Test(rpc_ask, waits_for_who_is_not_there)
{
	STAGE(s);
	side_open(&s, &s.asker, "h1");
	side_ask(&s.asker);
	stage_ask(&s, "adopt", stage_eid(&s, 1), "s1", "", 0);
	AWAIT(!strcmp(paused_why(&s), "the bus is away")); /* no NATS yet */
	stage_nats_start(&s);
	AWAIT(!strcmp(paused_why(&s), "nobody of this role is there"));
	stage_ask(&s, "adopt", stage_eid(&s, 2), "s1", "", 0);
	side_open(&s, &s.first, "r1");
	side_serve(&s.first, 1);
	expect_reply(&s, stage_eid(&s, 1), "s1", "done by r1");
	expect_reply(&s, stage_eid(&s, 2), "s1", "done by r1");
	AWAIT(!*paused_why(&s));
	nats_server_stop(&s.nats); /* and away, and back: who is asked subscribes by itself */
	AWAIT(!bus_connected(s.asker.bus) && !bus_connected(s.first.bus));
	stage_ask(&s, "adopt", stage_eid(&s, 3), "s1", "", 0);
	AWAIT(!strcmp(paused_why(&s), "the bus is away"));
	cr_expect_eq(row_int(stage_row(&s, stage_eid(&s, 3)), 0, 0), 0, "that is no attempt of its");
	stage_nats_start(&s);
	expect_reply(&s, stage_eid(&s, 3), "s1", "done by r1");
	stage_close(&s);
}

Test(rpc_ask, is_shared_by_replicas)
{
	const struct rows *rows;
	STAGE(s);
	both(&s, 1);
	side_open(&s, &s.second, "r2");
	side_serve(&s.second, 1);
	AWAIT(bus_connected(s.second.bus));
	for (unsigned i = 0; i < 60; i++)
		stage_ask(&s, "adopt", stage_eid(&s, i), "s1", "", 0);
	AWAIT(stage_left(&s) == 0);
	DB_QUEUE(s.db, T_COUNT, p_text("%"));
	cr_assert_eq(db_sync(s.db, s.a, &rows, 1, NULL), OK);
	cr_expect_eq(row_int(rows, 0, 0), 60);
	cr_expect_eq(s.first.served + s.second.served, 60, "each was answered by one");
	cr_expect(s.first.served > 0 && s.second.served > 0, "%u and %u", s.first.served, s.second.served);
	side_close(&s.first); /* goes, and leaves nothing undone */
	for (unsigned i = 0; i < 10; i++)
		stage_ask(&s, "adopt", stage_eid(&s, i), "s2", "", 0);
	AWAIT(stage_left(&s) == 0);
	cr_expect_eq(stage_executed(&s, stage_eid(&s, 9), "s2"), 1);
	stage_close(&s);
}

Test(rpc_ask, keeps_the_order_of_a_card_and_not_of_cards)
{
	const struct rows *rows;
	STAGE(s);
	stage_nats_start(&s);
	side_open(&s, &s.asker, "h1");
	side_open(&s, &s.first, "r1");
	for (unsigned i = 1; i <= 5; i++) /* the first takes longest */
		stage_ask(&s, "adopt", stage_eid(&s, 7), stage_eid(&s, i), i == 1 ? ",\"sleep\":300" : "", 0);
	for (unsigned i = 100; i < 200; i++)
		stage_ask(&s, "adopt", stage_eid(&s, i), "s1", ",\"sleep\":100", 0);
	side_serve(&s.first, 16);
	AWAIT(bus_connected(s.first.bus));
	side_ask(&s.asker);
	AWAIT(stage_left(&s) == 0);
	DB_QUEUE(s.db, T_COUNT, p_text(stage_eid(&s, 7)));
	cr_assert_eq(db_sync(s.db, s.a, &rows, 1, NULL), OK);
	cr_expect_str_eq(row_text(rows, 0, 1), arena_printf(s.a, "%s %s %s %s %s", stage_eid(&s, 1), stage_eid(&s, 2),
							    stage_eid(&s, 3), stage_eid(&s, 4), stage_eid(&s, 5)));
	cr_expect_geq(s.first.most, 8, "%u at a time: one after the other they would take all day", s.first.most);
	for (unsigned i = 100; i < 200; i++)
		cr_expect_eq(stage_executed(&s, stage_eid(&s, i), "s1"), 1);
	stage_close(&s);
}

/* A deadlock is run again at once; what the database says about us is no answer. */
Test(rpc_ask, asks_again_after_trouble)
{
	STAGE(s);
	both(&s, 2);
	stage_ask(&s, "adopt", stage_eid(&s, 1), "s1", ",\"trouble\":\"40P01\",\"times\":1", 0);
	expect_reply(&s, stage_eid(&s, 1), "s1", "done by r1");
	cr_expect_eq(s.first.trouble, 2, "%u runs", s.first.trouble);
	s.first.trouble = 0;
	stage_ask(&s, "adopt", stage_eid(&s, 2), "s1", ",\"trouble\":\"XX000\",\"times\":3", 0);
	AWAIT(s.first.trouble > 0);
	stage_ask(&s, "adopt", stage_eid(&s, 3), "s1", "", 0);
	expect_reply(&s, stage_eid(&s, 3), "s1", "done by r1"); /* another card does not wait for it */
	AWAIT(row_int(stage_row(&s, stage_eid(&s, 2)), 0, 0) == 1);
	cr_expect_str_eq(row_text(stage_row(&s, stage_eid(&s, 2)), 0, 1), "no answer");
	expect_reply(&s, stage_eid(&s, 2), "s1", "done by r1");
	/* Who replied may want it once more; what it queued then is not kept. */
	s.asker.trouble = 0;
	stage_ask(&s, "adopt", stage_eid(&s, 4), "twice", "", 0);
	expect_reply(&s, stage_eid(&s, 4), "twice", "done by r1");
	cr_expect_eq(s.asker.trouble, 2);
	stage_close(&s);
}

Test(rpc_ask, gives_up)
{
	const struct rows *row;
	STAGE(s);
	stage_nats_start(&s);
	side_open(&s, &s.asker, "h1");
	side_ask(&s.asker);
	stage_ask(&s, "adopt", stage_eid(&s, 1), "s1", "", 1);
	stage_ask(&s, "adopt", stage_eid(&s, 1), "s2", "", 0);
	expect_reply(&s, stage_eid(&s, 1), "s1", "given up");
	row = stage_row(&s, stage_eid(&s, 1));
	cr_assert_eq(rows_count(row), 2, "a dead letter, and what waited behind it");
	cr_expect_neq(row_bool(row, 0, 2), row_bool(row, 1, 2));
	side_open(&s, &s.first, "r1");
	side_serve(&s.first, 1);
	expect_reply(&s, stage_eid(&s, 1), "s2", "done by r1");
	cr_expect_eq(stage_executed(&s, stage_eid(&s, 1), "s1"), 0);
	stage_close(&s);
}

/* Where callers are parked whose call a reply ended, they are rung; of the others nobody is. */
Test(rpc_ask, rings_where_callers_are_parked)
{
	STAGE(s);
	both(&s, 1);
	side_open(&s, &s.second, "r2");
	AWAIT(bus_connected(s.asker.bus) && bus_connected(s.first.bus) && bus_connected(s.second.bus));
	stage_ask(&s, "adopt", stage_eid(&s, 1), "s1", "", 0);
	expect_reply(&s, stage_eid(&s, 1), "s1", "done by r1");
	stage_ask(&s, "adopt", stage_eid(&s, 1), "parked", "", 0);
	AWAIT(s.first.rung > 0 && s.second.rung > 0);
	expect_reply(&s, stage_eid(&s, 1), "parked", "done by r1");
	ask_serve_close(s.first.server); /* nobody answers any more: given up, they are rung as well */
	s.first.server = NULL;
	stage_ask(&s, "adopt", stage_eid(&s, 2), "parked", "", 1);
	expect_reply(&s, stage_eid(&s, 2), "parked", "given up");
	AWAIT(s.first.rung > 1 && s.second.rung > 1);
	cr_expect(s.first.rung == 2 && s.second.rung == 2, "%u and %u", s.first.rung, s.second.rung);
	stage_close(&s);
}

Test(rpc_ask, refuses_what_is_too_large)
{
	char *large = malloc(2000000);
	STAGE(s);
	both(&s, 1);
	snprintf(large, 2000000, ",\"x\":\"%01500000d\"", 0);
	stage_ask(&s, "adopt", stage_eid(&s, 1), "s1", large, 0);
	stage_ask(&s, "adopt", stage_eid(&s, 2), "s1", ",\"octets\":1500000", 0);
	expect_reply(&s, stage_eid(&s, 1), "s1",
		     "refused 1.2/4.2 a request of 1500111 octets is more than the bus takes (1048576 with its header)");
	expect_reply(&s, stage_eid(&s, 2), "s1", "refused 1.2/4.2 an answer of 1500065 octets is more than the bus takes");
	stage_ask(&s, "adopt", stage_eid(&s, 2), "s2", "", 0);
	expect_reply(&s, stage_eid(&s, 2), "s2", "done by r1");
	free(large);
	stage_close(&s);
}

/* kill -9 between the commit and the answer: the same again, answered the same by another replica. */
Test(rpc_ask, survives_who_is_asked)
{
	struct eid whole;
	pid_t pid;
	STAGE(s);
	stage_nats_start(&s);
	if (fault_arm("sm-sr.asked.adopt.committed", FAULT_OFF, "*") != 0)
		cr_skip_test("built without faults");
	cr_assert(eid_complete("890010120123412340123456700001", &whole));
	pid = side_fork(&s, "sm-sr", "sm-sr.asked.adopt.committed", whole.text);
	side_open(&s, &s.asker, "h1");
	side_ask(&s.asker);
	stage_ask(&s, "adopt", whole.text, "s1", "", 0);
	side_join(pid);
	cr_expect_eq(stage_executed(&s, whole.text, "s1"), 1);
	cr_expect_eq(stage_replies(&s, whole.text, "s1", NULL), 0);
	side_open(&s, &s.first, "r1");
	side_serve(&s.first, 1);
	expect_reply(&s, whole.text, "s1", "done by killed");
	cr_expect_eq(stage_executed(&s, whole.text, "s1"), 1);
	stage_close(&s);
}

/* The same of who asks, between the answer and its commit. */
Test(rpc_ask, survives_who_asks)
{
	struct eid whole;
	pid_t pid;
	STAGE(s);
	stage_nats_start(&s);
	if (fault_arm("sm-sr-handover.ask.adopt.answered", FAULT_OFF, "*") != 0)
		cr_skip_test("built without faults");
	cr_assert(eid_complete("890010120123412340123456700001", &whole));
	pid = side_fork(&s, "sm-sr-handover", "sm-sr-handover.ask.adopt.answered", whole.text);
	side_open(&s, &s.first, "r1");
	side_serve(&s.first, 1);
	stage_ask(&s, "adopt", whole.text, "s1", "", 0);
	side_join(pid);
	cr_expect_eq(stage_executed(&s, whole.text, "s1"), 1);
	cr_expect_eq(stage_replies(&s, whole.text, "s1", NULL), 0);
	cr_expect_eq(stage_left(&s), 1);
	side_open(&s, &s.asker, "h1");
	side_ask(&s.asker);
	expect_reply(&s, whole.text, "s1", "done by r1");
	cr_expect_eq(stage_left(&s), 0);
	stage_close(&s);
}

Test(rpc_ask, ends_in_time_and_keeps_what_is_open)
{
	int64_t begun;
	STAGE(s);
	both(&s, 1);
	stage_ask(&s, "adopt", stage_eid(&s, 1), "s1", ",\"sleep\":6000", 0);
	AWAIT(s.first.running == 1);
	begun = clock_ms();
	outbox_close(s.asker.outbox);
	s.asker.outbox = s.asker.rpc.outbox = NULL;
	cr_expect_lt(clock_ms() - begun, 5000, "%lld ms", (long long)(clock_ms() - begun));
	cr_expect_eq(stage_left(&s), 1);
	cr_expect_eq(row_int(stage_row(&s, stage_eid(&s, 1)), 0, 0), 0, "our own end is no attempt of its");
	stage_close(&s);
}

Test(rpc_ask, shows_no_body)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const char json[] = "{\"wrapped\":\"00\"}";

	outbox_body(a, "rq:sm-sr", "adopt", (struct bytes){ (const uint8_t *)json, strlen(json) }, &out);
	cr_expect_str_eq(out.data, "(16 octets, which may hold keys)");
}

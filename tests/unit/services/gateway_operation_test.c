/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "services/operator-gateway/operation.h"

#define EID "89001012012341234012345678901224"
#define ICCID "8949000000000000017"
enum { S = 1000000 };

/* All of it: who changes a cell changes it here, too. Rows: states; columns: accepted, answer, busy, fault, given up, due, late. */
static const char *const decisions[OPERATION_STATES] = {
	[OPERATION_QUEUED] = "accepted:keep ended:end waiting:keep ended:end ended:silent ended:silent ended:silent",
	[OPERATION_ACCEPTED] = "accepted:- ended:end waiting:keep accepted:- accepted:- repeated:repeat repeated:repeat",
	[OPERATION_REPEATED] = "repeated:- ended:end repeated:- ended:end ended:silent ended:silent ended:silent",
	[OPERATION_WAITING] = "waiting:- ended:end waiting:- waiting:- waiting:- queued:send ended:last",
	[OPERATION_ENDED] = "ended:- ended:- ended:- ended:- ended:- ended:- ended:-",
};

Test(operation_next, every_state_and_event)
{
	static const char *const actions[] = { "-", "keep", "send", "repeat", "end", "silent", "last" };

	for (int s = 0; s < OPERATION_STATES; s++) {
		CLEANUP(buf_free) struct buf row = { 0 };

		for (int e = 0; e < OPERATION_EVENTS; e++) {
			struct operation_step step = operation_next((enum operation_state)s, (enum operation_event)e);

			buf_printf(&row, "%s%s:%s", e ? " " : "", operation_state_name(step.state), actions[step.action]);
		}
		cr_expect_str_eq(row.data, decisions[s], "%s", operation_state_name((enum operation_state)s));
	}
}

Test(operation_next, an_end_is_an_end_and_only_a_new_attempt_leaves_waiting_without_an_answer)
{
	for (int s = 0; s < OPERATION_STATES; s++) {
		for (int e = 0; e < OPERATION_EVENTS; e++) {
			struct operation_step step = operation_next((enum operation_state)s, (enum operation_event)e);
			bool ends = step.action == OPACT_END || step.action == OPACT_SILENT || step.action == OPACT_LAST;

			cr_expect_eq(step.state == OPERATION_ENDED && s != OPERATION_ENDED, ends, "%d %d", s, e);
			cr_expect(step.action != OPACT_NOTHING || (int)step.state == s, "%d %d", s, e);
		}
	}
}

Test(operation_due, times)
{
	struct operation o = { .attempt = 1, .deadline = 1000LL * S };
	static const int64_t backoff[] = { 5, 10, 20, 40, 60, 60 };

	for (size_t i = 0; i < LEN(backoff); i++) {
		o.attempt = (int64_t)i + 1;
		cr_expect_eq(operation_due(&o, OPERATION_WAITING, 100LL * S), (100 + backoff[i]) * S, "attempt %zu", i + 1);
	}
	cr_expect_eq(operation_due(&o, OPERATION_WAITING, 999LL * S), 1000LL * S, "never behind the deadline");
	cr_expect_eq(operation_due(&o, OPERATION_ACCEPTED, 0), 1060LL * S);
	cr_expect_eq(operation_due(&o, OPERATION_REPEATED, 1060LL * S), 1300LL * S);
	cr_expect_eq(operation_due(&o, OPERATION_REPEATED, 5000LL * S), 5060LL * S, "a gateway that was away still waits");
	cr_expect_eq(operation_due(&o, OPERATION_QUEUED, 0), 1300LL * S);
	o.attempt = INT64_MAX;
	cr_expect_eq(operation_due(&o, OPERATION_WAITING, 0), 60LL * S);
}

static struct operation enable(void)
{
	struct operation o = { .id = "00000000-0000-4000-8000-000000000000", .attempt = 1, .user = "u" };

	o.order = (struct operation_order){ .kind = OPERATION_ENABLE, .iccids = "", .callback = true, .patient = true };
	cr_assert(eid_parse(EID, &o.order.eid) && iccid_parse(ICCID, &o.order.iccid));
	cr_assert(oid_parse("1.2.3", &o.smsr));
	o.answer = (struct operation_answer){ "", "", "", "", "", "", "" };
	return o;
}

Test(operation_answer, codes_come_through_and_busy_is_told)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct operation o = enable();
	struct status_code_data code = { "8.2.1", "4.2", ICCID, "no network" };
	struct card_rs rs = { .base.status = { STATUS_FAILED, &code }, .euicc_response_data = { (const uint8_t *)"\x69\x85", 2 } };
	struct operation_answer r = operation_answer_of(a, &o, &rs.base, &rs);

	cr_expect_str_eq(r.status, "FAILED");
	cr_expect_str_eq(r.subject, "8.2.1");
	cr_expect_str_eq(r.reason, "4.2");
	cr_expect_str_eq(r.subject_id, ICCID);
	cr_expect_str_eq(r.message, "no network");
	cr_expect_str_eq(r.euicc_response, "6985");
	cr_expect_eq(operation_event_of(&o, &r), OPEV_ANSWER);
	code = (struct status_code_data){ "1.2", "4.4", NULL, NULL };
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.message, "no message was given");
	cr_expect_eq(operation_event_of(&o, &r), OPEV_BUSY);
	o.order.patient = false;
	cr_expect_eq(operation_event_of(&o, &r), OPEV_ANSWER, "who does not want to wait");
	o.order.patient = true;
	rs.base.status.status = STATUS_EXPIRED;
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_eq(operation_event_of(&o, &r), OPEV_ANSWER, "expired is not busy");
	rs = (struct card_rs){ .base.status = { STATUS_SUCCESS, NULL } };
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.status, "EXECUTED_SUCCESS");
	cr_expect(!*r.subject && !*r.message && !*r.euicc_response);
}

Test(operation_answer, an_audit_is_of_the_card_that_was_asked)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct operation o = enable();
	struct eis eis = { .info.platform_type = "t", .info.platform_version = "1.0.0" };
	struct es4_audit_eis_rs rs = { .base.status = { STATUS_SUCCESS, NULL }, .eis = &eis };
	struct operation_answer r;

	o.order.kind = OPERATION_AUDIT;
	eis.info.eid = o.order.eid;
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.status, "EXECUTED_SUCCESS");
	cr_expect(strstr(r.eis, "\"eid\":\"" EID "\""), "%s", r.eis);
	cr_assert(eid_complete("890010120123412340123456789099", &eis.info.eid));
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.subject, "bad_answer", "another card");
	rs.eis = NULL;
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.status, "FAILED", "no EIS");
	rs.base.status.status = STATUS_EXPIRED;
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.status, "EXPIRED", "a failure needs none");
}

Test(operation_json, status_only_at_the_end_and_eis_only_when_asked_for)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct operation o = enable();
	CLEANUP(json_freep) json_t *waiting = NULL;
	CLEANUP(json_freep) json_t *ended = NULL;
	CLEANUP(json_freep) json_t *row = NULL;

	o.answer = (struct operation_answer){ "FAILED", "1.2", "4.4", "", "busy", "", "{\"eid\":\"x\"}" };
	o.state = OPERATION_WAITING;
	waiting = operation_json(a, &o, true);
	cr_expect_null(json_object_get(waiting, "status"));
	cr_expect_null(json_object_get(waiting, "ended"));
	cr_expect_str_eq(json_string_value(json_object_get(waiting, "code")), "1.2/4.4");
	cr_expect_str_eq(json_string_value(json_object_get(waiting, "iccid")), ICCID);
	o.state = OPERATION_ENDED;
	o.ended_at = S;
	o.answer.reason = "";
	o.answer.subject = "no_answer";
	ended = operation_json(a, &o, true);
	cr_expect_str_eq(json_string_value(json_object_get(ended, "status")), "FAILED");
	cr_expect_str_eq(json_string_value(json_object_get(ended, "code")), "no_answer");
	cr_expect_str_eq(json_string_value(json_object_get(ended, "ended")), "1970-01-01T00:00:01Z");
	cr_expect(json_is_object(json_object_get(ended, "eis")));
	row = operation_json(a, &o, false);
	cr_expect_null(json_object_get(row, "eis"));
}

Test(operation_order, paths)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		const char *rest, *kind; /* kind NULL: no order */
		const char *error;       /* NULL: just no such path */
	} rows[] = {
		{ EID "/audit", "audit", NULL },
		{ EID "/profiles/" ICCID "/enable", "enable", NULL },
		{ EID "/profiles/" ICCID "F/enable", "enable", NULL },
		{ EID, NULL, NULL },
		{ EID "/", NULL, NULL },
		{ EID "/audit/x", NULL, NULL },
		{ EID "/profiles/" ICCID "/disable", NULL, NULL },
		{ EID "/profiles/enable", NULL, NULL },
		{ EID "/profiles//enable", NULL, NULL },
		{ EID "/profiles/12/enable", NULL, "iccid" },
		{ EID "/profiles/" ICCID "/x/enable", NULL, "iccid" },
		{ "1/audit", NULL, "eid" },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct operation_order o;
		const char *error = NULL;
		bool good = order_path(a, rows[i].rest, &o, &error);

		cr_expect_eq(good, rows[i].kind != NULL, "%s", rows[i].rest);
		cr_expect(good            ? !strcmp(operation_kind_name(o.kind), rows[i].kind)
			  : rows[i].error ? error && strstr(error, rows[i].error)
					  : !error,
			  "%s", rows[i].rest);
	}
}

static bool body(struct arena *a, enum operation_kind kind, const char *text, struct operation_order *out, const char **out_error)
{
	CLEANUP(json_freep) json_t *j = text ? json_loads(text, 0, NULL) : NULL;
	struct operation o = enable();

	cr_assert(j || !text, "the test's JSON is wrong: %s", text);
	*out = o.order;
	out->kind = kind;
	return order_body(a, j, out, out_error);
}

Test(operation_order, bodies)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		const char *text, *names;
	} wrong[] = {
		{ "[]", "object" },
		{ "{\"validity_s\":2}", "validity_s: 3 to 86400" },
		{ "{\"validity_s\":86401}", "validity_s" },
		{ "{\"validity_s\":1.5}", "validity_s" },
		{ "{\"mode\":1}", "mode" },
		{ "{\"when\":\"then\"}", "when" },
		{ "{\"iccids\":[]}", "iccids" },
		{ "{\"iccids\":[\"1\"]}", "iccids" },
		{ "{\"iccids\":\"" ICCID "\"}", "iccids" },
		{ "{\"x\":1}", "x: " },
	};
	struct operation_order o, other;
	const char *error = NULL;

	cr_assert(body(a, OPERATION_ENABLE, NULL, &o, &error));
	cr_expect(o.validity_s == 720 && o.callback && o.patient);
	cr_assert(body(a, OPERATION_AUDIT,
		       "{\"validity_s\":60,\"mode\":\"connection\",\"when\":\"now\",\"iccids\":[\"" ICCID "\",\"" ICCID "F\"]}", &o,
		       &error),
		  "%s", error);
	cr_expect(o.validity_s == 60 && !o.callback && !o.patient);
	cr_expect_str_eq(o.iccids, ICCID " " ICCID);
	for (size_t i = 0; i < LEN(wrong); i++) {
		error = NULL;
		cr_expect_not(body(a, OPERATION_AUDIT, wrong[i].text, &other, &error), "%s", wrong[i].text);
		cr_expect(error && strstr(error, wrong[i].names), "%s: %s", wrong[i].text, error);
	}
	cr_expect_not(body(a, OPERATION_ENABLE, "{\"iccids\":[\"" ICCID "\"]}", &other, &error), "only audits have a list");
}

Test(operation_order, input_tells_any_two_orders_apart)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const char *const bodies[] = { NULL, "{\"validity_s\":60}", "{\"mode\":\"connection\"}", "{\"when\":\"now\"}" };
	const char *texts[LEN(bodies) + 2], *error;
	struct operation_order o;

	for (size_t i = 0; i < LEN(bodies); i++) {
		cr_assert(body(a, OPERATION_ENABLE, bodies[i], &o, &error));
		texts[i] = order_input(a, &o);
	}
	cr_assert(body(a, OPERATION_AUDIT, NULL, &o, &error));
	texts[LEN(bodies)] = order_input(a, &o);
	cr_assert(body(a, OPERATION_AUDIT, "{\"iccids\":[\"" ICCID "\"]}", &o, &error));
	texts[LEN(bodies) + 1] = order_input(a, &o);
	for (size_t i = 0; i < LEN(texts); i++)
		for (size_t k = 0; k < i; k++)
			cr_expect_str_neq(texts[i], texts[k]);
	cr_assert(body(a, OPERATION_ENABLE, "{\"validity_s\":720,\"mode\":\"callback\",\"when\":\"next_event\"}", &o, &error));
	cr_expect_str_eq(order_input(a, &o), texts[0], "what is said and what is meant without a word");
}

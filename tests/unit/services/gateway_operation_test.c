/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "services/operator-gateway/operation.h"

#define EID "89001012012341234012345678901224"
#define ICCID "8949000000000000017"
enum { S = 1000000 };

/* All of it: who changes a cell changes it here, too. Rows: states; columns: accepted, answer, next, busy, fault, given up, due, late,
 * stale. */
static const char *const decisions[OPERATION_STATES] = {
	[OPERATION_QUEUED] =
		"accepted:keep ended:end queued:next waiting:keep ended:end ended:silent ended:silent ended:silent queued:-",
	[OPERATION_ACCEPTED] =
		"accepted:- ended:end queued:next waiting:keep accepted:- accepted:- repeated:repeat repeated:repeat accepted:-",
	[OPERATION_REPEATED] =
		"repeated:- ended:end queued:next repeated:- ended:end ended:silent ended:silent ended:silent repeated:-",
	[OPERATION_WAITING] = "waiting:- ended:end queued:next waiting:- waiting:- waiting:- queued:send ended:last waiting:-",
	[OPERATION_ENDED] = "ended:- ended:- ended:- ended:- ended:- ended:- ended:- ended:- ended:-",
};

Test(operation_next, every_state_and_event)
{
	static const char *const actions[] = { "-", "keep", "send", "next", "repeat", "end", "silent", "last" };

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
		o.refusals = (int64_t)i;
		cr_expect_eq(operation_due(&o, OPERATION_WAITING, 100LL * S), (100 + backoff[i]) * S, "refusal %zu", i + 1);
	}
	cr_expect_eq(operation_due(&o, OPERATION_WAITING, 999LL * S), 1000LL * S, "never behind the deadline");
	cr_expect_eq(operation_due(&o, OPERATION_ACCEPTED, 0), 1060LL * S);
	cr_expect_eq(operation_due(&o, OPERATION_REPEATED, 1060LL * S), 1300LL * S);
	cr_expect_eq(operation_due(&o, OPERATION_REPEATED, 5000LL * S), 5060LL * S, "a gateway that was away still waits");
	cr_expect_eq(operation_due(&o, OPERATION_QUEUED, 0), 1300LL * S);
	o.refusals = INT64_MAX;
	cr_expect_eq(operation_due(&o, OPERATION_WAITING, 0), 60LL * S);
}

Test(operation_due, the_same_call_again_unless_its_refusal_is_a_stored_one)
{
	struct operation o = { .attempt = 1 };
	struct operation_answer busy = { .at = 7LL * S };

	o.busy_at = operation_busy_at(&o, &busy);
	cr_expect_eq(o.busy_at, 7LL * S);
	busy.at = 12LL * S;
	o.busy_at = operation_busy_at(&o, &busy);
	cr_expect_eq(o.busy_at, 12LL * S, "judged anew");
	cr_expect_eq(operation_busy_at(&o, &busy), 0, "stored");
	busy.at = 0;
	cr_expect_eq(operation_busy_at(&o, &busy), 0, "it tells no time");
}

static struct operation enable(void)
{
	struct operation o = { .id = "00000000-0000-4000-8000-000000000000", .attempt = 1, .user = "u" };

	o.order = (struct operation_order){ .kind = OPERATION_ENABLE, .iccids = "", .callback = true, .patient = true };
	cr_assert(eid_parse(EID, &o.order.eid) && iccid_parse(ICCID, &o.order.iccid));
	cr_assert(oid_parse("1.2.3", &o.smsr));
	o.answer = (struct operation_answer){ "", "", "", "", "", "", "", 0, "" };
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
	cr_expect_eq(operation_event_of(&o, 1, &r), OPEV_ANSWER);
	code = (struct status_code_data){ "1.2", "4.4", NULL, NULL };
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.message, "no message was given");
	cr_expect_eq(operation_event_of(&o, 1, &r), OPEV_BUSY);
	o.order.patient = false;
	cr_expect_eq(operation_event_of(&o, 1, &r), OPEV_ANSWER, "who does not want to wait");
	o.order.patient = true;
	rs.base.status.status = STATUS_EXPIRED;
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_eq(operation_event_of(&o, 1, &r), OPEV_ANSWER, "expired is not busy");
	rs = (struct card_rs){ .base.status = { STATUS_SUCCESS, NULL } };
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.status, "EXECUTED_SUCCESS");
	cr_expect(!*r.subject && !*r.message && !*r.euicc_response);
}

Test(operation_answer, of_an_attempt_that_is_over_only_success_counts)
{
	static const struct {
		const char *status, *subject, *reason;
		enum operation_event old, current;
	} rows[] = {
		{ "FAILED", "1.2", "4.4", OPEV_STALE, OPEV_BUSY },
		{ "FAILED", "8.2.1", "4.2", OPEV_STALE, OPEV_ANSWER },
		{ "EXPIRED", "1.6", "5.3", OPEV_STALE, OPEV_ANSWER },
		{ "EXECUTED_SUCCESS", "", "", OPEV_ANSWER, OPEV_ANSWER },
		{ "EXECUTED_WITHWARNING", "8.4", "4.2", OPEV_ANSWER, OPEV_ANSWER },
	};
	struct operation o = enable();

	o.attempt = 2;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct operation_answer r = { rows[i].status, rows[i].subject, rows[i].reason, "", "", "", "", 0, "" };

		cr_expect_eq(operation_event_of(&o, 1, &r), rows[i].old, "row %zu", i);
		cr_expect_eq(operation_event_of(&o, 2, &r), rows[i].current, "row %zu", i);
	}
}

/* What may come twice, late and in any order, one after the other: the end is the one that the last column says. */
Test(operation_next, duplicates_and_disorder)
{
	static const struct {
		const char *what;
		enum operation_event events[8];
		unsigned n;
		enum operation_state end;
		unsigned sent; /* new attempts */
	} rows[] = {
		{ "the callback twice", { OPEV_ACCEPTED, OPEV_ANSWER, OPEV_ANSWER }, 3, OPERATION_ENDED, 0 },
		{ "before its 202", { OPEV_ANSWER, OPEV_ACCEPTED }, 2, OPERATION_ENDED, 0 },
		{ "busy before its 202", { OPEV_BUSY, OPEV_ACCEPTED }, 2, OPERATION_WAITING, 0 },
		{ "busy twice", { OPEV_ACCEPTED, OPEV_BUSY, OPEV_BUSY, OPEV_DUE }, 4, OPERATION_QUEUED, 1 },
		{ "busy again when the next one runs",
		  { OPEV_BUSY, OPEV_DUE, OPEV_STALE, OPEV_ACCEPTED, OPEV_STALE },
		  5,
		  OPERATION_ACCEPTED,
		  1 },
		{ "behind a repeat", { OPEV_ACCEPTED, OPEV_DUE, OPEV_ANSWER, OPEV_ACCEPTED, OPEV_ANSWER }, 5, OPERATION_ENDED, 0 },
		{ "busy behind a repeat: it runs", { OPEV_ACCEPTED, OPEV_DUE, OPEV_BUSY, OPEV_ANSWER }, 4, OPERATION_ENDED, 0 },
		{ "behind the end",
		  { OPEV_ACCEPTED, OPEV_DUE, OPEV_DUE, OPEV_ANSWER, OPEV_BUSY, OPEV_DUE },
		  6,
		  OPERATION_ENDED,
		  0 },
		{ "the old one was executed after all",
		  { OPEV_BUSY, OPEV_DUE, OPEV_ANSWER, OPEV_BUSY, OPEV_ACCEPTED },
		  5,
		  OPERATION_ENDED,
		  1 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		enum operation_state state = OPERATION_QUEUED;
		unsigned sent = 0, ends = 0;

		for (unsigned k = 0; k < rows[i].n; k++) {
			struct operation_step step = operation_next(state, rows[i].events[k]);

			ends += state != OPERATION_ENDED && step.state == OPERATION_ENDED;
			sent += step.action == OPACT_SEND;
			state = step.state;
		}
		cr_expect_eq(state, rows[i].end, "%s: %s", rows[i].what, operation_state_name(state));
		cr_expect_eq(sent, rows[i].sent, "%s", rows[i].what);
		cr_expect_eq(ends, state == OPERATION_ENDED ? 1 : 0, "%s", rows[i].what);
	}
}

Test(operation_ref, names_the_attempt)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct operation o = enable();
	static const char *const wrong[] = { "",
					     ".",
					     ".1",
					     "x.1",
					     "00000000-0000-4000-8000-000000000000",
					     "00000000-0000-4000-8000-000000000000.",
					     "00000000-0000-4000-8000-000000000000.1x",
					     "00000000-0000-4000-8000-000000000000.-1",
					     "00000000-0000-4000-8000-000000000000.0",
					     "00000000-0000-4000-8000-000000000000.01",
					     "00000000-0000-4000-8000-000000000000.1234567890",
					     "00000000-0000-4000-8000-000000000000.1.2" };
	const char *id = NULL;
	int64_t attempt = 0;

	cr_assert(operation_ref_parse(a, operation_ref(a, &o, 12), &id, &attempt));
	cr_expect_str_eq(id, o.id);
	cr_expect_eq(attempt, 12);
	for (size_t i = 0; i < LEN(wrong); i++)
		cr_expect_not(operation_ref_parse(a, wrong[i], &id, &attempt), "%s", wrong[i]);
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

Test(operation_json, what_is_to_change)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct pol2_rule rule = { POL2_PROFILE, POL2_DISABLE, POL2_AUTO_DELETE };
	struct operation o = enable();
	CLEANUP(json_freep) json_t *policy = NULL;
	CLEANUP(json_freep) json_t *address = NULL;

	o.order.kind = OPERATION_POLICY;
	o.order.pol2 = (struct pol2){ &rule, 1 };
	policy = operation_json(a, &o, false);
	cr_expect_str_eq(json_text(a, json_object_get(policy, "rules")),
			 "[{\"subject\":\"PROFILE\",\"action\":\"DISABLE\",\"qualification\":\"Auto-Delete\"}]");
	cr_expect_null(json_object_get(policy, "address"));
	o.order.kind = OPERATION_ADDRESS;
	o.order.address.msisdn = "49170";
	address = operation_json(a, &o, false);
	cr_expect_str_eq(json_text(a, json_object_get(address, "address")), "{\"msisdn\":\"49170\"}");
	cr_expect_str_eq(json_string_value(json_object_get(address, "iccid")), ICCID);
}

Test(operation_json, status_only_at_the_end_and_eis_only_when_asked_for)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct operation o = enable();
	CLEANUP(json_freep) json_t *waiting = NULL;
	CLEANUP(json_freep) json_t *ended = NULL;
	CLEANUP(json_freep) json_t *row = NULL;

	o.answer = (struct operation_answer){ "FAILED", "1.2", "4.4", "", "busy", "", "{\"eid\":\"x\"}", 0, "" };
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

static struct operation by_smdp(enum operation_kind kind)
{
	struct operation o = enable();

	o.order.kind = kind;
	cr_assert(oid_parse("1.2.4", &o.smdp));
	return o;
}

Test(operation_route, who_is_asked)
{
	struct operation o = enable();

	cr_expect_eq(operation_route(&o), ROUTE_ES4);
	cr_expect_str_eq(operation_to(&o)->text, "1.2.3");
	cr_expect_str_eq(operation_asked(&o)->wire, "ES4-EnableProfile");
	o = by_smdp(OPERATION_ENABLE);
	cr_expect_eq(operation_route(&o), ROUTE_ES2);
	cr_expect_str_eq(operation_to(&o)->text, "1.2.4");
	cr_expect_str_eq(operation_asked(&o)->wire, "ES2-EnableProfile");
}

Test(operation_answer, by_an_sm_dp_the_cards_words_are_not_told)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const enum operation_kind kinds[] = { OPERATION_ENABLE, OPERATION_DISABLE, OPERATION_DELETE };
	struct status_code_data code = { "8.4", "4.2", NULL, NULL };

	for (size_t i = 0; i < LEN(kinds); i++) {
		struct operation o = by_smdp(kinds[i]);
		struct plain_rs *rs = ARENA_NEW(a, struct plain_rs); /* nothing may be read behind it */
		struct operation_answer r;

		rs->base.status = (struct execution_status){ STATUS_FAILED, &code };
		r = operation_answer_of(a, &o, &rs->base, rs);
		cr_expect_str_eq(r.subject, "8.4");
		cr_expect_str_eq(r.euicc_response, "");
	}
}

Test(operation_answer, which_profile_was_downloaded)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct operation o = by_smdp(OPERATION_DOWNLOAD);
	struct status_code_data code = { "8.2.1", "4.2", NULL, "not enabled" };
	struct iccid iccid;
	struct es2_download_profile_rs rs = { .base.status = { STATUS_SUCCESS, NULL }, .iccid = &iccid };
	struct operation_answer r;

	cr_assert(iccid_parse("8949000000000000025", &iccid));
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.status, "FAILED", "another than was ordered");
	cr_expect_str_eq(r.subject, "bad_answer");
	cr_expect_str_eq(r.iccid, "8949000000000000025");
	o.order.iccid = (struct iccid){ "" };
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.status, "EXECUTED_SUCCESS", "the SM-DP chose");
	cr_expect_str_eq(r.iccid, "8949000000000000025");
	rs.base.status = (struct execution_status){ STATUS_WARNING, &code };
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.status, "EXECUTED_WITHWARNING");
	cr_expect_str_eq(r.message, "not enabled");
	rs = (struct es2_download_profile_rs){ .base.status = { STATUS_SUCCESS, NULL } };
	r = operation_answer_of(a, &o, &rs.base, &rs);
	cr_expect_str_eq(r.status, "EXECUTED_SUCCESS", "it need not say");
	cr_expect_str_eq(r.iccid, "");
}

Test(operation_json, a_download_by_its_sm_dp)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct operation o = by_smdp(OPERATION_DOWNLOAD);
	CLEANUP(json_freep) json_t *running = NULL;
	CLEANUP(json_freep) json_t *ended = NULL;
	CLEANUP(json_freep) json_t *direct = NULL;

	o.order.iccid = (struct iccid){ "" };
	o.order.profile_type = "telematics";
	o.order.enable = true;
	running = operation_json(a, &o, true);
	cr_expect_null(json_object_get(running, "iccid"));
	cr_expect_str_eq(json_string_value(json_object_get(running, "kind")), "download");
	cr_expect_str_eq(json_string_value(json_object_get(running, "profile_type")), "telematics");
	cr_expect(json_is_true(json_object_get(running, "enable")));
	cr_expect_str_eq(json_string_value(json_object_get(running, "smdp")), "1.2.4");
	cr_expect_str_eq(json_string_value(json_object_get(running, "smsr")), "1.2.3");
	cr_expect_null(json_object_get(running, "enabled"));
	o.state = OPERATION_ENDED;
	o.answer.status = "EXECUTED_WITHWARNING";
	o.answer.iccid = ICCID;
	ended = operation_json(a, &o, true);
	cr_expect_str_eq(json_string_value(json_object_get(ended, "iccid")), ICCID);
	cr_expect_str_eq(json_string_value(json_object_get(ended, "status")), "EXECUTED_WITHWARNING");
	cr_expect(json_is_false(json_object_get(ended, "enabled")));
	o = enable();
	direct = operation_json(a, &o, true);
	cr_expect_null(json_object_get(direct, "smdp"));
}

Test(operation_kinds, each_has_its_function)
{
	static const struct {
		const char *kind, *es4, *es2; /* NULL: none */
		bool at_once;
	} rows[] = {
		{ "enable", "ES4-EnableProfile", "ES2-EnableProfile", false },
		{ "audit", "ES4-AuditEIS", "ES2-AuditEIS", false },
		{ "disable", "ES4-DisableProfile", "ES2-DisableProfile", false },
		{ "delete", "ES4-DeleteProfile", "ES2-DeleteProfile", false },
		{ "policy", "ES4-UpdatePolicyRules", "ES2-UpdatePolicyRules", true },
		{ "address", "ES4-UpdateSubscriptionAddress", "ES2-UpdateSubscriptionAddress", true },
		{ "download", NULL, "ES2-DownloadProfile", false },
		{ "smsr-change", "ES4-SMSRChange", NULL, false },
	};

	cr_assert_eq(LEN(rows), (size_t)OPERATION_KINDS);
	for (size_t i = 0; i < LEN(rows); i++) {
		const struct function *es4, *es2;
		enum operation_kind kind;

		cr_assert(operation_kind_parse(rows[i].kind, &kind));
		cr_expect_str_eq(operation_kind_name(kind), rows[i].kind);
		es4 = operation_function(kind, ROUTE_ES4);
		es2 = operation_function(kind, ROUTE_ES2);
		cr_assert(es4 || es2, "%s", rows[i].kind);
		cr_assert(!es4 == !rows[i].es4 && !es2 == !rows[i].es2, "%s", rows[i].kind);
		cr_expect(!es4 || !strcmp(es4->wire, rows[i].es4), "%s", rows[i].kind);
		cr_expect(!es2 || !strcmp(es2->wire, rows[i].es2), "%s", rows[i].kind);
		cr_expect(!es4 || !es2 || (es4->mep == es2->mep && !memcmp(&es4->validity, &es2->validity, sizeof(es4->validity))),
			  "%s", rows[i].kind);
		cr_expect_eq(operation_at_once(kind), rows[i].at_once, "%s", rows[i].kind);
		cr_expect_eq(operation_request_s(kind, 700), rows[i].at_once ? 30 : 700, "%s", rows[i].kind);
		cr_expect_eq(operation_request_s(kind, 5), 5);
	}
}

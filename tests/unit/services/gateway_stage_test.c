/* SPDX-License-Identifier: Apache-2.0 */
/* An order in two stages: the SM-SR that is to have the card is asked, then the one that has it. */
#include <criterion/criterion.h>
#include <string.h>

#include "services/operator-gateway/operation.h"

enum { S = 1000000 };
#define HAS "1.2.3"
#define TO "1.2.4"

static struct operation change(enum operation_stage stage)
{
	struct operation o = {
		.id = "00000000-0000-4000-8000-000000000000", .attempt = 1, .stage_attempt = 1, .stages = "", .user = "u"
	};

	o.order = (struct operation_order){ .kind = OPERATION_SMSR_CHANGE, .iccids = "", .callback = true, .patient = true };
	cr_assert(eid_parse("89001012012341234012345678901224", &o.order.eid) && oid_parse(TO, &o.order.to));
	cr_assert(oid_parse(HAS, &o.smsr));
	o.answer = (struct operation_answer){ "", "", "", "", "", "", "", 0, "" };
	o.stage = stage;
	return o;
}

static struct operation_answer answer(const char *status, const char *subject, const char *reason)
{
	return (struct operation_answer){ status, subject, reason, "", "", "", "", 0, "" };
}

Test(operation_stage, who_is_asked_for_what)
{
	struct operation prepare = change(STAGE_PREPARE), then = change(STAGE_CHANGE);

	cr_expect_str_eq(operation_asked(&prepare)->wire, "ES4-PrepareSMSRChange");
	cr_expect_str_eq(operation_to(&prepare)->text, TO);
	cr_expect_str_eq(operation_asked(&then)->wire, "ES4-SMSRChange");
	cr_expect_str_eq(operation_to(&then)->text, HAS);
	cr_expect_eq(operation_first_stage(OPERATION_SMSR_CHANGE), STAGE_PREPARE);
	cr_expect_eq(operation_first_stage(OPERATION_ENABLE), STAGE_NONE);
}

Test(operation_stage, only_a_success_leads_on)
{
	const struct operation_answer good = answer("EXECUTED_SUCCESS", "", ""),
				      warned = answer("EXECUTED_WITHWARNING", "1.6", "2.1"),
				      failed = answer("FAILED", "8.1", "4.8"), busy = answer("FAILED", "1.2", "4.4");
	struct operation o = change(STAGE_PREPARE), dry = change(STAGE_PREPARE), then = change(STAGE_CHANGE);

	cr_expect_eq(operation_event_of(&o, 1, &good), OPEV_NEXT);
	cr_expect_eq(operation_event_of(&o, 1, &warned), OPEV_NEXT);
	cr_expect_eq(operation_event_of(&o, 1, &failed), OPEV_ANSWER);
	cr_expect_eq(operation_event_of(&o, 1, &busy), OPEV_BUSY);
	dry.order.dry_run = true;
	cr_expect_eq(operation_event_of(&dry, 1, &good), OPEV_ANSWER);
	cr_expect_eq(operation_event_of(&then, 1, &good), OPEV_ANSWER);
}

Test(operation_stage, words_about_a_stage_that_is_over_change_nothing)
{
	const struct operation_answer good = answer("EXECUTED_SUCCESS", "", ""), failed = answer("FAILED", "8.1", "4.8");
	struct operation o = change(STAGE_CHANGE);

	o.attempt = 4;
	o.stage_attempt = 3;
	cr_expect_eq(operation_event_of(&o, 2, &good), OPEV_STALE, "the card did not move by that");
	cr_expect_eq(operation_event_of(&o, 2, &failed), OPEV_STALE);
	cr_expect_eq(operation_event_of(&o, 3, &good), OPEV_ANSWER, "an earlier attempt of this stage");
	cr_expect_eq(operation_event_of(&o, 3, &failed), OPEV_STALE);
	cr_expect_eq(operation_event_of(&o, 4, &failed), OPEV_ANSWER);
}

/* The first request has 720 s of its own, and its callback is missed after that. */
Test(operation_stage, times)
{
	struct operation o = change(STAGE_PREPARE);

	o.deadline = 10000LL * S;
	cr_expect_eq(operation_due(&o, OPERATION_ACCEPTED, 100LL * S), 880LL * S);
	cr_expect_eq(operation_due(&o, OPERATION_ACCEPTED, 9900LL * S), 10060LL * S);
	cr_expect_eq(operation_due(&o, OPERATION_REPEATED, 880LL * S), 940LL * S);
	cr_expect_eq(operation_due(&o, OPERATION_WAITING, 100LL * S), 105LL * S);
	cr_expect_eq(operation_due(&o, OPERATION_QUEUED, 0), 10300LL * S);
	o.stage = STAGE_CHANGE;
	cr_expect_eq(operation_due(&o, OPERATION_ACCEPTED, 100LL * S), 10060LL * S);
}

static const char *text_of(const json_t *list, size_t i, const char *name)
{
	const char *text = json_string_value(json_object_get(json_array_get(list, i), name));

	return text ? text : "-";
}

Test(operation_stage, what_is_shown)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const struct operation_answer good = answer("EXECUTED_SUCCESS", "", "");
	struct operation_answer bad = answer("FAILED", "8.7", "4.2");
	struct operation o = change(STAGE_PREPARE);
	CLEANUP(json_freep) json_t *shown = NULL;
	const json_t *list;

	o.created_at = S;
	o.now = 2LL * S;
	o.stages = operation_stages_add(a, &o, OPERATION_ENDED, 1, &good);
	o.stage = STAGE_CHANGE;
	o.now = 3LL * S;
	o.stages = operation_stages_add(a, &o, OPERATION_QUEUED, 2, NULL);
	bad.message = "it ended";
	o.stages = operation_stages_add(a, &o, OPERATION_ENDED, 2, &bad);
	shown = operation_json(a, &o, false);
	cr_expect_str_eq(json_string_value(json_object_get(shown, "to")), TO);
	cr_expect_str_eq(json_string_value(json_object_get(shown, "stage")), "change");
	cr_expect(json_is_false(json_object_get(shown, "dry_run")));
	list = json_object_get(shown, "stages");
	cr_assert_eq(json_array_size(list), 4);
	cr_expect_str_eq(text_of(list, 0, "stage"), "prepare");
	cr_expect_str_eq(text_of(list, 0, "state"), "queued");
	cr_expect_str_eq(text_of(list, 0, "at"), "1970-01-01T00:00:01Z");
	cr_expect_str_eq(text_of(list, 1, "status"), "EXECUTED_SUCCESS");
	cr_expect_str_eq(text_of(list, 1, "code"), "-");
	cr_expect_str_eq(text_of(list, 2, "stage"), "change");
	cr_expect_str_eq(text_of(list, 3, "code"), "8.7/4.2");
	cr_expect_str_eq(text_of(list, 3, "message"), "it ended");
	cr_expect_eq(operation_stages_newest(list, 0), 4);
}

/* An order may be busy for days. */
Test(operation_stage, numbers_go_on_when_old_ones_are_dropped)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct operation o = change(STAGE_PREPARE);
	CLEANUP(json_freep) json_t *list = NULL;

	for (int i = 0; i < 150; i++)
		o.stages = operation_stages_add(a, &o, OPERATION_WAITING, i + 1, NULL);
	list = operation_stages_json(&o);
	cr_expect_eq(json_array_size(list), 101);
	cr_expect_eq(operation_stages_newest(list, 0), 151);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(list, 0), "number")), 1);
}

Test(operation_stage, names)
{
	enum operation_stage stage;

	for (int i = 0; i < OPERATION_STAGES; i++) {
		cr_assert(operation_stage_parse(operation_stage_name((enum operation_stage)i), &stage));
		cr_expect_eq(stage, i);
	}
	cr_expect_not(operation_stage_parse("ended", &stage));
}

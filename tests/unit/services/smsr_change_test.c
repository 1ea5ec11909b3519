/* SPDX-License-Identifier: Apache-2.0 */
/* SM-SR1: a card is locked for its SM-SR change, handed over or kept, on a real database (procedures.md 3.20, decisions.md E1). */
#include <criterion/criterion.h>
#include <string.h>

#include "services/sm-sr/es4_card.h"
#include "tests/unit/services/smsr_fixture.h"

static struct stage *s;

#define TARGET "1.2.77"
#define NOBODY "00000000-0000-4000-8000-000000000000"
#define SAYS(text, what) cr_expect(strstr((text), (what)), "%s: %s", (what), (text))
#define SAYS_NOT(text, what) cr_expect(!strstr((text), (what)), "%s: %s", (what), (text))

static enum code code_of(result r)
{
	cr_assert_neq(r, OK);
	cr_assert_eq(r->status, STATUS_FAILED);
	return r->code;
}

/* The operator of OTHER orders it; the handover's id. */
static const char *locked(void)
{
	add_sm_sr(s, TARGET);
	cr_assert_eq(ask_smsr_change(s, OTHER, TARGET), OK);
	return running_id(s);
}

static result update_address(void)
{
	static const struct es4_update_subscription_address_rq none;
	struct es4_update_subscription_address_rq *in = arena_memdup(s->a, &none, sizeof(none));

	in->eid = s->eid;
	in->iccid = s->iccid[OTHER];
	in->address.msisdn = "4999";
	return ask(s, &s->operator[OTHER], FN_ES4_UpdateSubscriptionAddress, &es4_update_subscription_address_load,
		   es4_update_subscription_address, in, NULL);
}

static result update_rules(void)
{
	struct es4_update_policy_rules_rq *in = ARENA_NEW(s->a, struct es4_update_policy_rules_rq);

	in->eid = s->eid;
	in->iccid = s->iccid[OTHER];
	return ask(s, &s->operator[OTHER], FN_ES4_UpdatePolicyRules, &es4_update_policy_rules_load, es4_update_policy_rules, in,
		   NULL);
}

static result update_properties(void)
{
	static const struct entity eum = { .oid = { "1.2.1" }, .roles = ROLE_EUM };
	struct es1_update_properties_rq *in = ARENA_NEW(s->a, struct es1_update_properties_rq);
	struct property *one = ARENA_NEW(s->a, struct property);

	*one = (struct property){ "key", "value" };
	in->eid = s->eid;
	in->properties = (struct properties){ one, 1 };
	return ask(s, &eum, FN_ES1_UpdateEISAdditionalProperties, &es1_update_properties_load, es1_update_eis_additional_properties,
		   in, NULL);
}

static void the_order_locks_the_card_and_is_passed_on(void)
{
	struct smsr_look l;
	const char *id = locked();

	l = smsr_look(s);
	cr_expect_eq(l.busy, 1);
	cr_expect_str_eq(l.states, "7//");
	cr_expect_eq(l.asked_give_up, 0);
	SAYS(l.asked, arena_printf(s->a, "change {\"handover\":\"%s\",\"step\":\"change\",\"eid\":\"%s\"", id, s->eid.text));
	SAYS(l.asked, "\"operator\":\"1.2.6\"");
	SAYS(l.asked, "\"context_id\":\"\"");
	SAYS(l.asked, "\"target\":\"1.2.77\"");
	SAYS(l.asked, "\"until\":\"20");
	cr_expect_str_eq(l.answer, "");
	/* Nobody commands it, and nobody writes into what is under way. */
	cr_expect_eq(code_of(ask_enable(s, OTHER)), CODE_BUSY);
	cr_expect_eq(code_of(ask_audit(s, BASE)), CODE_BUSY);
	cr_expect_eq(code_of(ask_smsr_change(s, BASE, TARGET)), CODE_BUSY);
	cr_expect_eq(code_of(update_address()), CODE_BUSY);
	cr_expect_eq(code_of(update_rules()), CODE_BUSY);
	cr_expect_eq(code_of(update_properties()), CODE_BUSY);
	l = smsr_look(s);
	cr_expect_str_eq(l.states, "7//");
	cr_expect_str_eq(l.events, "");
	cr_expect_eq(ask_sm_sr(s, "unlock", id, ",\"code\":\"8.7/3.8\"", NULL), OK);
	cr_expect_eq(update_address(), OK);
	cr_expect_eq(update_rules(), OK);
	cr_expect_eq(update_properties(), OK);
	cr_expect_eq(ask_enable(s, OTHER), OK);
}

static void what_is_refused_changes_nothing(void)
{
	static const struct entity stranger = { .oid = { "1.2.99" }, .roles = ROLE_OPERATOR };
	struct es4_smsr_change_rq *in = ARENA_NEW(s->a, struct es4_smsr_change_rq);
	struct smsr_look l;

	cr_expect_eq(code_of(ask_smsr_change(s, OTHER, TARGET)), CODE_SMSR_UNKNOWN);
	/* Known, but as an operator. */
	cr_expect_eq(code_of(ask_smsr_change(s, OTHER, "1.2.5")), CODE_SMSR_UNKNOWN);
	cr_expect_eq(code_of(ask_smsr_change(s, OTHER, s->rpc.self.text)), CODE_SMSR_NO_TARGET);
	add_sm_sr(s, TARGET);
	in->eid = s->eid;
	cr_assert(oid_parse(TARGET, &in->target));
	cr_expect_eq(code_of(ask(s, &stranger, FN_ES4_SMSRChange, &es4_smsr_change_load, es4_smsr_change, in, NULL)),
		     CODE_EUICC_NOT_ALLOWED);
	cr_assert(eid_complete("890490320005008812000000000999", &in->eid));
	cr_expect_eq(code_of(ask(s, &s->operator[OTHER], FN_ES4_SMSRChange, &es4_smsr_change_load, es4_smsr_change, in, NULL)),
		     CODE_EID_UNKNOWN);
	l = smsr_look(s);
	cr_expect_eq(l.busy, 0);
	cr_expect_str_eq(l.asked, "");
	cr_expect_str_eq(l.states, "");
	/* Somebody commands it. */
	cr_assert_eq(ask_enable(s, OTHER), OK);
	cr_expect_eq(code_of(ask_smsr_change(s, OTHER, TARGET)), CODE_BUSY);
	l = smsr_look(s);
	cr_expect_eq(l.busy, 1);
	cr_expect_str_eq(l.asked, "");
}

static void the_handover_service_may_refuse_it(void)
{
	const char *id = locked();
	struct smsr_look l;

	cr_expect(reply_sm_sr(s, "change", id, NULL, ""));
	cr_expect_eq(smsr_look(s).busy, 1, "accepted: it is under way");
	cr_expect(reply_sm_sr(s, "change", NOBODY, "1.2/4.4", "of another one"));
	cr_expect_eq(smsr_look(s).busy, 1);
	cr_expect(reply_sm_sr(s, "change", id, "8.7/3.8", "not now"));
	l = smsr_look(s);
	cr_expect_eq(l.busy, 0);
	cr_expect_str_eq(l.states, "4/2/SMSR_REFUSED");
	SAYS(l.answer, "ES4-SMSRChangeResponse");
	SAYS(l.answer, "FAILED");
	SAYS(l.answer, ">8.7<");
	SAYS(l.answer, "not now");
	SAYS(l.events, "\"kind\":\"smsr_change\"");
	cr_expect(reply_sm_sr(s, "change", id, "8.7/3.8", "not now"));
	cr_expect_str_eq(smsr_look(s).states, "4/2/SMSR_REFUSED");
}

/* Nobody said how it ends: told that it expired, and still locked, for as long as it takes. */
static void no_clock_unlocks_it(void)
{
	const char *id = locked();
	struct smsr_look l;

	s->fci = "call-1";
	time_out(s, false);
	l = smsr_look(s);
	cr_expect_eq(l.busy, 1);
	cr_expect_str_eq(l.states, "8//");
	SAYS(l.answer, "EXPIRED");
	SAYS(l.answer, ">5.3<");
	time_out(s, true); /* as if its deadline came again */
	DB_QUEUE(s->db, SMSR_SWEEP_DUE, p_int(s->a, 1000), p_int(s->a, 1000), p_text(""), p_int(s->a, 1000));
	DB_QUEUE(s->db, SMSR_SWEEP_NEXT, p_int(s->a, 1000), p_int(s->a, 1000), p_text(""), p_int(s->a, 1000));
	{
		const struct rows *rows[2];

		cr_assert_eq(db_sync(s->db, s->a, rows, 2, NULL), OK);
		cr_expect_eq(rows_count(rows[0]), 0, "the sweeper would never sleep again");
		cr_expect(row_null(rows[1], 0, 0));
	}
	cr_expect_eq(code_of(ask_enable(s, OTHER)), CODE_BUSY);
	s->fci = "call-1";
	cr_expect_eq(ask_sm_sr(s, "unlock", id, ",\"code\":\"8.7/3.8\",\"message\":\"\"", NULL), OK);
	cr_expect_eq(ask_sm_sr(s, "unlock", id, ",\"code\":\"8.7/3.8\",\"message\":\"\"", NULL), OK);
	l = smsr_look(s);
	cr_expect_eq(l.busy, 0);
	SAYS(l.answer, "EXPIRED");
	SAYS_NOT(l.answer, "FAILED");
	SAYS(l.states, "4/2/SMSR_REFUSED");
	cr_expect_eq(l.rows, 6);
}

static void its_caller_is_told_when_nobody_knows(void)
{
	const char *id = locked();
	struct smsr_look l;

	cr_expect_eq(ask_sm_sr(s, "tell", NOBODY, ",\"code\":\"1.6/5.3\"", NULL), OK);
	cr_expect_str_eq(smsr_look(s).answer, "");
	cr_expect_eq(ask_sm_sr(s, "tell", id, ",\"code\":\"1.6/5.4\",\"message\":\"in doubt\"", NULL), OK);
	l = smsr_look(s);
	cr_expect_eq(l.busy, 1);
	cr_expect_str_eq(l.states, "8//");
	SAYS(l.answer, "EXPIRED");
	SAYS(l.answer, ">5.4<");
	SAYS(l.answer, "in doubt");
	cr_expect_eq(ask_sm_sr(s, "tell", id, ",\"code\":\"1.6/5.3\"", NULL), OK);
	SAYS(smsr_look(s).answer, ">5.4<");
	cr_expect_eq(ask_sm_sr(s, "drop", id, ",\"moved_to\":\"1.2.77\",\"status\":\"success\"", NULL), OK);
	l = smsr_look(s);
	cr_expect_eq(l.busy + l.rows, 0);
	SAYS(l.answer, ">5.4<");
	cr_expect_str_eq(l.states, "4/0/");
}

static void a_card_that_moved_leaves_a_tombstone_alone(void)
{
	static const char warning[] =
		",\"moved_to\":\"1.2.77\",\"status\":\"warning\",\"code\":\"8.1/3.3\",\"message\":\"it has it already\"";
	struct es4_get_eis_rq *in = ARENA_NEW(s->a, struct es4_get_eis_rq);
	struct es4_get_eis_rs out = { 0 };
	struct smsr_look l;
	const char *id;

	fill_card(s);
	id = locked();
	cr_expect_eq(smsr_look(s).rows, 17);
	cr_expect_eq(code_of(ask_sm_sr(s, "drop", NOBODY, warning, NULL)), CODE_SMSR_CHANGE_ENDED);
	cr_expect_eq(code_of(ask_sm_sr(s, "drop", id, ",\"moved_to\":\"1.2.77\",\"status\":\"well\"", NULL)), CODE_PARAM_INVALID);
	cr_expect_eq(code_of(ask_sm_sr(s, "drop", id, ",\"moved_to\":\"?\",\"status\":\"success\"", NULL)), CODE_PARAM_INVALID);
	l = smsr_look(s);
	cr_expect_eq(l.rows, 17);
	cr_expect_eq(l.busy, 1);
	cr_expect_str_eq(l.answer, "");
	cr_expect_eq(ask_sm_sr(s, "drop", id, warning, NULL), OK);
	l = smsr_look(s);
	cr_expect_eq(l.rows, 0);
	cr_expect_eq(l.busy, 0);
	cr_expect_str_eq(l.moved_to, TARGET);
	cr_expect_str_eq(l.states, "4/1/EUICC_MANAGED");
	SAYS(l.answer, "EXECUTED_WITHWARNING");
	SAYS(l.answer, ">8.1<");
	SAYS(l.answer, "it has it already");
	SAYS(l.events, "eis.left {");
	SAYS(l.events, "\"moved_to\":\"1.2.77\"");
	/* Again, and what can be too late. */
	cr_expect_eq(ask_sm_sr(s, "drop", id, warning, NULL), OK);
	cr_expect_eq(code_of(ask_sm_sr(s, "unlock", id, ",\"code\":\"8.7/3.8\"", NULL)), CODE_SMSR_CHANGE_ENDED);
	cr_expect_eq(ask_sm_sr(s, "tell", id, ",\"code\":\"1.6/5.3\"", NULL), OK);
	cr_expect_eq(code_of(ask_sm_sr(s, "export", id, "", NULL)), CODE_EID_UNKNOWN);
	cr_expect_str_eq(smsr_look(s).states, "4/1/EUICC_MANAGED");
	in->eid = s->eid;
	cr_expect_eq(code_of(ask(s, &s->operator[OTHER], FN_ES4_GetEIS, &es4_get_eis_load, es4_get_eis, in, &out)),
		     CODE_EID_UNKNOWN);
}

/* A change that ended as kept cannot drop what another one may hold. */
static void an_old_change_drops_nothing(void)
{
	const char *old = locked();

	cr_expect_eq(ask_sm_sr(s, "unlock", old, ",\"code\":\"8.7/3.8\"", NULL), OK);
	cr_assert_eq(ask_smsr_change(s, OTHER, TARGET), OK);
	cr_expect_eq(code_of(ask_sm_sr(s, "drop", old, ",\"moved_to\":\"1.2.77\",\"status\":\"success\"", NULL)),
		     CODE_SMSR_CHANGE_ENDED);
	cr_expect_eq(ask_sm_sr(s, "unlock", old, ",\"code\":\"8.7/3.8\"", NULL), OK);
	cr_expect_eq(code_of(ask_sm_sr(s, "export", old, "", NULL)), CODE_SMSR_CHANGE_ENDED);
	cr_expect_eq(smsr_look(s).busy, 1);
	cr_expect_eq(smsr_look(s).rows, 6);
}

static void the_eis_leaves_whole_and_without_keys(void)
{
	json_t *out;
	const char *id, *text;

	fill_card(s);
	add_third(s);
	made_by_smdp(s, THIRD, PROFILE_IN_CREATION);
	id = locked();
	cr_assert_eq(ask_sm_sr(s, "export", id, "", &out), OK);
	text = json_string_value(json_object_get(out, "eis"));
	cr_assert_not_null(text);
	SAYS(text, "<EumSignedInfo/><EumSignature/>");
	SAYS(text, s->iccid[BASE].text);
	SAYS(text, s->iccid[OTHER].text);
	SAYS_NOT(text, s->iccid[THIRD].text);
	SAYS(text, ">1</rps:Version><rps:Type>SCP80</rps:Type><rps:Cntr>7<");
	SAYS(text, ">64</rps:Version>");
	SAYS_NOT(text, "Key>");
	SAYS_NOT(text, "kcv");
	SAYS_NOT(text, "C0FFEE");
	SAYS(text, "key=\"example.lot\" value=\"4 &amp; 2\"");
	SAYS(text, "<rps:Smsr-id>1.2.9</rps:Smsr-id><rps:OperationDate>2026-01-02T03:04:05.678Z<");
	SAYS(text, ">0200</rps:OperationType>");
	SAYS(text, ">8.2.3<");
	cr_expect_lt(strstr(text, ">0200</rps:OperationType>"), strstr(text, ">0002</rps:OperationType>"),
		     "in its order, whatever its times");
	json_decref(out);
	cr_expect_eq(smsr_look(s).rows, 19);
}

/* Another SM-SR wrote them. What does not fit into a message would keep the card here for ever. */
static void of_a_long_audit_trail_the_newest_leave(void)
{
	const char *text;
	json_t *out;

	fill_card(s);
	DB_QUEUE(s->db, T_LONG_TRAIL, p_text(s->eid.text), p_int(s->a, 20));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	cr_assert_eq(ask_sm_sr(s, "export", locked(), "", &out), OK);
	text = json_string_value(json_object_get(out, "eis"));
	cr_expect_leq(strlen(text), EIS_TEXT_MAX);
	SAYS(text, ">0014</rps:OperationType>");
	SAYS(text, ">000A</rps:OperationType>");
	SAYS_NOT(text, ">0001</rps:OperationType>");
	json_decref(out);
}

Test(smsr_change, one_sm_sr_gives_a_card_away, .timeout = 120)
{
	static void (*const cases[])(void) = {
		the_order_locks_the_card_and_is_passed_on,
		what_is_refused_changes_nothing,
		the_handover_service_may_refuse_it,
		no_clock_unlocks_it,
		its_caller_is_told_when_nobody_knows,
		a_card_that_moved_leaves_a_tombstone_alone,
		an_old_change_drops_nothing,
		the_eis_leaves_whole_and_without_keys,
		of_a_long_audit_trail_the_newest_leave,
	};

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	for (size_t i = 0; i < LEN(cases); i++) {
		stage_reset(s);
		cases[i]();
	}
	stage_drop(s);
}

/* ---- SM-SR2 is told that it will come ---- */

#define ELSEWHERE "890490320005008812000000000777"

static result prepare(const struct entity *caller, const struct eid *eid, const char *current)
{
	struct es4_prepare_smsr_change_rq *in = ARENA_NEW(s->a, struct es4_prepare_smsr_change_rq);

	in->eid = *eid;
	cr_assert(oid_parse(current, &in->current));
	return ask(s, caller, FN_ES4_PrepareSMSRChange, &es4_prepare_smsr_change_load, es4_prepare_smsr_change, in, NULL);
}

static const char *handover_asked(void)
{
	const char *asked = smsr_look(s).asked, *last = strrchr(asked, '\n');
	const char *id = strstr(last ? last : asked, "\"handover\":\"");

	cr_assert_not_null(id, "%s", asked);
	return arena_strndup(s->a, id + strlen("\"handover\":\""), UUID_TEXT - 1);
}

/* How each ends; the operator that asks is any. */
static void prepared(const struct eid *eid, const char *code, bool given_up, const char *status, const char *reason)
{
	const char *id;
	struct smsr_look l;

	cr_assert_eq(prepare(&s->operator[BASE], eid, TARGET), OK);
	id = handover_asked();
	l = smsr_look(s);
	cr_expect_eq(l.prepares, 1);
	cr_expect_eq(l.busy, 0);
	cr_expect(l.asked_give_up > 700 && l.asked_give_up <= 720, "%lld", (long long)l.asked_give_up);
	SAYS(l.asked, "prepare {");
	SAYS(l.asked, "\"step\":\"prepare\"");
	SAYS(l.asked, "\"current\":\"1.2.77\"");
	cr_expect_str_eq(l.answer, "");
	if (given_up)
		cr_expect(reply_given_up(s, "prepare", id));
	else
		cr_expect(reply_sm_sr(s, "prepare", id, code, "why"));
	l = smsr_look(s);
	cr_expect_eq(l.prepares, 0);
	SAYS(l.answer, "ES4-PrepareSMSRChangeResponse");
	SAYS(l.answer, status);
	SAYS(l.answer, reason);
	/* A second word is too late. */
	cr_expect(reply_sm_sr(s, "prepare", id, "1.2/4.4", "later"));
	SAYS(smsr_look(s).answer, status);
}

Test(smsr_change, another_is_told_that_it_comes, .timeout = 120)
{
	struct eid elsewhere;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	stage_reset(s);
	cr_assert(eid_complete(ELSEWHERE, &elsewhere));
	cr_expect_eq(code_of(prepare(&s->operator[BASE], &s->eid, TARGET)), CODE_EUICC_MANAGED);
	cr_expect_eq(code_of(prepare(&s->operator[BASE], &elsewhere, TARGET)), CODE_SMSR_UNKNOWN);
	cr_expect_eq(code_of(prepare(&s->operator[BASE], &elsewhere, s->rpc.self.text)), CODE_PARAM_INVALID);
	cr_expect_str_eq(smsr_look(s).asked, "");
	cr_expect_eq(smsr_look(s).prepares, 0);
	add_sm_sr(s, TARGET);
	prepared(&elsewhere, NULL, false, "EXECUTED_SUCCESS", "");
	prepared(&elsewhere, "1.2/4.4", false, "FAILED", ">4.4<");
	prepared(&elsewhere, "8.9/9.9", false, "FAILED", ">8.7<"); /* a code that only another release knows */
	prepared(&elsewhere, NULL, true, "EXPIRED", ">5.3<");
	stage_drop(s);
}

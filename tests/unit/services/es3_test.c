/* SPDX-License-Identifier: Apache-2.0 */
/* ES3 where it has the functions of ES4, on a real database: what an SM-DP may do and see, and who is told of it by which way. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "tests/unit/services/procedure_fixture.h"

static struct stage *s;

#define SAYS(answer, what) cr_expect(strstr((answer) ? (answer) : "", (what)), "%s: %s", (what), (answer) ? (answer) : "(none)")
#define SAYS_NOT(answer, what) cr_expect(answer && !strstr((answer), (what)), "%s: %s", (what), (answer) ? (answer) : "(none)")

/* The functions that name one profile, by the SM-DP. */
static result ask_smdp(enum function_id id, enum profile_at p)
{
	static result (*const handlers[FN_COUNT])(struct rq * rq, const void *in, void *out) = {
		[FN_ES3_EnableProfile] = es4_enable_profile,
		[FN_ES3_DisableProfile] = es4_disable_profile,
		[FN_ES3_DeleteISDP] = es4_delete_profile,
	};
	struct es4_profile_rq *in = ARENA_NEW(s->a, struct es4_profile_rq);

	in->eid = s->eid;
	in->iccid = s->iccid[p];
	return ask(s, &s->smdp, id, &es4_profile_load, handlers[id], in, NULL);
}

static enum code code_of(result r)
{
	cr_assert_neq(r, OK);
	return r->code;
}

/* The card executes what is queued, attaches with `to`, and that is confirmed. */
static void card_switches(enum command_kind kind, enum profile_at to, uint16_t seq)
{
	card_session(s);
	cr_assert_eq(card_fetch(s), kind);
	card_answer1(s, "", SW_OK);
	card_session(s);
	cr_assert(card_notify(s, NOTE_CHANGE_OK, seq, to));
	card_answer1(s, "", SW_OK);
}

static void what_an_sm_dp_orders_is_answered_on_es3(void)
{
	struct look l;

	add_smdp(s, true);
	cr_assert_eq(ask_smdp(FN_ES3_EnableProfile, OTHER), OK);
	cr_expect_eq(code_of(ask_enable(s, OTHER)), CODE_BUSY);
	s->fci = "call-1";
	card_switches(COMMAND_ENABLE, OTHER, 1);
	l = look(s);
	cr_expect_str_eq(l.enabled, s->iccid[OTHER].text);
	SAYS(l.answer, "ES3-EnableProfileResponse");
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_str_eq(l.trail, "2- 512/0");
	/* OTHER's operator stands behind the SM-DP: it hears by the answer, on neither way. */
	cr_expect_str_eq(l.told, "ES4-HandleProfileDisabledNotification>1.2.5");
	cr_assert_eq(ask_smdp(FN_ES3_DisableProfile, OTHER), OK);
	card_switches(COMMAND_DISABLE, BASE, 2);
	SAYS(look(s).answer, "ES3-DisableProfileResponse");
	cr_assert_eq(ask_smdp(FN_ES3_DeleteISDP, OTHER), OK);
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_DELETE);
	card_answer1(s, "", SW_OK);
	l = look(s);
	SAYS(l.answer, "ES3-DeleteISDPResponse");
	cr_expect_eq(l.profiles, 1);
	cr_expect_eq(s->c->eis.remaining_memory, 600);
	cr_expect_eq(l.busy + l.open_commands, 0);
	cr_expect_str_eq(l.told, "ES4-HandleProfileDisabledNotification>1.2.5 ES4-HandleProfileEnabledNotification>1.2.5");
}

static void other_is_enabled_by_its_operator(void)
{
	cr_assert_eq(ask_enable(s, OTHER), OK);
	card_switches(COMMAND_ENABLE, OTHER, 1);
}

static void owners_without_an_address_are_told_through_an_sm_dp(void)
{
	add_smdp(s, true);
	unaddressed(s, BASE);
	other_is_enabled_by_its_operator();
	cr_expect_str_eq(look(s).told, ""); /* BASE's operator is nobody's customer */

	stage_reset(s);
	add_smdp(s, true);
	unaddressed(s, BASE);
	made_by_smdp(s, BASE, PROFILE_ENABLED);
	other_is_enabled_by_its_operator();
	cr_expect_str_eq(look(s).told, "ES3-HandleProfileDisabledNotification>1.2.8"); /* it made the profile */
	SAYS(outbox_body_of(s, "ES3-HandleProfileDisabledNotification"), "Mno-id>1.2.5<");

	stage_reset(s);
	add_smdp(s, true);
	unaddressed(s, OTHER);
	other_is_enabled_by_its_operator();
	cr_assert_eq(ask_enable(s, BASE), OK);
	card_switches(COMMAND_ENABLE, BASE, 2);
	/* OTHER's operator is its customer; BASE's is connected. */
	cr_expect_str_eq(look(s).told, "ES3-HandleProfileDisabledNotification>1.2.8 ES4-HandleProfileDisabledNotification>1.2.5");
	SAYS(outbox_body_of(s, "ES3-HandleProfileDisabledNotification"), "Mno-id>1.2.6<");

	stage_reset(s);
	add_smdp(s, false);
	unaddressed(s, BASE);
	made_by_smdp(s, BASE, PROFILE_ENABLED);
	other_is_enabled_by_its_operator();
	cr_expect_str_eq(look(s).told, ""); /* no way leads to it */
}

static void an_sm_dp_reaches_only_its_own(void)
{
	struct entity other = s->smdp;

	add_smdp(s, true);
	cr_expect_eq(code_of(ask_smdp(FN_ES3_EnableProfile, BASE)), CODE_PROFILE_NOT_ALLOWED);
	cr_expect_eq(code_of(ask_smdp(FN_ES3_EnableProfile, THIRD)), CODE_ICCID_UNKNOWN);
	cr_expect_eq(code_of(ask_smdp(FN_ES3_DisableProfile, OTHER)), CODE_PROFILE_NOT_ALLOWED); /* it is not enabled */
	made_by_smdp(s, OTHER, PROFILE_IN_CREATION);
	cr_expect_eq(code_of(ask_smdp(FN_ES3_EnableProfile, OTHER)), CODE_ICCID_UNKNOWN);
	cr_expect_eq(code_of(ask_delete(s, OTHER)), CODE_ICCID_UNKNOWN);
	made_by_smdp(s, OTHER, PROFILE_CREATED);
	cr_expect_eq(code_of(ask_smdp(FN_ES3_EnableProfile, OTHER)), CODE_PROFILE_NOT_ALLOWED);
	cr_expect_eq(code_of(ask_delete(s, OTHER)), CODE_PROFILE_NOT_ALLOWED); /* not complete: not the operator's */
	cr_assert(oid_parse("1.2.88", &other.oid));
	cr_expect_eq(code_of(ask(s, &other, FN_ES3_DeleteISDP, &es4_profile_load, es4_delete_profile,
				 &(const struct es4_profile_rq){ .eid = s->eid, .iccid = s->iccid[OTHER] }, NULL)),
		     CODE_PROFILE_NOT_ALLOWED); /* whose customer the operator is, but which did not make it */
	cr_expect_eq(look(s).open_commands, 0);
	cr_assert_eq(ask_smdp(FN_ES3_DeleteISDP, OTHER), OK);
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_DELETE);
	card_answer1(s, "", SW_NOT_FOUND);
	SAYS(look(s).answer, "EXECUTED_WITHWARNING");
	cr_expect_eq(look(s).profiles, 1);
	cr_expect_eq(s->c->eis.remaining_memory, 600);
	cr_expect_str_eq(look(s).told, "");
}

static const struct eis *eis_of(const struct entity *caller)
{
	const struct es4_get_eis_rq in = { .eid = s->eid };
	struct es4_get_eis_rs *out = ARENA_NEW(s->a, struct es4_get_eis_rs);

	cr_assert_eq(ask(s, caller, FN_ES3_GetEIS, &es4_get_eis_load, es4_get_eis, &in, out), OK);
	return out->eis;
}

static void what_an_sm_dp_sees(void)
{
	struct entity other = s->smdp;

	other.n_customers = 0;
	cr_expect_eq(eis_of(&other)->n_profiles, 0); /* the card is seen all the same: a download begins so */
	cr_assert_eq(eis_of(&s->smdp)->n_profiles, 1);
	cr_expect(iccid_equal(&eis_of(&s->smdp)->profiles[0].iccid, &s->iccid[OTHER]));
	made_by_smdp(s, BASE, PROFILE_CREATED);
	cr_expect_eq(eis_of(&other)->n_profiles, 1);
	cr_expect_eq(eis_of(&s->smdp)->n_profiles, 2);
	made_by_smdp(s, BASE, PROFILE_IN_CREATION);
	cr_expect_eq(eis_of(&other)->n_profiles, 0);
	cr_assert(oid_parse("1.2.88", &other.oid));
	other.n_customers = 1;
	made_by_smdp(s, OTHER, PROFILE_CREATED);
	cr_expect_eq(eis_of(&other)->n_profiles, 0); /* its customer's, but not complete */
}

static result ask_audit_smdp(struct entity *caller, struct iccid *iccid)
{
	struct es4_audit_eis_rq *in = ARENA_NEW(s->a, struct es4_audit_eis_rq);

	*in = (struct es4_audit_eis_rq){ .eid = s->eid, .iccids = iccid, .n_iccids = iccid != NULL };
	return ask(s, caller, FN_ES3_AuditEIS, &es4_audit_eis_load, es4_audit_eis, in, NULL);
}

static void an_audit_shows_what_the_sm_dp_may_see(void)
{
	static const uint16_t sw[] = { SW_OK, SW_NOT_FOUND };
	struct entity stranger = s->smdp;
	CLEANUP(buf_free) struct buf list = { 0 };
	const char *data[] = { NULL, "" };
	struct look l;

	add_smdp(s, true);
	stranger.n_customers = 0;
	cr_expect_eq(code_of(ask_audit_smdp(&stranger, NULL)), CODE_EUICC_NOT_ALLOWED);
	cr_expect_eq(code_of(ask_audit_smdp(&s->smdp, &s->iccid[BASE])), CODE_ICCID_UNKNOWN);
	cr_assert_eq(ask_audit_smdp(&s->smdp, NULL), OK);
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	for (int p = BASE; p <= OTHER; p++)
		isdr_status_build(&list, &(const struct isdp_status){ .aid = s->isdp[p],
								      .state = p == BASE ? ISDP_ENABLED : ISDP_DISABLED,
								      .fallback = p == BASE,
								      .memory = -1,
								      .free = -1 });
	data[0] = hex_text(s->a, (const uint8_t *)list.data, list.len);
	card_answer(s, 2, data, sw);
	l = look(s);
	SAYS(l.answer, "ES3-AuditEISResponse");
	SAYS(l.answer, s->iccid[OTHER].text);
	SAYS_NOT(l.answer, s->iccid[BASE].text);
}

static void rules_that_are_left_out_are_none(void)
{
	struct pol2_rule rule = { POL2_PROFILE, POL2_DELETE, POL2_NOT_ALLOWED };
	struct pol2 rules = { &rule, 1 };
	struct es3_update_policy_rules_rq in = { .eid = s->eid, .iccid = s->iccid[OTHER], .pol2 = &rules };

	cr_assert_eq(ask(s, &s->smdp, FN_ES3_UpdatePolicyRules, &es3_update_policy_rules_load, es3_update_policy_rules, &in, NULL),
		     OK);
	cr_expect_eq(code_of(ask_delete(s, OTHER)), CODE_POL2_REFUSES);
	in.pol2 = NULL;
	cr_assert_eq(ask(s, &s->smdp, FN_ES3_UpdatePolicyRules, &es3_update_policy_rules_load, es3_update_policy_rules, &in, NULL),
		     OK);
	cr_expect_eq(ask_delete(s, OTHER), OK);
	in.iccid = s->iccid[BASE];
	cr_expect_eq(code_of(ask(s, &s->smdp, FN_ES3_UpdatePolicyRules, &es3_update_policy_rules_load, es3_update_policy_rules, &in,
				 NULL)),
		     CODE_PROFILE_NOT_ALLOWED);
}

Test(es3, on_one_card)
{
	static void (*const tests[])(
		void) = { what_an_sm_dp_orders_is_answered_on_es3, owners_without_an_address_are_told_through_an_sm_dp,
			  an_sm_dp_reaches_only_its_own,           what_an_sm_dp_sees,
			  an_audit_shows_what_the_sm_dp_may_see,   rules_that_are_left_out_are_none };

	s = stage_make();
	for (size_t i = 0; i < LEN(tests); i++) {
		stage_reset(s);
		tests[i]();
	}
	stage_drop(s);
}

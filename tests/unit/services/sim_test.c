/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/card/script.h"
#include "tests/unit/services/sim_fixture.h"

static struct card *card(struct sim_test *t)
{
	return sim_test_card(t, 0)->card;
}

static bool confirmed(struct sim_test *t)
{
	return card(t)->phase == CARD_IDLE && card(t)->attached_once && !card(t)->pending && !sim_test_card(t, 0)->session;
}

static bool confirmed_twice(struct sim_test *t)
{
	return confirmed(t) && card(t)->seq == 2;
}

static bool confirmed_three_times(struct sim_test *t)
{
	return confirmed(t) && card(t)->seq == 3;
}

static bool is_off(struct sim_test *t)
{
	return !card(t)->powered;
}

static bool has_por(struct sim_test *t)
{
	return t->esme.n_por > 0 && t->esme.n_receipts > 0;
}

static bool is_answered(struct sim_test *t)
{
	return t->esme.n_answered > 0;
}

static bool all_waiting(struct sim_test *t)
{
	return sim_test_card(t, 0)->n_waiting > 0;
}

/* Attached, confirmed, ESME bound; the next triggered session enables the second profile. */
static void ready_to_switch(struct sim_test *t)
{
	struct aid second = aid_isdp(0x11);

	t->smsr.confirms[NOTE_FIRST_ATTACH] = true;
	sim_test_start(t);
	sim_test_bind(t, "secret12");
	life_power(sim_test_card(t, 0), true);
	cr_assert(sim_test_until(t, confirmed));
	cr_assert_eq(t->smsr.n_notes, 1);
	isdr_enable_profile(&t->smsr.script, &second);
}

Test(sim, a_trigger_switches_the_card_and_it_says_so)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp80_por por;
	struct sim_test t;

	sim_test_make(&t, true);
	ready_to_switch(&t);
	t.smsr.confirms[NOTE_CHANGE_OK] = true;
	sim_test_trigger(&t);
	cr_assert(sim_test_until(&t, confirmed_twice));
	cr_assert_eq(card_enabled(card(&t)), 1);
	cr_assert_eq(card(&t)->switches, 1);
	cr_assert_eq(t.smsr.last_sw, SW_OK);
	cr_assert_eq(t.smsr.notes[1], NOTE_CHANGE_OK);
	cr_assert(sim_test_until(&t, has_por));
	cr_assert(sim_test_por(&t, a, &por));
	cr_assert_eq(por.status, POR_OK);
	cr_assert_str_eq(t.esme.from, "883500000000", "the number that it had when it was called");
	cr_assert_str_eq(t.esme.receipt_state, "DELIVRD");
	cr_assert(smpp_id_equal(t.esme.receipt_id, t.esme.id));
	cr_assert_null(fleet_by_number(t.sim.fleet, "883500000000"));
	cr_assert_eq(fleet_by_number(t.sim.fleet, "+883500000001"), sim_test_card(&t, 0));
	sim_test_end(&t);
}

Test(sim, a_switch_that_nobody_confirms_is_rolled_back)
{
	struct sim_test t;

	sim_test_make(&t, true);
	ready_to_switch(&t);
	t.smsr.confirms[NOTE_ROLLED_BACK] = true;
	sim_test_trigger(&t);
	cr_assert(sim_test_until(&t, confirmed_three_times));
	cr_assert_eq(card_enabled(card(&t)), 0);
	cr_assert_eq(t.smsr.n_notes, 1 + 3 + 1, "once and two retries, then the roll-back");
	cr_assert_eq(t.smsr.notes[3], NOTE_CHANGE_OK);
	cr_assert_eq(t.smsr.notes[4], NOTE_ROLLED_BACK);
	sim_test_end(&t);
}

Test(sim, a_network_that_refuses_rolls_back)
{
	struct sim_test t;

	sim_test_make(&t, true);
	ready_to_switch(&t);
	t.smsr.confirms[NOTE_ROLLED_BACK] = true;
	hook_arm(t.sim.hooks, HOOK_REFUSE_ATTACH, NULL, 0, card(&t)->profiles[1].iccid.text);
	sim_test_trigger(&t);
	cr_assert(sim_test_until(&t, confirmed_twice));
	cr_assert_eq(card_enabled(card(&t)), 0);
	cr_assert_eq(t.smsr.notes[1], NOTE_ROLLED_BACK);
	sim_test_end(&t);
}

Test(sim, what_was_executed_outlives_power_and_process)
{
	struct sim_test t;

	sim_test_make(&t, true);
	ready_to_switch(&t);
	hook_arm(t.sim.hooks, HOOK_POWER_CUT, &card(&t)->eid, 1, "after-script");
	sim_test_trigger(&t);
	cr_assert(sim_test_until(&t, is_off));
	cr_assert_eq(t.smsr.n_answers, 1, "the confirmation's alone");
	sim_test_restart(&t);
	cr_assert_not(card(&t)->powered);
	t.smsr.confirms[NOTE_CHANGE_OK] = true;
	life_power(sim_test_card(&t, 0), true);
	cr_assert(sim_test_until(&t, confirmed_twice));
	cr_assert_eq(card_enabled(card(&t)), 1);
	cr_assert_eq(card(&t)->switches, 1);
	sim_test_end(&t);
}

Test(sim, a_session_that_fails_is_opened_again)
{
	struct sim_test t;

	sim_test_make(&t, true);
	ready_to_switch(&t);
	t.smsr.confirms[NOTE_CHANGE_OK] = true;
	hook_arm(t.sim.hooks, HOOK_WRONG_PSK, NULL, 1, "");
	hook_arm(t.sim.hooks, HOOK_RESUME, NULL, 1, "");
	hook_arm(t.sim.hooks, HOOK_DUPLICATE_SMS, NULL, 1, "");
	sim_test_trigger(&t);
	sim_test_for(&t, 300);
	/* The script went out once; resumed, the session found nothing more to do: the SM-SR of this test does not send again. */
	cr_assert_eq(card(&t)->switches, 0);
	cr_assert_eq(t.esme.n_por, 1, "the double has an old counter");
	cr_assert_eq(t.sim.open_sessions, 0);
	sim_test_end(&t);
}

Test(sim, an_sms_waits_for_its_card)
{
	struct sim_test t;

	sim_test_make(&t, true);
	ready_to_switch(&t);
	life_power(sim_test_card(&t, 0), false);
	t.smsr.confirms[NOTE_CHANGE_OK] = true;
	sim_test_trigger(&t);
	cr_assert(sim_test_until(&t, all_waiting));
	sim_test_for(&t, 50);
	cr_assert_eq(t.esme.n_receipts, 0);
	life_power(sim_test_card(&t, 0), true);
	cr_assert(sim_test_until(&t, confirmed_twice));
	cr_assert(sim_test_until(&t, has_por));
	sim_test_end(&t);
}

Test(sim, numbers_and_passwords_that_nobody_has_are_refused)
{
	const uint8_t data[] = { 0x81, 0x00 };
	struct sim_test t;

	sim_test_make(&t, true);
	sim_test_start(&t);
	sim_test_bind(&t, "secret12");
	sim_test_submit(&t, "883500000001", (struct bytes){ data, sizeof(data) }); /* of a profile that is not enabled */
	cr_assert(sim_test_until(&t, is_answered));
	cr_assert_eq(t.esme.status, SMPP_INVALID_DESTINATION);
	smpp_close(t.esme.session);
	sim_test_bind(&t, "secret13");
	sim_test_for(&t, 200);
	cr_assert_not(smpp_is_bound(t.esme.session));
	sim_test_end(&t);
}

static bool has_sms(struct sim_test *t)
{
	return t->esme.n_por > 0;
}

static bool has_answer(struct sim_test *t)
{
	return t->esme.n_por > 1 && confirmed(t);
}

Test(sim, a_card_without_http_speaks_by_sms)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf confirm = { 0 };
	CLEANUP(buf_free) struct buf script = { 0 };
	uint8_t unknown[205] = { 0x80, 0xFF, 0x00, 0x00, 200 }; /* so long that the script takes two SMS */
	struct script_answer answer;
	struct bytes apdus[2];
	struct scp80_por por;
	const char *why = "";
	struct sim_test t;

	sim_test_make(&t, false);
	t.config.retry_ms = 60000; /* one notification */
	sim_test_start(&t);
	sim_test_bind(&t, "secret12");
	life_power(sim_test_card(&t, 0), true);
	cr_assert(sim_test_until(&t, has_sms));
	isdr_confirm_notification(&confirm, 1);
	apdus[0] = (struct bytes){ (const uint8_t *)confirm.data, confirm.len };
	apdus[1] = (struct bytes){ unknown, sizeof(unknown) };
	script_build(&script, SCRIPT_DEFINITE, apdus, LEN(apdus));
	sim_test_submit(&t, "883500000000", (struct bytes){ (const uint8_t *)script.data, script.len });
	cr_assert(sim_test_until(&t, has_answer));
	cr_assert(sim_test_por(&t, a, &por));
	cr_assert(script_answer_parse(por.data, &answer, &why), "%s", why);
	cr_assert_eq(answer.n, 2);
	cr_assert_eq(answer.results[0].sw, SW_OK);
	cr_assert_eq(answer.results[1].sw, SW_BAD_INS);
	sim_test_end(&t);
}

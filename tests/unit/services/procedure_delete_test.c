/* SPDX-License-Identifier: Apache-2.0 */
/* Disabling and deleting on a real database, and what POL1 and POL2 delete by themselves. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "tests/unit/services/procedure_fixture.h"

static struct stage *s;

#define SAYS(answer, what) cr_expect(strstr((answer) ? (answer) : "", (what)), "%s: %s", (what), (answer) ? (answer) : "(none)")
#define AUTO_DELETE_RULE { (const uint8_t *)"\0\1\1", 3 }
#define NO_DISABLE_RULE { (const uint8_t *)"\0\1\0", 3 }
#define NO_DELETE_RULE { (const uint8_t *)"\0\2\0", 3 }

/* A GET STATUS list: profiles with state 0 are not there. */
static void answer_status(unsigned base, unsigned other)
{
	const unsigned states[] = { base, other };
	CLEANUP(buf_free) struct buf tlv = { 0 };
	const uint16_t sw[] = { SW_OK, SW_NOT_FOUND };
	const char *data[] = { NULL, "" };

	for (int p = BASE; p <= OTHER; p++) {
		const struct isdp_status one = {
			.aid = s->isdp[p], .state = (uint8_t)states[p], .fallback = p == BASE, .memory = -1, .free = -1
		};

		if (states[p])
			isdr_status_build(&tlv, &one);
	}
	data[0] = hex_text(s->a, (const uint8_t *)tlv.data, tlv.len);
	card_answer(s, 2, data, sw);
}

/* The card executes what is queued, attaches with `to`, and its word is confirmed. deleted: ISD-P that POL1 deletes; -1: none. */
static void card_switches(enum command_kind kind, enum profile_at to, uint16_t seq, int deleted)
{
	CLEANUP(buf_free) struct buf gone = { 0 };

	cr_assert_eq(card_fetch(s), kind);
	card_answer1(s, "", SW_OK);
	card_session(s);
	cr_assert(card_notify(s, NOTE_CHANGE_OK, seq, to));
	isdr_confirmed_build(&gone, deleted < 0 ? NULL : &s->isdp[deleted], deleted >= 0);
	card_answer1(s, hex_text(s->a, (const uint8_t *)gone.data, gone.len), SW_OK);
}

/* OTHER is the enabled one. */
static void other_enabled(void)
{
	cr_assert_eq(ask_enable(s, OTHER), OK);
	card_session(s);
	card_switches(COMMAND_ENABLE, OTHER, 1, -1);
	cr_assert_str_eq(look(s).enabled, s->iccid[OTHER].text);
}

static void disabling_lets_the_fall_back_profile_take_over(void)
{
	struct look l;

	cr_expect_eq(ask_disable(s, BASE)->code, CODE_PROFILE_NOT_ALLOWED); /* it is the holder */
	cr_expect_eq(ask_disable(s, OTHER)->code, CODE_PROFILE_NOT_ALLOWED); /* not enabled */
	other_enabled();
	cr_assert_eq(ask_disable(s, OTHER), OK);
	card_switches(COMMAND_DISABLE, BASE, 2, -1);
	l = look(s);
	cr_expect_str_eq(l.enabled, s->iccid[BASE].text);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_str_eq(l.states, "4/0/ 4/0/");
	cr_expect_str_eq(l.trail, "2- 2- 512/0 768/0");
	/* Of the enable: BASE's owner lost it; of the disable: BASE is back. Who asked hears it by the answer. */
	cr_expect_str_eq(l.told, "ES4-HandleProfileDisabledNotification>1.2.5 ES4-HandleProfileEnabledNotification>1.2.5");
	cr_expect_eq(l.open_commands + l.busy, 0);
	cr_expect(!l.uncertain && !l.expired_aid && !*l.auto_delete);
}

static void what_a_disable_expired_for_is_not_confirmed(void)
{
	struct look l;

	other_enabled();
	cr_assert_eq(ask_disable(s, OTHER), OK);
	cr_assert_eq(card_fetch(s), COMMAND_DISABLE);
	card_answer1(s, "", SW_OK);
	time_out(s, false);
	l = look(s);
	SAYS(l.answer, "5.4");
	cr_expect(l.expired_aid);
	card_session(s);
	cr_expect(!card_notify(s, NOTE_CHANGE_OK, 2, BASE));
	cr_assert(card_notify(s, NOTE_ROLLED_BACK, 3, OTHER));
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect_str_eq(l.enabled, s->iccid[OTHER].text);
	cr_expect(!l.expired_aid);
}

static void a_disable_whose_answer_was_lost_is_audited(void)
{
	other_enabled();
	cr_assert_eq(ask_disable(s, OTHER), OK);
	cr_assert_eq(card_fetch(s), COMMAND_DISABLE);
	card_session(s); /* nothing was answered */
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_status(ISDP_ENABLED, ISDP_DISABLED); /* it had executed it */
	cr_expect_eq(look(s).open_commands, 0);
	cr_assert(card_notify(s, NOTE_CHANGE_OK, 2, BASE));
	card_answer1(s, "", SW_OK);
	SAYS(look(s).answer, "EXECUTED_SUCCESS");
	cr_expect_str_eq(look(s).enabled, s->iccid[BASE].text);
}

static void deleting_what_is_disabled(void)
{
	struct look l;

	cr_expect_eq(ask_delete(s, BASE)->code, CODE_PROFILE_NOT_ALLOWED);
	cr_assert_eq(ask_delete(s, OTHER), OK);
	cr_expect_eq(ask_delete(s, OTHER)->code, CODE_BUSY);
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_DELETE);
	s->fci = "call-2";
	card_answer1(s, "", SW_OK);
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_eq(l.profiles, 1);
	cr_expect_str_eq(l.states, "4/0/");
	cr_expect_str_eq(l.trail, "1024/0");
	cr_expect_str_eq(l.told, "");
	cr_expect_str_eq(l.events, "procedure.ended profile.deleted");
	cr_expect_eq(l.open_commands + l.busy, 0);
}

static void the_card_may_not_have_it_or_may_refuse(void)
{
	struct look l;

	cr_assert_eq(ask_delete(s, OTHER), OK);
	card_session(s);
	(void)card_fetch(s);
	card_answer1(s, "", SW_POL1);
	l = look(s);
	SAYS(l.answer, "8.2.2");
	cr_expect_eq(l.profiles, 2);
	cr_assert_eq(ask_delete(s, OTHER), OK);
	(void)card_fetch(s);
	card_answer1(s, "", SW_NOT_FOUND);
	l = look(s);
	SAYS(l.answer, "EXECUTED_WITHWARNING");
	cr_expect_eq(l.profiles, 1);
	cr_expect(!l.uncertain);
}

static void a_lost_delete_is_looked_for(void)
{
	struct look l;

	/* It did not get through: once more. */
	cr_assert_eq(ask_delete(s, OTHER), OK);
	card_session(s);
	(void)card_fetch(s);
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_status(ISDP_ENABLED, ISDP_DISABLED);
	cr_assert_eq(card_fetch(s), COMMAND_DELETE);
	cr_expect_str_eq(look(s).states, "6//");
	/* It did: the audit is as good as the answer. */
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_status(ISDP_ENABLED, 0);
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_eq(l.profiles, 1);
	cr_expect_eq(l.open_commands + l.busy, 0);
	cr_expect_str_eq(l.told, "");
	cr_expect_str_eq(l.events, "procedure.ended profile.deleted");
}

static void an_expired_delete_is_told_when_it_is_found(void)
{
	struct look l;

	cr_assert_eq(ask_delete(s, OTHER), OK);
	card_session(s);
	(void)card_fetch(s);
	time_out(s, false);
	l = look(s);
	SAYS(l.answer, "5.4");
	cr_expect(l.uncertain && l.open_commands == 1); /* the audit that wakes it */
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_status(ISDP_ENABLED, 0);
	l = look(s);
	cr_expect_eq(l.profiles, 1);
	/* Also to who asked: it was told EXPIRED. */
	cr_expect_str_eq(l.told, "ES4-HandleProfileDeletedNotification>1.2.6");
}

static void deleting_what_is_enabled_disables_it_first(void)
{
	struct look l;

	other_enabled();
	cr_assert_eq(ask_delete(s, OTHER), OK);
	cr_expect_str_eq(look(s).states, "4/0/ 0//");
	card_switches(COMMAND_DISABLE, BASE, 2, -1);
	l = look(s);
	cr_expect_str_eq(l.enabled, s->iccid[BASE].text);
	cr_expect_str_eq(l.states, "4/0/ 5//");
	cr_expect_null(l.answer);
	cr_assert_eq(card_fetch(s), COMMAND_DELETE);
	card_answer1(s, "", SW_OK);
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_eq(l.profiles, 1);
	cr_expect_str_eq(l.trail, "2- 2- 512/0 1024/0");
	cr_expect_eq(l.open_commands + l.busy, 0);
}

static void pol1_may_delete_it_before_us(void)
{
	struct look l;

	other_enabled();
	cr_assert_eq(ask_delete(s, OTHER), OK);
	card_switches(COMMAND_DISABLE, BASE, 2, OTHER);
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_eq(l.profiles, 1);
	cr_expect_eq(l.open_commands + l.busy, 0);
	cr_expect_str_eq(l.states, "4/0/ 4/0/");
}

static void pol1_deletes_and_the_owner_is_told(void)
{
	struct look l;

	other_enabled();
	cr_assert_eq(ask_disable(s, OTHER), OK);
	card_switches(COMMAND_DISABLE, BASE, 2, OTHER);
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_eq(l.profiles, 1);
	cr_expect_str_eq(l.told, "ES4-HandleProfileDeletedNotification>1.2.6 ES4-HandleProfileDisabledNotification>1.2.5"
				 " ES4-HandleProfileEnabledNotification>1.2.5");
}

static void pol2_deletes_afterwards(void)
{
	struct look l;

	other_enabled();
	set_pol2(s, OTHER, (struct bytes)AUTO_DELETE_RULE);
	cr_assert_eq(ask_disable(s, OTHER), OK);
	card_switches(COMMAND_DISABLE, BASE, 2, -1);
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS"); /* does not wait for it */
	cr_expect_str_eq(l.states, "4/0/ 4/0/ 5//");
	cr_expect_eq(l.busy, 1);
	cr_expect_eq(ask_enable(s, OTHER)->code, CODE_BUSY);
	cr_assert_eq(card_fetch(s), COMMAND_DELETE);
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect_eq(l.profiles, 1);
	cr_expect_str_eq(l.trail, "2- 2- 512/0 768/0 1024/0");
	cr_expect_eq(l.open_commands + l.busy, 0);
	cr_expect(!*l.auto_delete && !l.uncertain);
	SAYS(l.told, "ES4-HandleProfileDeletedNotification>1.2.6");
}

static void pol2_waits_for_a_card_that_is_away_and_ends_when_refused(void)
{
	struct look l;

	other_enabled();
	set_pol2(s, OTHER, (struct bytes)AUTO_DELETE_RULE);
	cr_assert_eq(ask_disable(s, OTHER), OK);
	card_switches(COMMAND_DISABLE, BASE, 2, -1);
	time_out(s, false);
	l = look(s);
	cr_expect_str_eq(l.states, "4/0/ 4/0/ 4/3/TIME_EXPIRED");
	cr_expect_str_eq(l.auto_delete, s->iccid[OTHER].text);
	cr_expect_eq(l.busy, 0);
	/* Its next word begins it again. */
	cr_assert_eq(ask_audit(s, BASE), OK);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_status(ISDP_ENABLED, ISDP_DISABLED);
	cr_assert_eq(card_fetch(s), COMMAND_DELETE);
	card_answer1(s, "", SW_POL1);
	l = look(s);
	cr_expect_eq(l.profiles, 2);
	cr_expect(!*l.auto_delete && l.busy == 0);
	cr_expect_str_eq(l.told, "ES4-HandleProfileDisabledNotification>1.2.5 ES4-HandleProfileEnabledNotification>1.2.5");
}

static void pol2_refuses(void)
{
	set_pol2(s, OTHER, (struct bytes)NO_DELETE_RULE);
	cr_expect_eq(ask_delete(s, OTHER)->code, CODE_POL2_REFUSES);
	other_enabled();
	set_pol2(s, OTHER, (struct bytes)NO_DISABLE_RULE);
	cr_expect_eq(ask_disable(s, OTHER)->code, CODE_POL2_REFUSES);
	cr_expect_eq(ask_delete(s, OTHER)->code, CODE_POL2_REFUSES);
	/* Changed while the command waits: not sent. */
	set_pol2(s, OTHER, (struct bytes){ (const uint8_t *)"", 0 });
	cr_assert_eq(ask_disable(s, OTHER), OK);
	set_pol2(s, OTHER, (struct bytes)NO_DISABLE_RULE);
	cr_expect(!card_may_fetch(s));
	SAYS(look(s).answer, "8.2.3");
	cr_expect_eq(look(s).open_commands + look(s).busy, 0);
}

static void nobody_could_take_over(void)
{
	other_enabled();
	cr_assert_eq(ask_audit(s, OTHER), OK);
	(void)card_fetch(s);
	answer_status(0, ISDP_ENABLED); /* the holder is gone */
	cr_expect_eq(ask_disable(s, OTHER)->code, CODE_PROFILE_NOT_ALLOWED);
	cr_expect_eq(ask_delete(s, OTHER)->code, CODE_PROFILE_NOT_ALLOWED);
}

Test(procedure_delete, disabling_and_deleting, .timeout = 120)
{
	static void (*const scenarios[])(void) = {
		disabling_lets_the_fall_back_profile_take_over,
		what_a_disable_expired_for_is_not_confirmed,
		a_disable_whose_answer_was_lost_is_audited,
		deleting_what_is_disabled,
		the_card_may_not_have_it_or_may_refuse,
		a_lost_delete_is_looked_for,
		an_expired_delete_is_told_when_it_is_found,
		deleting_what_is_enabled_disables_it_first,
		pol1_may_delete_it_before_us,
		pol1_deletes_and_the_owner_is_told,
		pol2_deletes_afterwards,
		pol2_waits_for_a_card_that_is_away_and_ends_when_refused,
		pol2_refuses,
		nobody_could_take_over,
	};

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	for (size_t i = 0; i < LEN(scenarios); i++) {
		stage_reset(s);
		scenarios[i]();
	}
	stage_drop(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The procedure engine on a real database: what a card says, in which order, and what comes of it. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "tests/unit/services/procedure_fixture.h"

static struct stage *s;

#define SAYS(answer, what) cr_expect(strstr((answer) ? (answer) : "", (what)), "%s: %s", (what), (answer) ? (answer) : "(none)")

/* An entry of a GET STATUS list, in hex. */
static const char *entry(enum profile_at p, enum isdp_state state)
{
	CLEANUP(buf_free) struct buf tlv = { 0 };
	const struct isdp_status one = {
		.aid = s->isdp[p], .state = (uint8_t)state, .fallback = p == BASE, .memory = -1, .free = -1
	};

	isdr_status_build(&tlv, &one);
	return hex_text(s->a, (const uint8_t *)tlv.data, tlv.len);
}

static void answer_status(enum isdp_state base, enum isdp_state other)
{
	const char *const data[] = { arena_printf(s->a, "%s%s", entry(BASE, base), entry(OTHER, other)), "" };
	const uint16_t sw[] = { SW_OK, SW_NOT_FOUND };

	card_answer(s, 2, data, sw);
}

/* OTHER is asked for, and the card took the command. */
static void start_taken(void)
{
	cr_assert_eq(ask_enable(s, OTHER), OK);
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_ENABLE);
	card_answer1(s, "", SW_OK);
}

static void the_cards_confirmed_word_is_success(void)
{
	struct look l;

	start_taken();
	cr_expect_null(look(s).answer);
	card_session(s);
	cr_assert(card_notify(s, NOTE_CHANGE_OK, 1, OTHER));
	l = look(s);
	cr_expect_str_eq(l.enabled, s->iccid[BASE].text); /* not before the confirmation is answered */
	cr_expect_str_eq(l.states, "3//");
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect_str_eq(l.enabled, s->iccid[OTHER].text);
	cr_expect_str_eq(l.states, "4/0/");
	cr_expect_str_eq(l.trail, "2- 512/0");
	cr_expect_str_eq(l.told, "ES4-HandleProfileDisabledNotification>1.2.5"); /* the requester has its answer */
	cr_expect_str_eq(l.events, "procedure.ended profile.disabled profile.enabled");
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_eq(l.open_commands + l.busy, 0);
	cr_expect(!l.uncertain && !l.expired_aid);
	/* The same again is confirmed and changes nothing. */
	cr_assert(card_notify(s, NOTE_CHANGE_OK, 1, OTHER));
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect_str_eq(l.trail, "2- 512/0");
	cr_expect_str_eq(l.told, "ES4-HandleProfileDisabledNotification>1.2.5");
	cr_expect_eq(l.times, 2);
}

static void too_late_is_not_confirmed_and_rolls_back(void)
{
	struct look l;

	start_taken();
	time_out(s, true);
	cr_expect(!card_notify(s, NOTE_CHANGE_OK, 1, OTHER)); /* even before the sweeper came */
	time_out(s, false);
	l = look(s);
	SAYS(l.answer, "EXPIRED");
	SAYS(l.answer, "5.4");
	cr_expect(l.expired_aid && !l.uncertain);
	card_session(s);
	cr_expect(!card_notify(s, NOTE_CHANGE_OK, 1, OTHER));
	cr_assert(card_notify(s, NOTE_ROLLED_BACK, 2, BASE));
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect(!l.expired_aid);
	cr_expect_str_eq(l.enabled, s->iccid[BASE].text);
	cr_expect_str_eq(l.trail, "3- 512/3");
	cr_expect_str_eq(l.told, "");
	cr_expect_str_eq(l.events, "procedure.ended");
	/* Unfetched: the other code, and nothing to be refused later. */
	cr_assert_eq(ask_enable(s, OTHER), OK);
	time_out(s, false);
	l = look(s);
	SAYS(l.answer, "5.3");
	cr_expect(!l.expired_aid && l.open_commands == 0);
}

static void refusals_of_the_card_end_it(void)
{
	struct look l;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	cr_expect_eq(ask_enable(s, OTHER)->code, CODE_BUSY);
	card_session(s);
	(void)card_fetch(s);
	s->fci = "call-1";
	card_answer1(s, "", SW_POL1);
	l = look(s);
	SAYS(l.answer, "8.2.2");
	cr_expect(!strstr(l.answer, "EuiccResponseData"));
	cr_assert_eq(ask_enable(s, OTHER), OK);
	(void)card_fetch(s);
	card_answer1(s, "0102", SW_CONDITIONS);
	l = look(s);
	SAYS(l.answer, "8.4");
	SAYS(l.answer, "01026985");
	cr_expect_str_eq(l.states, "4/2/POL1_REFUSES 4/2/CARD_ERROR");
	cr_expect_eq(ask_enable(s, BASE)->code, CODE_PROFILE_NOT_ALLOWED);
	/* What it refuses so the EIS should have known. */
	cr_expect(l.uncertain);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_status(ISDP_ENABLED, ISDP_DISABLED);
	/* No result at all: nobody knows what the card did. */
	cr_assert_eq(ask_enable(s, OTHER), OK);
	(void)card_fetch(s);
	card_answer(s, 0, NULL, NULL);
	l = look(s);
	SAYS(l.answer, "8.4");
	cr_expect(l.uncertain && l.busy == 0);
	/* It had failed, we said: so it must. */
	cr_expect(!card_notify(s, NOTE_CHANGE_OK, 1, OTHER));
}

static void rolled_back_and_fallen_back_fail_it(void)
{
	struct look l;

	start_taken();
	cr_assert(card_notify(s, NOTE_ROLLED_BACK, 1, BASE));
	cr_expect_null(look(s).answer);
	card_answer1(s, "", SW_OK);
	l = look(s);
	SAYS(l.answer, "8.2.1");
	cr_expect_str_eq(l.trail, "3- 512/2");
	cr_expect_str_eq(l.told, "");
	/* On its own: both owners hear of it. */
	cr_assert(card_notify(s, NOTE_CHANGE_OK, 2, OTHER));
	card_answer1(s, "", SW_OK);
	cr_expect_str_eq(look(s).told, "ES4-HandleProfileDisabledNotification>1.2.5 ES4-HandleProfileEnabledNotification>1.2.6");
	cr_assert(card_notify(s, NOTE_FALL_BACK, 3, BASE));
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect_str_eq(l.enabled, s->iccid[BASE].text);
	SAYS(l.told, "ES4-HandleProfileEnabledNotification>1.2.5");
}

static void a_lost_session_is_audited_first(void)
{
	struct look l;

	/* It had done it. */
	cr_assert_eq(ask_enable(s, OTHER), OK);
	card_session(s);
	(void)card_fetch(s);
	card_session(s);
	l = look(s);
	cr_expect(l.uncertain);
	cr_expect_eq(l.open_commands, 1);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_status(ISDP_DISABLED, ISDP_ENABLED);
	l = look(s);
	cr_expect(!l.uncertain);
	cr_expect_str_eq(l.states, "2//");
	cr_expect_eq(l.open_commands, 0);
	cr_expect_str_eq(l.told, ""); /* nobody, before it is confirmed */
	cr_assert(card_notify(s, NOTE_CHANGE_OK, 1, OTHER));
	card_answer1(s, "", SW_OK);
	cr_expect_str_eq(look(s).told, "ES4-HandleProfileDisabledNotification>1.2.5");
	/* It had not: it is sent again. */
	cr_assert_eq(ask_enable(s, BASE), OK);
	(void)card_fetch(s);
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_status(ISDP_DISABLED, ISDP_ENABLED);
	cr_expect_str_eq(look(s).states, "4/0/ 0//");
	cr_assert_eq(card_fetch(s), COMMAND_ENABLE);
	/* The answer is lost, the notification comes: that is enough. */
	cr_assert(card_notify(s, NOTE_CHANGE_OK, 2, BASE));
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect_str_eq(l.states, "4/0/ 4/0/");
	cr_expect(!l.uncertain && l.open_commands == 0);
}

static void an_audit_reads_the_whole_list(void)
{
	const char *parts[2];
	const uint16_t sw[] = { SW_MORE, SW_NOT_FOUND };
	struct look l;

	cr_assert_eq(ask_audit(s, BASE), OK);
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	parts[0] = entry(BASE, ISDP_ENABLED);
	parts[1] = "";
	card_answer(s, 2, parts, sw);
	l = look(s);
	cr_expect_eq(l.profiles, 2); /* half a list takes nothing out */
	cr_expect_null(l.answer);
	/* What stood behind it has ended the list: anew, in this session, and alone. */
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	card_answer1(s, entry(BASE, ISDP_ENABLED), SW_MORE);
	cr_expect_null(look(s).answer);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS); /* the next part */
	card_answer1(s, entry(OTHER, ISDP_DISABLED), SW_OK);
	l = look(s);
	cr_expect_eq(l.profiles, 2);
	cr_expect_str_eq(l.states, "4/0/");
	cr_expect_str_eq(l.trail, "1280/0");
	SAYS(l.answer, s->iccid[BASE].text);
	cr_expect(!strstr(l.answer, s->iccid[OTHER].text)); /* not the caller's */
	SAYS(l.answer, "LastAuditDate");
	/* A card that stops at the warning goes on at once. */
	cr_assert_eq(ask_audit(s, BASE), OK);
	(void)card_fetch(s);
	card_answer1(s, entry(BASE, ISDP_ENABLED), SW_MORE);
	(void)card_fetch(s);
	card_answer1(s, entry(OTHER, ISDP_DISABLED), SW_OK);
	cr_expect_eq(look(s).profiles, 2);
	cr_expect_str_eq(look(s).states, "4/0/ 4/0/");
	/* A complete list without it. */
	cr_assert_eq(ask_audit(s, BASE), OK);
	(void)card_fetch(s);
	card_answer1(s, entry(BASE, ISDP_ENABLED), SW_OK);
	cr_expect_eq(look(s).profiles, 1);
	/* A card that cannot. */
	cr_assert_eq(ask_audit(s, BASE), OK);
	(void)card_fetch(s);
	card_answer1(s, "", SW_BAD_INS);
	SAYS(look(s).answer, "8.4");
}

static void a_refused_confirmation_waits_for_the_next_word(void)
{
	struct look l;

	start_taken();
	cr_assert(card_notify(s, NOTE_CHANGE_OK, 1, OTHER));
	card_answer1(s, "", SW_BAD_DATA);
	l = look(s);
	cr_expect(l.uncertain);
	cr_expect_str_eq(l.states, "3//");
	cr_expect_str_eq(l.enabled, s->iccid[BASE].text);
	cr_assert(card_notify(s, NOTE_CHANGE_OK, 1, OTHER));
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect_str_eq(l.states, "4/0/");
	cr_expect_str_eq(l.enabled, s->iccid[OTHER].text);
}

/* C3: an older enable of the same profile got through. */
static void an_older_change_answers_the_newer_call(void)
{
	struct look l;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	cr_assert(card_notify(s, NOTE_CHANGE_OK, 1, OTHER));
	cr_expect_eq(look(s).open_commands, 1); /* the confirmation; the command is withdrawn */
	card_answer1(s, "", SW_OK);
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_eq(l.open_commands, 0);
	cr_expect_str_eq(l.enabled, s->iccid[OTHER].text);
}

/* Confirmed all the same: the card would repeat them for ever. What they mean it is asked. */
static void strange_words_make_the_card_uncertain(void)
{
	const struct profile_info other = { .isdp_aid = s->isdp[OTHER] };
	CLEANUP(buf_free) struct buf deleted = { 0 };
	struct look l;

	cr_assert(card_notify(s, (enum notification_type)0x2A, 1, BASE));
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect(l.uncertain);
	cr_expect_str_eq(l.trail, "42-");
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_status(ISDP_ENABLED, ISDP_DISABLED);
	cr_expect(!look(s).uncertain);
	cr_expect_str_eq(look(s).told, "");
	/* The first word of a card; the same number again, with another content. */
	cr_assert(card_notify(s, NOTE_FIRST_ATTACH, 1, BASE));
	isdr_confirmed_build(&deleted, &other.isdp_aid, 1);
	card_answer1(s, hex_text(s->a, (const uint8_t *)deleted.data, deleted.len), SW_OK);
	l = look(s);
	cr_expect_str_eq(l.trail, "1- 42-");
	cr_expect_eq(l.times, 1);
	cr_expect_eq(l.profiles, 1);
	/* Now the EIS does not know that one. */
	cr_assert(card_notify(s, NOTE_FALL_BACK, 2, OTHER));
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect(l.uncertain);
	cr_expect_str_eq(l.enabled, s->iccid[BASE].text);
}

/* The audit sees the change that nobody will confirm: the EIS follows, there and back, and no owner hears of it. */
static void what_expired_is_not_told(void)
{
	struct look l;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	card_session(s);
	(void)card_fetch(s);
	time_out(s, false);
	l = look(s);
	cr_expect(l.uncertain && l.expired_aid);
	SAYS(l.answer, "5.4");
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_status(ISDP_DISABLED, ISDP_ENABLED);
	cr_expect_str_eq(look(s).enabled, s->iccid[OTHER].text);
	cr_assert(card_notify(s, NOTE_ROLLED_BACK, 1, BASE));
	card_answer1(s, "", SW_OK);
	l = look(s);
	cr_expect_str_eq(l.enabled, s->iccid[BASE].text);
	cr_expect_str_eq(l.told, "");
	cr_expect_str_eq(l.events, "procedure.ended");
}

/* One database for all of them: it takes longer to start than they do. */
Test(procedure_engine, words_of_a_card, .timeout = 120)
{
	static void (*const scenarios[])(void) = {
		the_cards_confirmed_word_is_success,
		too_late_is_not_confirmed_and_rolls_back,
		refusals_of_the_card_end_it,
		rolled_back_and_fallen_back_fail_it,
		a_lost_session_is_audited_first,
		an_audit_reads_the_whole_list,
		a_refused_confirmation_waits_for_the_next_word,
		an_older_change_answers_the_newer_call,
		strange_words_make_the_card_uncertain,
		what_expired_is_not_told,
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

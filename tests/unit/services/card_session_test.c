/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions of a card, POST by POST, on a real database: what is settled, and what it gets next. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "services/sm-sr/card_session.h"
#include "tests/unit/services/procedure_fixture.h"

static struct stage *s;
static const char *ticket; /* of the last script */

/* What an answer to the card may be besides a kind of script. */
enum { END = -1 };
enum { MANY = 3 * CARD_POSTS_MAX };

#define SAYS(answer, what) cr_expect(strstr((answer) ? (answer) : "", (what)), "%s: %s", (what), (answer) ? (answer) : "(none)")

static struct card_peer *connection(void)
{
	struct card_peer *peer = ARENA_NEW(s->a, struct card_peer);

	peer->eid = s->eid;
	return peer;
}

/* The kind of the script that the card gets; END: its session is over. */
static int post(struct card_peer *peer, const struct card_post *post)
{
	struct card_answer answer;

	card_visit(&s->rpc, &s->smsr, s->db, s->a, peer, post, &answer);
	cr_assert(answer.status == 200 || answer.status == 204, "HTTP %u", answer.status);
	cr_assert_eq(answer.script.len > 0, answer.status == 200);
	ticket = answer.ticket;
	return answer.script.len ? (int)answer.kind : END;
}

static int ask_for_work(struct card_peer *peer)
{
	return post(peer, &(const struct card_post){ .kind = POST_FIRST });
}

/* about: the ticket that it names, NULL: none. */
static int answer_about(struct card_peer *peer, const char *data, uint16_t sw, const char *about, bool resume)
{
	CLEANUP(buf_free) struct buf body = { 0 };
	uint8_t *raw = arena_alloc(s->a, strlen(data) / 2);
	const struct script_result one = { { raw, strlen(data) / 2 }, sw };

	cr_assert(hex_decode(data, strlen(data), raw));
	script_answer_build(&body, SCRIPT_INDEFINITE, &one, 1);
	return post(peer, &(const struct card_post){ .kind = POST_ANSWER,
						     .resume = resume,
						     .ticket = about,
						     .body = { (const uint8_t *)body.data, body.len } });
}

static int answer_with(struct card_peer *peer, const char *data, uint16_t sw)
{
	return answer_about(peer, data, sw, NULL, false);
}

static int notify(struct card_peer *peer, enum notification_type type, uint16_t seq, enum profile_at profile, bool resume)
{
	const struct notification n = { .eid = s->eid, .type = (uint8_t)type, .seq = seq, .aid = s->isdp[profile] };

	return post(peer, &(const struct card_post){ .kind = POST_NOTIFICATION, .note = n, .resume = resume });
}

/* GET STATUS as the card would answer it. */
static const char *list(enum isdp_state base, enum isdp_state other)
{
	const enum isdp_state states[] = { [BASE] = base, [OTHER] = other };
	CLEANUP(buf_free) struct buf tlv = { 0 };

	for (int p = BASE; p <= OTHER; p++) {
		const struct isdp_status one = {
			.aid = s->isdp[p], .state = (uint8_t)states[p], .fallback = p == BASE, .memory = -1, .free = -1
		};

		isdr_status_build(&tlv, &one);
	}
	return hex_text(s->a, (const uint8_t *)tlv.data, tlv.len);
}

/* Its answer would be taken for the confirmation's, and the other way round. */
static void a_notification_leaves_nothing_else_unanswered(void)
{
	struct card_peer *peer = connection(), *next = connection();
	struct look l;

	cr_assert_eq(ask_audit(s, BASE), OK);
	cr_assert_eq(ask_for_work(peer), COMMAND_STATUS);
	cr_assert_eq(notify(peer, NOTE_FIRST_ATTACH, 1, BASE, false), COMMAND_CONFIRM);
	cr_expect_eq(answer_with(peer, "", SW_OK), COMMAND_STATUS); /* the list once more */
	l = look(s);
	cr_expect_eq(l.profiles, 2);
	cr_expect_str_eq(l.trail, "1-");
	cr_expect_null(l.answer);
	/* The same after a resume. */
	cr_assert_eq(notify(next, NOTE_FIRST_ATTACH, 2, BASE, true), COMMAND_CONFIRM);
	cr_expect_eq(answer_with(next, "", SW_OK), COMMAND_STATUS);
	l = look(s);
	cr_expect_eq(l.profiles, 2);
	cr_expect_str_eq(l.trail, "1- 1-");
	cr_expect_eq(answer_with(next, list(ISDP_ENABLED, ISDP_DISABLED), SW_OK), END);
	SAYS(look(s).answer, "EXECUTED_SUCCESS");
}

/* What is lost and asked again in one step is one command: its answer counts. */
static void a_lost_audit_is_asked_again(void)
{
	struct card_peer *peer = connection();
	struct look l;

	cr_assert_eq(ask_audit(s, BASE), OK);
	cr_assert_eq(ask_for_work(connection()), COMMAND_STATUS);
	cr_assert_eq(ask_for_work(peer), COMMAND_STATUS);
	cr_expect_eq(answer_with(peer, list(ISDP_ENABLED, ISDP_DISABLED), SW_OK), END);
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_eq(l.open_commands, 0);
	/* Lost when its time is over: nothing of it is left. */
	cr_assert_eq(ask_audit(s, BASE), OK);
	cr_assert_eq(ask_for_work(connection()), COMMAND_STATUS);
	time_out(s, true);
	peer = connection();
	cr_assert_eq(ask_for_work(peer), COMMAND_STATUS);
	SAYS(look(s).answer, "5.");
	cr_expect_eq(answer_with(peer, list(ISDP_ENABLED, ISDP_DISABLED), SW_OK), END);
	cr_expect_eq(look(s).open_commands, 0);
}

/* The EIS is worth more than such a list. */
static void an_incredible_list_changes_nothing(void)
{
	struct card_peer *peer = connection();
	const char *const lists[] = { "", list(ISDP_ENABLED, ISDP_ENABLED) };

	for (size_t i = 0; i < LEN(lists); i++) {
		struct look l;

		cr_assert_eq(ask_audit(s, BASE), OK);
		cr_assert_eq(ask_for_work(peer), COMMAND_STATUS);
		if (i == 0) /* then it is uncertain, and asked once more */
			cr_expect_eq(answer_with(peer, lists[i], SW_OK), COMMAND_STATUS);
		cr_expect_eq(answer_with(peer, lists[i], SW_OK), END);
		l = look(s);
		SAYS(l.answer, "8.4");
		cr_expect_eq(l.profiles, 2);
		cr_expect_str_eq(l.enabled, s->iccid[BASE].text);
		cr_expect(l.uncertain);
	}
}

/* A card that never stops asking gets the same script so often and no more. */
static void an_endless_session_ends(void)
{
	struct card_peer *peer = connection();
	unsigned ends = 0;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	for (int i = 0; i < MANY; i++)
		ends += ask_for_work(peer) == END;
	cr_expect_geq(ends, 2);
}

/* Whoever notices first that the time is over: the sweeper, or the session. */
static void nothing_is_sent_after_the_deadline(void)
{
	struct card_peer *peer = connection();
	struct look l;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	time_out(s, true);
	cr_expect_eq(ask_for_work(peer), END);
	l = look(s);
	SAYS(l.answer, "5.3");
	cr_expect_eq(l.open_commands + l.busy, 0);
	/* The same script once more. */
	cr_assert_eq(ask_enable(s, OTHER), OK);
	cr_assert_eq(ask_for_work(peer), COMMAND_ENABLE);
	time_out(s, true);
	cr_expect_eq(ask_for_work(peer), COMMAND_STATUS);
	SAYS(look(s).answer, "5.4");
}

static void pol2_is_asked_again_before_it_is_sent(void)
{
	static const uint8_t stays[] = { 0, POL2_DISABLE, POL2_NOT_ALLOWED };

	cr_assert_eq(ask_enable(s, OTHER), OK);
	set_pol2(s, BASE, (struct bytes){ stays, sizeof(stays) });
	cr_expect_eq(ask_for_work(connection()), END);
	SAYS(look(s).answer, "8.2.3");
	cr_expect_eq(look(s).open_commands, 0);
}

/* The card has executed it perhaps: that it may not any more is no answer before the card was asked. */
static void what_may_have_happened_is_not_refused(void)
{
	static const uint8_t stays[] = { 0, POL2_DISABLE, POL2_NOT_ALLOWED };
	struct card_peer *peer = connection();

	cr_assert_eq(ask_enable(s, OTHER), OK);
	cr_assert_eq(ask_for_work(connection()), COMMAND_ENABLE);
	set_pol2(s, BASE, (struct bytes){ stays, sizeof(stays) });
	cr_expect_eq(ask_for_work(peer), COMMAND_STATUS);
	cr_expect_null(look(s).answer);
	cr_expect_eq(answer_with(peer, list(ISDP_DISABLED, ISDP_ENABLED), SW_OK), END);
	cr_assert_eq(notify(peer, NOTE_CHANGE_OK, 1, OTHER, false), COMMAND_CONFIRM);
	cr_expect_eq(answer_with(peer, "", SW_OK), END);
	SAYS(look(s).answer, "EXECUTED_SUCCESS");
	/* It did not: then it is. */
	stage_reset(s);
	peer = connection();
	cr_assert_eq(ask_enable(s, OTHER), OK);
	cr_assert_eq(ask_for_work(connection()), COMMAND_ENABLE);
	set_pol2(s, BASE, (struct bytes){ stays, sizeof(stays) });
	cr_expect_eq(ask_for_work(peer), COMMAND_STATUS);
	cr_expect_eq(answer_with(peer, list(ISDP_ENABLED, ISDP_DISABLED), SW_OK), END);
	SAYS(look(s).answer, "8.2.3");
}

/* The card took the enable of OTHER, and its word of it is being confirmed. */
static struct card_peer *confirming(void)
{
	struct card_peer *peer = connection();

	cr_assert_eq(ask_enable(s, OTHER), OK);
	cr_assert_eq(ask_for_work(peer), COMMAND_ENABLE);
	cr_assert_eq(answer_with(peer, "", SW_OK), END);
	cr_assert_eq(notify(peer, NOTE_CHANGE_OK, 1, OTHER, false), COMMAND_CONFIRM);
	return peer;
}

/* A card that heard it does not notify again: it is asked. */
static void a_lost_confirmation_is_said_again(void)
{
	static const uint16_t words[] = { SW_OK, SW_NOT_FOUND };
	struct card_peer *peer;

	for (size_t i = 0; i < LEN(words); i++) {
		struct look l;

		stage_reset(s);
		(void)confirming();
		peer = connection();
		cr_assert_eq(ask_for_work(peer), COMMAND_STATUS);
		cr_expect_null(look(s).answer);
		cr_assert_eq(answer_with(peer, list(ISDP_DISABLED, ISDP_ENABLED), SW_OK), COMMAND_CONFIRM);
		cr_expect_eq(answer_with(peer, "", words[i]), END);
		l = look(s);
		SAYS(l.answer, "EXECUTED_SUCCESS");
		cr_expect_str_eq(l.trail, "2- 512/0");
		cr_expect_str_eq(l.told, "ES4-HandleProfileDisabledNotification>1.2.5");
		cr_expect(!l.uncertain && l.open_commands == 0);
	}
	/* It has gone back meanwhile: its 03 will come. */
	stage_reset(s);
	(void)confirming();
	peer = connection();
	cr_assert_eq(ask_for_work(peer), COMMAND_STATUS);
	cr_expect_eq(answer_with(peer, list(ISDP_ENABLED, ISDP_DISABLED), SW_OK), END);
	cr_expect_null(look(s).answer);
	cr_assert_eq(notify(peer, NOTE_ROLLED_BACK, 2, BASE, false), COMMAND_CONFIRM);
	cr_expect_eq(answer_with(peer, "", SW_OK), END);
	SAYS(look(s).answer, "8.2.1");
	cr_expect_eq(look(s).open_commands, 0);
}

/* The time ends before the answer to the confirmation comes: the card may have taken it. EIS and owners follow it. */
static void what_was_confirmed_in_time_is_kept(void)
{
	static const char *const both = "ES4-HandleProfileDisabledNotification>1.2.5 ES4-HandleProfileEnabledNotification>1.2.6";
	struct card_peer *peer = connection();
	struct look l;

	(void)confirming();
	time_out(s, false);
	l = look(s);
	SAYS(l.answer, "5.4");
	cr_expect(l.uncertain && !l.expired_aid);
	cr_assert_eq(ask_for_work(peer), COMMAND_STATUS);
	cr_expect_eq(answer_with(peer, list(ISDP_DISABLED, ISDP_ENABLED), SW_OK), END);
	l = look(s);
	cr_expect_str_eq(l.enabled, s->iccid[OTHER].text);
	cr_expect_str_eq(l.told, both);
	cr_expect(!l.uncertain && l.open_commands == 0);
	/* It did not hear it, and says so again. */
	cr_assert_eq(notify(peer, NOTE_CHANGE_OK, 1, OTHER, false), COMMAND_CONFIRM);
	cr_expect_eq(answer_with(peer, "", SW_OK), END);
	cr_expect_str_eq(look(s).told, both);
	/* Or it had given up: what was told is taken back. */
	cr_assert_eq(notify(peer, NOTE_ROLLED_BACK, 2, BASE, false), COMMAND_CONFIRM);
	cr_expect_eq(answer_with(peer, "", SW_OK), END);
	l = look(s);
	cr_expect_str_eq(l.enabled, s->iccid[BASE].text);
	SAYS(l.told, "ES4-HandleProfileDisabledNotification>1.2.6");
	SAYS(l.told, "ES4-HandleProfileEnabledNotification>1.2.5");
}

/* The enable waits, and the card goes elsewhere by itself: whose profile it leaves in the end is the owner of that one. */
static void owners_hear_from_where_the_card_came(void)
{
	struct card_peer *peer = connection();
	struct look l;

	add_third(s);
	cr_assert_eq(ask_enable(s, OTHER), OK);
	cr_assert_eq(notify(peer, NOTE_FALL_BACK, 1, THIRD, false), COMMAND_CONFIRM);
	cr_assert_eq(answer_with(peer, "", SW_OK), COMMAND_ENABLE);
	cr_expect_str_eq(look(s).told, "ES4-HandleProfileDisabledNotification>1.2.5");
	cr_assert_eq(answer_with(peer, "", SW_OK), END);
	cr_assert_eq(notify(peer, NOTE_CHANGE_OK, 2, OTHER, false), COMMAND_CONFIRM);
	cr_assert_eq(answer_with(peer, "", SW_OK), END);
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_str_eq(l.told, "ES4-HandleProfileDisabledNotification>1.2.5");
	cr_expect_str_eq(l.events, "procedure.ended profile.disabled profile.disabled profile.enabled profile.enabled");
}

/* Its last word named the profile that it is on, the EIS another one: it is rung at both in turn. */
static void an_uncertain_card_is_rung_where_it_may_be(void)
{
	set_msisdn(s, BASE, "4911111");
	set_msisdn(s, OTHER, "4922222");
	cr_assert_eq(ask_enable(s, OTHER), OK);
	cr_expect_str_eq(rings_at(s, 0), "4911111");
	cr_expect_str_eq(rings_at(s, 1), "4911111");
	stage_reset(s);
	set_msisdn(s, BASE, "4911111");
	set_msisdn(s, OTHER, "4922222");
	(void)confirming();
	time_out(s, false);
	cr_expect_str_eq(rings_at(s, 0), "4922222");
	cr_expect_str_eq(rings_at(s, 1), "4911111");
	cr_expect_str_eq(rings_at(s, 2), "4922222");
}

/* The reply to an answer is lost, and the card says it once more: it is no answer to what would have come next. */
static void an_answer_said_twice_counts_once(void)
{
	struct card_peer *peer = connection(), *next = connection();
	const char *confirmation;
	struct look l;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	cr_assert_eq(ask_for_work(peer), COMMAND_ENABLE);
	cr_assert_eq(answer_with(peer, "", SW_OK), END);
	cr_assert_eq(notify(peer, NOTE_CHANGE_OK, 1, OTHER, false), COMMAND_CONFIRM);
	cr_assert_eq(answer_with(peer, "", SW_OK), END);
	/* The reply to the answer to this confirmation is the DELETE. */
	cr_assert_eq(ask_delete(s, OTHER), OK);
	cr_assert_eq(ask_for_work(peer), COMMAND_DISABLE);
	cr_assert_eq(answer_about(peer, "", SW_OK, ticket, false), END);
	cr_assert_eq(notify(peer, NOTE_CHANGE_OK, 2, BASE, false), COMMAND_CONFIRM);
	confirmation = ticket;
	cr_assert_eq(answer_about(peer, "", SW_OK, confirmation, false), COMMAND_DELETE);
	/* On the same connection, and on another one: it gets the DELETE again, as often as it says so. */
	cr_expect_eq(answer_about(peer, "", SW_OK, confirmation, false), COMMAND_DELETE);
	cr_expect_eq(answer_about(next, "", SW_OK, confirmation, true), COMMAND_DELETE);
	cr_expect_eq(
		post(next, &(const struct card_post){ .kind = POST_UNABLE, .status = RAM_SECURITY_ERROR, .ticket = confirmation }),
		COMMAND_DELETE);
	l = look(s);
	cr_expect_null(l.answer);
	cr_expect_eq(l.profiles, 2);
	cr_expect(!l.uncertain);
	/* This is the answer, after one more resume. */
	next = connection();
	cr_expect_eq(answer_about(next, "", SW_OK, ticket, true), END);
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_eq(l.profiles, 1);
	cr_expect_eq(l.open_commands, 0);
}

/* Of a card that names no ticket only the connection tells what it answers; after a resume nobody knows: it is audited. */
static void a_resumed_answer_must_say_to_what(void)
{
	struct card_peer *next = connection();
	struct look l;

	cr_assert_eq(ask_delete(s, OTHER), OK);
	cr_assert_eq(ask_for_work(connection()), COMMAND_DELETE);
	cr_expect_eq(answer_about(next, "", SW_OK, NULL, true), COMMAND_STATUS);
	l = look(s);
	cr_expect_null(l.answer);
	cr_expect_eq(l.profiles, 2);
	cr_expect_eq(answer_with(next, list(ISDP_ENABLED, ISDP_DISABLED), SW_OK), COMMAND_DELETE);
	cr_expect_eq(answer_with(next, "", SW_OK), END);
	SAYS(look(s).answer, "EXECUTED_SUCCESS");
}

/* Its connection was there before: another SM-SR has it now. */
static void a_card_that_has_gone_is_sent_away(void)
{
	struct card_peer *peer = connection();
	struct card_answer answer;

	cr_assert_eq(ask_audit(s, BASE), OK);
	cr_assert_eq(ask_for_work(peer), COMMAND_STATUS);
	DB_QUEUE(s->db, SMSR_DROP, p_text(s->eid.text), p_text("1.2.77"), p_text("00000000-0000-0000-0000-000000000001"));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	card_visit(&s->rpc, &s->smsr, s->db, s->a, peer, &(const struct card_post){ .kind = POST_FIRST }, &answer);
	cr_expect_eq(answer.status, 204);
	cr_expect(answer.closes && !answer.script.len && !answer.waits);
	cr_expect_str_eq(peer->session, "");
}

Test(card_session, post_by_post, .timeout = 120)
{
	static void (*const scenarios[])(void) = {
		a_notification_leaves_nothing_else_unanswered,
		a_lost_audit_is_asked_again,
		an_incredible_list_changes_nothing,
		an_endless_session_ends,
		nothing_is_sent_after_the_deadline,
		pol2_is_asked_again_before_it_is_sent,
		what_may_have_happened_is_not_refused,
		a_lost_confirmation_is_said_again,
		what_was_confirmed_in_time_is_kept,
		owners_hear_from_where_the_card_came,
		an_uncertain_card_is_rung_where_it_may_be,
		an_answer_said_twice_counts_once,
		a_resumed_answer_must_say_to_what,
		a_card_that_has_gone_is_sent_away,
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

/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions of a card, POST by POST, on a real database: what is settled, and what it gets next. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "services/sm-sr/card_session.h"
#include "tests/unit/services/procedure_fixture.h"

static struct stage *s;

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
	return answer.script.len ? (int)answer.kind : END;
}

static int ask_for_work(struct card_peer *peer)
{
	return post(peer, &(const struct card_post){ .kind = POST_FIRST });
}

static int answer_with(struct card_peer *peer, const char *data, uint16_t sw)
{
	CLEANUP(buf_free) struct buf body = { 0 };
	uint8_t *raw = arena_alloc(s->a, strlen(data) / 2);
	const struct script_result one = { { raw, strlen(data) / 2 }, sw };

	cr_assert(hex_decode(data, strlen(data), raw));
	script_answer_build(&body, SCRIPT_INDEFINITE, &one, 1);
	return post(peer, &(const struct card_post){ .kind = POST_ANSWER, .body = { (const uint8_t *)body.data, body.len } });
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

Test(card_session, post_by_post, .timeout = 120)
{
	static void (*const scenarios[])(void) = {
		a_notification_leaves_nothing_else_unanswered,
		an_incredible_list_changes_nothing,
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

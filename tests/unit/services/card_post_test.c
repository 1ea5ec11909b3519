/* SPDX-License-Identifier: Apache-2.0 */
/* What a card's POST is: one row per combination of headers that makes a difference. */
#include <criterion/criterion.h>

#include "services/sm-sr/card_post.h"

#define EID_1 "89001012012341234012345678901224"
#define FROM_1 "//se-id/eid/" EID_1 ";//aa-id/aid/A000000559/1010FFFFFFFF8900000100"
#define NOTE_1 "E1354C10890010120123412340123456789012244D01024E0200004F10A0000005591010FFFFFFFF890000130014081122334455667788"

static const struct row {
	const char *what, *protocol, *from, *status, *resume, *type, *msg, *body;
	enum post_kind kind;
	bool is_resume;
} rows[] = {
	{ "asks for work", RAM_PROTOCOL, FROM_1, NULL, NULL, NULL, NULL, "", POST_FIRST, false },
	{ "the protocol in capitals", "GlobalPlatform-Remote-Admin/1.0", FROM_1, NULL, NULL, NULL, NULL, "", POST_FIRST, false },
	{ "no X-Admin-From", RAM_PROTOCOL, NULL, NULL, NULL, NULL, NULL, "", POST_FIRST, false },
	{ "resumes", RAM_PROTOCOL, FROM_1, NULL, "true", NULL, NULL, "", POST_FIRST, true },
	{ "resume said no", RAM_PROTOCOL, FROM_1, NULL, "false", NULL, NULL, "", POST_FIRST, false },
	{ "answers", RAM_PROTOCOL, FROM_1, "ok", NULL, RAM_RESPONSE, NULL, "\xAF\x80", POST_ANSWER, false },
	{ "answers after a resume", RAM_PROTOCOL, FROM_1, "ok", "true", RAM_RESPONSE, NULL, "\xAF\x80", POST_ANSWER, true },
	{ "answers without a body", RAM_PROTOCOL, FROM_1, "ok", NULL, RAM_RESPONSE, NULL, "", POST_ANSWER, false },
	{ "answers in another type", RAM_PROTOCOL, FROM_1, "ok", NULL, "text/plain", NULL, "x", POST_BAD, false },
	{ "answers without a type", RAM_PROTOCOL, FROM_1, "ok", NULL, NULL, NULL, "x", POST_BAD, false },
	{ "could not", RAM_PROTOCOL, FROM_1, "unknown-application", NULL, NULL, NULL, "", POST_UNABLE, false },
	{ "could not, in words we do not know", RAM_PROTOCOL, FROM_1, "tired", NULL, NULL, NULL, "", POST_UNABLE, false },
	{ "reports", RAM_PROTOCOL, FROM_1, NULL, NULL, NULL, NOTE_1, "", POST_NOTIFICATION, false },
	{ "reports in garbage", RAM_PROTOCOL, FROM_1, NULL, NULL, NULL, "E13", "", POST_BAD, false },
	{ "reports nothing", RAM_PROTOCOL, FROM_1, NULL, NULL, NULL, "", "", POST_BAD, false },
	{ "reports a cut TLV", RAM_PROTOCOL, FROM_1, NULL, NULL, NULL, "E1354C10", "", POST_BAD, false },
	{ "sends what nobody asked", RAM_PROTOCOL, FROM_1, NULL, NULL, RAM_RESPONSE, NULL, "x", POST_BAD, false },
	{ "no protocol", NULL, FROM_1, NULL, NULL, NULL, NULL, "", POST_BAD, false },
	{ "another protocol", "globalplatform-remote-admin/2.0", FROM_1, NULL, NULL, NULL, NULL, "", POST_BAD, false },
	{ "says it is nobody", RAM_PROTOCOL, "card", NULL, NULL, NULL, NULL, "", POST_BAD, false },
};

Test(sm_sr_card_post, kinds)
{
	struct arena *a = arena_new();
	struct eid eid;

	cr_assert(eid_parse(EID_1, &eid));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct card_headers h = { r->protocol, r->from, r->status, r->resume, r->type, r->msg, NULL, { (const uint8_t *)r->body, strlen(r->body) } };
		struct card_post post;

		card_post_read(a, &h, &eid, &post);
		cr_expect_eq(post.kind, r->kind, "%s: kind %d", r->what, (int)post.kind);
		cr_expect_eq(post.resume, r->is_resume, "%s", r->what);
		cr_expect_eq(post.bad != NULL, r->kind == POST_BAD, "%s: %s", r->what, post.bad ? post.bad : "");
	}
	arena_free(a);
}

Test(sm_sr_card_post, another_card)
{
	struct arena *a = arena_new();
	struct card_headers h = { .protocol = RAM_PROTOCOL, .from = FROM_1 };
	struct card_post post;
	struct eid other;

	cr_assert(eid_complete("890010120123412340123456789099", &other));
	card_post_read(a, &h, &other, &post);
	cr_expect_eq(post.kind, POST_FORBIDDEN);
	h = (struct card_headers){ .protocol = RAM_PROTOCOL, .msg = NOTE_1 };
	card_post_read(a, &h, &other, &post);
	cr_expect_eq(post.kind, POST_FORBIDDEN, "its notification");
	arena_free(a);
}

Test(sm_sr_card_post, notification_is_read)
{
	struct arena *a = arena_new();
	struct card_headers h = { .protocol = RAM_PROTOCOL, .msg = NOTE_1 };
	struct card_post post;
	struct eid eid;

	cr_assert(eid_parse(EID_1, &eid));
	card_post_read(a, &h, &eid, &post);
	cr_assert_eq(post.kind, POST_NOTIFICATION);
	cr_expect_eq(post.note.type, NOTE_CHANGE_OK);
	cr_expect_eq(post.note.seq, 0);
	cr_expect_eq(post.note.imei.len, 8);
	arena_free(a);
}

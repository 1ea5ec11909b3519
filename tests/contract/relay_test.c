/* SPDX-License-Identifier: Apache-2.0 */
/* What an SM-DP relays differs in its routing field alone: the rest lies at the same places, so that a relay copies by struct member
 * whatever the wire calls it and where it stands there. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/msg/messages.h"

static const struct bind_field *row_at(const struct bind_group *g, const struct bind_field *like)
{
	for (const struct bind_field *f = g->fields; f->name; f++)
		if (f->offset == like->offset && f->type == like->type && f->flags == like->flags && f->size == like->size &&
		    f->count_offset == like->count_offset && f->sub == like->sub && !strcasecmp(f->name, like->name))
			return f;
	return NULL;
}

/* The larger has all rows of the smaller at the same places, and one behind them. `unsaid`: of the smaller, optional, not of the larger. */
static void check_prefix(const struct bind_message *larger, const struct bind_message *smaller, const char *routing,
			 const char *unsaid)
{
	const struct bind_group *l = larger->group, *s = smaller->group;
	size_t rows = 0, extra = 0;

	cr_assert_gt(l->size, s->size, "%s", larger->root);
	for (const struct bind_field *f = s->fields; f->name; f++) {
		bool skipped = unsaid && !strcmp(f->name, unsaid) && (f->flags & BIND_OPTIONAL);

		cr_assert(skipped || row_at(l, f), "%s of %s is elsewhere in %s", f->name, smaller->root, larger->root);
		rows += !skipped;
	}
	for (const struct bind_field *f = l->fields; f->name; f++) {
		if (f->offset < s->size) {
			rows--;
			continue;
		}
		extra++;
		cr_assert(f->type == BIND_OID && !strcasecmp(f->name, routing), "%s: %s", larger->root, f->name);
	}
	cr_assert(rows == 0 && extra == 1, "%s", larger->root);
}

/* The answer that goes back is a prefix, too. */
static void check_answer(const struct bind_message *es3, const struct bind_message *es2)
{
	cr_assert_leq(es2->group->size, es3->group->size, "%s", es2->root);
	for (const struct bind_field *f = es2->group->fields; f->name; f++)
		cr_assert_not_null(row_at(es3->group, f), "%s: %s", es2->root, f->name);
}

#define PAIR(es2, es3)                     \
	{                                  \
		FN_ES2_##es2, FN_ES3_##es3 \
	}
static const struct pair {
	enum function_id es2, es3;
} relayed[] = {
	PAIR(GetEIS, GetEIS),
	PAIR(UpdatePolicyRules, UpdatePolicyRules),
	PAIR(UpdateSubscriptionAddress, UpdateSubscriptionAddress),
	PAIR(EnableProfile, EnableProfile),
	PAIR(DisableProfile, DisableProfile),
	PAIR(DeleteProfile, DeleteISDP),
	PAIR(AuditEIS, AuditEIS),
};

Test(relay, an_es2_request_is_the_es3_one_and_where_it_goes)
{
	for (size_t i = 0; i < LEN(relayed); i++) {
		check_prefix(message_request(relayed[i].es2), message_request(relayed[i].es3), "Smsr-id", NULL);
		check_answer(message_response(relayed[i].es3), message_response(relayed[i].es2));
	}
}

Test(relay, an_es3_notification_is_the_es2_one_and_who_is_told)
{
	unsigned n = 0;

	for (enum function_id id = 0; id < FN_COUNT; id++) {
		const struct function *f = function_by_id(id), *es3, *es4;

		if (f->iface != IF_ES2 || f->mep != MEP_NOTIFY || !message_request(id))
			continue;
		es3 = function_by_url("ES3", f->name);
		es4 = function_by_url("ES4", f->name);
		check_prefix(message_request(es3->id), message_request(id), "Mno-id",
			     id == FN_ES2_HandleProfileDownloadedNotification ? "Mno-id" : NULL);
		cr_assert_eq(message_request(es4->id)->group->size, message_request(id)->group->size, "%s", f->name);
		for (const struct bind_field *row = message_request(id)->group->fields; row->name; row++)
			cr_assert_not_null(row_at(message_request(es4->id)->group, row), "%s: %s", f->name, row->name);
		n++;
	}
	cr_assert_eq(n, 10, "all but HandlePLMASetting");
}

Test(relay, es3_and_es4_share_their_bodies)
{
	static const struct {
		enum function_id es3, es4;
	} same[] = {
		{ FN_ES3_GetEIS, FN_ES4_GetEIS },
		{ FN_ES3_AuditEIS, FN_ES4_AuditEIS },
		{ FN_ES3_EnableProfile, FN_ES4_EnableProfile },
		{ FN_ES3_DisableProfile, FN_ES4_DisableProfile },
		{ FN_ES3_DeleteISDP, FN_ES4_DeleteProfile },
		{ FN_ES3_UpdateSubscriptionAddress, FN_ES4_UpdateSubscriptionAddress },
	};

	for (size_t i = 0; i < LEN(same); i++) {
		cr_assert_eq(message_request(same[i].es3)->group, message_request(same[i].es4)->group);
		cr_assert_eq(message_response(same[i].es3)->group, message_response(same[i].es4)->group);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SMS of an SM-SR to its cards, the counters that secure them, and cards of which it is not sure any more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

enum { COUNTER_DIGITS = 12 };

int cmd_sms(struct ctl *c)
{
	static const char *const names[] = { "id", "eid", "msisdn", "counter", "state", "attempts", "queued_at", "ended_at", "error" };
	static const char *const heads[] = { "ID", "EID", "MSISDN", "COUNTER", "STATE", "ATTEMPTS", "QUEUED", "ENDED", "ERROR" };
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(json_freep) json_t *list = NULL;
	int code;

	buf_str(&path, "/admin/sms");
	ctl_query(&path, "eid", c->option[OPT_EID]);
	code = admin_json(c, "GET", path.data, NULL, &list);
	return code == EXIT_OK ? ctl_print_list(c, list, names, heads, LEN(names)) : code;
}

/* One batch; *after: where the next one begins, NULL: there is none. by 0: the order has no such number. */
static int cards_batch(struct ctl *c, const char *path, const char *member, int64_t by, const char **after, long long *total)
{
	const char *eid = strcmp(c->args[0], "all") ? c->args[0] : "*", *next;
	CLEANUP(json_freep) json_t *body = json_pack("{s:s, s:s}", "eid", eid, "after", *after);
	CLEANUP(json_freep) json_t *answer = NULL;
	int code;

	if (!body)
		return ctl_fail(c, EXIT_USAGE, "EID is 32 digits, or all");
	if (by)
		json_object_set_new(body, "by", json_integer(by));
	code = admin_json(c, "POST", path, body, &answer);
	if (code != EXIT_OK)
		return code;
	*total += json_integer_value(json_object_get(answer, member));
	next = json_string_value(json_object_get(answer, "next"));
	*after = next ? arena_strdup(c->arena, next) : NULL;
	return EXIT_OK;
}

static int cards_walk(struct ctl *c, const char *path, const char *member, const char *text, int64_t by)
{
	CLEANUP(json_freep) json_t *answer = NULL;
	const char *after = "";
	long long total = 0;

	while (after) {
		int code = cards_batch(c, path, member, by, &after, &total);

		if (code != EXIT_OK)
			return code;
	}
	answer = json_pack("{s:I}", member, (json_int_t)total);
	if (c->json && answer)
		ctl_print_json(answer);
	else
		printf("%lld %s\n", total, text);
	return EXIT_OK;
}

int cmd_keys_bump(struct ctl *c)
{
	const char *by = c->args[1];
	int64_t n = *by && strlen(by) <= COUNTER_DIGITS && !by[strspn(by, "0123456789")] ? strtoll(by, NULL, 10) : 0;

	if (!n)
		return ctl_fail(c, EXIT_USAGE, "keys bump %s: should be a number of at most %d digits, and at least 1", by, COUNTER_DIGITS);
	return cards_walk(c, "/admin/keys/bump", "keysets", "key sets", n);
}

int cmd_cards_uncertain(struct ctl *c)
{
	return cards_walk(c, "/admin/cards/uncertain", "cards", "cards", 0);
}

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

int cmd_keys_bump(struct ctl *c)
{
	const char *eid = strcmp(c->args[0], "all") ? c->args[0] : "*", *by = c->args[1];
	CLEANUP(json_freep) json_t *body = NULL;
	CLEANUP(json_freep) json_t *answer = NULL;
	int code;

	if (!*by || strlen(by) > COUNTER_DIGITS || by[strspn(by, "0123456789")])
		return ctl_fail(c, EXIT_USAGE, "keys bump %s: should be a number of at most %d digits", by, COUNTER_DIGITS);
	body = json_pack("{s:s, s:I}", "eid", eid, "by", (json_int_t)strtoll(by, NULL, 10));
	if (!body)
		return ctl_fail(c, EXIT_USAGE, "keys bump: EID is 32 digits, or all");
	code = admin_json(c, "POST", "/admin/keys/bump", body, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("%s key sets\n", ctl_cell(c->arena, answer, "keysets"));
	return EXIT_OK;
}

/* One batch; *after: where the next one begins, NULL: there is none. */
static int uncertain_batch(struct ctl *c, const char *eid, const char **after, long long *total)
{
	CLEANUP(json_freep) json_t *body = json_pack("{s:s, s:s}", "eid", eid, "after", *after);
	CLEANUP(json_freep) json_t *answer = NULL;
	const char *next;
	int code;

	if (!body)
		return ctl_fail(c, EXIT_USAGE, "cards uncertain: EID is 32 digits, or all");
	code = admin_json(c, "POST", "/admin/cards/uncertain", body, &answer);
	if (code != EXIT_OK)
		return code;
	*total += json_integer_value(json_object_get(answer, "cards"));
	next = json_string_value(json_object_get(answer, "next"));
	*after = next ? arena_strdup(c->arena, next) : NULL;
	return EXIT_OK;
}

int cmd_cards_uncertain(struct ctl *c)
{
	const char *eid = strcmp(c->args[0], "all") ? c->args[0] : "*", *after = "";
	CLEANUP(json_freep) json_t *answer = NULL;
	long long total = 0;

	while (after) {
		int code = uncertain_batch(c, eid, &after, &total);

		if (code != EXIT_OK)
			return code;
	}
	answer = json_pack("{s:I}", "cards", (json_int_t)total);
	if (c->json && answer)
		ctl_print_json(answer);
	else
		printf("%lld cards\n", total);
	return EXIT_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SMS of an SM-SR to its cards, and the counters that secure them. */
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

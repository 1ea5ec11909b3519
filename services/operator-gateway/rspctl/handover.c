/* SPDX-License-Identifier: Apache-2.0 */
/* SM-SR changes as the sm-sr-handover of a domain has them, and what a person decides about one. */
#include <stdio.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

int cmd_smsr_change_list(struct ctl *c)
{
	static const char *const names[] = { "id", "side", "eid", "peer", "stage", "since", "deadline", "outcome", "code" };
	static const char *const heads[] = { "ID", "SIDE", "EID", "OTHER SM-SR", "STAGE", "SINCE", "DEADLINE", "OUTCOME", "CODE" };

	return ctl_list_by(c, "/admin/handovers", OPT(SIDE) | OPT(STAGE) | OPT(EID) | OPT(LIMIT), names, heads, LEN(names));
}

static void head_print(struct ctl *c, const json_t *handover)
{
	static const char *const names[] = { "id",       "side",     "eid",  "peer",  "operator", "stage", "since",  "started_at",
					     "deadline", "ended_at", "told", "tries", "outcome",  "code",  "message" };

	for (size_t i = 0; i < LEN(names); i++)
		printf("%-12s %s\n", names[i], ctl_cell(c->arena, handover, names[i]));
	puts("");
}

int cmd_smsr_change_show(struct ctl *c)
{
	static const char *const names[] = { "stage", "step", "at", "note" };
	static const char *const heads[] = { "STAGE", "STEP", "SINCE", "BY" };
	CLEANUP(json_freep) json_t *handover = NULL;
	CLEANUP(buf_free) struct buf path = { 0 };
	int code;

	buf_str(&path, "/admin/handovers/show");
	ctl_query(&path, "id", c->args[0]);
	code = admin_json(c, "GET", path.data, NULL, &handover);
	if (code != EXIT_OK)
		return code;
	if (c->json) {
		ctl_print_json(handover);
		return EXIT_OK;
	}
	head_print(c, handover);
	return ctl_print_list(c, json_object_get(handover, "stages"), names, heads, LEN(names));
}

int cmd_smsr_change_resolve(struct ctl *c)
{
	bool moved = !strcmp(c->args[1], "moved");
	CLEANUP(json_freep) json_t *body = NULL;
	CLEANUP(json_freep) json_t *answer = NULL;
	int code;

	if (!moved && strcmp(c->args[1], "kept") != 0)
		return ctl_fail(c, EXIT_USAGE, "smsr-change resolve ID %s: should be moved or kept", c->args[1]);
	if (!c->option[OPT_YES])
		return ctl_fail(c, EXIT_USAGE, "smsr-change resolve: --yes says that a person knows whose keys the card has: %s",
				moved ? "this SM-SR forgets the card" : "this SM-SR commands the card again");
	body = json_pack("{s:s, s:b, s:s}", "handover", c->args[0], "moved", moved, "by", ctl_user(c));
	if (!body)
		return ctl_fail(c, EXIT_USAGE, "smsr-change resolve: ID is that of the list");
	code = admin_json(c, "POST", "/admin/handovers/resolve", body, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("card %s: %s\n", ctl_cell(c->arena, answer, "eid"), ctl_cell(c->arena, answer, "stage"));
	return EXIT_OK;
}

int cmd_smsr_change_skip(struct ctl *c)
{
	CLEANUP(json_freep) json_t *body = NULL;
	CLEANUP(json_freep) json_t *answer = NULL;
	int code;

	if (!c->option[OPT_YES])
		return ctl_fail(c, EXIT_USAGE, "smsr-change skip: --yes says that the card shall do without the step it is at");
	body = json_pack("{s:s, s:s}", "handover", c->args[0], "by", ctl_user(c));
	if (!body)
		return ctl_fail(c, EXIT_USAGE, "smsr-change skip: ID is that of the list");
	code = admin_json(c, "POST", "/admin/handovers/skip", body, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("card %s: %s left out, %s\n", ctl_cell(c->arena, answer, "eid"), ctl_cell(c->arena, answer, "skipped"),
		       ctl_cell(c->arena, answer, "stage"));
	return EXIT_OK;
}

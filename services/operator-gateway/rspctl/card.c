/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated cards, on the simulator's control socket. */
#include <stdio.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

static const char *const names[] = { "eid", "phase", "enabled", "powered", "session", "pending", "switches", "smsr" };
static const char *const heads[] = { "EID", "PHASE", "ENABLED", "POWER", "SESSION", "PENDING", "SWITCHES", "SM-SR" };

int cmd_card_list(struct ctl *c)
{
	return ctl_list_by(c, "/admin/cards", OPT(LIMIT), names, heads, LEN(names));
}

static void print_profiles(struct ctl *c, json_t *profiles)
{
	static const char *const members[] = { "iccid", "state", "fallback", "msisdn", "aid" };
	static const char *const titles[] = { "ICCID", "STATE", "FALLBACK", "MSISDN", "AID" };

	(void)ctl_print_list(c, profiles, members, titles, LEN(members));
}

int cmd_card_show(struct ctl *c)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(json_freep) json_t *cards = NULL;
	json_t *card;
	int code;

	buf_str(&path, "/admin/cards");
	ctl_query(&path, "eid", c->args[0]);
	code = admin_json(c, "GET", path.data, NULL, &cards);
	if (code != EXIT_OK)
		return code;
	card = json_array_get(cards, 0);
	if (c->json) {
		ctl_print_json(card);
		return EXIT_OK;
	}
	for (size_t i = 0; i < LEN(names); i++)
		printf("%-10s %s\n", heads[i], ctl_cell(c->arena, card, names[i]));
	putchar('\n');
	print_profiles(c, json_object_get(card, "profiles"));
	return EXIT_OK;
}

static const char *card_named(const char *text)
{
	return strcmp(text, "all") ? text : "*";
}

/* body is given away. */
static int change(struct ctl *c, const char *method, const char *path, json_t *body, const char *done)
{
	CLEANUP(json_freep) json_t *owned = body;
	CLEANUP(json_freep) json_t *answer = NULL;
	int code;

	if (!body)
		return ctl_fail(c, EXIT_USAGE, "arguments are UTF-8 text");
	code = admin_json(c, method, path, owned, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		puts(done);
	return EXIT_OK;
}

int cmd_card_load(struct ctl *c)
{
	CLEANUP(json_freep) json_t *asked = json_object();
	CLEANUP(json_freep) json_t *answer = NULL;
	int code = admin_json(c, "POST", "/admin/cards/load", asked, &answer);

	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("%s new, %s cards\n", ctl_cell(c->arena, answer, "new"), ctl_cell(c->arena, answer, "cards"));
	return EXIT_OK;
}

int cmd_card_power(struct ctl *c)
{
	bool on = !strcmp(c->args[0], "on");

	if (!on && strcmp(c->args[0], "off") != 0)
		return ctl_fail(c, EXIT_USAGE, "card power %s: should be on or off", c->args[0]);
	return change(c, "POST", "/admin/cards/power", json_pack("{s:s, s:b}", "eid", card_named(c->args[1]), "on", on),
		      arena_printf(c->arena, "%s: power %s", c->args[1], c->args[0]));
}

int cmd_card_hook(struct ctl *c)
{
	const char *argument = c->n_args > 3 ? c->args[3] : "";
	unsigned times = 0;

	if (c->n_args > 2 && !number_parse(c->args[2], &times))
		return ctl_fail(c, EXIT_USAGE, "TIMES %s: should be a number; 0: until unhook", c->args[2]);
	return change(c, "POST", "/admin/cards/hook",
		      json_pack("{s:s, s:s, s:i, s:s}", "hook", c->args[0], "eid", card_named(c->args[1]), "times", (int)times,
				"argument", argument),
		      arena_printf(c->arena, "%s: %s", c->args[1], c->args[0]));
}

int cmd_card_unhook(struct ctl *c)
{
	return change(c, "DELETE", "/admin/cards/hook", json_pack("{s:s, s:s}", "hook", c->args[0], "eid", card_named(c->args[1])),
		      arena_printf(c->arena, "%s: no %s any more", c->args[1], c->args[0]));
}

/* The network calls a profile by its number: the one that is enabled, or that of --iccid. */
int cmd_card_number(struct ctl *c)
{
	const char *iccid = c->option[OPT_ICCID], *msisdn = c->args[1];
	json_t *body = json_pack("{s:s, s:s, s:s*}", "eid", c->args[0], "msisdn", msisdn, "iccid", iccid);

	return change(c, "POST", "/admin/cards/number", body,
		      arena_printf(c->arena, "%s: number %s", iccid ? iccid : c->args[0], msisdn));
}

int cmd_card_coverage(struct ctl *c)
{
	return change(c, "POST", "/admin/cards/coverage", json_pack("{s:s}", "eid", c->args[0]),
		      arena_printf(c->arena, "%s: lost its network", c->args[0]));
}

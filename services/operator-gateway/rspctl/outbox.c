/* SPDX-License-Identifier: Apache-2.0 */
/* What waits to leave a process, and what could not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

enum { ID_DIGITS = 18 };

/* EXIT_OK, or said. */
static int id_check(struct ctl *c)
{
	const char *id = c->args[0];

	if (*id && strlen(id) <= ID_DIGITS && strspn(id, "0123456789") == strlen(id))
		return EXIT_OK;
	return ctl_fail(c, EXIT_USAGE, "%s: should be the number of a row, as outbox list shows it", id);
}

static int peer_check(struct ctl *c)
{
	struct oid oid;

	if (!c->option[OPT_PEER] || oid_parse(c->option[OPT_PEER], &oid))
		return EXIT_OK;
	return ctl_fail(c, EXIT_USAGE, "--peer %s: should be an object identifier, as entity list shows it", c->option[OPT_PEER]);
}

static int list_check(struct ctl *c)
{
	struct eid eid;

	if (c->option[OPT_EID] && !eid_parse(c->option[OPT_EID], &eid))
		return ctl_fail(c, EXIT_USAGE, "--eid %s: should be 32 digits whose check digits hold", c->option[OPT_EID]);
	return peer_check(c);
}

int cmd_outbox_list(struct ctl *c)
{
	static const char *const names[] = { "id", "lane", "kind", "eid", "attempts", "created_at", "next_at", "dead_at", "error" };
	static const char *const heads[] = { "ID", "LANE", "KIND", "EID", "ATTEMPTS", "CREATED", "NEXT", "DEAD", "ERROR" };
	int code = list_check(c);

	if (code != EXIT_OK)
		return code;
	return ctl_list_by(c, "/admin/outbox", OPT(DEAD) | OPT(EID) | OPT(PEER) | OPT(LIMIT), names, heads, LEN(names));
}

int cmd_outbox_show(struct ctl *c)
{
	CLEANUP(json_freep) json_t *row = NULL;
	CLEANUP(buf_free) struct buf body = { 0 };
	const char *name, *text;
	json_t *value;
	int code = id_check(c);

	if (code == EXIT_OK)
		code = admin_json(c, "GET", arena_printf(c->arena, "/admin/outbox/%s", c->args[0]), NULL, &row);
	if (code != EXIT_OK)
		return code;
	if (c->json) {
		ctl_print_json(row);
		return EXIT_OK;
	}
	text = json_string_value(json_object_get(row, "body"));
	json_object_foreach(row, name, value) {
		if (strcmp(name, "body") != 0)
			printf("%-15s %s\n", name, ctl_cell(c->arena, row, name));
	}
	if (text)
		xml_indent(&body, text, strlen(text));
	if (body.len)
		puts(body.data);
	return EXIT_OK;
}

/* Which ones must be said, and by one thing only. */
static json_t *replay_body(struct ctl *c)
{
	bool all = c->option[OPT_ALL] != NULL;
	const char *peer = c->option[OPT_PEER];

	if ((c->n_args > 0) + all + (peer != NULL) != 1) {
		(void)ctl_fail(c, EXIT_USAGE, "usage: rspctl outbox replay ID | --peer OID | --all");
		return NULL;
	}
	if (peer)
		return peer_check(c) == EXIT_OK ? json_pack("{s:s}", "peer", peer) : NULL;
	if (all)
		return json_pack("{s:b}", "all", 1);
	return id_check(c) == EXIT_OK ? json_pack("{s:I}", "id", (json_int_t)strtoll(c->args[0], NULL, 10)) : NULL;
}

int cmd_outbox_replay(struct ctl *c)
{
	CLEANUP(json_freep) json_t *body = replay_body(c);
	CLEANUP(json_freep) json_t *answer = NULL;
	int code;

	if (!body)
		return EXIT_USAGE;
	code = admin_json(c, "POST", "/admin/outbox/replay", body, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("%s dead letters are tried again\n", ctl_cell(c->arena, answer, "replayed"));
	return EXIT_OK;
}

int cmd_outbox_drop(struct ctl *c)
{
	CLEANUP(json_freep) json_t *answer = NULL;
	int code = id_check(c);

	if (code != EXIT_OK)
		return code;
	if (!c->option[OPT_YES])
		return ctl_fail(c, EXIT_USAGE, "outbox drop %s: nobody will get this message; say --yes", c->args[0]);
	code = admin_json(c, "DELETE", arena_printf(c->arena, "/admin/outbox/%s", c->args[0]), NULL, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("%s is deleted\n", c->args[0]);
	return EXIT_OK;
}

int cmd_peer_list(struct ctl *c)
{
	static const char *const names[] = { "lane", "name", "waiting", "oldest", "dead", "paused_until", "error" };
	static const char *const heads[] = { "LANE", "NAME", "WAITING", "OLDEST", "DEAD", "PAUSED UNTIL", "ERROR" };
	CLEANUP(json_freep) json_t *list = NULL;
	int code = admin_json(c, "GET", "/admin/peers", NULL, &list);

	return code == EXIT_OK ? ctl_print_list(c, list, names, heads, LEN(names)) : code;
}

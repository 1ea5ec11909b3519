/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on the admin socket of any process: messages, faults, tokens. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

int ctl_print_list(struct ctl *c, json_t *list, const char *const *names, const char *const *heads, unsigned columns)
{
	const char **cells;
	unsigned n = columns;
	const json_t *row;
	size_t i;

	if (c->json) {
		ctl_print_json(list);
		return EXIT_OK;
	}
	if (!json_is_array(list))
		return ctl_fail(c, EXIT_INTERNAL, "the answer is not a list; are rspctl and the process of the same version?");
	cells = arena_array(c->arena, columns * (json_array_size(list) + 1), sizeof(*cells));
	memcpy(cells, heads, columns * sizeof(*cells));
	json_array_foreach(list, i, row) for (unsigned k = 0; k < columns; k++) cells[n++] = ctl_cell(c->arena, row, names[k]);
	ctl_print_table(cells, columns, n / columns);
	return EXIT_OK;
}

int ctl_list(struct ctl *c, const char *path, const char *const *names, const char *const *heads, unsigned columns)
{
	CLEANUP(json_freep) json_t *list = NULL;
	int code = admin_json(c, "GET", path, NULL, &list);

	return code == EXIT_OK ? ctl_print_list(c, list, names, heads, columns) : code;
}

static int limit_check(struct ctl *c)
{
	const char *limit = c->option[OPT_LIMIT];
	unsigned n = 1;

	if (!limit || (number_parse(limit, &n) && n > 0))
		return EXIT_OK;
	return ctl_fail(c, EXIT_USAGE, "--limit %s: should be a number from 1 to 999999", limit);
}

void ctl_query(struct buf *path, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(path, "%c%s=", strchr(path->data, '?') ? '&' : '?', name);
	url_escape(path, value);
}

int ctl_list_by(struct ctl *c, const char *path, uint64_t by, const char *const *names, const char *const *heads, unsigned columns)
{
	CLEANUP(buf_free) struct buf whole = { 0 };
	int code = by & OPT(LIMIT) ? limit_check(c) : EXIT_OK;

	if (code != EXIT_OK)
		return code;
	buf_str(&whole, path);
	for (int i = 0; i < OPT_COUNT; i++)
		if (by & UINT64_C(1) << i)
			ctl_query(&whole, option_word((enum option)i), c->option[i]);
	return ctl_list(c, whole.data, names, heads, columns);
}

/* Requests have no HTTP status. */
static void blank_status(json_t *list)
{
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row) if (!json_integer_value(json_object_get(row, "status"))) json_object_del(row, "status");
}

static void print_messages(struct ctl *c, const json_t *list)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	const json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		const char *text = json_string_value(json_object_get(row, "text"));

		printf("%s--- %s %s %s peer %s http %s eid %s message %s\n", i ? "\n" : "", ctl_cell(c->arena, row, "at"),
		       ctl_cell(c->arena, row, "kind"), ctl_cell(c->arena, row, "function"), ctl_cell(c->arena, row, "peer"),
		       ctl_cell(c->arena, row, "status"), ctl_cell(c->arena, row, "eid"), ctl_cell(c->arena, row, "message_id"));
		buf_clear(&out);
		if (text)
			xml_indent(&out, text, strlen(text));
		if (out.len)
			puts(out.data);
		if (json_is_true(json_object_get(row, "cut")))
			puts("(cut: longer than the journal keeps)");
	}
}

int cmd_messages(struct ctl *c)
{
	static const char *const names[] = { "at", "kind", "function", "peer", "status", "eid", "message_id" };
	static const char *const heads[] = { "AT", "KIND", "FUNCTION", "PEER", "HTTP", "EID", "MESSAGE" };
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(json_freep) json_t *list = NULL;
	struct eid eid;
	int code = limit_check(c);

	if (code != EXIT_OK)
		return code;
	if (c->option[OPT_EID] && !eid_parse(c->option[OPT_EID], &eid))
		return ctl_fail(c, EXIT_USAGE, "--eid %s: should be 32 digits whose check digits hold", c->option[OPT_EID]);
	buf_str(&path, "/admin/messages");
	ctl_query(&path, "eid", c->option[OPT_EID] ? eid.text : NULL);
	ctl_query(&path, "message_id", c->option[OPT_MESSAGE_ID]);
	ctl_query(&path, "limit", c->option[OPT_LIMIT] ? c->option[OPT_LIMIT] : "20");
	code = admin_json(c, "GET", path.data, NULL, &list);
	if (code != EXIT_OK)
		return code;
	if (!c->json)
		blank_status(list);
	if (!c->option[OPT_XML] || c->json)
		return ctl_print_list(c, list, names, heads, LEN(names));
	print_messages(c, list);
	return EXIT_OK;
}

int cmd_fault(struct ctl *c)
{
	static const char *const names[] = { "point", "action", "eid", "held", "hits" };
	static const char *const heads[] = { "POINT", "ACTION", "EID", "HELD", "HITS" };
	static const char actions[] = " pause kill drop off ";
	CLEANUP(json_freep) json_t *body = NULL;
	CLEANUP(json_freep) json_t *answer = NULL;
	int code;

	if (c->n_args == 0 || (c->n_args == 1 && !strcmp(c->args[0], "list")))
		return ctl_list(c, "/admin/faults", names, heads, LEN(names));
	if (c->n_args != 3 || !strstr(actions, arena_printf(c->arena, " %s ", c->args[1])))
		return ctl_fail(c, EXIT_USAGE, "usage: rspctl fault [list | POINT pause|kill|drop|off EID]; EID may be *");
	body = json_pack("{s:s, s:s, s:s}", "point", c->args[0], "action", c->args[1], "eid", c->args[2]);
	if (!body)
		return ctl_fail(c, EXIT_USAGE, "fault: arguments are UTF-8 text");
	code = admin_json(c, "POST", "/admin/faults", body, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("%s: %s for %s\n", c->args[0], c->args[1], c->args[2]);
	return EXIT_OK;
}

int cmd_token_list(struct ctl *c)
{
	static const char *const names[] = { "name", "role", "created" };
	static const char *const heads[] = { "NAME", "ROLE", "CREATED" };

	return ctl_list(c, "/admin/tokens", names, heads, LEN(names));
}

/* The token alone on standard output, so that `> file` keeps it. */
int cmd_token_create(struct ctl *c)
{
	CLEANUP(json_freep) json_t *body = json_pack("{s:s, s:s}", "name", c->args[0], "role", c->args[1]);
	CLEANUP(json_freep) json_t *answer = NULL;
	const char *token;
	int code;

	if (!body)
		return ctl_fail(c, EXIT_USAGE, "token create: NAME is 1 to 64 of A-Z a-z 0-9 . _ -");
	code = admin_json(c, "POST", "/admin/tokens", body, &answer);
	if (code != EXIT_OK)
		return code;
	token = json_string_value(json_object_get(answer, "token"));
	if (!token)
		return ctl_fail(c, EXIT_INTERNAL, "/admin/tokens: no token in the answer; is %s a gateway's socket?",
				c->option[OPT_ADMIN]);
	if (c->json)
		ctl_print_json(answer);
	else
		puts(token);
	return EXIT_OK;
}

int cmd_token_delete(struct ctl *c)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	CLEANUP(json_freep) json_t *answer = NULL;
	int code;

	buf_str(&path, "/admin/tokens/");
	url_escape(&path, c->args[0]);
	code = admin_json(c, "DELETE", path.data, NULL, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("%s is void\n", c->args[0]);
	return EXIT_OK;
}

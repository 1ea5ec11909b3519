/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads of an SM-DP, and orders of its own, on its admin socket. */
#include <stdio.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

int cmd_download_list(struct ctl *c)
{
	static const char *const names[] = { "id",    "eid",  "iccid", "mno",     "type", "state",
					     "since", "step", "tries", "outcome", "code" };
	static const char *const heads[] = { "DOWNLOAD", "EID",  "ICCID", "OPERATOR", "TYPE", "STATE",
					     "SINCE",    "STEP", "TRIES", "OUTCOME",  "CODE" };

	return ctl_list_by(c, "/admin/downloads", OPT(STATE) | OPT(EID) | OPT(ICCID) | OPT(MNO) | OPT(LIMIT), names, heads,
			   LEN(names));
}

static void head_print(const struct ctl *c, const json_t *download)
{
	static const char *const names[] = { "id",         "eid",
					     "iccid",      "isdp",
					     "mno",        "type",
					     "smsr",       "fci",
					     "enable",     "state",
					     "since",      "step",
					     "tries",      "segments",
					     "started_at", "deadline",
					     "due_at",     "ended_at",
					     "told",       "outcome",
					     "code",       "subject_identifier",
					     "message" };

	for (size_t i = 0; i < LEN(names); i++)
		if (json_object_get(download, names[i]))
			printf("%-18s  %s\n", names[i], ctl_cell(c->arena, download, names[i]));
	putchar('\n');
}

int cmd_download_show(struct ctl *c)
{
	static const char *const names[] = { "state", "function", "step", "begun_at", "answered_at", "answer" };
	static const char *const heads[] = { "STAGE", "CALL", "STEP", "BEGUN", "ANSWERED", "ANSWER" };
	CLEANUP(json_freep) json_t *download = NULL;
	CLEANUP(buf_free) struct buf path = { 0 };
	int code;

	buf_str(&path, "/admin/downloads/show");
	ctl_query(&path, "id", c->args[0]);
	code = admin_json(c, "GET", path.data, NULL, &download);
	if (code != EXIT_OK)
		return code;
	if (c->json) {
		ctl_print_json(download);
		return EXIT_OK;
	}
	head_print(c, download);
	return ctl_print_list(c, json_object_get(download, "stages"), names, heads, LEN(names));
}

int cmd_connectivity_list(struct ctl *c)
{
	static const char *const names[] = { "id", "eid", "iccid", "smsr", "state", "made_at", "made_by", "ended_at", "answer" };
	static const char *const heads[] = { "ORDER", "EID", "ICCID", "SM-SR", "STATE", "MADE", "BY", "ENDED", "ANSWER" };

	return ctl_list_by(c, "/admin/connectivity", OPT(EID) | OPT(LIMIT), names, heads, LEN(names));
}

enum { HEX_FILE_MAX = 4096 };

/* The file's hex digits, without blanks and line ends; NULL: said. */
static const char *hex_of(struct ctl *c, const char *path)
{
	struct bytes file;
	size_t n = 0;
	char *hex;

	if (file_read(c, path, HEX_FILE_MAX, &file) != EXIT_OK)
		return NULL;
	hex = arena_alloc(c->arena, file.len + 1);
	for (size_t i = 0; i < file.len; i++)
		if (!strchr(" \t\r\n", file.data[i]) || !file.data[i])
			hex[n++] = (char)file.data[i];
	hex[n] = '\0';
	if (n > 0 && n % 2 == 0 && strspn(hex, "0123456789abcdefABCDEF") == n)
		return hex;
	(void)ctl_fail(c, EXIT_USAGE, "%s: should be hex digits, an even number", path);
	return NULL;
}

int cmd_connectivity_update(struct ctl *c)
{
	CLEANUP(json_freep) json_t *body = json_object();
	CLEANUP(json_freep) json_t *answer = NULL;
	const char *hex = hex_of(c, c->args[2]);
	unsigned validity = 0;
	int code;

	if (!hex)
		return EXIT_USAGE;
	if (c->option[OPT_VALIDITY] && !number_parse(c->option[OPT_VALIDITY], &validity))
		return ctl_fail(c, EXIT_USAGE, "--validity %s: should be a number of seconds", c->option[OPT_VALIDITY]);
	json_put(body, "eid", c->args[0]);
	json_put(body, "iccid", c->args[1]);
	json_put(body, "parameters", hex);
	json_put(body, "by", ctl_user(c));
	if (c->option[OPT_VALIDITY])
		json_object_set_new(body, "validity", json_integer(validity));
	code = admin_json(c, "POST", "/admin/connectivity", body, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("order %s: connectivity list shows how it ends\n", ctl_cell(c->arena, answer, "id"));
	return EXIT_OK;
}

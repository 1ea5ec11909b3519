/* SPDX-License-Identifier: Apache-2.0 */
#include "services/operator-gateway/rspctl/list.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/http/client.h"

enum { LIST_MAX = 8 * 1024 * 1024 };

/* The text from..from+n without blanks around it, in a. */
static const char *trimmed(struct arena *a, const char *from, size_t n)
{
	while (n && strchr(" \t", *from)) {
		from++;
		n--;
	}
	while (n && strchr(" \t\r", from[n - 1]))
		n--;
	return arena_strndup(a, from, n);
}

/* False: error is set. */
static bool parse_line(struct arena *a, const char *text, struct list_row *out, char error[256])
{
	size_t n = strcspn(text, ",");
	const char *eid = trimmed(a, text, n), *which = text[n] ? trimmed(a, text + n + 1, strlen(text + n + 1)) : "";

	if (!eid_parse(eid, &out->eid))
		snprintf(error, 256, "line %u: %.64s: should be an EID, 32 digits whose check digits hold", out->line, eid);
	else if (strchr(which, ','))
		snprintf(error, 256, "line %u: should be EID, or EID and one thing more behind a comma", out->line);
	else
		return out->which = *which ? which : NULL, true;
	return false;
}

bool list_parse(struct arena *a, const char *text, struct list_row **out, size_t *out_n, char error[256])
{
	size_t lines = 1, n = 0;
	struct list_row *rows;
	unsigned line = 0;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	rows = arena_array(a, lines, sizeof(*rows));
	for (const char *p = text; line < lines; p += strcspn(p, "\n") + 1) {
		const char *one = trimmed(a, p, strcspn(p, "\n"));

		line++;
		if (!*one || (line == 1 && !strncasecmp(one, "eid", 3)))
			continue;
		rows[n].line = line;
		if (!parse_line(a, one, &rows[n], error))
			return false;
		n++;
	}
	*out = rows;
	*out_n = n;
	return true;
}

void list_error(json_t *row, const char *code, const char *message)
{
	json_put(row, "error", code);
	json_put(row, "message", message);
}

int list_place(struct ctl *c, const char *path, const json_t *body, json_t *row)
{
	struct http_answer answer;
	int code = gateway_call(c, "POST", path, body, &answer);
	CLEANUP(json_freep) json_t *said = NULL;
	const json_t *error;

	if (code != EXIT_OK)
		return code;
	if (answer.error != HTTP_ANSWERED) {
		/* The order may have arrived: it is not repeated. */
		list_error(row, "unreachable", answer.reason ? answer.reason : http_error_name(answer.error));
		return EXIT_UNREACHABLE;
	}
	said = json_loadb((const char *)answer.body.data, answer.body.len, 0, NULL);
	if (answer.status / 100 == 2 && json_object_get(said, "operation")) {
		json_object_set(row, "operation", json_object_get(said, "operation"));
		return EXIT_OK;
	}
	error = json_object_get(said, "error");
	list_error(row, error ? ctl_cell(c->arena, error, "code") : "unexpected",
		   error ? ctl_cell(c->arena, error, "message") : arena_printf(c->arena, "HTTP %u", answer.status));
	return EXIT_REFUSED;
}

int list_read(struct ctl *c, const char *file, struct list_row **out, size_t *out_n)
{
	struct list_row *rows = NULL;
	struct bytes text;
	char error[256];
	size_t n = 0;
	int code = file_read(c, file, LIST_MAX, &text);

	if (code != EXIT_OK)
		return code;
	if (memchr(text.data, 0, text.len))
		return ctl_fail(c, EXIT_USAGE, "%s: has a zero byte: it is no text", file);
	if (!list_parse(c->arena, arena_strndup(c->arena, (const char *)text.data, text.len), &rows, &n, error))
		return ctl_fail(c, EXIT_USAGE, "%s: %s", file, error);
	if (!n)
		return ctl_fail(c, EXIT_USAGE, "%s: names no card", file);
	*out = rows;
	*out_n = n;
	return EXIT_OK;
}

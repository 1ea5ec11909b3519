/* SPDX-License-Identifier: Apache-2.0 */
/* download --csv: an operation for each line of a list, and a report of what became of each. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/http/client.h"
#include "services/operator-gateway/rspctl/rspctl.h"

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
static bool parse_line(struct arena *a, const char *text, struct download_row *out, char error[256])
{
	size_t n = strcspn(text, ",");
	const char *eid = trimmed(a, text, n), *which = text[n] ? trimmed(a, text + n + 1, strlen(text + n + 1)) : "";

	if (!eid_parse(eid, &out->eid))
		snprintf(error, 256, "line %u: %.64s: should be an EID, 32 digits whose check digits hold", out->line, eid);
	else if (strchr(which, ','))
		snprintf(error, 256, "line %u: should be EID, or EID,ICCID, or EID,TYPE", out->line);
	else
		return out->which = *which ? which : NULL, true;
	return false;
}

bool download_list_parse(struct arena *a, const char *text, struct download_row **out, size_t *out_n, char error[256])
{
	size_t lines = 1, n = 0;
	struct download_row *rows;
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

static void put_error(json_t *row, const char *code, const char *message)
{
	json_put(row, "error", code);
	json_put(row, "message", message);
}

/* Into the row of the report: the operation, or why there is none. EXIT_OK, EXIT_REFUSED, or the code that nothing more is to be tried with. */
static int place(struct ctl *c, const struct download_row *r, const json_t *body, json_t *row)
{
	struct http_answer answer;
	int code = gateway_call(c, "POST", arena_printf(c->arena, "/v1/euiccs/%s/profiles/download", r->eid.text), body, &answer);
	CLEANUP(json_freep) json_t *said = NULL;
	const json_t *error;

	if (code != EXIT_OK)
		return code;
	if (answer.error != HTTP_ANSWERED) {
		/* The order may have arrived: it is not repeated. */
		put_error(row, "unreachable", answer.reason ? answer.reason : http_error_name(answer.error));
		return EXIT_UNREACHABLE;
	}
	said = json_loadb((const char *)answer.body.data, answer.body.len, 0, NULL);
	if (answer.status / 100 == 2 && json_object_get(said, "operation")) {
		json_object_set(row, "operation", json_object_get(said, "operation"));
		return EXIT_OK;
	}
	error = json_object_get(said, "error");
	put_error(row, error ? ctl_cell(c->arena, error, "code") : "unexpected",
		  error ? ctl_cell(c->arena, error, "message") : arena_printf(c->arena, "HTTP %u", answer.status));
	return EXIT_REFUSED;
}

/* The first code that is not EXIT_OK stays. */
static int worst(int so_far, int code)
{
	return so_far == EXIT_OK ? code : so_far;
}

static int place_all(struct ctl *c, const struct download_row *rows, json_t *const *bodies, size_t n, json_t *report)
{
	int code = EXIT_OK;

	for (size_t i = 0; i < n; i++) {
		json_t *row = json_pack("{s:i, s:s}", "line", (int)rows[i].line, "eid", rows[i].eid.text);
		int one = EXIT_OK;

		json_array_append_new(report, row);
		if (code == EXIT_OK || code == EXIT_REFUSED)
			one = place(c, &rows[i], bodies[i], row);
		else
			put_error(row, "not_ordered", "the gateway was lost before");
		if (one != EXIT_OK && one != EXIT_REFUSED)
			code = one; /* nothing more is tried */
		code = worst(code, one);
	}
	return code;
}

/* How each ended, into the report; all of them wait at the same time. */
static int await_all(struct ctl *c, json_t *report, unsigned wait_s)
{
	static const char *const members[] = { "state", "status", "code", "iccid", "message", "enabled" };
	int64_t until = clock_ms() + (int64_t)wait_s * 1000;
	int code = EXIT_OK;
	json_t *row;
	size_t i;

	json_array_foreach(report, i, row)
	{
		const char *id = json_string_value(json_object_get(row, "operation"));
		int64_t rest = (until - clock_ms() + 999) / 1000;
		CLEANUP(json_freep) json_t *found = NULL;
		int one;

		if (!id)
			continue;
		one = operation_fetch(c, id, rest > 0 ? (unsigned)rest : 0, &found);
		if (one == EXIT_OK)
			one = operation_code(c, found);
		for (size_t k = 0; k < LEN(members); k++)
			if (json_object_get(found, members[k]))
				json_object_set(row, members[k], json_object_get(found, members[k]));
		code = worst(code, one);
	}
	return code;
}

/* The bodies of all orders, before one is placed. EXIT_OK, or said. */
static int bodies_of(struct ctl *c, const struct download_row *rows, size_t n, json_t **bodies)
{
	int code = EXIT_OK;

	for (size_t i = 0; i < n && code == EXIT_OK; i++)
		code = download_options(c, rows[i].which, &bodies[i]);
	return code;
}

static int report_of(struct ctl *c, const struct download_row *rows, json_t *const *bodies, size_t n, unsigned wait_s)
{
	static const char *const names[] = { "line", "eid", "operation", "iccid", "state", "status", "code", "error", "message" };
	static const char *const heads[] = { "LINE", "EID", "OPERATION", "ICCID", "STATE", "STATUS", "CODE", "ERROR", "MESSAGE" };
	CLEANUP(json_freep) json_t *report = json_array();
	struct ctl aside = *c; /* what is said stands beside the report, not in it */
	int code, shown;

	aside.json = false;
	code = place_all(&aside, rows, bodies, n, report);
	if (c->option[OPT_WAIT])
		code = worst(code, await_all(&aside, report, wait_s));
	shown = ctl_print_list(c, report, names, heads, LEN(names));
	return worst(code, shown);
}

int download_list(struct ctl *c)
{
	const char *file = c->option[OPT_CSV];
	struct download_row *rows = NULL;
	unsigned wait_s = 0;
	struct bytes text;
	char error[256];
	json_t **bodies;
	size_t n = 0;
	int code;

	if (c->option[OPT_WAIT] && !number_parse(c->option[OPT_WAIT], &wait_s))
		return ctl_fail(c, EXIT_USAGE, "--wait %s: should be a number of seconds", c->option[OPT_WAIT]);
	if (c->option[OPT_ICCID])
		return ctl_fail(c, EXIT_USAGE, "--iccid: with --csv the lines say it");
	code = file_read(c, file, LIST_MAX, &text);
	if (code != EXIT_OK)
		return code;
	if (memchr(text.data, 0, text.len))
		return ctl_fail(c, EXIT_USAGE, "%s: has a zero byte: it is no text", file);
	if (!download_list_parse(c->arena, arena_strndup(c->arena, (const char *)text.data, text.len), &rows, &n, error))
		return ctl_fail(c, EXIT_USAGE, "%s: %s", file, error);
	if (!n)
		return ctl_fail(c, EXIT_USAGE, "%s: names no card", file);
	bodies = arena_array(c->arena, n, sizeof(*bodies));
	code = bodies_of(c, rows, n, bodies);
	if (code == EXIT_OK)
		code = report_of(c, rows, bodies, n, wait_s);
	for (size_t i = 0; i < n; i++)
		json_decref(bodies[i]);
	return code;
}

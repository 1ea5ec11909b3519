/* SPDX-License-Identifier: Apache-2.0 */
/* download --csv: an operation for each line of a list, and a report of what became of each. */
#include "common/base/clock.h"
#include "services/operator-gateway/rspctl/list.h"

/* The first code that is not EXIT_OK stays. */
static int worst(int so_far, int code)
{
	return so_far == EXIT_OK ? code : so_far;
}

static const char *download_path(struct ctl *c, const struct eid *eid)
{
	return arena_printf(c->arena, "/v1/euiccs/%s/profiles/download", eid->text);
}

static int place_all(struct ctl *c, const struct list_row *rows, json_t *const *bodies, size_t n, json_t *report)
{
	int code = EXIT_OK;

	for (size_t i = 0; i < n; i++) {
		json_t *row = json_pack("{s:i, s:s}", "line", (int)rows[i].line, "eid", rows[i].eid.text);
		int one = EXIT_OK;

		json_array_append_new(report, row);
		if (code == EXIT_OK || code == EXIT_REFUSED)
			one = list_place(c, download_path(c, &rows[i].eid), bodies[i], row);
		else
			list_error(row, "not_ordered", "the gateway was lost before");
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
static int bodies_of(struct ctl *c, const struct list_row *rows, size_t n, json_t **bodies)
{
	int code = EXIT_OK;

	for (size_t i = 0; i < n && code == EXIT_OK; i++)
		code = download_options(c, rows[i].which, &bodies[i]);
	return code;
}

static int report_of(struct ctl *c, const struct list_row *rows, json_t *const *bodies, size_t n, unsigned wait_s)
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
	struct list_row *rows = NULL;
	unsigned wait_s = 0;
	json_t **bodies;
	size_t n = 0;
	int code;

	if (c->option[OPT_WAIT] && !number_parse(c->option[OPT_WAIT], &wait_s))
		return ctl_fail(c, EXIT_USAGE, "--wait %s: should be a number of seconds", c->option[OPT_WAIT]);
	if (c->option[OPT_ICCID])
		return ctl_fail(c, EXIT_USAGE, "--iccid: with --csv the lines say it");
	code = list_read(c, file, &rows, &n);
	if (code != EXIT_OK)
		return code;
	bodies = arena_array(c->arena, n, sizeof(*bodies));
	code = bodies_of(c, rows, n, bodies);
	if (code == EXIT_OK)
		code = report_of(c, rows, bodies, n, wait_s);
	for (size_t i = 0; i < n; i++)
		json_decref(bodies[i]);
	return code;
}

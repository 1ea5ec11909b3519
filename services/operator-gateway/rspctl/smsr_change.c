/* SPDX-License-Identifier: Apache-2.0 */
/* smsr-change: a card, or those of a list, moves to another SM-SR; its stages are shown as they come. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/http/client.h"
#include "services/operator-gateway/rspctl/list.h"

enum { WAIT_MAX_S = 60, PARALLEL = 16, PARALLEL_MAX = 100, AWAY_MS = 60 * 1000, AGAIN_MS = 1000 };

static const char *order_path(struct ctl *c, const struct eid *eid)
{
	return arena_printf(c->arena, "/v1/euiccs/%s/smsr-change", eid->text);
}

/* The body of an order. to: what the list says, or NULL. EXIT_OK, or said. */
int smsr_change_options(struct ctl *c, const char *to, json_t **out_body)
{
	const char *chosen = to ? to : c->option[OPT_TO];
	json_t *body = NULL;
	struct oid oid;
	int code;

	if (!chosen)
		return ctl_fail(c, EXIT_USAGE, "to which SM-SR? --to OID");
	if (!oid_parse(chosen, &oid))
		return ctl_fail(c, EXIT_USAGE, "%s: should be the OID of an SM-SR", chosen);
	code = order_options(c, &body);
	if (code != EXIT_OK)
		return code;
	json_put(body, "to", oid.text);
	if (c->option[OPT_DRY_RUN])
		json_object_set_new(body, "dry_run", json_true());
	*out_body = body;
	return EXIT_OK;
}

/* ---- one card ---- */

static unsigned newest(const json_t *operation)
{
	const json_t *stages = json_object_get(operation, "stages");
	size_t n = json_array_size(stages);

	return n ? (unsigned)json_integer_value(json_object_get(json_array_get(stages, n - 1), "number")) : 0;
}

static void print_stages(struct ctl *c, const json_t *operation, unsigned seen)
{
	const json_t *stages = json_object_get(operation, "stages"), *s;
	size_t i;

	json_array_foreach(stages, i, s)
	{
		if (json_integer_value(json_object_get(s, "number")) <= (json_int_t)seen)
			continue;
		printf("%s  %-8s %-9s attempt %s", ctl_cell(c->arena, s, "at"), ctl_cell(c->arena, s, "stage"),
		       ctl_cell(c->arena, s, "state"), ctl_cell(c->arena, s, "attempt"));
		if (json_object_get(s, "status"))
			printf("  %s", ctl_cell(c->arena, s, "status"));
		if (json_object_get(s, "code"))
			printf(" %s", ctl_cell(c->arena, s, "code"));
		if (json_object_get(s, "message"))
			printf(": %s", ctl_cell(c->arena, s, "message"));
		putchar('\n');
	}
	fflush(stdout);
}

/* Until it has ended or wait_s are over; with stages in between when they are wanted. */
static int follow(struct ctl *c, const char *id, unsigned wait_s, json_t **out)
{
	int64_t until = clock_ms() + (int64_t)wait_s * 1000;
	unsigned seen = 0;

	for (;;) {
		int64_t rest = (until - clock_ms() + 999) / 1000;
		const char *path = arena_printf(c->arena, "/v1/operations/%s?wait=%d&seen=%u", id,
						(int)(rest < 0            ? 0
						      : rest < WAIT_MAX_S ? rest
									  : WAIT_MAX_S),
						seen);
		json_t *found = NULL;
		int code = gateway_json(c, "GET", path, NULL, &found);

		if (code != EXIT_OK)
			return code;
		if (!c->json)
			print_stages(c, found, seen);
		seen = newest(found);
		if (rest <= 0 || !strcmp(ctl_cell(c->arena, found, "state"), "ended")) {
			*out = found;
			return EXIT_OK;
		}
		json_decref(found);
	}
}

int cmd_smsr_change_start(struct ctl *c)
{
	CLEANUP(json_freep) json_t *body = NULL;
	CLEANUP(json_freep) json_t *made = NULL;
	CLEANUP(json_freep) json_t *ended = NULL;
	unsigned wait_s = 0;
	struct eid eid;
	int code;

	if (!eid_parse(c->args[0], &eid))
		return ctl_fail(c, EXIT_USAGE, "EID %s: should be 32 digits whose check digits hold", c->args[0]);
	if (c->option[OPT_WAIT] && !number_parse(c->option[OPT_WAIT], &wait_s))
		return ctl_fail(c, EXIT_USAGE, "--wait %s: should be a number of seconds", c->option[OPT_WAIT]);
	code = smsr_change_options(c, NULL, &body);
	if (code == EXIT_OK)
		code = gateway_json(c, "POST", order_path(c, &eid), body, &made);
	if (code != EXIT_OK)
		return code;
	if (!c->json)
		printf("operation %s\n", ctl_cell(c->arena, made, "operation"));
	if (!c->option[OPT_WAIT]) {
		if (c->json)
			ctl_print_json(made);
		return EXIT_OK;
	}
	code = follow(c, ctl_cell(c->arena, made, "operation"), wait_s, &ended);
	if (code == EXIT_OK)
		code = operation_code(c, ended);
	if (code == EXIT_OK && c->json)
		ctl_print_json(ended);
	return code;
}

/* ---- a list ---- */

/* What becomes of a line. */
struct move {
	const struct list_row *row;
	json_t *body, *report;
	const char *id; /* its operation is under way */
};

struct bulk {
	struct ctl *c;
	struct move *moves;
	size_t n, placed, open, moved;
	unsigned parallel;
	int64_t heard_ms; /* the gateway answered last */
	int code;         /* the worst so far */
};

static void print_report(struct bulk *b, const struct move *m)
{
	struct ctl *c = b->c;

	if (c->json)
		return;
	printf("%-32s  %-20s  %-36s  %-22s  %s\n", m->row->eid.text, ctl_cell(c->arena, m->report, "to"),
	       ctl_cell(c->arena, m->report, "operation"), ctl_cell(c->arena, m->report, "status"),
	       json_object_get(m->report, "message") ? arena_printf(c->arena, "%s: %s", ctl_cell(c->arena, m->report, "code"),
								    ctl_cell(c->arena, m->report, "message"))
						     : ctl_cell(c->arena, m->report, "code"));
	fflush(stdout);
}

static void take_code(struct bulk *b, int code)
{
	if (b->code == EXIT_OK)
		b->code = code;
}

static void place_some(struct bulk *b)
{
	for (; b->placed < b->n && b->open < b->parallel; b->placed++) {
		struct move *m = &b->moves[b->placed];
		int code = list_place(b->c, order_path(b->c, &m->row->eid), m->body, m->report);

		m->id = json_string_value(json_object_get(m->report, "operation"));
		if (m->id) {
			b->open++;
			b->heard_ms = clock_ms();
			continue;
		}
		json_put(m->report, "status", "NOT_ORDERED");
		take_code(b, code == EXIT_OK ? EXIT_INTERNAL : code);
		print_report(b, m);
	}
}

static void close_move(struct bulk *b, struct move *m, const json_t *operation)
{
	static const char *const members[] = { "status", "code", "message" };
	struct ctl aside = *b->c;
	int code;

	aside.json = false; /* what is said stands beside the report, not in it */
	for (size_t i = 0; i < LEN(members); i++)
		if (json_object_get(operation, members[i]))
			json_object_set(m->report, members[i], json_object_get(operation, members[i]));
	code = operation_code(&aside, operation);
	b->moved += code == EXIT_OK;
	take_code(b, code);
	m->id = NULL;
	b->open--;
	print_report(b, m);
}

/* How an operation stands, at its end or after wait_s; NULL: the gateway did not say. */
static json_t *ask(struct bulk *b, struct arena *a, const char *id, unsigned wait_s)
{
	struct ctl pass = *b->c;
	struct http_answer answer;

	pass.arena = a;
	if (gateway_call(&pass, "GET", arena_printf(a, "/v1/operations/%s?wait=%u", id, wait_s), NULL, &answer) != EXIT_OK ||
	    answer.error != HTTP_ANSWERED || answer.status != 200)
		return NULL;
	return json_loadb((const char *)answer.body.data, answer.body.len, 0, NULL);
}

/* Looks at all that are open; the first is waited for a second. False: nobody answered. */
static bool look(struct bulk *b)
{
	unsigned wait_s = 1;
	bool heard = false;

	for (size_t i = 0; i < b->placed; i++) {
		CLEANUP(arena_freep) struct arena *a = NULL;
		CLEANUP(json_freep) json_t *operation = NULL;
		struct move *m = &b->moves[i];

		if (!m->id)
			continue;
		a = arena_new();
		operation = ask(b, a, m->id, wait_s);
		heard = heard || operation;
		if (operation && !strcmp(ctl_cell(a, operation, "state"), "ended"))
			close_move(b, m, operation);
		wait_s = 0;
	}
	return heard;
}

/* The gateway is away for good: what became of them, nobody knows here. */
static void give_up(struct bulk *b)
{
	for (size_t i = 0; i < b->placed; i++) {
		struct move *m = &b->moves[i];

		if (!m->id)
			continue;
		m->id = NULL;
		b->open--;
		json_put(m->report, "status", "UNKNOWN");
		json_put(m->report, "message", "the gateway does not answer; rspctl operation show tells later");
		take_code(b, EXIT_UNREACHABLE);
		print_report(b, m);
	}
}

static void run_all(struct bulk *b)
{
	static const struct timespec again = { .tv_sec = AGAIN_MS / 1000 };

	b->heard_ms = clock_ms();
	for (place_some(b); b->open; place_some(b)) {
		if (look(b))
			b->heard_ms = clock_ms();
		else if (clock_ms() - b->heard_ms > AWAY_MS)
			give_up(b);
		else
			nanosleep(&again, NULL);
	}
}

/* Bodies and reports of all lines, before one is ordered. EXIT_OK, or said. */
static int prepare(struct ctl *c, const struct list_row *rows, size_t n, struct move *moves)
{
	for (size_t i = 0; i < n; i++) {
		const char *to = rows[i].which ? rows[i].which : c->option[OPT_TO];
		int code;

		moves[i].row = &rows[i];
		moves[i].report = json_pack("{s:i, s:s}", "line", (int)rows[i].line, "eid", rows[i].eid.text);
		json_put(moves[i].report, "to", to);
		code = smsr_change_options(c, rows[i].which, &moves[i].body);
		if (code != EXIT_OK)
			return code;
	}
	return EXIT_OK;
}

static int bulk_report(struct bulk *b)
{
	CLEANUP(json_freep) json_t *list = json_array();

	for (size_t i = 0; i < b->n; i++)
		json_array_append(list, b->moves[i].report);
	if (b->c->json)
		ctl_print_json(list);
	else
		printf("%zu of %zu %s\n", b->moved, b->n, b->c->option[OPT_DRY_RUN] ? "could move" : "moved");
	return b->code;
}

int cmd_smsr_change_bulk(struct ctl *c)
{
	struct bulk b = { .c = c, .parallel = PARALLEL };
	struct list_row *rows = NULL;
	int code = list_read(c, c->args[0], &rows, &b.n);

	if (code != EXIT_OK)
		return code;
	if (c->option[OPT_PARALLEL] &&
	    (!number_parse(c->option[OPT_PARALLEL], &b.parallel) || !b.parallel || b.parallel > PARALLEL_MAX))
		return ctl_fail(c, EXIT_USAGE, "--parallel %s: should be 1 to %d", c->option[OPT_PARALLEL], PARALLEL_MAX);
	b.moves = arena_array(c->arena, b.n, sizeof(*b.moves));
	code = prepare(c, rows, b.n, b.moves);
	if (code == EXIT_OK) {
		run_all(&b);
		code = bulk_report(&b);
	}
	for (size_t i = 0; i < b.n; i++) {
		json_decref(b.moves[i].body);
		json_decref(b.moves[i].report);
	}
	return code;
}

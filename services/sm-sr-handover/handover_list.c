/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: SM-SR changes, the running and the ended ones, of both sides. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/rpc/json_out.h"
#include "services/sm-sr-handover/handover.h"

enum { ROWS = 100, ROWS_MAX = 100000, LIMIT_DIGITS = 6 };

static const char *const side_names[] = { [HANDOVER_OUT] = "out", [HANDOVER_IN] = "in" };

static const char *stage_name(int64_t side, int64_t state)
{
	return side == HANDOVER_OUT ? handover_out_state_name((enum handover_out_state)state)
				    : handover_in_state_name((enum handover_in_state)state);
}

static void time_member(struct buf *b, const char *name, const struct rows *r, size_t row, unsigned col)
{
	char text[DATETIME_MAX];

	datetime_format(row_int(r, row, col), text);
	json_out_member(b, name, row_null(r, row, col) ? NULL : text);
}

/* "8.4/4.2"; NULL: it was a success, or has not ended. */
static const char *code_text(struct arena *a, const char *name)
{
	enum code code;

	return *name && handover_code_by_name(name, &code)
		       ? arena_printf(a, "%s/%s", status_code(code)->subject, status_code(code)->reason)
		       : NULL;
}

static void row_write(struct arena *a, struct buf *b, const struct rows *r, size_t i)
{
	json_out_member(b, "id", row_text(r, i, 0));
	json_out_member(b, "side", side_names[row_int(r, i, 1) == HANDOVER_IN]);
	json_out_member(b, "eid", row_text(r, i, 2));
	json_out_member(b, "peer", row_text(r, i, 3));
	json_out_member(b, "operator", row_text(r, i, 4));
	json_out_member(b, "stage", stage_name(row_int(r, i, 1), row_int(r, i, 5)));
	time_member(b, "since", r, i, 6);
	time_member(b, "started_at", r, i, 7);
	time_member(b, "deadline", r, i, 8);
	time_member(b, "ended_at", r, i, 9);
	buf_printf(b, ",\"told\":%s,\"tries\":%lld", row_bool(r, i, 10) ? "true" : "false", (long long)row_int(r, i, 11));
	json_out_member(b, "outcome", row_null(r, i, 12) ? NULL : status_name((enum status)row_int(r, i, 12)));
	json_out_member(b, "code", code_text(a, row_text(r, i, 13)));
	json_out_member(b, "message", row_text(r, i, 14));
}

static struct param p_number(struct arena *a, bool there, int64_t n)
{
	return there ? p_int(a, n) : p_null();
}

static int64_t limit_of(const struct http_call *call)
{
	const char *text = http_query(call, "limit");
	long n = text && strlen(text) <= LIMIT_DIGITS && strspn(text, "0123456789") == strlen(text) ? atol(text) : 0;

	return n < 1 ? ROWS : n > ROWS_MAX ? ROWS_MAX : n;
}

static void list_queue(struct http_call *call, struct param side, const char *stage, struct param id)
{
	const enum handover_out_state out = stage ? handover_out_state_by_name(stage) : HANDOVER_OUT_STATES;
	const enum handover_in_state in = stage ? handover_in_state_by_name(stage) : HANDOVER_IN_STATES;
	struct arena *a = app_arena(call);

	/* -1: a stage that this side does not have */
	DB_QUEUE(app_db(call), HANDOVER_LIST, side, p_number(a, stage, out == HANDOVER_OUT_STATES ? -1 : (int64_t)out),
		 p_number(a, stage, in == HANDOVER_IN_STATES ? -1 : (int64_t)in), p_text(http_query(call, "eid")), id,
		 p_int(a, limit_of(call)));
}

/* ?side=&stage=&eid=&limit= */
void handover_list(struct app *app, struct http_call *call)
{
	const char *side = http_query(call, "side"), *stage = http_query(call, "stage");
	bool out = side && !strcmp(side, "out"), in = side && !strcmp(side, "in");
	CLEANUP(buf_free) struct buf json = { 0 };
	struct arena *a = app_arena(call);
	const struct rows *r;

	(void)app;
	if (side && !out && !in) {
		app_error(call, 400, "bad_side", "side: should be out (cards that go) or in (cards that come)");
		return;
	}
	if (stage && handover_out_state_by_name(stage) == HANDOVER_OUT_STATES &&
	    handover_in_state_by_name(stage) == HANDOVER_IN_STATES) {
		app_error(call, 400, "bad_stage", "stage: there is no %s: docs/rspctl.md lists them", stage);
		return;
	}
	list_queue(call, p_number(a, side, in ? HANDOVER_IN : HANDOVER_OUT), stage, p_null());
	if (db_sync(app_db(call), a, &r, 1, NULL) != OK) {
		app_error(call, 503, "database", "the database does not answer");
		return;
	}
	buf_char(&json, '[');
	for (size_t i = 0; i < rows_count(r); i++) {
		buf_str(&json, i ? ",\n{" : "{");
		row_write(a, &json, r, i);
		buf_char(&json, '}');
	}
	buf_str(&json, "]\n");
	app_json(call, 200, json.data);
}

/* What each stage came by, and when. */
static void stages_write(struct buf *b, int64_t side, const struct rows *r)
{
	buf_str(b, ",\"stages\":[");
	for (size_t i = 0; i < rows_count(r); i++) {
		buf_str(b, i ? ",\n{" : "{");
		json_out_member(b, "stage", stage_name(side, row_int(r, i, 0)));
		buf_printf(b, ",\"step\":%lld", (long long)row_int(r, i, 1));
		time_member(b, "at", r, i, 2);
		json_out_member(b, "note", row_text(r, i, 3));
		buf_char(b, '}');
	}
	buf_char(b, ']');
}

/* ?id= */
void handover_show(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	const char *id = http_query(call, "id");
	struct arena *a = app_arena(call);
	const struct rows *rows[3];
	int64_t side;

	(void)app;
	if (!id || !handover_id_ok(id)) {
		app_error(call, 400, "bad_request", "id: should be the id of an SM-SR change, as the list has it");
		return;
	}
	list_queue(call, p_null(), NULL, p_text(id));
	DB_QUEUE(app_db(call), HANDOVER_STAGE_LIST, p_text(id), p_int(a, HANDOVER_OUT));
	DB_QUEUE(app_db(call), HANDOVER_STAGE_LIST, p_text(id), p_int(a, HANDOVER_IN));
	if (db_sync(app_db(call), a, rows, LEN(rows), NULL) != OK) {
		app_error(call, 503, "database", "the database does not answer");
	} else if (!rows_count(rows[0])) {
		app_error(call, 404, "not_found", "there is no SM-SR change %s", id);
	} else {
		side = row_int(rows[0], 0, 1);
		buf_char(&json, '{');
		row_write(a, &json, rows[0], 0);
		stages_write(&json, side, rows[side == HANDOVER_IN ? 2 : 1]);
		buf_str(&json, "}\n");
		app_json(call, 200, json.data);
	}
}

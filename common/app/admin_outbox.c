/* SPDX-License-Identifier: Apache-2.0 */
/* What waits to leave, what could not, and whom it is for (decisions.md B1). */
#include <stdlib.h>
#include <string.h>

#include "common/app/app_internal.h"
#include "common/app/json_in.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"
#include "common/store/statements.h"

#define PATH "/admin/outbox/"
enum { ROWS = 100, ROWS_MAX = 10000, ID_DIGITS = 18 };

static void no_database(struct http_call *call)
{
	app_error(call, 503, "database", "the database does not answer");
}

static void time_member(struct buf *b, const char *name, const struct rows *rows, size_t row, unsigned col)
{
	char when[DATETIME_MAX];

	if (!row_null(rows, row, col))
		datetime_format(row_int(rows, row, col), when);
	json_out_member(b, name, row_null(rows, row, col) ? NULL : when);
}

/* The members that a list shows; the object stays open. */
static void row_members(struct buf *b, const struct rows *rows, size_t i)
{
	buf_printf(b, "{\"id\":%lld,\"attempts\":%lld", (long long)row_int(rows, i, 0), (long long)row_int(rows, i, 5));
	json_out_member(b, "lane", row_text(rows, i, 1));
	json_out_member(b, "eid", row_text(rows, i, 2));
	json_out_member(b, "kind", row_text(rows, i, 3));
	json_out_member(b, "dedup", row_text(rows, i, 4));
	time_member(b, "created_at", rows, i, 6);
	time_member(b, "next_at", rows, i, 7);
	time_member(b, "dead_at", rows, i, 8);
	json_out_member(b, "error", row_text(rows, i, 9));
}

static void row_element(struct buf *b, const struct rows *rows, size_t i)
{
	row_members(b, rows, i);
	buf_char(b, '}');
}

/* The lane of ?peer= or of a body's member; NULL when it is absent. False: answered. */
static bool lane_of(struct http_call *call, const char *peer, const char **out)
{
	struct oid oid;

	*out = NULL;
	if (!peer)
		return true;
	if (!oid_parse(peer, &oid)) {
		app_error(call, 400, "bad_peer", "peer: '%s' is not an object identifier", peer);
		return false;
	}
	*out = arena_printf(app_arena(call), "peer:%s", oid.text);
	return true;
}

/* ?dead=yes&eid=&peer=&limit= */
void admin_outbox(struct app *app, struct http_call *call)
{
	const char *dead = http_query(call, "dead"), *lane;
	struct arena *a = app_arena(call);
	struct db *db = app_db(call);
	const struct rows *rows = NULL;

	(void)app;
	if (!lane_of(call, http_query(call, "peer"), &lane))
		return;
	DB_QUEUE(db, RPC_OUTBOX_LIST, p_bool(dead && (!strcmp(dead, "1") || !strcmp(dead, "yes"))), p_text(http_query(call, "eid")),
		 p_text(lane), p_int(a, query_limit(call, ROWS, ROWS_MAX)));
	if (db_sync(db, a, &rows, 1, NULL) != OK)
		no_database(call);
	else
		admin_rows(call, rows, row_element);
}

/* The row that the path ends with, as a parameter; NULL: answered. */
static const char *id_of(struct http_call *call)
{
	const char *path = http_path(call), *id = strlen(path) > strlen(PATH) ? path + strlen(PATH) : "";

	if (*id && strlen(id) <= ID_DIGITS && strspn(id, "0123456789") == strlen(id))
		return arena_strdup(app_arena(call), id);
	app_error(call, 404, "not_found", "rows of the outbox have numbers; GET /admin/outbox lists them");
	return NULL;
}

static void no_row(struct http_call *call, const char *id)
{
	app_error(call, 404, "not_found", "the outbox has no row %s (any more)", id);
}

static void whole_row(struct arena *a, struct buf *b, const struct rows *rows)
{
	CLEANUP(buf_free) struct buf body = { 0 };

	row_members(b, rows, 0);
	time_member(b, "give_up_at", rows, 0, 10);
	time_member(b, "replayed_at", rows, 0, 11);
	buf_printf(b, ",\"age_s\":%lld", (long long)row_int(rows, 0, 12));
	json_out_member(b, "address", row_text(rows, 0, 13));
	json_out_member(b, "relates_to", row_text(rows, 0, 14));
	json_out_member(b, "transaction_id", row_text(rows, 0, 15));
	json_out_member(b, "message_id", row_text(rows, 0, 16));
	json_out_member(b, "context_id", row_text(rows, 0, 17));
	json_out_member(b, "ref", row_text(rows, 0, 18));
	json_out_member(b, "trace", row_text(rows, 0, 19));
	buf_printf(b, ",\"wants_callback\":%s,\"timeout_s\":%lld", row_bool(rows, 0, 20) ? "true" : "false",
		   (long long)row_int(rows, 0, 21));
	buf_str(&body, "");
	outbox_body(a, row_text(rows, 0, 1), row_text(rows, 0, 3), row_bytes(rows, 0, 22), &body);
	json_out_member(b, "body", body.data);
	buf_str(b, "}\n");
}

void admin_outbox_show(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *id = id_of(call);
	struct db *db = app_db(call);
	const struct rows *rows = NULL;

	(void)app;
	if (!id)
		return;
	DB_QUEUE(db, RPC_OUTBOX_SHOW, p_text(id));
	if (db_sync(db, app_arena(call), &rows, 1, NULL) != OK) {
		no_database(call);
	} else if (rows_count(rows) == 0) {
		no_row(call, id);
	} else {
		whole_row(app_arena(call), &b, rows);
		app_json(call, 200, b.data);
	}
}

/* Which dead letters a body means: {"id":N}, {"peer":"OID"} or {"all":true}. False: answered. */
static bool chosen(struct http_call *call, const json_t *j, const char **out_id, const char **out_lane)
{
	const json_t *id = json_object_get(j, "id"), *peer = json_object_get(j, "peer"), *all = json_object_get(j, "all");
	bool good = json_object_size(j) == 1 &&
		    ((json_is_integer(id) && json_integer_value(id) > 0) || json_is_string(peer) || json_is_true(all));

	*out_id = *out_lane = NULL;
	if (!good) {
		app_error(call, 400, "bad_replay", "give one of id (a number), peer (an OID) or all (true)");
		return false;
	}
	if (id)
		*out_id = arena_printf(app_arena(call), "%lld", (long long)json_integer_value(id));
	return lane_of(call, json_string_value(peer), out_lane);
}

/* Why a single row was not replayed. */
static void not_dead(struct http_call *call, const char *id)
{
	struct db *db = app_db(call);
	const struct rows *rows = NULL;

	DB_QUEUE(db, RPC_OUTBOX_SHOW, p_text(id));
	if (db_sync(db, app_arena(call), &rows, 1, NULL) != OK)
		no_database(call);
	else if (rows_count(rows) == 0)
		no_row(call, id);
	else
		app_error(call, 409, "not_dead", "row %s is no dead letter: it is tried by itself", id);
}

/* A replay ends the pause of its lane here: a person says that the peer is back. */
static void replayed(struct app *app, const struct rows *rows)
{
	for (size_t i = 0; i < rows_count(rows); i++)
		outbox_try(app->rpc.outbox, row_text(rows, i, 0));
	log_msg(LOG_WARN, "outbox_replayed", "%zu dead letters", rows_count(rows));
	outbox_ring(app->rpc.outbox);
}

void admin_outbox_replay(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *j = json_body(call);
	struct arena *a = app_arena(call);
	struct db *db = app_db(call);
	const struct rows *rows = NULL;
	const char *id, *lane;

	if (!j || !chosen(call, j, &id, &lane))
		return;
	DB_QUEUE(db, RPC_OUTBOX_REPLAY, p_text(id), p_text(lane));
	if (db_sync(db, a, &rows, 1, NULL) != OK) {
		no_database(call);
	} else if (id && rows_count(rows) == 0) {
		not_dead(call, id);
	} else {
		replayed(app, rows);
		app_json(call, 200, arena_printf(a, "{\"replayed\":%zu}\n", rows_count(rows)));
	}
}

void admin_outbox_drop(struct app *app, struct http_call *call)
{
	const char *id = id_of(call);
	struct db *db = app_db(call);
	const struct rows *rows = NULL;

	(void)app;
	if (!id)
		return;
	DB_QUEUE(db, RPC_OUTBOX_DROP, p_text(id));
	if (db_sync(db, app_arena(call), &rows, 1, NULL) != OK) {
		no_database(call);
	} else if (rows_affected(rows) == 0) {
		not_dead(call, id);
	} else {
		log_msg(LOG_WARN, "outbox_dropped", "dead letter %s", id);
		app_json(call, 200, "{}\n");
	}
}

/* Peers --------------------------------------------------------------------------------------------------------------------- */

static const struct outbox_pause *pause_of(const struct outbox_pause *pauses, size_t n, const char *lane)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(pauses[i].lane, lane))
			return &pauses[i];
	return NULL;
}

/* What a peer said last is in its rows; that it said nothing is known where it is paused. */
static void peer_element(struct buf *b, const struct rows *rows, size_t i, const struct outbox_pause *pause)
{
	char until[DATETIME_MAX];

	if (pause)
		datetime_format(clock_wall_us() + pause->left_ms * 1000, until);
	buf_printf(b, "{\"waiting\":%lld,\"dead\":%lld", (long long)row_int(rows, i, 2), (long long)row_int(rows, i, 3));
	json_out_member(b, "lane", row_text(rows, i, 0));
	json_out_member(b, "name", row_text(rows, i, 1));
	time_member(b, "oldest", rows, i, 4);
	json_out_member(b, "paused_until", pause ? until : NULL);
	json_out_member(b, "error", pause ? pause->why : row_text(rows, i, 5));
	buf_char(b, '}');
}

void admin_peers(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct arena *a = app_arena(call);
	struct db *db = app_db(call);
	const struct rows *rows = NULL;
	struct outbox_pause *pauses;
	size_t n;

	DB_QUEUE0(db, RPC_OUTBOX_PEERS);
	if (db_sync(db, a, &rows, 1, NULL) != OK) {
		no_database(call);
		return;
	}
	n = outbox_pauses(app->rpc.outbox, a, &pauses);
	buf_char(&b, '[');
	for (size_t i = 0; i < rows_count(rows); i++) {
		if (i)
			buf_str(&b, ",\n");
		peer_element(&b, rows, i, pause_of(pauses, n, row_text(rows, i, 0)));
	}
	buf_str(&b, "]\n");
	app_json(call, 200, b.data);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: all batches, and what the SM-SRs refused of one. */
#include <string.h>

#include "common/rpc/json_out.h"
#include "services/eum/eum.h"
#include "services/eum/statements.h"

enum { BATCHES, REFUSED };

static void batches_write(struct buf *b, struct arena *a, const struct eum *eum, const struct rows *r)
{
	buf_str(b, "{\"batches\":[");
	for (size_t i = 0; i < rows_count(r); i++) {
		buf_str(b, i ? ",{" : "{");
		json_out_member(b, "batch", row_text(r, i, 0));
		json_out_member(b, "name", row_text(r, i, 1));
		json_out_member(b, "orderer", row_text(r, i, 2));
		json_out_member(b, "smsr", row_text(r, i, 3));
		buf_printf(b, ",\"quantity\":%lld,\"made\":%lld,\"registered\":%lld,\"refused\":%lld", (long long)row_int(r, i, 4),
			   (long long)row_int(r, i, 5), (long long)row_int(r, i, 7), (long long)row_int(r, i, 8));
		json_out_member(b, "file", row_bool(r, i, 6) ? batch_file_path(a, eum, row_text(r, i, 0)) : NULL);
		buf_char(b, '}');
	}
	buf_str(b, "]}");
}

static void batches(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	struct db *db = app_db(call);
	struct arena *a = app_arena(call);
	const struct rows *rows;

	DB_QUEUE0(db, EUM_BATCH_LIST);
	if (db_sync(db, a, &rows, 1, NULL) != OK) {
		app_error(call, 503, "database", "the database does not answer");
		return;
	}
	batches_write(&json, a, app->rpc.role_state, rows);
	app_json(call, 200, json.data);
}

static void refused(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	struct db *db = app_db(call);
	struct arena *a = app_arena(call);
	const struct rows *r;

	DB_QUEUE(db, EUM_REFUSED_LIST, p_text(route_rest(&eum_admin[REFUSED], call)));
	if (db_sync(db, a, &r, 1, NULL) != OK) {
		app_error(call, 503, "database", "the database does not answer");
		return;
	}
	buf_str(&json, "{\"refused\":[");
	for (size_t i = 0; i < rows_count(r); i++) {
		buf_str(&json, i ? ",{" : "{");
		json_out_member(&json, "eid", row_text(r, i, 0));
		json_out_member(&json, "code", row_text(r, i, 1));
		json_out_member(&json, "message", row_text(r, i, 2));
		buf_char(&json, '}');
	}
	buf_str(&json, "]}");
	app_json(call, 200, json.data);
}

const struct route eum_admin[] = {
	[BATCHES] = { "GET", "/admin/batches", batches },
	[REFUSED] = { "GET", "/admin/refused/", refused }, /* + the batch's id */
	{ 0 },
};

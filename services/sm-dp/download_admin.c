/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: downloads, the running and the ended ones. */
#include <string.h>

#include "common/rpc/json_out.h"
#include "services/sm-dp/download.h"

/* "8.4/4.2"; NULL: it was a success, or has not ended. */
static const char *code_text(struct arena *a, const char *name)
{
	for (int c = 0; c < CODE_COUNT; c++) {
		const struct status_code *code = status_code((enum code)c);

		if (!strcmp(code->name, name))
			return arena_printf(a, "%s/%s", code->subject, code->reason);
	}
	return NULL;
}

static void download_write(struct arena *a, struct buf *b, const struct rows *r, size_t i)
{
	CLEANUP(buf_free) struct buf isdp = { 0 };
	struct bytes aid = row_bytes(r, i, 20);

	buf_str(&isdp, "");
	buf_hex(&isdp, aid.data, aid.len);
	json_out_member(b, "id", row_text(r, i, 0));
	json_out_member(b, "eid", row_text(r, i, 1));
	json_out_member(b, "iccid", row_text(r, i, 2));
	json_out_member(b, "mno", row_text(r, i, 3));
	json_out_member(b, "type", row_text(r, i, 4));
	json_out_member(b, "smsr", row_text(r, i, 5));
	json_out_member(b, "isdp", isdp.data);
	json_out_member(b, "state", download_state_name((enum download_state)row_int(r, i, 6)));
	buf_printf(b, ",\"step\":%lld,\"tries\":%lld,\"enable\":%s,\"told\":%s,\"segments\":%lld", (long long)row_int(r, i, 7),
		   (long long)row_int(r, i, 16), row_bool(r, i, 17) ? "true" : "false", row_bool(r, i, 12) ? "true" : "false",
		   (long long)row_int(r, i, 19));
	admin_time(b, "since", r, i, 8);
	admin_time(b, "started_at", r, i, 9);
	admin_time(b, "deadline", r, i, 10);
	admin_time(b, "ended_at", r, i, 11);
	json_out_member(b, "outcome", row_null(r, i, 13) ? NULL : status_name((enum status)row_int(r, i, 13)));
	json_out_member(b, "code", code_text(a, row_text(r, i, 14)));
	json_out_member(b, "message", row_text(r, i, 15));
}

/* id NULL: any. Queues. */
static void list_queue(struct http_call *call, const char *id, struct param state)
{
	DB_QUEUE(app_db(call), SMDP_DOWNLOAD_LIST, p_text(http_query(call, "eid")), p_text(http_query(call, "iccid")),
		 p_text(http_query(call, "mno")), state, p_text(id), p_int(app_arena(call), admin_limit(call)));
}

void download_list(struct app *app, struct http_call *call)
{
	const char *word = http_query(call, "state");
	enum download_state state = word ? download_state_by_name(word) : DOWNLOAD_STATES;

	(void)app;
	if (word && state == DOWNLOAD_STATES) {
		app_error(call, 400, "bad_state",
			  "state: should be get_eis, cleanup, create_isdp, key_certificate, key_request, install, "
			  "complete, enable, delete, keep, delete_expired, keep_expired, done, failed or expired");
		return;
	}
	list_queue(call, NULL, word ? p_int(app_arena(call), state) : p_null());
	admin_list(call, download_write);
}

/* Of an end there is no call. */
static void stage_write(struct arena *a, struct buf *b, const struct rows *r, size_t i)
{
	const struct function *fn = download_function((enum download_state)row_int(r, i, 1));

	(void)a;
	json_out_member(b, "state", download_state_name((enum download_state)row_int(r, i, 1)));
	json_out_member(b, "function", fn ? fn->wire : NULL);
	buf_printf(b, ",\"step\":%lld", (long long)row_int(r, i, 0));
	admin_time(b, "begun_at", r, i, 2);
	admin_time(b, "answered_at", r, i, 3);
	json_out_member(b, "answer", row_text(r, i, 4));
}

/* What the list has no room for. fci: of the operator's call; those of ours are <id>.<step>. */
static void details_write(struct arena *a, struct buf *b, const struct rows *download, const struct rows *stages)
{
	download_write(a, b, download, 0);
	json_out_member(b, "fci", row_text(download, 0, 21));
	json_out_member(b, "subject_identifier", row_text(download, 0, 23));
	if (row_null(download, 0, 11))
		admin_time(b, "due_at", download, 0, 22);
	buf_str(b, ",\"stages\":");
	admin_array(a, b, stages, stage_write);
}

/* ?id= */
void download_show(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	const char *id = http_query(call, "id");
	struct arena *a = app_arena(call);
	const struct rows *rows[2];

	(void)app;
	if (!id || !download_id_ok(id)) {
		app_error(call, 400, "bad_request", "id: should be the id of a download, as the list has it");
		return;
	}
	list_queue(call, id, p_null());
	DB_QUEUE(app_db(call), SMDP_STAGE_LIST, p_text(id));
	if (db_sync(app_db(call), a, rows, LEN(rows), NULL) != OK) {
		admin_no_database(call);
	} else if (rows_count(rows[0]) == 0) {
		app_error(call, 404, "not_found", "there is no download %s", id);
	} else {
		buf_char(&json, '{');
		details_write(a, &json, rows[0], rows[1]);
		buf_str(&json, "}\n");
		app_json(call, 200, json.data);
	}
}

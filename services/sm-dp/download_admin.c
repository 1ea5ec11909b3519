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

void download_list(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	const char *word = http_query(call, "state");
	enum download_state state = word ? download_state_by_name(word) : DOWNLOAD_STATES;
	struct arena *a = app_arena(call);
	struct db *db = app_db(call);
	const struct rows *r;

	(void)app;
	if (word && state == DOWNLOAD_STATES) {
		app_error(call, 400, "bad_state",
			  "state: should be get_eis, cleanup, create_isdp, key_certificate, key_request, install, "
			  "complete, enable, delete, keep, delete_expired, keep_expired, done, failed or expired");
		return;
	}
	DB_QUEUE(db, SMDP_DOWNLOAD_LIST, p_text(http_query(call, "eid")), p_text(http_query(call, "iccid")),
		 p_text(http_query(call, "mno")), word ? p_int(a, state) : p_null(), p_text(http_query(call, "id")),
		 p_int(a, admin_limit(call)));
	if (db_sync(db, a, &r, 1, NULL) != OK) {
		admin_no_database(call);
		return;
	}
	buf_char(&json, '[');
	for (size_t i = 0; i < rows_count(r); i++) {
		buf_str(&json, i ? ",\n{" : "{");
		download_write(a, &json, r, i);
		buf_char(&json, '}');
	}
	buf_str(&json, "]\n");
	app_json(call, 200, json.data);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: the stock, its batches, and what a person decides about it. */
#include <string.h>

#include "common/app/json_in.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"
#include "services/sm-dp/smdp.h"
#include "services/sm-dp/stock_store.h"

static void stock_write(struct buf *b, const struct rows *r)
{
	buf_char(b, '[');
	for (size_t i = 0; i < rows_count(r); i++) {
		buf_str(b, i ? ",\n{" : "{");
		json_out_member(b, "iccid", row_text(r, i, 0));
		json_out_member(b, "mno", row_text(r, i, 1));
		json_out_member(b, "type", row_text(r, i, 2));
		json_out_member(b, "batch", row_text(r, i, 3));
		json_out_member(b, "imsi", row_text(r, i, 4));
		json_out_member(b, "msisdn", row_text(r, i, 5));
		json_out_member(b, "state", stock_state_name((enum stock_state)row_int(r, i, 6)));
		buf_printf(b, ",\"sent\":%s", row_bool(r, i, 7) ? "true" : "false");
		json_out_member(b, "eid", row_text(r, i, 8));
		admin_time(b, "changed_at", r, i, 9);
		buf_char(b, '}');
	}
	buf_str(b, "]\n");
}

void stock_list(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	const char *word = http_query(call, "state");
	enum stock_state state = word ? stock_state_by_name(word) : STOCK_STATES;
	struct arena *a = app_arena(call);
	struct db *db = app_db(call);
	const struct rows *rows;

	(void)app;
	if (word && state == STOCK_STATES) {
		app_error(call, 400, "bad_state", "state: should be available, reserved, installed or quarantined");
		return;
	}
	DB_QUEUE(db, SMDP_STOCK_LIST, p_text(http_query(call, "mno")), p_text(http_query(call, "type")),
		 word ? p_int(a, state) : p_null(), p_text(http_query(call, "batch")), p_text(http_query(call, "eid")),
		 p_int(a, admin_limit(call)));
	if (db_sync(db, a, &rows, 1, NULL) != OK) {
		admin_no_database(call);
		return;
	}
	stock_write(&json, rows);
	app_json(call, 200, json.data);
}

void stock_count(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	struct db *db = app_db(call);
	const struct rows *r;

	(void)app;
	DB_QUEUE0(db, SMDP_STOCK_COUNT);
	if (db_sync(db, app_arena(call), &r, 1, NULL) != OK) {
		admin_no_database(call);
		return;
	}
	buf_char(&json, '[');
	for (size_t i = 0; i < rows_count(r); i++) {
		buf_str(&json, i ? ",\n{" : "{");
		json_out_member(&json, "mno", row_text(r, i, 0));
		json_out_member(&json, "type", row_text(r, i, 1));
		json_out_member(&json, "state", stock_state_name((enum stock_state)row_int(r, i, 2)));
		buf_printf(&json, ",\"iccids\":%lld}", (long long)row_int(r, i, 3));
	}
	buf_str(&json, "]\n");
	app_json(call, 200, json.data);
}

void stock_batches(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	struct db *db = app_db(call);
	struct arena *a = app_arena(call);
	const struct rows *r;

	(void)app;
	DB_QUEUE(db, SMDP_BATCH_LIST, p_int(a, admin_limit(call)));
	if (db_sync(db, a, &r, 1, NULL) != OK) {
		admin_no_database(call);
		return;
	}
	buf_char(&json, '[');
	for (size_t i = 0; i < rows_count(r); i++) {
		buf_str(&json, i ? ",\n{" : "{");
		json_out_member(&json, "mno", row_text(r, i, 0));
		json_out_member(&json, "batch", row_text(r, i, 1));
		json_out_member(&json, "type", row_text(r, i, 2));
		json_out_member(&json, "wrap", stock_wrap_name((enum stock_wrap)row_int(r, i, 3)));
		buf_printf(&json, ",\"iccids\":%lld", (long long)row_int(r, i, 4));
		admin_time(&json, "imported_at", r, i, 5);
		buf_char(&json, '}');
	}
	buf_str(&json, "]\n");
	app_json(call, 200, json.data);
}

static result release(struct db *db, struct arena *a, const struct iccid *iccid, struct stock_item **out, bool *out_moved)
{
	*out_moved = false;
	db_begin(db);
	TRY(stock_load(db, a, iccid, out));
	*out_moved = *out && stock_move(db, a, *out, STEV_RELEASED, NULL);
	if (*out_moved)
		db_commit(db);
	else
		db_rollback(db);
	return *out_moved ? db_sync(db, a, NULL, 0, NULL) : OK;
}

/* A person has looked at a quarantined ICCID and says that it may be used again; of one whose secrets left for a card, by that card alone. */
void stock_release(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	const char *text = json_string_value(json_object_get(body, "iccid"));
	CLEANUP(buf_free) struct buf json = { 0 };
	struct stock_item *item = NULL;
	struct iccid iccid;
	bool moved;

	(void)app;
	if (!body)
		return;
	if (!text || !iccid_parse(text, &iccid)) {
		app_error(call, 400, "bad_request", "iccid: should be 6 to 20 digits that start with 89");
	} else if (release(app_db(call), app_arena(call), &iccid, &item, &moved) != OK) {
		admin_no_database(call);
	} else if (!item) {
		app_error(call, 404, "not_found", "ICCID %s is not in the stock", iccid.text);
	} else if (!moved) {
		app_error(call, 409, "not_quarantined", "ICCID %s is %s: only what is quarantined is released by a person",
			  iccid.text, stock_state_name(item->state));
	} else {
		log_msg(LOG_WARN, "stock_released", "ICCID %s was released by a person", iccid.text);
		buf_char(&json, '{');
		json_out_member(&json, "iccid", iccid.text);
		json_out_member(&json, "eid", item->eid ? item->eid->text : NULL);
		buf_str(&json, "}\n");
		app_json(call, 200, json.data);
	}
}

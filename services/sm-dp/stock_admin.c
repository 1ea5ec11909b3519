/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: the stock, its batches, and what a person decides about it. */
#include <string.h>

#include "common/app/json_in.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"
#include "services/sm-dp/smdp.h"
#include "services/sm-dp/stock_store.h"

static void stock_write(struct arena *a, struct buf *b, const struct rows *r, size_t i)
{
	(void)a;
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
}

void stock_list(struct app *app, struct http_call *call)
{
	const char *word = http_query(call, "state");
	enum stock_state state = word ? stock_state_by_name(word) : STOCK_STATES;

	(void)app;
	if (word && state == STOCK_STATES) {
		app_error(call, 400, "bad_state", "state: should be available, reserved, installed or quarantined");
		return;
	}
	DB_QUEUE(app_db(call), SMDP_STOCK_LIST, p_text(http_query(call, "mno")), p_text(http_query(call, "type")),
		 word ? p_int(app_arena(call), state) : p_null(), p_text(http_query(call, "batch")),
		 p_text(http_query(call, "eid")), p_int(app_arena(call), admin_limit(call)));
	admin_list(call, stock_write);
}

static void count_write(struct arena *a, struct buf *b, const struct rows *r, size_t i)
{
	(void)a;
	json_out_member(b, "mno", row_text(r, i, 0));
	json_out_member(b, "type", row_text(r, i, 1));
	json_out_member(b, "state", stock_state_name((enum stock_state)row_int(r, i, 2)));
	buf_printf(b, ",\"iccids\":%lld", (long long)row_int(r, i, 3));
}

void stock_count(struct app *app, struct http_call *call)
{
	(void)app;
	DB_QUEUE0(app_db(call), SMDP_STOCK_COUNT);
	admin_list(call, count_write);
}

static void batch_write(struct arena *a, struct buf *b, const struct rows *r, size_t i)
{
	(void)a;
	json_out_member(b, "mno", row_text(r, i, 0));
	json_out_member(b, "batch", row_text(r, i, 1));
	json_out_member(b, "type", row_text(r, i, 2));
	json_out_member(b, "wrap", stock_wrap_name((enum stock_wrap)row_int(r, i, 3)));
	buf_printf(b, ",\"iccids\":%lld", (long long)row_int(r, i, 4));
	admin_time(b, "imported_at", r, i, 5);
}

void stock_batches(struct app *app, struct http_call *call)
{
	(void)app;
	DB_QUEUE(app_db(call), SMDP_BATCH_LIST, p_int(app_arena(call), admin_limit(call)));
	admin_list(call, batch_write);
}

/* What a person decides about an ICCID. */
struct decision {
	enum stock_event event;
	const char *code, *only; /* of a refusal */
	const char *log;
};

/* *out_moved false: it cannot happen to it, nothing has changed. */
static result decide(struct db *db, struct arena *a, const struct iccid *iccid, enum stock_event event, struct stock_item **out,
		     bool *out_moved)
{
	*out_moved = false;
	db_begin(db);
	TRY(stock_load(db, a, iccid, out));
	*out_moved = *out && stock_move(db, a, *out, event, NULL);
	if (!*out_moved) {
		db_rollback(db);
		return OK;
	}
	if (event == STEV_DELETED)
		DB_QUEUE(db, SMDP_KEYSET_GONE, p_text(iccid->text));
	db_commit(db);
	return db_sync(db, a, NULL, 0, NULL);
}

static void decided_reply(struct http_call *call, const struct stock_item *item)
{
	CLEANUP(buf_free) struct buf json = { 0 };

	buf_char(&json, '{');
	json_out_member(&json, "iccid", item->iccid.text);
	json_out_member(&json, "eid", item->eid ? item->eid->text : NULL);
	buf_str(&json, "}\n");
	app_json(call, 200, json.data);
}

static void decision_take(struct http_call *call, const struct decision *d)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	const char *text = json_string_value(json_object_get(body, "iccid"));
	struct stock_item *item = NULL;
	struct iccid iccid;
	bool moved;

	if (!body)
		return;
	if (!text || !iccid_parse(text, &iccid)) {
		app_error(call, 400, "bad_request", "iccid: should be 6 to 20 digits that start with 89");
	} else if (decide(app_db(call), app_arena(call), &iccid, d->event, &item, &moved) != OK) {
		admin_no_database(call);
	} else if (!item) {
		app_error(call, 404, "not_found", "ICCID %s is not in the stock", iccid.text);
	} else if (!moved) {
		app_error(call, 409, d->code, "ICCID %s is %s: %s", iccid.text, stock_state_name(item->state), d->only);
	} else {
		log_msg(LOG_WARN, d->log, "ICCID %s, by a person", iccid.text);
		decided_reply(call, item);
	}
}

/* A person has looked at a quarantined ICCID and says that it may be used again; of one whose secrets left for a card, by that card alone. */
void stock_release(struct app *app, struct http_call *call)
{
	static const struct decision release = { STEV_RELEASED, "not_quarantined",
						 "only what is quarantined is released by a person", "stock_released" };

	(void)app;
	decision_take(call, &release);
}

/* A person knows that an installed profile was deleted, of which nobody told us: by its operator, straight at the SM-SR. */
void stock_gone(struct app *app, struct http_call *call)
{
	static const struct decision deleted = { STEV_DELETED, "not_installed", "only what is installed is deleted",
						 "stock_deleted" };

	(void)app;
	decision_take(call, &deleted);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: the keys of ISD-Ps, and their way to the operator. Nothing here shows a key but under a transport key. */
#include <string.h>

#include "common/app/json_in.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"
#include "services/sm-dp/download.h"
#include "services/sm-dp/keyset.h"

static void keyset_write(struct arena *a, struct buf *b, const struct rows *r, size_t i)
{
	struct bytes isdp = row_bytes(r, i, 1);
	CLEANUP(buf_free) struct buf aid = { 0 };

	(void)a;
	buf_str(&aid, "");
	buf_hex(&aid, isdp.data, isdp.len);
	json_out_member(b, "eid", row_text(r, i, 0));
	json_out_member(b, "isdp", aid.data);
	json_out_member(b, "iccid", row_text(r, i, 2));
	json_out_member(b, "mno", row_text(r, i, 3));
	json_out_member(b, "type", row_text(r, i, 4));
	buf_printf(b, ",\"kvn\":%lld", (long long)row_int(r, i, 5));
	json_out_member(b, "keys", type_keys_name((enum type_keys)row_int(r, i, 6)));
	json_out_member(b, "export", row_text(r, i, 7));
	admin_time(b, "created_at", r, i, 8);
}

/* ?mno=&type=&eid=&limit= */
void keyset_list(struct app *app, struct http_call *call)
{
	(void)app;
	DB_QUEUE(app_db(call), SMDP_KEYSET_LIST, p_text(http_query(call, "mno")), p_text(http_query(call, "type")),
		 p_text(http_query(call, "eid")), p_int(app_arena(call), admin_limit(call)));
	admin_list(call, keyset_write);
}

static void export_write(struct arena *a, struct buf *b, const struct rows *r, size_t i)
{
	(void)a;
	json_out_member(b, "export", row_text(r, i, 0));
	json_out_member(b, "mno", row_text(r, i, 1));
	json_out_member(b, "type", row_text(r, i, 2));
	buf_printf(b, ",\"keysets\":%lld", (long long)row_int(r, i, 3));
	admin_time(b, "made_at", r, i, 4);
	json_out_member(b, "made_by", row_text(r, i, 5));
	admin_time(b, "confirmed_at", r, i, 6);
	json_out_member(b, "confirmed_by", row_text(r, i, 7));
	if (!row_null(r, i, 8))
		buf_printf(b, ",\"wiped\":%lld", (long long)row_int(r, i, 8));
}

void keyset_exports(struct app *app, struct http_call *call)
{
	(void)app;
	DB_QUEUE(app_db(call), SMDP_EXPORT_LIST, p_int(app_arena(call), admin_limit(call)));
	admin_list(call, export_write);
}

static const char *by_take(const json_t *body)
{
	const char *by = json_string_value(json_object_get(body, "by"));

	return by && *by && strlen(by) <= KEYSET_BY_MAX ? by : NULL;
}

/* What is wrong with the body; NULL: nothing. */
static const char *export_take(const json_t *body, struct keyset_order *out)
{
	const json_t *type = json_object_get(body, "type"), *all = json_object_get(body, "all");
	const char *mno = json_string_value(json_object_get(body, "mno"));

	*out = (struct keyset_order){ .type = json_string_value(type), .all = json_is_true(all), .by = by_take(body) };
	if (!mno || !oid_parse(mno, &out->mno))
		return "mno: should be the operator's object identifier";
	if (type && (!out->type || !type_name_ok(out->type)))
		return "type: should be the name of a profile type";
	if (all && !json_is_boolean(all))
		return "all: should be true or false";
	return out->by ? NULL : "by: should be who asks for it, 1 to 64 characters";
}

static void exported_reply(struct http_call *call, const struct keyset_order *o, const struct keyset_exported *done,
			   const struct buf *csv)
{
	CLEANUP(buf_free) struct buf json = { 0 };

	switch (done->end) {
	case KEYSET_NO_KEY:
		admin_no_transport_key(call, &o->mno);
		return;
	case KEYSET_NONE:
		app_error(call, 404, "not_found", "operator %s has no keys%s%s%s", o->mno.text, o->type ? " of profile type " : "",
			  o->type ? o->type : "", o->all ? "" : " that are to be handed over");
		return;
	case KEYSET_TOO_MANY:
		app_error(call, 409, "too_many",
			  "there are more than %d key sets: choose a profile type, and confirm what was exported",
			  KEYSET_EXPORT_MAX);
		return;
	case KEYSET_DONE:
		break;
	}
	log_msg(LOG_WARN, "keys_exported", "export %s: %zu key sets of %s, asked for by %s", done->id, done->keysets, o->mno.text,
		o->by);
	buf_printf(&json, "{\"export\":\"%s\",\"keysets\":%zu", done->id, done->keysets);
	json_out_member(&json, "csv", csv->data);
	buf_str(&json, "}\n");
	app_json(call, 200, json.data);
}

void keyset_export_route(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	CLEANUP(buf_free) struct buf csv = { 0 };
	struct keyset_exported done;
	struct keyset_order order;
	const char *why;
	result r;

	if (!body)
		return;
	why = export_take(body, &order);
	if (why) {
		app_error(call, 400, "bad_request", "%s", why);
		return;
	}
	r = keyset_export(app->rpc.role_state, app_db(call), app_arena(call), &order, &csv, &done);
	if (r == OK)
		exported_reply(call, &order, &done, &csv);
	else
		admin_no_keys(call, "keys_failed", r);
}

void keyset_confirm_route(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	const char *id = json_string_value(json_object_get(body, "export")), *by = by_take(body);
	struct keyset_confirmed done = { 0 };
	bool known = false;
	result r;

	(void)app;
	if (!body)
		return;
	if (!by || !id || !download_id_ok(id)) {
		app_error(call, 400, "bad_request", "export: should be the id of an export; by: who says so, 1 to 64 characters");
		return;
	}
	r = keyset_confirm(app_db(call), app_arena(call), id, by, &known, &done);
	if (r != OK) {
		admin_no_keys(call, "keys_failed", r);
	} else if (!known) {
		app_error(call, 404, "not_found", "there is no export %s", id);
	} else {
		if (!done.repeated)
			log_msg(LOG_WARN, "keys_confirmed", "export %s: confirmed by %s, %lld of %lld key sets are wiped", id, by,
				(long long)done.wiped, (long long)done.keysets);
		app_json(call, 200,
			 arena_printf(app_arena(call), "{\"export\":\"%s\",\"keysets\":%lld,\"wiped\":%lld,\"repeated\":%s}\n", id,
				      (long long)done.keysets, (long long)done.wiped, done.repeated ? "true" : "false"));
	}
}

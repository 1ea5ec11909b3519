/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: batches into the stock, and back to their operator. */
#include <string.h>

#include "common/app/json_in.h"
#include "common/base/log.h"
#include "common/sgp02/stock.h"
#include "services/sm-dp/profile_type.h"
#include "services/sm-dp/smdp.h"
#include "services/sm-dp/stock_import.h"

static const char *query(const struct http_call *call, const char *name)
{
	const char *value = http_query(call, name);

	return value ? value : "";
}

/* What is wrong with the request; NULL: nothing. */
static const char *import_take(struct http_call *call, struct oid *out_mno, struct stock_import *out)
{
	const char *wrap = http_query(call, "wrap");

	*out = (struct stock_import){
		.mno = out_mno, .type = query(call, "type"), .name = query(call, "batch"), .file = http_body(call)
	};
	out->wrap = wrap ? stock_wrap_by_name(wrap) : STOCK_WRAP_DEFAULT;
	if (!oid_parse(query(call, "mno"), out_mno))
		return "mno: should be the operator's object identifier";
	if (!type_name_ok(out->type))
		return "type: should be the name of a profile type";
	if (!type_name_ok(out->name))
		return "batch: should be a name of 1 to 64 of A-Z a-z 0-9 . _ -";
	return out->wrap == STOCK_WRAPS ? "wrap: should be kw (AES key wrap, RFC 3394) or ecb" : NULL;
}

static void imported_reply(struct http_call *call, const struct oid *mno, const char *type, const char *name,
			   const struct stock_imported *done)
{
	switch (done->end) {
	case IMPORT_DONE:
		log_msg(LOG_INFO, "stock_imported", "batch %s of %s: %zu ICCIDs", name, mno->text, done->rows);
		/* fall through */
	case IMPORT_REPEATED:
		app_json(call, 200,
			 arena_printf(app_arena(call),
				      "{\"batch\":\"%s\",\"mno\":\"%s\",\"type\":\"%s\",\"iccids\":%zu,\"repeated\":%s}\n", name,
				      mno->text, type, done->rows, done->end == IMPORT_REPEATED ? "true" : "false"));
		return;
	case IMPORT_NO_TYPE:
		app_error(call, 404, "not_found", "operator %s has no profile type %s: type add makes it", mno->text, type);
		return;
	case IMPORT_NO_KEY:
		admin_no_transport_key(call, mno);
		return;
	case IMPORT_BAD:
		app_error(call, 400, "bad_file", "%s", done->fault.text);
		return;
	case IMPORT_TAKEN:
		app_error(call, 409, "taken", "%s", done->fault.text);
		return;
	case IMPORT_OTHER:
		app_error(call, 409, "batch_exists",
			  "batch %s was imported before with other content: %s; give a new batch another name", name,
			  done->fault.text);
		return;
	}
}

static void trouble_reply(struct http_call *call, const char *name, result r)
{
	if (r->code != CODE_BUSY) {
		admin_no_keys(call, "import_failed", r);
		return;
	}
	log_msg(LOG_WARN, "import_failed", "batch %s: %s", name, r->cause ? r->cause : status_code(r->code)->text);
	app_error(call, 503, "database", "another import runs, or the database does not answer; nothing has changed, try again");
}

/* ?mno=&type=&batch=&wrap=; the body is the CSV file. */
void stock_import_route(struct app *app, struct http_call *call)
{
	struct stock_imported done;
	struct stock_import in;
	struct oid mno;
	const char *why = import_take(call, &mno, &in);
	result r;

	if (why) {
		app_error(call, 400, "bad_request", "%s", why);
		return;
	}
	r = stock_import(app->rpc.role_state, app_db(call), app_arena(call), &in, &done);
	if (r == OK)
		imported_reply(call, in.mno, in.type, in.name, &done);
	else
		trouble_reply(call, in.name, r);
}

static const char *member(const json_t *body, const char *name)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text ? text : "";
}

static bool digits_ok(const char *text)
{
	size_t n = strlen(text);

	return n >= 6 && n <= IMSI_MAX && strspn(text, "0123456789") == n;
}

/* What is wrong with the body; NULL: nothing. */
static const char *make_take(const json_t *body, struct stock_order *out)
{
	json_int_t quantity = json_integer_value(json_object_get(body, "quantity"));
	const char *why;

	*out = (struct stock_order){ .type = member(body, "type"), .name = member(body, "batch"), .imsi = member(body, "imsi") };
	if (!oid_parse(member(body, "mno"), &out->mno))
		return "mno: should be the operator's object identifier";
	if (!type_name_ok(out->type))
		return "type: should be the name of a profile type";
	if (!type_name_ok(out->name))
		return "batch: should be a name of 1 to 64 of A-Z a-z 0-9 . _ -";
	if (!stock_iccid_parse(member(body, "iccid"), &out->first, &why))
		return "iccid: should be the first ICCID, 6 to 20 digits that start with 89 and end with their Luhn digit";
	if (!digits_ok(out->imsi))
		return "imsi: should be the first IMSI, 6 to 15 digits";
	if (quantity < 1 || quantity > STOCK_ORDER_MAX)
		return "quantity: should be 1 to 100000";
	out->quantity = (size_t)quantity;
	return NULL;
}

void stock_make_route(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	struct stock_imported done;
	struct stock_order order;
	const char *why;
	result r;

	if (!body)
		return;
	why = make_take(body, &order);
	if (why) {
		app_error(call, 400, "bad_request", "%s", why);
		return;
	}
	r = stock_make(app->rpc.role_state, app_db(call), app_arena(call), &order, &done);
	if (r == OK)
		imported_reply(call, &order.mno, order.type, order.name, &done);
	else
		trouble_reply(call, order.name, r);
}

/* ?mno=&batch= */
void stock_export_route(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf csv = { 0 };
	const char *name = query(call, "batch");
	bool found = false;
	struct oid mno;
	result r;

	if (!oid_parse(query(call, "mno"), &mno)) {
		app_error(call, 400, "bad_request", "mno: should be the operator's object identifier");
		return;
	}
	r = stock_export(app->rpc.role_state, app_db(call), app_arena(call), &mno, name, &csv, &found);
	if (r != OK)
		trouble_reply(call, name, r);
	else if (!found)
		app_error(call, 404, "not_found", "operator %s has no batch of this name, or no transport key", mno.text);
	else
		http_reply(call, 200, "text/csv", csv.data, csv.len);
}

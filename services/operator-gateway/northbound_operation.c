/* SPDX-License-Identifier: Apache-2.0 */
/* Orders, and how they stand; notifications. */
#include <stdlib.h>
#include <string.h>

#include "common/app/json_in.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "services/operator-gateway/gateway.h"
#include "services/operator-gateway/operation.h"

enum { KEY_MAX = 128, LIMIT = 50, LIMIT_MAX = 1000, SEEN_MAX = 9999999, S_US = 1000000 };

/* The order of the call. False: it is answered. */
static bool read_order(struct http_call *call, struct operation_order *out)
{
	struct arena *a = app_arena(call);
	CLEANUP(json_body_free) json_t *body = NULL;
	const char *error = NULL;

	if (!order_path(a, http_method(call), northbound_rest(call), out, &error)) {
		if (error)
			app_error(call, 400, "invalid_parameter", "%s", error);
		else
			app_error(call, 404, "not_found", "orders are POST /v1/euiccs/{eid}/audit, smsr-change, %s, %s, %s",
				  "POST .../profiles/download", "POST .../profiles/{iccid}/enable, disable, delete",
				  "PUT .../profiles/{iccid}/pol2, subscription-address");
		return false;
	}
	if (http_body(call).len) {
		body = json_body(call);
		if (!body)
			return false;
	}
	if (order_body(a, body, out, &error))
		return true;
	app_error(call, 400, "invalid_parameter", "%s", error);
	return false;
}

static bool key_ok(const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < n; i++)
		if (key[i] <= ' ' || key[i] > '~')
			return false;
	return n > 0 && n <= KEY_MAX;
}

static void answer_order(struct http_call *call, const char *id)
{
	struct arena *a = app_arena(call);
	const struct http_header location = { "Location", arena_printf(a, "/v1/operations/%s", id) };
	const char *body = arena_printf(a, "{\"operation\":\"%s\"}", id);

	http_reply_headers(call, 202, "application/json", body, strlen(body), &location, 1);
}

/* The key was used before: the same order is the same operation. */
static void answer_known(struct http_call *call, const struct operation *o, const char *key)
{
	struct arena *a = app_arena(call);
	struct db *db = app_db(call);
	const struct rows *rows;
	result failure;

	DB_QUEUE(db, GW_OPERATION_BY_KEY, p_text(o->user), p_text(key));
	failure = db_sync(db, a, &rows, 1, NULL);
	if (failure != OK)
		northbound_db_failed(call, failure);
	else if (!rows_count(rows)) /* cleaned away meanwhile */
		app_error(call, 503, "unavailable", "the Idempotency-Key was just freed; send the order again");
	else if (strcmp(row_text(rows, 0, 1), order_input(a, &o->order)) != 0)
		app_error(call, 409, "conflict", "Idempotency-Key: used before for another order, operation %s",
			  row_text(rows, 0, 0));
	else
		answer_order(call, row_text(rows, 0, 0));
}

/* Operation and request in one transaction: what was answered 202 survives whatever happens to the process. */
static void place(struct app *app, struct http_call *call, const struct operation *o, const char *key)
{
	struct arena *a = app_arena(call);
	struct db *db = app_db(call);
	struct db_failure why = { 0 };
	result failure;

	db_begin(db);
	operation_queue_add(db, a, o, key);
	db_commit(db);
	failure = db_sync(db, a, NULL, 0, &why);
	if (failure == OK) {
		(void)FAULT("operator-gateway.order.committed", o->order.eid.text);
		outbox_ring(app->rpc.outbox);
		answer_order(call, o->id);
		return;
	}
	db_rollback(db);
	if (why.unique_constraint && key)
		answer_known(call, o, key);
	else
		northbound_db_failed(call, failure);
}

/* SM-SRs take some orders of operators only, SM-DPs all. */
bool northbound_may(struct app *app, struct http_call *call, const struct function *fn)
{
	if (fn->callers & app->rpc.self_role)
		return true;
	app_error(call, 403, "forbidden", "%s is not for what this gateway is: RSP_GATEWAY_ROLE is m2m-sp", fn->wire);
	return false;
}

/* The SM-SR that a change goes to. False: the call is answered. */
static bool reach_other(struct http_call *call, struct arena *a, const struct operation *o)
{
	struct card_route other = { .smsr = o->order.to };

	if (o->order.kind != OPERATION_SMSR_CHANGE)
		return true;
	if (!oid_equal(&o->order.to, &o->smsr))
		return northbound_reach(call, a, &other);
	app_error(call, 409, "conflict", "to: %s manages the card already, as far as is known", o->smsr.text);
	return false;
}

void northbound_order(struct app *app, struct http_call *call)
{
	struct arena *a = app_arena(call);
	const char *key = http_header(call, "Idempotency-Key");
	struct operation o = { .attempt = 1, .trace = rpc_trace(a, call) };
	char *id = arena_alloc(a, UUID_TEXT);
	struct card_route route;

	if (!northbound_allow(call, API_OPERATOR, &o.user) || !read_order(call, &o.order))
		return;
	if (key && !key_ok(key)) {
		app_error(call, 400, "invalid_parameter", "Idempotency-Key: 1 to %d printable ASCII characters without blanks",
			  KEY_MAX);
		return;
	}
	o.stage = operation_first_stage(o.order.kind);
	if (o.stage != STAGE_NONE)
		o.order.smdp = "";
	if (!northbound_route(call, app->rpc.role_state, a, &o.order.eid, o.order.smdp, &route))
		return;
	o.smsr = route.smsr;
	o.smdp = route.smdp;
	if (!operation_asked(&o)) {
		app_error(call, 400, "invalid_parameter",
			  "smdp: is missing: this order goes by an SM-DP, and none is set for the card");
		return;
	}
	if (!northbound_may(app, call, operation_asked(&o)) || !northbound_reach(call, a, &route) || !reach_other(call, a, &o))
		return;
	uuid_new(id);
	o.id = id;
	o.deadline = (int64_t)o.order.validity_s * S_US;
	place(app, call, &o, key);
}

/* A number of the query within its range; absent: fallback. False: the call is answered. */
static bool query_number(struct http_call *call, const char *name, unsigned fallback, unsigned max, unsigned *out)
{
	const char *text = http_query(call, name);
	size_t n = text ? strlen(text) : 0;
	unsigned long value = fallback;

	if (text)
		value = n > 0 && n < 8 && strspn(text, "0123456789") == n ? strtoul(text, NULL, 10) : (unsigned long)max + 1;
	if (value > max) {
		app_error(call, 400, "invalid_parameter", "%s: a number of at most %u", name, max);
		return false;
	}
	*out = (unsigned)value;
	return true;
}

/* The query's eid, "" when absent. False: the call is answered. */
static bool query_eid(struct http_call *call, struct eid *out)
{
	const char *text = http_query(call, "eid");

	*out = (struct eid){ "" };
	if (!text || eid_parse(text, out))
		return true;
	app_error(call, 400, "invalid_parameter", "eid: 32 decimal digits whose check digits hold (MOD 97 is 1)");
	return false;
}

void northbound_operation(struct app *app, struct http_call *call)
{
	struct gateway *g = app->rpc.role_state;
	struct arena *a = app_arena(call);
	CLEANUP(json_freep) json_t *json = NULL;
	const char *id = northbound_rest(call), *user;
	struct operation o = { 0 };
	result failure = OK;
	unsigned wait_s, seen;

	if (!northbound_allow(call, API_READER, &user) || !query_number(call, "wait", 0, WAIT_MAX_S, &wait_s) ||
	    !query_number(call, "seen", SEEN_MAX, SEEN_MAX, &seen)) /* left out: more than there can be */
		return;
	if (operation_id_ok(id))
		failure = operation_get(app_db(call), a, id, &o);
	if (failure != OK) {
		northbound_db_failed(call, failure);
	} else if (!o.id) {
		app_error(call, 404, "not_found", "there is no operation of this id; GET /v1/operations lists them");
	} else if (wait_s && o.state != OPERATION_ENDED) {
		waits_park(g->waits, call, o.id, wait_s, seen);
	} else {
		json = operation_json(a, &o, true);
		app_json(call, 200, json_text(a, json));
	}
}

static result list_operations(struct http_call *call, const struct eid *eid, const char *state, unsigned limit, json_t *out)
{
	struct arena *a = app_arena(call);
	struct db *db = app_db(call);
	const struct rows *rows;

	DB_QUEUE(db, GW_OPERATION_LIST, p_text(eid->text), p_text(state), p_int(a, limit));
	TRY(db_sync(db, a, &rows, 1, NULL));
	for (size_t i = 0; i < rows_count(rows); i++) {
		struct operation o;

		TRY(operation_row(a, rows, i, &o));
		json_array_append_new(out, operation_json(a, &o, false));
	}
	return OK;
}

/* What every list may be asked. False: the call is answered. */
static bool list_asked(struct http_call *call, struct eid *out_eid, unsigned *out_limit)
{
	const char *user;

	return northbound_allow(call, API_READER, &user) && query_eid(call, out_eid) &&
	       query_number(call, "limit", LIMIT, LIMIT_MAX, out_limit);
}

void northbound_operations(struct app *app, struct http_call *call)
{
	CLEANUP(json_freep) json_t *list = json_array();
	const char *state = http_query(call, "state");
	enum operation_state parsed;
	unsigned limit;
	struct eid eid;
	result failure;

	(void)app;
	if (!list_asked(call, &eid, &limit))
		return;
	if (state && !operation_state_parse(state, &parsed)) {
		app_error(call, 400, "invalid_parameter", "state: queued, accepted, repeated, waiting or ended");
		return;
	}
	failure = list_operations(call, &eid, state ? state : "", limit, list);
	if (failure != OK)
		northbound_db_failed(call, failure);
	else
		app_json(call, 200, json_text(app_arena(call), list));
}

static json_t *notification_json(const struct rows *rows, size_t i)
{
	const char *interface = row_text(rows, i, 1), *detail = row_text(rows, i, 9);
	char completed[DATETIME_MAX], received[DATETIME_MAX];
	json_t *j;

	datetime_format(row_int(rows, i, 6), completed);
	datetime_format(row_int(rows, i, 7), received);
	j = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)row_int(rows, i, 0), "kind",
		      row_text(rows, i, 5), "eid", row_text(rows, i, 3), "interface", interface,
		      !strcmp(interface, iface_name(IF_ES2)) ? "smdp" : "smsr", row_text(rows, i, 2), "completed", completed,
		      "received", received, "message_id", row_text(rows, i, 8));
	json_put(j, "iccid", *row_text(rows, i, 4) ? row_text(rows, i, 4) : NULL);
	if (*detail)
		json_object_update_new(j, json_loads(detail, 0, NULL));
	return j;
}

void northbound_notifications(struct app *app, struct http_call *call)
{
	CLEANUP(json_freep) json_t *list = json_array();
	struct arena *a = app_arena(call);
	const struct rows *rows;
	unsigned limit;
	struct eid eid;
	result failure;

	(void)app;
	if (!list_asked(call, &eid, &limit))
		return;
	DB_QUEUE(app_db(call), GW_NOTIFICATION_LIST, p_text(eid.text), p_int(a, limit));
	failure = db_sync(app_db(call), a, &rows, 1, NULL);
	if (failure != OK) {
		northbound_db_failed(call, failure);
		return;
	}
	for (size_t i = 0; i < rows_count(rows); i++)
		json_array_append_new(list, notification_json(rows, i));
	app_json(call, 200, json_text(a, list));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: connectivity parameters of profiles that are on cards. */
#include <string.h>

#include "common/app/json_in.h"
#include "common/base/hex.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"
#include "services/sm-dp/connectivity.h"

static void row_write(struct arena *a, struct buf *b, const struct rows *r, size_t i)
{
	(void)a;
	json_out_member(b, "id", row_text(r, i, 0));
	json_out_member(b, "eid", row_text(r, i, 1));
	json_out_member(b, "iccid", row_text(r, i, 2));
	json_out_member(b, "smsr", row_text(r, i, 3));
	json_out_member(b, "state", connectivity_state_name((enum connectivity_state)row_int(r, i, 4)));
	buf_printf(b, ",\"step\":%lld", (long long)row_int(r, i, 5));
	admin_time(b, "made_at", r, i, 6);
	json_out_member(b, "made_by", row_text(r, i, 7));
	admin_time(b, "deadline", r, i, 8);
	admin_time(b, "ended_at", r, i, 9);
	json_out_member(b, "answer", row_text(r, i, 10));
}

/* ?eid=&limit= */
void connectivity_list(struct app *app, struct http_call *call)
{
	struct arena *a = app_arena(call);

	(void)app;
	DB_QUEUE(app_db(call), SMDP_CONNECTIVITY_LIST, p_text(http_query(call, "eid")), p_int(a, admin_limit(call)),
		 p_int(a, CONNECTIVITY_SENT), p_int(a, CONNECTIVITY_EXPIRED));
	admin_list(call, row_write);
}

static const char *member(const json_t *body, const char *name)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text ? text : "";
}

static bool parameters_take(struct arena *a, const char *hex, struct bytes *out)
{
	size_t n = strlen(hex);
	uint8_t *data = arena_alloc(a, n / 2 + 1);

	*out = (struct bytes){ data, n / 2 };
	return n <= 2 * (size_t)CONNECTIVITY_MAX && hex_decode(hex, n, data) && connectivity_ok(*out);
}

/* What is wrong with the body; NULL: nothing. */
static const char *order_take(struct arena *a, const json_t *body, struct connectivity_order *out)
{
	const struct function *fn = function_by_id(FN_ES3_UpdateConnectivityParameters);
	const json_t *validity = json_object_get(body, "validity");

	*out = (struct connectivity_order){ .by = member(body, "by"),
					    .validity_s = validity ? json_integer_value(validity) : (int64_t)fn->validity.def_s };
	if (!eid_parse(member(body, "eid"), &out->eid))
		return "eid: should be 32 digits whose check digits hold";
	if (!iccid_parse(member(body, "iccid"), &out->iccid))
		return "iccid: should be 6 to 20 digits that start with 89";
	if (!parameters_take(a, member(body, "parameters"), &out->parameters))
		return "parameters: should be at most 192 bytes in hex: one TLV each of A0 (SMS), A1 (CAT_TP), A2 (HTTPS), at "
		       "least one";
	if (out->validity_s < fn->validity.min_s || out->validity_s > fn->validity.max_s)
		return "validity: should be 3 to 86400 seconds";
	return *out->by && strlen(out->by) <= CONNECTIVITY_BY_MAX ? NULL : "by: should be who orders it, 1 to 64 characters";
}

static void ordered_reply(struct http_call *call, const struct connectivity_order *o, enum connectivity_end end, const char *id)
{
	switch (end) {
	case CONNECTIVITY_NO_KEYS:
		app_error(call, 404, "not_found",
			  "there are no keys of ICCID %s on card %s: its type says delete, they were handed over, or the profile "
			  "is gone",
			  o->iccid.text, o->eid.text);
		return;
	case CONNECTIVITY_NO_SMSR:
		app_error(call, 409, "no_smsr", "nobody knows which SM-SR manages card %s", o->eid.text);
		return;
	case CONNECTIVITY_BUSY:
		app_error(call, 409, "busy", "another order for card %s is under way", o->eid.text);
		return;
	case CONNECTIVITY_ORDERED:
		break;
	}
	log_msg(LOG_INFO, "connectivity_ordered", "%s of ICCID %s on %s, by %s", id, o->iccid.text, o->eid.text, o->by);
	app_json(call, 200, arena_printf(app_arena(call), "{\"id\":\"%s\"}\n", id));
}

void connectivity_order_route(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	enum connectivity_end end = CONNECTIVITY_ORDERED;
	struct connectivity_order order;
	char id[UUID_TEXT] = "";
	const char *why;
	result r;

	if (!body)
		return;
	why = order_take(app_arena(call), body, &order);
	if (why) {
		app_error(call, 400, "bad_request", "%s", why);
		return;
	}
	r = connectivity_order(app->rpc.role_state, app_db(call), app_arena(call), &order, &end, id);
	if (r == OK)
		ordered_reply(call, &order, end, id);
	else
		admin_no_keys(call, "connectivity_failed", r);
}

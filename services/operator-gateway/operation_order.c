/* SPDX-License-Identifier: Apache-2.0 */
/* What a tenant writes, and what is shown of an operation. */
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/hex.h"
#include "services/operator-gateway/api.h"
#include "services/operator-gateway/operation.h"

bool order_path(struct arena *a, const char *rest, struct operation_order *out, const char **out_error)
{
	const char *slash = strchr(rest, '/'), *tail = slash ? slash : "";
	static const char profiles[] = "/profiles/", enable[] = "/enable";
	size_t n = strlen(tail), around = strlen(profiles) + strlen(enable);
	struct operation_order o = { .iccids = "" };

	*out_error = NULL;
	if (!strcmp(tail, "/audit"))
		o.kind = OPERATION_AUDIT;
	else if (n <= around || strncmp(tail, profiles, strlen(profiles)) != 0 || strcmp(tail + n - strlen(enable), enable) != 0)
		return false;
	else if (!iccid_parse(arena_strndup(a, tail + strlen(profiles), n - around), &o.iccid))
		*out_error = "iccid: 6 to 20 digits that start with 89";
	if (!eid_parse(arena_strndup(a, rest, (size_t)(slash - rest)), &o.eid))
		*out_error = "eid: 32 decimal digits whose check digits hold (MOD 97 is 1)";
	if (*out_error)
		return false;
	*out = o;
	return true;
}

static bool wrong(const char **out_error, const char *text)
{
	*out_error = text;
	return false;
}

static bool take_iccids(struct arena *a, const json_t *list, struct operation_order *o)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const json_t *item;
	struct iccid iccid;
	size_t i;

	if (!json_is_array(list) || !json_array_size(list) || json_array_size(list) > ICCIDS_MAX)
		return false;
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item) || !iccid_parse(json_string_value(item), &iccid))
			return false;
		buf_printf(&text, "%s%s", i ? " " : "", iccid.text);
	}
	o->iccids = arena_strdup(a, text.data);
	return true;
}

/* One of two words. */
static bool take_word(const json_t *value, const char *yes, const char *no, bool *out)
{
	const char *text = json_string_value(value);

	if (!text || (strcmp(text, yes) != 0 && strcmp(text, no) != 0))
		return false;
	*out = !strcmp(text, yes);
	return true;
}

static bool take_field(struct arena *a, const char *name, const json_t *value, struct operation_order *o, const char **out_error)
{
	const struct validity *v = &operation_function(o->kind)->validity;
	json_int_t s = json_integer_value(value);

	if (!strcmp(name, "validity_s")) {
		if (!json_is_integer(value) || s < v->min_s || s > v->max_s)
			return wrong(out_error, arena_printf(a, "validity_s: %u to %u seconds", v->min_s, v->max_s));
		o->validity_s = (unsigned)s;
		return true;
	}
	if (!strcmp(name, "mode"))
		return take_word(value, "callback", "connection", &o->callback) || wrong(out_error, "mode: callback or connection");
	if (!strcmp(name, "when"))
		return take_word(value, "next_event", "now", &o->patient) || wrong(out_error, "when: now or next_event");
	if (!strcmp(name, "iccids") && o->kind == OPERATION_AUDIT)
		return take_iccids(a, value, o) ||
		       wrong(out_error, "iccids: 1 to 64 strings of 6 to 20 digits that start with 89; left out: all profiles");
	return wrong(out_error, arena_printf(a, "%.64s: this order has no such field", name));
}

bool order_body(struct arena *a, json_t *body, struct operation_order *out, const char **out_error)
{
	struct operation_order o = *out;
	json_t *value;
	const char *name;

	o.validity_s = operation_function(o.kind)->validity.def_s;
	o.callback = true;
	o.patient = true;
	if (body && !json_is_object(body))
		return wrong(out_error, "the body should be a JSON object, or empty");
	json_object_foreach(body, name, value) if (!take_field(a, name, value, &o, out_error)) return false;
	*out = o;
	return true;
}

const char *order_input(struct arena *a, const struct operation_order *o)
{
	return arena_printf(a, "%s %s %s %s %s %u [%s]", operation_kind_name(o->kind), o->eid.text,
			    o->kind == OPERATION_ENABLE ? o->iccid.text : "-", o->callback ? "callback" : "connection",
			    o->patient ? "next_event" : "now", o->validity_s, o->iccids);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* The EIS of an audit that is one; NULL: a success that says nothing about this card. */
static const char *eis_of(struct arena *a, const struct operation *o, const struct es4_audit_eis_rs *rs)
{
	CLEANUP(json_freep) json_t *eis = NULL;

	if (!rs->eis || !eid_equal(&rs->eis->info.eid, &o->order.eid))
		return NULL;
	eis = api_eis_json(a, rs->eis);
	return json_text(a, eis);
}

struct operation_answer operation_answer_of(struct arena *a, const struct operation *o, const struct response_base *base,
					    const void *response)
{
	static const struct status_code_data none = { "", "", "", "" };
	const struct execution_status *s = &base->status;
	const struct status_code_data *code = s->code ? s->code : &none;
	bool done = s->status == STATUS_SUCCESS || s->status == STATUS_WARNING;
	struct operation_answer answer = { .status = status_name(s->status),
					   .subject = or_empty(code->subject),
					   .reason = or_empty(code->reason),
					   .subject_id = or_empty(code->subject_id),
					   .message = code->message ? code->message
						      : done        ? ""
								    : "no message was given",
					   .euicc_response = "",
					   .eis = "" };

	if (o->order.kind == OPERATION_ENABLE) {
		const struct card_rs *rs = response;

		answer.euicc_response = hex_text(a, rs->euicc_response_data.data, rs->euicc_response_data.len);
	} else if (done) {
		answer.eis = eis_of(a, o, response);
		if (!answer.eis)
			return (struct operation_answer){ status_name(STATUS_FAILED),
							  "bad_answer",
							  "",
							  "",
							  "the SM-SR says success but sent no EIS of this card",
							  "",
							  "" };
	}
	return answer;
}

static void put_time(json_t *j, const char *name, int64_t wall_us)
{
	char text[DATETIME_MAX];

	if (!wall_us)
		return;
	datetime_format(wall_us, text);
	json_put(j, name, text);
}

static void put_text(json_t *j, const char *name, const char *text)
{
	if (*text)
		json_put(j, name, text);
}

static void put_answer(struct arena *a, json_t *j, const struct operation *o, bool whole)
{
	const struct operation_answer *r = &o->answer;

	if (o->state == OPERATION_ENDED)
		put_text(j, "status", r->status);
	if (*r->subject)
		json_put(j, "code", *r->reason ? arena_printf(a, "%s/%s", r->subject, r->reason) : r->subject);
	put_text(j, "subject_identifier", r->subject_id);
	put_text(j, "message", r->message);
	put_text(j, "euicc_response", r->euicc_response);
	if (whole && *r->eis)
		json_object_set_new(j, "eis", json_loads(r->eis, 0, NULL));
}

json_t *operation_json(struct arena *a, const struct operation *o, bool whole)
{
	json_t *j = json_object();

	json_put(j, "operation", o->id);
	json_put(j, "kind", operation_kind_name(o->order.kind));
	json_put(j, "eid", o->order.eid.text);
	if (o->order.kind == OPERATION_ENABLE)
		json_put(j, "iccid", o->order.iccid.text);
	json_put(j, "smsr", o->smsr.text);
	json_put(j, "mode", o->order.callback ? "callback" : "connection");
	json_put(j, "when", o->order.patient ? "next_event" : "now");
	json_put(j, "state", operation_state_name(o->state));
	json_object_set_new(j, "attempt", json_integer(o->attempt));
	put_time(j, "created", o->created_at);
	put_time(j, "deadline", o->deadline);
	put_time(j, "ended", o->ended_at);
	put_answer(a, j, o, whole);
	json_put(j, "user", o->user);
	return j;
}

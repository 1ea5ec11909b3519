/* SPDX-License-Identifier: Apache-2.0 */
/* What a tenant writes, and what is shown of an operation. */
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/hex.h"
#include "services/operator-gateway/api.h"
#include "services/operator-gateway/operation.h"

/* {iccid}/<word> behind /profiles/. */
static const struct {
	const char *word, *method;
	enum operation_kind kind;
} of_profiles[] = {
	{ "/enable", "POST", OPERATION_ENABLE },
	{ "/disable", "POST", OPERATION_DISABLE },
	{ "/delete", "POST", OPERATION_DELETE },
	{ "/pol2", "PUT", OPERATION_POLICY },
	{ "/subscription-address", "PUT", OPERATION_ADDRESS },
};

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);

	return n > k && !strcmp(text + n - k, end);
}

/* text: {iccid}/<word>. */
static bool path_of_profile(struct arena *a, const char *method, const char *text, struct operation_order *o,
			    const char **out_error)
{
	for (size_t i = 0; i < LEN(of_profiles); i++) {
		size_t n = strlen(text), k = strlen(of_profiles[i].word);

		if (strcmp(method, of_profiles[i].method) != 0 || !ends_with(text, of_profiles[i].word))
			continue;
		o->kind = of_profiles[i].kind;
		if (!iccid_parse(arena_strndup(a, text, n - k), &o->iccid))
			*out_error = "iccid: 6 to 20 digits that start with 89";
		return true;
	}
	return false;
}

bool order_path(struct arena *a, const char *method, const char *rest, struct operation_order *out, const char **out_error)
{
	const char *slash = strchr(rest, '/'), *tail = slash ? slash : "";
	static const char profiles[] = "/profiles/";
	struct operation_order o = { .iccids = "" };

	*out_error = NULL;
	if (!strcmp(tail, "/audit") && !strcmp(method, "POST"))
		o.kind = OPERATION_AUDIT;
	else if (!strcmp(tail, "/smsr-change") && !strcmp(method, "POST"))
		o.kind = OPERATION_SMSR_CHANGE;
	else if (!strcmp(tail, "/profiles/download") && !strcmp(method, "POST"))
		o.kind = OPERATION_DOWNLOAD;
	else if (strncmp(tail, profiles, strlen(profiles)) != 0 ||
		 !path_of_profile(a, method, tail + strlen(profiles), &o, out_error))
		return false;
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

static bool take_smdp(struct arena *a, const json_t *value, struct operation_order *o, const char **out_error)
{
	const char *text = json_is_null(value) ? "" : json_string_value(value);

	if (!text || (!*text && !json_is_null(value)))
		return wrong(out_error, "smdp: OID or name of an SM-DP; null: straight to the SM-SR");
	if (o->kind == OPERATION_DOWNLOAD && !*text)
		return wrong(out_error, "smdp: OID or name of an SM-DP: nobody else downloads");
	if (o->kind == OPERATION_SMSR_CHANGE && *text)
		return wrong(out_error, "smdp: null, or left out: SM-SRs are asked for this, never an SM-DP");
	o->smdp = arena_strdup(a, text);
	return true;
}

static bool take_download_field(struct arena *a, const char *name, const json_t *value, struct operation_order *o,
				const char **out_error)
{
	const char *text = json_string_value(value);

	if (!strcmp(name, "profile_type"))
		return change_profile_type(a, value, o, out_error);
	if (!strcmp(name, "iccid"))
		return (text && iccid_parse(text, &o->iccid)) ||
		       wrong(out_error, "iccid: a string of 6 to 20 digits that start with 89");
	if (strcmp(name, "enable") != 0)
		return wrong(out_error, arena_printf(a, "%.64s: this order has no such field", name));
	o->enable = json_is_true(value);
	return json_is_boolean(value) || wrong(out_error, "enable: true or false");
}

static bool take_smsr_change_field(struct arena *a, const char *name, const json_t *value, struct operation_order *o,
				   const char **out_error)
{
	const char *text = json_string_value(value);

	if (!strcmp(name, "to"))
		return (text && oid_parse(text, &o->to)) || wrong(out_error, "to: the OID of the SM-SR that is to manage the card");
	if (strcmp(name, "dry_run") != 0)
		return wrong(out_error, arena_printf(a, "%.64s: this order has no such field", name));
	o->dry_run = json_is_true(value);
	return json_is_boolean(value) || wrong(out_error, "dry_run: true or false");
}

/* Fields that only some kinds have. */
static bool take_own_field(struct arena *a, const char *name, const json_t *value, struct operation_order *o,
			   const char **out_error)
{
	if (!strcmp(name, "mode") && !operation_at_once(o->kind))
		return take_word(value, "callback", "connection", &o->callback) || wrong(out_error, "mode: callback or connection");
	if (!strcmp(name, "iccids") && o->kind == OPERATION_AUDIT)
		return take_iccids(a, value, o) ||
		       wrong(out_error, "iccids: 1 to 64 strings of 6 to 20 digits that start with 89; left out: all profiles");
	if (!strcmp(name, "rules") && o->kind == OPERATION_POLICY)
		return change_rules(a, value, o, out_error);
	if (!strcmp(name, "imsi") && o->kind == OPERATION_ADDRESS)
		return change_imsi(a, value, o, out_error);
	if (!strcmp(name, "msisdn") && o->kind == OPERATION_ADDRESS)
		return change_msisdn(a, value, o, out_error);
	if (o->kind == OPERATION_DOWNLOAD)
		return take_download_field(a, name, value, o, out_error);
	if (o->kind == OPERATION_SMSR_CHANGE)
		return take_smsr_change_field(a, name, value, o, out_error);
	return wrong(out_error, arena_printf(a, "%.64s: this order has no such field", name));
}

static bool take_field(struct arena *a, const char *name, const json_t *value, struct operation_order *o, const char **out_error)
{
	struct validity v = operation_validity(o->kind);
	json_int_t s = json_integer_value(value);

	if (!strcmp(name, "validity_s")) {
		if (!json_is_integer(value) || s < v.min_s || s > v.max_s)
			return wrong(out_error, arena_printf(a, "validity_s: %u to %u seconds", v.min_s, v.max_s));
		o->validity_s = (unsigned)s;
		return true;
	}
	if (!strcmp(name, "when"))
		return take_word(value, "next_event", "now", &o->patient) || wrong(out_error, "when: now or next_event");
	if (!strcmp(name, "smdp"))
		return take_smdp(a, value, o, out_error);
	return take_own_field(a, name, value, o, out_error);
}

/* What an order cannot do without. */
static bool complete(const struct operation_order *o, const char **out_error)
{
	if (o->kind == OPERATION_POLICY && !o->has_change)
		return wrong(out_error, "rules: is missing; [] allows everything");
	if (o->kind == OPERATION_ADDRESS && !o->has_change)
		return wrong(out_error, "imsi, msisdn: at least one of them; what is left out the profile has no longer");
	if (o->kind == OPERATION_DOWNLOAD && !o->profile_type && !*o->iccid.text)
		return wrong(out_error, "profile_type, iccid: at least one of them");
	if (o->kind == OPERATION_SMSR_CHANGE && !*o->to.text)
		return wrong(out_error, "to: is missing: the OID of the SM-SR that is to manage the card");
	return true;
}

/* That of the request, which is another for the first stage alone. */
static unsigned usual_validity(const struct operation_order *o)
{
	if (o->dry_run)
		return function_by_id(FN_ES4_PrepareSMSRChange)->validity.def_s;
	return operation_validity(o->kind).def_s;
}

bool order_body(struct arena *a, json_t *body, struct operation_order *out, const char **out_error)
{
	struct operation_order o = *out;
	json_t *value;
	const char *name;

	o.validity_s = 0;
	o.callback = !operation_at_once(o.kind);
	o.patient = true;
	if (body && !json_is_object(body))
		return wrong(out_error, "the body should be a JSON object, or empty");
	json_object_foreach(body, name, value) if (!take_field(a, name, value, &o, out_error)) return false;
	if (!complete(&o, out_error))
		return false;
	if (!o.validity_s)
		o.validity_s = usual_validity(&o);
	*out = o;
	return true;
}

const char *order_input(struct arena *a, const struct operation_order *o)
{
	const char *way = o->smdp ? arena_printf(a, " by %s", *o->smdp ? o->smdp : "-") : "";

	return arena_printf(a, "%s %s %s %s %s %u [%s]%s", operation_kind_name(o->kind), o->eid.text,
			    *o->iccid.text ? o->iccid.text : "-", o->callback ? "callback" : "connection",
			    o->patient ? "next_event" : "now", o->validity_s,
			    o->kind == OPERATION_AUDIT ? o->iccids : change_text(a, o), way);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* The EIS of an audit that is one. NULL: fine; else why a success is none. */
static const char *take_eis(struct arena *a, const struct operation *o, const struct es4_audit_eis_rs *rs,
			    struct operation_answer *out)
{
	CLEANUP(json_freep) json_t *eis = NULL;

	if (!rs->eis || !eid_equal(&rs->eis->info.eid, &o->order.eid))
		return "says success but sent no EIS of this card";
	eis = api_eis_json(a, rs->eis);
	out->eis = json_text(a, eis);
	return NULL;
}

/* The same of a download. Which profile was taken may be left out, but it is not another than was ordered. */
static const char *take_iccid(struct arena *a, const struct operation *o, const struct es2_download_profile_rs *rs,
			      struct operation_answer *out)
{
	const char *ordered = o->order.iccid.text;

	if (rs->iccid)
		out->iccid = arena_strdup(a, rs->iccid->text);
	return *ordered && *out->iccid && strcmp(ordered, out->iccid) != 0 ? "says success but took another profile" : NULL;
}

static const char *take_content(struct arena *a, const struct operation *o, const void *response, bool done,
				struct operation_answer *out)
{
	const struct card_rs *rs = response;

	if (o->order.kind == OPERATION_AUDIT)
		return done ? take_eis(a, o, response, out) : NULL;
	if (o->order.kind == OPERATION_DOWNLOAD)
		return take_iccid(a, o, response, out);
	if (o->order.kind == OPERATION_SMSR_CHANGE)
		return NULL;
	if (!operation_at_once(o->order.kind) && operation_route(o) == ROUTE_ES4) /* ES2 tells nothing of the card's words */
		out->euicc_response = hex_text(a, rs->euicc_response_data.data, rs->euicc_response_data.len);
	return NULL;
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
					   .eis = "",
					   .at = base->processing_end ? *base->processing_end : 0,
					   .iccid = "" };
	const char *bad = take_content(a, o, response, done, &answer);

	if (bad && done) {
		answer.status = status_name(STATUS_FAILED);
		answer.subject = "bad_answer";
		answer.reason = answer.subject_id = "";
		answer.message = arena_printf(a, "the %s %s", api_server_name(operation_asked(o)->iface), bad);
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
	if (o->order.kind == OPERATION_DOWNLOAD && o->state == OPERATION_ENDED && operation_executed(r))
		json_object_set_new(j, "enabled",
				    json_boolean(o->order.enable && strcmp(r->status, status_name(STATUS_WARNING)) != 0));
	if (whole && *r->eis)
		json_object_set_new(j, "eis", json_loads(r->eis, 0, NULL));
}

json_t *operation_json(struct arena *a, const struct operation *o, bool whole)
{
	json_t *j = json_object();

	json_put(j, "operation", o->id);
	json_put(j, "kind", operation_kind_name(o->order.kind));
	json_put(j, "eid", o->order.eid.text);
	put_text(j, "iccid", *o->order.iccid.text ? o->order.iccid.text : o->answer.iccid);
	change_put(j, &o->order);
	json_put(j, "smsr", o->smsr.text);
	put_text(j, "smdp", o->smdp.text);
	json_put(j, "mode", o->order.callback ? "callback" : "connection");
	json_put(j, "when", o->order.patient ? "next_event" : "now");
	json_put(j, "state", operation_state_name(o->state));
	json_object_set_new(j, "attempt", json_integer(o->attempt));
	put_time(j, "created", o->created_at);
	put_time(j, "deadline", o->deadline);
	put_time(j, "ended", o->ended_at);
	if (o->stage != STAGE_NONE) {
		json_put(j, "stage", operation_stage_name(o->stage));
		json_object_set_new(j, "stages", operation_stages_json(o));
	}
	put_answer(a, j, o, whole);
	json_put(j, "user", o->user);
	return j;
}

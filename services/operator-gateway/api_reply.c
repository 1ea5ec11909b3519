/* SPDX-License-Identifier: Apache-2.0 */
/* What an HTTP caller is told when a function answered, or did not. */
#include <string.h>

#include "services/operator-gateway/api.h"

enum { RETRY_AFTER_S = 5 };

/* Statuses of function execution status codes; all others are 502: the other side failed in a way the caller cannot mend. */
static const struct {
	const char *subject, *reason; /* reason ending in '.': any below it */
	unsigned status;
} classes[] = {
	{ "8.1.1", "1.1", 404 }, /* EID unknown */
	{ "8.1", "1.2", 403 },   /* we own nothing on this card */
	{ "1.2", "4.4", 503 },   /* busy */
	{ "1.6", "2.", 400 },    /* a parameter */
};

unsigned api_status(enum status status, const char *subject, const char *reason)
{
	if (status == STATUS_EXPIRED)
		return 504;
	if (status != STATUS_FAILED)
		return 200;
	for (size_t i = 0; i < LEN(classes); i++) {
		const char *wanted = classes[i].reason;
		size_t n = strlen(wanted);

		if (strcmp(classes[i].subject, subject))
			continue;
		if (wanted[n - 1] == '.' ? !strncmp(wanted, reason, n) : !strcmp(wanted, reason))
			return classes[i].status;
	}
	return 502;
}

const char *api_error_json(struct arena *a, const struct api_error *e)
{
	CLEANUP(json_freep) json_t *body = json_object();
	json_t *o = json_object();

	json_put(o, "code", e->code);
	json_put(o, "message", e->message);
	json_put(o, "subject_identifier", e->subject_identifier);
	json_put(o, "status", e->status);
	json_put(o, "function", e->function);
	json_put(o, "message_id", e->message_id);
	if (e->retry_after_s)
		json_object_set_new(o, "retry_after_s", json_integer(e->retry_after_s));
	json_object_set_new(body, "error", o);
	return json_text(a, body);
}

static void reply_error(struct arena *a, unsigned status, struct api_error *e, struct api_reply *out)
{
	e->retry_after_s = status == 503 ? RETRY_AFTER_S : 0;
	*out = (struct api_reply){ .status = status, .body = api_error_json(a, e) };
}

/* FAILED and EXPIRED. */
static void reply_refused(struct arena *a, const struct execution_status *s, struct api_error *e, struct api_reply *out)
{
	static const struct status_code_data none = { .subject = "", .reason = "" };
	const struct status_code_data *code = s->code ? s->code : &none;
	const char *subject = code->subject ? code->subject : "", *reason = code->reason ? code->reason : "";

	e->code = arena_printf(a, "%s/%s", subject, reason);
	e->message = code->message ? code->message : "no message was given";
	e->subject_identifier = code->subject_id;
	e->status = status_name(s->status);
	reply_error(a, api_status(s->status, subject, reason), e, out);
}

const char *api_server_name(enum iface iface)
{
	return iface == IF_ES2 ? "SM-DP" : "SM-SR";
}

static void reply_eis(struct arena *a, const char *who, const struct eid *eid, const struct call_answer *answer,
		      struct api_error *e, struct api_reply *out)
{
	const struct es4_get_eis_rs *rs = answer->response;
	const struct status_code_data *warning = rs->base.status.code;
	CLEANUP(json_freep) json_t *body = NULL;

	if (!rs->eis || !eid_equal(&rs->eis->info.eid, eid)) {
		e->code = "bad_answer";
		e->message = arena_printf(a, rs->eis ? "the %s answered about another card" : "the %s says success but sent no EIS",
					  who);
		reply_error(a, 502, e, out);
		return;
	}
	body = api_eis_json(a, rs->eis);
	if (rs->base.status.status == STATUS_WARNING && warning)
		json_object_set_new(body, "warning",
				    json_pack("{s:o, s:s}", "code", json_sprintf("%s/%s", warning->subject, warning->reason),
					      "message", warning->message ? warning->message : ""));
	*out = (struct api_reply){ .status = 200, .body = json_text(a, body) };
}

void api_eis_reply(struct arena *a, const struct function *fn, const struct eid *eid, const struct call_answer *answer,
		   struct api_reply *out)
{
	const char *who = api_server_name(fn->iface);
	struct api_error e = { .function = fn->wire, .message_id = answer->message_id };
	unsigned status = 502;

	switch (answer->outcome) {
	case CALL_RESPONSE:
		if (answer->base->status.status == STATUS_FAILED || answer->base->status.status == STATUS_EXPIRED)
			reply_refused(a, &answer->base->status, &e, out);
		else
			reply_eis(a, who, eid, answer, &e, out);
		return;
	case CALL_FAULT:
		e.code = arena_printf(a, "soap:%s", answer->fault.code ? answer->fault.code : "Fault");
		e.message = answer->fault.reason ? answer->fault.reason : "no reason was given";
		break;
	case CALL_UNREACHABLE:
		e.code = "unreachable";
		e.message = arena_printf(a, "the %s cannot be reached; try again later", who);
		break;
	case CALL_BROKEN:
		e.code = "no_answer";
		e.message = arena_printf(a, "the %s took the request and did not answer in time; try again", who);
		status = 504;
		break;
	case CALL_ACCEPTED:
	case CALL_GARBAGE:
		e.code = "bad_answer";
		e.message = arena_printf(a, "the %s's answer is not one to our request; rspctl messages shows it", who);
		break;
	}
	reply_error(a, status, &e, out);
}

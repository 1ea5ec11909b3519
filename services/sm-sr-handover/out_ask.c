/* SPDX-License-Identifier: Apache-2.0 */
/* What SM-SR1 asks its sm-sr, and what it makes of the answers (common/rpc/ask.h; proto/events/rq.*.json). */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"
#include "common/sgp02/code_text.h"
#include "services/sm-sr-handover/out.h"

/* "certificate-3" */
static const char *step_text(struct arena *a, const struct handover_out *h, const char *what)
{
	return arena_printf(a, "%s-%lld", what, (long long)h->step);
}

/* What all requests begin with; a new step. */
static void begin(struct out_case *c, struct buf *json, const char *what)
{
	c->h->step++;
	buf_char(json, '{');
	json_out_member(json, "handover", c->h->id);
	json_out_member(json, "step", step_text(c->a, c->h, what));
	json_out_member(json, "eid", c->h->eid.text);
}

static void end(struct out_case *c, struct buf *json, const char *verb)
{
	buf_char(json, '}');
	outbox_ask(c->db, c->a,
		   &(const struct ask){ .role = "sm-sr",
					.verb = verb,
					.eid = c->h->eid.text,
					.ref = handover_ref(c->a, c->h->id, c->h->step),
					.trace = *c->h->trace ? c->h->trace : NULL,
					.json = arena_strdup(c->a, json->data) });
}

void out_ask_export(struct out_case *c)
{
	CLEANUP(buf_free) struct buf json = { 0 };

	begin(c, &json, "export");
	end(c, &json, "export");
}

/* By the state that waits for it. */
static const char *command_name(enum handover_out_state state)
{
	return state == HOUT_CERTIFYING ? "certificate" : state == HOUT_KEYING ? "request" : NULL;
}

const char *out_command_step(struct arena *a, const struct handover_out *h)
{
	const char *what = command_name(h->state);

	return what ? step_text(a, h, what) : "";
}

void out_ask_command(struct out_case *c)
{
	const char *what = command_name(c->h->state);
	CLEANUP(buf_free) struct buf json = { 0 };
	CLEANUP(buf_free) struct buf hex = { 0 };
	char until[DATETIME_MAX];

	if (!what)
		return;
	buf_hex(&hex, c->apdu.data, c->apdu.len);
	datetime_format(c->h->call_until, until);
	begin(c, &json, what);
	json_out_member(&json, "command", arena_printf(c->a, "establish_%s", what));
	json_out_member(&json, "apdu", hex.data);
	json_out_member(&json, "until", until);
	end(c, &json, "command");
}

static void outcome_members(struct out_case *c, struct buf *json)
{
	const struct out_outcome *o = &c->h->outcome;
	const struct status_code *code = o->known && o->status != STATUS_SUCCESS ? status_code(o->code) : NULL;

	json_out_member(json, "code", code ? arena_printf(c->a, "%s/%s", code->subject, code->reason) : "");
	json_out_member(json, "message", o->message);
}

void out_ask_tell(struct out_case *c)
{
	CLEANUP(buf_free) struct buf json = { 0 };

	begin(c, &json, "tell");
	outcome_members(c, &json);
	end(c, &json, "tell");
}

void out_ask_end(struct out_case *c)
{
	const struct handover_out *h = c->h;
	CLEANUP(buf_free) struct buf json = { 0 };
	bool drop = h->state == HOUT_DROPPING;
	const char *verb = drop ? "drop" : "unlock";

	begin(c, &json, verb);
	if (drop) {
		json_out_member(&json, "moved_to", h->target.text);
		json_out_member(&json, "status", h->outcome.status == STATUS_WARNING ? "warning" : "success");
	}
	outcome_members(c, &json);
	end(c, &json, verb);
}

/* The answers ---------------------------------------------------------------------------------------------------------------------- */

static result refusal(struct arena *a, const struct ask_reply *reply)
{
	return failed(a, code_of_text(reply->code, CODE_INTERNAL), NULL, "%s", *reply->message ? reply->message : reply->verb);
}

static result exported(struct out_case *c, const struct ask_reply *reply)
{
	const char *text = json_string_value(json_object_get(reply->body, "eis"));
	struct eis eis;

	if (!reply->done)
		return out_step(c, HOEV_BUSY, refusal(c->a, reply));
	if (!text || !out_eis(c->a, &c->h->eid, text, &eis))
		return out_step(c, HOEV_BUSY, internal(c->a, "handover %s: the sm-sr exported no EIS of this card", c->h->id));
	c->h->eis = arena_strdup(c->a, text);
	return out_step(c, HOEV_LOCKED, OK);
}

/* *out_again: it says nothing yet. What stands in the way of a drop or an unlock passes: no other end of the row is allowed. */
static result settle(struct out_case *c, const struct ask_reply *reply, bool *out_again)
{
	if (!strcmp(reply->verb, "export"))
		return exported(c, reply);
	if (!strcmp(reply->verb, "command"))
		return reply->done ? OK : out_step(c, HOEV_CARD_FAILED, refusal(c->a, reply));
	if (!strcmp(reply->verb, "drop") || !strcmp(reply->verb, "unlock")) {
		*out_again = !reply->done;
		return reply->done ? out_step(c, HOEV_SETTLED, OK) : OK;
	}
	return OK; /* tell: the operator was told already, or is now */
}

static bool trouble(const struct ask_reply *reply, const char *why)
{
	log_msg(LOG_WARN, "handover_out_reply", "%s of %s: %s", reply->verb, reply->ref, why);
	return false;
}

bool handover_out_replied(struct handovers *role, struct db *db, struct arena *a, const struct ask_reply *reply, bool *out_ours)
{
	struct out_case c = { .role = role, .db = db, .a = a };
	bool again = false;
	const char *id;
	int64_t step;
	result r;

	*out_ours = false;
	if (!handover_ref_parse(a, reply->ref, &id, &step))
		return true;
	r = out_lock(db, a, id, &c.h);
	if (r != OK)
		return trouble(reply, r->cause ? r->cause : status_code(r->code)->text);
	if (!c.h)
		return true;
	*out_ours = true;
	if (step != c.h->step || reply->given_up || handover_out_ended(c.h->state))
		return true; /* what it was about has passed */
	r = settle(&c, reply, &again);
	if (r != OK)
		return trouble(reply, r->cause ? r->cause : status_code(r->code)->text);
	return again ? trouble(reply, arena_printf(a, "refused with %s: %s", reply->code, reply->message)) : true;
}

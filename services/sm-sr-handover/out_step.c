/* SPDX-License-Identifier: Apache-2.0 */
/* The mover of cards that go to another SM-SR: by the table of common/sgp02/handover.h, and nothing but it. */
#include <string.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "services/sm-sr-handover/out.h"

enum { MESSAGE_MAX = 1000 };

static void fault_at(const struct out_case *c, const char *where)
{
	(void)FAULT(arena_printf(c->a, "sm-sr-handover.out.%s.%s", c->event, where), c->h->eid.text);
}

void out_committed(const struct out_case *c)
{
	if (c && c->event)
		fault_at(c, "committed");
}

static void step_log(const struct handover_out *h, enum handover_out_state from, enum handover_out_event event, bool refused,
		     result why)
{
	struct log_line l;

	log_begin(&l, refused || (why && why->cause) ? LOG_WARN : LOG_INFO, refused ? "handover_out_refused" : "handover_out_step");
	log_str(&l, "handover", h->id);
	log_str(&l, "eid", h->eid.text);
	log_str(&l, "target", h->target.text);
	log_str(&l, "from", handover_out_state_name(from));
	log_str(&l, "event", handover_out_event_name(event));
	log_str(&l, "to", refused ? NULL : handover_out_state_name(h->state));
	log_str(&l, "code", why ? status_code(why->code)->name : NULL);
	log_str(&l, "msg", why ? why->message : NULL);
	log_str(&l, "cause", why ? why->cause : NULL);
	log_end(&l);
}

static result expired(struct arena *a, enum code code, const char *message)
{
	struct result *r = ARENA_NEW(a, struct result);

	r->status = STATUS_EXPIRED;
	r->code = code;
	r->message = message;
	return r;
}

/* What SM-SR2's call is answered that waits for the card: the card's word, or that it gets none any more. */
static result answer_to(struct out_case *c, enum handover_out_event event, result why)
{
	if (event == HOEV_CHALLENGE || event == HOEV_RECEIPT)
		return OK;
	if (event == HOEV_CARD_FAILED && why)
		return why;
	if (event == HOEV_DEADLINE)
		return expired(c->a, CODE_TIME_EXPIRED, NULL);
	return failed(c->a, CODE_SMSR_CHANGE_ENDED, c->h->eid.text, NULL);
}

/* What is queued goes first: results come in the order of all statements. */
static result answer(struct out_case *c, enum handover_out_state from, enum handover_out_event event, result why)
{
	const struct function *fn =
		function_by_id(from == HOUT_CERTIFYING ? FN_ES7_AuthenticateSMSR : FN_ES7_CreateAdditionalKeySet);
	struct handover_out *h = c->h;
	const struct deferred_call call = { h->target.text, fn->wire, h->fci };
	const struct rows *rows[2];

	TRY(db_sync(c->db, c->a, NULL, 0, NULL));
	deferred_end(c->db, c->a, &call, deferred_encode(c->a, fn, c->response, answer_to(c, event, why), false, h->called_at));
	TRY(db_sync(c->db, c->a, rows, LEN(rows), NULL));
	c->replicas = rows_count(rows[1]) ? row_text_dup(c->a, rows[1], 0, 0) : NULL;
	h->fci = "";
	h->called_at = h->call_until = 0;
	return OK;
}

static void outcome_set(struct out_case *c, enum status status, enum code code, const char *message)
{
	c->h->outcome = (struct out_outcome){
		.known = true, .status = status, .code = code, .message = message ? arena_strcut(c->a, message, MESSAGE_MAX) : ""
	};
}

/* Nobody heard of SM-SR2, or it did not come to an end. */
static void late(struct out_case *c, enum handover_out_state from)
{
	const struct handover_out *h = c->h;

	if (from == HOUT_CALLING && h->call && h->wait == OUT_SENT && h->step <= 1)
		outcome_set(c, STATUS_FAILED, CODE_SMSR_UNREACHABLE, "ES7-HandoverEUICC was not answered in time");
	else
		outcome_set(c, STATUS_FAILED, CODE_TIME_EXPIRED,
			    arena_printf(c->a, "the SM-SR change was %s when its time was over", handover_out_state_name(from)));
}

/* What the operator is told, by the sm-sr. */
static void outcome_note(struct out_case *c, enum handover_out_state from, enum handover_out_event event, result why)
{
	struct handover_out *h = c->h;

	if (h->state == from)
		return;
	if (h->state == HOUT_DROPPING) {
		if (event == HOEV_RESOLVE_MOVED)
			outcome_set(c, STATUS_SUCCESS, CODE_INTERNAL, "a person said that the eUICC has moved");
		else
			outcome_set(c, why ? STATUS_WARNING : STATUS_SUCCESS, why ? why->code : CODE_INTERNAL,
				    why ? why->message : NULL);
	} else if (h->state == HOUT_UNLOCKING && event == HOEV_DEADLINE) {
		late(c, from);
	} else if (h->state == HOUT_UNLOCKING) {
		outcome_set(c, STATUS_FAILED, why ? why->code : CODE_SMSR_CHANGE_ENDED,
			    event == HOEV_RESOLVE_KEPT ? "a person said that the eUICC has not moved"
			    : why                      ? why->message
						       : NULL);
	} else if (h->state == HOUT_DOUBT) {
		outcome_set(c, STATUS_EXPIRED, CODE_NO_RESPONSE,
			    "the eUICC has the keys of the other SM-SR, which has not said yet that it manages it");
	}
}

static void ended(struct out_case *c)
{
	struct handover_out *h = c->h;
	bool moved = h->state == HOUT_MOVED;

	h->ended_at = h->now;
	h->eis = NULL;
	h->certificate = (struct bytes){ NULL, 0 };
	metric_add("rsp_handovers_out_total", moved ? "outcome=\"moved\"" : "outcome=\"kept\"", 1);
	metric_observe_us("rsp_handover_out_seconds", moved ? "outcome=\"moved\"" : "outcome=\"kept\"", h->now - h->started_at);
}

/* What the state is about. *out_late: it cannot be begun any more. */
static void enter(struct out_case *c, bool *out_late)
{
	struct handover_out *h = c->h;

	if (h->state != HOUT_CERTIFIED) /* it is used up, or will not be */
		h->challenge = (struct bytes){ NULL, 0 };
	switch (h->state) {
	case HOUT_CALLING:
		if (!h->call)
			*out_late = !out_call(c);
		break;
	case HOUT_CERTIFYING:
	case HOUT_KEYING:
		out_ask_command(c);
		break;
	case HOUT_DOUBT:
		h->told = true;
		out_ask_tell(c);
		h->tries = 0;
		if (h->wait != OUT_SENT)
			out_call_later(c, h->wait);
		break;
	case HOUT_DROPPING:
		handover_in_left(c->db, &h->eid);
		out_call_end(c);
		out_ask_end(c);
		break;
	case HOUT_UNLOCKING:
		out_call_end(c);
		out_ask_end(c);
		break;
	case HOUT_MOVED:
	case HOUT_KEPT:
		ended(c);
		break;
	case HOUT_LOCKING:
	case HOUT_CERTIFIED:
	case HOUT_ANSWERED:
	case HANDOVER_OUT_STATES:
		break;
	}
}

/* One event; *event and *out_more: a further one follows from it at once. */
static result move(struct out_case *c, enum handover_out_event *event, result why, bool *out_more)
{
	struct handover_out *h = c->h;
	const enum handover_out_state from = h->state, to = handover_out_next(from, *event);

	*out_more = false;
	if (to == HANDOVER_OUT_STATES) {
		step_log(h, from, *event, true, why);
		return OK;
	}
	if (*h->fci && to != from && (from == HOUT_CERTIFYING || from == HOUT_KEYING))
		TRY(answer(c, from, *event, why));
	h->state = to;
	c->event = handover_out_event_name(*event);
	outcome_note(c, from, *event, why);
	step_log(h, from, *event, false, why);
	if (to != from)
		enter(c, out_more);
	out_save(c, from);
	*event = HOEV_DEADLINE;
	return OK;
}

result out_step(struct out_case *c, enum handover_out_event event, result why)
{
	const char *first = handover_out_event_name(event);
	bool more = true;

	while (more) {
		TRY(move(c, &event, why, &more));
		why = OK;
	}
	if (!c->event)
		return OK;
	c->event = first;
	fault_at(c, "decided");
	due_ring(c->role->due, &handover_out_due, c->h->id, c->replicas);
	return OK;
}

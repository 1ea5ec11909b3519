/* SPDX-License-Identifier: Apache-2.0 */
/* What comes back on the side of SM-SR2: answers of the other SM-SR, on the connection or by callback, and those of the domain's sm-sr. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/sgp02/code_text.h"
#include "services/sm-sr-handover/handover_in.h"

enum { SILENT_TRIES = 2 };

static void failed_log(const char *ref, result r)
{
	log_msg(LOG_WARN, "handover_answer", "%s: %s", ref, r->cause ? r->cause : status_code(r->code)->text);
}

static void fault_at(struct in_case *c)
{
	(void)FAULT(arena_printf(c->a, "sm-sr-handover.in.%s.decided", handover_in_state_name(c->h->state)), c->h->eid.text);
}

/* ---- the other SM-SR ---- */

/* Behind its time no attempt comes to a receipt any more, whether the clock was looked at or not: at SM-SR1 a person may have decided (E1). */
static bool is_late(const struct handover_in *h)
{
	return h->deadline && h->deadline <= h->now;
}

static result judged(struct in_case *c, const struct in_said *said)
{
	enum handover_in_event event = HIEV_SILENT;
	result why = OK;

	if (is_late(c->h))
		return in_overdue(c);
	TRY(in_judge(c, said, &event, &why));
	fault_at(c);
	return in_step(c, event, why, said->fault);
}

/* Is it the answer to what the row calls now? */
static bool awaits(const struct handover_in *h, int64_t step, const struct function *fn, const struct oid *from)
{
	return h->step == step && oid_equal(&h->former, from) && in_function(h->state) == fn;
}

static result answered(struct in_case *c, const struct outbox_answer *in, bool *out_ours)
{
	const char *id, *fault = in->fault.code ? arena_printf(c->a, "%s: %s", in->fault.code,
							       in->fault.reason ? in->fault.reason : "no reason")
						: NULL;
	const struct in_said said = { .base = in->base,
				      .response = in->response,
				      .fault = fault,
				      .sender = in->fault.code && strstr(in->fault.code, "Sender") != NULL };
	int64_t step;

	*out_ours = in->fn->id == FN_ES7_AuthenticateSMSR || in->fn->id == FN_ES7_CreateAdditionalKeySet;
	if (!*out_ours || in->accepted || !handover_ref_parse(c->a, in->ref, &id, &step)) /* the answer comes by callback */
		return OK;
	TRY(in_lock(c->db, c->a, id, &c->h));
	if (!c->h)
		return OK;
	if (!awaits(c->h, step, in->fn, &in->to)) {
		log_msg(LOG_INFO, "handover_answer_late", "handover %s: %s of step %lld is answered, it is in %s, step %lld", id,
			in->fn->wire, (long long)step, handover_in_state_name(c->h->state), (long long)c->h->step);
		return OK;
	}
	TRY(judged(c, &said));
	in_moved(c);
	return OK;
}

bool handover_in_answered(struct handovers *h, struct db *db, struct arena *a, const struct outbox_answer *in, bool *out_ours)
{
	struct in_case c = { .rpc = h->rpc, .hs = h, .db = db, .a = a };
	result r = answered(&c, in, out_ours);

	if (r != OK)
		failed_log(in->ref, r);
	return r == OK;
}

static void callback_queue(struct rq *rq, const void *in)
{
	const char *id = "00000000-0000-0000-0000-000000000000"; /* nobody's */
	int64_t step;

	(void)in;
	(void)handover_ref_parse(rq->arena, rq->correlation, &id, &step);
	DB_QUEUE(rq->db, HANDOVER_IN_LOCK, p_text(id));
}

static result callback_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct handover_in *h = NULL;

	(void)in;
	(void)facts;
	if (rows_count(rows[0]))
		TRY(in_row(rq->arena, rows[0], &h));
	if (h)
		(void)snprintf(rq->eid, sizeof(rq->eid), "%s", h->eid.text);
	rq->loaded = h;
	return OK;
}

const struct load handover_in_callback_load = { .results = 1, .queue = callback_queue, .take = callback_take };

result handover_in_callback(struct rq *rq, const void *in, enum callback_verdict *out)
{
	struct in_case *c = ARENA_NEW(rq->arena, struct in_case);
	const struct in_said said = { .base = in, .response = in };
	const char *id;
	int64_t step = 0;

	*c = (struct in_case){ .rpc = rq->rpc, .hs = rq->role, .db = rq->db, .a = rq->arena, .h = rq->loaded };
	*out = CALLBACK_NOT_OURS;
	if (!c->h || !oid_equal(&c->h->former, &rq->caller->oid) || !handover_ref_parse(rq->arena, rq->correlation, &id, &step) ||
	    step > c->h->step)
		return OK;
	*out = CALLBACK_CLOSED;
	if (!awaits(c->h, step, rq->fn, &rq->caller->oid))
		return OK;
	TRY(judged(c, &said));
	rq->outbox = rq->events = true;
	rq->loaded = c; /* for committed */
	*out = CALLBACK_TAKEN;
	return OK;
}

void handover_in_callback_committed(struct rq *rq)
{
	in_moved(rq->loaded);
}

/* ---- the sm-sr ---- */

static const char *reply_note(struct arena *a, const struct ask_reply *reply)
{
	if (reply->given_up)
		return arena_printf(a, "%s: the sm-sr did not answer", reply->verb);
	return arena_printf(a, "%s: the sm-sr said %s%s%s", reply->verb, reply->done ? "done" : reply->code,
			    *reply->message ? ": " : "", reply->message);
}

/* Only its own step: what belongs to an older one was answered by a later event. */
static result replied(struct in_case *c, const struct ask_reply *reply)
{
	bool https = json_is_true(json_object_get(reply->body, "https"));

	if (!strcmp(reply->verb, "adopt") && c->h->state == HIN_ADOPTING) {
		if (!reply->done)
			return in_step(c, HIEV_SILENT, NULL, reply_note(c->a, reply));
		return in_step(c, https && c->h->psk_kvn ? HIEV_ADOPTED : HIEV_ADOPTED_SMS, NULL, NULL);
	}
	if (strcmp(reply->verb, "command") != 0 || reply->done || !in_command(c->h->state))
		return OK;                                                            /* what becomes of the command is told */
	if (reply->given_up || code_of_text(reply->code, CODE_INTERNAL) == CODE_BUSY) /* others may command the card already */
		return in_step(c, HIEV_SILENT, NULL, reply_note(c->a, reply));
	return in_step(c, HIEV_CARD_FAILED,
		       failed(c->a, code_of_text(reply->code, CODE_INTERNAL), c->h->eid.text, "%s", reply_note(c->a, reply)), NULL);
}

static result reply_take(struct in_case *c, const struct ask_reply *reply, bool *out_ours)
{
	const char *id;
	int64_t step;

	*out_ours = !strcmp(reply->verb, "announce");
	if (*out_ours && !reply->done)
		log_msg(LOG_WARN, "handover_announce", "handover %s: %s", reply->ref, reply_note(c->a, reply));
	if (*out_ours || !handover_ref_parse(c->a, reply->ref, &id, &step))
		return OK;
	TRY(in_lock(c->db, c->a, id, &c->h));
	*out_ours = c->h != NULL;
	if (!c->h || c->h->step != step)
		return OK;
	fault_at(c);
	TRY(replied(c, reply));
	in_moved(c);
	return OK;
}

bool handover_in_replied(struct handovers *h, struct db *db, struct arena *a, const struct ask_reply *reply, bool *out_ours)
{
	struct in_case c = { .rpc = h->rpc, .hs = h, .db = db, .a = a };
	result r;

	*out_ours = false;
	r = reply_take(&c, reply, out_ours);
	if (r != OK) {
		*out_ours = true; /* nobody else's to try */
		failed_log(reply->ref, r);
	}
	return r == OK;
}

/* What the card did, in the sm-sr's words. A proof that was lost on its way is no failure: the same once more tells, and only a card
 * that stays silent is a warning. */
static result outcome_event(struct asking *q, const struct handover_in *h, const char *outcome, enum handover_in_event *out_event,
			    result *out_why)
{
	const char *code = asking_text(q, "code"), *message = asking_text(q, "message");

	if (strcmp(outcome, "answered") && strcmp(outcome, "refused") && strcmp(outcome, "silent"))
		return asking_bad(q, "outcome");
	*out_event = !strcmp(outcome, "answered") ? HIEV_CARD_DONE : HIEV_CARD_FAILED;
	*out_why = OK;
	if (!strcmp(outcome, "silent") && h->tries < SILENT_TRIES)
		*out_event = HIEV_SILENT;
	if (*out_event == HIEV_CARD_FAILED)
		*out_why = failed(q->a, code && *code ? code_of_text(code, CODE_INTERNAL) : CODE_CARD_ERROR, q->eid.text, "%s%s%s",
				  outcome, message && *message ? ": " : "", message ? message : "");
	return OK;
}

result handover_in_outcome(struct asking *q, bool *out_ours)
{
	struct in_case c = { .rpc = q->rpc, .hs = q->role, .db = q->db, .a = q->a };
	const char *outcome = asking_text(q, "outcome");
	enum handover_in_event event = HIEV_SILENT;
	char *end = NULL;
	long long step = strtoll(q->step, &end, 10);
	result why = OK;

	*out_ours = false;
	if (!outcome)
		return asking_bad(q, "outcome");
	TRY(in_lock(q->db, q->a, q->handover, &c.h));
	*out_ours = c.h != NULL;
	if (!c.h || *end || c.h->step != step || !in_command(c.h->state))
		return OK;
	TRY(outcome_event(q, c.h, outcome, &event, &why));
	fault_at(&c);
	TRY(in_step(&c, event, why, outcome));
	in_moved(&c);
	return OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ES7.HandoverEUICC to the SM-SR that shall have the card: one call, open from step 5 to step 28, and made again until its answer settles
 * something (E1). */
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/sgp02/code_text.h"
#include "common/sgp02/relay_state.h"
#include "services/sm-sr-handover/out.h"

enum {
	MS_US = 1000,
	OPEN_S = 300, /* a connection that says nothing for so long is given up, and the call made again */
	DOUBLINGS = 6,
};

static const struct function *fn(void)
{
	return function_by_id(FN_ES7_HandoverEUICC);
}

/* Less than its least: there is no time for it (A6). In doubt there is no end. */
static int64_t validity_s(const struct handover_out *h)
{
	const struct validity *v = &fn()->validity;
	int64_t s = relay_nested_s((h->deadline - h->now) / MS_US);

	if (handover_out_in_doubt(h->state) && s < v->min_s)
		return v->def_s;
	return s < v->max_s ? s : v->max_s;
}

bool out_call(struct out_case *c)
{
	struct handover_out *h = c->h;
	int64_t s = validity_s(h);
	struct es7_handover_euicc_rq rq = { .base = { .validity_s = &s } };

	if (s < fn()->validity.min_s || !h->eis || !out_eis(c->a, &h->eid, h->eis, &rq.eis))
		return false;
	if (!h->call)
		h->call = 1;
	h->wait = OUT_SENT;
	h->call_at = 0;
	rq.base.fci = handover_ref(c->a, h->id, h->call);
	/* Not in the order of the card's other messages to this peer: the answers to its own calls must not wait for this one. */
	outbox_send(c->db, c->a,
		    &(const struct outbox_message){ .fn = fn(),
						    .kind = OUTBOX_REQUEST,
						    .to = &h->target,
						    .eid = h->id,
						    .ref = rq.base.fci,
						    .transaction_id = rq.base.fci,
						    .context_id = h->context_id,
						    .trace = h->trace,
						    .in = &rq,
						    .wants_callback = true,
						    .timeout_s = OPEN_S });
	return true;
}

void out_call_end(struct out_case *c)
{
	const struct handover_out *h = c->h;

	if (h->call && h->wait == OUT_SENT)
		outbox_withdraw(c->db, c->a, &h->target, h->id, handover_ref(c->a, h->id, h->call));
}

void out_call_later(struct out_case *c, enum out_wait wait)
{
	struct handover_out *h = c->h;
	int64_t doublings = h->tries < DOUBLINGS ? h->tries : DOUBLINGS;

	h->wait = wait;
	h->call_at = h->now + (((int64_t)c->role->config->retry_ms * MS_US) << doublings);
	h->tries++;
}

/* Answers ------------------------------------------------------------------------------------------------------------------------------- */

/* What is left to be done when an answer settles nothing. */
enum again { AGAIN_NOT, AGAIN_SAME, AGAIN_OTHER };

struct judged {
	enum handover_out_event event;
	result why;
	enum again again;
};

static const char *code_text(struct arena *a, const struct response_base *base)
{
	const struct status_code_data *code = base->status.code;

	return code && code->subject && code->reason ? arena_printf(a, "%s/%s", code->subject, code->reason) : "";
}

/* With a code of ours, if it is one. */
static result passed_on(struct arena *a, const struct response_base *base, enum status status, enum code unknown)
{
	const char *text = code_text(a, base), *message = base->status.code ? base->status.code->message : NULL;
	struct result *r = ARENA_NEW(a, struct result);

	r->status = status;
	r->code = code_of_text(text, CODE_INTERNAL);
	if (r->code == CODE_INTERNAL)
		r->code = unknown;
	r->message = arena_printf(a, "ES7-HandoverEUICC was answered %s: %s", *text ? text : "without a code",
				  message ? message : status_code(r->code)->text);
	return r;
}

/* It speaks of the call, not of the card: 1, 1.2, 1.6 ... (procedures.md 5.2). */
static bool is_generic(const struct response_base *base)
{
	const char *subject = base->status.code ? base->status.code->subject : NULL;

	return !subject || (subject[0] == '1' && (subject[1] == '.' || !subject[1]));
}

/* In doubt nothing but its word on the card ends anything. Before that SM-SR2 may refuse as it likes. */
static struct judged judge(struct arena *a, const struct handover_out *h, const struct response_base *base, const char *fault)
{
	bool doubt = handover_out_in_doubt(h->state);
	enum code code;

	if (!base && doubt)
		return (struct judged){ HOEV_SILENT, OK, AGAIN_SAME };
	if (!base)
		return (struct judged){
			HOEV_REFUSED,
			failed(a, CODE_SMSR_REFUSED, NULL, "ES7-HandoverEUICC was answered by a SOAP Fault: %s", fault), AGAIN_NOT
		};
	code = code_of_text(code_text(a, base), CODE_INTERNAL);
	switch (base->status.status) {
	case STATUS_SUCCESS:
		return (struct judged){ HOEV_MANAGED, OK, AGAIN_NOT };
	case STATUS_WARNING:
		return (struct judged){ HOEV_MANAGED, passed_on(a, base, STATUS_WARNING, CODE_EUICC_MANAGED), AGAIN_NOT };
	case STATUS_EXPIRED: /* stays so under this identifier (A1) */
		return (struct judged){ HOEV_PEER_EXPIRED, passed_on(a, base, STATUS_FAILED, CODE_TIME_EXPIRED), AGAIN_OTHER };
	case STATUS_FAILED:
		break;
	}
	if (code == CODE_EUICC_MANAGED)
		return (struct judged){ HOEV_MANAGED, passed_on(a, base, STATUS_WARNING, CODE_EUICC_MANAGED), AGAIN_NOT };
	if (base->status.code && (code == CODE_BUSY || !strcmp(code_text(a, base), "1.2/4.2")))
		return (struct judged){ HOEV_SILENT, OK, AGAIN_SAME };
	if (doubt && is_generic(base))
		return (struct judged){ HOEV_SILENT, passed_on(a, base, STATUS_FAILED, CODE_SMSR_REFUSED), AGAIN_OTHER };
	return (struct judged){ HOEV_REFUSED, passed_on(a, base, STATUS_FAILED, CODE_SMSR_REFUSED), AGAIN_NOT };
}

/* Does what the answer means. */
static result take(struct out_case *c, const struct judged *j)
{
	struct handover_out *h = c->h;
	const enum handover_out_state to = handover_out_next(h->state, j->event);

	if (j->again != AGAIN_NOT && to == h->state) {
		h->call += j->again == AGAIN_OTHER;
		out_call_later(c, OUT_ANSWERED);
	}
	return out_step(c, j->event, j->why);
}

/* The row that waits for the answer to ref; *out NULL: none does, any more. */
static result waiting(struct db *db, struct arena *a, const char *ref, const struct oid *from, struct handover_out **out)
{
	struct handover_out *h = NULL;
	const char *id;
	int64_t number;

	*out = NULL;
	if (!handover_ref_parse(a, ref, &id, &number))
		return OK;
	TRY(out_lock(db, a, id, &h));
	if (h && !h->ended_at && h->call == number && oid_equal(&h->target, from))
		*out = h;
	else if (h)
		log_msg(LOG_INFO, "handover_out_late", "handover %s: HandoverEUICC %lld is answered when it is %s", h->id,
			(long long)number, handover_out_state_name(h->state));
	return OK;
}

/* Its answer comes by callback, or is fetched by the same call. */
static void accepted(struct out_case *c)
{
	if (c->h->wait != OUT_SENT)
		return;
	out_call_later(c, OUT_ACCEPTED);
	out_save(c, c->h->state);
	due_ring(c->role->due, NULL, NULL, NULL);
}

static bool failed_log(const char *ref, result r)
{
	log_msg(LOG_WARN, "handover_out_answer", "%s: %s", ref, r->cause ? r->cause : status_code(r->code)->text);
	return false;
}

bool handover_out_answered(struct handovers *role, struct db *db, struct arena *a, const struct outbox_answer *in, bool *out_ours)
{
	struct out_case c = { .role = role, .db = db, .a = a };
	struct judged j;
	result r;

	*out_ours = in->fn->id == FN_ES7_HandoverEUICC;
	if (!*out_ours)
		return true;
	r = waiting(db, a, in->ref, &in->to, &c.h);
	if (r != OK)
		return failed_log(in->ref, r);
	if (!c.h)
		return true;
	if (in->accepted) {
		accepted(&c);
		return true;
	}
	j = judge(a, c.h, in->base, in->fault.reason ? in->fault.reason : "no reason was given");
	if (j.again == AGAIN_SAME) /* by the outbox, as it is */
		return false;
	r = take(&c, &j);
	return r == OK ? true : failed_log(in->ref, r);
}

/* Callbacks ------------------------------------------------------------------------------------------------------------------------------ */

static void callback_queue(struct rq *rq, const void *in)
{
	const char *id = "00000000-0000-0000-0000-000000000000"; /* nobody's */
	int64_t number;

	(void)in;
	(void)handover_ref_parse(rq->arena, rq->correlation, &id, &number);
	DB_QUEUE(rq->db, HANDOVER_OUT_LOCK, p_text(id));
}

static result callback_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct out_case *c = ARENA_NEW(rq->arena, struct out_case);

	(void)in;
	(void)facts;
	*c = (struct out_case){ .role = rq->role, .db = rq->db, .a = rq->arena };
	TRY(out_row(rq->arena, rows[0], &c->h));
	if (c->h)
		(void)snprintf(rq->eid, sizeof(rq->eid), "%s", c->h->eid.text);
	rq->loaded = c;
	return OK;
}

const struct load handover_out_callback_load = { .results = 1, .queue = callback_queue, .take = callback_take };

result handover_out_callback(struct rq *rq, const void *in, enum callback_verdict *out)
{
	struct out_case *c = rq->loaded;
	struct judged j;
	const char *id;
	int64_t number = 0;

	*out = CALLBACK_NOT_OURS;
	if (!c->h || !oid_equal(&c->h->target, &rq->caller->oid) || !handover_ref_parse(rq->arena, rq->correlation, &id, &number) ||
	    number > c->h->call)
		return OK;
	*out = CALLBACK_CLOSED;
	if (c->h->ended_at || number != c->h->call)
		return OK;
	out_call_end(c);
	j = judge(rq->arena, c->h, in, NULL);
	TRY(take(c, &j));
	rq->outbox = c->event != NULL;
	*out = c->event ? CALLBACK_TAKEN : CALLBACK_CLOSED;
	return OK;
}

void handover_out_callback_committed(struct rq *rq)
{
	out_committed(rq->loaded);
}

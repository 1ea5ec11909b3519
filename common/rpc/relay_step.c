/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a relayed call: the next hop answers on the connection or by callback, or the time is over. Each step locks the
 * relay's row and is one transaction; a call that has ended stays as it is. */
#include "common/rpc/relay_internal.h"

#include <stdio.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/metrics.h"

enum { NET_MS = 1000, RETRY_MS = 1000, LOCKED_MS = 100 /* somebody else is at it */ };

/* What a step works on. */
struct step {
	struct rpc *rpc;
	struct db *db;
	struct arena *a;
	struct relay r;
	const char *replicas; /* set: the call has ended */
};

static result step_load(struct step *s, const char *id, bool *out_found)
{
	const struct rows *rows;

	DB_QUEUE(s->db, RPC_RELAY_LOCK, p_text(id));
	TRY(db_sync(s->db, s->a, &rows, 1, NULL));
	*out_found = rows_count(rows) > 0;
	return *out_found ? relay_row(s->a, rows, 0, &s->r) : OK;
}

/* The one mover: queues it. False: the event changes nothing. */
static bool move(struct step *s, enum relay_event event)
{
	enum relay_state next = relay_next(s->r.state, event);

	if (next == RELAY_STATES)
		return false;
	DB_QUEUE(s->db, RPC_RELAY_MOVE, p_text(s->r.id), p_int(s->a, s->r.state), p_int(s->a, next), p_bool(next == RELAY_ENDED));
	return true;
}

static result tell_role(struct step *s, const struct response_base *base)
{
	const struct relay_role *role = s->rpc->relay;
	struct relay_end *told = ARENA_NEW(s->a, struct relay_end); /* queues may point into it */
	void *request;

	if (!role || !role->ended)
		return OK;
	TRY(relay_request(s->a, &s->r, &request));
	*told = (struct relay_end){ .fn = s->r.fn,
				    .next = s->r.next,
				    .caller = s->r.caller,
				    .peer = s->r.peer,
				    .eid = s->r.eid,
				    .request = request,
				    .base = base };
	role->ended(s->rpc->role_state, s->db, s->a, told);
	return OK;
}

static void count(const struct relay *r, enum relay_event event)
{
	static const char *const how[REV_EVENTS] = {
		[REV_REFUSED] = "refused", [REV_ANSWERED] = "answered", [REV_GIVEN_UP] = "given_up", [REV_EXPIRED] = "expired"
	};
	char labels[128];

	(void)snprintf(labels, sizeof(labels), "function=\"%s\",how=\"%s\"", r->fn->wire, how[event]);
	metric_add("rsp_relays_ended_total", labels, 1);
}

/* Ends the call with this answer, and the request that may still be on its way: it must not be sent, nor be replayed, when its caller
 * was told. base: what the next hop answered; NULL: nothing. */
static result end(struct step *s, enum relay_event event, struct bytes answer, const struct response_base *base)
{
	const struct relay *r = &s->r;
	const struct deferred_call call = { r->caller.text, r->fn->wire, r->claim };
	const struct rows *rows[3];

	if (!move(s, event))
		return OK;
	deferred_end(s->db, s->a, &call, answer);
	TRY(db_sync(s->db, s->a, rows, 3, NULL));
	if (rows_affected(rows[0]) != 1)
		return failed(s->a, CODE_BUSY, NULL, NULL);
	s->replicas = row_text_dup(s->a, rows[2], 0, 0);
	outbox_withdraw(s->db, s->a, &r->peer, r->eid, relay_ref_format(s->a, r->id, RELAY_ASK));
	outbox_withdraw(s->db, s->a, &r->peer, r->eid, relay_ref_format(s->a, r->id, RELAY_CALL));
	count(r, event);
	relay_fault_point(s->rpc, "decided", r->eid);
	return tell_role(s, base);
}

static result end_own(struct step *s, enum relay_event event, result outcome)
{
	return end(s, event, relay_answer_own(s->a, &s->r, outcome), NULL);
}

static result expired(struct step *s, enum relay_event event)
{
	static const struct result outcome = { .status = STATUS_EXPIRED, .code = CODE_TIME_EXPIRED };

	return end_own(s, event, &outcome);
}

/* The fresh EIS is there: the caller is its profile's owner, or the call ends. */
static result asked(struct step *s, const struct es4_get_eis_rs *rs)
{
	int64_t nested_s = relay_nested_s(s->r.rest_ms);
	result outcome;
	void *request;

	if (rs->base.status.status != STATUS_SUCCESS && rs->base.status.status != STATUS_WARNING)
		return end(s, REV_REFUSED, relay_answer_status(s->a, &s->r, &rs->base), NULL);
	TRY(relay_request(s->a, &s->r, &request));
	outcome = relay_relation(s->a, &s->r, request, rs);
	if (outcome != OK)
		return end_own(s, REV_REFUSED, outcome);
	if (!nested_s)
		return expired(s, REV_EXPIRED);
	if (!move(s, REV_OWNED))
		return OK;
	relay_send(s->db, s->a, &s->r, s->r.next, RELAY_CALL, request, nested_s);
	relay_fault_point(s->rpc, "decided", s->r.eid);
	return OK;
}

/* A Response of the function that this step called. */
static result responded(struct step *s, const void *response)
{
	if (s->r.state == RELAY_ASKING)
		return asked(s, response);
	return end(s, REV_ANSWERED, relay_answer_copy(s->a, &s->r, response), response);
}

/* The answer belongs to the step that the call is at. */
static bool current(const struct relay *r, unsigned step)
{
	return r->state != RELAY_ENDED && (r->state == RELAY_ASKING) == (step == RELAY_ASK);
}

static result faulted(struct step *s, const struct soap_fault *fault)
{
	result outcome =
		failed(s->a, CODE_INTERNAL, NULL, "the SM-SR refused the message: %s", fault->reason ? fault->reason : fault->code);

	return end_own(s, s->r.state == RELAY_ASKING ? REV_REFUSED : REV_ANSWERED, outcome);
}

/* Never reached: nothing can have been done. Else nobody knows. */
static result given_up(struct step *s, bool tried)
{
	if (tried)
		return expired(s, REV_GIVEN_UP);
	return end_own(s, REV_GIVEN_UP, failed(s->a, CODE_SMSR_UNREACHABLE, s->r.peer.text, NULL));
}

static result step_answer(struct step *s, unsigned step, const struct outbox_answer *answer)
{
	if (!current(&s->r, step))
		return OK;
	if (answer->accepted)
		return move(s, REV_TAKEN), OK;
	if (answer->response)
		return responded(s, answer->response);
	return answer->given_up ? given_up(s, answer->tried) : faulted(s, &answer->fault);
}

bool relay_answered(struct rpc *rpc, struct db *db, struct arena *a, const struct outbox_answer *answer, const char **out_replicas)
{
	struct step s = { .rpc = rpc, .db = db, .a = a };
	result failure;
	unsigned step;
	const char *id;
	bool found;

	if (!relay_ref_parse(a, answer->ref, &id, &step))
		return true;
	failure = step_load(&s, id, &found);
	if (failure == OK && found)
		failure = step_answer(&s, step, answer);
	if (failure == OK) {
		*out_replicas = s.replicas;
		return true;
	}
	log_msg(LOG_WARN, "relay", "%s: %s", answer->ref, failure->cause ? failure->cause : status_code(failure->code)->text);
	return false;
}

void relay_ring(struct rpc *rpc, const char *eid, const char *replicas)
{
	relay_fault_point(rpc, "ended", eid);
	deferred_ring(rpc, replicas);
}

/* Callbacks ---------------------------------------------------------------------------------------------------------------- */

static result callback_handle(struct rq *rq, const void *in, enum callback_verdict *out)
{
	struct step *s = ARENA_NEW(rq->arena, struct step);
	unsigned step;
	const char *id;
	bool found;

	*s = (struct step){ .rpc = rq->rpc, .db = rq->db, .a = rq->arena };
	rq->loaded = s;
	*out = CALLBACK_NOT_OURS;
	if (!relay_ref_parse(rq->arena, rq->correlation, &id, &step))
		return OK;
	TRY(step_load(s, id, &found));
	if (!found || !oid_equal(&s->r.peer, &rq->caller->oid) || !s->r.by_callback ||
	    (step == RELAY_ASK ? FN_ES3_GetEIS : s->r.next->id) != rq->fn->id)
		return OK;
	(void)snprintf(rq->eid, sizeof(rq->eid), "%s", s->r.eid); /* the answer itself need not say it */
	*out = CALLBACK_CLOSED;
	if (!current(&s->r, step))
		return OK;
	TRY(responded(s, in));
	rq->outbox = !s->replicas; /* the next step; else relay_ring does it */
	*out = CALLBACK_TAKEN;
	return OK;
}

static void callback_committed(struct rq *rq)
{
	const struct step *s = rq->loaded;

	if (s->replicas)
		relay_ring(rq->rpc, rq->eid, s->replicas);
}

const struct awaited *relay_awaited(const struct rpc *rpc, const struct function *fn)
{
	static const struct awaited awaited = { .handle = callback_handle, .committed = callback_committed };

	for (size_t i = 0; i < rpc->n_served; i++)
		if (rpc->served[i].relayed && (rpc->served[i].next == fn->id || fn->id == FN_ES3_GetEIS))
			return &awaited;
	return NULL;
}

/* The deadline ------------------------------------------------------------------------------------------------------------- */

/* *out_id: of the relay that is due; NULL: none is. */
static result due(struct step *s, const char **out_id)
{
	const struct rows *rows;

	db_begin(s->db);
	DB_QUEUE0(s->db, RPC_RELAY_DUE);
	TRY(db_sync(s->db, s->a, &rows, 1, NULL));
	*out_id = rows_count(rows) ? row_text_dup(s->a, rows, 0, 0) : NULL;
	if (*out_id) {
		TRY(relay_row(s->a, rows, 0, &s->r));
		TRY(expired(s, REV_EXPIRED));
	}
	db_commit(s->db);
	return db_sync(s->db, s->a, NULL, 0, NULL);
}

static unsigned until_next(struct db *db, struct arena *a)
{
	const struct rows *rows;
	int64_t ms;

	DB_QUEUE0(db, RPC_RELAY_NEXT);
	if (db_sync(db, a, &rows, 1, NULL) != OK || row_null(rows, 0, 0))
		return NET_MS;
	ms = row_int(rows, 0, 0);
	return ms <= 0 ? LOCKED_MS : ms >= NET_MS ? NET_MS : (unsigned)ms + 1;
}

/* One that cannot be read would be all that is ever found due. */
static void put_aside(struct step *s, const char *id)
{
	DB_QUEUE(s->db, RPC_RELAY_ASIDE, p_text(id));
	(void)db_sync(s->db, s->a, NULL, 0, NULL);
}

bool relays_due(struct rpc *rpc, struct db *db, struct arena *a, unsigned *out_ms)
{
	struct step s = { .rpc = rpc, .db = db, .a = a };
	const char *id = NULL;
	result failure = due(&s, &id);

	*out_ms = RETRY_MS;
	if (failure != OK) {
		db_rollback(db);
		log_msg(LOG_WARN, "relay.due", "%s", failure->cause ? failure->cause : status_code(failure->code)->text);
		if (id && failure->code != CODE_BUSY)
			put_aside(&s, id);
		return false;
	}
	if (s.replicas)
		relay_ring(rpc, s.r.eid, s.replicas);
	if (!id)
		*out_ms = until_next(db, a);
	return id != NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that come to us as calls (decisions.md A3): a Response of a function that we wait for, from an entity that may serve it.
 * Which call it ends is found by TransactionId, in a transaction of its own; only after the commit is it taken (202). */
#include "common/rpc/relay_internal.h"
#include "common/rpc/run.h"

#include "common/base/log.h"

enum { ATTEMPTS = 4, LOADS_MAX = 16 };

static const struct awaited *awaited_find(const struct rpc *rpc, enum function_id id)
{
	for (size_t i = 0; i < rpc->n_awaited; i++)
		if (rpc->awaited[i].id == id)
			return &rpc->awaited[i];
	return NULL;
}

static bool nobody_waits(struct run *r)
{
	return run_fault(r, "Sender", "%s: no open call to you waits for an answer", soap_name(r->envelope.body));
}

/* By what we wrote into our request's MessageID; peers that do not repeat it may repeat the parameter (binding.md b). */
static const char *correlation(struct run *r)
{
	const char *id = r->envelope.relates_to ? envelope_transaction_of(r->rq.arena, r->envelope.relates_to) : NULL;

	return id ? id : r->envelope.transaction_id;
}

bool callback_lookup(struct run *r, const struct function *fn)
{
	struct rq *rq = &r->rq;

	rq->fn = fn;
	rq->name_used = fn->name;
	r->request = message_response(fn->id);
	if (!r->request) /* it says no more than whether it was done */
		r->request = message_bare_response(rq->arena, fn);
	if (!run_namespace_agrees(r) || !run_addressed_to(r))
		return false;
	rq->correlation = correlation(r);
	r->awaited = rq->correlation && relay_ref(rq->correlation) ? relay_awaited(rq->rpc, fn) : awaited_find(rq->rpc, fn->id);
	if (!r->awaited)
		return nobody_waits(r);
	if (!(fn->providers & rq->caller->roles))
		return run_fault(r, "Sender", "%s is not answered by your role", fn->wire);
	if (!rate_allow(rq->rpc, &rq->caller->oid))
		return run_fault(r, "Receiver", "more than %u calls per second", rq->rpc->rate_per_s);
	if (http_body(r->http).len > BODY_PLAIN_MAX)
		return run_fault(r, "Sender", "%s may be %d bytes at most", soap_name(r->envelope.body), BODY_PLAIN_MAX);
	return true;
}

bool callback_decode(struct run *r)
{
	struct rq *rq = &r->rq;
	const struct bind_dialect dialect = { .unqualified = rq->caller->dialect.unqualified };
	void *in = arena_alloc(rq->arena, r->request->group->size);

	r->outcome = bind_decode(rq->arena, r->request, r->envelope.body, soap_namespace(r->envelope.body), &dialect, in);
	if (r->outcome != OK)
		return run_fault_of_outcome(r);
	r->in = in;
	rq->in = in;
	message_eid(r->request, in, rq->eid);
	if (!rq->correlation)
		return run_fault(r, "Sender", "neither RelatesTo nor MessageID has a TransactionId: which call is answered?");
	run_fault_point(r, "decoded");
	return true;
}

static result attempt(struct run *r, struct db_failure *failure, enum callback_verdict *out)
{
	const struct load *load = r->awaited->load;
	const struct rows *rows[LOADS_MAX];
	struct relation_facts facts = { 0 };
	struct rq *rq = &r->rq;

	db_begin(rq->db);
	if (load) {
		load->queue(rq, r->in);
		TRY(db_sync(rq->db, rq->arena, rows, load->results, failure));
		TRY(load->take(rq, r->in, rows, &facts));
	}
	run_fault_point(r, "begun");
	TRY(r->awaited->handle(rq, r->in, out));
	run_fault_point(r, "handled");
	if (*out != CALLBACK_TAKEN) {
		db_rollback(rq->db);
		return OK;
	}
	db_commit(rq->db);
	return db_sync(rq->db, rq->arena, NULL, 0, failure);
}

static bool conclude(struct run *r, enum callback_verdict verdict)
{
	struct rq *rq = &r->rq;

	switch (verdict) {
	case CALLBACK_NOT_OURS:
		return nobody_waits(r);
	case CALLBACK_CLOSED:
		log_msg(LOG_INFO, "callback_ignored", "%s from %s: the call %s was answered before", soap_name(r->envelope.body),
			rq->caller->oid.text, rq->correlation);
		break;
	case CALLBACK_TAKEN:
		run_fault_point(r, "committed");
		rq_ring(rq);
		if (r->awaited->committed)
			r->awaited->committed(rq);
		break;
	}
	r->http_status = 202;
	return true;
}

bool callback_execute(struct run *r)
{
	enum callback_verdict verdict = CALLBACK_NOT_OURS;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct db_failure failure = { 0 };

		r->rq.outbox = r->rq.events = false;
		verdict = CALLBACK_NOT_OURS;
		r->outcome = attempt(r, &failure, &verdict);
		if (r->outcome == OK)
			return conclude(r, verdict);
		db_rollback(r->rq.db);
		if (!failure.rerun && !failure.unique_constraint)
			break;
	}
	return run_fault_of_outcome(r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* begin, relate, handle, commit: two round trips for a write, one for a read (decisions.md F3, A1). */
#include "common/rpc/run.h"

#include <stdarg.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hex.h"

enum { ATTEMPTS = 4, LOADS_MAX = 16 };

/* How one attempt ended. */
enum attempt { ATTEMPT_DONE, ATTEMPT_AGAIN };

static bool writes(const struct run *r)
{
	return r->rq.fn->tx != TX_READ;
}

/* fci=weak: some peers repeat identifiers for different calls; the input's digest then joins the key (A1). */
static const char *claim_key(struct run *r)
{
	if (!r->rq.caller->dialect.fci_weak)
		return r->fci;
	return arena_printf(r->rq.arena, "%s#%s", r->fci, hex_text(r->rq.arena, r->digest, 8));
}

static void queue_claim(struct run *r)
{
	DB_QUEUE(r->rq.db, RPC_CALL_CLAIM, p_text(r->rq.caller->oid.text), p_text(r->rq.fn->wire), p_text(claim_key(r)),
		 p_bytes(r->digest, sizeof(r->digest)));
}

/* The call is known: answer as before, or refuse another input under the same identifier. Costs a round trip that new calls save. */
static result repeat(struct run *r, struct db_failure *failure)
{
	struct arena *a = r->rq.arena;
	const struct rows *found;
	struct bytes digest;

	DB_QUEUE(r->rq.db, RPC_CALL_FIND, p_text(r->rq.caller->oid.text), p_text(r->rq.fn->wire), p_text(claim_key(r)));
	TRY(db_sync(r->rq.db, a, &found, 1, failure));
	if (rows_count(found) == 0) /* cleaned away between our two statements */
		return failed(a, CODE_BUSY, NULL, NULL);
	digest = row_bytes(found, 0, 0);
	if (digest.len != sizeof(r->digest) || memcmp(digest.data, r->digest, digest.len))
		return failed(a, CODE_PARAM_INVALID, "FunctionCallIdentifier",
			      "FunctionCallIdentifier: used before for another input");
	if (row_null(found, 0, 1))
		return failed(a, CODE_BUSY, NULL, "this call is still running");
	r->replayed = true;
	r->stored = row_bytes_dup(a, found, 0, 1);
	return OK;
}

/* First round trip. OK and *out_go: the handler may run; OK without it: a stored answer goes out again. */
static result begin(struct run *r, struct relation_facts *facts, struct db_failure *failure, bool *out_go)
{
	const struct load *load = r->served->load;
	size_t claim = writes(r), n = claim + (load ? load->results : 0);
	const struct rows *rows[1 + LOADS_MAX];

	if (claim) {
		db_begin(r->rq.db);
		queue_claim(r);
	}
	if (load)
		load->queue(&r->rq, r->in);
	if (n)
		TRY(db_sync(r->rq.db, r->rq.arena, rows, n, failure));
	if (claim && rows_count(rows[0]) == 0) {
		*out_go = false;
		return repeat(r, failure);
	}
	if (load)
		TRY(load->take(&r->rq, r->in, rows + claim, facts));
	*out_go = true;
	return OK;
}

static bool out_of_time(const struct run *r)
{
	return clock_us() - r->rq.started_us > (int64_t)r->rq.validity_s * 1000000;
}

static result expired(struct run *r)
{
	struct result *e = ARENA_NEW(r->rq.arena, struct result);

	e->status = STATUS_EXPIRED;
	e->code = CODE_TIME_EXPIRED;
	return e;
}

/* Second round trip: the handler's writes, the stored answer, commit. */
static result commit(struct run *r, struct db_failure *failure)
{
	struct rq *rq = &r->rq;

	run_encode_answer(r);
	if (!writes(r))
		return OK;
	if (rq->fn->mep != MEP_NOTIFY)
		DB_QUEUE(rq->db, RPC_CALL_FINISH, p_text(rq->caller->oid.text), p_text(rq->fn->wire), p_text(claim_key(r)),
			 p_bytes(r->w->answer.data, r->w->answer.len));
	db_commit(rq->db);
	return db_sync(rq->db, rq->arena, NULL, 0, failure);
}

/* A refusal changes nothing but that it is remembered (A1), unless it only says "not now": busy, or too late for this attempt. */
static void remember_refusal(struct run *r)
{
	struct rq *rq = &r->rq;

	db_rollback(rq->db);
	if (r->outcome->code == CODE_BUSY || r->outcome->code == CODE_INTERNAL || r->outcome->status == STATUS_EXPIRED)
		return;
	run_encode_answer(r);
	DB_QUEUE(rq->db, RPC_CALL_REFUSED, p_text(rq->caller->oid.text), p_text(rq->fn->wire), p_text(claim_key(r)),
		 p_bytes(r->digest, sizeof(r->digest)), p_bytes(r->w->answer.data, r->w->answer.len));
	/* Not stored is no loss: the repetition is judged again. */
	(void)(db_sync(rq->db, rq->arena, NULL, 0, NULL) == OK);
}

static result decide(struct run *r, const struct relation_facts *facts)
{
	TRY(relation_check(r->rq.arena, r->rq.fn, r->rq.caller, facts));
	memset(r->out, 0, r->response ? r->response->group->size : sizeof(struct response_base));
	return r->served->handle(&r->rq, r->in, r->out);
}

/* A unique constraint that was hit means that somebody else was faster: loaded again, the handler sees it and says so precisely. */
static bool worth_again(const struct db_failure *failure)
{
	return failure->rerun || failure->unique_constraint;
}

/* The handler said yes: commit, or find out that it has to be asked again. */
static enum attempt conclude(struct run *r)
{
	struct db_failure failure = { 0 };

	r->outcome = commit(r, &failure);
	if (r->outcome == OK) {
		run_fault_point(r, "committed");
		return ATTEMPT_DONE;
	}
	r->encoded = false; /* it said success */
	return worth_again(&failure) ? ATTEMPT_AGAIN : ATTEMPT_DONE;
}

static enum attempt attempt(struct run *r)
{
	struct relation_facts facts = { 0 };
	struct db_failure failure = { 0 };
	bool go = false;

	r->outcome = begin(r, &facts, &failure, &go);
	if (r->outcome != OK && worth_again(&failure))
		return ATTEMPT_AGAIN;
	run_fault_point(r, "begun");
	if (r->outcome != OK || !go) {
		if (writes(r))
			db_rollback(r->rq.db);
		return ATTEMPT_DONE;
	}
	r->outcome = decide(r, &facts);
	run_fault_point(r, "handled");
	if (r->outcome == OK && out_of_time(r))
		r->outcome = expired(r);
	if (r->outcome == OK)
		return conclude(r);
	if (writes(r))
		remember_refusal(r);
	return ATTEMPT_DONE;
}

/* Bells only: what they announce stands in rows already. */
static void ring(struct run *r)
{
	if (r->rq.outbox)
		outbox_ring(r->rq.rpc->outbox);
	if (r->served->committed)
		r->served->committed(&r->rq);
}

bool run_execute(struct run *r)
{
	r->out = arena_alloc(r->rq.arena, r->response ? r->response->group->size : sizeof(struct response_base));
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		r->rq.outbox = false;
		r->rq.warning = NULL;
		if (attempt(r) == ATTEMPT_DONE) {
			if (r->outcome == OK && !r->replayed)
				ring(r);
			return true;
		}
	}
	r->outcome = failed(r->rq.arena, CODE_BUSY, NULL, NULL);
	return true;
}

void rq_warn(struct rq *rq, enum code code, const char *subject_id, const char *fmt, ...)
{
	struct result *w = ARENA_NEW(rq->arena, struct result);
	va_list args;

	w->status = STATUS_WARNING;
	w->code = code;
	w->subject_id = subject_id ? arena_strdup(rq->arena, subject_id) : NULL;
	va_start(args, fmt);
	w->message = arena_vprintf(rq->arena, fmt, args);
	va_end(args);
	rq->warning = w;
}

void rq_event(struct rq *rq, const char *event, const char *eid, const char *json)
{
	outbox_event(rq->db, rq->arena, event, eid, rq->trace, json);
	rq->outbox = true;
}

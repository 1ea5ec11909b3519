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
	return r->rq.fn->tx != TX_READ || run_later(r);
}

/* fci=weak: some peers repeat identifiers for different calls; the input's digest then joins the key (A1). */
static const char *claim_key(struct run *r)
{
	if (run_later(r) && r->rq.fn->tx == TX_READ) { /* a read is asked anew each time: its call is nobody else's */
		char *own = arena_alloc(r->rq.arena, UUID_TEXT);

		uuid_new(own);
		return own;
	}
	if (!r->fci || !r->rq.caller->dialect.fci_weak)
		return r->fci;
	return arena_printf(r->rq.arena, "%s#%s", r->fci, hex_text(r->rq.arena, r->digest, 8));
}

/* Queues begin and the claim: of the call, or of a notification's message (A7), and what judges where the answer may go. How many results
 * that gives: the claim's comes first. */
static size_t queue_claim(struct run *r)
{
	struct rq *rq = &r->rq;
	struct param caller = p_text(rq->caller->oid.text), digest = p_bytes(r->digest, sizeof(r->digest));

	if (writes(r)) {
		db_begin(rq->db);
		if (rq->fn->mep == MEP_NOTIFY)
			DB_QUEUE(rq->db, RPC_SEEN_CLAIM, caller, p_text(r->envelope.message_id), digest);
		else
			DB_QUEUE(rq->db, RPC_CALL_CLAIM, caller, p_text(rq->fn->wire), p_text(rq->claim_key), digest);
	}
	if (later_wants(r))
		later_queue(r);
	return (size_t)writes(r) + later_wants(r);
}

/* The server may have committed and ended before it could say so. */
static bool is_unheard(const struct db_failure *failure)
{
	return !failure->sqlstate || !strcmp(failure->sqlstate, "57P01") || !strcmp(failure->sqlstate, "57P02");
}

/* When nobody knows whether it took effect, another attempt finds out: by its claim. The place belongs to a row that may exist. */
static result commit_sync(struct run *r, struct db_failure *failure)
{
	result outcome;

	db_commit(r->rq.db);
	outcome = db_sync(r->rq.db, r->rq.arena, NULL, 0, failure);
	r->unheard = outcome != OK && outcome->code == CODE_BUSY && is_unheard(failure);
	if (r->unheard)
		later_drop(r);
	return outcome;
}

/* One more request message for a call that runs: its answer goes there too. */
static result join(struct run *r, struct db_failure *failure)
{
	TRY(later_keep(r));
	TRY(commit_sync(r, failure));
	later_kept(r);
	return OK;
}

/* The stored answer goes where answers of this message go. */
static result send_again(struct run *r, struct db_failure *failure)
{
	later_send(r, r->stored);
	TRY(commit_sync(r, failure));
	r->http_status = 202;
	return OK;
}

/* The call is known: answer as before, or refuse another input under the same identifier. A round trip that new calls save. */
static result repeat(struct run *r, struct db_failure *failure)
{
	struct arena *a = r->rq.arena;
	const struct rows *found;
	struct bytes digest;

	DB_QUEUE(r->rq.db, run_later(r) ? RPC_CALL_LOCK : RPC_CALL_FIND, p_text(r->rq.caller->oid.text), p_text(r->rq.fn->wire),
		 p_text(r->rq.claim_key));
	TRY(db_sync(r->rq.db, a, &found, 1, failure));
	if (rows_count(found) == 0) /* cleaned away between our two statements */
		return failed(a, CODE_BUSY, NULL, NULL);
	digest = row_bytes(found, 0, 0);
	if (digest.len != sizeof(r->digest) || memcmp(digest.data, r->digest, digest.len))
		return failed(a, CODE_PARAM_INVALID, "FunctionCallIdentifier",
			      "FunctionCallIdentifier: used before for another input");
	r->replayed = true;
	if (row_null(found, 0, 1))
		return run_later(r) ? join(r, failure) : failed(a, CODE_BUSY, NULL, "this call is still running");
	r->stored = row_bytes_dup(a, found, 0, 1);
	return r->goes != ANSWER_HERE ? send_again(r, failure) : OK;
}

/* First round trip. OK and *out_go: the handler may run; OK without it: this message or call was known. */
static result begin(struct run *r, struct relation_facts *facts, struct db_failure *failure, bool *out_go)
{
	const struct load *load = r->served->load;
	size_t claim = queue_claim(r), n = claim + (load ? load->results : 0);
	const struct rows *rows[2 + LOADS_MAX];

	if (r->taken) {
		*facts = r->facts;
		*out_go = r->take == OK;
		return r->take;
	}
	if (load)
		load->queue(&r->rq, r->in);
	if (n)
		TRY(db_sync(r->rq.db, r->rq.arena, rows, n, failure));
	r->unheard = false; /* from here on it is known */
	if (later_wants(r))
		TRY(later_take(r, rows[claim - 1]));
	if (writes(r) && rows_count(rows[0]) == 0) {
		*out_go = false;
		if (r->rq.fn->mep != MEP_NOTIFY)
			return repeat(r, failure);
		r->replayed = true;
		return OK;
	}
	if (load)
		TRY(load->take(&r->rq, r->in, rows + claim, facts));
	*out_go = true;
	return OK;
}

/* Notifications have no validity period. */
static bool out_of_time(const struct run *r)
{
	return r->rq.fn->mep != MEP_NOTIFY && clock_us() - r->rq.started_us > (int64_t)r->rq.validity_s * 1000000;
}

static result expired(struct run *r)
{
	struct result *e = ARENA_NEW(r->rq.arena, struct result);

	e->status = STATUS_EXPIRED;
	e->code = CODE_TIME_EXPIRED;
	return e;
}

/* Second round trip: the handler's writes, the stored answer or the row that waits for it, commit. */
static result commit(struct run *r, struct db_failure *failure)
{
	struct rq *rq = &r->rq;
	bool later = run_later(r), answered = rq->fn->mep == MEP_SYNC && !later, sent = answered && r->goes != ANSWER_HERE;
	struct bytes answer;

	if (answered)
		run_encode_answer(r);
	if (!writes(r) && !sent)
		return OK;
	answer = (struct bytes){ (const uint8_t *)r->w->answer.data, r->w->answer.len };
	if (!writes(r))
		db_begin(rq->db);
	else if (answered)
		DB_QUEUE(rq->db, RPC_CALL_FINISH, p_text(rq->caller->oid.text), p_text(rq->fn->wire), p_text(rq->claim_key),
			 p_bytes(answer.data, answer.len));
	if (sent)
		later_send(r, answer);
	if (later)
		TRY(later_keep(r));
	TRY(commit_sync(r, failure));
	if (later)
		later_kept(r);
	else if (sent)
		r->http_status = 202;
	return OK;
}

/* Only "not now" is not remembered: busy, or too late for this attempt. Nor is what nobody can repeat. */
static bool for_good(const struct run *r)
{
	enum code code = r->outcome->code;

	return r->rq.fn->mep != MEP_NOTIFY && r->rq.fn->tx != TX_READ && code != CODE_BUSY && code != CODE_INTERNAL &&
	       r->outcome->status != STATUS_EXPIRED;
}

/* A refusal changes nothing but that it is remembered (A1), and goes where answers of this call go. */
static void refuse(struct run *r)
{
	struct rq *rq = &r->rq;
	bool sent = r->goes != ANSWER_HERE;
	struct bytes answer;

	if (!r->remember && !sent)
		return;
	run_encode_answer(r);
	answer = (struct bytes){ (const uint8_t *)r->w->answer.data, r->w->answer.len };
	if (sent)
		db_begin(rq->db);
	if (r->remember)
		DB_QUEUE(rq->db, RPC_CALL_REFUSED, p_text(rq->caller->oid.text), p_text(rq->fn->wire), p_text(rq->claim_key),
			 p_bytes(r->digest, sizeof(r->digest)), p_bytes(answer.data, answer.len));
	if (sent) {
		later_send(r, answer);
		db_commit(rq->db);
	}
	/* Not remembered is no loss: the repetition is judged again. Not sent: it is told on the connection. */
	if (db_sync(rq->db, rq->arena, NULL, 0, NULL) == OK && sent) {
		r->http_status = 202;
		outbox_ring(rq->rpc->outbox);
	}
}

static result decide(struct run *r, const struct relation_facts *facts)
{
	TRY(relation_check(r->rq.arena, r->rq.fn, r->rq.caller, facts));
	memset(r->out, 0, r->response ? r->response->group->size : sizeof(struct response_base));
	return r->served->handle(&r->rq, r->in, r->out);
}

/* A unique constraint that was hit means that somebody else was faster: loaded again, the handler sees it and says so precisely. */
static bool worth_again(const struct run *r, const struct db_failure *failure)
{
	return failure->rerun || failure->unique_constraint || r->unheard;
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
	db_rollback(r->rq.db);
	r->encoded = false; /* it said success */
	return worth_again(r, &failure) ? ATTEMPT_AGAIN : ATTEMPT_DONE;
}

static enum attempt attempt(struct run *r)
{
	struct relation_facts facts = { 0 };
	struct db_failure failure = { 0 };
	bool go = false;

	r->outcome = begin(r, &facts, &failure, &go);
	if (r->outcome != OK && worth_again(r, &failure))
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
	if (writes(r)) {
		db_rollback(r->rq.db);
		r->remember = for_good(r);
	}
	return ATTEMPT_DONE;
}

/* Bells only: what they announce stands in rows already. */
static void ring(struct run *r)
{
	rq_ring(&r->rq);
	if (r->served->committed && !r->replayed)
		r->served->committed(&r->rq);
}

static void attempts(struct run *r)
{
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		r->rq.outbox = r->rq.events = false;
		r->rq.warning = NULL;
		r->replayed = false;
		if (attempt(r) == ATTEMPT_DONE)
			return;
	}
	if (r->unheard) {
		(void)run_fault(r, "Receiver", "it is not known whether this call was executed: send it again as it is");
		return;
	}
	r->outcome = failed(r->rq.arena, CODE_BUSY, NULL, NULL);
}

bool run_execute(struct run *r)
{
	if (r->awaited)
		return callback_execute(r);
	r->rq.claim_key = claim_key(r);
	r->outcome = later_check(r);
	if (r->outcome != OK)
		return true;
	r->out = arena_alloc(r->rq.arena, r->response ? r->response->group->size : sizeof(struct response_base));
	attempts(r);
	later_drop(r);
	if (r->outcome == OK)
		ring(r);
	else if (!r->fault.code)
		refuse(r);
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
	rq->events = true;
}

void rq_ring(const struct rq *rq)
{
	if (rq->outbox)
		outbox_ring(rq->rpc->outbox);
	else if (rq->events)
		outbox_ring_bus(rq->rpc->outbox);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What SM-SRs and SM-DPs answer to our requests: on the connection, by callback. */
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "services/operator-gateway/api.h"
#include "services/operator-gateway/gateway.h"
#include "services/operator-gateway/operation.h"

/* An operation that something was said about, and of which attempt. */
struct concerned {
	struct operation operation;
	int64_t attempt;
};

/* False: no operation, or an attempt that there never was. */
static bool lock_of_ref(struct db *db, struct arena *a, const char *ref, struct concerned *out, result *out_failure)
{
	struct concerned c = { 0 };
	const struct rows *rows;
	const char *id;

	*out_failure = OK;
	if (!operation_ref_parse(a, ref, &id, &c.attempt))
		return false;
	DB_QUEUE(db, GW_OPERATION_LOCK, p_text(id));
	*out_failure = db_sync(db, a, &rows, 1, NULL);
	if (*out_failure != OK || !rows_count(rows))
		return false;
	*out_failure = operation_row(a, rows, 0, &c.operation);
	if (*out_failure != OK || c.attempt > c.operation.attempt)
		return false;
	*out = c;
	return true;
}

/* The SM-SR that did it, or that the SM-DP had do it, manages the card; a row that somebody set stays. After a change the other one does. */
static void learn(struct db *db, struct arena *a, const struct operation *o, const struct operation_answer *answer)
{
	if (!operation_executed(answer))
		return;
	if (o->order.kind != OPERATION_SMSR_CHANGE)
		DB_QUEUE(db, GW_EUICC_LEARN, p_text(arena_printf(a, "%s %s", o->order.eid.text, o->smsr.text)));
	else if (o->stage == STAGE_CHANGE)
		DB_QUEUE(db, GW_EUICC_MOVE, p_text(o->order.eid.text), p_text(o->order.to.text),
			 p_time(a, answer->at ? answer->at : o->now), p_text(o->smsr.text), p_time(a, o->created_at));
}

/* Whom a step concerns: the caller that waits for the end, the outbox. Rung before the commit, the worker waits for the row's lock. */
static void ring(struct gateway *g, const struct operation *o, bool sent)
{
	waits_ring(g->waits, o->id);
	if (sent)
		outbox_ring(g->rpc->outbox);
}

bool gateway_answered(void *role, struct db *db, struct arena *a, const struct outbox_answer *in)
{
	struct gateway *g = role;
	enum operation_event event = in->accepted ? OPEV_ACCEPTED : OPEV_GIVEN_UP;
	struct operation_answer answer = { status_name(STATUS_FAILED), "fault", "", "", "", "", "", 0, "" };
	bool told = in->response || in->fault.code, sent = false;
	struct concerned *c = ARENA_NEW(a, struct concerned); /* the caller's commit sends what is queued here */
	const struct operation *o = &c->operation;
	result failure;

	if (!lock_of_ref(db, a, in->ref, c, &failure)) {
		if (failure != OK)
			log_msg(LOG_WARN, "operation.answer", "%s: %s", in->ref,
				failure->cause ? failure->cause : status_code(failure->code)->text);
		return failure == OK; /* what nobody waits for is done with */
	}
	if (in->response) {
		answer = operation_answer_of(a, o, in->base, in->response);
		event = operation_event_of(o, c->attempt, &answer);
		if (event != OPEV_STALE)
			learn(db, a, o, &answer);
	} else if (c->attempt != o->attempt) {
		event = OPEV_STALE;
	} else if (told) {
		event = OPEV_FAULT;
		answer.message = arena_printf(a, "SOAP Fault %s: %s", in->fault.code,
					      in->fault.reason ? in->fault.reason : "no reason was given");
	}
	if (operation_step(db, a, o, event, told ? &answer : NULL, &sent))
		ring(g, o, sent);
	return true;
}

/* Callbacks ---------------------------------------------------------------------------------------------------------------- */

/* By RelatesTo's or the callback's own TransactionId, which is the operation's and the attempt's. */
static const char *callback_id(struct rq *rq, int64_t *out_attempt)
{
	const char *id = "00000000-0000-0000-0000-000000000000"; /* nobody's */

	*out_attempt = 0;
	(void)operation_ref_parse(rq->arena, rq->correlation, &id, out_attempt);
	return id;
}

static void callback_queue(struct rq *rq, const void *in)
{
	int64_t attempt;

	(void)in;
	DB_QUEUE(rq->db, GW_OPERATION_LOCK, p_text(callback_id(rq, &attempt)));
}

static result callback_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct concerned *c = ARENA_NEW(rq->arena, struct concerned);

	(void)in;
	(void)facts;
	rq->loaded = NULL;
	if (!rows_count(rows[0]))
		return OK;
	TRY(operation_row(rq->arena, rows[0], 0, &c->operation));
	(void)callback_id(rq, &c->attempt);
	(void)snprintf(rq->eid, sizeof(rq->eid), "%s", c->operation.order.eid.text); /* the answer itself does not say it */
	rq->loaded = c;
	return OK;
}

static const struct load callback_load = { .results = 1, .queue = callback_queue, .take = callback_take };

/* In the stage of that attempt. */
static bool was_asked(const struct concerned *c, const struct function *fn, const struct oid *from)
{
	struct operation then = c->operation;

	if (c->attempt < then.stage_attempt)
		then.stage = STAGE_PREPARE; /* the only one before another */
	return operation_asked(&then) == fn && oid_equal(operation_to(&then), from);
}

static result callback_handle(struct rq *rq, const void *in, enum callback_verdict *out)
{
	const struct concerned *c = rq->loaded;
	const struct operation *o = c ? &c->operation : NULL;
	const struct response_base *base = in; /* every response begins with it */
	struct operation_answer answer;

	*out = CALLBACK_NOT_OURS;
	if (!c || c->attempt > o->attempt || !was_asked(c, rq->fn, &rq->caller->oid))
		return OK;
	answer = operation_answer_of(rq->arena, o, base, in);
	*out = CALLBACK_CLOSED;
	if (!operation_step(rq->db, rq->arena, o, operation_event_of(o, c->attempt, &answer), &answer, &rq->outbox))
		return OK;
	learn(rq->db, rq->arena, o, &answer);
	*out = CALLBACK_TAKEN;
	return OK;
}

static void callback_committed(struct rq *rq)
{
	const struct concerned *c = rq->loaded;
	struct gateway *g = rq->role;

	waits_ring(g->waits, c->operation.id);
}

const struct awaited gateway_awaited[] = {
	{ FN_ES4_EnableProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES4_DisableProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES4_DeleteProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES4_AuditEIS, &callback_load, callback_handle, callback_committed },
	{ FN_ES4_PrepareSMSRChange, &callback_load, callback_handle, callback_committed },
	{ FN_ES4_SMSRChange, &callback_load, callback_handle, callback_committed },
	{ FN_ES2_EnableProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES2_DisableProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES2_DeleteProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES2_AuditEIS, &callback_load, callback_handle, callback_committed },
	{ FN_ES2_DownloadProfile, &callback_load, callback_handle, callback_committed },
};
const size_t gateway_n_awaited = LEN(gateway_awaited);

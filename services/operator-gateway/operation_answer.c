/* SPDX-License-Identifier: Apache-2.0 */
/* What SM-SRs say: answers on the connection, callbacks, notifications. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "services/operator-gateway/gateway.h"
#include "services/operator-gateway/operation.h"

/* ref is <id>.<attempt>. False: no operation, or an attempt that is over. */
static bool lock_of_ref(struct db *db, struct arena *a, const char *ref, struct operation *out, result *out_failure)
{
	const char *dot = strrchr(ref, '.');
	const char *id = dot ? arena_strndup(a, ref, (size_t)(dot - ref)) : "";
	const struct rows *rows;

	*out_failure = OK;
	if (!operation_id_ok(id))
		return false;
	DB_QUEUE(db, GW_OPERATION_LOCK, p_text(id));
	*out_failure = db_sync(db, a, &rows, 1, NULL);
	if (*out_failure != OK || !rows_count(rows))
		return false;
	*out_failure = operation_row(a, rows, 0, out);
	return *out_failure == OK && out->attempt == strtoll(dot + 1, NULL, 10);
}

/* Who answered about a card manages it; a row that somebody set stays. */
static void learn(struct db *db, struct arena *a, const struct operation *o, const struct operation_answer *answer)
{
	if (!strcmp(answer->status, status_name(STATUS_SUCCESS)) || !strcmp(answer->status, status_name(STATUS_WARNING)))
		DB_QUEUE(db, GW_EUICC_LEARN, p_text(arena_printf(a, "%s %s", o->order.eid.text, o->smsr.text)));
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
	struct operation_answer answer = { status_name(STATUS_FAILED), "fault", "", "", "", "", "" };
	bool told = in->response || in->fault.code, sent = false;
	struct operation o;
	result failure;

	if (!lock_of_ref(db, a, in->ref, &o, &failure)) {
		if (failure != OK)
			log_msg(LOG_WARN, "operation.answer", "%s: %s", in->ref,
				failure->cause ? failure->cause : status_code(failure->code)->text);
		return failure == OK; /* what nobody waits for is done with */
	}
	if (in->response) {
		answer = operation_answer_of(a, &o, in->base, in->response);
		event = operation_event_of(&o, &answer);
		learn(db, a, &o, &answer);
	} else if (told) {
		event = OPEV_FAULT;
		answer.message = arena_printf(a, "SOAP Fault %s: %s", in->fault.code,
					      in->fault.reason ? in->fault.reason : "no reason was given");
	}
	if (operation_step(db, a, &o, event, told ? &answer : NULL, &sent))
		ring(g, &o, sent);
	return true;
}

/* Callbacks ---------------------------------------------------------------------------------------------------------------- */

static void callback_queue(struct rq *rq, const void *in)
{
	static const char nobody[] = "00000000-0000-0000-0000-000000000000";

	(void)in;
	DB_QUEUE(rq->db, GW_OPERATION_LOCK, p_text(operation_id_ok(rq->correlation) ? rq->correlation : nobody));
}

static result callback_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct operation *o = ARENA_NEW(rq->arena, struct operation);

	(void)in;
	(void)facts;
	rq->loaded = NULL;
	if (!rows_count(rows[0]))
		return OK;
	TRY(operation_row(rq->arena, rows[0], 0, o));
	rq->loaded = o;
	return OK;
}

static const struct load callback_load = { .results = 1, .queue = callback_queue, .take = callback_take };

static result callback_handle(struct rq *rq, const void *in, enum callback_verdict *out)
{
	const struct operation *o = rq->loaded;
	const struct response_base *base = in; /* every response begins with it */
	struct operation_answer answer;

	*out = CALLBACK_NOT_OURS;
	if (!o || !oid_equal(&o->smsr, &rq->caller->oid) || operation_function(o->order.kind) != rq->fn)
		return OK;
	answer = operation_answer_of(rq->arena, o, base, in);
	*out = CALLBACK_CLOSED;
	if (!operation_step(rq->db, rq->arena, o, operation_event_of(o, &answer), &answer, &rq->outbox))
		return OK;
	learn(rq->db, rq->arena, o, &answer);
	*out = CALLBACK_TAKEN;
	return OK;
}

static void callback_committed(struct rq *rq)
{
	const struct operation *o = rq->loaded;
	struct gateway *g = rq->role;

	waits_ring(g->waits, o->id);
}

const struct awaited gateway_awaited[] = {
	{ FN_ES4_EnableProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES4_AuditEIS, &callback_load, callback_handle, callback_committed },
};
const size_t gateway_n_awaited = LEN(gateway_awaited);

/* Notifications ------------------------------------------------------------------------------------------------------------ */

static result notified(struct rq *rq, const struct profile_notification *n, const char *kind)
{
	const char *smsr = rq->caller->oid.text;

	DB_QUEUE(rq->db, GW_NOTIFICATION_ADD, p_text(smsr), p_text(n->eid.text), p_text(n->iccid.text), p_text(kind),
		 p_time(rq->arena, n->completed), p_text(rq->envelope->message_id));
	DB_QUEUE(rq->db, GW_OPERATION_WAKE, p_text(n->eid.text), p_text(smsr), p_time(rq->arena, clock_wall_us()));
	return OK;
}

static result es4_handle_profile_enabled(struct rq *rq, const void *in, void *out)
{
	(void)out;
	return notified(rq, in, "enabled");
}

static result es4_handle_profile_disabled(struct rq *rq, const void *in, void *out)
{
	(void)out;
	return notified(rq, in, "disabled");
}

static void notification_committed(struct rq *rq)
{
	struct gateway *g = rq->role;

	waits_ring(g->waits, NULL);
}

const struct served gateway_served[] = {
	{ FN_ES4_HandleProfileEnabledNotification, NULL, es4_handle_profile_enabled, notification_committed },
	{ FN_ES4_HandleProfileDisabledNotification, NULL, es4_handle_profile_disabled, notification_committed },
};
const size_t gateway_n_served = LEN(gateway_served);

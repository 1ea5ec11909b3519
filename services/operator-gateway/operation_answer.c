/* SPDX-License-Identifier: Apache-2.0 */
/* What SM-SRs and SM-DPs say: answers on the connection, callbacks, notifications. */
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

/* The SM-SR that did it, or that the SM-DP had do it, manages the card; a row that somebody set stays. */
static void learn(struct db *db, struct arena *a, const struct operation *o, const struct operation_answer *answer)
{
	if (operation_executed(answer))
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
	struct operation_answer answer = { status_name(STATUS_FAILED), "fault", "", "", "", "", "", 0, "" };
	bool told = in->response || in->fault.code, sent = false;
	struct concerned c;
	const struct operation *o = &c.operation;
	result failure;

	if (!lock_of_ref(db, a, in->ref, &c, &failure)) {
		if (failure != OK)
			log_msg(LOG_WARN, "operation.answer", "%s: %s", in->ref,
				failure->cause ? failure->cause : status_code(failure->code)->text);
		return failure == OK; /* what nobody waits for is done with */
	}
	if (in->response) {
		answer = operation_answer_of(a, o, in->base, in->response);
		event = operation_event_of(o, c.attempt, &answer);
		learn(db, a, o, &answer);
	} else if (c.attempt != o->attempt) {
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

static result callback_handle(struct rq *rq, const void *in, enum callback_verdict *out)
{
	const struct concerned *c = rq->loaded;
	const struct operation *o = c ? &c->operation : NULL;
	const struct response_base *base = in; /* every response begins with it */
	struct operation_answer answer;

	*out = CALLBACK_NOT_OURS;
	if (!c || c->attempt > o->attempt || !oid_equal(operation_to(o), &rq->caller->oid) || operation_asked(o) != rq->fn)
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
	{ FN_ES2_EnableProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES2_DisableProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES2_DeleteProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES2_AuditEIS, &callback_load, callback_handle, callback_committed },
	{ FN_ES2_DownloadProfile, &callback_load, callback_handle, callback_committed },
};
const size_t gateway_n_awaited = LEN(gateway_awaited);

/* Notifications ------------------------------------------------------------------------------------------------------------ */

/* As tenants see it. NULL: the handlers and this table disagree. */
static const char *kind_of(const struct function *fn)
{
	static const struct {
		const char *name, *kind;
	} rows[] = {
		{ "HandleProfileEnabledNotification", "enabled" },          { "HandleProfileDisabledNotification", "disabled" },
		{ "HandleProfileDeletedNotification", "deleted" },          { "HandleProfileDownloadedNotification", "downloaded" },
		{ "HandleProfilePOL2UpdatedNotification", "pol2_updated" },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		if (!strcmp(rows[i].name, fn->name))
			return rows[i].kind;
	return NULL;
}

/* detail: what else it says, as members of its JSON. */
static result notified(struct rq *rq, const struct eid *eid, const struct iccid *iccid, int64_t completed, const json_t *detail)
{
	const char *sender = rq->caller->oid.text, *kind = kind_of(rq->fn);

	if (!kind)
		return internal(rq->arena, "%s has no kind", rq->fn->wire);
	DB_QUEUE(rq->db, GW_NOTIFICATION_ADD, p_text(iface_name(rq->fn->iface)), p_text(sender), p_text(eid->text),
		 p_text(iccid->text), p_text(kind), p_time(rq->arena, completed), p_text(rq->envelope->message_id),
		 p_text(detail ? json_text(rq->arena, detail) : ""));
	DB_QUEUE(rq->db, GW_OPERATION_WAKE, p_text(eid->text), p_text(sender));
	return OK;
}

static result handle_profile(struct rq *rq, const void *in, void *out)
{
	const struct profile_notification *n = in;

	(void)out;
	return notified(rq, &n->eid, &n->iccid, n->completed, NULL);
}

static result handle_profile_downloaded(struct rq *rq, const void *in, void *out)
{
	const struct profile_downloaded_notification *n = in;
	CLEANUP(json_freep) json_t *detail = json_object();

	(void)out;
	json_put(detail, "profile_type", n->profile_type);
	json_put(detail, "mno", n->owner ? n->owner->text : NULL);
	return notified(rq, &n->eid, &n->iccid, n->completed, detail);
}

static result handle_profile_pol2_updated(struct rq *rq, const void *in, void *out)
{
	const struct pol2_updated_notification *n = in;
	CLEANUP(json_freep) json_t *detail = json_object();

	(void)out;
	if (n->pol2)
		json_object_set_new(detail, "rules", api_pol2_json(n->pol2));
	return notified(rq, &n->eid, &n->iccid, n->completed, detail);
}

static void notification_committed(struct rq *rq)
{
	struct gateway *g = rq->role;

	waits_ring(g->waits, NULL);
}

/* An SM-SR and an SM-DP may tell of the same change: both are kept, for they are different messages. */
const struct served gateway_served[] = {
	{ FN_ES2_HandleProfileEnabledNotification, NULL, handle_profile, notification_committed },
	{ FN_ES2_HandleProfileDisabledNotification, NULL, handle_profile, notification_committed },
	{ FN_ES2_HandleProfileDeletedNotification, NULL, handle_profile, notification_committed },
	{ FN_ES2_HandleProfileDownloadedNotification, NULL, handle_profile_downloaded, notification_committed },
	{ FN_ES2_HandleProfilePOL2UpdatedNotification, NULL, handle_profile_pol2_updated, notification_committed },
	{ FN_ES4_HandleProfileEnabledNotification, NULL, handle_profile, notification_committed },
	{ FN_ES4_HandleProfileDisabledNotification, NULL, handle_profile, notification_committed },
	{ FN_ES4_HandleProfileDeletedNotification, NULL, handle_profile, notification_committed },
	{ FN_ES4_HandleProfileDownloadedNotification, NULL, handle_profile_downloaded, notification_committed },
	{ FN_ES4_HandleProfilePOL2UpdatedNotification, NULL, handle_profile_pol2_updated, notification_committed },
};
const size_t gateway_n_served = LEN(gateway_served);

/* SPDX-License-Identifier: Apache-2.0 */
/* D functions: whom the answer goes to when it comes (decisions.md A2 to A5). A ReplyTo that is allowed gets every answer from then
 * on; without one the connection waits. */
#include "common/rpc/parked.h"
#include "common/rpc/reply_to.h"
#include "common/rpc/run.h"

static result reply_to_refused(struct run *r, const char *why)
{
	return failed(r->rq.arena, CODE_PARAM_INVALID, "ReplyTo", "ReplyTo: %s", why);
}

bool later_wants(const struct run *r)
{
	return run_deferred(r) && r->envelope.reply_to;
}

result later_check(struct run *r)
{
	if (!run_deferred(r))
		return OK;
	if (!r->envelope.reply_to)
		return r->rq.rpc->parked ? OK : failed(r->rq.arena, CODE_PARAM_CONDITIONAL, "ReplyTo", "ReplyTo: needed here");
	if (reply_to_polls(r->envelope.reply_to))
		return reply_to_refused(r, "polling is not served");
	if (!reply_to_valid(r->envelope.reply_to))
		return reply_to_refused(r, "not an https URL");
	return OK;
}

void later_queue(struct run *r)
{
	DB_QUEUE(r->rq.db, RPC_REPLY_ADDRESSES, p_text(r->rq.caller->oid.text));
}

result later_take(struct run *r, const struct rows *rows)
{
	r->callback = false;
	for (size_t i = 0; i < rows_count(rows) && !r->callback; i++)
		r->callback = reply_to_same_place(r->envelope.reply_to, row_text(rows, i, 0));
	return r->callback ? OK : reply_to_refused(r, "host and port are not among your registered addresses");
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* The caller's place is taken before the commit: the answer may come before http_park. */
static result place_take(struct run *r)
{
	struct rq *rq = &r->rq;
	struct answer_way way = run_answer_way(r);

	if (*r->place || parked_enter(rq->rpc->parked, r->http, &way, rq->eid, rq->started_us, r->place))
		return OK;
	return failed(rq->arena, CODE_BUSY, NULL, "too many callers wait on their connections: give a ReplyTo, or try again later");
}

result later_keep(struct run *r)
{
	struct rq *rq = &r->rq;
	char *id = arena_alloc(rq->arena, UUID_TEXT);
	int64_t keep_s = (int64_t)rq->validity_s + rq->rpc->callback_spare_s;

	if (!r->callback) {
		TRY(place_take(r));
		keep_s = parked_wait_s(rq->rpc->parked, rq->validity_s);
		id = r->place;
	} else {
		uuid_new(id);
	}
	DB_QUEUE(rq->db, RPC_REPLY_ADD, p_text(id), p_text(rq->caller->oid.text), p_text(rq->fn->wire), p_text(rq->claim_key),
		 p_text(rq->eid), p_text(r->callback ? "callback" : "parked"), p_text(r->envelope.message_id),
		 p_text(or_empty(r->envelope.transaction_id)), p_text(or_empty(r->envelope.context_id)),
		 p_text(r->callback ? r->envelope.reply_to : ""), p_text(r->callback ? "" : rq->rpc->replica),
		 p_int(rq->arena, keep_s));
	return OK;
}

void later_kept(struct run *r)
{
	if (r->callback)
		r->http_status = 202;
	else
		r->parking = true;
}

void later_send(struct run *r, struct bytes answer)
{
	struct rq *rq = &r->rq;
	const struct outbox_message m = { .fn = rq->fn,
					  .kind = OUTBOX_CALLBACK,
					  .to = &rq->caller->oid,
					  .eid = rq->eid,
					  .ref = "",
					  .transaction_id = r->envelope.transaction_id,
					  .context_id = r->envelope.context_id,
					  .trace = rq->trace,
					  .body = answer,
					  .address = r->envelope.reply_to,
					  .relates_to = r->envelope.message_id,
					  .give_up_s = (int64_t)rq->validity_s + rq->rpc->callback_spare_s };

	outbox_send(rq->db, rq->arena, &m);
	rq->outbox = true;
}

void later_drop(struct run *r)
{
	if (!*r->place || r->parking)
		return;
	parked_leave(r->rq.rpc->parked, r->place);
	r->place[0] = '\0';
}

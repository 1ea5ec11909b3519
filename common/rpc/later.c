/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that do not go back on the connection at once: whom they go to when they come (decisions.md A2 to A5). A ReplyTo that is
 * allowed gets every answer from then on, as does a mailbox; without one the connection waits, or the caller's dialect says otherwise. */
#include "common/rpc/parked.h"
#include "common/rpc/reply_to.h"
#include "common/rpc/run.h"

static result reply_to_refused(struct run *r, const char *why)
{
	return failed(r->rq.arena, CODE_PARAM_INVALID, "ReplyTo", "ReplyTo: %s", why);
}

static result reply_to_needed(struct run *r, const char *why)
{
	return failed(r->rq.arena, CODE_PARAM_CONDITIONAL, "ReplyTo", "ReplyTo: needed here%s", why);
}

static void ask(struct run *r, enum answer_place asked, const char *address)
{
	r->asked = asked;
	r->address = address;
}

static result check_none(struct run *r)
{
	switch (r->rq.caller->dialect.no_reply_to) {
	case NO_REPLY_TO_ADDRESS:
		ask(r, ANSWER_CALLBACK, "");
		return OK;
	case NO_REPLY_TO_REFUSE:
		return reply_to_needed(r, "");
	case NO_REPLY_TO_PARK:
		break;
	}
	return r->rq.rpc->parked ? OK : reply_to_needed(r, "");
}

static result check_mailbox(struct run *r)
{
	const char *mailbox = reply_to_mailbox(r->rq.arena, r->envelope.reply_to);

	if (!mailbox)
		return reply_to_refused(r, "polling needs " NS_WSMC "/anonymous?id= and an identifier behind it");
	ask(r, ANSWER_MAILBOX, mailbox);
	return OK;
}

bool later_by_callback(const struct run *r)
{
	return r->rq.fn->mep == MEP_SYNC && r->rq.caller->dialect.s_callback && r->envelope.reply_to && reply_to_valid(r->envelope.reply_to);
}

result later_check(struct run *r)
{
	const char *reply_to = r->envelope.reply_to;

	if (run_deferred(r) && !reply_to)
		return check_none(r);
	if (run_deferred(r) && reply_to_polls(reply_to))
		return check_mailbox(r);
	if (later_by_callback(r) || (run_deferred(r) && reply_to_valid(reply_to)))
		ask(r, ANSWER_CALLBACK, reply_to);
	else if (run_deferred(r))
		return reply_to_refused(r, "not an https URL");
	return OK;
}

bool later_wants(const struct run *r)
{
	return r->asked != ANSWER_HERE;
}

void later_queue(struct run *r)
{
	struct rq *rq = &r->rq;
	struct param caller = p_text(rq->caller->oid.text);

	if (r->asked == ANSWER_MAILBOX)
		DB_QUEUE(rq->db, RPC_MAILBOX_COUNT, caller, p_int(rq->arena, MAILBOX_MAX));
	else if (*r->address)
		DB_QUEUE(rq->db, RPC_REPLY_ADDRESSES, caller);
	else
		DB_QUEUE(rq->db, RPC_ENTITY_URLS, caller, p_text(iface_name(rq->fn->iface)));
}

static result take_address(struct run *r, const struct rows *rows)
{
	bool allowed = !*r->address && rows_count(rows) > 0;

	for (size_t i = 0; *r->address && i < rows_count(rows) && !allowed; i++)
		allowed = reply_to_same_place(r->address, row_text(rows, i, 0));
	if (allowed)
		r->goes = ANSWER_CALLBACK;
	else if (!*r->address)
		return reply_to_needed(r, arena_printf(r->rq.arena, ": no %s address of yours is registered", iface_name(r->rq.fn->iface)));
	else if (run_deferred(r))
		return reply_to_refused(r, "host and port are not among your registered addresses");
	return OK; /* what can be answered at once is, if it may not be told elsewhere */
}

result later_take(struct run *r, const struct rows *rows)
{
	r->goes = ANSWER_HERE;
	if (r->asked == ANSWER_CALLBACK)
		return take_address(r, rows);
	if (row_int(rows, 0, 0) >= MAILBOX_MAX)
		return failed(r->rq.arena, CODE_BUSY, NULL, "%d answers of yours are not fetched yet", MAILBOX_MAX);
	r->goes = ANSWER_MAILBOX;
	return OK;
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

	if (*r->place || (rq->rpc->parked && parked_enter(rq->rpc->parked, r->http, &way, rq->eid, rq->started_us, r->place)))
		return OK;
	return failed(rq->arena, CODE_BUSY, NULL, "too many callers wait on their connections: give a ReplyTo, or try again later");
}

/* How long an answer is tried, or may be fetched. */
static int64_t keep_s(const struct run *r)
{
	return (int64_t)r->rq.validity_s + r->rq.rpc->callback_spare_s;
}

result later_keep(struct run *r)
{
	static const char *const modes[] = { [ANSWER_HERE] = "parked", [ANSWER_CALLBACK] = "callback", [ANSWER_MAILBOX] = "poll" };
	struct rq *rq = &r->rq;
	char *id = arena_alloc(rq->arena, UUID_TEXT);
	int64_t keep = keep_s(r);
	bool here = r->goes == ANSWER_HERE;

	if (here) {
		TRY(place_take(r));
		keep = parked_wait_s(rq->rpc->parked, rq->validity_s);
		id = r->place;
	} else {
		uuid_new(id);
	}
	DB_QUEUE(rq->db, RPC_REPLY_ADD, p_text(id), p_text(rq->caller->oid.text), p_text(rq->fn->wire), p_text(rq->claim_key),
		 p_text(rq->eid), p_text(modes[r->goes]), p_text(r->envelope.message_id), p_text(or_empty(r->envelope.transaction_id)),
		 p_text(or_empty(r->envelope.context_id)), p_text(here ? "" : r->address), p_text(here ? rq->rpc->replica : ""),
		 p_int(rq->arena, keep));
	return OK;
}

void later_kept(struct run *r)
{
	if (r->goes == ANSWER_HERE)
		r->parking = true;
	else
		r->http_status = 202;
}

static void send_by_callback(struct run *r, struct bytes answer)
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
					  .address = r->address,
					  .relates_to = r->envelope.message_id,
					  .give_up_s = keep_s(r) };

	outbox_send(rq->db, rq->arena, &m);
	rq->outbox = true;
}

void later_send(struct run *r, struct bytes answer)
{
	struct rq *rq = &r->rq;

	if (r->goes == ANSWER_CALLBACK) {
		send_by_callback(r, answer);
		return;
	}
	DB_QUEUE(rq->db, RPC_MAILBOX_ADD, p_text(rq->caller->oid.text), p_text(rq->fn->wire), p_text(or_empty(rq->claim_key)), p_text(rq->eid),
		 p_text(r->envelope.message_id), p_text(or_empty(r->envelope.transaction_id)), p_text(or_empty(r->envelope.context_id)),
		 p_text(r->address), p_bytes(answer.data, answer.len), p_int(rq->arena, keep_s(r)));
}

void later_drop(struct run *r)
{
	if (!*r->place || r->parking)
		return;
	parked_leave(r->rq.rpc->parked, r->place);
	r->place[0] = '\0';
}

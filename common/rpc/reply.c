/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that answers: execution status or SOAP Fault, journal, log line, metrics. */
#include "common/rpc/run.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/rpc/parked.h"

void run_encode_answer(struct run *r)
{
	struct rq *rq = &r->rq;
	struct answer answer = { .message = r->response ? r->response : message_bare_response(rq->arena, rq->fn),
				 .outcome = r->outcome != OK ? r->outcome : rq->warning,
				 .received_us = rq->received_us,
				 .acceptable_validity_s = r->acceptable_validity_s ? &r->acceptable_validity_s : NULL };

	/* A refusal carries the base only: what a handler had put into out before it refused is not said. */
	answer.base = r->outcome == OK && r->out ? r->out : arena_alloc(rq->arena, answer.message->group->size);
	buf_clear(&r->w->answer);
	answer_encode(rq->arena, &r->w->answer, &answer);
	r->encoded = true;
}

struct answer_way run_answer_way(const struct run *r)
{
	return (struct answer_way){ .fn = r->rq.fn,
				    .namespace_uri = r->rq.caller->dialect.namespace_uri,
				    .to = r->envelope.from,
				    .to_entity = r->rq.caller->oid.text,
				    .message_id = r->envelope.message_id,
				    .transaction_id = r->envelope.transaction_id,
				    .context_id = r->envelope.context_id };
}

/* Wraps w->answer into w->envelope. */
static const char *wrap_answer(struct run *r)
{
	struct answer_way way = run_answer_way(r);
	struct bytes answer = { (const uint8_t *)r->w->answer.data, r->w->answer.len };

	return answer_wrap(r->rq.arena, &r->w->envelope, r->rq.rpc, &way, answer);
}

const char *run_function_name(const struct run *r)
{
	if (r->mailbox)
		return "MakeConnection";
	return r->rq.fn ? r->rq.fn->wire : "?";
}

static void journal_in(struct run *r)
{
	struct bytes body = http_body(r->http);
	struct journal_entry e = { .at = r->rq.received_us,
				   .kind = JOURNAL_IN,
				   .peer = r->rq.caller->oid.text,
				   .eid = r->rq.eid,
				   .function = run_function_name(r),
				   .message_id = r->envelope.message_id ? r->envelope.message_id : "",
				   .text = body.data,
				   .n = body.len };

	/* A function that we do not serve may carry secrets that no table names. */
	journal_message(r->rq.rpc, &r->w->scratch, &e, r->in ? r->request : NULL, r->in);
}

static void journal_out(struct run *r, unsigned status, const char *message_id)
{
	struct journal_entry e = { .at = clock_wall_us(),
				   .kind = JOURNAL_ANSWER_OUT,
				   .peer = r->rq.caller->oid.text,
				   .eid = r->rq.eid,
				   .function = run_function_name(r),
				   .message_id = message_id,
				   .status = status,
				   .text = r->w->envelope.data,
				   .n = r->w->envelope.len };

	journal_write(r->rq.rpc->journal, &e);
}

static const char *ending(const struct run *r)
{
	if (r->fault.code)
		return "FAULT";
	if (r->outcome != OK)
		return status_name(r->outcome->status);
	if (r->mailbox && (r->fetched || r->http_status == 202))
		return r->fetched ? "FETCHED" : "EMPTY";
	if (r->replayed)
		return "REPEATED"; /* what was stored may have been a refusal */
	if (r->parking)
		return "PARKED";
	if (r->http_status)
		return r->http_status == 202 ? "ACCEPTED" : "HTTP";
	return status_name(r->rq.warning ? STATUS_WARNING : STATUS_SUCCESS);
}

static void log_call(const struct run *r, unsigned status, int64_t us)
{
	const struct result *o = r->outcome != OK ? r->outcome : r->rq.warning;
	bool bad = r->fault.code || (o && (o->code == CODE_INTERNAL || o->status == STATUS_EXPIRED));
	struct log_line l;

	log_begin(&l, bad ? LOG_WARN : LOG_INFO, "call");
	log_str(&l, "function", run_function_name(r));
	log_str(&l, "caller", r->rq.caller->oid.text);
	log_str(&l, "eid", r->rq.eid);
	log_str(&l, "message_id", r->envelope.message_id);
	log_str(&l, "trace", r->rq.trace);
	log_int(&l, "http", status);
	log_str(&l, "status", ending(r));
	if (o) {
		log_str(&l, "subject", status_code(o->code)->subject);
		log_str(&l, "reason", status_code(o->code)->reason);
		log_str(&l, "message", o->message);
		log_str(&l, "cause", o->cause);
	}
	log_str(&l, "fault", r->fault.reason);
	log_int(&l, "us", us);
	log_end(&l);
}

static void count_call(const struct run *r, int64_t us)
{
	char labels[160];

	(void)snprintf(labels, sizeof(labels), "function=\"%s\",status=\"%s\"", run_function_name(r), ending(r));
	metric_add("rsp_calls_total", labels, 1);
	(void)snprintf(labels, sizeof(labels), "function=\"%s\"", run_function_name(r));
	metric_observe_us("rsp_call_seconds", labels, us);
}

bool run_fault_of_outcome(struct run *r)
{
	const struct result *o = r->outcome;
	bool ours = o->code == CODE_INTERNAL || o->code == CODE_BUSY || o->status == STATUS_EXPIRED;

	return run_fault(r, ours ? "Receiver" : "Sender", "%s", o->message ? o->message : status_code(o->code)->text);
}

/* What goes out: *out_message_id for the journal. */
static unsigned compose(struct run *r, const char **out_message_id)
{
	*out_message_id = "";
	if (!r->fault.code && !r->http_status && r->rq.fn && r->rq.fn->mep == MEP_NOTIFY && r->outcome != OK)
		(void)run_fault_of_outcome(r);
	if (r->fault.code) {
		buf_clear(&r->w->envelope);
		envelope_fault(&r->w->envelope, &r->fault, r->envelope.message_id);
		return strcmp(r->fault.code, "Sender") ? 500 : 400; /* SOAP 1.2: 400 is for the sender's faults alone */
	}
	if (r->http_status) {
		buf_clear(&r->w->envelope);
		return r->http_status;
	}
	if (r->fetched) {
		*out_message_id = r->fetched;
		return 200;
	}
	if (r->rq.fn->mep == MEP_NOTIFY) {
		buf_clear(&r->w->envelope);
		return 202;
	}
	if (r->stored.len) {
		buf_clear(&r->w->answer);
		buf_add(&r->w->answer, r->stored.data, r->stored.len);
	} else if (!r->encoded) { /* what was stored for a repetition is what is sent */
		run_encode_answer(r);
	}
	*out_message_id = wrap_answer(r);
	return 200;
}

static void tell(const struct run *r, unsigned status)
{
	int64_t us = clock_us() - r->rq.started_us;

	log_call(r, status, us);
	count_call(r, us);
}

/* Nothing of the request may be touched once it is parked. */
static void park(struct run *r)
{
	journal_in(r);
	tell(r, 0);
	parked_park(r->rq.rpc->parked, r->place, r->http, r->rq.validity_s);
}

void run_reply(struct run *r)
{
	const char *message_id;
	unsigned status;

	if (r->parking) {
		park(r);
		return;
	}
	status = compose(r, &message_id);
	journal_in(r);
	journal_out(r, status, message_id);
	http_reply(r->http, status, r->w->envelope.len ? SOAP_TYPE : NULL, r->w->envelope.data, r->w->envelope.len);
	tell(r, status);
}

void journal_message(struct rpc *rpc, struct buf *scratch, struct journal_entry *entry, const struct bind_message *m, const void *decoded)
{
	if (!rpc->journal)
		return;
	if (decoded && !bind_has_secret(m)) {
		journal_write(rpc->journal, entry);
		return;
	}
	buf_clear(scratch);
	if (decoded)
		bind_encode(scratch, m, decoded, BIND_MASKED);
	else
		journal_mask(scratch, entry->text, entry->n);
	entry->text = scratch->data;
	entry->n = scratch->len;
	journal_write(rpc->journal, entry);
}

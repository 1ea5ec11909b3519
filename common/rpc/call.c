/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that we originate. Per attempt: a new MessageID and date, the same body and FunctionCallIdentifier (A1). */
#include "common/rpc/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/rpc/run.h"

enum { ANSWER_MAX = BODY_MAX };

/* One call on its way. Lives in its own arena. */
struct flight {
	struct arena *arena;
	struct rpc *rpc;
	struct call_request rq;      /* strings and body copied */
	const char *name;            /* of the message: ES4-GetEIS, ES4-EnableProfileResponse */
	struct buf message;
	const char *message_id;
	const char **headers;
	size_t url;                  /* index of the address being tried */
	struct call_answer answer;
	void (*done)(void *user, struct arena *a, const struct call_answer *answer);
	void *user;
	bool keep;                   /* the arena is done's */
};

/* Empty is as good as absent: so columns of rows say it. */
static const char *dup_or_null(struct arena *a, const char *s)
{
	return s && *s ? arena_strdup(a, s) : NULL;
}

static void endpoint_copy(struct arena *a, const struct endpoint *in, struct endpoint *out)
{
	const char **urls = arena_array(a, in->n, sizeof(*urls));

	for (size_t i = 0; i < in->n; i++)
		urls[i] = arena_strdup(a, in->urls[i]);
	*out = (struct endpoint){ .urls = urls, .n = in->n, .pins = dup_or_null(a, in->pins) };
}

static void entity_copy(struct arena *a, const struct entity *in, const struct entity **out)
{
	struct entity *e = arena_memdup(a, in, sizeof(*e));

	e->name = arena_strdup(a, in->name);
	e->customers = NULL;
	e->n_customers = 0;
	e->dialect.namespace_uri = dup_or_null(a, in->dialect.namespace_uri);
	*out = e;
}

/* A ReplyTo may name its entity itself (binding.md a7): then it is repeated as it came. */
static bool names_entity(const char *address)
{
	static const char name[] = "EntityId=";

	for (const char *p = strpbrk(address, "?&"); p; p = strpbrk(p + 1, "?&"))
		if (!strncasecmp(p + 1, name, sizeof(name) - 1))
			return true;
	return false;
}

static void flight_compose(struct flight *f)
{
	struct arena *a = f->arena;
	const struct entity *to = f->rq.to;
	bool callback = f->rq.kind == CALL_CALLBACK;
	char action[ACTION_MAX];
	struct envelope e = { .from = arena_printf(a, "%s/%s", f->rpc->self_url, iface_name(f->rq.fn->iface)),
			      .from_entity = f->rpc->self.text,
			      .from_name = *f->rpc->self_name ? f->rpc->self_name : NULL,
			      .to = f->rq.endpoint.n ? f->rq.endpoint.urls[0] : "",
			      .reply_to = f->rq.reply_to,
			      .relates_to = callback ? f->rq.relates_to : NULL,
			      .action = action };

	if (callback)
		function_callback_action(f->rq.fn, action);
	else
		function_request_action(f->rq.fn, action);
	e.to_entity = names_entity(e.to) ? NULL : to->oid.text;
	f->message_id = f->rq.message_id ? f->rq.message_id :
					   message_id_new(a, f->rpc->self.text, f->rq.transaction_id, f->rq.context_id);
	e.message_id = f->message_id;
	envelope_open(&f->message, &e, to->dialect.namespace_uri ? to->dialect.namespace_uri : NS_RPS_DEFAULT);
	buf_add(&f->message, f->rq.body, f->rq.body_n);
	envelope_close(&f->message);
}

static void flight_headers(struct flight *f)
{
	f->headers = arena_array(f->arena, 2, sizeof(*f->headers));
	if (*f->rq.trace)
		f->headers[0] = arena_printf(f->arena, "traceparent: %s", f->rq.trace);
}

static struct flight *flight_new(struct rpc *rpc, const struct call_request *rq)
{
	struct arena *a = arena_new();
	struct flight *f = ARENA_NEW(a, struct flight);

	f->arena = a;
	f->rpc = rpc;
	f->rq = *rq;
	f->rq.body = arena_memdup(a, rq->body, rq->body_n);
	f->rq.eid = arena_strdup(a, rq->eid ? rq->eid : "");
	f->rq.context_id = dup_or_null(a, rq->context_id);
	f->rq.reply_to = dup_or_null(a, rq->reply_to);
	f->rq.relates_to = dup_or_null(a, rq->relates_to);
	f->rq.transaction_id = dup_or_null(a, rq->transaction_id);
	f->rq.message_id = dup_or_null(a, rq->message_id);
	f->name = rq->kind == CALL_CALLBACK ? arena_printf(a, "%sResponse", rq->fn->wire) : rq->fn->wire;
	f->rq.trace = arena_strdup(a, rq->trace ? rq->trace : "");
	endpoint_copy(a, &rq->endpoint, &f->rq.endpoint);
	entity_copy(a, rq->to, &f->rq.to);
	flight_compose(f);
	flight_headers(f);
	return f;
}

/* The table of what was sent or came; NULL: there is none. */
static const struct bind_message *flight_table(const struct flight *f, enum journal_kind kind)
{
	enum function_id id = f->rq.fn->id;

	if (kind == JOURNAL_OUT)
		return f->rq.kind == CALL_CALLBACK ? message_response(id) : message_request(id);
	return f->rq.kind == CALL_REQUEST ? message_response(id) : NULL;
}

static void flight_journal(struct flight *f, enum journal_kind kind, unsigned status, const void *text, size_t n)
{
	CLEANUP(buf_free) struct buf masked = { 0 };
	const struct bind_message *m = flight_table(f, kind);
	struct journal_entry e = { .at = clock_wall_us(),
				   .kind = kind,
				   .peer = f->rq.to->oid.text,
				   .eid = f->rq.eid,
				   .function = f->name,
				   .message_id = f->message_id,
				   .status = status,
				   .text = text,
				   .n = n };

	/* Both are text here: where the table has secrets, or there is none to ask, they are masked as text. */
	if (f->rpc->journal && (!m || bind_has_secret(m))) {
		journal_mask(&masked, text, n);
		e.text = masked.data;
		e.n = masked.len;
	}
	journal_write(f->rpc->journal, &e);
}

static struct http_outgoing flight_outgoing(const struct flight *f)
{
	return (struct http_outgoing){ .method = "POST",
				       .url = f->rq.endpoint.urls[f->url],
				       .content_type = "application/soap+xml; charset=utf-8",
				       .body = f->message.data,
				       .n = f->message.len,
				       .headers = (const char *const *)f->headers,
				       .pinned_keys = f->rq.endpoint.pins,
				       .timeout_ms = f->rq.timeout_ms,
				       .max_answer = ANSWER_MAX };
}

static enum call_outcome garbage(struct flight *f, const char *why)
{
	f->answer.why = why;
	return CALL_GARBAGE;
}

/* The answer is of the entity that was asked, and to this message. */
static const char *answer_mismatch(const struct flight *f, const struct envelope *e)
{
	if (e->from_entity && strcmp(e->from_entity, f->rq.to->oid.text))
		return "the answer's From is another entity";
	if (e->relates_to && strcmp(e->relates_to, f->message_id))
		return "the answer relates to another message";
	return NULL;
}

static enum call_outcome decode_response(struct flight *f, const struct envelope *e)
{
	const struct bind_message *m = message_response(f->rq.fn->id);
	const struct bind_dialect dialect = { .unqualified = f->rq.to->dialect.unqualified };
	void *out;
	result r;

	if (function_by_response_root(soap_name(e->body)) != f->rq.fn)
		return garbage(f, arena_printf(f->arena, "the answer's body is %s", soap_name(e->body)));
	if (!m)
		m = message_bare_response(f->arena, f->rq.fn);
	out = arena_alloc(f->arena, m->group->size);
	r = bind_decode(f->arena, m, e->body, soap_namespace(e->body), &dialect, out);
	if (r != OK)
		return garbage(f, r->message ? r->message : status_code(r->code)->text);
	f->answer.response = out;
	f->answer.base = out;
	return CALL_RESPONSE;
}

static enum call_outcome read_answer(struct flight *f, struct bytes body)
{
	CLEANUP(soap_doc_freep) struct soap_doc *doc = NULL;
	struct envelope e = { 0 };
	struct soap_fault fault = { 0 };
	const char *reason = NULL;

	doc = soap_doc_parse(f->arena, body.data, body.len, &SOAP_LIMITS, &reason);
	if (!doc)
		return garbage(f, reason);
	if (!envelope_parse(f->arena, doc, &e, &fault))
		return garbage(f, fault.reason);
	if (envelope_is_fault(f->arena, &e, &f->answer.fault))
		return f->answer.why = f->answer.fault.reason, CALL_FAULT;
	if (f->rq.kind != CALL_REQUEST)
		return garbage(f, arena_printf(f->arena, "a %s in answer to a message that has no answer", soap_name(e.body)));
	reason = answer_mismatch(f, &e);
	return reason ? garbage(f, reason) : decode_response(f, &e);
}

/* Nodes of a decoded answer die with its document; structs hold copies (EIS octets included). */
static enum call_outcome outcome_of(struct flight *f, const struct http_answer *h)
{
	f->answer.why = h->reason ? arena_strdup(f->arena, h->reason) : http_error_name(h->error);
	switch (h->error) {
	case HTTP_ANSWERED:
		break;
	case HTTP_UNREACHABLE:
	case HTTP_REFUSED:
		return CALL_UNREACHABLE;
	case HTTP_BROKEN:
	case HTTP_TIMEOUT:
		return CALL_BROKEN;
	case HTTP_TOO_LARGE:
		return CALL_GARBAGE;
	}
	if (h->status == 202 || (f->rq.kind != CALL_REQUEST && h->status / 100 == 2 && !h->body.len))
		return CALL_ACCEPTED;
	if (h->status == 503 && !h->body.len)
		return f->answer.why = "HTTP 503", CALL_BROKEN;
	if (!h->body.len)
		return garbage(f, arena_printf(f->arena, "HTTP %u without a body", h->status));
	return read_answer(f, h->body);
}

static void flight_log(const struct flight *f, const struct http_answer *h)
{
	static const char *const names[] = { "response", "accepted", "fault", "unreachable", "broken", "garbage" };
	bool good = f->answer.outcome == CALL_RESPONSE || f->answer.outcome == CALL_ACCEPTED;
	struct log_line l;
	char labels[160];

	log_begin(&l, good ? LOG_INFO : LOG_WARN, "call_out");
	log_str(&l, "function", f->name);
	log_str(&l, "to", f->rq.to->oid.text);
	log_str(&l, "eid", f->rq.eid);
	log_str(&l, "message_id", f->message_id);
	log_int(&l, "http", h->status);
	log_str(&l, "outcome", names[f->answer.outcome]);
	if (f->answer.base)
		log_str(&l, "status", status_name(f->answer.base->status.status));
	if (!good)
		log_str(&l, "why", f->answer.why);
	log_int(&l, "us", h->us);
	log_end(&l);
	(void)snprintf(labels, sizeof(labels), "function=\"%s\",outcome=\"%s\"", f->name, names[f->answer.outcome]);
	metric_add("rsp_calls_out_total", labels, 1);
}

/* True: the next address is to be tried. */
static bool flight_land(struct flight *f, const struct http_answer *h)
{
	f->answer = (struct call_answer){ .message_id = f->message_id };
	f->answer.outcome = outcome_of(f, h);
	flight_journal(f, JOURNAL_ANSWER_IN, h->status, h->body.data ? (const void *)h->body.data : "", h->body.len);
	flight_log(f, h);
	if (f->answer.outcome != CALL_UNREACHABLE || f->url + 1 >= f->rq.endpoint.n)
		return false;
	f->url++;
	return true;
}

/* Without an address, or without a certificate to know the peer by: any partner of the same CA could stand in for it (A3, D5). */
static bool peer_unknown(struct flight *f)
{
	const char *lacks = !f->rq.endpoint.n ? "address" : !f->rq.endpoint.pins ? "certificate" : NULL;

	if (!lacks)
		return false;
	f->answer.outcome = CALL_UNREACHABLE;
	f->answer.why = arena_printf(f->arena, "the registry has no %s of %s for %s", lacks, f->rq.to->oid.text,
				     iface_name(f->rq.fn->iface));
	log_msg(LOG_WARN, "call_out", "%s", f->answer.why);
	return true;
}

static void flight_start(struct flight *f);

static void flight_end(struct flight *f)
{
	bool keep = f->keep;
	struct arena *arena = f->arena;

	buf_free(&f->message);
	f->done(f->user, arena, &f->answer);
	if (!keep)
		arena_free(arena);
}

static void flight_done(void *user, const struct http_answer *h)
{
	struct flight *f = user;

	if (flight_land(f, h))
		flight_start(f);
	else
		flight_end(f);
}

static void flight_start(struct flight *f)
{
	struct http_outgoing outgoing = flight_outgoing(f);

	http_client_send(f->rpc->client, &outgoing, flight_done, f);
}

static void flight_launch(struct flight *f, void (*done)(void *user, struct arena *a, const struct call_answer *answer), void *user)
{
	f->done = done;
	f->user = user;
	flight_journal(f, JOURNAL_OUT, 0, f->message.data, f->message.len);
	if (peer_unknown(f))
		flight_end(f);
	else
		flight_start(f);
}

void call_start(struct rpc *rpc, const struct call_request *rq, void (*done)(void *user, struct arena *a, const struct call_answer *answer),
		void *user)
{
	flight_launch(flight_new(rpc, rq), done, user);
}

void call_start_keep(struct rpc *rpc, const struct call_request *rq,
		     void (*done)(void *user, struct arena *a, const struct call_answer *answer), void *user)
{
	struct flight *f = flight_new(rpc, rq);

	f->keep = true;
	flight_launch(f, done, user);
}

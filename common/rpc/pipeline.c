/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a call, on one page (design.md 2): identify, receive, the steps below, then execute (begin: claim, lock, load -> relation ->
 * handler -> commit) and the answer. */
#include "common/rpc/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/msg/wsdl.h"

enum { TRACEPARENT = 55 };

#define STEPS(STEP)                                                                                                                    \
	STEP(parse)      /* hardened XML */                                                                                            \
	STEP(addressing) /* envelope; From is the certificate's entity */                                                              \
	STEP(lookup)     /* body root -> function row; URL and Action agree; role may call; served here */                            \
	STEP(decode)     /* bind table = validator; validity period */

static bool (*const steps[])(struct run *) = {
#define STEP(name) run_##name,
	STEPS(STEP)
#undef STEP
};

/* A connection is identified before its thread has handled a request: the worker is made by whoever needs it first. */
static _Thread_local struct worker *this_worker;

static struct run *run_new(struct worker *w)
{
	struct run *r = w->spare;
	struct arena *a;

	if (r) {
		w->spare = r->next;
		a = r->rq.arena;
	} else {
		r = malloc(sizeof(*r));
		if (!r)
			abort();
		a = arena_new();
	}
	*r = (struct run){ .w = w, .rq = { .arena = a, .db = w->db, .rpc = w->rpc } };
	return r;
}

static void run_end(struct run *r)
{
	soap_doc_free(r->doc);
	arena_reset(r->rq.arena);
	r->next = r->w->spare;
	r->w->spare = r;
}

static struct worker *worker_get(struct rpc *rpc)
{
	struct worker *w = this_worker;

	if (w && w->rpc == rpc)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	w->rpc = rpc;
	w->db = db_open(rpc->store);
	w->arena = arena_new();
	this_worker = w;
	return w;
}

void *pipeline_thread_open(void *ctx)
{
	return worker_get(ctx);
}

void pipeline_thread_close(void *ctx, void *thread)
{
	struct worker *w = thread;

	while (w->spare) {
		struct run *r = w->spare;

		w->spare = r->next;
		arena_free(r->rq.arena);
		free(r);
	}
	db_close(w->db);
	arena_free(w->arena);
	buf_free(&w->answer);
	buf_free(&w->envelope);
	buf_free(&w->scratch);
	free(w);
}

static void peer_unknown(const struct http_peer *peer, const char *why)
{
	uint8_t fingerprint[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];
	struct log_line l;

	sha256(peer->der.data, peer->der.len, fingerprint);
	for (unsigned i = 0; i < SHA256_LEN; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", fingerprint[i]);
	log_begin(&l, LOG_WARN, "peer_refused");
	log_str(&l, "certificate_sha256", hex);
	log_str(&l, "why", why);
	log_end(&l);
	metric_add("rsp_peers_refused_total", "", 1);
}

/* Certificate -> entity (D5): an unknown one is closed before a body is read. */
static bool peer_accept(void *ctx, const struct http_peer *http_peer, void **out_peer)
{
	struct worker *w = worker_get(ctx);
	struct arena *a = arena_new();
	const struct entity *entity = NULL;
	result r = registry_by_certificate(w->db, a, http_peer->der, &entity);
	struct peer *peer;

	if (r != OK || !entity) {
		peer_unknown(http_peer, r != OK ? r->cause : "not in the registry");
		arena_free(a);
		return false;
	}
	peer = ARENA_NEW(a, struct peer);
	peer->arena = a;
	peer->entity = entity;
	*out_peer = peer;
	return true;
}

static void peer_free(void *ctx, void *p)
{
	struct peer *peer = p;

	arena_free(peer->arena);
}

/* Two processes may share a role, and its functions: each describes its own. */
static bool speaks(const struct rpc *rpc, enum iface iface)
{
	for (size_t i = 0; i < rpc->n_served; i++)
		if (function_by_id(rpc->served[i].id)->iface == iface)
			return true;
	return false;
}

/* ?xsd=rps3, ?xsd=xmldsig, ?wsdl, ?wsdl=callback: what we speak, from the tables. False: no such description. */
static bool describe_write(struct rpc *rpc, struct worker *w, struct http_call *call)
{
	const char *xsd = http_query(call, "xsd"), *form = http_query(call, "wsdl");
	enum iface iface;

	if (xsd && !strcmp(xsd, "xmldsig"))
		return xmldsig_xsd_write(&w->envelope), true;
	if (xsd && !strcmp(xsd, "rps3"))
		return xsd_write(&w->envelope, "?xsd=xmldsig"), true;
	if (!http_has_query(call, "wsdl") || !path_interface(http_path(call), &iface) || !speaks(rpc, iface))
		return false;
	return wsdl_write(&w->envelope, iface, rpc->self_role, form && !strcmp(form, "callback"),
			  arena_printf(w->arena, "%s%s", rpc->self_url, http_path(call)), "?xsd=rps3");
}

static void describe(struct rpc *rpc, struct worker *w, struct http_call *call)
{
	static const char none[] = "no such description: try /es4?wsdl\n";

	buf_clear(&w->envelope);
	if (describe_write(rpc, w, call))
		http_reply(call, 200, "text/xml; charset=utf-8", w->envelope.data, w->envelope.len);
	else
		http_reply(call, 404, "text/plain", none, sizeof(none) - 1);
}

const char *rpc_trace(struct arena *a, const struct http_call *call)
{
	const char *trace = http_header(call, "traceparent");

	if (!trace || strlen(trace) != TRACEPARENT || strspn(trace, "0123456789abcdef-") != TRACEPARENT)
		return "";
	return arena_strdup(a, trace);
}

static struct run *run_begin(struct worker *w, struct http_call *call)
{
	const struct peer *peer = http_peer_of(call);
	struct run *r = run_new(w);

	r->http = call;
	r->rq.caller = peer->entity;
	r->rq.envelope = &r->envelope;
	r->rq.role = w->rpc->role_state;
	r->rq.started_us = http_started_us(call);
	r->rq.received_us = clock_wall_us();
	r->rq.trace = rpc_trace(r->rq.arena, call);
	return r;
}

/* True: all that can be found out without the database says yes. */
static bool understand(struct run *r)
{
	for (unsigned i = 0; i < LEN(steps); i++)
		if (!steps[i](r))
			return false;
	return true;
}

static void answer(struct run *r)
{
	run_reply(r);
	run_end(r);
}

/* A read waits for the other reads that have come to this thread by now: one round trip for all of them. */
static void handle(void *ctx, struct http_call *call)
{
	struct worker *w = http_thread_of(call);
	struct run *r = http_again_of(call);

	if (r) {
		round_load(w);
		(void)run_execute(r);
		answer(r);
		return;
	}
	if (!strcmp(http_method(call), "GET")) {
		arena_reset(w->arena);
		describe(ctx, w, call);
		return;
	}
	r = run_begin(w, call);
	if (understand(r)) {
		if (round_join(r)) {
			http_again(call, r);
			return;
		}
		(void)run_execute(r);
	}
	answer(r);
}

static void forget(void *ctx, void *user)
{
	struct run *r = user;

	round_leave(r);
	run_end(r);
}

const struct http_handlers pipeline_handlers = { .peer_accept = peer_accept, .peer_free = peer_free, .handle = handle, .forget = forget };

bool run_fault(struct run *r, const char *code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	r->fault = (struct soap_fault){ .code = code, .reason = arena_vprintf(r->rq.arena, fmt, args) };
	va_end(args);
	return false;
}

bool run_refuse(struct run *r, result outcome)
{
	r->outcome = outcome;
	return false;
}

bool run_fault_point(const struct run *r, const char *stage)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "%s.%s.%s", r->rq.rpc->role, r->rq.fn->wire, stage);
	return FAULT(name, r->rq.eid);
}

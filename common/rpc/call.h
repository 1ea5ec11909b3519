/* SPDX-License-Identifier: Apache-2.0 */
/* SOAP requests that we originate: envelope, pins, addresses tried in turn, answer matched and decoded. */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include "common/auth/registry.h"
#include "common/http/client.h"
#include "common/msg/messages.h"
#include "common/soap/envelope.h"

struct rpc;

enum call_outcome {
	CALL_RESPONSE,   /* response decoded */
	CALL_ACCEPTED,   /* HTTP 202: the answer comes by callback (or it was a notification) */
	CALL_FAULT,      /* SOAP Fault */
	CALL_UNREACHABLE, /* nothing was sent: all addresses tried */
	CALL_BROKEN,     /* sent, no usable answer: repeat with the same FCI */
	CALL_GARBAGE,    /* an answer that is not ours: not SOAP, wrong root, RelatesTo of another message, another entity's From */
};

enum call_kind { CALL_REQUEST, CALL_NOTIFY, CALL_CALLBACK };

struct call_request {
	const struct function *fn;
	enum call_kind kind;     /* of the body; a notification or callback that got HTTP 2xx without a body, or 202, is CALL_ACCEPTED */
	const char *relates_to;  /* CALL_CALLBACK */
	const char *transaction_id; /* NULL: a new one */
	const char *message_id;  /* NULL: a new one */
	const struct entity *to;
	struct endpoint endpoint;
	const char *body;        /* encoded body element, with its rps prefix; not NUL-terminated */
	size_t body_n;
	const char *eid;         /* journal; "" when none */
	const char *context_id;  /* NULL: none */
	const char *reply_to;    /* NULL: none */
	const char *trace;       /* "" when none */
	unsigned timeout_ms;
};

struct call_answer {
	enum call_outcome outcome;
	const void *response;    /* CALL_RESPONSE: the struct of the function's response table */
	const struct response_base *base;
	struct soap_fault fault;
	const char *why;         /* for the log, when there is no response */
	const char *message_id;  /* of our request, to find it in the journal; NULL when nothing was sent */
};

/* Sends without waiting: done runs on the client's thread with an arena of its own, which dies when done returns. */
void call_start(struct rpc *rpc, const struct call_request *rq, void (*done)(void *user, struct arena *a, const struct call_answer *answer),
		void *user);
/* The same; the arena becomes done's: it ends it with arena_free when the answer is no longer needed. */
void call_start_keep(struct rpc *rpc, const struct call_request *rq,
		     void (*done)(void *user, struct arena *a, const struct call_answer *answer), void *user);

#endif

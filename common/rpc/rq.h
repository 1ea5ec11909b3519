/* SPDX-License-Identifier: Apache-2.0 */
/* A request on its way through the pipeline, and what a role gives the pipeline to serve it. */
#ifndef RPC_RQ_H
#define RPC_RQ_H

#include "common/auth/registry.h"
#include "common/auth/relation.h"
#include "common/msg/messages.h"
#include "common/store/statements.h"
#include "common/soap/envelope.h"
#include "common/store/store.h"

struct rpc;
struct rq;

/* What the begin step does for a function: queue() adds locks and loads to the first round trip, take() reads their rows, fills
 * rq->loaded and the facts of the relation check. Both may be NULL (nothing to load). max_rows: how many results queue() may add. */
struct load {
	size_t results;
	void (*queue)(struct rq *rq, const void *in);
	result (*take)(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts);
};

/* A function of others whose answer comes to us by callback (A3). load is as for a served function, in is the response struct, rq->correlation the
 * TransactionId of our request. The pipeline has checked root, From and table; the rest is the role's: */
enum callback_verdict {
	CALLBACK_TAKEN,    /* writes are queued: commit, 202 */
	CALLBACK_CLOSED,   /* the call was answered before: 202, logged, ignored */
	CALLBACK_NOT_OURS, /* no call of that entity waits for it: Sender fault */
};
struct awaited {
	enum function_id id;
	const struct load *load;
	/* INTERNAL or BUSY: HTTP 500, the peer sends again. */
	result (*handle)(struct rq *rq, const void *in, enum callback_verdict *out);
	void (*committed)(struct rq *rq); /* as in struct served */
};

/* One served function. handle: pure rules, then writes queued with DB_QUEUE on rq->db and events with rq_event; no effect outside the
 * transaction, no log, no commit: it may be run again. in, out: the structs of the function's bind tables; out is zeroed, its base is filled
 * by the pipeline. */
struct served {
	enum function_id id;
	const struct load *load;
	result (*handle)(struct rq *rq, const void *in, void *out);
	/* After the commit: rings a bell of the role, nothing that matters (it may be lost with the process). NULL: nothing. */
	void (*committed)(struct rq *rq);
	bool relayed; /* RELAY of relay.h: it goes on to the next hop as this function */
	enum function_id next;
};
#define SERVE(es, name, load, handle) { FN_##es##_##name, (load), (handle), NULL }

struct rq {
	struct rpc *rpc;
	struct arena *arena;      /* all of the request lives and dies here */
	struct db *db;            /* this thread's connection */
	const struct function *fn;
	const char *name_used;    /* by the body root: tells an alias */
	const struct entity *caller;
	const struct envelope *envelope;
	const void *in;
	void *loaded;             /* what load.take made: the role's own struct */
	void *role;               /* app_spec.role_open's object */
	int64_t started_us;       /* clock_us() */
	int64_t received_us;      /* wall clock, microseconds since 1970 */
	uint32_t validity_s;
	const char *claim_key;    /* the identifier under which table call has this call: rq->in's FCI but for dialect fci=weak */
	const char *correlation;  /* callbacks: TransactionId of the request they answer */
	char eid[EID_DIGITS + 1]; /* for log, journal and outbox order; "" when the input has none */
	const char *trace;        /* traceparent, "" when none came */
	const struct result *warning;
	bool outbox, events;      /* calls, events for the bus were added: ring the workers after commit */
};

/* Makes the answer EXECUTED_WITHWARNING with this code; the last one stands. */
void rq_warn(struct rq *rq, enum code code, const char *subject_id, const char *fmt, ...) PRINTF(4, 5);
/* After the commit: wakes who works on what was added. */
void rq_ring(const struct rq *rq);
/* Queues an event for the bus in the current transaction (B2): event "eis.registered", payload JSON text. */
void rq_event(struct rq *rq, const char *event, const char *eid, const char *json);

#endif

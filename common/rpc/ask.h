/* SPDX-License-Identifier: Apache-2.0 */
/* What the sm-sr and the sm-sr-handover of one domain ask each other (decisions.md B2, design.md 6): rq.<domain>.<role>.<verb> on the bus,
 * JSON both ways, a schema for each verb in proto/events/rq.*.json. A request is an outbox row, repeated until it is answered: who is
 * asked knows by (handover, step) what was done already, and answers the same again. */
#ifndef RPC_ASK_H
#define RPC_ASK_H

#include <jansson.h>

#include "common/rpc/rpc.h"

/* So long an answer is waited for, before the same is asked again. */
enum { ASK_MS = 3000 };

/* ---- Who asks ---- */

struct ask {
	const char *role;  /* whom: "sm-sr", "sm-sr-handover" */
	const char *verb;  /* "adopt" */
	const char *eid;   /* order is kept per (role, eid) */
	const char *ref;   /* the asker's own key of what waits for the answer, handed to `replied`; "handover/step" */
	const char *trace; /* traceparent; NULL: none */
	const char *json;  /* the request by its schema: an object */
	int64_t give_up_s; /* from now on, by the database's clock; 0: it is asked for ever */
};
/* Queues the row in the current transaction; outbox_ring after the commit. */
void outbox_ask(struct db *db, struct arena *a, const struct ask *q);

/* What came of a row. */
struct ask_reply {
	const char *role, *verb, *eid, *ref;
	bool given_up;        /* no answer in give_up_s; nothing below is set then */
	bool done;            /* else refused */
	const char *code;     /* refused: subject/reason, "8.1/3.3"; "" else */
	const char *message;  /* "" : none */
	const json_t *body;   /* the whole answer */
	/* Set by `replied`: replicas where callers are parked whose call it ended (deferred_end), blank between two; they are rung after the commit. */
	const char **parked;
};
/* Queues statements on db: a transaction is open, and the row's deletion is committed with them. True: the row is done; false: it is asked
 * again later. May run again. */
typedef bool (*ask_replied)(void *role, struct db *db, struct arena *a, const struct ask_reply *reply);

/* ---- Who is asked ---- */

struct asking {
	struct rpc *rpc;
	void *role;            /* rpc->role_state */
	struct db *db;         /* a transaction is open */
	struct arena *a;
	const char *verb, *trace;
	const char *handover;  /* a UUID in lower case: checked, as are the next two */
	const char *step;      /* 1..64 characters */
	struct eid eid;
	const json_t *in;      /* the request: an object without double members */
	struct buf *out;       /* further members of the answer (json_out_member) */
	void *loaded;          /* the handler's own, for `committed` */
};
struct asked {
	const char *verb;
	/* OK: done. STATUS_FAILED: refused with its code and message, and what it queued is rolled back. Anything else: no answer goes out, what was
	 * queued is rolled back, and the asker repeats. */
	result (*answer)(struct asking *q);
	void (*committed)(struct asking *q); /* bells; NULL: outbox_ring alone */
};

/* Members of a request, for handlers: NULL, or false, when it is missing or of another type; the caller refuses with 1.6/2.1 (text). */
const char *asking_text(const struct asking *q, const char *member);
bool asking_number(const struct asking *q, const char *member, int64_t min, int64_t max, int64_t *out);
/* RFC 3339 as the database's microseconds since 1970. */
bool asking_time(const struct asking *q, const char *member, int64_t *out);
/* FAILED with the code for a request that cannot be read: names the member. */
result asking_bad(const struct asking *q, const char *member);

/* Answers what this role is asked, on threads with a database connection each, until it is closed. rpc->bus is set. */
struct ask_spec {
	struct rpc *rpc;
	const struct asked *asked;
	size_t n_asked;
	unsigned threads;
};
struct ask_server;
struct ask_server *ask_serve_open(const struct ask_spec *spec);
/* What runs ends; what waits is left to another replica. NULL allowed. */
void ask_serve_close(struct ask_server *s);

#endif

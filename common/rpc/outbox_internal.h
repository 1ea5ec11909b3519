/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rpc/: the outbox's workers, their batches, and what they have in flight. */
#ifndef RPC_OUTBOX_INTERNAL_H
#define RPC_OUTBOX_INTERNAL_H

#include <pthread.h>

#include "common/rpc/call.h"
#include "common/rpc/rpc.h"

#define BUS_LANE "bus"
#define PEER_LANE "peer:"
#define ASK_LANE "rq:" /* and a role of our domain (ask.h) */
enum { SHARDS = 16, BATCH_MAX = 128, PAUSED_MAX = 64, IN_FLIGHT_DEFAULT = 256, IN_FLIGHT_MAX = 65536, WHY_MAX = 200 };
enum { ASKS_IN_FLIGHT = 512 /* of the bus's worker; a lane gets half */ };

/* One due row, copied. */
struct outbox_row {
	int64_t id;
	unsigned shard;
	const char *lane, *eid, *kind, *dedup, *ref, *context_id, *trace;
	struct bytes payload;
	int64_t attempts;
	bool give_up;
	const char *address, *relates_to, *transaction_id, *message_id;
	bool wants_callback;
	int64_t timeout_s;
};

/* What a row's lane and kind mean. */
struct outbox_target {
	const struct function *fn;
	enum outbox_kind kind;
	struct oid to;
};

/* A peer that could not be reached is paused as a whole and then probed with one row (B1). */
struct pause {
	char lane[OID_MAX + 8]; /* "" : free */
	int64_t until_ms, backoff_ms;
	bool probing;
	int64_t probed_ms; /* by when the one row that is on its way should have failed; past: none is */
	bool away;         /* of the bus's worker: there was no connection; it ends the pause when it is back */
	char why[WHY_MAX];
};

struct outbox_worker;
struct outbox {
	struct outbox_spec spec;
	struct outbox_worker **workers; /* [0] works the bus */
	unsigned n_workers;
	pthread_mutex_t lock; /* of all below, and of what the workers say so of */
	uint64_t rings[2];  /* for the workers of calls, for the bus's */
	uint64_t own_rings; /* those for what this process committed */
	unsigned in_flight; /* of all workers */
	bool closing;
	struct pause paused[PAUSED_MAX];
};

/* One call or request that has been sent. Until its done runs it is the client's or the bus's, then it waits in the worker's list. */
struct flight {
	struct flight *next; /* of those that came back */
	struct arena *arena; /* ours, row included */
	struct outbox_worker *w;
	struct outbox_row row; /* without its payload: the call has a copy */
	struct outbox_target target;
	struct flight_lane *lane;
	bool elsewhere; /* to a place that says nothing of the peer's own */
	bool probe;     /* of a paused lane the only one */
	unsigned slot;
	struct arena *answer_arena;
	struct call_answer answer;
	bool asks; /* a request on the bus; then these two instead of answer */
	enum bus_outcome outcome;
	struct bytes reply; /* or why it was refused */
};
/* A lane with something in flight. */
struct flight_lane {
	char name[OID_MAX + 8]; /* "": free */
	unsigned n;
};

/* Whom the registry says that a row goes to; looked up once in a pass, however many rows go there. */
struct outbox_peer;

struct outbox_worker {
	struct outbox *outbox;
	pthread_t thread;
	struct db *db;
	struct arena *arena;     /* of one pass */
	struct outbox_peer *peers; /* in it */
	unsigned number;
	bool bus;          /* works the lanes of the bus, and nothing else: events never wait for a peer */
	bool closing;            /* the worker's own copy: nothing new is sent */
	int64_t looked_ms;       /* when paused lanes were looked at last */
	int64_t hold_ms;         /* nothing is sent before: the database took no mark, and what is not marked goes out again */

	/* Shards whose locks this worker's connection holds: for a pass, or as long as one of their rows is in flight. */
	int64_t session;         /* that connection's backend; 0: not known */
	bool held[SHARDS];
	unsigned flying[SHARDS];
	bool looked;             /* the database answered the last look, */
	int64_t next_ms;         /* behind which nothing becomes due sooner by the clock; -1: at no time */
	uint32_t missed;         /* shards, as bits, that have due rows and are another process's */
	int64_t again_ms;        /* to the next look at those */
	uint64_t told;           /* own_rings of which their holders have been told, */
	int64_t told_ms;         /* and when */

	struct flight **flights; /* room for max */
	struct flight_lane *lanes;
	unsigned n_flights, max;

	/* Under the outbox's lock: */
	pthread_cond_t ring;
	bool waiting;
	uint32_t shards;         /* those held, as bits */
	struct flight *landed;   /* back from the client, in no order: no two are of one (lane, EID) */
};

/* Lanes not to be worked now, blank between two; in a. */
const char *outbox_paused_lanes(struct outbox *o, struct arena *a);
/* True when only one row of this lane may be tried: it is being probed. */
bool outbox_probing(struct outbox *o, const char *lane);
/* Whether a row of this lane may be sent now. *out_probe: it is the one by which a paused lane is tried; no worker sends another one until
 * outbox_probe_end, or until that row can no longer be on its way to a peer that is away. */
bool outbox_lane_enter(struct outbox *o, const char *lane, bool *out_probe);
void outbox_probe_end(struct outbox *o, const char *lane);
/* False: there is no room for one more pause: rows of this lane have to wait each by itself. why: for people; NULL: unknown. */
bool outbox_lane_failed(struct outbox *o, const char *lane, const char *why);
void outbox_lane_reached(struct outbox *o, const char *lane);
/* Milliseconds until the next pause ends, or the time of its probe, of those that had not ended when the lanes were looked at; -1: none. */
int64_t outbox_next_probe_ms(struct outbox *o, int64_t looked_ms);

/* outbox_shards.c: one pass. Locks what has work, delivers a batch of it, lets go of what has nothing in flight. How many rows were
 * ended, put off or sent. */
size_t outbox_pass(struct outbox_worker *w);
/* Rings at the replicas that hold what this worker missed: they hear nothing of our commits. */
void outbox_tell_holders(struct outbox_worker *w);

/* outbox_deliver.c: rows of shards that are locked, at most one per (lane, eid). How many were ended, put off or sent. */
size_t outbox_deliver(struct outbox_worker *w, const struct outbox_row *rows, size_t n);
/* The row's mark, in a transaction of its own; 1, or 0 when the database did not take it. */
size_t outbox_done(struct outbox_worker *w, int64_t id);
size_t outbox_put_off(struct outbox_worker *w, const struct outbox_row *row, const char *why);
/* HTTP 202, but the role keeps the row: asked again when the callback has had its time. */
size_t outbox_await(struct outbox_worker *w, const struct outbox_row *row);
/* Tells the relay or the role what came of a request, in the transaction that is open; as outbox_answered. *out_replicas: NULL, or a relay
 * ended and relay_ring is due after the commit. */
bool outbox_tell(struct outbox_worker *w, const struct outbox_answer *answer, const char **out_replicas);
size_t outbox_bury(struct outbox_worker *w, const struct outbox_row *row, const struct outbox_target *target, const char *why);
/* False: the row is damaged. */
bool outbox_target(struct arena *a, const struct outbox_row *row, struct outbox_target *out);
void outbox_fault_point(const struct outbox_worker *w, const char *stage, const char *eid);

/* True: the bus's worker has it. */
bool outbox_lane_of_bus(const char *lane);

/* outbox_flight.c. The row's lane, with room for it, while nothing of its (lane, EID) is in flight; else NULL. */
struct flight_lane *outbox_flight_lane(const struct outbox_worker *w, const struct outbox_row *row);
/* In flight from now on. */
struct flight *outbox_flight_add(struct outbox_worker *w, const struct outbox_row *row, struct flight_lane *lane);
/* It is back: any thread. */
void outbox_flight_land(struct flight *f);
/* Sends a row, unless its lane has all that it may have in flight: then it stays as it is. 1: sent or put off. */
size_t outbox_fly(struct outbox_worker *w, const struct outbox_row *row);
/* Ends what has come back. */
size_t outbox_land(struct outbox_worker *w);
/* Adds lanes of which no row may be sent now to text, blank between two. */
void outbox_full_lanes(const struct outbox_worker *w, struct buf *text);
/* Ids of the rows in flight, blank between two. */
void outbox_flying_ids(const struct outbox_worker *w, struct buf *text);

/* ask.c: the same for requests to roles of our domain. */
size_t outbox_ask_fly(struct outbox_worker *w, const struct outbox_row *row);
size_t outbox_ask_end(struct outbox_worker *w, const struct flight *f);
/* Queues what the role does about a request that is given up: replicas to be rung then (struct ask_reply.parked), or NULL. */
const char *outbox_ask_given_up(struct outbox_worker *w, const struct outbox_row *row);

#endif

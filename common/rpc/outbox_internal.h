/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rpc/: the outbox's workers and their batches. */
#ifndef RPC_OUTBOX_INTERNAL_H
#define RPC_OUTBOX_INTERNAL_H

#include <pthread.h>

#include "common/rpc/call.h"
#include "common/rpc/rpc.h"

#define BUS_LANE "bus"
enum { SHARDS = 16, BATCH_MAX = 128, PAUSED_MAX = 64 };

/* One due row, copied. */
struct outbox_row {
	int64_t id;
	const char *lane, *eid, *kind, *dedup, *ref, *context_id, *trace;
	struct bytes payload;
	int64_t attempts;
	bool give_up;
};

/* A peer that could not be reached is paused as a whole and then probed with one row (B1). */
struct pause {
	char lane[OID_MAX + 8]; /* "" : free */
	int64_t until_ms, backoff_ms;
	bool probing;
	bool away; /* the bus: there was no connection; it ends the pause when it is back */
};

struct outbox {
	struct outbox_spec spec;
	pthread_t *threads;
	unsigned n_threads;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t ring;
	uint64_t rings;
	unsigned waiting; /* workers that a ring must wake */
	bool closing;
	struct pause paused[PAUSED_MAX];
};

struct outbox_worker {
	struct outbox *outbox;
	struct db *db;
	struct arena *arena;
	unsigned number;
	bool bus;                /* works the bus's lane, and nothing else: events never wait for a peer */
};

/* Lanes not to be worked now, blank between two; in a. */
const char *outbox_paused_lanes(struct outbox *o, struct arena *a);
/* True when only one row of this lane may be tried: it is being probed. */
bool outbox_probing(struct outbox *o, const char *lane);
void outbox_lane_failed(struct outbox *o, const char *lane);
void outbox_lane_reached(struct outbox *o, const char *lane);
/* Milliseconds until the next pause ends; -1: none. */
int64_t outbox_next_probe_ms(struct outbox *o);

/* Delivers rows (of shards that are locked, at most one per (lane, eid)); returns how many were ended or put off. */
size_t outbox_deliver(struct outbox_worker *w, const struct outbox_row *rows, size_t n);

#endif

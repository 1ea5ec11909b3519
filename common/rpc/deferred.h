/* SPDX-License-Identifier: Apache-2.0 */
/* Calls whose answer comes later (decisions.md A2 to A5): the pipeline claims them and leaves a reply row per request message; whoever ends the
 * procedure ends the call here. Callers on the open connection are parked meanwhile, without a thread. */
#ifndef RPC_DEFERRED_H
#define RPC_DEFERRED_H

#include "common/msg/messages.h"
#include "common/store/store.h"

struct rpc;

/* A call as it stands in table call. Texts live until db_sync. */
struct deferred_call {
	const char *caller, *function, *fci; /* OID, wire name, rq->claim_key */
};

/* The Response element of fn for this outcome, in a. response: the function's response struct (its base is filled here; NULL: base only),
 * told only when outcome is OK or a warning; but an EuiccResponseData is told with a failure too (keep_data). received_us: when the call came. */
struct bytes deferred_encode(struct arena *a, const struct function *fn, void *response, result outcome, bool keep_data, int64_t received_us);

/* Ends the call in the current transaction: two statements (db_sync results: 2) that store the answer, turn callback rows into outbox
 * rows and mark parked ones; column 0 of the second one's row names the replicas of those, for deferred_ring. To be called at most once
 * per transaction and call; a call that is answered already stays as it is. */
void deferred_end(struct db *db, struct arena *a, const struct deferred_call *call, struct bytes answer);
/* After that commit: rings the outbox and the parked callers of this replica, and those of replicas (names, blank between two; NULL or "": none
 * elsewhere). */
void deferred_ring(struct rpc *rpc, const char *replicas);

/* Parked callers of this process. */
struct parked;
struct parked *parked_open(struct rpc *rpc, unsigned per_listener, unsigned per_entity, unsigned park_max_s);
/* Every caller has been answered before (http_server_close). NULL allowed. */
void parked_close(struct parked *p);
/* The process ends: reply rows of callers who are answered 503 or hang up from now on stay. NULL allowed. */
void parked_drain(struct parked *p);
/* Looks which callers have their answer now. From any thread; NULL allowed. */
void parked_ring(struct parked *p);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that a role does not do itself: same call, next hop, no handler (design.md 3, style.md 14). A row of its functions table
 *     RELAY(ES2, DeleteProfile, ES3, DeleteISDP),
 * is all that a relay needs; app_run starts what works on it.
 *
 * The input must be the next hop's, then one OID: where it goes (ES2: Smsr-id; ES3 notifications: Mno-id); the next hop's answer must begin as
 * our own does (tests/contract/relay_test.c). A call becomes a `relay` row, a `reply` row and an outbox row in one transaction; its caller
 * waits parked or for a callback, S functions too, and no thread waits. The next hop is called under the FunctionCallIdentifier
 * `<relay id>.<step>` (A1), with what is left of the time (A6), our ReplyTo (A4) and the caller's ContextID; its answer is copied, whatever it
 * says; an Eis in it, or in a notification, shows who gets it no more than D2 allows.
 *
 * Own answers of a relay: FAILED 8.7/3.9 (the target is nobody that provides the function), 8.7/5.1 (it was never reached), 1.2/4.2 (it answered with a
 * Sender fault, or about another card); those of relation_check for REL_STOCK; EXPIRED 1.6/5.3 at the deadline, and at once when the next
 * hop would get less than 3 s. A notification for nobody that we know, or who is no operator, or that `told`
 * does not believe, is taken, logged and dropped. */
#ifndef RPC_RELAY_H
#define RPC_RELAY_H

#include "common/rpc/rpc.h"

/* How a relayed call ended. */
struct relay_end {
	const struct function *fn, *next;
	struct oid caller, peer;
	const char *eid;
	const void *request;              /* next's request struct, as it was sent */
	const struct response_base *base; /* next's response struct; NULL: there was no answer */
};

/* What a role adds to its RELAY rows; each may be NULL. */
struct relay_role {
	/* REL_STOCK (D1): queues exactly one statement; column 0 of its first row is the OID of the operator to whom our stock assigns this
	 * ICCID, no row: none. When that is not the caller, the relay asks for a fresh ES3.GetEIS before it goes on, and its owner decides. */
	void (*owner_queue)(struct rq *rq, const struct iccid *iccid);
	/* In the transaction that ends a relayed call: may queue statements on db. May run again. */
	void (*ended)(void *role, struct db *db, struct arena *a, const struct relay_end *end);
	/* In the transaction that takes a notification (once: A7), whether or not its operator is known: may queue statements on rq->db, whose
	 * results nobody looks at. in: its request struct. May run again. False: it is not to be believed, and goes no further. */
	bool (*told)(struct rq *rq, const void *in);
};

extern const struct load relay_load;
result relay_handle(struct rq *rq, const void *in, void *out);
void relay_committed(struct rq *rq);
#define RELAY(es, name, next_es, next_name)                                                                    \
	{                                                                                                      \
		FN_##es##_##name, &relay_load, relay_handle, relay_committed, true, FN_##next_es##_##next_name \
	}

/* True: this role has RELAY rows for calls. */
bool relays_any(const struct rpc *rpc);
/* Ends one relayed call whose deadline is over, in a transaction of its own. True: there may be more; else *out_ms until it should be
 * called again, at most 1,000. */
bool relays_due(struct rpc *rpc, struct db *db, struct arena *a, unsigned *out_ms);

#endif

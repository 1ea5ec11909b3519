/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rpc/: one relayed call, and who tells it something. */
#ifndef RPC_RELAY_INTERNAL_H
#define RPC_RELAY_INTERNAL_H

#include "common/base/random.h"
#include "common/rpc/relay.h"
#include "common/sgp02/relay_state.h"

/* Steps: of the FunctionCallIdentifiers, of outbox.ref and of TransactionIds. */
enum { RELAY_ASK = 1, RELAY_CALL = 2 };

/* A row of table relay. */
struct relay {
	const char *id;
	struct oid caller, peer;
	const struct function *fn, *next;
	const char *claim, *eid, *iccid, *context_id, *trace;
	struct bytes request;
	bool by_callback;
	enum relay_state state;
	int64_t received_us, rest_ms;
};

/* relay_store.c ------------------------------------------------------------------------------------------------------------ */

/* The relay's own key of what waits: "relay-<id>.<step>"; also the TransactionId of its requests. */
const char *relay_ref_format(struct arena *a, const char *id, unsigned step);
bool relay_ref(const char *text); /* it begins as one */
/* False: it is none. *out_id in a. */
bool relay_ref_parse(struct arena *a, const char *text, const char **out_id, unsigned *out_step);
/* "<id>.<step>": A1. */
const char *relay_fci(struct arena *a, const char *id, unsigned step);
void relay_add(struct db *db, struct arena *a, const struct relay *r, int64_t validity_s);
/* Columns of RPC_RELAY_LOCK. INTERNAL: the row is damaged. */
result relay_row(struct arena *a, const struct rows *rows, size_t row, struct relay *out);
/* next's request struct, of r->request. */
result relay_request(struct arena *a, const struct relay *r, void **out);
/* Queues the request `in` of function fn to r->peer; its base is filled here. nested_s: for how long it is tried, and its validity. */
void relay_send(struct db *db, struct arena *a, const struct relay *r, const struct function *fn, unsigned step, void *in,
		int64_t nested_s);
/* What r->next gets for its request struct `in`. */
struct bytes relay_encode(struct arena *a, const struct function *fn, const void *in);
/* A member of this type from this offset on that is neither optional nor a list; NULL: none. */
const void *relay_member(const struct bind_message *m, const void *in, enum bind_type type, size_t from);
bool relay_next_of(const struct rpc *rpc, enum function_id id, const struct function **out);

/* relay_answer.c ----------------------------------------------------------------------------------------------------------- */

/* The Response element of r->fn that says what the next hop's response (of any function, from its base on: told NULL) says. */
struct bytes relay_answer_copy(struct arena *a, const struct relay *r, const void *response);
/* The same with nothing but the status that another function's answer has. */
struct bytes relay_answer_status(struct arena *a, const struct relay *r, const struct response_base *base);
struct bytes relay_answer_own(struct arena *a, const struct relay *r, result outcome);
/* OK: the caller owns what in, next's request, names, says this fresh EIS. */
result relay_relation(struct arena *a, const struct relay *r, const void *in, const struct es4_get_eis_rs *rs);

/* relay_step.c ------------------------------------------------------------------------------------------------------------- */

/* The outbox reports of a request with a ref of ours: as outbox_answered. *out_replicas set: a call ended, relay_ring it after the commit. */
bool relay_answered(struct rpc *rpc, struct db *db, struct arena *a, const struct outbox_answer *answer, const char **out_replicas);
/* After that commit. */
void relay_ring(struct rpc *rpc, const char *eid, const char *replicas);
/* What takes a callback that a relay awaits; NULL: no relay of ours calls that function. */
const struct awaited *relay_awaited(const struct rpc *rpc, const struct function *fn);
/* A placed fault named <role>.relay.<stage>. */
void relay_fault_point(const struct rpc *rpc, const char *stage, const char *eid);

#endif

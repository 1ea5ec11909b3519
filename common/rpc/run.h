/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rpc/: one request's run through the steps of pipeline.c. */
#ifndef RPC_RUN_H
#define RPC_RUN_H

#include "common/base/fault.h"
#include "common/base/random.h"
#include "common/crypto/cert.h"
#include "common/rpc/answer.h"

enum { ROUND_MAX = 64 };

/* What a pool thread owns. */
struct worker {
	struct rpc *rpc;
	struct db *db;
	struct arena *arena; /* of what belongs to no run */
	struct run *spare;   /* runs that ended, to be used again */
	struct run *round[ROUND_MAX];
	size_t n_round;
	struct buf answer;   /* the Response element */
	struct buf envelope; /* the whole answer */
	struct buf scratch;
};

/* Whom a connection belongs to (D5); made at its first request. */
struct peer {
	struct arena *arena;
	const struct entity *entity;
};

/* Where a call's answer goes (A2, A4). */
enum answer_place {
	ANSWER_HERE,     /* on the connection: at once, or when its caller has waited for it */
	ANSWER_CALLBACK, /* a call of ours to run.address */
	ANSWER_MAILBOX,  /* fetched from run.address */
};

struct run {
	struct rq rq;
	struct run *next; /* among the spare ones */
	struct worker *w;
	struct http_call *http;
	struct soap_doc *doc;
	struct envelope envelope;
	const struct served *served;  /* NULL: this function is not served here */
	const struct awaited *awaited; /* set: the body answers a call of ours (A3) */
	const struct bind_message *request, *response;
	void *in, *out;
	uint8_t digest[SHA256_LEN];   /* of the input (A1) */
	const char *fci;              /* as it came; rq.claim_key is what table call has */
	int64_t acceptable_validity_s; /* 0: not said */

	/* round.c: what begin would have loaded was loaded together with others. */
	bool taken;
	result take;
	struct relation_facts facts;

	/* How it ends. */
	struct soap_fault fault;      /* code set: a SOAP Fault */
	unsigned http_status;         /* set without a fault: a bare HTTP status (202, 404, ...) */
	result outcome;               /* else: the answer's execution status */
	struct bytes stored;          /* a repeated call's stored answer; empty: none */
	bool replayed;
	bool encoded;                 /* w->answer holds the answer to this outcome */
	bool unheard;                 /* the last commit may have taken effect or not */
	bool remember;                /* a refusal that a repetition must get again (A1) */
	enum answer_place asked;      /* where its caller wants the answer */
	enum answer_place goes;       /* where every answer goes from now on: asked, and allowed */
	const char *address;          /* of asked; "": the caller's registered address */
	bool mailbox;                 /* no function: the caller fetches an answer */
	const char *fetched;          /* MessageID of what it gets, in w->envelope; NULL: nothing */
	char place[UUID_TEXT];        /* among the parked callers, until the commit; "": none */
	bool parking;                 /* committed: run_reply parks the connection */
};

static inline bool run_deferred(const struct run *r)
{
	return r->rq.fn->mep == MEP_DEFERRED;
}

/* The answer is not made in this run: a card or the next hop of a relay has it. */
static inline bool run_later(const struct run *r)
{
	return run_deferred(r) || (r->served->relayed && r->rq.fn->mep == MEP_SYNC);
}

/* Steps. False: the run has ended, reply. */
bool run_parse(struct run *r);
bool run_addressing(struct run *r);
bool run_lookup(struct run *r);
bool run_decode(struct run *r);
bool run_execute(struct run *r);
void run_reply(struct run *r);

/* round.c: reads of one turn of a pool thread's loop share a round trip. A read may join: its loads are made by the next round_load, before
 * it is executed. round_leave: it will not be. */
bool round_join(struct run *r);
void round_load(struct worker *w);
void round_leave(struct run *r);

/* callback.c: the same for a body that answers a call of ours. */
bool callback_lookup(struct run *r, const struct function *fn);
bool callback_decode(struct run *r);
bool callback_execute(struct run *r);

/* mailbox.c: WS-MakeConnection. mailbox_asked: the body asks for what waits; mailbox_serve: what it gets, or why nothing. False. */
bool mailbox_asked(const struct run *r);
bool mailbox_serve(struct run *r);
enum { MAILBOX_MAX = 1000 }; /* answers that may wait for one entity, or be awaited by it */

/* later.c: what an answer that does not go back on the connection at once adds to the transaction (A2 to A5). later_wants: it may be
 * allowed where it is asked for: later_queue adds one result whose rows later_take judges. */
result later_check(struct run *r);
bool later_by_callback(const struct run *r); /* an S function that its caller wants answered so (dialect s_callback) */
bool later_wants(const struct run *r);
void later_queue(struct run *r);
result later_take(struct run *r, const struct rows *rows);
/* Queues the reply row; BUSY when too many wait. later_kept: that was committed. */
result later_keep(struct run *r);
void later_kept(struct run *r);
/* Queues this Response element, which is known already, for where answers of this call go: not ANSWER_HERE. answer lives until db_sync. */
void later_send(struct run *r, struct bytes answer);
/* Nothing was committed: no place is held any more. */
void later_drop(struct run *r);

/* Ends the run with a SOAP Fault; returns false, for the steps. */
bool run_fault(struct run *r, const char *code, const char *fmt, ...) PRINTF(3, 4);
/* Ends it with an execution status; returns false. */
bool run_refuse(struct run *r, result outcome);
/* The fault of a message that has no Response (notification, callback): the sender's, or ours and worth another attempt. */
bool run_fault_of_outcome(struct run *r);
/* Whom the answer is for. */
struct answer_way run_answer_way(const struct run *r);
/* Children may lack the namespace when the peer's dialect says so; it is ours or the peer's own. */
bool run_namespace_agrees(struct run *r);
/* URL and Action name no other function than rq.fn. */
bool run_addressed_to(struct run *r);
/* The function that the Action names, NULL: none of ours. */
const struct function *run_action_function(const struct run *r);
/* Its name, also when there is none: for log, journal and metrics. */
const char *run_function_name(const struct run *r);
/* The Response element for the run's outcome into w->answer. */
void run_encode_answer(struct run *r);

/* The interface a URL path of ours is of: /es4/..., /esim-messaging/3/ES4/...; false: not ours. */
bool path_interface(const char *path, enum iface *out);

/* True while entity is within rpc->rate_per_s (a token bucket of one second). */
bool rate_allow(const struct rpc *rpc, const struct oid *entity);

/* The EID a message is about: the first EID row of its table; "" when it has none. */
void message_eid(const struct bind_message *m, const void *in, char out[EID_DIGITS + 1]);
/* A placed fault named <role>.<function>.<stage>; true: a test wants to have it missed. */
bool run_fault_point(const struct run *r, const char *stage);

/* One message into the journal, secrets cut: decoded with m (may be NULL) or masked. */
void journal_message(struct rpc *rpc, struct buf *scratch, struct journal_entry *entry, const struct bind_message *m, const void *decoded);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rpc/: one request's run through the steps of pipeline.c. */
#ifndef RPC_RUN_H
#define RPC_RUN_H

#include "common/base/fault.h"
#include "common/crypto/cert.h"
#include "common/rpc/rpc.h"

/* What a pool thread owns. */
struct worker {
	struct rpc *rpc;
	struct db *db;
	struct arena *arena;
	struct buf answer;   /* the Response element */
	struct buf envelope; /* the whole answer */
	struct buf scratch;
};

/* Whom a connection belongs to (D5); made at its first request. */
struct peer {
	struct arena *arena;
	const struct entity *entity;
};

struct run {
	struct rq rq;
	struct worker *w;
	struct http_call *http;
	struct soap_doc *doc;
	struct envelope envelope;
	const struct served *served;  /* NULL: this function is not served here */
	const struct bind_message *request, *response;
	void *in, *out;
	uint8_t digest[SHA256_LEN];   /* of the input (A1) */
	const char *fci;              /* as it stands in table call */
	int64_t acceptable_validity_s; /* 0: not said */

	/* How it ends. */
	struct soap_fault fault;      /* code set: a SOAP Fault */
	unsigned http_status;         /* set without a fault: a bare HTTP status (202, 404, ...) */
	result outcome;               /* else: the answer's execution status */
	struct bytes stored;          /* a repeated call's stored answer; empty: none */
	bool replayed;
	bool encoded;                 /* w->answer holds the answer to this outcome */
};

/* Steps. False: the run has ended, reply. */
bool run_parse(struct run *r);
bool run_addressing(struct run *r);
bool run_lookup(struct run *r);
bool run_decode(struct run *r);
bool run_execute(struct run *r);
void run_reply(struct run *r);

/* Ends the run with a SOAP Fault; returns false, for the steps. */
bool run_fault(struct run *r, const char *code, const char *fmt, ...) PRINTF(3, 4);
/* Ends it with an execution status; returns false. */
bool run_refuse(struct run *r, result outcome);
/* The Response element for the run's outcome into w->answer. */
void run_encode_answer(struct run *r);

/* The interface a URL path of ours is of: /es4/..., /esim-messaging/3/ES4/...; false: not ours. */
bool path_interface(const char *path, enum iface *out);

/* True while entity is within rpc->rate_per_s (a token bucket of one second). */
bool rate_allow(const struct rpc *rpc, const struct oid *entity);

/* The EID a message is about: the first EID row of its table; "" when it has none. */
void message_eid(const struct bind_message *m, const void *in, char out[EID_DIGITS + 1]);
/* A placed fault named <role>.<function>.<stage>. */
void run_fault_point(const struct run *r, const char *stage);

/* One message into the journal, secrets cut: decoded with m (may be NULL) or masked. */
void journal_message(struct rpc *rpc, struct buf *scratch, struct journal_entry *entry, const struct bind_message *m, const void *decoded);

#endif

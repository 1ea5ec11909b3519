/* SPDX-License-Identifier: Apache-2.0 */
/* What must leave the process after a commit (decisions.md B1): rows, worked at least once, in order per (lane, EID). */
#ifndef RPC_OUTBOX_H
#define RPC_OUTBOX_H

#include "common/auth/registry.h"
#include "common/msg/messages.h"
#include "common/soap/envelope.h"
#include "common/store/statements.h"
#include "common/store/store.h"

struct rpc;

/* Queues a row for the bus in the current transaction. id: de-duplication id, a UUID. */
void outbox_event(struct db *db, struct arena *a, const char *event, const char *eid, const char *trace, const char *json);

/* Queues a SOAP message. A request's FCI is fixed in a row already (A1). The body is encoded now; MessageID and time stamps are made per
 * attempt. */
struct outbox_message {
	const struct function *fn;
	enum outbox_kind { OUTBOX_REQUEST, OUTBOX_NOTIFY, OUTBOX_CALLBACK } kind;
	const struct oid *to;
	const char *eid;
	const char *ref;               /* the role's own key of what waits for the answer (a card's EID, a submission's id), handed to `answered` */
	const char *transaction_id;    /* of our MessageIDs, so that a callback finds the call; NULL: a new one per attempt */
	const char *context_id, *trace; /* NULL: none */
	const void *in;                /* the function's request or notification struct; NULL: body */
	struct bytes body;             /* encoded (OUTBOX_CALLBACK) */
	const char *address, *relates_to; /* OUTBOX_CALLBACK: ReplyTo (NULL: the registered address) and MessageID of the request */
	bool wants_callback;           /* our own address goes as ReplyTo; HTTP 202 is an answer, of which `answered` is told */
	unsigned timeout_s;            /* for one attempt; 0: 30 */
	int64_t give_up_s;             /* from now on, by the database's clock; 0: never (ES1) */
};
void outbox_send(struct db *db, struct arena *a, const struct outbox_message *m);
/* Takes back, in the current transaction, a request that needs no sending any more: what is on its way already is not sent again, and its
 * answer is still reported. */
void outbox_withdraw(struct db *db, struct arena *a, const struct oid *to, const char *eid, const char *ref);

/* An answer that came for a SOAP row. Exactly one of: status set (a Response was decoded), fault (a SOAP Fault), or accepted, all final for this
 * row. Only requests are reported: notifications and callbacks end without the role, taken or as dead letters. */
struct outbox_answer {
	bool accepted; /* HTTP 202 to a request with wants_callback: the answer comes by callback */
	bool given_up; /* give_up_s went by without an answer: the row becomes a dead letter whatever is returned */
	bool tried;    /* with given_up: an attempt may have reached the peer */
	const struct function *fn;
	struct oid to;
	const char *ref, *eid;
	const void *response;  /* the function's response struct; NULL on a fault */
	const struct response_base *base; /* its base; NULL on a fault */
	struct soap_fault fault; /* code NULL: none */
};

/* What a role does with an answer: queue statements on db (a transaction is open; the row's deletion is committed with them). Returns true when
 * the row is done; false: keep it and try again later with back-off (a 1.2/4.4 answer, a Receiver fault). May run again. */
typedef bool (*outbox_answered)(void *role, struct db *db, struct arena *a, const struct outbox_answer *answer);

struct ask_reply;

struct outbox;
struct outbox_spec {
	struct rpc *rpc;          /* store, bus, http client, own identity */
	unsigned workers;         /* threads beside the bus's own; each with its own connection */
	unsigned in_flight;       /* calls that one worker may have under way; 0: 256 */
	outbox_answered answered; /* NULL: this role sends no requests */
	/* ask_replied (ask.h); NULL: this role asks nothing, or an answer of any kind is enough. */
	bool (*replied)(void *role, struct db *db, struct arena *a, const struct ask_reply *reply);
};
struct outbox *outbox_open(const struct outbox_spec *spec);
/* What is in flight gets a second more, and the process's HTTP client sends nothing from then on. NULL allowed. */
void outbox_close(struct outbox *o);
/* Wakes the workers: rows were committed. Where another replica works on them, it is rung there. NULL allowed, as below. */
void outbox_ring(struct outbox *o);
/* The same for nothing but events. */
void outbox_ring_bus(struct outbox *o);
/* The same when another replica rings, or the bus came back. */
void outbox_wake(struct outbox *o);

/* For the administrator. */
struct outbox_pause {
	const char *lane, *why;
	int64_t left_ms; /* 0: it is being probed */
};
/* Lanes that this process has paused; how many. */
size_t outbox_pauses(struct outbox *o, struct arena *a, struct outbox_pause **out);
/* Ends the pause of a lane, if there is one: it is probed at the next look. */
void outbox_try(struct outbox *o, const char *lane);
/* A row's body for people: where it has secrets, or nobody knows, it is masked as the journal's texts are. */
void outbox_body(struct arena *a, const char *lane, const char *kind, struct bytes body, struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline behind a real listener on a real database, and a partner that talks to it without TLS: who it is, is told. */
#ifndef TEST_RPC_PARTNER_H
#define TEST_RPC_PARTNER_H

#include "common/rpc/run.h"
#include "tests/unit/store/cluster.h"

#define PARTNER "1.3.6.1.4.1.99999.5"
#define REGISTERED "https://mno.example:8443/es4"
#define EID "89001012012341234012345678901224"

struct partner {
	struct cluster cluster;
	struct store *store;
	struct db *db; /* somebody else's connection */
	struct arena *arena;
	struct rpc rpc;
	struct entity entity; /* the partner */
	struct http_server *server;
};

/* Of table rows: calls, calls answered, reply rows, outbox rows, notifications seen. */
struct counts {
	int64_t calls, answered, replies, outbox, seen;
};
/* rpc: what is served and awaited, and limits. */
void partner_open(struct partner *p, const struct rpc *rpc);
void partner_serve(struct partner *p);
/* Closes the listener if it is open, then the rest. */
void partner_close(struct partner *p);

/* A message of the partner: message_id gets ?TransactionID=tx-<it>; all but it and the body, an element, may be NULL. */
struct message {
	const char *message_id, *context_id, *reply_to, *relates_to, *action, *path, *body;
	const char *from;   /* address in wsa:From */
	const char *entity; /* of wsa:From; NULL: PARTNER */
	bool bare;          /* neither From nor MessageID */
};
/* Sends it; the connection. */
int partner_send(struct partner *p, const struct message *m);
/* The answer to it, within 20 s; static. Its status: 0 when the peer closed without one. */
unsigned partner_read(int fd, const char **out_text);
/* Both, and closes. */
unsigned partner_ask(struct partner *p, const struct message *m, const char **out_text);

/* ES4-EnableProfileRequest with this identifier and validity period. */
const char *enable_request(struct partner *p, const char *fci, const char *iccid, unsigned validity_s);
struct counts partner_counts(struct partner *p);
/* One row of the outbox and reply tables, "a|b|...": see the statements. "" when there is none. */
const char *partner_outbox(struct partner *p);
const char *partner_reply(struct partner *p);
/* One more address of the partner. */
void partner_register(struct partner *p, const char *iface, const char *url);
/* One more entity with one address, known by the key of this pin ("sha256//..."). */
void partner_entity(struct partner *p, const char *oid, unsigned roles, const char *dialect, const char *iface, const char *url,
		    const char *pin);
/* n answers that wait for the partner in a mailbox, and whose time is over. */
void partner_fill_mailbox(struct partner *p, unsigned n);
void partner_age_replies(struct partner *p);
/* This relay's row cannot be read any more. */
void partner_spoil_relay(struct partner *p, const char *fci);
/* Until that many are parked. */
void partner_wait_parked(struct partner *p, unsigned n);
/* Ends the call EnableProfile with this outcome and commits. The replicas to be rung, in the arena. */
const char *partner_end(struct partner *p, const char *fci, result outcome);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The side of SM-SR1, which has the card and hands it over (SGP.02 3.8; procedures.md 3.20; decisions.md E1): the rows of handover_out, by the
 * table of common/sgp02/handover.h. */
#ifndef HANDOVER_OUT_H
#define HANDOVER_OUT_H

#include "common/msg/messages.h"
#include "services/sm-sr-handover/handover.h"

/* How HandoverEUICC stands. Numbers stand in rows. */
enum out_wait {
	OUT_SENT, /* it is in the outbox, which sends it until it is answered; or none was made yet */
	OUT_ACCEPTED, /* SM-SR2 took it with 202: the answer is to come by callback. The same call is made again, in case that gets lost */
	OUT_ANSWERED, /* its answer settled nothing: it is asked again */
	OUT_WAITS
};

/* How it ends, or will: what the sm-sr tells the operator. code is valid unless it is a success. */
struct out_outcome {
	bool known;
	enum status status;
	enum code code;
	const char *message; /* "": none */
};

struct handover_out {
	const char *id;
	struct eid eid;
	struct oid target, requester;
	const char *context_id, *trace; /* "": none */
	enum handover_out_state state;
	int64_t step;  /* of the last thing that the sm-sr was asked */
	int64_t call;  /* of HandoverEUICC; 0: none was made yet */
	int64_t tries; /* how often it was made again, which its pauses grow by */
	enum out_wait wait;
	/* Microseconds of the database's clock; 0: none. now: when the row was read. call_at: when HandoverEUICC is made again, unless it is in the
	 * outbox. called_at, call_until: SM-SR2's call that a command is under way for came, and its time is over. */
	int64_t started_at, deadline, due_at, call_at, called_at, call_until, ended_at, now;
	const char *eis;                     /* the Eis element as it was exported; NULL: none yet */
	struct bytes certificate, challenge; /* CERT.SR.ECDSA that the card has, its RC; empty: none */
	const char *fci;                     /* of SM-SR2's call that a command is under way for; "": none is */
	bool told;                           /* the operator was told that his time is over */
	struct out_outcome outcome;
};

/* One row in an open transaction that has it locked. */
struct out_case {
	struct handovers *role;
	struct db *db;
	struct arena *a;
	struct handover_out *h;
	struct bytes apdu; /* HOEV_AUTHENTICATE, HOEV_KEYSET: what the card is to execute */
	void *response;    /* HOEV_CHALLENGE, HOEV_RECEIPT: the response struct that answers SM-SR2 */
	/* What the transaction did. */
	const char *event;    /* that moved it last; NULL: none did */
	const char *replicas; /* where callers wait for what was answered; NULL: none elsewhere */
};

/* out_store.c. *out NULL: there is none. INTERNAL: the row is damaged, or of a newer program. One round trip. */
result out_lock(struct db *db, struct arena *a, const char *id, struct handover_out **out);
/* From the row of HANDOVER_OUT_LOCK or HANDOVER_OUT_OF_EID; NULL: there is none. */
result out_row(struct arena *a, const struct rows *r, struct handover_out **out);
/* Queues h as it is now, for a row that was in state `from`, and sets its due_at. */
void out_save(struct out_case *c, enum handover_out_state from);
/* The Eis element, decoded. False: it is none, or of another card. */
bool out_eis(struct arena *a, const struct eid *eid, const char *text, struct eis *out);

/* out_step.c: the mover. why: what went wrong, or a warning; OK: nothing. Queues what its new state asks for, and the row; rings for the time
 * after the commit. An event that cannot happen is logged and changes nothing: c->event stays as it is. */
result out_step(struct out_case *c, enum handover_out_event event, result why);
/* After the commit, where there is such a place: the fault of what moved it. */
void out_committed(const struct out_case *c);

/* out_call.c: HandoverEUICC, the first one or once more. False: no time is left for a first one. */
bool out_call(struct out_case *c);
/* It needs no sending any more. */
void out_call_end(struct out_case *c);
/* It is made again after the pause of one more try. */
void out_call_later(struct out_case *c, enum out_wait wait);

/* out_ask.c: what the sm-sr is asked. */
void out_ask_export(struct out_case *c);
void out_ask_command(struct out_case *c); /* c->apdu, by the state */
void out_ask_tell(struct out_case *c);
void out_ask_end(struct out_case *c); /* drop or unlock, by the state */
/* "certificate-3": of the command under way; "": none is. */
const char *out_command_step(struct arena *a, const struct handover_out *h);

/* out_admin.c: what a person decides, in a transaction of its own. c->h NULL: there is no such row; c->event NULL: it is not for a person to decide. */
result out_decide(struct handovers *role, struct db *db, struct arena *a, const char *id, bool moved, struct out_case *c);

/* The sm-sr has so long behind the time of a call to say what became of its command. */
enum { OUT_GRACE_US = 2 * 1000000 };

#endif

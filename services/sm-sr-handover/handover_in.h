/* SPDX-License-Identifier: Apache-2.0 */
/* SM-SR2: a card that shall come, from ES4.PrepareSMSRChange until it is managed here whatever happens (common/sgp02/handover.h: enum
 * handover_in_state). Every change of a row is one step of that table in one transaction, which also queues what the new state asks or
 * calls for, and the answer to HandoverEUICC when there is one to give. */
#ifndef HANDOVER_HANDOVER_IN_H
#define HANDOVER_HANDOVER_IN_H

#include "common/card/isdr_agreement.h"
#include "services/sm-sr-handover/handover.h"

/* Numbers stand in rows. */
enum handover_in_wait {
	IN_ASKED, /* its call, request or command is under way */
	IN_PAUSE, /* it was in vain: again at due_at */
	IN_WAITS
};

/* What HandoverEUICC was answered. code is valid unless status is SUCCESS. */
struct handover_in_outcome {
	bool known;
	enum status status;
	enum code code;
	const char *subject_id, *message; /* "": none */
};

struct handover_in {
	const char *id;
	struct eid eid;
	struct oid former, requester;
	const char *context_id, *trace; /* "": none */
	enum handover_in_state state;
	int64_t step, tries;
	enum handover_in_wait wait;
	/* Microseconds of the database's clock, which all replicas share; 0: none. deadline: of HandoverEUICC. */
	int64_t started_at, prepared_until, deadline, due_at, ended_at, now; /* now: when the row was read */
	struct bytes eis;                                                    /* a text of eis_text_write, until the sm-sr has it */
	struct bytes ecasd;                                                  /* PK.ECASD.ECKA */
	uint8_t kvn, psk_kvn;                                                /* of KS2; of the key set for HTTPS, 0: none */
	int64_t counter;
	struct bytes offer;  /* ePK | signature of CreateAdditionalKeySet */
	struct bytes secret; /* wrapped: the ephemeral key; from the commit on KS2, as the member keys of rq.adopt */
	bool told;
	struct handover_in_outcome outcome;
};

/* One in an open transaction that has its row locked. */
struct in_case {
	struct rpc *rpc;
	struct handovers *hs;
	struct db *db;
	struct arena *a;
	struct handover_in *h;
	bool told;            /* HandoverEUICC was answered in this transaction */
	const char *replicas; /* where callers wait for that; NULL: none elsewhere */
};

/* in_store.c */
/* From a row of HANDOVER_IN_COLUMNS. INTERNAL: it is damaged, or of a newer program. */
result in_row(struct arena *a, const struct rows *r, struct handover_in **out);
/* Locked until the transaction's end; *out NULL: there is none. Flushes: one round trip. */
result in_lock(struct db *db, struct arena *a, const char *id, struct handover_in **out);
/* Queues the new row, which is PREPARED; its times are from now on. */
void in_add(struct db *db, struct arena *a, const struct handover_in *h, int64_t prepared_us);
/* Queues what became of it since it stood in `state` with `step`: nothing if it is not there any more. */
void in_save(struct db *db, struct arena *a, const struct handover_in *h, enum handover_in_state state, int64_t step);
/* A secret of the row, to and from its wrapped form. False: wrapped otherwise. */
void in_seal(struct in_case *c, const void *secret, size_t n);
bool in_unseal(const struct in_case *c, struct secret *out);

/* in_check.c: whether the card that the EIS describes may come, and is the card's own word: OK, or the exact code. eis: from a document that still
 * is there; what verified of it stands in it then. out_ecasd: PK.ECASD.ECKA. */
struct in_needs {
	const struct oid *former;
	const struct gp_identity *own;
	int64_t now_us;
};
result in_check(struct arena *a, struct eis *eis, const struct in_needs *needs, uint8_t out_ecasd[P256_POINT]);

/* in_call.c: what a state calls for (ES7) or asks (its sm-sr): queued, with due_at and wait. */
result in_act(struct in_case *c);
/* Of the call that is under way nothing is to be sent (again). */
void in_withdraw(struct in_case *c);
/* The function that a state calls; NULL: none. */
const struct function *in_function(enum handover_in_state state);
/* The command that a state has the sm-sr give to the card; NULL: none. */
const char *in_command(enum handover_in_state state);

/* in_key.c: the key set (procedures.md 3.20, steps 14 to 23) */
/* A new ephemeral key, and our signature over it and RC, into h. PARAM_INVALID: RC is none. */
result in_offer_make(struct in_case *c, struct bytes rc);
/* Sets *out from what in_offer_make left in h. */
result in_offer_read(const struct in_case *c, struct isdr_offer *out);
/* The receipt holds: KS2 into h->secret. 8.4/6.1: it does not, h is as it was. */
result in_receipt_take(struct in_case *c, struct bytes derivation_random, struct bytes receipt);

/* in_said.c: an answer to what the state called. base NULL: a SOAP Fault (fault is its text, sender: it is the caller's), or none came at all. */
struct in_said {
	const struct response_base *base;
	const void *response;
	const char *fault;
	bool sender;
};
/* The event, and what HandoverEUICC shall be told if this ends the attempt. */
result in_judge(struct in_case *c, const struct in_said *said, enum handover_in_event *out_event, result *out_why);

/* in_step.c: the mover. An event that cannot happen changes nothing. why: of a failure or warning. note: for people. */
result in_step(struct in_case *c, enum handover_in_event event, result why, const char *note);
/* due_at came. */
result in_overdue(struct in_case *c);
/* Pause before what was in vain is done again. */
int64_t in_backoff_us(const struct in_case *c);

/* in_tell.c */
/* Executes what was queued: before something is loaded, since results come in the order of all statements. */
result in_flush(struct in_case *c);
/* Answers all HandoverEUICC calls that wait, and has the operators told when the card is ours. */
result in_tell(struct in_case *c, enum handover_tell tell, result why);
/* The same for those that came after that answer. */
result in_tell_late(struct in_case *c);
/* Rings for what c's transaction did, also before its commit. */
void in_moved(const struct in_case *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The SM-SR change of a domain: what the files of sm-sr-handover share (SGP.02 3.8; procedures.md 3.20, decisions.md E1, E2). It terminates ES7
 * under the SM-SR's own OID and asks its sm-sr by the bus for all that has to do with the card and its EIS (common/rpc/ask.h). in_*.c is SM-SR2,
 * who shall have the card (handover_in.h), out_*.c is SM-SR1, who has it (handover_out.h). What is under way stands in rows alone: any
 * process of this role goes on where another one ended. */
#ifndef HANDOVER_HANDOVER_H
#define HANDOVER_HANDOVER_H

#include "common/app/app.h"
#include "common/app/due.h"
#include "common/crypto/gp_identity.h"
#include "common/rpc/ask.h"
#include "common/sgp02/handover.h"
#include "services/sm-sr-handover/statements.h"

struct handover_config {
	struct config_common common;
#define CONFIG(key, type, member, def, text) CONFIG_TYPE_##type member;
#include "services/sm-sr-handover/config.def"
#undef CONFIG
};

/* One for the process, read-only after its start but for its worker. */
struct handovers {
	const struct handover_config *config;
	struct arena *arena;    /* what lives as long as the process */
	struct secret kek;      /* shared with the sm-sr of the domain (B3) */
	struct gp_identity own; /* SK.SR.ECDSA, CERT.SR.ECDSA, the CI */
	struct rpc *rpc;
	struct due *due; /* NULL: not started (tests) */
};
int handovers_open(struct app *app, void **out_role, char error[KEY_FILE_ERROR]);
void handovers_close(void *role);

extern const struct statement handover_statements[];
extern const struct migration handover_migrations[]; /* sql/, embedded by the build */
extern const size_t handover_migrations_count;

/* functions.c: who answers what on ES7, and what the sm-sr asks */
extern const struct served handover_served[];
extern const size_t handover_n_served;
extern const struct awaited handover_awaited[];
extern const size_t handover_n_awaited;
extern const struct asked handover_asked[];
extern const size_t handover_n_asked;
bool handover_answered(void *role, struct db *db, struct arena *a, const struct outbox_answer *in);
bool handover_replied(void *role, struct db *db, struct arena *a, const struct ask_reply *reply);

extern const struct route handover_admin[]; /* admin.c */
/* handover_list.c */
void handover_list(struct app *app, struct http_call *call);
void handover_show(struct app *app, struct http_call *call);

/* ---- What both sides use (sides.c) ---- */

/* Numbers stand in rows. */
enum handover_side { HANDOVER_OUT, HANDOVER_IN };
enum { HANDOVER_ID = 36 };

/* <id>.<step>: FCI and TransactionId of a call, its key in the outbox, and that of what is asked of the sm-sr. */
const char *handover_ref(struct arena *a, const char *id, int64_t step);
/* False: text is none; a UUID is in lower-case text, as ids are. */
bool handover_ref_parse(struct arena *a, const char *text, const char **out_id, int64_t *out_step);
bool handover_id_ok(const char *id);
/* Codes stand in rows by their names, which no new row of the table moves. False: there is no such code. */
bool handover_code_by_name(const char *name, enum code *out);
/* The row of the stage where it is now, and the event handover.<stage> for the bus (proto/events/handover.json). code: of a failure or warning;
 * NULL: none. note: what brought it there, for people. */
struct handover_told {
	const char *id, *eid, *trace;
	enum handover_side side;
	const char *stage; /* name of state */
	int state;
	int64_t step;
	const struct oid *peer, *requester;
	const enum code *code;
	const char *note;
};
void handover_stage(struct handovers *h, struct db *db, struct arena *a, const struct handover_told *t);

/* Deadlines, pauses, answers that do not come, and bells after commits: handovers.due rings them. */
extern const struct due_table handover_in_due, handover_out_due; /* in_due.c, out_due.c */

/* ---- SM-SR2 ---- */

extern const struct load handover_euicc_load; /* in_order.c: ES7.HandoverEUICC */
result handover_euicc(struct rq *rq, const void *in, void *out);
void handover_euicc_committed(struct rq *rq);
result handover_in_prepare(struct asking *q); /* in_prepare.c */
void handover_in_prepared(struct asking *q);
/* in_answer.c. The sm-sr says what became of a command; *out_ours: its handover is one of this side. */
result handover_in_outcome(struct asking *q, bool *out_ours);
/* An answer to AuthenticateSMSR or CreateAdditionalKeySet; what the sm-sr answered; as outbox_answered and ask_replied. *out_ours as above. */
bool handover_in_answered(struct handovers *h, struct db *db, struct arena *a, const struct outbox_answer *in, bool *out_ours);
bool handover_in_replied(struct handovers *h, struct db *db, struct arena *a, const struct ask_reply *reply, bool *out_ours);
extern const struct load handover_in_callback_load; /* callbacks to those calls */
result handover_in_callback(struct rq *rq, const void *in, enum callback_verdict *out);
void handover_in_callback_committed(struct rq *rq);
void handover_in_skip(struct app *app, struct http_call *call); /* in_admin.c: POST /admin/handovers/skip */
/* The card goes on to another SM-SR, in the transaction that says so (HOUT_MOVED): the former one is not told any more that it is managed here. */
void handover_in_left(struct db *db, const struct eid *eid);

/* ---- SM-SR1 ---- */

/* HandoverEUICC that was answered EXPIRED stays answered so under its identifier (A1): what becomes of the card later is told to another one only. */
extern const struct load authenticate_smsr_load, create_additional_keyset_load; /* ES7 of the announced SM-SR */
result authenticate_smsr(struct rq *rq, const void *in, void *out);
result create_additional_keyset(struct rq *rq, const void *in, void *out);
void handover_out_asked_committed(struct rq *rq);
result handover_out_change(struct asking *q); /* the sm-sr has locked the card for ES4.SMSRChange */
void handover_out_changed(struct asking *q);
/* As on the other side. */
result handover_out_outcome(struct asking *q, bool *out_ours);
void handover_out_outcome_committed(struct asking *q); /* if it was ours */
bool handover_out_answered(struct handovers *h, struct db *db, struct arena *a, const struct outbox_answer *in, bool *out_ours);
bool handover_out_replied(struct handovers *h, struct db *db, struct arena *a, const struct ask_reply *reply, bool *out_ours);
extern const struct load handover_out_callback_load; /* callbacks to HandoverEUICC */
result handover_out_callback(struct rq *rq, const void *in, enum callback_verdict *out);
void handover_out_callback_committed(struct rq *rq);
/* POST /admin/handovers/resolve */
void handover_out_resolve(struct app *app, struct http_call *call);

#endif

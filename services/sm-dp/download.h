/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads of profiles to cards, from ES2.DownloadProfile to their end (ES3 to its SM-SR; decisions.md A1, A6, B1, D6). What is
 * under way stands in rows alone: any process of this role goes on where another one ended. */
#ifndef SMDP_DOWNLOAD_H
#define SMDP_DOWNLOAD_H

#include "common/sgp02/download.h"
#include "services/sm-dp/download_card.h"
#include "services/sm-dp/profile_type.h"
#include "services/sm-dp/smdp.h"
#include "services/sm-dp/stock_store.h"

/* Numbers stand in rows. */
enum download_wait {
	DOWNLOAD_SENT,     /* its call stands in the outbox, or was sent and is not answered */
	DOWNLOAD_REPEATED, /* no answer came in time: the same call was sent once more, which fetches a lost answer (A2) */
	DOWNLOAD_BACKOFF,  /* the SM-SR was busy: the call is made again at due_at */
	DOWNLOAD_WAITS
};

/* How it ended, or will have when it is cleaned up. code is valid unless status is SUCCESS. */
struct download_outcome {
	bool known;
	enum status status;
	enum code code;
	const char *subject_id, *message; /* "": none */
};

struct download {
	const char *id;
	struct eid eid;
	struct oid smsr, mno;
	struct iccid iccid;
	const char *type;
	bool enable;
	const char *fci, *trace;
	const char *context_id; /* of the operator's call, and so of ours; "": none */
	enum download_state state;
	int64_t step;
	enum download_wait wait;
	int64_t tries;
	int64_t busy_at; /* when the SM-SR refused the call, by its clock, or did not answer it; 0: another FCI is to be used */
	/* Microseconds of the database's clock, which all replicas share; of one that is not stored yet, since its creation. */
	int64_t started_at, deadline, call_until, due_at, ended_at, now; /* now: when the row was read */
	struct aid isdp;                                                 /* len 0: none yet */
	struct bytes ecasd;                                              /* PK.ECASD.ECKA */
	const char *leftovers;
	struct bytes request, secret; /* secret: wrapped */
	int64_t first, past;
	bool told;
	struct download_outcome outcome;
	const char *answer; /* what the SM-SR said since it was loaded, for people; NULL: nothing. Goes into the row of its stage */
};

/* One download in an open transaction that has its row locked. */
struct download_case {
	struct rpc *rpc;
	const struct smdp *smdp;
	struct db *db;
	struct arena *a;
	struct download *d;
	/* What is to be rung after the commit. */
	bool sent;            /* outbox rows were added */
	bool told;            /* the operator's answer was stored */
	const char *replicas; /* where callers wait for it; NULL: none elsewhere */
	/* download_parts: NULL: there is none. */
	bool loaded;
	struct profile_type *type;
	struct stock_item *item; /* its row is locked, too */
};

/* download_store.c */
enum { DOWNLOAD_ID = 36 };
/* <id>.<step>: FCI and TransactionId of a call, and its key in the outbox. */
const char *download_ref(struct arena *a, const struct download *d);
/* A UUID in lower-case text, as ids are. */
bool download_id_ok(const char *id);
/* False: text is none. */
bool download_ref_parse(struct arena *a, const char *text, const char **out_id, int64_t *out_step);
/* The row, locked until the transaction's end; *out NULL: there is none. One round trip. INTERNAL: it is damaged, or of a newer program. */
result download_lock(struct db *db, struct arena *a, const char *id, struct download **out);
/* From the row of SMDP_DOWNLOAD_LOCK. */
result download_row(struct arena *a, const struct rows *r, struct download **out);
/* Queues the new row; its first call is download_call's. */
void download_add(struct db *db, struct arena *a, const struct download *d);
/* Queues what became of d since it stood in `state` with `step`: nothing if it is not there any more. */
void download_save(struct db *db, struct arena *a, const struct download *d, enum download_state state, int64_t step);
/* A secret of the row, to and from its wrapped form; use names what it is. False: wrapped otherwise. */
void download_seal(struct download_case *c, const char *use, const void *secret, size_t n);
bool download_unseal(const struct download_case *c, const char *use, struct secret *out);

/* download_call.c: the call that a state makes. Queues its outbox row and sets call_until, due_at, wait; again: the call of this step was sent
 * before. False: there is no time left for it, nothing was queued. INTERNAL: what it is made of cannot be read. */
result download_call(struct download_case *c, bool again, bool *out_called);
/* Seconds that a call may take when so much time is left (A6): less than its least, it is not made. */
int64_t download_validity_s(const struct function *fn, int64_t rest_us);
const struct function *download_function(enum download_state state);
/* When the time of its state is over, and the earlier of at and the next instant at which something is due anyway. */
int64_t download_until(const struct download_case *c);
int64_t download_due(const struct download_case *c, int64_t at);

/* download_package.c */
/* Profile type and ICCID of the download, once in a transaction: c->type, c->item. Two round trips at most. */
result download_parts(struct download_case *c);
/* What INSTALL is computed from. The package is the caller's to free. */
result download_package(struct download_case *c, struct secret *out);
result download_install(struct download_case *c, struct secret *package, struct card_install *out);
void card_install_wipe(struct card_install *in);

/* download_check.c: whether the profile fits the card that the EIS describes, and is the card's own word: OK, or the exact code. Pure but for the
 * clock. out_ecasd: PK.ECASD.ECKA; *out_leftovers: ICCIDs that older downloads of ours left in state Created, blank between two. */
struct download_needs {
	struct eid eid;
	struct iccid iccid;
	struct oid smdp; /* we */
	int64_t memory;
	struct bytes ci_pem, ci_crl_pem;
	int64_t now_us;
};
result download_check(struct arena *a, const struct eis *eis, const struct download_needs *needs, uint8_t out_ecasd[P256_POINT],
		      const char **out_leftovers);

/* download_said.c: what an answer to the call of the state means. */
struct download_said {
	const struct response_base *base; /* NULL: a SOAP Fault, or none came at all */
	const void *response;
	const char *fault; /* its text; NULL: none */
};
/* The event, and what it tells the operator (OK: nothing). What was learned stands in c->d. */
result download_judge(struct download_case *c, const struct download_said *said, enum download_event *out_event, result *out_told);

/* download_step.c: the mover. */
/* Moves c->d by the event and does what its new state asks. why: what the operator will be told, if this ends in failure. An event that
 * cannot happen changes nothing. */
result download_step(struct download_case *c, enum download_event event, result why);
/* The SM-SR said something about the call that is under way: it is judged, and the download moved. */
result download_answered(struct download_case *c, const struct download_said *said);
/* due_at came: the deadline, the end of a pause, or of the patience with a call. */
result download_overdue(struct download_case *c);
/* EXPIRED: 1.6/5.4 when the card may have taken something, else 1.6/5.3. */
result download_expired(struct arena *a, enum download_state state, const char *message);

/* download_end.c */
/* Executes what was queued: before something is loaded, since results come in the order of all statements. */
result download_flush(struct download_case *c);
/* The operator's answer, once. */
result download_tell(struct download_case *c, result outcome);
/* Stock, keys, answer, log of a state that ended; old, event: how it came there. */
result download_end(struct download_case *c, enum download_state old, enum download_event event);
/* As result; OK when it is a success. */
result download_result(struct arena *a, const struct download_outcome *o);
void download_outcome_set(struct download *d, result r);

/* download_answer.c */
bool smdp_answered(void *role, struct db *db, struct arena *a, const struct outbox_answer *in);
extern const struct awaited smdp_awaited[];
extern const size_t smdp_n_awaited;

/* download_order.c */
extern const struct load es2_download_profile_load;
result es2_download_profile(struct rq *rq, const void *in, void *out);
void es2_download_profile_committed(struct rq *rq);

/* download_due.c: the worker that does what is due by the clock (common/app/due.h). */
extern const struct due_table download_due_table;
struct due *downloads_new(void);
/* Rings for what c's transaction did, only if the worker has something to do for it before it looks by itself. The next call is none of it: the
 * outbox worker that took this answer sends it, or was rung after the commit. */
void downloads_moved(const struct download_case *c);

#endif

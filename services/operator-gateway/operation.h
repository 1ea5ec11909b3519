/* SPDX-License-Identifier: Apache-2.0 */
/* What a tenant ordered of a card, from the order to its end. The first half is pure. */
#ifndef OPERATOR_GATEWAY_OPERATION_H
#define OPERATOR_GATEWAY_OPERATION_H

#include "common/rpc/outbox.h"
#include "common/rpc/rq.h"
#include "services/operator-gateway/json.h"

enum operation_kind {
	OPERATION_ENABLE,
	OPERATION_AUDIT,
	OPERATION_DISABLE,
	OPERATION_DELETE,
	OPERATION_POLICY,      /* at once: no card is asked */
	OPERATION_ADDRESS,     /* at once */
	OPERATION_DOWNLOAD,    /* by an SM-DP only */
	OPERATION_SMSR_CHANGE, /* to another SM-SR, in two stages; never by an SM-DP */
	OPERATION_KINDS
};
/* Whom it is asked of: the card's SM-SR, or an SM-DP that asks it for us. */
enum operation_route { ROUTE_ES4, ROUTE_ES2, OPERATION_ROUTES };
enum operation_stage {
	STAGE_NONE,
	STAGE_PREPARE,
	STAGE_CHANGE,
	OPERATION_STAGES
}; /* the SM-SR that is to have the card, who has it */
enum operation_state {
	OPERATION_QUEUED,   /* its request stands in the outbox, or was sent and is not answered */
	OPERATION_ACCEPTED, /* HTTP 202: a callback will come */
	OPERATION_REPEATED, /* none came in time: the same FCI was sent once more, which fetches a lost answer (A2) */
	OPERATION_WAITING,  /* it was busy: asked again later (C1) */
	OPERATION_ENDED,
	OPERATION_STATES
};
enum operation_event {
	OPEV_ACCEPTED, /* 202 to the request */
	OPEV_ANSWER,   /* an answer for good, by whatever way */
	OPEV_NEXT,     /* a success that another stage follows */
	OPEV_BUSY,     /* 1.2/4.4 to an order that may wait */
	OPEV_FAULT,    /* a SOAP Fault */
	OPEV_GIVEN_UP, /* the outbox gave up */
	OPEV_DUE,      /* next_at came */
	OPEV_LATE,     /* the same, and there is no time left for another attempt */
	OPEV_STALE,    /* a word about an attempt that is over, which changes nothing */
	OPERATION_EVENTS
};
enum operation_action {
	OPACT_NOTHING,
	OPACT_KEEP,   /* the answer, and the new state */
	OPACT_SEND,   /* a new attempt, with an FCI of its own */
	OPACT_NEXT,   /* the same for the next stage */
	OPACT_REPEAT, /* the same FCI again */
	OPACT_END,    /* with the answer */
	OPACT_SILENT, /* the end: nobody knows what became of it */
	OPACT_LAST,   /* the end, with the last answer that there was */
};
struct operation_step {
	enum operation_state state;
	enum operation_action action;
};
/* The one decision (operation_next.c). */
struct operation_step operation_next(enum operation_state state, enum operation_event event);
const char *operation_state_name(enum operation_state state);
const char *operation_kind_name(enum operation_kind kind);
bool operation_state_parse(const char *text, enum operation_state *out);
bool operation_kind_parse(const char *text, enum operation_kind *out);
/* NULL: it does not go so. */
const struct function *operation_function(enum operation_kind kind, enum operation_route route);
/* It names one profile. */
bool operation_of_profile(enum operation_kind kind);
/* Answered on the connection, without a card: there is no callback. */
bool operation_at_once(enum operation_kind kind);
/* How long an order may take, busy answers and outages included. */
struct validity operation_validity(enum operation_kind kind);
/* The ValidityPeriod of a request when so much of the order's time is left. */
int64_t operation_request_s(enum operation_kind kind, int64_t rest_s);

enum { ICCIDS_MAX = 64, WAIT_MAX_S = 60 };

/* What an order says. */
struct operation_order {
	enum operation_kind kind;
	struct eid eid;
	struct iccid iccid;                  /* all but audit; download: "" when profile_type says which */
	const char *iccids;                  /* audit: blank between two; "": all */
	struct pol2 pol2;                    /* policy */
	struct subscription_address address; /* address */
	const char *profile_type;            /* download; NULL: that of the ICCID */
	bool enable;                         /* download: when it is installed */
	bool has_change;                     /* pol2 or address was said */
	struct oid to;                       /* SM-SR change; dry_run: only its first stage */
	bool dry_run;
	const char *smdp; /* what was said of it: OID or name; "": straight to the SM-SR; NULL: nothing */
	unsigned validity_s;
	bool callback, patient;
};
/* {eid} and what follows of a path below /v1/euiccs/. False: there is no such order; *out_error NULL, or what is wrong with an identifier. */
bool order_path(struct arena *a, const char *method, const char *rest, struct operation_order *out, const char **out_error);
/* The body; NULL: nothing was sent. False: *out_error names the field and what it should be. */
bool order_body(struct arena *a, json_t *body, struct operation_order *out, const char **out_error);
/* All of it as text: equal for equal orders only. */
const char *order_input(struct arena *a, const struct operation_order *o);

/* operation_change.c: what policy and address orders change, and what is downloaded. False: *out_error names the place and what it should
 * be. */
bool change_rules(struct arena *a, const json_t *list, struct operation_order *o, const char **out_error);
bool change_imsi(struct arena *a, const json_t *value, struct operation_order *o, const char **out_error);
bool change_msisdn(struct arena *a, const json_t *value, struct operation_order *o, const char **out_error);
bool change_profile_type(struct arena *a, const json_t *value, struct operation_order *o, const char **out_error);
/* As text for the row, "" for other kinds; and back: false: it is damaged. */
const char *change_text(struct arena *a, const struct operation_order *o);
bool change_read(struct arena *a, const char *text, struct operation_order *o);
/* Into the operation's JSON. */
void change_put(json_t *j, const struct operation_order *o);

/* How it was answered; texts are "" when absent. status: EXECUTED_SUCCESS, ..., FAILED, EXPIRED; NO_ANSWER when nobody knows. */
struct operation_answer {
	const char *status, *subject, *reason, *subject_id, *message, *euicc_response, *eis;
	int64_t at;        /* ProcessingEnd, wall microseconds of the other side's clock; 0: not said */
	const char *iccid; /* download: which profile was taken */
};

/* With or without a warning. */
bool operation_executed(const struct operation_answer *answer);

struct operation {
	const char *id;               /* NULL: none */
	struct operation_order order; /* validity_s 0: only deadline counts */
	struct oid smsr;
	struct oid smdp; /* text "": straight to the SM-SR */
	enum operation_state state;
	enum operation_stage stage;
	int64_t attempt, stage_attempt; /* the newest; the first of the stage */
	const char *stages;             /* what happened since the order was placed: JSON array, or "" */
	/* Microseconds of the database's clock, which all replicas share; of one that is not stored yet, since its creation. */
	int64_t created_at, deadline, next_at, ended_at; /* ended_at 0: not yet */
	int64_t now;                                     /* when it was read */
	struct operation_answer answer;                  /* the last one */
	int64_t refusals;                                /* of them, 1.2/4.4 */
	int64_t busy_at;                                 /* when the last was made; 0: ask with another FCI */
	const char *user, *trace;
};
enum operation_route operation_route(const struct operation *o);
/* The entity that is asked, and the function that it is asked for. */
const struct oid *operation_to(const struct operation *o);
const struct function *operation_asked(const struct operation *o);
/* True: text is a UUID; only such may be looked for. */
bool operation_id_ok(const char *text);
/* What a request is known by, as FCI, TransactionId and in the outbox: <id>.<attempt>. */
const char *operation_ref(struct arena *a, const struct operation *o, int64_t attempt);
/* False: text is none. */
bool operation_ref_parse(struct arena *a, const char *text, const char **out_id, int64_t *out_attempt);
/* The busy_at that follows a busy answer. A request may have been executed and its answer lost, and the repetition be told "busy" by an
 * SM-SR that cannot look just now: so the same FCI is asked again as long as it is judged anew each time. A refusal of the same moment is
 * a stored one: this FCI was never executed and never will be. */
int64_t operation_busy_at(const struct operation *o, const struct operation_answer *answer);
/* When something is due in a state that was entered now. */
int64_t operation_due(const struct operation *o, enum operation_state state, int64_t now);
/* What a response of operation_asked() means: status, code, the card's words, the EIS of an audit, the ICCID of a download. A success
 * that is not about this card or this profile is none. */
struct operation_answer operation_answer_of(struct arena *a, const struct operation *o, const struct response_base *base,
					    const void *response);
/* attempt: whose answer it is. Of an attempt that is over only success counts: what was ordered is done, whoever asked for it. */
enum operation_event operation_event_of(const struct operation *o, int64_t attempt, const struct operation_answer *answer);
/* The shape of docs/northbound.md; whole: with the EIS of an audit. */
json_t *operation_json(struct arena *a, const struct operation *o, bool whole);

/* operation_store.c */
struct gateway;
/* Row of a statement that selects OPERATION_COLUMNS; everything in a. */
result operation_row(struct arena *a, const struct rows *rows, size_t row, struct operation *out);
result operation_get(struct db *db, struct arena *a, const char *id, struct operation *out);
/* Statements of the current transaction. queue_add: row and outbox row of a new operation (its id, order, smsr, times, user). */
void operation_queue_add(struct db *db, struct arena *a, const struct operation *o, const char *key);
/* Does what operation_next says, and what follows from it. answer NULL: the event brings none. *out_sent: the outbox is to be rung. False:
 * nothing is to be done. */
bool operation_step(struct db *db, struct arena *a, const struct operation *o, enum operation_event event,
		    const struct operation_answer *answer, bool *out_sent);

/* operation_stage.c. stages_add: o->stages with one more, what becomes of it now; answer NULL: none came. stages_json: all of them, the order's
 * placing as the first. */
const char *operation_stage_name(enum operation_stage stage);
bool operation_stage_parse(const char *text, enum operation_stage *out);
enum operation_stage operation_first_stage(enum operation_kind kind);
const char *operation_stages_add(struct arena *a, const struct operation *o, enum operation_state state, int64_t attempt,
				 const struct operation_answer *answer);
json_t *operation_stages_json(const struct operation *o);
json_int_t operation_stages_newest(const json_t *stages, json_int_t none); /* the number of the last */

/* operation_answer.c: what comes from SM-SRs and SM-DPs. */
extern const struct awaited gateway_awaited[];
extern const size_t gateway_n_awaited;
bool gateway_answered(void *role, struct db *db, struct arena *a, const struct outbox_answer *answer);

/* operation_due.c: one look at what is due; *out_ms: until the next. True: there may be more now. */
bool operations_due(struct gateway *g, struct db *db, struct arena *a, unsigned *out_ms);

#endif

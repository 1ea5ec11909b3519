/* SPDX-License-Identifier: Apache-2.0 */
/* One card with two profiles in a real database, and what an operator and the card do with it, a transaction each. */
#ifndef TESTS_PROCEDURE_FIXTURE_H
#define TESTS_PROCEDURE_FIXTURE_H

#include "common/card/notification.h"
#include "common/rpc/rpc.h"
#include "services/sm-sr/procedures.h"
#include "tests/unit/store/cluster.h"

enum {
	T_FIRST = SMSR_STATEMENTS_END,
	T_CARD = T_FIRST,
	T_PROFILE,
	T_ENTITY,
	T_ADDRESS,
	T_CALL,
	T_RESET,
	T_PACKET,
	T_OVERDUE,
	T_DAMAGE,
	T_CROWD,
	T_MSISDN,
	T_TRIGGERED,
	T_POL2,
	T_HERD,
	T_COUNTERS,
	T_MADE,
	T_UNADDRESSED,
	T_BODY,
	T_LEASE_OVER,
	T_LOOK,
	T_RUNNING,
	T_FILL,
	T_TRAIL,
	T_KEY,
	T_ICCID,
	T_SMSR,
	T_HTTPS,
	T_LISTED,
	T_OUTCOMES,
	T_STEP_OVER,
	T_UNCERTAIN,
	T_KEYSETS,
	T_DUE_NOW,
	T_LONG_TRAIL,
	T_END
};

/* The fall-back profile, enabled first, and the other one. Each operator owns one. The third, of nobody who could be told, is on the
 * card after add_third. */
enum profile_at { BASE, OTHER, THIRD };

struct stage {
	struct cluster cluster;
	struct statement statements[T_END];
	struct migration migrations[16];
	struct store *store;
	struct db *db;
	struct arena *a;
	struct rpc rpc;
	struct smsr_config config;
	struct smsr smsr;
	struct eid eid;
	struct iccid iccid[3];
	struct aid isdp[3];
	struct entity operator[2];
	struct entity smdp; /* nobody knows it before add_smdp */
	unsigned calls;
	const char *fci;         /* of the last call */
	struct card_case *c;     /* of the last transaction */
	struct card_case *asked; /* of the last call of ask, where a procedure is asked for */
};

struct stage *stage_make(void);
/* The card as it was in the beginning. */
void stage_reset(struct stage *s);
void stage_drop(struct stage *s);
void add_third(struct stage *s);
/* Its row cannot be read any more, and its deadline has passed. */
void damage_procedure(struct stage *s);
/* n procedures that are due for longer, of cards that nobody knows. */
void crowd(struct stage *s, unsigned n);
/* n more cards with two key sets each, of which one is for SMS. */
void herd(struct stage *s, unsigned n);
/* How many key sets for SMS there are, and how many of them have just this counter. */
void counters(struct stage *s, int64_t counter, int64_t *out_all, int64_t *out_same);
void set_msisdn(struct stage *s, enum profile_at p, const char *msisdn);
/* The number that the card is rung at by its next SMS; "": none is due. times: how often it was rung before. */
const char *rings_at(struct stage *s, unsigned times);
void set_pol2(struct stage *s, enum profile_at p, struct bytes pol2);

/* The body of the newest message of this kind that waits in the outbox. */
const char *outbox_body_of(struct stage *s, const char *kind);
/* The SM-DP is registered, with or without an ES3 address; its customer is the operator of OTHER. */
void add_smdp(struct stage *s, bool addressed);
/* It made this profile, which is in that state. */
void made_by_smdp(struct stage *s, enum profile_at p, enum profile_state state);
/* The operator has no address of its own. */
void unaddressed(struct stage *s, enum profile_at who);

/* A call; the relation is checked, then the handler's result. In the arena: in. */
result ask(struct stage *s, const struct entity *caller, enum function_id id, const struct load *load,
	   result (*handle)(struct rq *rq, const void *in, void *out), const void *in, void *out);
/* The operator of `who` asks; the handler's result. */
result ask_enable(struct stage *s, enum profile_at who);
result ask_disable(struct stage *s, enum profile_at who);
result ask_delete(struct stage *s, enum profile_at who);
result ask_audit(struct stage *s, enum profile_at who);
/* A new session: what it had before and has not answered is lost. */
void card_session(struct stage *s);
/* The next command, fetched; its kind. Fails the test when there is none. */
enum command_kind card_fetch(struct stage *s);
/* May what is queued be sent to the card still? When not, its procedure has ended. */
bool card_may_fetch(struct stage *s);
/* The answer to what is fetched: data in hex and a status word per command. */
void card_answer(struct stage *s, size_t n, const char *const *data, const uint16_t *sw);
void card_answer1(struct stage *s, const char *data, uint16_t sw);
/* The same to what an SM-DP sent: the whole answer, in hex. */
void card_answer_raw(struct stage *s, const char *hex);
/* The time for which the card is kept passes. */
void lease_over(struct stage *s);
/* True: it is confirmed now. */
bool card_notify(struct stage *s, enum notification_type type, uint16_t seq, enum profile_at profile);
/* The deadline passes. unattended: the sweeper is not there yet. */
void time_out(struct stage *s, bool unattended);

/* What stands in the database now; texts in s->a. */
struct look {
	const char *enabled; /* ICCIDs, blank between two */
	const char *answer;  /* of the last call; NULL: none yet */
	const char *states;  /* of procedures, by start: "4/2/CARD_ERROR" state, status, code */
	const char *trail;   /* operations, by number; the card's own with '-', with its outcome else: "2- 512/0" */
	const char *told;    /* SOAP rows: "ES4-HandleProfileDisabledNotification>1.2.3" */
	const char *events;  /* names */
	bool uncertain, expired_aid;
	int64_t open_commands, busy, profiles, times;
	const char *auto_delete; /* ICCIDs */
	const char *third;       /* free memory, and the state of THIRD; "-": it is not there */
	bool session;
};
struct look look(struct stage *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SM-SR1's sm-sr-handover on a real database, without its process; around it, in the test's own thread, its sm-sr, SM-SR2 with real keys, and
 * the card's side of the key agreement. */
#ifndef TESTS_HANDOVER_OUT_STAGE_H
#define TESTS_HANDOVER_OUT_STAGE_H

#include "common/card/isdr_agreement.h"
#include "services/sm-sr-handover/out.h"
#include "tests/unit/services/eum_fixture.h"
#include "tests/unit/store/cluster.h"

/* Statements of the tests, behind the role's. */
enum {
	T_CALL = HANDOVER_STATEMENTS_END,
	T_OUTBOX,
	T_OUTBOX_DONE,
	T_WAITING,
	T_EVENTS,
	T_ANSWER,
	T_PARKED,
	T_OWNED,
	T_COMING,
	T_LEFT,
	T_AGAIN,
	T_DEADLINE,
	T_CALL_OVER,
	T_RESET,
	T_END
};

#define HANDOVER "0b0b0b0b-1c1c-4d4d-8e8e-0f0f0f0f0f0f"
#define SMSR2 "1.3.6.1.4.1.99999.22"
enum { KVN = 2, VALIDITY_S = 600 };

struct go {
	struct cluster cluster;
	struct fixture f;
	struct arena *a; /* the fixture's */
	struct statement statements[T_END];
	struct migration migrations[24];
	struct store *store;
	struct db *db;
	struct handover_config config;
	struct handovers role;
	struct rpc rpc;
	struct entity sr2, other; /* who calls; another SM-SR */
	struct eid eid;
	const char *eis; /* the text that the sm-sr exports */
	unsigned calls;
	const char *fci; /* of SM-SR2's last call */
	/* SM-SR2 */
	struct ec_key *sr2_key;
	struct bytes certificate;
	struct ka_host host;
	/* The card */
	struct ec_key *ecasd;
	uint8_t ecasd_point[P256_POINT], rc[KA_CHALLENGE_MIN], signer[P256_POINT];
	struct card_keys keys;
};

/* One thing that waits in the outbox for a peer or the sm-sr: it is taken out. */
struct left {
	const char *lane, *kind, *ref, *body, *order;
	bool wants_callback;
};

struct go *go_open(void);
void go_close(struct go *g);
/* Nothing is under way, nothing waits. */
void go_reset(struct go *g);
void go_sync(struct go *g, const struct rows **rows, size_t n);

/* A certificate of this role by this CI, which ends on that day. */
struct bytes go_certificate(struct go *g, const struct ec_key *ci, uint8_t role, const char *expires);

/* The sm-sr asks: as common/rpc/ask.h does it. */
result go_change(struct go *g, int64_t until_s);
result go_outcome(struct go *g, const char *step, const char *outcome, const char *code, const char *sw, struct bytes data);
/* The next that left; false: nothing waits. Events are no part of it. */
bool go_next(struct go *g, struct left *out);
/* The next one is this request of the sm-sr: its body. */
json_t *go_asked(struct go *g, const char *verb, struct left *out);
/* The sm-sr's answer to it. more: further members, NULL: none. False: it is to be asked again. */
bool go_reply(struct go *g, const struct left *l, const char *code, json_t *more);

/* SM-SR2 calls: the pipeline's steps. OK: it waits for the card. */
result go_call(struct go *g, enum function_id id, const struct entity *caller, const void *in);
result go_authenticate(struct go *g, const struct entity *caller, struct bytes certificate);
/* Signs for this challenge and sends; spoil changes what is sent, NULL: nothing. */
result go_keyset(struct go *g, void (*spoil)(struct es7_create_additional_keyset_rq *rq));
/* Its last call's answer; NULL: none yet. */
const char *go_answer(struct go *g);
/* That is a failure of this code. */
void go_answer_is(struct go *g, const char *status, const char *subject, const char *reason);

/* SM-SR2 answers HandoverEUICC, on the connection (false: it is made again as it is) or by callback. reason NULL: no code. */
bool go_answered(struct go *g, const struct left *l, enum status status, const char *subject, const char *reason);
bool go_answered_as(struct go *g, const struct left *l, const struct outbox_answer *answer);
enum callback_verdict go_callback(struct go *g, const char *ref, const struct entity *caller, enum status status,
				  const char *subject, const char *reason);

/* The worker looks after the statement has moved the clock. */
void go_time(struct go *g, unsigned statement);
struct handover_out *go_row(struct go *g);
void go_in(struct go *g, enum handover_out_state state);

/* handover_out_way.c. The command that the card gets next, and what it answers: the command's step, data without SW. */
const char *go_card_challenge(struct go *g, struct buf *out_data);
const char *go_card_receipt(struct go *g, struct buf *out_data);
/* As far as that state, from CALLING to DOUBT, all going well. *out_call: HandoverEUICC as it left, from CALLING on. */
void go_to(struct go *g, enum handover_out_state state, struct left *out_call);

#endif

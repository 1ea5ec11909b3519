/* SPDX-License-Identifier: Apache-2.0 */
/* The sm-sr-handover on a real database, without its process, as SM-SR2: around it an sm-sr, the card's former SM-SR and the card answer in the
 * test's own thread. */
#ifndef TESTS_HANDOVER_FIXTURE_H
#define TESTS_HANDOVER_FIXTURE_H

#include "services/sm-sr-handover/handover_in.h"
#include "tests/unit/services/eum_fixture.h"
#include "tests/unit/store/cluster.h"

/* Statements of the tests, behind the process's. */
enum {
	T_ENTITY = HANDOVER_STATEMENTS_END,
	T_ADDRESS,
	T_CALL,
	T_OUTBOX,
	T_OUTBOX_DONE,
	T_ANSWER,
	T_DUE,
	T_DEADLINE,
	T_LAPSE,
	T_STATE,
	T_STAGES,
	T_EVENTS,
	T_FIND,
	T_DIALECT,
	T_PLAIN,
	T_RESET,
	T_END
};

#define DESK_ID "00000000-0000-4000-8000-%012u"

/* Something that it queued: for the former SM-SR, or for its sm-sr. */
struct desk_row {
	int64_t id;
	const char *kind, *ref, *text;
	const struct function *fn; /* a call */
	const void *in;            /* its request struct */
	json_t *json;              /* what the sm-sr is asked */
};

struct desk {
	struct cluster cluster;
	struct fixture f;
	struct arena *a; /* the fixture's */
	struct statement statements[T_END];
	struct migration migrations[16];
	struct store *store;
	struct db *db;
	struct handover_config config;
	struct handovers hs;
	struct rpc rpc;
	struct entity former;
	struct eum_card made;
	struct eis eis; /* as the former SM-SR hands it over */
	struct ec_key *ecasd;
	uint8_t rc[KA_CHALLENGE_MIN];
	struct card_keys ks2; /* what the card has */
	unsigned ids, orders;
	int64_t later_us; /* than now a card is handed over */
	json_t *last;
};

struct desk *desk_open(void);
void desk_close(struct desk *d);
/* Rows are gone, the EIS is as made. */
void desk_reset(struct desk *d);
void desk_sync(struct desk *d, const struct rows **rows, size_t n);

/* The sm-sr announces the card; a new id each time (desk_id). */
result desk_prepare(struct desk *d, const char *former);
const char *desk_id(struct desk *d);
/* ES7.HandoverEUICC of the desk's EIS as the pipeline executes it, under FCI order-<n>. */
result desk_hand(struct desk *d, const struct entity *caller, uint32_t validity_s);
/* The next row for the former SM-SR, or the sm-sr; false: none waits. */
bool desk_next(struct desk *d, const char *lane, struct desk_row *out);
#define DESK_PEER "peer:1.3.6.1.4.1.99999.2"
#define DESK_SMSR "rq:sm-sr"
/* The former SM-SR answers: rs is the function's response struct; NULL: given up. */
void desk_answer(struct desk *d, const struct desk_row *row, const struct response_base *rs);
void desk_refuse(struct desk *d, const struct desk_row *row, enum status status, const char *subject, const char *reason);
void desk_callback(struct desk *d, const struct desk_row *row, const struct oid *from, const struct response_base *rs,
		   enum callback_verdict wanted);
/* The card's part in both calls. */
struct es7_authenticate_smsr_rs desk_challenge(struct desk *d);
struct es7_create_additional_keyset_rs desk_receipt(struct desk *d, const struct desk_row *row);
/* The sm-sr answers what it was asked. */
void desk_reply(struct desk *d, const struct desk_row *row, bool done, bool https);
/* What became of the command under way. */
result desk_outcome(struct desk *d, int64_t step, const char *outcome);
/* A time comes (T_DUE, T_DEADLINE, T_LAPSE), and what is due is done; how many rows were. */
size_t desk_time(struct desk *d, unsigned statement);
/* All the way to this state, everybody doing what he shall. */
void desk_run(struct desk *d, enum handover_in_state until);

struct handover_in *desk_now(struct desk *d);
/* The answer to order-<n>; NULL: none yet. */
const char *desk_told(struct desk *d, unsigned order);
void desk_told_is(struct desk *d, unsigned order, const char *status, const char *subject, const char *reason);
/* FAILED with this code. */
void desk_refused(result r, enum code code);
/* Nothing stands there but the announcement: the card may still come. */
void desk_untouched(struct desk *d);
/* One cluster for several tests: each begins with empty tables. */
void desk_each(void (*const *tests)(struct desk *d), size_t n);

#endif

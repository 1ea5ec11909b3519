/* SPDX-License-Identifier: Apache-2.0 */
/* The EUM on a real database, without its process: orders, the maker, and looks into its rows. */
#ifndef TESTS_EUM_STAGE_H
#define TESTS_EUM_STAGE_H

#include "services/eum/eum.h"
#include "services/eum/statements.h"
#include "tests/unit/services/eum_fixture.h"
#include "tests/unit/store/cluster.h"

/* Statements of the tests, behind the EUM's. */
enum { T_ENTITY = EUM_STATEMENTS_END, T_ADDRESS, T_COUNTS, T_CARD, T_OUTBOX_CLEAR, T_EVENTS, T_UPDATE, T_DIALECT, T_REQUESTS, T_END };

struct stage {
	struct cluster cluster;
	struct fixture f;
	struct statement statements[T_END];
	struct migration migrations[16];
	struct store *store;
	struct db *db;
	struct eum_config config;
	struct transport_key transport;
	struct eum eum;
	struct app app;
	struct entity orderer;
	char dir[64];
};

struct stage *stage_make(void);
void stage_drop(struct stage *s);
/* Runs what is queued; fails the test when it fails. */
void stage_sync(struct stage *s, const struct rows **rows, size_t n);
/* As the pipeline does it: begin, load, handle, commit; the caller's own entity. */
result stage_call(struct stage *s, const struct served *served, const struct entity *caller, const void *in, void *out);
/* Orders a batch; its id. */
const char *stage_order(struct stage *s, const char *name, int64_t quantity);
struct eum_batch_info *stage_status(struct stage *s, const char *batch);
/* Runs the maker until the batch's file is marked. */
void stage_fill(struct stage *s, const char *batch);
void stage_nap(void);
/* Of the batch "first". */
struct eid stage_first_eid(struct stage *s);
void stage_card_is(struct stage *s, const struct eid *eid, const char *state, const char *code);

#endif

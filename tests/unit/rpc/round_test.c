/* SPDX-License-Identifier: Apache-2.0 */
/* Reads that share a round trip: each gets its own rows, and none suffers from another (round.c). */
#include <criterion/criterion.h>
#include <string.h>

#include "common/rpc/run.h"
#include "tests/unit/store/cluster.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

enum { T_SAY = RPC_STATEMENTS, T_END };
/* Other input than a number fails. */
static const struct statement own[] = { { "t_say", "select $1::int + 1" } };

enum { RUNS = 4 };
struct stage {
	struct cluster cluster;
	struct store *store;
	struct rpc rpc;
	struct worker worker;
	struct run runs[RUNS];
};

static void say_queue(struct rq *rq, const void *in)
{
	DB_QUEUE(rq->db, T_SAY, p_text(in));
	DB_QUEUE(rq->db, T_SAY, p_text("100"));
}

/* What each found out: its own rows. */
static result say_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	int64_t *n = ARENA_NEW(rq->arena, int64_t);

	*n = row_int(rows[0], 0, 0);
	rq->loaded = n;
	facts->eid_named = true;
	cr_expect_eq(row_int(rows[1], 0, 0), 101);
	return *n == 13 ? internal(rq->arena, "unlucky") : OK;
}

static const struct load load = { 2, say_queue, say_take };
static const struct served reads = { FN_ES4_GetEIS, &load, NULL, NULL };
static const struct served writes = { FN_ES1_RegisterEIS, &load, NULL, NULL };
static const struct served bare = { FN_ES4_GetEIS, NULL, NULL, NULL };

static void stage_open(struct stage *s)
{
	static struct statement statements[T_END];
	struct store_spec spec = { .statements = statements, .n_statements = T_END, .migrations = common_migrations,
				   .n_migrations = common_migrations_count };
	char error[512] = "";

	memset(s, 0, sizeof(*s));
	s->cluster = cluster_new();
	spec.conninfo = s->cluster.conninfo;
	memcpy(statements, rpc_statements, sizeof(rpc_statements));
	memcpy(statements + RPC_STATEMENTS, own, sizeof(own));
	cr_assert_eq(store_open(&spec, 10, &s->store, error), 0, "%s", error);
	s->worker = (struct worker){ .rpc = &s->rpc, .db = db_open(s->store), .arena = arena_new() };
}

static void stage_close(struct stage *s)
{
	for (size_t i = 0; i < RUNS; i++)
		arena_free(s->runs[i].rq.arena);
	db_close(s->worker.db);
	arena_free(s->worker.arena);
	store_close(s->store);
	cluster_free(&s->cluster);
}

static struct run *run_of(struct stage *s, size_t at, const struct served *served, const char *in)
{
	static const struct entity caller = { .roles = ROLE_OPERATOR };
	struct run *r = &s->runs[at];

	if (!r->rq.arena)
		r->rq.arena = arena_new();
	*r = (struct run){ .w = &s->worker, .served = served, .in = arena_strdup(r->rq.arena, in),
			   .rq = { .rpc = &s->rpc, .arena = r->rq.arena, .db = s->worker.db, .fn = function_by_id(served->id),
				   .caller = &caller } };
	return r;
}

static void expect_taken(const struct run *r, int64_t n)
{
	cr_assert(r->taken && r->take == OK && r->facts.eid_named);
	cr_expect_eq(*(const int64_t *)r->rq.loaded, n);
}

Test(rpc_round, each_gets_its_own_rows)
{
	struct stage s;

	stage_open(&s);
	cr_assert(round_join(run_of(&s, 0, &reads, "1")) && round_join(run_of(&s, 1, &reads, "2")));
	cr_assert(round_join(run_of(&s, 2, &reads, "12")) && round_join(run_of(&s, 3, &reads, "3")));
	round_leave(&s.runs[1]);
	round_load(&s.worker);
	expect_taken(&s.runs[0], 2);
	expect_taken(&s.runs[3], 4);
	cr_expect_not(s.runs[1].taken, "it had gone");
	cr_expect(s.runs[2].taken && s.runs[2].take != OK, "damaged rows are its own");
	cr_expect_eq(s.worker.n_round, 0);
	stage_close(&s);
}

Test(rpc_round, one_that_fails_leaves_the_others_to_themselves)
{
	struct stage s;

	stage_open(&s);
	cr_assert(round_join(run_of(&s, 0, &reads, "1")) && round_join(run_of(&s, 1, &reads, "no number")));
	round_load(&s.worker);
	cr_expect_not(s.runs[0].taken || s.runs[1].taken);
	cr_assert(round_join(run_of(&s, 0, &reads, "1")) && round_join(run_of(&s, 1, &reads, "2")));
	round_load(&s.worker);
	expect_taken(&s.runs[0], 2);
	expect_taken(&s.runs[1], 3);
	stage_close(&s);
}

Test(rpc_round, who_joins)
{
	struct stage s;

	stage_open(&s);
	cr_expect_not(round_join(run_of(&s, 0, &writes, "1")), "it claims and locks");
	cr_expect_not(round_join(run_of(&s, 0, &bare, "1")), "there is nothing to load");
	for (size_t i = 0; i < ROUND_MAX; i++)
		cr_assert(round_join(run_of(&s, 0, &reads, "1")));
	cr_expect_not(round_join(run_of(&s, 1, &reads, "1")), "the round is full");
	s.worker.n_round = 1;
	round_load(&s.worker);
	cr_expect_not(s.runs[0].taken, "alone it needs no round");
	stage_close(&s);
}

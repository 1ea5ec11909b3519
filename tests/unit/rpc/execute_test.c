/* SPDX-License-Identifier: Apache-2.0 */
/* The execute step on a real database, with a function of our own: reruns, what is remembered and what is not (A1, F3). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/rpc/run.h"
#include "common/store/store_internal.h"
#include "tests/unit/store/cluster.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

enum { T_FIND = RPC_STATEMENTS, T_ADD, T_RAISE, T_COUNT, T_CALLS, T_DIE, T_END };
static const struct statement own[] = {
	{ "t_find", "select 1 from thing where k = $1" },
	{ "t_add", "insert into thing (k) values ($1)" },
	{ "t_raise", "select raise_state($1)" },
	{ "t_count", "select count(*) from thing" },
	{ "t_calls", "select count(*), count(answer) from call" },
	{ "t_die", "select pg_terminate_backend(pg_backend_pid())" },
};
static const struct migration migration = { 900, "900_test", "create table thing (k text primary key);"
	"create function raise_state(s text) returns int language plpgsql as $$ begin raise exception using errcode = s; end $$;" };

struct stage {
	struct cluster cluster;
	struct store *store;
	struct db *other; /* somebody else's connection */
	struct arena *arena;
	struct rpc rpc;
	struct entity caller;
	struct worker worker;
	struct es1_register_eis_rq in;
	struct run run;
	/* What the handler does. */
	unsigned ran;
	const char *raise;      /* an SQLSTATE, in the first raise_times runs */
	unsigned raise_times;
	bool overtaken;         /* somebody else writes the row while the first run decides */
	bool refuse, warn_first;
	bool die;               /* the database ends the connection of the first run before its commit */
	bool deaf;              /* ... we do not hear what became of that commit */
	bool away;              /* ... and do not find the database again */
	int64_t late_us;        /* how long ago the request came */
};
static struct stage *now; /* of the running test */

static void thing_queue(struct rq *rq, const void *in)
{
	DB_QUEUE(rq->db, T_FIND, p_text("a"));
}

static result thing_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	rq->loaded = rows_count(rows[0]) ? now : NULL;
	return OK;
}

static void other_sync(unsigned statement, const char *text, const struct rows **rows)
{
	if (text)
		DB_QUEUE(now->other, statement, p_text(text));
	else
		DB_QUEUE0(now->other, statement);
	cr_assert_eq(db_sync(now->other, now->arena, rows, rows ? 1 : 0, NULL), OK);
}

/* As if the commit had taken effect, but the connection ended before we were told. */
static void commit_unheard(struct rq *rq)
{
	db_rollback(rq->db);
	DB_QUEUE(now->other, RPC_CALL_REFUSED, p_text(rq->caller->oid.text), p_text(rq->fn->wire), p_text(rq->claim_key),
		 p_bytes(now->run.digest, SHA256_LEN), p_bytes("answer", 6));
	other_sync(T_ADD, "a", NULL);
	db_begin(rq->db);
	cr_assert_eq(db_sync(rq->db, rq->arena, NULL, 0, NULL), OK);
	cr_assert_eq(shutdown(PQsocket(rq->db->conn), SHUT_RDWR), 0);
}

static result thing_make(struct rq *rq, const void *in, void *out)
{
	now->ran++;
	if (rq->loaded)
		return failed(rq->arena, CODE_EID_IN_USE, "a", NULL);
	DB_QUEUE(rq->db, T_ADD, p_text("a"));
	if (now->refuse)
		return failed(rq->arena, CODE_PARAM_INVALID, "Eid", "Eid: not today");
	if (now->warn_first && now->ran == 1)
		rq_warn(rq, CODE_PARAM_INVALID, "Eid", "said by a run that never was");
	if (now->overtaken && now->ran == 1)
		other_sync(T_ADD, "a", NULL);
	if (now->raise && now->ran <= now->raise_times)
		DB_QUEUE(rq->db, T_RAISE, p_text(now->raise));
	if (now->die && now->ran == 1)
		DB_QUEUE0(rq->db, T_DIE);
	if (now->deaf && now->ran == 1)
		commit_unheard(rq);
	if (now->away && now->ran == 1)
		rq->db->retry_at_ms = INT64_MAX;
	return OK;
}

static const struct load load = { 1, thing_queue, thing_take };
static const struct served served = { FN_ES1_RegisterEIS, &load, thing_make, NULL };

static struct stage *stage_make(void)
{
	static struct statement statements[T_END];
	static struct migration migrations[16];
	struct stage *s = calloc(1, sizeof(*s));
	struct store_spec spec = { .statements = statements, .n_statements = T_END, .migrations = migrations };
	char error[512] = "";

	cr_assert_not_null(s);
	s->cluster = cluster_new();
	spec.conninfo = s->cluster.conninfo;
	memcpy(statements, rpc_statements, sizeof(rpc_statements));
	memcpy(statements + RPC_STATEMENTS, own, sizeof(own));
	memcpy(migrations, common_migrations, common_migrations_count * sizeof(*migrations));
	migrations[common_migrations_count] = migration;
	spec.n_migrations = common_migrations_count + 1;
	cr_assert_eq(store_open(&spec, 10, &s->store, error), 0, "%s", error);
	s->arena = arena_new();
	s->other = db_open(s->store);
	s->rpc = (struct rpc){ .role = "sm-sr", .store = s->store };
	s->worker = (struct worker){ .rpc = &s->rpc, .db = db_open(s->store), .arena = arena_new() };
	cr_assert(oid_parse("1.3.6.1.4.1.99999.1", &s->caller.oid));
	s->caller.roles = ROLE_EUM;
	now = s;
	return s;
}

static void stage_drop(struct stage *s)
{
	db_close(s->other);
	db_close(s->worker.db);
	arena_free(s->worker.arena);
	arena_free(s->arena);
	buf_free(&s->worker.answer);
	buf_free(&s->worker.envelope);
	buf_free(&s->worker.scratch);
	store_close(s->store);
	cluster_free(&s->cluster);
	free(s);
}

/* One call with this identifier and this input. */
static const struct run *call(struct stage *s, const char *fci, uint8_t input)
{
	arena_reset(s->worker.arena);
	s->ran = 0;
	s->run = (struct run){ .w = &s->worker, .served = &served, .in = &s->in, .fci = fci,
			       .request = message_request(FN_ES1_RegisterEIS), .response = message_response(FN_ES1_RegisterEIS) };
	s->run.rq = (struct rq){ .rpc = &s->rpc, .arena = s->worker.arena, .db = s->worker.db, .caller = &s->caller,
				 .fn = function_by_id(FN_ES1_RegisterEIS), .in = &s->in, .validity_s = 30, .trace = "",
				 .started_us = clock_us() - s->late_us, .received_us = clock_wall_us() };
	memset(s->run.digest, input, sizeof(s->run.digest));
	buf_clear(&s->worker.answer);
	cr_assert(run_execute(&s->run));
	cr_assert_not(db_in_transaction(s->worker.db));
	return &s->run;
}

static void counts(struct stage *s, int64_t things, int64_t calls)
{
	const struct rows *rows;

	other_sync(T_COUNT, NULL, &rows);
	cr_expect_eq(row_int(rows, 0, 0), things);
	other_sync(T_CALLS, NULL, &rows);
	cr_expect_eq(row_int(rows, 0, 0), calls);
	cr_expect_eq(row_int(rows, 0, 1), calls, "a call without its answer");
}

Test(rpc_execute, reruns)
{
	struct stage *s = stage_make();
	const struct run *r;

	/* Somebody else was faster: the second run sees it, says so precisely, and that is what is remembered. */
	s->overtaken = s->warn_first = true;
	r = call(s, "overtaken", 1);
	cr_expect_eq(s->ran, 2);
	cr_assert_neq(r->outcome, OK);
	cr_expect_eq(r->outcome->code, CODE_EID_IN_USE);
	cr_expect_null(r->rq.warning, "of the run that was rolled back");
	counts(s, 1, 1);
	cr_expect(call(s, "overtaken", 1)->stored.len > 0);
	cr_expect_eq(s->ran, 0);
	stage_drop(s);

	/* A serialization failure and a deadlock are nobody's fault: once more. */
	s = stage_make();
	s->raise = "40001";
	s->raise_times = 1;
	s->warn_first = true;
	r = call(s, "crossed", 1);
	cr_expect_eq(s->ran, 2);
	cr_expect_eq(r->outcome, OK);
	cr_expect_null(r->rq.warning);
	counts(s, 1, 1);
	stage_drop(s);
}

Test(rpc_execute, what_is_not_remembered)
{
	static const struct {
		const char *state;
		unsigned runs;
		enum code code;
	} rows[] = { { "40P01", 4, CODE_BUSY }, { "55P03", 1, CODE_BUSY }, { "57014", 1, CODE_BUSY }, { "22012", 1, CODE_INTERNAL } };
	struct stage *s = stage_make();

	for (unsigned i = 0; i < LEN(rows); i++) {
		const struct run *r;

		s->raise = rows[i].state;
		s->raise_times = 100;
		r = call(s, "x", 1);
		cr_expect_eq(s->ran, rows[i].runs, "%s: %u runs", rows[i].state, s->ran);
		cr_assert_neq(r->outcome, OK);
		cr_expect_eq(r->outcome->code, rows[i].code, "%s", rows[i].state);
		counts(s, 0, 0);
	}
	/* The same call again, when the trouble is over. */
	s->raise = NULL;
	cr_expect_eq(call(s, "x", 1)->outcome, OK);
	counts(s, 1, 1);
	stage_drop(s);
}

Test(rpc_execute, repetitions)
{
	struct stage *s = stage_make();
	const struct run *r;
	char *first;

	/* A refusal changes nothing but that it is remembered. */
	s->refuse = true;
	r = call(s, "refused", 1);
	cr_expect_eq(r->outcome->code, CODE_PARAM_INVALID);
	counts(s, 0, 1);
	s->refuse = false;
	r = call(s, "refused", 1);
	cr_expect_eq(s->ran, 0);
	cr_expect(r->replayed && r->stored.len > 0);
	/* Success: the very octets again, the handler does not run. */
	cr_expect_eq(call(s, "good", 2)->outcome, OK);
	first = arena_strndup(s->arena, s->worker.answer.data, s->worker.answer.len);
	r = call(s, "good", 2);
	cr_expect_eq(s->ran, 0);
	cr_assert_eq(r->stored.len, strlen(first));
	cr_expect_eq(memcmp(r->stored.data, first, r->stored.len), 0);
	/* Another input under the same identifier, unless the peer's are weak. */
	r = call(s, "good", 3);
	cr_expect_eq(s->ran, 0);
	cr_assert_neq(r->outcome, OK);
	cr_expect_eq(r->outcome->code, CODE_PARAM_INVALID);
	cr_expect_str_eq(r->outcome->subject_id, "FunctionCallIdentifier");
	counts(s, 1, 2);
	s->caller.dialect.fci_weak = true;
	r = call(s, "good", 3);
	cr_expect_eq(s->ran, 1);
	cr_expect_eq(r->outcome->code, CODE_EID_IN_USE);
	counts(s, 1, 3);
	stage_drop(s);
}

/* Nothing was done in time, so nothing is remembered: the repetition has a period of its own. */
Test(rpc_execute, the_validity_period_ends_before_the_commit)
{
	struct stage *s = stage_make();
	const struct run *r;

	s->late_us = 31 * INT64_C(1000000);
	r = call(s, "late", 1);
	cr_expect_eq(s->ran, 1);
	cr_assert_neq(r->outcome, OK);
	cr_expect_eq(r->outcome->status, STATUS_EXPIRED);
	cr_expect_eq(r->outcome->code, CODE_TIME_EXPIRED);
	counts(s, 0, 0);
	s->late_us = 0;
	cr_expect_eq(call(s, "late", 1)->outcome, OK);
	counts(s, 1, 1);
	stage_drop(s);
}

/* Whether a commit took effect is looked for, not guessed: "busy" would mean that nothing was done. */
Test(rpc_execute, the_connection_ends_at_the_commit)
{
	struct stage *s = stage_make();
	const struct run *r;

	s->die = true;
	cr_expect_eq(call(s, "not committed", 1)->outcome, OK);
	cr_expect_eq(s->ran, 2);
	counts(s, 1, 1);
	stage_drop(s);

	s = stage_make();
	s->deaf = true;
	r = call(s, "committed", 1);
	cr_expect_eq(r->outcome, OK);
	cr_expect_eq(s->ran, 1);
	cr_expect(r->replayed && r->stored.len > 0);
	counts(s, 1, 1);
	stage_drop(s);

	/* It cannot be found out: a fault, which does not say that nothing was done, and which is worth a repetition. */
	s = stage_make();
	s->deaf = s->away = true;
	r = call(s, "not known", 1);
	cr_assert_not_null(r->fault.code);
	cr_expect_str_eq(r->fault.code, "Receiver");
	s->worker.db->retry_at_ms = 0;
	s->deaf = s->away = false;
	r = call(s, "not known", 1);
	cr_expect_eq(r->outcome, OK);
	cr_expect(r->replayed && !r->fault.code);
	counts(s, 1, 1);
	stage_drop(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The worker of rows that are due by the clock, on a real database with two tables of its own. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/app/due.h"
#include "tests/unit/store/cluster.h"

#define AWAIT(cond)                                                                 \
	do {                                                                        \
		for (int i_ = 0; i_ < 6000 && !(cond); i_++)                        \
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL); \
		cr_assert(cond);                                                    \
	} while (0)

enum {
	T_DUE = RPC_STATEMENTS,
	T_NEXT,
	T_AWAIT,
	T_OTHER_DUE,
	T_OTHER_NEXT,
	T_OTHER_AWAIT,
	T_LOCK,
	T_OTHER_LOCK,
	T_DONE,
	T_OTHER_DONE,
	T_ADD,
	T_OTHER_ADD,
	T_COUNT,
	T_OTHER_COUNT,
	T_AWAITED,
	T_END
};

/* await tells that it had the lock: who holds the row holds the worker. */
#define TABLE(name)                                                                                                      \
	{ "t_" name "_due",                                                                                              \
	  "select id::text from " name " where at <= clock_timestamp() and id <> all (string_to_array($2, ' ')::uuid[])" \
	  " order by at limit $1::int" },                                                                                \
		{ "t_" name "_next", "select (extract(epoch from min(at) - clock_timestamp()) * 1000)::int8 from " name  \
				     " where id <> all (string_to_array($1, ' ')::uuid[])" },                            \
		{ "t_" name "_await",                                                                                    \
		  "insert into awaited select id from " name " where id = any (string_to_array($1, ' ')::uuid[]) for update" },

static const struct statement own[] = {
	TABLE("first") TABLE("other"){ "t_lock", "select bad, at <= clock_timestamp() from first where id = $1::uuid for update" },
	{ "t_other_lock", "select bad, at <= clock_timestamp() from other where id = $1::uuid for update" },
	{ "t_done", "update first set at = null, times = times + 1 where id = $1::uuid" },
	{ "t_other_done", "update other set at = null, times = times + 1 where id = $1::uuid" },
	{ "t_add",
	  "insert into first (id, at, bad) values ($1::uuid, clock_timestamp() + make_interval(secs => $2::float8), $3::bool)" },
	{ "t_other_add",
	  "insert into other (id, at, bad) values ($1::uuid, clock_timestamp() + make_interval(secs => $2::float8), $3::bool)" },
	{ "t_count", "select coalesce(sum(times), 0)::int8 from first" },
	{ "t_other_count", "select coalesce(sum(times), 0)::int8 from other" },
	{ "t_awaited", "select count(*) from awaited where id = $1::uuid" },
};

static const struct migration migration = {
	900, "900_test.sql",
	"create table first (id uuid primary key, at timestamptz, bad bool not null, times int not null default 0);"
	"create table other (like first including all); create table awaited (id uuid)"
};

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

static struct cluster cluster;
static struct store *store;
static struct db *db;
static struct arena *a;
static struct rpc rpc;

static result settle_by(struct db *mine, struct arena *arena, unsigned lock, unsigned done, const char *id)
{
	const struct rows *rows;

	db_begin(mine);
	DB_QUEUE(mine, lock, p_text(id));
	TRY(db_sync(mine, arena, &rows, 1, NULL));
	if (rows_count(rows) && row_bool(rows, 0, 0))
		return internal(arena, "a row that cannot be read");
	if (!rows_count(rows) || row_null(rows, 0, 1) || !row_bool(rows, 0, 1)) {
		db_rollback(mine);
		return OK;
	}
	DB_QUEUE(mine, done, p_text(id));
	db_commit(mine);
	return db_sync(mine, arena, NULL, 0, NULL);
}

static result settle_first(struct rpc *r, struct db *mine, struct arena *arena, const char *id)
{
	cr_assert_eq(r, &rpc);
	return settle_by(mine, arena, T_LOCK, T_DONE, id);
}

static result settle_other(struct rpc *r, struct db *mine, struct arena *arena, const char *id)
{
	(void)r;
	return settle_by(mine, arena, T_OTHER_LOCK, T_OTHER_DONE, id);
}

static const struct due_table first = { "first", T_DUE, T_NEXT, T_AWAIT, settle_first },
			      other = { "other", T_OTHER_DUE, T_OTHER_NEXT, T_OTHER_AWAIT, settle_other };
static const struct due_table *const both[] = { &first, &other };

static void stage_open(void)
{
	static struct statement statements[T_END];
	static struct migration migrations[64];
	struct store_spec spec = { .statements = statements, .n_statements = T_END, .migrations = migrations };
	char error[512] = "";

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	cluster = cluster_new();
	spec.conninfo = cluster.conninfo;
	cr_assert(common_migrations_count < LEN(migrations));
	memcpy(migrations, common_migrations, common_migrations_count * sizeof(*migrations));
	migrations[common_migrations_count] = migration;
	spec.n_migrations = common_migrations_count + 1;
	memcpy(statements, rpc_statements, sizeof(rpc_statements));
	memcpy(statements + RPC_STATEMENTS, own, sizeof(own));
	cr_assert_eq(store_open(&spec, 10, &store, error), 0, "%s", error);
	db = db_open(store);
	a = arena_new();
	rpc = (struct rpc){ .role = "t", .replica = "r1", .store = store };
}

static void stage_close(void)
{
	if (!store)
		return;
	db_close(db);
	store_close(store);
	arena_free(a);
	cluster_free(&cluster);
}

TestSuite(due, .init = stage_open, .fini = stage_close, .timeout = 240);

static const char *id_of(unsigned n)
{
	return arena_printf(a, "00000000-0000-4000-8000-%012u", n);
}

static void add(unsigned statement, unsigned n, const char *in_s, bool bad)
{
	DB_QUEUE(db, statement, p_text(id_of(n)), p_text(in_s), p_bool(bad));
	cr_assert_eq(db_sync(db, a, NULL, 0, NULL), OK);
}

static int64_t number(unsigned statement)
{
	const struct rows *rows;

	DB_QUEUE0(db, statement);
	cr_assert_eq(db_sync(db, a, &rows, 1, NULL), OK);
	return row_int(rows, 0, 0);
}

static int64_t awaited(unsigned n)
{
	const struct rows *rows;

	DB_QUEUE(db, T_AWAITED, p_text(id_of(n)));
	cr_assert_eq(db_sync(db, a, &rows, 1, NULL), OK);
	return row_int(rows, 0, 0);
}

Test(due, a_look_does_what_is_due_and_says_when_it_has_to_come_back)
{
	unsigned ms = 0;

	cr_assert_eq(due_look(&first, &rpc, db, a, "", &ms), 0);
	cr_assert_eq(ms, DUE_NET_MS, "nothing will ever be due");
	add(T_ADD, 1, "-1", false);
	add(T_ADD, 2, "3600", false);
	add(T_ADD, 3, "-2", false);
	cr_assert_eq(due_look(&first, &rpc, db, a, id_of(3), &ms), 1);
	cr_assert_eq(number(T_COUNT), 1);
	cr_assert_eq(ms, DUE_NET_MS, "what is left out does not count");
	cr_assert_eq(due_look(&first, &rpc, db, a, "", &ms), 1);
	cr_assert_eq(number(T_COUNT), 2);
	cr_assert_eq(due_look(&first, &rpc, db, a, "", &ms), 0);
	add(T_ADD, 4, "4", false);
	(void)due_look(&first, &rpc, db, a, "", &ms);
	cr_assert(ms > 0 && ms <= 4001, "%u", ms);
	cr_assert_eq(number(T_COUNT) + number(T_OTHER_COUNT), 2);
}

/* More of them than a look takes, and all due before the one that can be settled. */
Test(due, rows_that_cannot_be_settled_let_others_go_first)
{
	struct due *w = due_new(both, LEN(both));

	for (unsigned i = 0; i < 25; i++)
		add(T_ADD, i, "-100", true);
	add(T_ADD, 100, "-1", false);
	add(T_OTHER_ADD, 101, "-1", false);
	due_start(w, &rpc);
	AWAIT(number(T_COUNT) == 1 && number(T_OTHER_COUNT) == 1);
	due_stop(w);
	due_free(w);
}

Test(due, comes_when_it_is_due)
{
	struct due *w = due_new(both, LEN(both));

	due_start(w, &rpc);
	add(T_ADD, 1, "0.5", false);
	add(T_OTHER_ADD, 2, "1", false);
	due_ring(w, &first, NULL, NULL);
	AWAIT(number(T_COUNT) == 1 && number(T_OTHER_COUNT) == 1);
	due_stop(w);
	due_free(w);
}

/* Rung for before the commit: it waits for that, and for that alone. */
Test(due, a_bell_waits_for_the_commit)
{
	struct due *w = due_new(both, LEN(both));
	struct db *holder = db_open(store);
	const struct rows *rows;

	add(T_ADD, 1, "3600", false);
	add(T_ADD, 2, "3600", false);
	due_start(w, &rpc);
	db_begin(holder);
	DB_QUEUE(holder, T_LOCK, p_text(id_of(1)));
	cr_assert_eq(db_sync(holder, a, &rows, 1, NULL), OK);
	due_ring(w, &first, id_of(2), NULL);
	AWAIT(awaited(2) == 1);
	due_ring(w, &first, id_of(1), "r1 r2");
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(awaited(1), 0, "nobody may have the row but its holder");
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	db_commit(holder);
	cr_assert_eq(db_sync(holder, a, NULL, 0, NULL), OK);
	AWAIT(awaited(1) == 1);
	db_close(holder);
	due_stop(w);
	due_free(w);
}

Test(due, nobody_is_rung_before_it_runs_or_after)
{
	struct due *w = due_new(both, LEN(both));

	add(T_ADD, 1, "3600", false);
	due_ring(NULL, &first, id_of(1), NULL);
	due_ring(w, &first, id_of(1), "r2");
	due_start(w, &rpc);
	due_stop(w);
	due_ring(w, &first, id_of(1), "r2");
	due_stop(w);
	due_free(w);
	due_free(NULL);
	cr_assert_eq(awaited(1), 0);
}

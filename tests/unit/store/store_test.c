/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster.h"
#include "common/store/store.h"

#define CLUSTER_OR_SKIP(c)                                                   \
	if (!cluster_installed())                                            \
		cr_skip_test("PostgreSQL is not installed");                 \
	CLEANUP(cluster_free) struct cluster c = cluster_new()

static const struct migration migrations[] = {
	{ 1, "001_base",
	  "create table t (id integer primary key, v text, b bytea, at timestamptz, ok boolean, small smallint, big bigint,"
	  " j jsonb);\n"
	  "create table d (id integer constraint d_late unique deferrable initially deferred);" },
	{ 2, "002_more", "alter table t add column note text; insert into t (id, v) values (1, 'one'), (2, 'two');" },
};

enum { INSERT, SELECT, LOCK, UPDATE, DIVIDE, ECHO, DEFERRED, SETTINGS, COUNT, AFFECT };

static const struct statement statements[] = {
	[INSERT] = { "insert_row", "insert into t (id, v, b, at, ok, small, big, j) values ($1, $2, $3, $4, $5, $6, $7, $8)" },
	[SELECT] = { "select_row", "select id, v, b, at, ok, small, big, j, 'infinity'::timestamptz from t where id = $1" },
	[LOCK] = { "lock_row", "select id from t where id = $1 for update" },
	[UPDATE] = { "update_row", "update t set v = $2 where id = $1" },
	[DIVIDE] = { "divide", "select 1 / $1::integer" },
	[ECHO] = { "echo", "select $1::bytea" },
	[DEFERRED] = { "deferred", "insert into d values (7)" },
	[SETTINGS] = { "settings", "select current_setting('TimeZone'), current_setting('lock_timeout'),"
		       " current_setting('statement_timeout'), current_setting('application_name'), current_setting('search_path'),"
		       " current_setting('synchronous_commit'), current_setting('default_transaction_isolation'),"
		       " current_setting('idle_in_transaction_session_timeout')" },
	[COUNT] = { "count_rows", "select count(*) from t" },
	[AFFECT] = { "affect", "update t set note = 'x' where id <= $1" },
};

static struct store_spec spec_of(const struct cluster *c)
{
	return (struct store_spec){ .conninfo = c->conninfo, .schema = "Card \"9\"",
				    .statements = statements, .n_statements = LEN(statements),
				    .migrations = migrations, .n_migrations = LEN(migrations) };
}

static int opened(const struct store_spec *spec, char error[512])
{
	struct store *s = NULL;
	int rc = store_open(spec, 0, &s, error);

	cr_assert((rc == 0) == (s != NULL));
	store_close(s);
	return rc;
}

static void *open_thread(void *arg)
{
	char error[512] = "";
	int rc = opened(arg, error);

	cr_expect_eq(rc, 0, "%s", error);
	return NULL;
}

/* Two replicas start at once: each migration runs once (a second run would fail: the table exists). */
static void open_twice(struct store_spec *spec)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, open_thread, spec), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

Test(store_open, migrates_once_and_refuses_what_is_wrong)
{
	CLUSTER_OR_SKIP(c);
	struct store_spec spec = spec_of(&c);
	struct statement typo[] = { statements[COUNT], { "bad_one", "select nonsense from t" } };
	struct migration bad[] = { migrations[0], migrations[1], { 3, "003_broken", "create table x (a integer); selekt 1" } };
	struct migration good[] = { migrations[0], migrations[1], { 3, "003_fixed", "create table x (a integer);" } };
	char error[512] = "";

	open_twice(&spec);
	spec.statements = typo;
	spec.n_statements = 2;
	cr_assert_eq(opened(&spec, error), -EIO);
	cr_assert(strstr(error, "bad_one") && strstr(error, "\"nonsense\" does not exist"), "%s", error);
	spec = spec_of(&c);
	spec.migrations = bad;
	spec.n_migrations = 3;
	cr_assert_eq(opened(&spec, error), -EIO);
	cr_assert(strstr(error, "003_broken") && strstr(error, "selekt"), "%s", error);
	spec.migrations = good; /* which fails if the broken one left anything behind */
	cr_assert_eq(opened(&spec, error), 0, "%s", error);
	spec = spec_of(&c); /* knows version 2 only */
	cr_assert_eq(opened(&spec, error), -EPROTO);
	cr_assert(strstr(error, "version 3") && strstr(error, "newer program"), "%s", error);
	spec.conninfo = "host=/nowhere user=rsp";
	cr_assert_eq(opened(&spec, error), -EIO);
	spec.conninfo = "host";
	cr_assert_eq(opened(&spec, error), -EIO);
}

static struct store *store_of(const struct cluster *c)
{
	struct store_spec spec = spec_of(c);
	struct store *s = NULL;
	char error[512] = "";

	cr_assert_eq(store_open(&spec, 5, &s, error), 0, "%s", error);
	return s;
}

static void values_survive(struct db *d, struct arena *a)
{
	static const uint8_t zeros[] = { 0, 1, 0, 0xff, 0 };
	const int64_t before_2000 = INT64_C(-14182940000123); /* 1969 */
	const struct rows *r[4];

	DB_QUEUE(d, INSERT, p_int(a, -2147483647), p_text("grün ' \\ \""), p_bytes(zeros, sizeof(zeros)), p_time(a, before_2000),
		 p_bool(true), p_int(a, -3), p_int(a, INT64_MIN), p_text("{\"k\": 1}"));
	DB_QUEUE(d, INSERT, p_int(a, 11), p_text(NULL), p_bytes(NULL, 0), p_null(), p_null(), p_null(), p_null(), p_null());
	DB_QUEUE(d, SELECT, p_int(a, -2147483647));
	DB_QUEUE(d, SELECT, p_int(a, 11));
	cr_assert_eq(db_sync(d, a, r, 4, NULL), OK);
	cr_assert_eq(rows_affected(r[0]), 1);
	cr_assert_eq(rows_count(r[2]), 1);
	cr_assert_eq(row_int(r[2], 0, 0), -2147483647);
	cr_assert_str_eq(row_text(r[2], 0, 1), "grün ' \\ \"");
	cr_assert_eq(row_bytes(r[2], 0, 2).len, sizeof(zeros));
	cr_assert_eq(memcmp(row_bytes_dup(a, r[2], 0, 2).data, zeros, sizeof(zeros)), 0);
	cr_assert_eq(row_int(r[2], 0, 3), before_2000);
	cr_assert(row_bool(r[2], 0, 4));
	cr_assert_eq(row_int(r[2], 0, 5), -3);
	cr_assert_eq(row_int(r[2], 0, 6), INT64_MIN);
	cr_assert_str_eq(row_text_dup(a, r[2], 0, 7), "{\"k\": 1}");
	cr_assert_eq(row_int(r[2], 0, 8), INT64_MAX);
	for (unsigned col = 1; col < 8; col++) {
		cr_assert(row_null(r[3], 0, col));
		cr_assert_eq(row_int(r[3], 0, col), 0);
		cr_assert_null(row_text(r[3], 0, col));
	}
	cr_assert(row_null(r[3], 1, 0) && row_null(r[3], 0, 99), "outside is null");
	DB_QUEUE(d, AFFECT, p_int(a, 2));
	DB_QUEUE(d, SELECT, p_int(a, 404));
	cr_assert_eq(db_sync(d, a, r, 2, NULL), OK);
	cr_assert_eq(rows_affected(r[0]), 3);
	cr_assert_eq(rows_count(r[1]), 0);
}

static int64_t row_total(struct db *d, struct arena *a)
{
	const struct rows *r;

	DB_QUEUE0(d, COUNT);
	cr_assert_eq(db_sync(d, a, &r, 1, NULL), OK);
	return row_int(r, 0, 0);
}

static void failures_roll_back(struct db *d, struct arena *a)
{
	int64_t total = row_total(d, a);
	struct db_failure f = { 0 };
	result res;

	for (int explicit = 0; explicit < 2; explicit++) {
		if (explicit)
			db_begin(d);
		DB_QUEUE(d, INSERT, p_int(a, 50), p_text("x"), p_null(), p_null(), p_null(), p_null(), p_null(), p_null());
		DB_QUEUE(d, DIVIDE, p_int(a, 0));
		DB_QUEUE0(d, COUNT);
		if (explicit)
			db_commit(d);
		res = db_sync(d, a, NULL, 0, &f);
		cr_assert(res && res->code == CODE_INTERNAL);
		cr_assert(strstr(res->cause, "divide") && strstr(res->cause, "22012"), "%s", res->cause);
		cr_assert_str_eq(f.sqlstate, "22012");
		cr_assert(!f.rerun && !f.unique_constraint && !db_in_transaction(d));
		cr_assert_eq(row_total(d, a), total);
	}
	DB_QUEUE(d, INSERT, p_int(a, 1), p_null(), p_null(), p_null(), p_null(), p_null(), p_null(), p_null());
	res = db_sync(d, a, NULL, 0, &f);
	cr_assert(res && res->code == CODE_INTERNAL);
	cr_assert_str_eq(f.unique_constraint, "t_pkey");
	DB_QUEUE0(d, DEFERRED); /* its violation comes only with the implicit commit */
	DB_QUEUE0(d, DEFERRED);
	cr_assert(db_sync(d, a, NULL, 0, &f) != OK);
	cr_assert_str_eq(f.unique_constraint, "d_late");
	db_commit(d);
	cr_assert(db_sync(d, a, NULL, 0, NULL) != OK, "commit without begin");
	db_queue(d, 999, NULL, 0);
	cr_assert(db_sync(d, a, NULL, 0, NULL) != OK, "unknown statement");
	cr_assert_eq(row_total(d, a), total);
	cr_assert_eq(db_sync(d, a, NULL, 0, &f), OK, "an empty queue is no round trip");
	cr_assert_null(f.sqlstate);
}

static void two_round_trips(struct db *d, struct db *other, struct arena *a)
{
	const struct rows *r;

	db_begin(d);
	db_relax(d);
	DB_QUEUE(d, LOCK, p_int(a, 1));
	cr_assert_eq(db_sync(d, a, &r, 1, NULL), OK);
	cr_assert_eq(row_int(r, 0, 0), 1);
	cr_assert(db_in_transaction(d));
	DB_QUEUE(d, UPDATE, p_int(a, 1), p_text("changed"));
	DB_QUEUE0(d, SETTINGS);
	db_commit(d);
	const struct rows *two[2];
	cr_assert_eq(db_sync(d, a, two, 2, NULL), OK);
	cr_assert_eq(rows_affected(two[0]), 1);
	cr_assert_str_eq(row_text(two[1], 0, 5), "off");
	cr_assert(!db_in_transaction(d));
	DB_QUEUE(other, SELECT, p_int(a, 1));
	cr_assert_eq(db_sync(other, a, &r, 1, NULL), OK);
	cr_assert_str_eq(row_text(r, 0, 1), "changed");
	/* A refusal in between drops what was queued and what was done. */
	db_begin(d);
	DB_QUEUE(d, UPDATE, p_int(a, 1), p_text("dropped"));
	cr_assert_eq(db_sync(d, a, NULL, 0, NULL), OK);
	DB_QUEUE(d, UPDATE, p_int(a, 2), p_text("dropped"));
	db_rollback(d);
	db_rollback(d);
	cr_assert(!db_in_transaction(d));
	DB_QUEUE(other, SELECT, p_int(a, 1));
	cr_assert_eq(db_sync(other, a, &r, 1, NULL), OK);
	cr_assert_str_eq(row_text(r, 0, 1), "changed");
}

static void settings_hold(struct db *d, struct arena *a)
{
	const struct rows *r;

	DB_QUEUE0(d, SETTINGS);
	cr_assert_eq(db_sync(d, a, &r, 1, NULL), OK);
	cr_assert_str_eq(row_text(r, 0, 0), "UTC");
	cr_assert_str_eq(row_text(r, 0, 1), "1s");
	cr_assert_str_eq(row_text(r, 0, 2), "5s");
	cr_assert_str_eq(row_text(r, 0, 3), "sm-test");
	cr_assert_str_eq(row_text(r, 0, 4), "\"Card \"\"9\"\"\"");
	cr_assert_str_eq(row_text(r, 0, 5), "on");
	cr_assert_str_eq(row_text(r, 0, 6), "read committed");
	cr_assert_str_eq(row_text(r, 0, 7), "30s");
}

static void big_bodies(struct db *d, struct arena *a)
{
	enum { BIG = 4 << 20, TIMES = 5 };
	uint8_t *body = malloc(BIG);
	const struct rows *r[TIMES];

	cr_assert(body);
	for (size_t i = 0; i < BIG; i++)
		body[i] = (uint8_t)(i * 31 >> 3);
	for (int i = 0; i < TIMES; i++) /* more than all socket buffers, both ways at once */
		DB_QUEUE(d, ECHO, p_bytes(body, BIG));
	cr_assert_eq(db_sync(d, a, r, TIMES, NULL), OK);
	for (int i = 0; i < TIMES; i++) {
		cr_assert_eq(row_bytes(r[i], 0, 0).len, BIG);
		cr_assert_eq(memcmp(row_bytes(r[i], 0, 0).data, body, BIG), 0);
	}
	free(body);
	DB_QUEUE(d, ECHO, p_bytes("", 0));
	cr_assert_eq(db_sync(d, a, r, 1, NULL), OK);
	cr_assert(!row_null(r[0], 0, 0) && row_bytes(r[0], 0, 0).len == 0, "empty is not null");
}

Test(store_sync, pipelines_transactions_and_values)
{
	CLUSTER_OR_SKIP(c);
	char name[] = "sm-test", *before = program_invocation_short_name;
	struct store *s = store_of(&c);
	CLEANUP(db_closep) struct db *other = db_open(s);
	CLEANUP(db_closep) struct db *d = NULL;
	CLEANUP(arena_freep) struct arena *a = arena_new();

	program_invocation_short_name = name; /* the process's name is the application's */
	d = db_open(s);
	program_invocation_short_name = before;
	settings_hold(d, a);
	values_survive(d, a);
	failures_roll_back(d, a);
	two_round_trips(d, other, a);
	big_bodies(d, a);
	db_closep(&d);
	db_closep(&other);
	store_close(s);
}

struct crossing {
	struct store *store;
	pthread_barrier_t *both_hold;
	int first, second;
	bool rerun, committed;
};

static void *cross(void *arg)
{
	struct crossing *x = arg;
	CLEANUP(db_closep) struct db *d = db_open(x->store);
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct db_failure f;
	result res;

	db_begin(d);
	DB_QUEUE(d, LOCK, p_int(a, x->first));
	res = db_sync(d, a, NULL, 0, NULL);
	cr_expect_eq(res, OK);
	pthread_barrier_wait(x->both_hold);
	DB_QUEUE(d, LOCK, p_int(a, x->second));
	db_commit(d);
	res = db_sync(d, a, NULL, 0, &f);
	x->committed = res == OK;
	x->rerun = res && res->code == CODE_BUSY && f.rerun;
	return NULL;
}

static void deadlock(struct store *s)
{
	pthread_barrier_t barrier;
	struct crossing x[2] = { { s, &barrier, 1, 2, false, false }, { s, &barrier, 2, 1, false, false } };
	pthread_t threads[2];

	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, cross, &x[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	cr_assert(x[0].committed != x[1].committed && x[0].rerun != x[1].rerun, "one victim, which may rerun");
}

Test(store_sync, waits_for_locks_only_so_long)
{
	CLUSTER_OR_SKIP(c);
	struct store *s = store_of(&c);
	CLEANUP(db_closep) struct db *d = db_open(s), *other = db_open(s);
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct db_failure f;
	result res;

	db_begin(d);
	DB_QUEUE(d, LOCK, p_int(a, 1));
	cr_assert_eq(db_sync(d, a, NULL, 0, NULL), OK);
	DB_QUEUE(other, UPDATE, p_int(a, 1), p_text("late"));
	res = db_sync(other, a, NULL, 0, &f);
	cr_assert(res && res->code == CODE_BUSY && !f.rerun);
	cr_assert_str_eq(f.sqlstate, "55P03");
	db_rollback(d);
	DB_QUEUE(other, UPDATE, p_int(a, 1), p_text("now"));
	cr_assert_eq(db_sync(other, a, NULL, 0, NULL), OK);
	deadlock(s);
	cr_assert(db_try_lock(d, 77) && db_try_lock(d, 77));
	cr_assert(!db_try_lock(other, 77));
	cr_assert(db_try_lock(other, -78));
	db_unlock(d, 77);
	db_unlock(d, 77);
	cr_assert(db_try_lock(other, 77));
	db_closep(&other);
	/* The server takes a moment to notice that the holder is gone. */
	for (int i = 0; i < 500 && !db_try_lock(d, 77); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	cr_assert(db_try_lock(d, 77));
	db_closep(&d);
	store_close(s);
}

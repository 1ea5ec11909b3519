/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when the server goes away and comes back. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cluster.h"
#include "common/base/clock.h"
#include "common/store/store.h"

static const struct migration migrations[] = { { 1, "001_n", "create table n (v integer); insert into n values (0);" } };

enum { ADD, READ, PID, TERMINATE, SUICIDE };

static const struct statement statements[] = {
	[ADD] = { "add", "update n set v = v + 1" },
	[READ] = { "read", "select v from n" },
	[PID] = { "pid", "select pg_backend_pid()" },
	[TERMINATE] = { "terminate", "select pg_terminate_backend($1::integer, 2000)" },
	[SUICIDE] = { "suicide", "select pg_terminate_backend(pg_backend_pid())" },
};

static struct store *store_of(const struct cluster *c)
{
	struct store_spec spec = { .conninfo = c->conninfo, .statements = statements, .n_statements = LEN(statements),
				   .migrations = migrations, .n_migrations = 1 };
	struct store *s = NULL;
	char error[512] = "";

	cr_assert_eq(store_open(&spec, 5, &s, error), 0, "%s", error);
	return s;
}

static int64_t ask(struct db *d, struct arena *a, unsigned statement)
{
	const struct rows *r;
	result res;

	DB_QUEUE0(d, statement);
	res = db_sync(d, a, &r, 1, NULL);
	cr_assert_eq(res, OK, "%s", res->cause);
	return row_int(r, 0, 0);
}

static void must_be_busy(struct db *d, struct arena *a)
{
	result res = db_sync(d, a, NULL, 0, NULL);

	cr_assert(res && res->code == CODE_BUSY, "%s", res ? res->cause : "succeeded");
	cr_assert(res->cause && res->cause[0]);
	cr_assert(!db_in_transaction(d));
}

static void terminated(struct db *d, struct db *killer, struct arena *a)
{
	DB_QUEUE(killer, TERMINATE, p_int(a, ask(d, a, PID)));
	cr_assert_eq(db_sync(killer, a, NULL, 0, NULL), OK);
	cr_assert_eq(ask(d, a, READ), 0, "an idle connection is replaced unnoticed");
	cr_assert(db_try_lock(d, 5));
	DB_QUEUE0(d, SUICIDE);
	must_be_busy(d, a);
	cr_assert(!db_connected(d));
	cr_assert(db_try_lock(killer, 5), "its locks went with the connection");
	cr_assert(!db_try_lock(d, 5), "and are not remembered");
	cr_assert(store_ping(d) && db_connected(d));
}

Test(store_connection, survives_the_server)
{
	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	CLEANUP(cluster_free) struct cluster c = cluster_new();
	struct store *s = store_of(&c);
	CLEANUP(db_closep) struct db *d = db_open(s), *killer = db_open(s);
	CLEANUP(arena_freep) struct arena *a = arena_new();

	terminated(d, killer, a);
	db_begin(d);
	DB_QUEUE0(d, ADD);
	cr_assert_eq(db_sync(d, a, NULL, 0, NULL), OK);
	cluster_stop(&c);
	cluster_start(&c);
	DB_QUEUE0(d, ADD); /* must not run, and commit, outside its transaction */
	db_commit(d);
	must_be_busy(d, a);
	cr_assert_eq(ask(d, a, READ), 0);
	cluster_stop(&c);
	DB_QUEUE0(d, ADD);
	must_be_busy(d, a);
	cr_assert(!store_ping(d) && !db_connected(d) && !db_try_lock(d, 5));
	db_closep(&killer);
	killer = db_open(s);
	cr_assert(killer && !db_connected(killer));
	cluster_start(&c);
	DB_QUEUE0(d, ADD);
	cr_assert_eq(db_sync(d, a, NULL, 0, NULL), OK);
	cr_assert_eq(ask(killer, a, READ), 1);
	db_closep(&d);
	db_closep(&killer);
	store_close(s);
}

Test(store_connection, a_silent_server_is_given_up)
{
	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	CLEANUP(cluster_free) struct cluster c = cluster_new();
	struct store *s = store_of(&c);
	CLEANUP(db_closep) struct db *d = db_open(s);
	CLEANUP(arena_freep) struct arena *a = arena_new();
	pid_t backend = (pid_t)ask(d, a, PID);
	int64_t began = clock_ms();

	cr_assert_eq(kill(backend, SIGSTOP), 0);
	DB_QUEUE0(d, READ);
	must_be_busy(d, a);
	cr_assert(clock_ms() - began < 20000);
	cr_assert_eq(ask(d, a, READ), 0, "on a new connection");
	kill(backend, SIGCONT);
	db_closep(&d);
	store_close(s);
}

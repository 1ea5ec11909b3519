/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL through libpq: prepared statements from tables, pipelines, one connection per thread (decisions.md F3, recipes.md 3). */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/sgp02/result.h"

/* One row of a statements.def: an enum value of the role, its name and its text. All are prepared at connect: a typo stops the start. */
struct statement {
	const char *name, *sql;
};

/* A migration NNN_what.sql, embedded at build time. */
struct migration {
	unsigned version;
	const char *name, *sql;
};

struct store_spec {
	const char *conninfo;  /* libpq connection string, without password */
	const char *application; /* the connections' application_name; NULL: the program's name */
	const char *schema;    /* search_path to set, NULL: default */
	const struct statement *statements;
	size_t n_statements;
	const struct migration *migrations; /* ascending versions */
	size_t n_migrations;
	/* Statements are planned once per connection, without their parameters: for roles whose statements all go by keys. A statement with
	 * a condition that may be switched off ($1 = '' or ...) is planned badly so. */
	bool plan_once;
};

struct store;
struct db; /* one connection; used by one thread at a time */

/* Applies missing migrations under an advisory lock, each in its own transaction with its row in schema_version. 0; -EPROTO: the database
 * is newer than the program; -EIO: see error. Waits up to wait_s for the server to come up. */
int store_open(const struct store_spec *spec, unsigned wait_s, struct store **out, char error[512]);
void store_close(struct store *s); /* NULL allowed; all db must be closed */
/* A connection with lock_timeout 1 s, statement_timeout 5 s and all statements prepared. NULL never: a connection that is down is
 * returned unconnected and connects at its next use. */
struct db *db_open(struct store *s);
void db_close(struct db *d); /* NULL allowed */
void db_closep(struct db **d);
/* Raw libpq socket and notification use stay in store/. Advisory lock for a worker shard: true when held by this connection. */
bool db_try_lock(struct db *d, int64_t key);
/* Asks nobody. False after the connection was replaced, too, which happens unnoticed. */
bool db_holds(const struct db *d, int64_t key);
void db_unlock(struct db *d, int64_t key);
bool db_connected(struct db *d);
/* The store's statements, to look one up by name in tests. */
bool store_ping(struct db *d);

/* One parameter. Use the P_* makers; NULL pointers become SQL NULL. Text and bytes must live until db_sync. */
struct param {
	const void *data;
	int len;
	int binary;
};
struct param p_text(const char *s);
struct param p_bytes(const void *data, size_t n);     /* bytea */
struct param p_int(struct arena *a, int64_t v);       /* as text: any integer column */
struct param p_bool(bool v);
struct param p_time(struct arena *a, int64_t wall_us); /* timestamptz */
struct param p_null(void);

/* Queues statement number n with its parameters in the current pipeline. Nothing is sent until db_sync (or the buffer is full). */
void db_queue(struct db *d, unsigned statement, const struct param *params, size_t n);
#define DB_QUEUE(d, statement, ...)                                                                                                     \
	db_queue((d), (statement), (const struct param[]){ __VA_ARGS__ }, sizeof((const struct param[]){ __VA_ARGS__ }) / sizeof(struct param))
#define DB_QUEUE0(d, statement) db_queue((d), (statement), NULL, 0)
/* begin / commit / set local synchronous_commit=off, queued as statements are. Without db_begin one db_sync is one
 * implicit transaction. */
void db_begin(struct db *d);
void db_commit(struct db *d);
void db_relax(struct db *d);
/* Rolls an open transaction back at once (own round trip); harmless when there is none. */
void db_rollback(struct db *d);
bool db_in_transaction(const struct db *d);

/* Rows of one statement; owned by the db until its next db_sync. Binary results. */
struct rows;
/* Sends the pipeline and reads everything. results: one entry per queued DB_QUEUE (not begin/commit), in order; may be NULL when not wanted.
 * OK; BUSY (1.2/4.4) on lock_timeout, statement_timeout, deadlock, serialization failure or a lost connection; INTERNAL with a cause else.
 * On failure the transaction is rolled back already and *out_failure (may be NULL) says more:
 * rerun: it may help (deadlock, serialization failure). unique_constraint: whose violation (23505) it was, else NULL; both texts in a. */
struct db_failure {
	bool rerun;
	const char *unique_constraint;
	const char *sqlstate;
};
result db_sync(struct db *d, struct arena *a, const struct rows **results, size_t n_results, struct db_failure *out_failure);

size_t rows_count(const struct rows *r);
int64_t rows_affected(const struct rows *r);
bool row_null(const struct rows *r, size_t row, unsigned col);
const char *row_text(const struct rows *r, size_t row, unsigned col);    /* NUL-terminated; NULL when null. Lives with r */
struct bytes row_bytes(const struct rows *r, size_t row, unsigned col);  /* bytea or text; empty when null */
int64_t row_int(const struct rows *r, size_t row, unsigned col);         /* int2, int4, int8, bool, timestamptz (as wall microseconds); 0 when null */
bool row_bool(const struct rows *r, size_t row, unsigned col);
/* Copies that live in a. */
const char *row_text_dup(struct arena *a, const struct rows *r, size_t row, unsigned col);
struct bytes row_bytes_dup(struct arena *a, const struct rows *r, size_t row, unsigned col);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of store/ share; nobody else includes it. */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include <libpq-fe.h>

#include "common/store/store.h"

enum {
	IO_WAIT_MS = 10000, /* longest silence of the server: twice the statement timeout */
	CAUSE_MAX = 400,
};

/* Statements of our own, prepared beside those of the role. */
#define STORE_BEGIN "store_begin"
#define STORE_COMMIT "store_commit"
#define STORE_ROLLBACK "store_rollback"
#define STORE_RELAX "store_relax"
#define STORE_LOCK "store_lock"
#define STORE_UNLOCK "store_unlock"
#define STORE_PING "store_ping"

struct store {
	struct store_spec spec; /* conninfo and schema are copies, the tables are the caller's */
	char *options;          /* "-c ..." of every session */
};

struct rows {
	PGresult *pg;
};

enum { NO_SLOT = -1 };

/* One statement of a pipeline; its parameters are n entries of the batch's arrays from first on. */
struct command {
	const char *statement;
	int first, n;
	int slot; /* index of its rows, or NO_SLOT */
};

struct batch {
	const struct command *commands;
	size_t n;
	const char *const *values;
	const int *lengths, *formats;
	struct rows *rows;
};

/* What went wrong with one pipeline; the first error counts, the others follow from it. */
struct outcome {
	bool failed;
	bool lost; /* the connection, not the statement: a retry may find the server again */
	char sqlstate[6];
	char constraint[64];
	char cause[CAUSE_MAX];
};

struct db {
	const struct store *store;
	PGconn *conn;         /* NULL: down; else in pipeline mode with everything prepared */
	bool dying;           /* the server announced the end of this connection */
	bool tx;              /* an explicit transaction is open since an earlier db_sync */
	bool begun;           /* ... or begins in the queue */
	int64_t retry_at_ms;  /* no connect before: the last attempt was slow */
	const char *misuse;   /* the queue cannot be run: why */
	struct outcome reason; /* why the last connect failed */

	struct command *commands;
	size_t n_commands, cap_commands;
	const char **values;
	int *lengths, *formats;
	size_t n_params, cap_params;
	struct rows *rows;
	size_t n_rows, cap_rows;
	size_t n_slots; /* rows that the queue will need */

	int64_t *locks; /* advisory locks held by this connection */
	size_t n_locks, cap_locks;
};

/* A plain connection with our session options; NULL: why in cause. */
PGconn *conn_open(const struct store *s, char cause[CAUSE_MAX]);
/* Enters pipeline mode and prepares everything in one round trip. */
bool conn_prepare(const struct store *s, PGconn *conn, struct outcome *o);
/* One poll() of the connection's socket; false: nothing within timeout_ms. */
bool conn_wait(PGconn *conn, short events, int timeout_ms);
/* Writes the queued pipeline and its sync, taking in answers meanwhile, so that two full buffers cannot wait for each other. */
bool conn_flush(PGconn *conn, struct outcome *o);
/* The next result without blocking for ever; NULL: end of one statement's results, or o->lost. */
PGresult *conn_result(PGconn *conn, struct outcome *o);
/* libpq's message on one line. */
void one_line(const char *message, char out[CAUSE_MAX]);
void outcome_lost(struct outcome *o, const char *cause);
/* Takes over the error of a result, unless there is one already. */
void outcome_error(struct outcome *o, const char *statement, const PGresult *res);

int store_migrate(const struct store_spec *spec, PGconn *conn, unsigned wait_s, char error[512]);

/* Connects when needed. False: o says why. */
bool db_ready(struct db *d, struct outcome *o);
void db_drop(struct db *d);
/* True: the connection is up as far as one can know without a round trip. */
bool db_alive(struct db *d);
/* Runs a batch in one round trip. */
void batch_run(struct db *d, const struct batch *b, struct outcome *o);
/* Doubles *array to hold need elements of size bytes; aborts without memory. */
void *grown(void *array, size_t *cap, size_t need, size_t size);

#endif

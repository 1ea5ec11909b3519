/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: session options, preparing, finding out that one is gone and making a new one. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/store/store_internal.h"

static const struct statement own_statements[] = {
	{ STORE_BEGIN, "begin" },
	{ STORE_COMMIT, "commit" },
	{ STORE_ROLLBACK, "rollback" },
	/* As SET LOCAL, but without its warning in an implicit transaction. */
	{ STORE_RELAX, "select pg_catalog.set_config('synchronous_commit', 'off', true)" },
	{ STORE_LOCK, "select pg_catalog.pg_try_advisory_lock($1::bigint)" },
	{ STORE_UNLOCK, "select pg_catalog.pg_advisory_unlock($1::bigint)" },
	{ STORE_PING, "select true" },
};

static void option_add(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == ' ' || *text == '\\')
			buf_char(b, '\\');
		buf_char(b, *text);
	}
}

/* What a process holds (row locks, advisory locks) others wait for. The server sees at once that a process has ended, but by itself it
 * would wait two hours for a host that has gone, and for ever for a process that stands still in a transaction. */
#define FREED " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000" \
	      " -c idle_in_transaction_session_timeout=30000"

/* Our options follow those of the connection string, so ours hold. Whatever the statistics say of a table that was small when they were
 * made, it is not read from end to end where there is an index. */
static char *session_options(const char *theirs, const char *schema, bool plan_once)
{
	struct buf b = { 0 };

	buf_printf(&b, "%s -c TimeZone=UTC -c lock_timeout=1000 -c statement_timeout=5000 -c jit=off -c enable_seqscan=off"
		   " -c default_transaction_isolation=read\\ committed" FREED, theirs ? theirs : "");
	if (plan_once)
		buf_str(&b, " -c plan_cache_mode=force_generic_plan");
	if (schema) {
		buf_str(&b, " -c search_path=\"");
		for (const char *p = schema; *p; p++) {
			char one[2] = { *p };

			if (*p == '"')
				buf_char(&b, '"');
			option_add(&b, one);
		}
		buf_char(&b, '"');
	}
	return b.data; /* the caller frees it as any heap string */
}

PGconn *conn_open(const struct store *s, char cause[CAUSE_MAX])
{
	const char *name = s->spec.application ? s->spec.application : program_invocation_short_name;
	const char *const keys[] = { "dbname", "options", s->spec.application ? "application_name" : "fallback_application_name",
				     "client_encoding", "connect_timeout", "tcp_user_timeout", "keepalives_idle",
				     "keepalives_interval", "keepalives_count", NULL };
	const char *const values[] = { s->spec.conninfo, s->options, name, "UTF8", "3",
				       "10000", "5", "2", "3", NULL };
	PGconn *conn = PQconnectdbParams(keys, values, 1);

	if (PQstatus(conn) == CONNECTION_OK)
		return conn;
	one_line(conn ? PQerrorMessage(conn) : "out of memory", cause);
	PQfinish(conn);
	return NULL;
}

static bool prepare_send(const struct store *s, PGconn *conn)
{
	for (size_t i = 0; i < LEN(own_statements); i++) {
		if (!PQsendPrepare(conn, own_statements[i].name, own_statements[i].sql, 0, NULL))
			return false;
	}
	for (size_t i = 0; i < s->spec.n_statements; i++) {
		if (!PQsendPrepare(conn, s->spec.statements[i].name, s->spec.statements[i].sql, 0, NULL))
			return false;
	}
	return PQpipelineSync(conn) == 1;
}

static const char *statement_at(const struct store *s, size_t at)
{
	if (at < LEN(own_statements))
		return own_statements[at].name;
	at -= LEN(own_statements);
	return at < s->spec.n_statements ? s->spec.statements[at].name : "?";
}

bool conn_prepare(const struct store *s, PGconn *conn, struct outcome *o)
{
	size_t at = 0;
	bool synced = false;

	if (PQsetnonblocking(conn, 1) != 0 || !PQenterPipelineMode(conn) || !prepare_send(s, conn)) {
		outcome_lost(o, PQerrorMessage(conn));
		return false;
	}
	if (!conn_flush(conn, o))
		return false;
	while (!synced && !o->lost) {
		PGresult *res = conn_result(conn, o);

		if (res && PQresultStatus(res) == PGRES_FATAL_ERROR)
			outcome_error(o, statement_at(s, at), res);
		synced = PQresultStatus(res) == PGRES_PIPELINE_SYNC;
		at += !res;
		PQclear(res);
		if (!synced && PQstatus(conn) == CONNECTION_BAD)
			outcome_lost(o, PQerrorMessage(conn));
	}
	return !o->failed;
}

/* Notices would go to stderr unformatted; and the goodbye of a server that shuts down comes as one. */
static void on_notice(void *ctx, const PGresult *res)
{
	struct db *d = ctx;
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (severity && (!strcmp(severity, "FATAL") || !strcmp(severity, "PANIC")) && d)
		d->dying = true;
	log_msg(LOG_DEBUG, "store.notice", "%s %s", severity ? severity : "", text ? text : "");
}

void db_drop(struct db *d)
{
	if (!d->conn)
		return;
	PQfinish(d->conn);
	d->conn = NULL;
	d->dying = false;
	d->n_locks = 0;
}

bool db_alive(struct db *d)
{
	/* Twice: a last message first, then the end of the stream. */
	for (int i = 0; i < 2 && d->conn && conn_wait(d->conn, POLLIN, 0); i++) {
		PGnotify *notify;

		if (!PQconsumeInput(d->conn))
			return false;
		while ((notify = PQnotifies(d->conn)))
			PQfreemem(notify);
	}
	return d->conn && !d->dying && PQstatus(d->conn) == CONNECTION_OK;
}

bool db_connected(struct db *d)
{
	if (db_alive(d))
		return true;
	db_drop(d);
	return false;
}

static bool db_connect(struct db *d, struct outcome *o)
{
	int64_t began = clock_ms();
	char cause[CAUSE_MAX];

	if (began < d->retry_at_ms) {
		*o = d->reason;
		return false;
	}
	d->conn = conn_open(d->store, cause);
	if (!d->conn) {
		outcome_lost(o, cause);
	} else {
		PQsetNoticeReceiver(d->conn, on_notice, d);
		if (!conn_prepare(d->store, d->conn, o))
			db_drop(d);
	}
	if (d->conn) {
		metric_add("rsp_db_connects_total", "", 1);
		return true;
	}
	/* A server that does not answer costs each attempt seconds: spare the next callers that. A refusal costs nothing. */
	if (clock_ms() - began > 500) {
		d->retry_at_ms = clock_ms() + 1000;
		d->reason = *o;
	}
	return false;
}

bool db_ready(struct db *d, struct outcome *o)
{
	if (db_alive(d))
		return true;
	db_drop(d);
	if (d->tx) { /* the rest must not run outside its transaction */
		outcome_lost(o, "connection lost within a transaction");
		return false;
	}
	return db_connect(d, o);
}

struct db *db_open(struct store *s)
{
	struct db *d = calloc(1, sizeof(*d));
	struct outcome o = { 0 };

	if (!d)
		abort();
	d->store = s;
	if (!db_connect(d, &o))
		log_msg(LOG_DEBUG, "store.down", "%s", o.cause);
	return d;
}

void db_closep(struct db **d)
{
	db_close(*d);
	*d = NULL;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	free((void *)(uintptr_t)s->spec.conninfo);
	free((void *)(uintptr_t)s->spec.schema);
	free((void *)(uintptr_t)s->spec.application);
	free(s->options);
	free(s);
}

static void store_closep(struct store **s)
{
	store_close(*s);
}

static char *copied(const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		abort();
	return copy;
}

static void conn_finish(PGconn **conn)
{
	PQfinish(*conn);
}

static void conninfo_free(PQconninfoOption **options)
{
	PQconninfoFree(*options);
}

/* Copies what the caller may free; NULL: the connection string is malformed. */
static struct store *store_new(const struct store_spec *spec, char error[512])
{
	CLEANUP(conninfo_free) PQconninfoOption *options = NULL;
	struct store *s;
	const char *theirs = NULL;
	char *why = NULL;

	options = PQconninfoParse(spec->conninfo ? spec->conninfo : "", &why);
	if (!options) {
		/* not libpq's own words: they may repeat a misplaced password */
		snprintf(error, 512, "the database connection string is malformed");
		PQfreemem(why);
		return NULL;
	}
	for (PQconninfoOption *p = options; p->keyword; p++) {
		if (!strcmp(p->keyword, "options"))
			theirs = p->val;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->spec = *spec;
	s->spec.conninfo = copied(spec->conninfo ? spec->conninfo : "");
	s->spec.schema = copied(spec->schema);
	s->spec.application = copied(spec->application);
	s->options = session_options(theirs, spec->schema, spec->plan_once);
	return s;
}

/* Whatever the server says, it may say otherwise in a moment: while it starts, roles and databases may still be missing. */
static PGconn *conn_await(const struct store *s, unsigned wait_s, char error[512])
{
	int64_t until = clock_ms() + (int64_t)wait_s * 1000;
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	char cause[CAUSE_MAX];

	for (;;) {
		PGconn *conn = conn_open(s, cause);

		if (conn || clock_ms() >= until) {
			if (!conn)
				snprintf(error, 512, "no connection to the database: %s", cause);
			return conn;
		}
		nanosleep(&pause, NULL);
	}
}

int store_open(const struct store_spec *spec, unsigned wait_s, struct store **out, char error[512])
{
	CLEANUP(store_closep) struct store *s = store_new(spec, error);
	CLEANUP(conn_finish) PGconn *conn = NULL;
	struct outcome o = { 0 };
	int rc;

	if (!s)
		return -EIO;
	conn = conn_await(s, wait_s, error);
	if (!conn)
		return -EIO;
	PQsetNoticeReceiver(conn, on_notice, NULL);
	rc = store_migrate(spec, conn, wait_s, error);
	if (rc < 0)
		return rc;
	if (!conn_prepare(s, conn, &o)) {
		snprintf(error, 512, "%s", o.cause);
		return -EIO;
	}
	*out = s;
	s = NULL;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations at start, under an advisory lock, each with its schema_version row in one transaction (design.md 7). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/store/store_internal.h"

/* "RSP_MIGR": the same for all processes of a database, so that they wait for one another. */
#define LOCK_KEY "5932173504425838418"
enum { LOCK_WAIT_MIN_S = 60 };

static void result_freep(PGresult **res)
{
	PQclear(*res);
}

static int refused(PGconn *conn, const char *what, char error[512])
{
	char text[CAUSE_MAX];

	one_line(PQerrorMessage(conn), text);
	snprintf(error, 512, "%s: %s", what, text);
	return -EIO;
}

/* Runs SQL whose result nobody wants. */
static int run(PGconn *conn, const char *what, const char *sql, char error[512])
{
	CLEANUP(result_freep) PGresult *res = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(res);

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
		return 0;
	return refused(conn, what, error);
}

/* The first column of the first row as text into out; 0 rows: "". */
static int ask(PGconn *conn, const char *what, const char *sql, const char *param, size_t size, char *out, char error[512])
{
	CLEANUP(result_freep) PGresult *res = PQexecParams(conn, sql, param ? 1 : 0, NULL, &param, NULL, NULL, 0);

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return refused(conn, what, error);
	snprintf(out, size, "%s", PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "");
	return 0;
}

static int lock(PGconn *conn, unsigned wait_s, char error[512])
{
	int64_t until = clock_ms() + (int64_t)(wait_s > LOCK_WAIT_MIN_S ? wait_s : LOCK_WAIT_MIN_S) * 1000;
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	char locked[8];

	for (;;) {
		int rc = ask(conn, "migration lock", "select pg_catalog.pg_try_advisory_lock(" LOCK_KEY ")", NULL,
			     sizeof(locked), locked, error);

		if (rc < 0 || locked[0] == 't')
			return rc;
		if (clock_ms() >= until) {
			snprintf(error, 512, "another process has been migrating this database for too long");
			return -EIO;
		}
		nanosleep(&pause, NULL);
	}
}

/* Created only when missing: a role may use a schema without the right to create one. */
static int schema_make(const struct store_spec *spec, PGconn *conn, char error[512])
{
	char found[8], sql[256];
	char *name;
	int rc;

	if (!spec->schema)
		return 0;
	rc = ask(conn, "schema", "select 't' from pg_catalog.pg_namespace where nspname = $1", spec->schema,
		 sizeof(found), found, error);
	if (rc < 0 || found[0])
		return rc;
	name = PQescapeIdentifier(conn, spec->schema, strlen(spec->schema));
	if (!name)
		return refused(conn, "schema", error);
	snprintf(sql, sizeof(sql), "create schema %s", name);
	PQfreemem(name);
	return run(conn, "create schema", sql, error);
}

static int table_make(PGconn *conn, char error[512])
{
	char found[8];
	int rc = ask(conn, "schema_version", "select 't' where pg_catalog.to_regclass('schema_version') is not null", NULL,
		     sizeof(found), found, error);

	if (rc < 0 || found[0])
		return rc;
	return run(conn, "create table schema_version",
		   "create table schema_version (version integer primary key, name text not null,"
		   " applied_at timestamptz not null default now(), checksum text not null)", error);
}

static int newer_check(const struct store_spec *spec, PGconn *conn, char error[512])
{
	unsigned known = spec->migrations[spec->n_migrations - 1].version;
	char found[16];
	int rc = ask(conn, "schema_version", "select coalesce(max(version), 0) from schema_version", NULL,
		     sizeof(found), found, error);

	if (rc < 0)
		return rc;
	if (strtoul(found, NULL, 10) <= known)
		return 0;
	snprintf(error, 512, "the database has schema version %s, this program knows version %u at most: start a newer program",
		 found, known);
	return -EPROTO;
}

static int version_insert(const struct migration *m, PGconn *conn, char error[512])
{
	char version[16];
	const char *const values[] = { version, m->name, m->sql };
	CLEANUP(result_freep) PGresult *res = NULL;

	snprintf(version, sizeof(version), "%u", m->version);
	res = PQexecParams(conn, "insert into schema_version (version, name, checksum) values ($1, $2,"
			   " pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to($3, 'UTF8')), 'hex'))",
			   3, NULL, values, NULL, NULL, 0);
	return PQresultStatus(res) == PGRES_COMMAND_OK ? 0 : refused(conn, m->name, error);
}

static int apply(const struct migration *m, PGconn *conn, char error[512])
{
	int rc = run(conn, m->name, "begin", error);

	if (rc == 0)
		rc = run(conn, m->name, m->sql, error);
	if (rc == 0 && PQtransactionStatus(conn) != PQTRANS_INTRANS) {
		snprintf(error, 512, "%s: a migration must not end its transaction", m->name);
		rc = -EIO;
	}
	if (rc == 0)
		rc = version_insert(m, conn, error);
	if (rc == 0)
		rc = run(conn, m->name, "commit", error);
	if (rc == 0)
		log_msg(LOG_INFO, "store.migrated", "applied %s", m->name);
	return rc; /* on failure the connection is closed, which rolls back */
}

/* Applied already? An edited file is worth a warning: what the database holds is not what it says. */
static int applied(const struct migration *m, PGconn *conn, bool *out, char error[512])
{
	char version[16];
	const char *const values[] = { version, m->sql };
	CLEANUP(result_freep) PGresult *res = NULL;

	snprintf(version, sizeof(version), "%u", m->version);
	res = PQexecParams(conn, "select checksum = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to($2, 'UTF8')), 'hex')"
			   " from schema_version where version = $1::integer", 2, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return refused(conn, "schema_version", error);
	*out = PQntuples(res) > 0;
	if (*out && PQgetvalue(res, 0, 0)[0] != 't')
		log_msg(LOG_WARN, "store.migration_edited", "%s was edited after it was applied", m->name);
	return 0;
}

int store_migrate(const struct store_spec *spec, PGconn *conn, unsigned wait_s, char error[512])
{
	int rc;

	if (spec->n_migrations == 0)
		return 0;
	/* A migration may rewrite a table, and may have to wait for the statements of replicas that still run. */
	rc = run(conn, "migration", "set statement_timeout = 0; set lock_timeout = '10s'", error);
	if (rc == 0)
		rc = lock(conn, wait_s, error);
	if (rc == 0)
		rc = schema_make(spec, conn, error);
	if (rc == 0)
		rc = table_make(conn, error);
	if (rc == 0)
		rc = newer_check(spec, conn, error);
	for (size_t i = 0; rc == 0 && i < spec->n_migrations; i++) {
		bool there = false;

		rc = applied(&spec->migrations[i], conn, &there, error);
		if (rc == 0 && !there)
			rc = apply(&spec->migrations[i], conn, error);
	}
	if (rc < 0)
		return rc;
	return run(conn, "migration", "select pg_catalog.pg_advisory_unlock(" LOCK_KEY "); reset statement_timeout;"
		   " reset lock_timeout", error);
}

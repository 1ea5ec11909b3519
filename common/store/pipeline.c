/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of one connection and its one round trip (recipes.md 3). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/store_internal.h"

/* Rows of a failed or finished pipeline. */
static void rows_clear(struct db *d)
{
	for (size_t i = 0; i < d->n_rows; i++)
		PQclear(d->rows[i].pg);
	d->n_rows = 0;
}

static void queue_clear(struct db *d)
{
	d->n_commands = 0;
	d->n_params = 0;
	d->n_slots = 0;
	d->begun = false;
	d->misuse = NULL;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	rows_clear(d);
	db_drop(d);
	free(d->commands);
	free(d->values);
	free(d->lengths);
	free(d->formats);
	free(d->rows);
	free(d->locks);
	free(d);
}

static struct command *command_new(struct db *d, const char *statement, size_t n_params)
{
	struct command *c;

	d->commands = grown(d->commands, &d->cap_commands, d->n_commands + 1, sizeof(*d->commands));
	if (d->n_params + n_params > d->cap_params) {
		size_t cap = d->cap_params;

		d->values = grown(d->values, &cap, d->n_params + n_params, sizeof(*d->values));
		cap = d->cap_params;
		d->lengths = grown(d->lengths, &cap, d->n_params + n_params, sizeof(*d->lengths));
		d->formats = grown(d->formats, &d->cap_params, d->n_params + n_params, sizeof(*d->formats));
	}
	c = &d->commands[d->n_commands++];
	*c = (struct command){ .statement = statement, .first = (int)d->n_params, .n = (int)n_params, .slot = NO_SLOT };
	return c;
}

void db_queue(struct db *d, unsigned statement, const struct param *params, size_t n)
{
	struct command *c;

	if (statement >= d->store->spec.n_statements) {
		d->misuse = "statement number out of range";
		return;
	}
	c = command_new(d, d->store->spec.statements[statement].name, n);
	c->slot = (int)d->n_slots++;
	for (size_t i = 0; i < n; i++) {
		if (params[i].len < 0)
			d->misuse = "parameter too long";
		d->values[d->n_params] = params[i].data;
		d->lengths[d->n_params] = params[i].len;
		d->formats[d->n_params] = params[i].binary;
		d->n_params++;
	}
}

void db_begin(struct db *d)
{
	if (db_in_transaction(d))
		d->misuse = "begin within a transaction";
	d->begun = true;
	command_new(d, STORE_BEGIN, 0);
}

void db_commit(struct db *d)
{
	if (!db_in_transaction(d))
		d->misuse = "commit without a transaction"; /* else the statements had each committed alone */
	command_new(d, STORE_COMMIT, 0);
}

void db_relax(struct db *d)
{
	command_new(d, STORE_RELAX, 0);
}

bool db_in_transaction(const struct db *d)
{
	return d->tx || d->begun;
}

/* Takes one result over into its slot, or its error into o. */
static void result_take(const struct batch *b, size_t at, PGresult *res, struct outcome *o)
{
	const struct command *c = at < b->n ? &b->commands[at] : NULL;

	switch ((int)PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		/* commit answers ROLLBACK when the transaction had failed before */
		if (c && !strcmp(c->statement, STORE_COMMIT) && strcmp(PQcmdStatus(res), "COMMIT") != 0 && !o->failed) {
			o->failed = true;
			snprintf(o->cause, sizeof(o->cause), "commit rolled back");
		}
		if (c && c->slot != NO_SLOT && !b->rows[c->slot].pg) {
			b->rows[c->slot].pg = res;
			return;
		}
		break;
	case PGRES_PIPELINE_ABORTED: /* follows from the first error */
		break;
	default:
		/* Behind the last statement comes the implicit commit: its error (deferred constraint) arrives with the sync. */
		outcome_error(o, c ? c->statement : STORE_COMMIT, res);
		break;
	}
	PQclear(res);
}

static void batch_read(PGconn *conn, const struct batch *b, struct outcome *o)
{
	size_t at = 0;

	for (;;) {
		PGresult *res = conn_result(conn, o);

		if (o->lost)
			break;
		if (!res) {
			if (PQstatus(conn) == CONNECTION_BAD || at++ > b->n) {
				outcome_lost(o, PQerrorMessage(conn));
				break;
			}
			continue;
		}
		if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
			PQclear(res);
			return;
		}
		result_take(b, at, res, o);
		if (PQstatus(conn) == CONNECTION_BAD) {
			o->lost = true;
			break;
		}
	}
	o->failed = true;
}

void batch_run(struct db *d, const struct batch *b, struct outcome *o)
{
	if (!db_ready(d, o))
		return;
	for (size_t i = 0; i < b->n; i++) {
		const struct command *c = &b->commands[i];

		if (!PQsendQueryPrepared(d->conn, c->statement, c->n, b->values ? b->values + c->first : NULL,
					 b->lengths ? b->lengths + c->first : NULL, b->formats ? b->formats + c->first : NULL, 1)) {
			outcome_lost(o, PQerrorMessage(d->conn)); /* half a pipeline: only a new connection is clean */
			db_drop(d);
			return;
		}
	}
	if (!PQpipelineSync(d->conn))
		outcome_lost(o, PQerrorMessage(d->conn));
	else if (conn_flush(d->conn, o))
		batch_read(d->conn, b, o);
	if (o->lost)
		db_drop(d);
}

static void roll_back(struct db *d)
{
	static const struct command rollback = { .statement = STORE_ROLLBACK, .slot = NO_SLOT };
	struct outcome o = { 0 };

	if (d->conn && PQtransactionStatus(d->conn) != PQTRANS_IDLE)
		batch_run(d, &(struct batch){ .commands = &rollback, .n = 1 }, &o);
	if (o.failed)
		db_drop(d);
	d->tx = false;
}

void db_rollback(struct db *d)
{
	queue_clear(d);
	roll_back(d);
}

/* Another attempt may succeed: the rows were locked, the server was away or has no room, or two transactions crossed. */
static bool busy(const struct outcome *o)
{
	static const char *const states[] = {
		"55P03", /* lock_timeout */
		"57014", /* statement_timeout */
		"40P01", /* deadlock */
		"40001", /* serialization */
		"57P01", "57P02", "57P03", /* shutting down, crashed, starting */
		"25006", /* read-only: a standby, or set so while its disk is full */
		"58030", /* input or output error */
	};

	for (size_t i = 0; i < LEN(states); i++) {
		if (!strcmp(o->sqlstate, states[i]))
			return true;
	}
	/* Class 53: no connection, disk or memory left. */
	return o->lost || !strncmp(o->sqlstate, "53", 2);
}

static result failure(struct arena *a, const struct outcome *o, struct db_failure *out_failure)
{
	struct result *r;

	if (out_failure) {
		*out_failure = (struct db_failure){
			.rerun = !strcmp(o->sqlstate, "40P01") || !strcmp(o->sqlstate, "40001"),
			.unique_constraint = !strcmp(o->sqlstate, "23505") ? arena_strdup(a, o->constraint) : NULL,
			.sqlstate = o->sqlstate[0] ? arena_strdup(a, o->sqlstate) : NULL,
		};
	}
	if (!busy(o))
		return internal(a, "%s", o->cause);
	r = ARENA_NEW(a, struct result);
	r->status = STATUS_FAILED;
	r->code = CODE_BUSY;
	r->cause = arena_strdup(a, o->cause);
	return r;
}

static void queue_run(struct db *d, struct outcome *o)
{
	struct batch b;

	if (d->misuse) {
		o->failed = true;
		snprintf(o->cause, sizeof(o->cause), "%s", d->misuse);
		return;
	}
	d->rows = grown(d->rows, &d->cap_rows, d->n_slots, sizeof(*d->rows));
	d->n_rows = d->n_slots;
	for (size_t i = 0; i < d->n_rows; i++)
		d->rows[i].pg = NULL;
	b = (struct batch){ d->commands, d->n_commands, d->values, d->lengths, d->formats, d->rows };
	batch_run(d, &b, o);
}

result db_sync(struct db *d, struct arena *a, const struct rows **results, size_t n_results, struct db_failure *out_failure)
{
	struct outcome o = { 0 };

	rows_clear(d);
	if (out_failure)
		*out_failure = (struct db_failure){ 0 };
	if (d->n_commands == 0 && !d->misuse)
		return OK;
	queue_run(d, &o);
	queue_clear(d);
	/* A slot without a result cannot be handed out. */
	for (size_t i = 0; i < d->n_rows && !o.failed; i++) {
		if (!d->rows[i].pg) {
			o.failed = true;
			snprintf(o.cause, sizeof(o.cause), "the database left out a result");
		}
	}
	if (o.failed) {
		rows_clear(d);
		roll_back(d);
		return failure(a, &o, out_failure);
	}
	d->tx = PQtransactionStatus(d->conn) == PQTRANS_INTRANS;
	for (size_t i = 0; results && i < n_results; i++)
		results[i] = i < d->n_rows ? &d->rows[i] : NULL;
	return OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/app/due.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/app/worker.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum {
	ID_LEN = 36,
	RETRY_MS = 1000,  /* the database does not answer */
	ASIDE_MS = 60000, /* a row that cannot be settled lets others go first so long */
	LOCKED_MS = 2000, /* the same when it was only locked */
	ASIDE_MAX = 100,
	DUE_MAX = 20,
	TABLES_MAX = 4,
};

/* A row that was moved by a transaction which may not be committed yet. */
struct bell {
	struct bell *next;
	const struct due_table *table;
	char id[ID_LEN + 1]; /* "": a new one */
	char *replicas;      /* NULL: none */
};

struct aside {
	char id[ID_LEN + 1];
	int64_t until_ms;
};

struct due {
	atomic_flag lock; /* of first and bell; held for moments */
	struct bell *first;
	struct worker *bell;   /* the worker, while it may be rung */
	struct worker *worker; /* the rest is the worker's own */
	const struct due_table *tables[TABLES_MAX];
	size_t n_tables;
	struct rpc *rpc;
	struct db *db;
	struct arena *a;
	struct aside aside[ASIDE_MAX];
	size_t n_aside;
};

struct due *due_new(const struct due_table *const *tables, size_t n)
{
	struct due *w = calloc(1, sizeof(*w));

	if (!w || n > TABLES_MAX)
		abort();
	atomic_flag_clear(&w->lock);
	memcpy(w->tables, tables, n * sizeof(*tables));
	w->n_tables = n;
	return w;
}

static void bells_free(struct bell *b)
{
	while (b) {
		struct bell *next = b->next;

		free(b->replicas);
		free(b);
		b = next;
	}
}

void due_free(struct due *w)
{
	if (!w)
		return;
	bells_free(w->first);
	free(w);
}

static void hold(struct due *w)
{
	while (atomic_flag_test_and_set(&w->lock))
		sched_yield();
}

static void let_go(struct due *w)
{
	atomic_flag_clear(&w->lock);
}

void due_ring(struct due *w, const struct due_table *table, const char *id, const char *replicas)
{
	struct bell *b;

	if (!w)
		return;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->table = table;
	if (id)
		memcpy(b->id, id, strnlen(id, ID_LEN));
	b->replicas = replicas && *replicas ? strdup(replicas) : NULL;
	hold(w);
	if (w->bell) {
		b->next = w->first;
		w->first = b;
		b = NULL;
		worker_ring(w->bell);
	}
	let_go(w);
	bells_free(b);
}

/* Until all that was rung for is committed, or rolled back. */
static void await_commits(struct due *w, const struct bell *first, const struct due_table *table)
{
	CLEANUP(buf_free) struct buf ids = { 0 };

	for (const struct bell *b = first; b; b = b->next)
		if (*b->id && b->table == table)
			buf_printf(&ids, "%s%s", ids.len ? " " : "", b->id);
	if (!ids.len)
		return;
	DB_QUEUE(w->db, table->await, p_text(ids.data));
	if (db_sync(w->db, w->a, NULL, 0, NULL) != OK)
		worker_next(w->worker, RETRY_MS); /* who waits is found by the nets of outbox and parked callers */
}

/* Rings where the commits may have something for. */
static void ring_on(struct due *w)
{
	struct bell *first;

	hold(w);
	first = w->first;
	w->first = NULL;
	let_go(w);
	for (size_t i = 0; i < w->n_tables; i++)
		await_commits(w, first, w->tables[i]);
	for (struct bell *b = first; b; b = b->next)
		if (*b->id)
			deferred_ring(w->rpc, b->replicas);
	bells_free(first);
}

/* ---- what is due ---- */

struct look {
	size_t found;
	unsigned next_ms;         /* when the next one is due, if none was */
	const char *first_failed; /* NULL: none */
	bool busy;                /* it was only locked */
};

/* Of the row of the statement next. */
static unsigned next_ms(const struct rows *rows)
{
	int64_t ms;

	if (row_null(rows, 0, 0))
		return DUE_NET_MS;
	ms = row_int(rows, 0, 0);
	return ms <= 0 ? 1 : ms >= DUE_NET_MS ? DUE_NET_MS : (unsigned)ms + 1;
}

static void settle(const struct due_table *t, struct rpc *rpc, struct db *db, struct arena *a, const char *id, struct look *out)
{
	result r = t->settle(rpc, db, a, id);

	if (r == OK)
		return;
	db_rollback(db);
	log_msg(LOG_WARN, "due", "%s %s: %s", t->what, id, r->cause ? r->cause : status_code(r->code)->text);
	if (!out->first_failed) {
		out->first_failed = id;
		out->busy = r->code == CODE_BUSY;
	}
}

static result look_once(const struct due_table *t, struct rpc *rpc, struct db *db, struct arena *a, const char *except, struct look *out)
{
	const struct rows *rows[2];
	const char *ids[DUE_MAX];

	DB_QUEUE(db, t->due, p_int(a, DUE_MAX), p_text(except));
	DB_QUEUE(db, t->next, p_text(except));
	TRY(db_sync(db, a, rows, LEN(rows), NULL));
	out->found = rows_count(rows[0]);
	out->next_ms = next_ms(rows[1]);
	for (size_t i = 0; i < out->found; i++)
		ids[i] = row_text_dup(a, rows[0], i, 0);
	for (size_t i = 0; i < out->found; i++)
		settle(t, rpc, db, a, ids[i], out);
	return OK;
}

size_t due_look(const struct due_table *t, struct rpc *rpc, struct db *db, struct arena *a, const char *except, unsigned *out_ms)
{
	const struct rows *rows;
	struct look l = { 0 };

	*out_ms = RETRY_MS;
	if (look_once(t, rpc, db, a, except, &l) != OK)
		return 0;
	*out_ms = l.next_ms;
	if (l.found) {
		DB_QUEUE(db, t->next, p_text(except));
		*out_ms = db_sync(db, a, &rows, 1, NULL) == OK ? next_ms(rows) : RETRY_MS;
	}
	return l.found;
}

/* ---- the worker ---- */

static const char *aside_text(struct due *w)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	int64_t now = clock_ms();
	size_t n = 0;

	buf_str(&text, "");
	for (size_t i = 0; i < w->n_aside; i++) {
		if (w->aside[i].until_ms <= now)
			continue;
		buf_printf(&text, "%s%s", n ? " " : "", w->aside[i].id);
		w->aside[n++] = w->aside[i];
	}
	w->n_aside = n;
	return arena_strdup(w->a, text.data);
}

/* Without this a few rows that cannot be settled would be all that is ever found due. */
static void put_aside(struct due *w, const char *id, bool busy)
{
	struct aside *a = &w->aside[w->n_aside < ASIDE_MAX ? w->n_aside++ : 0];

	memset(a, 0, sizeof(*a));
	memcpy(a->id, id, strnlen(id, ID_LEN));
	a->until_ms = clock_ms() + (busy ? LOCKED_MS : ASIDE_MS);
}

/* One table's part of a pass. True: there may be more at once. */
static bool table_pass(struct due *w, const struct due_table *t, const char *except, unsigned *ms)
{
	struct look l = { 0 };

	if (look_once(t, w->rpc, w->db, w->a, except, &l) != OK) {
		*ms = RETRY_MS;
		return false;
	}
	if (l.first_failed)
		put_aside(w, l.first_failed, l.busy);
	if (!l.found && l.next_ms < *ms)
		*ms = l.next_ms;
	return l.found > 0;
}

static bool pass(void *ctx)
{
	struct due *w = ctx;
	unsigned ms = DUE_NET_MS;
	const char *except;
	bool more = false;

	arena_reset(w->a);
	ring_on(w);
	except = aside_text(w);
	for (size_t i = 0; i < w->n_tables; i++)
		more |= table_pass(w, w->tables[i], except, &ms);
	if (more)
		return true;
	worker_next(w->worker, w->n_aside && ms > RETRY_MS ? RETRY_MS : ms);
	return false;
}

void due_start(struct due *w, struct rpc *rpc)
{
	if (!w)
		return;
	w->rpc = rpc;
	w->db = db_open(rpc->store);
	w->a = arena_new();
	hold(w); /* its first pass waits for this */
	w->worker = worker_start(DUE_NET_MS, pass, w);
	w->bell = w->worker;
	let_go(w);
}

void due_stop(struct due *w)
{
	if (!w || !w->worker)
		return;
	hold(w);
	w->bell = NULL;
	let_go(w);
	worker_stop(w->worker);
	w->worker = NULL;
	db_closep(&w->db);
	arena_freep(&w->a);
}

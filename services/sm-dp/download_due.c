/* SPDX-License-Identifier: Apache-2.0 */
/* The worker of downloads: what is due by the clock (deadlines, pauses, answers that do not come), and bells after commits. Every replica runs
 * it: a row's lock lets one of them act, the others then find that it is not due any more. */
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/app/worker.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "services/sm-dp/download.h"

enum {
	NET_MS = 5000,    /* the longest sleep: a lost ring costs no more (C2) */
	RETRY_MS = 1000,  /* the database does not answer */
	ASIDE_MS = 60000, /* a row that cannot be read lets others go first so long */
	LOCKED_MS = 2000, /* the same when it was only locked */
	ASIDE_MAX = 100,
	DUE_MAX = 20,
};

/* A download that was moved by a transaction which may not be committed yet. */
struct bell {
	struct bell *next;
	char id[DOWNLOAD_ID + 1]; /* "": a new one */
	char *replicas;           /* NULL: none */
};

struct aside {
	char id[DOWNLOAD_ID + 1];
	int64_t until_ms;
};

struct downloads {
	atomic_flag lock; /* of first and bell; held for moments */
	struct bell *first;
	struct worker *bell;   /* the worker, while it may be rung */
	struct worker *worker; /* the rest is the worker's own */
	struct rpc *rpc;
	struct db *db;
	struct arena *a;
	struct aside aside[ASIDE_MAX];
	size_t n_aside;
};

struct downloads *downloads_new(void)
{
	struct downloads *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	atomic_flag_clear(&w->lock);
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

void downloads_free(struct downloads *w)
{
	if (!w)
		return;
	bells_free(w->first);
	free(w);
}

static void hold(struct downloads *w)
{
	while (atomic_flag_test_and_set(&w->lock))
		sched_yield();
}

static void let_go(struct downloads *w)
{
	atomic_flag_clear(&w->lock);
}

void downloads_ring(struct downloads *w, const char *id, const char *replicas)
{
	struct bell *b;

	if (!w)
		return;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	if (id)
		memcpy(b->id, id, strnlen(id, DOWNLOAD_ID));
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

void downloads_moved(const struct download_case *c)
{
	const struct download *d = c->d;
	bool soon = d->due_at - d->now < (int64_t)NET_MS * 1000;

	if (c->told || download_ended(d->state) || soon)
		downloads_ring(c->smdp->downloads, d->id, c->replicas);
}

/* Rings where the commits may have something for: when all that was rung for is committed, or rolled back. */
static void ring_on(struct downloads *w)
{
	CLEANUP(buf_free) struct buf ids = { 0 };
	struct bell *first;

	hold(w);
	first = w->first;
	w->first = NULL;
	let_go(w);
	buf_str(&ids, "");
	for (struct bell *b = first; b; b = b->next)
		if (*b->id)
			buf_printf(&ids, "%s%s", ids.len ? " " : "", b->id);
	if (ids.len) {
		DB_QUEUE(w->db, SMDP_DOWNLOAD_AWAIT, p_text(ids.data));
		if (db_sync(w->db, w->a, NULL, 0, NULL) != OK)
			worker_next(w->worker, RETRY_MS); /* who waits is found by the nets of outbox and parked callers */
	}
	for (struct bell *b = first; b; b = b->next)
		if (*b->id)
			deferred_ring(w->rpc, b->replicas);
	bells_free(first);
}

/* ---- what is due ---- */

static void fault_at(struct arena *a, enum download_state state, const char *stage, const char *eid)
{
	(void)FAULT(arena_printf(a, "sm-dp.download.%s.%s", download_state_name(state), stage), eid);
}

static result settle(struct rpc *rpc, struct db *db, struct arena *a, const char *id, bool *out_moved)
{
	struct download_case c = { .rpc = rpc, .smdp = rpc->role_state, .db = db, .a = a };
	enum download_state state;

	*out_moved = false;
	db_begin(db);
	TRY(download_lock(db, a, id, &c.d));
	if (!c.d || download_ended(c.d->state) || c.d->due_at > c.d->now) {
		db_rollback(db);
		return OK;
	}
	state = c.d->state;
	TRY(download_overdue(&c));
	fault_at(a, state, "due", c.d->eid.text);
	db_commit(db);
	TRY(db_sync(db, a, NULL, 0, NULL));
	fault_at(a, state, "committed", c.d->eid.text);
	*out_moved = true;
	if (c.sent)
		deferred_ring(rpc, c.replicas);
	return OK;
}

struct due {
	size_t found, failed;
	unsigned next_ms;         /* when the next one is due, if none was */
	const char *first_failed; /* NULL: none */
	bool busy;                /* it was only locked */
};

/* Of the row of SMDP_DOWNLOAD_NEXT. */
static unsigned next_ms(const struct rows *rows)
{
	int64_t ms;

	if (row_null(rows, 0, 0))
		return NET_MS;
	ms = row_int(rows, 0, 0);
	return ms <= 0 ? 1 : ms >= NET_MS ? NET_MS : (unsigned)ms + 1;
}

static result due_once(struct rpc *rpc, struct db *db, struct arena *a, const char *except, struct due *out)
{
	const struct rows *rows[2];
	const char *ids[DUE_MAX];

	DB_QUEUE(db, SMDP_DOWNLOAD_DUE, p_int(a, DUE_MAX), p_text(except));
	DB_QUEUE(db, SMDP_DOWNLOAD_NEXT, p_text(except));
	TRY(db_sync(db, a, rows, LEN(rows), NULL));
	out->found = rows_count(rows[0]);
	out->next_ms = next_ms(rows[1]);
	for (size_t i = 0; i < out->found; i++)
		ids[i] = row_text_dup(a, rows[0], i, 0);
	for (size_t i = 0; i < out->found; i++) {
		bool moved;
		result r = settle(rpc, db, a, ids[i], &moved);

		if (r == OK)
			continue;
		db_rollback(db);
		log_msg(LOG_WARN, "download_due", "download %s: %s", ids[i], r->cause ? r->cause : status_code(r->code)->text);
		if (!out->failed++) {
			out->first_failed = ids[i];
			out->busy = r->code == CODE_BUSY;
		}
	}
	return OK;
}

static unsigned until_next(struct db *db, struct arena *a, const char *except)
{
	const struct rows *rows;

	DB_QUEUE(db, SMDP_DOWNLOAD_NEXT, p_text(except));
	return db_sync(db, a, &rows, 1, NULL) == OK ? next_ms(rows) : RETRY_MS;
}

size_t downloads_due(struct rpc *rpc, struct db *db, struct arena *a, const char *except, unsigned *out_ms)
{
	struct due d = { 0 };

	*out_ms = RETRY_MS;
	if (due_once(rpc, db, a, except, &d) != OK)
		return 0;
	*out_ms = d.found ? until_next(db, a, except) : d.next_ms;
	return d.found;
}

/* ---- the worker ---- */

static const char *aside_text(struct downloads *w)
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
static void put_aside(struct downloads *w, const char *id, bool busy)
{
	struct aside *a = &w->aside[w->n_aside < ASIDE_MAX ? w->n_aside++ : 0];

	memset(a, 0, sizeof(*a));
	memcpy(a->id, id, strnlen(id, DOWNLOAD_ID));
	a->until_ms = clock_ms() + (busy ? LOCKED_MS : ASIDE_MS);
}

static bool pass(void *ctx)
{
	struct downloads *w = ctx;
	struct due d = { 0 };
	const char *except;

	arena_reset(w->a);
	ring_on(w);
	except = aside_text(w);
	if (due_once(w->rpc, w->db, w->a, except, &d) != OK) {
		worker_next(w->worker, RETRY_MS);
		return false;
	}
	if (d.first_failed)
		put_aside(w, d.first_failed, d.busy);
	if (d.found > 0)
		return true;
	worker_next(w->worker, w->n_aside ? RETRY_MS : d.next_ms);
	return false;
}

void downloads_start(struct app *app)
{
	struct smdp *smdp = app->rpc.role_state;
	struct downloads *w = smdp->downloads;

	w->rpc = &app->rpc;
	w->db = db_open(app->rpc.store);
	w->a = arena_new();
	hold(w); /* its first pass waits for this */
	w->worker = worker_start(NET_MS, pass, w);
	w->bell = w->worker;
	let_go(w);
}

void downloads_stop(struct app *app)
{
	struct smdp *smdp = app->rpc.role_state;
	struct downloads *w = smdp->downloads;

	hold(w);
	w->bell = NULL;
	let_go(w);
	worker_stop(w->worker);
	w->worker = NULL;
	db_closep(&w->db);
	arena_freep(&w->a);
}

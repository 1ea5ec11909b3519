/* SPDX-License-Identifier: Apache-2.0 */
/* Callers that wait for the end of an operation, parked without a thread, and the one worker that answers them and does what is due. A ring may
 * come before the commit that it announces: the worker then waits for the row's lock. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/random.h"
#include "services/operator-gateway/gateway.h"
#include "services/operator-gateway/operation.h"

enum { NET_MS = 5000, SPARE_MS = 5000 };

struct wait {
	struct wait *next;
	struct waits *waits;
	struct http_call *call;
	char id[UUID_TEXT];
	json_int_t seen;  /* number of a stage: the caller wants to be told of newer ones */
	int64_t until_ms; /* then the caller is told how it stands */
	bool rung;        /* to be looked at */
};

struct waits {
	atomic_flag lock; /* of first and bell; held for moments */
	struct wait *first;
	struct worker *bell;   /* the worker, while it may be rung */
	struct worker *worker; /* the rest is the worker's own */
	struct gateway *gateway;
	struct db *db;
	struct arena *arena;
	int64_t net_ms; /* clock_ms() of the next look at all of them */
};

struct waits *waits_new(void)
{
	struct waits *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	atomic_flag_clear(&w->lock);
	return w;
}

void waits_free(struct waits *w)
{
	free(w);
}

static void hold(struct waits *w)
{
	while (atomic_flag_test_and_set(&w->lock))
		sched_yield();
}

static void let_go(struct waits *w)
{
	atomic_flag_clear(&w->lock);
}

/* With the lock held. */
static void wait_remove(struct waits *w, struct wait *gone)
{
	for (struct wait **at = &w->first; *at; at = &(*at)->next) {
		if (*at != gone)
			continue;
		*at = gone->next;
		free(gone);
		return;
	}
}

/* Only when the worker could not tell the caller in time. */
static void wait_expired(void *user, struct http_call *call)
{
	static const char body[] =
		"{\"error\":{\"code\":\"unavailable\",\"message\":\"the gateway's database does not answer; ask again\"}}";
	struct wait *x = user;
	struct waits *w = x->waits;

	hold(w);
	if (http_resume(call, 503, "application/json", body, strlen(body)))
		wait_remove(w, x); /* else gone() does */
	let_go(w);
}

static void wait_gone(void *user)
{
	struct wait *x = user;
	struct waits *w = x->waits;

	hold(w);
	wait_remove(w, x);
	let_go(w);
}

void waits_park(struct waits *w, struct http_call *call, const char *id, unsigned wait_s, unsigned seen)
{
	static const struct http_parked_hooks hooks = { wait_expired, wait_gone };
	int64_t until_ms = clock_ms() + (int64_t)wait_s * 1000;
	struct wait *x = calloc(1, sizeof(*x));

	if (!x)
		abort();
	/* It may have ended since it was looked at: it is rung for once. */
	*x = (struct wait){ .waits = w, .call = call, .seen = seen, .until_ms = until_ms, .rung = true };
	memcpy(x->id, id, strnlen(id, UUID_TEXT - 1));
	hold(w);
	x->next = w->first;
	w->first = x;
	worker_ring(w->bell);
	let_go(w);
	/* The worker may answer before this: then it does nothing, and the hooks never run. */
	http_park(call, until_ms + SPARE_MS, &hooks, x);
}

void waits_ring(struct waits *w, const char *id)
{
	hold(w);
	for (struct wait *x = w->first; id && x; x = x->next)
		if (!strcmp(x->id, id))
			x->rung = true;
	worker_ring(w->bell);
	let_go(w);
}

/* The worker ----------------------------------------------------------------------------------------------------------------- */

/* Ids to be looked at now, blank between two, and the time until the next caller's patience ends. */
static void collect(struct waits *w, struct buf *ids, unsigned *ms)
{
	int64_t now = clock_ms();
	bool all = now >= w->net_ms;

	if (all)
		w->net_ms = now + NET_MS;
	hold(w);
	for (struct wait *x = w->first; x; x = x->next) {
		if (x->rung || all || x->until_ms <= now)
			buf_printf(ids, "%s%s", ids->len ? " " : "", x->id);
		if (x->until_ms > now && x->until_ms - now < *ms)
			*ms = (unsigned)(x->until_ms - now);
		x->rung = false;
	}
	let_go(w);
}

/* Who waits for this operation gets it, when it has ended, there are more stages, or the caller's time has ended. */
static void tell(struct waits *w, const struct operation *o)
{
	CLEANUP(json_freep) json_t *json = operation_json(w->arena, o, true);
	const char *text = json_text(w->arena, json);
	json_int_t newest = operation_stages_newest(json_object_get(json, "stages"), 0);
	int64_t now = clock_ms();
	struct wait *next;

	hold(w);
	for (struct wait *x = w->first; x; x = next) {
		next = x->next;
		if (strcmp(x->id, o->id) != 0 || (o->state != OPERATION_ENDED && newest <= x->seen && x->until_ms > now))
			continue;
		if (http_resume(x->call, 200, "application/json", text, strlen(text)))
			wait_remove(w, x); /* else gone() waits for the lock */
	}
	let_go(w);
}

/* What could not be looked at is rung for again. */
static bool look(struct waits *w, const char *ids)
{
	const struct rows *rows;

	DB_QUEUE(w->db, GW_OPERATION_AWAIT, p_text(ids));
	if (db_sync(w->db, w->arena, &rows, 1, NULL) != OK) {
		w->net_ms = 0;
		return false;
	}
	for (size_t i = 0; i < rows_count(rows); i++) {
		struct operation o;

		if (operation_row(w->arena, rows, i, &o) == OK)
			tell(w, &o);
	}
	return true;
}

static bool pass(void *ctx)
{
	CLEANUP(buf_free) struct buf ids = { 0 };
	struct waits *w = ctx;
	unsigned ms = NET_MS, wait_ms = NET_MS;
	bool more;

	arena_reset(w->arena);
	more = operations_due(w->gateway, w->db, w->arena, &ms);
	collect(w, &ids, &wait_ms);
	if (ids.len && !look(w, ids.data))
		wait_ms = 1000;
	worker_next(w->worker, ms < wait_ms ? ms : wait_ms);
	return more;
}

void waits_start(struct waits *w, struct app *app)
{
	w->gateway = app->rpc.role_state;
	w->db = db_open(app->rpc.store);
	w->arena = arena_new();
	hold(w); /* its first pass waits for this */
	w->worker = worker_start(NET_MS, pass, w);
	w->bell = w->worker;
	let_go(w);
}

void waits_stop(struct waits *w)
{
	hold(w);
	w->bell = NULL;
	let_go(w);
	worker_stop(w->worker);
	db_closep(&w->db);
	arena_freep(&w->arena);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Callers that wait on their connections (decisions.md A4, A5). What is kept of each is the connection, a reply row and what its
 * answer repeats; one thread looks for rows whose call has ended and answers them. */
#include "common/rpc/parked.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/metrics.h"

enum {
	NET_MS = 5000,     /* the longest sleep: a lost ring costs no more (C2) */
	NET_AWAY_MS = 500, /* the same while nobody else can ring: the bus is away */
	SPARE_S = 5,       /* beyond the validity period, so that an EXPIRED of its end arrives */
	AT_ONCE = 64,      /* answers of one look */
	UNAVAILABLE = 503,
};

/* One caller; owned by the table, and taken out of it by whoever ends it: deliver(), expired(), gone() or parked_leave(). */
struct waiter {
	struct waiter *next, *prev;
	struct parked *parked;
	struct http_call *call;
	struct arena *arena; /* all of it */
	struct answer_way way;
	const char *eid;
	int64_t started_us;
	char id[UUID_TEXT];
};

struct parked {
	struct rpc *rpc;
	unsigned per_listener, per_entity, park_max_s;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below; taken before a server's own */
	pthread_cond_t bell;
	struct waiter *waiters;
	unsigned n_waiters;
	struct buf gone; /* reply rows that nobody waits for, blank between two */
	bool rung, draining, closing;
};

/* Lock held. */
static void take_out(struct parked *p, struct waiter *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		p->waiters = w->next;
	if (w->next)
		w->next->prev = w->prev;
	p->n_waiters--;
}

/* Lock held. */
static struct waiter *waiter_find(struct parked *p, const char *id)
{
	struct waiter *w = p->waiters;

	while (w && strcmp(w->id, id))
		w = w->next;
	return w;
}

/* Lock held. */
static void ring(struct parked *p)
{
	p->rung = true;
	pthread_cond_signal(&p->bell);
}

static void log_end_of(const struct waiter *w, unsigned status, const char *ending)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "call_ended");
	log_str(&l, "function", w->way.fn->wire);
	log_str(&l, "caller", w->way.to_entity);
	log_str(&l, "eid", w->eid);
	log_str(&l, "message_id", w->way.message_id);
	log_int(&l, "http", status);
	log_str(&l, "status", ending);
	log_int(&l, "us", clock_us() - w->started_us);
	log_end(&l);
}

/* Lock not held: nobody waits any more. Its row goes with the next look, but in a drain: then it shows where the caller was. */
static void abandon(struct waiter *w, unsigned status, const char *ending)
{
	struct parked *p = w->parked;

	pthread_mutex_lock(&p->lock);
	take_out(p, w);
	if (!p->draining) {
		buf_printf(&p->gone, "%s%s", p->gone.len ? " " : "", w->id);
		ring(p);
	}
	pthread_mutex_unlock(&p->lock);
	log_end_of(w, status, ending);
	arena_free(w->arena);
}

/* The caller repeats its FunctionCallIdentifier. */
static void expired(void *user, struct http_call *call)
{
	static const struct http_header again = { "Retry-After", "1" };
	struct waiter *w = user;

	if (http_resume_headers(call, UNAVAILABLE, NULL, NULL, 0, &again, 1))
		abandon(w, UNAVAILABLE, "WAITED");
}

/* The caller hung up, or the process ends. */
static void gone(void *user)
{
	abandon(user, 0, "GONE");
}

/* Lock held. */
static bool room_for(const struct parked *p, const char *entity)
{
	unsigned same = 0;

	for (const struct waiter *w = p->waiters; w; w = w->next)
		same += !strcmp(w->way.to_entity, entity);
	return p->n_waiters < p->per_listener && same < p->per_entity;
}

bool parked_enter(struct parked *p, struct http_call *call, const struct answer_way *way, const char *eid, int64_t started_us,
		  char out_id[UUID_TEXT])
{
	struct arena *a;
	struct waiter *w = NULL;

	pthread_mutex_lock(&p->lock);
	if (room_for(p, way->to_entity)) {
		a = arena_new();
		w = ARENA_NEW(a, struct waiter);
		*w = (struct waiter){ .next = p->waiters,
				      .parked = p,
				      .call = call,
				      .arena = a,
				      .way = answer_way_dup(a, way),
				      .eid = arena_strdup(a, eid),
				      .started_us = started_us };
		uuid_new(w->id);
		memcpy(out_id, w->id, UUID_TEXT);
		if (w->next)
			w->next->prev = w;
		p->waiters = w;
		p->n_waiters++;
	}
	pthread_mutex_unlock(&p->lock);
	return w != NULL;
}

unsigned parked_wait_s(const struct parked *p, uint32_t validity_s)
{
	return validity_s + SPARE_S < p->park_max_s ? validity_s + SPARE_S : p->park_max_s;
}

void parked_park(struct parked *p, const char *id, struct http_call *call, uint32_t validity_s)
{
	static const struct http_parked_hooks hooks = { expired, gone };
	struct waiter *w;

	pthread_mutex_lock(&p->lock);
	w = waiter_find(p, id);
	/* Not found: answered already, and no hook will run. */
	http_park(call, clock_ms() + (int64_t)parked_wait_s(p, validity_s) * 1000, w ? &hooks : NULL, w);
	pthread_mutex_unlock(&p->lock);
}

void parked_leave(struct parked *p, const char *id)
{
	struct waiter *w;

	pthread_mutex_lock(&p->lock);
	w = waiter_find(p, id);
	if (w)
		take_out(p, w);
	pthread_mutex_unlock(&p->lock);
	if (w)
		arena_free(w->arena);
}

static void journal_answer(struct rpc *rpc, const struct waiter *w, const char *message_id, const struct buf *envelope)
{
	struct journal_entry e = { .at = clock_wall_us(),
				   .kind = JOURNAL_ANSWER_OUT,
				   .peer = w->way.to_entity,
				   .eid = w->eid,
				   .function = w->way.fn->wire,
				   .message_id = message_id,
				   .status = 200,
				   .text = envelope->data,
				   .n = envelope->len };

	journal_write(rpc->journal, &e);
}

static void fault_point(const struct parked *p, const char *stage, const char *eid)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s.parked.%s", p->rpc->role, stage);
	(void)FAULT(name, eid);
}

/* One answer to its caller, if that is still there. */
static void deliver(struct parked *p, struct arena *a, const char *id, struct bytes answer)
{
	CLEANUP(buf_free) struct buf envelope = { 0 };
	const char *message_id = "";
	struct waiter *w;

	pthread_mutex_lock(&p->lock);
	w = waiter_find(p, id);
	if (w) {
		message_id = answer_wrap(a, &envelope, p->rpc, &w->way, answer);
		if (http_resume(w->call, 200, SOAP_TYPE, envelope.data, envelope.len))
			take_out(p, w);
		else
			w = NULL; /* one of the hooks runs and waits for the lock: the waiter is its */
	}
	pthread_mutex_unlock(&p->lock);
	if (!w)
		return;
	journal_answer(p->rpc, w, message_id, &envelope);
	log_end_of(w, 200, "ANSWERED");
	metric_add("rsp_parked_answered_total", "", 1);
	fault_point(p, "answered", w->eid);
	arena_free(w->arena);
}

/* Rows that are done with. Those that stay because the database takes nothing are found again, or cleaned in the end: false. */
static bool rows_drop(struct db *db, struct arena *a, const struct buf *ids)
{
	if (!ids->len)
		return true;
	DB_QUEUE(db, RPC_REPLY_DROP, p_text(ids->data));
	if (db_sync(db, a, NULL, 0, NULL) == OK)
		return true;
	log_msg(LOG_WARN, "parked", "reply rows could not be deleted: the database does not take it");
	return false;
}

/* One look; true: there may be more. */
static bool pass(struct parked *p, struct db *db, struct arena *a)
{
	CLEANUP(buf_free) struct buf done = { 0 };
	const struct rows *rows;
	size_t n;

	arena_reset(a);
	pthread_mutex_lock(&p->lock);
	done = p->gone;
	p->gone = (struct buf){ 0 };
	pthread_mutex_unlock(&p->lock);
	DB_QUEUE(db, RPC_REPLY_ANSWERED, p_text(p->rpc->replica), p_int(a, AT_ONCE));
	if (db_sync(db, a, &rows, 1, NULL) != OK)
		return false;
	n = rows_count(rows);
	for (size_t i = 0; i < n; i++) {
		fault_point(p, "fetched", row_text(rows, i, 2));
		if (!row_null(rows, i, 1)) /* else the call was cleaned away: repeating it runs it again */
			deliver(p, a, row_text(rows, i, 0), row_bytes(rows, i, 1));
		buf_printf(&done, "%s%s", done.len ? " " : "", row_text(rows, i, 0));
	}
	return rows_drop(db, a, &done) && n == AT_ONCE; /* else the same rows, over and over */
}

static struct timespec in_ms(int64_t ms)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

static bool bus_away(const struct parked *p)
{
	return p->rpc->bus && !bus_connected(p->rpc->bus);
}

/* False: the end. The bus may go while we sleep, and with it who rings: that is looked after more often than rows are. */
static bool wait_ring(struct parked *p, bool more)
{
	int64_t until_ms = clock_ms() + NET_MS;
	bool go;

	pthread_mutex_lock(&p->lock);
	while (!more && !p->rung && !p->closing) {
		struct timespec until = in_ms(NET_AWAY_MS);

		if (pthread_cond_timedwait(&p->bell, &p->lock, &until) == ETIMEDOUT && (bus_away(p) || clock_ms() >= until_ms))
			break;
	}
	p->rung = false;
	go = !p->closing;
	pthread_mutex_unlock(&p->lock);
	return go;
}

static void *parked_main(void *arg)
{
	struct parked *p = arg;
	CLEANUP(db_closep) struct db *db = db_open(p->rpc->store);
	CLEANUP(arena_freep) struct arena *a = arena_new();

	while (wait_ring(p, pass(p, db, a)))
		;
	return NULL;
}

struct parked *parked_open(struct rpc *rpc, unsigned per_listener, unsigned per_entity, unsigned park_max_s)
{
	struct parked *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;

	if (!p)
		abort();
	*p = (struct parked){ .rpc = rpc, .per_listener = per_listener, .per_entity = per_entity, .park_max_s = park_max_s };
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&p->bell, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (pthread_create(&p->thread, NULL, parked_main, p) != 0)
		abort(); /* only at the start */
	return p;
}

void parked_drain(struct parked *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->draining = true;
	pthread_mutex_unlock(&p->lock);
}

void parked_ring(struct parked *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	ring(p);
	pthread_mutex_unlock(&p->lock);
}

void parked_close(struct parked *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_signal(&p->bell);
	pthread_mutex_unlock(&p->lock);
	(void)pthread_join(p->thread, NULL);
	(void)pthread_cond_destroy(&p->bell);
	(void)pthread_mutex_destroy(&p->lock);
	buf_free(&p->gone);
	free(p);
}

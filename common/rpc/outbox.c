/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox's rows, and the life of its workers (B1). */
#include "common/rpc/outbox_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "common/base/random.h"
#include "common/rpc/ask.h"

enum {
	NET_MS = 5000,           /* the longest sleep: a lost ring costs no more (C2) */
	AGAIN_MS = 20,           /* after a ring, to the first of the looks at what another process holds: its lock may be a moment's */
	TELL_MS = 100,           /* between two rings at others: one look there finds all that has come */
	GATHER_MS = 20,          /* events of so long travel together: one look, one mark for all of them */
	END_MS = 1000,           /* what a call in flight still gets at the end */
	AWAY_MS = 1000,          /* to the next look when the database did not answer */
	CALL_S = 30,             /* for one attempt */
};

/* All columns of a row but its shard and times. */
static void row_add(struct db *db, struct arena *a, const char *lane, const char *kind, const char *dedup, const char *message_id,
		    struct bytes payload, const struct outbox_message *m)
{
#define TEXT(s) p_text((s) ? arena_strdup(a, (s)) : "")
	DB_QUEUE(db, RPC_OUTBOX_ADD, p_text(lane), TEXT(m->eid), p_text(kind), TEXT(dedup), TEXT(m->ref), TEXT(m->context_id),
		 TEXT(m->trace), p_bytes(arena_memdup(a, payload.data, payload.len), payload.len),
		 m->give_up_s ? p_int(a, m->give_up_s) : p_null(), TEXT(m->address), TEXT(m->relates_to),
		 TEXT(m->transaction_id), TEXT(message_id), p_bool(m->wants_callback),
		 p_int(a, m->timeout_s ? m->timeout_s : CALL_S));
#undef TEXT
}

void outbox_event(struct db *db, struct arena *a, const char *event, const char *eid, const char *trace, const char *json)
{
	const struct outbox_message m = { .eid = eid, .trace = trace };
	char id[UUID_TEXT];

	uuid_new(id);
	row_add(db, a, BUS_LANE, arena_strdup(a, event), id, NULL, (struct bytes){ (const uint8_t *)json, strlen(json) }, &m);
}

void outbox_ask(struct db *db, struct arena *a, const struct ask *q)
{
	const struct outbox_message m = { .eid = q->eid, .ref = q->ref, .trace = q->trace, .give_up_s = q->give_up_s };
	struct bytes json = { (const uint8_t *)q->json, strlen(q->json) };

	row_add(db, a, arena_printf(a, ASK_LANE "%s", q->role), arena_strdup(a, q->verb), NULL, NULL, json, &m);
}

/* The same at all attempts (A7), but for the domain that it begins with: that is put before it when it is sent, since nobody who
 * queues a row needs to know our entity. */
static const char *fixed_message_id(struct arena *a, const struct outbox_message *m)
{
	return message_id_new(a, "", m->transaction_id, m->context_id && *m->context_id ? m->context_id : NULL) + strlen("//");
}

void outbox_send(struct db *db, struct arena *a, const struct outbox_message *m)
{
	CLEANUP(buf_free) struct buf encoded = { 0 };
	const struct request_base *base = m->kind == OUTBOX_REQUEST ? m->in : NULL;
	const char *lane = arena_printf(a, PEER_LANE "%s", m->to->text), *kind = m->fn->wire, *message_id = NULL;
	struct bytes body = m->body;

	if (m->in) {
		bind_encode(&encoded, message_request(m->fn->id), m->in, BIND_PLAIN);
		body = (struct bytes){ (const uint8_t *)encoded.data, encoded.len };
	}
	if (m->kind == OUTBOX_CALLBACK)
		kind = arena_printf(a, "%sResponse", m->fn->wire);
	else if (m->kind == OUTBOX_NOTIFY)
		message_id = fixed_message_id(a, m);
	row_add(db, a, lane, kind, base ? base->fci : message_id ? message_id : m->relates_to, message_id, body, m);
}

void outbox_withdraw(struct db *db, struct arena *a, const struct oid *to, const char *eid, const char *ref)
{
	const char *lane = arena_printf(a, PEER_LANE "%s", to->text);

	DB_QUEUE(db, RPC_OUTBOX_WITHDRAW, p_text(lane), p_text(arena_strdup(a, eid)), p_text(arena_strdup(a, ref)));
}

/* How long nothing can become due since the last look, unless somebody rings. */
static int64_t idle_ms(struct outbox_worker *w)
{
	int64_t now = clock_ms(), ms = NET_MS, probe = outbox_next_probe_ms(w->outbox, w->looked_ms), hold = w->hold_ms - now, next;

	if (hold > 0)
		return hold;
	if (w->looked_ms < w->hold_ms)
		return 1; /* it has just ended */
	if (!w->looked)
		return AWAY_MS;
	next = w->looked_ms + w->next_ms - now;
	if (w->next_ms >= 0 && next < ms)
		ms = next < 0 ? 1 : next + 1;
	if (probe >= 0 && probe < ms)
		ms = probe + 1;
	if (w->missed && w->again_ms < ms) {
		ms = w->again_ms;
		w->again_ms *= 2;
	}
	return ms;
}

/* Who holds what we have committed must hear of it; without the bus its net finds it. */
static void tell_others(struct outbox_worker *w, uint64_t own_rings)
{
	if (!w->missed || w->told == own_rings || clock_ms() - w->told_ms < TELL_MS)
		return;
	w->told = own_rings;
	w->told_ms = clock_ms();
	outbox_tell_holders(w);
}

static struct timespec in_ms(int64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* Waits for a ring after `seen`, for something that was in flight, or ms. At the end only what is in flight is waited for. */
static void wait_ring(struct outbox_worker *w, uint64_t seen, int64_t ms)
{
	struct outbox *o = w->outbox;
	struct timespec until = in_ms(ms);

	w->waiting = true;
	while (!w->landed && (w->closing || (!o->closing && o->rings[w->bus] == seen)))
		if (pthread_cond_timedwait(&w->ring, &o->lock, &until))
			break;
	w->waiting = false;
}

/* A busy bus is served in bundles: its worker lets a moment's events come together, and no ring wakes it. Requests and their answers wait with
 * them. */
static void gather(struct outbox_worker *w)
{
	struct outbox *o = w->outbox;
	struct timespec until = in_ms(GATHER_MS);

	while (!o->closing)
		if (pthread_cond_timedwait(&w->ring, &o->lock, &until))
			break;
}

static void *worker_main(void *arg)
{
	struct outbox_worker *w = arg;
	struct outbox *o = w->outbox;
	uint64_t seen = 0, own = 0;

	while (!w->closing || w->n_flights) {
		size_t done = outbox_pass(w);
		int64_t ms = done || w->closing ? NET_MS : idle_ms(w);

		tell_others(w, own);
		pthread_mutex_lock(&o->lock);
		if (!done && !(w->closing && !w->n_flights))
			wait_ring(w, seen, ms);
		if (w->bus)
			gather(w);
		if (seen != o->rings[w->bus])
			w->again_ms = AGAIN_MS;
		seen = o->rings[w->bus];
		own = o->own_rings;
		w->closing = o->closing;
		pthread_mutex_unlock(&o->lock);
	}
	return NULL;
}

static void worker_free(struct outbox_worker *w)
{
	db_close(w->db);
	arena_free(w->arena);
	pthread_cond_destroy(&w->ring);
	free(w->flights);
	free(w->lanes);
	free(w);
}

static struct outbox_worker *worker_new(struct outbox *o, bool bus, unsigned number)
{
	struct outbox_worker *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (!w)
		abort();
	*w = (struct outbox_worker){ .outbox = o,
				     .db = db_open(o->spec.rpc->store),
				     .arena = arena_new(),
				     .number = number,
				     .bus = bus,
				     .max = bus ? ASKS_IN_FLIGHT : o->spec.in_flight };
	w->flights = calloc(w->max + 1, sizeof(struct flight *));
	w->lanes = calloc(w->max + 1, sizeof(*w->lanes));
	if (!w->flights || !w->lanes)
		abort();
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->ring, &attr);
	pthread_condattr_destroy(&attr);
	return w;
}

struct outbox *outbox_open(const struct outbox_spec *spec)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	o->spec = *spec;
	if (!o->spec.workers)
		o->spec.workers = 1;
	if (!o->spec.in_flight || o->spec.in_flight > IN_FLIGHT_MAX)
		o->spec.in_flight = IN_FLIGHT_DEFAULT;
	o->n_workers = 1 + o->spec.workers;
	o->workers = calloc(o->n_workers, sizeof(struct outbox_worker *));
	if (!o->workers)
		abort();
	pthread_mutex_init(&o->lock, NULL);
	metric_set("rsp_outbox_in_flight", "", 0);
	for (unsigned i = 0; i < o->n_workers; i++)
		o->workers[i] = worker_new(o, i == 0, i ? i - 1 : 0);
	for (unsigned i = 0; i < o->n_workers; i++)
		if (pthread_create(&o->workers[i]->thread, NULL, worker_main, o->workers[i]))
			abort();
	return o;
}

void outbox_close(struct outbox *o)
{
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->closing = true;
	for (unsigned i = 0; i < o->n_workers; i++)
		pthread_cond_signal(&o->workers[i]->ring);
	pthread_mutex_unlock(&o->lock);
	bus_request_end(o->spec.rpc->bus, END_MS);
	http_client_end(o->spec.rpc->client, END_MS); /* a silent peer must not hold up the end of the process */
	for (unsigned i = 0; i < o->n_workers; i++)
		pthread_join(o->workers[i]->thread, NULL);
	for (unsigned i = 0; i < o->n_workers; i++)
		worker_free(o->workers[i]);
	pthread_mutex_destroy(&o->lock);
	free(o->workers);
	free(o);
}

static void ring(struct outbox *o, bool calls, bool own)
{
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->rings[true]++;
	o->rings[false] += calls;
	o->own_rings += own;
	for (unsigned i = 0; i < o->n_workers; i++)
		if (o->workers[i]->waiting && (calls || o->workers[i]->bus))
			pthread_cond_signal(&o->workers[i]->ring);
	pthread_mutex_unlock(&o->lock);
}

void outbox_ring(struct outbox *o)
{
	ring(o, true, true);
}

void outbox_ring_bus(struct outbox *o)
{
	ring(o, false, true);
}

void outbox_wake(struct outbox *o)
{
	ring(o, true, false);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox's rows and workers. A worker holds a shard's advisory lock while it works a batch: one replica at a time (B1). */
#include "common/rpc/outbox_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/random.h"

enum {
	NET_MS = 5000,           /* the longest sleep: a lost ring costs no more (C2) */
	GATHER_MS = 20,          /* events of so long travel together: one look, one mark for all of them */
	END_MS = 1000,           /* what a call in flight still gets at the end */
	LOCK_SPACE = 0x6F626F78, /* first half of the advisory locks; + 1 for the bus's */
};

void outbox_event(struct db *db, struct arena *a, const char *event, const char *eid, const char *trace, const char *json)
{
	char *id = arena_alloc(a, UUID_TEXT);

	uuid_new(id);
	DB_QUEUE(db, RPC_OUTBOX_ADD, p_text(BUS_LANE), p_text(arena_strdup(a, eid)), p_text(event), p_text(id), p_text(""), p_text(""),
		 p_text(arena_strdup(a, trace)), p_bytes(arena_strdup(a, json), strlen(json)), p_null());
}

void outbox_request(struct db *db, struct arena *a, const struct function *fn, const struct oid *to, const char *eid, const void *in,
		    const char *ref, const char *context_id, int64_t give_up_at)
{
	CLEANUP(buf_free) struct buf body = { 0 };
	const struct request_base *base = in;

	bind_encode(&body, message_request(fn->id), in, BIND_PLAIN);
	DB_QUEUE(db, RPC_OUTBOX_ADD, p_text(arena_printf(a, "peer:%s", to->text)), p_text(arena_strdup(a, eid)), p_text(fn->wire),
		 p_text(arena_strdup(a, base->fci)), p_text(arena_strdup(a, ref)), p_text(context_id ? arena_strdup(a, context_id) : ""),
		 p_text(""), p_bytes(arena_memdup(a, body.data, body.len), body.len), give_up_at ? p_time(a, give_up_at) : p_null());
}

static void row_read(struct arena *a, const struct rows *rows, size_t i, struct outbox_row *out)
{
	*out = (struct outbox_row){ .id = row_int(rows, i, 0),
				    .lane = row_text_dup(a, rows, i, 1),
				    .eid = row_text_dup(a, rows, i, 2),
				    .kind = row_text_dup(a, rows, i, 3),
				    .dedup = row_text_dup(a, rows, i, 4),
				    .ref = row_text_dup(a, rows, i, 5),
				    .context_id = row_text_dup(a, rows, i, 6),
				    .trace = row_text_dup(a, rows, i, 7),
				    .payload = row_bytes_dup(a, rows, i, 8),
				    .attempts = row_int(rows, i, 9),
				    .give_up = row_bool(rows, i, 12) };
}

/* Rows of a lane under probe are left but for the first. */
static size_t rows_admit(struct outbox_worker *w, const struct rows *rows, struct outbox_row *out)
{
	const char *probed = NULL;
	size_t n = 0;

	for (size_t i = 0; i < rows_count(rows) && n < BATCH_MAX; i++) {
		row_read(w->arena, rows, i, &out[n]);
		if (outbox_probing(w->outbox, out[n].lane)) {
			if (probed && !strcmp(probed, out[n].lane))
				continue;
			probed = out[n].lane;
		}
		n++;
	}
	return n;
}

/* The shards that this worker holds now, blank between two; "" when there is nothing to do. */
static const char *shards_take(struct outbox_worker *w, const char *paused)
{
	unsigned workers = w->bus ? 1 : w->outbox->spec.workers;
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct rows *rows;

	DB_QUEUE(w->db, RPC_OUTBOX_TAKE, p_bool(w->bus), p_text(paused), p_int(w->arena, workers), p_int(w->arena, w->number),
		 p_int(w->arena, (SHARDS + workers - 1) / workers), p_int(w->arena, LOCK_SPACE + w->bus));
	buf_str(&text, "");
	if (db_sync(w->db, w->arena, &rows, 1, NULL) != OK)
		return "";
	for (size_t i = 0; i < rows_count(rows); i++)
		buf_printf(&text, "%s%lld", i ? " " : "", (long long)row_int(rows, i, 0));
	return arena_strdup(w->arena, text.data);
}

static void shards_release(struct outbox_worker *w, const char *shards)
{
	DB_QUEUE(w->db, RPC_OUTBOX_RELEASE, p_int(w->arena, LOCK_SPACE + w->bus), p_text(shards));
	/* Failed means that the connection is gone, and its locks with it. */
	(void)(db_sync(w->db, w->arena, NULL, 0, NULL) == OK);
}

static size_t shards_work(struct outbox_worker *w, const char *shards, const char *paused)
{
	struct outbox_row *batch = arena_array(w->arena, BATCH_MAX, sizeof(*batch));
	const struct rows *rows;
	size_t n;

	DB_QUEUE(w->db, RPC_OUTBOX_DUE, p_text(shards), p_bool(w->bus), p_text(paused), p_int(w->arena, BATCH_MAX));
	if (db_sync(w->db, w->arena, &rows, 1, NULL) != OK)
		return 0;
	n = rows_admit(w, rows, batch);
	return n ? outbox_deliver(w, batch, n) : 0;
}

/* One pass: lock what has work, do a batch of it, let go. */
static size_t pass(struct outbox_worker *w)
{
	const char *paused, *shards;
	size_t done;

	arena_reset(w->arena);
	paused = outbox_paused_lanes(w->outbox, w->arena);
	shards = shards_take(w, paused);
	if (!*shards)
		return 0;
	done = shards_work(w, shards, paused);
	shards_release(w, shards);
	return done;
}

/* How long nothing can become due, unless somebody rings. */
static int64_t idle_ms(struct outbox_worker *w)
{
	const struct rows *rows;
	int64_t ms = NET_MS, probe = outbox_next_probe_ms(w->outbox);

	DB_QUEUE0(w->db, RPC_OUTBOX_NEXT);
	if (db_sync(w->db, w->arena, &rows, 1, NULL) != OK)
		return 1000;
	if (!row_null(rows, 0, 0) && row_int(rows, 0, 0) > 0 && row_int(rows, 0, 0) < ms)
		ms = row_int(rows, 0, 0) + 1;
	if (probe >= 0 && probe < ms)
		ms = probe + 1;
	return ms;
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

/* Waits for a ring after `seen`, or ms. */
static void wait_ring(struct outbox *o, uint64_t *seen, int64_t ms)
{
	struct timespec until = in_ms(ms);

	o->waiting++;
	while (!o->closing && o->rings == *seen)
		if (pthread_cond_timedwait(&o->ring, &o->lock, &until))
			break;
	o->waiting--;
}

/* A busy bus is served in bundles: its worker lets a moment's events come together, and no ring wakes it. */
static void gather(struct outbox *o)
{
	struct timespec until = in_ms(GATHER_MS);

	while (!o->closing)
		if (pthread_cond_timedwait(&o->ring, &o->lock, &until))
			break;
}

static void *worker_main(void *arg)
{
	struct outbox_worker *w = arg;
	struct outbox *o = w->outbox;
	uint64_t seen = 0;
	bool closing;

	do {
		size_t done = pass(w);
		int64_t ms = done ? 0 : idle_ms(w);

		pthread_mutex_lock(&o->lock);
		if (!done)
			wait_ring(o, &seen, ms);
		if (w->bus)
			gather(o);
		seen = o->rings;
		closing = o->closing;
		pthread_mutex_unlock(&o->lock);
	} while (!closing);
	db_close(w->db);
	arena_free(w->arena);
	free(w);
	return NULL;
}

static void worker_start(struct outbox *o, bool bus, unsigned number)
{
	struct outbox_worker *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	*w = (struct outbox_worker){ .outbox = o, .db = db_open(o->spec.rpc->store), .arena = arena_new(), .number = number, .bus = bus };
	if (pthread_create(&o->threads[o->n_threads++], NULL, worker_main, w))
		abort();
}

struct outbox *outbox_open(const struct outbox_spec *spec)
{
	struct outbox *o = calloc(1, sizeof(*o));
	pthread_condattr_t attr;

	if (!o)
		abort();
	o->spec = *spec;
	if (!o->spec.workers)
		o->spec.workers = 1;
	o->threads = calloc(o->spec.workers + 1, sizeof(*o->threads));
	if (!o->threads)
		abort();
	pthread_mutex_init(&o->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&o->ring, &attr);
	pthread_condattr_destroy(&attr);
	worker_start(o, true, 0);
	for (unsigned i = 0; spec->answered && i < o->spec.workers; i++)
		worker_start(o, false, i);
	return o;
}

void outbox_close(struct outbox *o)
{
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->closing = true;
	pthread_cond_broadcast(&o->ring);
	pthread_mutex_unlock(&o->lock);
	http_client_end(o->spec.rpc->client, END_MS); /* a silent peer must not hold up the end of the process */
	for (unsigned i = 0; i < o->n_threads; i++)
		pthread_join(o->threads[i], NULL);
	pthread_cond_destroy(&o->ring);
	pthread_mutex_destroy(&o->lock);
	free(o->threads);
	free(o);
}

void outbox_ring(struct outbox *o)
{
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->rings++;
	if (o->waiting)
		pthread_cond_broadcast(&o->ring);
	pthread_mutex_unlock(&o->lock);
}

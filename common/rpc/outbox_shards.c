/* SPDX-License-Identifier: Apache-2.0 */
/* Who works what: a shard's advisory lock is held for a pass and, where a row was sent, until that row's end: one replica at a time
 * (B1).
 *
 * Locks belong to a connection. When that is lost with rows in flight, another replica may take their shards and send them again.
 * "At least once" allows that: receivers know repetitions (A1, A7), and to end a row that has been ended already harms nobody. */
#include "common/rpc/outbox_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"

enum { LOCK_SPACE = 0x6F626F78 /* first half of the advisory locks; + 1 for the bus's */ };

static void forget(struct outbox_worker *w)
{
	w->session = 0;
	memset(w->held, 0, sizeof(w->held));
}

/* Held shards, blank between two; idle: only those of which nothing is in flight. */
static const char *shards_text(struct outbox_worker *w, bool idle)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_str(&text, "");
	for (unsigned i = 0; i < SHARDS; i++)
		if (w->held[i] && !(idle && w->flying[i]))
			buf_printf(&text, "%s%u", text.len ? " " : "", i);
	return arena_strdup(w->arena, text.data);
}

/* How many more shards this worker may take: a share, so that the others have work too. */
static unsigned room(const struct outbox_worker *w)
{
	unsigned workers = w->bus ? 1 : w->outbox->spec.workers, share = (SHARDS + workers - 1) / workers, n = 0;

	for (unsigned i = 0; i < SHARDS; i++)
		n += w->held[i];
	return n < share ? share - n : 0;
}

/* Numbers, blank between two, as bits. */
static uint32_t shards_read(const char *text)
{
	uint32_t bits = 0;
	char *end;

	for (const char *p = text; *p; p = *end ? end + 1 : end) {
		unsigned long shard = strtoul(p, &end, 10);

		if (end == p)
			break;
		if (shard < SHARDS)
			bits |= 1u << shard;
	}
	return bits;
}

/* Says what is held; what the other workers of this process hold: they hear every ring. */
static uint32_t shards_share(struct outbox_worker *w)
{
	struct outbox *o = w->outbox;
	uint32_t own = 0, others = 0;

	for (unsigned i = 0; i < SHARDS; i++)
		own |= w->held[i] ? 1u << i : 0;
	pthread_mutex_lock(&o->lock);
	w->shards = own;
	for (unsigned i = 0; i < o->n_workers; i++)
		if (o->workers[i] && o->workers[i] != w && o->workers[i]->bus == w->bus)
			others |= o->workers[i]->shards;
	pthread_mutex_unlock(&o->lock);
	return others;
}

/* Takes shards that have work, next to those that are held. False: the database is away. */
static bool shards_take(struct outbox_worker *w, const char *skip)
{
	unsigned workers = w->bus ? 1 : w->outbox->spec.workers;
	const struct rows *rows[3];
	uint32_t taken;
	size_t n = 0;

	w->looked = false;
	if (!w->session) {
		forget(w);
		DB_QUEUE0(w->db, RPC_OUTBOX_FORGET);
		n++;
	}
	DB_QUEUE(w->db, RPC_OUTBOX_TAKE, p_bool(w->bus), p_text(skip), p_int(w->arena, workers), p_int(w->arena, w->number),
		 p_int(w->arena, room(w)), p_int(w->arena, LOCK_SPACE + w->bus), p_text(shards_text(w, false)));
	DB_QUEUE0(w->db, RPC_OUTBOX_NEXT);
	if (db_sync(w->db, w->arena, rows, n + 2, NULL) != OK) {
		forget(w); /* it may have taken some and not told */
		return false;
	}
	w->looked = true;
	w->next_ms = row_null(rows[n + 1], 0, 0) ? -1 : row_int(rows[n + 1], 0, 0);
	if (row_int(rows[n], 0, 0) != w->session)
		forget(w); /* a new connection: the locks are gone with the old one */
	w->session = row_int(rows[n], 0, 0);
	taken = shards_read(row_text(rows[n], 0, 1));
	for (unsigned i = 0; i < SHARDS; i++)
		w->held[i] = w->held[i] || (taken & 1u << i);
	w->missed = shards_read(row_text(rows[n], 0, 2)) & ~shards_share(w);
	return true;
}

static void shards_release(struct outbox_worker *w)
{
	const char *idle = shards_text(w, true);

	if (!*idle)
		return;
	DB_QUEUE(w->db, RPC_OUTBOX_RELEASE, p_int(w->arena, LOCK_SPACE + w->bus), p_text(idle), p_int(w->arena, w->session));
	if (db_sync(w->db, w->arena, NULL, 0, NULL) != OK) {
		w->looked = false;
		forget(w);
		return;
	}
	for (unsigned i = 0; i < SHARDS; i++)
		if (!w->flying[i])
			w->held[i] = false;
	(void)shards_share(w);
}

void outbox_tell_holders(struct outbox_worker *w)
{
	const struct rpc *rpc = w->outbox->spec.rpc;
	CLEANUP(buf_free) struct buf missed = { 0 };
	const struct rows *rows;

	if (w->bus || !rpc->bus || !bus_connected(rpc->bus))
		return;
	for (unsigned i = 0; i < SHARDS; i++)
		if (w->missed & 1u << i)
			buf_printf(&missed, "%s%u", missed.len ? " " : "", i);
	DB_QUEUE(w->db, RPC_OUTBOX_HOLDERS, p_int(w->arena, LOCK_SPACE + w->bus), p_text(missed.data));
	if (db_sync(w->db, w->arena, &rows, 1, NULL) != OK)
		return;
	for (size_t i = 0; i < rows_count(rows); i++) {
		const char *replica = row_text(rows, i, 0);

		if (*replica && strcmp(replica, rpc->replica) != 0)
			bus_wake(rpc->bus, replica, "outbox");
	}
}

static void row_read(struct arena *a, const struct rows *rows, size_t i, struct outbox_row *out)
{
	*out = (struct outbox_row){ .id = row_int(rows, i, 0),
				    .shard = (unsigned)row_int(rows, i, 1) % SHARDS,
				    .lane = row_text_dup(a, rows, i, 2),
				    .eid = row_text_dup(a, rows, i, 3),
				    .kind = row_text_dup(a, rows, i, 4),
				    .dedup = row_text_dup(a, rows, i, 5),
				    .ref = row_text_dup(a, rows, i, 6),
				    .context_id = row_text_dup(a, rows, i, 7),
				    .trace = row_text_dup(a, rows, i, 8),
				    .payload = row_bytes_dup(a, rows, i, 9),
				    .attempts = row_int(rows, i, 10),
				    .give_up = row_bool(rows, i, 11),
				    .address = row_text_dup(a, rows, i, 12),
				    .relates_to = row_text_dup(a, rows, i, 13),
				    .transaction_id = row_text_dup(a, rows, i, 14),
				    .message_id = row_text_dup(a, rows, i, 15),
				    .wants_callback = row_bool(rows, i, 16),
				    .timeout_s = row_int(rows, i, 17) };
}

/* Of events under probe only the first row is taken; of a lane of calls or requests under probe: where they are sent. */
static size_t rows_admit(struct outbox_worker *w, const struct rows *rows, struct outbox_row *out)
{
	bool probing = w->bus && outbox_probing(w->outbox, BUS_LANE);
	size_t n = 0, events = 0;

	for (size_t i = 0; i < rows_count(rows) && n < BATCH_MAX; i++)
		if (!probing || strcmp(row_text(rows, i, 2), BUS_LANE) != 0 || !events++)
			row_read(w->arena, rows, i, &out[n++]);
	return n;
}

static size_t shards_work(struct outbox_worker *w, const char *skip)
{
	struct outbox_row *batch = arena_array(w->arena, BATCH_MAX, sizeof(*batch));
	CLEANUP(buf_free) struct buf flying = { 0 };
	const char *held = shards_text(w, false);
	unsigned flights = w->n_flights;
	const struct rows *rows;
	size_t n, done;

	if (!*held)
		return 0;
	outbox_flying_ids(w, &flying);
	DB_QUEUE(w->db, RPC_OUTBOX_DUE, p_text(held), p_bool(w->bus), p_text(skip), p_int(w->arena, BATCH_MAX), p_text(flying.data),
		 p_int(w->arena, w->session));
	if (db_sync(w->db, w->arena, &rows, 1, NULL) != OK) {
		w->looked = false; /* what the look before said is not known to be all */
		return 0;
	}
	n = rows_admit(w, rows, batch);
	if (!n)
		return 0;
	done = outbox_deliver(w, batch, n);
	/* Behind what flies there is nothing more to be seen before it lands, or somebody rings. */
	return n < BATCH_MAX ? done - (w->n_flights - flights) : done;
}

size_t outbox_pass(struct outbox_worker *w)
{
	CLEANUP(buf_free) struct buf skip = { 0 };
	size_t done;

	arena_reset(w->arena);
	w->peers = NULL;
	done = outbox_land(w);
	if (w->closing)
		return done; /* the locks end with the connection */
	if (clock_ms() < w->hold_ms)
		return done;
	w->looked_ms = clock_ms();
	buf_str(&skip, outbox_paused_lanes(w->outbox, w->arena));
	outbox_full_lanes(w, &skip);
	if (shards_take(w, skip.data)) {
		if (w->bus || w->n_flights < w->max) /* events need no room */
			done += shards_work(w, skip.data);
		shards_release(w);
	}
	return done;
}

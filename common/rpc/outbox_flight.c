/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker has in flight. Nothing waits here: calls end on the client's thread, which puts them into the worker's list and
 * rings; the worker marks their rows. A row in flight is not taken again, nor is another of its (lane, EID). */
#include "common/rpc/outbox_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/rpc/relay_internal.h"
#include "common/rpc/reply_to.h"

enum { TIMEOUT_MAX_S = 86400 };

/* The table ---------------------------------------------------------------------------------------------------------------- */

/* make: a free one, if there is none of that name yet; a worker has as many as it may have rows in flight. */
static struct flight_lane *lane_find(const struct outbox_worker *w, const char *name, bool make)
{
	struct flight_lane *free_lane = NULL;

	for (unsigned i = 0; i < w->max; i++) {
		if (!strcmp(w->lanes[i].name, name))
			return &w->lanes[i];
		if (!w->lanes[i].name[0] && !free_lane)
			free_lane = &w->lanes[i];
	}
	return make ? free_lane : NULL;
}

/* A lane may have as much as it leaves free for all others: however silent its peer is, a new lane finds room. */
static bool lane_full(const struct outbox_worker *w, const struct flight_lane *lane)
{
	return lane->n >= w->max - w->n_flights;
}

void outbox_full_lanes(const struct outbox_worker *w, struct buf *text)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < w->max && seen < w->n_flights; i++) {
		const struct flight_lane *lane = &w->lanes[i];

		if (!lane->n)
			continue;
		seen += lane->n;
		if (lane_full(w, lane))
			buf_printf(text, "%s%s", text->len ? " " : "", lane->name);
	}
}

void outbox_flying_ids(const struct outbox_worker *w, struct buf *text)
{
	buf_str(text, "");
	for (unsigned i = 0; i < w->n_flights; i++)
		buf_printf(text, "%s%lld", i ? " " : "", (long long)w->flights[i]->row.id);
}

/* Ids are given out before they are committed: an older row of the same card can turn up late. */
static bool card_flies(const struct outbox_worker *w, const struct outbox_row *row)
{
	for (unsigned i = 0; i < w->n_flights; i++)
		if (!strcmp(w->flights[i]->row.eid, row->eid) && !strcmp(w->flights[i]->row.lane, row->lane))
			return true;
	return false;
}

static void count(struct outbox *o, int by)
{
	pthread_mutex_lock(&o->lock);
	o->in_flight += (unsigned)by;
	metric_set("rsp_outbox_in_flight", "", o->in_flight);
	pthread_mutex_unlock(&o->lock);
}

static void table_add(struct flight *f)
{
	struct outbox_worker *w = f->w;

	if (!f->lane->n++)
		memcpy(f->lane->name, f->row.lane, strlen(f->row.lane) + 1);
	w->flying[f->row.shard]++;
	f->slot = w->n_flights;
	w->flights[w->n_flights++] = f;
	count(w->outbox, 1);
}

static void table_remove(struct flight *f)
{
	struct outbox_worker *w = f->w;

	w->flights[f->slot] = w->flights[--w->n_flights];
	w->flights[f->slot]->slot = f->slot;
	w->flying[f->row.shard]--;
	if (!--f->lane->n)
		*f->lane = (struct flight_lane){ 0 };
	count(w->outbox, -1);
}

/* The start ---------------------------------------------------------------------------------------------------------------- */

struct flight_lane *outbox_flight_lane(const struct outbox_worker *w, const struct outbox_row *row)
{
	struct flight_lane *lane = strlen(row->lane) < sizeof(lane->name) ? lane_find(w, row->lane, true) : NULL;

	return lane && !lane_full(w, lane) && !card_flies(w, row) ? lane : NULL;
}

struct flight *outbox_flight_add(struct outbox_worker *w, const struct outbox_row *row, struct flight_lane *lane)
{
	struct arena *a = arena_new();
	struct flight *f = ARENA_NEW(a, struct flight);

	*f = (struct flight){ .arena = a, .w = w, .lane = lane };
	f->row = (struct outbox_row){ .id = row->id,
				      .shard = row->shard,
				      .lane = arena_strdup(a, row->lane),
				      .eid = arena_strdup(a, row->eid),
				      .kind = arena_strdup(a, row->kind),
				      .ref = arena_strdup(a, row->ref),
				      .attempts = row->attempts,
				      .wants_callback = row->wants_callback };
	table_add(f);
	return f;
}

void outbox_flight_land(struct flight *f)
{
	struct outbox_worker *w = f->w;
	struct outbox *o = w->outbox;

	pthread_mutex_lock(&o->lock);
	f->next = w->landed;
	w->landed = f;
	if (w->waiting)
		pthread_cond_signal(&w->ring);
	pthread_mutex_unlock(&o->lock);
}

/* On the client's thread, or on the worker's own when there was nobody to call. */
static void flight_done(void *user, struct arena *a, const struct call_answer *answer)
{
	struct flight *f = user;

	f->answer = *answer;
	f->answer_arena = a;
	outbox_flight_land(f);
}

/* Our own address of the interface, as partners have it. */
static const char *own_address(struct outbox_worker *w, enum iface iface)
{
	const char *base = w->outbox->spec.rpc->self_url;
	char *text = arena_printf(w->arena, "%s/%s", base, iface_name(iface));

	for (char *p = text + strlen(base); *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

/* An answer may be wanted where the peer itself is not: when that place is dead, its other messages must not wait. */
static bool is_elsewhere(const struct endpoint *own, const char *address)
{
	for (size_t i = 0; i < own->n; i++)
		if (!reply_to_same_place(address, own->urls[i]))
			return true;
	return own->n == 0;
}

struct outbox_peer {
	struct outbox_peer *next;
	struct oid oid;
	enum iface iface;
	const struct entity *entity;
	struct endpoint endpoint;
};

/* NULL, or why the registry does not tell. */
static const char *peer_find(struct outbox_worker *w, const struct oid *oid, enum iface iface, const struct outbox_peer **out)
{
	struct outbox_peer *p;

	for (p = w->peers; p; p = p->next)
		if (p->iface == iface && oid_equal(&p->oid, oid)) {
			*out = p;
			return NULL;
		}
	p = ARENA_NEW(w->arena, struct outbox_peer);
	*p = (struct outbox_peer){ .next = w->peers, .oid = *oid, .iface = iface };
	if (registry_peer(w->db, w->arena, oid, iface, &p->entity, &p->endpoint) != OK)
		return "the registry cannot be read";
	if (!p->entity)
		return "the peer is not in the registry";
	*out = w->peers = p;
	return NULL;
}

/* NULL, or why the row cannot be sent. */
static const char *compose(struct outbox_worker *w, const struct outbox_row *row, const struct outbox_target *t,
			   struct call_request *out, bool *out_elsewhere)
{
	static const enum call_kind kinds[] = { [OUTBOX_REQUEST] = CALL_REQUEST, [OUTBOX_NOTIFY] = CALL_NOTIFY,
						[OUTBOX_CALLBACK] = CALL_CALLBACK };
	struct call_request rq = { .fn = t->fn, .kind = kinds[t->kind], .eid = row->eid, .trace = row->trace };
	int64_t s = row->timeout_s < 1 ? 1 : row->timeout_s > TIMEOUT_MAX_S ? TIMEOUT_MAX_S : row->timeout_s;
	const struct outbox_peer *peer;
	const char *why = peer_find(w, &t->to, t->fn->iface, &peer);

	if (why)
		return why;
	rq.to = peer->entity;
	rq.endpoint = peer->endpoint;
	*out_elsewhere = false;
	if (*row->address) { /* there and nowhere else, but to whom the registry knows by their certificates (A3) */
		*out_elsewhere = is_elsewhere(&rq.endpoint, row->address);
		rq.endpoint.urls = arena_memdup(w->arena, &row->address, sizeof(row->address));
		rq.endpoint.n = 1;
	}
	rq.body = (const char *)row->payload.data;
	rq.body_n = row->payload.len;
	rq.relates_to = row->relates_to;
	rq.transaction_id = row->transaction_id;
	rq.context_id = row->context_id;
	rq.message_id = *row->message_id ? arena_printf(w->arena, "//%s%s", w->outbox->spec.rpc->self.text, row->message_id) : NULL;
	rq.reply_to = row->wants_callback ? own_address(w, t->fn->iface) : NULL;
	rq.timeout_ms = (unsigned)s * 1000;
	*out = rq;
	return NULL;
}

size_t outbox_fly(struct outbox_worker *w, const struct outbox_row *row)
{
	struct outbox_target target;
	struct flight_lane *lane;
	struct call_request rq;
	struct flight *f;
	const char *why;
	bool elsewhere, probe;

	if (!outbox_target(w->arena, row, &target))
		return outbox_put_off(w, row, "the row is damaged");
	lane = outbox_flight_lane(w, row);
	if (!lane)
		return 0;
	why = compose(w, row, &target, &rq, &elsewhere);
	if (why)
		return outbox_put_off(w, row, why);
	if (!outbox_lane_enter(w->outbox, row->lane, &probe))
		return 0;
	f = outbox_flight_add(w, row, lane);
	f->target = target;
	f->probe = probe;
	f->elsewhere = elsewhere;
	outbox_fault_point(w, "taken", row->eid);
	call_start_keep(w->outbox->spec.rpc, &rq, flight_done, f);
	return 1;
}

/* The end ------------------------------------------------------------------------------------------------------------------ */

/* The role's writes and the row's end in one transaction. */
static size_t tell(struct outbox_worker *w, const struct flight *f)
{
	enum call_outcome outcome = f->answer.outcome;
	const struct outbox_answer answer = { .accepted = outcome == CALL_ACCEPTED,
					      .fn = f->target.fn,
					      .to = f->target.to,
					      .ref = f->row.ref,
					      .eid = f->row.eid,
					      .response = f->answer.response,
					      .base = f->answer.base,
					      .fault = outcome == CALL_FAULT ? f->answer.fault : (struct soap_fault){ 0 } };
	const char *replicas;

	outbox_fault_point(w, "delivered", f->row.eid);
	db_begin(w->db);
	if (!outbox_tell(w, &answer, &replicas)) {
		db_rollback(w->db);
		return answer.accepted ? outbox_await(w, &f->row) :
					 outbox_put_off(w, &f->row, f->answer.why ? f->answer.why : "the peer is busy");
	}
	DB_QUEUE(w->db, RPC_OUTBOX_DONE, p_text(arena_printf(w->arena, "%lld", (long long)f->row.id)));
	db_commit(w->db);
	/* Asked again at once, a peer would only repeat what could not be stored. */
	if (db_sync(w->db, w->arena, NULL, 0, NULL) != OK)
		return outbox_put_off(w, &f->row, "the answer could not be stored");
	if (replicas)
		relay_ring(w->outbox->spec.rpc, f->row.eid, replicas);
	return 1;
}

/* Notifications and callbacks: the role hears nothing of their end. */
static size_t settle_oneway(struct outbox_worker *w, const struct flight *f)
{
	const struct soap_fault *fault = &f->answer.fault;

	outbox_fault_point(w, "delivered", f->row.eid);
	if (f->answer.outcome == CALL_ACCEPTED)
		return outbox_done(w, f->row.id);
	return outbox_bury(w, &f->row, &f->target,
			   arena_printf(w->arena, "%s fault: %s", fault->code, fault->reason ? fault->reason : "no reason was given"));
}

static size_t settle(struct outbox_worker *w, const struct flight *f)
{
	bool request = f->target.kind == OUTBOX_REQUEST, final = false;

	switch (f->answer.outcome) {
	case CALL_RESPONSE:
		final = true;
		break;
	case CALL_FAULT: /* a Sender fault will not change, and must not hold up what comes behind; a Receiver fault may */
		final = strcmp(f->answer.fault.code, "Receiver") != 0;
		break;
	case CALL_ACCEPTED: /* a function that is answered at once is asked again */
		final = !request || f->row.wants_callback;
		break;
	case CALL_BROKEN:
	case CALL_GARBAGE:
	case CALL_UNREACHABLE:
		break;
	}
	if (!final)
		return outbox_put_off(w, &f->row, f->answer.why);
	return request ? tell(w, f) : settle_oneway(w, f);
}

static size_t flight_end(struct outbox_worker *w, const struct flight *f)
{
	enum call_outcome outcome = f->answer.outcome;
	bool failed = outcome == CALL_UNREACHABLE || outcome == CALL_BROKEN, paused = false;

	if (failed && w->closing)
		return 0; /* our own end, not the peer's: the row is as it was */
	if (f->probe)
		outbox_probe_end(w->outbox, f->row.lane);
	if (!failed)
		outbox_lane_reached(w->outbox, f->row.lane);
	else if (!f->elsewhere) /* silent or going down counts as well: row by row it would take all that may be in flight */
		paused = outbox_lane_failed(w->outbox, f->row.lane, f->answer.why);
	/* Nothing was sent: the lane waits, not the row. But a callback's own address says little of the peer: others go first. */
	if (outcome == CALL_UNREACHABLE && f->target.kind != OUTBOX_CALLBACK && paused)
		return 0;
	return settle(w, f);
}

size_t outbox_land(struct outbox_worker *w)
{
	struct flight *landed;
	size_t done = 0;

	pthread_mutex_lock(&w->outbox->lock);
	landed = w->landed;
	w->landed = NULL;
	pthread_mutex_unlock(&w->outbox->lock);
	while (landed) {
		struct flight *f = landed;

		landed = f->next;
		done += f->asks ? outbox_ask_end(w, f) : flight_end(w, f);
		table_remove(f);
		arena_free(f->answer_arena);
		arena_free(f->arena);
	}
	return done;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One batch of outbox rows: events to the bus in one go, requests to their peers at once, each row marked by what became of it. */
#include "common/rpc/outbox_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/metrics.h"

enum { PUBLISH_MS = 5000, CALL_MS = 30000, LATER_MAX_S = 300 };

static void fault_point(const struct outbox_worker *w, const char *stage, const char *eid)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s.outbox.%s", w->outbox->spec.rpc->role, stage);
	(void)FAULT(name, eid);
}

static void ids_add(struct buf *ids, int64_t id)
{
	buf_printf(ids, "%s%lld", ids->len ? " " : "", (long long)id);
}

/* Marks that a power cut may undo are not worth an fsync: their work is repeatable (F3). */
static bool mark(struct outbox_worker *w, enum rpc_statement statement, const struct buf *ids, const char *error, double later_s)
{
	struct param id = p_text(ids->data);

	db_begin(w->db);
	db_relax(w->db);
	if (statement == RPC_OUTBOX_DONE)
		DB_QUEUE(w->db, RPC_OUTBOX_DONE, id);
	else if (statement == RPC_OUTBOX_DEAD)
		DB_QUEUE(w->db, RPC_OUTBOX_DEAD, id, p_text(error));
	else
		DB_QUEUE(w->db, RPC_OUTBOX_LATER, id, p_text(arena_printf(w->arena, "%.3f", later_s)), p_text(error));
	db_commit(w->db);
	return db_sync(w->db, w->arena, NULL, 0, NULL) == OK;
}

static double later_s(const struct outbox_row *row)
{
	double s = 0.5;

	for (int64_t i = 0; i < row->attempts && s < LATER_MAX_S; i++)
		s *= 2;
	return s < LATER_MAX_S ? s : LATER_MAX_S;
}

static size_t put_off(struct outbox_worker *w, const struct outbox_row *row, const char *why)
{
	CLEANUP(buf_free) struct buf id = { 0 };

	ids_add(&id, row->id);
	metric_add("rsp_outbox_retries_total", "", 1);
	return mark(w, RPC_OUTBOX_LATER, &id, why ? why : "", later_s(row));
}

static size_t bury(struct outbox_worker *w, const struct outbox_row *row)
{
	CLEANUP(buf_free) struct buf id = { 0 };

	ids_add(&id, row->id);
	log_msg(LOG_WARN, "dead_letter", "outbox row %lld (%s to %s) reached its give-up time", (long long)row->id, row->kind, row->lane);
	metric_add("rsp_outbox_dead_total", "", 1);
	return mark(w, RPC_OUTBOX_DEAD, &id, "give-up time reached", 0);
}

/* The bus being away costs nothing but time: no attempts are counted, its lane is paused. */
static size_t deliver_events(struct outbox_worker *w, const struct outbox_row *const *rows, size_t n)
{
	struct bus_event *events = arena_array(w->arena, n, sizeof(*events));
	bool *acked = arena_array(w->arena, n, sizeof(*acked));
	CLEANUP(buf_free) struct buf ids = { 0 };
	size_t good = 0;

	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		fault_point(w, "taken", rows[i]->eid);
		events[i] = (struct bus_event){ .event = rows[i]->kind,
						.eid = *rows[i]->eid ? rows[i]->eid : "-",
						.id = rows[i]->dedup,
						.traceparent = *rows[i]->trace ? rows[i]->trace : NULL,
						.payload = rows[i]->payload.data,
						.n = rows[i]->payload.len };
	}
	if (!w->outbox->spec.rpc->bus)
		memset(acked, true, n * sizeof(*acked)); /* no bus is configured: there is nobody to tell */
	else if (bus_connected(w->outbox->spec.rpc->bus))
		bus_publish_many(w->outbox->spec.rpc->bus, events, n, PUBLISH_MS, acked);
	for (size_t i = 0; i < n; i++) {
		if (!acked[i])
			continue;
		fault_point(w, "delivered", rows[i]->eid);
		ids_add(&ids, rows[i]->id);
		good++;
	}
	if (good < n)
		outbox_lane_failed(w->outbox, BUS_LANE);
	else
		outbox_lane_reached(w->outbox, BUS_LANE);
	metric_add("rsp_events_published_total", "", (double)good);
	return good && mark(w, RPC_OUTBOX_DONE, &ids, "", 0) ? good : 0;
}

/* One request under way, and the group that waits for all of its batch. */
struct gather {
	pthread_mutex_t lock;
	pthread_cond_t all;
	size_t open;
};

struct sent {
	const struct outbox_row *row;
	struct gather *group;
	struct arena *arena;      /* of the answer; ours until the batch is done */
	const struct function *fn;
	struct oid to;
	struct call_answer answer;
	bool started;
};

static void group_leave(struct gather *g)
{
	pthread_mutex_lock(&g->lock);
	if (--g->open == 0)
		pthread_cond_signal(&g->all);
	pthread_mutex_unlock(&g->lock);
}

/* On the client's thread. */
static void sent_done(void *user, struct arena *a, const struct call_answer *answer)
{
	struct sent *s = user;

	s->answer = *answer;
	s->arena = a;
	group_leave(s->group);
}

static bool sent_start(struct outbox_worker *w, struct sent *s)
{
	struct rpc *rpc = w->outbox->spec.rpc;
	const struct entity *to = NULL;
	struct call_request rq = { 0 };
	const char *name;

	s->fn = function_by_root(arena_printf(w->arena, "%sRequest", s->row->kind), &name);
	if (!s->fn || !oid_parse(s->row->lane + strlen("peer:"), &s->to))
		return s->answer.why = "the row is damaged", false;
	if (registry_by_oid(w->db, w->arena, &s->to, &to) != OK || !to)
		return s->answer.why = "the peer is not in the registry", false;
	if (registry_endpoint(w->db, w->arena, &s->to, s->fn->iface, &rq.endpoint) != OK)
		return s->answer.why = "the registry cannot be read", false;
	rq.fn = s->fn;
	rq.to = to;
	rq.body = (const char *)s->row->payload.data;
	rq.body_n = s->row->payload.len;
	rq.eid = s->row->eid;
	rq.context_id = s->row->context_id;
	rq.trace = s->row->trace;
	rq.timeout_ms = CALL_MS;
	s->started = true;
	fault_point(w, "taken", s->row->eid);
	call_start_keep(rpc, &rq, sent_done, s);
	return true;
}

/* The role's writes and the row's end in one transaction. */
static size_t settle(struct outbox_worker *w, const struct sent *s)
{
	const struct outbox_answer answer = { .fn = s->fn,
					      .to = s->to,
					      .ref = s->row->ref,
					      .eid = s->row->eid,
					      .response = s->answer.response,
					      .base = s->answer.base,
					      .fault = s->answer.outcome == CALL_FAULT ? s->answer.fault : (struct soap_fault){ 0 } };
	CLEANUP(buf_free) struct buf id = { 0 };

	fault_point(w, "delivered", s->row->eid);
	db_begin(w->db);
	if (!w->outbox->spec.answered || !w->outbox->spec.answered(w->outbox->spec.rpc->role_state, w->db, w->arena, &answer)) {
		db_rollback(w->db);
		return put_off(w, s->row, s->answer.why ? s->answer.why : "the peer is busy");
	}
	ids_add(&id, s->row->id);
	DB_QUEUE(w->db, RPC_OUTBOX_DONE, p_text(id.data));
	db_commit(w->db);
	return db_sync(w->db, w->arena, NULL, 0, NULL) == OK;
}

static size_t sent_end(struct outbox_worker *w, const struct sent *s)
{
	if (!s->started)
		return put_off(w, s->row, s->answer.why);
	if (s->answer.outcome == CALL_UNREACHABLE) {
		outbox_lane_failed(w->outbox, s->row->lane);
		return 0;
	}
	if (s->answer.outcome == CALL_BROKEN) /* silent or going down: row by row it would take all the workers' time */
		outbox_lane_failed(w->outbox, s->row->lane);
	else
		outbox_lane_reached(w->outbox, s->row->lane);
	switch (s->answer.outcome) {
	case CALL_RESPONSE:
		return settle(w, s);
	case CALL_FAULT:
		/* A Sender fault will not change; a Receiver fault may. */
		return strcmp(s->answer.fault.code, "Receiver") ? settle(w, s) : put_off(w, s->row, s->answer.why);
	case CALL_ACCEPTED: /* an S function is answered at once: ask again */
	case CALL_BROKEN:
	case CALL_GARBAGE:
	case CALL_UNREACHABLE:
		break;
	}
	return put_off(w, s->row, s->answer.why ? s->answer.why : "no answer");
}

static size_t deliver_requests(struct outbox_worker *w, const struct outbox_row *const *rows, size_t n)
{
	struct sent *sent = arena_array(w->arena, n, sizeof(*sent));
	struct gather group = { .open = n };
	size_t done = 0;

	if (!n)
		return 0;
	pthread_mutex_init(&group.lock, NULL);
	pthread_cond_init(&group.all, NULL);
	for (size_t i = 0; i < n; i++) {
		sent[i] = (struct sent){ .row = rows[i], .group = &group };
		if (!sent_start(w, &sent[i]))
			group_leave(&group);
	}
	pthread_mutex_lock(&group.lock);
	while (group.open)
		pthread_cond_wait(&group.all, &group.lock);
	pthread_mutex_unlock(&group.lock);
	for (size_t i = 0; i < n; i++) {
		done += sent_end(w, &sent[i]);
		arena_free(sent[i].arena);
	}
	pthread_cond_destroy(&group.all);
	pthread_mutex_destroy(&group.lock);
	return done;
}

size_t outbox_deliver(struct outbox_worker *w, const struct outbox_row *rows, size_t n)
{
	const struct outbox_row **events = arena_array(w->arena, n, sizeof(*events));
	const struct outbox_row **requests = arena_array(w->arena, n, sizeof(*requests));
	size_t n_events = 0, n_requests = 0, done = 0;

	for (size_t i = 0; i < n; i++) {
		if (rows[i].give_up)
			done += bury(w, &rows[i]);
		else if (!strcmp(rows[i].lane, BUS_LANE))
			events[n_events++] = &rows[i];
		else
			requests[n_requests++] = &rows[i];
	}
	done += deliver_events(w, events, n_events);
	done += deliver_requests(w, requests, n_requests);
	return done;
}

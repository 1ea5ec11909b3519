/* SPDX-License-Identifier: Apache-2.0 */
/* One batch of outbox rows: events to the bus in one go, the others on their way one by one, and the marks that a row can get. */
#include "common/rpc/outbox_internal.h"
#include "common/rpc/relay_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/metrics.h"

enum {
	PUBLISH_MS = 5000,
	LATER_MAX_S = 60, /* what comes behind of the same card waits as long */
	ASK_LATER_MAX_S = 10,
	ACCEPTED_S = 30,
	HOLD_MS = 1000,
};

void outbox_fault_point(const struct outbox_worker *w, const char *stage, const char *eid)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s.outbox.%s", w->outbox->spec.rpc->role, stage);
	(void)FAULT(name, eid);
}

/* Marks that a power cut may undo are not worth an fsync: their work is repeatable (F3). */
static size_t mark_end(struct outbox_worker *w)
{
	bool taken;

	db_commit(w->db);
	taken = db_sync(w->db, w->arena, NULL, 0, NULL) == OK;
	if (!taken)
		w->hold_ms = clock_ms() + HOLD_MS;
	return taken;
}

static size_t mark_done(struct outbox_worker *w, const char *ids)
{
	db_begin(w->db);
	db_relax(w->db);
	DB_QUEUE(w->db, RPC_OUTBOX_DONE, p_text(ids));
	return mark_end(w);
}

static const char *id_text(struct outbox_worker *w, int64_t id)
{
	return arena_printf(w->arena, "%lld", (long long)id);
}

size_t outbox_done(struct outbox_worker *w, int64_t id)
{
	return mark_done(w, id_text(w, id));
}

static double later_s(const struct outbox_row *row)
{
	double s = 0.5, most = outbox_lane_of_bus(row->lane) ? ASK_LATER_MAX_S : LATER_MAX_S;

	for (int64_t i = 0; i < row->attempts && s < most; i++)
		s *= 2;
	return s < most ? s : most;
}

static size_t mark_later(struct outbox_worker *w, const struct outbox_row *row, double s, const char *why)
{
	db_begin(w->db);
	db_relax(w->db);
	DB_QUEUE(w->db, RPC_OUTBOX_LATER, p_text(id_text(w, row->id)), p_text(arena_printf(w->arena, "%.3f", s)), p_text(why));
	return mark_end(w);
}

size_t outbox_put_off(struct outbox_worker *w, const struct outbox_row *row, const char *why)
{
	metric_add("rsp_outbox_retries_total", "", 1);
	return mark_later(w, row, later_s(row), why ? why : "no answer");
}

size_t outbox_await(struct outbox_worker *w, const struct outbox_row *row)
{
	double s = later_s(row);

	return mark_later(w, row, s < ACCEPTED_S ? ACCEPTED_S : s, "accepted: the answer is to come by callback");
}

bool outbox_target(struct arena *a, const struct outbox_row *row, struct outbox_target *out)
{
	struct outbox_target t = { .kind = OUTBOX_CALLBACK };
	const char *name;

	if (strncmp(row->lane, PEER_LANE, strlen(PEER_LANE)) != 0 || !oid_parse(row->lane + strlen(PEER_LANE), &t.to))
		return false;
	t.fn = function_by_response_root(row->kind);
	if (!t.fn) {
		t.fn = function_by_root(arena_printf(a, "%sRequest", row->kind), &name);
		t.kind = OUTBOX_REQUEST;
	}
	if (!t.fn) {
		t.fn = function_by_root(row->kind, &name); /* that is a notification, or nothing */
		t.kind = OUTBOX_NOTIFY;
	}
	if (!t.fn || (t.kind == OUTBOX_NOTIFY) != (t.fn->mep == MEP_NOTIFY))
		return false;
	*out = t;
	return true;
}

void outbox_body(struct arena *a, const char *lane, const char *kind, struct bytes body, struct buf *out)
{
	const struct outbox_row row = { .lane = lane, .kind = kind };
	const struct bind_message *m = NULL;
	struct outbox_target t;

	if (outbox_target(a, &row, &t))
		m = t.kind == OUTBOX_CALLBACK ? message_response(t.fn->id) : message_request(t.fn->id);
	if (outbox_lane_of_bus(lane) && strcmp(lane, BUS_LANE) != 0)
		buf_printf(out, "(%zu octets, which may hold keys)", body.len);
	else if (m && !bind_has_secret(m))
		buf_add(out, body.data, body.len);
	else
		journal_mask(out, body.data, body.len);
}

bool outbox_tell(struct outbox_worker *w, const struct outbox_answer *answer, const char **out_replicas)
{
	const struct outbox_spec *spec = &w->outbox->spec;

	*out_replicas = NULL;
	if (relay_ref(answer->ref))
		return relay_answered(spec->rpc, w->db, w->arena, answer, out_replicas);
	return spec->answered && spec->answered(spec->rpc->role_state, w->db, w->arena, answer);
}

size_t outbox_bury(struct outbox_worker *w, const struct outbox_row *row, const struct outbox_target *target, const char *why)
{
	bool asks = !strncmp(row->lane, ASK_LANE, strlen(ASK_LANE));
	bool told = row->give_up && (asks || (target && target->kind == OUTBOX_REQUEST));
	const char *replicas = NULL;

	log_msg(LOG_WARN, "dead_letter", "outbox row %lld (%s to %s): %s", (long long)row->id, row->kind, row->lane, why);
	db_begin(w->db);
	if (told && asks) {
		replicas = outbox_ask_given_up(w, row);
	} else if (told) {
		const struct outbox_answer answer = { .given_up = true,
						      .tried = row->attempts > 0,
						      .fn = target->fn,
						      .to = target->to,
						      .ref = row->ref,
						      .eid = row->eid };

		(void)outbox_tell(w, &answer, &replicas);
	} else {
		db_relax(w->db);
	}
	DB_QUEUE(w->db, RPC_OUTBOX_DEAD, p_text(id_text(w, row->id)), p_text(why));
	if (!mark_end(w))
		return outbox_put_off(w, row, "what its end means could not be stored");
	if (replicas && asks)
		deferred_ring(w->outbox->spec.rpc, replicas);
	else if (replicas)
		relay_ring(w->outbox->spec.rpc, row->eid, replicas);
	metric_add("rsp_outbox_dead_total", "", 1);
	return 1;
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
		outbox_fault_point(w, "taken", rows[i]->eid);
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
		outbox_fault_point(w, "delivered", rows[i]->eid);
		buf_printf(&ids, "%s%lld", ids.len ? " " : "", (long long)rows[i]->id);
		good++;
	}
	if (good < n)
		(void)outbox_lane_failed(w->outbox, BUS_LANE, "NATS does not acknowledge");
	else
		outbox_lane_reached(w->outbox, BUS_LANE);
	metric_add("rsp_events_published_total", "", (double)good);
	return good && mark_done(w, ids.data) ? good : 0;
}

static size_t give_up(struct outbox_worker *w, const struct outbox_row *row)
{
	struct outbox_target target;
	bool known = outbox_target(w->arena, row, &target);

	return outbox_bury(w, row, known ? &target : NULL, "give-up time reached");
}

size_t outbox_deliver(struct outbox_worker *w, const struct outbox_row *rows, size_t n)
{
	const struct outbox_row **events = arena_array(w->arena, n, sizeof(*events));
	size_t n_events = 0, done = 0;

	for (size_t i = 0; i < n; i++) {
		if (rows[i].give_up)
			done += give_up(w, &rows[i]);
		else if (!strncmp(rows[i].lane, ASK_LANE, strlen(ASK_LANE)))
			done += outbox_ask_fly(w, &rows[i]);
		else if (w->bus)
			events[n_events++] = &rows[i];
		else
			done += outbox_fly(w, &rows[i]);
	}
	return done + deliver_events(w, events, n_events);
}

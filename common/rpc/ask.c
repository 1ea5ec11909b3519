/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on their way: rows of the lanes rq:<role>, sent by the bus's worker, many at a time, ended with what the role does about the
 * answer. */
#include "common/rpc/ask.h"

#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/metrics.h"
#include "common/rpc/outbox_internal.h"

static void json_freep(json_t **j)
{
	json_decref(*j);
}

/* True: a test wants to have it missed. */
static bool fault_point(const struct outbox_worker *w, const struct outbox_row *row, const char *stage)
{
	char name[96];

	(void)snprintf(name, sizeof(name), "%s.ask.%s.%s", w->outbox->spec.rpc->role, row->kind, stage);
	return FAULT(name, row->eid);
}

static void count(const struct outbox_row *row, const char *outcome)
{
	char labels[128];

	(void)snprintf(labels, sizeof(labels), "verb=\"%s\",outcome=\"%s\"", row->kind, outcome);
	metric_add("rsp_ask_total", labels, 1);
}

/* On a thread of the bus, or on the worker's own. */
static void came_back(void *user, enum bus_outcome outcome, const void *data, size_t n)
{
	struct flight *f = user;

	f->answer_arena = arena_new();
	f->outcome = outcome;
	f->reply = (struct bytes){ arena_memdup(f->answer_arena, n ? data : "", n), n };
	outbox_flight_land(f);
}

size_t outbox_ask_fly(struct outbox_worker *w, const struct outbox_row *row)
{
	struct flight_lane *lane = outbox_flight_lane(w, row);
	struct rpc *rpc = w->outbox->spec.rpc;
	struct bus_request rq = { .role = row->lane + strlen(ASK_LANE),
				  .verb = row->kind,
				  .traceparent = row->trace,
				  .payload = row->payload.data,
				  .n = row->payload.len,
				  .timeout_ms = ASK_MS,
				  .done = came_back };
	struct flight *f;
	bool probe;

	if (!lane || !outbox_lane_enter(w->outbox, row->lane, &probe))
		return 0;
	f = rq.user = outbox_flight_add(w, row, lane);
	f->asks = true;
	f->probe = probe;
	(void)fault_point(w, row, "taken");
	if (rpc->bus)
		bus_request(rpc->bus, &rq);
	else
		came_back(f, BUS_AWAY, NULL, 0);
	return 1;
}

static struct ask_reply reply_to(const struct outbox_row *row)
{
	return (struct ask_reply){
		.role = row->lane + strlen(ASK_LANE), .verb = row->kind, .eid = row->eid, .ref = row->ref, .code = "", .message = ""
	};
}

/* False: that is no answer. */
static bool reply_read(const json_t *j, struct ask_reply *out)
{
	const char *status = json_string_value(json_object_get(j, "status")), *code = json_string_value(json_object_get(j, "code")),
		   *message = json_string_value(json_object_get(j, "message"));

	if (!status || !code || !message || (strcmp(status, "done") != 0 && (strcmp(status, "refused") != 0 || !*code)))
		return false;
	out->done = !strcmp(status, "done");
	out->code = code;
	out->message = message;
	out->body = j;
	return true;
}

/* The role's writes and the row's end in one transaction. */
static size_t tell(struct outbox_worker *w, const struct flight *f, struct ask_reply *reply)
{
	const struct outbox_spec *spec = &w->outbox->spec;
	const char *parked = NULL;

	reply->parked = &parked;

	if (fault_point(w, &f->row, "answered"))
		return outbox_put_off(w, &f->row, "the answer was lost");
	db_begin(w->db);
	if (spec->replied && !spec->replied(spec->rpc->role_state, w->db, w->arena, reply)) {
		db_rollback(w->db);
		return outbox_put_off(w, &f->row, "answered, but to be asked again");
	}
	DB_QUEUE(w->db, RPC_OUTBOX_DONE, p_text(arena_printf(w->arena, "%lld", (long long)f->row.id)));
	db_commit(w->db);
	/* Asked again at once, it would only be answered the same: that could not be stored. */
	if (db_sync(w->db, w->arena, NULL, 0, NULL) != OK)
		return outbox_put_off(w, &f->row, "the answer could not be stored");
	count(&f->row, reply->done ? "done" : "refused");
	outbox_ring(w->outbox); /* calls that the role queued are other workers' */
	if (parked)
		deferred_ring(spec->rpc, parked);
	return 1;
}

static size_t answered(struct outbox_worker *w, const struct flight *f)
{
	CLEANUP(json_freep) json_t *j = json_loadb((const char *)f->reply.data, f->reply.len, JSON_REJECT_DUPLICATES, NULL);
	struct ask_reply reply = reply_to(&f->row);

	if (reply_read(j, &reply))
		return tell(w, f, &reply);
	count(&f->row, "garbage");
	return outbox_put_off(w, &f->row, "the answer is not one of its schema");
}

/* The bus takes it never: what a repetition would not change is an answer. */
static size_t refused(struct outbox_worker *w, const struct flight *f)
{
	const struct status_code *code = status_code(CODE_INTERNAL);
	struct ask_reply reply = reply_to(&f->row);
	CLEANUP(json_freep) json_t *j = NULL;

	reply.code = arena_printf(w->arena, "%s/%s", code->subject, code->reason);
	reply.message = arena_strndup(w->arena, (const char *)f->reply.data, f->reply.len);
	reply.body = j = json_pack("{s:s, s:s, s:s}", "status", "refused", "code", reply.code, "message", reply.message);
	return tell(w, f, &reply);
}

/* Nobody heard it, or perhaps nobody: the lane waits, not the row. */
static size_t unheard(struct outbox_worker *w, const struct flight *f, const char *outcome, const char *why)
{
	count(&f->row, outcome);
	if (outbox_lane_failed(w->outbox, f->row.lane, why))
		return 0;
	return outbox_put_off(w, &f->row, why);
}

size_t outbox_ask_end(struct outbox_worker *w, const struct flight *f)
{
	bool heard = f->outcome == BUS_ANSWERED || f->outcome == BUS_SILENT;

	if (w->closing && f->outcome != BUS_ANSWERED)
		return 0; /* our own end: the row is as it was */
	if (f->probe)
		outbox_probe_end(w->outbox, f->row.lane);
	if (heard)
		outbox_lane_reached(w->outbox, f->row.lane);
	switch (f->outcome) {
	case BUS_ANSWERED:
		return answered(w, f);
	case BUS_REFUSED:
		return refused(w, f);
	case BUS_SILENT: /* somebody is there: this row waits, other cards' go on */
		count(&f->row, "silent");
		return outbox_put_off(w, &f->row, "no answer");
	case BUS_NOBODY:
		return unheard(w, f, "nobody", "nobody of this role is there");
	case BUS_AWAY:
		break;
	}
	return unheard(w, f, "away", "the bus is away");
}

const char *outbox_ask_given_up(struct outbox_worker *w, const struct outbox_row *row)
{
	const struct outbox_spec *spec = &w->outbox->spec;
	struct ask_reply reply = reply_to(row);
	const char *parked = NULL;

	reply.given_up = true;
	reply.parked = &parked;
	count(row, "given_up");
	if (spec->replied)
		(void)spec->replied(spec->rpc->role_state, w->db, w->arena, &reply);
	return parked;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to ES7.HandoverEUICC (procedures.md 3.20, step 28), and what goes with it. */
#include "common/rpc/json_out.h"
#include "services/sm-sr-handover/handover_in.h"

enum { MESSAGE_MAX = 1000 };

result in_flush(struct in_case *c)
{
	return db_sync(c->db, c->a, NULL, 0, NULL);
}

static result with_status(struct arena *a, enum status status, enum code code, const char *subject_id, const char *message)
{
	struct result *r = ARENA_NEW(a, struct result);

	*r = (struct result){ .status = status,
			      .code = code,
			      .subject_id = subject_id && *subject_id ? subject_id : NULL,
			      .message = message && *message ? arena_strcut(a, message, MESSAGE_MAX) : NULL };
	return r;
}

static result outcome_of(struct in_case *c, enum handover_tell tell, result why)
{
	const char *eid = c->h->eid.text, *message = why ? why->message : NULL;

	switch (tell) {
	case HANDOVER_NOTHING:
	case HANDOVER_SUCCESS:
		return OK;
	case HANDOVER_WARNING:
		return with_status(c->a, STATUS_WARNING, why ? why->code : CODE_NO_RESPONSE, eid, message);
	case HANDOVER_FAILED:
		return with_status(c->a, STATUS_FAILED, why ? why->code : CODE_SMSR_CHANGE_ENDED, why ? why->subject_id : eid,
				   message);
	case HANDOVER_EXPIRED:
		return with_status(c->a, STATUS_EXPIRED, CODE_TIME_EXPIRED, eid, message);
	}
	return OK;
}

static void outcome_set(struct handover_in *h, result r)
{
	h->outcome = (struct handover_in_outcome){ .known = true, .status = STATUS_SUCCESS, .subject_id = "", .message = "" };
	if (r == OK)
		return;
	h->outcome.status = r->status;
	h->outcome.code = r->code;
	h->outcome.subject_id = r->subject_id ? r->subject_id : "";
	h->outcome.message = r->message ? r->message : "";
}

static void end_call(struct in_case *c, const char *fci, int64_t received_us, result outcome)
{
	const struct function *fn = function_by_id(FN_ES7_HandoverEUICC);
	const struct deferred_call call = { c->h->former.text, fn->wire, fci };

	deferred_end(c->db, c->a, &call, deferred_encode(c->a, fn, NULL, outcome, false, received_us));
}

struct waiting {
	const char *fci;
	int64_t received;
};

/* All that wait get this answer. */
static result answer(struct in_case *c, result outcome)
{
	const struct rows *rows, *ends[2];
	struct waiting *calls;
	size_t n;

	TRY(in_flush(c));
	DB_QUEUE(c->db, HANDOVER_IN_CALLS, p_text(c->h->id));
	TRY(db_sync(c->db, c->a, &rows, 1, NULL));
	n = rows_count(rows);
	calls = arena_array(c->a, n, sizeof(*calls));
	for (size_t i = 0; i < n; i++)
		calls[i] = (struct waiting){ row_text_dup(c->a, rows, i, 0), row_int(rows, i, 1) };
	for (size_t i = 0; i < n; i++) {
		end_call(c, calls[i].fci, calls[i].received, outcome);
		TRY(db_sync(c->db, c->a, ends, LEN(ends), NULL));
		if (rows_count(ends[1]) && row_text(ends[1], 0, 0))
			c->replicas = arena_printf(c->a, "%s%s%s", c->replicas ? c->replicas : "", c->replicas ? " " : "",
						   row_text(ends[1], 0, 0));
	}
	c->told = true;
	return OK;
}

/* The owners of profiles learn it from the sm-sr, which knows them. */
static void announce(struct in_case *c)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	const struct handover_in *h = c->h;
	struct ask q = { .role = "sm-sr", .verb = "announce", .eid = h->eid.text, .ref = h->id, .trace = h->trace };

	buf_char(&json, '{');
	json_out_member(&json, "handover", h->id);
	json_out_member(&json, "step", "announce");
	json_out_member(&json, "eid", h->eid.text);
	buf_char(&json, '}');
	q.json = arena_strdup(c->a, json.data);
	outbox_ask(c->db, c->a, &q);
}

result in_tell(struct in_case *c, enum handover_tell tell, result why)
{
	result outcome = outcome_of(c, tell, why);

	if (tell == HANDOVER_NOTHING || c->h->told)
		return OK;
	c->h->told = true;
	outcome_set(c->h, outcome);
	if (handover_in_committed(c->h->state))
		announce(c);
	return answer(c, outcome);
}

result in_tell_late(struct in_case *c)
{
	if (!c->h->told)
		return OK;
	if (handover_in_committed(c->h->state))
		return answer(c, with_status(c->a, STATUS_WARNING, CODE_EUICC_MANAGED, c->h->eid.text, NULL));
	return answer(c, failed(c->a, CODE_SMSR_CHANGE_ENDED, c->h->eid.text, NULL));
}

void in_moved(const struct in_case *c)
{
	const struct handover_in *h = c->h;
	bool soon = h->due_at - h->now < (int64_t)DUE_NET_MS * 1000;

	if (c->told || soon)
		due_ring(c->hs->due, &handover_in_due, h->id, c->replicas);
}

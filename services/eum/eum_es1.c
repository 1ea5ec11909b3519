/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a card, or of a change of its properties, by the SM-SR's answer: on the connection, or by callback. */
#include <string.h>

#include "common/base/clock.h"
#include "common/rpc/json_out.h"
#include "services/eum/eum.h"
#include "services/eum/statements.h"

enum verdict { VERDICT_DONE, VERDICT_REFUSED, VERDICT_LATER };

/* What it says and, of a refusal, its code and message. */
struct outcome {
	enum verdict verdict;
	const char *code, *message;
};

static bool code_is(const struct status_code_data *c, enum code code)
{
	return c && !strcmp(c->subject, status_code(code)->subject) && !strcmp(c->reason, status_code(code)->reason);
}

static const char *text(const char *s)
{
	return s ? s : "";
}

/* "Busy", "internal error" and "too late" are not kept by the provider (A1): the same FunctionCallIdentifier is judged again. Anything else is
 * stored there for good, so a refusal is final; also "already registered", since a repetition of ours gets its own stored
 * success. */
static struct outcome judge(struct arena *a, const struct response_base *base, const struct soap_fault *fault)
{
	const struct execution_status *s = base ? &base->status : NULL;

	if (!s) {
		bool receiver = !strcmp(text(fault->code), "Receiver");

		return (struct outcome){ receiver ? VERDICT_LATER : VERDICT_REFUSED,
					 arena_printf(a, "fault %s", text(fault->code)), text(fault->reason) };
	}
	if (s->status == STATUS_SUCCESS || s->status == STATUS_WARNING)
		return (struct outcome){ VERDICT_DONE, "", "" };
	if (s->status == STATUS_EXPIRED || code_is(s->code, CODE_BUSY) || code_is(s->code, CODE_INTERNAL))
		return (struct outcome){ VERDICT_LATER, "", "" };
	if (!s->code)
		return (struct outcome){ VERDICT_REFUSED, "", text(status_name(s->status)) };
	return (struct outcome){ VERDICT_REFUSED, arena_printf(a, "%s/%s", text(s->code->subject), text(s->code->reason)),
				 s->code->message ? s->code->message : text(s->code->subject_id) };
}

static void card_event(struct db *db, struct arena *a, const char *eid, const struct oid *smsr, const struct outcome *o)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	bool done = o->verdict == VERDICT_DONE;
	char at[DATETIME_MAX];

	datetime_format(clock_wall_us(), at);
	buf_char(&json, '{');
	json_out_member(&json, "eid", eid);
	json_out_member(&json, "smsr", smsr->text);
	if (!done) {
		json_out_member(&json, "code", o->code);
		json_out_member(&json, "message", o->message);
	}
	json_out_member(&json, "at", at);
	buf_char(&json, '}');
	outbox_event(db, a, done ? "eum.card.registered" : "eum.card.refused", eid, "", arena_strdup(a, json.data));
}

/* ref: as in struct eum_submission. */
static void store(struct db *db, struct arena *a, enum function_id fn, const char *ref, const struct oid *smsr, const struct outcome *o)
{
	bool done = o->verdict == VERDICT_DONE;

	if (fn == FN_ES1_RegisterEIS) {
		DB_QUEUE(db, EUM_CARD_ANSWERED, p_text(ref), p_text(done ? "registered" : "refused"), p_text(o->code), p_text(o->message));
		card_event(db, a, ref, smsr, o);
	} else {
		DB_QUEUE(db, EUM_UPDATE_ANSWERED, p_text(ref), p_text(done ? "done" : "refused"), p_text(o->code), p_text(o->message));
	}
}

void eum_submit(struct db *db, struct arena *a, const struct eum_submission *s)
{
	const struct outbox_message m = { .fn = function_by_id(s->fn), .to = s->smsr, .eid = s->eid, .ref = s->ref, .in = s->in,
					  .transaction_id = s->by_callback ? s->ref : NULL, .wants_callback = s->by_callback };

	outbox_send(db, a, &m);
}

bool eum_answered(void *role, struct db *db, struct arena *a, const struct outbox_answer *answer)
{
	struct outcome o;

	if (answer->given_up)
		return true; /* no answer says nothing of a card; a replay brings one */
	if (answer->accepted) /* asked again until the callback has come: an SM-SR that forgot it answers as before */
		return false;
	o = judge(a, answer->base, &answer->fault);
	if (o.verdict == VERDICT_LATER)
		return false;
	store(db, a, answer->fn->id, answer->ref, &answer->to, &o);
	return true;
}

/* Callbacks ---------------------------------------------------------------------------------------------------------------- */

static void callback_queue(struct rq *rq, const void *in)
{
	DB_QUEUE(rq->db, rq->fn->id == FN_ES1_RegisterEIS ? EUM_CARD_AWAITED : EUM_UPDATE_AWAITED, p_text(rq->correlation),
		 p_text(rq->caller->oid.text));
}

/* What waits: its state, and the card. */
struct waiting {
	bool open;
	const char *eid;
};

static result callback_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct waiting *w = ARENA_NEW(rq->arena, struct waiting);

	rq->loaded = NULL;
	if (!rows_count(rows[0]))
		return OK;
	w->open = !strcmp(row_text(rows[0], 0, 0), "submitted");
	w->eid = row_text_dup(rq->arena, rows[0], 0, 1);
	rq->loaded = w;
	return OK;
}

/* The request's row goes with it: it would be sent until it is answered. */
static result callback_handle(struct rq *rq, const void *in, enum callback_verdict *out)
{
	const struct waiting *w = rq->loaded;
	struct outcome o;

	*out = CALLBACK_NOT_OURS;
	if (!w)
		return OK;
	*out = CALLBACK_CLOSED;
	if (!w->open)
		return OK;
	*out = CALLBACK_TAKEN;
	o = judge(rq->arena, in, NULL); /* every response begins with its base */
	if (o.verdict == VERDICT_LATER)
		return OK; /* its row is due again in any case */
	store(rq->db, rq->arena, rq->fn->id, rq->correlation, &rq->caller->oid, &o);
	outbox_withdraw(rq->db, rq->arena, &rq->caller->oid, w->eid, rq->correlation);
	rq->outbox = true;
	return OK;
}

static const struct load callback_load = { .results = 1, .queue = callback_queue, .take = callback_take };

const struct awaited eum_awaited[EUM_AWAITED] = {
	{ FN_ES1_RegisterEIS, &callback_load, callback_handle, NULL },
	{ FN_ES1_UpdateEISAdditionalProperties, &callback_load, callback_handle, NULL },
};

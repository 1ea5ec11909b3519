/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a card, or of a change of its properties, by the SM-SR's answer. */
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
static struct outcome judge(struct arena *a, const struct outbox_answer *answer)
{
	const struct execution_status *s = answer->base ? &answer->base->status : NULL;

	if (!s) {
		bool receiver = !strcmp(text(answer->fault.code), "Receiver");

		return (struct outcome){ receiver ? VERDICT_LATER : VERDICT_REFUSED,
					 arena_printf(a, "fault %s", text(answer->fault.code)), text(answer->fault.reason) };
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

static void card_event(struct db *db, struct arena *a, const struct outbox_answer *answer, const struct outcome *o)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	bool done = o->verdict == VERDICT_DONE;
	char at[DATETIME_MAX];

	datetime_format(clock_wall_us(), at);
	buf_char(&json, '{');
	json_out_member(&json, "eid", answer->ref);
	json_out_member(&json, "smsr", answer->to.text);
	if (!done) {
		json_out_member(&json, "code", o->code);
		json_out_member(&json, "message", o->message);
	}
	json_out_member(&json, "at", at);
	buf_char(&json, '}');
	outbox_event(db, a, done ? "eum.card.registered" : "eum.card.refused", answer->ref, "", arena_strdup(a, json.data));
}

bool eum_answered(void *role, struct db *db, struct arena *a, const struct outbox_answer *answer)
{
	struct outcome o = judge(a, answer);

	if (o.verdict == VERDICT_LATER)
		return false;
	if (answer->fn->id == FN_ES1_RegisterEIS) {
		DB_QUEUE(db, EUM_CARD_ANSWERED, p_text(answer->ref), p_text(o.verdict == VERDICT_DONE ? "registered" : "refused"),
			 p_text(o.code), p_text(o.message));
		card_event(db, a, answer, &o);
	} else {
		DB_QUEUE(db, EUM_UPDATE_ANSWERED, p_text(answer->ref), p_text(o.verdict == VERDICT_DONE ? "done" : "refused"),
			 p_text(o.code), p_text(o.message));
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the other SM-SR's answers mean. */
#include <string.h>

#include "common/sgp02/code_text.h"
#include "services/sm-sr-handover/handover_in.h"

static result say(enum handover_in_event event, result why, enum handover_in_event *out_event, result *out_why)
{
	*out_event = event;
	*out_why = why;
	return OK;
}

static bool code_is(const struct response_base *base, enum code code)
{
	const struct status_code_data *c = base->status.code;
	const struct status_code *known = status_code(code);

	return c && !strcmp(c->subject, known->subject) && !strcmp(c->reason, known->reason);
}

/* Its own refusal, as it said it. A code that we do not know is none that we may repeat. */
static result refused(struct in_case *c, const char *what, const struct response_base *base)
{
	const struct status_code_data *said = base->status.code;
	const char *text = said ? arena_printf(c->a, "%s/%s", said->subject, said->reason) : "no code";
	enum code code = said ? code_of_text(text, CODE_INTERNAL) : CODE_INTERNAL;

	if (base->status.status != STATUS_FAILED || code == CODE_INTERNAL)
		code = CODE_SMSR_CHANGE_ENDED;
	return failed(c->a, code, c->h->eid.text, "%s was answered %s %s%s%s", what, status_name(base->status.status), text,
		      said && said->message ? ": " : "", said && said->message ? said->message : "");
}

static result challenge_said(struct in_case *c, const struct es7_authenticate_smsr_rs *rs, enum handover_in_event *event,
			     result *why)
{
	result r = in_offer_make(c, rs->random_challenge);

	if (r != OK && r->code == CODE_PARAM_INVALID)
		return say(HIEV_REFUSED,
			   failed(c->a, CODE_SMSR_CHANGE_ENDED, c->h->eid.text, "ES7-AuthenticateSMSR was answered with %s",
				  r->message),
			   event, why);
	TRY(r);
	return say(HIEV_CHALLENGE, OK, event, why);
}

static result receipt_said(struct in_case *c, const struct es7_create_additional_keyset_rs *rs, enum handover_in_event *event,
			   result *why)
{
	result r = in_receipt_take(c, rs->derivation_random, rs->receipt);

	if (r != OK && r->code == CODE_ISDR_KEY_INVALID)
		return say(HIEV_BAD_RECEIPT, r, event, why);
	TRY(r);
	return say(HIEV_RECEIPT, OK, event, why);
}

/* Busy, or a trouble of its own that may pass: the same call again. What a repetition is answered under the same identifier it decides (A1). */
static bool passes(const struct in_said *said)
{
	if (!said->base)
		return !said->fault || !said->sender;
	return said->base->status.status == STATUS_FAILED && (code_is(said->base, CODE_BUSY) || code_is(said->base, CODE_INTERNAL));
}

result in_judge(struct in_case *c, const struct in_said *said, enum handover_in_event *out_event, result *out_why)
{
	const struct function *fn = in_function(c->h->state);
	const char *what = fn->wire;

	if (passes(said))
		return say(HIEV_SILENT, OK, out_event, out_why);
	if (!said->base)
		return say(HIEV_REFUSED,
			   failed(c->a, CODE_SMSR_CHANGE_ENDED, c->h->eid.text, "%s was not understood: %s", what, said->fault),
			   out_event, out_why);
	if (said->base->status.status != STATUS_SUCCESS && said->base->status.status != STATUS_WARNING)
		return say(HIEV_REFUSED, refused(c, what, said->base), out_event, out_why);
	return fn->id == FN_ES7_AuthenticateSMSR ? challenge_said(c, said->response, out_event, out_why)
						 : receipt_said(c, said->response, out_event, out_why);
}

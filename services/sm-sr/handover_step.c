/* SPDX-License-Identifier: Apache-2.0 */
/* How a step of an SM-SR change ends: what the card said changes its key sets here, and the sm-sr-handover is told. */
#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/hex.h"
#include "common/rpc/json_out.h"
#include "services/sm-sr/card_turn.h"
#include "services/sm-sr/handover_command.h"
#include "services/sm-sr/handover_keys.h"
#include "services/sm-sr/procedure_internal.h"

enum { SW_LEN = 2 };

bool command_is_handover(enum command_kind kind)
{
	return kind == COMMAND_ISDR_CERTIFICATE || kind == COMMAND_ISDR_AGREEMENT || command_only_by_sms(kind);
}

bool command_only_by_sms(enum command_kind kind)
{
	return kind == COMMAND_PUT_KEY || kind == COMMAND_ADDRESSING || kind == COMMAND_FINALISE;
}

/* ---- telling ---- */

static void ask_outcome(struct card_case *c, const char *handover, const char *step, const char *json)
{
	outbox_ask(c->db, c->a,
		   &(const struct ask){ .role = "sm-sr-handover",
					.verb = "outcome",
					.eid = c->eid.text,
					.ref = arena_printf(c->a, "%s/%s", handover, step),
					.json = json });
	c->outbox = true;
}

void handover_tell_again(struct card_case *c, const char *handover, const char *step, const char *told)
{
	ask_outcome(c, handover, step, told);
}

/* Silent: the card may have done it. */
static const char *outcome_word(result outcome)
{
	if (!outcome)
		return "answered";
	return outcome->status == STATUS_EXPIRED && outcome->code == CODE_NO_RESPONSE ? "silent" : "refused";
}

static const char *outcome_json(struct card_case *c, const struct handover_step *s, result outcome, struct bytes response)
{
	const struct status_code *code = outcome ? status_code(outcome->code) : NULL;
	CLEANUP(buf_free) struct buf json = { 0 };
	struct bytes sw = { response.data, 0 };

	if (response.len >= SW_LEN) {
		response.len -= SW_LEN;
		sw = (struct bytes){ response.data + response.len, SW_LEN };
	}
	buf_char(&json, '{');
	json_out_member(&json, "handover", s->handover);
	json_out_member(&json, "step", s->step);
	json_out_member(&json, "eid", c->eid.text);
	json_out_member(&json, "outcome", outcome_word(outcome));
	json_out_member(&json, "code", code ? arena_printf(c->a, "%s/%s", code->subject, code->reason) : "");
	json_out_member(&json, "message", outcome && outcome->message ? outcome->message : code ? code->text : "");
	json_out_member(&json, "sw", hex_text(c->a, sw.data, sw.len));
	json_out_member(&json, "data", hex_text(c->a, response.data, response.len));
	buf_char(&json, '}');
	return arena_strdup(c->a, json.data);
}

void handover_step_end(struct card_case *c, result outcome, struct bytes response)
{
	const struct handover_step *s = c->step;
	const char *json = outcome_json(c, s, outcome, response);

	DB_QUEUE(c->db, SMSR_STEP_END, p_text(c->eid.text), p_text(s->handover), p_text(s->step), p_text(json));
	ask_outcome(c, s->handover, s->step, json);
	card_log(c, LOG_INFO, "handover_outcome", "step %s of %s: %s", s->step, s->handover, outcome_word(outcome));
	c->step = NULL;
	(void)FAULT("sm-sr.handover.command.ended", c->eid.text);
}

/* ---- what the card said ---- */

/* With its procedure, when it has one of its own. */
static void finish(struct card_case *c, enum procedure_event event, result outcome, struct bytes response)
{
	if (!procedure_step(c, event))
		return;
	if (c->running->kind == PROC_SMSR_CHANGE)
		handover_step_end(c, outcome, response);
	else
		procedure_end(c, outcome, response);
}

/* It is about the step that runs, and not about an older one of the same handover. */
static bool is_awaited(const struct card_case *c, const struct card_command *m)
{
	static const enum command_kind kinds[HANDOVER_COMMANDS] = { [HANDOVER_CERTIFICATE] = COMMAND_ISDR_CERTIFICATE,
								    [HANDOVER_REQUEST] = COMMAND_ISDR_AGREEMENT,
								    [HANDOVER_PUT_KEY] = COMMAND_PUT_KEY,
								    [HANDOVER_ADDRESSING] = COMMAND_ADDRESSING,
								    [HANDOVER_FINALISE] = COMMAND_FINALISE,
								    [HANDOVER_AUDIT] = COMMAND_STATUS };

	return c->step && command_is_of(m, c->running) && kinds[c->step->command] == m->kind;
}

/* A card that has the set already may say so with whatever status word: the check values are what counts. */
static bool is_success(const struct card_command *m, const struct script_result *r)
{
	if (m->kind != COMMAND_PUT_KEY)
		return r->sw == SW_OK;
	return m->kept.len && r->data.len == m->kept.len && !memcmp(r->data.data, m->kept.data, m->kept.len);
}

/* Keys that the ISD-R does not have any more are nobody's. */
static void kept(struct card_case *c)
{
	struct security_domain *isdr = &c->eis.isdr;
	size_t n = 0;

	keysets_kept(c->db, &c->eid, c->step->keep);
	for (size_t i = 0; i < isdr->n_keysets; i++) {
		char version[24];

		(void)snprintf(version, sizeof(version), "%lld", (long long)isdr->keysets[i].version);
		if (text_lists(c->step->keep, version))
			isdr->keysets[n++] = isdr->keysets[i];
	}
	isdr->n_keysets = n;
}

static void succeeded(struct card_case *c)
{
	const struct handover_step *s = c->step;

	if (s->command == HANDOVER_PUT_KEY)
		keyset_taken(c->db, c->a, &c->eid, s->kvn);
	else if (s->command == HANDOVER_ADDRESSING && s->kvn)
		keyset_in_use(c->db, c->a, &c->eid, s->kvn);
	else if (s->command == HANDOVER_FINALISE)
		kept(c);
}

void handover_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer)
{
	const struct script_result *r = &answer->results[0];

	if (!is_awaited(c, m)) {
		card_log(c, LOG_INFO, "answer_late", "%s was answered %04X, and nobody waits for it", command_kind_name(m->kind),
			 r->sw);
		return;
	}
	if (is_success(m, r)) {
		succeeded(c);
		finish(c, PEV_ACCEPTED, OK, raw_answer(c->a, r));
		return;
	}
	if (m->kind == COMMAND_PUT_KEY)
		keyset_refused(c->db, c->a, &c->eid, c->step->kvn);
	finish(c, PEV_REFUSED,
	       r->sw == SW_OK ? failed(c->a, CODE_CARD_ERROR, c->eid.text, "the eUICC's answer is about other keys")
			      : card_error(c, command_kind_name(m->kind), r->sw),
	       raw_answer(c->a, r));
}

void handover_silent(struct card_case *c, const struct card_command *m)
{
	if (is_awaited(c, m))
		finish(c, PEV_LOST, expired(c->a, CODE_NO_RESPONSE), NO_DATA);
}

void handover_not_sent(struct card_case *c, struct card_command *m)
{
	case_command_again(c, m);
	(void)procedure_step(c, PEV_NOT_DONE);
}

void handover_expire(struct card_case *c)
{
	bool fetched = false;

	for (size_t i = 0; i < c->n_commands; i++)
		fetched = fetched || (c->commands[i].state == COMMAND_FETCHED && command_is_of(&c->commands[i], c->running));
	case_withdraw(c, c->running);
	handover_step_end(c, expired(c->a, fetched ? CODE_NO_RESPONSE : CODE_TIME_EXPIRED), NO_DATA);
	if (fetched)
		audit_wake(c);
}

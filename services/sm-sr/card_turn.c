/* SPDX-License-Identifier: Apache-2.0 */
/* What both ways to a card share: settling what it said, and choosing what it gets. */
#include "services/sm-sr/card_turn.h"

#include <string.h>

#include "services/sm-sr/card_post.h"
#include "services/sm-sr/handover_command.h"
#include "services/sm-sr/procedures.h"

const char *command_kind_name(enum command_kind kind)
{
	static const char *const words[] = { [COMMAND_ENABLE] = "EnableProfile",
					     [COMMAND_STATUS] = "GetStatus",
					     [COMMAND_DISABLE] = "DisableProfile",
					     [COMMAND_DELETE] = "DeleteProfile",
					     [COMMAND_CREATE] = "CreateISDP",
					     [COMMAND_SEND] = "SendData",
					     [COMMAND_CERTIFICATE] = "EstablishISDPKeySet1",
					     [COMMAND_AGREEMENT] = "EstablishISDPKeySet2",
					     [COMMAND_CONFIRM] = "HandleNotificationConfirmation",
					     [COMMAND_PARAMETERS] = "UpdateConnectivityParameters",
					     [COMMAND_ISDR_CERTIFICATE] = "establishISDRKeySet1",
					     [COMMAND_ISDR_AGREEMENT] = "establishISDRKeySet2",
					     [COMMAND_PUT_KEY] = "PutKey",
					     [COMMAND_ADDRESSING] = "UpdateSMSRAddressingParameters",
					     [COMMAND_FINALISE] = "FinaliseISDRhandover" };

	return (size_t)kind < LEN(words) ? words[kind] : "?";
}

bool card_turn_fits_sms(const struct smsr *smsr, enum command_kind kind, size_t script_len)
{
	bool small = kind == COMMAND_ENABLE || kind == COMMAND_DISABLE || kind == COMMAND_DELETE || kind == COMMAND_STATUS ||
		     kind == COMMAND_CONFIRM || kind == COMMAND_PARAMETERS ||
		     command_is_handover(kind);

	return small && (command_only_by_sms(kind) || script_len <= smsr->config->sms_script_max);
}

struct card_command *card_turn_fetched(const struct card_case *c, const char *session)
{
	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].state == COMMAND_FETCHED && c->commands[i].session && !strcmp(c->commands[i].session, session))
			return &c->commands[i];
	return NULL;
}

struct card_command *card_turn_by_sms(const struct card_case *c)
{
	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].state == COMMAND_FETCHED && c->commands[i].session && c->commands[i].by_sms)
			return &c->commands[i];
	return NULL;
}

void card_turn_answered(struct card_case *c, struct card_command *m, struct bytes body)
{
	struct script_answer *answer = ARENA_NEW(c->a, struct script_answer);
	const char *why = "the answer is too long";

	case_command_answered(c, m);
	if (command_is_sent(m) && body.len <= CARD_ANSWER_MAX)
		procedure_relayed(c, m, body);
	else if (body.len > CARD_ANSWER_MAX || !script_answer_parse(body, answer, &why))
		procedure_unanswerable(c, m, why);
	else
		procedure_answered(c, m, answer);
}

/* Whatever it says of resuming. */
static void abandon(struct card_case *c, size_t confirmation)
{
	for (size_t i = 0; i < c->n_commands; i++) {
		struct card_command *m = &c->commands[i];

		if (i == confirmation || m->state != COMMAND_FETCHED || !m->session)
			continue;
		case_command_lost(c, m);
		procedure_lost(c, m);
	}
}

struct card_command *card_turn_notified(struct card_case *c, const struct notification *n)
{
	size_t confirmation = SIZE_MAX;
	bool confirm = false;

	procedure_notified(c, n, &confirm);
	if (confirm)
		confirmation = c->n_commands - 1;
	abandon(c, confirmation);
	return confirm ? &c->commands[confirmation] : NULL;
}

/* To the card now; one that belongs to the running procedure moves it. */
static struct card_command *fetch(struct card_turn *t, struct card_command *m)
{
	struct card_case *c = t->c;

	t->fetches = true;
	case_command_fetched(c, m, c->session);
	if (c->running && m->procedure && !strcmp(m->procedure, c->running->id))
		(void)procedure_step(c, PEV_FETCHED);
	return m;
}

/* The first script of an uncertain card (C3); once per session: a card that cannot tell its state gets no command either. */
static struct card_command *choose_status(struct card_turn *t)
{
	t->asked_status = true;
	for (size_t i = 0; i < t->c->n_commands; i++)
		if (t->c->commands[i].state == COMMAND_QUEUED && t->c->commands[i].kind == COMMAND_STATUS)
			return fetch(t, &t->c->commands[i]);
	return procedure_audit_now(t->c);
}

/* NULL: nothing now. Of an uncertain card only its list is asked, and what may have happened on it is not judged before. */
static struct card_command *sendable(const struct card_turn *t)
{
	struct card_command *next = case_next(t->c);

	if (!next || (t->by_sms && !card_turn_fits_sms(t->c->smsr, next->kind, next->script.len)))
		return NULL;
	if (!t->by_sms && command_only_by_sms(next->kind))
		return NULL;
	return !t->c->uncertain || next->kind == COMMAND_STATUS ? next : NULL;
}

struct card_command *card_turn_next(struct card_turn *t)
{
	struct card_case *c = t->c;
	struct card_command *next;

	/* The sweeper has not come yet: nothing of it is sent any more. */
	(void)procedure_overdue(c);
	procedure_follow_up(c);
	next = card_turn_fetched(c, c->session);
	if (next) /* it did not get it; the rest of a list; a confirmation once more */
		return next;
	if (c->uncertain && !t->asked_status)
		return choose_status(t);
	next = sendable(t);
	if (next && !procedure_may_send(c, next))
		next = sendable(t);
	return next ? fetch(t, next) : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The procedure engine: how a procedure starts, moves and is withdrawn, and who is asked when the card said something. */
#include "services/sm-sr/procedure_internal.h"

#include <string.h>

#include "services/sm-sr/handover_command.h"
#include "services/sm-sr/smsr_change.h"

const struct bytes NO_DATA = { NULL, 0 };

void card_log(const struct card_case *c, enum log_level level, const char *event, const char *fmt, ...)
{
	struct log_line l;
	va_list args;

	va_start(args, fmt);
	log_begin(&l, level, event);
	log_str(&l, "eid", c->eid.text);
	log_str(&l, "procedure", c->running ? c->running->id : NULL);
	log_str(&l, "state", c->running ? procedure_state_name(c->running->state) : NULL);
	log_str(&l, "msg", arena_vprintf(c->a, fmt, args));
	log_end(&l);
	va_end(args);
}

void card_uncertain(struct card_case *c, const char *why)
{
	if (c->uncertain)
		return;
	card_log(c, LOG_WARN, "card_uncertain", "%s", why);
	case_uncertain(c, true);
}

result card_error(struct card_case *c, const char *command, uint16_t sw)
{
	return failed(c->a, CODE_CARD_ERROR, c->eid.text, "%s was answered %04X: %s", command, sw, sw_text(sw));
}

struct procedure *running_switch(const struct card_case *c)
{
	return c->running && procedure_switches(c->running->kind, c->running->state) ? c->running : NULL;
}

struct procedure *running_switch_to(const struct card_case *c, const struct aid *enabled)
{
	struct procedure *p = running_switch(c);

	return p && switch_wants(p, enabled) ? p : NULL;
}

struct procedure *running_delete(const struct card_case *c)
{
	struct procedure *p = c->running;

	return p && (p->state == PROC_DELETE_QUEUED || p->state == PROC_DELETE_SENT) ? p : NULL;
}

bool command_is_of(const struct card_command *m, const struct procedure *p)
{
	return p && m->procedure && !strcmp(m->procedure, p->id);
}

void commands_done(struct card_case *c, const struct procedure *p)
{
	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].state == COMMAND_FETCHED && command_is_of(&c->commands[i], p))
			case_command_answered(c, &c->commands[i]);
	case_withdraw(c, p);
}

void commands_again(struct card_case *c, const struct procedure *p)
{
	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].state == COMMAND_FETCHED && command_is_of(&c->commands[i], p))
			case_command_again(c, &c->commands[i]);
}

/* What an SM-DP may do with an ISD-P of its own while the card is kept for it. */
static bool lease_lets(const struct rq *rq, const struct card_case *c, const struct aid *isdp)
{
	static const enum function_id goes_on[] = { FN_ES3_SendData, FN_ES3_ProfileDownloadCompleted, FN_ES3_EnableProfile,
						    FN_ES3_DeleteISDP };

	if (!c->lease || !isdp || !aid_equal(isdp, &c->lease->isdp) || !oid_equal(&rq->caller->oid, &c->lease->smdp))
		return false;
	for (size_t i = 0; i < LEN(goes_on); i++)
		if (rq->fn->id == goes_on[i])
			return true;
	return false;
}

result procedure_may_start(const struct rq *rq, const struct card_case *c, const struct aid *isdp)
{
	if (c->running || (c->busy_holder && !c->lease))
		return failed(rq->arena, CODE_BUSY, c->eid.text, "another procedure commands this eUICC");
	if (c->busy_holder && !lease_lets(rq, c, isdp))
		return failed(rq->arena, CODE_BUSY, c->eid.text, "an SM-DP is at work on this eUICC");
	return OK;
}

static struct procedure *procedure_new(const struct card_case *c, const struct procedure_start *s, unsigned validity_s)
{
	struct procedure *p = ARENA_NEW(c->a, struct procedure);
	const struct profile_info *before = case_enabled(c);
	char *id = arena_alloc(c->a, UUID_TEXT);

	uuid_new(id);
	p->id = id;
	p->kind = s->kind;
	p->state = procedure_first(s->kind, before && before == s->target);
	p->function = p->fci = p->context_id = p->trace = "";
	p->iccids = s->iccids ? s->iccids : "";
	p->more = s->more;
	if (s->send == COMMAND_AGREEMENT && c->lease) /* as the handler has seen */
		p->session = c->lease->certified;
	if (s->target) {
		p->iccid = s->target->iccid;
		p->isdp = s->target->isdp_aid;
	}
	if (before)
		p->before = before->isdp_aid;
	p->started_at = c->now;
	p->deadline = p->started_at + (int64_t)validity_s * 1000000;
	return p;
}

static struct param p_aid(const struct aid *aid)
{
	return aid->len ? p_bytes(aid->data, aid->len) : p_null();
}

/* Its row and its first command, if it has one from the beginning. */
static void begin(struct card_case *c, struct procedure *p, const struct procedure_start *s, unsigned validity_s)
{
	case_lease_end(c);
	DB_QUEUE(c->db, SMSR_PROCEDURE_START, p_text(c->eid.text), p_text(p->id), p_int(c->a, p->kind), p_text(p->caller.text),
		 p_int(c->a, p->caller_roles), p_text(p->function), p_text(p->fci), p_text(p->context_id), p_text(p->trace),
		 p_text(p->iccid.text), p_aid(&p->isdp), p_aid(&p->before), p_text(p->iccids), p_int(c->a, validity_s),
		 p_int(c->a, p->state), p_bool(p->more), p->session ? p_text(p->session) : p_null());
	c->running = p;
	c->busy_holder = p->caller.text;
	if (p->kind == PROC_SMSR_CHANGE || p->kind == PROC_HANDOVER_STEP)
		return; /* what goes to the card the sm-sr-handover says */
	if (p->state == PROC_DELETE_QUEUED)
		delete_command_add(c, p);
	else if (p->kind == PROC_AUDIT)
		status_command_add(c, p);
	else if (p->kind == PROC_CREATE)
		create_command_add(c, p);
	else if (p->kind == PROC_SEND)
		send_commands_add(c, p, s->send, s->data);
	else
		switch_command_add(c, p);
}

result procedure_start(struct rq *rq, struct card_case *c, const struct procedure_start *s)
{
	struct procedure *p;

	TRY(procedure_may_start(rq, c, s->target ? &s->target->isdp_aid : NULL));
	p = procedure_new(c, s, rq->validity_s + s->grace_s);
	p->caller = rq->caller->oid;
	p->caller_roles = rq->caller->roles;
	p->function = rq->fn->wire;
	p->fci = rq->claim_key;
	p->context_id = rq->envelope->context_id ? rq->envelope->context_id : "";
	p->trace = rq->trace ? rq->trace : "";
	begin(c, p, s, rq->validity_s + s->grace_s);
	return OK;
}

void procedure_start_own(struct card_case *c, const struct procedure_start *s, unsigned validity_s)
{
	struct procedure *p = procedure_new(c, s, validity_s);

	p->caller = c->rpc->self;
	p->caller_roles = ROLE_SM_SR;
	begin(c, p, s, validity_s);
}

/* The first of the list that is still to be deleted; the others leave it. */
static const struct profile_info *follow_up_target(struct card_case *c)
{
	while (*c->auto_delete) {
		struct iccid iccid;
		const struct profile_info *p;
		char *first = arena_strdup(c->a, c->auto_delete);

		first[strcspn(first, " ")] = '\0';
		if (!iccid_parse(first, &iccid)) { /* damaged: what it meant nobody knows */
			card_log(c, LOG_WARN, "auto_delete_damaged", "%s", c->auto_delete);
			case_auto_delete(c, "");
			break;
		}
		p = case_profile_of_iccid(c, &iccid);
		if (p && p->state == PROFILE_DISABLED && pol2_deletes(p))
			return p;
		auto_delete_undue(c, &iccid);
	}
	return NULL;
}

void procedure_follow_up(struct card_case *c)
{
	struct procedure_start start = { .kind = PROC_AUTO_DELETE };

	if (c->running || c->busy_holder)
		return;
	start.target = follow_up_target(c);
	if (!start.target)
		return;
	procedure_start_own(c, &start, (unsigned)c->smsr->config->auto_delete_s);
	card_log(c, LOG_INFO, "auto_delete", "POL2 wants profile %s deleted", start.target->iccid.text);
}

bool procedure_step(struct card_case *c, enum procedure_event event)
{
	struct procedure *p = c->running;
	enum procedure_state next = p ? procedure_next(p->kind, p->state, event) : PROC_STATES;

	if (next == PROC_STATES) {
		card_log(c, LOG_WARN, "procedure_event_refused", "%s cannot happen here", procedure_event_name(event));
		return false;
	}
	/* The last step is procedure_end's: with the outcome, in one statement. */
	if (next == PROC_ENDED || next == p->state)
		return true;
	DB_QUEUE(c->db, SMSR_PROCEDURE_STEP, p_text(c->eid.text), p_text(p->id), p_int(c->a, p->state), p_int(c->a, next));
	p->state = next;
	return true;
}

/* How many answers a command may have. */
static size_t commands_in(const struct card_command *m)
{
	struct script script;
	const char *why;

	return script_parse(m->script, &script, &why) ? script.n : 0;
}

static const char *answer_wrong(const struct card_command *m, const struct script_answer *answer)
{
	if (answer->bad_format)
		return "the eUICC could not read the script";
	if (answer->n == 0)
		return "the eUICC's answer has no result";
	if (answer->n > commands_in(m))
		return "the eUICC's answer has more results than there were commands";
	return NULL;
}

void procedure_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer)
{
	const char *wrong = answer_wrong(m, answer);

	if (wrong) {
		procedure_unanswerable(c, m, wrong);
		return;
	}
	switch (m->kind) {
	case COMMAND_ENABLE:
	case COMMAND_DISABLE:
		switch_answered(c, m, answer);
		break;
	case COMMAND_DELETE:
		delete_answered(c, m, answer);
		break;
	case COMMAND_STATUS:
		status_answered(c, m, answer);
		break;
	case COMMAND_CONFIRM:
		confirm_answered(c, m, answer);
		break;
	case COMMAND_CREATE:
		create_answered(c, m, answer);
		break;
	case COMMAND_SEND:
	case COMMAND_CERTIFICATE:
	case COMMAND_AGREEMENT:
	case COMMAND_PARAMETERS:
		break; /* procedure_relayed */
	case COMMAND_ISDR_CERTIFICATE:
	case COMMAND_ISDR_AGREEMENT:
	case COMMAND_PUT_KEY:
	case COMMAND_ADDRESSING:
	case COMMAND_FINALISE:
		handover_answered(c, m, answer);
		break;
	}
}

/* m may be an older copy of what stands in the case. */
static void command_close(struct card_case *c, const struct card_command *m)
{
	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].seq == m->seq && c->commands[i].state == COMMAND_FETCHED)
			case_command_answered(c, &c->commands[i]);
}

void procedure_unanswerable(struct card_case *c, const struct card_command *m, const char *why)
{
	command_close(c, m);
	card_uncertain(c, why);
	if (command_is_handover(m->kind)) {
		handover_silent(c, m);
		return;
	}
	/* An unconfirmed notification comes again, or the procedure expires (C9). */
	if (m->kind == COMMAND_CONFIRM || !command_is_of(m, c->running) || !procedure_step(c, PEV_REFUSED))
		return;
	/* The card may have executed it all the same: unconfirmed it goes back from a switch, and the answer stays true. Of a DELETE an
	 * audit tells. */
	if (m->kind == COMMAND_ENABLE || m->kind == COMMAND_DISABLE)
		case_expired_aid(c, switch_goal(c, c->running));
	else if (m->kind == COMMAND_DELETE || m->kind == COMMAND_CREATE)
		audit_wake(c);
	procedure_end(c, failed(c->a, CODE_CARD_ERROR, c->eid.text, "%s", why), NO_DATA);
}

static bool confirms_running(const struct card_case *c, const struct card_command *m)
{
	return m->kind == COMMAND_CONFIRM && m->kept.len && running_switch(c) && c->running->state == PROC_CONFIRMING;
}

/* The command waits again, so that the card is woken; whether it is sent, the audit that comes first decides (C3). */
void procedure_lost(struct card_case *c, struct card_command *m)
{
	bool ours = command_is_of(m, c->running);

	card_uncertain(c, "a session ended with a command unanswered");
	if (ours &&
	    (m->kind == COMMAND_ENABLE || m->kind == COMMAND_DISABLE || m->kind == COMMAND_DELETE || m->kind == COMMAND_CREATE)) {
		case_command_again(c, m);
		(void)procedure_step(c, PEV_LOST);
		return;
	}
	/* Perhaps the card heard it and will not notify again: it is kept, to be said once more when the audit shows the change. */
	if (confirms_running(c, m)) {
		(void)procedure_step(c, PEV_LOST);
		audit_wake(c);
		return;
	}
	case_command_answered(c, m);
	if (command_is_handover(m->kind)) {
		handover_silent(c, m);
		return;
	}
	if (command_is_sent(m)) {
		if (ours && procedure_step(c, PEV_LOST))
			procedure_end(c, expired(c->a, CODE_NO_RESPONSE), NO_DATA);
		return;
	}
	if (ours) {
		/* Part of a list cannot be gone on with in another session: all of it again. */
		(void)procedure_step(c, PEV_LOST);
		status_command_add(c, c->running);
	} else if (m->kind == COMMAND_CONFIRM) {
		audit_wake(c);
	}
}

result expired(struct arena *a, enum code code)
{
	struct result *r = ARENA_NEW(a, struct result);

	r->status = STATUS_EXPIRED;
	r->code = code;
	return r;
}

bool procedure_may_send(struct card_case *c, const struct card_command *m)
{
	const struct procedure *p = c->running;
	const struct profile_info *target;
	result r;

	if (m->kind == COMMAND_STATUS || m->kind == COMMAND_CONFIRM || m->kind == COMMAND_CREATE || command_is_handover(m->kind) ||
	    !command_is_of(m, p))
		return true;
	if (command_is_sent(m)) {
		r = send_allowed(c, p);
		if (r == OK || !procedure_step(c, PEV_REFUSED))
			return true;
		procedure_end(c, r, NO_DATA);
		return false;
	}
	target = case_profile_of_aid(c, &p->isdp);
	if (!target) /* the card says what it misses */
		return true;
	r = m->kind == COMMAND_DELETE ? delete_allowed(c, p, target) : switch_allowed(c, p, target);
	if (r == OK || !procedure_step(c, PEV_REFUSED))
		return true;
	procedure_end(c, r, NO_DATA);
	return false;
}

void procedure_expire(struct card_case *c)
{
	const struct procedure *p = c->running;
	bool taken = p && !procedure_untouched(p->state), confirmed = p && p->state == PROC_CONFIRMING;

	if (p && p->kind == PROC_SMSR_CHANGE) {
		smsr_change_expired(c);
		return;
	}
	if (!p || !procedure_step(c, PEV_EXPIRED))
		return;
	/* What the card does from now on is not confirmed: it goes back by itself. But what was confirmed in time stays, and owners
	 * hear of it when it is known. */
	if (taken && !confirmed && running_switch(c))
		case_expired_aid(c, switch_goal(c, p));
	if (confirmed)
		switch_outlived(c);
	if (p->kind == PROC_CREATE && !taken)
		eis_not_created(c, &p->isdp);
	if (case_fetched(c))
		card_uncertain(c, "the validity period ended with a command unanswered");
	procedure_end(c, expired(c->a, taken ? CODE_NO_RESPONSE : CODE_TIME_EXPIRED), NO_DATA);
	if (taken && c->uncertain)
		audit_wake(c);
}

bool procedure_overdue(struct card_case *c)
{
	bool due = c->step && c->step->overdue && c->running->kind == PROC_SMSR_CHANGE;

	if (due)
		handover_expire(c);
	if (!c->running || !(c->running->overdue || (c->step && c->step->overdue)))
		return due;
	procedure_expire(c);
	return true;
}

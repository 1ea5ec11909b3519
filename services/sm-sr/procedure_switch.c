/* SPDX-License-Identifier: Apache-2.0 */
/* Enabling and disabling a profile: the command, its answer, and what the card says came of it. The first half of deleting an enabled one. */
#include "services/sm-sr/procedure_internal.h"

void switch_command_add(struct card_case *c, const struct procedure *p)
{
	CLEANUP(buf_free) struct buf apdu = { 0 };
	CLEANUP(buf_free) struct buf script = { 0 };
	struct bytes one;

	if (p->kind == PROC_ENABLE)
		isdr_enable_profile(&apdu, &p->isdp);
	else
		isdr_disable_profile(&apdu, &p->isdp);
	one = (struct bytes){ (const uint8_t *)apdu.data, apdu.len };
	script_build(&script, SCRIPT_INDEFINITE, &one, 1);
	case_command_add(c, p, p->kind == PROC_ENABLE ? COMMAND_ENABLE : COMMAND_DISABLE, &script);
}

bool switch_wants(const struct procedure *p, const struct aid *enabled)
{
	return aid_equal(&p->isdp, enabled) == (p->kind == PROC_ENABLE);
}

const struct aid *switch_goal(const struct card_case *c, const struct procedure *p)
{
	const struct profile_info *to;

	if (p->kind == PROC_ENABLE)
		return &p->isdp;
	to = case_fallback(c);
	return to ? &to->isdp_aid : NULL;
}

struct bytes raw_answer(struct arena *a, const struct script_result *r)
{
	CLEANUP(buf_free) struct buf raw = { 0 };
	const uint8_t sw[2] = { (uint8_t)(r->sw >> 8), (uint8_t)r->sw };

	buf_add(&raw, r->data.data, r->data.len);
	buf_add(&raw, sw, sizeof(sw));
	return (struct bytes){ arena_memdup(a, raw.data, raw.len), raw.len };
}

static void switch_refused(struct card_case *c, const struct procedure *p, const struct script_result *r)
{
	if (r->sw == SW_CONDITIONS || r->sw == SW_NOT_FOUND)
		card_uncertain(c, "the card's profiles are not as the EIS has them");
	if (r->sw == SW_POL1)
		procedure_end(c, failed(c->a, CODE_POL1_REFUSES, p->iccid.text, NULL), NO_DATA);
	else
		procedure_end(c, card_error(c, p->kind == PROC_ENABLE ? "EnableProfile" : "DisableProfile", r->sw), raw_answer(c->a, r));
}

void switch_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer)
{
	const struct script_result *r = &answer->results[0];
	struct procedure *p = running_switch(c);

	if (!command_is_of(m, p)) {
		card_log(c, LOG_INFO, "answer_late", "the answer to a command whose procedure is past it: %04X", r->sw);
		return;
	}
	if (r->sw == SW_OK)
		(void)procedure_step(c, PEV_ACCEPTED);
	else if (procedure_step(c, PEV_REFUSED))
		switch_refused(c, p, r);
}

result switch_allowed(struct card_case *c, const struct procedure *p, const struct profile_info *target)
{
	if (p->kind == PROC_ENABLE)
		return pol2_allow_enable(c->a, target, case_enabled(c));
	if (target->state != PROFILE_ENABLED) /* it fell back meanwhile */
		return failed(c->a, CODE_PROFILE_NOT_ALLOWED, target->iccid.text, "the profile is not Enabled any more");
	return p->kind == PROC_DISABLE ? pol2_allow_disable(c->a, target) : pol2_allow_delete(c->a, target);
}

/* While a switch is on its way the EIS may already follow the card (an audit), but nobody was told. */
const struct profile_info *last_told(const struct card_case *c)
{
	const struct procedure *p = running_switch(c);

	if (p)
		return p->before.len ? case_profile_of_aid(c, &p->before) : NULL;
	return case_enabled(c);
}

void switch_told(struct card_case *c, const struct profile_info *enabled)
{
	struct procedure *p = running_switch(c);

	if (!p || !enabled)
		return;
	p->before = enabled->isdp_aid;
	DB_QUEUE(c->db, SMSR_PROCEDURE_BEFORE, p_text(c->eid.text), p_text(p->id), p_bytes(p->before.data, p->before.len));
}

void switch_succeeded(struct card_case *c, const struct aid *enabled)
{
	struct procedure *p = c->running;
	const struct profile_info *was = last_told(c), *is;

	if (!procedure_step(c, PEV_CONFIRMED))
		return;
	if (!eis_enabled_is(c, enabled))
		card_uncertain(c, "the profile that was enabled is no longer in the EIS");
	if (c->expired_aid.len)
		case_expired_aid(c, NULL);
	is = case_profile_of_aid(c, enabled);
	if (was != is)
		tell_profile_change(c, was, is, requester_of(c, p));
	if (p->kind == PROC_DELETE) {
		delete_command_add(c, p);
		return;
	}
	if (was && was != is)
		auto_delete_due(c, was);
	procedure_end(c, OK, NO_DATA);
}

void switch_failed(struct card_case *c, enum procedure_event event, const char *why)
{
	struct procedure *p = running_switch(c);

	/* Not fetched yet: that was about something older. */
	if (!p || p->state == PROC_QUEUED || !procedure_step(c, event))
		return;
	commands_done(c, p);
	procedure_end(c, failed(c->a, CODE_ENABLE_ROLLED_BACK, p->iccid.text, "%s", why), NO_DATA);
}

/* The list shows the card where p wants it. */
static bool listed_as_wanted(const struct procedure *p, const struct isdp_status *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].state == ISDP_ENABLED)
			return switch_wants(p, &list[i].aid);
	return false;
}

/* Confirmations whose answer was lost: to be said again, or nobody's any more. */
static void confirmations(struct card_case *c, bool again)
{
	for (size_t i = 0; i < c->n_commands; i++) {
		struct card_command *m = &c->commands[i];

		if (m->kind != COMMAND_CONFIRM || m->state != COMMAND_FETCHED || m->session)
			continue;
		if (again)
			case_command_resumed(c, m, c->session);
		else
			case_command_answered(c, m);
	}
}

void switch_outlived(struct card_case *c)
{
	const struct profile_info *was = last_told(c), *is = case_enabled(c);

	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].kind == COMMAND_CONFIRM && c->commands[i].state == COMMAND_FETCHED)
			card_uncertain(c, "the validity period ended with a confirmation unanswered");
	confirmations(c, false);
	if (!is || is == was)
		return;
	tell_profile_change(c, was, is, NULL); /* an audit has shown it */
	if (was)
		auto_delete_due(c, was);
}

void switch_audited(struct card_case *c, const struct isdp_status *list, size_t n)
{
	struct procedure *p = running_switch(c);

	if (!p)
		return;
	if (listed_as_wanted(p, list, n)) {
		/* Sent before, or by an older one: its notification will tell (C3), or has told. */
		if (procedure_step(c, PEV_DONE))
			commands_done(c, p);
		confirmations(c, true);
	} else if (p->state != PROC_QUEUED && procedure_step(c, PEV_NOT_DONE)) {
		if (p->state == PROC_QUEUED)
			commands_again(c, p);
		confirmations(c, false);
	}
}

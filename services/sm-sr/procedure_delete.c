/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting a profile: because it was asked for, or because POL2 wants it; and what is told when one is gone, whoever deleted it. */
#include <string.h>

#include "services/sm-sr/procedure_internal.h"

void delete_command_add(struct card_case *c, const struct procedure *p)
{
	CLEANUP(buf_free) struct buf apdu = { 0 };
	CLEANUP(buf_free) struct buf script = { 0 };
	struct bytes one;

	isdr_delete_profile(&apdu, &p->isdp);
	one = (struct bytes){ (const uint8_t *)apdu.data, apdu.len };
	script_build(&script, SCRIPT_INDEFINITE, &one, 1);
	case_command_add(c, p, COMMAND_DELETE, &script);
}

/* Whoever asked hears it by the answer. */
static void tell_gone(struct card_case *c)
{
	const struct procedure *p = c->running;

	for (size_t i = 0; i < c->n_gone; i++) {
		const struct profile_info *gone = &c->gone[i];
		bool asked = p && p->kind == PROC_DELETE && aid_equal(&p->isdp, &gone->isdp_aid);

		tell_deleted(c, gone, asked ? requester_of(c, p) : NULL);
		auto_delete_undue(c, &gone->iccid);
	}
	c->n_gone = 0;
}

/* It does not have the profile any more: that is what was wanted. */
static result gone_before(struct card_case *c, const struct procedure *p)
{
	struct result *r = ARENA_NEW(c->a, struct result);

	r->status = STATUS_WARNING;
	r->code = CODE_ICCID_UNKNOWN;
	r->subject_id = p->iccid.text;
	r->message = "the eUICC did not have the profile any more";
	return r;
}

void delete_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer)
{
	const struct script_result *r = &answer->results[0];
	const struct procedure *p = running_delete(c);
	bool gone = r->sw == SW_OK || r->sw == SW_NOT_FOUND;

	if (!command_is_of(m, p)) {
		/* Its procedure is over; what the card says is true all the same. */
		card_log(c, LOG_INFO, "answer_late", "the answer to a DELETE that has ended: %04X", r->sw);
		card_uncertain(c, "a DELETE was answered too late");
		return;
	}
	if (!procedure_step(c, gone ? PEV_ACCEPTED : PEV_REFUSED))
		return;
	if (gone) {
		eis_deleted(c, &p->isdp, 1);
		tell_gone(c);
		procedure_end(c, r->sw == SW_OK ? OK : gone_before(c, p), NO_DATA);
		return;
	}
	if (r->sw == SW_CONDITIONS)
		card_uncertain(c, "the card's profiles are not as the EIS has them");
	if (r->sw == SW_POL1)
		procedure_end(c, failed(c->a, CODE_POL1_REFUSES, p->iccid.text, NULL), NO_DATA);
	else
		procedure_end(c, card_error(c, "DeleteProfile", r->sw), raw_answer(c->a, r));
}

result delete_allowed(struct card_case *c, const struct procedure *p, const struct profile_info *target)
{
	if (target->state == PROFILE_ENABLED || target->fallback)
		return failed(c->a, CODE_PROFILE_NOT_ALLOWED, target->iccid.text, "the profile is %s by now",
			      target->fallback ? "the holder of the fall-back attribute" : "Enabled");
	if (p->kind == PROC_AUTO_DELETE && !pol2_deletes(target))
		return failed(c->a, CODE_POL2_REFUSES, target->iccid.text, "POL2 does not want it deleted any more");
	/* What is not complete only its SM-DP deletes, and it may. */
	return target->state == PROFILE_CREATED || target->state == PROFILE_IN_CREATION ? OK : pol2_allow_delete(c->a, target);
}

void delete_noticed(struct card_case *c)
{
	const struct procedure *p;

	tell_gone(c);
	p = running_delete(c);
	if (!p || case_profile_of_aid(c, &p->isdp) || !procedure_step(c, PEV_DONE))
		return;
	commands_done(c, p);
	procedure_end(c, OK, NO_DATA);
}

void delete_audited(struct card_case *c)
{
	const struct procedure *p = running_delete(c);

	if (p && p->state == PROC_DELETE_SENT && procedure_step(c, PEV_NOT_DONE))
		commands_again(c, p);
}

/* Where iccid stands in the list; NULL: it does not. */
static const char *listed(const char *iccids, const struct iccid *iccid)
{
	size_t n = strlen(iccid->text);

	for (const char *p = strstr(iccids, iccid->text); p; p = strstr(p + 1, iccid->text))
		if ((p == iccids || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return p;
	return NULL;
}

void auto_delete_due(struct card_case *c, const struct profile_info *disabled)
{
	if (!pol2_deletes(disabled) || listed(c->auto_delete, &disabled->iccid))
		return;
	case_auto_delete(c, arena_printf(c->a, "%s%s%s", c->auto_delete, *c->auto_delete ? " " : "", disabled->iccid.text));
}

void auto_delete_undue(struct card_case *c, const struct iccid *iccid)
{
	const char *at = listed(c->auto_delete, iccid), *rest;
	int before;

	if (!at)
		return;
	rest = at + strlen(iccid->text);
	rest += *rest == ' ';
	before = (int)(at - c->auto_delete);
	if (!*rest && before)
		before--; /* the blank */
	case_auto_delete(c, arena_printf(c->a, "%.*s%s", before, c->auto_delete, rest));
}

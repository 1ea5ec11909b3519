/* SPDX-License-Identifier: Apache-2.0 */
/* Making an ISD-P (procedures.md 3.3, 3.4). The EIS has it In-Creation, seen by nobody, until the card's answer or a list says what became
 * of it. */
#include "common/card/isdp_commands.h"
#include "services/sm-sr/procedure_internal.h"

void create_command_add(struct card_case *c, const struct procedure *p)
{
	const struct profile_info *made = case_profile_of_aid(c, &p->isdp);
	CLEANUP(buf_free) struct buf apdu = { 0 };
	CLEANUP(buf_free) struct buf script = { 0 };
	struct bytes one;

	isdr_create_isdp(&apdu, &p->isdp, made ? made->allocated_memory : ISDP_QUOTA_UNSAID);
	one = (struct bytes){ (const uint8_t *)apdu.data, apdu.len };
	script_build(&script, SCRIPT_INDEFINITE, &one, 1);
	case_command_add(c, p, COMMAND_CREATE, &script);
}

static struct procedure *running_create(const struct card_case *c)
{
	return c->running && c->running->kind == PROC_CREATE ? c->running : NULL;
}

void create_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer)
{
	const struct script_result *r = &answer->results[0];
	const struct procedure *p = running_create(c);
	struct aid isdp;

	if (!command_is_of(m, p)) {
		card_log(c, LOG_INFO, "answer_late", "the answer to a CreateISDP that has ended: %04X", r->sw);
		card_uncertain(c, "a CreateISDP was answered too late");
		return;
	}
	if (!procedure_step(c, r->sw == SW_OK ? PEV_ACCEPTED : PEV_REFUSED))
		return;
	isdp = p->isdp;
	if (r->sw == SW_OK) {
		eis_created(c, &isdp);
		procedure_end(c, OK, NO_DATA);
		return;
	}
	eis_not_created(c, &isdp);
	if (r->sw == SW_NO_MEMORY)
		procedure_end(c, failed(c->a, CODE_EUICC_MEMORY, c->eid.text, "the eUICC says that its memory does not suffice"),
			      raw_answer(c->a, r));
	else
		procedure_end(c, card_error(c, "CreateISDP", r->sw), raw_answer(c->a, r));
}

static bool listed(const struct isdp_status *list, size_t n, const struct aid *aid)
{
	for (size_t i = 0; i < n; i++)
		if (aid_equal(&list[i].aid, aid))
			return true;
	return false;
}

/* What nobody waits for any more: an SM-DP finds it as a leftover of its own, or it never was. */
static void forgotten(struct card_case *c, const struct isdp_status *list, size_t n, const struct procedure *p)
{
	for (size_t i = c->eis.n_profiles; i-- > 0;) {
		const struct aid isdp = c->eis.profiles[i].isdp_aid;

		if (c->eis.profiles[i].state != PROFILE_IN_CREATION || (p && aid_equal(&p->isdp, &isdp)))
			continue;
		card_log(c, LOG_INFO, "creation_settled", "profile %s: the eUICC %s its ISD-P", c->eis.profiles[i].iccid.text,
			 listed(list, n, &isdp) ? "has" : "does not have");
		if (listed(list, n, &isdp))
			eis_created(c, &isdp);
		else
			eis_not_created(c, &isdp);
	}
}

void create_audited(struct card_case *c, const struct isdp_status *list, size_t n)
{
	const struct procedure *p = running_create(c);

	forgotten(c, list, n, p);
	if (!p)
		return;
	if (listed(list, n, &p->isdp)) {
		if (!procedure_step(c, PEV_DONE))
			return;
		commands_done(c, p);
		eis_created(c, &p->isdp);
		procedure_end(c, OK, NO_DATA);
	} else if (p->state == PROC_SENT && procedure_step(c, PEV_NOT_DONE)) {
		commands_again(c, p);
	}
}

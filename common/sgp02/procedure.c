/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/procedure.h"

#include <string.h>

/* 0 is "cannot happen", so states stand one higher in the tables. */
#define TO(state) ((uint8_t)((state) + 1))

/* The outcome of a switch is told by the card's notification alone; its R-APDU only says that the card takes it on. */
#define SWITCH_ROWS(CONFIRMED)                                                                                             \
	[PROC_QUEUED] = { [PEV_FETCHED] = TO(PROC_SENT),                                                                   \
			  [PEV_REFUSED] = TO(PROC_ENDED), /* POL2 of what is enabled by now */                             \
			  [PEV_NOTIFIED] = TO(PROC_CONFIRMING), /* an older one to the same end got through (C3) */        \
			  [PEV_DONE] = TO(PROC_TAKEN),                                                                     \
			  [PEV_EXPIRED] = TO(PROC_ENDED) },                                                                \
	[PROC_SENT] = { [PEV_ACCEPTED] = TO(PROC_TAKEN),                                                                   \
			[PEV_REFUSED] = TO(PROC_ENDED),                                                                    \
			[PEV_NOTIFIED] = TO(PROC_CONFIRMING), /* the answer was lost, the card acted */                    \
			[PEV_ROLLED_BACK] = TO(PROC_ENDED),                                                                \
			[PEV_OTHER_PROFILE] = TO(PROC_ENDED),                                                              \
			[PEV_LOST] = TO(PROC_SENT),                                                                        \
			[PEV_NOT_DONE] = TO(PROC_QUEUED),                                                                  \
			[PEV_DONE] = TO(PROC_TAKEN),                                                                       \
			[PEV_EXPIRED] = TO(PROC_ENDED) },                                                                  \
	[PROC_TAKEN] = { [PEV_NOTIFIED] = TO(PROC_CONFIRMING),                                                             \
			 [PEV_ROLLED_BACK] = TO(PROC_ENDED),                                                               \
			 [PEV_OTHER_PROFILE] = TO(PROC_ENDED),                                                             \
			 [PEV_DONE] = TO(PROC_TAKEN),                                                                      \
			 [PEV_NOT_DONE] = TO(PROC_TAKEN), /* it rolled back and will say so */                             \
			 [PEV_EXPIRED] = TO(PROC_ENDED) },                                                                 \
	[PROC_CONFIRMING] = { [PEV_CONFIRMED] = TO(CONFIRMED),                                                             \
			      [PEV_NOTIFIED] = TO(PROC_CONFIRMING), /* the confirmation was lost: once more */             \
			      [PEV_ROLLED_BACK] = TO(PROC_ENDED),                                                          \
			      [PEV_OTHER_PROFILE] = TO(PROC_ENDED),                                                        \
			      [PEV_DONE] = TO(PROC_CONFIRMING),                                                            \
			      [PEV_NOT_DONE] = TO(PROC_CONFIRMING),                                                        \
			      [PEV_LOST] = TO(PROC_CONFIRMING),                                                            \
			      [PEV_EXPIRED] = TO(PROC_ENDED) }

/* Nothing follows the answer to a DELETE. */
#define DELETE_ROWS                                                                                                        \
	[PROC_DELETE_QUEUED] = { [PEV_FETCHED] = TO(PROC_DELETE_SENT),                                                     \
				 [PEV_REFUSED] = TO(PROC_ENDED), /* POL2, or its profile is enabled by now */              \
				 [PEV_DONE] = TO(PROC_ENDED), /* POL1 has deleted it, or an older DELETE */                \
				 [PEV_EXPIRED] = TO(PROC_ENDED) },                                                         \
	[PROC_DELETE_SENT] = { [PEV_ACCEPTED] = TO(PROC_ENDED),                                                            \
			       [PEV_REFUSED] = TO(PROC_ENDED),                                                             \
			       [PEV_LOST] = TO(PROC_DELETE_SENT),                                                          \
			       [PEV_NOT_DONE] = TO(PROC_DELETE_QUEUED),                                                    \
			       [PEV_DONE] = TO(PROC_ENDED),                                                                \
			       [PEV_EXPIRED] = TO(PROC_ENDED) }

static const uint8_t switch_next[PROC_STATES][PEV_EVENTS] = { SWITCH_ROWS(PROC_ENDED) };
static const uint8_t delete_next[PROC_STATES][PEV_EVENTS] = { SWITCH_ROWS(PROC_DELETE_QUEUED), DELETE_ROWS };
static const uint8_t auto_delete_next[PROC_STATES][PEV_EVENTS] = { DELETE_ROWS };

static const uint8_t audit_next[PROC_STATES][PEV_EVENTS] = {
	[PROC_QUEUED] = { [PEV_FETCHED] = TO(PROC_SENT), [PEV_ACCEPTED] = TO(PROC_ENDED), [PEV_EXPIRED] = TO(PROC_ENDED) },
	[PROC_SENT] = { [PEV_ACCEPTED] = TO(PROC_ENDED),
			[PEV_REFUSED] = TO(PROC_ENDED),
			[PEV_LOST] = TO(PROC_QUEUED), /* asking again does no harm */
			[PEV_EXPIRED] = TO(PROC_ENDED) },
};

static const uint8_t create_next[PROC_STATES][PEV_EVENTS] = {
	[PROC_QUEUED] = { [PEV_FETCHED] = TO(PROC_SENT), [PEV_DONE] = TO(PROC_ENDED), [PEV_EXPIRED] = TO(PROC_ENDED) },
	[PROC_SENT] = { [PEV_ACCEPTED] = TO(PROC_ENDED),
			[PEV_REFUSED] = TO(PROC_ENDED),
			[PEV_LOST] = TO(PROC_SENT),
			[PEV_NOT_DONE] = TO(PROC_QUEUED),
			[PEV_DONE] = TO(PROC_ENDED),
			[PEV_EXPIRED] = TO(PROC_ENDED) },
};

/* Nothing of it is ever sent twice: the chain of its MACs would break. */
static const uint8_t send_next[PROC_STATES][PEV_EVENTS] = {
	[PROC_QUEUED] = { [PEV_FETCHED] = TO(PROC_SENT), [PEV_REFUSED] = TO(PROC_ENDED), [PEV_EXPIRED] = TO(PROC_ENDED) },
	[PROC_SENT] = { [PEV_FETCHED] = TO(PROC_SENT), /* its next script */
			[PEV_ACCEPTED] = TO(PROC_ENDED),
			[PEV_NOT_DONE] = TO(PROC_QUEUED), /* no part of it has left: not what an SM-DP sent */
			[PEV_REFUSED] = TO(PROC_ENDED),
			[PEV_LOST] = TO(PROC_ENDED),
			[PEV_EXPIRED] = TO(PROC_ENDED) },
};

/* What the card does of it is judged elsewhere; here only who manages it counts. */
#define MOVING_ROW(here, expired)                                                                                          \
	{ [PEV_FETCHED] = TO(here), [PEV_ACCEPTED] = TO(here), [PEV_REFUSED] = TO(here), [PEV_LOST] = TO(here),            \
	  [PEV_NOT_DONE] = TO(here), [PEV_DONE] = TO(here), [PEV_EXPIRED] = expired, [PEV_MOVED] = TO(PROC_ENDED),         \
	  [PEV_KEPT] = TO(PROC_ENDED) }

static const uint8_t smsr_change_next[PROC_STATES][PEV_EVENTS] = {
	[PROC_MOVING] = MOVING_ROW(PROC_MOVING, TO(PROC_DOUBT)),
	[PROC_DOUBT] = MOVING_ROW(PROC_DOUBT, 0),
};

/* Not tried again here: the sm-sr-handover asks for it anew. */
static const uint8_t handover_step_next[PROC_STATES][PEV_EVENTS] = {
	[PROC_QUEUED] = { [PEV_FETCHED] = TO(PROC_SENT), [PEV_REFUSED] = TO(PROC_ENDED), [PEV_EXPIRED] = TO(PROC_ENDED) },
	[PROC_SENT] = { [PEV_FETCHED] = TO(PROC_SENT),
			[PEV_ACCEPTED] = TO(PROC_ENDED),
			[PEV_REFUSED] = TO(PROC_ENDED),
			[PEV_LOST] = TO(PROC_ENDED),
			[PEV_NOT_DONE] = TO(PROC_QUEUED), /* its packet never reached the card */
			[PEV_EXPIRED] = TO(PROC_ENDED) },
};

enum procedure_state procedure_next(enum procedure_kind kind, enum procedure_state state, enum procedure_event event)
{
	static const uint8_t(*const tables[PROC_KINDS])[PEV_EVENTS] = {
		[PROC_ENABLE] = switch_next,
		[PROC_AUDIT] = audit_next,
		[PROC_DISABLE] = switch_next,
		[PROC_DELETE] = delete_next,
		[PROC_AUTO_DELETE] = auto_delete_next,
		[PROC_CREATE] = create_next,
		[PROC_SEND] = send_next,
		[PROC_SMSR_CHANGE] = smsr_change_next,
		[PROC_HANDOVER_STEP] = handover_step_next,
	};
	uint8_t next;

	if (kind >= PROC_KINDS || state >= PROC_STATES || event >= PEV_EVENTS)
		return PROC_STATES;
	next = tables[kind][state][event];
	return next ? (enum procedure_state)(next - 1) : PROC_STATES;
}

enum procedure_state procedure_first(enum procedure_kind kind, bool enabled)
{
	if (kind == PROC_SMSR_CHANGE)
		return PROC_MOVING;
	return kind == PROC_AUTO_DELETE || (kind == PROC_DELETE && !enabled) ? PROC_DELETE_QUEUED : PROC_QUEUED;
}

bool procedure_switches(enum procedure_kind kind, enum procedure_state state)
{
	return (kind == PROC_ENABLE || kind == PROC_DISABLE || kind == PROC_DELETE) && state <= PROC_CONFIRMING;
}

bool procedure_untouched(enum procedure_state state)
{
	return state == PROC_QUEUED || state == PROC_DELETE_QUEUED;
}

const char *procedure_kind_name(enum procedure_kind k)
{
	static const char *const names[PROC_KINDS] = { "enable", "audit", "disable", "delete", "auto_delete", "create", "send",
						       "smsr_change", "handover_step" };

	return k < PROC_KINDS ? names[k] : "?";
}

const char *procedure_state_name(enum procedure_state s)
{
	static const char *const names[PROC_STATES] = { "queued", "sent", "taken", "confirming", "ended", "delete_queued", "delete_sent",
							"moving", "doubt" };

	return s < PROC_STATES ? names[s] : "?";
}

const char *procedure_event_name(enum procedure_event e)
{
	static const char *const names[PEV_EVENTS] = { "fetched",     "accepted",      "refused", "notified", "confirmed", "rolled_back",
						       "other_profile", "lost", "not_done", "done", "expired", "moved", "kept" };

	return e < PEV_EVENTS ? names[e] : "?";
}

bool pol2_has(const struct pol2 *p, enum pol2_action action, enum pol2_qualification qualification)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].action == action && p->rules[i].qualification == qualification)
			return true;
	return false;
}

result pol2_allow_enable(struct arena *a, const struct profile_info *target, const struct profile_info *enabled)
{
	if (pol2_has(&target->pol2, POL2_ENABLE, POL2_NOT_ALLOWED))
		return failed(a, CODE_POL2_REFUSES, target->iccid.text, "POL2: enabling is not allowed");
	if (enabled && pol2_has(&enabled->pol2, POL2_DISABLE, POL2_NOT_ALLOWED))
		/* Whose it is may be no business of the requester: it is not named (D2). */
		return failed(a, CODE_POL2_REFUSES, target->iccid.text, "POL2 of the enabled profile: disabling is not allowed");
	return OK;
}

result pol2_allow_disable(struct arena *a, const struct profile_info *target)
{
	if (pol2_has(&target->pol2, POL2_DISABLE, POL2_NOT_ALLOWED))
		return failed(a, CODE_POL2_REFUSES, target->iccid.text, "POL2: disabling is not allowed");
	return OK;
}

result pol2_allow_delete(struct arena *a, const struct profile_info *target)
{
	if (pol2_has(&target->pol2, POL2_DELETE, POL2_NOT_ALLOWED))
		return failed(a, CODE_POL2_REFUSES, target->iccid.text, "POL2: deletion is not allowed");
	return target->state == PROFILE_ENABLED ? pol2_allow_disable(a, target) : OK;
}

bool pol2_deletes(const struct profile_info *disabled)
{
	return !disabled->fallback && pol2_has(&disabled->pol2, POL2_DISABLE, POL2_AUTO_DELETE);
}

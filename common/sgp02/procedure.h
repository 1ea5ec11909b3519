/* SPDX-License-Identifier: Apache-2.0 */
/* Procedures that command a card, as tables (design.md 4): which event moves which state where. Pure; the one mover is the sm-sr's
 * procedure_step. */
#ifndef SGP02_PROCEDURE_H
#define SGP02_PROCEDURE_H

#include "common/sgp02/eis.h"

enum procedure_kind { PROC_ENABLE, PROC_AUDIT, PROC_KINDS };

enum procedure_state {
	PROC_QUEUED,     /* its command waits for the card */
	PROC_SENT,       /* the card fetched it */
	PROC_TAKEN,      /* the card said 9000; what came of it its notification will say (procedures.md 3.5) */
	PROC_CONFIRMING, /* the notification came and its confirmation was sent */
	PROC_ENDED,
	PROC_STATES
};

enum procedure_event {
	PEV_FETCHED,   /* a session took the command */
	PEV_ACCEPTED,  /* 9000 */
	PEV_REFUSED,   /* any other status word, a script the card could not read, or a target it does not know */
	PEV_NOTIFIED,  /* notification 02 with the wanted AID, in time */
	PEV_CONFIRMED, /* the card answered the confirmation */
	PEV_ROLLED_BACK, /* notification 03 */
	PEV_OTHER_PROFILE, /* notification 05, or 02 with another AID: the card went elsewhere */
	PEV_LOST,      /* the session that fetched it ended without an answer: the card is audited */
	PEV_NOT_DONE,  /* that audit shows that the card did not execute it: it is queued again */
	PEV_DONE,      /* that audit shows that it did: the notification is awaited */
	PEV_EXPIRED,   /* the validity period is over */
	PEV_EVENTS
};

/* The next state; PROC_STATES: this event cannot happen here (it is logged and changes nothing). */
enum procedure_state procedure_next(enum procedure_kind kind, enum procedure_state state, enum procedure_event event);
const char *procedure_kind_name(enum procedure_kind k);   /* "enable" */
const char *procedure_state_name(enum procedure_state s); /* "sent" */
const char *procedure_event_name(enum procedure_event e);

/* What POL2 says to enabling target while enabled (may be NULL) is the enabled one (procedures.md 3.10). OK or 8.2.3/3.8 naming
 * target's ICCID. */
result pol2_allow_enable(struct arena *a, const struct profile_info *target, const struct profile_info *enabled);
/* True when the rules have this action with this qualification. */
bool pol2_has(const struct pol2 *p, enum pol2_action action, enum pol2_qualification qualification);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Procedures that command a card, as tables (design.md 4): which event moves which state where. Pure; the one mover is the sm-sr's
 * procedure_step. */
#ifndef SGP02_PROCEDURE_H
#define SGP02_PROCEDURE_H

#include "common/sgp02/eis.h"

/* Numbers stand in rows: new ones are added at the end. */
enum procedure_kind {
	PROC_ENABLE,
	PROC_AUDIT,
	PROC_DISABLE,     /* the fall-back profile takes over */
	PROC_DELETE,      /* of an enabled profile: disables it first */
	PROC_AUTO_DELETE, /* POL2 wants a profile deleted that was disabled; nobody waits for it */
	PROC_CREATE,      /* an ISD-P is made */
	PROC_SEND,        /* what an SM-DP has secured goes to an ISD-P, in one script or several */
	PROC_SMSR_CHANGE, /* the card is locked for its SM-SR change, whose steps are the sm-sr-handover's (common/sgp02/handover.h) */
	PROC_HANDOVER_STEP, /* what the sm-sr-handover has a card execute that was adopted; nobody's call waits for it */
	PROC_KINDS
};

enum procedure_state {
	PROC_QUEUED,     /* its command (enable, disable, GET STATUS) waits for the card */
	PROC_SENT,       /* the card fetched it */
	PROC_TAKEN,      /* the card said 9000; what came of it its notification will say (procedures.md 3.5) */
	PROC_CONFIRMING, /* the notification came and its confirmation was sent */
	PROC_ENDED,
	PROC_DELETE_QUEUED, /* DELETE waits for the card: from the beginning, or after the profile was disabled */
	PROC_DELETE_SENT,   /* the card fetched it; its answer is the outcome */
	PROC_MOVING,        /* until drop or unlock; commands that go to the card meanwhile do not move it */
	PROC_DOUBT,         /* the same, and the caller was told that its time is over: no clock ends it (decisions.md E1) */
	PROC_STATES
};

enum procedure_event {
	PEV_FETCHED,   /* a session took the command */
	PEV_ACCEPTED,  /* 9000 */
	PEV_REFUSED,   /* any other status word, a script the card could not read, or a target it does not know */
	PEV_NOTIFIED,  /* notification 02: the profile is enabled that shall be, in time */
	PEV_CONFIRMED, /* the card answered the confirmation */
	PEV_ROLLED_BACK, /* notification 03 */
	PEV_OTHER_PROFILE, /* notification 05, or 02 with another AID: the card went elsewhere */
	PEV_LOST,      /* the session that fetched it ended without an answer: the card is audited */
	PEV_NOT_DONE,  /* that audit shows that the card did not execute it: it is queued again */
	PEV_DONE,      /* that audit shows that it did: the notification is awaited; of a DELETE: the profile is gone */
	PEV_EXPIRED,   /* the validity period is over */
	PEV_MOVED,     /* the sm-sr-handover says that another SM-SR manages the card */
	PEV_KEPT,      /* or that it stays here */
	PEV_EVENTS
};

/* The next state; PROC_STATES: this event cannot happen here (it is logged and changes nothing). */
enum procedure_state procedure_next(enum procedure_kind kind, enum procedure_state state, enum procedure_event event);
/* Where it begins. enabled: its profile is the enabled one. */
enum procedure_state procedure_first(enum procedure_kind kind, bool enabled);
/* True in the states of an enable, disable, or delete in which the card changes its profile: until it has confirmed that. */
bool procedure_switches(enum procedure_kind kind, enum procedure_state state);
/* The card has no command of it yet. */
bool procedure_untouched(enum procedure_state state);
const char *procedure_kind_name(enum procedure_kind k);   /* "enable" */
const char *procedure_state_name(enum procedure_state s); /* "sent" */
const char *procedure_event_name(enum procedure_event e);

/* What POL2 says to enabling target while enabled (may be NULL) is the enabled one (procedures.md 3.10). OK or 8.2.3/3.8 naming
 * target's ICCID. */
result pol2_allow_enable(struct arena *a, const struct profile_info *target, const struct profile_info *enabled);
/* The same for disabling target (R1), and for deleting it (R2, and R1 when it has to be disabled before). */
result pol2_allow_disable(struct arena *a, const struct profile_info *target);
result pol2_allow_delete(struct arena *a, const struct profile_info *target);
/* R3: it is to be deleted now that it was disabled. Never the holder of the fall-back attribute. */
bool pol2_deletes(const struct profile_info *disabled);
/* True when the rules have this action with this qualification. */
bool pol2_has(const struct pol2 *p, enum pol2_action action, enum pol2_qualification qualification);

#endif

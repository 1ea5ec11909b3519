/* SPDX-License-Identifier: Apache-2.0 */
/* The SM-SR change (SGP.02 3.8; the 32 steps of procedures.md 3.20) as two tables, one for each SM-SR: which event moves which state where,
 * and what the caller is told (decisions.md E1, E2). Pure; the movers are the sm-sr-handover's. */
#ifndef SGP02_HANDOVER_H
#define SGP02_HANDOVER_H

#include "common/sgp02/eis.h"

/* ---- SM-SR1, who has the card: an order ES4.SMSRChange ---- */

/* Numbers stand in rows: new ones are added at the end. The EID is locked in all but the last two. */
enum handover_out_state {
	HOUT_LOCKING,    /* step 4: the sm-sr has locked the EID and shall give its EIS */
	HOUT_CALLING,    /* 5 to 7: HandoverEUICC is open, nothing came back yet; or what came was refused by the card */
	HOUT_CERTIFYING, /* 8 to 12: AuthenticateSMSR came, the card has the certificate */
	HOUT_CERTIFIED,  /* 13 to 15: RC was answered */
	HOUT_KEYING,     /* 16 to 21: CreateAdditionalKeySet came, the card has the request */
	HOUT_ANSWERED,   /* 22 to 28: the receipt was answered: only SM-SR2 knows from here on whose the card is */
	HOUT_DOUBT,      /* the same, and the operator was told that his time is over */
	HOUT_DROPPING,   /* 29: SM-SR2 manages it; the sm-sr shall drop the EIS, leaving a tombstone */
	HOUT_UNLOCKING,  /* it stays here; the sm-sr shall unlock it */
	HOUT_MOVED,
	HOUT_KEPT,
	HANDOVER_OUT_STATES
};

enum handover_out_event {
	HOEV_LOCKED,        /* the EIS of the locked card is here */
	HOEV_BUSY,          /* the sm-sr does not give it */
	HOEV_AUTHENTICATE,  /* AuthenticateSMSR of the announced SM-SR */
	HOEV_CHALLENGE,     /* the card said RC */
	HOEV_KEYSET,        /* CreateAdditionalKeySet of the announced SM-SR, signed over what is built here */
	HOEV_RECEIPT,       /* the card said the receipt: in the transaction that answers it */
	HOEV_CARD_FAILED,   /* the card refused, or its time is over */
	HOEV_MANAGED,       /* HandoverEUICC was answered with success or a warning: also "already managed" */
	HOEV_REFUSED,       /* it was answered FAILED */
	HOEV_PEER_EXPIRED,  /* it was answered EXPIRED: which says nothing of the card */
	HOEV_SILENT,        /* no answer: it is repeated with the same identifier */
	HOEV_DEADLINE,      /* the operator's time is over */
	HOEV_SETTLED,       /* the sm-sr has dropped or unlocked it */
	HOEV_RESOLVE_MOVED, /* a person says where the card is (rspctl smsr-change resolve) */
	HOEV_RESOLVE_KEPT,
	HANDOVER_OUT_EVENTS
};

/* The next state; HANDOVER_OUT_STATES: this event cannot happen here, or not any more (it is logged and changes nothing; a request of the
 * other SM-SR that it stands for is refused with 8.1.1/1.1). */
enum handover_out_state handover_out_next(enum handover_out_state state, enum handover_out_event event);
bool handover_out_ended(enum handover_out_state s);
/* The receipt was answered and SM-SR2 has not: nothing but its word, or a person's, unlocks the EID (E1). HandoverEUICC is repeated. */
bool handover_out_in_doubt(enum handover_out_state s);

/* What the caller of the function that began it is told. */
enum handover_tell { HANDOVER_NOTHING, HANDOVER_SUCCESS, HANDOVER_WARNING, HANDOVER_FAILED, HANDOVER_EXPIRED };
/* The answer to SMSRChange that goes out in the transaction of this event; told: one went out before. A warning of SM-SR2 makes a success a
 * warning; the code of a failure is the mover's. */
enum handover_tell handover_out_tells(enum handover_out_state state, enum handover_out_event event, bool told);

const char *handover_out_state_name(enum handover_out_state s); /* "certifying" */
const char *handover_out_event_name(enum handover_out_event e); /* "peer_expired" */
/* HANDOVER_OUT_STATES: there is no such state. */
enum handover_out_state handover_out_state_by_name(const char *name);

/* ---- SM-SR2, who shall have it: from ES4.PrepareSMSRChange on ---- */

/* Numbers stand in rows: new ones are added at the end. */
enum handover_in_state {
	HIN_PREPARED,       /* step 3: announced, until its time is over */
	HIN_AUTHENTICATING, /* 7 to 13: the EIS came and is good; AuthenticateSMSR is called */
	HIN_KEYING,         /* 14 to 22: CreateAdditionalKeySet is called */
	HIN_ADOPTING,       /* 23: the receipt holds: ours, whatever follows. The sm-sr shall take EIS and KS2 */
	HIN_PUTTING_KEY,    /* 24, 26: the card gets a key set for HTTPS (E2) */
	HIN_ADDRESSING,     /* 26: and where to go */
	HIN_FINALISING,     /* 25: and forgets SM-SR1's keys */
	HIN_AUDITING,       /* 27, 28: HandoverEUICC is answered; a session with the new key mends the EIS */
	HIN_OWNED,          /* 31, 32: the operators are told */
	HIN_FAILED,         /* the attempt is dead: a receipt that comes now is refused. The EIS is gone */
	HIN_LAPSED,         /* nobody handed it over in time */
	HANDOVER_IN_STATES
};

enum handover_in_event {
	HIEV_HANDOVER,    /* HandoverEUICC of the announced SM-SR, and its EIS is good */
	HIEV_CHALLENGE,   /* RC came */
	HIEV_RECEIPT,     /* the receipt came and holds: the commit point */
	HIEV_BAD_RECEIPT, /* it does not hold */
	HIEV_REFUSED,     /* AuthenticateSMSR or CreateAdditionalKeySet was answered FAILED or EXPIRED */
	HIEV_SILENT,      /* no answer to what was called or asked: it is repeated with the same identifier */
	HIEV_ASKED,       /* HandoverEUICC came again and counts as a question (handover_in_repeated) */
	HIEV_DEADLINE,    /* its time, or the preparation's, is over */
	HIEV_ADOPTED,     /* the sm-sr has it */
	HIEV_ADOPTED_SMS, /* the same, and the card has no HTTPS: no key set for it */
	HIEV_CARD_DONE,   /* the card executed what the state is about */
	HIEV_CARD_FAILED, /* it refused, or could not be reached: it is tried again later */
	HIEV_SKIPPED,     /* a person leaves that step out (rspctl smsr-change resolve) */
	HANDOVER_IN_EVENTS
};

/* The next state; HANDOVER_IN_STATES: this event cannot happen here, or not any more: it changes nothing. */
enum handover_in_state handover_in_next(enum handover_in_state state, enum handover_in_event event);
bool handover_in_ended(enum handover_in_state s);
/* At or behind the commit point: FAILED is never answered any more. */
bool handover_in_committed(enum handover_in_state s);
/* The answer to HandoverEUICC that goes out in the transaction of this event; told: one went out before. */
enum handover_tell handover_in_tells(enum handover_in_state state, enum handover_in_event event, bool told);

/* HandoverEUICC for an EID that has a row already. In its time a repetition waits for the same answer (A1): a connection broke, or a parked
 * caller was sent away. Later it is the question of E1: before the commit the attempt is marked dead first, then FAILED is answered. */
enum handover_repeat {
	HANDOVER_BEGINS,  /* HIN_PREPARED: the attempt begins */
	HANDOVER_WAITS,   /* one more to be answered */
	HANDOVER_DIES,    /* HIEV_ASKED, then FAILED 8.7/4.2 */
	HANDOVER_MANAGED, /* a warning: 8.1/3.3 */
	HANDOVER_DEAD,    /* FAILED 8.7/4.2 */
	HANDOVER_UNKNOWN, /* nothing was announced, or not for now: FAILED 8.1.1/1.1, as without a row */
};
enum handover_repeat handover_in_repeated(enum handover_in_state state, bool in_time);

const char *handover_in_state_name(enum handover_in_state s); /* "putting_key" */
const char *handover_in_event_name(enum handover_in_event e);
enum handover_in_state handover_in_state_by_name(const char *name);

/* The lowest key version of this kind (KEYSET_SCP80: 01..0F, KEYSET_SCP81: 40..4F) that the handed EIS does not list for its ISD-R (E2):
 * versions travel, keys do not. 0: none is free. */
uint8_t handover_free_kvn(const struct eis *eis, enum keyset_type kind);

#endif

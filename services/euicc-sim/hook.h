/* SPDX-License-Identifier: Apache-2.0 */
/* What a test may make go wrong (procedures.md 4.10), by the control socket: armed per EID, counted down as it strikes. */
#ifndef EUICC_SIM_HOOK_H
#define EUICC_SIM_HOOK_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/sgp02/ids.h"

enum hook_kind {
	HOOK_REFUSE_ATTACH,     /* argument: ICCID; until it is cleared */
	HOOK_DROP_SMS,          /* to the card: the next n SMS are lost */
	HOOK_DUPLICATE_SMS,     /* the next n SMS come twice */
	HOOK_DELAY_SMS,         /* argument: ms, the next n */
	HOOK_DROP_POR,          /* the next n PoRs are lost */
	HOOK_DROP_RECEIPT,
	HOOK_LOSE_SMS,          /* argument: PERCENT or PERCENT:SEED, also of the next two: each SMS to and from the card may be lost */
	HOOK_REPEAT_SMS,        /* ... may come twice */
	HOOK_REORDER_SMS,       /* ... may come late, behind those that were sent after it */
	HOOK_NO_SESSIONS,       /* it opens no HTTPS session, until that is cleared: triggers are taken, notifications go by SMS */
	HOOK_DROP_NOTIFICATION, /* the next n sessions for a notification do not come about */
	HOOK_DELAY_NOTIFICATION, /* argument: ms before the notification is sent */
	HOOK_DUPLICATE_NOTIFICATION, /* it is sent again after it was confirmed */
	HOOK_HOLD_ANSWER,       /* scripts are executed, their answers held back until the hook is cleared */
	HOOK_CORRUPT_ANSWER,    /* argument: truncate | oversize | garbage | unknown-sw: of the next n script answers */
	HOOK_WRONG_URI,         /* the next notification names the EID in the argument */
	HOOK_WRONG_PSK,         /* the next n sessions use a wrong key */
	HOOK_POWER_CUT,         /* argument: before-script | after-script | after-switch: the card loses power there, once; power-on ends it */
	HOOK_IGNORE_SMS,        /* takes the SMS (PoR), opens no session, n times */
	HOOK_ENDLESS_SESSION,   /* never ends its session: posts empty requests as fast as it is answered */
	HOOK_RESUME,            /* drops its connection after the next script came, comes back with X-Admin-Resume: true */
	HOOK_NO_MEMORY,         /* argument: create | install | empty: CreateISDP, or the next profile element, finds no memory */
	HOOK_BAD_CHALLENGE,     /* the answer to the next STORE DATA 3A01 is cut off */
	HOOK_BAD_RECEIPT,       /* the receipt of the next key agreement is wrong */
	HOOK_BAD_MAC,           /* the next segment of a profile comes altered: its MAC does not hold */
	HOOK_BAD_ANSWER,        /* argument: cryptogram | mac: the card's own is wrong in its next answer of SCP03t that has one */
	HOOK_PE_FAIL,           /* argument: n: the n-th profile element, from 1, cannot be stored */
	HOOK_TRACE,             /* argument: a file: a line per request and answer, EID "sent" | "got" path body (hex) */
	HOOK_COUNT
};
const char *hook_name(enum hook_kind k); /* "refuse-attach", ... */
bool hook_parse(const char *name, enum hook_kind *out);

struct hooks; /* of one process */
struct hooks *hooks_new(void);
void hooks_free(struct hooks *h);
/* times 0: until cleared. eid NULL: every card. argument may be "". Armed anew it replaces what was; refuse-attach: per ICCID. */
void hook_arm(struct hooks *h, enum hook_kind k, const struct eid *eid, unsigned times, const char *argument);
void hook_clear(struct hooks *h, enum hook_kind k, const struct eid *eid);
/* True: it strikes now, and counts down. *out_argument (may be NULL) lives until the next call. */
bool hook_strikes(struct hooks *h, enum hook_kind k, const struct eid *eid, const char **out_argument);
/* The same, for those only whose argument is this one or empty: a place (power-cut), a profile (refuse-attach). */
bool hook_strikes_at(struct hooks *h, enum hook_kind k, const struct eid *eid, const char *argument);
/* The same by chance: each time a number is drawn from the row's own seed, so that a run can be repeated. */
bool hook_chance(struct hooks *h, enum hook_kind k, const struct eid *eid);
/* Is PERCENT or PERCENT:SEED what it says? */
bool hook_chance_good(const char *argument);
/* A JSON array of what is armed. */
void hooks_json(const struct hooks *h, struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* rq `command`: what the sm-sr-handover of this domain has a card execute for an SM-SR change (procedures.md 3.20 steps 8 to 27; decisions.md
 * C1, E2). Asked once for each (handover, step); what came of it is asked of the sm-sr-handover as `outcome`, in the transaction that ends it.
 * At SM-SR1 a step runs under the lock of the handover, which is the running procedure; at SM-SR2 it is a procedure of its own. */
#ifndef SMSR_HANDOVER_COMMAND_H
#define SMSR_HANDOVER_COMMAND_H

#include "common/card/script.h"
#include "common/rpc/ask.h"
#include "services/sm-sr/card_case.h"

/* Numbers stand in rows. */
enum handover_command {
	HANDOVER_CERTIFICATE,
	HANDOVER_REQUEST, /* ES5.establishISDRKeySet: STORE DATA 3A01, 3A02 */
	HANDOVER_PUT_KEY, /* a set for HTTPS, by SMS under KS2, as are the next two */
	HANDOVER_ADDRESSING,
	HANDOVER_FINALISE,
	HANDOVER_AUDIT,
	HANDOVER_COMMANDS
};

/* What the case has of the step that runs; at most one runs for a card. */
struct handover_step {
	const char *handover, *step;
	enum handover_command command;
	uint8_t kvn;      /* of the SCP81 set that it is about; 0: none */
	const char *keep; /* of a finalise: versions of key sets, blank between two */
	bool overdue;     /* until <= the database's now(), when loaded */
};

/* The verb, and its bells. Refused: 1.6/2.1 for what cannot be read or built, 8.1.1/1.1, 1.2/4.4 while the card is busy (to be asked again), 8.7/4.2 when the
 * card is not locked by that handover. */
result handover_command(struct asking *q);
void handover_command_committed(struct asking *q);

/* ---- For the engine ---- */

/* Is it the script of a step? An audit's is a GET STATUS like any other. */
bool command_is_handover(enum command_kind kind);
/* Only by SMS, whatever else the card can: the key set that secures it must be the new one. */
bool command_only_by_sms(enum command_kind kind);
/* The answer to a step's script came. */
void handover_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer);
/* The card may have executed it or not, and says no more: never sent twice by itself. */
void handover_silent(struct card_case *c, const struct card_command *m);
/* Its packet never reached the card: it is sent again. */
void handover_not_sent(struct card_case *c, struct card_command *m);
/* The time of the running step is over, under the lock of a handover. */
void handover_expire(struct card_case *c);
/* Ends the running step of the case, as its procedure ends: tells the outcome. response: data and status word of its script, empty: none. */
void handover_step_end(struct card_case *c, result outcome, struct bytes response);
/* The same outcome once more, as it was told. */
void handover_tell_again(struct card_case *c, const char *handover, const char *step, const char *told);

#endif

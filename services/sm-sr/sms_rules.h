/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an SMS (decisions.md C6, C7): pure decisions, so that tests reach them all. */
#ifndef SMSR_SMS_RULES_H
#define SMSR_SMS_RULES_H

#include "services/sm-sr/sms_store.h"

/* How a card gets what is due (C6; docs/operate.md): by its capability, by size, and by what it answers to. after: SMS_AFTER. */
enum sms_bearer { SMS_BEARER_SESSION, SMS_BEARER_SMS, SMS_BEARER_NONE };
enum sms_bearer sms_bearer_of(const struct smsr *smsr, const struct sms_due *d);

/* What is due: send it (again), or end it; why: of a failure. */
enum sms_move { SMS_MOVE_SEND, SMS_MOVE_DONE, SMS_MOVE_FAIL };
enum sms_move sms_due_move(const struct sms_row *r, unsigned tries, const char **out_why);

/* How long the SMSC is to try, in ms: a command's packet not beyond its last attempt, after which another takes its place; a trigger as long as
 * there is anything to come for. */
int64_t sms_valid_ms(const struct sms_row *r, unsigned tries, unsigned retry_ms);

/* What submit_sm_resp says. */
enum sms_answer_move {
	SMS_ACCEPTED,  /* wait for the PoR */
	SMS_LATER,     /* the same bytes, soon; it does not count as an attempt */
	SMS_LATER_ALL, /* and nothing else meanwhile: the SMSC is throttling us */
	SMS_LATER_COUNTED,
	SMS_REFUSED, /* for good */
};
enum sms_answer_move sms_answer_of(uint32_t status);
const char *sms_status_text(struct arena *a, uint32_t status);

/* A receipt is a hint: when the next attempt is due, in ms from now; -1: as before. */
int64_t sms_receipt_hint(const char *state, unsigned retry_ms);

/* What an opened PoR means for the packet it answers. */
enum sms_por_move {
	SMS_POR_NOTHING, /* another packet's, or nothing that proves anything */
	SMS_POR_HINT,    /* an unprotected error: for the log */
	SMS_POR_DONE,
	SMS_POR_FAILED, /* the card refuses the packet */
};
enum sms_por_move sms_por_of(const struct sms_row *r, const struct scp80_por *por);

#endif

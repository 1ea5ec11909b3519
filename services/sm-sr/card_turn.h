/* SPDX-License-Identifier: Apache-2.0 */
/* A card's turn: what it said is settled, and what it gets next is chosen (decisions.md C2, C3, C9). In a session (card_session.c) and by SMS
 * (sms_command.c) alike: c->session says for whom, it is set before. Nothing is sent here. */
#ifndef SMSR_CARD_TURN_H
#define SMSR_CARD_TURN_H

#include "services/sm-sr/card_case.h"

struct card_turn {
	struct card_case *c;
	bool asked_status; /* GET STATUS went out in this session: it is not asked again and again */
	bool by_sms;       /* what is chosen must go in a packet */
	bool fetches;      /* out: a queued command was chosen */
};

/* What this session has fetched and not answered; NULL: nothing. */
struct card_command *card_turn_fetched(const struct card_case *c, const char *session);
/* A script that is on its way to the card by SMS; NULL: none. */
struct card_command *card_turn_by_sms(const struct card_case *c);
/* The answer to m came. */
void card_turn_answered(struct card_case *c, struct card_command *m, struct bytes body);
/* The card's notification. What else it had fetched it does not answer any more: the next answer is the confirmation's. Its command,
 * fetched by c->session; NULL: it is not confirmed. */
struct card_command *card_turn_notified(struct card_case *c, const struct notification *n);
/* Expires what is overdue, begins what follows, then: what c->session has still to answer, the list of an uncertain card, or the next command,
 * which is fetched by that. NULL: nothing now. */
struct card_command *card_turn_next(struct card_turn *t);

/* Does a script go in an SMS packet? Of kinds that take a few bytes, and not too long (SMS_SCRIPT_MAX). */
bool card_turn_fits_sms(const struct smsr *smsr, enum command_kind kind, size_t script_len);
/* For log and journal. */
const char *command_kind_name(enum command_kind kind);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A card's turn by SMS (decisions.md C3, C6): what a POST is in a session, one transaction is here. The packet with the next script is built in it,
 * with the counter that it takes. The lane's thread alone calls this. */
#ifndef SMSR_SMS_COMMAND_H
#define SMSR_SMS_COMMAND_H

#include "common/card/notification.h"
#include "services/sm-sr/sms_internal.h"

enum sms_said_kind {
	SMS_SAID_DUE,    /* nothing: a command is due */
	SMS_SAID_ANSWER, /* the proof of receipt of a command's packet, with the script's answer */
	SMS_SAID_NOTE,   /* its notification */
	SMS_SAID_LOST,   /* a command's packet has ended without an answer */
};

/* All of it lives in the lane's arena. */
struct sms_said {
	enum sms_said_kind kind;
	struct eid eid;
	struct sms_path path;     /* where the next packet goes, and by which keys; not of LOST */
	int64_t id;               /* ANSWER: the packet */
	const char *session;      /* ANSWER, LOST: of the command's chain of packets */
	struct bytes answer;
	struct notification note;
	const char *why;          /* LOST: how the packet ended */
	bool reached;             /* LOST: a part of it may have come to the card */
	const char *from;         /* what came in parts is dropped from sms_in: its sender; NULL: it did not */
	uint8_t ref, total;
};

/* What became of it. */
enum sms_turn {
	SMS_TURN_DONE,
	SMS_TURN_UNSETTLED, /* this card cannot be settled; nothing is changed. Logged */
	SMS_TURN_DATABASE,  /* the database does not take it now; nothing is changed */
};
enum sms_turn sms_turn(struct sms_lane *l, const struct sms_said *said);

/* Cards whose command's packet has ended without an answer: their turn. False: the database failed. */
bool sms_lost_due(struct sms_lane *l);

#endif

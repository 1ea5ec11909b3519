/* SPDX-License-Identifier: Apache-2.0 */
/* A card of the simulator that changes its SM-SR, between a real database and nobody else: what is due goes to it by the way that the lane
 * would take. The test is the sm-sr-handover of both SM-SRs; d->dp signs for SM-SR2. */
#ifndef TESTS_HANDOVER_CARD_H
#define TESTS_HANDOVER_CARD_H

#include "common/card/isdr_agreement.h"
#include "services/sm-sr/card_session.h"
#include "services/sm-sr/handover_command.h"
#include "services/sm-sr/handover_keys.h"
#include "services/sm-sr/isdr_keys.h"
#include "services/sm-sr/sms_command.h"
#include "services/sm-sr/sms_rules.h"
#include "services/sm-sr/sms_trigger.h"
#include "tests/unit/services/download.h"
#include "tests/unit/services/procedure_fixture.h"

/* SM-SR1's key sets, and SM-SR2's. */
enum { OLD = 0x01, OLD_HTTPS = 0x40, NEW = 0x02, NEW_HTTPS = 0x41, NEW_COUNTER = 100 };
#define HANDOVER "6f1b1f3e-3f0a-4f57-9c7b-7f4f5a0c1d2e"
#define UNTIL_LATER "2099-01-01T00:00:00Z"

/* What becomes of a step's script on its way; nothing happens to others. */
enum loss {
	NOTHING_LOST,
	ANSWER_LOST,
	NEVER_SENT, /* by SMS: no part of its packet left */
};

struct change {
	struct stage *s;
	struct download d;
	struct sms_lane lane;
	int64_t newest; /* counter of a packet: none comes twice or later than a higher one */
	unsigned packets, sessions;
	struct ram_trigger trigger; /* of the newest SMS that woke it */
	struct buf script;          /* the last script of a step that was seen: its C-APDU */
};

struct change *change_open(void);
void change_close(struct change *w);
/* The card as SM-SR1 has it, locked by the handover. */
void change_at_sr1(struct change *w, bool https);
/* As SM-SR2 adopted it: w->d.keys are KS2; old versions are listed. */
void change_at_sr2(struct change *w, bool https);
void change_unlock(struct change *w);
void change_uncertain(struct change *w);

/* rq `command`: members behind eid: ",\"command\":\"audit\"". Committed when OK. */
result change_ask(struct change *w, const char *handover, const char *step, const char *members);
/* What is due now goes to the card, until nothing is left to send. False: nothing was due. */
bool change_go(struct change *w, enum loss loss);
/* The packet that is due is answered with this, and the card never had it. */
void change_says(struct change *w, struct bytes data, uint16_t sw);
/* The card opens a session by itself, with its key of this version. */
void change_session(struct change *w, uint8_t kvn, enum loss loss);
/* May a session be opened with this version? */
bool change_psk(struct change *w, uint8_t kvn);
/* The time of the running step is over, and the sweeper comes. */
void change_overdue(struct change *w);

/* Outcomes that wait in the outbox, and a member of the newest. */
int64_t change_outcomes(struct change *w);
const char *change_outcome(struct change *w, const char *member);
/* "version:stage:keys ..." as the database has them. */
const char *change_keysets(struct change *w);
unsigned change_card_keys(const struct change *w, uint8_t version);

#endif

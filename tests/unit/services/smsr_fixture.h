/* SPDX-License-Identifier: Apache-2.0 */
/* The sm-sr-handover, as far as the sm-sr hears of it: what it asks, what it answers, a transaction each. */
#ifndef TESTS_SMSR_FIXTURE_H
#define TESTS_SMSR_FIXTURE_H

#include "services/sm-sr/smsr_change.h"
#include "tests/unit/services/procedure_fixture.h"

/* Asks verb: members is what its request has besides handover, step and eid, a comma before each. *out (may be NULL): further members of the
 * answer, as an object. */
result ask_sm_sr(struct stage *s, const char *verb, const char *handover, const char *members, json_t **out);
/* Answers what the sm-sr asked; code NULL: done. False: it is to be asked again. */
bool reply_sm_sr(struct stage *s, const char *verb, const char *handover, const char *code, const char *message);
/* No answer came in time. */
bool reply_given_up(struct stage *s, const char *verb, const char *handover);

/* Another SM-SR is known. */
void add_sm_sr(struct stage *s, const char *oid);
/* ES4.SMSRChange by the operator of `who`; the result. */
result ask_smsr_change(struct stage *s, enum profile_at who, const char *target);
/* The running procedure's id; fails the test when there is none. */
const char *running_id(struct stage *s);
/* The card has rows in all tables. */
void fill_card(struct stage *s);

/* What stands in the database about the EID now; texts in s->a, "" for none. */
struct smsr_look {
	int64_t rows;           /* of the card, in all tables but those of procedures and locks */
	int64_t busy, prepares; /* prepares: that wait for an answer */
	const char *moved_to, *answer, *asked, *events, *told, *states;
	int64_t asked_give_up;  /* the newest question is given up in so many seconds; 0: never */
};
struct smsr_look smsr_look(struct stage *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The sm-sr's part of an SM-SR change (SGP.02 3.8, 5.5; procedures.md 3.20, decisions.md E1, E2): it locks the card, gives its EIS away or takes
 * one, and ends what the operator asked for. What the two SM-SRs say to each other is the sm-sr-handover's, with whom all this is spoken by the
 * bus (common/rpc/ask.h; proto/events/rq.*.json). */
#ifndef SMSR_SMSR_CHANGE_H
#define SMSR_SMSR_CHANGE_H

#include "common/rpc/ask.h"
#include "services/sm-sr/card_case.h"

/* smsr_change.c: ES4 (functions.md) */
extern const struct load es4_prepare_smsr_change_load, es4_smsr_change_load;
result es4_prepare_smsr_change(struct rq *rq, const void *in, void *out);
result es4_smsr_change(struct rq *rq, const void *in, void *out);
/* What the sm-sr-handover answered to `prepare` and `change`. */
bool smsr_replied(void *role, struct db *db, struct arena *a, const struct ask_reply *reply);

/* The message of 1.2/4.4 to who would write into an EIS that is under way to another SM-SR (C1). */
#define SMSR_CHANGE_RUNS "the eUICC changes its SM-SR"
/* OK, or that. */
result smsr_change_lets(const struct card_case *c);
/* Its time is over, and nobody has said how it ends: its caller is told EXPIRED; the lock stays until the sm-sr-handover gives it back (E1). When
 * its `change` was never answered this is no danger: the sm-sr-handover takes no change whose time is over, and its refusal unlocks. */
void smsr_change_expired(struct card_case *c);
/* Tells the caller of the running change; again, it changes nothing. The lock stays. */
void smsr_change_tell(struct card_case *c, result outcome);
/* Ends the running change: PEV_MOVED or PEV_KEPT. */
void smsr_change_end(struct card_case *c, enum procedure_event event, result outcome);

/* smsr_asked.c: what the sm-sr-handover asks */
extern const struct asked smsr_asked[];
extern const size_t smsr_asked_count;
/* The card of a request, locked: *out, also as q->loaded. Known false: it is not managed here. */
result asking_case(struct asking *q, struct card_case **out);
/* After the commit: its bells. */
void asking_case_committed(struct asking *q);
/* This handover has locked the card. */
bool handover_holds(const struct card_case *c, const char *handover);
/* smsr_adopt.c */
result asked_adopt(struct asking *q);
result asked_announce(struct asking *q);

/* audit_trail.c. The rows of SMSR_TRAIL_LOAD; *out NULL: there are none. self: who executed what names nobody. INTERNAL: a damaged row. */
result audit_trail_from_rows(struct arena *a, const struct eid *eid, const struct oid *self, const struct rows *rows,
			     struct audit_trail **out);
/* For SMSR_ADOPT. Records of another EID are left out. */
struct param audit_trail_param(struct arena *a, const struct eid *eid, const struct audit_trail *trail);

#endif

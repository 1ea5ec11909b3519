/* SPDX-License-Identifier: Apache-2.0 */
/* What ES4 functions that need the card share. */
#ifndef SMSR_ES4_CARD_H
#define SMSR_ES4_CARD_H

#include "services/sm-sr/card_case.h"

/* From the rows of case_queue: rq->loaded is the struct card_case, facts know its EID and profiles. */
result es4_case_take(struct rq *rq, const struct eid *eid, const struct rows *const *rows, struct relation_facts *facts);

#endif

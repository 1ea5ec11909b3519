/* SPDX-License-Identifier: Apache-2.0 */
/* ES7, whole: both of its sides are this process's. Every other row of proto/functions.def that an SM-SR provides is the sm-sr's, under the
 * same OID; here it is answered 1.6/3.1 by the pipeline. */
#include "services/sm-sr-handover/handover.h"

const struct served handover_served[] = {
	{ FN_ES7_HandoverEUICC, &handover_euicc_load, handover_euicc, handover_euicc_committed },
	{ FN_ES7_AuthenticateSMSR, &authenticate_smsr_load, authenticate_smsr, handover_out_asked_committed },
	{ FN_ES7_CreateAdditionalKeySet, &create_additional_keyset_load, create_additional_keyset, handover_out_asked_committed },
};
const size_t handover_n_served = LEN(handover_served);

const struct awaited handover_awaited[] = {
	{ FN_ES7_HandoverEUICC, &handover_out_callback_load, handover_out_callback, handover_out_callback_committed },
	{ FN_ES7_AuthenticateSMSR, &handover_in_callback_load, handover_in_callback, handover_in_callback_committed },
	{ FN_ES7_CreateAdditionalKeySet, &handover_in_callback_load, handover_in_callback, handover_in_callback_committed },
};
const size_t handover_n_awaited = LEN(handover_awaited);

/* Whose command it was, its handover says. */
static result outcome(struct asking *q)
{
	bool ours;

	TRY(handover_in_outcome(q, &ours));
	if (!ours)
		TRY(handover_out_outcome(q, &ours));
	return OK; /* of one that was cleaned away long ago nothing is left to be done */
}

/* The other side leaves nothing in it. */
static void outcome_committed(struct asking *q)
{
	if (q->loaded)
		handover_out_outcome_committed(q);
	else
		outbox_ring(q->rpc->outbox);
}

const struct asked handover_asked[] = {
	{ "prepare", handover_in_prepare, handover_in_prepared },
	{ "change", handover_out_change, handover_out_changed },
	{ "outcome", outcome, outcome_committed },
};
const size_t handover_n_asked = LEN(handover_asked);

bool handover_answered(void *role, struct db *db, struct arena *a, const struct outbox_answer *in)
{
	bool ours, done = handover_in_answered(role, db, a, in, &ours);

	return ours ? done : handover_out_answered(role, db, a, in, &ours);
}

bool handover_replied(void *role, struct db *db, struct arena *a, const struct ask_reply *reply)
{
	bool ours, done = handover_in_replied(role, db, a, reply, &ours);

	return ours ? done : handover_out_replied(role, db, a, reply, &ours);
}

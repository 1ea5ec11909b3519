/* SPDX-License-Identifier: Apache-2.0 */
/* ES7.HandoverEUICC (procedures.md 3.20, steps 5 and 6; decisions.md E1): what is handed over, and whether it may be. */
#include "common/base/fault.h"
#include "common/base/log.h"
#include "services/sm-sr-handover/handover_in.h"

enum { S_US = 1000000 };

static void queue(struct rq *rq, const void *in)
{
	const struct es7_handover_euicc_rq *order = in;

	DB_QUEUE(rq->db, HANDOVER_IN_FIND, p_text(order->eis.info.eid.text), p_text(rq->caller->oid.text));
}

static enum handover_repeat repeat_of(const struct handover_in *h)
{
	return handover_in_repeated(h->state, (h->state == HIN_PREPARED ? h->prepared_until : h->deadline) > h->now);
}

static result take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es7_handover_euicc_rq *order = in;
	struct handover_in *h = NULL;

	if (rows_count(rows[0]))
		TRY(in_row(rq->arena, rows[0], &h));
	facts->eid = order->eis.info.eid;
	facts->handover = h && repeat_of(h) != HANDOVER_UNKNOWN ? HANDOVER_PARTNERS : HANDOVER_NONE;
	rq->loaded = h;
	return OK;
}

const struct load handover_euicc_load = { .results = 1, .queue = queue, .take = take };

static void join(struct rq *rq, const struct handover_in *h)
{
	DB_QUEUE(rq->db, HANDOVER_IN_CALL_ADD, p_text(h->id), p_text(rq->claim_key));
}

static result begin(struct rq *rq, struct handover_in *h, const struct es7_handover_euicc_rq *order)
{
	struct handovers *hs = rq->role;
	struct in_case c = { .rpc = rq->rpc, .hs = hs, .db = rq->db, .a = rq->arena, .h = h };
	struct eis *eis = arena_memdup(rq->arena, &order->eis, sizeof(*eis));
	const struct in_needs needs = { .former = &h->former, .own = &hs->own, .now_us = rq->received_us };
	uint8_t *ecasd = arena_alloc(rq->arena, P256_POINT);
	CLEANUP(buf_free) struct buf text = { 0 };
	size_t cut;

	TRY(in_check(rq->arena, eis, &needs, ecasd));
	/* What the bus does not take could never be adopted, when there is no way back any more. */
	if (!eis_text_write_cut(rq->arena, &text, eis, &cut))
		return failed(rq->arena, CODE_SMSR_REFUSED, h->eid.text, "Eis: is too long to be taken over");
	if (cut)
		log_msg(LOG_WARN, "handover_trail", "eid %s: the first %zu records of its audit trail do not fit", h->eid.text,
			cut);
	h->eis = (struct bytes){ arena_memdup(rq->arena, text.data, text.len), text.len };
	h->ecasd = (struct bytes){ ecasd, P256_POINT };
	h->kvn = handover_free_kvn(eis, KEYSET_SCP80);
	h->psk_kvn = handover_free_kvn(eis, KEYSET_SCP81);
	h->deadline = h->now + (int64_t)rq->validity_s * S_US;
	join(rq, h);
	rq->outbox = rq->events = true;
	return in_step(&c, HIEV_HANDOVER, NULL, rq->claim_key);
}

result handover_euicc(struct rq *rq, const void *in, void *out)
{
	struct handover_in *h = rq->loaded;

	(void)out; /* the answer comes when the card is ours, or will not be */
	switch (repeat_of(h)) {
	case HANDOVER_BEGINS:
		return begin(rq, h, in);
	case HANDOVER_WAITS:
	case HANDOVER_DIES:
	case HANDOVER_MANAGED: /* the worker answers it */
		join(rq, h);
		return OK;
	case HANDOVER_DEAD:
		return failed(rq->arena, CODE_SMSR_CHANGE_ENDED, h->eid.text, NULL);
	case HANDOVER_UNKNOWN:
		break;
	}
	return failed(rq->arena, CODE_EID_UNKNOWN, rq->eid, NULL);
}

void handover_euicc_committed(struct rq *rq)
{
	const struct handovers *hs = rq->role;

	due_ring(hs->due, NULL, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is due by the clock: the operator's deadline, the time of a call of SM-SR2, the next time that HandoverEUICC is made. */
#include "common/base/fault.h"
#include "services/sm-sr-handover/out.h"

static result unanswered(struct arena *a)
{
	struct result *r = ARENA_NEW(a, struct result);

	r->status = STATUS_EXPIRED;
	r->code = CODE_NO_RESPONSE;
	r->message = "the eUICC gave no answer in time";
	return r;
}

static result overdue(struct out_case *c)
{
	struct handover_out *h = c->h;

	if (h->now >= h->deadline && h->state < HOUT_DOUBT)
		return out_step(c, HOEV_DEADLINE, OK);
	if (*h->fci && h->now >= h->call_until + OUT_GRACE_US)
		return out_step(c, HOEV_CARD_FAILED, unanswered(c->a));
	if (h->wait == OUT_SENT || h->call_at > h->now)
		return OK;
	if (!out_call(c)) /* so shortly before the deadline there is no time for it */
		out_call_later(c, h->wait);
	out_save(c, h->state);
	(void)FAULT("sm-sr-handover.out.again.decided", h->eid.text);
	c->event = "again";
	return OK;
}

static result settle(struct rpc *rpc, struct db *db, struct arena *a, const char *id)
{
	struct out_case c = { .role = rpc->role_state, .db = db, .a = a };

	db_begin(db);
	TRY(out_lock(db, a, id, &c.h));
	if (!c.h || c.h->ended_at || !c.h->due_at || c.h->due_at > c.h->now) {
		db_rollback(db);
		return OK;
	}
	TRY(overdue(&c));
	db_commit(db);
	TRY(db_sync(db, a, NULL, 0, NULL));
	out_committed(&c);
	deferred_ring(rpc, c.replicas);
	return OK;
}

const struct due_table handover_out_due = {
	.what = "handover_out", .due = HANDOVER_OUT_DUE, .next = HANDOVER_OUT_NEXT, .await = HANDOVER_OUT_AWAIT, .settle = settle
};

/* SPDX-License-Identifier: Apache-2.0 */
/* What is due by the clock on the side of SM-SR2. */
#include "common/base/fault.h"
#include "services/sm-sr-handover/handover_in.h"

static void fault_at(struct arena *a, enum handover_in_state state, const char *stage, const char *eid)
{
	(void)FAULT(arena_printf(a, "sm-sr-handover.in.%s.%s", handover_in_state_name(state), stage), eid);
}

static bool is_due(const struct handover_in *h)
{
	return !handover_in_ended(h->state) && (h->due_at <= h->now || (!h->told && h->deadline && h->deadline <= h->now));
}

static result settle(struct rpc *rpc, struct db *db, struct arena *a, const char *id)
{
	struct in_case c = { .rpc = rpc, .hs = rpc->role_state, .db = db, .a = a };
	enum handover_in_state state;

	db_begin(db);
	TRY(in_lock(db, a, id, &c.h));
	if (!c.h || (!is_due(c.h) && !c.h->told)) {
		db_rollback(db);
		return OK;
	}
	state = c.h->state;
	TRY(in_tell_late(&c));
	if (is_due(c.h))
		TRY(in_overdue(&c));
	fault_at(a, state, "due", c.h->eid.text);
	db_commit(db);
	TRY(db_sync(db, a, NULL, 0, NULL));
	fault_at(a, state, "committed", c.h->eid.text);
	deferred_ring(rpc, c.replicas);
	return OK;
}

const struct due_table handover_in_due = {
	.what = "handover_in", .due = HANDOVER_IN_DUE, .next = HANDOVER_IN_NEXT, .await = HANDOVER_IN_AWAIT, .settle = settle
};

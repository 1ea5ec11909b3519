/* SPDX-License-Identifier: Apache-2.0 */
/* What of downloads is due by the clock: deadlines, pauses, answers that do not come. */
#include "common/base/fault.h"
#include "services/sm-dp/download.h"

void downloads_moved(const struct download_case *c)
{
	const struct download *d = c->d;
	bool soon = d->due_at - d->now < (int64_t)DUE_NET_MS * 1000;

	if (c->told || download_ended(d->state) || soon)
		due_ring(c->smdp->downloads, &download_due_table, d->id, c->replicas);
}

static void fault_at(struct arena *a, enum download_state state, const char *stage, const char *eid)
{
	(void)FAULT(arena_printf(a, "sm-dp.download.%s.%s", download_state_name(state), stage), eid);
}

static result settle(struct rpc *rpc, struct db *db, struct arena *a, const char *id)
{
	struct download_case c = { .rpc = rpc, .smdp = rpc->role_state, .db = db, .a = a };
	enum download_state state;

	db_begin(db);
	TRY(download_lock(db, a, id, &c.d));
	if (!c.d || download_ended(c.d->state) || c.d->due_at > c.d->now) {
		db_rollback(db);
		return OK;
	}
	state = c.d->state;
	TRY(download_overdue(&c));
	fault_at(a, state, "due", c.d->eid.text);
	db_commit(db);
	TRY(db_sync(db, a, NULL, 0, NULL));
	fault_at(a, state, "committed", c.d->eid.text);
	if (c.sent)
		deferred_ring(rpc, c.replicas);
	return OK;
}

const struct due_table download_due_table = {
	.what = "download", .due = SMDP_DOWNLOAD_DUE, .next = SMDP_DOWNLOAD_NEXT, .await = SMDP_DOWNLOAD_AWAIT, .settle = settle
};

struct due *downloads_new(void)
{
	static const struct due_table *const tables[] = { &download_due_table };

	return due_new(tables, LEN(tables));
}

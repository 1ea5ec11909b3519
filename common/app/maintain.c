/* SPDX-License-Identifier: Apache-2.0 */
/* Answered calls are kept for repetition only so long (decisions.md A1, F2). */
#include "common/app/app_internal.h"
#include "common/base/log.h"
#include "common/store/statements.h"

/* One batch; false: nothing more to do, or the database does not answer (the next hour tries again). */
static bool clean_batch(struct db *db, struct arena *a, unsigned keep_days, int64_t *total)
{
	const struct rows *rows = NULL;
	result r;

	arena_reset(a);
	db_begin(db);
	db_relax(db); /* what a power cut undoes here is cleaned again */
	DB_QUEUE(db, RPC_CALL_CLEAN, p_int(a, keep_days));
	db_commit(db);
	r = db_sync(db, a, &rows, 1, NULL);
	if (r != OK) {
		log_msg(LOG_WARN, "maintenance", "calls could not be cleaned: %s", r->cause ? r->cause : "the database is busy");
		return false;
	}
	*total += rows_affected(rows);
	return rows_affected(rows) > 0;
}

void maintain(struct process *p, bool (*stop_soon)(void))
{
	CLEANUP(db_closep) struct db *db = db_open(p->app.rpc.store);
	CLEANUP(arena_freep) struct arena *a = arena_new();
	int64_t total = 0;

	while (!stop_soon() && clean_batch(db, a, p->app.config->keep_days, &total))
		;
	if (total > 0)
		log_msg(LOG_INFO, "maintenance", "%lld calls older than %u days deleted", (long long)total,
			p->app.config->keep_days);
}

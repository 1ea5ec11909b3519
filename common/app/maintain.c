/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and notifications are kept for repetition only so long (decisions.md A1, A7, F2), reply rows until nobody waits. */
#include "common/app/app_internal.h"
#include "common/base/log.h"
#include "common/store/statements.h"

/* What is cleaned, a batch after the other. */
static const struct cleaning {
	unsigned statement;
	bool by_age; /* its parameter is KEEP_DAYS */
	const char *what;
} cleanings[] = {
	{ RPC_CALL_CLEAN, true, "calls" },
	{ RPC_SEEN_CLEAN, true, "notifications" },
	{ RPC_REPLY_CLEAN, false, "reply rows" },
};

/* One batch; false: nothing more to do, or the database does not answer (the next hour tries again). */
static bool clean_batch(struct db *db, struct arena *a, const struct cleaning *c, unsigned keep_days, int64_t *total)
{
	const struct rows *rows = NULL;
	result r;

	arena_reset(a);
	db_begin(db);
	db_relax(db); /* what a power cut undoes here is cleaned again */
	if (c->by_age)
		DB_QUEUE(db, c->statement, p_int(a, keep_days));
	else
		DB_QUEUE0(db, c->statement);
	db_commit(db);
	r = db_sync(db, a, &rows, 1, NULL);
	if (r != OK) {
		log_msg(LOG_WARN, "maintenance", "%s could not be cleaned: %s", c->what,
			r->cause ? r->cause : "the database is busy");
		return false;
	}
	*total += rows_affected(rows);
	return rows_affected(rows) > 0;
}

void maintain(struct process *p, bool (*stop_soon)(void))
{
	CLEANUP(db_closep) struct db *db = db_open(p->app.rpc.store);
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(cleanings); i++) {
		int64_t total = 0;

		while (!stop_soon() && clean_batch(db, a, &cleanings[i], p->app.config->keep_days, &total))
			;
		if (total > 0)
			log_msg(LOG_INFO, "maintenance", "%lld %s that nobody asks for any more deleted", (long long)total,
				cleanings[i].what);
	}
}

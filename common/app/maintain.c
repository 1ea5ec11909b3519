/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept for a time only (decisions.md A1, A7, F2) is deleted here, by the process's main thread and in batches: the tables that every
 * role has, and the role's own. docs/operate.md says what is kept how long. */
#include <string.h>

#include "common/app/app_internal.h"
#include "common/base/log.h"
#include "common/store/statements.h"

enum { PLACE_MAX = 128 };

#define DAYS(member) offsetof(struct config_common, member)
static const struct cleaning common_cleanings[] = {
	{ RPC_CALL_CLEAN, "calls", DAYS(keep_days), false },
	{ RPC_SEEN_CLEAN, "notifications", DAYS(keep_days), false },
	{ RPC_REPLY_CLEAN, "reply rows", 0, false },
	{ RPC_RELAY_CLEAN_READS, "answers to relayed reads", 0, false },
	{ RPC_RELAY_CLEAN, "relayed calls", DAYS(keep_days), false },
	{ RPC_OUTBOX_CLEAN, "dead letters", DAYS(dead_keep_days), false },
};
#undef DAYS

/* One cleaning, from its first batch to its last. */
struct pass {
	const struct cleaning *c;
	struct db *db;
	struct arena *a;
	unsigned days;
	int64_t total;
	char place[PLACE_MAX]; /* where a walk stopped */
};

static void queue(struct pass *p)
{
	if (p->c->walks)
		DB_QUEUE(p->db, p->c->statement, p_int(p->a, p->days), p_text(p->place));
	else if (p->c->days)
		DB_QUEUE(p->db, p->c->statement, p_int(p->a, p->days));
	else
		DB_QUEUE0(p->db, p->c->statement);
}

/* Counts the batch; true: there may be more. */
static bool count(struct pass *p, const struct rows *rows)
{
	const char *place;

	if (!p->c->walks) {
		p->total += rows_affected(rows);
		return rows_affected(rows) > 0;
	}
	if (rows_count(rows) == 0)
		return false;
	p->total += row_int(rows, 0, 0);
	place = row_text(rows, 0, 1);
	if (!place || strlen(place) >= PLACE_MAX)
		return false;
	memcpy(p->place, place, strlen(place) + 1);
	return true;
}

/* False: nothing more to do, or the database does not answer (the next time tries again). */
static bool clean_batch(struct pass *p)
{
	const struct rows *rows = NULL;
	result r;

	arena_reset(p->a);
	db_begin(p->db);
	db_relax(p->db); /* what a power cut undoes here is cleaned again */
	queue(p);
	db_commit(p->db);
	r = db_sync(p->db, p->a, &rows, 1, NULL);
	if (r == OK)
		return count(p, rows);
	log_msg(LOG_WARN, "maintenance", "%s could not be cleaned: %s", p->c->what, r->cause ? r->cause : "the database is busy");
	return false;
}

static void clean(struct process *p, const struct cleaning *c, struct db *db, struct arena *a, bool (*stop_soon)(void))
{
	struct pass pass = { .c = c, .db = db, .a = a };

	if (c->days)
		memcpy(&pass.days, (const char *)p->app.config + c->days, sizeof(pass.days));
	while (!stop_soon() && clean_batch(&pass))
		;
	if (pass.total > 0)
		log_msg(LOG_INFO, "maintenance", "%lld %s that were kept long enough deleted", (long long)pass.total, c->what);
}

void maintain(struct process *p, bool (*stop_soon)(void))
{
	CLEANUP(db_closep) struct db *db = db_open(p->app.rpc.store);
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const struct app_spec *spec = p->app.spec;

	for (size_t i = 0; i < LEN(common_cleanings); i++)
		clean(p, &common_cleanings[i], db, a, stop_soon);
	for (size_t i = 0; i < spec->n_cleanings; i++)
		clean(p, &spec->cleanings[i], db, a, stop_soon);
}

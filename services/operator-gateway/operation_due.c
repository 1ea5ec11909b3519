/* SPDX-License-Identifier: Apache-2.0 */
/* What is due by the clock: the next attempt of who was told busy, callbacks that do not come. */
#include "common/base/fault.h"
#include "common/base/log.h"
#include "services/operator-gateway/gateway.h"
#include "services/operator-gateway/operation.h"

enum { DUE_MAX = 100, NET_MS = 5000, RETRY_MS = 1000, S_US = 1000000 };

/* There is no use in an attempt that would be refused for its validity period. */
static enum operation_event due_event(const struct operation *o)
{
	int64_t least = operation_asked(o)->validity.min_s;

	return o->deadline - o->now < least * S_US ? OPEV_LATE : OPEV_DUE;
}

struct due {
	size_t n;
	bool sent;
	struct operation *operations;
};

/* A newer release wrote it, or somebody damaged it. */
static void put_aside(struct db *db, struct arena *a, const char *id, result why)
{
	log_msg(LOG_WARN, "operation.due", "%s", why->cause);
	DB_QUEUE(db, GW_OPERATION_ASIDE, p_text(arena_strdup(a, id)));
}

static result settle(struct db *db, struct arena *a, struct due *d)
{
	const struct rows *rows;

	db_begin(db);
	DB_QUEUE(db, GW_OPERATION_DUE, p_int(a, DUE_MAX));
	TRY(db_sync(db, a, &rows, 1, NULL));
	d->operations = arena_array(a, rows_count(rows), sizeof(*d->operations));
	for (size_t i = 0; i < rows_count(rows); i++) {
		struct operation *o = &d->operations[d->n];
		result readable = operation_row(a, rows, i, o);
		bool sent = false;

		if (readable != OK) {
			put_aside(db, a, row_text(rows, i, 0), readable);
			continue;
		}
		d->n++;
		(void)operation_step(db, a, o, due_event(o), NULL, &sent);
		d->sent = d->sent || sent;
		(void)FAULT("operator-gateway.due.stepped", o->order.eid.text);
	}
	db_commit(db);
	TRY(db_sync(db, a, NULL, 0, NULL));
	for (size_t i = 0; i < d->n; i++)
		(void)FAULT("operator-gateway.due.committed", d->operations[i].order.eid.text);
	return OK;
}

static unsigned until_next(struct db *db, struct arena *a)
{
	const struct rows *rows;
	int64_t ms;

	DB_QUEUE0(db, GW_OPERATION_NEXT);
	if (db_sync(db, a, &rows, 1, NULL) != OK)
		return RETRY_MS;
	if (row_null(rows, 0, 0))
		return NET_MS;
	ms = row_int(rows, 0, 0);
	return ms <= 0 ? 1 : ms >= NET_MS ? NET_MS : (unsigned)ms + 1;
}

bool operations_due(struct gateway *g, struct db *db, struct arena *a, unsigned *out_ms)
{
	struct due d = { 0 };
	result failure = settle(db, a, &d);

	*out_ms = RETRY_MS;
	if (failure != OK) {
		db_rollback(db);
		log_msg(LOG_WARN, "operation.due", "%s", failure->cause ? failure->cause : status_code(failure->code)->text);
		return false;
	}
	if (d.sent)
		outbox_ring(g->rpc->outbox);
	for (size_t i = 0; i < d.n; i++)
		waits_ring(g->waits, d.operations[i].id);
	if (d.n == 0)
		*out_ms = until_next(db, a);
	return d.n > 0;
}

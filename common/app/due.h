/* SPDX-License-Identifier: Apache-2.0 */
/* The worker of rows that are due by the clock (deadlines, pauses, answers that do not come), and of bells after commits. Every replica runs
 * it: a row's lock lets one of them act, the others then find that it is not due any more. */
#ifndef APP_DUE_H
#define APP_DUE_H

#include "common/rpc/rpc.h"

enum { DUE_NET_MS = 5000 /* the longest sleep: a lost ring costs no more (C2) */ };

/* A table whose rows have a uuid and an instant. */
struct due_table {
	const char *what; /* for the log: "download" */
	/* Statements. due: ids whose instant has come, $1 at most, but for those of $2 (blank between two). next: milliseconds until the next one's
	 * instant, but for $1; null: there is none. await: one row, when nobody has one of $1 locked. */
	unsigned due, next, await;
	/* In a transaction of its own: locks the row, does what is due, commits and rings; nothing when it is not due any more. */
	result (*settle)(struct rpc *rpc, struct db *db, struct arena *a, const char *id);
};

struct due;
/* tables: n of them, which live as long as the worker. */
struct due *due_new(const struct due_table *const *tables, size_t n);
void due_free(struct due *w); /* NULL allowed, as for all below */
void due_start(struct due *w, struct rpc *rpc);
void due_stop(struct due *w);
/* From any thread, also before the commit: the worker waits for the lock of the row, and then looks what is due and rings the outbox, our
 * parked callers and those of replicas (deferred_ring). id NULL: rows may be due, nothing else. replicas NULL: nobody waits elsewhere. */
void due_ring(struct due *w, const struct due_table *table, const char *id, const char *replicas);

/* One look at all that is due in a table; how many there were, and when the next is in *out_ms. For the worker and for tests. */
size_t due_look(const struct due_table *table, struct rpc *rpc, struct db *db, struct arena *a, const char *except, unsigned *out_ms);

#endif

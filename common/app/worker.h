/* SPDX-License-Identifier: Apache-2.0 */
/* One background thread of a role with a bell and a net (decisions.md C2): rung after a commit, and never asleep longer than its
 * period, so that a bell lost with a process costs time, not work. */
#ifndef APP_WORKER_H
#define APP_WORKER_H

#include <stdbool.h>

struct worker;

/* Calls pass(ctx) again and again: at once while it returns true (more is due), else after a ring or period_ms. What a pass needs
 * (its database connection) is made and closed by who starts the worker. Aborts when the system gives no thread: only called at
 * start. */
struct worker *worker_start(unsigned period_ms, bool (*pass)(void *ctx), void *ctx);
/* Wakes it; a ring during a pass is kept. Safe from any thread; NULL allowed. */
void worker_ring(struct worker *w);
/* From within a pass: something is due in ms; the wait after this pass is no longer than that. */
void worker_next(struct worker *w, unsigned ms);
/* Waits for the running pass to end and frees it. NULL allowed. */
void worker_stop(struct worker *w);

#endif

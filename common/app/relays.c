/* SPDX-License-Identifier: Apache-2.0 */
/* Relayed calls end at their deadlines in the background, whatever role relays them. */
#include <stdatomic.h>
#include <stdlib.h>

#include "common/app/app_internal.h"
#include "common/app/worker.h"
#include "common/rpc/relay.h"

enum { NET_MS = 1000 }; /* no bell: it finds by itself what is due sooner than what it knew of */

struct relays {
	struct rpc *rpc;
	_Atomic(struct worker *) worker; /* its first pass may be before it is known */
	struct db *db;
	struct arena *a;
};

static bool pass(void *ctx)
{
	struct relays *r = ctx;
	struct worker *w = r->worker;
	unsigned ms;
	bool more;

	arena_reset(r->a);
	more = relays_due(r->rpc, r->db, r->a, &ms);
	if (!more && w)
		worker_next(w, ms);
	return more;
}

int relays_open(struct process *p, char error[ERROR_MAX])
{
	struct relays *r;

	(void)error;
	if (!relays_any(&p->app.rpc))
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	r->rpc = &p->app.rpc;
	r->db = db_open(p->app.rpc.store);
	r->a = arena_new();
	r->worker = worker_start(NET_MS, pass, r);
	p->relays = r;
	return 0;
}

void relays_close(struct process *p)
{
	struct relays *r = p->relays;

	if (!r)
		return;
	worker_stop(r->worker);
	db_close(r->db);
	arena_free(r->a);
	free(r);
	p->relays = NULL;
}

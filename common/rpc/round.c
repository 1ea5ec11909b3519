/* SPDX-License-Identifier: Apache-2.0 */
/* Reads that have come to one pool thread at a time share a round trip to the database: waking PostgreSQL and being woken by it costs more
 * than the read itself. */
#include "common/rpc/run.h"

enum { RESULTS_MAX = 16 };

bool round_join(struct run *r)
{
	struct worker *w = r->w;
	const struct load *load = r->awaited ? NULL : r->served->load;

	if (!load || run_later(r) || !load->results || load->results > RESULTS_MAX || r->rq.fn->tx != TX_READ ||
	    w->n_round == ROUND_MAX || later_by_callback(r)) /* where its answer may go is asked first */
		return false;
	w->round[w->n_round++] = r;
	return true;
}

void round_leave(struct run *r)
{
	struct worker *w = r->w;

	for (size_t i = 0; i < w->n_round; i++)
		if (w->round[i] == r)
			w->round[i] = w->round[--w->n_round];
}

static size_t queue(struct run *r)
{
	const struct load *load = r->served->load;

	load->queue(&r->rq, r->in);
	return load->results;
}

static size_t take(struct run *r, const struct rows *const *rows)
{
	const struct load *load = r->served->load;

	r->take = load->take(&r->rq, r->in, rows, &r->facts);
	r->taken = true;
	return load->results;
}

/* One that fails fails all of the round: then each reads for itself, as one that is alone does. */
void round_load(struct worker *w)
{
	const struct rows *rows[ROUND_MAX * RESULTS_MAX];
	size_t n = w->n_round, results = 0;

	w->n_round = 0;
	if (n < 2)
		return;
	arena_reset(w->arena);
	for (size_t i = 0; i < n; i++)
		results += queue(w->round[i]);
	if (db_sync(w->db, w->arena, rows, results, NULL) != OK)
		return;
	results = 0;
	for (size_t i = 0; i < n; i++)
		results += take(w->round[i], rows + results);
}

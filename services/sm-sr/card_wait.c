/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-sr/card_wait.h"

#include <stdlib.h>
#include <string.h>

#include "common/app/worker.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/mutex.h"
#include "common/http/server.h"
#include "services/sm-sr/cards.h"

/* Bells of other replicas, and those that came between the last look and the parking. */
enum { LOOK_MS = 500, SPARE_MS = 10000 };

struct waiter {
	struct waiter *next;
	struct card_waits *waits;
	uint64_t id;
	struct http_call *call;
	struct card_peer *peer;
	struct eid eid;
	int64_t until_ms;
};

struct card_waits {
	struct mutex *lock;
	struct waiter *waiters;
	uint64_t ids;
	/* The worker's. */
	struct app *app;
	struct worker *worker;
	struct db *db;
	struct arena *a;
};

struct card_waits *card_waits_new(void)
{
	struct card_waits *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->lock = mutex_new();
	return w;
}

void card_waits_free(struct card_waits *w)
{
	if (!w)
		return;
	mutex_free(w->lock);
	free(w);
}

void card_waits_ring(struct card_waits *w)
{
	if (!w)
		return;
	mutex_lock(w->lock); /* the worker may be ending */
	worker_ring(w->worker);
	mutex_unlock(w->lock);
}

/* Lock held. NULL: it is gone. */
static struct waiter *find(struct card_waits *w, uint64_t id)
{
	struct waiter *one = w->waiters;

	while (one && one->id != id)
		one = one->next;
	return one;
}

/* Lock held. */
static void take_out(struct waiter *one)
{
	struct waiter **at = &one->waits->waiters;

	while (*at && *at != one)
		at = &(*at)->next;
	if (*at)
		*at = one->next;
	free(one);
}

/* The connection broke, or the process ends: its session is seen to by who frees the connection. */
static void gone(void *user)
{
	struct waiter *one = user;
	struct card_waits *w = one->waits;

	mutex_lock(w->lock);
	take_out(one);
	mutex_unlock(w->lock);
}

/* The worker has not come for long: 503 ends it, and gone() runs. */
static void expired(void *user, struct http_call *call)
{
	(void)user;
	(void)call;
}

void card_wait(struct card_waits *w, struct http_call *call, struct card_peer *peer, unsigned ms)
{
	static const struct http_parked_hooks hooks = { expired, gone };
	struct waiter *one = calloc(1, sizeof(*one));
	int64_t until_ms = clock_ms() + ms;

	if (!one)
		abort();
	(void)FAULT("sm-sr.card.kept", peer->eid.text);
	*one = (struct waiter){ .waits = w, .call = call, .peer = peer, .eid = peer->eid, .until_ms = until_ms };
	mutex_lock(w->lock);
	one->id = ++w->ids;
	one->next = w->waiters;
	w->waiters = one;
	mutex_unlock(w->lock);
	/* The worker may have ended it before it is parked: then `one` is no more, and the call does not keep it. */
	http_park(call, until_ms + SPARE_MS, &hooks, one);
	card_waits_ring(w);
}

/* Who waits now, copied. */
struct waiting {
	uint64_t id;
	struct eid eid;
	struct card_peer peer;
	bool over;
};

static size_t snapshot(struct card_waits *w, struct waiting **out)
{
	int64_t now = clock_ms();
	size_t n = 0, i = 0;

	mutex_lock(w->lock);
	for (const struct waiter *one = w->waiters; one; one = one->next)
		n++;
	*out = arena_array(w->a, n, sizeof(**out));
	for (const struct waiter *one = w->waiters; one; one = one->next)
		(*out)[i++] = (struct waiting){ one->id, one->eid, *one->peer, one->until_ms <= now };
	mutex_unlock(w->lock);
	return n;
}

/* Of those cards, the ones for which there is something: EIDs, blank between two. "": none, or the database does not answer. */
static const char *due(struct card_waits *w, const struct waiting *all, size_t n)
{
	CLEANUP(buf_free) struct buf eids = { 0 };
	const struct rows *rows;

	for (size_t i = 0; i < n; i++)
		buf_printf(&eids, "%s%s", i ? " " : "", all[i].eid.text);
	DB_QUEUE(w->db, SMSR_WAITS_DUE, p_text(eids.data));
	return db_sync(w->db, w->a, &rows, 1, NULL) == OK ? row_text_dup(w->a, rows, 0, 0) : "";
}

/* The card's turn, as if it had come again. A script that cannot be delivered any more is lost with the connection. */
static void visit(struct card_waits *w, struct waiting *one)
{
	const struct card_post post = { .kind = POST_FIRST, .waited = one->over };
	struct smsr *smsr = w->app->rpc.role_state;
	struct card_answer answer = { 0 };
	struct waiter *still;

	card_visit(&w->app->rpc, smsr, w->db, w->a, &one->peer, &post, &answer);
	mutex_lock(w->lock);
	still = find(w, one->id);
	if (still) {
		*still->peer = one->peer;
		if (!answer.waits && card_answer_resume(w->app, still->call, &one->peer, &answer))
			take_out(still);
	}
	mutex_unlock(w->lock);
	(void)FAULT("sm-sr.card.resumed", one->eid.text);
	if (!still && one->peer.session[0])
		sweeper_session_gone(smsr, &one->eid, one->peer.session);
}

static bool pass(void *ctx)
{
	struct card_waits *w = ctx;
	struct waiting *all;
	const char *eids;
	size_t n;

	arena_reset(w->a);
	n = snapshot(w, &all);
	if (!n)
		return false;
	eids = due(w, all, n);
	for (size_t i = 0; i < n; i++)
		if (all[i].over || strstr(eids, all[i].eid.text))
			visit(w, &all[i]);
	return false;
}

void card_waits_start(struct app *app)
{
	struct smsr *smsr = app->rpc.role_state;
	struct card_waits *w = smsr->waits;

	w->app = app;
	w->db = db_open(app->rpc.store);
	w->a = arena_new();
	mutex_lock(w->lock); /* its first pass may ring already */
	w->worker = worker_start(LOOK_MS, pass, w);
	mutex_unlock(w->lock);
}

void card_waits_stop(struct app *app)
{
	struct smsr *smsr = app->rpc.role_state;
	struct card_waits *w = smsr->waits;
	struct worker *worker;

	mutex_lock(w->lock);
	worker = w->worker;
	w->worker = NULL;
	mutex_unlock(w->lock);
	if (!worker)
		return;
	worker_stop(worker);
	db_close(w->db);
	arena_free(w->a);
}

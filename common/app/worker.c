/* SPDX-License-Identifier: Apache-2.0 */
#include "common/app/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t bell;
	bool rung, stop;
	unsigned period_ms, next_ms; /* next_ms: of the coming wait; the worker's own thread only */
	bool (*pass)(void *ctx);
	void *ctx;
};

static struct timespec deadline(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

/* True: another pass; false: the end. more: the last pass left work. */
static bool worker_wait(struct worker *w, bool more)
{
	struct timespec until = deadline(w->next_ms);
	bool go;

	pthread_mutex_lock(&w->lock);
	while (!more && !w->rung && !w->stop) {
		if (pthread_cond_timedwait(&w->bell, &w->lock, &until) == ETIMEDOUT)
			break;
	}
	w->rung = false;
	go = !w->stop;
	pthread_mutex_unlock(&w->lock);
	return go;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	bool more = true; /* what a dead process left is due at once */

	while (worker_wait(w, more)) {
		w->next_ms = w->period_ms;
		more = w->pass(w->ctx);
	}
	return NULL;
}

struct worker *worker_start(unsigned period_ms, bool (*pass)(void *ctx), void *ctx)
{
	struct worker *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (w == NULL)
		abort();
	w->period_ms = w->next_ms = period_ms;
	w->pass = pass;
	w->ctx = ctx;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->bell, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
		abort();
	return w;
}

void worker_next(struct worker *w, unsigned ms)
{
	if (ms < w->next_ms)
		w->next_ms = ms;
}

void worker_ring(struct worker *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->rung = true;
	pthread_cond_signal(&w->bell);
	pthread_mutex_unlock(&w->lock);
}

void worker_stop(struct worker *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->bell);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->bell);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

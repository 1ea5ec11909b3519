/* SPDX-License-Identifier: Apache-2.0 */
#include "services/euicc-sim/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/base/clock.h"

enum { BATCH = 256, HEAP_FIRST = 1024 };

struct loop {
	int epoll_fd;
	bool ended;
	struct epoll_event batch[BATCH];
	int at, n; /* of the batch under way: what was unwatched meanwhile is taken out of it */
	struct timer **heap;
	size_t n_timers, cap;
};

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd >= 0)
		return l;
	free(l);
	return NULL;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	(void)close(l->epoll_fd);
	free(l->heap);
	free(l);
}

bool loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = w };

	if (w->on && w->fd == fd && w->events == events)
		return true;
	if (w->on && w->fd != fd)
		loop_unwatch(l, w);
	if (epoll_ctl(l->epoll_fd, w->on ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
		return false;
	w->fd = fd;
	w->events = events;
	w->on = true;
	return true;
}

void loop_unwatch(struct loop *l, struct watch *w)
{
	if (!w->on)
		return;
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->on = false;
	for (int i = l->at; i < l->n; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

static void place(struct loop *l, size_t at, struct timer *t)
{
	l->heap[at - 1] = t;
	t->place = at;
}

static void rise(struct loop *l, size_t at)
{
	struct timer *t = l->heap[at - 1];

	for (; at > 1 && l->heap[at / 2 - 1]->at_ms > t->at_ms; at /= 2)
		place(l, at, l->heap[at / 2 - 1]);
	place(l, at, t);
}

static void sink(struct loop *l, size_t at)
{
	struct timer *t = l->heap[at - 1];

	for (size_t child = 2 * at; child <= l->n_timers; child = 2 * at) {
		if (child < l->n_timers && l->heap[child]->at_ms < l->heap[child - 1]->at_ms)
			child++;
		if (l->heap[child - 1]->at_ms >= t->at_ms)
			break;
		place(l, at, l->heap[child - 1]);
		at = child;
	}
	place(l, at, t);
}

static void grow(struct loop *l)
{
	size_t cap = l->cap ? 2 * l->cap : HEAP_FIRST;
	struct timer **heap = reallocarray(l->heap, cap, sizeof(struct timer *));

	if (!heap)
		abort();
	l->heap = heap;
	l->cap = cap;
}

void loop_timer(struct loop *l, struct timer *t, int64_t in_ms)
{
	loop_timer_stop(l, t);
	if (l->n_timers == l->cap)
		grow(l);
	t->at_ms = clock_ms() + (in_ms > 0 ? in_ms : 0);
	l->n_timers++;
	place(l, l->n_timers, t);
	rise(l, l->n_timers);
}

void loop_timer_stop(struct loop *l, struct timer *t)
{
	size_t at = t->place;
	struct timer *last;

	if (!at)
		return;
	t->place = 0;
	last = l->heap[--l->n_timers];
	if (last == t)
		return;
	place(l, at, last);
	rise(l, at);
	sink(l, last->place);
}

/* Those that start meanwhile with no time to wait are of the next round: descriptors have their turn between. */
static void run_timers(struct loop *l)
{
	int64_t now = clock_ms();

	for (size_t most = l->n_timers; most > 0 && l->n_timers > 0 && l->heap[0]->at_ms <= now && !l->ended; most--) {
		struct timer *t = l->heap[0];

		loop_timer_stop(l, t);
		t->due(t);
	}
}

static int wait_ms(const struct loop *l)
{
	int64_t ms;

	if (!l->n_timers)
		return -1;
	ms = l->heap[0]->at_ms - clock_ms();
	if (ms <= 0)
		return 0;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

int loop_run(struct loop *l)
{
	l->ended = false;
	while (!l->ended) {
		l->n = epoll_wait(l->epoll_fd, l->batch, BATCH, wait_ms(l));
		if (l->n < 0 && errno != EINTR)
			return -errno;
		for (l->at = 0; l->at < l->n && !l->ended;) {
			const struct epoll_event *event = &l->batch[l->at++];
			struct watch *w = event->data.ptr;

			if (w)
				w->ready(w, event->events);
		}
		l->n = 0;
		run_timers(l);
	}
	return 0;
}

void loop_end(struct loop *l)
{
	l->ended = true;
}

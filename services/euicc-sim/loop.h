/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: descriptors by epoll, timers in a heap. Both are members of what they belong to, so that an idle card costs no allocation. */
#ifndef EUICC_SIM_LOOP_H
#define EUICC_SIM_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The struct that a watch or a timer is a member of. */
#define OWNER(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

struct loop;

struct watch {
	void (*ready)(struct watch *w, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP; may end any watch, itself too */
	int fd;
	uint32_t events;
	bool on;
};
struct timer {
	void (*due)(struct timer *t); /* may start and stop any timer, itself too */
	int64_t at_ms;
	size_t place;                 /* in the heap, counted from 1; 0: it does not run */
};

/* NULL: errno. */
struct loop *loop_new(void);
void loop_free(struct loop *l);
/* Begins to watch fd, or changes what it waits for. False: errno. */
bool loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events);
/* Before the descriptor is closed. One that is not watched is allowed. */
void loop_unwatch(struct loop *l, struct watch *w);
/* Starts it, or starts it anew. */
void loop_timer(struct loop *l, struct timer *t, int64_t in_ms);
void loop_timer_stop(struct loop *l, struct timer *t);
/* Until loop_end. 0, or -errno. */
int loop_run(struct loop *l);
void loop_end(struct loop *l);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* One thread per listener that accepts, and sleeps until the next deadline: it cuts slow or silent peers (MHD's timeout sees only pauses, not
 * drips), runs expired() of parked calls, and notices with epoll that a parked caller hung up, which MHD does not (recipes.md 1 c).
 * */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "common/http/server_internal.h"

enum { EVENTS = 64, REAP_AT = 64, ROUND_MS = 10 /* deadlines closer together than this share one round */ };

static void wake(struct http_server *s)
{
	const uint64_t one = 1;

	/* Fails only when the counter is full: then it is awake already. */
	if (write(s->event_fd, &one, sizeof(one)) < 0)
		return;
}

void watch_wake_by(struct http_server *s, int64_t at_ms)
{
	if (at_ms >= s->wake_ms)
		return;
	s->wake_ms = at_ms;
	wake(s);
}

void watch_deadline(struct conn *conn, int64_t deadline_ms)
{
	conn->deadline_ms = deadline_ms;
	if (deadline_ms)
		watch_wake_by(conn->server, deadline_ms);
}

void watch_hangup(struct conn *conn, bool on)
{
	struct epoll_event event = { .events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = conn };

	if (on)
		conn->watched = epoll_ctl(conn->server->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) == 0;
	else if (conn->watched)
		conn->watched = epoll_ctl(conn->server->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL) != 0;
}

void watch_link(struct conn *conn)
{
	struct http_server *s = conn->server;

	conn->next = s->conns;
	if (s->conns)
		s->conns->prev = conn;
	s->conns = conn;
}

void watch_unlink(struct conn *conn)
{
	struct http_server *s = conn->server;

	watch_hangup(conn, false);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		s->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	conn->next = s->dead;
	s->dead = conn;
	if (++s->n_dead == REAP_AT)
		wake(s);
}

void watch_reap(struct http_server *s)
{
	while (s->dead) {
		struct conn *conn = s->dead;

		s->dead = conn->next;
		free(conn);
	}
	s->n_dead = 0;
}

/* Lock held. MHD sees the end of file and closes: the descriptor is ours to name until NOTIFY_CONNECTION says closed. */
static int64_t cut_overdue(struct http_server *s)
{
	int64_t now = clock_ms(), next = INT64_MAX;

	for (struct conn *conn = s->conns; conn; conn = conn->next) {
		if (!conn->deadline_ms)
			continue;
		if (conn->deadline_ms <= now) {
			shutdown(conn->fd, SHUT_RDWR);
			conn->deadline_ms = 0;
			metric_add("rsp_http_overdue_total", s->labels, 1);
		} else if (conn->deadline_ms < next) {
			next = conn->deadline_ms;
		}
	}
	return next;
}

static int sleep_ms(int64_t until)
{
	int64_t ms = until - clock_ms();

	if (until == INT64_MAX)
		return -1;
	return ms < 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Lock held. */
static void hung_up(struct conn *conn)
{
	if (conn->parked && conn->parked->state == CALL_PARKED && conn->watched)
		park_abandon(conn->parked, 0);
}

static void plan(struct http_server *s, int64_t at_ms)
{
	const int64_t soonest = clock_ms() + ROUND_MS;

	if (at_ms < soonest)
		at_ms = soonest;
	if (at_ms < s->wake_ms)
		s->wake_ms = at_ms;
}

/* Lock held. It looks at every connection: for when a deadline has come, not for every event, of which a listener with thousands of
 * cards has thousands in a second. */
static void look_at_deadlines(struct http_server *s)
{
	s->wake_ms = INT64_MAX; /* park_expire releases the lock: deadlines that are set meanwhile must lower it */
	plan(s, park_expire(s));
	plan(s, cut_overdue(s));
	plan(s, linger_expire(s));
	plan(s, accept_again(s));
}

static void *watch_main(void *arg)
{
	struct http_server *s = arg;
	struct epoll_event events[EVENTS];

	pthread_mutex_lock(&s->lock);
	while (!s->stop_watcher) {
		uint64_t count;
		int64_t next;
		int n;

		watch_reap(s); /* no event of an earlier round is left */
		if (s->wake_ms <= clock_ms())
			look_at_deadlines(s);
		next = s->wake_ms;
		pthread_mutex_unlock(&s->lock);
		n = epoll_wait(s->epoll_fd, events, EVENTS, sleep_ms(next));
		pthread_mutex_lock(&s->lock);
		for (int i = 0; i < n; i++) {
			void *ptr = events[i].data.ptr;

			if (!ptr)
				while (read(s->event_fd, &count, sizeof(count)) > 0)
					;
			else if (!accept_event(s, ptr) && !linger_event(s, ptr))
				hung_up(ptr);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

bool watch_start(struct http_server *s, char error[256])
{
	struct epoll_event event = { .events = EPOLLIN };
	int rc;

	s->wake_ms = INT64_MAX;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll_fd < 0 || s->event_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->event_fd, &event) < 0) {
		snprintf(error, 256, "epoll: %s", strerror(errno));
		return false;
	}
	rc = pthread_create(&s->watcher, NULL, watch_main, s);
	if (rc != 0)
		snprintf(error, 256, "thread: %s", strerror(rc));
	s->has_watcher = rc == 0;
	return rc == 0;
}

void watch_stop(struct http_server *s)
{
	if (!s->has_watcher)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop_watcher = true;
	wake(s);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->watcher, NULL);
	pthread_mutex_lock(&s->lock);
	s->has_watcher = false;
	pthread_mutex_unlock(&s->lock);
}

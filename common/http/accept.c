/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a new connection. Left to themselves, the pool's threads accept for the one that is awake anyway: a peer's burst of connections
 * then shares one thread, and one database connection, while the others sleep. So the watcher accepts, and MHD deals them out in turn. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/http/server_internal.h"

enum { AT_ONCE = 64, PAUSE_MS = 100 };

static void arm(struct http_server *s, int op)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.ptr = s };

	if (epoll_ctl(s->epoll_fd, op, s->listen_fd, &event) < 0)
		log_msg(LOG_ERROR, "http_accept_failed", "%s: epoll: %d", s->spec.name, errno);
}

void accept_start(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	arm(s, EPOLL_CTL_ADD);
	s->accepting = true;
	pthread_mutex_unlock(&s->lock);
}

void accept_stop(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->accepting)
		(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->listen_fd, NULL);
	s->accepting = false;
	pthread_mutex_unlock(&s->lock);
}

/* True: one more may be. MHD must never find out that its own limit is reached: where it does, it keeps a lock for ever. */
static bool place_take(struct http_server *s)
{
	bool free_place;

	pthread_mutex_lock(&s->lock);
	free_place = s->n_conns < s->spec.connections;
	s->n_conns += free_place;
	pthread_mutex_unlock(&s->lock);
	return free_place;
}

static void place_give(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->n_conns--;
	pthread_mutex_unlock(&s->lock);
}

static void hand_over(struct http_server *s, int fd, const struct sockaddr_storage *from, socklen_t n)
{
	if (!place_take(s)) {
		close(fd);
	} else if (MHD_add_connection(s->daemon, fd, (const struct sockaddr *)from, n) == MHD_YES) {
		return;
	} else { /* which has closed it */
		place_give(s);
	}
	metric_add("rsp_http_connections_refused_total", s->labels, 1);
}

/* False: there is none, or none can be had: errno. */
static bool accept_one(struct http_server *s)
{
	struct sockaddr_storage from;
	socklen_t n = sizeof(from);
	int fd = accept4(s->listen_fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	hand_over(s, fd, &from, n);
	return true;
}

bool accept_event(struct http_server *s, const void *ptr)
{
	int error = 0;

	if (ptr != s)
		return false;
	if (!s->accepting)
		return true;
	pthread_mutex_unlock(&s->lock); /* what MHD calls back takes it */
	for (int i = 0; i < AT_ONCE && !error; i++)
		error = accept_one(s) ? 0 : errno;
	pthread_mutex_lock(&s->lock);
	if (error && error != EAGAIN) { /* too many open files: again when some may have been closed */
		s->accept_again_ms = clock_ms() + PAUSE_MS;
		watch_wake_by(s, s->accept_again_ms);
	} else if (s->accepting) {
		arm(s, EPOLL_CTL_MOD);
	}
	return true;
}

int64_t accept_again(struct http_server *s)
{
	if (!s->accept_again_ms)
		return INT64_MAX;
	if (s->accept_again_ms > clock_ms())
		return s->accept_again_ms;
	s->accept_again_ms = 0;
	if (s->accepting)
		arm(s, EPOLL_CTL_MOD);
	return INT64_MAX;
}

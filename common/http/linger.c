/* SPDX-License-Identifier: Apache-2.0 */
/* A request that is refused before its body is read: closing at once would make the kernel reset the connection, and a caller
 * that is still sending would see "broken" instead of our 413. So the descriptor is kept a little longer and what arrives is thrown
 * away. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/http/server_internal.h"

enum { LINGER_MS = 2000, LINGER_BYTES = 8 << 20, READS = 8 /* per event, the listener's lock is held meanwhile */ };

static void end(const struct http_server *s, struct lingering *l)
{
	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, l->fd,
		  NULL); /* MHD may still hold the socket: close alone would leave it in the set */
	close(l->fd);
	l->fd = -1;
}

void linger_init(struct http_server *s)
{
	for (size_t i = 0; i < LEN(s->lingers); i++)
		s->lingers[i].fd = -1;
}

void linger_take(struct http_server *s, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP };

	for (size_t i = 0; i < LEN(s->lingers); i++) {
		struct lingering *l = &s->lingers[i];

		if (l->fd >= 0)
			continue;
		l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (l->fd < 0)
			return;
		shutdown(l->fd, SHUT_WR);
		l->left = LINGER_BYTES;
		l->until_ms = clock_ms() + LINGER_MS;
		event.data.ptr = l;
		if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, l->fd, &event) < 0)
			end(s, l);
		else
			watch_wake_by(s, l->until_ms);
		return;
	}
}

bool linger_event(struct http_server *s, void *ptr)
{
	struct lingering *l = ptr;
	char waste[16384];

	if ((uintptr_t)ptr < (uintptr_t)s->lingers || (uintptr_t)ptr >= (uintptr_t)(s->lingers + LEN(s->lingers)))
		return false;
	for (int i = 0; i < READS && l->fd >= 0; i++) {
		ssize_t n = recv(l->fd, waste, sizeof(waste), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0 || (size_t)n >= l->left)
			end(s, l);
		else
			l->left -= (size_t)n;
	}
	return true;
}

int64_t linger_expire(struct http_server *s)
{
	int64_t now = clock_ms(), next = INT64_MAX;

	for (size_t i = 0; i < LEN(s->lingers); i++) {
		struct lingering *l = &s->lingers[i];

		if (l->fd >= 0 && l->until_ms <= now)
			end(s, l);
		else if (l->fd >= 0 && l->until_ms < next)
			next = l->until_ms;
	}
	return next;
}

void linger_end_all(struct http_server *s)
{
	for (size_t i = 0; i < LEN(s->lingers); i++)
		if (s->lingers[i].fd >= 0)
			end(s, &s->lingers[i]);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/http/server_internal.h"

enum { BACKLOG = 1024 };

static int give_up(int fd, const char *where, const char *what, char error[256])
{
	snprintf(error, 256, "%s: %s: %s", where, what, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* True: path may be bound: it is free, or was a dead server's socket and has been removed. */
static bool unix_clear(const char *path, const struct sockaddr_un *address, char error[256])
{
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) < 0)
		return true; /* bind says what is wrong, if anything */
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(error, 256, "%s: exists and is not a socket", path);
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return give_up(-1, path, "socket", error) == 0;
	rc = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	close(fd);
	if (rc == 0) {
		snprintf(error, 256, "%s: another process listens on it", path);
		return false;
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return give_up(-1, path, "unlink", error) == 0;
	return true;
}

static int open_unix(struct http_server *s, char error[256])
{
	const char *path = s->spec.unix_path;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(error, 256, "%s: longer than %zu characters", path, sizeof(address.sun_path) - 1);
		return -1;
	}
	strcpy(address.sun_path, path);
	if (!unix_clear(path, &address, error))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return give_up(fd, path, "socket", error);
	/* On Linux the file that bind makes takes the socket's mode; unlike umask() this touches no other thread. */
	if (fchmod(fd, 0600) < 0)
		return give_up(fd, path, "fchmod", error);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return give_up(fd, path, "bind", error);
	if (lstat(path, &st) < 0)
		return give_up(fd, path, "stat", error);
	if (st.st_mode & 077) {
		errno = EPERM;
		unlink(path);
		return give_up(fd, path, "mode is not 0600", error);
	}
	s->unix_dev = st.st_dev;
	s->unix_ino = st.st_ino;
	if (listen(fd, BACKLOG) < 0)
		return give_up(fd, path, "listen", error);
	return fd;
}

static int bind_tcp(const struct addrinfo *ai, const char *where, char error[256])
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1, off = 0;

	if (fd < 0)
		return give_up(fd, where, "socket", error);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0)
		return give_up(fd, where, "bind", error);
	if (listen(fd, BACKLOG) < 0)
		return give_up(fd, where, "listen", error);
	return fd;
}

static int open_tcp(struct http_server *s, char error[256])
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	const char *host = s->spec.bind_address ? s->spec.bind_address : "127.0.0.1";
	struct sockaddr_storage bound;
	socklen_t n = sizeof(bound);
	struct addrinfo *ai;
	char port[8], where[96];
	int fd, rc;

	snprintf(port, sizeof(port), "%u", s->spec.port);
	snprintf(where, sizeof(where), "%s port %s", host, port);
	rc = getaddrinfo(host, port, &hints, &ai);
	if (rc != 0) {
		snprintf(error, 256, "%s: %s", where, gai_strerror(rc));
		return -1;
	}
	fd = bind_tcp(ai, where, error);
	freeaddrinfo(ai);
	if (fd < 0)
		return -1;
	if (getsockname(fd, (struct sockaddr *)&bound, &n) < 0)
		return give_up(fd, where, "getsockname", error);
	s->port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
						    : ((struct sockaddr_in *)&bound)->sin_port);
	return fd;
}

int listen_open(struct http_server *s, char error[256])
{
	return s->spec.unix_path ? open_unix(s, error) : open_tcp(s, error);
}

void listen_close(struct http_server *s)
{
	struct stat st;

	if (s->listen_fd < 0)
		return;
	if (s->spec.unix_path && lstat(s->spec.unix_path, &st) == 0 && st.st_dev == s->unix_dev && st.st_ino == s->unix_ino)
		unlink(s->spec.unix_path);
	close(s->listen_fd);
	s->listen_fd = -1;
}

void listen_remote(const struct sockaddr *address, char *out, size_t n)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (address && address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, n, "%s:%u", host, ntohs(in->sin_port));
	} else if (address && address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;

		inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
		snprintf(out, n, "[%s]:%u", host, ntohs(in->sin6_port));
	} else {
		snprintf(out, n, "unix");
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_PIECE = 16384, TURN = 256 };

void die(const char *what)
{
	(void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, errno ? strerror(errno) : "failed");
	exit(1);
}

static SSL_CTX *tls_new(const struct line_files *f, bool callee)
{
	SSL_CTX *ctx = SSL_CTX_new(callee ? TLS_server_method() : TLS_client_method());

	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, f->cert) != 1 || SSL_CTX_use_PrivateKey_file(ctx, f->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(ctx, f->ca, NULL) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	SSL_CTX_set_verify(ctx, callee ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

static void watch(struct lines *l, int fd, void *what, uint32_t events, int op)
{
	struct epoll_event e = { .events = events, .data.ptr = what };

	if (epoll_ctl(l->epoll, op, fd, &e) < 0)
		die("epoll_ctl");
}

void lines_open(struct lines *l, const struct line_files *caller, const struct line_files *callee, int listening)
{
	signal(SIGPIPE, SIG_IGN);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->caller = tls_new(caller, false);
	l->listening = callee ? listening : -1;
	if (l->listening < 0)
		return;
	l->callee = tls_new(callee, true);
	fcntl(listening, F_SETFL, O_NONBLOCK);
	watch(l, listening, NULL, EPOLLIN, EPOLL_CTL_ADD);
}

static struct line *line_new(struct lines *l, int fd, bool callee, void *owner)
{
	struct line *line = calloc(1, sizeof(*line));
	int one = 1;

	if (!line)
		abort();
	line->lines = l;
	line->owner = owner;
	line->callee = callee;
	line->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	line->ssl = SSL_new(callee ? l->callee : l->caller);
	SSL_set_fd(line->ssl, fd);
	if (callee)
		SSL_set_accept_state(line->ssl);
	else
		SSL_set_connect_state(line->ssl);
	watch(l, fd, line, callee ? EPOLLIN : EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
	l->open++;
	line->next = l->all;
	line->place = &l->all;
	if (l->all)
		l->all->place = &line->next;
	l->all = line;
	return line;
}

struct line *line_call(struct lines *l, unsigned port, void *owner)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	return line_new(l, fd, false, owner);
}

/* Other events of this turn may still name it. */
void line_close(struct line *line)
{
	if (line->fd < 0)
		return;
	SSL_free(line->ssl);
	close(line->fd);
	buf_free(&line->out);
	buf_free(&line->in);
	line->fd = -1;
	line->lines->open--;
	*line->place = line->next;
	if (line->next)
		line->next->place = line->place;
	line->next = line->lines->closed;
	line->lines->closed = line;
}

static void bury(struct lines *l)
{
	while (l->closed) {
		struct line *line = l->closed;

		l->closed = line->next;
		free(line);
	}
}

void lines_close(struct lines *l)
{
	while (l->all)
		line_close(l->all);
	bury(l);
	close(l->epoll);
	SSL_CTX_free(l->caller);
	SSL_CTX_free(l->callee);
}

static void broken(struct line *line)
{
	if (line->fd < 0)
		return;
	if (line->lines->gone)
		line->lines->gone(line);
	line_close(line);
}

static bool goes_on(const struct line *line, int n)
{
	int e = SSL_get_error(line->ssl, n);

	ERR_clear_error();
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

/* False: it broke. */
static bool flush(struct line *line)
{
	while (line->sent < line->out.len) {
		int n = SSL_write(line->ssl, line->out.data + line->sent, (int)(line->out.len - line->sent));

		if (n <= 0) {
			if (!goes_on(line, n))
				return false;
			if (!line->waiting)
				watch(line->lines, line->fd, line, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
			line->waiting = true;
			return true;
		}
		line->sent += (size_t)n;
	}
	if (line->waiting)
		watch(line->lines, line->fd, line, EPOLLIN, EPOLL_CTL_MOD);
	line->waiting = false;
	return true;
}

void line_send(struct line *line, const char *head, const void *body, size_t n)
{
	buf_clear(&line->in);
	buf_clear(&line->out);
	buf_printf(&line->out, "%sContent-Length: %zu\r\n\r\n", head, n);
	buf_add(&line->out, body, n);
	line->sent = 0;
	if (!flush(line))
		broken(line);
}

/* Length of the whole message in line->in; 0: not known yet. */
static size_t message_length(const struct line *line)
{
	const char *end = line->in.data ? strstr(line->in.data, "\r\n\r\n") : NULL, *length;

	if (!end)
		return 0;
	length = strcasestr(line->in.data, "content-length:");
	return (size_t)(end + 4 - line->in.data) + (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
}

const char *line_body(const struct line *line)
{
	const char *end = strstr(line->in.data, "\r\n\r\n");

	return end ? end + 4 : "";
}

static void read_on(struct line *line)
{
	for (;;) {
		char piece[READ_PIECE];
		int n = SSL_read(line->ssl, piece, sizeof(piece));
		size_t whole;

		if (n <= 0) {
			if (!goes_on(line, n))
				broken(line);
			return;
		}
		buf_add(&line->in, piece, (size_t)n);
		whole = message_length(line);
		if (!whole || line->in.len < whole)
			continue;
		line->lines->got(line);
		if (line->fd < 0)
			return;
	}
}

static void step(struct line *line)
{
	if (!line->up) {
		int n = SSL_do_handshake(line->ssl);

		if (n != 1) {
			if (!goes_on(line, n))
				broken(line);
			return;
		}
		line->up = true;
		watch(line->lines, line->fd, line, EPOLLIN, EPOLL_CTL_MOD);
		if (line->lines->up)
			line->lines->up(line);
	}
	if (line->fd >= 0 && line->sent < line->out.len && !flush(line))
		broken(line);
	if (line->fd >= 0)
		read_on(line);
}

static void take_callers(struct lines *l)
{
	for (int fd; (fd = accept4(l->listening, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
		(void)line_new(l, fd, true, NULL);
}

bool lines_turn(struct lines *l, int wait_ms)
{
	struct epoll_event events[TURN];
	int n = epoll_wait(l->epoll, events, TURN, wait_ms);

	for (int i = 0; i < n; i++) {
		struct line *line = events[i].data.ptr;

		if (!line)
			take_callers(l);
		else if (line->fd >= 0)
			step(line);
	}
	bury(l);
	return n > 0;
}

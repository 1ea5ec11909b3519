/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 over mutual TLS in one thread and one epoll loop, as caller and as callee: what the load programs have in common. They are
 * measuring tools: what cannot go on ends the program with a word on stderr. */
#ifndef BENCH_LINE_H
#define BENCH_LINE_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "common/base/buf.h"

struct lines;

/* One connection. in holds one whole message while got runs. */
struct line {
	struct lines *lines;
	void *owner; /* the user's */
	bool callee;
	struct buf in, out;
	size_t sent;
	int fd;
	SSL *ssl;
	bool up, waiting; /* waiting: for room to write */
	struct line *next, **place; /* among the open ones; closed ones, until the events of this turn are done */
};

struct lines {
	/* up: the handshake is done. got: a whole message is in line->in; answer or ask with line_send, or line_close. gone: the other side
	 * closed it, or it broke; nothing may be done with it afterwards. */
	void (*up)(struct line *line);
	void (*got)(struct line *line);
	void (*gone)(struct line *line);
	void *ctx;
	size_t open;
	int epoll, listening; /* listening: < 0: nobody calls us */
	SSL_CTX *caller, *callee;
	struct line *all, *closed;
};

/* PEM files. */
struct line_files {
	const char *cert, *key, *ca;
};

void die(const char *what) __attribute__((noreturn));

/* caller: our side of calls; callee, with listening >= 0: our side of calls to us, on a socket that listens. */
void lines_open(struct lines *l, const struct line_files *caller, const struct line_files *callee, int listening);
/* What is open is closed. */
void lines_close(struct lines *l);
/* One turn of the loop; waits for events for at most wait_ms. False: there were none. */
bool lines_turn(struct lines *l, int wait_ms);

/* A call to 127.0.0.1. */
struct line *line_call(struct lines *l, unsigned port, void *owner);
void line_close(struct line *line);
/* head: start line and headers that end with \r\n, without Content-Length. Clears what was received. */
void line_send(struct line *line, const char *head, const void *body, size_t n);
/* The body of what was received; NUL-terminated. */
const char *line_body(const struct line *line);

#endif

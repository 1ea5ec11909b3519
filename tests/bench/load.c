/* SPDX-License-Identifier: Apache-2.0 */
/* Load over kept-alive mutual TLS: one thread, one epoll loop, many connections. Prints one JSON line.
 *
 *   load --port P --path /es4 --cert F --key F --ca F --requests FILE --connections 32 (--seconds S | --once)
 *
 * FILE holds bodies, each behind its length (4 bytes, little endian). Without --once they go round. An answer counts as good when it is
 * HTTP 200 and says EXECUTED_SUCCESS. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"

enum { LATENCIES = 4 * 1000 * 1000, READ_PIECE = 16384 };

struct options {
	unsigned port, connections;
	double seconds;
	bool once;
	const char *path, *cert, *key, *ca, *requests;
};

struct load {
	struct options o;
	SSL_CTX *tls;
	int epoll;
	struct bytes *bodies;
	size_t n_bodies, next;
	uint32_t *latency_us;
	size_t n_latencies, good, bad;
	int64_t until_us;
	unsigned open;
};

struct connection {
	struct load *load;
	int fd;
	SSL *ssl;
	bool connected, in_flight;
	struct buf out, in;
	size_t sent;
	int64_t started_us;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "failed");
	exit(1);
}

static void bodies_read(struct load *l)
{
	FILE *f = fopen(l->o.requests, "re");
	uint32_t n;
	size_t cap = 0;

	if (!f)
		die(l->o.requests);
	while (fread(&n, 1, sizeof(n), f) == sizeof(n)) {
		uint8_t *data = malloc(n ? n : 1);

		if (!data || fread(data, 1, n, f) != n)
			die("a cut off body");
		if (l->n_bodies == cap) {
			cap = cap ? cap * 2 : 1024;
			l->bodies = realloc(l->bodies, cap * sizeof(*l->bodies));
			if (!l->bodies)
				abort();
		}
		l->bodies[l->n_bodies++] = (struct bytes){ data, n };
	}
	fclose(f);
	if (!l->n_bodies)
		die("no bodies");
}

static void bodies_free(struct load *l)
{
	for (size_t i = 0; i < l->n_bodies; i++) {
		union {
			const uint8_t *c;
			void *v;
		} p = { .c = l->bodies[i].data };

		free(p.v);
	}
	free(l->bodies);
}

static SSL_CTX *tls_new(const struct options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, o->cert) != 1 || SSL_CTX_use_PrivateKey_file(ctx, o->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(ctx, o->ca, NULL) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

static void watch(struct connection *c, uint32_t events, int op)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(c->load->epoll, op, c->fd, &e) < 0)
		die("epoll_ctl");
}

static void connection_open(struct load *l, struct connection *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->o.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	c->load = l;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	c->ssl = SSL_new(l->tls);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
	l->open++;
}

static void connection_close(struct connection *c)
{
	if (c->fd < 0)
		return;
	SSL_free(c->ssl);
	close(c->fd);
	buf_free(&c->out);
	buf_free(&c->in);
	c->fd = -1;
	c->load->open--;
}

static bool request_next(struct connection *c)
{
	struct load *l = c->load;
	const struct bytes *body;

	if ((l->o.once && l->next >= l->n_bodies) || (!l->o.once && clock_us() >= l->until_us))
		return false;
	body = &l->bodies[l->next++ % l->n_bodies];
	buf_clear(&c->out);
	buf_clear(&c->in);
	buf_printf(&c->out,
		   "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/soap+xml; charset=utf-8\r\nContent-Length: %zu\r\n\r\n",
		   l->o.path, body->len);
	buf_add(&c->out, body->data, body->len);
	c->sent = 0;
	c->in_flight = true;
	c->started_us = clock_us();
	return true;
}

/* Length of the whole answer in c->in; 0: not known yet. */
static size_t answer_length(const struct connection *c)
{
	const char *end = c->in.data ? strstr(c->in.data, "\r\n\r\n") : NULL, *length;

	if (!end)
		return 0;
	length = strcasestr(c->in.data, "content-length:");
	if (!length || length > end)
		return 0;
	return (size_t)(end + 4 - c->in.data) + strtoul(length + 15, NULL, 10);
}

static void answer_count(struct connection *c)
{
	struct load *l = c->load;
	bool good = !strncmp(c->in.data, "HTTP/1.1 200", 12) && strstr(c->in.data, "EXECUTED_SUCCESS");

	if (!good && !l->bad)
		(void)fprintf(stderr, "load: first bad answer: %.600s\n", c->in.data);
	c->in_flight = false;
	l->good += good;
	l->bad += !good;
	if (l->n_latencies < LATENCIES)
		l->latency_us[l->n_latencies++] = (uint32_t)(clock_us() - c->started_us);
}

/* False: the connection is done (or broken, then counted). */
static bool connection_write(struct connection *c)
{
	while (c->sent < c->out.len) {
		int n = SSL_write(c->ssl, c->out.data + c->sent, (int)(c->out.len - c->sent));
		int e = n > 0 ? 0 : SSL_get_error(c->ssl, n);

		if (n > 0) {
			c->sent += (size_t)n;
			continue;
		}
		return e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ;
	}
	watch(c, EPOLLIN, EPOLL_CTL_MOD);
	return true;
}

static bool connection_read(struct connection *c)
{
	for (;;) {
		char piece[READ_PIECE];
		int n = SSL_read(c->ssl, piece, sizeof(piece));
		size_t whole;

		if (n <= 0) {
			int e = SSL_get_error(c->ssl, n);

			return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
		}
		buf_add(&c->in, piece, (size_t)n);
		whole = answer_length(c);
		if (!whole || c->in.len < whole)
			continue;
		answer_count(c);
		if (!request_next(c))
			return false;
		return connection_write(c);
	}
}

static bool connection_step(struct connection *c)
{
	if (!c->connected) {
		int n = SSL_do_handshake(c->ssl);
		int e = n == 1 ? 0 : SSL_get_error(c->ssl, n);

		if (n != 1)
			return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
		c->connected = true;
		if (!request_next(c))
			return false;
	}
	if (c->sent < c->out.len)
		return connection_write(c);
	return connection_read(c);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t percentile(const struct load *l, double p)
{
	return l->n_latencies ? l->latency_us[(size_t)((double)(l->n_latencies - 1) * p)] : 0;
}

static void run(struct load *l)
{
	struct connection *all = calloc(l->o.connections, sizeof(*all));
	struct epoll_event events[256];
	int64_t begun;

	if (!all)
		abort();
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->until_us = INT64_MAX;
	for (unsigned i = 0; i < l->o.connections; i++)
		connection_open(l, &all[i]);
	begun = clock_us();
	if (!l->o.once)
		l->until_us = begun + (int64_t)(l->o.seconds * 1e6);
	while (l->open) {
		int n = epoll_wait(l->epoll, events, (int)LEN(events), 30000);

		if (n == 0)
			die("no answer for 30 s");
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (connection_step(c))
				continue;
			l->bad += c->in_flight; /* closed under a request */
			connection_close(c);
		}
	}
	l->o.seconds = (double)(clock_us() - begun) / 1e6;
	close(l->epoll);
	free(all);
}

static struct options options_read(int argc, char **argv)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },  { "path", required_argument, NULL, 'a' },
		{ "cert", required_argument, NULL, 'c' },  { "key", required_argument, NULL, 'k' },
		{ "ca", required_argument, NULL, 't' },	   { "requests", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' }, { "connections", required_argument, NULL, 'n' },
		{ "once", no_argument, NULL, 'o' },	   { 0 },
	};
	struct options o = { .connections = 32, .seconds = 5, .path = "/" };

	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		if (c == 'p')
			o.port = (unsigned)atoi(optarg);
		else if (c == 'n')
			o.connections = (unsigned)atoi(optarg);
		else if (c == 's')
			o.seconds = atof(optarg);
		else if (c == 'o')
			o.once = true;
		else if (c == '?')
			exit(2);
		else
			*(c == 'a' ? &o.path : c == 'c' ? &o.cert : c == 'k' ? &o.key : c == 't' ? &o.ca : &o.requests) = optarg;
	}
	if (!o.port || !o.cert || !o.key || !o.ca || !o.requests) {
		(void)fprintf(stderr, "load: --port, --cert, --key, --ca and --requests are needed\n");
		exit(2);
	}
	return o;
}

int main(int argc, char **argv)
{
	struct load l = { .o = options_read(argc, argv) };

	signal(SIGPIPE, SIG_IGN);
	l.tls = tls_new(&l.o);
	l.latency_us = malloc(LATENCIES * sizeof(*l.latency_us));
	if (!l.latency_us)
		abort();
	bodies_read(&l);
	run(&l);
	qsort(l.latency_us, l.n_latencies, sizeof(*l.latency_us), by_value);
	printf("{\"good\":%zu,\"bad\":%zu,\"seconds\":%.3f,\"rate\":%.1f,\"p50_us\":%u,\"p99_us\":%u}\n", l.good, l.bad, l.o.seconds,
	       (double)l.good / l.o.seconds, percentile(&l, 0.5), percentile(&l, 0.99));
	bodies_free(&l);
	SSL_CTX_free(l.tls);
	free(l.latency_us);
	return l.bad ? 1 : 0;
}

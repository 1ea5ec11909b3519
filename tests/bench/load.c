/* SPDX-License-Identifier: Apache-2.0 */
/* Load over kept-alive mutual TLS: one thread, one epoll loop, many connections. Prints one JSON line.
 *
 *   load --port P --path /es4 --cert F --key F --ca F --requests FILE --connections 32 (--seconds S | --once)
 *
 * --port may be given again: connections are dealt out. FILE holds bodies, each behind its length (4 bytes, little endian). Without
 * --once they go round. An answer counts as good when it is HTTP 200 and says EXECUTED_SUCCESS. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/bench/line.h"

enum { LATENCIES = 4 * 1000 * 1000, SILENCE_MS = 30000, PORTS = 4 };

struct options {
	unsigned ports[PORTS], n_ports, connections;
	double seconds;
	bool once;
	const char *path, *cert, *key, *ca, *requests;
};

struct load {
	struct options o;
	struct lines lines;
	struct buf head;
	struct bytes *bodies;
	size_t n_bodies, next;
	uint32_t *latency_us;
	size_t n_latencies, good, bad;
	unsigned up;
	int64_t begun_us, until_us;
};

/* The request of a connection that is under way; 0: none. */
struct request {
	int64_t started_us;
};

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

/* Asks for the next one, or is done. */
static void request_next(struct line *line)
{
	struct load *l = line->lines->ctx;
	struct request *r = line->owner;
	const struct bytes *body;

	r->started_us = 0;
	if ((l->o.once && l->next >= l->n_bodies) || (!l->o.once && clock_us() >= l->until_us)) {
		line_close(line);
		return;
	}
	body = &l->bodies[l->next++ % l->n_bodies];
	r->started_us = clock_us();
	line_send(line, l->head.data, body->data, body->len);
}

/* Time counts from when all connections are there. */
static void up(struct line *line)
{
	struct load *l = line->lines->ctx;

	if (++l->up == l->o.connections && !l->o.once) {
		l->begun_us = clock_us();
		l->until_us = l->begun_us + (int64_t)(l->o.seconds * 1e6);
		l->good = l->n_latencies = 0;
	}
	request_next(line);
}

static void answered(struct line *line)
{
	struct load *l = line->lines->ctx;
	const struct request *r = line->owner;
	bool good = !strncmp(line->in.data, "HTTP/1.1 200", 12) && strstr(line->in.data, "EXECUTED_SUCCESS");

	if (!good && !l->bad)
		(void)fprintf(stderr, "load: first bad answer: %.600s\n", line->in.data);
	l->good += good;
	l->bad += !good;
	if (l->n_latencies < LATENCIES)
		l->latency_us[l->n_latencies++] = (uint32_t)(clock_us() - r->started_us);
	request_next(line);
}

static void gone(struct line *line)
{
	struct load *l = line->lines->ctx;
	const struct request *r = line->owner;

	l->bad += r->started_us != 0; /* closed under a request */
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
	const struct line_files files = { l->o.cert, l->o.key, l->o.ca };
	struct request *requests = calloc(l->o.connections, sizeof(*requests));

	if (!requests)
		abort();
	l->lines = (struct lines){ .up = up, .got = answered, .gone = gone, .ctx = l };
	lines_open(&l->lines, &files, NULL, -1);
	buf_printf(&l->head, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/soap+xml; charset=utf-8\r\n", l->o.path);
	for (unsigned i = 0; i < l->o.connections; i++)
		(void)line_call(&l->lines, l->o.ports[i % l->o.n_ports], &requests[i]);
	l->begun_us = clock_us();
	l->until_us = INT64_MAX;
	while (l->lines.open)
		if (!lines_turn(&l->lines, SILENCE_MS))
			die("no answer for 30 s");
	l->o.seconds = (double)(clock_us() - l->begun_us) / 1e6;
	lines_close(&l->lines);
	buf_free(&l->head);
	free(requests);
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
		if (c == 'p' && o.n_ports < PORTS)
			o.ports[o.n_ports++] = (unsigned)atoi(optarg);
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
	if (!o.n_ports || !o.cert || !o.key || !o.ca || !o.requests) {
		(void)fprintf(stderr, "load: --port, --cert, --key, --ca and --requests are needed\n");
		exit(2);
	}
	return o;
}

int main(int argc, char **argv)
{
	struct load l = { .o = options_read(argc, argv) };

	l.latency_us = malloc(LATENCIES * sizeof(*l.latency_us));
	if (!l.latency_us)
		abort();
	bodies_read(&l);
	run(&l);
	qsort(l.latency_us, l.n_latencies, sizeof(*l.latency_us), by_value);
	printf("{\"good\":%zu,\"bad\":%zu,\"seconds\":%.3f,\"rate\":%.1f,\"p50_us\":%u,\"p99_us\":%u}\n", l.good, l.bad, l.o.seconds,
	       (double)l.good / l.o.seconds, percentile(&l, 0.5), percentile(&l, 0.99));
	bodies_free(&l);
	free(l.latency_us);
	return l.bad ? 1 : 0;
}

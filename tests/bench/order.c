/* SPDX-License-Identifier: Apache-2.0 */
/* An operator that has profiles enabled on many cards, back and forth between two each, or has its SM-DP download them, and takes the callbacks.
 * Prints one JSON line.
 *
 *   order --port P --cert F --key F --ca F --server-cert F --server-key F --callbacks FD --caller OID --server OID --smsr OID --cards FILE
 *         --in-flight N (--seconds S | --operations N) --validity S [--type TYPE]
 *
 * --port may be given again: connections are dealt out. FD is a socket that listens on 127.0.0.1, where the SM-SR or SM-DP, whose OID --server
 * says, sends the operator's answers. FILE: a line per card: EID, ICCID to be enabled next, ICCID that is enabled. --type: ES2.DownloadProfile
 * of a profile of that type instead. An operation ends with its callback; the next card is the one that rested longest. good, bad:
 * EXECUTED_SUCCESS or not. repeated: answers to what was answered. lost: never answered. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "tests/bench/line.h"

enum { EID_TEXT = 33, ICCID_TEXT = 21, PORTS = 4, CALLERS = 16, TURN_MS = 1000, GRACE_S = 10, LATENCIES = 1000 * 1000 };

static const char HEAD[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:wsa=\"http://www.w3.org/2005/08/addressing\" "
	"xmlns:rps=\"http://namespaces.gsma.org/esim-messaging/3\"><soap:Header><wsa:From><wsa:Address>https://127.0.0.1/%s?EntityId=%s"
	"</wsa:Address></wsa:From><wsa:To>https://127.0.0.1/%s?EntityId=%s</wsa:To><wsa:MessageID>//%s/%s?TransactionID=%s"
	"?MessageDate=2026-01-15T09:30:00Z</wsa:MessageID><wsa:Action>%s</wsa:Action><wsa:ReplyTo><wsa:Address>https://127.0.0.1:%u%s"
	"</wsa:Address></wsa:ReplyTo></soap:Header><soap:Body><rps:%sRequest><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier>"
	"<rps:ValidityPeriod>%u</rps:ValidityPeriod><rps:Eid>%s</rps:Eid>";
static const char ENABLE[] = "<rps:Iccid>%s</rps:Iccid>";
static const char DOWNLOAD[] =
	"<rps:SmSr-id>%s</rps:SmSr-id><rps:ProfileType>%s</rps:ProfileType><rps:EnableProfile>false</rps:EnableProfile>";
static const char TAIL[] = "</rps:%sRequest></soap:Body></soap:Envelope>";

/* What is asked for. */
struct kind {
	const char *interface, *path, *function, *action, *head, *answer;
};
#define HTTP_HEAD(path) "POST " path " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/soap+xml; charset=utf-8\r\n"
static const struct kind enabling = { "ES4", "/es4", "ES4-EnableProfile", "http://gsma.com/ES4/PlatformManagement/ES4-EnableProfile",
				      HTTP_HEAD("/es4"), "ES4-EnableProfileResponse" };
static const struct kind downloading = { "ES2", "/es2", "ES2-DownloadProfile", "http://gsma.com/ES2/ProfileManagement/ES2-DownloadProfile",
					 HTTP_HEAD("/es2"), "ES2-DownloadProfileResponse" };

struct options {
	unsigned ports[PORTS], n_ports, in_flight, validity_s;
	double seconds;
	size_t operations;
	int callbacks;
	const char *cards, *caller, *server, *smsr, *type; /* type: NULL: enable */
	struct line_files as_caller, as_callee;
};

struct card {
	char eid[EID_TEXT], iccids[2][ICCID_TEXT];
	unsigned next; /* which of them */
	unsigned operation;
	bool in_flight;
	int64_t started_us;
	struct card *behind; /* in the queue of those that rest */
};

struct load {
	struct options o;
	struct lines lines;
	struct card *all;
	size_t n_cards;
	struct card *first, *last;
	struct line *free[CALLERS];
	unsigned n_free, port;
	char run[24]; /* what makes this run's identifiers its own */
	struct buf body;
	size_t started, in_flight, good, bad, repeated, in_time;
	uint32_t *latency_us;
	size_t n_latencies;
	int64_t until_us;
};

static void rest(struct load *l, struct card *c)
{
	c->behind = NULL;
	if (l->last)
		l->last->behind = c;
	else
		l->first = c;
	l->last = c;
}

static struct card *wake(struct load *l)
{
	struct card *c = l->first;

	l->first = c->behind;
	if (!l->first)
		l->last = NULL;
	return c;
}

static void cards_read(struct load *l)
{
	FILE *f = fopen(l->o.cards, "re");
	size_t cap = 0;
	struct card c = { .next = 0, .behind = NULL };

	if (!f)
		die(l->o.cards);
	while (fscanf(f, "%32s %20s %20s", c.eid, c.iccids[0], c.iccids[1]) == 3) {
		if (l->n_cards == cap) {
			cap = cap ? cap * 2 : 1024;
			l->all = realloc(l->all, cap * sizeof(*l->all));
			if (!l->all)
				abort();
		}
		l->all[l->n_cards++] = c;
	}
	fclose(f);
	for (size_t i = 0; i < l->n_cards; i++)
		rest(l, &l->all[i]);
}

static const struct kind *kind_of(const struct load *l)
{
	return l->o.type ? &downloading : &enabling;
}

/* The card's next request, in l->body. */
static void request_write(struct load *l, const struct card *c, const char *id)
{
	const struct kind *k = kind_of(l);

	buf_clear(&l->body);
	buf_printf(&l->body, HEAD, k->interface, l->o.caller, k->interface, l->o.server, l->o.caller, id, id, k->action, l->port, k->path,
		   k->function, id, l->o.validity_s, c->eid);
	if (l->o.type)
		buf_printf(&l->body, DOWNLOAD, l->o.smsr, l->o.type);
	else
		buf_printf(&l->body, ENABLE, c->iccids[c->next]);
	buf_printf(&l->body, TAIL, k->function);
}

static bool may_start(const struct load *l)
{
	if (!l->n_free || !l->first || l->in_flight >= l->o.in_flight)
		return false;
	return l->o.operations ? l->started < l->o.operations : clock_us() < l->until_us;
}

static void start_more(struct load *l)
{
	while (may_start(l)) {
		struct card *c = wake(l);
		struct line *line = l->free[--l->n_free];
		char id[64];

		c->in_flight = true;
		c->started_us = clock_us();
		(void)snprintf(id, sizeof(id), "%s.%zu.%u", l->run, (size_t)(c - l->all), ++c->operation);
		l->started++;
		l->in_flight++;
		request_write(l, c, id);
		line->owner = c;
		line_send(line, kind_of(l)->head, l->body.data, l->body.len);
	}
}

static void ended(struct load *l, struct card *c, bool good, const char *said)
{
	if (!good && !l->bad)
		(void)fprintf(stderr, "order: first bad answer: %.900s\n", said);
	c->in_flight = false;
	l->in_flight--;
	l->good += good;
	l->bad += !good;
	l->in_time += good && clock_us() < l->until_us;
	if (l->n_latencies < LATENCIES)
		l->latency_us[l->n_latencies++] = (uint32_t)(clock_us() - c->started_us);
	c->next ^= good;
	rest(l, c);
}

/* The card of an answer, by what it relates to; NULL: no longer awaited. */
static struct card *card_of(struct load *l, const char *said)
{
	const char *id = strstr(said, "RelatesTo>");
	size_t at;
	unsigned operation;

	id = id ? strstr(id, l->run) : NULL;
	if (!id || sscanf(id + strlen(l->run), ".%zu.%u", &at, &operation) != 2 || at >= l->n_cards)
		return NULL;
	return l->all[at].in_flight && l->all[at].operation == operation ? &l->all[at] : NULL;
}

/* Called by the server: an answer, or a notification, which is not counted. */
static void called(struct line *line)
{
	struct load *l = line->lines->ctx;
	const char *said = line_body(line);
	struct card *c = card_of(l, said);

	if (c)
		ended(l, c, strstr(said, "EXECUTED_SUCCESS"), said);
	else if (strstr(said, kind_of(l)->answer))
		l->repeated++;
	line_send(line, "HTTP/1.1 202 Accepted\r\n", NULL, 0);
}

static void ready(struct line *line)
{
	struct load *l = line->lines->ctx;

	if (line->callee)
		return;
	line->owner = NULL;
	l->free[l->n_free++] = line;
}

static void got(struct line *line)
{
	struct load *l = line->lines->ctx;
	struct card *c = line->owner;

	if (line->callee) {
		called(line);
	} else {
		if (c && c->in_flight && strncmp(line->in.data, "HTTP/1.1 202", 12) != 0)
			ended(l, c, false, line->in.data);
		ready(line);
	}
	start_more(l);
}

/* A free one may be closed by the server at any time; under a request it is not known what became of that. */
static void gone(struct line *line)
{
	struct load *l = line->lines->ctx;

	if (line->callee)
		return;
	for (unsigned i = 0; i < l->n_free; i++)
		if (l->free[i] == line)
			l->free[i] = l->free[--l->n_free];
	(void)line_call(&l->lines, l->o.ports[l->started % l->o.n_ports], NULL);
}

static void up(struct line *line)
{
	ready(line);
	start_more(line->lines->ctx);
}

static bool going_on(const struct load *l)
{
	if (l->in_flight)
		return clock_us() < l->until_us + (l->o.validity_s + GRACE_S) * INT64_C(1000000);
	return l->o.operations ? l->started < l->o.operations : clock_us() < l->until_us;
}

static void run(struct load *l)
{
	struct sockaddr_in at = { 0 };
	socklen_t n = sizeof(at);
	int64_t begun = clock_us();

	if (getsockname(l->o.callbacks, (struct sockaddr *)&at, &n) < 0)
		die("--callbacks");
	l->port = ntohs(at.sin_port);
	(void)snprintf(l->run, sizeof(l->run), "bench%llx", (unsigned long long)clock_wall_us());
	l->lines = (struct lines){ .up = up, .got = got, .gone = gone, .ctx = l };
	lines_open(&l->lines, &l->o.as_caller, &l->o.as_callee, l->o.callbacks);
	l->until_us = begun + (int64_t)(l->o.seconds * 1e6);
	for (unsigned i = 0; i < CALLERS; i++)
		(void)line_call(&l->lines, l->o.ports[i % l->o.n_ports], NULL);
	while (going_on(l))
		(void)lines_turn(&l->lines, TURN_MS);
	if (l->o.operations) {
		l->o.seconds = (double)(clock_us() - begun) / 1e6;
		l->in_time = l->good;
	}
}

static bool option_take(int c, struct options *o)
{
	switch (c) {
	case 'p':
		if (o->n_ports < PORTS)
			o->ports[o->n_ports++] = (unsigned)atoi(optarg);
		return true;
	case 'c':
		return o->as_caller.cert = optarg, true;
	case 'k':
		return o->as_caller.key = optarg, true;
	case 'C':
		return o->as_callee.cert = optarg, true;
	case 'K':
		return o->as_callee.key = optarg, true;
	case 't':
		return o->as_caller.ca = o->as_callee.ca = optarg, true;
	case 'b':
		return o->callbacks = atoi(optarg), true;
	case 'f':
		return o->cards = optarg, true;
	case 'i':
		return o->in_flight = (unsigned)atoi(optarg), true;
	case 's':
		return o->seconds = atof(optarg), true;
	case 'o':
		return o->operations = strtoul(optarg, NULL, 10), true;
	case 'v':
		return o->validity_s = (unsigned)atoi(optarg), true;
	case 'a':
		return o->caller = optarg, true;
	case 'r':
		return o->smsr = optarg, true;
	case 'x':
		return o->server = optarg, true;
	case 'y':
		return o->type = optarg, true;
	default:
		return false;
	}
}

static struct options options_read(int argc, char **argv)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },	 { "cert", required_argument, NULL, 'c' },
		{ "key", required_argument, NULL, 'k' },	 { "ca", required_argument, NULL, 't' },
		{ "server-cert", required_argument, NULL, 'C' }, { "server-key", required_argument, NULL, 'K' },
		{ "callbacks", required_argument, NULL, 'b' },	 { "cards", required_argument, NULL, 'f' },
		{ "in-flight", required_argument, NULL, 'i' },	 { "seconds", required_argument, NULL, 's' },
		{ "operations", required_argument, NULL, 'o' },	 { "validity", required_argument, NULL, 'v' },
		{ "caller", required_argument, NULL, 'a' },	 { "smsr", required_argument, NULL, 'r' },
		{ "server", required_argument, NULL, 'x' },	 { "type", required_argument, NULL, 'y' },
		{ 0 },
	};
	struct options o = { .in_flight = 32, .validity_s = 60, .callbacks = -1 };

	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
		if (!option_take(c, &o))
			exit(2);
	if (!o.n_ports || !o.as_caller.cert || !o.as_caller.key || !o.as_callee.cert || !o.as_callee.key || !o.as_caller.ca || !o.cards ||
	    o.callbacks < 0 || !o.caller || !o.server || !o.smsr) {
		(void)fprintf(stderr, "order: an option is missing\n");
		exit(2);
	}
	return o;
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

int main(int argc, char **argv)
{
	struct load l = { .o = options_read(argc, argv) };

	l.latency_us = malloc(LATENCIES * sizeof(*l.latency_us));
	if (!l.latency_us)
		abort();
	cards_read(&l);
	run(&l);
	qsort(l.latency_us, l.n_latencies, sizeof(*l.latency_us), by_value);
	printf("{\"good\":%zu,\"bad\":%zu,\"repeated\":%zu,\"lost\":%zu,\"seconds\":%.3f,\"rate\":%.1f,\"p50_us\":%u,\"p99_us\":%u}\n",
	       l.good, l.bad, l.repeated, l.in_flight, l.o.seconds, (double)l.in_time / l.o.seconds, percentile(&l, 0.5), percentile(&l, 0.99));
	lines_close(&l.lines);
	buf_free(&l.body);
	free(l.all);
	free(l.latency_us);
	return l.bad || l.repeated || l.in_flight ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests over a real nats-server: answered, nobody there, silence, a server that comes late or goes, and what is too large. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "nats_server.h"

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define AWAIT(cond)                                                                \
	do {                                                                       \
		for (int i_ = 0; i_ < 4000 && !(cond); i_++)                       \
			nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL); \
		cr_assert(cond);                                                   \
	} while (0)

struct reply {
	atomic_int came;
	enum bus_outcome outcome;
	char text[200];
};

static void on_done(void *user, enum bus_outcome outcome, const void *data, size_t n)
{
	struct reply *r = user;

	r->outcome = outcome;
	snprintf(r->text, sizeof(r->text), "%.*s", (int)n, n ? (const char *)data : "");
	atomic_fetch_add(&r->came, 1);
}

static void ask(struct bus *b, const char *verb, const void *data, size_t n, unsigned ms, struct reply *out)
{
	memset(out, 0, sizeof(*out));
	bus_request(b, &(struct bus_request){ .role = "sm-sr",
					      .verb = verb,
					      .traceparent = TRACE,
					      .payload = data,
					      .n = n,
					      .timeout_ms = ms,
					      .done = on_done,
					      .user = out });
}

static enum bus_outcome asked(struct bus *b, const char *verb, const char *text, unsigned ms, struct reply *out)
{
	ask(b, verb, text, strlen(text), ms, out);
	AWAIT(atomic_load(&out->came));
	return out->outcome;
}

/* Answers with what it was asked, and "mute" never. */
struct echo {
	struct bus *bus;
	atomic_int heard;
	char trace[80], last_reply[200];
	unsigned last_connection;
};

static void answer(void *ctx, const struct bus_asked *q)
{
	struct echo *e = ctx;
	char text[200];
	int n = snprintf(text, sizeof(text), "%s:%.*s", q->verb, (int)(q->n < 100 ? q->n : 100), (const char *)q->payload);

	snprintf(e->trace, sizeof(e->trace), "%s", q->traceparent ? q->traceparent : "");
	snprintf(e->last_reply, sizeof(e->last_reply), "%s", q->reply);
	e->last_connection = q->connection;
	atomic_fetch_add(&e->heard, 1);
	if (strcmp(q->verb, "mute") != 0)
		cr_expect_eq(bus_answer(e->bus, q->reply, q->connection, text, (size_t)n), BUS_ANSWERED);
}

static struct bus *opened(const struct nats_server *s, int slot, const char *role, const char *replica)
{
	struct bus_spec spec = nats_server_spec(s, slot, role, role, replica);
	char error[256] = "";
	struct bus *b = bus_open(&spec, error);

	cr_assert(b, "%s", error);
	return b;
}

Test(bus_request, tells_an_answer_from_nobody_from_silence)
{
	if (!nats_server_installed())
		cr_skip_test("nats-server is not installed");
	struct nats_server s = nats_server_new();
	struct bus *asker = opened(&s, 0, "sm-sr-handover", "h1");
	struct echo echo = { .bus = opened(&s, 1, "sm-sr", "r1") };
	struct reply r, many[100];
	int64_t began;

	cr_expect_eq(asked(asker, "adopt", "x", 5000, &r), BUS_AWAY, "no server yet");
	nats_server_start(&s, "sm-sr");
	AWAIT(bus_connected(asker) && bus_connected(echo.bus));
	began = clock_ms();
	cr_expect_eq(asked(asker, "adopt", "x", 20000, &r), BUS_NOBODY);
	cr_expect_lt(clock_ms() - began, 10000, "the server says so, time does not");
	bus_serve(echo.bus, answer, &echo);
	AWAIT(asked(asker, "adopt", "x", 5000, &r) == BUS_ANSWERED);
	cr_expect_str_eq(r.text, "adopt:x");
	cr_expect_str_eq(echo.trace, TRACE);
	cr_expect_eq(asked(asker, "adopt.card", "y", 5000, &r), BUS_ANSWERED);
	cr_expect_str_eq(r.text, "adopt.card:y");
	began = clock_ms();
	cr_expect_eq(asked(asker, "mute", "x", 300, &r), BUS_SILENT);
	cr_expect_geq(clock_ms() - began, 300);
	cr_expect_eq(bus_answer(echo.bus, echo.last_reply, echo.last_connection, "late", 4), BUS_ANSWERED);
	for (int i = 0; i < 100; i++)
		ask(asker, i % 2 ? "adopt" : "mute", "z", 1, 400, &many[i]);
	for (int i = 0; i < 100; i++) {
		AWAIT(atomic_load(&many[i].came) == 1);
		cr_expect_eq(many[i].outcome, i % 2 ? BUS_ANSWERED : BUS_SILENT);
	}
	cr_expect_eq(asked(asker, "a b", "x", 5000, &r), BUS_REFUSED);
	bus_serve(echo.bus, NULL, NULL);
	AWAIT(asked(asker, "adopt", "x", 5000, &r) == BUS_NOBODY);
	bus_close(echo.bus);
	bus_close(asker);
	nats_server_free(&s);
}

Test(bus_request, says_what_is_too_large)
{
	if (!nats_server_installed())
		cr_skip_test("nats-server is not installed");
	struct nats_server s = nats_server_new();
	struct echo echo = { .bus = opened(&s, 1, "sm-sr", "r1") };
	struct bus *asker = opened(&s, 0, "sm-sr-handover", "h1");
	char *large = calloc(1, 2000000);
	struct reply r;

	nats_server_start(&s, "sm-sr");
	bus_serve(echo.bus, answer, &echo);
	AWAIT(bus_connected(asker) && bus_connected(echo.bus));
	ask(asker, "adopt", large, 1500000, 5000, &r);
	AWAIT(atomic_load(&r.came));
	cr_expect_eq(r.outcome, BUS_REFUSED);
	cr_expect_str_eq(r.text, "a request of 1500000 octets is more than the bus takes (1048576 with its header)");
	AWAIT(asked(asker, "adopt", "x", 5000, &r) == BUS_ANSWERED);
	cr_expect_eq(bus_answer(echo.bus, echo.last_reply, echo.last_connection, large, 1500000), BUS_REFUSED);
	cr_expect_eq(asked(asker, "adopt", "x", 5000, &r), BUS_ANSWERED, "nothing of that ends the connection");
	free(large);
	bus_close(echo.bus);
	bus_close(asker);
	nats_server_free(&s);
}

Test(bus_request, outlives_the_server)
{
	if (!nats_server_installed())
		cr_skip_test("nats-server is not installed");
	struct nats_server s = nats_server_new();
	struct echo echo = { .bus = opened(&s, 1, "sm-sr", "r1") }, other = { .bus = opened(&s, 2, "sm-sr", "r2") };
	struct bus *asker = opened(&s, 0, "sm-sr-handover", "h1");
	struct reply r, open;
	unsigned connection;

	bus_serve(echo.bus, answer, &echo); /* before there is a server */
	nats_server_start(&s, "sm-sr");
	AWAIT(bus_connected(asker) && bus_connected(echo.bus) && bus_connected(other.bus));
	AWAIT(asked(asker, "adopt", "x", 5000, &r) == BUS_ANSWERED);
	ask(asker, "mute", "x", 1, 60000, &open);
	AWAIT(echo.heard > 0 && strstr(echo.last_reply, "_INBOX.sm-sr-handover."));
	connection = echo.last_connection;
	nats_server_stop(&s);
	AWAIT(atomic_load(&open.came) == 1);
	cr_expect_eq(open.outcome, BUS_AWAY, "it is not waited for");
	AWAIT(!bus_connected(echo.bus));
	cr_expect_eq(asked(asker, "adopt", "x", 5000, &r), BUS_AWAY);
	nats_server_start(&s, "sm-sr");
	AWAIT(bus_connected(asker) && bus_connected(echo.bus) && bus_connected(other.bus));
	cr_expect_eq(bus_answer(echo.bus, echo.last_reply, connection, "late", 4), BUS_AWAY, "who asked on another connection");
	AWAIT(asked(asker, "adopt", "x", 5000, &r) == BUS_ANSWERED);
	bus_serve(other.bus, answer, &other);
	for (int i = 0; i < 2000 && !(other.heard && echo.heard > 20); i++)
		cr_expect_eq(asked(asker, "adopt", "x", 5000, &r), BUS_ANSWERED, "one of them");
	cr_expect(other.heard, "both of them");
	ask(asker, "mute", "x", 1, 60000, &open);
	bus_request_end(asker, 100);
	AWAIT(atomic_load(&open.came) == 1);
	cr_expect_eq(open.outcome, BUS_SILENT);
	ask(asker, "mute", "x", 1, 60000, &open);
	bus_close(asker);
	cr_expect_eq(atomic_load(&open.came), 1, "nothing is left when it is closed");
	cr_expect_eq(open.outcome, BUS_AWAY);
	bus_close(echo.bus);
	bus_close(other.bus);
	nats_server_free(&s);
}

Test(bus_request, needs_no_bus)
{
	const struct bus_spec spec = { .url = "", .domain = "a", .role = "sm-sr", .replica = "r1" };
	struct echo echo = { 0 };
	char error[256];
	struct bus *b = bus_open(&spec, error);
	struct reply r;

	cr_assert(b);
	bus_serve(b, answer, &echo);
	ask(b, "adopt", "x", 1, 60000, &r);
	cr_expect_eq(atomic_load(&r.came), 1);
	cr_expect_eq(r.outcome, BUS_AWAY);
	cr_expect_eq(bus_answer(b, "x", 0, "y", 1), BUS_AWAY);
	bus_request_end(b, 1);
	bus_serve(b, NULL, NULL);
	bus_close(b);
	bus_request_end(NULL, 1);
}

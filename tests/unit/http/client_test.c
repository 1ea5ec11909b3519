/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "tests/unit/http/pki.h"
#include "tests/unit/http/raw.h"

struct fixture {
	struct pki pki;
	struct http_server *server;
	struct http_client *client;
	struct arena *arena;
	atomic_int handled;
	const char *url;
	struct http_outgoing out;
};

static void handle(void *ctx, struct http_call *c)
{
	struct fixture *f = ctx;

	f->handled++;
	if (!strcmp(http_path(c), "/slow"))
		sleep_ms(1000);
	if (!strcmp(http_path(c), "/moved")) {
		const struct http_header to = { "Location", "/" };

		http_reply_headers(c, 302, NULL, NULL, 0, &to, 1);
	} else {
		http_reply(c, 200, "text/plain", "0123456789", 10);
	}
}

static void client_start(struct fixture *f, const char *who, const char *trust, const char *crl)
{
	struct http_client_spec spec = { .connect_ms = 10000 };
	char error[256];

	http_client_close(f->client, 0);
	spec.cert_file = who ? pki_path(&f->pki, arena_printf(f->arena, "%s.pem", who)) : NULL;
	spec.key_file = who ? pki_path(&f->pki, arena_printf(f->arena, "%s.key", who)) : NULL;
	spec.trust_file = trust ? pki_path(&f->pki, trust) : NULL;
	spec.crl_file = crl ? pki_path(&f->pki, crl) : NULL;
	f->client = http_client_open(&spec, error);
	cr_assert(f->client, "%s", error);
}

static void start(struct fixture *f, const char *server_is)
{
	struct http_spec spec = { .name = "c",
				  .security = HTTP_MUTUAL_TLS,
				  .bind_address = "127.0.0.1",
				  .threads = 2,
				  .connections = 20,
				  .max_body = 1000,
				  .ctx = f,
				  .handlers.handle = handle };
	char error[256];

	f->arena = arena_new();
	pki_open(&f->pki);
	spec.cert_file = pki_path(&f->pki, arena_printf(f->arena, "%s.pem", server_is));
	spec.key_file = pki_path(&f->pki, arena_printf(f->arena, "%s.key", server_is));
	spec.trust_file = pki_path(&f->pki, "ca.pem");
	f->server = http_server_open(&spec, error);
	cr_assert(f->server, "%s", error);
	f->url = arena_printf(f->arena, "https://127.0.0.1:%u", http_server_port(f->server));
	f->out = (struct http_outgoing){ .method = "POST",
					 .url = f->url,
					 .content_type = "text/xml",
					 .body = "<x/>",
					 .n = 4,
					 .timeout_ms = 10000,
					 .max_answer = 100 };
	client_start(f, "good", "ca.pem", NULL);
}

static void stop(struct fixture *f)
{
	http_client_close(f->client, 0);
	http_server_close(f->server, 1);
	pki_close(&f->pki);
	arena_free(f->arena);
}

static void expect(struct fixture *f, enum http_error wanted, const char *what)
{
	struct http_answer a;

	http_client_call(f->client, f->arena, &f->out, &a);
	cr_expect_eq(a.error, wanted, "%s: %s instead of %s: %s", what, http_error_name(a.error), http_error_name(wanted),
		     a.reason);
	if (a.error != HTTP_ANSWERED) {
		cr_expect_eq(a.status, 0);
		cr_expect_eq(a.body.len, 0);
	}
}

Test(http_client, trusts_only_what_it_should)
{
	struct fixture f = { 0 };
	char good[64], server[64], both[140];

	start(&f, "server");
	expect(&f, HTTP_ANSWERED, "plain");
	pki_pin(&f.pki, "server.pem", server);
	pki_pin(&f.pki, "good.pem", good);
	snprintf(both, sizeof(both), "%s;%s", good, server);
	f.out.pinned_keys = both;
	expect(&f, HTTP_ANSWERED, "one of two pins");
	f.out.pinned_keys = good;
	expect(&f, HTTP_REFUSED, "another pin, though a connection is open");
	f.out.pinned_keys = NULL;
	cr_expect_eq(f.handled, 2);
	client_start(&f, "good", "other-ca.pem", NULL);
	expect(&f, HTTP_REFUSED, "server of another CA with the same name");
	client_start(&f, "good", NULL, NULL);
	expect(&f, HTTP_REFUSED, "no trust at all");
	client_start(&f, "good", "ca.pem", "crl-revoked.pem");
	expect(&f, HTTP_ANSWERED, "somebody else revoked");
	cr_expect_eq(f.handled, 3);
	/* TLS 1.3: the request is on its way when the server looks at the certificate. */
	client_start(&f, NULL, "ca.pem", NULL);
	expect(&f, HTTP_BROKEN, "without our certificate");
	client_start(&f, "expired", "ca.pem", NULL);
	expect(&f, HTTP_BROKEN, "with an expired certificate");
	cr_expect_eq(f.handled, 3);
	stop(&f);
}

Test(http_client, refuses_revoked_and_misnamed_servers)
{
	static const char *const servers[] = { "revoked", "elsewhere", "good" };

	for (size_t i = 0; i < 3; i++) {
		struct fixture f = { 0 };

		start(&f, servers[i]);
		client_start(&f, "good", "ca.pem", "crl-revoked.pem");
		expect(&f, HTTP_REFUSED, servers[i]);
		if (i == 0) {
			f.out.url = arena_printf(f.arena, "https://localhost:%u/", http_server_port(f.server));
			client_start(&f, "good", "ca.pem", NULL);
			expect(&f, HTTP_ANSWERED, "before it was revoked");
		}
		stop(&f);
	}
}

Test(http_client, bounds)
{
	static const char *const evil[] = { "X-A: b\r\nX-C: d", NULL };
	struct fixture f = { 0 };
	struct http_answer a;
	int64_t from;

	start(&f, "server");
	f.out.max_answer = 10;
	expect(&f, HTTP_ANSWERED, "just fits");
	f.out.max_answer = 9;
	expect(&f, HTTP_TOO_LARGE, "one byte more");
	f.out.max_answer = 100;
	f.out.url = arena_printf(f.arena, "%s/slow", f.url);
	f.out.timeout_ms = 500;
	from = clock_ms();
	expect(&f, HTTP_TIMEOUT, "slow");
	cr_expect_lt(clock_ms() - from, 950);
	f.out.timeout_ms = 10000;
	f.out.url = arena_printf(f.arena, "%s/moved", f.url);
	http_client_call(f.client, f.arena, &f.out, &a);
	cr_expect_eq(a.status, 302, "redirects are not followed");
	f.out.url = arena_printf(f.arena, "http://127.0.0.1:%u/", http_server_port(f.server));
	expect(&f, HTTP_UNREACHABLE, "plain is not allowed");
	f.out.url = "file:///etc/passwd";
	f.out.plain_allowed = true;
	expect(&f, HTTP_UNREACHABLE, "another scheme");
	f.out.url = "http://127.0.0.1:1/";
	expect(&f, HTTP_UNREACHABLE, "nobody there");
	f.out.url = "nonsense://";
	expect(&f, HTTP_UNREACHABLE, "no URL");
	f.out.url = f.url;
	f.out.headers = evil;
	expect(&f, HTTP_UNREACHABLE, "a header with a line break");
	f.out.headers = NULL;
	f.out.method = "GET / HTTP/1.1\r\nX:";
	expect(&f, HTTP_UNREACHABLE, "a method with a line break");
	cr_expect_eq(f.handled, 4);
	stop(&f);
}

Test(http_client, reads_a_refusal_while_it_still_sends)
{
	struct fixture f = { 0 };
	size_t n = 1 << 20; /* more than sockets buffer: the server has to take it in to be heard */
	struct http_answer a;

	start(&f, "server");
	f.out.body = arena_alloc(f.arena, n);
	f.out.n = n;
	for (int i = 0; i < 30; i++) {
		http_client_call(f.client, f.arena, &f.out, &a);
		cr_assert_eq(a.status, 413, "%s %s", http_error_name(a.error), a.reason);
	}
	cr_expect_eq(f.handled, 0);
	stop(&f);
}

struct counter {
	atomic_int done, broken, answered;
};

static void count(void *user, const struct http_answer *a)
{
	struct counter *c = user;

	if (a->error == HTTP_BROKEN)
		c->broken++;
	if (a->error == HTTP_ANSWERED)
		c->answered++;
	c->done++;
}

Test(http_client, close_ends_what_runs)
{
	struct fixture f = { 0 };
	struct counter n = { 0 };
	int64_t from;

	start(&f, "server");
	from = clock_ms();
	for (int i = 0; i < 20; i++)
		http_client_send(f.client, &f.out, count, &n);
	http_client_close(f.client, 10000);
	f.client = NULL;
	cr_expect_lt(clock_ms() - from, 9000, "waits no longer than the last answer");
	cr_expect_eq(n.answered, 20, "all within the time given: %d", n.answered);
	client_start(&f, "good", "ca.pem", NULL);
	f.out.url = arena_printf(f.arena, "%s/slow", f.url);
	for (int i = 0; i < 5; i++)
		http_client_send(f.client, &f.out, count, &n);
	from = clock_ms();
	http_client_close(f.client, 300);
	f.client = NULL;
	cr_expect_lt(clock_ms() - from, 900);
	cr_expect_eq(n.done, 25);
	cr_expect_eq(n.broken, 5);
	client_start(&f, "good", "ca.pem", NULL);
	http_client_send(f.client, &f.out, count, &n);
	from = clock_ms();
	http_client_end(f.client, 200);
	http_client_send(f.client, &f.out, count, &n);
	cr_expect_eq(n.done, 26, "what comes too late ends at once");
	while (n.done < 27 && clock_ms() - from < 5000)
		sched_yield();
	cr_expect_eq(n.broken, 6, "what ran ends in the time given");
	http_client_close(f.client, 10000);
	f.client = NULL;
	stop(&f);
}

#define BYTES(text) (text), sizeof(text) - 1

/* A peer that takes one connection, reads once from it, sends answer and closes after ms. */
struct stub {
	pthread_t thread;
	int fd, ms;
	const char *answer;
	size_t n; /* bytes of answer */
	char url[64];
};

static void *stub_main(void *arg)
{
	struct stub *s = arg;

	int fd = accept(s->fd, NULL, NULL);
	char in[4096];

	if (recv(fd, in, sizeof(in), 0) > 0 && s->n)
		cr_expect_eq(send(fd, s->answer, s->n, MSG_NOSIGNAL), (ssize_t)s->n);
	sleep_ms(s->ms);
	close(fd);
	return NULL;
}

static void stub_start(struct stub *s, const char *scheme)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(s->fd, 5), 0);
	getsockname(s->fd, (struct sockaddr *)&a, &n);
	snprintf(s->url, sizeof(s->url), "%s://127.0.0.1:%u/", scheme, ntohs(a.sin_port));
	pthread_create(&s->thread, NULL, stub_main, s);
}

Test(http_client, peer_that_closes_or_is_silent)
{
	static const struct {
		const char *what, *scheme, *answer;
		size_t n;
		int ms;
		enum http_error wanted;
	} cases[] = {
		{ "closes without an answer", "http", NULL, 0, 0, HTTP_BROKEN },
		{ "closes in the answer", "http", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), 0, HTTP_BROKEN },
		{ "is silent", "http", NULL, 0, 1000, HTTP_TIMEOUT },
		{ "is silent in its answer", "http", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), 1000,
		  HTTP_TIMEOUT },
		{ "closes in the handshake", "https", NULL, 0, 0, HTTP_BROKEN },
		{ "speaks no TLS", "https", BYTES("HTTP/1.1 400 Bad\r\n\r\n"), 0, HTTP_REFUSED },
		{ "sends an alert", "https", BYTES("\x15\x03\x03\x00\x02\x02\x28"), 0, HTTP_REFUSED },
		{ "is silent in the handshake", "https", NULL, 0, 1000, HTTP_UNREACHABLE },
	};
	struct http_client_spec bad = { .trust_file = "/nonexistent" };
	struct fixture f = { 0 };
	char error[256];

	start(&f, "server");
	cr_expect_null(http_client_open(&bad, error));
	cr_expect(strstr(error, "/nonexistent"), "%s", error);
	http_server_close(f.server, 0);
	f.server = NULL;
	expect(&f, HTTP_UNREACHABLE, "the server has gone");
	f.out.plain_allowed = true;
	f.out.timeout_ms = 600;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stub s = { .answer = cases[i].answer, .n = cases[i].n, .ms = cases[i].ms };

		stub_start(&s, cases[i].scheme);
		f.out.url = s.url;
		expect(&f, cases[i].wanted, cases[i].what);
		pthread_join(s.thread, NULL);
		close(s.fd);
	}
	stop(&f);
}

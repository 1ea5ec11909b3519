/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "tests/unit/http/raw.h"

struct fixture {
	struct http_server *server;
	struct http_client *client;
	struct arena *arena;
	atomic_int opened, closed, handled, peers, peers_freed, forgotten;
	bool accept;
};

static void *thread_open(void *ctx)
{
	struct fixture *f = ctx;

	f->opened++;
	return malloc(1);
}

static void thread_close(void *ctx, void *thread)
{
	struct fixture *f = ctx;

	f->closed++;
	free(thread);
}

static bool peer_accept(void *ctx, const struct http_peer *peer, void **out_peer)
{
	struct fixture *f = ctx;

	f->peers++;
	if (f->accept)
		*out_peer = malloc(1);
	return f->accept && !peer->der.len;
}

static void peer_free(void *ctx, void *peer)
{
	struct fixture *f = ctx;

	f->peers_freed++;
	free(peer);
}

static void reply_echo(struct http_call *c)
{
	struct bytes body = http_body(c);
	const char *q = http_query(c, "q");
	const char *type = http_header(c, "content-type");
	char text[1024];
	const struct http_header headers[] = { { "X-Test", "yes" } };

	snprintf(text, sizeof(text), "%s %s q=%s wsdl=%d type=%s peer=%d thread=%d [%.*s] %s", http_method(c), http_path(c),
		 q ? q : "-", http_has_query(c, "wsdl"), type ? type : "-", http_peer_of(c) != NULL, http_thread_of(c) != NULL,
		 (int)body.len, body.len ? (const char *)body.data : "", http_remote(c));
	http_reply_headers(c, 200, "text/plain", text, strlen(text), headers, 1);
}

static void forget(void *ctx, void *user)
{
	struct fixture *f = ctx;

	cr_expect_eq(user, f);
	f->forgotten++;
}

/* The second turn finds the request as it was, and what was kept for it. */
static void reply_again(struct fixture *f, struct http_call *c)
{
	if (!http_again_of(c)) {
		http_again(c, f);
		return;
	}
	cr_expect_eq(http_again_of(c), f);
	reply_echo(c);
}

static void handle(void *ctx, struct http_call *c)
{
	struct fixture *f = ctx;

	f->handled++;
	cr_expect(http_started_us(c) <= clock_us());
	if (!strcmp(http_path(c), "/again")) {
		reply_again(f, c);
		return;
	}
	if (!strcmp(http_path(c), "/drop"))
		http_drop(c);
	else if (!strcmp(http_path(c), "/length"))
		http_reply(c, 202, NULL, NULL, 0);
	else if (strcmp(http_path(c), "/nothing"))
		reply_echo(c);
}

static void start(struct fixture *f, struct http_spec spec)
{
	const struct http_client_spec none = { 0 };
	char error[256];

	spec.name = "test";
	if (!spec.bind_address)
		spec.bind_address = "127.0.0.1";
	if (!spec.max_body)
		spec.max_body = 4096;
	spec.threads = 2;
	spec.connections = 20;
	spec.thread_open = thread_open;
	spec.thread_close = thread_close;
	spec.handlers = (struct http_handlers){ peer_accept, peer_free, handle, forget };
	spec.ctx = f;
	f->accept = true;
	f->arena = arena_new();
	f->server = http_server_open(&spec, error);
	cr_assert(f->server, "%s", error);
	f->client = http_client_open(&none, error);
	cr_assert(f->client, "%s", error);
}

static void stop(struct fixture *f)
{
	http_client_close(f->client, 0);
	http_server_close(f->server, 1);
	arena_free(f->arena);
	cr_expect_eq(f->opened, f->closed);
}

static struct http_answer ask(struct fixture *f, const char *method, const char *path, const char *body)
{
	struct http_outgoing out = { .method = method,
				     .plain_allowed = true,
				     .content_type = body ? "text/x" : NULL,
				     .body = body,
				     .n = body ? strlen(body) : 0,
				     .timeout_ms = 10000,
				     .max_answer = 4096 };
	struct http_answer answer;

	out.url = arena_printf(f->arena, "http://127.0.0.1:%u%s", http_server_port(f->server), path);
	http_client_call(f->client, f->arena, &out, &answer);
	return answer;
}

static const char *text(struct fixture *f, const struct http_answer *a)
{
	return arena_strndup(f->arena, (const char *)a->body.data, a->body.len);
}

Test(http_server, echoes_and_keeps_the_connection)
{
	struct fixture f = { 0 };
	struct http_answer a;
	const char *first, *second;

	start(&f, (struct http_spec){ 0 });
	a = ask(&f, "POST", "/a/b%20c?q=1%2B1&wsdl", "hello");
	cr_assert_eq(a.error, HTTP_ANSWERED, "%s", a.reason);
	cr_assert_eq(a.status, 200);
	first = text(&f, &a);
	cr_expect(strstr(first, "POST /a/b c q=1+1 wsdl=1 type=text/x peer=1 thread=1 [hello] 127.0.0.1:"), "%s", first);
	a = ask(&f, "GET", "/", NULL);
	second = text(&f, &a);
	cr_expect(strstr(second, "GET / q=- wsdl=0 type=- peer=1 thread=1 [] 127.0.0.1:"), "%s", second);
	cr_expect_str_eq(strrchr(first, ' '), strrchr(second, ' '), "not the same connection");
	cr_expect_eq(f.peers, 1);
	a = ask(&f, "PATCH", "/", "x");
	cr_expect_eq(a.status, 405);
	a = ask(&f, "DELETE", "/x", NULL);
	cr_expect_eq(a.status, 200);
	a = ask(&f, "PUT", "/length", NULL);
	cr_expect_eq(a.status, 202);
	cr_expect_eq(f.handled, 4);
	a = ask(&f, "GET", "/x%00y", NULL);
	cr_expect_eq(a.status, 400);
	cr_expect_eq(f.handled, 4);
	a = ask(&f, "GET", "/nothing", NULL);
	cr_expect_eq(a.status, 500);
	a = ask(&f, "POST", "/drop", "x");
	cr_expect_eq(a.error, HTTP_BROKEN);
	stop(&f);
	cr_expect_eq(f.peers, f.peers_freed);
	cr_expect_geq(f.opened, 1);
}

/* No event comes between the turns: a loop that slept would be woken by the idle timeout of its connections only. */
Test(http_server, a_handler_may_have_another_turn)
{
	struct fixture f = { 0 };
	int64_t begun = clock_ms();

	start(&f, (struct http_spec){ 0 });
	for (unsigned i = 0; i < 20; i++) {
		struct http_answer a = ask(&f, "POST", "/again?q=1", "body");

		cr_assert_eq(a.status, 200);
		cr_expect(strstr(text(&f, &a), "POST /again q=1") && strstr(text(&f, &a), "[body]"), "%s", text(&f, &a));
	}
	cr_expect_lt(clock_ms() - begun, 10000);
	cr_expect_eq(f.handled, 40);
	cr_expect_eq(f.forgotten, 0);
	stop(&f);
}

Test(http_server, refused_peer_gets_no_answer)
{
	struct fixture f = { 0 };
	struct http_answer a;
	char out[512];
	int fd;

	start(&f, (struct http_spec){ 0 });
	f.accept = false;
	a = ask(&f, "POST", "/", "hello");
	cr_expect_eq(a.error, HTTP_BROKEN);
	fd = raw_connect(http_server_port(f.server));
	raw_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"); /* the body is not waited for */
	cr_expect_geq(raw_read_all(fd, out, sizeof(out), 5000), 0);
	cr_expect_str_empty(out);
	close(fd);
	cr_expect_eq(f.handled, 0);
	stop(&f);
}

Test(http_server, bounds_the_body)
{
	struct fixture f = { 0 };
	char *big = malloc(100001), out[512];
	struct http_answer a;
	int fd;

	memset(big, 'x', 100000);
	big[100000] = 0;
	start(&f, (struct http_spec){ 0 });
	big[4096] = 0;
	a = ask(&f, "POST", "/length", big);
	cr_expect_eq(a.status, 202, "a body of just max_body");
	big[4096] = 'x';
	big[4097] = 0;
	a = ask(&f, "POST", "/length", big);
	cr_expect_eq(a.status, 413, "%s", a.reason);
	big[4097] = 'x';
	for (int i = 0; i < 20; i++) {
		a = ask(&f, "POST", "/length", big);
		cr_expect_eq(a.status, 413, "%s", a.reason);
	}
	/* By its announcement alone: nothing of the body is sent. */
	fd = raw_connect(http_server_port(f.server));
	raw_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n");
	cr_expect_geq(raw_read_all(fd, out, sizeof(out), 5000), 0);
	cr_expect(!strncmp(out, "HTTP/1.1 413", 12) || !strncmp(out, "HTTP/1.1 400", 12), "%s", out);
	close(fd);
	/* In chunks, without an announcement. */
	fd = raw_connect(http_server_port(f.server));
	raw_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n");
	big[8192] = 0;
	raw_send(fd, big);
	raw_send(fd, "\r\n0\r\n\r\n");
	cr_expect_geq(raw_read_all(fd, out, sizeof(out), 5000), 0);
	cr_expect(!strncmp(out, "HTTP/1.1 413", 12), "%s", out);
	close(fd);
	cr_expect_eq(f.handled, 1);
	stop(&f);
	free(big);
}

struct slow {
	pthread_t thread;
	const char *first, *piece;
	uint16_t port;
	int64_t ms;
};

static void *slow_main(void *arg)
{
	struct slow *s = arg;
	int fd = raw_connect(s->port);

	raw_send(fd, s->first);
	s->ms = raw_drip(fd, s->piece, 5000);
	close(fd);
	return NULL;
}

Test(http_server, cuts_slow_senders)
{
	struct slow slow[] = {
		{ .first = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", .piece = "x" },
		{ .first = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", .piece = "1\r\nx\r\n" },
		{ .first = "POST /", .piece = "x" },
		{ .first = "POST / HTTP/1.1\r\nX: ", .piece = "x" },
		{ .first = "", .piece = "" },
		/* Begins a second request on the connection and drips it. */
		{ .first = "GET /length HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nX: ", .piece = "x" },
	};
	struct fixture f = { 0 };

	start(&f, (struct http_spec){ .request_s = 1, .idle_s = 5 });
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		slow[i].port = http_server_port(f.server);
		pthread_create(&slow[i].thread, NULL, slow_main, &slow[i]);
	}
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		pthread_join(slow[i].thread, NULL);
		cr_expect(slow[i].ms >= 800 && slow[i].ms < 3500, "%s: %ld", slow[i].first, (long)slow[i].ms);
	}
	cr_expect_eq(f.handled, 1);
	stop(&f);
}

Test(http_server, closes_idle_and_old_connections)
{
	struct fixture f = { 0 };
	struct http_answer a;
	const char *first, *second;
	char out[512];
	int64_t ms;
	int fd;

	start(&f, (struct http_spec){ .idle_s = 1, .request_s = 20, .lifetime_s = 1 });
	a = ask(&f, "GET", "/", NULL);
	first = text(&f, &a);
	sleep_ms(600);
	ask(&f, "GET", "/", NULL);
	sleep_ms(600);
	ask(&f, "GET", "/", NULL); /* old by now: answered with Connection: close */
	a = ask(&f, "GET", "/", NULL);
	second = text(&f, &a);
	cr_expect_str_neq(strrchr(first, ' '), strrchr(second, ' '), "the connection is older than lifetime_s");
	cr_expect_geq(f.peers, 2);
	fd = raw_connect(http_server_port(f.server));
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	ms = raw_read_all(fd, out, sizeof(out), 4000);
	cr_expect(ms >= 900 && ms < 5000, "idle: %ld", (long)ms);
	cr_expect(strstr(out, "X-Test: yes"), "%s", out);
	close(fd);
	stop(&f);
}

/* However many come at once: those who are too many are closed, and the others are served, then and later. */
Test(http_server, more_connections_than_may_be)
{
	struct fixture f = { 0 };
	unsigned kept = 0;
	char out[512];
	int fds[100];

	start(&f, (struct http_spec){ 0 });
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < LEN(fds); i++)
			fds[i] = raw_connect(http_server_port(f.server));
		sleep_ms(300);
		kept = 0;
		for (size_t i = 0; i < LEN(fds); i++)
			kept += raw_read_all(fds[i], out, sizeof(out), 1) < 0;
		cr_expect_eq(kept, 20, "%u", kept);
		for (size_t i = 0; i < LEN(fds); i++)
			close(fds[i]);
		sleep_ms(300);
	}
	cr_expect_eq(ask(&f, "GET", "/", NULL).status, 200);
	stop(&f);
}

Test(http_server, quiesce_refuses_new_and_closes_old)
{
	struct fixture f = { 0 };
	char out[1024];
	int fd;

	start(&f, (struct http_spec){ 0 });
	fd = raw_connect(http_server_port(f.server));
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_geq(raw_read_until(fd, "X-Test: yes", out, sizeof(out), 5000), 0);
	cr_expect(strstr(out, "200 OK") && !strstr(out, "Connection: close"), "%s", out);
	http_server_quiesce(f.server);
	cr_expect_eq(raw_connect(http_server_port(f.server)), -1);
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_geq(raw_read_all(fd, out, sizeof(out), 5000), 0);
	cr_expect(strstr(out, "200 OK") && strstr(out, "Connection: close"), "%s", out);
	close(fd);
	stop(&f);
}

Test(http_server, broken_requests_are_released)
{
	struct fixture f = { 0 };
	int64_t from;
	int fd;

	start(&f, (struct http_spec){ 0 });
	fd = raw_connect(http_server_port(f.server));
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n");
	sleep_ms(50);
	close(fd);
	fd = raw_connect(http_server_port(f.server));
	raw_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
	sleep_ms(50);
	close(fd);
	fd = raw_connect(http_server_port(f.server));
	raw_send(fd, "GET / HTTP/1.1\r\nno colon\r\n\r\nGET / HTTP/1.1\r\n: \r\n\r\n");
	sleep_ms(50);
	close(fd);
	sleep_ms(50);
	from = clock_ms();
	stop(&f); /* waits up to a second for running calls: there is none */
	cr_expect_lt(clock_ms() - from, 2500);
	cr_expect_eq(f.handled, 0);
}

static void dead_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
}

Test(http_server, unix_socket_is_private)
{
	struct fixture f = { 0 };
	char dir[] = "/tmp/rsp-http-XXXXXX", path[64], error[256];
	struct http_outgoing out = {
		.method = "GET", .url = "http://localhost/admin", .plain_allowed = true, .timeout_ms = 2000, .max_answer = 1000
	};
	struct http_spec again = { .name = "again", .handlers.handle = handle };
	struct http_answer a;
	struct stat st;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	dead_socket(path); /* what a killed server leaves behind */
	start(&f, (struct http_spec){ .unix_path = path });
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	out.unix_path = path;
	http_client_call(f.client, f.arena, &out, &a);
	cr_assert_eq(a.error, HTTP_ANSWERED, "%s", a.reason);
	cr_expect(strstr(text(&f, &a), "GET /admin") && strstr(text(&f, &a), "[] unix"));
	again.unix_path = path;
	cr_expect_null(http_server_open(&again, error));
	cr_expect(strstr(error, "listens"), "%s", error);
	stop(&f);
	cr_expect_neq(stat(path, &st), 0);
	rmdir(dir);
}

Test(http_server, says_why_it_cannot_open)
{
	struct fixture f = { 0 };
	struct http_spec spec = { .name = "x", .bind_address = "127.0.0.1", .handlers.handle = handle };
	char error[256];

	start(&f, (struct http_spec){ 0 });
	spec.port = http_server_port(f.server);
	cr_expect_null(http_server_open(&spec, error));
	cr_expect(strstr(error, "in use"), "%s", error);
	spec.bind_address = "nowhere";
	cr_expect_null(http_server_open(&spec, error));
	cr_expect(strstr(error, "nowhere"), "%s", error);
	spec.bind_address = "127.0.0.1";
	spec.port = 0;
	spec.security = HTTP_TLS;
	cr_expect_null(http_server_open(&spec, error));
	cr_expect(strstr(error, "cert_file"), "%s", error);
	spec.cert_file = spec.key_file = "/nonexistent";
	cr_expect_null(http_server_open(&spec, error));
	cr_expect(strstr(error, "/nonexistent"), "%s", error);
	stop(&f);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The card's side: answers cut anywhere, servers that misbehave, many connections in one loop. */
#include <criterion/criterion.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/http/psk_client_internal.h"
#include "tests/unit/http/psk.h"
#include "tests/unit/http/raw.h"

enum { MANY = 200, ROUNDS = 3 };

/* NULL: more is wanted. */
static const char *feed(struct answer *a, const char *text, size_t piece)
{
	bool good = true;

	answer_clear(a);
	a->max_body = 100;
	for (size_t at = 0; text[at] && good && a->at != AT_END;) {
		const size_t left = strlen(text + at);

		at += answer_feed(a, text + at, piece < left ? piece : left, &good);
	}
	return !good ? a->why : a->at == AT_END ? "whole" : NULL;
}

Test(http_psk_answer, whole_answers_cut_anywhere)
{
	static const struct {
		const char *text;
		unsigned status;
		const char *body, *type;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Type:  a/b \t\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", "a/b" },
		{ "HTTP/1.1 200\r\nX:\r\ncontent-length: 0\r\n\r\n", 200, "", NULL },
		{ "HTTP/1.1 204 No Content\r\nX-Admin-Protocol: y\r\n\r\n", 204, "", NULL },
		{ "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", 204, "", NULL },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\nContent-Length: 3\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: "
		  "1\r\n\r\nx",
		  404, "x", NULL },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Type: a/b\r\n\r\n5\r\nhello\r\n0A ;ext=1\r\n, world "
		  "wi\r\n0\r\nTrailer: "
		  "1\r\n\r\n",
		  200, "hello, world wi", "a/b" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", NULL },
	};
	struct answer a = { 0 };

	for (size_t i = 0; i < LEN(rows); i++) {
		for (size_t piece = 1; piece < 40; piece++) {
			const char *type;

			cr_assert_str_eq(feed(&a, rows[i].text, piece), "whole", "%s", rows[i].text);
			type = answer_header(&a, "CONTENT-TYPE");
			cr_expect_eq(a.status, rows[i].status);
			cr_expect_eq(a.body.len, strlen(rows[i].body));
			cr_expect(!a.body.len || !memcmp(a.body.data, rows[i].body, a.body.len));
			cr_expect_eq(type != NULL, rows[i].type != NULL);
			cr_expect(!type || !strcmp(type, rows[i].type), "%s", type);
		}
	}
	answer_free(&a);
}

Test(http_psk_answer, what_is_refused)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "SSH-2.0", "not an HTTP answer" },
		{ "HTTP/2", "not an HTTP answer" },
		{ "HTTP/1.1 20 OK\r\n\r\n", "not an HTTP answer" },
		{ "HTTP/1.1 2000 OK\r\n\r\n", "not an HTTP answer" },
		{ "HTTP/1.1 999 OK\r\n\r\n", "not an HTTP answer" },
		{ "HTTP/1.1 101 Upgrade\r\n\r\n", "interim" },
		{ "HTTP/1.1 200 OK\r\n\r\n", "where it ends" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "where it ends" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "where it ends" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer encoding" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n", "no number" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no number" },
		{ "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "no number" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "no number" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", "too large" },
		{ "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", "without a name" },
		{ "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "without a name" },
		{ "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "without a name" },
		{ "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "control character" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "without a size" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ng\r\n", "without a size" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000001\r\n", "without a size" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\rx", "broken chunk" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx", "broken chunk" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n60\r\n"
		  "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\r\n5\r\n",
		  "too large" },
	};
	static char endless[64 << 10];
	struct answer a = { 0 };
	bool good;

	for (size_t i = 0; i < LEN(rows); i++) {
		for (size_t piece = 1; piece < 400; piece += 399) {
			const char *why = feed(&a, rows[i].text, piece);

			cr_expect(why && strstr(why, rows[i].why), "%s: %s", rows[i].text, why ? why : "-");
		}
	}
	cr_expect_null(feed(&a, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 7));
	/* Nobody makes us read for ever. */
	memset(endless, 'e', sizeof(endless) - 1);
	memcpy(endless, "HTTP/1.1 200 ", 13);
	cr_expect_str_eq(feed(&a, endless, 1000), "the answer's head is too large");
	memcpy(endless, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", 50);
	cr_expect_str_eq(feed(&a, endless, 1000), "more framing than body");
	answer_clear(&a);
	cr_expect_eq(answer_feed(&a, "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", 25, &good), 25);
	cr_expect_not(good);
	answer_free(&a);
}

/* A server that shakes hands, reads a request and says text; then it goes, with a close_notify or without. */
struct odd {
	const char *text;
	size_t n;
	bool notify, at_once; /* at_once: says it without a request */
	uint16_t port;
	int listen_fd;
	pthread_t thread;
};

static int odd_key(gnutls_session_t session, const char *username, gnutls_datum_t *key)
{
	key->data = gnutls_malloc(CARD_KEY_N);
	memcpy(key->data, CARD_KEY, CARD_KEY_N);
	key->size = CARD_KEY_N;
	return 0;
}

static void *odd_main(void *arg)
{
	struct odd *o = arg;
	gnutls_psk_server_credentials_t cred;
	gnutls_session_t s;
	char request[1024];
	int fd = accept4(o->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	gnutls_psk_allocate_server_credentials(&cred);
	gnutls_psk_set_server_credentials_function(cred, odd_key);
	gnutls_init(&s, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
	gnutls_priority_set_direct(s, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK:+AES-128-CBC:+SHA256", NULL);
	gnutls_credentials_set(s, GNUTLS_CRD_PSK, cred);
	gnutls_transport_set_int(s, fd);
	gnutls_handshake_set_timeout(s, 10000);
	if (gnutls_handshake(s) >= 0 && (o->at_once || gnutls_record_recv(s, request, sizeof(request)) > 0)) {
		for (size_t at = 0; at < o->n; at += 4096)
			gnutls_record_send(s, o->text + at, o->n - at < 4096 ? o->n - at : 4096);
		if (o->notify)
			gnutls_bye(s, GNUTLS_SHUT_WR);
		shutdown(fd, SHUT_WR);
		while (recv(fd, request, sizeof(request), 0) > 0)
			;
	}
	gnutls_deinit(s);
	gnutls_psk_free_server_credentials(cred);
	close(fd);
	return NULL;
}

/* What becomes of one request to such a server; why is of 160 bytes. */
static enum psk_step ask_odd(struct odd o, bool again, char *why)
{
	struct psk_client_spec spec;
	struct psk_client *c;
	enum psk_step step;

	o.listen_fd = listen_any(&o.port);
	cr_assert_eq(pthread_create(&o.thread, NULL, odd_main, &o), 0);
	spec = card_spec(o.port);
	spec.max_answer = 10000;
	c = psk_client_open(&spec);
	cr_assert_eq(drive(c, 10000), PSK_READY, "%s", psk_client_why(c));
	if (o.at_once)
		step = drive(c, 10000);
	else
		step = ask(c, "/", "x", 1, false);
	if (again && step == PSK_ANSWER)
		step = drive(c, 10000);
	snprintf(why, 160, "%s", psk_client_why(c));
	cr_expect_not(psk_client_post(c, "/", NULL, 0, NULL, 0, false));
	psk_client_close(c, true);
	pthread_join(o.thread, NULL);
	close(o.listen_fd);
	return step;
}

Test(http_psk_client, servers_that_misbehave)
{
	static char large[20000] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4E00\r\n";
	static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	static const struct {
		const char *text;
		size_t n;
		bool notify, at_once, again;
		enum psk_step step;
		const char *why;
	} rows[] = {
		{ "", 0, true, false, false, PSK_FAILED, "closed before its answer" },
		{ "", 0, false, false, false, PSK_FAILED, "closed before its answer" },
		{ good, sizeof(good) - 2, true, false, false, PSK_FAILED, "closed before its answer" },
		{ "\x01\x02garbage", 9, true, false, false, PSK_FAILED, "not an HTTP answer" },
		{ large, sizeof(large), true, false, false, PSK_FAILED, "too large" },
		{ "HTTP/1.1 204 X\r\n\r\nmore", 22, true, false, false, PSK_FAILED, "more than the answer" },
		{ good, sizeof(good) - 1, true, false, true, PSK_CLOSED, "the server closed" },
		{ good, sizeof(good) - 1, false, false, true, PSK_FAILED, "cut" },
		{ "HTTP/1.1 204 X\r\nConnection: close\r\n\r\n", 37, false, false, true, PSK_CLOSED, "the server closed" },
		{ good, sizeof(good) - 1, true, true, false, PSK_FAILED, "not asked for" },
		{ "", 0, true, true, false, PSK_CLOSED, "the server closed" },
	};

	memset(large + strlen(large), 'l', sizeof(large) - strlen(large) - 1);
	for (size_t i = 0; i < LEN(rows); i++) {
		const struct odd o = { rows[i].text, rows[i].n, .notify = rows[i].notify, .at_once = rows[i].at_once };
		char why[160];

		cr_expect_eq(ask_odd(o, rows[i].again, why), rows[i].step, "%zu: %s", i, why);
		cr_expect(strstr(why, rows[i].why), "%zu: %s", i, why);
	}
}

Test(http_psk_client, nobody_there)
{
	struct psk_client_spec spec = card_spec(1);
	struct psk_client *c = psk_client_open(&spec);

	cr_expect_eq(drive(c, 10000), PSK_FAILED);
	cr_expect(strstr(psk_client_why(c), "refused"), "%s", psk_client_why(c));
	cr_expect_eq(drive(c, 10000), PSK_FAILED, "and stays so");
	psk_client_close(c, true);
	spec.host = "a.name.example";
	c = psk_client_open(&spec);
	cr_expect_geq(psk_client_fd(c), 0);
	cr_expect_eq(psk_client_run(c), PSK_FAILED);
	cr_expect(strstr(psk_client_why(c), "numeric"), "%s", psk_client_why(c));
	psk_client_close(c, false);
}

Test(http_psk_client, byte_by_byte_and_only_clean_requests)
{
	static const struct http_header forged[] = { { "X", "1\r\nY: 2" } };
	struct cards s = { 0 };
	struct relay r = { .piece = 1 };
	struct psk_client_spec spec;
	struct psk_client *c;

	cards_start(&s);
	r.to = http_server_port(s.server);
	relay_start(&r);
	spec = card_spec(r.port);
	spec.max_fragment = 512;
	c = psk_client_open(&spec);
	cr_expect_not(psk_client_post(c, "/echo", NULL, 0, NULL, 0, false), "not ready");
	cr_assert_eq(drive(c, 10000), PSK_READY, "%s", psk_client_why(c));
	cr_expect_not(psk_client_post(c, "/echo", forged, 1, NULL, 0, false));
	cr_expect_not(psk_client_post(c, "/echo HTTP/1.1", NULL, 0, NULL, 0, false));
	cr_expect_not(psk_client_post(c, "http://elsewhere/", NULL, 0, NULL, 0, false));
	cr_assert_eq(ask(c, "/echo", "hello", 5, true), PSK_ANSWER, "%s", psk_client_why(c));
	cr_expect(!memcmp(psk_client_body(c).data, "hello", 5));
	cr_expect(psk_client_post(c, "/echo", NULL, 0, NULL, 0, false));
	cr_expect_not(psk_client_post(c, "/echo", NULL, 0, NULL, 0, false), "one at a time");
	psk_client_close(c, true);
	relay_stop(&r);
	cards_stop(&s);
}

struct many {
	struct psk_client *client;
	unsigned rounds;
	uint32_t events;
};

static void follow(int epoll_fd, struct many *m, int op)
{
	struct epoll_event e = { .events = psk_client_events(m->client), .data.ptr = m };

	if (op == EPOLL_CTL_MOD && e.events == m->events)
		return;
	m->events = e.events;
	cr_assert_eq(epoll_ctl(epoll_fd, op, psk_client_fd(m->client), &e), 0);
}

/* True: it is done. */
static bool go_on(struct many *m, unsigned number)
{
	for (;;) {
		char text[32];

		switch (psk_client_run(m->client)) {
		case PSK_WAIT:
			return false;
		case PSK_ANSWER:
			snprintf(text, sizeof(text), "%u.%u", number, m->rounds);
			cr_assert_eq(psk_client_body(m->client).len, strlen(text));
			cr_assert(!memcmp(psk_client_body(m->client).data, text, strlen(text)));
			if (++m->rounds == ROUNDS)
				return true;
			break;
		case PSK_READY:
			break;
		case PSK_CLOSED:
		case PSK_FAILED:
			cr_assert(false, "%s", psk_client_why(m->client));
		}
		snprintf(text, sizeof(text), "%u.%u", number, m->rounds);
		cr_assert(psk_client_post(m->client, "/echo", NULL, 0, text, strlen(text), number % 2));
	}
}

Test(http_psk_client, many_in_one_loop)
{
	static struct many many[MANY];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	const int64_t until = clock_ms() + 60000;
	struct cards s = { 0 };
	unsigned done = 0;

	cards_start(&s);
	for (unsigned i = 0; i < MANY; i++) {
		struct psk_client_spec spec = card_spec(http_server_port(s.server));

		spec.max_fragment = i % 3 ? 0 : 512;
		spec.cbc = i % 2;
		many[i].client = psk_client_open(&spec);
		cr_assert_not_null(many[i].client);
		follow(epoll_fd, &many[i], EPOLL_CTL_ADD);
	}
	while (done < MANY && clock_ms() < until) {
		struct epoll_event events[64];
		const int n = epoll_wait(epoll_fd, events, 64, 1000);

		for (int i = 0; i < n; i++) {
			struct many *m = events[i].data.ptr;

			if (m->rounds < ROUNDS && go_on(m, (unsigned)(m - many)))
				done++;
			follow(epoll_fd, m, EPOLL_CTL_MOD);
		}
	}
	cr_expect_eq(done, MANY);
	cr_expect_eq(s.accepted, MANY);
	cr_expect_eq(s.handled, MANY * ROUNDS);
	for (unsigned i = 0; i < MANY; i++)
		psk_client_close(many[i].client, i % 2);
	close(epoll_fd);
	cards_stop(&s);
}

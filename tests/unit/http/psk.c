/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http/psk.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/http/raw.h"

static void *thread_open(void *ctx)
{
	return ctx;
}

static size_t key_of(void *ctx, void *thread, const char *identity, uint8_t *key, size_t max)
{
	struct cards *s = ctx;

	s->asked++;
	if (thread != ctx)
		s->without_thread++;
	if (strcmp(identity, CARD) != 0 || max < CARD_KEY_N)
		return 0;
	memcpy(key, CARD_KEY, CARD_KEY_N);
	return CARD_KEY_N;
}

static bool peer_accept(void *ctx, const struct http_peer *peer, void **out_peer)
{
	struct cards *s = ctx;

	s->accepted++;
	pthread_mutex_lock(&s->lock);
	snprintf(s->identity, sizeof(s->identity), "%s", peer->psk_identity ? peer->psk_identity : "nobody");
	pthread_mutex_unlock(&s->lock);
	*out_peer = s;
	return true;
}

static void peer_free(void *ctx, void *peer)
{
	struct cards *s = ctx;

	if (peer == s)
		s->freed++;
}

static void gone(void *user)
{
	struct cards *s = user;

	pthread_mutex_lock(&s->lock);
	s->parked = NULL;
	pthread_mutex_unlock(&s->lock);
}

static void handle(void *ctx, struct http_call *c)
{
	static const struct http_header headers[] = { { "X-Admin-Next-URI", "/next" } };
	static const struct http_parked_hooks hooks = { .gone = gone };
	static const char type[] = "application/vnd.globalplatform.card-content-mgt;version=1.0";
	struct cards *s = ctx;
	struct bytes body = http_body(c);

	s->handled++;
	if (!strcmp(http_path(c), "/end")) {
		http_reply_headers(c, 204, type, "", 0, headers, 1);
	} else if (!strcmp(http_path(c), "/park")) {
		pthread_mutex_lock(&s->lock);
		http_park(c, clock_ms() + 30000, &hooks, s);
		s->parked = c;
		pthread_mutex_unlock(&s->lock);
	} else if (!strcmp(http_path(c), "/big")) {
		char *big = malloc(BIG + 3);

		memset(big, 'x', BIG);
		memcpy(big + BIG, "end", 3);
		http_reply_headers(c, 200, type, big, BIG + 3, headers, 1);
		free(big);
	} else {
		http_reply_headers(c, 200, type, body.data, body.len, headers, 1);
	}
}

void cards_start(struct cards *s)
{
	struct http_spec spec = { .name = "cards",
				  .security = HTTP_PSK,
				  .bind_address = "127.0.0.1",
				  .threads = 2,
				  .connections = 400,
				  .max_body = 64 << 10,
				  .connection_memory = 6 << 10,
				  .psk = key_of,
				  .thread_open = thread_open,
				  .handlers = { peer_accept, peer_free, handle },
				  .ctx = s };
	char error[256];

	pthread_mutex_init(&s->lock, NULL);
	s->server = http_server_open(&spec, error);
	cr_assert(s->server, "%s", error);
}

void cards_stop(struct cards *s)
{
	http_server_close(s->server, 0);
	pthread_mutex_destroy(&s->lock);
}

bool cards_resume(struct cards *s, const char *body, const struct http_header *headers, size_t n)
{
	bool done;

	pthread_mutex_lock(&s->lock);
	done = s->parked && http_resume_headers(s->parked, 200, "text/plain", body, strlen(body), headers, n);
	s->parked = NULL;
	pthread_mutex_unlock(&s->lock);
	return done;
}

struct psk_client_spec card_spec(uint16_t port)
{
	static const char key[] = CARD_KEY;

	return (struct psk_client_spec){
		.host = "127.0.0.1", .port = port, .identity = CARD, .key = (const uint8_t *)key, .key_n = CARD_KEY_N
	};
}

enum psk_step drive(struct psk_client *c, int ms)
{
	const int64_t until = clock_ms() + ms;

	for (;;) {
		enum psk_step step = psk_client_run(c);
		const uint32_t events = psk_client_events(c);
		struct pollfd p = { .fd = psk_client_fd(c),
				    .events = (short)((events & EPOLLIN ? POLLIN : 0) | (events & EPOLLOUT ? POLLOUT : 0)) };
		const int64_t left = until - clock_ms();

		if (step != PSK_WAIT || left <= 0)
			return step;
		poll(&p, 1, (int)left);
	}
}

enum psk_step ask(struct psk_client *c, const char *path, const char *body, size_t n, bool chunked)
{
	static const struct http_header headers[] = { { "X-Admin-Protocol", "globalplatform-remote-admin/1.0" } };

	cr_assert(psk_client_post(c, path, headers, 1, body, n, chunked));
	return drive(c, 10000);
}

static void send_pieces(int fd, const char *data, size_t n, size_t piece)
{
	for (size_t at = 0; at < n;) {
		const size_t part = piece && piece < n - at ? piece : n - at;
		const ssize_t sent = send(fd, data + at, part, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		at += (size_t)sent;
	}
}

/* Where in a stream of TLS records we are. */
struct records {
	uint8_t head[5];
	size_t head_n, left;
};

static void look(struct relay *r, struct records *at, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t length;

		if (at->left) {
			const size_t skip = at->left < n - i ? at->left : n - i;

			at->left -= skip;
			i += skip - 1;
			continue;
		}
		at->head[at->head_n++] = (uint8_t)data[i];
		if (at->head_n < sizeof(at->head))
			continue;
		at->head_n = 0;
		at->left = length = (size_t)at->head[3] << 8 | at->head[4];
		if (at->head[0] != 23)
			continue;
		r->records++;
		if (length > r->largest)
			r->largest = length;
	}
}

static void *relay_main(void *arg)
{
	struct relay *r = arg;
	struct records at = { 0 };
	int client = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	int server = client < 0 ? -1 : raw_connect(r->to);
	struct pollfd p[2] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };
	bool open = server >= 0;

	while (open && poll(p, 2, 20000) > 0) {
		for (int i = 0; i < 2 && open; i++) {
			char data[4096];
			ssize_t n;

			if (!p[i].revents)
				continue;
			n = recv(p[i].fd, data, sizeof(data), 0);
			open = n > 0;
			if (open && i == 1)
				look(r, &at, data, (size_t)n);
			if (open)
				send_pieces(p[!i].fd, data, (size_t)n, i == 1 ? r->piece : 0);
		}
	}
	if (client >= 0)
		close(client);
	if (server >= 0)
		close(server);
	return NULL;
}

int listen_any(uint16_t *out_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&a, n), 0);
	cr_assert_eq(listen(fd, 4), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*out_port = ntohs(a.sin_port);
	return fd;
}

void relay_start(struct relay *r)
{
	r->listen_fd = listen_any(&r->port);
	cr_assert_eq(pthread_create(&r->thread, NULL, relay_main, r), 0);
}

void relay_stop(struct relay *r)
{
	pthread_join(r->thread, NULL);
	close(r->listen_fd);
}

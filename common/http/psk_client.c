/* SPDX-License-Identifier: Apache-2.0 */
#include "common/http/psk_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "common/http/psk_client_internal.h"

/* A card's ClientHello offers little more (card.md 6). */
#define SUITES(ciphers) "NONE:+VERS-TLS1.2:+PSK:" ciphers ":+SHA256:+COMP-NULL:+SIGN-ALL:+CTYPE-ALL:%NO_ETM:%NO_TICKETS"

enum { MAX_ANSWER = 64 << 10, READ_SIZE = 4096, CHUNK = 500, WARNINGS_MAX = 16 };

enum state { CONNECT, HANDSHAKE, IDLE, ASKED, OVER };

struct psk_client {
	int fd;
	enum state state;
	enum psk_step end; /* in OVER: what it was */
	int error;         /* errno of the socket's last failure */
	unsigned warnings;
	gnutls_session_t tls;
	char *identity;
	struct secret key;
	char host[INET6_ADDRSTRLEN + 10]; /* as the Host header has it */
	struct buf out;
	size_t out_at;
	struct answer answer;
	char why[160];
};

/* What all connections share; each has a key of its own, asked for by take_key. */
static struct {
	gnutls_priority_t any, cbc;
	gnutls_psk_client_credentials_t credentials;
} shared;

static int take_key(gnutls_session_t session, char **username, gnutls_datum_t *key)
{
	const struct psk_client *c = gnutls_session_get_ptr(session);

	*username = gnutls_strdup(c->identity);
	key->data = gnutls_malloc(c->key.len + 1);
	if (!*username || !key->data)
		abort();
	memcpy(key->data, c->key.data, c->key.len);
	key->size = (unsigned)c->key.len;
	return 0;
}

static void shared_open(void)
{
	if (gnutls_priority_init(&shared.any, SUITES("+AES-128-GCM:+AES-128-CBC:+AEAD"), NULL) < 0 ||
	    gnutls_priority_init(&shared.cbc, SUITES("+AES-128-CBC"), NULL) < 0 ||
	    gnutls_psk_allocate_client_credentials(&shared.credentials) < 0)
		abort();
	gnutls_psk_set_client_credentials_function(shared.credentials, take_key);
}

static enum psk_step end(struct psk_client *c, enum psk_step step, const char *doing, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s%s%s", doing, *doing ? ": " : "", why);
	buf_free(&c->out);
	c->state = OVER;
	c->end = step;
	return step;
}

static bool again(int rc)
{
	return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED;
}

static enum psk_step broken(struct psk_client *c, const char *doing, int rc)
{
	const bool socket_failed = rc == GNUTLS_E_PUSH_ERROR || rc == GNUTLS_E_PULL_ERROR;

	if (socket_failed && c->error)
		return end(c, PSK_FAILED, doing, strerror(c->error));
	if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		const char *alert = gnutls_alert_get_name(gnutls_alert_get(c->tls));

		return end(c, PSK_FAILED, doing, alert ? alert : "an alert");
	}
	return end(c, PSK_FAILED, doing, gnutls_strerror(rc));
}

static ssize_t push(gnutls_transport_ptr_t ptr, const giovec_t *parts, int n)
{
	struct psk_client *c = ptr;
	union {
		const giovec_t *c;
		struct iovec *v;
	} u = { .c = parts }; /* sendmsg only reads it */
	const struct msghdr message = { .msg_iov = u.v, .msg_iovlen = (size_t)n };
	const ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0) {
		c->error = errno;
		gnutls_transport_set_errno(c->tls, errno);
	}
	return sent;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *data, size_t n)
{
	struct psk_client *c = ptr;
	const ssize_t got = recv(c->fd, data, n, MSG_DONTWAIT);

	if (got < 0) {
		c->error = errno;
		gnutls_transport_set_errno(c->tls, errno);
	}
	return got;
}

/* 0 or errno. Without a usable address there is still a socket: its owner's loop hears of it at once and asks what is wrong. */
static int start_connect(struct psk_client *c, const struct psk_client_spec *spec)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(spec->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(spec->port) };
	const bool is_v6 = inet_pton(AF_INET6, spec->host, &v6.sin6_addr) == 1;
	const bool is_v4 = inet_pton(AF_INET, spec->host, &v4.sin_addr) == 1;
	const int on = 1;
	int rc;

	c->fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return errno;
	if (!is_v6 && !is_v4)
		return EDESTADDRREQ;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	snprintf(c->host, sizeof(c->host), is_v6 ? "[%s]:%u" : "%s:%u", spec->host, spec->port);
	rc = connect(c->fd, is_v6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4, is_v6 ? sizeof(v6) : sizeof(v4));
	return rc < 0 && errno != EINPROGRESS ? errno : 0;
}

static int start_tls(struct psk_client *c, const struct psk_client_spec *spec)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int rc;

	pthread_once(&once, shared_open);
	if (gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS) < 0)
		abort();
	gnutls_session_set_ptr(c->tls, c);
	gnutls_transport_set_ptr(c->tls, c);
	gnutls_transport_set_vec_push_function(c->tls, push);
	gnutls_transport_set_pull_function(c->tls, pull);
	rc = gnutls_priority_set(c->tls, spec->cbc ? shared.cbc : shared.any);
	if (rc >= 0)
		rc = gnutls_credentials_set(c->tls, GNUTLS_CRD_PSK, shared.credentials);
	if (rc >= 0 && spec->max_fragment)
		rc = (int)gnutls_record_set_max_size(c->tls, spec->max_fragment);
	return rc;
}

struct psk_client *psk_client_open(const struct psk_client_spec *spec)
{
	struct psk_client *c = calloc(1, sizeof(*c));
	int error, rc;

	if (!c)
		abort();
	error = start_connect(c, spec);
	if (c->fd < 0) {
		free(c);
		errno = error;
		return NULL;
	}
	c->identity = strdup(spec->identity);
	if (!c->identity)
		abort();
	c->key = secret_new(spec->key_n);
	if (spec->key_n)
		memcpy(c->key.data, spec->key, spec->key_n);
	c->answer.max_body = spec->max_answer ? spec->max_answer : MAX_ANSWER;
	rc = start_tls(c, spec);
	if (error)
		end(c, PSK_FAILED, "connect", error == EDESTADDRREQ ? "not a numeric address" : strerror(error));
	else if (rc < 0)
		broken(c, "start", rc);
	return c;
}

void psk_client_close(struct psk_client *c, bool notify)
{
	if (!c)
		return;
	if (notify && (c->state == IDLE || c->state == ASKED))
		(void)gnutls_bye(c->tls, GNUTLS_SHUT_WR); /* one try: whoever waits for nothing else does not wait for this */
	gnutls_deinit(c->tls);
	close(c->fd);
	free(c->identity);
	secret_free(&c->key);
	buf_free(&c->out);
	answer_free(&c->answer);
	free(c);
}

int psk_client_fd(const struct psk_client *c)
{
	return c->fd;
}

uint32_t psk_client_events(const struct psk_client *c)
{
	switch (c->state) {
	case CONNECT:
		return EPOLLOUT;
	case HANDSHAKE:
		return gnutls_record_get_direction(c->tls) ? EPOLLOUT : EPOLLIN;
	case ASKED:
		return c->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN;
	case IDLE:
		return EPOLLIN;
	case OVER:
		break;
	}
	return 0;
}

static enum psk_step handshake(struct psk_client *c)
{
	int rc;

	c->state = HANDSHAKE; /* even while TCP still connects: there is no room to write then */
	do
		rc = gnutls_handshake(c->tls);
	while (rc == GNUTLS_E_WARNING_ALERT_RECEIVED && ++c->warnings < WARNINGS_MAX);
	if (again(rc))
		return PSK_WAIT;
	if (rc < 0)
		return broken(c, "handshake", rc);
	secret_free(&c->key);
	c->state = IDLE;
	return PSK_READY;
}

/* 0: all is sent or there is no room, else GnuTLS's error. */
static int send_out(struct psk_client *c)
{
	while (c->out_at < c->out.len) {
		const ssize_t n = gnutls_record_send(c->tls, c->out.data + c->out_at, c->out.len - c->out_at);

		if (n < 0)
			return again((int)n) ? 0 : (int)n;
		c->out_at += (size_t)n;
	}
	buf_free(&c->out);
	c->out_at = 0;
	return 0;
}

/* The server's end of the connection: rc is 0 or what GnuTLS says of a bare end. */
static enum psk_step ended(struct psk_client *c, int rc)
{
	if (c->state == ASKED)
		return end(c, PSK_FAILED, "", "the server closed before its answer was complete");
	if (rc == 0 || c->answer.close)
		return end(c, PSK_CLOSED, "", "the server closed");
	return end(c, PSK_FAILED, "", "the connection was cut");
}

static enum psk_step took(struct psk_client *c, const void *data, size_t n)
{
	size_t used;
	bool good;

	if (c->state != ASKED)
		return end(c, PSK_FAILED, "", "an answer that was not asked for");
	used = answer_feed(&c->answer, data, n, &good);
	if (!good)
		return end(c, PSK_FAILED, "", c->answer.why);
	if (c->answer.at != AT_END)
		return PSK_WAIT;
	if (used < n)
		return end(c, PSK_FAILED, "", "more than the answer");
	c->state = IDLE;
	if (c->out.len) {
		/* Answered early: the rest of the request would be read as the next one. */
		buf_free(&c->out);
		c->out_at = 0;
		c->answer.close = true;
	}
	return PSK_ANSWER;
}

enum psk_step psk_client_run(struct psk_client *c)
{
	int rc = 0;

	if (c->state == OVER)
		return c->end;
	if (c->state == CONNECT || c->state == HANDSHAKE)
		return handshake(c);
	if (c->state == ASKED)
		rc = send_out(c);
	for (;;) {
		uint8_t data[READ_SIZE];
		enum psk_step step;
		ssize_t n = gnutls_record_recv(c->tls, data, sizeof(data));

		if (again((int)n))
			break;
		if (n == GNUTLS_E_WARNING_ALERT_RECEIVED && ++c->warnings < WARNINGS_MAX)
			continue;
		if (n == 0 || n == GNUTLS_E_PREMATURE_TERMINATION)
			return ended(c, (int)n);
		if (n < 0)
			return broken(c, "receive", (int)n);
		step = took(c, data, (size_t)n);
		if (step != PSK_WAIT)
			return step;
	}
	/* Only now: a server that refuses and closes has said why before. */
	return rc < 0 ? broken(c, "send", rc) : PSK_WAIT;
}

const char *psk_client_why(const struct psk_client *c)
{
	return c->why;
}

/* In a line of a head. */
static bool plain(const char *text, const char *refused)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f || strchr(refused, *p))
			return false;
	return true;
}

static bool heads_good(const char *path, const struct http_header *headers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!headers[i].name[0] || !plain(headers[i].name, " :") || !plain(headers[i].value, ""))
			return false;
	return path[0] == '/' && plain(path, " ");
}

static void add_chunks(struct buf *out, const char *body, size_t n)
{
	for (size_t at = 0; at < n; at += CHUNK) {
		const size_t part = n - at < CHUNK ? n - at : CHUNK;

		buf_printf(out, "%zX\r\n", part);
		buf_add(out, body + at, part);
		buf_str(out, "\r\n");
	}
	buf_str(out, "0\r\n\r\n");
}

bool psk_client_post(struct psk_client *c, const char *path, const struct http_header *headers, size_t n_headers, const void *body,
		     size_t n, bool chunked)
{
	if (c->state != IDLE || c->answer.close || !heads_good(path, headers, n_headers))
		return false;
	answer_clear(&c->answer);
	buf_printf(&c->out, "POST %s HTTP/1.1\r\nHost: %s\r\n", path, c->host);
	for (size_t i = 0; i < n_headers; i++)
		buf_printf(&c->out, "%s: %s\r\n", headers[i].name, headers[i].value);
	if (chunked) {
		buf_str(&c->out, "Transfer-Encoding: chunked\r\n\r\n");
		add_chunks(&c->out, body, n);
	} else {
		buf_printf(&c->out, "Content-Length: %zu\r\n\r\n", n);
		if (n)
			buf_add(&c->out, body, n);
	}
	c->state = ASKED;
	return true;
}

unsigned psk_client_status(const struct psk_client *c)
{
	return c->answer.status;
}

const char *psk_client_header(const struct psk_client *c, const char *name)
{
	return answer_header(&c->answer, name);
}

struct bytes psk_client_body(const struct psk_client *c)
{
	return (struct bytes){ (const uint8_t *)c->answer.body.data, c->answer.body.len };
}

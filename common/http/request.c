/* SPDX-License-Identifier: Apache-2.0 */
/* One request: its callbacks from MHD, the body, the answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/http/server_internal.h"

enum { SWALLOW_MORE = 64 << 10 }; /* read beyond max_body of a chunked body, to answer 413 instead of cutting */

void call_free(struct http_call *c)
{
	if (c->response)
		MHD_destroy_response(c->response);
	buf_free(&c->body);
	free(c);
}

static void limit(struct http_call *c, unsigned seconds)
{
	pthread_mutex_lock(&c->server->lock);
	watch_deadline(c->conn, seconds ? clock_ms() + (int64_t)seconds * 1000 : 0);
	pthread_mutex_unlock(&c->server->lock);
}

/* MHD has the request line. */
void *request_begin(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct http_server *s = cls;
	struct http_call *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->server = s;
	c->conn = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	c->started_us = clock_us();
	c->bad_uri = strstr(uri, "%00") != NULL; /* decoded it would cut the path short of what was checked elsewhere */
	pthread_mutex_lock(&s->lock);
	s->calls++;
	watch_deadline(c->conn, clock_ms() + (int64_t)s->spec.request_s * 1000);
	pthread_mutex_unlock(&s->lock);
	return c;
}

void request_completed(void *cls, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code)
{
	struct http_server *s = cls;
	struct http_call *c = *request;

	if (!c)
		return;
	*request = NULL;
	if (c->state == CALL_AGAIN)
		s->spec.handlers.forget(s->spec.ctx, c->again);
	pthread_mutex_lock(&s->lock);
	/* The next request may begin after idle_s at most (MHD closes before) and its line must be there request_s later. */
	watch_deadline(c->conn, clock_ms() + ((int64_t)s->spec.idle_s + s->spec.request_s) * 1000);
	s->calls--;
	if (c->pinned)
		c->orphan = true;
	else
		call_free(c);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void count(const struct http_call *c, unsigned status)
{
	char labels[128];

	snprintf(labels, sizeof(labels), "%s,status=\"%uxx\"", c->server->labels, status / 100);
	metric_add("rsp_http_requests_total", labels, 1);
}

static bool must_close(const struct http_call *c)
{
	unsigned lifetime_s = c->server->spec.lifetime_s;

	return atomic_load(&c->server->quiet) || (lifetime_s && clock_ms() - c->conn->opened_ms >= (int64_t)lifetime_s * 1000);
}

static void header(struct MHD_Response *r, const char *name, const char *value)
{
	if (MHD_add_response_header(r, name, value) != MHD_YES)
		log_msg(LOG_DEBUG, "http_header_refused", "%s", name);
}

struct MHD_Response *response_new(const struct http_call *c, const char *content_type, const void *body, size_t n,
				  const struct http_header *headers, size_t n_headers)
{
	union {
		const void *c;
		void *v;
	} data = { .c = n ? body : "" }; /* MUST_COPY: MHD only reads it */
	struct MHD_Response *r = MHD_create_response_from_buffer(n, data.v, MHD_RESPMEM_MUST_COPY);

	if (!r)
		return NULL;
	if (content_type && n)
		header(r, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	for (size_t i = 0; i < n_headers; i++)
		header(r, headers[i].name, headers[i].value);
	if (must_close(c))
		header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	return r;
}

enum MHD_Result response_queue(struct http_call *c, unsigned status, struct MHD_Response *r)
{
	enum MHD_Result rc;

	if (!r)
		return MHD_NO;
	limit(c, c->server->spec.request_s); /* a slow reader is bounded like a slow sender */
	rc = MHD_queue_response(c->conn->mhd, status, r);
	MHD_destroy_response(r);
	count(c, status);
	return rc;
}

/* Refuses before the handler: the body, if any, is not read, so the connection closes. */
static enum MHD_Result refuse(struct http_call *c, unsigned status)
{
	static const struct http_header headers[] = { { "Connection", "close" }, { "Allow", "GET, POST, PUT, DELETE" } };

	c->state = CALL_ANSWERED;
	c->conn->linger = true;
	return response_queue(c, status, response_new(c, NULL, NULL, 0, headers, status == MHD_HTTP_METHOD_NOT_ALLOWED ? 2 : 1));
}

void *request_thread(struct http_server *s)
{
	struct pool_thread *t = pthread_getspecific(s->thread_key);

	if (!s->spec.thread_open)
		return NULL;
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			abort();
		pthread_setspecific(s->thread_key, t);
		pthread_mutex_lock(&s->lock);
		t->next = s->threads;
		s->threads = t;
		pthread_mutex_unlock(&s->lock);
	}
	if (!t->user) /* again after a failure: the database may be back */
		t->user = s->spec.thread_open(s->spec.ctx);
	return t->user;
}

static bool know_peer(const struct conn *conn, struct http_peer *peer)
{
	const enum http_security security = conn->server->spec.security;
	gnutls_session_t session;

	if (security == HTTP_PLAIN || security == HTTP_TLS)
		return true;
	session = MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
	if (security == HTTP_PSK) {
		peer->psk_identity = psk_identity(session);
		return peer->psk_identity != NULL;
	}
	peer->der = tls_peer(session);
	return peer->der.len > 0;
}

static bool accept_peer(struct conn *conn)
{
	struct http_server *s = conn->server;
	struct http_peer peer = { 0 };

	if (conn->accepted)
		return true;
	if (!know_peer(conn, &peer))
		return false; /* the handshake requires one; never hand out "nobody" */
	if (!s->spec.handlers.peer_accept) {
		conn->accepted = true;
		return true;
	}
	(void)request_thread(s); /* what peer_accept makes for this thread has an owner who closes it */
	conn->accepted = s->spec.handlers.peer_accept(s->spec.ctx, &peer, &conn->peer);
	if (!conn->accepted)
		metric_add("rsp_http_peers_refused_total", s->labels, 1);
	return conn->accepted;
}

static bool method_known(const char *method)
{
	static const char *const known[] = { "GET", "POST", "PUT", "DELETE" };

	for (size_t i = 0; i < LEN(known); i++)
		if (!strcmp(method, known[i]))
			return true;
	return false;
}

static enum MHD_Result head(struct http_call *c, const char *url, const char *method)
{
	const char *length = MHD_lookup_connection_value(c->conn->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	if (!accept_peer(c->conn)) {
		c->state = CALL_ANSWERED;
		return MHD_NO;
	}
	if (c->bad_uri)
		return refuse(c, MHD_HTTP_BAD_REQUEST);
	if (!method_known(method))
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED);
	/* MHD has checked that it is a number; strtoull saturates. */
	if (length && strtoull(length, NULL, 10) > c->server->spec.max_body)
		return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE);
	c->method = method;
	c->path = url;
	c->state = CALL_BODY;
	return MHD_YES;
}

static enum MHD_Result more_body(struct http_call *c, const char *data, size_t *n)
{
	size_t max = c->server->spec.max_body;

	if (c->state == CALL_BODY && *n <= max - c->body.len) {
		buf_add(&c->body, data, *n);
	} else if (c->state == CALL_BODY) {
		c->state = CALL_SWALLOW;
		buf_free(&c->body);
		c->body.len = *n; /* counts what was swallowed */
	} else {
		c->body.len += *n;
		if (c->body.len > SWALLOW_MORE)
			return MHD_NO;
	}
	*n = 0;
	return MHD_YES;
}

static enum MHD_Result whole(struct http_call *c)
{
	struct http_server *s = c->server;

	if (c->state == CALL_SWALLOW)
		return refuse(c, MHD_HTTP_CONTENT_TOO_LARGE);
	limit(c, 0); /* the time is ours now */
	c->thread = request_thread(s);
	c->state = CALL_HANDLING;
	s->spec.handlers.handle(s->spec.ctx, c);
	return park_settle(c);
}

static enum MHD_Result second_turn(struct http_call *c)
{
	struct http_server *s = c->server;

	c->state = CALL_HANDLING;
	s->spec.handlers.handle(s->spec.ctx, c);
	return park_settle(c);
}

static enum MHD_Result resumed(struct http_call *c)
{
	struct MHD_Response *r;
	unsigned status;
	bool due;

	pthread_mutex_lock(&c->server->lock);
	due = c->state == CALL_RESUMED;
	r = c->response;
	status = c->status;
	c->response = NULL;
	c->state = CALL_ANSWERED;
	pthread_mutex_unlock(&c->server->lock);
	return due ? response_queue(c, status, r) : MHD_NO;
}

enum MHD_Result request_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
			       const char *data, size_t *n, void **request)
{
	struct http_call *c = *request;

	if (!c)
		return MHD_NO;
	if (c->state == CALL_HEAD)
		return head(c, url, method);
	if (c->state == CALL_BODY || c->state == CALL_SWALLOW)
		return *n ? more_body(c, data, n) : whole(c);
	return c->state == CALL_AGAIN ? second_turn(c) : resumed(c);
}

const char *http_method(const struct http_call *c)
{
	return c->method;
}

const char *http_path(const struct http_call *c)
{
	return c->path;
}

static bool query(const struct http_call *c, const char *name, const char **out)
{
	return MHD_lookup_connection_value_n(c->conn->mhd, MHD_GET_ARGUMENT_KIND, name, strlen(name), out, NULL) == MHD_YES;
}

const char *http_query(const struct http_call *c, const char *name)
{
	const char *value = NULL;

	return query(c, name, &value) ? value : NULL;
}

bool http_has_query(const struct http_call *c, const char *name)
{
	const char *value = NULL;

	return query(c, name, &value);
}

const char *http_header(const struct http_call *c, const char *name)
{
	return MHD_lookup_connection_value(c->conn->mhd, MHD_HEADER_KIND, name);
}

struct bytes http_body(const struct http_call *c)
{
	return (struct bytes){ (const uint8_t *)c->body.data, c->body.len };
}

void *http_peer_of(const struct http_call *c)
{
	return c->conn->peer;
}

void *http_thread_of(const struct http_call *c)
{
	return c->thread;
}

const char *http_remote(const struct http_call *c)
{
	struct conn *conn = c->conn;

	if (!conn->remote[0])
		listen_remote(MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr, conn->remote,
			      sizeof(conn->remote));
	return conn->remote;
}

int64_t http_started_us(const struct http_call *c)
{
	return c->started_us;
}

/* True: the handler has not answered yet, and now counts as having done so. */
static bool claim(struct http_call *c)
{
	bool first;

	pthread_mutex_lock(&c->server->lock);
	first = c->state == CALL_HANDLING || c->state == CALL_EARLY;
	if (first)
		c->state = CALL_ANSWERED;
	pthread_mutex_unlock(&c->server->lock);
	return first;
}

void http_reply(struct http_call *c, unsigned status, const char *content_type, const void *body, size_t n)
{
	http_reply_headers(c, status, content_type, body, n, NULL, 0);
}

void http_reply_headers(struct http_call *c, unsigned status, const char *content_type, const void *body, size_t n,
			const struct http_header *headers, size_t n_headers)
{
	if (claim(c))
		c->verdict = response_queue(c, status, response_new(c, content_type, body, n, headers, n_headers));
}

void http_again(struct http_call *c, void *user)
{
	c->again = user;
	c->state = CALL_AGAIN;
}

void *http_again_of(const struct http_call *c)
{
	return c->again;
}

void http_drop(struct http_call *c)
{
	if (claim(c))
		c->verdict = MHD_NO;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Parked calls (recipes.md 1): MHD's suspend and resume behind one state under one lock, so that a resume may come before the
 * suspend. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/http/server_internal.h"

enum { EXPIRE_AT_ONCE = 64, UNAVAILABLE = 503 };

void http_park(struct http_call *c, int64_t deadline_ms, const struct http_parked_hooks *hooks, void *user)
{
	struct http_server *s = c->server;

	buf_free(&c->body);
	c->method = c->path = "";
	pthread_mutex_lock(&s->lock);
	if (c->state == CALL_HANDLING) {
		c->hooks = hooks ? *hooks : (struct http_parked_hooks){ 0 };
		c->user = user;
		c->park_deadline_ms = deadline_ms;
		c->state = s->unparkable ? CALL_UNPARKABLE : CALL_PARKED;
	}
	if (c->state == CALL_PARKED) {
		c->conn->parked = c;
		s->n_parked++;
		MHD_suspend_connection(c->conn->mhd);
		watch_hangup(c->conn, true);
		watch_wake_by(s, deadline_ms);
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
}

/* Lock held; c is parked. Its pool thread goes on; c may be freed as soon as the lock is released. */
static void unpark(struct http_call *c, unsigned status, struct MHD_Response *r)
{
	struct conn *conn = c->conn;

	c->status = status;
	c->response = r;
	c->state = CALL_RESUMED;
	conn->parked = NULL;
	c->server->n_parked--;
	watch_hangup(conn, false);
	/* Under the lock: http_server_close, which takes it, cannot free the daemon before MHD has done with it here. */
	MHD_resume_connection(conn->mhd);
	pthread_cond_broadcast(&c->server->changed);
}

bool http_resume(struct http_call *c, unsigned status, const char *content_type, const void *body, size_t n)
{
	return http_resume_headers(c, status, content_type, body, n, NULL, 0);
}

bool http_resume_headers(struct http_call *c, unsigned status, const char *content_type, const void *body, size_t n,
			 const struct http_header *headers, size_t n_headers)
{
	struct http_server *s = c->server;
	struct MHD_Response *r = response_new(c, content_type, body, n, headers, n_headers);
	bool done = true;

	pthread_mutex_lock(&s->lock);
	if (c->state == CALL_PARKED || (c->state == CALL_EXPIRING && s->has_watcher && pthread_equal(pthread_self(), s->watcher))) {
		unpark(c, status, r);
	} else if (c->state == CALL_HANDLING) {
		c->status = status;
		c->response = r;
		c->state = CALL_EARLY;
	} else {
		done = false;
	}
	pthread_mutex_unlock(&s->lock);
	if (!done && r)
		MHD_destroy_response(r);
	return done;
}

void park_abandon(struct http_call *c, unsigned status)
{
	struct http_server *s = c->server;
	struct MHD_Response *r = NULL;

	c->state = CALL_GONE;
	pthread_mutex_unlock(&s->lock);
	if (c->hooks.gone)
		c->hooks.gone(c->user);
	if (status)
		r = response_new(c, NULL, NULL, 0, NULL, 0);
	pthread_mutex_lock(&s->lock);
	unpark(c, status, r);
}

/* Lock held. Marks and pins due calls, so that they outlive expired(). */
static size_t collect(struct http_server *s, struct http_call *due[EXPIRE_AT_ONCE], int64_t *next)
{
	int64_t now = clock_ms();
	size_t n = 0;

	*next = INT64_MAX;
	for (struct conn *conn = s->conns; conn; conn = conn->next) {
		struct http_call *c = conn->parked;

		if (!c || c->state != CALL_PARKED)
			continue;
		if (c->park_deadline_ms <= now && n < EXPIRE_AT_ONCE) {
			c->state = CALL_EXPIRING;
			c->pinned = true;
			due[n++] = c;
		} else if (c->park_deadline_ms < *next) {
			*next = c->park_deadline_ms;
		}
	}
	return n;
}

int64_t park_expire(struct http_server *s)
{
	struct http_call *due[EXPIRE_AT_ONCE];
	int64_t next;
	size_t n;

	while ((n = collect(s, due, &next)) > 0) {
		for (size_t i = 0; i < n; i++) {
			struct http_call *c = due[i];

			pthread_mutex_unlock(&s->lock);
			if (c->hooks.expired)
				c->hooks.expired(c->user, c);
			pthread_mutex_lock(&s->lock);
			if (c->state == CALL_EXPIRING)
				park_abandon(c, UNAVAILABLE);
			c->pinned = false;
			if (c->orphan)
				call_free(c);
		}
	}
	return next;
}

enum MHD_Result park_settle(struct http_call *c)
{
	struct http_server *s = c->server;
	enum call_state state;

	pthread_mutex_lock(&s->lock);
	state = c->state;
	if (state == CALL_HANDLING || state == CALL_EARLY || state == CALL_UNPARKABLE)
		c->state = CALL_ANSWERED;
	pthread_mutex_unlock(&s->lock);
	switch (state) {
	case CALL_ANSWERED:
		return c->verdict;
	case CALL_EARLY: {
		struct MHD_Response *r = c->response;

		c->response = NULL;
		return response_queue(c, c->status, r);
	}
	case CALL_UNPARKABLE:
		if (c->hooks.gone)
			c->hooks.gone(c->user);
		return response_queue(c, UNAVAILABLE, response_new(c, NULL, NULL, 0, NULL, 0));
	case CALL_HANDLING:
		log_msg(LOG_ERROR, "http_unanswered", "%s: a handler returned without an answer", s->spec.name);
		return response_queue(c, 500, response_new(c, NULL, NULL, 0, NULL, 0));
	case CALL_AGAIN: /* MHD asks again, and does not wait for anything before it does */
	case CALL_HEAD:
	case CALL_BODY:
	case CALL_SWALLOW:
	case CALL_PARKED:
	case CALL_EXPIRING:
	case CALL_GONE:
	case CALL_RESUMED:
		break;
	}
	return MHD_YES;
}

unsigned http_parked(const struct http_server *s)
{
	union {
		const struct http_server *c;
		struct http_server *v;
	} u = { .c = s }; /* the lock is no part of what the caller sees as const */
	unsigned n;

	pthread_mutex_lock(&u.v->lock);
	n = s->n_parked;
	pthread_mutex_unlock(&u.v->lock);
	return n;
}

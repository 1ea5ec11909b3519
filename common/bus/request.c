/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: each one's reply subject ends with its number, many are under way at a time. They are core messages and end with their time: who
 * asks repeats. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/bus/bus_internal.h"

enum { WHY_MAX = 160 };

static void message_freep(natsMsg **msg)
{
	natsMsg_Destroy(*msg);
}

/* Who asks ----------------------------------------------------------------------------------------------------------------- */

static void request_done(struct request *r, enum bus_outcome outcome, const void *data, size_t n)
{
	r->done(r->user, outcome, data, n);
	free(r);
}

/* NULL: it has ended. */
static struct request *request_take(struct bus *b, uint64_t id)
{
	struct request *found;

	pthread_mutex_lock(&b->lock);
	for (struct request **at = &b->requests; (found = *at); at = &found->next) {
		if (found->id == id) {
			*at = found->next;
			break;
		}
	}
	pthread_mutex_unlock(&b->lock);
	return found;
}

/* Lock held. Those whose time is over; all of them when no answer can come any more. */
static struct request *requests_take_due(struct bus *b, bool all)
{
	struct request *due = NULL, **at = &b->requests, *r;
	int64_t now = clock_ms();

	while ((r = *at)) {
		if (all || r->until_ms <= now) {
			*at = r->next;
			r->next = due;
			due = r;
		} else {
			at = &r->next;
		}
	}
	return due;
}

static void requests_fail(struct request *due, enum bus_outcome outcome)
{
	while (due) {
		struct request *r = due;

		due = r->next;
		request_done(r, outcome, NULL, 0);
	}
}

void bus_requests_away(struct bus *b)
{
	struct request *due;

	pthread_mutex_lock(&b->lock);
	due = requests_take_due(b, true);
	pthread_mutex_unlock(&b->lock);
	requests_fail(due, BUS_AWAY);
}

void bus_requests_watch(struct bus *b)
{
	bool away = !atomic_load(&b->up);
	struct request *due = requests_take_due(b, away);
	struct timespec until;

	if (due) {
		pthread_mutex_unlock(&b->lock);
		requests_fail(due, away ? BUS_AWAY : BUS_SILENT);
		pthread_mutex_lock(&b->lock);
		return;
	}
	b->watch_ms = INT64_MAX;
	for (const struct request *r = b->requests; r; r = r->next)
		if (r->until_ms < b->watch_ms)
			b->watch_ms = r->until_ms;
	if (b->watch_ms == INT64_MAX) {
		pthread_cond_wait(&b->changed, &b->lock);
		return;
	}
	until = (struct timespec){ .tv_sec = b->watch_ms / 1000, .tv_nsec = b->watch_ms % 1000 * 1000000 };
	(void)pthread_cond_clockwait(&b->changed, &b->lock, CLOCK_MONOTONIC, &until);
}

void bus_request_end(struct bus *b, unsigned ms)
{
	int64_t until_ms = clock_ms() + ms;

	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	for (struct request *r = b->requests; r; r = r->next)
		if (r->until_ms > until_ms)
			r->until_ms = until_ms;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

/* INBOX.rq.NUMBER */
bool bus_on_reply(struct bus *b, natsMsg *msg)
{
	const char *subject = natsMsg_GetSubject(msg), *number = subject ? strrchr(subject, '.') : NULL;
	struct request *r;
	uint64_t id;

	if (!number || number - subject < 3 || memcmp(number - 3, ".rq", 3) != 0 || sscanf(number, ".%" SCNu64, &id) != 1)
		return false;
	r = request_take(b, id);
	if (!r)
		return true;
	if (natsMsg_IsNoResponders(msg))
		request_done(r, BUS_NOBODY, NULL, 0);
	else
		request_done(r, BUS_ANSWERED, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
	return true;
}

/* The number is all that is known of it afterwards: an answer may end it at once. */
static uint64_t request_link(struct bus *b, const struct bus_request *rq)
{
	struct request *r = calloc(1, sizeof(*r));
	uint64_t id;

	if (!r)
		abort();
	*r = (struct request){ .until_ms = clock_ms() + rq->timeout_ms, .done = rq->done, .user = rq->user };
	pthread_mutex_lock(&b->lock);
	r->id = id = ++b->last_request;
	r->next = b->requests;
	b->requests = r;
	if (r->until_ms < b->watch_ms)
		pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	return id;
}

/* use held for reading. */
static natsStatus request_send(struct bus *b, const struct bus_request *rq, const char *subject, uint64_t id)
{
	CLEANUP(message_freep) natsMsg *msg = NULL;
	char reply[SUBJECT_MAX + 32];
	natsStatus s;

	snprintf(reply, sizeof(reply), "%s.rq.%" PRIu64, b->inbox, id);
	s = natsMsg_Create(&msg, subject, reply, rq->payload, (int)rq->n);
	if (s == NATS_OK && rq->traceparent && *rq->traceparent)
		s = natsMsgHeader_Set(msg, "traceparent", rq->traceparent);
	return s == NATS_OK ? natsConnection_PublishMsg(b->nc, msg) : s;
}

/* In words; and in the log, since nobody else may say it. */
static void too_large(struct bus *b, const char *what, size_t n, char out[WHY_MAX])
{
	snprintf(out, WHY_MAX, "%s of %zu octets is more than the bus takes (%lld with its header)", what, n,
		 (long long)natsConnection_GetMaxPayload(b->nc));
	log_msg(LOG_ERROR, "bus.too_large", "%s", out);
}

static void refuse(const struct bus_request *rq, enum bus_outcome outcome, const char *why)
{
	rq->done(rq->user, outcome, why, why ? strlen(why) : 0);
}

void bus_request(struct bus *b, const struct bus_request *rq)
{
	char subject[SUBJECT_MAX], why[WHY_MAX] = "";
	natsStatus s = NATS_CONNECTION_CLOSED;
	struct request *unsent;
	uint64_t id;

	if (!bus_connected(b)) {
		refuse(rq, BUS_AWAY, NULL);
		return;
	}
	if (!subject_ok(rq->role) || !subject_ok(rq->verb) || rq->n > INT_MAX ||
	    snprintf(subject, sizeof(subject), "rq.%s.%s.%s", b->domain, rq->role, rq->verb) >= SUBJECT_MAX) {
		log_msg(LOG_ERROR, "bus.subject", "a request that no subject can hold");
		refuse(rq, BUS_REFUSED, "no subject can hold this request");
		return;
	}
	id = request_link(b, rq);
	pthread_rwlock_rdlock(&b->use);
	if (b->nc)
		s = request_send(b, rq, subject, id);
	if (s == NATS_MAX_PAYLOAD)
		too_large(b, "a request", rq->n, why);
	pthread_rwlock_unlock(&b->use);
	unsent = s != NATS_OK ? request_take(b, id) : NULL;
	if (unsent)
		request_done(unsent, *why ? BUS_REFUSED : BUS_AWAY, why, strlen(why));
}

/* Who is asked ------------------------------------------------------------------------------------------------------------- */

/* rq.DOMAIN.ROLE.VERB */
static const char *verb_of(const struct bus *b, const char *subject)
{
	size_t n = strlen("rq..") + strlen(b->domain) + strlen(b->role);

	return subject && strlen(subject) > n + 1 && subject[n] == '.' ? subject + n + 1 : NULL;
}

static void on_asked(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *ctx)
{
	CLEANUP(message_freep) natsMsg *owned = msg;
	struct bus *b = ctx;
	struct bus_asked q = { .verb = verb_of(b, natsMsg_GetSubject(msg)),
			       .reply = natsMsg_GetReply(msg),
			       .connection = atomic_load(&b->connection),
			       .payload = natsMsg_GetData(msg),
			       .n = (size_t)natsMsg_GetDataLength(msg) };

	if (!q.verb || !q.reply)
		return; /* nobody could be told */
	(void)natsMsgHeader_Get(msg, "traceparent", &q.traceparent);
	pthread_mutex_lock(&b->serving);
	if (b->asked)
		b->asked(b->asked_ctx, &q);
	pthread_mutex_unlock(&b->serving);
}

natsStatus bus_serve_subscribe(struct bus *b, natsConnection *nc)
{
	char subject[SUBJECT_MAX];

	if (!b->serves || b->serve_sub)
		return NATS_OK;
	snprintf(subject, sizeof(subject), "rq.%s.%s.>", b->domain, b->role);
	return bus_subscribe(b, nc, subject, b->role, on_asked, &b->serve_sub);
}

void bus_serve(struct bus *b, void (*asked)(void *ctx, const struct bus_asked *q), void *ctx)
{
	natsStatus s = NATS_OK;

	pthread_mutex_lock(&b->serving);
	b->asked = asked;
	b->asked_ctx = ctx;
	pthread_mutex_unlock(&b->serving);
	pthread_rwlock_wrlock(&b->use);
	b->serves = asked != NULL;
	if (!asked) {
		natsSubscription_Destroy(b->serve_sub); /* others get what comes now */
		b->serve_sub = NULL;
	} else if (b->nc) {
		s = bus_serve_subscribe(b, b->nc);
	}
	if (s != NATS_OK)
		natsConnection_Close(b->nc); /* a new one begins with everything that it needs */
	pthread_rwlock_unlock(&b->use);
}

enum bus_outcome bus_answer(struct bus *b, const char *reply, unsigned connection, const void *payload, size_t n)
{
	natsStatus s = NATS_CONNECTION_CLOSED;
	char why[WHY_MAX];

	if (n > INT_MAX)
		return BUS_REFUSED;
	pthread_rwlock_rdlock(&b->use);
	/* The server lets nobody answer what came on an earlier connection. */
	if (b->nc && atomic_load(&b->up) && atomic_load(&b->connection) == connection)
		s = natsConnection_Publish(b->nc, reply, payload, (int)n);
	if (s == NATS_MAX_PAYLOAD)
		too_large(b, "an answer", n, why);
	pthread_rwlock_unlock(&b->use);
	return s == NATS_OK ? BUS_ANSWERED : s == NATS_MAX_PAYLOAD ? BUS_REFUSED : BUS_AWAY;
}

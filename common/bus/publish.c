/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing with one acknowledgement per event: the reply subject names the batch and the event in it. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/bus/bus_internal.h"

bool subject_ok(const char *text)
{
	bool part = false;

	for (; text && *text; text++) {
		if (*text == '.' ? !part : !isalnum((unsigned char)*text) && *text != '-' && *text != '_')
			return false;
		part = *text != '.';
	}
	return part;
}

static void message_freep(natsMsg **msg)
{
	natsMsg_Destroy(*msg);
}

/* PubAck is {"stream":...,"seq":...}; a refusal holds an error object. Neither can contain the other's key as a key. */
static bool is_ack(const natsMsg *msg)
{
	const char *data = natsMsg_GetData(msg);
	size_t n = (size_t)natsMsg_GetDataLength(msg);

	return data && memmem(data, n, "\"seq\":", 6) && !memmem(data, n, "\"error\":", 8);
}

/* INBOX.BATCH.INDEX */
static bool reply_parse(const char *subject, uint64_t *out_id, size_t *out_index)
{
	const char *index = subject ? strrchr(subject, '.') : NULL;
	const char *id = index ? memrchr(subject, '.', (size_t)(index - subject)) : NULL;

	return id && sscanf(id, ".%" SCNu64 ".%zu", out_id, out_index) == 2;
}

void bus_on_ack(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *ctx)
{
	CLEANUP(message_freep) natsMsg *owned = msg;
	struct bus *b = ctx;
	struct batch *batch;
	uint64_t id;
	size_t i;

	if (bus_on_reply(b, msg) || !reply_parse(natsMsg_GetSubject(msg), &id, &i))
		return;
	pthread_mutex_lock(&b->lock);
	batch = b->batches;
	while (batch && batch->id != id) /* gone: its caller has given up */
		batch = batch->next;
	if (batch && i < batch->n) {
		batch->acked[i] = is_ack(msg);
		batch->no_stream |= !batch->acked[i];
		batch->answered++;
		if (batch->answered >= batch->sent) /* sent is 0 until all are sent; then the caller looks for itself */
			pthread_cond_broadcast(&b->changed);
	}
	pthread_mutex_unlock(&b->lock);
}

static bool event_subject(const struct bus *b, const struct bus_event *e, char out[SUBJECT_MAX])
{
	if (subject_ok(e->event) && subject_ok(e->eid) && e->n <= INT_MAX &&
	    snprintf(out, SUBJECT_MAX, "ev.%s.%s.%s.%s", b->domain, b->role, e->event, e->eid) < SUBJECT_MAX)
		return true;
	log_msg(LOG_ERROR, "bus.subject", "an event or EID that no subject can hold");
	return false;
}

static natsStatus event_send(struct bus *b, const struct bus_event *e, const char *subject, uint64_t batch, size_t index)
{
	CLEANUP(message_freep) natsMsg *msg = NULL;
	char reply[SUBJECT_MAX + 48];
	natsStatus s;

	snprintf(reply, sizeof(reply), "%s.%" PRIu64 ".%zu", b->inbox, batch, index);
	s = natsMsg_Create(&msg, subject, reply, e->payload, (int)e->n);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(msg, "Nats-Msg-Id", e->id);
	if (s == NATS_OK)
		s = natsMsgHeader_Set(msg, "Nats-Expected-Stream", b->stream);
	if (s == NATS_OK && e->traceparent)
		s = natsMsgHeader_Set(msg, "traceparent", e->traceparent);
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(b->nc, msg);
	return s;
}

static void batch_link(struct bus *b, struct batch *batch)
{
	pthread_mutex_lock(&b->lock);
	batch->id = ++b->last_batch;
	batch->next = b->batches;
	b->batches = batch;
	pthread_mutex_unlock(&b->lock);
}

static void batch_unlink(struct bus *b, struct batch *batch)
{
	struct batch **at = &b->batches;

	while (*at != batch)
		at = &(*at)->next;
	*at = batch->next;
}

/* Until every event sent is answered, the time is over or the connection is lost: then no answer will come. */
static void batch_wait(struct bus *b, struct batch *batch, size_t sent, int64_t until_ms)
{
	const struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };

	pthread_mutex_lock(&b->lock);
	batch->sent = sent;
	while (batch->answered < sent && atomic_load(&b->up)) {
		if (pthread_cond_clockwait(&b->changed, &b->lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT)
			break;
	}
	batch_unlink(b, batch);
	pthread_mutex_unlock(&b->lock);
}

static size_t batch_send(struct bus *b, struct batch *batch, const struct bus_event *events, size_t n, int64_t until_ms)
{
	natsStatus s = NATS_OK;
	char subject[SUBJECT_MAX];
	size_t sent = 0;

	pthread_rwlock_rdlock(&b->use);
	if (!b->nc || !bus_stream(b, until_ms))
		n = 0;
	for (size_t i = 0; i < n && atomic_load(&b->up) && clock_ms() < until_ms; i++) {
		if (!event_subject(b, &events[i], subject)) /* keeps none of the others back */
			continue;
		s = event_send(b, &events[i], subject, batch->id, i);
		if (s == NATS_OK)
			sent++;
		else
			log_msg(LOG_DEBUG, "bus.publish", "%s", natsStatus_GetText(s));
	}
	pthread_rwlock_unlock(&b->use);
	return sent;
}

void bus_publish_many(struct bus *b, const struct bus_event *events, size_t n, unsigned timeout_ms, bool *acked)
{
	int64_t until_ms = clock_ms() + timeout_ms;
	struct batch batch = { .n = n, .acked = acked };
	size_t sent;

	for (size_t i = 0; i < n; i++)
		acked[i] = false;
	if (!bus_connected(b) || n == 0)
		return; /* the outbox tries again; filling the library's buffer would prove nothing */
	batch_link(b, &batch);
	sent = batch_send(b, &batch, events, n, until_ms);
	batch_wait(b, &batch, sent, until_ms);
	if (batch.no_stream)
		atomic_store(&b->stream_ok, false); /* perhaps deleted: the next call looks it up again */
	metric_add("rsp_bus_events_sent_total", "", (double)sent);
}

bool bus_publish(struct bus *b, const char *event, const char *eid, const char *id, const char *traceparent,
		 const void *payload, size_t n, unsigned timeout_ms)
{
	const struct bus_event e = { event, eid, id, traceparent, payload, n };
	bool acked = false;

	bus_publish_many(b, &e, 1, timeout_ms, &acked);
	return acked;
}

void bus_wake(struct bus *b, const char *replica, const char *payload)
{
	char subject[SUBJECT_MAX];
	natsStatus s = NATS_OK;

	if (!bus_connected(b) || !subject_ok(replica) ||
	    (size_t)snprintf(subject, sizeof(subject), "wake.%s.%s", b->domain, replica) >= sizeof(subject))
		return;
	pthread_rwlock_rdlock(&b->use);
	if (b->nc)
		s = natsConnection_PublishString(b->nc, subject, payload ? payload : "");
	pthread_rwlock_unlock(&b->use);
	if (s != NATS_OK)
		log_msg(LOG_DEBUG, "bus.wake", "%s", natsStatus_GetText(s));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The connection: made in the background, kept for ever, taken down without a handler left running. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/bus/bus_internal.h"

enum { CONNECT_MS = 2000, REDIAL_MS = 1000, CLOSE_MS = 5000 };

bool bus_connected(const struct bus *b)
{
	return b && atomic_load(&b->up);
}

/* The library calls this for every change; what counts is the state now. */
static void note_state(struct bus *b, natsConnection *nc)
{
	bool up = natsConnection_Status(nc) == NATS_CONN_STATUS_CONNECTED;
	const char *why = NULL;
	bool stop;

	if (atomic_exchange(&b->up, up) == up)
		return;
	metric_set("rsp_bus_connected", "", up);
	if (up) {
		atomic_fetch_add(&b->connection, 1);
		atomic_store(&b->complained, false);
		atomic_store(&b->stream_ok, false); /* perhaps another server, with other files */
		log_msg(LOG_INFO, "bus.connected", "stream %s", b->stream);
		if (b->wake) /* what waits for the bus is looked at now, not when its worker has slept enough */
			b->wake(b->ctx, "", 0);
		return;
	}
	pthread_mutex_lock(&b->lock);
	pthread_cond_broadcast(&b->changed); /* who waits for an acknowledgement waits in vain */
	stop = b->stop;
	pthread_mutex_unlock(&b->lock);
	natsConnection_GetLastError(nc, &why);
	if (!stop)
		log_msg(LOG_WARN, "bus.disconnected", "%s", why && *why ? why : "connection lost");
}

static void on_change(natsConnection *nc, void *ctx)
{
	note_state(ctx, nc);
}

static void set_closed(struct bus *b, bool closed)
{
	pthread_mutex_lock(&b->lock);
	b->closed = closed;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

/* For good: after two equal authorisation errors the library stops trying, whatever its options say. */
static void on_closed(natsConnection *nc, void *ctx)
{
	struct bus *b = ctx;

	note_state(b, nc);
	set_closed(b, true);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus err, void *ctx)
{
	struct bus *b = ctx;
	const char *why = NULL;

	if (atomic_exchange(&b->complained, true))
		return;
	natsConnection_GetLastError(nc, &why);
	log_msg(LOG_WARN, "bus.error", "%s: %s", natsStatus_GetText(err), why ? why : "");
}

static void on_bell(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *ctx)
{
	struct bus *b = ctx;

	b->wake(b->ctx, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
	natsMsg_Destroy(msg);
}

static void on_sub_over(void *ctx)
{
	struct bus *b = ctx;

	pthread_mutex_lock(&b->lock);
	b->subs--;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

natsStatus bus_subscribe(struct bus *b, natsConnection *nc, const char *subject, const char *queue, natsMsgHandler handler,
			 natsSubscription **out)
{
	natsStatus s = queue ? natsConnection_QueueSubscribe(out, nc, subject, queue, handler, b)
			     : natsConnection_Subscribe(out, nc, subject, handler, b);

	if (s != NATS_OK)
		return s;
	pthread_mutex_lock(&b->lock);
	b->subs++;
	pthread_mutex_unlock(&b->lock);
	s = natsSubscription_SetOnCompleteCB(*out, on_sub_over, b);
	if (s != NATS_OK)
		on_sub_over(b);
	return s;
}

static struct timespec after_ms(int64_t ms)
{
	int64_t at = clock_ms() + ms;

	return (struct timespec){ .tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000 };
}

/* Returns with no handler running. False: one still runs, so b must not be freed. */
static bool disconnect(struct bus *b)
{
	struct timespec until = after_ms(CLOSE_MS);
	natsConnection *nc;
	bool quiet = true;

	pthread_rwlock_wrlock(&b->use);
	nc = b->nc;
	b->nc = NULL;
	jsCtx_Destroy(b->js);
	b->js = NULL;
	pthread_rwlock_unlock(&b->use);
	if (!nc)
		return true;
	natsConnection_Close(nc);
	pthread_mutex_lock(&b->lock);
	while ((!b->closed || b->subs > 0) && quiet)
		quiet = pthread_cond_clockwait(&b->changed, &b->lock, CLOCK_MONOTONIC, &until) == 0;
	pthread_mutex_unlock(&b->lock);
	natsSubscription_Destroy(b->ack_sub);
	natsSubscription_Destroy(b->bell_sub);
	natsSubscription_Destroy(b->serve_sub);
	b->ack_sub = b->bell_sub = b->serve_sub = NULL;
	natsConnection_Destroy(nc);
	return quiet;
}

/* Subscriptions made before there is a connection are sent when there is one. */
static natsStatus furnish(struct bus *b, natsConnection *nc)
{
	natsInbox *inbox = NULL;
	char subject[SUBJECT_MAX + 8];
	natsStatus s;

	/* Per role, so that permissions can keep roles from reading each other's answers (tools/nats.conf.in). */
	s = natsInbox_Create(&inbox);
	if (s != NATS_OK)
		return s;
	snprintf(b->inbox, sizeof(b->inbox), "_INBOX.%s.%s", b->role, strrchr(inbox, '.') + 1);
	natsInbox_Destroy(inbox);
	snprintf(subject, sizeof(subject), "%s.>", b->inbox);
	s = bus_subscribe(b, nc, subject, NULL, bus_on_ack, &b->ack_sub);
	if (s == NATS_OK && b->wake)
		s = bus_subscribe(b, nc, b->bell, NULL, on_bell, &b->bell_sub);
	if (s == NATS_OK)
		s = bus_serve_subscribe(b, nc);
	if (s == NATS_OK)
		s = natsConnection_JetStream(&b->js, nc, NULL);
	return s;
}

static void dial(struct bus *b)
{
	natsConnection *nc = NULL;
	natsStatus s;

	set_closed(b, false);
	s = natsConnection_Connect(&nc, b->opts);
	if (s != NATS_OK && !atomic_exchange(&b->complained, true))
		log_msg(LOG_WARN, "bus.disconnected", "%s", natsStatus_GetText(s));
	if (s != NATS_OK && s != NATS_NOT_YET_CONNECTED) {
		set_closed(b, true);
		return;
	}
	pthread_rwlock_wrlock(&b->use);
	b->nc = nc;
	s = furnish(b, nc);
	pthread_rwlock_unlock(&b->use);
	if (s == NATS_OK)
		note_state(b, nc);
	else
		natsConnection_Close(nc); /* on_closed brings us here again */
}

static void *keep(void *arg)
{
	struct bus *b = arg;
	bool stop = false;
	bool quiet = true;

	while (!stop) {
		struct timespec redial;

		dial(b);
		pthread_mutex_lock(&b->lock);
		while (!b->stop && !b->closed)
			bus_requests_watch(b);
		pthread_mutex_unlock(&b->lock);
		quiet &= disconnect(b);
		bus_requests_away(b);
		redial = after_ms(REDIAL_MS);
		pthread_mutex_lock(&b->lock);
		while (!b->stop && pthread_cond_clockwait(&b->changed, &b->lock, CLOCK_MONOTONIC, &redial) == 0)
			;
		stop = b->stop;
		pthread_mutex_unlock(&b->lock);
	}
	return quiet ? b : NULL;
}

static natsStatus options_set(struct bus *b, const struct bus_spec *spec)
{
	char inbox[SUBJECT_MAX];
	natsStatus s = natsOptions_SetURL(b->opts, spec->url);

	snprintf(inbox, sizeof(inbox), "_INBOX.%s", b->role);
	/* Also with a callback for late success, without which Connect itself would wait for ever. */
	s = s ? s : natsOptions_SetRetryOnFailedConnect(b->opts, true, on_change, b);
	s = s ? s : natsOptions_SetMaxReconnect(b->opts, -1);
	s = s ? s : natsOptions_SetReconnectWait(b->opts, 200);
	s = s ? s : natsOptions_SetReconnectBufSize(b->opts, 1); /* nothing is kept for later: the outbox does that */
	s = s ? s : natsOptions_SetTimeout(b->opts, CONNECT_MS);
	s = s ? s : natsOptions_SetPingInterval(b->opts, 5000); /* a silent server is found after 10 to 15 s */
	s = s ? s : natsOptions_SetSendAsap(b->opts, true);
	s = s ? s : natsOptions_UseGlobalMessageDelivery(b->opts, true);
	s = s ? s : natsOptions_SetFailRequestsOnDisconnect(b->opts, true);
	s = s ? s : natsOptions_SetName(b->opts, b->role);
	s = s ? s : natsOptions_SetCustomInboxPrefix(b->opts, inbox);
	s = s ? s : natsOptions_SetDisconnectedCB(b->opts, on_change, b);
	s = s ? s : natsOptions_SetReconnectedCB(b->opts, on_change, b);
	s = s ? s : natsOptions_SetClosedCB(b->opts, on_closed, b);
	return s ? s : natsOptions_SetErrorHandler(b->opts, on_error, b);
}

static natsStatus tls_set(struct bus *b, const struct bus_spec *spec)
{
	natsStatus s = natsOptions_SetSecure(b->opts, true);

	s = s ? s : natsOptions_LoadCATrustedCertificates(b->opts, spec->trust_file);
	return s ? s : natsOptions_LoadCertificatesChain(b->opts, spec->cert_file, spec->key_file);
}

static bool given(const char *text)
{
	return text && *text;
}

static void bus_free(struct bus *b)
{
	natsOptions_Destroy(b->opts);
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->making);
	pthread_mutex_destroy(&b->serving);
	pthread_mutex_destroy(&b->lock);
	pthread_rwlock_destroy(&b->use);
	free(b->domain);
	free(b->role);
	free(b);
}

static void bus_freep(struct bus **b)
{
	if (*b)
		bus_free(*b);
}

static struct bus *bus_new(const struct bus_spec *spec)
{
	struct bus *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	pthread_rwlock_init(&b->use, NULL);
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->making, NULL);
	pthread_mutex_init(&b->serving, NULL);
	pthread_cond_init(&b->changed, NULL);
	b->domain = strdup(spec->domain);
	b->role = strdup(spec->role);
	if (!b->domain || !b->role)
		abort();
	b->wake = spec->wake;
	b->ctx = spec->ctx;
	snprintf(b->stream, sizeof(b->stream), "RSP_%s", spec->domain);
	for (char *p = b->stream; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	snprintf(b->captures, sizeof(b->captures), "ev.%s.>", spec->domain);
	snprintf(b->bell, sizeof(b->bell), "wake.%s.%s", spec->domain, spec->replica ? spec->replica : "");
	return b;
}

/* Which part of the configuration is wrong; NULL: none. */
static const char *spec_fault(const struct bus_spec *spec)
{
	if (!subject_ok(spec->domain) || strchr(spec->domain, '.') || strlen(spec->domain) > 60)
		return "the domain must be letters, digits, - and _";
	if (!subject_ok(spec->role) || strchr(spec->role, '.') || strlen(spec->role) > 60)
		return "the role must be letters, digits, - and _";
	if (spec->wake && (!subject_ok(spec->replica) || strlen(spec->replica) > 150))
		return "the replica must be letters, digits, - and _";
	if (!given(spec->url))
		return NULL;
	if (strncmp(spec->url, "tls://", 6) != 0 && strncmp(spec->url, "nats://", 7) != 0)
		return "the bus URL must start with tls:// (or nats://)";
	if (given(spec->cert_file) != given(spec->key_file) || given(spec->cert_file) != given(spec->trust_file))
		return "certificate, key and trust file of the bus belong together";
	if (spec->url[0] == 't' && !given(spec->cert_file))
		return "a tls:// bus needs certificate, key and trust file";
	return NULL;
}

struct bus *bus_open(const struct bus_spec *spec, char error[256])
{
	CLEANUP(bus_freep) struct bus *b = NULL;
	const char *fault = spec_fault(spec);
	struct bus *open;
	natsStatus s;

	if (fault) {
		snprintf(error, 256, "%s", fault);
		return NULL;
	}
	b = bus_new(spec);
	if (given(spec->url)) {
		s = natsOptions_Create(&b->opts);
		s = s ? s : options_set(b, spec);
		s = s ? s : given(spec->cert_file) ? tls_set(b, spec) : NATS_OK;
		if (s != NATS_OK) {
			const char *why = nats_GetLastError(NULL);

			snprintf(error, 256, "bus: %s: %s", natsStatus_GetText(s), why ? why : "");
			return NULL;
		}
		if (pthread_create(&b->thread, NULL, keep, b) != 0) {
			snprintf(error, 256, "bus: no thread");
			return NULL;
		}
	}
	open = b;
	b = NULL;
	return open;
}

void bus_close(struct bus *b)
{
	void *quiet = b;

	if (!b)
		return;
	if (b->opts) {
		pthread_mutex_lock(&b->lock);
		b->stop = true;
		pthread_cond_broadcast(&b->changed);
		pthread_mutex_unlock(&b->lock);
		pthread_join(b->thread, &quiet);
	}
	if (quiet) /* else a bell handler still runs; its memory is worth less than a crash */
		bus_free(b);
}

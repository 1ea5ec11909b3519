/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of bus/ share; nobody else includes it. */
#ifndef BUS_BUS_INTERNAL_H
#define BUS_BUS_INTERNAL_H

#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "common/bus/bus.h"

enum { SUBJECT_MAX = 256 };

/* Events of one call that wait for their acknowledgements; lives on the caller's stack. */
struct batch {
	struct batch *next;
	uint64_t id;
	size_t n, sent, answered;
	bool *acked;
	bool no_stream; /* an answer says that no stream took the event */
};

/* What is asked and not answered yet. */
struct request {
	struct request *next;
	uint64_t id;
	int64_t until_ms;
	void (*done)(void *user, enum bus_outcome outcome, const void *data, size_t n);
	void *user;
};

struct bus {
	char *domain, *role;
	char stream[72];      /* RSP_A */
	char captures[80];    /* ev.a.> */
	char bell[SUBJECT_MAX]; /* wake.a.r1 */
	void (*wake)(void *ctx, const char *payload, size_t n);
	void *ctx;

	natsOptions *opts;    /* NULL: no bus configured */
	pthread_t thread;     /* connects, and connects anew when the library gives up */

	/* Held for reading while nc is used, for writing while it changes. */
	pthread_rwlock_t use;
	natsConnection *nc;
	jsCtx *js;
	natsSubscription *bell_sub, *ack_sub, *serve_sub;
	bool serves; /* each connection gets a serve_sub */
	char inbox[SUBJECT_MAX];

	pthread_mutex_t lock; /* all below; taken by the library's threads too */
	pthread_cond_t changed;
	struct batch *batches;
	uint64_t last_batch;
	struct request *requests;
	uint64_t last_request;
	int64_t watch_ms; /* when the thread looks at them next */
	bool stop;
	bool closed;          /* nc is closed for good */
	unsigned subs;        /* subscriptions whose handler may still run */

	pthread_mutex_t serving; /* held while asked runs */
	void (*asked)(void *ctx, const struct bus_asked *q);
	void *asked_ctx;

	pthread_mutex_t making; /* one stream look-up at a time */
	atomic_uint connection; /* how many there have been */
	atomic_bool up;         /* connected */
	atomic_bool stream_ok;  /* seen since the last doubt */
	atomic_bool complained; /* about a refusal, once per connection */
	atomic_bool stream_bad; /* reported, once per state change */
};

/* Letters, digits, - and _, parts parted by dots: no wildcard, no space, no empty part. */
bool subject_ok(const char *text);
/* Counted, so that the bus is freed after its last handler has run. queue: replicas of that name share what comes; NULL: all get all. */
natsStatus bus_subscribe(struct bus *b, natsConnection *nc, const char *subject, const char *queue, natsMsgHandler handler,
			 natsSubscription **out);
/* An acknowledgement: ends one wait of a batch. */
void bus_on_ack(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *ctx);
/* True: it answered a request, if that still waits. */
bool bus_on_reply(struct bus *b, natsMsg *msg);
/* For the bus's own thread. With lock held: ends requests that are due, or sleeps until one is or something changes. */
void bus_requests_watch(struct bus *b);
/* The connection is gone: no request will be answered. */
void bus_requests_away(struct bus *b);
/* What bus_serve wants of a connection. Called with use held for writing. */
natsStatus bus_serve_subscribe(struct bus *b, natsConnection *nc);
/* True: the stream is there, made if need be. Called with use held for reading. */
bool bus_stream(struct bus *b, int64_t until_ms);

#endif

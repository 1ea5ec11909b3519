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
	natsSubscription *bell_sub, *ack_sub;
	char inbox[SUBJECT_MAX];

	pthread_mutex_t lock; /* all below; taken by the library's threads too */
	pthread_cond_t changed;
	struct batch *batches;
	uint64_t last_batch;
	bool stop;
	bool closed;          /* nc is closed for good */
	unsigned subs;        /* subscriptions whose handler may still run */

	pthread_mutex_t making; /* one stream look-up at a time */
	atomic_bool up;         /* connected */
	atomic_bool stream_ok;  /* seen since the last doubt */
	atomic_bool complained; /* about a refusal, once per connection */
	atomic_bool stream_bad; /* reported, once per state change */
};

/* Letters, digits, - and _, parts parted by dots: no wildcard, no space, no empty part. */
bool subject_ok(const char *text);
/* An acknowledgement: ends one wait of a batch. */
void bus_on_ack(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *ctx);
/* True: the stream is there, made if need be. Called with use held for reading. */
bool bus_stream(struct bus *b, int64_t until_ms);

#endif

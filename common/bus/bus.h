/* SPDX-License-Identifier: Apache-2.0 */
/* NATS with JetStream (decisions.md B2 to B4, recipes.md 1 e): events, bells, and what the roles of a domain ask each other. The bus may be
 * away for ever: nothing waits for it but the outbox. */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>

struct bus;

struct bus_spec {
	const char *url;       /* tls://host:port, NULL or "": no bus configured */
	const char *domain;    /* "a": of stream RSP_A and subjects ev.a.> */
	const char *role;      /* "sm-sr" */
	const char *replica;   /* wake.<domain>.<replica> */
	const char *cert_file, *key_file, *trust_file; /* TLS client credentials: they are the bus user (B3) */
	/* Rings on the bell: one subscription per process; NULL: no bell. payload is not NUL-terminated. Runs on the library's thread. Also
	 * rung, with nothing, when the connection is there (again): perhaps on the bus's own thread, before bus_open returns. */
	void (*wake)(void *ctx, const char *payload, size_t n);
	void *ctx;
};

/* Never waits: connects in the background, reconnects for ever. NULL: the configuration is wrong (error, 256 bytes). */
struct bus *bus_open(const struct bus_spec *spec, char error[256]);
void bus_close(struct bus *b); /* NULL allowed */
bool bus_connected(const struct bus *b);
/* Publishes one event on ev.<domain>.<role>.<event>.<eid> and waits for the JetStream acknowledgement, up to timeout_ms. id is the
 * de-duplication id (Nats-Msg-Id). traceparent may be NULL. True: acknowledged. Makes the stream on first use when it is missing. */
bool bus_publish(struct bus *b, const char *event, const char *eid, const char *id, const char *traceparent, const void *payload, size_t n,
		 unsigned timeout_ms);
/* Publishes n events in one go and waits for all acknowledgements; acked[i] says which arrived. */
struct bus_event {
	const char *event, *eid, *id, *traceparent;
	const void *payload;
	size_t n;
};
void bus_publish_many(struct bus *b, const struct bus_event *events, size_t n, unsigned timeout_ms, bool *acked);
/* Rings replica's bell; fire and forget. */
void bus_wake(struct bus *b, const char *replica, const char *payload);

/* ---- Requests (B2) ---- */

enum bus_outcome {
	BUS_ANSWERED,
	BUS_NOBODY,  /* nobody serves that role now: the server says so at once, and nothing was executed */
	BUS_SILENT,  /* no answer in time: it may have been executed */
	BUS_AWAY,    /* no connection, or it was lost in between: it may have been executed then */
	BUS_REFUSED, /* never sent, however often it is repeated: too large for the server, or no verb. data says why; logged */
};
struct bus_request {
	const char *role, *verb; /* asked on rq.<domain>.<role>.<verb> */
	const char *traceparent; /* NULL or "": none */
	const void *payload;     /* up to the server's limit, which counts the header too (1 MiB by default) */
	size_t n;
	unsigned timeout_ms;
	/* Exactly once: on the library's thread, on the bus's own, or before bus_request returns. It copies and returns, and calls nothing of the
	 * bus. data is the answer, or why it was refused, not NUL-terminated; else empty. */
	void (*done)(void *user, enum bus_outcome outcome, const void *data, size_t n);
	void *user;
};
/* Asks; never waits. Any thread, any number at a time. */
void bus_request(struct bus *b, const struct bus_request *rq);
/* What has been asked gets ms more at most. NULL allowed. */
void bus_request_end(struct bus *b, unsigned ms);

struct bus_asked {
	const char *verb, *traceparent; /* traceparent NULL: none */
	const char *reply;              /* for bus_answer, as is the next one */
	unsigned connection;
	const void *payload;
	size_t n;
};
/* From now on, on every connection, asked gets what is asked of rq.<domain>.<own role>.>; replicas of the role share it. It runs on the
 * library's thread: it copies and returns. NULL: ends that; asked does not run any more when this returns. Not for two threads at a time. */
void bus_serve(struct bus *b, void (*asked)(void *ctx, const struct bus_asked *q), void *ctx);
/* Answers, from any thread. BUS_ANSWERED: on its way; BUS_AWAY: not; BUS_REFUSED: too large, logged. */
enum bus_outcome bus_answer(struct bus *b, const char *reply, unsigned connection, const void *payload, size_t n);

#endif

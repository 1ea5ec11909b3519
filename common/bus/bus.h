/* SPDX-License-Identifier: Apache-2.0 */
/* NATS with JetStream (decisions.md B2 to B4, recipes.md 1 e). The bus may be away for ever: nothing waits for it but the outbox. */
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
	/* Rings on the bell: one subscription per process; NULL: no bell. payload is not NUL-terminated. Runs on the library's thread. */
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

#endif

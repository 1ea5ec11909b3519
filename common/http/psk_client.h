/* SPDX-License-Identifier: Apache-2.0 */
/* The card's side of HTTP over TLS-PSK (decisions.md H2, recipes.md 5): one connection, one request at a time, nothing blocks. The
 * owner's event loop holds thousands of these; each costs its TLS session and what is under way. Not bound to a thread, but used by
 * one at a time. */
#ifndef HTTP_PSK_CLIENT_H
#define HTTP_PSK_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/http/server.h"

struct psk_client;

struct psk_client_spec {
	const char *host;         /* numeric address */
	uint16_t port;
	const char *identity;     /* text */
	const uint8_t *key;       /* copied, wiped at close */
	size_t key_n;
	unsigned max_fragment;    /* 512, 1024, 2048, 4096: max_fragment_length asked for (RFC 6066); 0: none */
	bool cbc;                 /* only TLS_PSK_WITH_AES_128_CBC_SHA256 is offered; else GCM first */
	size_t max_answer;        /* bytes of one body; default 64 KiB */
};

/* Starts to connect. NULL only when there is no descriptor left (errno). */
struct psk_client *psk_client_open(const struct psk_client_spec *spec);
/* notify: a close_notify is sent when there is room; else the connection just ends, as with a power cut. NULL allowed. */
void psk_client_close(struct psk_client *c, bool notify);
int psk_client_fd(const struct psk_client *c);
/* EPOLLIN and EPOLLOUT that it waits for now. */
uint32_t psk_client_events(const struct psk_client *c);

enum psk_step {
	PSK_WAIT,    /* nothing new */
	PSK_READY,   /* the handshake is done: a request may be posted */
	PSK_ANSWER,  /* a whole answer is there, see below; the next request may be posted */
	PSK_CLOSED,  /* the server ended the connection in order */
	PSK_FAILED,  /* refused, broken, not HTTP, larger than max_answer; psk_client_why says what */
};
/* Goes on after an event, and after psk_client_post; returns PSK_READY and PSK_ANSWER once each. To be called again until PSK_WAIT,
 * PSK_CLOSED or PSK_FAILED; psk_client_events may have changed then. */
enum psk_step psk_client_run(struct psk_client *c);
const char *psk_client_why(const struct psk_client *c);

/* Queues POST path with headers ("Name", "value") and body, which is copied; Host is added, Content-Length or, with chunked,
 * Transfer-Encoding. False: not ready, or path or a header would break the lines of a request. */
bool psk_client_post(struct psk_client *c, const char *path, const struct http_header *headers, size_t n_headers, const void *body,
		     size_t n, bool chunked);
/* Of the answer, until the next post. */
unsigned psk_client_status(const struct psk_client *c);
const char *psk_client_header(const struct psk_client *c, const char *name); /* any letter case; NULL: absent */
struct bytes psk_client_body(const struct psk_client *c);

#endif

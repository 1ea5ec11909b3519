/* SPDX-License-Identifier: Apache-2.0 */
/* Outbound HTTPS: one libcurl-multi loop thread per process, kept-alive mutual TLS connections per peer (design.md 11). */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"

struct http_client;

struct http_client_spec {
	const char *cert_file, *key_file; /* our client certificate (clientAuth); NULL: none */
	const char *trust_file;           /* CAs of servers */
	const char *crl_file;             /* NULL: none */
	unsigned connections_per_host;    /* default 8 */
	unsigned connect_ms;              /* default 3000 */
};

enum http_error {
	HTTP_ANSWERED,   /* status and body are set */
	HTTP_UNREACHABLE, /* no connection: nothing was sent */
	HTTP_REFUSED,    /* TLS: certificate not trusted, not pinned, expired; nothing was sent */
	HTTP_BROKEN,     /* sent, perhaps in part; no whole answer: it may have been executed */
	HTTP_TIMEOUT,    /* as HTTP_BROKEN, time over */
	HTTP_TOO_LARGE,  /* the answer exceeds max_answer */
};
const char *http_error_name(enum http_error e);

struct http_answer {
	enum http_error error;
	unsigned status;        /* HTTP status, 0 when there is none */
	struct bytes body;      /* valid during the callback */
	const char *reason;     /* for the log: curl's words */
	int64_t us;             /* how long it took */
};

struct http_outgoing {
	const char *method;     /* "POST" */
	const char *url;        /* https://...; http:// only when plain_allowed */
	bool plain_allowed;
	const char *content_type;
	const void *body;
	size_t n;
	const char *const *headers; /* further "Name: value" lines; NULL-terminated or NULL */
	/* Base64 SHA-256 of the SubjectPublicKeyInfo of the certificates the peer may show: "sha256//...;sha256//..." (A3, D5);
	 * NULL: any trusted. */
	const char *pinned_keys;
	unsigned timeout_ms;    /* for all of it, waiting for a free connection included; 0: 30000 */
	size_t max_answer;      /* bytes */
	const char *unix_path;  /* connect to this socket; of the URL only the path counts (http://localhost/...). NULL: none */
};

struct http_client *http_client_open(const struct http_client_spec *spec, char error[256]);
/* Before a close, for those who wait for their transfers: what runs ends with HTTP_BROKEN after grace_ms, what is sent from now on
 * with HTTP_UNREACHABLE at once, on the sender's thread. NULL allowed. */
void http_client_end(struct http_client *c, unsigned grace_ms);
/* The same, and waits for it. NULL allowed. */
void http_client_close(struct http_client *c, unsigned grace_ms);
/* Starts a transfer; everything is copied. done runs once on the client's thread and must be short. */
void http_client_send(struct http_client *c, const struct http_outgoing *out,
		      void (*done)(void *user, const struct http_answer *answer), void *user);
/* The same, waiting: for workers and command-line tools. body is copied into a. */
void http_client_call(struct http_client *c, struct arena *a, const struct http_outgoing *out, struct http_answer *out_answer);

#endif

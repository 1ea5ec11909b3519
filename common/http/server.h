/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP listeners on libmicrohttpd (recipes.md 1, measured.md 2). One struct http_server per listener: partner (mTLS), northbound
 * (TLS), management (plain TCP on loopback or as configured), admin (unix socket). http/ knows nothing of SOAP or entities. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"

struct http_server;
struct http_call; /* one request on one connection */

/* HTTP_PSK: TLS 1.2 with a pre-shared key, as cards speak it (decisions.md C5). */
enum http_security { HTTP_PLAIN, HTTP_TLS, HTTP_MUTUAL_TLS, HTTP_PSK };

/* What the TLS peer showed: its leaf certificate in DER (HTTP_MUTUAL_TLS), or the identity whose key it has (HTTP_PSK). */
struct http_peer {
	struct bytes der;
	const char *psk_identity; /* NULL but for HTTP_PSK */
};

struct http_handlers {
	/* Once per connection, at its first request, after the handshake and before a body is read. *out_peer is handed to later
	 * calls of this connection and released with peer_free. False: the connection is closed without an HTTP answer (D5). May be
	 * NULL. */
	bool (*peer_accept)(void *ctx, const struct http_peer *peer, void **out_peer);
	void (*peer_free)(void *ctx, void *peer);
	/* The complete request; runs on a pool thread; must end with exactly one http_reply, http_park or http_again before it returns. */
	void (*handle)(void *ctx, struct http_call *call);
	/* The connection closed before the second turn that http_again asked for; user is the handler's to release. On the pool thread. */
	void (*forget)(void *ctx, void *user);
};

struct http_spec {
	const char *name;        /* metrics label and log: "partner" */
	enum http_security security;
	const char *bind_address; /* "127.0.0.1", "0.0.0.0", "::" */
	uint16_t port;           /* 0: any free one, see http_server_port */
	const char *unix_path;   /* instead of address and port: a socket made with mode 0600; NULL: none */
	const char *cert_file, *key_file; /* PEM; certificate chain and key (its file must be private: 0600) */
	const char *trust_file;  /* PEM: CAs of client certificates (HTTP_MUTUAL_TLS) */
	const char *crl_file;    /* PEM CRL of those CAs; NULL: none. Read again when its mtime changed, at the next connection */
	unsigned threads;        /* pool size */
	unsigned connections;    /* limit, for the listener */
	unsigned idle_s;         /* seconds without a byte before a connection is closed; default 30 */
	unsigned request_s;      /* seconds for a whole request from its first byte (slow senders); default 30 */
	unsigned lifetime_s;     /* kept-alive connections are closed after this (A5: 300); 0: never */
	size_t max_body;         /* bytes; more is 413 and the connection closed */
	size_t connection_memory; /* bytes that a connection may use for headers and buffers; 0: the library's 32 KiB */
	/* HTTP_PSK: the key of an identity, at most max bytes into key; its length, 0: unknown identity, the handshake fails
	 * without an answer. Runs in the handshake on the pool thread: one short statement. thread: what thread_open gave. Answers
	 * of such a listener carry no Date header: cards know few. */
	size_t (*psk)(void *ctx, void *thread, const char *identity, uint8_t *key, size_t max);
	/* Per-thread state for handlers (a database connection, an arena): made when a pool thread first handles a call. May be
	 * NULL. */
	void *(*thread_open)(void *ctx);
	void (*thread_close)(void *ctx, void *thread);
	struct http_handlers handlers;
	void *ctx;
};

/* Starts listening. NULL: errno-like text in error (256 bytes): which file or address, what is wrong. */
struct http_server *http_server_open(const struct http_spec *spec, char error[256]);
uint16_t http_server_port(const struct http_server *s);
/* Ends it: stop accepting, wait up to grace_s for running and parked calls, answer what is parked then with 503, close (A5). NULL
 * allowed. */
void http_server_close(struct http_server *s, unsigned grace_s);
/* Stops accepting new connections and answers on existing ones with Connection: close; part one of a drain. */
void http_server_quiesce(struct http_server *s);

/* A call's request; valid until it is replied to, strings NUL-terminated. */
const char *http_method(const struct http_call *c);
const char *http_path(const struct http_call *c);
const char *http_query(const struct http_call *c, const char *name); /* decoded value, NULL: absent */
bool http_has_query(const struct http_call *c, const char *name);    /* ?wsdl without value */
const char *http_header(const struct http_call *c, const char *name); /* NULL: absent */
struct bytes http_body(const struct http_call *c);
void *http_peer_of(const struct http_call *c);   /* what peer_accept gave */
void *http_thread_of(const struct http_call *c); /* what thread_open gave */
const char *http_remote(const struct http_call *c); /* "127.0.0.1:41234" */
int64_t http_started_us(const struct http_call *c); /* clock_us() when the request line arrived */

struct http_header {
	const char *name, *value;
};
/* Answers; body is copied. content_type may be NULL (no body). */
void http_reply(struct http_call *c, unsigned status, const char *content_type, const void *body, size_t n);
void http_reply_headers(struct http_call *c, unsigned status, const char *content_type, const void *body, size_t n,
			const struct http_header *headers, size_t n_headers);
/* Closes the connection without an answer. */
void http_drop(struct http_call *c);

/* The handler is called once more for this call, in the next turn of the pool thread's loop, which does not sleep before: after all other
 * connections of this thread from which something came had their turn. The request stays readable. user: not NULL. */
void http_again(struct http_call *c, void *user);
void *http_again_of(const struct http_call *c); /* what http_again was given; NULL: this is the first turn */

/* Parks the call: the connection stays suspended until http_resume or until deadline_ms (clock_ms()), when expired() of the
 * caller runs on the listener's own thread and must resume. gone() runs when the peer hung up (recipes.md 1 c); the call is then
 * released by the server and must not be touched after gone() returns. Request data (body, headers) is freed at once. user is
 * handed to both. Exactly one of these ends a parked call: an http_resume that returns true, expired() (if it did not resume, 503
 * is sent and gone() runs), or gone(), which also runs when the server closes and answers 503 itself. So a caller keeps parked
 * calls in a table of its own, calls http_resume with the table's lock held, and takes the call out of the table under that lock in
 * both hooks: they run without any lock of the server. http_resume may come before http_park: the call is then answered at once and
 * no hook runs. */
struct http_parked_hooks {
	void (*expired)(void *user, struct http_call *c);
	void (*gone)(void *user);
};
void http_park(struct http_call *c, int64_t deadline_ms, const struct http_parked_hooks *hooks, void *user);
/* From any thread, once per parked call; returns false when the call is gone already (gone() ran or runs). After it c must not be
 * touched. */
bool http_resume(struct http_call *c, unsigned status, const char *content_type, const void *body, size_t n);
bool http_resume_headers(struct http_call *c, unsigned status, const char *content_type, const void *body, size_t n,
			 const struct http_header *headers, size_t n_headers);
unsigned http_parked(const struct http_server *s);

#endif

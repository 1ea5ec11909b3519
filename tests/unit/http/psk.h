/* SPDX-License-Identifier: Apache-2.0 */
/* A card listener that knows two cards, what drives a client until something happens, and a relay that looks at TLS records. */
#ifndef TEST_HTTP_PSK_H
#define TEST_HTTP_PSK_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/http/psk_client.h"
#include "common/http/server.h"

#define CARD "800102811089001012"
#define CARD_KEY "\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10"
#define CARD_KEY_HEX "0123456789ABCDEFFEDCBA9876543210"
enum { CARD_KEY_N = 16, BIG = 20 << 10 };

/* Paths: /echo answers the body, /big BIG letters and "end" behind them, /end 204, /park waits for psk_resume. All carry
 * X-Admin-Next-URI. */
struct cards {
	struct http_server *server;
	unsigned park_ms;
	pthread_mutex_t lock;
	struct http_call *parked;
	char identity[64]; /* whom peer_accept saw last */
	atomic_int handled, accepted, asked, without_thread, freed;
};
void cards_start(struct cards *s);
void cards_stop(struct cards *s);
bool cards_resume(struct cards *s, const char *body, const struct http_header *headers, size_t n);

/* A client with the right key. */
struct psk_client_spec card_spec(uint16_t port);
/* Runs it until it says something else than PSK_WAIT; PSK_WAIT: ms are over. */
enum psk_step drive(struct psk_client *c, int ms);
/* Posts and waits for the answer. */
enum psk_step ask(struct psk_client *c, const char *path, const char *body, size_t n, bool chunked);

/* A listening socket of 127.0.0.1. */
int listen_any(uint16_t *out_port);

/* Passes one connection on to port. piece: bytes that it writes to the client at once, 0: as they come. */
struct relay {
	uint16_t port; /* where it listens */
	uint16_t to;
	size_t piece;
	int listen_fd;
	pthread_t thread;
	/* Of the server's application data, known after relay_stop: */
	size_t records, largest;
};
void relay_start(struct relay *r);
void relay_stop(struct relay *r);

#endif

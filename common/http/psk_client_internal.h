/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by psk_client.c (the connection) and psk_client_http.c (what the server answers). */
#ifndef HTTP_PSK_CLIENT_INTERNAL_H
#define HTTP_PSK_CLIENT_INTERNAL_H

#include "common/base/buf.h"
#include "common/http/psk_client.h"

/* Where the next byte of an answer belongs. */
enum answer_at {
	AT_HEAD,
	AT_BODY,      /* Content-Length */
	AT_SIZE,      /* of a chunk, hex digits */
	AT_EXTENSION, /* the rest of that line */
	AT_SIZE_LF,
	AT_CHUNK,
	AT_CHUNK_CR,
	AT_CHUNK_LF,
	AT_TRAILER,
	AT_TRAILER_LF,
	AT_END,
};

struct answer {
	enum answer_at at;
	struct buf head; /* once it is whole, each line ends in NUL */
	struct buf body;
	size_t max_body;
	size_t left;         /* of the body, or of the chunk */
	size_t framing;      /* bytes of chunk lines and trailers: not endless */
	size_t digits, line; /* of the chunk's size, of the trailer's line */
	unsigned status, interim;
	bool close; /* the server ends the connection after it */
	const char *why;
};

void answer_free(struct answer *a);
/* Makes it ready for the next one. */
void answer_clear(struct answer *a);
/* Takes bytes as they come, cut anywhere. Returns how many belong to this answer: fewer than n only at its end. False in *out_good:
 * it is no answer that we take; a->why says what. */
size_t answer_feed(struct answer *a, const void *data, size_t n, bool *out_good);
const char *answer_header(const struct answer *a, const char *name);

#endif

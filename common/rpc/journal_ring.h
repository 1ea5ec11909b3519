/* SPDX-License-Identifier: Apache-2.0 */
/* The file below the journal: records in a mapped ring, oldest overwritten. Not safe from several threads: journal.c locks. */
#ifndef RPC_JOURNAL_RING_H
#define RPC_JOURNAL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"

/* Records stand behind one another up to head; used octets before it, around the end of the ring. */
struct ring {
	int fd;
	uint8_t *map; /* the whole file: a page of header, then the ring */
	size_t map_size;
	uint8_t *base; /* first octet of the ring */
	size_t size;
	uint64_t key; /* random, of this file: a peer's text cannot look like a record */
	size_t head, used;
	uint64_t sequence; /* of the newest record */
};

/* 0, or -1 with error filled. size: of the ring, made a whole number of pages. */
int ring_open(const char *path, size_t size, struct ring *out, char error[256]);
void ring_close(struct ring *r);

/* The most that one record may hold. */
size_t ring_record_max(const struct ring *r);
/* Appends the pieces as one record; n_pieces octets together at most ring_record_max. */
void ring_append(struct ring *r, const struct bytes *pieces, size_t n_pieces);
/* Walks from the oldest to the newest record. False: the end. */
struct ring_walk {
	size_t at, left;
};
struct ring_walk ring_walk(const struct ring *r);
bool ring_next(const struct ring *r, struct ring_walk *walk, struct bytes *out);

#endif

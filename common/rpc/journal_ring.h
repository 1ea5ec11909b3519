/* SPDX-License-Identifier: Apache-2.0 */
/* The file below the journal: records in a ring, oldest overwritten. Not safe from several threads: journal.c locks. Written by pwrite: a
 * mapping would cost a page fault for each page of each lap, and count as memory of the process. */
#ifndef RPC_JOURNAL_RING_H
#define RPC_JOURNAL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

/* Records stand behind one another up to head; used octets before it, around the end of the ring. */
struct ring {
	int fd; /* a page of header, then the ring */
	size_t size;
	uint64_t key; /* random, of this file: a peer's text cannot look like a record */
	size_t head, used;
	uint64_t sequence;  /* of the newest record */
	struct buf scratch; /* the record being appended */
};

/* 0, or -1 with error filled. size: of the ring, made a whole number of pages. */
int ring_open(const char *path, size_t size, struct ring *out, char error[256]);
void ring_close(struct ring *r);

/* The most that one record may hold. */
size_t ring_record_max(const struct ring *r);
/* Appends the pieces as one record; n_pieces octets together at most ring_record_max. */
void ring_append(struct ring *r, const struct bytes *pieces, size_t n_pieces);
/* The ring to read in: mapped from the walk's begin to its end. */
struct ring_walk {
	const uint8_t *map, *base; /* NULL: not to be had, nothing is walked */
	size_t at, left;
};
void ring_walk_begin(const struct ring *r, struct ring_walk *walk);
/* From the oldest to the newest record; what is handed out lives until the walk's end. False: no more. */
bool ring_walk_next(const struct ring *r, struct ring_walk *walk, struct bytes *out);
void ring_walk_end(const struct ring *r, struct ring_walk *walk);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The card's side: a package arrives in pieces that end anywhere (SCP03t segments); elements come out as soon as they are whole. */
#ifndef CARD_PROFILE_READER_H
#define CARD_PROFILE_READER_H

#include "common/card/profile_package.h"

struct profile_reader {
	size_t element_max;  /* bytes of one element, with tag and length */
	uint8_t *data;       /* wiped when moved and freed: it holds keys */
	size_t len, cap, at; /* at: what next has given away */
	size_t n;            /* elements given */
	bool ended, broken;
	struct profile_fault fault;
};
enum profile_reader_state { PROFILE_READER_ELEMENT, PROFILE_READER_MORE, PROFILE_READER_END, PROFILE_READER_BROKEN };

void profile_reader_init(struct profile_reader *r, size_t element_max);
/* Wipes and frees; usable as CLEANUP. */
void profile_reader_free(struct profile_reader *r);
/* Adds bytes (copied). Elements given before are no longer valid. */
void profile_reader_feed(struct profile_reader *r, struct bytes in);
/* ELEMENT: *out, checked as by profile_element_next, valid until the next feed or free. MORE: feed it. END: the end element was given and nothing is
 * behind it. BROKEN: no element, too long, not the header first, bytes behind the end: r->fault (its index is the element's number); for good. */
enum profile_reader_state profile_reader_next(struct profile_reader *r, struct profile_element *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/profile_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/card/profile_internal.h"

enum { ROOM_FIRST = 4096 };

void profile_reader_init(struct profile_reader *r, size_t element_max)
{
	*r = (struct profile_reader){ .element_max = element_max };
}

void profile_reader_free(struct profile_reader *r)
{
	secret_wipe(r->data, r->cap);
	free(r->data);
	*r = (struct profile_reader){ .element_max = r->element_max };
}

/* What was given away is wiped; a larger place is a new one, so that the old one can be wiped too. */
static void make_room(struct profile_reader *r, size_t more)
{
	size_t kept = r->len - r->at, cap = r->cap ? r->cap : ROOM_FIRST;
	struct secret place;

	while (cap < kept + more)
		cap *= 2;
	if (cap == r->cap) {
		memmove(r->data, r->data + r->at, kept);
		secret_wipe(r->data + kept, r->len - kept);
	} else {
		place = secret_new(cap);
		if (kept)
			memcpy(place.data, r->data + r->at, kept);
		secret_wipe(r->data, r->cap);
		free(r->data);
		r->data = place.data;
		r->cap = cap;
	}
	r->len = kept;
	r->at = 0;
}

void profile_reader_feed(struct profile_reader *r, struct bytes in)
{
	/* the outcome is known: what comes now is not kept, only seen */
	if (r->broken || in.len == 0)
		return;
	make_room(r, in.len);
	memcpy(r->data + r->len, in.data, in.len);
	r->len += in.len;
}

/* How long the element at the beginning says it is, with its head; 0: that is not to be seen yet. */
static size_t length_said(struct bytes in)
{
	size_t tag = 1, more, length = 0;

	if (in.len && (in.data[0] & 0x1F) == 0x1F) {
		while (tag < in.len && tag < 3 && in.data[tag] & 0x80)
			tag++;
		tag++;
	}
	if (tag >= in.len)
		return 0;
	if (in.data[tag] < 0x80)
		return tag + 1 + in.data[tag];
	more = in.data[tag] & 0x7F;
	if (more > 4)
		return SIZE_MAX;
	if (in.len - tag - 1 < more)
		return 0;
	for (size_t i = 0; i < more; i++)
		length = length << 8 | in.data[tag + 1 + i];
	return tag + 1 + more + length;
}

static enum profile_reader_state broken(struct profile_reader *r, const char *what, unsigned status)
{
	if (what)
		(void)pe_refuse(&r->fault, NULL, NULL, what, status);
	r->broken = true;
	secret_wipe(r->data, r->cap);
	r->len = r->at = 0;
	return PROFILE_READER_BROKEN;
}

enum profile_reader_state profile_reader_next(struct profile_reader *r, struct profile_element *out)
{
	struct bytes rest = { r->data ? r->data + r->at : NULL, r->len - r->at };
	struct profile_element e;
	size_t said;

	if (r->broken)
		return PROFILE_READER_BROKEN;
	r->fault = (struct profile_fault){ .index = r->n, .identification = PE_NO_IDENTIFICATION };
	if (r->ended)
		return rest.len ? broken(r, "something is behind the end element", PE_STATUS_INVALID_REQUEST_FORMAT)
				: PROFILE_READER_END;
	said = length_said(rest);
	if (said > r->element_max)
		return broken(r, "an element longer than this card takes", PE_STATUS_NOT_ENOUGH_MEMORY);
	if (said == 0 || said > rest.len)
		return PROFILE_READER_MORE;
	if (!profile_element_next(&rest, &e, &r->fault))
		return broken(r, NULL, 0);
	if ((r->n == 0) != (e.kind == PE_HEADER)) {
		(void)pe_refuse(&r->fault, &e, NULL, r->n ? "a second one" : "comes first: the header must",
				PE_STATUS_INVALID_REQUEST_FORMAT);
		return broken(r, NULL, 0);
	}
	r->at = r->len - rest.len;
	r->n++;
	r->ended = e.kind == PE_END;
	*out = e;
	return PROFILE_READER_ELEMENT;
}

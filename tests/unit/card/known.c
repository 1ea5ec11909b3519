/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/card/known.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"

struct bytes known(struct arena *a, const char *hex)
{
	char *digits = arena_strdup(a, hex);
	size_t n = 0;
	uint8_t *raw;

	for (const char *p = hex; *p; p++)
		if (*p != ' ')
			digits[n++] = *p;
	raw = arena_alloc(a, n / 2);
	cr_assert(hex_decode(digits, n, raw), "%s", hex);
	return (struct bytes){ raw, n / 2 };
}

const char *plain(struct arena *a, const char *hex)
{
	struct bytes b = known(a, hex);

	return hex_text(a, b.data, b.len);
}

bool is_hex(struct arena *a, const void *data, size_t n, const char *hex)
{
	return !strcmp(hex_text(a, data, n), hex);
}

bool parse_exactly(parser parse, struct bytes in)
{
	uint8_t *copy = malloc(in.len ? in.len : 1);
	bool taken;

	cr_assert_not_null(copy);
	if (in.len)
		memcpy(copy, in.data, in.len);
	taken = parse((struct bytes){ copy, in.len });
	free(copy);
	return taken;
}

size_t beginnings_taken(parser parse, struct bytes in)
{
	size_t taken = 0;

	for (size_t n = 0; n < in.len; n++)
		taken += parse_exactly(parse, (struct bytes){ in.data, n });
	return taken;
}

/* xorshift64: the same on every machine. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

enum { ROOM = 512 };

static size_t mutate_once(uint8_t *data, size_t n, uint64_t *state)
{
	static const uint8_t nasty[] = { 0x00, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF, 0x1F, 0x9F, 0xE3, 0x23, 0x4F };
	size_t at = n ? next_random(state) % n : 0;
	uint64_t r = next_random(state);

	switch (r % 6) {
	case 0:
		data[at] ^= (uint8_t)(1u << (r >> 8 & 7));
		return n;
	case 1:
		data[at] = nasty[(r >> 8) % sizeof(nasty)];
		return n;
	case 2:
		data[at] = (uint8_t)(r >> 8);
		return n;
	case 3:
		return at;
	case 4: /* a byte is lost */
		memmove(data + at, data + at + 1, n ? n - at - 1 : 0);
		return n ? n - 1 : 0;
	default: /* a piece comes twice */
		if (n + (n - at) > ROOM)
			return n;
		memmove(data + n, data + at, n - at);
		return n + (n - at);
	}
}

unsigned depth_divisor(void)
{
	return getenv("RSP_DEEP") ? 1 : 4;
}

size_t mutate(parser parse, struct bytes in, unsigned n)
{
	uint64_t state = UINT64_C(0x9E3779B97F4A7C15);
	uint8_t data[ROOM + 1];
	size_t taken = 0;

	cr_assert_leq(in.len, ROOM);
	for (unsigned i = 0; i < n; i++) {
		size_t len = in.len;

		memcpy(data, in.data, in.len);
		for (unsigned k = 0; k <= i % 4; k++)
			len = mutate_once(data, len, &state);
		taken += parse_exactly(parse, (struct bytes){ data, len });
	}
	return taken;
}

const char *built(struct arena *a, struct buf *b)
{
	char *text = hex_text(a, (const uint8_t *)b->data, b->len);

	buf_clear(b);
	return text;
}

struct bytes built_bytes(struct arena *a, struct buf *b)
{
	struct bytes v = { arena_memdup(a, b->data, b->len), b->len };

	buf_clear(b);
	return v;
}

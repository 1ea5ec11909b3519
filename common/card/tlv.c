/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/tlv.h"

#include <assert.h>
#include <string.h>

#include "common/card/tlv_internal.h"

enum { TAG_BYTES_MAX = 3, LENGTH_BYTES_MAX = 4, HEAD_MAX = 4 + 1 + LENGTH_BYTES_MAX };

/* Bytes of the tag at p; 0: cut off or too long. */
static size_t tag_size(const uint8_t *p, size_t n)
{
	size_t i = 1;

	if (n == 0)
		return 0;
	if ((p[0] & 0x1F) != 0x1F)
		return 1;
	while (i < n && i < TAG_BYTES_MAX) {
		if (!(p[i++] & 0x80))
			return i;
	}
	return 0;
}

static uint32_t big_endian(const uint8_t *p, size_t n)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* The length at p and how many bytes it takes; 0: cut off, indefinite or too long. */
static size_t length_size(const uint8_t *p, size_t n, size_t *out_length)
{
	size_t more;

	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		*out_length = p[0];
		return 1;
	}
	more = p[0] & 0x7F;
	if (more == 0 || more > LENGTH_BYTES_MAX || more > n - 1)
		return 0;
	*out_length = big_endian(p + 1, more);
	return 1 + more;
}

bool tlv_next(struct bytes *rest, struct tlv *out)
{
	const uint8_t *p = rest->data;
	size_t n = rest->len, length = 0;
	size_t tag = tag_size(p, n);
	size_t head = tag ? length_size(p + tag, n - tag, &length) : 0;

	if (head == 0)
		return false;
	head += tag;
	if (length > n - head)
		return false;
	*out = (struct tlv){ big_endian(p, tag), { p + head, length } };
	*rest = (struct bytes){ p + head + length, n - head - length };
	return true;
}

bool tlv_find(struct bytes in, uint32_t tag, struct bytes *out)
{
	struct tlv t;

	while (tlv_next(&in, &t)) {
		if (t.tag == tag) {
			*out = t.value;
			return true;
		}
	}
	return false;
}

size_t tlv_put_number(uint8_t out[8], uint64_t v, size_t min)
{
	size_t n = min;

	while (n < 8 && v >> (8 * n))
		n++;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	return n;
}

static size_t put_head(uint8_t out[HEAD_MAX], uint32_t tag, size_t n)
{
	uint8_t number[8];
	size_t at = tlv_put_number(number, tag, 1), size;

	memcpy(out, number, at);
	if (n < 0x80) {
		out[at++] = (uint8_t)n;
		return at;
	}
	size = tlv_put_number(number, n, 1);
	assert(size <= LENGTH_BYTES_MAX);
	out[at++] = (uint8_t)(0x80 | size);
	memcpy(out + at, number, size);
	return at + size;
}

void tlv_add_head(struct buf *out, uint32_t tag, size_t n)
{
	uint8_t head[HEAD_MAX];

	buf_add(out, head, put_head(head, tag, n));
}

void tlv_add(struct buf *out, uint32_t tag, const void *value, size_t n)
{
	tlv_add_head(out, tag, n);
	buf_add(out, value, n);
}

void tlv_wrap(struct buf *out, size_t at, uint32_t tag)
{
	uint8_t head[HEAD_MAX];
	size_t value = out->len - at, n = put_head(head, tag, value);

	buf_add(out, head, n); /* makes room; the head then moves in front of the value */
	memmove(out->data + at + n, out->data + at, value);
	memcpy(out->data + at, head, n);
}

bool tlv_number(struct bytes in, int64_t *out)
{
	int64_t v = 0;

	if (in.len == 0 || in.len > 7)
		return false;
	for (size_t i = 0; i < in.len; i++)
		v = v << 8 | in.data[i];
	*out = v;
	return true;
}

void tlv_add_number(struct buf *out, uint32_t tag, uint64_t value, size_t min)
{
	uint8_t number[8];
	size_t n = tlv_put_number(number, value, min);

	tlv_add(out, tag, number, n);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/soap/doc_internal.h"

static unsigned unit_at(const uint8_t *p, bool big)
{
	return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static size_t put_utf8(uint8_t *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xC0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xE0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
		out[2] = (uint8_t)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (uint8_t)(0xF0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
	out[3] = (uint8_t)(0x80 | (c & 0x3F));
	return 4;
}

static bool from_utf16(struct arena *a, struct bytes in, bool big, struct bytes *out)
{
	uint8_t *text = arena_alloc(a, in.len / 2 * 3 + 1);
	size_t n = 0;

	if (in.len % 2)
		return false;
	for (size_t i = 0; i < in.len; i += 2) {
		uint32_t c = unit_at(in.data + i, big);

		if (c >= 0xDC00 && c <= 0xDFFF)
			return false;
		if (c >= 0xD800 && c <= 0xDBFF) {
			uint32_t low = i + 3 < in.len ? unit_at(in.data + i + 2, big) : 0;

			if (low < 0xDC00 || low > 0xDFFF)
				return false;
			c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
			i += 2;
		}
		if (c != 0xFEFF || n > 0) /* the mark at the start has done its work */
			n += put_utf8(text + n, c);
	}
	*out = (struct bytes){ text, n };
	return true;
}

bool scan_utf8(struct arena *a, struct bytes in, struct bytes *out)
{
	static const struct {
		uint8_t first[2];
		bool big;
	} marks[] = { { { 0xFE, 0xFF }, true }, { { 0xFF, 0xFE }, false }, { { 0, '<' }, true }, { { '<', 0 }, false } };

	for (size_t i = 0; i < LEN(marks); i++)
		if (in.len >= 2 && !memcmp(in.data, marks[i].first, 2))
			return from_utf16(a, in, marks[i].big, out);
	*out = in;
	return true;
}

/* Where the text that starts at p ends, behind the given end mark; end of input when it does not. */
static const char *behind(const char *p, const char *end, const char *mark)
{
	const char *found = memmem(p, (size_t)(end - p), mark, strlen(mark));

	return found ? found + strlen(mark) : end;
}

/* p stands behind '<' of a tag: counts quoted values up to its '>'. NULL: more than max. */
static const char *scan_tag(const char *p, const char *end, unsigned max)
{
	unsigned quoted = 0;

	while (p < end && *p != '>' && *p != '<') {
		if (*p == '"' || *p == '\'') {
			const char *close = memchr(p + 1, *p, (size_t)(end - p - 1));

			if (++quoted > max)
				return NULL;
			p = close ? close : end - 1;
		}
		p++;
	}
	return p;
}

static bool starts(const char *p, const char *end, const char *mark)
{
	return (size_t)(end - p) >= strlen(mark) && !memcmp(p, mark, strlen(mark));
}

const char *scan_refuse(struct bytes in, unsigned max)
{
	const char *p = (const char *)in.data, *end = p + in.len;

	if (memchr(p, 0, in.len))
		return "a NUL byte is not allowed";
	while ((p = memchr(p, '<', (size_t)(end - p)))) {
		if (starts(p, end, "<!--")) {
			p = behind(p + 4, end, "-->");
		} else if (starts(p, end, "<![CDATA[")) {
			p = behind(p + 9, end, "]]>");
		} else {
			p = scan_tag(p + 1, end, max);
			if (!p)
				return "too many attributes in one element";
		}
	}
	return NULL;
}

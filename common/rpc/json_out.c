/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/json_out.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Octets of the well-formed character at p; 0: none (overlong forms, surrogates and what is above U+10FFFF are not). */
static size_t utf8_length(const uint8_t *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] <= 0xF4 ? 4 : 0;

	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
	    (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return len;
}

static void put_ascii(struct buf *b, uint8_t c)
{
	if (c == '"' || c == '\\')
		buf_char(b, '\\');
	if (c >= ' ' && c != 0x7F)
		buf_char(b, (char)c);
	else if (c == '\n')
		buf_str(b, "\\n");
	else
		buf_printf(b, "\\u%04x", c);
}

static bool plain(uint8_t c)
{
	return c >= ' ' && c < 0x7F && c != '"' && c != '\\';
}

void json_out(struct buf *b, const void *text, size_t n)
{
	const uint8_t *p = text;
	size_t i = 0;

	buf_reserve(b, n + 2);
	buf_char(b, '"');
	while (i < n) {
		size_t run = i, len;

		while (run < n && plain(p[run]))
			run++;
		buf_add(b, p + i, run - i);
		i = run;
		if (i >= n)
			break;
		len = utf8_length(p + i, n - i);
		if (len == 1)
			put_ascii(b, p[i]);
		else if (len)
			buf_add(b, p + i, len);
		else
			buf_str(b, "\\ufffd");
		i += len ? len : 1;
	}
	buf_char(b, '"');
}

void json_out_text(struct buf *b, const char *text)
{
	if (text)
		json_out(b, text, strlen(text));
	else
		buf_str(b, "null");
}

void json_out_member(struct buf *b, const char *name, const char *value)
{
	if (b->len && b->data[b->len - 1] != '{')
		buf_char(b, ',');
	json_out_text(b, name);
	buf_char(b, ':');
	json_out_text(b, value);
}

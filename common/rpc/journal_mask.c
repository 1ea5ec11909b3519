/* SPDX-License-Identifier: Apache-2.0 */
/* Hides what may be a key in a text that no bind table describes (decisions.md F2). */
#include <string.h>

#include "common/rpc/journal.h"

enum { HEX_MIN = 24, BASE64_MIN = 201 };

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

static bool is_base64(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' || c == '/' || c == '=' ||
	       c == '-' || c == '_';
}

struct run {
	size_t end;   /* behind its last member */
	size_t count; /* of members, line breaks left out */
};

/* The longest run from i; a line break with its indentation does not end it, since long values are wrapped. */
static struct run run_at(const char *text, size_t i, size_t n, bool (*member)(char c))
{
	struct run r = { i, 0 };

	while (i < n) {
		if (member(text[i])) {
			r.end = ++i;
			r.count++;
			continue;
		}
		if (text[i] != '\r' && text[i] != '\n')
			break;
		while (i < n && (text[i] == '\r' || text[i] == '\n' || text[i] == ' ' || text[i] == '\t'))
			i++;
	}
	return r;
}

/* text[from, to): one base64 run that may stay; hex runs in it are cut. */
static void mask_hex(struct buf *out, const char *text, size_t from, size_t to)
{
	while (from < to) {
		struct run r;

		if (!is_hex(text[from])) { /* a search from each line break would take quadratic time */
			buf_char(out, text[from++]);
			continue;
		}
		r = run_at(text, from, to, is_hex);
		if (r.count >= HEX_MIN)
			buf_str(out, "***");
		else
			buf_add(out, text + from, r.end - from);
		from = r.end;
	}
}

void journal_mask(struct buf *out, const void *data, size_t n)
{
	const char *text = data;
	size_t i = 0;

	buf_reserve(out, n);
	while (i < n) {
		struct run r;

		if (!is_base64(text[i])) {
			buf_char(out, text[i++]);
			continue;
		}
		r = run_at(text, i, n, is_base64);
		if (r.count >= BASE64_MIN)
			buf_str(out, "***");
		else
			mask_hex(out, text, i, r.end);
		i = r.end;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* XML for eyes. It only looks for angle brackets: what it shows has passed a real parser, or is shown because it could not. */
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

enum { DEPTH_MAX = 64 };

static void new_line(struct buf *out, unsigned depth)
{
	if (out->len)
		buf_char(out, '\n');
	for (unsigned i = 0; i < depth && i < DEPTH_MAX; i++)
		buf_str(out, "  ");
}

static bool blank(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr(" \t\r\n", text[i]))
			return false;
	return true;
}

void xml_indent(struct buf *out, const char *text, size_t n)
{
	const char *end = text + n;
	unsigned depth = 0;
	bool inside = false; /* an element was opened and nothing but text came since */

	while (text < end) {
		const char *open = memchr(text, '<', (size_t)(end - text));
		const char *close = open ? memchr(open, '>', (size_t)(end - open)) : NULL;
		bool ends;

		if (!close) {
			buf_add(out, text, (size_t)(end - text));
			break;
		}
		if (!blank(text, (size_t)(open - text)))
			buf_add(out, text, (size_t)(open - text));
		ends = open[1] == '/';
		if (ends && depth)
			depth--;
		if (!ends || !inside)
			new_line(out, depth);
		buf_add(out, open, (size_t)(close + 1 - open));
		inside = !ends && close[-1] != '/' && open[1] != '?' && open[1] != '!';
		depth += inside;
		text = close + 1;
	}
}

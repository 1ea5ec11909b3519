/* SPDX-License-Identifier: Apache-2.0 */
#include "common/soap/writer.h"

#include <stdbool.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static void put_name(struct xml_writer *w, const char *before, const char *name)
{
	buf_str(w->out, before);
	if (*w->prefix) {
		buf_str(w->out, w->prefix);
		buf_char(w->out, ':');
	}
	buf_str(w->out, name);
}

void xw_open(struct xml_writer *w, const char *name)
{
	put_name(w, "<", name);
	buf_char(w->out, '>');
}

void xw_close(struct xml_writer *w, const char *name)
{
	put_name(w, "</", name);
	buf_char(w->out, '>');
}

void xw_text(struct xml_writer *w, const char *name, const char *text)
{
	xw_open(w, name);
	xml_escape(w->out, text);
	xw_close(w, name);
}

void xw_start(struct xml_writer *w, const char *name)
{
	put_name(w, "<", name);
}

/* Tab and line end would come back as blanks (attribute value normalisation). */
void xw_attr(struct xml_writer *w, const char *name, const char *value)
{
	buf_char(w->out, ' ');
	buf_str(w->out, name);
	buf_str(w->out, "=\"");
	for (const char *p = value; *p;) {
		size_t n = strcspn(p, "\t\n");
		char piece[256];

		n = n < sizeof(piece) ? n : sizeof(piece) - 1;
		while (n < strlen(p) && n > 1 && ((unsigned char)p[n] & 0xC0) == 0x80)
			n--; /* never inside a character */
		memcpy(piece, p, n);
		piece[n] = '\0';
		xml_escape(w->out, piece);
		p += n;
		if (*p == '\t' || *p == '\n')
			buf_str(w->out, *p++ == '\t' ? "&#9;" : "&#10;");
	}
	buf_char(w->out, '"');
}

void xw_end(struct xml_writer *w, int empty)
{
	buf_str(w->out, empty ? "/>" : ">");
}

void xw_raw(struct xml_writer *w, const void *octets, size_t n)
{
	buf_add(w->out, octets, n);
}

/* Length of the UTF-8 character at p that XML 1.0 allows; 0: none. */
static size_t character(const unsigned char *p)
{
	if (p[0] < 0x80)
		return p[0] >= ' ' || p[0] == '\t' || p[0] == '\n' || p[0] == '\r';
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		return (p[1] & 0xC0) == 0x80 ? 2 : 0;
	if ((p[0] & 0xF0) == 0xE0) {
		if ((p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[0] == 0xE0 && p[1] < 0xA0) ||
		    (p[0] == 0xED && p[1] > 0x9F))
			return 0;
		return p[0] == 0xEF && p[1] == 0xBF && p[2] >= 0xBE ? 0 : 3; /* U+FFFE, U+FFFF */
	}
	if (p[0] >= 0xF0 && p[0] <= 0xF4) {
		if ((p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
			return 0;
		return (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F) ? 0 : 4;
	}
	return 0;
}

static const char *reference(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\r':
		return "&#13;";
	default:
		return NULL;
	}
}

void xml_escape(struct buf *out, const char *text)
{
	const char *run = text, *p = text;

	while (*p) {
		size_t n = character((const unsigned char *)p);
		const char *as = n ? reference(*p) : REPLACEMENT;

		if (as) {
			buf_add(out, run, (size_t)(p - run));
			buf_str(out, as);
			run = p + (n ? n : 1);
		}
		p += n ? n : 1;
	}
	buf_add(out, run, (size_t)(p - run));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Reads HTTP/1.1 answers as they come. Strict: what is not clearly framed is refused rather than guessed. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http/psk_client_internal.h"

enum { HEAD_MAX = 8 << 10, FRAMING_MAX = 8 << 10, FRAMING_SHARE = 8, INTERIM_MAX = 8, SIZE_DIGITS = 7, LENGTH_DIGITS = 10 };

void answer_free(struct answer *a)
{
	buf_free(&a->head);
	buf_free(&a->body);
}

void answer_clear(struct answer *a)
{
	const size_t max_body = a->max_body;

	answer_free(a);
	*a = (struct answer){ .max_body = max_body };
}

static bool bad(struct answer *a, const char *why)
{
	a->why = why;
	return false;
}

/* The line after this one; NULL: it was the last. */
static const char *line_after(const struct answer *a, const char *line)
{
	const char *end = a->head.data + a->head.len, *next = line + strlen(line) + 1;

	return next < end ? next : NULL;
}

/* The value, when line has this name. */
static const char *value_of(const char *line, const char *name)
{
	const size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	return line + strspn(line, " \t");
}

const char *answer_header(const struct answer *a, const char *name)
{
	if (!a->head.data || a->at == AT_HEAD)
		return NULL;
	for (const char *line = line_after(a, a->head.data); line; line = line_after(a, line)) {
		const char *value = value_of(line, name);

		if (value)
			return value;
	}
	return NULL;
}

static unsigned times(const struct answer *a, const char *name)
{
	unsigned n = 0;

	for (const char *line = line_after(a, a->head.data); line; line = line_after(a, line))
		n += value_of(line, name) != NULL;
	return n;
}

/* One line without its CR LF; n: its length so far. */
static bool line_good(struct answer *a, const char *line, size_t n, bool first)
{
	const char *colon = memchr(line, ':', n);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return bad(a, "a control character in the answer's head");
	if (!first && (!colon || colon == line || *line == ' ' || *line == '\t' || colon[-1] == ' ' || colon[-1] == '\t'))
		return bad(a, "a header line without a name");
	return true;
}

/* Turns the head, which ends in an empty line, into texts that end in NUL, without the blanks at their ends. */
static bool cut_lines(struct answer *a)
{
	char *to = a->head.data, *line = to;
	const char *end = to + a->head.len - 2;

	for (bool first = true; line < end; first = false) {
		char *cr = memmem(line, (size_t)(end - line), "\r\n", 2);
		size_t n = (size_t)(cr - line);

		if (!line_good(a, line, n, first))
			return false;
		while (n && (line[n - 1] == ' ' || line[n - 1] == '\t'))
			n--;
		memmove(to, line, n);
		to[n] = 0;
		to += n + 1;
		line = cr + 2;
	}
	a->head.len = (size_t)(to - a->head.data);
	return true;
}

/* "HTTP/1.1 200 OK" */
static bool read_status(struct answer *a)
{
	const char *line = a->head.data;

	if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' || line[9] < '1' ||
	    line[9] > '5' || strspn(line + 9, "0123456789") != 3 || (line[12] && line[12] != ' '))
		return bad(a, "not an HTTP answer");
	a->status = (unsigned)strtoul(line + 9, NULL, 10);
	a->close = line[7] == '0';
	return true;
}

static bool read_length(struct answer *a, const char *length)
{
	const size_t n = strlen(length);

	if (!n || n > LENGTH_DIGITS || strspn(length, "0123456789") != n)
		return bad(a, "Content-Length is no number");
	a->left = strtoul(length, NULL, 10);
	if (a->left > a->max_body)
		return bad(a, "the answer is too large");
	a->at = a->left ? AT_BODY : AT_END;
	return true;
}

/* What follows the head. */
static bool read_framing(struct answer *a)
{
	const char *length = answer_header(a, "Content-Length"), *coding = answer_header(a, "Transfer-Encoding");
	const char *connection = answer_header(a, "Connection");

	if (connection && !strcasecmp(connection, "close"))
		a->close = true;
	if (a->status == 204 || a->status == 304) {
		a->at = AT_END;
		return true;
	}
	if (times(a, "Content-Length") + times(a, "Transfer-Encoding") != 1)
		return bad(a, "the answer does not say clearly where it ends");
	if (length)
		return read_length(a, length);
	if (strcasecmp(coding, "chunked") != 0)
		return bad(a, "a transfer encoding other than chunked");
	a->at = AT_SIZE;
	return true;
}

static bool read_head(struct answer *a)
{
	if (!cut_lines(a) || !read_status(a))
		return false;
	a->at = AT_BODY; /* answer_header may look */
	if (a->status >= 200)
		return read_framing(a);
	if (a->status == 101 || ++a->interim > INTERIM_MAX)
		return bad(a, "no answer after all the interim ones");
	buf_clear(&a->head);
	a->at = AT_HEAD;
	return true;
}

static bool head_byte(struct answer *a, char byte)
{
	static const char begin[] = "HTTP/1.";
	const size_t at = a->head.len;

	/* At once: garbage need not contain an empty line. */
	if (at < sizeof(begin) - 1 && byte != begin[at])
		return bad(a, "not an HTTP answer");
	if (at >= HEAD_MAX)
		return bad(a, "the answer's head is too large");
	buf_char(&a->head, byte);
	if (byte == '\n' && a->head.len >= 4 && !memcmp(a->head.data + a->head.len - 4, "\r\n\r\n", 4))
		return read_head(a);
	return true;
}

static bool size_byte(struct answer *a, char byte)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit = byte ? strchr(digits, byte >= 'A' && byte <= 'F' ? byte - 'A' + 'a' : byte) : NULL;

	if (digit && ++a->digits <= SIZE_DIGITS) {
		a->left = a->left * 16 + (size_t)(digit - digits);
		return true;
	}
	if (!a->digits || (byte != '\r' && byte != ';' && byte != ' '))
		return bad(a, "a chunk without a size");
	a->at = byte == '\r' ? AT_SIZE_LF : AT_EXTENSION;
	return true;
}

static bool expect(struct answer *a, char byte, char wanted, enum answer_at next)
{
	if (byte != wanted)
		return bad(a, "a broken chunk");
	a->at = next;
	return true;
}

static bool size_end(struct answer *a, char byte)
{
	if (a->left > a->max_body - a->body.len)
		return bad(a, "the answer is too large");
	a->digits = a->line = 0;
	return expect(a, byte, '\n', a->left ? AT_CHUNK : AT_TRAILER);
}

static bool trailer_byte(struct answer *a, char byte)
{
	if (byte == '\r')
		a->at = AT_TRAILER_LF;
	else
		a->line++;
	return true;
}

static bool trailer_end(struct answer *a, char byte)
{
	const bool last = a->line == 0;

	a->line = 0;
	return expect(a, byte, '\n', last ? AT_END : AT_TRAILER);
}

/* A byte that is not of a body. */
static bool feed_byte(struct answer *a, char byte)
{
	if (a->at != AT_HEAD && ++a->framing > FRAMING_MAX + FRAMING_SHARE * a->body.len)
		return bad(a, "more framing than body");
	switch (a->at) {
	case AT_HEAD:
		return head_byte(a, byte);
	case AT_SIZE:
		return size_byte(a, byte);
	case AT_EXTENSION:
		a->at = byte == '\r' ? AT_SIZE_LF : AT_EXTENSION;
		return true;
	case AT_SIZE_LF:
		return size_end(a, byte);
	case AT_CHUNK_CR:
		return expect(a, byte, '\r', AT_CHUNK_LF);
	case AT_CHUNK_LF:
		return expect(a, byte, '\n', AT_SIZE);
	case AT_TRAILER:
		return trailer_byte(a, byte);
	case AT_TRAILER_LF:
		return trailer_end(a, byte);
	case AT_BODY:
	case AT_CHUNK:
	case AT_END:
		break;
	}
	return true;
}

size_t answer_feed(struct answer *a, const void *data, size_t n, bool *out_good)
{
	const char *p = data;
	size_t at = 0;
	bool good = true;

	while (good && at < n && a->at != AT_END) {
		if (a->at == AT_BODY || a->at == AT_CHUNK) {
			const size_t take = a->left < n - at ? a->left : n - at;

			buf_add(&a->body, p + at, take);
			at += take;
			a->left -= take;
			if (!a->left)
				a->at = a->at == AT_BODY ? AT_END : AT_CHUNK_CR;
		} else {
			good = feed_byte(a, p[at++]);
		}
	}
	*out_good = good;
	return at;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer on the heap; always NUL-terminated one byte behind len once something was added. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

#include "common/base/arena.h"

struct buf {
	char *data; /* NULL until the first addition */
	size_t len;
	size_t cap;
};

/* Frees the memory and zeroes the struct; usable as CLEANUP(buf_free). */
void buf_free(struct buf *b);
/* len = 0, memory kept. */
void buf_clear(struct buf *b);
/* All additions abort without memory. */
void buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *data, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* Upper-case hex digits of data. */
void buf_hex(struct buf *b, const void *data, size_t n);

#endif

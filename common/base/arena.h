/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocator: all that a request decodes, loads or encodes lives in one arena and dies with it. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"

struct arena;

/* Bytes owned elsewhere (an arena, a document, a database result). data may be NULL only when len is 0. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

/* Never NULL: a process without memory aborts; that is safe, since effects exist only in committed transactions. */
struct arena *arena_new(void);
/* NULL is allowed. */
void arena_free(struct arena *a);
void arena_freep(struct arena **a);
/* Forgets all allocations and keeps the first block, for workers that own one arena for many jobs. */
void arena_reset(struct arena *a);
/* Bytes handed out since arena_new or arena_reset. */
size_t arena_used(const struct arena *a);

/* n zeroed bytes, aligned for any type. n may be 0: then a valid unique pointer. Aborts on overflow and without memory. */
void *arena_alloc(struct arena *a, size_t n);
/* count zeroed elements of size bytes; aborts when the product overflows. */
void *arena_array(struct arena *a, size_t count, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
/* At most the first n bytes of UTF-8 text, and no part of a character: a database would refuse that. */
char *arena_strcut(struct arena *a, const char *s, size_t n);
void *arena_memdup(struct arena *a, const void *data, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list args) PRINTF(2, 0);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif

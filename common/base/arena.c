/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 16 * 1024, ALIGN = 16 };

struct block {
	struct block *next;
	size_t size;
	_Alignas(ALIGN) uint8_t data[];
};

struct arena {
	struct block *first; /* kept by arena_reset */
	struct block *current;
	size_t at;   /* offset of the next free byte in current */
	size_t used; /* bytes handed out in all blocks */
};

static struct block *block_new(size_t size)
{
	struct block *b = malloc(sizeof(*b) + size);

	if (!b)
		abort();
	b->next = NULL;
	b->size = size;
	return b;
}

struct arena *arena_new(void)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	a->first = a->current = block_new(FIRST_BLOCK);
	return a;
}

static void blocks_free(struct block *b)
{
	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	blocks_free(a->first);
	free(a);
}

void arena_freep(struct arena **a)
{
	arena_free(*a);
	*a = NULL;
}

void arena_reset(struct arena *a)
{
	blocks_free(a->first->next);
	a->first->next = NULL;
	a->current = a->first;
	a->at = 0;
	a->used = 0;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}

static void arena_grow(struct arena *a, size_t n)
{
	size_t size = a->current->size * 2;
	struct block *b = block_new(size > n ? size : n);

	a->current->next = b;
	a->current = b;
	a->at = 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t want = n ? n : 1;
	void *p;

	if (want > SIZE_MAX / 4)
		abort();
	want = (want + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (a->current->size - a->at < want)
		arena_grow(a, want);
	p = a->current->data + a->at;
	a->at += want;
	a->used += want;
	return memset(p, 0, n);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		abort();
	return arena_alloc(a, n);
}

void *arena_memdup(struct arena *a, const void *data, size_t n)
{
	void *p = arena_alloc(a, n);

	if (n)
		memcpy(p, data, n);
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = arena_alloc(a, len + 1);

	memcpy(p, s, len);
	return p;
}

char *arena_strcut(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);

	/* A byte 10xxxxxx goes on with the character before it. */
	while (s[len] && len > 0 && ((unsigned char)s[len] & 0xC0) == 0x80)
		len--;
	return arena_strndup(a, s, len);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list args)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, args);
	if (n < 0)
		abort();
	p = arena_alloc(a, (size_t)n + 1);
	(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args;
	char *p;

	va_start(args, fmt);
	p = arena_vprintf(a, fmt, args);
	va_end(args);
	return p;
}

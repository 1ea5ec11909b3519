/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

enum { UUID_TEXT = 37 }; /* 36 characters and a NUL */

/* Kernel randomness, fit for keys; aborts when there is none. */
void random_bytes(void *out, size_t n);
/* A version 4 UUID in lower-case text (RFC 4122). */
void uuid_new(char out[UUID_TEXT]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/arena.h"

/* Decodes n hex digits of either case into out (n / 2 bytes). False, out untouched in meaning: odd n or another character. */
bool hex_decode(const char *text, size_t n, uint8_t *out);
/* Upper-case digits and a NUL: out holds 2 * n + 1 characters. */
void hex_encode(const uint8_t *data, size_t n, char *out);
/* The same into an arena. */
char *hex_text(struct arena *a, const uint8_t *data, size_t n);

#endif

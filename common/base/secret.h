/* SPDX-License-Identifier: Apache-2.0 */
/* Key material: on the heap only, wiped when freed, never in an arena, never printed. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

struct secret {
	uint8_t *data;
	size_t len;
};

/* n zeroed bytes; aborts without memory. Free with secret_free, also as CLEANUP(secret_free). */
struct secret secret_new(size_t n);
/* Wipes, frees and zeroes the struct; a zeroed struct is allowed. */
void secret_free(struct secret *s);
/* Wipes memory that is not a struct secret (stack copies). */
void secret_wipe(void *data, size_t n);
/* Reads a file of at most max bytes that group and others cannot read. 0, or -errno (-EPERM: its mode is too open;
 * -EFBIG: too large). *out is the caller's; untouched on failure. */
int secret_read_file(const char *path, size_t max, struct secret *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { DATETIME_MAX = 40 }; /* room for any xs:dateTime that we write, NUL included */

/* Milliseconds and microseconds that only go forward: for intervals, never for the wire. */
int64_t clock_ms(void);
int64_t clock_us(void);
/* Microseconds since 1970-01-01T00:00:00Z, the unit of every stored time. */
int64_t clock_wall_us(void);

/* Writes 2026-01-15T09:30:00Z, with milliseconds (.123) when they are not 0. */
void datetime_format(int64_t wall_us, char out[DATETIME_MAX]);
/* Reads an xs:dateTime with any fraction and an optional zone (none = UTC; wire.md 10). False: not one, or a year outside 1..9999. */
bool datetime_parse(const char *text, int64_t *out_wall_us);

#endif

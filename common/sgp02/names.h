/* SPDX-License-Identifier: Apache-2.0 */
/* Names of enumerated values, in tables by their numbers. */
#ifndef SGP02_NAMES_H
#define SGP02_NAMES_H

#include <string.h>

/* Which of n names this is; n: none of them. */
static inline unsigned name_index(const char *const *names, unsigned n, const char *name)
{
	unsigned i = 0;

	while (i < n && strcmp(names[i], name) != 0)
		i++;
	return i;
}

#endif

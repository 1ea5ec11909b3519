/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/code_text.h"

#include <string.h>

enum code code_of_text(const char *text, enum code otherwise)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	size_t n = slash ? (size_t)(slash - text) : 0;

	for (int code = 0; slash && code < CODE_COUNT; code++) {
		const struct status_code *s = status_code((enum code)code);

		if (strlen(s->subject) == n && !strncmp(s->subject, text, n) && !strcmp(s->reason, slash + 1))
			return (enum code)code;
	}
	return otherwise;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Which variable to mend: below app/ nobody knows where a file's path came from, so its error is completed here. */
#include <stdio.h>
#include <string.h>

#include "common/app/app_internal.h"

/* The path that a row holds when the error speaks of it or of something in it; NULL: not this row. */
static const char *path_blamed(const struct config_row *row, const void *config, const char *error)
{
	const char *path;

	if (row->type != CONFIG_FILE && row->type != CONFIG_SECRET_FILE && row->type != CONFIG_TEXT)
		return NULL;
	memcpy(&path, (const char *)config + row->offset, sizeof(path));
	return path && path[0] == '/' && path[1] && strstr(error, path) ? path : NULL;
}

static size_t longest(const struct config_row *rows, const void *config, const char *error, size_t least)
{
	for (const struct config_row *row = rows; row && row->key; row++) {
		const char *path = path_blamed(row, config, error);

		if (path && strlen(path) > least)
			least = strlen(path);
	}
	return least;
}

/* Two variables may hold the same path: both are named. */
static void name(const char *prefix, const struct config_row *rows, const void *config, size_t wanted, char error[ERROR_MAX])
{
	for (const struct config_row *row = rows; row && row->key; row++) {
		const char *path = path_blamed(row, config, error);
		size_t n = strlen(error);

		if (path && strlen(path) == wanted)
			(void)snprintf(error + n, ERROR_MAX - n, " (%s%s)", prefix, row->key);
	}
}

void config_blame(const char *prefix, const struct config_row *own, const void *config, char error[ERROR_MAX])
{
	size_t n;

	if (strstr(error, prefix))
		return;
	n = longest(own, config, error, longest(config_common_rows, config, error, 0));
	if (!n)
		return;
	name(prefix, config_common_rows, config, n, error);
	name(prefix, own, config, n, error);
}

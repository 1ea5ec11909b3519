/* SPDX-License-Identifier: Apache-2.0 */
/* Every FAULT("...") in the code has its row in common/base/fault_points.def, so that it can be armed. */
#include <criterion/criterion.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"
#include "tests/contract/schema.h"

static const char *const points[] = {
#define FAULT_POINT(name, where) name,
#include "common/base/fault_points.def"
#undef FAULT_POINT
};

static bool has_row(const char *name, size_t n)
{
	for (size_t i = 0; i < LEN(points); i++)
		if (strlen(points[i]) == n && !memcmp(points[i], name, n))
			return true;
	return false;
}

static unsigned check_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	unsigned used = 0;

	cr_assert_not_null(f, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		for (const char *p = line; (p = strstr(p, "FAULT(\"")); used++) {
			size_t n;

			p += strlen("FAULT(\"");
			n = strcspn(p, "\"");
			cr_assert(has_row(p, n), "%s: no row for %.*s", path, (int)n, p);
		}
	}
	(void)fclose(f);
	return used;
}

Test(faults, every_literal_point_has_a_row)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	char *folders[] = { arena_strdup(a, source_path(a, "common")), arena_strdup(a, source_path(a, "services")), NULL };
	FTS *walk = fts_open(folders, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	unsigned files = 0;

	cr_assert_not_null(walk);
	for (FTSENT *e; (e = fts_read(walk));) {
		if (e->fts_info != FTS_F || e->fts_namelen < 3 || strcmp(e->fts_name + e->fts_namelen - 2, ".c") != 0)
			continue;
		(void)check_file(e->fts_path);
		files++;
	}
	(void)fts_close(walk);
	cr_assert_gt(files, 20, "looked in the wrong place");
}

Test(faults, rows_are_unique_and_have_a_role)
{
	for (size_t i = 0; i < LEN(points); i++) {
		cr_assert(strchr(points[i], '.'), "%s", points[i]);
		for (size_t j = 0; j < i; j++)
			cr_assert_str_neq(points[i], points[j]);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/card/packages.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[REAL_PACKAGES] = { "ts48-v7-saip23-bertlv-suci.der", "ts48-v7-saip23-nobertlv-noramrfm.der" };

static struct bytes real_file(struct arena *a, const char *name)
{
	const char *data = getenv("RSP_SHARED_DATA"), *root = getenv("RSP_SOURCE_ROOT");
	const char *folder = data ? data : arena_printf(a, "%s/../shared/data", root ? root : ".");
	FILE *f = fopen(arena_printf(a, "%s/profiles/%s", folder, name), "rb");
	uint8_t *content = arena_alloc(a, PROFILE_PACKAGE_MAX);
	size_t n;

	if (!f)
		cr_skip("no real packages in $RSP_SHARED_DATA/profiles or ../shared/data/profiles beside the source");
	n = fread(content, 1, PROFILE_PACKAGE_MAX - 1, f);
	(void)fclose(f);
	cr_assert_gt(n, 1000);
	return (struct bytes){ content, n };
}

struct bytes real_package(struct arena *a, size_t i)
{
	return real_file(a, names[i]);
}

const char *real_values(struct arena *a)
{
	return (const char *)real_file(a, "ts48-v7-saip23-bertlv-suci.asn1-values.txt").data;
}

struct profile_package parsed(struct arena *a, struct bytes in)
{
	struct profile_fault fault = { 0 };
	struct profile_package p;

	cr_assert(profile_package_parse(a, in, &p, &fault), "%s", profile_fault_text(a, &fault));
	return p;
}

static struct bytes joined(struct arena *a, struct bytes x, struct bytes y, struct bytes z)
{
	uint8_t *data = arena_alloc(a, x.len + y.len + z.len);

	if (x.len)
		memcpy(data, x.data, x.len);
	if (y.len)
		memcpy(data + x.len, y.data, y.len);
	if (z.len)
		memcpy(data + x.len + y.len, z.data, z.len);
	return (struct bytes){ data, x.len + y.len + z.len };
}

static struct bytes placed(struct arena *a, const struct profile_package *p, size_t i, struct bytes element, bool instead)
{
	const uint8_t *begin = p->whole.data, *at = p->elements[i].whole.data;
	const uint8_t *behind = at + (instead ? p->elements[i].whole.len : 0);

	return joined(a, (struct bytes){ begin, (size_t)(at - begin) }, element,
		      (struct bytes){ behind, p->whole.len - (size_t)(behind - begin) });
}

struct bytes with_element(struct arena *a, const struct profile_package *p, size_t i, struct bytes element)
{
	return placed(a, p, i, element, true);
}

struct bytes with_before(struct arena *a, const struct profile_package *p, size_t i, struct bytes element)
{
	return placed(a, p, i, element, false);
}

struct bytes with_bytes(struct arena *a, struct bytes in, struct bytes from, struct bytes to)
{
	uint8_t *copy = arena_memdup(a, in.data, in.len), *at = memmem(copy, in.len, from.data, from.len);

	cr_assert(at && from.len == to.len);
	memcpy(at, to.data, to.len);
	return (struct bytes){ copy, in.len };
}

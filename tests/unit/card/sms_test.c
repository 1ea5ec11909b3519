/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/card/sms.h"

enum { LONGEST = 132 + 254 * 134 };

static struct bytes counted(struct arena *a, size_t n)
{
	uint8_t *data = arena_alloc(a, n);

	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	return (struct bytes){ data, n };
}

/* Cut, read in any order, joined: the same packet. */
static void survives(size_t n, size_t expected_parts)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes packet = counted(a, n), *parts = NULL;
	uint8_t *joined = arena_alloc(a, n);
	size_t total = sms_split(a, SMS_COMMAND, packet, 0xC7, &parts), at = 0;

	cr_assert_eq(total, expected_parts, "%zu bytes: %zu parts", n, total);
	for (size_t i = 0; i < total; i++) {
		struct sms_part p;

		cr_assert(parts[i].len <= SMS_USER_DATA);
		cr_assert(i + 1 == total || parts[i].len == SMS_USER_DATA, "only the last is short");
		cr_assert(sms_part_parse(parts[i], &p));
		cr_assert_eq(p.kind, i ? SMS_OTHER : SMS_COMMAND);
		cr_assert_eq(p.total, total);
		cr_assert_eq(p.number, i + 1);
		cr_assert_eq(p.ref, total > 1 ? 0xC7 : 0);
		cr_assert(p.data.len <= n - at);
		memcpy(joined + at, p.data.data, p.data.len);
		at += p.data.len;
	}
	cr_assert_eq(at, n);
	cr_assert_arr_eq(joined, packet.data, n);
}

Test(sms, every_size_survives_the_cut)
{
	for (size_t n = 0; n <= 137; n++)
		survives(n, 1);
	for (size_t n = 138; n <= 132 + 134; n++)
		survives(n, 2);
	survives(132 + 134 + 1, 3);
	survives(132 + 2 * 134, 3);
	survives(LONGEST - 134, 254);
	survives(LONGEST - 133, 255);
	survives(LONGEST, 255);
}

Test(sms, too_long_and_no_kind_are_refused)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes untouched = { 0 }, *parts = &untouched;

	cr_assert_eq(sms_split(a, SMS_COMMAND, counted(a, LONGEST + 1), 1, &parts), 0);
	cr_assert_eq(sms_split(a, SMS_OTHER, counted(a, 10), 1, &parts), 0);
	cr_assert_eq(parts, &untouched);
}

Test(sms, headers_are_those_of_the_specification)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes *parts = NULL;

	cr_assert_eq(sms_split(a, SMS_ANSWER, counted(a, 5), 9, &parts), 1);
	cr_assert_arr_eq(parts[0].data, ((const uint8_t[]){ 2, 0x71, 0 }), 3);
	cr_assert_eq(sms_split(a, SMS_COMMAND, counted(a, 200), 9, &parts), 2);
	cr_assert_arr_eq(parts[0].data, ((const uint8_t[]){ 7, 0x70, 0, 0, 3, 9, 2, 1 }), 8);
	cr_assert_arr_eq(parts[1].data, ((const uint8_t[]){ 5, 0, 3, 9, 2, 2 }), 6);
}

/* The part points into the user data, which a literal does not outlive. */
static bool reads(const uint8_t *u, size_t n, struct sms_part *p)
{
	static uint8_t kept[SMS_USER_DATA];

	memcpy(kept, u, n);
	return sms_part_parse((struct bytes){ kept, n }, p);
}
#define READS(p, ...) reads((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), p)

Test(sms, headers_of_others_are_read)
{
	struct sms_part p;

	cr_assert(READS(&p, 2, 0x71, 0, 0xAA));
	cr_assert(p.kind == SMS_ANSWER && p.total == 1 && p.number == 1 && p.data.len == 1 && p.data.data[0] == 0xAA);
	cr_assert(READS(&p, 7, 0, 3, 5, 2, 1, 0x70, 0, 0xBB), "the elements in the other order");
	cr_assert(p.kind == SMS_COMMAND && p.ref == 5 && p.total == 2 && p.number == 1 && p.data.data[0] == 0xBB);
	cr_assert(READS(&p, 6, 0x08, 4, 1, 6, 3, 3, 0xCC), "a wide reference");
	cr_assert(p.kind == SMS_OTHER && p.ref == 6 && p.total == 3 && p.number == 3 && p.data.data[0] == 0xCC);
	cr_assert(READS(&p, 7, 0x24, 3, 1, 2, 3, 0x70, 0), "an unknown element, and nothing behind");
	cr_assert(p.kind == SMS_COMMAND && p.total == 1 && p.data.len == 0);
	cr_assert(READS(&p, 0, 0xDD));
	cr_assert(p.kind == SMS_OTHER && p.data.len == 1);
}

Test(sms, broken_headers_are_refused)
{
	struct sms_part p;

	cr_assert_not(sms_part_parse((struct bytes){ NULL, 0 }, &p));
	cr_assert_not(READS(&p, 2, 0x70), "cut");
	cr_assert_not(READS(&p, 1, 0x70, 0), "an element without its length");
	cr_assert_not(READS(&p, 3, 0x70, 2, 0, 0xAA), "an element longer than the header");
	cr_assert_not(READS(&p, 5, 0, 3, 1, 2, 0), "part 0");
	cr_assert_not(READS(&p, 5, 0, 3, 1, 2, 3), "part 3 of 2");
	cr_assert_not(READS(&p, 5, 0, 3, 1, 0, 0), "of 0");
	cr_assert_not(READS(&p, 4, 0, 2, 1, 1), "a short reference");
	cr_assert_not(READS(&p, 255, 0));
}

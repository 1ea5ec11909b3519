/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/hex.h"

Test(hex, both_letter_cases_decode_and_upper_case_is_written)
{
	uint8_t bytes[4] = { 0 };
	char text[9];

	cr_assert(hex_decode("00aBfF7e", 8, bytes));
	cr_assert_arr_eq(bytes, ((uint8_t[]){ 0x00, 0xAB, 0xFF, 0x7E }), 4);
	hex_encode(bytes, 4, text);
	cr_assert_str_eq(text, "00ABFF7E");
	cr_assert(hex_decode("", 0, bytes));
}

Test(hex, odd_length_and_other_characters_are_refused)
{
	static const char *const bad[] = { "0", "0g", "g0", " 0", "0x", "-1", "+1", "0\x80" };
	uint8_t bytes[8];

	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert(!hex_decode(bad[i], strlen(bad[i]), bytes), "%s", bad[i]);
}

Test(buf, grows_is_terminated_and_can_be_cleared)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	for (int i = 0; i < 5000; i++)
		buf_printf(&b, "%d,", i);
	cr_assert_eq(strlen(b.data), b.len);
	cr_assert_str_eq(b.data + b.len - 5, "4999,");
	buf_clear(&b);
	cr_assert_eq(b.len, 0);
	buf_str(&b, "a");
	buf_char(&b, 'b');
	buf_add(&b, "c\0d", 3);
	buf_hex(&b, "\x01\xEF", 2);
	cr_assert_eq(b.len, 9);
	cr_assert_arr_eq(b.data, "abc\0d01EF", 10);
}

Test(buf, a_long_formatted_text_is_not_cut)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	buf_printf(&b, "<%s>", text);
	cr_assert_eq(b.len, sizeof(text) + 1);
	cr_assert_eq(b.data[b.len - 1], '>');
}

Test(arena, text_is_cut_between_characters)
{
	static const char text[] = "ab\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z"; /* 1, 1, 2, 3, 4 and 1 bytes */
	static const size_t ends[] = { 0, 1, 2, 2, 4, 4, 4, 7, 7, 7, 7, 11, 12, 12 };
	struct arena *a = arena_new();

	for (size_t n = 0; n < sizeof(ends) / sizeof(*ends); n++)
		cr_assert_eq(strlen(arena_strcut(a, text, n)), ends[n], "%zu bytes", n);
	cr_assert_str_eq(arena_strcut(a, "\x80\x80\x80", 2), "");
	arena_free(a);
}

Test(arena, memory_is_zeroed_aligned_and_distinct)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	char *last = NULL;

	for (size_t i = 0; i < 2000; i++) {
		char *p = arena_alloc(a, i % 97);

		cr_assert_eq((uintptr_t)p % _Alignof(max_align_t), 0);
		cr_assert_neq(p, last);
		for (size_t j = 0; j < i % 97; j++)
			cr_assert_eq(p[j], 0);
		memset(p, 0xA5, i % 97);
		last = p;
	}
	cr_assert_geq(arena_used(a), 2000 * 47);
}

Test(arena, large_blocks_and_reset)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	char *big = arena_alloc(a, 1 << 20);

	big[(1 << 20) - 1] = 1;
	arena_reset(a);
	cr_assert_eq(arena_used(a), 0);
	cr_assert_eq(*(char *)arena_alloc(a, 100), 0, "memory after a reset is zeroed again");
	cr_assert_str_eq(arena_printf(a, "%s-%d", "x", 7), "x-7");
	cr_assert_str_eq(arena_strndup(a, "abcdef", 3), "abc");
	cr_assert_str_eq(arena_strdup(a, ""), "");
	cr_assert_arr_eq(arena_memdup(a, "a\0b", 3), "a\0b", 3);
}

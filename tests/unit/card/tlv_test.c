/* SPDX-License-Identifier: Apache-2.0 */
/* The TLV reader and the tables, alone. */
#include "common/card/tlv.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/sgp02/ids.h"
#include "tests/unit/card/known.h"

Test(tlv, next_takes_one_off_and_leaves_the_rest)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes rest = known(a, "4F01AA 9F7002BBCC 9F817000 FF21820001DD 5A8400000001EE");
	static const struct {
		uint32_t tag;
		size_t len;
	} want[] = { { 0x4F, 1 }, { 0x9F70, 2 }, { 0x9F8170, 0 }, { 0xFF21, 1 }, { 0x5A, 1 } };
	struct tlv t;

	for (size_t i = 0; i < LEN(want); i++) {
		cr_assert(tlv_next(&rest, &t), "%zu", i);
		cr_assert_eq(t.tag, want[i].tag);
		cr_assert_eq(t.value.len, want[i].len);
	}
	cr_assert_eq(t.value.data[0], 0xEE);
	cr_assert(rest.len == 0 && !tlv_next(&rest, &t));
}

Test(tlv, next_refuses_what_does_not_fit_and_touches_nothing)
{
	static const char *const bad[] = {
		"4F",         "4F02AA", "9F",       "9F70",     "9F81",           "9F8181",           "9F818170", "9F81817000",
		"4F80AA0000", "4F81",   "4F8102AA", "4F82FFFF", "4F84FFFFFFFF00", "4F8500000000010A", "4FFF",     "1F",
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(bad); i++) {
		struct bytes in = known(a, bad[i]), rest = in, v = { NULL, 77 };
		struct tlv t = { .tag = 7 };

		cr_assert(!tlv_next(&rest, &t), "%s", bad[i]);
		cr_assert(t.tag == 7 && rest.data == in.data && rest.len == in.len);
		cr_assert(!tlv_find(in, 0x4F, &v) && v.len == 77);
	}
	cr_assert(!tlv_next(&(struct bytes){ NULL, 0 }, &(struct tlv){ 0 }));
}

Test(tlv, find_sees_one_level_up_to_what_is_broken)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes v = { NULL, 0 };

	cr_assert(tlv_find(known(a, "E1034F01AA 4F01BB 4F01CC"), 0x4F, &v) && v.data[0] == 0xBB);
	cr_assert(tlv_find(known(a, "4F01BB 50FF"), 0x4F, &v));
	cr_assert(!tlv_find(known(a, "50FF 4F01BB"), 0x4F, &v));
	cr_assert(!tlv_find(known(a, "E1034F01AA"), 0x4F, &v));
}

Test(tlv, add_writes_the_shortest_length)
{
	static const struct {
		size_t n;
		const char *head;
	} want[] = { { 0, "4F00" },     { 127, "4F7F" },     { 128, "4F8180" },
		     { 255, "4F81FF" }, { 256, "4F820100" }, { 65536, "4F83010000" } };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };

	for (size_t i = 0; i < LEN(want); i++) {
		struct bytes rest;
		struct tlv t;

		tlv_add(&b, 0x4F, arena_alloc(a, want[i].n), want[i].n);
		rest = (struct bytes){ (const uint8_t *)b.data, b.len };
		cr_assert(tlv_next(&rest, &t) && t.value.len == want[i].n && rest.len == 0);
		cr_assert(!strncmp(built(a, &b), want[i].head, strlen(want[i].head)), "%zu", want[i].n);
	}
	tlv_add_head(&b, 0x9F8170, 3);
	tlv_add_head(&b, 0xFF21, 3);
	cr_assert_str_eq(built(a, &b), "9F817003FF2103");
}

/* A table with one of each. */
struct leaf {
	struct bytes name;
	uint64_t number;
};
struct whole {
	struct aid aid;
	bool flag;
	uint64_t optional;
	struct leaf inner, *maybe, *many;
	size_t many_n;
	struct bytes *texts;
	size_t texts_n;
};
static const struct tlv_field leaf_fields[] = {
	{ .tag = 0x80, .type = TLV_BYTES, .offset = offsetof(struct leaf, name), .min = 1, .max = 4 },
	{ .tag = 0x81, .aliases = { 0x91 }, .type = TLV_UINT, .offset = offsetof(struct leaf, number), .min = 2, .max = 8 },
	{ 0 },
};
static const struct tlv_group leaf_group = { sizeof(struct leaf), leaf_fields, .strict = true };
static const struct tlv_field whole_fields[] = {
	{ .tag = 0x4F, .type = TLV_AID, .offset = offsetof(struct whole, aid) },
	{ .tag = 0x85, .type = TLV_FLAG, .offset = offsetof(struct whole, flag) },
	{ .tag = 0x86, .type = TLV_UINT, .flags = TLV_OPTIONAL, .offset = offsetof(struct whole, optional), .min = 1, .max = 2 },
	{ .tag = 0xA1, .type = TLV_GROUP, .offset = offsetof(struct whole, inner), .sub = &leaf_group },
	{ .tag = 0xA2,
	  .type = TLV_GROUP,
	  .flags = TLV_OPTIONAL,
	  .offset = offsetof(struct whole, maybe),
	  .size = sizeof(struct leaf),
	  .sub = &leaf_group },
	{ .tag = 0xA3,
	  .type = TLV_GROUP,
	  .flags = TLV_MANY,
	  .offset = offsetof(struct whole, many),
	  .count_offset = offsetof(struct whole, many_n),
	  .size = sizeof(struct leaf),
	  .sub = &leaf_group },
	{ .tag = 0x87,
	  .type = TLV_BYTES,
	  .flags = TLV_MANY | TLV_OPTIONAL,
	  .offset = offsetof(struct whole, texts),
	  .count_offset = offsetof(struct whole, texts_n),
	  .size = sizeof(struct bytes) },
	{ 0 },
};
static const struct tlv_group ordered = { sizeof(struct whole), whole_fields };
static const struct tlv_group any_order = { sizeof(struct whole), whole_fields, .any_order = true };
static const struct tlv_group strict = { sizeof(struct whole), whole_fields, .strict = true };

#define AID5 "4F05A000000559 "
#define LEAF "8001AA 81020102 "
#define WHOLE AID5 "8500 860103 A107" LEAF "A207" LEAF "A307" LEAF "A309 8003BBCCDD 81020304 8700 870122"
#define LEAST AID5 "A107" LEAF "A307" LEAF

Test(tlv_table, reads_and_writes_the_same_bytes)
{
	static const char *const same[] = { WHOLE, LEAST };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct whole w;
	const char *why = NULL;

	for (size_t i = 0; i < LEN(same); i++) {
		struct bytes in = known(a, same[i]);

		cr_assert(tlv_decode(a, &strict, in, &w, &why), "%s", why);
		tlv_encode(&b, &strict, &w);
		cr_assert_str_eq(built(a, &b), hex_text(a, in.data, in.len));
	}
	cr_assert(!w.flag && w.optional == 0 && !w.maybe && w.many_n == 1 && w.texts_n == 0);
	cr_assert(tlv_decode(a, &ordered, known(a, WHOLE "8E0100"), &w, &why), "an unknown tag is skipped: %s", why);
	cr_assert(w.flag && w.optional == 3 && w.aid.len == 5 && w.inner.number == 0x0102 && w.maybe->name.data[0] == 0xAA);
	cr_assert(w.many_n == 2 && w.many[1].number == 0x0304 && w.many[1].name.len == 3);
	cr_assert(w.texts_n == 2 && w.texts[0].len == 0 && w.texts[0].data && w.texts[1].data[0] == 0x22);
}

Test(tlv_table, aliases_and_any_order_are_read)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const char *mixed = "A307" LEAF "A107 8001AA 91020102" AID5 "A307" LEAF;
	const char *why = NULL;
	struct whole w;

	cr_assert(tlv_decode(a, &any_order, known(a, mixed), &w, &why), "%s", why);
	cr_assert(w.many_n == 2 && w.inner.number == 0x0102);
	cr_assert(!tlv_decode(a, &ordered, known(a, mixed), &w, &why));
	cr_assert_str_eq(why, "tag A1: not in its place");
}

Test(tlv_table, refusals_name_the_tag_and_touch_nothing)
{
	static const struct {
		const char *in, *why;
	} bad[] = {
		{ "", "tag 4F: missing" },
		{ AID5 "A307" LEAF, "tag A1: missing" },
		{ AID5 "A107" LEAF, "tag A3: missing" },
		{ AID5 AID5 "A107" LEAF "A307" LEAF, "tag 4F: comes twice" },
		{ AID5 "A10A" LEAF "800100 A307" LEAF, "tag 80: comes twice" },
		{ AID5 "A10B" LEAF "91020102 A307" LEAF, "tag 91: comes twice" },
		{ "4F04A0000005 A107" LEAF "A307" LEAF, "tag 4F: no AID" },
		{ "4F11A0000005591010FFFFFFFF890000010000 A107" LEAF "A307" LEAF, "tag 4F: no AID" },
		{ AID5 "850100 A107" LEAF "A307" LEAF, "tag 85: not empty" },
		{ AID5 "8600 A107" LEAF "A307" LEAF, "tag 86: wrong length" },
		{ AID5 "8603010203 A107" LEAF "A307" LEAF, "tag 86: wrong length" },
		{ AID5 "A10B 8005AAAAAAAAAA 81020102 A307" LEAF, "tag 80: wrong length" },
		{ AID5 "A10B" LEAF "82020102 A307" LEAF, "tag 82: not expected here" },
		{ LEAST "8E00", "tag 8E: not expected here" },
		{ LEAST "0000", "not expected here" },
		{ LEAST "87", "tag A3: what follows is cut off or no TLV" },
		{ "87FF", "cut off or no TLV" },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(bad); i++) {
		struct whole w = { .optional = 77 };
		const char *why = NULL;

		cr_assert(!tlv_decode(a, &strict, known(a, bad[i].in), &w, &why), "%s", bad[i].in);
		cr_assert_str_eq(why, bad[i].why, "%s: %s", bad[i].in, why);
		cr_assert_eq(w.optional, 77);
	}
}

struct nest {
	struct nest *inner;
};
static const struct tlv_group nest_group;
static const struct tlv_field nest_fields[] = {
	{ .tag = 0xE1,
	  .type = TLV_GROUP,
	  .flags = TLV_OPTIONAL,
	  .offset = offsetof(struct nest, inner),
	  .size = sizeof(struct nest),
	  .sub = &nest_group },
	{ 0 },
};
static const struct tlv_group nest_group = { sizeof(struct nest), nest_fields };

Test(tlv_table, nesting_ends_at_eight)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const char *why = NULL;
	struct nest n;

	cr_assert(tlv_decode(a, &nest_group, known(a, "E10CE10AE108E106E104E102E100"), &n, &why), "%s", why);
	cr_assert(!tlv_decode(a, &nest_group, known(a, "E10EE10CE10AE108E106E104E102E100"), &n, &why));
	cr_assert_str_eq(why, "nested too deep");
}

static bool parse_whole(struct bytes in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *why = NULL;
	struct whole w;

	if (!tlv_decode(a, &any_order, in, &w, &why)) {
		cr_assert_not_null(why);
		return false;
	}
	tlv_encode(&b, &any_order, &w);
	cr_assert_gt(b.len, 0);
	return true;
}

Test(tlv_table, broken_input_is_refused_or_read_but_never_more)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();

	/* Whole up to and with the first A3, the second one, and each 87. */
	cr_assert_eq(beginnings_taken(parse_whole, known(a, WHOLE)), 3);
	cr_assert_lt(mutate(parse_whole, known(a, WHOLE), 20000), 20000);
}

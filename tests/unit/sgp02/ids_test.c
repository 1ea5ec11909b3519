/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/ids.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/sgp02/code_text.h"

#define GOOD_EID "89001012012341234012345678901224"

Test(eid, takes_32_digits_and_their_hex_form_when_the_check_digits_hold)
{
	char hex[65];
	struct eid eid = { "untouched" };

	cr_assert(eid_parse(GOOD_EID, &eid));
	cr_assert_str_eq(eid.text, GOOD_EID);
	hex_encode((const uint8_t *)GOOD_EID, 32, hex);
	memset(&eid, 0, sizeof(eid));
	cr_assert(eid_parse(hex, &eid));
	cr_assert_str_eq(eid.text, GOOD_EID);
}

Test(eid, every_single_wrong_digit_is_found)
{
	for (size_t i = 0; i < 32; i++) {
		for (char d = '0'; d <= '9'; d++) {
			char text[] = GOOD_EID;
			struct eid eid;
			bool same = text[i] == d;

			text[i] = d;
			cr_assert_eq(eid_parse(text, &eid), same, "%s", text);
		}
	}
}

Test(eid, other_lengths_and_letters_are_refused)
{
	static const char *const bad[] = { "",
					   "8900101201234123401234567890122",
					   GOOD_EID "0",
					   "8900101201234123401234567890122A",
					   " " GOOD_EID,
					   "GG" GOOD_EID GOOD_EID,
					   "zz01012012341234012345678901224zz01012012341234012345678901224zz" };
	struct eid eid = { "untouched" };

	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert(!eid_parse(bad[i], &eid), "%s", bad[i]);
	cr_assert_str_eq(eid.text, "untouched");
}

Test(eid, complete_makes_what_parse_takes)
{
	struct eid eid, again;

	cr_assert(eid_complete("890010120123412340123456789012", &eid));
	cr_assert_str_eq(eid.text, GOOD_EID);
	for (int i = 0; i < 200; i++) {
		char first[31];

		(void)snprintf(first, sizeof(first), "890490320005008812345678%06d", i * 4999);
		cr_assert(eid_complete(first, &eid));
		cr_assert(eid_parse(eid.text, &again) && eid_equal(&eid, &again), "%s", eid.text);
	}
	cr_assert(!eid_complete("89001012012341234012345678901x", &eid));
}

Test(eid, bytes_are_bcd_and_read_back_only_when_they_are_an_eid)
{
	static const uint8_t bytes[] = { 0x89, 0x00, 0x10, 0x12, 0x01, 0x23, 0x41, 0x23,
					 0x40, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x24 };
	uint8_t made[16];
	struct eid eid, again = { "untouched" };

	cr_assert(eid_parse(GOOD_EID, &eid));
	eid_bytes(&eid, made);
	cr_assert(!memcmp(made, bytes, sizeof(bytes)));
	cr_assert(eid_from_bytes(bytes, &again) && eid_equal(&eid, &again));
	for (size_t nibble = 0; nibble < 32; nibble++) {
		for (unsigned v = 0; v < 16; v++) {
			uint8_t shift = nibble % 2 ? 0 : 4;
			bool same = v == (bytes[nibble / 2] >> shift & 15u);

			memcpy(made, bytes, sizeof(bytes));
			made[nibble / 2] = (uint8_t)((made[nibble / 2] & (0xF0 >> shift)) | v << shift);
			cr_assert_eq(eid_from_bytes(made, &again), same, "nibble %zu = %X", nibble, v);
		}
	}
	cr_assert_str_eq(again.text, GOOD_EID);
}

Test(iccid, padding_is_dropped_and_the_pattern_holds)
{
	struct iccid a, b;

	cr_assert(iccid_parse("8933010000000000010F", &a));
	cr_assert_str_eq(a.text, "8933010000000000010");
	cr_assert(iccid_parse("8933010000000000010f", &b) && iccid_equal(&a, &b));
	cr_assert(iccid_parse("890000", &a) && iccid_parse("89012345678901234567", &a));
	cr_assert(!iccid_parse("89000", &a) && !iccid_parse("880000000", &a) && !iccid_parse("890123456789012345678", &a));
	cr_assert(!iccid_parse("89FFFFFF", &a) && !iccid_parse("8901F345", &a) && !iccid_parse("", &a));
}

Test(iccid, complete_appends_the_luhn_digit)
{
	struct iccid iccid;

	cr_assert(iccid_complete("893301000000000001", &iccid));
	cr_assert_str_eq(iccid.text, "8933010000000000010");
	cr_assert(iccid_complete("893301000000000002", &iccid));
	cr_assert_str_eq(iccid.text, "8933010000000000028");
	cr_assert(!iccid_complete("88330", &iccid) && !iccid_complete("8912", &iccid));
	cr_assert(!iccid_complete("89012345678901234567", &iccid));
}

Test(aid, parse_format_and_the_isdp_range)
{
	struct aid aid;
	char text[2 * AID_MAX + 1];

	cr_assert(aid_parse("a0000005591010ffffffff8900000100", &aid));
	cr_assert(aid_equal(&aid, &AID_ISDR));
	aid_format(&aid, text);
	cr_assert_str_eq(text, "A0000005591010FFFFFFFF8900000100");
	cr_assert(aid_parse("0000000000", &aid) && aid.len == 5);
	cr_assert(!aid_parse("00000000", &aid) && !aid_parse("A0000005591010FFFFFFFF890000010000", &aid));
	cr_assert(!aid_parse("A000000559101", &aid));
	for (unsigned tar = 0; tar < 0x20000; tar += 7) {
		aid = aid_isdp(tar);
		cr_assert_eq(aid_is_isdp(&aid), tar >= 0x10 && tar <= 0xFFFF, "%06X", tar);
	}
	cr_assert(!aid_is_isdp(&AID_ISDR) && !aid_is_isdp(&AID_ISDP_MODULE));
	aid = aid_isdp(0x10);
	aid.data[15] = 1;
	cr_assert(!aid_is_isdp(&aid));
}

Test(oid, numbers_with_single_dots)
{
	static const char *const good[] = { "1", "1.3.6.1.4.1.99999.1", "0.0", "2.999" };
	static const char *const bad[] = { "", ".", "1.", ".1", "1..2", "1. 2", "1.a", "1,2", "-1" };
	char longest[OID_MAX + 2];
	struct oid oid;

	for (size_t i = 0; i < LEN(good); i++)
		cr_assert(oid_parse(good[i], &oid) && !strcmp(oid.text, good[i]), "%s", good[i]);
	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert(!oid_parse(bad[i], &oid), "%s", bad[i]);
	memset(longest, '1', sizeof(longest));
	longest[OID_MAX + 1] = '\0';
	cr_assert(!oid_parse(longest, &oid));
	longest[OID_MAX] = '\0';
	cr_assert(oid_parse(longest, &oid));
}

Test(result, rows_carry_subject_and_reason)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	char id[] = "Eid";
	result r = failed(a, CODE_EID_UNKNOWN, id, "no such %s", "card");

	id[0] = 'X'; /* the result keeps a copy */
	cr_assert_eq(r->status, STATUS_FAILED);
	cr_assert_str_eq(r->subject_id, "Eid");
	cr_assert_str_eq(r->message, "no such card");
	cr_assert_str_eq(status_code(r->code)->subject, "8.1.1");
	cr_assert_null(failed(a, CODE_BUSY, NULL, NULL)->message);
	r = internal(a, "socket %d", 7);
	cr_assert_eq(r->code, CODE_INTERNAL);
	cr_assert_null(r->message, "a cause never goes on the wire");
	cr_assert_str_eq(r->cause, "socket 7");
	cr_assert_str_eq(status_name(STATUS_EXPIRED), "EXPIRED");
	cr_assert_null(status_name((enum status)9));
}

Test(result, a_code_is_found_by_its_whole_text)
{
	static const char *const none[] = { NULL,       "",           "/",    "8.1.1",    "8.1.1/",
					    "8.1/1.1/", "8.1.1/1.1 ", "/1.1", "8.1./1.1", "9.9/9.9" };

	for (enum code c = 0; c < CODE_COUNT; c++) {
		CLEANUP(arena_freep) struct arena *a = arena_new();

		cr_assert_eq(code_of_text(arena_printf(a, "%s/%s", status_code(c)->subject, status_code(c)->reason), CODE_COUNT),
			     c);
	}
	for (size_t i = 0; i < LEN(none); i++)
		cr_assert_eq(code_of_text(none[i], CODE_BUSY), CODE_BUSY, "%zu", i);
}

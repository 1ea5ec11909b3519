/* SPDX-License-Identifier: Apache-2.0 */
/* The creation of an ISD-P and the ECASD's data: bytes of card.md 2. */
#include "common/card/isdp_commands.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "tests/unit/card/known.h"

Test(isdp_commands, the_creation_has_the_known_bytes)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct aid isdp;

	cr_assert(aid_parse(ISDP_TEXT, &isdp));
	isdr_create_isdp(&b, &isdp, ISDP_QUOTA_UNSAID);
	cr_assert_str_eq(built(a, &b), plain(a, CREATE_TEXT));
	isdr_create_isdp(&b, &isdp, 1024);
	cr_assert_str_eq(built(a, &b), plain(a, CREATE_QUOTA));
}

Test(isdp_commands, the_card_reads_the_quota_that_was_built)
{
	static const int64_t quotas[] = { ISDP_QUOTA_UNSAID, 0, 1, 255, 65535, 65536, 1 << 20, INT64_C(0xFFFFFFFFFFFFFF) };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct isdr_command command;
	struct aid isdp;

	cr_assert(aid_parse(ISDP_TEXT, &isdp));
	for (size_t i = 0; i < LEN(quotas); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		struct apdu c;

		isdr_create_isdp(&b, &isdp, quotas[i]);
		cr_assert(apdu_parse((struct bytes){ (const uint8_t *)b.data, b.len }, &c));
		cr_assert_eq(isdr_command_parse(&c, &command), SW_OK);
		cr_assert(command.function == ISDR_CREATE && command.quota == quotas[i] && aid_equal(&command.isdp, &isdp));
	}
}

Test(isdp_commands, the_answer_to_the_creation)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };

	isdr_created_build(&b);
	cr_assert_str_eq(built(a, &b), "00");
	cr_assert(isdr_created_parse(known(a, "00")) && isdr_created_parse(known(a, "")));
	cr_assert(!isdr_created_parse(known(a, "01")) && !isdr_created_parse(known(a, "0000")));
}

Test(isdp_commands, the_data_of_the_ecasd)
{
	static const struct {
		const char *in;
		uint16_t sw;
	} cases[] = {
		{ "80CABF30045C027F2100", SW_OK },
		{ "80CABF30035C016600", SW_OK },
		{ "80CABF30035C016700", SW_NOT_FOUND },
		{ "80CAFF2100", SW_NOT_FOUND },
		{ "80CABF3000", SW_BAD_DATA },
		{ "80CABF30025C0000", SW_BAD_DATA },
		{ "80CABF30055C027F210000", SW_BAD_DATA },
		{ "80CABF30045D027F2100", SW_BAD_DATA },
		{ "84CABF30045C027F2100", SW_BAD_CLA },
		{ "80CBBF30045C027F2100", SW_BAD_INS },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	enum ecasd_object wanted;
	struct bytes out;

	ecasd_get_data(&b, ECASD_CERTIFICATE);
	cr_assert_str_eq(built(a, &b), "80CABF30045C027F2100");
	ecasd_get_data(&b, ECASD_RECOGNITION);
	cr_assert_str_eq(built(a, &b), "80CABF30035C016600");
	for (size_t i = 0; i < LEN(cases); i++) {
		struct apdu c;

		cr_assert(apdu_parse(known(a, cases[i].in), &c), "%s", cases[i].in);
		cr_assert_eq(ecasd_get_data_parse(&c, &wanted), cases[i].sw, "%s", cases[i].in);
	}
	ecasd_data_build(&b, known(a, "7F2103930101"));
	cr_assert_str_eq(built(a, &b), "BF30067F2103930101");
	cr_assert(ecasd_data_parse(known(a, "BF30067F2103930101"), ECASD_CERTIFICATE, &out));
	cr_assert_str_eq(hex_text(a, out.data, out.len), "7F2103930101");
	cr_assert(ecasd_data_parse(known(a, "7F2103930101"), ECASD_CERTIFICATE, &out) && out.len == 6);
	cr_assert_not(ecasd_data_parse(known(a, "7F2103930101"), ECASD_RECOGNITION, &out));
	cr_assert_not(ecasd_data_parse(known(a, "7F210393010100"), ECASD_CERTIFICATE, &out));
	cr_assert_not(ecasd_data_parse(known(a, "BF30077F210393010100"), ECASD_CERTIFICATE, &out));
	cr_assert_not(ecasd_data_parse(known(a, "BF3000"), ECASD_CERTIFICATE, &out));
	cr_assert_not(ecasd_data_parse(known(a, ""), ECASD_CERTIFICATE, &out));
}

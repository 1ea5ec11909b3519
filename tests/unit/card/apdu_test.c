/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and answers of the ISD-R, and the scripts that carry them: bytes of card.md 2 and procedures.md 4.4. */
#include "common/card/apdu.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/script.h"
#include "tests/unit/card/known.h"

static struct aid aid(const char *text)
{
	struct aid a;

	cr_assert(aid_parse(text, &a));
	return a;
}

Test(apdu, commands_to_the_isdr_have_the_known_bytes)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct aid isdp = aid(ISDP_TEXT);

	isdr_enable_profile(&b, &isdp);
	cr_assert_str_eq(built(a, &b), "80E28800153A03124F10" ISDP_TEXT);
	isdr_disable_profile(&b, &isdp);
	cr_assert_str_eq(built(a, &b), "80E28800153A04124F10" ISDP_TEXT);
	isdr_set_fallback(&b, &isdp);
	cr_assert_str_eq(built(a, &b), "80E28800153A05124F10" ISDP_TEXT);
	isdr_delete_profile(&b, &isdp);
	cr_assert_str_eq(built(a, &b), "80E40040124F10" ISDP_TEXT "00");
	isdr_get_status(&b, &isdp, false);
	cr_assert_str_eq(built(a, &b), "80F24002174F10" ISDP_TEXT "5C034F9F7000");
	isdr_get_status(&b, NULL, true);
	cr_assert_str_eq(built(a, &b), "80F24003074F005C034F9F7000");
	isdr_get_resources(&b);
	cr_assert_str_eq(built(a, &b), "80CAFF2100");
	isdr_confirm_notification(&b, 0x0102);
	cr_assert_str_eq(built(a, &b), "80E28900073A08044E02010200");
}

Test(apdu, short_and_extended_forms)
{
	static const struct {
		const char *in;
		size_t data;
		bool has_le, again;
	} good[] = {
		{ "80E60000", 0, false, true },
		{ "80CAFF2100", 0, true, true },
		{ "80E2880002AABB", 2, false, true },
		{ "80E2880002AABB00", 2, true, true },
		{ "80CAFF21000000", 0, true, false },
		{ "80E28800000002AABB", 2, false, false },
		{ "80E28800000002AABB0000", 2, true, false },
	};
	static const char *const bad[] = { "",
					   "80",
					   "80E288",
					   "80E2880002AA",
					   "80E2880002AABB0000",
					   "80E288000000",
					   "80E2880003AABB",
					   "80E28800000003AABB",
					   "80E28800000000AA",
					   "80E28800000002AABB00" };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct apdu c;

	for (size_t i = 0; i < LEN(good); i++) {
		cr_assert(apdu_parse(known(a, good[i].in), &c), "%s", good[i].in);
		cr_assert(c.cla == 0x80 && c.data.len == good[i].data && c.has_le == good[i].has_le, "%s", good[i].in);
		apdu_build(&b, &c);
		cr_assert_eq(!strcmp(built(a, &b), good[i].in), good[i].again, "%s", good[i].in);
	}
	c = (struct apdu){ .cla = 0x77 };
	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert(!apdu_parse(known(a, bad[i]), &c) && c.cla == 0x77, "%s", bad[i]);
	c = (struct apdu){ 0x80, 0xE2, 0x88, 0, { arena_alloc(a, 300), 300 }, true };
	apdu_build(&b, &c);
	cr_assert_eq(b.len, 4 + 3 + 300 + 2);
	cr_assert(apdu_parse((struct bytes){ (const uint8_t *)b.data, b.len }, &c) && c.data.len == 300 && c.has_le);
}

static uint16_t read_command(struct arena *a, const char *hex, struct isdr_command *out)
{
	struct apdu c;

	cr_assert(apdu_parse(known(a, hex), &c), "%s", hex);
	return isdr_command_parse(&c, out);
}

Test(isdr_command, the_card_reads_what_it_is_asked)
{
	static const struct {
		const char *in;
		enum isdr_function function;
	} good[] = {
		{ "80E2880015 3A03124F10" ISDP_TEXT, ISDR_ENABLE },
		{ "80E2880015 3A04124F10" ISDP_TEXT, ISDR_DISABLE },
		{ "80E2880015 3A05124F10" ISDP_TEXT, ISDR_SET_FALLBACK },
		{ "80E40040124F10" ISDP_TEXT "00", ISDR_DELETE },
		{ "80F24002174F10" ISDP_TEXT "5C034F9F7000", ISDR_GET_STATUS },
		{ CREATE_TEXT, ISDR_CREATE },
		{ "80E2880017 3A03FF00124F10" ISDP_TEXT, ISDR_ENABLE },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct aid isdp = aid(ISDP_TEXT);
	struct isdr_command c;

	for (size_t i = 0; i < LEN(good); i++) {
		cr_assert_eq(read_command(a, good[i].in, &c), SW_OK, "%s", good[i].in);
		cr_assert(c.function == good[i].function && aid_equal(&c.isdp, &isdp) && c.quota == -1 && !c.next, "%s",
			  good[i].in);
	}
	cr_assert_eq(read_command(a, "80F24003074F005C034F9F7000", &c), SW_OK);
	cr_assert(c.function == ISDR_GET_STATUS && c.next && c.isdp.len == 0);
	cr_assert_eq(read_command(a, "80CAFF2100", &c), SW_OK);
	cr_assert_eq(c.function, ISDR_GET_RESOURCES);
	cr_assert_eq(read_command(a, "80E28900073A08044E02ABCD00", &c), SW_OK);
	cr_assert(c.function == ISDR_CONFIRM && c.seq == 0xABCD);
	cr_assert_eq(read_command(a, CREATE_QUOTA, &c), SW_OK);
	cr_assert(c.function == ISDR_CREATE && c.quota == 1024);
}

Test(isdr_command, what_is_wrong_gets_its_status_word)
{
	static const struct {
		const char *in;
		uint16_t sw;
	} bad[] = {
		{ "00E28800153A03124F10" ISDP_TEXT, SW_BAD_CLA },
		{ "80B00000", SW_BAD_INS },
		{ "80E20900153A03124F10" ISDP_TEXT, SW_WRONG_P1P2 },
		{ "80E28801153A03124F10" ISDP_TEXT, SW_WRONG_P1P2 },
		{ "80E28800153A7F124F10" ISDP_TEXT, SW_BAD_DATA },
		{ "80E28800153A03114F10" ISDP_TEXT, SW_BAD_DATA },
		{ "80E28800163A03124F10" ISDP_TEXT "00", SW_BAD_DATA },
		{ "80E28800053A03024F00", SW_BAD_DATA },
		{ "80E28800033A0300", SW_BAD_DATA },
		{ "80E28800023A03", SW_BAD_DATA },
		{ "80E28800", SW_BAD_DATA },
		{ "80E28800033A03FF", SW_BAD_DATA },
		{ "80E28800043A03FF00", SW_BAD_DATA },
		{ "80E28900063A08034E010100", SW_BAD_DATA },
		{ "80E40000124F10" ISDP_TEXT "00", SW_WRONG_P1P2 },
		{ "80E40040164F10" ISDP_TEXT "9E0200FF00", SW_BAD_DATA },
		{ "80E40040064F04A000000500", SW_BAD_DATA },
		{ "80F28002074F005C034F9F7000", SW_WRONG_P1P2 },
		{ "80F24000074F005C034F9F7000", SW_WRONG_P1P2 },
		{ "80F24002034F01A000", SW_BAD_DATA },
		{ "80CABF3000", SW_NOT_FOUND },
		{ "80CAFF2101AA00", SW_BAD_DATA },
		{ "80E60800 3F" CREATE_LV "06C90481020370 00 00", SW_WRONG_P1P2 },
		{ "80E60C00 3E" CREATE_LV "06C90481020370 00", SW_BAD_DATA },
		{ "80E60C00 40" CREATE_LV "06C90481020370 0000 00", SW_BAD_DATA },
		{ "80E60C00 40" CREATE_LV "06C90481020370 01AA 00", SW_BAD_DATA },
		{ "80E60C00 39" CREATE_LV "00 00 00", SW_BAD_DATA },
		{ "80E60C00 3F 10A0000005591010FFFFFFFF8900000D00 10A0000005591010FFFFFFFF8900000E00 10" ISDR_TEXT
		  "0380C000 06C90481020370 00 00",
		  SW_BAD_DATA },
		{ "80E60C00 3F 10" ISDP_TEXT "10" ISDP_TEXT "10" ISDP_TEXT "0380C000 06C90481020370 00 00", SW_NOT_FOUND },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct isdr_command c = { .seq = 77 };

	for (size_t i = 0; i < LEN(bad); i++) {
		cr_assert_eq(read_command(a, bad[i].in, &c), bad[i].sw, "%s", bad[i].in);
		cr_assert_eq(c.seq, 77);
		cr_assert_str_neq(sw_text(bad[i].sw), "unknown status word");
	}
	cr_assert_str_eq(sw_text(0x1234), "unknown status word");
}

Test(isdr_answer, status_of_isdps)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct isdp_status *s = NULL;
	struct aid isdp = aid(ISDP_TEXT);
	size_t n = 0;

	cr_assert(isdr_status_parse(a, known(a, STATUS_TRACE STATUS_FULL), &s, &n));
	cr_assert_eq(n, 2);
	cr_assert(aid_equal(&s[0].aid, &isdp) && s[0].state == ISDP_DISABLED && !s[0].fallback && s[0].memory == -1 &&
		  s[0].free == -1);
	cr_assert(s[1].state == ISDP_ENABLED && s[1].fallback && s[1].memory == 0x40000 && s[1].free == 0x103FC);
	isdr_status_build(&b, &s[0]);
	isdr_status_build(&b, &s[1]);
	cr_assert_str_eq(built(a, &b), STATUS_TRACE STATUS_FULL);
	cr_assert(isdr_status_parse(a, known(a, ""), &s, &n) && n == 0);
}

Test(isdr_answer, broken_status_is_refused)
{
	static const char *const bad[] = {
		"E3124F10" ISDP_TEXT,                    /* no state */
		"E3049F70011F",                          /* no AID */
		"E30A4F04A00000059F70011F",              /* no AID either */
		"E3174F10" ISDP_TEXT "9F7002001F",       /* a long state */
		"E31A4F10" ISDP_TEXT "9F70011F9F70011F", /* twice */
		"E3204F10" ISDP_TEXT "9F70011F8F080000000000000000",
		"E4164F10" ISDP_TEXT "9F70011F",
		STATUS_TRACE "9000",
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf many = { 0 };
	struct bytes one = known(a, STATUS_TRACE);
	struct isdp_status *s = NULL;
	size_t n = 77;

	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert(!isdr_status_parse(a, known(a, bad[i]), &s, &n) && n == 77 && !s, "%s", bad[i]);
	for (size_t i = 0; i < 256; i++)
		buf_add(&many, one.data, one.len);
	cr_assert(isdr_status_parse(a, (struct bytes){ (const uint8_t *)many.data, many.len }, &s, &n) && n == 256);
	buf_add(&many, one.data, one.len);
	cr_assert(!isdr_status_parse(a, (struct bytes){ (const uint8_t *)many.data, many.len }, &s, &n));
}

Test(isdr_answer, resources_with_and_without_their_tag)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct card_resources r = { 77, 77, 77 };

	cr_assert(isdr_resources_parse(known(a, "FF210D 810103 820400080000 83021000"), &r));
	cr_assert(r.applications == 3 && r.free_nvm == 0x80000 && r.free_ram == 0x1000);
	isdr_resources_build(&b, &r);
	cr_assert_str_eq(built(a, &b), plain(a, "FF210F 810103 820400080000 830400001000"));
	cr_assert(isdr_resources_parse(known(a, "82020100 810103"), &r));
	cr_assert(r.applications == 3 && r.free_nvm == 0x100 && r.free_ram == -1);
	isdr_resources_build(&b, &r);
	cr_assert_str_eq(built(a, &b), plain(a, "FF2109 810103 820400000100"));
	cr_assert(isdr_resources_parse(known(a, ""), &r) && r.free_nvm == -1);
	r.free_nvm = 77;
	cr_assert(!isdr_resources_parse(known(a, "FF2103810103 00"), &r) && !isdr_resources_parse(known(a, "8100"), &r));
	cr_assert(!isdr_resources_parse(known(a, "FF2104810103"), &r) && !isdr_resources_parse(known(a, "810101810102"), &r));
	cr_assert_eq(r.free_nvm, 77);
}

Test(isdr_answer, deleted_isdps_of_a_confirmation)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct aid two[] = { aid(ISDP_TEXT), aid_isdp(0x10) }, *got = NULL;
	size_t n = 77;

	isdr_confirmed_build(&b, two, 2);
	cr_assert(isdr_confirmed_parse(a, (struct bytes){ (const uint8_t *)b.data, b.len }, &got, &n));
	cr_assert(n == 2 && aid_equal(&got[0], &two[0]) && aid_equal(&got[1], &two[1]));
	cr_assert_str_eq(built(a, &b), "80244F10" ISDP_TEXT "4F10A0000005591010FFFFFFFF8900001000");
	isdr_confirmed_build(&b, NULL, 0);
	cr_assert_eq(b.len, 0);
	cr_assert(isdr_confirmed_parse(a, known(a, ""), &got, &n) && n == 0);
	cr_assert(isdr_confirmed_parse(a, known(a, "8000"), &got, &n) && n == 0);
	n = 77;
	cr_assert(!isdr_confirmed_parse(a, known(a, "8002 4F00"), &got, &n) &&
		  !isdr_confirmed_parse(a, known(a, "8000 8000"), &got, &n));
	cr_assert(!isdr_confirmed_parse(a, known(a, "80124F10"), &got, &n) && n == 77);
}

Test(script, both_forms_are_written_and_read)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	const struct bytes apdus[] = { known(a, "80CAFF2100"), known(a, "80E40040124F10" ISDP_TEXT "00") };
	const char *why = NULL;
	struct script s;

	script_build(&b, SCRIPT_DEFINITE, apdus, 2);
	cr_assert(script_parse((struct bytes){ (const uint8_t *)b.data, b.len }, &s, &why), "%s", why);
	cr_assert(s.form == SCRIPT_DEFINITE && s.n == 2 && s.apdus[1].len == 24);
	cr_assert_str_eq(built(a, &b), "AA21220580CAFF2100221880E40040124F10" ISDP_TEXT "00");
	script_build(&b, SCRIPT_INDEFINITE, apdus, 2);
	cr_assert(script_parse((struct bytes){ (const uint8_t *)b.data, b.len }, &s, &why), "%s", why);
	cr_assert(s.form == SCRIPT_INDEFINITE && s.n == 2 && !memcmp(s.apdus[0].data, apdus[0].data, 5));
	cr_assert_str_eq(built(a, &b), "AE80220580CAFF2100221880E40040124F10" ISDP_TEXT "000000");
	cr_assert(script_parse(known(a, "AA81 07 A20580CAFF2100"), &s, &why) && s.n == 1, "%s", why);
}

Test(script, what_is_no_script_is_refused)
{
	static const char *const bad[] = {
		"",
		"AA",
		"AA07220580CAFF21",
		"AA07220580CAFF210000",
		"AA07230580CAFF2100",
		"AA08220580CAFF210000",
		"AB07220580CAFF2100",
		"AE07220580CAFF2100",
		"AE80",
		"AE80220580CAFF2100",
		"AE80220580CAFF210000",
		"AE80220580CAFF2100000000",
		"AE80810101220580CAFF21000000",
		"AA80220580CAFF21000000",
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct bytes apdus[SCRIPT_COMMANDS_MAX + 1];
	struct script s = { .n = 77 };

	for (size_t i = 0; i < LEN(bad); i++) {
		const char *why = NULL;

		cr_assert(!script_parse(known(a, bad[i]), &s, &why) && why && s.n == 77, "%s", bad[i]);
	}
	for (size_t i = 0; i < LEN(apdus); i++)
		apdus[i] = known(a, "80CAFF2100");
	for (size_t n = SCRIPT_COMMANDS_MAX; n <= SCRIPT_COMMANDS_MAX + 1; n++) {
		const char *why = NULL;

		script_build(&b, SCRIPT_DEFINITE, apdus, n);
		cr_assert_eq(script_parse((struct bytes){ (const uint8_t *)b.data, b.len }, &s, &why), n == SCRIPT_COMMANDS_MAX);
		buf_clear(&b);
	}
}

Test(script, answers_of_both_forms)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *why = NULL;
	struct script_answer s;

	/* The answer to CreateISDP of the recorded session, and a GET STATUS as the card sends it. */
	cr_assert(script_answer_parse(known(a, "AF80 2303009000 0000"), &s, &why), "%s", why);
	cr_assert(s.n == 1 && s.executed == -1 && s.results[0].sw == SW_OK && s.results[0].data.len == 1 && !s.bad_format);
	cr_assert(script_answer_parse(known(a, "AB1F 800101 231A" STATUS_TRACE "9000"), &s, &why), "%s", why);
	cr_assert(s.n == 1 && s.executed == 1 && s.results[0].data.len == 24);
	script_answer_build(&b, SCRIPT_DEFINITE, s.results, s.n);
	cr_assert_str_eq(built(a, &b), "AB1F800101231A" STATUS_TRACE "9000");
	script_answer_build(&b, SCRIPT_INDEFINITE, s.results, s.n);
	cr_assert_str_eq(built(a, &b), "AF80231A" STATUS_TRACE "90000000");
	cr_assert(script_answer_parse(known(a, "AB0E 800102 810101 23026985 830111"), &s, &why) == false, "a length that lies");
	cr_assert(script_answer_parse(known(a, "AB0D 800102 810101 23026985 830111"), &s, &why), "%s", why);
	cr_assert(s.n == 1 && s.executed == 2 && s.results[0].sw == SW_CONDITIONS);
	cr_assert(script_answer_parse(known(a, "AF80 0000"), &s, &why) && s.n == 0 && s.executed == -1);
}

Test(script, a_script_the_card_could_not_read)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };

	for (enum script_form form = SCRIPT_DEFINITE; form <= SCRIPT_INDEFINITE; form++) {
		const char *why = NULL;
		struct script_answer s;

		script_bad_format(&b, form);
		cr_assert(script_answer_parse((struct bytes){ (const uint8_t *)b.data, b.len }, &s, &why), "%s", why);
		cr_assert(s.bad_format && s.n == 0);
		cr_assert_str_eq(built(a, &b), form == SCRIPT_DEFINITE ? "AB06800100900101" : "AF809001010000");
	}
}

Test(script, what_is_no_answer_is_refused)
{
	static const char *const bad[] = {
		"",
		"AB",
		"AF80",
		"AF80 23029000",
		"AF80 23029000 00",
		"AF80 23029000 000000",
		"AB07 800101 23029000 00",
		"AB06 800101 230190",
		"AB05 800101 2300",
		"AB06 800101 800101",
		"AB06 900101 900101",
		"AB02 8000",
		"AB0A 8008FFFFFFFFFFFFFFFF",
		"AB06 8004FFFFFFFF",
		"AB04 24029000",
		"AA04 23029000",
		"AF04 23029000",
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct script_result results[SCRIPT_COMMANDS_MAX + 1] = { 0 };
	struct script_answer s = { .n = 77 };
	const char *why = NULL;

	for (size_t i = 0; i < LEN(bad); i++) {
		why = NULL;
		cr_assert(!script_answer_parse(known(a, bad[i]), &s, &why) && why && s.n == 77, "%s", bad[i]);
	}
	script_answer_build(&b, SCRIPT_DEFINITE, results, LEN(results));
	cr_assert(!script_answer_parse((struct bytes){ (const uint8_t *)b.data, b.len }, &s, &why));
	cr_assert_str_eq(why, "too many answers in one script");
}

static bool parse_command(struct bytes in)
{
	struct isdr_command command;
	struct apdu c;

	return apdu_parse(in, &c) && isdr_command_parse(&c, &command) == SW_OK;
}

static bool parse_status(struct bytes in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct isdp_status *s;
	size_t n;

	return isdr_status_parse(a, in, &s, &n);
}

static bool parse_resources(struct bytes in)
{
	struct card_resources r;

	return isdr_resources_parse(in, &r);
}

static bool parse_confirmed(struct bytes in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct aid *aids;
	size_t n;

	return isdr_confirmed_parse(a, in, &aids, &n);
}

static bool parse_script(struct bytes in)
{
	const char *why = NULL;
	struct script s;

	return script_parse(in, &s, &why) || !why;
}

static bool parse_answer(struct bytes in)
{
	const char *why = NULL;
	struct script_answer s;

	return script_answer_parse(in, &s, &why) || !why;
}

Test(card, cut_and_mutated_input_never_reads_beyond)
{
	static const struct {
		parser parse;
		const char *in;
		size_t taken; /* beginnings that are whole in themselves: without Le, with fewer entries, none */
	} all[] = {
		{ parse_command, "80E2880015 3A03124F10" ISDP_TEXT, 0 },
		{ parse_command, "80E40040124F10" ISDP_TEXT "00", 1 },
		{ parse_command, "80F24002174F10" ISDP_TEXT "5C034F9F7000", 1 },
		{ parse_command, "80E28900073A08044E02010200", 1 },
		{ parse_command, CREATE_QUOTA, 1 },
		{ parse_status, STATUS_TRACE STATUS_FULL, 2 },
		{ parse_resources, "FF210D 810103 820400080000 83021000", 1 },
		{ parse_confirmed, "80244F10" ISDP_TEXT "4F10" ISDR_TEXT, 1 },
		{ parse_script, "AA21 220580CAFF2100 221880E40040124F10" ISDP_TEXT "00", 0 },
		{ parse_script, "AE80 220580CAFF2100 221880E40040124F10" ISDP_TEXT "000000", 0 },
		{ parse_answer, "AB1F 800101 231A" STATUS_TRACE "9000", 0 },
		{ parse_answer, "AF80 231A" STATUS_TRACE "9000 0000", 0 },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();

	cr_assert(!parse_exactly(parse_command, known(a, "80E28800033A03FF")));
	for (size_t i = 0; i < LEN(all); i++) {
		struct bytes in = known(a, all[i].in);

		cr_assert(parse_exactly(all[i].parse, in), "%s", all[i].in);
		cr_assert_eq(beginnings_taken(all[i].parse, in), all[i].taken, "%s", all[i].in);
		cr_assert_lt(mutate(all[i].parse, in, 20000), 20000);
	}
}

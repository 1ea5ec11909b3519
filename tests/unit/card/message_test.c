/* SPDX-License-Identifier: Apache-2.0 */
/* What a card says of itself: notifications, and the parts of administration over HTTP. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/notification.h"
#include "common/card/ram_http.h"
#include "tests/unit/card/known.h"

static struct bytes text(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, strlen(s) };
}

static bool is_text(struct bytes b, const char *s)
{
	return b.len == strlen(s) && (b.len == 0 || !memcmp(b.data, s, b.len));
}

Test(notification, the_recorded_one_is_read_and_rebuilt)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct notification n;
	const char *why = NULL;
	char aid[2 * AID_MAX + 1];

	cr_assert(notification_parse(known(a, NOTE_TRACE), &n, &why), "%s", why);
	aid_format(&n.aid, aid);
	cr_assert_str_eq(n.eid.text, EID_TEXT);
	cr_assert_str_eq(aid, ISDP_TEXT);
	cr_assert(n.type == NOTE_CHANGE_OK && n.seq == 0 && n.meid.len == 0);
	cr_assert_str_eq(hex_text(a, n.imei.data, n.imei.len), "1122334455667788");
	notification_build(&b, &n, NOTE_AID_TAG_OLD);
	cr_assert_str_eq(built(a, &b), NOTE_TRACE);
	n.imei.len = 0;
	n.meid = known(a, "AABBCCDDEEFF0011");
	n.seq = 0xFFFE;
	n.type = 0x0A;
	notification_build(&b, &n, NOTE_AID_TAG);
	cr_assert_str_eq(built(a, &b), "E1354C10" EID_TEXT "4D010A4E02FFFE2F10" ISDP_TEXT "6D08AABBCCDDEEFF0011");
}

Test(notification, other_tags_and_orders_are_read)
{
	static const char *const good[] = {
		"E12B4C10" EID_TEXT "4D01034E0201022F10" ISDP_TEXT,
		"E12B4C10" EID_TEXT "4D01034E020102AF10" ISDP_TEXT,
		"E12B2F10" ISDP_TEXT "4E0201024D01034C10" EID_TEXT,
		"E1813F4C10" EID_TEXT "4D01034E0201022F10" ISDP_TEXT "94081122334455667788ED081122334455667788",
		"E12E4C10" EID_TEXT "4D01034E0201022F10" ISDP_TEXT "8F0100",
		"E12D4C10" EID_TEXT "4D01034E0201022F10" ISDP_TEXT "1400",
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(good); i++) {
		struct notification n;
		const char *why = NULL;

		cr_assert(notification_parse(known(a, good[i]), &n, &why), "%s: %s", good[i], why);
		cr_assert(n.type == NOTE_ROLLED_BACK && n.seq == 0x0102 && n.aid.len == 16);
		cr_assert_eq(n.meid.len, i == 3 ? 8 : 0);
	}
}

Test(notification, refusals_name_the_tag)
{
	static const struct {
		const char *in, *why;
	} bad[] = {
		{ "", "not one E1" },
		{ NOTE_TRACE "00", "not one E1" },
		{ "E2354C10" EID_TEXT "4D01024E0200004F10" ISDP_TEXT "14081122334455667788", "not one E1" },
		{ "E180", "not one E1" },
		{ "E100", "4C" },
		{ "E1194D01024E0200002F10" ISDP_TEXT, "4C" },
		{ "E12A4C0F890010120123412340123456789012"
		  "4D01024E0200002F10" ISDP_TEXT,
		  "4C" },
		{ "E12B4C1089001012012341234012345678901225"
		  "4D01024E0200002F10" ISDP_TEXT,
		  "4C" },
		{ "E12B4C108900101201234123401234567890122A"
		  "4D01024E0200002F10" ISDP_TEXT,
		  "4C" },
		{ "E13D4C10" EID_TEXT "4C10" EID_TEXT "4D01024E0200002F10" ISDP_TEXT, "4C" },
		{ "E12C4C10" EID_TEXT "4D0200024E0200002F10" ISDP_TEXT, "4D" },
		{ "E1284C10" EID_TEXT "4E0200002F10" ISDP_TEXT, "4D" },
		{ "E12A4C10" EID_TEXT "4D01024E01002F10" ISDP_TEXT, "4E" },
		{ "E1194C10" EID_TEXT "4D01024E020000", "2F" },
		{ "E13D4C10" EID_TEXT "4D01024E0200002F10" ISDP_TEXT "4F10" ISDP_TEXT, "2F" },
		{ "E13D4C10" EID_TEXT "4D01024E0200002F10" ISDP_TEXT "AF10" ISDP_TEXT, "2F" },
		{ "E11F4C10" EID_TEXT "4D01024E0200002F04A0000005", "2F" },
		{ "E13E4C10" EID_TEXT "4D01024E0200002F10" ISDP_TEXT "14110000000000000000000000000000000000", "14" },
		{ "E12D4C10" EID_TEXT "4D01024E0200002F10" ISDP_TEXT "6D01", "2F" },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(bad); i++) {
		struct notification n = { .seq = 77 };
		const char *why = NULL;

		cr_assert(!notification_parse(known(a, bad[i].in), &n, &why), "%zu: %s", i, bad[i].in);
		cr_assert(why && strstr(why, bad[i].why), "%zu: %s: %s", i, bad[i].in, why);
		cr_assert_eq(n.seq, 77);
	}
}

Test(ram_from, the_recorded_one_and_its_variants)
{
	static const char *const good[] = {
		"//se-id/eid/" EID_TEXT ";//aaid/aid/A000000559/1010FFFFFFFF8900000100",
		"//se-id/eid/" EID_TEXT ";//aa-id/aid/A000000559/1010FFFFFFFF8900000100",
		"//se-id/eid/" EID_TEXT ";//aa-id/aid/" ISDR_TEXT,
		" //SE-ID/EID/" EID_TEXT " ; //AA-ID/AID/a000000559/1010ffffffff8900000100 ",
	};
	CLEANUP(buf_free) struct buf b = { 0 };
	struct eid eid;
	struct aid aid;

	for (size_t i = 0; i < LEN(good); i++) {
		cr_assert(ram_from_parse(good[i], &eid, &aid), "%s", good[i]);
		cr_assert(!strcmp(eid.text, EID_TEXT) && aid_equal(&aid, &AID_ISDR), "%s", good[i]);
	}
	for (size_t i = 0; i < 2; i++) {
		ram_from_format(&b, &eid, &AID_ISDR, i ? "aa-id" : "aaid");
		cr_assert_str_eq(b.data, good[i]);
		buf_clear(&b);
	}
	cr_assert(ram_from_parse("//se-id/eid/" EID_TEXT, &eid, &aid) && aid.len == 0);
	ram_from_format(&b, &eid, &aid, "aaid");
	cr_assert_str_eq(b.data, "//se-id/eid/" EID_TEXT);
}

Test(ram_from, others_are_refused)
{
	static const char *const bad[] = {
		"",
		";",
		"//se-id/eid/",
		"//se-id/eid/8900101201234123401234567890122",
		"//se-id/eid/89001012012341234012345678901225",
		"//se-id/eid/" EID_TEXT "0",
		"//se-id/eid/" EID_TEXT ";//aid/" ISDR_TEXT,
		"//se-id/eid/" EID_TEXT ";//aa-id/aid/",
		"//se-id/eid/" EID_TEXT ";//aa-id/aid/A0000005591/010FFFFFFFF8900000100",
		"//se-id/eid/" EID_TEXT ";//aa-id/aid/" ISDR_TEXT "00",
		"//se-id/eid/" EID_TEXT ";//aa-id/aid/A000000559/1010FFFFFFFF8900000100;x",
		"//se-id/iccid/8900",
		EID_TEXT,
	};
	struct eid eid = { "untouched" };
	struct aid aid = { .len = 77 };

	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert(!ram_from_parse(bad[i], &eid, &aid), "%s", bad[i]);
	cr_assert(!ram_from_parse(NULL, &eid, &aid));
	cr_assert(!strcmp(eid.text, "untouched") && aid.len == 77);
}

Test(ram_target, is_an_aid_in_two_parts)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct aid aid, want = aid_isdp(0x10);

	ram_target_format(&b, &want);
	cr_assert_str_eq(b.data, "//aid/A000000559/1010FFFFFFFF8900001000");
	cr_assert(ram_target_parse(b.data, &aid) && aid_equal(&aid, &want));
	cr_assert(ram_target_parse("//aid/A0000005591010FFFFFFFF8900001000", &aid) && aid_equal(&aid, &want));
	cr_assert(!ram_target_parse("//aid/", &aid) && !ram_target_parse("//aid/A000000559/1010FFFFFFFF89000010001122", &aid));
	cr_assert(!ram_target_parse("/aid/A000000559", &aid) && !ram_target_parse(NULL, &aid) &&
		  !ram_target_parse("//aid/A00000055/9", &aid));
}

Test(ram_header, media_types_and_script_status)
{
	cr_assert(ram_is_response(RAM_RESPONSE) && ram_is_command(RAM_COMMAND));
	cr_assert(ram_is_response(" application/VND.globalplatform.card-content-mgt-response ; version=1.0 "));
	cr_assert(!ram_is_response(RAM_COMMAND) && !ram_is_command(RAM_RESPONSE) && !ram_is_command(NULL) && !ram_is_command(""));
	cr_assert(!ram_is_command(RAM_COMMAND "1") && !ram_is_command("application/vnd.globalplatform.card-content-mgt"));
	for (enum ram_status s = RAM_OK; s < RAM_STATUS_OTHER; s++)
		cr_assert_eq(ram_status_parse(ram_status_name(s)), s);
	cr_assert_str_eq(ram_status_name(RAM_OK), "ok");
	cr_assert_eq(ram_status_parse(" OK"), RAM_OK);
	cr_assert(ram_status_parse("okay") == RAM_STATUS_OTHER && ram_status_parse(NULL) == RAM_STATUS_OTHER);
}

Test(psk_identity, ninety_characters)
{
	struct psk_identity id, again;
	char out[PSK_IDENTITY_MAX];

	cr_assert_eq(strlen(IDENTITY_TEXT), 90);
	cr_assert(psk_identity_parse(IDENTITY_TEXT, &id));
	cr_assert(!strcmp(id.eid.text, EID_TEXT) && aid_equal(&id.aid, &AID_ISDR) && id.key_id == 1 && id.kvn == 0x40);
	psk_identity_format(&id, out);
	cr_assert_str_eq(out, IDENTITY_TEXT);
	cr_assert(psk_identity_parse("8001028110" EID_TEXT "4f10a0000005591010ffffffff8900000100820101830140", &again));
	cr_assert(aid_equal(&again.aid, &id.aid));
}

Test(psk_identity, others_are_refused)
{
	static const char *const bad[] = {
		"",
		"80",
		IDENTITY_TEXT "00",
		IDENTITY_TEXT "0",
		"8001018110" EID_TEXT "4F10" ISDR_TEXT "820101830140",
		"80010281108900101201234123401234567890122"
		"5"
		"4F10" ISDR_TEXT "820101830140",
		"8110" EID_TEXT "8001024F10" ISDR_TEXT "820101830140",
		"8001028110" EID_TEXT "4F10" ISDR_TEXT "830140820101",
		"8001028110" EID_TEXT "4F10" ISDR_TEXT "8201018301",
		"x001028110" EID_TEXT "4F10" ISDR_TEXT "820101830140",
		"8001028110" EID_TEXT "4F10" ISDR_TEXT "820101",
		"8001028110" EID_TEXT "4F04A0000005820101830140",
	};
	struct psk_identity id = { .kvn = 77 };

	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert(!psk_identity_parse(bad[i], &id) && id.kvn == 77, "%s", bad[i]);
}

Test(ram_trigger, both_forms_are_written_and_read)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct bytes full = known(a, TRIGGER_FULL);
	const struct ram_trigger said = { false, 0xC0000201, 4433, 1, 0x40, 3, 300, text("h"), text("a"), text("/u") };
	struct ram_trigger t;

	ram_trigger_build(&b, &(struct ram_trigger){ .stored = true });
	cr_assert_str_eq(built(a, &b), "8100");
	cr_assert(ram_trigger_parse(known(a, "8100"), &t) && t.stored && t.port == 0 && !t.host.len);
	ram_trigger_build(&b, &said);
	cr_assert_str_eq(built(a, &b), hex_text(a, full.data, full.len));
	cr_assert(ram_trigger_parse(full, &t));
	cr_assert(!t.stored && t.address == said.address && t.port == 4433 && t.key_id == 1 && t.kvn == 0x40);
	cr_assert(t.retries == 3 && t.retry_delay_s == 300);
	cr_assert(is_text(t.host, "h") && is_text(t.agent, "a") && is_text(t.uri, "/u"));
	ram_trigger_build(&b, &(struct ram_trigger){ .uri = text("/u"), .host = { (const uint8_t *)"", 0 } });
	cr_assert_str_eq(built(a, &b), "8108830689048C022F75");
	ram_trigger_build(&b, &(struct ram_trigger){ .retries = 1, .retry_delay_s = UINT16_MAX });
	cr_assert(ram_trigger_parse((struct bytes){ (const uint8_t *)b.data, b.len }, &t) && t.retry_delay_s == UINT16_MAX);
	cr_assert_str_eq(built(a, &b), "810B830986070001A503812151");
}

Test(ram_trigger, what_others_write_is_read)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ram_trigger t;

	/* Comprehension bits, an access point, a PSK identity in 85, a hash behind it, a failure report in 86, another kind of address. */
	cr_assert(ram_trigger_parse(
			  known(a, "8133 8331 841A B50103 B9020400 470403616263 BC03021F90 BE0521C6336401 850802AABB024001 01CC"
				   "86091234 2503 812151 8700"),
			  &t) == false,
		  "86 is longer than its group");
	cr_assert(ram_trigger_parse(known(a, "8132 8330 8419 B50103 B9020400 470403616263 BC03021F90 BE0521C6336401"
					     "8508 02AABB024001 01CC 8609 1234 2503122151 8700"),
				    &t));
	cr_assert(t.port == 8080 && t.address == 0xC6336401 && t.kvn == 0x40 && t.key_id == 1);
	cr_assert(t.retries == 255 && t.retry_delay_s == 65535);
	cr_assert(ram_trigger_parse(known(a, "810D 830B 8409 3E0757 000102030405"), &t) && t.address == 0);
	cr_assert(ram_trigger_parse(known(a, "8102 8300"), &t) && !t.stored);
}

Test(ram_trigger, others_are_refused)
{
	static const char *const bad[] = {
		"",
		"81",
		"8200",
		"8100 00",
		"8101 00",
		"8103 840100",
		"8104 8300 8300",
		"810B 8309 8407 3E0521C00002",
		"810A 8308 8406 3E0421C00002",
		"8109 8307 8405 3C03021F",
		"8108 8306 8404 3C021F90",
		"8104 8302 8500",
		"8108 8306 8504 00034001",
		"8107 8305 8503 000240",
		"8108 8306 8504 FF024001",
		"8105 8303 860100",
		"810B 8309 86070001A503A00000",
		"810B 8309 86070001A503000600",
		"810C 830A 86080001A50200000100",
		"8106 8304 86020001 8A00 8A00",
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ram_trigger t = { .port = 77 };

	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert(!ram_trigger_parse(known(a, bad[i]), &t) && t.port == 77, "%s", bad[i]);
}

static bool parse_note(struct bytes in)
{
	const char *why = NULL;
	struct notification n;

	return notification_parse(in, &n, &why) || !why;
}

static bool parse_trigger(struct bytes in)
{
	struct ram_trigger t;

	return ram_trigger_parse(in, &t);
}

/* Texts end at a NUL, as header values do. */
static const char *as_text(struct arena *a, struct bytes in)
{
	return arena_strndup(a, (const char *)in.data, in.len);
}

static bool parse_identity(struct bytes in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct psk_identity id;

	return psk_identity_parse(as_text(a, in), &id);
}

static bool parse_from(struct bytes in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct eid eid;
	struct aid aid;
	const char *value = as_text(a, in);

	(void)ram_is_command(value);
	(void)ram_status_parse(value);
	(void)ram_target_parse(value, &aid);
	return ram_from_parse(value, &eid, &aid) && aid.len;
}

Test(card_message, cut_and_mutated_input_never_reads_beyond)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const struct {
		parser parse;
		struct bytes in;
	} all[] = {
		{ parse_note, known(a, NOTE_TRACE) },
		{ parse_trigger, known(a, TRIGGER_FULL) },
		{ parse_identity, text(IDENTITY_TEXT) },
		{ parse_from, text("//se-id/eid/" EID_TEXT ";//aa-id/aid/A000000559") },
	};

	for (size_t i = 0; i < LEN(all); i++) {
		cr_assert(parse_exactly(all[i].parse, all[i].in), "%zu", i);
		cr_assert_eq(beginnings_taken(all[i].parse, all[i].in), 0, "%zu", i);
		cr_assert_lt(mutate(all[i].parse, all[i].in, 20000), 20000);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SCP03 in APDUs, from both sides. */
#include "common/card/scp03.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/random.h"
#include "tests/unit/card/known.h"
#include "tests/unit/card/session.h"

#define HOST_CHALLENGE "0102030405060708"
#define CARD_CHALLENGE "A1A2A3A4A5A6A7A8"
#define CARD_CRYPTOGRAM "B11E6F07180E8D54"
#define DATA "E3164F02"

enum { COMMANDS = 4 };
static const char *const plain_commands[COMMANDS] = { "80E28800113A070EA00C0607912143658709F1060100", "80CA006600",
						      "80F24002024F0000", "80F22002" };

/* Made by another implementation (on Python's cryptography), which was checked against another card's session at level 33. The keys
 * are those of the recorded session, the challenges those above. */
static const struct {
	uint8_t level;
	const char *authenticate;
	struct {
		const char *command, *data_9000, *nothing_6310;
	} secured[COMMANDS];
} levels[] = {
	{ 0x01,
	  "848201001069F1E9D51B7B28B9F9DA7111DF931959",
	  {
		  { "84E28800193A070EA00C0607912143658709F10601002C2EE8F07577F5A7", "E3164F02", "" },
		  { "84CA006608693F87A7762824DA00", "E3164F02", "" },
		  { "84F240020A4F008CB3D1E77A92C7CA00", "E3164F02", "" },
		  { "84F220020838447CB14A03225F", "E3164F02", "" },
	  } },
	{ 0x03,
	  "848203001069F1E9D51B7B28B9718B036D1A39A3A7",
	  {
		  { "84E2880028A9CEDA551879A2ACDB868F0F492068D952FB4FFEC3F6780DC3196B6FA15FE397E9105039350A16AB", "E3164F02", "" },
		  { "84CA006608BCCD063A645E535500", "E3164F02", "" },
		  { "84F2400218D8FBC23386C31ABDA51E1981EB88627090D123B3164134B900", "E3164F02", "" },
		  { "84F2200208FC329DB29622AD6A", "E3164F02", "" },
	  } },
	{ 0x11,
	  "848211001069F1E9D51B7B28B96FF95F5B1448D1C2",
	  {
		  { "84E28800193A070EA00C0607912143658709F10601006BF4F84ED6A9217F", "E3164F0245C70CC66D981156",
		    "4694811A9DEE46AD" },
		  { "84CA00660828B18B20CEE1C65900", "E3164F02EDB29C4BE5B7BF7E", "D82A5888D1F64A7C" },
		  { "84F240020A4F000E8EB7086360DBBD00", "E3164F0242F95FE024040BEE", "093C7248E0B7FD04" },
		  { "84F220020813009E2C60481532", "E3164F02A31ECD1C6EDB4CE5", "7DB504BDA337D458" },
	  } },
	{ 0x13,
	  "848213001069F1E9D51B7B28B91BF5B5EA2B0FEAE0",
	  {
		  { "84E2880028A9CEDA551879A2ACDB868F0F492068D952FB4FFEC3F6780DC3196B6FA15FE39764F8EFBD038D71DB",
		    "E3164F021CBD7916F78C84BF", "D5A2002578CEE827" },
		  { "84CA006608A1582AD53B962A3B00", "E3164F0224B93FE8EFEE8249", "91D0E40C41BAA8B9" },
		  { "84F2400218D8FBC23386C31ABDA51E1981EB886270B5EE8AFF1F49A5D100", "E3164F02D182E7C1C912178D",
		    "9422BD999BD664FF" },
		  { "84F2200208B35446150CCF4A16", "E3164F025C589C6E470AD6C4", "E8DC21B513473590" },
	  } },
	{ 0x33,
	  "848233001069F1E9D51B7B28B99272292B1ADCC930",
	  {
		  { "84E2880028A9CEDA551879A2ACDB868F0F492068D952FB4FFEC3F6780DC3196B6FA15FE397B3EAB207D73C8DE2",
		    "DD0FE8622AB3DC728BB211709F93C1C4D2F15498F9BBBB88", "B3033BB0991B5E75" },
		  { "84CA006608AE045D39F49D789600", "65A33B7D3E57D020691E0697031A8AA3B6605C8F1C7DEF9C", "DC673C23000299DF" },
		  { "84F2400218D8FBC23386C31ABDA51E1981EB886270D332F8681867DA2A00",
		    "CCC3AA107DBC490353D289B27A483A4BB9A34F894CEB52A9", "B3ACD95D19991203" },
		  { "84F2200208764C938AE82DA4D9", "B0FE1F3660600F6D5E3261A42CBFCF4052B70527F99E9E97", "34DD8E6D88702ECF" },
	  } },
};

static struct card_keys session_keys(struct arena *a)
{
	struct card_keys k = { .kvn = 0x30 };

	memcpy(k.enc, known(a, SESSION_ENC).data, AES_KEY);
	memcpy(k.mac, known(a, SESSION_MAC).data, AES_KEY);
	return k;
}

static struct scp03_session begun(struct arena *a)
{
	const struct card_keys keys = session_keys(a);
	struct scp03_session s;

	cr_assert(scp03_begin_with(&s, &keys, 2, known(a, HOST_CHALLENGE).data, known(a, CARD_CHALLENGE).data));
	return s;
}

static struct apdu apdu_of(struct arena *a, const char *hex)
{
	struct apdu c;

	cr_assert(apdu_parse(known(a, hex), &c), "%s", hex);
	return c;
}

/* What the card answers and the host makes of it. */
static void answer_both_ways(struct arena *a, const struct scp03_session *host, const struct scp03_session *card, const char *plain,
			     uint16_t sw, const char *secured)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct bytes out;

	cr_assert(scp03_answer_build(card, known(a, plain), sw, &b));
	cr_assert_str_eq(built(a, &b), secured);
	cr_assert_eq(scp03_answer_open(a, host, NULL, known(a, secured), sw, &out), SCP03_GOOD);
	cr_assert_str_eq(hex_text(a, out.data, out.len), plain);
}

Test(scp03, every_level_is_that_of_the_other_implementation)
{
	for (size_t i = 0; i < LEN(levels); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new();
		CLEANUP(buf_free) struct buf b = { 0 };
		struct scp03_session host = begun(a), card = host;
		struct apdu c = apdu_of(a, levels[i].authenticate);

		cr_assert(scp03_authenticate_build(&host, levels[i].level, &b));
		cr_assert_str_eq(built(a, &b), levels[i].authenticate);
		cr_assert_eq(scp03_authenticate(&card, &c), SW_OK);
		for (size_t k = 0; k < COMMANDS; k++) {
			CLEANUP(secret_free) struct secret data = { 0 };
			struct apdu plain;

			c = apdu_of(a, plain_commands[k]);
			cr_assert(scp03_wrap(&host, &c, &b));
			cr_assert_str_eq(built(a, &b), levels[i].secured[k].command);
			c = apdu_of(a, levels[i].secured[k].command);
			cr_assert_eq(scp03_unwrap(&card, &c, &plain, &data), SW_OK);
			apdu_build(&b, &plain);
			cr_assert_str_eq(built(a, &b), plain_commands[k]);
			answer_both_ways(a, &host, &card, DATA, SW_OK, levels[i].secured[k].data_9000);
			answer_both_ways(a, &host, &card, "", SW_MORE, levels[i].secured[k].nothing_6310);
		}
		cr_assert_eq(memcmp(&host, &card, sizeof(host)), 0);
	}
}

Test(scp03, initialize_update_both_ways)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_session s = begun(a);
	struct scp03_initialized answer;
	struct scp03_initialize asked;
	struct apdu c;

	scp03_initialize_build(&b, &s);
	cr_assert_str_eq(built(a, &b), "8050300008" HOST_CHALLENGE "00");
	c = apdu_of(a, "8050300108" HOST_CHALLENGE "00");
	cr_assert_eq(scp03_initialize_parse(&c, &asked), SW_OK);
	cr_assert(asked.kvn == 0x30 && asked.key_id == 1 && !memcmp(asked.host_challenge, s.host_challenge, SCP03_CHALLENGE));
	c.data.len--;
	cr_assert_eq(scp03_initialize_parse(&c, &asked), SW_WRONG_LENGTH);
	c.ins = 0x51;
	cr_assert_eq(scp03_initialize_parse(&c, &asked), SW_BAD_INS);
	c.cla = 0x84;
	cr_assert_eq(scp03_initialize_parse(&c, &asked), SW_BAD_CLA);
	scp03_initialized_build(&b, &s);
	cr_assert_str_eq(built(a, &b), "00000000000000000000300370" CARD_CHALLENGE CARD_CRYPTOGRAM "000002");
	cr_assert(scp03_initialized_parse(known(a, "00000000000000000000300370" CARD_CHALLENGE CARD_CRYPTOGRAM "000002"), &answer));
	cr_assert_eq(scp03_initialized_check(&s, &answer), SCP03_GOOD);
}

Test(scp03, the_counter_of_the_card_makes_its_challenge)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const struct card_keys keys = session_keys(a);
	struct scp03_session s, closed = { 0 };
	uint8_t challenge[SCP03_CHALLENGE], other[SCP03_CHALLENGE];
	struct aid aid;

	cr_assert(aid_parse(ISDP_TEXT, &aid));
	cr_assert(scp03_card_challenge(keys.enc, 1, &aid, challenge));
	cr_assert_str_eq(hex_text(a, challenge, SCP03_CHALLENGE), SESSION_CARD_CHALLENGE);
	cr_assert(scp03_card_challenge(keys.enc, SCP03_SEQUENCE_MAX, &aid, other));
	cr_assert_neq(memcmp(challenge, other, SCP03_CHALLENGE), 0);
	cr_assert_not(scp03_card_challenge(keys.enc, SCP03_SEQUENCE_MAX + 1, &aid, other));
	s = begun(a);
	cr_assert_not(scp03_begin(&s, &keys, &aid, SCP03_SEQUENCE_MAX + 1, challenge));
	cr_assert_eq(memcmp(&s, &closed, sizeof(s)), 0);
}

/* Both sides at level 33. */
static struct scp03_session authenticated(struct arena *a)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_session s = begun(a);

	cr_assert(scp03_authenticate_build(&s, SCP03_LEVEL_FULL, &b));
	return s;
}

Test(scp03, no_changed_bit_gets_past_the_card)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes secured = known(a, levels[4].secured[0].command), auth = known(a, levels[4].authenticate);
	const struct scp03_session closed = { 0 };

	for (size_t bit = 0; bit < secured.len * 8; bit++) {
		uint8_t *changed = arena_memdup(a, secured.data, secured.len);
		struct scp03_session s = authenticated(a);
		struct secret data = { 0 };
		struct apdu c, out;

		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!apdu_parse((struct bytes){ changed, secured.len }, &c))
			continue;
		cr_assert_neq(scp03_unwrap(&s, &c, &out, &data), SW_OK, "bit %zu", bit);
		cr_assert(!data.data && !memcmp(&s, &closed, sizeof(s)), "and ends the session");
	}
	for (size_t bit = 0; bit < auth.len * 8; bit++) {
		uint8_t *changed = arena_memdup(a, auth.data, auth.len);
		struct scp03_session s = begun(a);
		struct apdu c;

		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!apdu_parse((struct bytes){ changed, auth.len }, &c))
			continue;
		cr_assert_neq(scp03_authenticate(&s, &c), SW_OK, "bit %zu", bit);
		cr_assert_eq(memcmp(&s, &closed, sizeof(s)), 0);
	}
}

Test(scp03, no_changed_bit_gets_past_the_host)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct bytes answer = known(a, levels[4].secured[0].data_9000), out;
	struct apdu c = apdu_of(a, plain_commands[0]);
	struct scp03_session s = authenticated(a);

	cr_assert_eq(scp03_answer_open(a, &s, NULL, answer, SW_OK, &out), SCP03_WRONG_STATE, "before any command");
	cr_assert(scp03_wrap(&s, &c, &b));
	cr_assert_eq(scp03_answer_open(a, &s, NULL, answer, SW_OK, &out), SCP03_GOOD);
	for (size_t bit = 0; bit < answer.len * 8; bit++) {
		uint8_t *changed = arena_memdup(a, answer.data, answer.len);

		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_eq(scp03_answer_open(a, &s, NULL, (struct bytes){ changed, answer.len }, SW_OK, &out), SCP03_BAD_MAC);
	}
	cr_assert_eq(scp03_answer_open(a, &s, NULL, answer, SW_MORE, &out), SCP03_BAD_MAC, "the MAC is over SW, too");
	cr_assert_eq(scp03_answer_open(a, &s, NULL, (struct bytes){ NULL, 0 }, SW_OK, &out), SCP03_MALFORMED);
	cr_assert_eq(scp03_answer_open(a, &s, NULL, (struct bytes){ NULL, 0 }, SW_BAD_DATA, &out), SCP03_REFUSED);
	cr_assert_not(scp03_answer_build(&s, answer, SW_BAD_DATA, &b));
}

Test(scp03, replayed_and_reordered_commands_end_the_session)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(secret_free) struct secret data = { 0 };
	struct scp03_session card = authenticated(a);
	struct apdu first = apdu_of(a, levels[4].secured[0].command), second = apdu_of(a, levels[4].secured[1].command), out;
	struct secret none = { 0 };

	cr_assert_eq(scp03_unwrap(&card, &first, &out, &data), SW_OK);
	cr_assert_eq(scp03_unwrap(&card, &first, &out, &none), SW_SECURITY);
	cr_assert_eq(scp03_unwrap(&card, &second, &out, &none), SW_SECURITY, "it has ended");
	card = authenticated(a);
	cr_assert_eq(scp03_unwrap(&card, &second, &out, &none), SW_SECURITY);
	card = authenticated(a);
	first.cla = 0x80;
	cr_assert_eq(scp03_unwrap(&card, &first, &out, &none), SW_SECURITY, "not secured at all");
	cr_assert_null(none.data);
}

Test(scp03, what_cannot_be_secured_changes_nothing)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_session s = authenticated(a), before = s, started = begun(a);
	const uint8_t *many = arena_alloc(a, 255);
	struct apdu c = { 0x80, 0xE2, 0x88, 0, { many, 240 }, false };

	cr_assert_not(scp03_wrap(&s, &c, &b), "256 bytes ciphered, without the MAC");
	c.data.len = 1;
	c.cla = 0x84;
	cr_assert_not(scp03_wrap(&s, &c, &b));
	c.cla = 0x81;
	cr_assert_not(scp03_wrap(&s, &c, &b));
	c.cla = 0x80;
	cr_assert_not(scp03_wrap(&started, &c, &b));
	s.counter = SCP03_COMMANDS_MAX;
	cr_assert_not(scp03_wrap(&s, &c, &b));
	s.counter = 0;
	cr_assert(b.len == 0 && !memcmp(&s, &before, sizeof(s)));
	c.data.len = 239;
	cr_assert(scp03_wrap(&s, &c, &b));
	cr_assert_eq((uint8_t)b.data[4], 248);
	for (unsigned level = 0; level < 256; level++) {
		bool is_level = level == 0x01 || level == 0x03 || level == 0x11 || level == 0x13 || level == 0x33;

		started = begun(a);
		cr_assert_eq(scp03_authenticate_build(&started, (uint8_t)level, &b), is_level, "%02X", level);
	}
	scp03_wipe(&s);
	cr_assert_eq(s.state, SCP03_CLOSED);
	for (int v = SCP03_GOOD; v <= SCP03_REFUSED; v++)
		cr_assert(strcmp(scp03_verdict_text((enum scp03_verdict)v), "unknown"));
}

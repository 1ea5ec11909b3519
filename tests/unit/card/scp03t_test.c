/* SPDX-License-Identifier: Apache-2.0 */
/* SCP03t against the recorded session, from both sides, and what both sides must refuse. */
#include "common/card/scp03t.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/random.h"
#include "common/card/tlv.h"
#include "tests/unit/card/known.h"
#include "tests/unit/card/session.h"

static void key_set(struct arena *a, uint8_t out[AES_KEY], const char *hex)
{
	memcpy(out, known(a, hex).data, AES_KEY);
}

static struct card_keys session_keys(struct arena *a)
{
	struct card_keys k = { .kvn = 0x30 };

	key_set(a, k.enc, SESSION_ENC);
	key_set(a, k.mac, SESSION_MAC);
	key_set(a, k.dek, SESSION_DEK);
	return k;
}

static struct aid session_aid(void)
{
	struct aid aid;

	cr_assert(aid_parse(ISDP_TEXT, &aid));
	return aid;
}

/* The recorded session has begun. */
static struct scp03_session begun(struct arena *a)
{
	const struct card_keys keys = session_keys(a);
	const struct aid aid = session_aid();
	struct scp03_session s;

	cr_assert(scp03_begin(&s, &keys, &aid, 1, known(a, SESSION_HOST_CHALLENGE).data));
	return s;
}

/* The recorded session before its segment 7. */
static struct scp03_session before_7(struct arena *a)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_session s = begun(a);

	cr_assert(scp03t_authenticate_build(&s, &b));
	key_set(a, s.chain, SESSION_CHAIN_BEFORE_7);
	s.counter = 6;
	return s;
}

static struct bytes value_of(struct bytes tlv)
{
	struct tlv t;

	cr_assert(tlv_next(&tlv, &t) && tlv.len == 0);
	return t.value;
}

Test(scp03t, the_recorded_session_begins)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_initialized answer;
	struct scp03_session s = begun(a);
	uint8_t reason;

	cr_assert(is_hex(a, s.card_challenge, SCP03_CHALLENGE, SESSION_CARD_CHALLENGE));
	cr_assert(is_hex(a, s.s_enc, AES_KEY, SESSION_S_ENC));
	cr_assert(is_hex(a, s.s_mac, AES_KEY, SESSION_S_MAC));
	cr_assert(is_hex(a, s.s_rmac, AES_KEY, SESSION_S_RMAC));
	scp03t_initialize_build(&b, &s);
	cr_assert_str_eq(built(a, &b), SESSION_84);
	cr_assert_eq(scp03t_initialized_open(&s, known(a, SESSION_84_ANSWER), &answer, &reason), SCP03_GOOD);
	cr_assert(answer.sequence == 1 && answer.kvn == 0x30);
	cr_assert(scp03t_authenticate_build(&s, &b));
	cr_assert_str_eq(built(a, &b), SESSION_85);
	cr_assert(is_hex(a, s.chain, AES_BLOCK, SESSION_85_CHAIN));
	cr_assert_eq(scp03t_authenticated_open(&s, known(a, "8500"), &reason), SCP03_GOOD);
	cr_assert_not(scp03t_authenticate_build(&s, &b), "once only");
}

Test(scp03t, the_card_says_what_the_recorded_card_said)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_initialize asked;
	struct scp03_session s;

	cr_assert_eq(scp03t_initialize_parse(value_of(known(a, SESSION_84)), &asked), SCP03T_OK);
	cr_assert(asked.kvn == 0x30 && asked.key_id == 0 &&
		  is_hex(a, asked.host_challenge, SCP03_CHALLENGE, SESSION_HOST_CHALLENGE));
	s = begun(a);
	scp03t_initialized_build(&b, &s);
	cr_assert_str_eq(built(a, &b), SESSION_84_ANSWER);
	cr_assert_eq(scp03t_authenticate(&s, value_of(known(a, SESSION_85))), SCP03T_OK);
	cr_assert(s.state == SCP03_AUTHENTICATED && s.level == SCP03_LEVEL_FULL);
	cr_assert(is_hex(a, s.chain, AES_BLOCK, SESSION_85_CHAIN));
	scp03t_authenticated_build(&b);
	cr_assert_str_eq(built(a, &b), "8500");
}

Test(scp03t, segment_7_is_built_taken_and_answered)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(secret_free) struct secret plain = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_session host = before_7(a), card = host;
	struct bytes answer;
	uint8_t reason;

	cr_assert(scp03t_segment_build(&host, known(a, SESSION_7_PLAIN), &b));
	cr_assert_str_eq(built(a, &b), SESSION_7);
	cr_assert(is_hex(a, host.chain, AES_BLOCK, SESSION_CHAIN_AFTER_7));
	cr_assert_eq(host.counter, 7);
	cr_assert_eq(scp03t_segment(&card, value_of(known(a, SESSION_7)), &plain), SCP03T_OK);
	cr_assert(is_hex(a, plain.data, plain.len, SESSION_7_PLAIN));
	cr_assert_eq(memcmp(&host, &card, sizeof(host)), 0, "both sides stand at the same place");
	cr_assert(scp03t_answer_build(&card, known(a, SESSION_7_ANSWER_PLAIN), &b));
	cr_assert_str_eq(built(a, &b), SESSION_7_ANSWER);
	cr_assert_eq(scp03t_segment_open(a, &host, NULL, known(a, SESSION_7_ANSWER), &answer, &reason), SCP03_GOOD);
	cr_assert(is_hex(a, answer.data, answer.len, SESSION_7_ANSWER_PLAIN));
}

/* n random bytes through both sides; what the card answers comes back. */
static void segment_both_ways(struct arena *a, struct scp03_session *host, struct scp03_session *card, size_t n, size_t n_answer)
{
	CLEANUP(secret_free) struct secret plain = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	uint8_t *data = arena_alloc(a, n), *said = arena_alloc(a, n_answer), reason;
	struct bytes answer;

	random_bytes(data, n);
	random_bytes(said, n_answer);
	cr_assert(scp03t_segment_build(host, (struct bytes){ data, n }, &b));
	cr_assert_eq(scp03t_segment(card, value_of(built_bytes(a, &b)), &plain), SCP03T_OK, "%zu", n);
	cr_assert(plain.len == n && !memcmp(plain.data, data, n));
	cr_assert(scp03t_answer_build(card, (struct bytes){ said, n_answer }, &b));
	cr_assert_eq(scp03t_segment_open(a, host, NULL, built_bytes(a, &b), &answer, &reason), SCP03_GOOD);
	cr_assert(answer.len == n_answer && !memcmp(answer.data, said, n_answer));
}

Test(scp03t, every_length_up_to_the_largest_passes)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_session host = before_7(a), card = host, before;
	uint8_t *many = arena_alloc(a, SCP03T_PLAIN_MAX + 1);

	for (size_t n = 1; n <= 260; n++)
		segment_both_ways(a, &host, &card, n, n % 40);
	for (size_t n = SCP03T_PLAIN_MAX - 40; n <= SCP03T_PLAIN_MAX; n++)
		segment_both_ways(a, &host, &card, n, n % 300);
	before = host;
	cr_assert_not(scp03t_segment_build(&host, (struct bytes){ many, SCP03T_PLAIN_MAX + 1 }, &b));
	cr_assert_not(scp03t_segment_build(&host, (struct bytes){ NULL, 0 }, &b));
	cr_assert(b.len == 0 && !memcmp(&before, &host, sizeof(host)), "nothing changed");
	cr_assert(scp03t_segment_build(&host, (struct bytes){ many, SCP03T_PLAIN_MAX }, &b));
	cr_assert_eq(memcmp(b.data, "\x86\x82\x03\xF8", 4), 0, "the largest segment of the recorded session (card.md 4)");
}

Test(scp03t, answers_may_come_after_all_segments)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_session host = before_7(a), card = host;
	struct scp03_mark marks[3];
	struct bytes segments[3], out;
	uint8_t reason;

	for (uint8_t i = 0; i < 3; i++) {
		cr_assert(scp03t_segment_build(&host, (struct bytes){ &i, 1 }, &b));
		segments[i] = built_bytes(a, &b);
		marks[i] = scp03_mark_of(&host);
	}
	for (uint8_t i = 0; i < 3; i++) {
		CLEANUP(secret_free) struct secret plain = { 0 };
		struct bytes answer;

		cr_assert_eq(scp03t_segment(&card, value_of(segments[i]), &plain), SCP03T_OK);
		cr_assert(scp03t_answer_build(&card, (struct bytes){ &i, 1 }, &b));
		answer = built_bytes(a, &b);
		for (uint8_t k = 0; k < 3; k++)
			cr_assert_eq(scp03t_segment_open(a, &host, &marks[k], answer, &out, &reason),
				     k == i ? SCP03_GOOD : SCP03_BAD_MAC);
	}
}

Test(scp03t, no_changed_bit_gets_past_the_card)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes authenticate = value_of(known(a, SESSION_85)), segment = value_of(known(a, SESSION_7));
	const struct scp03_session closed = { 0 };

	for (size_t bit = 0; bit < authenticate.len * 8; bit++) {
		uint8_t *changed = arena_memdup(a, authenticate.data, authenticate.len);
		struct scp03_session s = begun(a);

		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_eq(scp03t_authenticate(&s, (struct bytes){ changed, authenticate.len }), SCP03T_SECURITY, "bit %zu", bit);
		cr_assert_eq(memcmp(&s, &closed, sizeof(s)), 0, "and ends the session");
	}
	for (size_t bit = 0; bit < segment.len * 8; bit++) {
		uint8_t *changed = arena_memdup(a, segment.data, segment.len);
		struct scp03_session s = before_7(a);
		struct secret plain = { 0 };

		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_eq(scp03t_segment(&s, (struct bytes){ changed, segment.len }, &plain), SCP03T_SECURITY, "bit %zu", bit);
		cr_assert(!plain.data && !memcmp(&s, &closed, sizeof(s)));
	}
}

Test(scp03t, no_changed_bit_gets_past_the_host)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct bytes initialized = known(a, SESSION_84_ANSWER), answer = known(a, SESSION_7_ANSWER), out;
	struct scp03_session started = begun(a), s = before_7(a);
	struct scp03_initialized i;
	uint8_t reason;

	cr_assert(scp03t_segment_build(&s, known(a, SESSION_7_PLAIN), &b));
	/* Diversification data say nothing in a session: behind them every bit counts. */
	for (size_t bit = 0; bit < initialized.len * 8; bit++) {
		uint8_t *changed = arena_memdup(a, initialized.data, initialized.len);
		bool is_diversification = bit / 8 >= 2 && bit / 8 < 2 + SCP03_DIVERSIFICATION;

		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_eq(scp03t_initialized_open(&started, (struct bytes){ changed, initialized.len }, &i, &reason) ==
				     SCP03_GOOD,
			     is_diversification, "bit %zu", bit);
	}
	for (size_t bit = 0; bit < answer.len * 8; bit++) {
		uint8_t *changed = arena_memdup(a, answer.data, answer.len);

		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_neq(scp03t_segment_open(a, &s, NULL, (struct bytes){ changed, answer.len }, &out, &reason), SCP03_GOOD,
			      "bit %zu", bit);
	}
}

Test(scp03t, what_is_wrong_with_the_answer_to_84_is_told)
{
	static const struct {
		const char *in;
		enum scp03_verdict verdict;
	} bad[] = {
		{ "842000000000000000000000310370" SESSION_CARD_CHALLENGE "658FB2F3A682BBF6000001", SCP03_OTHER_KEYS },
		{ "842000000000000000000000300270" SESSION_CARD_CHALLENGE "658FB2F3A682BBF6000001", SCP03_OTHER_KEYS },
		{ "842000000000000000000000300360" SESSION_CARD_CHALLENGE "658FB2F3A682BBF6000001", SCP03_OTHER_KEYS },
		{ "842000000000000000000000300370" SESSION_CARD_CHALLENGE "658FB2F3A682BBF6000002", SCP03_OTHER_SEQUENCE },
		{ "842000000000000000000000300370"
		  "15039B88CF1C9557"
		  "658FB2F3A682BBF6000001",
		  SCP03_BAD_CHALLENGE },
		{ "842000000000000000000000300370" SESSION_CARD_CHALLENGE "658FB2F3A682BBF7000001", SCP03_BAD_CRYPTOGRAM },
		{ "841F000000000000000000300370" SESSION_CARD_CHALLENGE "658FB2F3A682BBF6000001", SCP03_MALFORMED },
		{ SESSION_84_ANSWER "00", SCP03_MALFORMED },
		{ "8500", SCP03_MALFORMED },
		{ "", SCP03_MALFORMED },
		{ "9F440103", SCP03_REFUSED },
		{ "9F4400", SCP03_MALFORMED },
		{ "9F450103", SCP03_MALFORMED },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp03_session s = begun(a), closed = { 0 };
	struct scp03_initialized answer;
	uint8_t reason = 0;

	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert_eq(scp03t_initialized_open(&s, known(a, bad[i].in), &answer, &reason), bad[i].verdict, "%s", bad[i].in);
	cr_assert_eq(reason, SCP03T_REFERENCE);
	(void)scp03t_initialized_open(&s, known(a, bad[3].in), &answer, &reason);
	cr_assert_eq(answer.sequence, 2, "the host can begin again with it");
	cr_assert_eq(scp03t_initialized_open(&closed, known(a, SESSION_84_ANSWER), &answer, &reason), SCP03_WRONG_STATE);
}

Test(scp03t, replayed_reordered_and_early_segments_end_the_session)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_session host = before_7(a), card = host;
	struct bytes first, second;
	struct secret plain = { 0 };

	cr_assert(scp03t_segment_build(&host, known(a, "01"), &b));
	first = built_bytes(a, &b);
	cr_assert(scp03t_segment_build(&host, known(a, "02"), &b));
	second = built_bytes(a, &b);
	cr_assert_eq(scp03t_segment(&card, value_of(first), &plain), SCP03T_OK);
	secret_free(&plain);
	cr_assert_eq(scp03t_segment(&card, value_of(first), &plain), SCP03T_SECURITY, "again");
	cr_assert_eq(scp03t_segment(&card, value_of(second), &plain), SCP03T_SECURITY, "the session has ended");
	card = before_7(a);
	cr_assert_eq(scp03t_segment(&card, value_of(second), &plain), SCP03T_SECURITY, "out of order");
	card = begun(a);
	cr_assert_eq(scp03t_segment(&card, value_of(first), &plain), SCP03T_SECURITY, "not authenticated");
	card = before_7(a);
	cr_assert_eq(scp03t_authenticate(&card, value_of(known(a, SESSION_85))), SCP03T_SECURITY, "authenticated already");
	cr_assert_null(plain.data);
}

Test(scp03t, wrong_lengths_and_levels_are_refused)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes segment = value_of(known(a, SESSION_7)), authenticate = value_of(known(a, SESSION_85));
	struct bytes initialize = value_of(known(a, SESSION_84));
	uint8_t *large = arena_alloc(a, SCP03T_CIPHER_MAX + AES_BLOCK + SCP03_MAC);
	struct scp03_initialize asked;
	struct scp03_session s;
	struct secret plain = { 0 };

	for (size_t n = 0; n < segment.len; n++) {
		bool is_whole = n >= AES_BLOCK + SCP03_MAC && (n - SCP03_MAC) % AES_BLOCK == 0;

		s = before_7(a);
		cr_assert_eq(scp03t_segment(&s, (struct bytes){ segment.data, n }, &plain),
			     is_whole ? SCP03T_SECURITY : SCP03T_LENGTH);
	}
	s = before_7(a);
	cr_assert_eq(scp03t_segment(&s, (struct bytes){ large, SCP03T_CIPHER_MAX + AES_BLOCK + SCP03_MAC }, &plain), SCP03T_LENGTH);
	for (size_t n = 0; n < authenticate.len; n++) {
		s = begun(a);
		cr_assert_eq(scp03t_authenticate(&s, (struct bytes){ authenticate.data, n }), SCP03T_LENGTH);
	}
	for (size_t n = 0; n < initialize.len; n++)
		cr_assert_eq(scp03t_initialize_parse((struct bytes){ initialize.data, n }, &asked), SCP03T_LENGTH);
}

static bool card_takes(struct bytes in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(secret_free) struct secret plain = { 0 };
	struct scp03_session started = begun(a), s = before_7(a);
	struct scp03_initialize asked;
	struct tlv t;

	return tlv_next(&in, &t) &&
	       (scp03t_segment(&s, t.value, &plain) == SCP03T_OK || scp03t_authenticate(&started, t.value) == SCP03T_OK ||
		scp03t_initialize_parse(t.value, &asked) == SCP03T_OK);
}

static bool host_takes(struct bytes in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_session started = begun(a), s = before_7(a);
	struct scp03_initialized answer;
	struct bytes out;
	uint8_t reason;

	cr_assert(scp03t_segment_build(&s, known(a, SESSION_7_PLAIN), &b));
	return scp03t_initialized_open(&started, in, &answer, &reason) == SCP03_GOOD ||
	       scp03t_segment_open(a, &s, NULL, in, &out, &reason) == SCP03_GOOD;
}

Test(scp03t, noise_is_read_to_its_end_and_no_further)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		parser parse;
		const char *in;
	} inputs[] = {
		{ card_takes, SESSION_7 },         { card_takes, SESSION_85 },       { card_takes, SESSION_84 },
		{ host_takes, SESSION_84_ANSWER }, { host_takes, SESSION_7_ANSWER },
	};

	for (size_t i = 0; i < LEN(inputs); i++) {
		cr_assert(parse_exactly(inputs[i].parse, known(a, inputs[i].in)), "%s", inputs[i].in);
		cr_assert_eq(beginnings_taken(inputs[i].parse, known(a, inputs[i].in)), 0, "%s", inputs[i].in);
		cr_assert_lt(mutate(inputs[i].parse, known(a, inputs[i].in), 2000), 2000);
	}
}

Test(scp03t, errors_of_the_card_are_said_and_read)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp03_session s = before_7(a);
	struct bytes out;
	uint8_t reason = 0;

	scp03t_error_build(&b, SCP03T_INITIALIZE, SCP03T_REFERENCE);
	cr_assert_str_eq(built(a, &b), "9F440103");
	scp03t_error_build(&b, SCP03T_AUTHENTICATE, SCP03T_SECURITY);
	cr_assert_str_eq(built(a, &b), "9F450102");
	scp03t_error_build(&b, SCP03T_SEGMENT, SCP03T_LENGTH);
	cr_assert_str_eq(built(a, &b), "9F460101");
	cr_assert_eq(scp03t_authenticated_open(&s, known(a, "9F450102"), &reason), SCP03_REFUSED);
	cr_assert_eq(reason, SCP03T_SECURITY);
	cr_assert_eq(scp03t_segment_open(a, &s, NULL, known(a, "9F460101"), &out, &reason), SCP03_REFUSED);
	cr_assert_eq(reason, SCP03T_LENGTH);
	cr_assert_eq(scp03t_segment_open(a, &s, NULL, known(a, "8600"), &out, &reason), SCP03_GOOD);
	cr_assert_eq(out.len, 0);
	cr_assert_eq(scp03t_segment_open(a, &s, NULL, known(a, "8500"), &out, &reason), SCP03_MALFORMED);
	cr_assert_eq(scp03t_segment_open(a, &s, NULL, known(a, "860101"), &out, &reason), SCP03_MALFORMED);
	for (uint8_t r = SCP03T_LENGTH; r <= SCP03T_REFERENCE; r++)
		cr_assert(strcmp(scp03t_reason_text(r), "unknown reason"));
	cr_assert_str_eq(scp03t_reason_text(9), "unknown reason");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Connectivity parameters to an ISD-P: what may be in them, and the session that carries them, against the card's side of SCP03. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/tlv.h"
#include "services/sm-dp/connectivity.h"

enum { COUNTED = 5 };

static struct bytes view(const struct buf *b)
{
	return (struct bytes){ (const uint8_t *)b->data, b->len };
}

static bool ok(const char *hex)
{
	uint8_t data[256];

	cr_assert(hex_decode(hex, strlen(hex), data));
	return connectivity_ok((struct bytes){ data, strlen(hex) / 2 });
}

Test(connectivity_card, what_may_be_in_them)
{
	uint8_t most[CONNECTIVITY_MAX + 1] = { 0xA2, 0x81, CONNECTIVITY_MAX - 3 };

	cr_expect(ok("A000"));
	cr_expect(ok("A0070605912143F50F"));
	cr_expect_not(ok("A20106A0010607"), "a rest that is no TLV");
	cr_expect(ok("A20106A00106A10106"), "in any order");
	cr_expect_not(ok(""));
	cr_expect_not(ok("A30106"));
	cr_expect_not(ok("9F0106"));
	cr_expect_not(ok("A00206"), "cut off");
	cr_expect_not(ok("A00106A00106"), "twice");
	cr_expect(connectivity_ok((struct bytes){ most, CONNECTIVITY_MAX }));
	most[2]++;
	cr_expect_not(connectivity_ok((struct bytes){ most, CONNECTIVITY_MAX + 1 }));
}

/* A card whose counter stands at `counted` before the session. */
struct card {
	struct card_keys keys;
	struct aid isdp;
	uint32_t counted;
	uint16_t sw; /* of STORE DATA */
	struct scp03_session s;
	uint8_t stored[3 + CONNECTIVITY_MAX];
	size_t n_stored;
};

static struct apdu command_next(struct bytes *script)
{
	struct apdu c;
	struct tlv t;

	cr_assert(tlv_next(script, &t));
	cr_assert_eq(t.tag, 0x22);
	cr_assert(apdu_parse(t.value, &c));
	return c;
}

static void answer_add(struct buf *out, struct buf *data, uint16_t sw)
{
	buf_char(data, (char)(sw >> 8));
	buf_char(data, (char)(sw & 0xFF));
	tlv_add(out, 0x23, data->data, data->len);
	buf_clear(data);
}

static uint16_t store(struct card *card, const struct apdu *secured, struct buf *answer)
{
	CLEANUP(secret_free) struct secret data = { 0 };
	struct apdu plain;

	cr_assert_eq(scp03_unwrap(&card->s, secured, &plain, &data), SW_OK);
	cr_assert(plain.ins == 0xE2 && plain.p1 == 0x88 && plain.p2 == 0);
	cr_assert_leq(plain.data.len, sizeof(card->stored));
	memcpy(card->stored, plain.data.data, plain.data.len);
	card->n_stored = plain.data.len;
	if (card->sw == SW_OK)
		cr_assert(scp03_answer_build(&card->s, (struct bytes){ 0 }, card->sw, answer));
	return card->sw;
}

/* As cards do, it ends the script at the first error. */
static void execute(struct card *card, struct bytes script, struct buf *out)
{
	CLEANUP(buf_free) struct buf answer = { 0 };
	struct scp03_initialize asked;
	struct apdu c = command_next(&script);
	uint16_t sw;

	cr_assert_eq(scp03_initialize_parse(&c, &asked), SW_OK);
	cr_assert(scp03_begin(&card->s, &card->keys, &card->isdp, ++card->counted, asked.host_challenge));
	scp03_initialized_build(&answer, &card->s);
	answer_add(out, &answer, SW_OK);
	c = command_next(&script);
	sw = scp03_authenticate(&card->s, &c);
	answer_add(out, &answer, sw);
	if (sw != SW_OK)
		return;
	c = command_next(&script);
	cr_assert_eq(script.len, 0);
	sw = store(card, &c, &answer);
	answer_add(out, &answer, sw);
}

/* Its side of the session, and the card's. */
static void open_both(struct connectivity_session *in, struct card *card, struct bytes parameters)
{
	*in = (struct connectivity_session){ .keys = { .kvn = 0x30, .enc = { 1 }, .mac = { 2 }, .dek = { 3 } },
					     .isdp = { .len = 16, .data = { 0xA0, 0, 0, 5, 0x59, 0x10, 0x10 } },
					     .sequence = COUNTED + 1,
					     .challenge = { 8, 7, 6 },
					     .parameters = parameters };
	*card = (struct card){ .keys = in->keys, .isdp = in->isdp, .counted = COUNTED, .sw = SW_OK };
}

static result run(struct arena *a, const struct connectivity_session *in, struct card *card, struct buf *answers,
		  uint32_t *out_sequence)
{
	CLEANUP(buf_free) struct buf script = { 0 };

	cr_assert(connectivity_build(&script, in));
	buf_clear(answers);
	execute(card, view(&script), answers);
	return connectivity_read(a, in, view(answers), out_sequence);
}

Test(connectivity_card, a_card_stores_them)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf answers = { 0 };
	CLEANUP(buf_free) struct buf within = { 0 };
	uint8_t most[CONNECTIVITY_MAX] = { 0xA2, 0x81, CONNECTIVITY_MAX - 3 };
	struct connectivity_session in;
	struct card card;
	uint32_t sequence;

	open_both(&in, &card, (struct bytes){ most, sizeof(most) });
	cr_assert_eq(run(a, &in, &card, &answers, &sequence), OK);
	cr_expect_eq(sequence, 0);
	cr_assert_eq(card.n_stored, 3 + sizeof(most));
	cr_expect(!memcmp(card.stored, (const uint8_t[]){ 0x3A, 0x07, CONNECTIVITY_MAX }, 3));
	cr_expect(!memcmp(card.stored + 3, most, sizeof(most)));
	/* In its container (procedures.md 4.9), too. */
	tlv_add(&within, 0xAB, answers.data, answers.len);
	cr_expect_eq(connectivity_read(a, &in, view(&within), &sequence), OK);
}

Test(connectivity_card, what_does_not_verify_is_not_believed)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf answers = { 0 };
	uint8_t parameters[] = { 0xA0, 0 };
	struct connectivity_session in;
	struct card card;
	uint32_t sequence;
	result r;

	open_both(&in, &card, (struct bytes){ parameters, sizeof(parameters) });
	cr_assert_eq(run(a, &in, &card, &answers, &sequence), OK);
	answers.data[answers.len - 3] ^= 1; /* the R-MAC's last byte, before the status word */
	r = connectivity_read(a, &in, view(&answers), &sequence);
	cr_assert(r && r->code == CODE_ISDP_KEY_INVALID);
	cr_expect_not_null(strstr(r->message, "STORE DATA"), "%s", r->message);
	answers.data[answers.len - 3] ^= 1;
	answers.data[2 + 21] ^= 1; /* of the card's cryptogram */
	r = connectivity_read(a, &in, view(&answers), &sequence);
	cr_assert(r && r->code == CODE_ISDP_KEY_INVALID);
	cr_expect_not_null(strstr(r->message, "INITIALIZE UPDATE"), "%s", r->message);
	cr_expect_eq(sequence, 0);
	for (size_t n = 0; n < answers.len; n++) {
		r = connectivity_read(a, &in, (struct bytes){ (const uint8_t *)answers.data, n }, &sequence);
		cr_expect(r && (r->code == CODE_ISDP_KEY_INVALID || r->code == CODE_CARD_ERROR), "%zu bytes", n);
	}
}

Test(connectivity_card, a_card_that_counted_otherwise_says_so)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf answers = { 0 };
	uint8_t parameters[] = { 0xA0, 0 };
	struct connectivity_session in;
	struct card card;
	uint32_t sequence;
	result r;

	open_both(&in, &card, (struct bytes){ parameters, sizeof(parameters) });
	card.counted = 9;
	r = run(a, &in, &card, &answers, &sequence);
	cr_assert(r && r->code == CODE_ISDP_KEY_INVALID);
	cr_expect_eq(sequence, 10);
	cr_expect_eq(card.n_stored, 0, "nothing was stored");
	answers.data[2 + 21] ^= 1; /* of its cryptogram: anybody may have said it */
	r = connectivity_read(a, &in, view(&answers), &sequence);
	cr_assert(r && r->code == CODE_ISDP_KEY_INVALID);
	cr_expect_eq(sequence, 0);
	in.sequence = card.counted + 1;
	cr_expect_eq(run(a, &in, &card, &answers, &sequence), OK);
	cr_expect_eq(card.n_stored, 5);
}

Test(connectivity_card, a_refusal_names_command_and_status_word)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf answers = { 0 };
	uint8_t parameters[] = { 0xA0, 0 };
	struct connectivity_session in;
	struct card card;
	uint32_t sequence;
	result r;

	open_both(&in, &card, (struct bytes){ parameters, sizeof(parameters) });
	card.sw = SW_BAD_DATA;
	r = run(a, &in, &card, &answers, &sequence);
	cr_assert(r && r->code == CODE_CARD_ERROR);
	cr_expect_not_null(strstr(r->message, "STORE DATA"), "%s", r->message);
	cr_expect_not_null(strstr(r->message, "6A80"), "%s", r->message);
}

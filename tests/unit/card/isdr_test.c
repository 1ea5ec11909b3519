/* SPDX-License-Identifier: Apache-2.0 */
/* Two SM-SRs and a card: the key set of the new one, and what it then changes on the ISD-R. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/random.h"
#include "common/card/isdr_agreement.h"
#include "common/card/isdr_handover.h"
#include "tests/unit/card/known.h"

/* One handover: the new SM-SR signs, the old one relays, the card has an ECASD. */
struct handover {
	struct arena *a;
	struct ec_key *sr2, *ecasd;
	uint8_t sr2_point[P256_POINT], ecasd_point[P256_POINT];
	uint8_t rc[KA_CHALLENGE_MAX];
	size_t n_rc;
	struct ka_identity identity;
	struct ka_host host;
	struct isdr_offer offer;
	struct buf apdu; /* what the old SM-SR made of it */
};

static void handover_free(struct handover *h)
{
	ec_key_free(h->sr2);
	ec_key_free(h->ecasd);
	ka_host_wipe(&h->host);
	buf_free(&h->apdu);
	arena_free(h->a);
}

static struct handover meet(size_t n_rc)
{
	struct handover h = { .a = arena_new(),
			      .sr2 = ec_key_new(),
			      .ecasd = ec_key_new(),
			      .n_rc = n_rc,
			      .identity = { { { 0x42, 0x01 }, 2 }, { { 0x45, 0x02, 0x03 }, 3 } } };

	ec_key_public(h.sr2, h.sr2_point);
	ec_key_public(h.ecasd, h.ecasd_point);
	random_bytes(h.rc, sizeof(h.rc));
	return h;
}

static struct bytes rc_of(const struct handover *h)
{
	return (struct bytes){ h->rc, h->n_rc };
}

static void sign(struct handover *h)
{
	cr_assert(isdr_agreement_offer(&h->host, rc_of(h), h->sr2, h->a, &h->offer));
}

static enum ka_verdict relay(struct handover *h)
{
	buf_clear(&h->apdu);
	return isdr_agreement_request(&h->offer, &h->identity.sdin, rc_of(h), h->sr2_point, &h->apdu);
}

/* The card takes it, and the new SM-SR its answer by way of ES7: both have the same keys. */
static void agreed(struct handover *h)
{
	struct card_keys card_keys, sr2_keys;
	struct ka_answer made, read;
	struct ka_received r;
	struct apdu c;

	cr_assert(apdu_parse((struct bytes){ (const uint8_t *)h->apdu.data, h->apdu.len }, &c));
	cr_assert_eq(ka_request_parse(&c, &r), SW_OK);
	cr_assert_eq(ka_card_agree(&r, rc_of(h), h->sr2_point, h->ecasd, &h->identity, &card_keys, &made), KA_GOOD);
	cr_assert(isdr_agreement_answer((struct bytes){ made.dr, made.has_dr ? KA_DR : 0 },
					(struct bytes){ made.receipt, KA_RECEIPT }, &read));
	cr_assert_eq(ka_host_finish(&h->host, h->ecasd_point, &h->identity, &read, &sr2_keys), KA_GOOD);
	cr_assert(!memcmp(&card_keys, &sr2_keys, sizeof(card_keys)) && card_keys.kvn == h->host.template.kvn);
	read.receipt[5] ^= 4;
	cr_assert_eq(ka_host_finish(&h->host, h->ecasd_point, &h->identity, &read, &sr2_keys), KA_BAD_RECEIPT);
}

Test(isdr_agreement, two_sm_srs_and_a_card_agree_in_every_scenario)
{
	static const uint8_t scenarios[] = { 0, KA_WITH_DR, KA_WITH_HOST_ID, KA_WITH_DR | KA_WITH_HOST_ID, KA_DELETE_KEYS };
	static const int64_t counters[] = { 0, 1, 0x123456, INT64_C(0xFFFFFFFFFF) };
	static const uint8_t host_id[] = { 1, 2, 3 };

	for (size_t s = 0; s < LEN(scenarios); s++) {
		for (size_t n = 0; n < LEN(counters); n++) {
			CLEANUP(handover_free) struct handover h = meet(n % 2 ? KA_CHALLENGE_MAX : KA_CHALLENGE_MIN);
			bool with_host = scenarios[s] & KA_WITH_HOST_ID;

			cr_assert(isdr_agreement_start(&h.host, (uint8_t)(1 + s + n), counters[n], scenarios[s],
						       (struct bytes){ host_id, with_host ? sizeof(host_id) : 0 }));
			sign(&h);
			cr_assert(h.offer.scenario == (scenarios[s] | KA_CERTIFIED) && h.offer.counter == counters[n]);
			cr_assert_eq(h.offer.host_id.len, with_host ? 3 : 0);
			cr_assert_eq(relay(&h), KA_GOOD, "%zu %zu", s, n);
			agreed(&h);
		}
	}
}

/* Another SM-SR2 may write what the sheets leave open in its own way. */
Test(isdr_agreement, what_the_signature_was_made_over_is_found)
{
	static const uint8_t lengths[] = { 0, 2, 3, 5, 8 };

	for (unsigned variant = 0; variant < 4 * LEN(lengths); variant++) {
		CLEANUP(handover_free) struct handover h = meet(KA_CHALLENGE_MIN);
		CLEANUP(buf_free) struct buf wrapped = { 0 };
		struct ka_template t = ka_template_isdr(0x03);
		uint8_t length = lengths[variant / 4];

		t.n_counter = length;
		if (length)
			t.counter[length - 1] = 9;
		if (variant & 1) {
			t.scenario |= KA_WITH_HOST_ID;
			t.host_id = (struct ka_name){ { 7, 7 }, 2 };
			t.sdin = h.identity.sdin;
		}
		cr_assert(ka_host_start(&h.host, &t));
		h.host.form = variant & 2 ? KA_POINT_WRAPPED : KA_POINT_BARE;
		sign(&h);
		if (variant & 2) { /* and the point as it stands in 7F49 */
			buf_add(&wrapped, "\x7F\x49\x46\xB0\x41", 5);
			buf_add(&wrapped, h.offer.point.data, h.offer.point.len);
			buf_add(&wrapped, "\xF0\x01\0", 3);
			h.offer.point = (struct bytes){ (const uint8_t *)wrapped.data, wrapped.len };
		}
		cr_assert_eq(relay(&h), KA_GOOD, "variant %u", variant);
		agreed(&h);
	}
}

Test(isdr_agreement, what_was_not_signed_is_not_relayed)
{
	CLEANUP(handover_free) struct handover h = meet(KA_CHALLENGE_MIN);
	const uint8_t other[] = { 9 };
	struct isdr_offer good;
	uint8_t *signature;

	cr_assert(isdr_agreement_start(&h.host, 0x02, 5, 0, (struct bytes){ 0 }));
	sign(&h);
	good = h.offer;
	h.offer.kvn = 0x03;
	cr_assert_eq(relay(&h), KA_BAD_SIGNATURE);
	h.offer = good;
	h.offer.counter++;
	cr_assert_eq(relay(&h), KA_BAD_SIGNATURE);
	h.offer = good;
	h.offer.scenario |= KA_WITH_DR;
	cr_assert_eq(relay(&h), KA_BAD_SIGNATURE);
	h.offer = good;
	h.offer.scenario |= KA_WITH_HOST_ID;
	cr_assert_eq(relay(&h), KA_UNSUPPORTED, "without a host id");
	h.offer.host_id = (struct bytes){ other, 1 };
	cr_assert_eq(relay(&h), KA_BAD_SIGNATURE);
	h.offer = good;
	h.rc[0] ^= 1;
	cr_assert_eq(relay(&h), KA_BAD_SIGNATURE, "over another challenge");
	h.rc[0] ^= 1;
	signature = arena_memdup(h.a, good.signature.data, P256_SIGNATURE);
	signature[40] ^= 1;
	h.offer.signature.data = signature;
	cr_assert_eq(relay(&h), KA_BAD_SIGNATURE);
	h.offer = good;
	h.sr2_point[3] ^= 1;
	cr_assert_eq(relay(&h), KA_BAD_SIGNATURE, "by another SM-SR");
	cr_assert_eq(h.apdu.len, 0, "nothing was built");
	h.sr2_point[3] ^= 1;
	cr_assert_eq(relay(&h), KA_GOOD);
}

Test(isdr_agreement, what_cannot_be_is_told_from_what_is_wrong)
{
	CLEANUP(handover_free) struct handover h = meet(KA_CHALLENGE_MIN);
	struct ka_answer answer;
	struct isdr_offer good;

	cr_assert(!isdr_agreement_start(&h.host, 0x00, 0, 0, (struct bytes){ 0 }));
	cr_assert(!isdr_agreement_start(&h.host, 0x10, 0, 0, (struct bytes){ 0 }), "no key version of SCP80");
	cr_assert(!isdr_agreement_start(&h.host, 0x01, -1, 0, (struct bytes){ 0 }));
	cr_assert(!isdr_agreement_start(&h.host, 0x01, INT64_C(1) << 40, 0, (struct bytes){ 0 }));
	cr_assert(!isdr_agreement_start(&h.host, 0x01, 0, 0x10, (struct bytes){ 0 }));
	cr_assert(!isdr_agreement_start(&h.host, 0x01, 0, 0, (struct bytes){ h.rc, 2 }), "a host id that the scenario has not");
	cr_assert(isdr_agreement_start(&h.host, 0x01, 0, 0, (struct bytes){ 0 }));
	cr_assert(!isdr_agreement_offer(&h.host, (struct bytes){ h.rc, 17 }, h.sr2, h.a, &h.offer));
	sign(&h);
	good = h.offer;
	h.offer.kvn = 0x40;
	cr_assert_eq(relay(&h), KA_UNSUPPORTED);
	h.offer = good;
	h.offer.counter = -1;
	cr_assert_eq(relay(&h), KA_UNSUPPORTED);
	h.offer = good;
	h.offer.scenario |= 0x40;
	cr_assert_eq(relay(&h), KA_UNSUPPORTED);
	h.offer = good;
	h.offer.point.len--;
	cr_assert_eq(relay(&h), KA_MALFORMED);
	h.offer = good;
	h.offer.signature.len--;
	cr_assert_eq(relay(&h), KA_MALFORMED);
	cr_assert(!isdr_agreement_answer((struct bytes){ 0 }, (struct bytes){ h.rc, 15 }, &answer));
	cr_assert(!isdr_agreement_answer((struct bytes){ h.rc, 15 }, (struct bytes){ h.rc, 16 }, &answer));
	cr_assert(!isdr_agreement_answer((struct bytes){ 0 }, (struct bytes){ 0 }, &answer), "as in a failure");
}

/* ---- PUT KEY ---- */

#define DEK "000102030405060708090A0B0C0D0E0F"
#define PUT_KEY                                                                \
	"80D800812F41 851110 07FEEF74E1D5036E900EEE118E949293 03CA148D 881110" \
	" 5BE87E2E5B447C944B21C9AF7756C0D8 03840DE5 00"

static struct scp81_keys some_keys(void)
{
	struct scp81_keys k = { .kvn = 0x41 };

	for (uint8_t i = 0; i < AES_KEY; i++) {
		k.psk[i] = 0x10 + i;
		k.dek[i] = 0x20 + i;
	}
	return k;
}

static bool put_key_parses(struct bytes in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp81_keys k;
	struct apdu c;

	return apdu_parse(in, &c) && isdr_change_of(&c) == ISDR_PUT_KEY && isdr_put_key_parse(&c, known(a, DEK).data, &k) == SW_OK;
}

/* Its bytes were computed with other tools (AES-CBC, AES-ECB, SHA-1). */
Test(isdr_handover, put_key_has_the_known_bytes)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp81_keys k = some_keys(), read = { 0 };
	struct bytes dek = known(a, DEK);
	struct apdu c;

	cr_assert(isdr_put_key_build(&b, &k, dek.data));
	cr_assert_str_eq(built(a, &b), plain(a, PUT_KEY));
	cr_assert(apdu_parse(known(a, PUT_KEY), &c));
	cr_assert_eq(isdr_change_of(&c), ISDR_PUT_KEY);
	cr_assert_eq(isdr_put_key_parse(&c, dek.data, &read), SW_OK);
	cr_assert(!memcmp(&read, &k, sizeof(k)));
	buf_clear(&b);
	cr_assert(isdr_put_key_answer_build(&b, &k));
	cr_assert_str_eq(built(a, &b), "41CA148D840DE5");
	cr_assert(isdr_put_key_answered(known(a, "41CA148D840DE5"), &k));
	cr_assert(!isdr_put_key_answered(known(a, "41CA148D840DE4"), &k));
	cr_assert(!isdr_put_key_answered(known(a, "41"), &k));
	cr_assert(!isdr_put_key_answered((struct bytes){ 0 }, &k));
}

Test(isdr_handover, put_key_under_another_key_or_changed_is_refused)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct bytes good = known(a, PUT_KEY);
	struct scp81_keys k = some_keys(), untouched = { .kvn = 0x77 };
	struct apdu c;

	for (size_t i = 0; i < good.len; i++) { /* every byte but the key version, which is any of the range, and Le */
		uint8_t *changed = arena_memdup(a, good.data, good.len);

		changed[i] ^= 0x20;
		if (i != 5 && i + 1 != good.len)
			cr_assert(!parse_exactly(put_key_parses, (struct bytes){ changed, good.len }), "byte %zu", i);
	}
	cr_assert_eq(beginnings_taken(put_key_parses, good), 1, "but for Le");
	(void)mutate(put_key_parses, good, 2000);
	cr_assert(apdu_parse(good, &c));
	cr_assert_eq(isdr_put_key_parse(&c, k.psk, &untouched), SW_BAD_DATA, "another key");
	cr_assert_eq(untouched.kvn, 0x77);
	for (unsigned i = 0; i < 2; i++) {
		k.kvn = i ? 0x50 : 0x3F;
		cr_assert(!isdr_put_key_build(&b, &k, known(a, DEK).data), "no key version of SCP81");
	}
	cr_assert_eq(b.len, 0);
}

/* ---- addresses ---- */

#define HTTPS_PART "8330 8413 350103 390205DC 3C03021151 3E0521C0000201 850400024001 86070003A503005000 890A 8A0168 8B0161 8C022F75"

static uint16_t addressing_of(struct bytes in, struct isdr_addressing *out)
{
	struct apdu c;

	if (!apdu_parse(in, &c))
		return SW_WRONG_LENGTH;
	cr_assert_eq(isdr_change_of(&c), ISDR_ADDRESSING);
	return isdr_addressing_parse(&c, out);
}

static bool addressing_parses(struct bytes in)
{
	struct isdr_addressing p;
	struct apdu c;

	return apdu_parse(in, &c) && isdr_change_of(&c) == ISDR_ADDRESSING && isdr_addressing_parse(&c, &p) == SW_OK;
}

Test(isdr_handover, addresses_have_the_known_bytes)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	const struct isdr_addressing p = { .number = "+49151",
					   .has_http = true,
					   .http = { .address = 0xC0000201,
						     .port = 4433,
						     .kvn = 0x40,
						     .key_id = 1,
						     .retries = 3,
						     .retry_delay_s = 300,
						     .host = { (const uint8_t *)"h", 1 },
						     .agent = { (const uint8_t *)"a", 1 },
						     .uri = { (const uint8_t *)"/u", 2 } } };
	struct isdr_addressing read;

	cr_assert(isdr_addressing_build(&b, &p));
	cr_assert_str_eq(built(a, &b), plain(a, "80E288003D 3A073A A338 8104 91 9451F1 " HTTPS_PART));
	cr_assert_eq(addressing_of(known(a, "80E288003D 3A073A A338 8104 91 9451F1 " HTTPS_PART), &read), SW_OK);
	cr_assert(read.has_http && read.http.address == p.http.address && read.http.port == 4433 && read.http.kvn == 0x40);
	cr_assert(read.http.uri.len == 2 && !memcmp(read.http.uri.data, "/u", 2));
	cr_assert_str_eq(read.number, "+49151");
}

Test(isdr_handover, each_address_may_stand_alone_and_nothing_may_not)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const char *const numbers[] = { "1", "12", "+1", "12345678901234567890" };
	struct isdr_addressing p = { 0 }, read;

	for (size_t i = 0; i < LEN(numbers); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };

		strcpy(p.number, numbers[i]);
		cr_assert(isdr_addressing_build(&b, &p));
		cr_assert_eq(addressing_of(built_bytes(a, &b), &read), SW_OK);
		cr_assert_str_eq(read.number, numbers[i]);
		cr_assert(!read.has_http);
	}
	for (unsigned i = 0; i < 4; i++) {
		CLEANUP(buf_free) struct buf b = { 0 };

		strcpy(p.number, ((const char *[]){ "", "+", "12a", "0 1" })[i]);
		cr_assert(!isdr_addressing_build(&b, &p) && b.len == 0, "%s", p.number);
	}
	p = (struct isdr_addressing){ .has_http = true, .http.uri = { arena_alloc(a, 300), 300 } };
	CLEANUP(buf_free) struct buf b = { 0 };
	cr_assert(!isdr_addressing_build(&b, &p) && b.len == 0, "it does not fit");
}

Test(isdr_handover, addresses_are_read_strictly)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const char *const wrong[] = {
		"80E288003A073A07",                    /* cut off */
		"80E2880005 3A0702 A400",              /* not of an SM-SR */
		"80E288000A 3A0706 A304 8102 9121 AA", /* behind it something */
		"80E2880009 3A0706 A304 8102 5521",    /* type of number */
		"80E2880009 3A0706 A304 8102 91A1",    /* no digit */
		"80E288000A 3A0707 A305 8103 91F121",  /* an end amid it */
		"80E2880009 3A0706 A304 8300 8300",    /* twice, and empty */
	};
	struct isdr_addressing read = { .number = "1" };

	for (size_t i = 0; i < LEN(wrong); i++)
		cr_assert(!addressing_parses(known(a, wrong[i])), "%s", wrong[i]);
	cr_assert_eq(addressing_of(known(a, "80E2890009 3A0706 A304 8102 9121"), &read), SW_WRONG_P1P2);
	cr_assert_str_eq(read.number, "1", "untouched");
	cr_assert_eq(addressing_of(known(a, "80E288000B 3A0708 A306 8200 8102 9121"), &read), SW_OK, "CAT_TP is passed over");
	cr_assert_str_eq(read.number, "+12");
	(void)mutate(addressing_parses, known(a, "80E288003D 3A073A A338 8104 91 9451F1 " HTTPS_PART), 5000);
}

/* ---- the end of the old keys ---- */

static bool finalise_parses(struct bytes in)
{
	struct isdr_kept kept[ISDR_KEPT_MAX];
	struct apdu c;
	size_t n;

	return apdu_parse(in, &c) && isdr_change_of(&c) == ISDR_FINALISE && isdr_finalise_parse(&c, kept, &n) == SW_OK;
}

Test(isdr_handover, finalise_lists_what_to_keep)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct isdr_kept kept[] = { { 0x01, 0x01, 0x03 }, { 0x41, 0x01, 0x02 } }, read[ISDR_KEPT_MAX];
	struct apdu c;
	size_t n;

	cr_assert(isdr_finalise_build(&b, kept, 2));
	cr_assert_str_eq(built(a, &b), plain(a, "80E400000A F203010103 F203410102 00"));
	cr_assert(apdu_parse(known(a, "80E400000A F203010103 F203410102 00"), &c));
	cr_assert_eq(isdr_change_of(&c), ISDR_FINALISE);
	cr_assert_eq(isdr_finalise_parse(&c, read, &n), SW_OK);
	cr_assert(n == 2 && !memcmp(read, kept, sizeof(kept)));
	cr_assert(isdr_kept_has(read, n, 1, 1) && isdr_kept_has(read, n, 1, 3) && isdr_kept_has(read, n, 0x41, 2));
	cr_assert(!isdr_kept_has(read, n, 1, 4) && !isdr_kept_has(read, n, 0x41, 3) && !isdr_kept_has(read, n, 2, 1));
	buf_clear(&b);
	cr_assert(!isdr_finalise_build(&b, kept, 0), "a card without keys would be nobody's");
	cr_assert(!isdr_finalise_build(&b, kept, ISDR_KEPT_MAX + 1));
	cr_assert_eq(b.len, 0);
}

Test(isdr_handover, finalise_is_read_strictly)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const char *const wrong[] = {
		"80E4000000",               /* nothing kept */
		"80E40000 05 F203010301",   /* from 3 to 1 */
		"80E40000 04 F2020101",     /* no last one */
		"80E40000 06 F20301010300", /* behind it something */
		"80E40000 05 F303010103",   /* another object */
		"80E40001 05 F203010103",
		"00E40000 05 F203010103",
	};

	for (size_t i = 0; i < LEN(wrong); i++)
		cr_assert(!finalise_parses(known(a, wrong[i])), "%s", wrong[i]);
	cr_assert(finalise_parses(known(a, "80E40000 05 F203010103")));
	(void)mutate(finalise_parses, known(a, "80E400000A F203010103 F203410102 00"), 2000);
}

Test(isdr_handover, other_commands_are_none_of_these)
{
	static const char *const others[] = { "80E40040124F10" ISDP_TEXT "00", "80E2880015 3A0312 4F10" ISDP_TEXT, CREATE_TEXT };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct apdu c;

	for (size_t i = 0; i < LEN(others); i++) {
		cr_assert(apdu_parse(known(a, others[i]), &c));
		cr_assert_eq(isdr_change_of(&c), ISDR_CHANGE_NONE, "%s", others[i]);
	}
}

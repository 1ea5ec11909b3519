/* SPDX-License-Identifier: Apache-2.0 */
/* A card as the EUM makes it is what an SM-SR and a card need. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/crypto/keys.h"
#include "common/soap/doc.h"
#include "common/soap/envelope.h"
#include "tests/unit/services/eum_fixture.h"

static struct eum_batch batch_of(struct fixture *f)
{
	struct eum_range *ranges;
	struct eum_batch batch;
	size_t n;

	cr_assert_eq(eum_order_check(f->a, &f->order, &f->facts, &batch, &ranges, &n), OK);
	batch.id = "0";
	return batch;
}

static struct eum_card card_of(struct fixture *f, const struct eum_batch *batch, int64_t index)
{
	struct eum_card card;
	const char *why = NULL;

	cr_assert(eum_card_make(f->a, &f->issuer, &f->transport, batch, index, clock_wall_us(), &card, &why), "%s",
		  why ? why : "?");
	return card;
}

/* What the SM-SR decodes from the wire. */
static struct es1_register_eis_rq sent(struct fixture *f, const struct eum_card *card)
{
	struct es1_register_eis_rq rq = { .base = { .fci = "x.1" }, .eis = card->eis }, got;
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(soap_doc_freep) struct soap_doc *doc = NULL;
	const struct bind_dialect dialect = { 0 };
	const char *why = NULL;
	result r;

	buf_str(&text, "<w xmlns:rps=\"" NS_RPS_DEFAULT "\">");
	bind_encode(&text, message_request(FN_ES1_RegisterEIS), &rq, BIND_PLAIN);
	buf_str(&text, "</w>");
	doc = soap_doc_parse(f->a, text.data, text.len, &SOAP_LIMITS, &why);
	cr_assert_not_null(doc, "%s", why ? why : "?");
	r = bind_decode(f->a, message_request(FN_ES1_RegisterEIS), soap_first(soap_doc_root(doc)), NS_RPS_DEFAULT, &dialect, &got);
	cr_assert_eq(r, OK, "%s", r ? r->message : "");
	return got;
}

static void check_keys(struct fixture *f, const struct eum_card *card, const struct eis *eis)
{
	size_t seen = 0;

	for (size_t s = 0; s < eis->isdr.n_keysets; s++) {
		const struct keyset *set = &eis->isdr.keysets[s];

		for (size_t i = 0; i < set->n_keys; i++, seen++) {
			const struct key *k = &set->keys[i];
			struct secret plain[2] = { 0 };
			uint8_t kcv[3];

			cr_assert_eq(transport_unwrap(&f->transport, k->components[0].value, plain) >= 1, true);
			cr_assert(key_kcv(k->components[0].type.data[0], plain[0].data, plain[0].len, kcv));
			cr_assert_arr_eq(kcv, k->kcv.data, 3);
			cr_assert_eq(card->keys[seen].version, set->version);
			cr_assert_eq(card->keys[seen].index, k->index);
			cr_assert_arr_eq(plain[0].data, card->keys[seen].key.data, EUM_KEY_LEN);
			secret_free(&plain[0]);
			secret_free(&plain[1]);
		}
	}
	cr_assert_eq(seen, card->n_keys);
}

static void check_certificate(struct fixture *f, const struct eum_card *card, const struct eis *eis)
{
	struct bytes tlv = eis->info.ecasd.keysets[0].certificates[0].value;
	CLEANUP(ec_key_freep) struct ec_key *ecasd = ec_key_from_scalar(&card->ecasd);
	uint8_t point[P256_POINT];
	struct gp_cert cert;

	cr_assert(gp_cert_verify(tlv, f->eum_point));
	cr_assert(gp_cert_parse(tlv, &cert));
	cr_assert_str_eq(hex_text(f->a, cert.subject.data, cert.subject.len), card->eid.text);
	cr_assert_str_eq(hex_text(f->a, cert.key_usage.data, cert.key_usage.len), "0080");
	cr_assert_str_eq(hex_text(f->a, cert.ca_id.data, cert.ca_id.len), "2B06010401868D1F01");
	cr_assert_eq(cert.authority.len, 20);
	cr_assert_arr_eq(cert.authority.data, f->issuer.key_id, 20);
	cr_assert_eq(atoi(cert.expires) / 10000 - atoi(cert.effective) / 10000, 30);
	ec_key_public(ecasd, point);
	cr_assert_arr_eq(cert.point, point, P256_POINT);
}

static void check_profiles(const struct eis *eis, int64_t index)
{
	const struct profile_info *p = eis->profiles;
	struct iccid again;
	char body[19] = { 0 };

	cr_assert_eq(eis->n_profiles, 2);
	for (size_t i = 0; i < 2; i++) {
		memcpy(body, p[i].iccid.text, 18);
		cr_assert(iccid_complete(body, &again));
		cr_assert_str_eq(again.text, p[i].iccid.text);
		cr_assert_null(p[i].smdp);
	}
	cr_assert(p[0].fallback && p[0].state == PROFILE_ENABLED && p[0].pol2.n_rules == 1);
	cr_assert(!p[1].fallback && p[1].state == PROFILE_DISABLED && p[1].pol2.n_rules == 0);
	cr_assert_eq(p[0].pol2.rules[0].action, POL2_DELETE);
	cr_assert_eq(p[0].pol2.rules[0].qualification, POL2_NOT_ALLOWED);
	cr_assert_eq(atoi(p[0].address.imsi + 5), (int)index + 1);
	cr_assert_eq(strlen(p[1].address.msisdn), 15);
	cr_assert_eq(eis->remaining_memory, 327680 - 65536 - 32768);
	cr_assert_eq(eis->available_memory, 327680);
}

Test(eum_card, is_what_an_sm_sr_takes)
{
	struct fixture f = fixture_make();
	struct eum_batch batch = batch_of(&f);
	struct eid eids[3];

	for (int64_t i = 0; i < 3; i++) {
		struct eum_card card = card_of(&f, &batch, i);
		struct es1_register_eis_rq got = sent(&f, &card);
		struct eis *eis = &got.eis;
		struct sig_result sig;
		result r = eis_check_registration(f.a, eis);

		cr_assert_eq(r, OK, "%s", r ? r->message : "");
		cr_assert(eid_parse(eis->info.eid.text, &eids[i]));
		cr_assert_eq(strncmp(eids[i].text, "890490320005008812", 18), 0);
		for (int64_t j = 0; j < i; j++)
			cr_assert(!eid_equal(&eids[i], &eids[j]));
		sig = xml_verify_eum(f.a, &eis->info_octets, 1, eis->signature_octets, f.ci_pem, (struct bytes){ 0 },
				     clock_wall_us());
		cr_assert_eq(sig.verdict, SIG_GOOD, "%s", sig.why ? sig.why : "");
		cr_assert_eq(eis->info_octets.len, card.eis.info_octets.len);
		cr_assert_arr_eq(eis->info_octets.data, card.eis.info_octets.data, eis->info_octets.len);
		check_keys(&f, &card, eis);
		check_certificate(&f, &card, eis);
		check_profiles(eis, i);
		cr_assert_str_eq(eis->properties->items[0].value, "4 & 2");
		eum_card_free(&card);
		cr_assert_null(card.ecasd.data);
	}
	fixture_drop(&f);
}

Test(eum_card, same_index_same_numbers_fresh_keys)
{
	struct fixture f = fixture_make();
	struct eum_batch batch = batch_of(&f);
	struct eum_card a = card_of(&f, &batch, 1), b = card_of(&f, &batch, 1);

	cr_assert(eid_equal(&a.eid, &b.eid));
	cr_assert(iccid_equal(&a.eis.profiles[0].iccid, &b.eis.profiles[0].iccid));
	cr_assert(memcmp(a.keys[0].key.data, b.keys[0].key.data, EUM_KEY_LEN) != 0);
	cr_assert(memcmp(a.ecasd.data, b.ecasd.data, a.ecasd.len) != 0);
	cr_assert(memcmp(a.keys[0].key.data, a.keys[1].key.data, EUM_KEY_LEN) != 0);
	eum_card_free(&a);
	eum_card_free(&b);
	fixture_drop(&f);
}

Test(eum_card, without_https_has_no_scp81_keys)
{
	struct fixture f = fixture_make();
	struct eum_batch batch;
	struct eum_card card;

	f.order.http_support = false;
	batch = batch_of(&f);
	card = card_of(&f, &batch, 0);
	cr_assert_eq(card.n_keys, 3);
	cr_assert_eq(card.eis.isdr.n_keysets, 1);
	cr_assert_null(card.eis.info.capabilities.http_version);
	sent(&f, &card);
	eum_card_free(&card);
	fixture_drop(&f);
}

Test(eum_card, number_beyond_its_digits_is_refused)
{
	struct fixture f = fixture_make();
	struct eum_batch batch = batch_of(&f);
	struct eum_card card;
	const char *why = NULL;

	batch.eid_first = 999999999999;
	cr_assert(!eum_card_make(f.a, &f.issuer, &f.transport, &batch, 1, clock_wall_us(), &card, &why));
	cr_assert_not_null(why);
	fixture_drop(&f);
}

Test(eum_card, ca_id_is_the_oid_or_the_key_id)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const uint8_t key_id[20] = { 1, 2, 3 };
	struct oid plain = oid_of("2.999.3"), outside = oid_of("7.1"),
		   longer = oid_of("1.3.6.1.4.1.99999.1.123456789.123456789.123456789.5");
	struct bytes id = eum_ca_id(a, &plain, key_id);

	cr_assert_str_eq(hex_text(a, id.data, id.len), "883703");
	id = eum_ca_id(a, &outside, key_id);
	cr_assert_eq(id.len, 16);
	cr_assert_arr_eq(id.data, key_id, 16);
	id = eum_ca_id(a, &longer, key_id);
	cr_assert_arr_eq(id.data, key_id, 16);
}

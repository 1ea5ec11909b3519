/* SPDX-License-Identifier: Apache-2.0 */
/* The key agreement against the recorded session, the two sides against each other, and what each must refuse. */
#include "common/card/key_agreement.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/random.h"
#include "tests/unit/card/known.h"
#include "tests/unit/card/session.h"

static struct ec_key *key_of(struct arena *a, const char *scalar_hex)
{
	CLEANUP(secret_free) struct secret scalar = secret_new(P256_SCALAR);
	struct ec_key *k;

	memcpy(scalar.data, known(a, scalar_hex).data, P256_SCALAR);
	k = ec_key_from_scalar(&scalar);
	cr_assert_not_null(k);
	return k;
}

static struct ka_host session_host(struct arena *a)
{
	const struct ka_template t = ka_template_isdp(0x30);
	CLEANUP(ec_key_freep) struct ec_key *ephemeral = key_of(a, SESSION_ESK);
	struct ka_host h;

	cr_assert(ka_host_start_with(&h, &t, ephemeral));
	return h;
}

Test(key_agreement, the_recorded_session_gives_its_keys_and_receipt)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct ka_host h = session_host(a);
	struct ka_answer answer;
	struct card_keys keys;

	cr_assert(is_hex(a, h.epk, P256_POINT, SESSION_EPK));
	ka_template_build(&b, &h.template);
	cr_assert_str_eq(built(a, &b), SESSION_A6);
	cr_assert(ka_answer_parse(known(a, "8610" SESSION_RECEIPT), &answer));
	cr_assert_eq(ka_host_finish(&h, known(a, SESSION_ECASD).data, NULL, &answer, &keys), KA_GOOD);
	cr_assert_eq(keys.kvn, 0x30);
	cr_assert(is_hex(a, keys.enc, AES_KEY, SESSION_ENC));
	cr_assert(is_hex(a, keys.mac, AES_KEY, SESSION_MAC));
	cr_assert(is_hex(a, keys.dek, AES_KEY, SESSION_DEK));
}

Test(key_agreement, every_changed_bit_of_the_receipt_is_refused)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ka_host h = session_host(a);
	struct ka_answer answer;
	struct card_keys keys = { .kvn = 0x77 };

	cr_assert(ka_answer_parse(known(a, "8610" SESSION_RECEIPT), &answer));
	for (size_t bit = 0; bit < KA_RECEIPT * 8; bit++) {
		struct ka_answer changed = answer;

		changed.receipt[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_eq(ka_host_finish(&h, known(a, SESSION_ECASD).data, NULL, &changed, &keys), KA_BAD_RECEIPT);
	}
	h.template.kvn = 0x31;
	cr_assert_eq(ka_host_finish(&h, known(a, SESSION_ECASD).data, NULL, &answer, &keys), KA_BAD_RECEIPT, "another A6");
	cr_assert_eq(ka_host_finish(&h, h.epk, NULL, &answer, &keys), KA_BAD_RECEIPT, "another ECASD");
	answer.has_dr = true;
	cr_assert_eq(ka_host_finish(&h, known(a, SESSION_ECASD).data, NULL, &answer, &keys), KA_WRONG_DR);
	cr_assert_eq(keys.kvn, 0x77, "untouched");
}

/* One agreement between the two sides, all keys new. */
struct parties {
	struct ec_key *signer, *ecasd;
	uint8_t signer_point[P256_POINT], ecasd_point[P256_POINT];
	uint8_t rc[KA_CHALLENGE_MAX];
	struct ka_identity identity;
	struct ka_host host;
};

static struct parties meet(const struct ka_template *t, enum ka_point_form form)
{
	struct parties p = { .signer = ec_key_new(),
			     .ecasd = ec_key_new(),
			     .identity = { { { 0x42, 0x01 }, 2 }, { { 0x45, 0x02, 0x03 }, 3 } } };

	ec_key_public(p.signer, p.signer_point);
	ec_key_public(p.ecasd, p.ecasd_point);
	random_bytes(p.rc, sizeof(p.rc));
	cr_assert(ka_host_start(&p.host, t));
	p.host.form = form;
	return p;
}

static void part(struct parties *p)
{
	ec_key_free(p->signer);
	ec_key_free(p->ecasd);
	ka_host_wipe(&p->host);
}

/* What the card makes of the APDU. */
static enum ka_verdict card_takes(const struct parties *p, struct bytes apdu, size_t n_rc, struct card_keys *keys,
				  struct ka_answer *answer)
{
	struct ka_received r;
	struct apdu c;

	if (!apdu_parse(apdu, &c) || ka_request_parse(&c, &r) != SW_OK)
		return KA_MALFORMED;
	return ka_card_agree(&r, (struct bytes){ p->rc, n_rc }, p->signer_point, p->ecasd, &p->identity, keys, answer);
}

static void both_ways(const struct ka_template *t, enum ka_point_form form, size_t n_rc)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct parties p = meet(t, form);
	struct card_keys host_keys, card_keys;
	struct ka_answer made, read;

	cr_assert(ka_host_request(&p.host, (struct bytes){ p.rc, n_rc }, p.signer, &b));
	cr_assert_eq(card_takes(&p, built_bytes(a, &b), n_rc, &card_keys, &made), KA_GOOD);
	cr_assert_eq(made.has_dr, (t->scenario & KA_WITH_DR) != 0);
	ka_answer_build(&b, &made);
	cr_assert_eq(b.len, made.has_dr ? 36 : 18);
	cr_assert(ka_answer_parse(built_bytes(a, &b), &read));
	cr_assert_eq(ka_host_finish(&p.host, p.ecasd_point, &p.identity, &read, &host_keys), KA_GOOD);
	cr_assert(host_keys.kvn == t->kvn && !memcmp(&host_keys, &card_keys, sizeof(host_keys)));
	cr_assert_eq(!memcmp(host_keys.enc, host_keys.mac, AES_KEY), t->usage == KA_BASE_KEY);
	if (made.has_dr) {
		read.dr[3] ^= 1;
		cr_assert_eq(ka_host_finish(&p.host, p.ecasd_point, &p.identity, &read, &host_keys), KA_BAD_RECEIPT);
	}
	if (t->scenario & KA_WITH_HOST_ID) {
		cr_assert_eq(ka_host_finish(&p.host, p.ecasd_point, NULL, &made, &host_keys), KA_UNSUPPORTED);
		p.identity.sdin.data[0] ^= 1;
		cr_assert_eq(ka_host_finish(&p.host, p.ecasd_point, &p.identity, &made, &host_keys), KA_BAD_RECEIPT);
	}
	part(&p);
}

Test(key_agreement, both_sides_agree_in_every_scenario)
{
	static const uint8_t scenarios[] = { 0x08, 0x09, 0x0A, 0x0C, 0x0E, 0x0F };

	for (size_t i = 0; i < LEN(scenarios); i++) {
		for (int variant = 0; variant < 8; variant++) {
			struct ka_template t = variant & 1 ? ka_template_isdr(0x02) : ka_template_isdp(0x30);

			t.scenario = scenarios[i];
			t.usage = variant & 2 ? KA_BASE_KEY : KA_THREE_KEYS;
			t.n_counter = variant & 1 ? 5 : 0;
			t.counter[4] = t.n_counter ? 0x11 : 0;
			t.has_access = (variant & 4) != 0;
			if (scenarios[i] & KA_WITH_HOST_ID)
				t.host_id = (struct ka_name){ { 0xAA, 0xBB }, 2 };
			if (scenarios[i] & KA_WITH_HOST_ID && variant & 1)
				t.sdin = (struct ka_name){ { 0x45, 0x02, 0x03 }, 3 };
			both_ways(&t, variant & 4 ? KA_POINT_WRAPPED : KA_POINT_BARE,
				  variant & 2 ? KA_CHALLENGE_MAX : KA_CHALLENGE_MIN);
		}
	}
}

Test(key_agreement, nothing_that_was_changed_is_agreed)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	const struct ka_template t = ka_template_isdp(0x30);
	struct parties p = meet(&t, KA_POINT_FORM);
	struct card_keys keys = { .kvn = 0x77 };
	struct ka_answer answer;
	struct bytes apdu;

	cr_assert(ka_host_request(&p.host, (struct bytes){ p.rc, KA_CHALLENGE_MIN }, p.signer, &b));
	apdu = built_bytes(a, &b);
	for (size_t bit = 0; bit < apdu.len * 8 - 8; bit++) { /* the last byte is Le */
		uint8_t *changed = arena_memdup(a, apdu.data, apdu.len);

		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_neq(card_takes(&p, (struct bytes){ changed, apdu.len }, KA_CHALLENGE_MIN, &keys, &answer), KA_GOOD,
			      "bit %zu", bit);
	}
	for (size_t n = 0; n + 1 < apdu.len; n++)
		cr_assert_eq(card_takes(&p, (struct bytes){ arena_memdup(a, apdu.data, n), n }, KA_CHALLENGE_MIN, &keys, &answer),
			     KA_MALFORMED);
	p.rc[7] ^= 0x10;
	cr_assert_eq(card_takes(&p, apdu, KA_CHALLENGE_MIN, &keys, &answer), KA_BAD_SIGNATURE, "another challenge");
	p.rc[7] ^= 0x10;
	cr_assert_eq(card_takes(&p, apdu, KA_CHALLENGE_MAX, &keys, &answer), KA_BAD_SIGNATURE);
	cr_assert_eq(card_takes(&p, apdu, 17, &keys, &answer), KA_MALFORMED);
	memcpy(p.signer_point, p.ecasd_point, P256_POINT);
	cr_assert_eq(card_takes(&p, apdu, KA_CHALLENGE_MIN, &keys, &answer), KA_BAD_SIGNATURE, "another signer");
	cr_assert_eq(keys.kvn, 0x77);
	part(&p);
}

/* A well signed point that is none would give away bits of SK.ECASD. */
Test(key_agreement, a_signed_point_off_the_curve_is_refused)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	const struct ka_template t = ka_template_isdp(0x30);
	struct parties p = meet(&t, KA_POINT_FORM);
	struct ka_answer answer;
	struct card_keys keys;

	p.host.epk[P256_POINT - 1] ^= 1;
	cr_assert(ka_host_request(&p.host, (struct bytes){ p.rc, KA_CHALLENGE_MIN }, p.signer, &b));
	cr_assert_eq(card_takes(&p, built_bytes(a, &b), KA_CHALLENGE_MIN, &keys, &answer), KA_BAD_POINT);
	part(&p);
}

Test(key_agreement, the_apdus_have_the_known_bytes)
{
	static const char begin[] = "80E28901A1"
				    "3A0217" SESSION_A6 "7F4941" SESSION_EPK "5F3740";
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct ka_host h = session_host(a);
	struct ka_request r = { .template = h.template };
	struct aid isdp;
	const char *text;

	cr_assert(aid_parse(ISDP_TEXT, &isdp));
	ka_install_build(&b, &isdp);
	cr_assert_str_eq(built(a, &b), "80E6200016000010" ISDP_TEXT "000000");
	cr_assert(ka_certificate_build(&b, known(a, "7F2103930101")));
	cr_assert_str_eq(built(a, &b), "80E20900093A01067F210393010100");
	cr_assert_not(ka_certificate_build(&b, (struct bytes){ arena_alloc(a, 253), 253 }));
	cr_assert_not(ka_certificate_build(&b, (struct bytes){ NULL, 0 }));
	memcpy(r.point, h.epk, P256_POINT);
	cr_assert(ka_request_build(&b, &r));
	text = built(a, &b);
	cr_assert_eq(strncmp(text, begin, strlen(begin)), 0, "%s", text);
	r.form = KA_POINT_WRAPPED;
	cr_assert(ka_request_build(&b, &r));
	text = built(a, &b);
	cr_assert_not_null(strstr(text, "7F4946B041" SESSION_EPK "F001005F3740"), "%s", text);
	ka_challenge_build(&b, known(a, SESSION_RECEIPT));
	cr_assert_str_eq(built(a, &b), "8510" SESSION_RECEIPT);
	ka_answer_build(&b, &(struct ka_answer){ .has_dr = true });
	cr_assert_str_eq(built(a, &b), "8510000000000000000000000000000000008610"
				       "00000000000000000000000000000000");
}

static uint16_t parse(struct arena *a, const char *hex)
{
	struct ka_received r;
	struct bytes cert;
	struct apdu c;
	struct aid aid;

	cr_assert(apdu_parse(known(a, hex), &c), "%s", hex);
	switch (ka_step_of(&c)) {
	case KA_STEP_INSTALL:
		return ka_install_parse(&c, &aid);
	case KA_STEP_CERTIFICATE:
		return ka_certificate_parse(&c, &cert);
	case KA_STEP_REQUEST:
		return ka_request_parse(&c, &r);
	case KA_STEP_NONE:
	default:
		cr_assert(ka_install_parse(&c, &aid) == SW_WRONG_P1P2 && ka_certificate_parse(&c, &cert) == SW_WRONG_P1P2 &&
			  ka_request_parse(&c, &r) == SW_WRONG_P1P2);
		return 0;
	}
}

#define SIGNATURE_0                                                        \
	"5F3740"                                                           \
	"0000000000000000000000000000000000000000000000000000000000000000" \
	"0000000000000000000000000000000000000000000000000000000000000000"
#define POINT_0 "7F4941" SESSION_EPK

Test(key_agreement, the_card_reads_strictly)
{
	static const struct {
		const char *in;
		uint16_t sw; /* 0: not one of the three */
	} cases[] = {
		{ "80E6200016 000010" ISDP_TEXT "000000", SW_OK },
		{ "80E6200016 000010" ISDR_TEXT "000000", SW_BAD_DATA },
		{ "80E6200006 000000000000", SW_BAD_DATA },
		{ "80E6200017 000010" ISDP_TEXT "00000000", SW_BAD_DATA },
		{ "80E6200017 00010110" ISDP_TEXT "000000", SW_BAD_DATA },
		{ "80E60C0016 000010" ISDP_TEXT "000000", 0 },
		{ "84E6200016 000010" ISDP_TEXT "000000", 0 },
		{ "80E2090009 3A01067F2103930101", SW_OK },
		{ "80E2090009 3A01067F2104930101", SW_BAD_DATA },
		{ "80E2090008 3A01057F210393 01", SW_BAD_DATA },
		{ "80E209000A 3A01067F210393010100", SW_BAD_DATA },
		{ "80E2890009 3A01067F2103930101", 0 },
		{ "80E2890009 3A03067F2103930101", 0 },
		{ "80E28901A1 3A0217" SESSION_A6 POINT_0 SIGNATURE_0, SW_OK },
		{ "80E28901A1 3A0217 A615900201099501108001888101108201018301309100" POINT_0 SIGNATURE_0, SW_BAD_DATA },
		{ "80E28901A1 3A0217 A615900203099501108001888101108201018301309300" POINT_0 SIGNATURE_0, SW_BAD_DATA },
		{ "80E289019F 3A0215 A6139002030995011080018881011082010183013 0" POINT_0 SIGNATURE_0, SW_BAD_DATA },
		{ "80E289015D 3A0217" SESSION_A6 SIGNATURE_0, SW_BAD_DATA },
		{ "80E289015E 3A0217" SESSION_A6 POINT_0, SW_BAD_DATA },
		{ "80E28901A2 3A0217" SESSION_A6 POINT_0 SIGNATURE_0 "00", SW_BAD_DATA },
		{ "80E28900A1 3A0217" SESSION_A6 POINT_0 SIGNATURE_0, 0 },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(cases); i++)
		cr_assert_eq(parse(a, cases[i].in), cases[i].sw, "%s", cases[i].in);
}

Test(key_agreement, answers_are_read_strictly)
{
	static const char *const good[] = {
		"8610" SESSION_RECEIPT,
		"8510" SESSION_ENC "8610" SESSION_RECEIPT,
		"8610" SESSION_RECEIPT "8510" SESSION_ENC,
	};
	static const char *const bad[] = {
		"",
		"8510" SESSION_ENC,
		"860F"
		"DBD772A8E9381A6BB4CCD0A48529D6",
		"8611" SESSION_RECEIPT "00",
		"8610" SESSION_RECEIPT "8610" SESSION_RECEIPT,
		"8610" SESSION_RECEIPT "8500",
		"8610" SESSION_RECEIPT "8700",
		"8610" SESSION_RECEIPT "00",
	};
	static const char *const bad_challenges[] = { "", "8500",
						      "850F"
						      "DBD772A8E9381A6BB4CCD0A48529D6",
						      "8610" SESSION_RECEIPT, "8510" SESSION_RECEIPT "00" };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ka_answer answer;
	struct bytes rc;

	for (size_t i = 0; i < LEN(good); i++) {
		cr_assert(ka_answer_parse(known(a, good[i]), &answer), "%s", good[i]);
		cr_assert(answer.has_dr == (i > 0) && is_hex(a, answer.receipt, KA_RECEIPT, SESSION_RECEIPT));
	}
	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert_not(ka_answer_parse(known(a, bad[i]), &answer), "%s", bad[i]);
	cr_assert(ka_challenge_parse(known(a, "8510" SESSION_RECEIPT), &rc) && rc.len == KA_CHALLENGE_MIN);
	cr_assert(ka_challenge_parse(known(a, "8520" SESSION_RECEIPT SESSION_ENC), &rc) && rc.len == KA_CHALLENGE_MAX);
	for (size_t i = 0; i < LEN(bad_challenges); i++)
		cr_assert_not(ka_challenge_parse(known(a, bad_challenges[i]), &rc), "%s", bad_challenges[i]);
}

Test(key_agreement, templates_that_cannot_be_are_refused)
{
	CLEANUP(ec_key_freep) struct ec_key *ephemeral = ec_key_new();
	struct ka_template t[9];
	struct ka_host h;

	for (size_t i = 0; i < LEN(t); i++)
		t[i] = ka_template_isdr(0x01);
	cr_assert(ka_template_ok(&t[0]) && t[0].scenario == KA_CERTIFIED, "nothing is deleted");
	t[0].usage = 0x18;
	t[1].key_type = 0x85;
	t[2].key_len = 32;
	t[3].kvn = 0;
	t[4].kvn = 0x80;
	t[5].n_counter = 4;
	t[6].scenario |= KA_WITH_HOST_ID;
	t[7].host_id.len = 1;
	t[8].scenario |= 0x10;
	for (size_t i = 0; i < LEN(t); i++)
		cr_assert(!ka_template_ok(&t[i]) && !ka_host_start_with(&h, &t[i], ephemeral), "%zu", i);
}

Test(key_agreement, both_sm_srs_write_the_same_counter)
{
	static const struct {
		int64_t counter;
		const char *a6;
	} cases[] = {
		{ 0, "A615900203089501108001888101108201018301059100" },
		{ 1, "A61A90020308950110800188810110820101830105910500"
		     "00000001" },
		{ INT64_C(0xFFFFFFFFFF), "A61A900203089501108001888101108201018301059105FFFFFFFFFF" },
	};
	struct ka_template t = ka_template_isdr(0x05), before;

	for (size_t i = 0; i < LEN(cases); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new();
		CLEANUP(buf_free) struct buf b = { 0 };

		cr_assert(ka_template_set_counter(&t, cases[i].counter));
		ka_template_build(&b, &t);
		cr_assert_str_eq(built(a, &b), cases[i].a6);
	}
	before = t;
	cr_assert(!ka_template_set_counter(&t, -1) && !ka_template_set_counter(&t, INT64_C(0x10000000000)));
	cr_assert_eq(memcmp(&t, &before, sizeof(t)), 0);
}

static bool takes_request(struct bytes in)
{
	struct ka_received r;
	struct apdu c;

	return apdu_parse(in, &c) && ka_request_parse(&c, &r) == SW_OK;
}

static bool takes_answer(struct bytes in)
{
	struct ka_answer answer;

	return ka_answer_parse(in, &answer);
}

static bool takes_first(struct bytes in)
{
	struct bytes cert;
	struct apdu c;
	struct aid aid;

	return apdu_parse(in, &c) && (ka_install_parse(&c, &aid) == SW_OK || ka_certificate_parse(&c, &cert) == SW_OK);
}

Test(key_agreement, noise_is_read_to_its_end_and_no_further)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		parser parse;
		const char *in;
	} inputs[] = {
		{ takes_request, "80E28901A1 3A0217" SESSION_A6 POINT_0 SIGNATURE_0 },
		{ takes_answer, "8510" SESSION_ENC "8610" SESSION_RECEIPT },
		{ takes_first, "80E6200016 000010" ISDP_TEXT "000000" },
		{ takes_first, "80E2090009 3A01067F2103930101" },
	};

	for (size_t i = 0; i < LEN(inputs); i++) {
		cr_assert(parse_exactly(inputs[i].parse, known(a, inputs[i].in)), "%s", inputs[i].in);
		cr_assert_eq(beginnings_taken(inputs[i].parse, known(a, inputs[i].in)), 0, "%s", inputs[i].in);
		cr_assert_lt(mutate(inputs[i].parse, known(a, inputs[i].in), 10000), 10000);
	}
}

static struct bytes certificate(struct arena *a, const struct ec_key *issuer, const struct ec_key *subject, uint8_t role,
				const char *usage)
{
	struct gp_cert c = { .serial = known(a, "01"),
			     .ca_id = known(a, "02"),
			     .subject = known(a, "03"),
			     .key_usage = known(a, usage),
			     .expires = "20991231",
			     .role = role };
	struct bytes cert;

	ec_key_public(subject, c.point);
	cert = gp_cert_build(a, &c, issuer);
	cr_assert_gt(cert.len, 0);
	return cert;
}

Test(key_agreement, certificates_must_be_of_the_ci_and_of_the_role)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(ec_key_freep) struct ec_key *ci = ec_key_new();
	CLEANUP(ec_key_freep) struct ec_key *dp = ec_key_new();
	uint8_t ci_point[P256_POINT], dp_point[P256_POINT], point[P256_POINT];
	struct bytes cert = certificate(a, ci, dp, GP_ROLE_SM_DP, "88");
	uint8_t *changed = arena_memdup(a, cert.data, cert.len);

	ec_key_public(ci, ci_point);
	ec_key_public(dp, dp_point);
	cr_assert_eq(ka_certificate_check(cert, ci_point, GP_ROLE_SM_DP, point), KA_GOOD);
	cr_assert_arr_eq(point, dp_point, P256_POINT);
	cr_assert_eq(ka_certificate_check(cert, ci_point, GP_ROLE_SM_SR, point), KA_WRONG_ROLE);
	cr_assert_eq(ka_certificate_check(cert, dp_point, GP_ROLE_SM_DP, point), KA_BAD_CERTIFICATE);
	cert = certificate(a, ci, dp, GP_ROLE_SM_DP, "82");
	cr_assert_eq(ka_certificate_check(cert, ci_point, GP_ROLE_SM_DP, point), KA_GOOD);
	cert = certificate(a, ci, dp, GP_ROLE_SM_DP, "0080");
	cr_assert_eq(ka_certificate_check(cert, ci_point, GP_ROLE_SM_DP, point), KA_WRONG_USAGE);
	cert = certificate(a, ci, dp, GP_ROLE_NONE, "88");
	cr_assert_eq(ka_certificate_check(cert, ci_point, GP_ROLE_SM_DP, point), KA_WRONG_ROLE);
	changed[cert.len / 2] ^= 1;
	cr_assert_neq(ka_certificate_check((struct bytes){ changed, cert.len }, ci_point, GP_ROLE_SM_DP, point), KA_GOOD);
	for (int v = KA_GOOD; v <= KA_WRONG_DR; v++)
		cr_assert(strcmp(ka_verdict_text((enum ka_verdict)v), "unknown"));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/crypto/ec.h"
#include "common/crypto/pki.h"

static struct bytes text(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, strlen(s) };
}

static struct gp_cert sample(const struct ec_key *subject)
{
	struct gp_cert c = {
		.serial = text("\x01\x02"),
		.ca_id = text("CI"),
		.subject = text("sm-dp"),
		.key_usage = text("\x88"),
		.effective = "20260115",
		.expires = "20360115",
		.role = GP_ROLE_SM_DP,
		.authority = text("12345678901234567890"),
	};

	ec_key_public(subject, c.point);
	return c;
}

/* A copy on the heap of exactly that length, so that a read beyond its end is seen. */
static bool parse_cut(struct bytes tlv, size_t n)
{
	uint8_t *cut = malloc(n ? n : 1);
	struct gp_cert c;
	bool ok;

	cr_assert(cut);
	memcpy(cut, tlv.data, n);
	ok = gp_cert_parse((struct bytes){ cut, n }, &c);
	free(cut);
	return ok;
}

Test(gp_cert, reads_what_it_built_and_refuses_the_rest)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(ec_key_freep) struct ec_key *ci = ec_key_new();
	CLEANUP(ec_key_freep) struct ec_key *dp = ec_key_new();
	struct gp_cert in = sample(dp), out = { 0 };
	struct bytes tlv = gp_cert_build(a, &in, ci);
	uint8_t ci_point[P256_POINT], dp_point[P256_POINT];
	unsigned accepted = 0;

	ec_key_public(ci, ci_point);
	ec_key_public(dp, dp_point);
	cr_assert(gp_cert_parse(tlv, &out));
	cr_assert_str_eq(out.effective, "20260115");
	cr_assert_str_eq(out.expires, "20360115");
	cr_assert_eq(out.role, GP_ROLE_SM_DP);
	cr_assert_eq(out.authority.len, 20);
	cr_assert_arr_eq(out.subject.data, "sm-dp", 5);
	cr_assert_arr_eq(out.point, dp_point, P256_POINT);
	cr_assert(gp_cert_verify(tlv, ci_point));
	cr_assert_not(gp_cert_verify(tlv, dp_point));
	for (size_t i = 0; i < tlv.len; i++) {
		uint8_t *flipped = arena_memdup(a, tlv.data, tlv.len);

		cr_assert_not(parse_cut(tlv, i), "cut at %zu", i);
		flipped[i] ^= (uint8_t)(1 << (i % 8));
		accepted += gp_cert_verify((struct bytes){ flipped, tlv.len }, ci_point);
	}
	cr_assert_eq(accepted, 0, "a changed bit verified");
}

Test(gp_cert, builds_only_what_the_tags_can_hold)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(ec_key_freep) struct ec_key *eum = ec_key_new();
	struct gp_cert c = sample(eum), out;
	struct bytes tlv;

	c.expires = "20361301";
	cr_assert_eq(gp_cert_build(a, &c, eum).len, 0, "month 13");
	c.expires = NULL;
	cr_assert_eq(gp_cert_build(a, &c, eum).len, 0);
	c = sample(eum);
	c.subject = text("12345678901234567");
	cr_assert_eq(gp_cert_build(a, &c, eum).len, 0, "17 bytes of subject");
	/* an eUICC's: no role, no effective date, usage 0080 */
	c = sample(eum);
	c.role = GP_ROLE_NONE;
	c.authority = (struct bytes){ 0 };
	c.effective = NULL;
	c.key_usage = (struct bytes){ (const uint8_t *)"\x00\x80", 2 };
	tlv = gp_cert_build(a, &c, eum);
	cr_assert(gp_cert_parse(tlv, &out));
	cr_assert_null(out.effective);
	cr_assert_eq(out.role, GP_ROLE_NONE);
	cr_assert_eq(out.authority.len, 0);
	cr_assert_eq(out.key_usage.len, 2);
}

/* tag + value behind the signature, inside a corrected 7F21 length: read by a careless parser, signed by nobody. */
Test(gp_cert, refuses_unsigned_and_doubled_fields)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(ec_key_freep) struct ec_key *ci = ec_key_new();
	struct gp_cert c = sample(ci), out;
	struct bytes tlv = gp_cert_build(a, &c, ci);
	uint8_t *more = arena_alloc(a, tlv.len + 4);

	memcpy(more, tlv.data, tlv.len);
	cr_assert_eq(more[2], 0x81, "one length byte expected");
	memcpy(more + tlv.len, "\x5f\x20\x01\x58", 4);
	cr_assert_not(gp_cert_parse((struct bytes){ more, tlv.len + 4 }, &out), "behind 7F21");
	more[3] = (uint8_t)(more[3] + 4);
	cr_assert_not(gp_cert_parse((struct bytes){ more, tlv.len + 4 }, &out), "behind 5F37");
	memmove(more + 8, tlv.data + 4, tlv.len - 4);
	memcpy(more + 4, "\x42\x02\x43\x49", 4);
	cr_assert_not(gp_cert_parse((struct bytes){ more, tlv.len + 4 }, &out), "42 twice");
	memcpy(more + 4, "\x44\x02\x43\x49", 4);
	cr_assert(gp_cert_parse((struct bytes){ more, tlv.len + 4 }, &out), "an unknown tag is no reason to refuse");
}

Test(ec, keys_go_to_text_and_number_and_back)
{
	CLEANUP(ec_key_freep) struct ec_key *k = ec_key_new();
	CLEANUP(secret_free) struct secret scalar = ec_key_scalar(k);
	CLEANUP(secret_free) struct secret pem = pki_key_pem(k);
	CLEANUP(secret_free) struct secret zero = secret_new(32);
	CLEANUP(ec_key_freep) struct ec_key *by_number = ec_key_from_scalar(&scalar);
	CLEANUP(ec_key_freep) struct ec_key *by_text = ec_key_read(&pem);
	uint8_t point[P256_POINT], other[P256_POINT], signature[P256_SIGNATURE];

	cr_assert(by_number);
	cr_assert(by_text);
	ec_key_public(k, point);
	ec_key_public(by_number, other);
	cr_assert_arr_eq(point, other, P256_POINT);
	cr_assert(ec_sign(by_text, "data", 4, signature));
	cr_assert(ec_verify(point, "data", 4, signature));
	cr_assert_not(ec_verify(point, "date", 4, signature));
	signature[63] ^= 1;
	cr_assert_not(ec_verify(point, "data", 4, signature));
	memset(signature, 0, sizeof(signature));
	cr_assert_not(ec_verify(point, "data", 4, signature), "r = s = 0");
	point[64] ^= 1;
	cr_assert_not(ec_verify(point, "data", 4, signature), "a point off the curve");
	cr_assert_null(ec_key_from_scalar(&zero));
	memset(zero.data, 0xff, zero.len);
	cr_assert_null(ec_key_from_scalar(&zero), "beyond the order");
	cr_assert_null(ec_key_read(&scalar), "no PEM");
}

/* card.md 9: the recorded session's ephemeral key pair. */
Test(ec, public_point_of_the_recorded_key)
{
	CLEANUP(secret_free) struct secret scalar = secret_new(32);
	CLEANUP(ec_key_freep) struct ec_key *k = NULL;
	uint8_t point[P256_POINT];
	char hex[2 * P256_POINT + 1];

	cr_assert(hex_decode("B0742BE3936E6A5660FB4D3908C12480A292EDF1BE87EFD69C2D10DCB67184E1", 64, scalar.data));
	k = ec_key_from_scalar(&scalar);
	cr_assert(k);
	ec_key_public(k, point);
	hex_encode(point, sizeof(point), hex);
	cr_assert_str_eq(hex, "04D614DD3ECE1FE102F9769770236E23E5F3553B76B9CAFFCCB8B7C4EB54CF3E49"
			      "96CD748D1A1575ADEC544519F5E470556B0C0CD6A4A54331828B6BE351AA1099");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/crypto/keys.h"

/* 00 01 02 ... n-1 */
static struct secret count(size_t n)
{
	struct secret s = secret_new(n);

	for (size_t i = 0; i < n; i++)
		s.data[i] = (uint8_t)i;
	return s;
}

static void kcv_is(uint8_t type, size_t n, const char *expected)
{
	CLEANUP(secret_free) struct secret key = count(n);
	uint8_t kcv[KCV_LEN];
	char text[2 * KCV_LEN + 1];

	cr_assert(key_kcv(type, key.data, key.len, kcv));
	hex_encode(kcv, sizeof(kcv), text);
	cr_assert_str_eq(text, expected);
}

/* The values come from openssl enc and sha1sum, and again from an AES written from FIPS 197 and another SHA-1. */
Test(keys, check_values_are_those_of_two_other_programs)
{
	uint8_t kcv[KCV_LEN] = { 7, 7, 7 };
	uint8_t key[65] = { 0 };

	kcv_is(KEY_TYPE_AES, 16, "C35280");
	kcv_is(KEY_TYPE_AES, 24, "38FCB6");
	kcv_is(KEY_TYPE_AES, 32, "75E208");
	kcv_is(KEY_TYPE_PSK_TLS, 16, "56178B");
	kcv_is(KEY_TYPE_PSK_TLS, 24, "ED6A95");
	kcv_is(KEY_TYPE_PSK_TLS, 32, "AE5BD8");
	cr_assert_not(key_kcv(KEY_TYPE_AES, key, 15, kcv));
	cr_assert_not(key_kcv(KEY_TYPE_AES, key, 0, kcv));
	cr_assert_not(key_kcv(KEY_TYPE_PSK_TLS, key, 15, kcv));
	cr_assert_not(key_kcv(KEY_TYPE_PSK_TLS, key, 65, kcv));
	cr_assert_not(key_kcv(0x80, key, 16, kcv));
	cr_assert_eq(kcv[0], 7, "untouched on failure");
}

static void wraps_to(const struct secret *transport, size_t n, const char *expected)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(secret_free) struct secret key = count(n);
	struct secret out[2] = { 0 };
	struct bytes wrapped;
	unsigned readings;

	cr_assert(transport_wrap(transport, key.data, key.len, a, &wrapped));
	cr_assert_str_eq(hex_text(a, wrapped.data, wrapped.len), expected);
	readings = transport_unwrap(transport, wrapped, out);
	/* a padded key has both readings and is the second */
	cr_assert_eq(readings, n % 16 ? 2 : 1);
	cr_assert_eq(out[readings - 1].len, n);
	cr_assert_arr_eq(out[readings - 1].data, key.data, n);
	secret_free(&out[0]);
	secret_free(&out[1]);
}

Test(keys, transport_wrapping_pads_only_when_needed)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(secret_free) struct secret transport = secret_new(16);
	CLEANUP(secret_free) struct secret shorter = secret_new(15);
	struct secret out[2] = { 0 };
	struct bytes wrapped = { 0 };
	uint8_t key[32] = { 0 };

	for (uint8_t i = 0; i < 16; i++)
		transport.data[i] = (uint8_t)(0x40 + i);
	wraps_to(&transport, 16, "3D0FA4B855D2A5AA4954B8B5DF582A3A");
	wraps_to(&transport, 24, "3D0FA4B855D2A5AA4954B8B5DF582A3A350AB0741A6C144C687BBC8BB0B39A31");
	cr_assert_not(transport_wrap(&shorter, key, 16, a, &wrapped));
	cr_assert_not(transport_wrap(&transport, key, 0, a, &wrapped));
	cr_assert_eq(transport_unwrap(&transport, (struct bytes){ key, 17 }, out), 0);
	cr_assert_eq(transport_unwrap(&transport, (struct bytes){ key, 0 }, out), 0);
	/* a peer that pads a whole key: 16 bytes of key, 16 of padding */
	memset(key + 16, 16, 16);
	cr_assert(transport_wrap(&transport, key, 32, a, &wrapped));
	cr_assert_eq(transport_unwrap(&transport, wrapped, out), 2);
	cr_assert_eq(out[0].len, 32);
	cr_assert_eq(out[1].len, 16);
	secret_free(&out[0]);
	secret_free(&out[1]);
}

Test(keys, kek_opens_only_what_it_closed)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(secret_free) struct secret kek = count(32);
	CLEANUP(secret_free) struct secret other = secret_new(32);
	CLEANUP(secret_free) struct secret out = { 0 };
	const uint8_t key[16] = { 1, 2, 3 };
	struct bytes one, two;
	uint8_t *flipped;

	kek_wrap(&kek, "89049032000500881234567890123492|1|SCP80", key, sizeof(key), a, &one);
	kek_wrap(&kek, "89049032000500881234567890123492|1|SCP80", key, sizeof(key), a, &two);
	cr_assert_eq(one.len, 12 + 16 + 16);
	cr_assert_neq(memcmp(one.data, two.data, 12), 0, "a nonce must not repeat");
	cr_assert_not(kek_unwrap(&kek, "89049032000500881234567890123492|2|SCP80", one, &out), "other AAD");
	cr_assert_not(kek_unwrap(&other, "89049032000500881234567890123492|1|SCP80", one, &out), "other KEK");
	for (size_t i = 0; i < one.len; i++) {
		flipped = arena_memdup(a, one.data, one.len);
		flipped[i] ^= 1;
		cr_assert_not(
			kek_unwrap(&kek, "89049032000500881234567890123492|1|SCP80", (struct bytes){ flipped, one.len }, &out));
		cr_assert_not(kek_unwrap(&kek, "89049032000500881234567890123492|1|SCP80", (struct bytes){ one.data, i }, &out));
	}
	cr_assert_null(out.data, "untouched on failure");
	cr_assert(kek_unwrap(&kek, "89049032000500881234567890123492|1|SCP80", one, &out));
	cr_assert_eq(out.len, sizeof(key));
	cr_assert_arr_eq(out.data, key, sizeof(key));
}

Test(keys, rfc3394_gives_its_known_answer_and_tells_a_wrong_key)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(secret_free) struct secret transport = count(16);
	CLEANUP(secret_free) struct secret other = secret_new(16);
	CLEANUP(secret_free) struct secret out = { 0 };
	uint8_t key[16], wanted[24], *flipped;
	struct bytes wrapped;

	/* RFC 3394, 4.1 */
	cr_assert(hex_decode("00112233445566778899AABBCCDDEEFF", 32, key));
	cr_assert(hex_decode("1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5", 48, wanted));
	cr_assert(rfc3394_wrap(&transport, key, sizeof(key), a, &wrapped));
	cr_assert_eq(wrapped.len, sizeof(wanted));
	cr_assert_arr_eq(wrapped.data, wanted, sizeof(wanted));
	cr_assert_not(rfc3394_unwrap(&other, wrapped, &out));
	for (size_t i = 0; i < wrapped.len; i++) {
		flipped = arena_memdup(a, wrapped.data, wrapped.len);
		flipped[i] ^= 0x80;
		cr_assert_not(rfc3394_unwrap(&transport, (struct bytes){ flipped, wrapped.len }, &out));
		cr_assert_not(rfc3394_unwrap(&transport, (struct bytes){ wrapped.data, i }, &out));
	}
	cr_assert_null(out.data, "untouched on failure");
	cr_assert(rfc3394_unwrap(&transport, wrapped, &out));
	cr_assert_eq(out.len, sizeof(key));
	cr_assert_arr_eq(out.data, key, sizeof(key));
	cr_assert_not(rfc3394_wrap(&transport, key, 15, a, &wrapped));
	cr_assert_not(rfc3394_wrap(&transport, key, 8, a, &wrapped));
}

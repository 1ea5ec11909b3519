/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/crypto/aes.h"

/* The key and the four blocks of SP 800-38A, which RFC 4493 uses as well. */
static const char key_text[] = "2b7e151628aed2a6abf7158809cf4f3c";
static const char plain_text[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52ef"
				 "f69f2445df4f9b17ad2b417be66c3710";

static void from_hex(const char *text, uint8_t *out)
{
	cr_assert(hex_decode(text, strlen(text), out));
}

Test(aes, cbc_gives_the_vectors_of_sp_800_38a)
{
	uint8_t key[AES_KEY], iv[AES_BLOCK], plain[64], expected[64], out[64], back[64];

	from_hex(key_text, key);
	from_hex("000102030405060708090a0b0c0d0e0f", iv);
	from_hex(plain_text, plain);
	from_hex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e22229516"
		 "3ff1caa1681fac09120eca307586e1a7",
		 expected);
	for (size_t n = 0; n <= 64; n += 16) {
		cr_assert(aes_cbc_encrypt(key, iv, plain, n, out));
		cr_assert_arr_eq(out, expected, n);
		cr_assert(aes_cbc_decrypt(key, iv, out, n, back));
		cr_assert_arr_eq(back, plain, n);
	}
	memcpy(out, plain, sizeof(out));
	cr_assert(aes_cbc_encrypt(key, iv, out, sizeof(out), out), "in place");
	cr_assert_arr_eq(out, expected, sizeof(out));
	cr_assert(aes_cbc_decrypt(key, iv, out, sizeof(out), out), "in place");
	cr_assert_arr_eq(out, plain, sizeof(out));
	cr_assert_not(aes_cbc_encrypt(key, iv, plain, 63, out));
	cr_assert_not(aes_cbc_decrypt(key, iv, plain, 1, out));
}

Test(aes, ecb_gives_its_vector_and_no_iv_is_zeros)
{
	uint8_t key[AES_KEY], plain[64], expected[AES_BLOCK], out[AES_BLOCK], with_zeros[AES_BLOCK];
	const uint8_t zeros[AES_BLOCK] = { 0 };

	from_hex(key_text, key);
	from_hex(plain_text, plain);
	from_hex("3ad77bb40d7a3660a89ecaf32466ef97", expected);
	cr_assert(aes_ecb_encrypt(key, plain, out));
	cr_assert_arr_eq(out, expected, AES_BLOCK);
	cr_assert(aes_cbc_encrypt(key, NULL, plain, AES_BLOCK, out));
	cr_assert(aes_cbc_encrypt(key, zeros, plain, AES_BLOCK, with_zeros));
	cr_assert_arr_eq(out, expected, AES_BLOCK, "one block with a zero IV is ECB");
	cr_assert_arr_eq(with_zeros, expected, AES_BLOCK);
}

static void cmac_is(size_t n, const char *expected_text)
{
	uint8_t key[AES_KEY], plain[64], expected[AES_BLOCK], out[AES_BLOCK];

	from_hex(key_text, key);
	from_hex(plain_text, plain);
	from_hex(expected_text, expected);
	/* the same bytes in one part, in three, and with empty ones between */
	for (size_t a = 0; a <= n; a += 7) {
		const struct bytes parts[] = {
			{ plain, a }, { NULL, 0 }, { plain + a, (n - a) / 2 }, { plain + a + (n - a) / 2, n - a - (n - a) / 2 }
		};

		cr_assert(aes_cmac(key, parts, LEN(parts), out));
		cr_assert_arr_eq(out, expected, AES_BLOCK);
	}
}

Test(aes, cmac_gives_the_vectors_of_rfc_4493)
{
	cmac_is(0, "bb1d6929e95937287fa37d129b756746");
	cmac_is(16, "070a16b46b4d4144f79bdd9dd04a287c");
	cmac_is(40, "dfa66747de9ae63030ca32611497c827");
	cmac_is(64, "51f0bebf7e3b9d92fc49741779363cfe");
}

Test(aes, cmac_of_another_key_is_another_one)
{
	uint8_t key[AES_KEY], out[AES_BLOCK], other[AES_BLOCK];

	from_hex(key_text, key);
	cr_assert(aes_cmac(key, NULL, 0, out));
	key[15] ^= 1;
	cr_assert(aes_cmac(key, NULL, 0, other));
	cr_assert_not(mac_equal(out, other, AES_BLOCK));
	key[15] ^= 1;
	cr_assert(aes_cmac(key, NULL, 0, other));
	cr_assert(mac_equal(out, other, AES_BLOCK));
	other[15] ^= 0x80;
	cr_assert_not(mac_equal(out, other, AES_BLOCK));
	cr_assert(mac_equal(out, other, AES_BLOCK - 1));
}

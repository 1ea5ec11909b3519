/* SPDX-License-Identifier: Apache-2.0 */
/* ECKA and its key derivation: a published vector, the recorded session of card.md 9, and points that are none. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/crypto/ec.h"
#include "tests/unit/card/session.h"

static void from_hex(const char *text, uint8_t *out)
{
	cr_assert(hex_decode(text, strlen(text), out));
}

static struct ec_key *key_of(const char *scalar_hex)
{
	CLEANUP(secret_free) struct secret scalar = secret_new(P256_SCALAR);
	struct ec_key *k;

	from_hex(scalar_hex, scalar.data);
	k = ec_key_from_scalar(&scalar);
	cr_assert_not_null(k);
	return k;
}

/* NIST CAVS 14.1, ECC CDH primitive, P-256, COUNT = 0. */
Test(ec_agree, the_common_point_of_nist)
{
	CLEANUP(ec_key_freep) struct ec_key *k = key_of("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534");
	uint8_t point[P256_POINT], expected[P256_SCALAR], x[P256_SCALAR];

	from_hex("04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
		 "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
		 point);
	from_hex("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b", expected);
	cr_assert(ec_shared_x(k, point, x));
	cr_assert_arr_eq(x, expected, P256_SCALAR);
}

/* NIST CAVS 12.0, ANSI X9.63-2001, SHA-256, 192-bit secrets: COUNT = 0 without and with shared info. */
Test(ec_agree, the_derivation_of_nist)
{
	uint8_t secret[24], info[16], expected[128], out[128];

	from_hex("96c05619d56c328ab95fe84b18264b08725b85e33fd34f08", secret);
	from_hex("443024c3dae66b95e6f5670601558f71", expected);
	kdf_x963(secret, 24, (struct bytes){ NULL, 0 }, out, 16);
	cr_assert_arr_eq(out, expected, 16);
	from_hex("22518b10e70f2a3f243810ae3254139efbee04aa57c7af7d", secret);
	from_hex("75eef81aa3041e33b80971203d2c0c52", info);
	from_hex("c498af77161cc59f2962b9a713e2b215152d139766ce34a776df11866a69bf2e"
		 "52a13d9c7c6fc878c50c5ea0bc7b00e0da2447cfd874f6cf92f30d0097111485"
		 "500c90c3af8b487872d04685d14c8d1dc8d7fa08beb0ce0ababc11f0bd496269"
		 "142d43525a78e5bc79a17f59676a5706dc54d54d4d1f0bd7e386128ec26afc21",
		 expected);
	kdf_x963(secret, 24, (struct bytes){ info, 16 }, out, 128);
	cr_assert_arr_eq(out, expected, 128);
}

Test(ec_agree, the_recorded_session)
{
	static const uint8_t info[] = { 0x10, 0x88, 0x10 };
	CLEANUP(ec_key_freep) struct ec_key *esk = key_of(SESSION_ESK);
	uint8_t ecasd[P256_POINT], x[P256_SCALAR], expected[64], out[64];

	from_hex(SESSION_ECASD, ecasd);
	from_hex(SESSION_RECEIPT_KEY SESSION_ENC SESSION_MAC SESSION_DEK, expected);
	cr_assert(ec_shared_x(esk, ecasd, x));
	kdf_x963(x, sizeof(x), (struct bytes){ info, sizeof(info) }, out, sizeof(out));
	cr_assert_arr_eq(out, expected, sizeof(out));
	for (size_t n = 0; n < sizeof(out); n++) {
		uint8_t some[64] = { 0 };

		kdf_x963(x, sizeof(x), (struct bytes){ info, sizeof(info) }, some, n);
		cr_assert(!memcmp(some, expected, n) && some[n] == 0, "any length is a beginning of it");
	}
}

Test(ec_agree, points_that_are_none_are_refused)
{
	CLEANUP(ec_key_freep) struct ec_key *k = key_of(SESSION_ESK);
	uint8_t good[P256_POINT], x[P256_SCALAR], before[P256_SCALAR];

	from_hex(SESSION_ECASD, good);
	memset(x, 0x5A, sizeof(x));
	memcpy(before, x, sizeof(x));
	for (size_t bit = 0; bit < P256_POINT * 8; bit++) {
		uint8_t point[P256_POINT];

		memcpy(point, good, sizeof(point));
		point[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_not(ec_shared_x(k, point, x), "bit %zu", bit);
	}
	memset(good, 0, sizeof(good));
	cr_assert_not(ec_shared_x(k, good, x));
	good[0] = 4;
	cr_assert_not(ec_shared_x(k, good, x));
	memset(good + 1, 0xFF, sizeof(good) - 1);
	cr_assert_not(ec_shared_x(k, good, x));
	cr_assert_arr_eq(x, before, sizeof(x));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/aes.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/crypto_internal.h"

static void cipher_freep(EVP_CIPHER_CTX **p)
{
	EVP_CIPHER_CTX_free(*p);
}

static void mac_ctx_freep(EVP_MAC_CTX **p)
{
	EVP_MAC_CTX_free(*p);
}

static bool run(const EVP_CIPHER *cipher, bool encrypt, const uint8_t *key, const uint8_t *iv, const void *in, size_t n,
		uint8_t *out)
{
	CLEANUP(cipher_freep) EVP_CIPHER_CTX *ctx = NULL;
	int got = 0;
	OPENSSL_ERRORS_SCOPE;

	if (n % AES_BLOCK || n > INT_MAX)
		return false;
	if (n == 0)
		return true;
	ctx = EVP_CIPHER_CTX_new();
	return ctx && EVP_CipherInit_ex2(ctx, cipher, key, iv, encrypt, NULL) == 1 && EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
	       EVP_CipherUpdate(ctx, out, &got, in, (int)n) == 1 && (size_t)got == n;
}

static const uint8_t zero_iv[AES_BLOCK];

bool aes_cbc_encrypt(const uint8_t key[AES_KEY], const uint8_t iv[AES_BLOCK], const void *in, size_t n, uint8_t *out)
{
	return run(algorithms()->aes128_cbc, true, key, iv ? iv : zero_iv, in, n, out);
}

bool aes_cbc_decrypt(const uint8_t key[AES_KEY], const uint8_t iv[AES_BLOCK], const void *in, size_t n, uint8_t *out)
{
	return run(algorithms()->aes128_cbc, false, key, iv ? iv : zero_iv, in, n, out);
}

bool aes_ecb_encrypt(const uint8_t key[AES_KEY], const uint8_t in[AES_BLOCK], uint8_t out[AES_BLOCK])
{
	return run(algorithms()->aes128_ecb, true, key, NULL, in, AES_BLOCK, out);
}

/* CMAC looks its cipher up by name whenever it is told one, which costs more than the MAC of a short message: it is told once,
 * here. OpenSSL copies only a context that has had a key, so this one has: zeros. Nothing writes to it afterwards, so threads may
 * share it. */
static EVP_MAC_CTX *cmac_pattern;

static void cmac_make(void)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	static const uint8_t no_key[AES_KEY];
	char cipher[] = "AES-128-CBC"; /* OSSL_PARAM wants it writable */
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
				      OSSL_PARAM_construct_end() };

	cmac_pattern = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (!cmac_pattern || EVP_MAC_init(cmac_pattern, no_key, sizeof(no_key), params) != 1)
		abort();
}

bool aes_cmac(const uint8_t key[AES_KEY], const struct bytes *parts, size_t n_parts, uint8_t out[AES_BLOCK])
{
	static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
	CLEANUP(mac_ctx_freep) EVP_MAC_CTX *ctx = NULL;
	uint8_t mac[AES_BLOCK];
	size_t got = 0;
	OPENSSL_ERRORS_SCOPE;

	if (!CRYPTO_THREAD_run_once(&once, cmac_make))
		return false;
	ctx = EVP_MAC_CTX_dup(cmac_pattern);
	if (!ctx || EVP_MAC_init(ctx, key, AES_KEY, NULL) != 1)
		return false;
	for (size_t i = 0; i < n_parts; i++) {
		if (parts[i].len > 0 && EVP_MAC_update(ctx, parts[i].data, parts[i].len) != 1)
			return false;
	}
	if (EVP_MAC_final(ctx, mac, &got, sizeof(mac)) != 1 || got != sizeof(mac))
		return false;
	memcpy(out, mac, sizeof(mac));
	return true;
}

bool mac_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/keys.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/random.h"
#include "common/crypto/crypto_internal.h"

enum { BLOCK = 16, SEMIBLOCK = 8, PSK_MIN = 16, PSK_MAX = 64, KEK_LEN = 32, NONCE_LEN = 12, TAG_LEN = 16, KEY_MAX = 4096 };

static void cipher_freep(EVP_CIPHER_CTX **p)
{
	EVP_CIPHER_CTX_free(*p);
}

/* ECB over whole blocks, without padding. Failure can only be memory: lengths are the caller's. */
static void ecb(const EVP_CIPHER *cipher, bool encrypt, const uint8_t *key, const uint8_t *in, size_t n, uint8_t *out)
{
	CLEANUP(cipher_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int got = 0;

	if (!ctx || EVP_CipherInit_ex2(ctx, cipher, key, NULL, encrypt, NULL) != 1 || EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
	    EVP_CipherUpdate(ctx, out, &got, in, (int)n) != 1 || (size_t)got != n)
		abort();
}

static const EVP_CIPHER *ecb_of(size_t n)
{
	switch (n) {
	case 16:
		return algorithms()->aes128_ecb;
	case 24:
		return algorithms()->aes192_ecb;
	case 32:
		return algorithms()->aes256_ecb;
	default:
		return NULL;
	}
}

static bool kcv_aes(const uint8_t *key, size_t n, uint8_t out[KCV_LEN])
{
	const EVP_CIPHER *cipher = ecb_of(n);
	uint8_t ones[BLOCK], block[BLOCK];

	if (!cipher)
		return false;
	memset(ones, 1, sizeof(ones));
	ecb(cipher, true, key, ones, sizeof(ones), block);
	memcpy(out, block, KCV_LEN);
	return true;
}

static bool kcv_psk(const uint8_t *key, size_t n, uint8_t out[KCV_LEN])
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (n < PSK_MIN || n > PSK_MAX)
		return false;
	if (EVP_Digest(key, n, digest, NULL, algorithms()->sha1, NULL) != 1)
		abort();
	memcpy(out, digest, KCV_LEN);
	secret_wipe(digest, sizeof(digest));
	return true;
}

bool key_kcv(uint8_t type, const uint8_t *key, size_t n, uint8_t out[KCV_LEN])
{
	if (type == KEY_TYPE_AES)
		return kcv_aes(key, n, out);
	return type == KEY_TYPE_PSK_TLS && kcv_psk(key, n, out);
}

bool transport_wrap(const struct secret *transport, const uint8_t *key, size_t n, struct arena *a, struct bytes *out)
{
	size_t whole = (n + BLOCK - 1) / BLOCK * BLOCK;
	CLEANUP(secret_free) struct secret plain = { 0 };
	uint8_t *wrapped;

	if (transport->len != BLOCK || n == 0 || n > KEY_MAX)
		return false;
	plain = secret_new(whole);
	memset(plain.data, (int)(whole - n), whole);
	memcpy(plain.data, key, n);
	wrapped = arena_alloc(a, whole);
	ecb(algorithms()->aes128_ecb, true, transport->data, plain.data, whole, wrapped);
	*out = (struct bytes){ wrapped, whole };
	return true;
}

/* Length of the PKCS#7 padding at the end of s, 0: none. */
static size_t padding(const struct secret *s)
{
	size_t pad = s->data[s->len - 1];

	if (pad == 0 || pad > BLOCK || pad >= s->len)
		return 0;
	for (size_t i = s->len - pad; i < s->len; i++) {
		if (s->data[i] != pad)
			return 0;
	}
	return pad;
}

unsigned transport_unwrap(const struct secret *transport, struct bytes wrapped, struct secret out[2])
{
	size_t pad;

	if (transport->len != BLOCK || wrapped.len == 0 || wrapped.len % BLOCK || wrapped.len > KEY_MAX)
		return 0;
	out[0] = secret_new(wrapped.len);
	out[1] = (struct secret){ 0 };
	ecb(algorithms()->aes128_ecb, false, transport->data, wrapped.data, wrapped.len, out[0].data);
	pad = padding(&out[0]);
	if (pad == 0)
		return 1;
	out[1] = secret_new(wrapped.len - pad);
	memcpy(out[1].data, out[0].data, out[1].len);
	return 2;
}

/* out has room for one block more than n. False: the check value does not hold. */
static bool rfc3394(bool encrypt, const struct secret *transport, const uint8_t *in, size_t n, uint8_t *out, size_t out_n)
{
	CLEANUP(cipher_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int got = 0;
	OPENSSL_ERRORS_SCOPE;

	if (!ctx)
		abort();
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	return EVP_CipherInit_ex2(ctx, algorithms()->aes128_wrap, transport->data, NULL, encrypt, NULL) == 1 &&
	       EVP_CipherUpdate(ctx, out, &got, in, (int)n) == 1 && (size_t)got == out_n;
}

bool rfc3394_wrap(const struct secret *transport, const uint8_t *key, size_t n, struct arena *a, struct bytes *out)
{
	uint8_t *wrapped;

	if (transport->len != BLOCK || n < 2 * SEMIBLOCK || n % SEMIBLOCK || n > KEY_MAX)
		return false;
	wrapped = arena_alloc(a, n + 2 * BLOCK);
	if (!rfc3394(true, transport, key, n, wrapped, n + SEMIBLOCK))
		return false;
	*out = (struct bytes){ wrapped, n + SEMIBLOCK };
	return true;
}

bool rfc3394_unwrap(const struct secret *transport, struct bytes wrapped, struct secret *out)
{
	CLEANUP(secret_free) struct secret plain = { 0 };
	size_t n;

	if (transport->len != BLOCK || wrapped.len < 3 * SEMIBLOCK || wrapped.len % SEMIBLOCK || wrapped.len > KEY_MAX + SEMIBLOCK)
		return false;
	n = wrapped.len - SEMIBLOCK;
	plain = secret_new(wrapped.len + BLOCK);
	if (!rfc3394(false, transport, wrapped.data, wrapped.len, plain.data, n))
		return false;
	*out = secret_new(n);
	memcpy(out->data, plain.data, n);
	return true;
}

static EVP_CIPHER_CTX *gcm(bool encrypt, const struct secret *kek, const uint8_t *nonce, const char *aad)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t n = strlen(aad);
	int got = 0;

	if (!ctx || n > INT_MAX || EVP_CipherInit_ex2(ctx, algorithms()->aes256_gcm, kek->data, nonce, encrypt, NULL) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &got, (const uint8_t *)aad, (int)n) != 1)
		abort();
	return ctx;
}

void kek_wrap(const struct secret *kek, const char *aad, const uint8_t *key, size_t n, struct arena *a, struct bytes *out)
{
	CLEANUP(cipher_freep) EVP_CIPHER_CTX *ctx = NULL;
	uint8_t *w = arena_alloc(a, NONCE_LEN + n + TAG_LEN);
	int got = 0;

	/* The start checked the KEK file's length; a key stored unwrapped or not at all would be worse than a stop. */
	if (kek->len != KEK_LEN || n > KEY_MAX)
		abort();
	random_bytes(w, NONCE_LEN);
	ctx = gcm(true, kek, w, aad);
	if (EVP_EncryptUpdate(ctx, w + NONCE_LEN, &got, key, (int)n) != 1 || (size_t)got != n ||
	    EVP_EncryptFinal_ex(ctx, w + NONCE_LEN + n, &got) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, w + NONCE_LEN + n) != 1)
		abort();
	*out = (struct bytes){ w, NONCE_LEN + n + TAG_LEN };
}

bool kek_unwrap(const struct secret *kek, const char *aad, struct bytes wrapped, struct secret *out)
{
	CLEANUP(cipher_freep) EVP_CIPHER_CTX *ctx = NULL;
	CLEANUP(secret_free) struct secret plain = { 0 };
	uint8_t tag[TAG_LEN];
	int got = 0, rest = 0;
	OPENSSL_ERRORS_SCOPE;

	if (kek->len != KEK_LEN || wrapped.len < NONCE_LEN + TAG_LEN || wrapped.len > NONCE_LEN + TAG_LEN + KEY_MAX)
		return false;
	plain = secret_new(wrapped.len - NONCE_LEN - TAG_LEN);
	memcpy(tag, wrapped.data + wrapped.len - TAG_LEN, TAG_LEN);
	ctx = gcm(false, kek, wrapped.data, aad);
	if (EVP_DecryptUpdate(ctx, plain.data, &got, wrapped.data + NONCE_LEN, (int)plain.len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1 ||
	    EVP_DecryptFinal_ex(ctx, plain.data + got, &rest) != 1)
		return false;
	*out = plain;
	plain = (struct secret){ 0 };
	return true;
}

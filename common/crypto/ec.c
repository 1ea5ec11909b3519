/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/ec.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/crypto_internal.h"

enum { SCALAR = P256_SCALAR, DER_SIGNATURE_MAX = 80 };

static void ecdsa_freep(ECDSA_SIG **p)
{
	ECDSA_SIG_free(*p);
}

static void group_freep(EC_GROUP **p)
{
	EC_GROUP_free(*p);
}

static void ec_point_freep(EC_POINT **p)
{
	EC_POINT_free(*p);
}

/* By coordinates: the encoded form of a key follows what its file said, compressed points included. */
bool pkey_point(const EVP_PKEY *pkey, uint8_t out[P256_POINT])
{
	CLEANUP(bn_freep) BIGNUM *x = NULL;
	CLEANUP(bn_freep) BIGNUM *y = NULL;
	uint8_t point[P256_POINT] = { 4 };
	char group[32];

	if (!pkey || !EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1 ||
	    strcmp(group, SN_X9_62_prime256v1) != 0)
		return false;
	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 ||
	    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1 || BN_bn2binpad(x, point + 1, SCALAR) != SCALAR ||
	    BN_bn2binpad(y, point + 1 + SCALAR, SCALAR) != SCALAR)
		return false;
	memcpy(out, point, sizeof(point));
	return true;
}

struct ec_key *ec_key_adopt(EVP_PKEY *pkey)
{
	uint8_t point[P256_POINT];
	struct ec_key *k;

	if (!pkey_point(pkey, point)) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		abort();
	k->pkey = pkey;
	memcpy(k->point, point, sizeof(point));
	return k;
}

struct ec_key *ec_key_new(void)
{
	OPENSSL_ERRORS_SCOPE;
	struct ec_key *k = ec_key_adopt(EVP_EC_gen(SN_X9_62_prime256v1));

	if (!k)
		abort(); /* no memory or no randomness */
	return k;
}

struct ec_key *ec_key_read(const struct secret *pem)
{
	CLEANUP(bio_freep) BIO *in = pem->len > 0 && pem->len <= INT_MAX ? BIO_new_mem_buf(pem->data, (int)pem->len) : NULL;
	OPENSSL_ERRORS_SCOPE;

	return in ? ec_key_adopt(PEM_read_bio_PrivateKey(in, NULL, pem_no_password, NULL)) : NULL;
}

EVP_PKEY *pkey_make(const uint8_t point[P256_POINT], const BIGNUM *scalar)
{
	CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (ctx && build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, P256_POINT) == 1 &&
	    (!scalar || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &pkey, scalar ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	return pkey;
}

struct ec_key *ec_key_from_scalar(const struct secret *scalar)
{
	CLEANUP(group_freep) EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	CLEANUP(ec_point_freep) EC_POINT *public = group ? EC_POINT_new(group) : NULL;
	CLEANUP(bn_freep) BIGNUM *d = BN_secure_new();
	uint8_t point[P256_POINT];
	OPENSSL_ERRORS_SCOPE;

	if (scalar->len != SCALAR || !public || !d || !BN_bin2bn(scalar->data, SCALAR, d))
		return NULL;
	BN_set_flags(d, BN_FLG_CONSTTIME);
	if (BN_is_zero(d) || BN_cmp(d, EC_GROUP_get0_order(group)) >= 0 || EC_POINT_mul(group, public, d, NULL, NULL, NULL) != 1 ||
	    EC_POINT_point2oct(group, public, POINT_CONVERSION_UNCOMPRESSED, point, sizeof(point), NULL) != sizeof(point))
		return NULL;
	return ec_key_adopt(pkey_make(point, d));
}

struct secret ec_key_scalar(const struct ec_key *k)
{
	CLEANUP(bn_freep) BIGNUM *d = NULL;
	struct secret s = secret_new(SCALAR);

	if (EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d) != 1 || BN_bn2binpad(d, s.data, SCALAR) != SCALAR)
		abort();
	return s;
}

void ec_key_free(struct ec_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

void ec_key_freep(struct ec_key **k)
{
	ec_key_free(*k);
	*k = NULL;
}

void ec_key_public(const struct ec_key *k, uint8_t out[P256_POINT])
{
	memcpy(out, k->point, P256_POINT);
}

bool ec_sign(const struct ec_key *k, const void *data, size_t n, uint8_t out[P256_SIGNATURE])
{
	CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	CLEANUP(ecdsa_freep) ECDSA_SIG *sig = NULL;
	uint8_t digest[SHA256_LEN], der[DER_SIGNATURE_MAX];
	const unsigned char *at = der;
	size_t der_len = sizeof(der);
	OPENSSL_ERRORS_SCOPE;

	sha256(data, n, digest);
	if (!ctx || EVP_PKEY_sign_init(ctx) != 1 || EVP_PKEY_sign(ctx, der, &der_len, digest, sizeof(digest)) != 1)
		return false;
	sig = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
	return sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, SCALAR) == SCALAR &&
	       BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + SCALAR, SCALAR) == SCALAR;
}

/* r|s as the DER that OpenSSL verifies; 0: no memory. */
static size_t signature_der(const uint8_t signature[P256_SIGNATURE], uint8_t der[DER_SIGNATURE_MAX])
{
	CLEANUP(ecdsa_freep) ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature, SCALAR, NULL);
	BIGNUM *s = BN_bin2bn(signature + SCALAR, SCALAR, NULL);
	unsigned char *at = der;
	int n;

	if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return 0;
	}
	n = i2d_ECDSA_SIG(sig, &at);
	return n > 0 ? (size_t)n : 0;
}

bool ec_verify(const uint8_t point[P256_POINT], const void *data, size_t n, const uint8_t signature[P256_SIGNATURE])
{
	CLEANUP(pkey_freep) EVP_PKEY *pkey = NULL;
	CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *ctx = NULL;
	uint8_t digest[SHA256_LEN], der[DER_SIGNATURE_MAX];
	size_t der_len = signature_der(signature, der);
	OPENSSL_ERRORS_SCOPE;

	pkey = pkey_make(point, NULL);
	ctx = pkey ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
	sha256(data, n, digest);
	return ctx && der_len > 0 && EVP_PKEY_verify_init(ctx) == 1 &&
	       EVP_PKEY_verify(ctx, der, der_len, digest, sizeof(digest)) == 1;
}

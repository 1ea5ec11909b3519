/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL between the files of crypto/; nothing of it leaves the folder. */
#ifndef CRYPTO_INTERNAL_H
#define CRYPTO_INTERNAL_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/crypto/cert.h"

enum { CERT_DER_MAX = 64 * 1024 };

/* Fetched once: a provider look-up costs more than the digest of a small message. */
struct algorithms {
	EVP_MD *sha1, *sha256;
	EVP_CIPHER *aes128_ecb, *aes192_ecb, *aes256_ecb, *aes128_cbc, *aes256_gcm, *aes128_wrap;
};
/* Aborts when OpenSSL has no such algorithm: an installation in which nothing here could work. */
const struct algorithms *algorithms(void);

struct ec_key {
	EVP_PKEY *pkey;
	uint8_t point[P256_POINT];
};
/* Takes over pkey, NULL included. NULL: not P-256, pkey freed. */
struct ec_key *ec_key_adopt(EVP_PKEY *pkey);
/* 04|X|Y of a P-256 key, public or private. */
bool pkey_point(const EVP_PKEY *pkey, uint8_t out[P256_POINT]);
/* Curve name, public point and optionally the private number as an EVP_PKEY; NULL: not a key of P-256. */
EVP_PKEY *pkey_make(const uint8_t point[P256_POINT], const BIGNUM *scalar);

/* NULL: not a certificate. */
X509 *x509_from_der(struct bytes der);
/* The same, for certificates that come again and again; other threads may hold it too, so it is only read. */
X509 *x509_kept(struct bytes der);
/* The lock of all that crypto/ keeps parsed (certificates, trust); not recursive, held for look-ups only. Aborts when OpenSSL gives no lock. */
void kept_lock(void);
void kept_unlock(void);
/* Empty: no memory. */
struct bytes x509_der(struct arena *a, const X509 *x);
/* The next certificate of PEM text, broken blocks skipped; NULL at the end. */
X509 *x509_next_pem(BIO *pem);
/* cert_verify on a parsed leaf; *revoked is told for an expired certificate too. */
enum cert_verdict x509_judge(X509 *leaf, struct bytes trust_pem, struct bytes crls_pem, int64_t now_us, bool *revoked);

/* A password would be asked on the terminal otherwise: an encrypted key file is refused. */
int pem_no_password(char *buf, int size, int rwflag, void *user);

static inline void bio_freep(BIO **p)
{
	BIO_free(*p);
}

static inline void x509_freep(X509 **p)
{
	X509_free(*p);
}

static inline void pkey_freep(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

static inline void pkey_ctx_freep(EVP_PKEY_CTX **p)
{
	EVP_PKEY_CTX_free(*p);
}

static inline void bn_freep(BIGNUM **p)
{
	BN_clear_free(*p);
}

static inline void openssl_errors_pop(const int *mark)
{
	(void)mark;
	ERR_pop_to_mark();
}
/* What OpenSSL queues about refused input must not reach libcurl or libpq on the same thread. */
#define OPENSSL_ERRORS_SCOPE CLEANUP(openssl_errors_pop) const int errors_mark_ __attribute__((unused)) = ERR_set_mark()

#endif

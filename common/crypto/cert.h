/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 on the server side: reading, fingerprints, chains (decisions.md D4, D5). No OpenSSL type leaves crypto/. */
#ifndef CRYPTO_CERT_H
#define CRYPTO_CERT_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/secret.h"

enum { SHA256_LEN = 32, P256_POINT = 65, P256_SIGNATURE = 64 };

void sha256(const void *data, size_t n, uint8_t out[SHA256_LEN]);
/* Several pieces as one. */
void sha256_pieces(const struct bytes *pieces, size_t n, uint8_t out[SHA256_LEN]);

/* What the registry stores of a certificate. Strings and bytes in the arena. */
struct cert_info {
	struct bytes der;
	uint8_t fingerprint[SHA256_LEN];  /* of the DER */
	uint8_t spki[SHA256_LEN];         /* of the SubjectPublicKeyInfo, for pinning */
	const char *subject, *issuer;     /* RFC 2253 */
	struct bytes serial;
	int64_t not_before, not_after;    /* microseconds since 1970 */
};
/* First certificate of PEM or DER data. False: not one. */
bool cert_read(struct arena *a, const void *data, size_t n, struct cert_info *out);
/* All certificates of a PEM file's text; returns how many (at most max). */
size_t cert_read_all(struct arena *a, const void *data, size_t n, struct cert_info *out, size_t max);

/* The first registeredID of SubjectAltName: the OID of the entity that the certificate is of (SGP.14), dotted. False: none, or longer than n. */
bool cert_registered_id(struct bytes der, char *out, size_t n);

enum cert_verdict { CERT_GOOD, CERT_UNTRUSTED, CERT_EXPIRED, CERT_REVOKED, CERT_BAD };
/* Verifies leaf up to one of the CAs in trust (PEM), AKI/SKI matching, now; crls: PEM or empty. EXPIRED before REVOKED. Revoked is reported, the
 * caller decides (D4). */
enum cert_verdict cert_verify(struct bytes leaf_der, struct bytes trust_pem, struct bytes crls_pem, int64_t now_us);

#endif

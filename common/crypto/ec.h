/* SPDX-License-Identifier: Apache-2.0 */
/* P-256 keys and GlobalPlatform certificates (procedures.md 1.7). */
#ifndef CRYPTO_EC_H
#define CRYPTO_EC_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/secret.h"
#include "common/crypto/cert.h"

enum { P256_SCALAR = 32 };

struct ec_key; /* a P-256 private key */

struct ec_key *ec_key_new(void);
/* PEM (PKCS#8 or SEC1). NULL: not a P-256 private key. */
struct ec_key *ec_key_read(const struct secret *pem);
/* The raw 32-byte scalar, and back. */
struct ec_key *ec_key_from_scalar(const struct secret *scalar);
struct secret ec_key_scalar(const struct ec_key *k);
void ec_key_free(struct ec_key *k); /* NULL allowed */
void ec_key_freep(struct ec_key **k);
void ec_key_public(const struct ec_key *k, uint8_t out[P256_POINT]); /* 04|X|Y */
/* ECDSA with SHA-256, plain r|s. */
bool ec_sign(const struct ec_key *k, const void *data, size_t n, uint8_t out[P256_SIGNATURE]);
bool ec_verify(const uint8_t point[P256_POINT], const void *data, size_t n, const uint8_t signature[P256_SIGNATURE]);
/* ECKA (BSI TR-03111 4.3.1): the x coordinate of the common point, a secret. False: point is not one of P-256. */
bool ec_shared_x(const struct ec_key *k, const uint8_t point[P256_POINT], uint8_t out[P256_SCALAR]);
/* The key derivation of X9.63 with SHA-256 (BSI TR-03111 4.3.3): n_out bytes. */
void kdf_x963(const void *secret, size_t n, struct bytes shared_info, uint8_t *out, size_t n_out);
/* The P-256 public point of a certificate; false: another kind of key. */
bool cert_public_point(struct bytes der, uint8_t out[P256_POINT]);
/* SubjectKeyIdentifier (20 bytes) of a certificate; false: none. */
bool cert_ski(struct bytes der, uint8_t out[20]);

/* Fields of a GlobalPlatform certificate 7F21. */
struct gp_cert {
	struct bytes serial;      /* 93, 1..16 */
	struct bytes ca_id;       /* 42, 1..16 */
	struct bytes subject;     /* 5F20, 1..16: for an eUICC the EID, 16 bytes */
	struct bytes key_usage;   /* 95: 88 for SM-DP/SM-SR (GP_USAGE_VERIFY), 0080 for an eUICC (GP_USAGE_AGREE) */
	const char *effective;    /* 5F25 YYYYMMDD, NULL: absent */
	const char *expires;      /* 5F24 YYYYMMDD */
	uint8_t role;             /* 73/C8: 01 SM-DP, 02 SM-SR, 0: absent (eUICC) */
	struct bytes authority;   /* 73/C9, 20 bytes; empty: absent */
	uint8_t point[P256_POINT];
	char dates[2][9]; /* where gp_cert_parse keeps the text of effective and expires: a copy of the struct points into the original */
};
enum { GP_ROLE_NONE, GP_ROLE_SM_DP, GP_ROLE_SM_SR };
/* Builds and signs; the whole 7F21 TLV in a. Empty: a field's length or date is not allowed. */
struct bytes gp_cert_build(struct arena *a, const struct gp_cert *c, const struct ec_key *issuer);
/* Parses a 7F21 TLV; bytes point into tlv. False: not one (truncated, a tag twice or anything behind the signature); wrong order is accepted,
 * unknown tags are ignored. */
bool gp_cert_parse(struct bytes tlv, struct gp_cert *out);
/* Signature over the TLVs before 5F37 by the issuer's point. */
bool gp_cert_verify(struct bytes tlv, const uint8_t issuer_point[P256_POINT]);

#endif

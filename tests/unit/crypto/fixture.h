/* SPDX-License-Identifier: Apache-2.0 */
/* A CA, a stranger of the same name and their certificates, made anew for each test. */
#ifndef TEST_CRYPTO_FIXTURE_H
#define TEST_CRYPTO_FIXTURE_H

#include "common/crypto/pki.h"

#define DAY_US INT64_C(86400000000)
#define NOW INT64_C(1800000000000000) /* 2027-01-15 */

struct party {
	struct ec_key *key;
	struct bytes pem;
	struct bytes der;
};

struct pki {
	struct arena *a;
	struct party root, stranger; /* stranger: another root with the same name */
};

struct pki pki_make(void);
void pki_drop(struct pki *p);
/* NULL issuer: self-signed. */
struct party party_make(struct arena *a, enum pki_kind kind, const char *cn, const struct party *issuer, int64_t from, int64_t to);
void party_drop(struct party *p);
/* issuer's CRL with one certificate on it. */
struct bytes crl_with(struct arena *a, const struct party *issuer, const struct party *revoked);
/* Files for xml_signer_open and command lines; the path is in a. */
char *file_put(struct arena *a, const char *name, const void *data, size_t n);
struct bytes file_get(struct arena *a, const char *path);
/* Where haystack has needed text replaced once, in a; fails the test when it is not in. */
struct bytes with(struct arena *a, struct bytes text, const char *from, const char *to);

#endif

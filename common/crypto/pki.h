/* SPDX-License-Identifier: Apache-2.0 */
/* Making keys, certificates and CRLs of a staging PKI (rsp-certs) and of tests. Real parties bring their own. */
#ifndef CRYPTO_PKI_H
#define CRYPTO_PKI_H

#include "common/crypto/ec.h"

enum pki_kind {
	PKI_ROOT,   /* CA that signs whatever */
	PKI_SUB_CA, /* CA below a root that signs data and end certificates: the EUM's */
	PKI_END,    /* signs data */
};

struct pki_cert {
	enum pki_kind kind;
	bool server, client;           /* extended key usages; neither: none is written */
	const char *cn;                /* common name; the organisation is the suite's */
	const char *alt_names;         /* "DNS:localhost,IP:127.0.0.1,RID:1.3.6.1.4.1.99999.1"; NULL: none */
	int64_t not_before, not_after; /* microseconds since 1970 */
};

/* PKCS#8 text without a password. */
struct secret pki_key_pem(const struct ec_key *k);
/* Signs key's certificate; issuer_der empty: self-signed. False: a name or time is not allowed, or the issuer is no certificate. */
bool pki_cert_make(struct arena *a, const struct pki_cert *c, const struct ec_key *key, const struct ec_key *issuer_key,
		   struct bytes issuer_der, struct bytes *out_pem);
/* A new CRL that lists what old_pem listed (may be empty) and revoked_der (may be empty). False: one of them is unreadable. */
bool pki_crl_make(struct arena *a, const struct ec_key *issuer_key, struct bytes issuer_der, struct bytes old_pem,
		  struct bytes revoked_der, int64_t now_us, int64_t next_us, struct bytes *out_pem);

#endif

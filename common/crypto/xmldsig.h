/* SPDX-License-Identifier: Apache-2.0 */
/* The EUM's signature over EumSignedInfo with xmlsec1 (recipes.md 4, decisions.md D3). */
#ifndef CRYPTO_XMLDSIG_H
#define CRYPTO_XMLDSIG_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/crypto/cert.h"

/* Once per process before any other call here; false: xmlsec does not start. Silences xmlsec's own printing. */
bool xmldsig_open(void);
void xmldsig_close(void);

/* A signer holds the key and certificate (PEM files), used from one thread at a time. NULL: error (256 bytes) says which file, what. */
struct xml_signer;
struct xml_signer *xml_signer_open(const char *key_file, const char *cert_file, char error[256]);
void xml_signer_free(struct xml_signer *s);
/* info: compact XML of one EumSignedInfo element that declares its own namespaces. *out_info: its exclusive canonical octets (what is digested),
 * *out_signature: the canonical octets of <rps:EumSignature> (prefix and namespace of the info's root), content per procedures.md 2.2:
 * exc-c14n, ecdsa-sha256, sha256, one Reference without URI, X509Data with the certificate. */
bool xml_sign_eum(struct xml_signer *s, struct arena *a, struct bytes info, struct bytes *out_info, struct bytes *out_signature);

enum sig_verdict { SIG_GOOD, SIG_BAD, SIG_CERT_UNTRUSTED, SIG_CERT_EXPIRED };
struct sig_result {
	enum sig_verdict verdict;
	bool revoked;            /* the certificate is on a CRL: flagged, never refused (D4) */
	struct bytes cert_der;   /* of the signer, in the arena; set when a certificate was found */
	unsigned form;           /* which of the infos verified */
	const char *why;         /* for the log */
};
/* Tries each canonical form of EumSignedInfo in infos (exclusive, inclusive in place, detached: soap_canonical) with signature = octets of the
 * EumSignature element (any prefix). trust: PEM of the CI roots and known EUM CAs; crls PEM, may be empty. Accepts only ecdsa-sha256, sha256, the two C14N without
 * comments, exactly one Reference without URI (or empty URI refused), X509Data in KeyInfo. infos[i].len may be 0: skipped. */
struct sig_result xml_verify_eum(struct arena *a, const struct bytes *infos, size_t n_infos, struct bytes signature, struct bytes trust_pem,
				 struct bytes crls_pem, int64_t now_us);

#endif

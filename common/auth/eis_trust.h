/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an EIS and its ECASD certificate are what a certified EUM said: ECASD <- EUM <- CI (procedures.md 1.5, 3.3 step 5). For an SM-SR that
 * registers a card, and an SM-DP that agrees on keys with it. */
#ifndef AUTH_EIS_TRUST_H
#define AUTH_EIS_TRUST_H

#include "common/crypto/ec.h"
#include "common/crypto/xmldsig.h"
#include "common/sgp02/eis.h"

/* Looks for the canonical form that was signed (D3): which one it was is found by trying, exclusive, in place and detached. Inclusive C14N
 * depends on the place: it may have been that of the two elements in their message or in documents of their own. What verified stands in
 * info_octets and signature_octets then. eis: as decoded from a document that still is there, or (info_node NULL) loaded. */
struct sig_result eis_signature_find(struct arena *a, struct eis *eis, struct bytes ci_pem, struct bytes ci_crl_pem, int64_t now_us);
/* What xml_verify_eum found, judged: OK; 8.6/6.3 the EUM's certificate is expired; 8.6/6.1 the signature is bad, its certificate does not chain
 * to the CI, or is not that of Eum-id (SGP.14: registeredID in SubjectAltName; any certificate of the CI would verify). */
result eis_signature_check(struct arena *a, const struct eis *eis, const struct sig_result *found);
/* The first ECASD certificate: signed by the EUM, of this EID, not expired at now_us. OK: out_point (PK.ECASD.ECKA; may be NULL) is set. 8.5.2/6.1,
 * 8.5.2/6.3 else, which name Ecasd. */
result eis_ecasd_check(struct arena *a, const struct eis *eis, struct bytes eum_der, int64_t now_us, uint8_t out_point[P256_POINT]);

#endif

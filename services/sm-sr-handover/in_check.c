/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a card that is handed over may come (procedures.md 3.20, step 6). */
#include "common/auth/eis_trust.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "services/sm-sr-handover/handover_in.h"

/* D4: a revoked EUM certificate is never refused, but nobody shall overlook it. */
static result trust_check(struct arena *a, struct eis *eis, const struct in_needs *needs, uint8_t out_ecasd[P256_POINT])
{
	const struct sig_result found = eis_signature_find(a, eis, needs->own->ci_pem, needs->own->ci_crl_pem, needs->now_us);

	TRY(eis_signature_check(a, eis, &found));
	if (found.revoked) {
		metric_add("rsp_eis_signer_revoked_total", "", 1);
		log_msg(LOG_WARN, "signer_revoked", "eid %s: the EUM certificate that signed it is revoked", eis->info.eid.text);
	}
	return eis_ecasd_check(a, eis, found.cert_der, needs->now_us, out_ecasd);
}

result in_check(struct arena *a, struct eis *eis, const struct in_needs *needs, uint8_t out_ecasd[P256_POINT])
{
	if (!oid_equal(&eis->smsr, needs->former))
		return failed(a, CODE_PARAM_INVALID, "Smsr-id", "Smsr-id: %s is not the SM-SR that hands it over", eis->smsr.text);
	TRY(trust_check(a, eis, needs, out_ecasd));
	TRY(eis_check_handover(a, eis));
	if (!handover_free_kvn(eis, KEYSET_SCP80))
		return failed(a, CODE_SMSR_REFUSED, eis->info.eid.text, "the ISD-R has all 15 SCP80 key sets: no version is free");
	return OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a card may and can have a profile (procedures.md 3.3, step 5). */
#include <stdlib.h>

#include "common/auth/eis_trust.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "services/sm-dp/download.h"

enum {
	RPS_MAJOR_MIN = 2
}; /* [GUESS]: of RemoteProvisioningVersion; before it there was no profile package of the interoperable format */

/* D4: a revoked EUM certificate is never refused, but nobody shall overlook it. */
static result trust_check(struct arena *a, const struct eis *eis, const struct download_needs *needs, uint8_t out_ecasd[P256_POINT])
{
	const struct sig_result found =
		xml_verify_eum(a, &eis->info_octets, 1, eis->signature_octets, needs->ci_pem, needs->ci_crl_pem, needs->now_us);

	TRY(eis_signature_check(a, eis, &found));
	if (found.revoked) {
		metric_add("rsp_eis_signer_revoked_total", "", 1);
		log_msg(LOG_WARN, "signer_revoked", "eid %s: the EUM certificate that signed it is revoked", eis->info.eid.text);
	}
	return eis_ecasd_check(a, eis, found.cert_der, needs->now_us, out_ecasd);
}

static result version_check(struct arena *a, const struct eis *eis)
{
	const char *version = eis->info.capabilities.remote_provisioning_version;

	if (version && *version && strtol(version, NULL, 10) < RPS_MAJOR_MIN)
		return failed(a, CODE_EUICC_UNSUPPORTED, eis->info.eid.text,
			      "RemoteProvisioningVersion %s: this SM-DP asks for %d or later", version, RPS_MAJOR_MIN);
	return OK;
}

/* Only what is Created and ours may be deleted (3.1.5). */
static bool is_leftover(const struct profile_info *p, const struct download_needs *needs)
{
	return p->state == PROFILE_CREATED && p->smdp && oid_equal(p->smdp, &needs->smdp);
}

static result profiles_check(struct arena *a, const struct eis *eis, const struct download_needs *needs, const char **out_leftovers,
			     int64_t *out_memory)
{
	const char *leftovers = "";

	*out_memory = eis->remaining_memory;
	for (size_t i = 0; i < eis->n_profiles; i++) {
		const struct profile_info *p = &eis->profiles[i];

		if (is_leftover(p, needs)) {
			leftovers = arena_printf(a, "%s%s%s", leftovers, *leftovers ? " " : "", p->iccid.text);
			*out_memory += p->allocated_memory > 0 ? p->allocated_memory : 0;
		} else if (iccid_equal(&p->iccid, &needs->iccid)) {
			return failed(a, CODE_ICCID_IN_USE, p->iccid.text, "the eUICC has this profile already");
		}
	}
	*out_leftovers = leftovers;
	return OK;
}

result download_check(struct arena *a, const struct eis *eis, const struct download_needs *needs, uint8_t out_ecasd[P256_POINT],
		      const char **out_leftovers)
{
	const char *leftovers = NULL;
	uint8_t ecasd[P256_POINT];
	int64_t memory = 0;

	if (!eid_equal(&eis->info.eid, &needs->eid))
		return failed(a, CODE_EUM_SIGNATURE_INVALID, eis->info.eid.text,
			      "the SM-SR answered with the EIS of another eUICC");
	TRY(trust_check(a, eis, needs, ecasd));
	TRY(version_check(a, eis));
	TRY(profiles_check(a, eis, needs, &leftovers, &memory));
	if (needs->memory > memory)
		return failed(a, CODE_EUICC_MEMORY, needs->eid.text, "the profile needs %lld bytes, the eUICC has %lld",
			      (long long)needs->memory, (long long)memory);
	for (size_t i = 0; i < P256_POINT; i++)
		out_ecasd[i] = ecasd[i];
	*out_leftovers = leftovers;
	return OK;
}

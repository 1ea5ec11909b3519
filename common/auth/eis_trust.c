/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/eis_trust.h"

#include <string.h>

#include "common/base/clock.h"

enum { DATE_LEN = 8 };

result eis_signature_check(struct arena *a, const struct eis *eis, const struct sig_result *found)
{
	char owner[OID_MAX + 1];

	if (found->verdict == SIG_CERT_EXPIRED)
		return failed(a, CODE_EUM_CERT_EXPIRED, NULL, NULL);
	if (found->verdict != SIG_GOOD)
		return failed(a, CODE_EUM_SIGNATURE_INVALID, "EumSignature", "EumSignature: %s", found->why);
	if (!cert_registered_id(found->cert_der, owner, sizeof(owner)) || strcmp(owner, eis->info.eum.text) != 0)
		return failed(a, CODE_EUM_SIGNATURE_INVALID, "EumSignature", "EumSignature: the certificate is not of Eum-id");
	return OK;
}

/* YYYYMMDD against the day of now; GP dates are inclusive. */
static bool date_passed(const char *yyyymmdd, int64_t now_us)
{
	char now[DATETIME_MAX], day[DATE_LEN + 1];

	datetime_format(now_us, now);
	memcpy(day, now, 4);
	memcpy(day + 4, now + 5, 2);
	memcpy(day + 6, now + 8, 2);
	day[DATE_LEN] = '\0';
	return strcmp(yyyymmdd, day) < 0;
}

static bool subject_is_eid(const struct gp_cert *cert, const struct eid *eid)
{
	uint8_t bcd[EID_DIGITS / 2];

	eid_bytes(eid, bcd);
	return cert->subject.len == sizeof(bcd) && !memcmp(cert->subject.data, bcd, sizeof(bcd));
}

result eis_ecasd_check(struct arena *a, const struct eis *eis, struct bytes eum_der, int64_t now_us, uint8_t out_point[P256_POINT])
{
	uint8_t eum_point[P256_POINT];
	struct gp_cert cert;

	for (size_t i = 0; i < eis->info.ecasd.n_keysets; i++) {
		const struct keyset *k = &eis->info.ecasd.keysets[i];

		if (!k->n_certificates)
			continue;
		if (!gp_cert_parse(k->certificates[0].value, &cert) || !subject_is_eid(&cert, &eis->info.eid))
			return failed(a, CODE_ECASD_CERT_INVALID, "Ecasd",
				      "Ecasd/Keyset/Certificate: not a certificate of this EID");
		if (!cert_public_point(eum_der, eum_point) || !gp_cert_verify(k->certificates[0].value, eum_point))
			return failed(a, CODE_ECASD_CERT_INVALID, "Ecasd", "Ecasd/Keyset/Certificate: not signed by the EUM");
		if (date_passed(cert.expires, now_us))
			return failed(a, CODE_ECASD_CERT_EXPIRED, "Ecasd", NULL);
		if (out_point)
			memcpy(out_point, cert.point, P256_POINT);
		return OK;
	}
	return failed(a, CODE_ECASD_CERT_INVALID, "Ecasd", "Ecasd: no certificate");
}

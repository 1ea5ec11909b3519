/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/eis_trust.h"

#include <string.h>

#include "common/crypto/gp_identity.h"
#include "common/soap/doc.h"

struct sig_result eis_signature_find(struct arena *a, struct eis *eis, struct bytes ci_pem, struct bytes ci_crl_pem, int64_t now_us)
{
	const struct soap_node *info = eis->info_node, *signature = info ? soap_next(info) : NULL;
	struct bytes infos[3] = { eis->info_octets }, signatures[3] = { eis->signature_octets };
	struct sig_result r = xml_verify_eum(a, infos, 1, signatures[0], ci_pem, ci_crl_pem, now_us);
	size_t n = 0;

	if (r.verdict == SIG_BAD && signature) {
		infos[1] = soap_canonical(a, info, C14N_INCLUSIVE);
		infos[2] = soap_canonical(a, info, C14N_INCLUSIVE_DETACHED);
		signatures[1] = soap_canonical(a, signature, C14N_INCLUSIVE);
		signatures[2] = soap_canonical(a, signature, C14N_INCLUSIVE_DETACHED);
		for (; n < LEN(signatures); n++) {
			r = xml_verify_eum(a, infos, LEN(infos), signatures[n], ci_pem, ci_crl_pem, now_us);
			if (r.verdict != SIG_BAD)
				break;
		}
	}
	if (r.verdict == SIG_GOOD) {
		eis->info_octets = infos[r.form];
		eis->signature_octets = signatures[n];
	}
	return r;
}

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

/* GP dates are inclusive. */
static bool date_passed(const char *yyyymmdd, int64_t now_us)
{
	char day[GP_DATE + 1];

	gp_date(now_us, day);
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

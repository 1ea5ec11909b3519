/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/crypto/fixture.h"

static const struct bytes none;

Test(cert, verdicts)
{
	CLEANUP(pki_drop) struct pki p = pki_make();
	CLEANUP(party_drop) struct party good = party_make(p.a, PKI_END, "good", &p.root, NOW - DAY_US, NOW + DAY_US);
	CLEANUP(party_drop) struct party foreign = party_make(p.a, PKI_END, "good", &p.stranger, NOW - DAY_US, NOW + DAY_US);
	CLEANUP(party_drop) struct party old = party_make(p.a, PKI_END, "old", &p.root, NOW - 2 * DAY_US, NOW - DAY_US);
	CLEANUP(party_drop) struct party early = party_make(p.a, PKI_END, "early", &p.root, NOW + DAY_US, NOW + 2 * DAY_US);
	CLEANUP(party_drop) struct party bad = party_make(p.a, PKI_END, "bad", &p.root, NOW - DAY_US, NOW + DAY_US);
	CLEANUP(party_drop) struct party old_foreign = party_make(p.a, PKI_END, "old", &p.stranger, NOW - 2 * DAY_US, NOW - DAY_US);
	struct bytes crl = crl_with(p.a, &p.root, &bad), forged = crl_with(p.a, &p.stranger, &good);
	struct bytes old_crl = crl_with(p.a, &p.root, &old);

	cr_assert_eq(cert_verify(good.der, p.root.pem, none, NOW), CERT_GOOD);
	cr_assert_eq(cert_verify(good.der, p.root.pem, crl, NOW), CERT_GOOD);
	cr_assert_eq(cert_verify(foreign.der, p.root.pem, crl, NOW), CERT_UNTRUSTED);
	cr_assert_eq(cert_verify(good.der, p.stranger.pem, crl, NOW), CERT_UNTRUSTED);
	cr_assert_eq(cert_verify(good.der, none, crl, NOW), CERT_UNTRUSTED);
	cr_assert_eq(cert_verify(old.der, p.root.pem, crl, NOW), CERT_EXPIRED);
	cr_assert_eq(cert_verify(early.der, p.root.pem, crl, NOW), CERT_EXPIRED);
	cr_assert_eq(cert_verify(old_foreign.der, p.root.pem, crl, NOW), CERT_UNTRUSTED, "a stranger before expired");
	cr_assert_eq(cert_verify(bad.der, p.root.pem, crl, NOW), CERT_REVOKED);
	cr_assert_eq(cert_verify(bad.der, p.root.pem, crl, NOW + 100 * DAY_US), CERT_EXPIRED);
	cr_assert_eq(cert_verify(bad.der, p.root.pem, crl, NOW + DAY_US / 2), CERT_REVOKED);
	cr_assert_eq(cert_verify(old.der, p.root.pem, old_crl, NOW), CERT_EXPIRED, "expired before revoked");
	cr_assert_eq(cert_verify(good.der, p.root.pem, forged, NOW), CERT_GOOD, "a CRL of the same name, another key");
	cr_assert_eq(cert_verify((struct bytes){ good.der.data, 40 }, p.root.pem, crl, NOW), CERT_BAD);
	cr_assert_eq(cert_verify(none, p.root.pem, crl, NOW), CERT_BAD);
}

Test(cert, bundles_and_direct_trust)
{
	CLEANUP(pki_drop) struct pki p = pki_make();
	CLEANUP(party_drop) struct party eum = party_make(p.a, PKI_SUB_CA, "EUM", &p.root, NOW - DAY_US, NOW + DAY_US);
	CLEANUP(party_drop) struct party self = party_make(p.a, PKI_END, "self", NULL, NOW - DAY_US, NOW + DAY_US);
	CLEANUP(party_drop) struct party leaf = party_make(p.a, PKI_END, "leaf", &self, NOW - DAY_US, NOW + DAY_US);
	char *both = arena_printf(p.a, "text before\n%.*s%.*s", (int)p.stranger.pem.len, (const char *)p.stranger.pem.data,
				  (int)p.root.pem.len, (const char *)p.root.pem.data);
	struct bytes bundle = { (const uint8_t *)both, strlen(both) };
	struct bytes crl = crl_with(p.a, &p.root, &eum);

	cr_assert_eq(cert_verify(eum.der, bundle, none, NOW), CERT_GOOD, "two CAs of one name: the AKI decides");
	cr_assert_eq(cert_verify(eum.der, bundle, crl, NOW), CERT_REVOKED);
	cr_assert_eq(cert_verify(eum.der, eum.pem, none, NOW), CERT_GOOD, "trusted itself, the CI unknown");
	cr_assert_eq(cert_verify(self.der, self.pem, none, NOW), CERT_GOOD);
	cr_assert_eq(cert_verify(self.der, p.root.pem, none, NOW), CERT_UNTRUSTED);
	cr_assert_eq(cert_verify(leaf.der, self.pem, none, NOW), CERT_UNTRUSTED, "its issuer is no CA");
}

/* More trust texts than are kept: those pushed out are parsed again, none is mixed up. */
Test(cert, many_trust_texts)
{
	CLEANUP(pki_drop) struct pki p = pki_make();
	struct party roots[12], leaves[12];

	for (unsigned i = 0; i < LEN(roots); i++) {
		roots[i] = party_make(p.a, PKI_ROOT, "CI", NULL, NOW - DAY_US, NOW + DAY_US);
		leaves[i] = party_make(p.a, PKI_END, "leaf", &roots[i], NOW - DAY_US, NOW + DAY_US);
	}
	for (unsigned i = 0; i < 2 * LEN(roots); i++) {
		const struct party *root = &roots[i % LEN(roots)];

		cr_assert_eq(cert_verify(leaves[i % LEN(roots)].der, root->pem, none, NOW), CERT_GOOD);
		cr_assert_eq(cert_verify(leaves[(i + 1) % LEN(roots)].der, root->pem, none, NOW), CERT_UNTRUSTED);
	}
	for (unsigned i = 0; i < LEN(roots); i++) {
		party_drop(&roots[i]);
		party_drop(&leaves[i]);
	}
}

Test(cert, reading)
{
	CLEANUP(pki_drop) struct pki p = pki_make();
	struct cert_info info, again, two[2];
	char *both =
		arena_printf(p.a, "%.*s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n%.*s", (int)p.stranger.pem.len,
			     (const char *)p.stranger.pem.data, (int)p.root.pem.len, (const char *)p.root.pem.data);
	uint8_t digest[SHA256_LEN], point[P256_POINT], key_point[P256_POINT], ski[20];

	cr_assert(cert_read(p.a, p.root.pem.data, p.root.pem.len, &info));
	cr_assert(cert_read(p.a, p.root.der.data, p.root.der.len, &again), "DER");
	cr_assert_arr_eq(info.fingerprint, again.fingerprint, SHA256_LEN);
	sha256(info.der.data, info.der.len, digest);
	cr_assert_arr_eq(info.fingerprint, digest, SHA256_LEN);
	cr_assert_str_eq(info.subject, "CN=Test CI,O=m2m-rsp staging");
	cr_assert_str_eq(info.issuer, info.subject);
	cr_assert_eq(info.not_before, NOW - 1000 * DAY_US);
	cr_assert_eq(info.serial.len, 16);
	cr_assert_eq(cert_read_all(p.a, both, strlen(both), two, 2), 2, "a broken block between two");
	cr_assert_arr_eq(two[1].fingerprint, info.fingerprint, SHA256_LEN);
	cr_assert_arr_neq(two[0].spki, two[1].spki, SHA256_LEN);
	cr_assert_eq(cert_read_all(p.a, both, strlen(both), two, 1), 1);
	cr_assert(cert_public_point(info.der, point));
	ec_key_public(p.root.key, key_point);
	cr_assert_arr_eq(point, key_point, P256_POINT);
	cr_assert(cert_ski(info.der, ski));
	for (size_t i = 0; i < info.der.len; i += 7)
		cr_assert_not(cert_read(p.a, info.der.data, i, &again));
	cr_assert_not(cert_read(p.a, "nothing", 7, &again));
	cr_assert_not(cert_read(p.a, NULL, 0, &again));
}

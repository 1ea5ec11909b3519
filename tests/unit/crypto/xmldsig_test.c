/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crypto/xmldsig.h"
#include "tests/unit/crypto/fixture.h"

#define NS "http://namespaces.gsma.org/esim-messaging/3"
#define URI_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define URI_ECDSA "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
#define URI_SHA256 "http://www.w3.org/2001/04/xmlenc#sha256"
#define INFO                                                                                          \
	"<rps:EumSignedInfo xmlns:rps=\"" NS "\"><rps:Eid>89049032000500881234567890123492</rps:Eid>" \
	"<rps:PlatformType a=\"1\">A &amp; B</rps:PlatformType></rps:EumSignedInfo>"

/* An EUM below the CI, its signer, and one signed info. */
struct bench {
	struct pki p;
	struct party eum;
	struct xml_signer *signer;
	struct bytes info, signature;
	char *key_file, *cert_file;
};

static void signer_of(struct bench *b, const struct party *who, const char *name)
{
	CLEANUP(secret_free) struct secret pem = pki_key_pem(who->key);
	char error[256] = "";

	b->key_file = file_put(b->p.a, arena_printf(b->p.a, "%s.key", name), pem.data, pem.len);
	b->cert_file = file_put(b->p.a, arena_printf(b->p.a, "%s.pem", name), who->pem.data, who->pem.len);
	b->signer = xml_signer_open(b->key_file, b->cert_file, error);
	cr_assert(b->signer, "%s", error);
	unlink(b->key_file);
	unlink(b->cert_file);
}

static struct bench bench_make(void)
{
	const struct bytes info = { (const uint8_t *)INFO, strlen(INFO) };
	struct bench b = { .p = pki_make() };

	cr_assert(xmldsig_open());
	b.eum = party_make(b.p.a, PKI_SUB_CA, "EUM", &b.p.root, NOW - DAY_US, NOW + DAY_US);
	signer_of(&b, &b.eum, "eum");
	cr_assert(xml_sign_eum(b.signer, b.p.a, info, &b.info, &b.signature));
	return b;
}

static void bench_drop(struct bench *b)
{
	xml_signer_free(b->signer);
	party_drop(&b->eum);
	pki_drop(&b->p);
	xmldsig_close();
}

static struct sig_result verify(struct bench *b, struct bytes info, struct bytes signature)
{
	return xml_verify_eum(b->p.a, &info, 1, signature, b->p.root.pem, (struct bytes){ 0 }, NOW);
}

Test(xmldsig, good)
{
	CLEANUP(bench_drop) struct bench b = bench_make();
	const struct bytes forms[3] = { { 0 }, with(b.p.a, b.info, "8904", "8905"), b.info };
	const struct bytes loose =
		with(b.p.a, b.info, "<rps:PlatformType", "<rps:PlatformType   "); /* other octets, same canonical form */
	struct bytes crl = crl_with(b.p.a, &b.p.root, &b.eum), odd, odd_signature;
	const char *text = "<EumSignedInfo xmlns='urn:other'><Eid/></EumSignedInfo>", *head = "<EumSignature xmlns=\"urn:other\">";
	struct sig_result r = xml_verify_eum(b.p.a, forms, 3, b.signature, b.p.root.pem, (struct bytes){ 0 }, NOW);

	cr_assert_eq(r.verdict, SIG_GOOD, "%s", r.why);
	cr_assert_eq(r.form, 2);
	cr_assert_not(r.revoked);
	cr_assert_eq(r.cert_der.len, b.eum.der.len);
	cr_assert_arr_eq(r.cert_der.data, b.eum.der.data, r.cert_der.len);
	cr_assert_eq(verify(&b, loose, b.signature).verdict, SIG_GOOD);
	cr_assert_eq(b.info.len, strlen(INFO), "what was canonical stays");
	/* known EUM, unknown CI */
	r = xml_verify_eum(b.p.a, &b.info, 1, b.signature, b.eum.pem, (struct bytes){ 0 }, NOW);
	cr_assert_eq(r.verdict, SIG_GOOD);
	r = xml_verify_eum(b.p.a, &b.info, 1, b.signature, b.p.root.pem, crl, NOW);
	cr_assert_eq(r.verdict, SIG_GOOD, "D4: revoked is flagged, not refused");
	cr_assert(r.revoked);
	r = xml_verify_eum(b.p.a, &b.info, 1, b.signature, b.p.root.pem, crl, NOW + 2 * DAY_US);
	cr_assert_eq(r.verdict, SIG_CERT_EXPIRED);
	cr_assert(r.revoked);
	/* a default namespace */
	odd = (struct bytes){ (const uint8_t *)text, strlen(text) };
	cr_assert(xml_sign_eum(b.signer, b.p.a, odd, &odd, &odd_signature));
	cr_assert_eq(strncmp((const char *)odd_signature.data, head, strlen(head)), 0);
	cr_assert_eq(verify(&b, odd, odd_signature).verdict, SIG_GOOD);
	cr_assert_not(xml_sign_eum(b.signer, b.p.a, with(b.p.a, odd, "urn:other", "urn:a&amp;b"), &odd, &odd_signature));
}

static void refused(struct bench *b, struct bytes info, struct bytes signature, enum sig_verdict expected, const char *what)
{
	struct sig_result r = verify(b, info, signature);

	cr_assert_eq(r.verdict, expected, "%s: %d %s", what, (int)r.verdict, r.why);
}

static void changed(struct bench *b, const char *from, const char *to)
{
	refused(b, b->info, with(b->p.a, b->signature, from, to), SIG_BAD, to);
}

/* Another info with its right digest, under the old signature value: refused only when SignedInfo's octets really are what is verified. */
static void other_digest(struct bench *b)
{
	struct bytes info = with(b->p.a, b->info, "8904", "8905"), again, signature;
	const char *open = "<ds:DigestValue>";
	char *first = arena_strndup(b->p.a, (const char *)b->signature.data, b->signature.len);

	cr_assert(xml_sign_eum(b->signer, b->p.a, info, &again, &signature));
	cr_assert_eq(verify(b, info, signature).verdict, SIG_GOOD);
	memcpy(strstr(first, open) + strlen(open),
	       strstr(arena_strndup(b->p.a, (const char *)signature.data, signature.len), open) + strlen(open), 44);
	refused(b, info, (struct bytes){ (uint8_t *)first, strlen(first) }, SIG_BAD, "digest exchanged");
}

Test(xmldsig, refused_shapes)
{
	CLEANUP(bench_drop) struct bench b = bench_make();
	struct bytes none = { 0 };

	refused(&b, with(b.p.a, b.info, "8904", "8905"), b.signature, SIG_BAD, "info changed");
	refused(&b, with(b.p.a, b.info, "A &amp;", "A  &amp;"), b.signature, SIG_BAD, "one space more");
	refused(&b, none, b.signature, SIG_BAD, "no info");
	refused(&b, b.info, none, SIG_BAD, "no signature");
	refused(&b, with(b.p.a, b.info, "<rps:EumSignedInfo", "<!DOCTYPE x [<!ENTITY e 'v'>]><rps:EumSignedInfo"), b.signature,
		SIG_BAD, "document type");
	refused(&b, b.info, b.info, SIG_BAD, "the info as signature");
	changed(&b, "<ds:Reference>", "<ds:Reference URI=\"\">");
	changed(&b, "<ds:Reference>", "<ds:Reference URI=\"#x\">");
	changed(&b, "<ds:Reference>", "<ds:Reference URI=\"file:///etc/passwd\">");
	changed(&b, "</ds:SignedInfo>",
		"<ds:Reference><ds:DigestMethod Algorithm=\"" URI_SHA256 "\"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>");
	changed(&b, URI_ECDSA, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1");
	changed(&b, URI_ECDSA, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256");
	changed(&b, URI_ECDSA, "http://www.w3.org/2000/09/xmldsig#hmac-sha1");
	changed(&b, URI_SHA256, "http://www.w3.org/2000/09/xmldsig#sha1");
	changed(&b, URI_C14N "\"></ds:Transform>", "http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform>");
	changed(&b, URI_C14N "\"></ds:Transform>", "http://www.w3.org/TR/1999/REC-xslt-19991116\"></ds:Transform>");
	changed(&b, URI_C14N, "http://www.w3.org/2001/10/xml-exc-c14n#WithComments");
	changed(&b, "<ds:SignedInfo", "<ds:SignedInfo></ds:SignedInfo><ds:SignedInfo");
	changed(&b, "<ds:KeyInfo", "<ds:KeyInfo></ds:KeyInfo><ds:KeyInfo");
	changed(&b, "<ds:X509Certificate>", "<ds:X509Certificate>AAAA</ds:X509Certificate><ds:X509Certificate>");
	changed(&b, "<ds:X509Certificate>", "<ds:X509Certificate>%");
	changed(&b, "ds:X509Data", "ds:X509Date");
	changed(&b, "rps:EumSignature", "rps:Signature");
	changed(&b, "<ds:KeyInfo", "<!-- & --><ds:KeyInfo/><x");
	other_digest(&b);
	cr_assert_eq(verify(&b, b.info, b.signature).verdict, SIG_GOOD, "and the untouched one still is good");
}

Test(xmldsig, refused_signers)
{
	CLEANUP(bench_drop) struct bench b = bench_make();
	CLEANUP(party_drop) struct party foreign = party_make(b.p.a, PKI_SUB_CA, "EUM", &b.p.stranger, NOW - DAY_US, NOW + DAY_US);
	CLEANUP(party_drop) struct party old = party_make(b.p.a, PKI_SUB_CA, "EUM", &b.p.root, NOW - 2 * DAY_US, NOW - DAY_US);
	CLEANUP(party_drop) struct party twin = party_make(b.p.a, PKI_SUB_CA, "EUM", &b.p.root, NOW - DAY_US, NOW + DAY_US);
	struct bytes info = b.info, signature;

	xml_signer_free(b.signer);
	signer_of(&b, &foreign, "foreign");
	cr_assert(xml_sign_eum(b.signer, b.p.a, info, &info, &signature));
	refused(&b, info, signature, SIG_CERT_UNTRUSTED, "a CA of the same name");
	xml_signer_free(b.signer);
	signer_of(&b, &old, "old");
	cr_assert(xml_sign_eum(b.signer, b.p.a, info, &info, &signature));
	refused(&b, info, signature, SIG_CERT_EXPIRED, "expired");
	refused(&b, with(b.p.a, info, "8904", "8905"), signature, SIG_BAD, "expired, and not even signed by it");
	/* a trusted certificate, but not the one of the key that signed */
	xml_signer_free(b.signer);
	signer_of(&b, &twin, "twin");
	cr_assert(xml_sign_eum(b.signer, b.p.a, info, &info, &signature));
	cr_assert_eq(verify(&b, info, signature).verdict, SIG_GOOD);
	{
		const char *mark = "<ds:KeyInfo";
		char *first = arena_strndup(b.p.a, (const char *)b.signature.data, b.signature.len);
		char *second = arena_strndup(b.p.a, (const char *)signature.data, signature.len);
		char *mixed = arena_printf(b.p.a, "%.*s%s", (int)(strstr(first, mark) - first), first, strstr(second, mark));

		refused(&b, b.info, (struct bytes){ (uint8_t *)mixed, strlen(mixed) }, SIG_BAD, "another's certificate");
	}
}

static size_t at(struct bench *b, const char *mark)
{
	char *text = arena_strndup(b->p.a, (const char *)b->signature.data, b->signature.len);

	return (size_t)(strstr(text, mark) - text);
}

static unsigned passes(struct bench *b, struct bytes info, struct bytes signature, size_t flip, size_t cut)
{
	uint8_t *copy = malloc(cut + 1); /* of exactly that length, so that a read beyond it is seen */
	unsigned good;

	cr_assert(copy);
	memcpy(copy, signature.data, cut);
	if (flip < cut)
		copy[flip] ^= (uint8_t)(flip % 2 ? 0x01 : 0x80);
	good = verify(b, info, (struct bytes){ copy, cut }).verdict == SIG_GOOD;
	free(copy);
	return good;
}

/* No byte of the info, of SignedInfo or of the value may change unseen (the value's last character has spare bits), and nothing is printed. */
Test(xmldsig, no_garbage_passes, .timeout = 100)
{
	CLEANUP(bench_drop) struct bench b = bench_make();
	size_t from = at(&b, "<ds:SignedInfo"), to = at(&b, "==</ds:SignatureValue") - 1;
	char *printed = arena_printf(b.p.a, "/tmp/rsp-crypto-%d-stderr", (int)getpid());
	unsigned passed = 0;

	cr_assert(freopen(printed, "w", stderr));
	cr_assert_gt(to, from + 500);
	for (size_t i = from; i < to; i += 2)
		passed += passes(&b, b.info, b.signature, i, b.signature.len);
	for (size_t i = 0; i < b.signature.len; i += 5)
		passed += passes(&b, b.info, b.signature, i, i);
	for (size_t i = 0; i < b.info.len; i++) {
		uint8_t *copy = arena_memdup(b.p.a, b.info.data, b.info.len);

		copy[i] ^= 0x04;
		passed += verify(&b, (struct bytes){ copy, b.info.len }, b.signature).verdict == SIG_GOOD;
	}
	fflush(stderr);
	cr_assert_eq(file_get(b.p.a, printed).len, 0, "something was printed");
	unlink(printed);
	cr_assert_eq(passed, 0);
}

Test(xmldsig, signer_says_what_is_wrong)
{
	CLEANUP(pki_drop) struct pki p = pki_make();
	CLEANUP(secret_free) struct secret pem = pki_key_pem(p.root.key);
	char *key = file_put(p.a, "s.key", pem.data, pem.len),
	     *cert = file_put(p.a, "s.pem", p.stranger.pem.data, p.stranger.pem.len);
	char error[256];

	cr_assert_null(xml_signer_open("/nonexistent.key", cert, error));
	cr_assert(strstr(error, "/nonexistent.key: No such file"), "%s", error);
	cr_assert_null(xml_signer_open(cert, cert, error));
	cr_assert(strstr(error, "not a P-256 private key"), "%s", error);
	cr_assert_null(xml_signer_open(key, cert, error));
	cr_assert(strstr(error, "not of the given key"), "%s", error);
	cr_assert_null(xml_signer_open(key, key, error));
	cr_assert(strstr(error, "no certificate in it"), "%s", error);
	unlink(key);
	unlink(cert);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures that others made, and ours before another program. */
#include <criterion/criterion.h>
#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/crypto/xmldsig.h"
#include "tests/unit/crypto/fixture.h"

static xmlNode *find(xmlNode *n, const char *name)
{
	for (; n; n = n->next) {
		xmlNode *below;

		if (n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0)
			return n;
		below = find(n->children, name);
		if (below)
			return below;
	}
	return NULL;
}

static int below(void *root, xmlNodePtr node, xmlNodePtr parent)
{
	for (xmlNode *n = node->type == XML_NAMESPACE_DECL ? parent : node; n; n = n->parent) {
		if (n == root)
			return 1;
	}
	return 0;
}

static struct bytes octets(struct arena *a, xmlNode *n, int mode)
{
	xmlOutputBufferPtr out = xmlAllocOutputBuffer(NULL);
	struct bytes b;

	cr_assert(out);
	cr_assert_geq(xmlC14NExecute(n->doc, below, n, mode, NULL, 0, out), 0);
	b.len = xmlOutputBufferGetSize(out);
	b.data = arena_memdup(a, xmlOutputBufferGetContent(out), b.len);
	xmlOutputBufferClose(out);
	return b;
}

static void sample_verifies(const char *name)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const char *root = getenv("RSP_SOURCE_ROOT");
	struct bytes file = file_get(a, arena_printf(a, "%s/../shared/data/messages/%s", root ? root : ".", name));
	struct bytes infos[2], signature, trust;
	struct cert_info signer;
	struct sig_result r;
	char *certificate;
	xmlDoc *doc;

	if (!file.len)
		cr_skip_test("%s is not beside the sources", name);
	cr_assert(xmldsig_open());
	doc = xmlReadMemory((const char *)file.data, (int)file.len, NULL, NULL, XML_PARSE_NONET);
	cr_assert(doc);
	infos[0] = octets(a, find(doc->children, "EumSignedInfo"), XML_C14N_EXCLUSIVE_1_0);
	infos[1] = octets(a, find(doc->children, "EumSignedInfo"), XML_C14N_1_0);
	signature = octets(a, find(doc->children, "EumSignature"), XML_C14N_EXCLUSIVE_1_0);
	certificate = (char *)xmlNodeGetContent(find(doc->children, "X509Certificate"));
	certificate[strcspn(certificate, "\n")] = 0;
	{
		CLEANUP(buf_free) struct buf pem = { 0 };

		buf_str(&pem, "-----BEGIN CERTIFICATE-----\n");
		for (size_t i = 0, n = strlen(certificate); i < n; i += 64)
			buf_printf(&pem, "%.64s\n", certificate + i);
		buf_str(&pem, "-----END CERTIFICATE-----\n");
		trust = (struct bytes){ arena_memdup(a, pem.data, pem.len), pem.len };
	}
	cr_assert(cert_read(a, trust.data, trust.len, &signer));
	r = xml_verify_eum(a, infos, 2, signature, trust, (struct bytes){ 0 }, signer.not_before + DAY_US);
	cr_assert_eq(r.verdict, SIG_GOOD, "%s: %s", name, r.why);
	r = xml_verify_eum(a, &infos[1], 1, signature, trust, (struct bytes){ 0 }, signer.not_before + DAY_US);
	cr_assert_eq(r.verdict, SIG_GOOD, "%s: declarations that exclusive C14N leaves out do no harm: %s", name, r.why);
	r = xml_verify_eum(a, infos, 2, signature, trust, (struct bytes){ 0 }, signer.not_after + DAY_US);
	cr_assert_eq(r.verdict, SIG_CERT_EXPIRED);
	r = xml_verify_eum(a, infos, 2, signature, (struct bytes){ 0 }, (struct bytes){ 0 }, signer.not_before + DAY_US);
	cr_assert_eq(r.verdict, SIG_CERT_UNTRUSTED);
	infos[0] = with(a, infos[0], "89049032000500881234567890123492", "89049032000500881234567890123493");
	r = xml_verify_eum(a, infos, 1, signature, trust, (struct bytes){ 0 }, signer.not_before + DAY_US);
	cr_assert_eq(r.verdict, SIG_BAD);
	xmlFree(certificate);
	xmlFreeDoc(doc);
}

Test(xmldsig_samples, indented)
{
	sample_verifies("01-ES1-RegisterEISRequest.xml");
}

Test(xmldsig_samples, compact)
{
	sample_verifies("01c-ES1-RegisterEISRequest-compact.xml");
}

/* The command line verifies ds:Signature in its own document only, so ours gets URI="" and the enveloped transform and its SignedInfo, still
 * canonical text, is signed again; digest, value form and KeyInfo stay as we wrote them. */
static struct bytes for_command_line(struct arena *a, const struct party *eum, struct bytes info, struct bytes signature)
{
	const char *close = "</rps:EumSignedInfo>";
	uint8_t value[P256_SIGNATURE];
	char base64[89], *s, *from, *to;

	signature = with(a, signature, "<ds:Reference>", "<ds:Reference URI=\"\">");
	signature = with(
		a, signature, "<ds:Transforms>",
		"<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform>");
	s = arena_strndup(a, (const char *)signature.data, signature.len);
	from = strstr(s, "<ds:SignedInfo");
	to = strstr(s, "</ds:SignedInfo>") + strlen("</ds:SignedInfo>");
	cr_assert(ec_sign(eum->key, from, (size_t)(to - from), value));
	{
		static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
		char *out = base64;

		for (size_t i = 0; i < P256_SIGNATURE; i += 3) {
			bool two = i + 1 < P256_SIGNATURE, three = i + 2 < P256_SIGNATURE;
			unsigned n =
				(unsigned)value[i] << 16 | (two ? (unsigned)value[i + 1] << 8 : 0) | (three ? value[i + 2] : 0);

			*out++ = digits[n >> 18];
			*out++ = digits[n >> 12 & 63];
			*out++ = two ? digits[n >> 6 & 63] : '=';
			*out++ = three ? digits[n & 63] : '=';
		}
		*out = 0;
	}
	from = strstr(to, "\">") + 2;
	cr_assert_eq(strcspn(from, "<"), 88);
	memcpy(from, base64, 88);
	signature = (struct bytes){ (uint8_t *)s, strlen(s) };
	signature = with(a, signature, "<rps:EumSignature", "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"");
	signature = with(a, signature, "</rps:EumSignature>", "</ds:Signature>");
	return with(a, info, close, arena_printf(a, "%.*s%s", (int)signature.len, (const char *)signature.data, close));
}

static int verify_by_command(struct arena *a, const char *trust, struct bytes doc)
{
	char *file = file_put(a, "cli.xml", doc.data, doc.len);
	int rc = system(arena_printf(a, "xmlsec1 --verify --trusted-pem %s %s >/dev/null 2>&1", trust, file));

	unlink(file);
	return rc;
}

Test(xmldsig_samples, command_line_agrees)
{
	static const char text[] =
		"<rps:EumSignedInfo xmlns:rps=\"http://namespaces.gsma.org/esim-messaging/3\"><rps:Eid>8904</rps:Eid>"
		"</rps:EumSignedInfo>";
	const int64_t now = (int64_t)time(NULL) * 1000000; /* the command has no other clock */
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(party_drop) struct party root = party_make(a, PKI_ROOT, "CI", NULL, now - DAY_US, now + DAY_US);
	CLEANUP(party_drop) struct party eum = party_make(a, PKI_SUB_CA, "EUM", &root, now - DAY_US, now + DAY_US);
	CLEANUP(secret_free) struct secret pem = pki_key_pem(eum.key);
	char *key = file_put(a, "cli.key", pem.data, pem.len), *cert = file_put(a, "cli.pem", eum.pem.data, eum.pem.len);
	char *trust = file_put(a, "cli-root.pem", root.pem.data, root.pem.len), error[256];
	struct bytes info = { (const uint8_t *)text, strlen(text) }, signature, doc;
	struct xml_signer *signer;

	if (system("command -v xmlsec1 >/dev/null 2>&1") != 0)
		cr_skip_test("xmlsec1 is not installed");
	cr_assert(xmldsig_open());
	signer = xml_signer_open(key, cert, error);
	cr_assert(signer, "%s", error);
	cr_assert(xml_sign_eum(signer, a, info, &info, &signature));
	doc = for_command_line(a, &eum, info, signature);
	cr_assert_eq(verify_by_command(a, trust, doc), 0);
	cr_assert_neq(verify_by_command(a, trust, with(a, doc, ">8904<", ">8905<")), 0);
	xml_signer_free(signer);
	unlink(key);
	unlink(cert);
	unlink(trust);
}

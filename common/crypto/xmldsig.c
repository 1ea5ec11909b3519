/* SPDX-License-Identifier: Apache-2.0 */
/* Verification: the structure and the chain are judged here, digest and signature by xmlsec with the key of the judged certificate, so that
 * xmlsec never chooses a key, loads a URI or reads KeyInfo. */
#include "common/crypto/xmldsig.h"

#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <string.h>
#include <xmlsec/xmlsec.h> /* first: the others use its types */
#include <xmlsec/errors.h>
#include <xmlsec/io.h>
#include <xmlsec/openssl/app.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/xmldsig.h>

#include "common/base/buf.h"
#include "common/crypto/crypto_internal.h"
#include "common/crypto/xmldsig_internal.h"

enum { XML_MAX = 4 * 1024 * 1024, CERTS_MAX = 4, TRANSFORMS_MAX = 4, KEY_BITS_MIN = 256 };

/* ---- silence ---- */

static void quiet_xmlsec(const char *file, int line, const char *func, const char *object, const char *subject, int reason,
			 const char *msg)
{
}

static void quiet_xml(void *user, xmlErrorPtr error)
{
}

/* libxml's handler is per thread and others use it too: taken for the length of a call, then given back. */
struct xml_handler {
	xmlStructuredErrorFunc fn;
	void *user;
};

static void quiet_end(const struct xml_handler *old)
{
	xmlSetStructuredErrorFunc(old->user, old->fn);
}

static struct xml_handler quiet_begin(void)
{
	struct xml_handler old = { xmlStructuredError, xmlStructuredErrorContext };

	xmlSetStructuredErrorFunc(NULL, quiet_xml);
	return old;
}
#define QUIET_SCOPE CLEANUP(quiet_end) const struct xml_handler quiet_ __attribute__((unused)) = quiet_begin()

bool xmldsig_open(void)
{
	xmlInitParser();
	(void)algorithms();
	if (xmlSecInit() < 0)
		return false;
	/* No URI is ever followed, whatever a signature names. */
	xmlSecIOCleanupCallbacks();
	if (xmlSecOpenSSLAppInit(NULL) < 0 || xmlSecOpenSSLInit() < 0)
		return false;
	/* Last: each of them puts a callback of its own that prints. */
	xmlSecErrorsSetCallback(quiet_xmlsec);
	return true;
}

void xmldsig_close(void)
{
	xmlSecOpenSSLShutdown();
	xmlSecOpenSSLAppShutdown();
	xmlSecShutdown();
}

/* ---- documents ---- */

static void xml_freep(xmlChar **p)
{
	if (*p)
		xmlFree(*p);
}

static void doc_freep(xmlDoc **p)
{
	xmlFreeDoc(*p);
}

static bool named(const xmlNode *n, const char *name)
{
	return n && n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0;
}

/* NULL: not XML, too large, or with a document type. UTF-8 is forced, so that a declaration of another encoding cannot hide a document type from the search. */
static xmlDoc *doc_parse(struct bytes xml)
{
	xmlDoc *doc;

	if (xml.len == 0 || xml.len > XML_MAX || memmem(xml.data, xml.len, "<!DOCTYPE", 9))
		return NULL;
	doc = xmlReadMemory((const char *)xml.data, (int)xml.len, NULL, "UTF-8",
			    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (doc && (doc->intSubset || doc->extSubset || !xmlDocGetRootElement(doc))) {
		xmlFreeDoc(doc);
		return NULL;
	}
	return doc;
}

/* A namespace that needs escaping is none of SGP.02's, and libxml keeps such names half escaped. */
static bool namespace_plain(const xmlNs *ns)
{
	return !ns || !ns->href || !strpbrk((const char *)ns->href, "&<>\"'\t\n\r");
}

bool xmldsig_canonical(struct arena *a, struct bytes info, struct signed_info *out)
{
	QUIET_SCOPE;
	CLEANUP(doc_freep) xmlDoc *doc = doc_parse(info);
	CLEANUP(xml_freep) xmlChar *text = NULL;
	const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
	int n;

	if (!named(root, "EumSignedInfo") || !namespace_plain(root->ns))
		return false;
	n = xmlC14NDocDumpMemory(doc, NULL, XML_C14N_EXCLUSIVE_1_0, NULL, 0, &text);
	if (n <= 0)
		return false;
	out->octets = (struct bytes){ arena_memdup(a, text, (size_t)n), (size_t)n };
	out->prefix = root->ns && root->ns->prefix ? arena_strdup(a, (const char *)root->ns->prefix) : "";
	out->ns = root->ns && root->ns->href ? arena_strdup(a, (const char *)root->ns->href) : NULL;
	return true;
}

static bool is_ds(const xmlNode *n, const char *name)
{
	return named(n, name) && n->ns && n->ns->href && strcmp((const char *)n->ns->href, DS_NS) == 0;
}

/* The only child of that name; NULL: none or several, of which two readers could take different ones. */
static xmlNode *ds_only(xmlNode *parent, const char *name)
{
	xmlNode *found = NULL;

	for (xmlNode *n = parent ? parent->children : NULL; n; n = n->next) {
		if (!is_ds(n, name))
			continue;
		if (found)
			return NULL;
		found = n;
	}
	return found;
}

static bool algorithm_is(xmlNode *n, const char *first, const char *second)
{
	CLEANUP(xml_freep) xmlChar *value = n ? xmlGetNoNsProp(n, BAD_CAST "Algorithm") : NULL;

	return value && (strcmp((const char *)value, first) == 0 || (second && strcmp((const char *)value, second) == 0));
}

static bool transforms_ok(xmlNode *transforms)
{
	unsigned count = 0;

	for (xmlNode *n = transforms->children; n; n = n->next) {
		if (n->type != XML_ELEMENT_NODE)
			continue;
		if (!is_ds(n, "Transform") || !algorithm_is(n, EXC_C14N, INC_C14N) || ++count > TRANSFORMS_MAX)
			return false;
	}
	return true;
}

static bool reference_ok(xmlNode *reference)
{
	xmlNode *transforms = ds_only(reference, "Transforms");

	if (xmlHasProp(reference, BAD_CAST "URI") || !algorithm_is(ds_only(reference, "DigestMethod"), SHA256_URI, NULL))
		return false;
	for (xmlNode *n = reference->children; n; n = n->next) {
		if (is_ds(n, "Transforms") && n != transforms)
			return false;
	}
	return !transforms || transforms_ok(transforms);
}

/* NULL: the signature has the one shape that is accepted; else what is wrong with it. */
static const char *shape_error(xmlNode *signature)
{
	xmlNode *signed_info = ds_only(signature, "SignedInfo");
	xmlNode *reference = ds_only(signed_info, "Reference");

	if (!named(signature, "EumSignature") && !is_ds(signature, "Signature"))
		return "the element is not EumSignature";
	if (!signed_info || !ds_only(signature, "SignatureValue") || !ds_only(signature, "KeyInfo"))
		return "not exactly one SignedInfo, SignatureValue and KeyInfo";
	if (!algorithm_is(ds_only(signed_info, "CanonicalizationMethod"), EXC_C14N, INC_C14N))
		return "canonicalisation not allowed";
	if (!algorithm_is(ds_only(signed_info, "SignatureMethod"), ECDSA_SHA256, NULL))
		return "signature algorithm is not ecdsa-sha256";
	if (!reference)
		return "not exactly one Reference";
	return reference_ok(reference) ? NULL : "Reference with URI, other digest or other transform";
}

/* ---- the signer's certificate ---- */

struct certs {
	X509 *x[CERTS_MAX];
	unsigned n;
};

static void certs_free(struct certs *c)
{
	for (unsigned i = 0; i < c->n; i++)
		X509_free(c->x[i]);
}

static void decode_freep(EVP_ENCODE_CTX **p)
{
	EVP_ENCODE_CTX_free(*p);
}

/* Base64 with any white space. */
static X509 *cert_decode(const char *text)
{
	CLEANUP(decode_freep) EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
	CLEANUP(buf_free) struct buf der = { 0 };
	size_t n = strlen(text);
	int got = 0, rest = 0;

	if (!ctx || n == 0 || n > CERT_DER_MAX)
		return NULL;
	buf_reserve(&der, n + 1);
	EVP_DecodeInit(ctx);
	if (EVP_DecodeUpdate(ctx, (unsigned char *)der.data, &got, (const unsigned char *)text, (int)n) < 0 ||
	    EVP_DecodeFinal(ctx, (unsigned char *)der.data + got, &rest) < 0)
		return NULL;
	return x509_kept((struct bytes){ (const uint8_t *)der.data, (size_t)(got + rest) });
}

static bool x509data_read(xmlNode *x509_data, struct certs *out)
{
	for (xmlNode *n = x509_data->children; n; n = n->next) {
		CLEANUP(xml_freep) xmlChar *text = NULL;

		if (!is_ds(n, "X509Certificate"))
			continue;
		text = xmlNodeGetContent(n);
		if (!text || out->n == CERTS_MAX)
			return false;
		out->x[out->n] = cert_decode((const char *)text);
		if (!out->x[out->n])
			return false;
		out->n++;
	}
	return true;
}

/* The one that issued none of the others. */
static X509 *leaf_of(const struct certs *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		bool issuer = false;

		for (unsigned j = 0; j < c->n; j++) {
			if (j != i && X509_NAME_cmp(X509_get_subject_name(c->x[i]), X509_get_issuer_name(c->x[j])) == 0)
				issuer = true;
		}
		if (!issuer)
			return c->x[i];
	}
	return NULL;
}

static X509 *signer_cert(xmlNode *signature, struct certs *keep)
{
	xmlNode *key_info = ds_only(signature, "KeyInfo");

	for (xmlNode *n = key_info->children; n; n = n->next) {
		if (is_ds(n, "X509Data") && !x509data_read(n, keep))
			return NULL;
	}
	return leaf_of(keep);
}

static bool key_allowed(X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);

	return key && EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) >= KEY_BITS_MIN;
}

/* ---- xmlsec ---- */

static void dsig_freep(xmlSecDSigCtxPtr *p)
{
	if (*p)
		xmlSecDSigCtxDestroy(*p);
}

static xmlSecKeyPtr xmlsec_key(EVP_PKEY *pkey)
{
	xmlSecKeyPtr key = xmlSecKeyCreate();
	xmlSecKeyDataPtr data;

	if (!key)
		return NULL;
	EVP_PKEY_up_ref(pkey);
	data = xmlSecOpenSSLEvpKeyAdopt(pkey);
	if (!data) {
		EVP_PKEY_free(pkey);
	} else if (xmlSecKeySetValue(key, data) < 0) {
		xmlSecKeyDataDestroy(data);
	} else {
		return key;
	}
	xmlSecKeyDestroy(key);
	return NULL;
}

static bool allow_only_ours(xmlSecDSigCtxPtr ctx)
{
	ctx->flags |= XMLSEC_DSIG_FLAGS_IGNORE_MANIFESTS;
	ctx->enabledReferenceUris = xmlSecTransformUriTypeEmpty;
	return xmlSecDSigCtxEnableSignatureTransform(ctx, xmlSecTransformInclC14NId) == 0 &&
	       xmlSecDSigCtxEnableSignatureTransform(ctx, xmlSecTransformExclC14NId) == 0 &&
	       xmlSecDSigCtxEnableSignatureTransform(ctx, xmlSecOpenSSLTransformEcdsaSha256Id) == 0 &&
	       xmlSecDSigCtxEnableReferenceTransform(ctx, xmlSecTransformInclC14NId) == 0 &&
	       xmlSecDSigCtxEnableReferenceTransform(ctx, xmlSecTransformExclC14NId) == 0 &&
	       xmlSecDSigCtxEnableReferenceTransform(ctx, xmlSecOpenSSLTransformSha256Id) == 0;
}

static bool xmlsec_verify(xmlNode *signature, EVP_PKEY *pkey)
{
	CLEANUP(dsig_freep) xmlSecDSigCtxPtr ctx = xmlSecDSigCtxCreate(NULL);

	if (!ctx || !allow_only_ours(ctx))
		return false;
	ctx->signKey = xmlsec_key(pkey);
	return ctx->signKey && xmlSecDSigCtxVerify(ctx, signature) == 0 && ctx->status == xmlSecDSigStatusSucceeded &&
	       xmlSecPtrListGetSize(&ctx->signedInfoReferences) == 1;
}

/* Two documents: SignedInfo is canonicalised in the signature's own, the Reference without URI digests all of the document that its element
 * says it belongs to, and that is the info's while xmlsec looks. (A signature that belongs to the info's document without being linked into it
 * has an empty canonical SignedInfo in libxml: xmlsec would then sign and verify nothing.) */
static bool form_verifies(struct bytes info, xmlNode *signature, EVP_PKEY *pkey)
{
	CLEANUP(doc_freep) xmlDoc *doc = doc_parse(info);
	xmlNode *reference = ds_only(ds_only(signature, "SignedInfo"), "Reference");
	bool good;

	if (!doc || !named(xmlDocGetRootElement(doc), "EumSignedInfo"))
		return false;
	reference->doc = doc;
	good = xmlsec_verify(signature, pkey);
	reference->doc = signature->doc;
	return good;
}

/* xmlsec wants ds:Signature. The namespace is that of the children: a new declaration here would change their inclusive C14N. */
static void rename_to_ds(xmlNode *signature)
{
	xmlNodeSetName(signature, BAD_CAST "Signature");
	xmlSetNs(signature, ds_only(signature, "SignedInfo")->ns);
}

static struct sig_result refused(enum sig_verdict verdict, struct bytes cert, const char *why)
{
	return (struct sig_result){ .verdict = verdict, .cert_der = cert, .why = why };
}

struct sig_result xml_verify_eum(struct arena *a, const struct bytes *infos, size_t n_infos, struct bytes signature,
				 struct bytes trust_pem, struct bytes crls_pem, int64_t now_us)
{
	QUIET_SCOPE;
	OPENSSL_ERRORS_SCOPE;
	CLEANUP(doc_freep) xmlDoc *doc = doc_parse(signature);
	CLEANUP(certs_free) struct certs certs = { 0 };
	xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
	const char *why = doc ? shape_error(root) : "the signature is not XML";
	struct sig_result good = { .verdict = SIG_GOOD, .why = "verified" };
	enum cert_verdict verdict;
	X509 *leaf;

	if (why)
		return refused(SIG_BAD, (struct bytes){ 0 }, why);
	leaf = signer_cert(root, &certs);
	if (!leaf)
		return refused(SIG_BAD, (struct bytes){ 0 }, "no readable X509Certificate in KeyInfo");
	good.cert_der = x509_der(a, leaf);
	verdict = x509_judge(leaf, trust_pem, crls_pem, now_us, &good.revoked);
	if (verdict == CERT_UNTRUSTED || verdict == CERT_BAD)
		return refused(SIG_CERT_UNTRUSTED, good.cert_der, "no trusted certificate above the signer's");
	if (!key_allowed(leaf))
		return refused(SIG_BAD, good.cert_der, "the signer's key is not an EC key of 256 bits or more");
	rename_to_ds(root);
	while (good.form < n_infos && !form_verifies(infos[good.form], root, X509_get0_pubkey(leaf)))
		good.form++;
	if (good.form == n_infos)
		return refused(SIG_BAD, good.cert_der, "digest or signature value does not verify");
	if (verdict == CERT_EXPIRED) {
		good.verdict = SIG_CERT_EXPIRED;
		good.why = "the signer's certificate or one above it is outside its validity";
	}
	return good;
}

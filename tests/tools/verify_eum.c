/* SPDX-License-Identifier: Apache-2.0 */
/* The EUM's signature as a stranger would check it: xmlsec1 of Debian with a keys manager of its own, nothing of common/crypto. The xmlsec1
 * command cannot do it: it takes a Reference without URI to mean the document that the signature stands in.
 *
 *   verify-eum INFO.xml SIGNATURE.xml CI.pem
 *
 * INFO.xml: EumSignedInfo as the root; SIGNATURE.xml: EumSignature as the root, both cut out of an answer; CI.pem: all that is trusted.
 * Exit: 0 valid, 1 not valid (why is on stderr), 2 the check could not be made. */
#include <libxml/parser.h>
#include <stdio.h>
#include <string.h>
#include <xmlsec/xmlsec.h> /* first: the others use its types */
#include <xmlsec/keysmngr.h>
#include <xmlsec/openssl/app.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/x509.h>
#include <xmlsec/xmldsig.h>

enum { VALID, NOT_VALID, NOT_CHECKED };

static int complain(const char *what, const char *about)
{
	fprintf(stderr, "verify-eum: %s: %s\n", about, what);
	return NOT_CHECKED;
}

static xmlNode *child(xmlNode *parent, const char *name)
{
	for (xmlNode *n = parent ? parent->children : NULL; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE && !strcmp((const char *)n->name, name))
			return n;
	return NULL;
}

/* Only certificates say whose key it is, and only the CI vouches for them. */
static xmlSecKeysMngrPtr trusting(const char *ci)
{
	xmlSecKeysMngrPtr keys = xmlSecKeysMngrCreate();

	if (keys && xmlSecOpenSSLAppDefaultKeysMngrInit(keys) == 0 &&
	    xmlSecOpenSSLAppKeysMngrCertLoad(keys, ci, xmlSecKeyDataFormatPem, xmlSecKeyDataTypeTrusted) == 0)
		return keys;
	if (keys)
		xmlSecKeysMngrDestroy(keys);
	return NULL;
}

static int judge(xmlSecKeysMngrPtr keys, xmlNode *signature)
{
	xmlSecDSigCtxPtr ctx = xmlSecDSigCtxCreate(keys);
	int verdict = NOT_VALID;

	if (!ctx)
		return complain("xmlsec makes no context", "signature");
	if (xmlSecPtrListAdd(&ctx->keyInfoReadCtx.enabledKeyData, BAD_CAST xmlSecOpenSSLKeyDataX509Id) == 0 &&
	    xmlSecDSigCtxVerify(ctx, signature) == 0 && ctx->status == xmlSecDSigStatusSucceeded &&
	    xmlSecPtrListGetSize(&ctx->signedInfoReferences) == 1)
		verdict = VALID;
	xmlSecDSigCtxDestroy(ctx);
	return verdict;
}

/* The signature keeps its own document, in which SignedInfo has its canonical form (libxml gives none to a node that is not linked in); the
 * Reference alone says that it belongs to the info's while xmlsec looks, so that is the document it digests. */
static int verify(xmlDoc *info, xmlDoc *signature, xmlSecKeysMngrPtr keys)
{
	xmlNode *root = xmlDocGetRootElement(signature), *signed_info = child(root, "SignedInfo");
	xmlNode *reference = child(signed_info, "Reference");
	int verdict;

	if (!reference || xmlHasProp(reference, BAD_CAST "URI"))
		return complain("no Reference, or one with a URI", "signature");
	if (strcmp((const char *)xmlDocGetRootElement(info)->name, "EumSignedInfo"))
		return complain("the root is not EumSignedInfo", "info");
	/* xmlsec knows only ds:Signature. */
	xmlNodeSetName(root, BAD_CAST "Signature");
	xmlSetNs(root, signed_info->ns);
	reference->doc = info;
	verdict = judge(keys, root);
	reference->doc = signature;
	return verdict;
}

static int check(char **files)
{
	xmlDoc *info = xmlReadFile(files[0], NULL, XML_PARSE_NONET), *signature = xmlReadFile(files[1], NULL, XML_PARSE_NONET);
	xmlSecKeysMngrPtr keys = trusting(files[2]);
	int verdict =
		info && signature && keys ? verify(info, signature, keys) : complain("a file is missing or unreadable", files[0]);

	if (keys)
		xmlSecKeysMngrDestroy(keys);
	xmlFreeDoc(signature);
	xmlFreeDoc(info);
	return verdict;
}

int main(int argc, char **argv)
{
	int verdict;

	if (argc != 4)
		return complain("INFO.xml SIGNATURE.xml CI.pem", "usage");
	xmlInitParser();
	if (xmlSecInit() < 0 || xmlSecOpenSSLAppInit(NULL) < 0 || xmlSecOpenSSLInit() < 0)
		return complain("does not start", "xmlsec");
	verdict = check(argv + 1);
	puts(verdict == VALID ? "valid" : "not valid");
	xmlSecOpenSSLShutdown();
	xmlSecOpenSSLAppShutdown();
	xmlSecShutdown();
	xmlCleanupParser();
	return verdict;
}

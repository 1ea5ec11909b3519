/* SPDX-License-Identifier: Apache-2.0 */
/* Signing writes the canonical text straight, without xmlsec: the shape is fixed, and it is ten times faster. Tests verify it with xmlsec. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/crypto/crypto_internal.h"
#include "common/crypto/ec.h"
#include "common/crypto/xmldsig_internal.h"

enum { FILE_MAX = 64 * 1024, ERROR_MAX = 256 };

struct xml_signer {
	struct ec_key *key;
	char *cert; /* base64 of the DER */
};

static void signer_freep(struct xml_signer **p)
{
	xml_signer_free(*p);
}

static void file_freep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static char *base64(const void *data, size_t n)
{
	char *text = malloc((n + 2) / 3 * 4 + 1);

	if (!text)
		abort();
	EVP_EncodeBlock((unsigned char *)text, data, (int)n);
	return text;
}

static void text_freep(char **p)
{
	free(*p);
}

static struct ec_key *signer_key(const char *file, char error[ERROR_MAX])
{
	CLEANUP(secret_free) struct secret pem = { 0 };
	struct ec_key *key;
	int rc = secret_read_file(file, FILE_MAX, &pem);

	if (rc < 0) {
		snprintf(error, ERROR_MAX, "%s: %s", file,
			 rc == -EPERM ? "others can read this key: chmod 0600 it" : strerror(-rc));
		return NULL;
	}
	key = ec_key_read(&pem);
	if (!key)
		snprintf(error, ERROR_MAX, "%s: not a P-256 private key in PEM without a password", file);
	return key;
}

static bool signer_cert_read(struct xml_signer *s, const char *file, char error[ERROR_MAX])
{
	CLEANUP(file_freep) FILE *f = fopen(file, "re");
	CLEANUP(arena_freep) struct arena *a = arena_new();
	char *text = arena_alloc(a, FILE_MAX);
	uint8_t mine[P256_POINT], point[P256_POINT];
	struct cert_info info;
	size_t n;

	if (!f) {
		snprintf(error, ERROR_MAX, "%s: %s", file, strerror(errno));
		return false;
	}
	n = fread(text, 1, FILE_MAX, f);
	if (!cert_read(a, text, n, &info)) {
		snprintf(error, ERROR_MAX, "%s: no certificate in it", file);
		return false;
	}
	ec_key_public(s->key, mine);
	if (!cert_public_point(info.der, point) || memcmp(mine, point, sizeof(point)) != 0) {
		snprintf(error, ERROR_MAX, "%s: this certificate is not of the given key", file);
		return false;
	}
	s->cert = base64(info.der.data, info.der.len);
	return true;
}

struct xml_signer *xml_signer_open(const char *key_file, const char *cert_file, char error[ERROR_MAX])
{
	CLEANUP(signer_freep) struct xml_signer *s = calloc(1, sizeof(*s));
	struct xml_signer *out;

	if (!s)
		abort();
	s->key = signer_key(key_file, error);
	if (!s->key || !signer_cert_read(s, cert_file, error))
		return NULL;
	out = s;
	s = NULL;
	return out;
}

void xml_signer_free(struct xml_signer *s)
{
	if (!s)
		return;
	ec_key_free(s->key);
	free(s->cert);
	free(s);
}

/* Already canonical: this text is what is signed and what is sent. */
static void add_signed_info(struct buf *b, struct bytes info)
{
	uint8_t digest[SHA256_LEN];
	CLEANUP(text_freep) char *text = NULL;

	sha256(info.data, info.len, digest);
	text = base64(digest, sizeof(digest));
	buf_printf(b,
		   "<ds:SignedInfo xmlns:ds=\"" DS_NS "\"><ds:CanonicalizationMethod Algorithm=\"" EXC_C14N
		   "\"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm=\"" ECDSA_SHA256
		   "\"></ds:SignatureMethod><ds:Reference><ds:Transforms><ds:Transform Algorithm=\"" EXC_C14N
		   "\"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm=\"" SHA256_URI
		   "\"></ds:DigestMethod><ds:DigestValue>%s</ds:DigestValue></ds:Reference></ds:SignedInfo>",
		   text);
}

static void add_signature(struct buf *b, const struct signed_info *info, const struct buf *signed_info,
			  const uint8_t value[P256_SIGNATURE], const char *cert)
{
	const char *colon = *info->prefix ? ":" : "";
	CLEANUP(text_freep) char *text = base64(value, P256_SIGNATURE);

	buf_printf(b, "<%s%sEumSignature", info->prefix, colon);
	if (info->ns)
		buf_printf(b, " xmlns%s%s=\"%s\"", colon, info->prefix, info->ns);
	buf_char(b, '>');
	buf_add(b, signed_info->data, signed_info->len);
	buf_printf(b,
		   "<ds:SignatureValue xmlns:ds=\"" DS_NS "\">%s</ds:SignatureValue><ds:KeyInfo xmlns:ds=\"" DS_NS
		   "\"><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></%s%sEumSignature>",
		   text, cert, info->prefix, colon);
}

bool xml_sign_eum(struct xml_signer *s, struct arena *a, struct bytes info, struct bytes *out_info, struct bytes *out_signature)
{
	CLEANUP(buf_free) struct buf signed_info = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };
	uint8_t value[P256_SIGNATURE];
	struct signed_info canonical;

	if (!xmldsig_canonical(a, info, &canonical))
		return false;
	add_signed_info(&signed_info, canonical.octets);
	if (!ec_sign(s->key, signed_info.data, signed_info.len, value))
		return false;
	add_signature(&out, &canonical, &signed_info, value, s->cert);
	*out_info = canonical.octets;
	*out_signature = (struct bytes){ arena_memdup(a, out.data, out.len), out.len };
	return true;
}

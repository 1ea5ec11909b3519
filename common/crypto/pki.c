/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/pki.h"

#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/random.h"
#include "common/crypto/crypto_internal.h"

enum { SERIAL_LEN = 16 };

static void crl_freep(X509_CRL **p)
{
	X509_CRL_free(*p);
}

static void time_freep(ASN1_TIME **p)
{
	ASN1_TIME_free(*p);
}

static void revoked_freep(X509_REVOKED **p)
{
	X509_REVOKED_free(*p);
}

struct secret pki_key_pem(const struct ec_key *k)
{
	CLEANUP(bio_freep) BIO *out = BIO_new(BIO_s_secmem());
	char *text = NULL;
	struct secret s;
	long n;

	if (!out || PEM_write_bio_PKCS8PrivateKey(out, k->pkey, NULL, NULL, 0, NULL, NULL) != 1)
		abort();
	n = BIO_get_mem_data(out, &text);
	s = secret_new((size_t)n);
	memcpy(s.data, text, (size_t)n);
	return s;
}

static bool extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool added;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	added = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return added;
}

static bool extend_all(X509 *x, X509 *issuer, const struct pki_cert *c)
{
	static const struct {
		const char *basic, *usage;
	} by_kind[] = {
		[PKI_ROOT] = { "critical,CA:TRUE", "critical,keyCertSign,cRLSign" },
		[PKI_SUB_CA] = { "critical,CA:TRUE,pathlen:0", "critical,digitalSignature,keyCertSign" },
		[PKI_END] = { "critical,CA:FALSE", "critical,digitalSignature" },
	};
	const char *both = "serverAuth,clientAuth";
	const char *eku = c->server && c->client ? both : c->server ? "serverAuth" : c->client ? "clientAuth" : NULL;

	return extend(x, issuer, NID_basic_constraints, by_kind[c->kind].basic) &&
	       extend(x, issuer, NID_key_usage, by_kind[c->kind].usage) && extend(x, issuer, NID_subject_key_identifier, "hash") &&
	       extend(x, issuer, NID_authority_key_identifier, "keyid:always") &&
	       (!eku || extend(x, issuer, NID_ext_key_usage, eku)) &&
	       (!c->alt_names || extend(x, issuer, NID_subject_alt_name, c->alt_names));
}

static bool name_set(X509 *x, const char *cn)
{
	X509_NAME *name = X509_get_subject_name(x);

	return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"m2m-rsp staging", -1, -1, 0) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) == 1;
}

static bool serial_set(X509 *x)
{
	CLEANUP(bn_freep) BIGNUM *bn = NULL;
	uint8_t serial[SERIAL_LEN];

	random_bytes(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40); /* positive and of constant length */
	bn = BN_bin2bn(serial, sizeof(serial), NULL);
	return bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
}

static bool pem_out(BIO *out, struct arena *a, struct bytes *out_pem)
{
	char *text = NULL;
	long n = BIO_get_mem_data(out, &text);

	if (n <= 0)
		return false;
	*out_pem = (struct bytes){ arena_memdup(a, text, (size_t)n), (size_t)n };
	return true;
}

bool pki_cert_make(struct arena *a, const struct pki_cert *c, const struct ec_key *key, const struct ec_key *issuer_key,
		   struct bytes issuer_der, struct bytes *out_pem)
{
	CLEANUP(x509_freep) X509 *x = X509_new();
	CLEANUP(x509_freep) X509 *parent = issuer_der.len ? x509_from_der(issuer_der) : NULL;
	CLEANUP(bio_freep) BIO *out = BIO_new(BIO_s_mem());
	X509 *issuer = issuer_der.len ? parent : x;
	OPENSSL_ERRORS_SCOPE;

	return x && out && issuer && X509_set_version(x, X509_VERSION_3) == 1 && serial_set(x) && name_set(x, c->cn) &&
	       X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1 && X509_set_pubkey(x, key->pkey) == 1 &&
	       ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(c->not_before / 1000000)) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(c->not_after / 1000000)) && extend_all(x, issuer, c) &&
	       X509_sign(x, issuer_key->pkey, algorithms()->sha256) > 0 && PEM_write_bio_X509(out, x) == 1 &&
	       pem_out(out, a, out_pem);
}

static bool times_set(X509_CRL *crl, int64_t now_us, int64_t next_us)
{
	CLEANUP(time_freep) ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)(now_us / 1000000));
	CLEANUP(time_freep) ASN1_TIME *next = ASN1_TIME_set(NULL, (time_t)(next_us / 1000000));

	return now && next && X509_CRL_set1_lastUpdate(crl, now) == 1 && X509_CRL_set1_nextUpdate(crl, next) == 1;
}

/* The entries of the old CRL stay; the version, times and signature become new. */
static X509_CRL *crl_start(struct bytes old_pem)
{
	CLEANUP(bio_freep) BIO *in = NULL;

	if (old_pem.len == 0)
		return X509_CRL_new();
	in = old_pem.len <= INT_MAX ? BIO_new_mem_buf(old_pem.data, (int)old_pem.len) : NULL;
	return in ? PEM_read_bio_X509_CRL(in, NULL, pem_no_password, NULL) : NULL;
}

static bool crl_add(X509_CRL *crl, X509 *cert, int64_t now_us)
{
	CLEANUP(time_freep) ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)(now_us / 1000000));
	CLEANUP(revoked_freep) X509_REVOKED *entry = X509_REVOKED_new();
	X509_REVOKED *found = NULL;

	if (X509_CRL_get0_by_cert(crl, &found, cert) == 1)
		return true;
	if (!now || !entry || X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(cert)) != 1 ||
	    X509_REVOKED_set_revocationDate(entry, now) != 1 || X509_CRL_add0_revoked(crl, entry) != 1)
		return false;
	entry = NULL;
	return true;
}

bool pki_crl_make(struct arena *a, const struct ec_key *issuer_key, struct bytes issuer_der, struct bytes old_pem,
		  struct bytes revoked_der, int64_t now_us, int64_t next_us, struct bytes *out_pem)
{
	CLEANUP(x509_freep) X509 *issuer = x509_from_der(issuer_der);
	CLEANUP(x509_freep) X509 *revoked = revoked_der.len ? x509_from_der(revoked_der) : NULL;
	CLEANUP(crl_freep) X509_CRL *crl = crl_start(old_pem);
	CLEANUP(bio_freep) BIO *out = BIO_new(BIO_s_mem());
	OPENSSL_ERRORS_SCOPE;

	return issuer && crl && out && (!revoked_der.len || revoked) && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
	       X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 && times_set(crl, now_us, next_us) &&
	       (!revoked || crl_add(crl, revoked, now_us)) && X509_CRL_sort(crl) == 1 &&
	       X509_CRL_sign(crl, issuer_key->pkey, algorithms()->sha256) > 0 && PEM_write_bio_X509_CRL(out, crl) == 1 &&
	       pem_out(out, a, out_pem);
}

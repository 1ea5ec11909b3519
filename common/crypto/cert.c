/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/cert.h"

#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/crypto/crypto_internal.h"
#include "common/crypto/ec.h"

static struct algorithms fetched;

static void fetch(void)
{
	fetched = (struct algorithms){
		.sha1 = EVP_MD_fetch(NULL, "SHA1", NULL),
		.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL),
		.aes128_ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL),
		.aes192_ecb = EVP_CIPHER_fetch(NULL, "AES-192-ECB", NULL),
		.aes256_ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL),
		.aes128_cbc = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL),
		.aes256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL),
		.aes128_wrap = EVP_CIPHER_fetch(NULL, "AES-128-WRAP", NULL),
	};
	if (!fetched.sha1 || !fetched.sha256 || !fetched.aes128_ecb || !fetched.aes192_ecb || !fetched.aes256_ecb ||
	    !fetched.aes128_cbc || !fetched.aes256_gcm || !fetched.aes128_wrap)
		abort();
}

const struct algorithms *algorithms(void)
{
	static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

	if (!CRYPTO_THREAD_run_once(&once, fetch))
		abort();
	return &fetched;
}

void sha256(const void *data, size_t n, uint8_t out[SHA256_LEN])
{
	const struct bytes piece = { data, n };

	sha256_pieces(&piece, 1, out);
}

static void md_ctx_freep(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
}

void sha256_pieces(const struct bytes *pieces, size_t n, uint8_t out[SHA256_LEN])
{
	CLEANUP(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	/* Nothing of this depends on the data: failure is no memory. */
	if (!ctx || EVP_DigestInit_ex2(ctx, algorithms()->sha256, NULL) != 1)
		abort();
	for (size_t i = 0; i < n; i++) {
		if (EVP_DigestUpdate(ctx, pieces[i].data, pieces[i].len) != 1)
			abort();
	}
	if (EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		abort();
}

int pem_no_password(char *buf, int size, int rwflag, void *user)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)user;
	return -1;
}

X509 *x509_from_der(struct bytes der)
{
	const unsigned char *at = der.data;

	return der.len > 0 && der.len <= CERT_DER_MAX ? d2i_X509(NULL, &at, (long)der.len) : NULL;
}

X509 *x509_next_pem(BIO *pem)
{
	while (pem && !BIO_eof(pem)) {
		X509 *x = PEM_read_bio_X509(pem, NULL, pem_no_password, NULL);

		if (x)
			return x;
	}
	return NULL;
}

static const char *name_text(struct arena *a, const X509_NAME *name)
{
	CLEANUP(bio_freep) BIO *out = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n;

	if (!out || X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) < 0)
		return "";
	n = BIO_get_mem_data(out, &text);
	return n > 0 ? arena_strndup(a, text, (size_t)n) : "";
}

static bool time_us(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;
	time_t s;

	if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	s = timegm(&tm);
	*out = (int64_t)s * 1000000;
	return true;
}

struct bytes x509_der(struct arena *a, const X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);
	struct bytes out = { 0 };

	if (n > 0)
		out = (struct bytes){ arena_memdup(a, der, (size_t)n), (size_t)n };
	OPENSSL_free(der);
	return out;
}

static bool spki_hash(const X509 *x, uint8_t out[SHA256_LEN])
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

	if (n > 0)
		sha256(der, (size_t)n, out);
	OPENSSL_free(der);
	return n > 0;
}

static bool describe(struct arena *a, const X509 *x, struct cert_info *out)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	struct cert_info c = { .der = x509_der(a, x) };

	if (!c.der.len || !spki_hash(x, c.spki) || !time_us(X509_get0_notBefore(x), &c.not_before) ||
	    !time_us(X509_get0_notAfter(x), &c.not_after))
		return false;
	sha256(c.der.data, c.der.len, c.fingerprint);
	c.subject = name_text(a, X509_get_subject_name(x));
	c.issuer = name_text(a, X509_get_issuer_name(x));
	c.serial.len = (size_t)ASN1_STRING_length(serial);
	c.serial.data = arena_memdup(a, ASN1_STRING_get0_data(serial), c.serial.len);
	*out = c;
	return true;
}

bool cert_read(struct arena *a, const void *data, size_t n, struct cert_info *out)
{
	CLEANUP(x509_freep) X509 *x = NULL;
	OPENSSL_ERRORS_SCOPE;

	if (cert_read_all(a, data, n, out, 1) == 1)
		return true;
	x = x509_from_der((struct bytes){ data, n });
	return x && describe(a, x, out);
}

size_t cert_read_all(struct arena *a, const void *data, size_t n, struct cert_info *out, size_t max)
{
	CLEANUP(bio_freep) BIO *pem = n > 0 && n <= INT_MAX ? BIO_new_mem_buf(data, (int)n) : NULL;
	size_t count = 0;
	OPENSSL_ERRORS_SCOPE;

	while (count < max) {
		CLEANUP(x509_freep) X509 *x = x509_next_pem(pem);

		if (!x)
			break;
		if (describe(a, x, &out[count]))
			count++;
	}
	return count;
}

bool cert_public_point(struct bytes der, uint8_t out[P256_POINT])
{
	CLEANUP(x509_freep) X509 *x = NULL;
	OPENSSL_ERRORS_SCOPE;

	x = x509_kept(der);
	return x && pkey_point(X509_get0_pubkey(x), out);
}

bool cert_ski(struct bytes der, uint8_t out[20])
{
	CLEANUP(x509_freep) X509 *x = NULL;
	const ASN1_OCTET_STRING *ski;
	OPENSSL_ERRORS_SCOPE;

	x = x509_from_der(der);
	ski = x ? X509_get0_subject_key_id(x) : NULL;
	if (!ski || ASN1_STRING_length(ski) != 20)
		return false;
	memcpy(out, ASN1_STRING_get0_data(ski), 20);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Chains. The trust text of a process is a handful of constant files, so parsed stores are kept: parsing a certificate costs OpenSSL 3
 * more than verifying its signature. */
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/crypto_internal.h"

enum { KEPT = 8, CRLS_MAX = 64, CHAIN_DEPTH = 4, AUTH_LEVEL = 2 /* 112 bits: no SHA-1, no small keys */ };

struct signed_crl {
	X509_CRL *crl;
	X509 *issuer; /* whose key signed it */
};

struct trust {
	uint8_t id[SHA256_LEN]; /* of both texts */
	unsigned refs;          /* under kept_lock */
	X509_STORE *store;
	STACK_OF(X509) * cas;
	size_t n_crls;
	struct signed_crl crls[CRLS_MAX];
};

static struct trust *kept[KEPT];
static unsigned next_slot;

static void trust_free(struct trust *t)
{
	for (size_t i = 0; i < t->n_crls; i++)
		X509_CRL_free(t->crls[i].crl);
	sk_X509_pop_free(t->cas, X509_free);
	X509_STORE_free(t->store);
	free(t);
}

/* Only a CRL that a trusted CA signed counts; that is found out once, here. A CRL past its nextUpdate counts too: what was revoked stays so. */
static void keep_crl(struct trust *t, X509_CRL *crl)
{
	for (int i = 0; i < sk_X509_num(t->cas); i++) {
		X509 *ca = sk_X509_value(t->cas, i);

		if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca)) == 0 &&
		    X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1 && t->n_crls < CRLS_MAX) {
			t->crls[t->n_crls++] = (struct signed_crl){ crl, ca };
			return;
		}
	}
	X509_CRL_free(crl);
}

static BIO *text_bio(struct bytes text)
{
	return text.len > 0 && text.len <= INT_MAX ? BIO_new_mem_buf(text.data, (int)text.len) : NULL;
}

static struct trust *trust_parse(struct bytes trust_pem, struct bytes crls_pem, const uint8_t id[SHA256_LEN])
{
	CLEANUP(bio_freep) BIO *cas = text_bio(trust_pem);
	CLEANUP(bio_freep) BIO *crls = text_bio(crls_pem);
	struct trust *t = calloc(1, sizeof(*t));
	X509 *x;

	if (!t)
		abort();
	memcpy(t->id, id, SHA256_LEN);
	t->refs = 1;
	t->store = X509_STORE_new();
	t->cas = sk_X509_new_null();
	if (!t->store || !t->cas)
		abort();
	while ((x = x509_next_pem(cas))) {
		/* OpenSSL decodes the extensions at first use: here, before other threads see the certificate. */
		(void)X509_check_purpose(x, -1, 0);
		if (X509_STORE_add_cert(t->store, x) != 1 || sk_X509_push(t->cas, x) <= 0)
			X509_free(x);
	}
	while (crls && !BIO_eof(crls)) {
		X509_CRL *crl = PEM_read_bio_X509_CRL(crls, NULL, pem_no_password, NULL);

		if (crl)
			keep_crl(t, crl);
	}
	return t;
}

static struct trust *trust_find(const uint8_t id[SHA256_LEN])
{
	for (unsigned i = 0; i < KEPT; i++) {
		if (kept[i] && memcmp(kept[i]->id, id, SHA256_LEN) == 0) {
			kept[i]->refs++;
			return kept[i];
		}
	}
	return NULL;
}

static void trust_putp(struct trust **p)
{
	bool last;

	if (!*p)
		return;
	kept_lock();
	last = --(*p)->refs == 0;
	kept_unlock();
	if (last)
		trust_free(*p);
}

/* Give back with trust_putp. Parsing happens outside the lock; two threads may then both parse, which harms nobody. */
static struct trust *trust_get(struct bytes trust_pem, struct bytes crls_pem)
{
	const uint64_t split = trust_pem.len; /* where one text ends is part of the identity */
	const struct bytes pieces[] = { { (const uint8_t *)&split, sizeof(split) }, trust_pem, crls_pem };
	CLEANUP(trust_putp) struct trust *old = NULL;
	uint8_t id[SHA256_LEN];
	struct trust *t;

	sha256_pieces(pieces, LEN(pieces), id);
	kept_lock();
	t = trust_find(id);
	kept_unlock();
	if (t)
		return t;
	t = trust_parse(trust_pem, crls_pem, id);
	kept_lock();
	old = kept[next_slot];
	kept[next_slot] = t;
	next_slot = (next_slot + 1) % KEPT;
	t->refs++;
	kept_unlock();
	return t;
}

/* Time is noted and passed over, so that an expired certificate of a stranger is a stranger's first. */
static int judge_error(int ok, X509_STORE_CTX *ctx)
{
	bool *expired = X509_STORE_CTX_get_app_data(ctx);
	int error = X509_STORE_CTX_get_error(ctx);

	if (ok)
		return 1;
	if (error != X509_V_ERR_CERT_HAS_EXPIRED && error != X509_V_ERR_CERT_NOT_YET_VALID)
		return 0;
	*expired = true;
	return 1;
}

static bool is_revoked(const struct trust *t, X509 *cert)
{
	for (size_t i = 0; i < t->n_crls; i++) {
		X509_REVOKED *entry = NULL;

		if (X509_check_issued(t->crls[i].issuer, cert) == X509_V_OK &&
		    X509_CRL_get0_by_cert(t->crls[i].crl, &entry, cert) == 1)
			return true;
	}
	return false;
}

static bool chain_revoked(const struct trust *t, X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

	for (int i = 0; i < sk_X509_num(chain); i++) {
		if (is_revoked(t, sk_X509_value(chain, i)))
			return true;
	}
	return false;
}

static void store_ctx_freep(X509_STORE_CTX **p)
{
	X509_STORE_CTX_free(*p);
}

enum cert_verdict x509_judge(X509 *leaf, struct bytes trust_pem, struct bytes crls_pem, int64_t now_us, bool *revoked)
{
	CLEANUP(trust_putp) struct trust *t = trust_get(trust_pem, crls_pem);
	CLEANUP(store_ctx_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	bool expired = false;

	if (!ctx || X509_STORE_CTX_init(ctx, t->store, leaf, NULL) != 1)
		abort();
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)(now_us / 1000000));
	X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	/* An EUM certificate may be trusted itself, without the CI above it. */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_STORE_CTX_set_app_data(ctx, &expired);
	X509_STORE_CTX_set_verify_cb(ctx, judge_error);
	if (X509_verify_cert(ctx) != 1)
		return CERT_UNTRUSTED;
	*revoked = chain_revoked(t, ctx);
	if (expired)
		return CERT_EXPIRED;
	return *revoked ? CERT_REVOKED : CERT_GOOD;
}

enum cert_verdict cert_verify(struct bytes leaf_der, struct bytes trust_pem, struct bytes crls_pem, int64_t now_us)
{
	CLEANUP(x509_freep) X509 *leaf = NULL;
	bool revoked = false;
	OPENSSL_ERRORS_SCOPE;

	leaf = x509_kept(leaf_der);
	return leaf ? x509_judge(leaf, trust_pem, crls_pem, now_us, &revoked) : CERT_BAD;
}

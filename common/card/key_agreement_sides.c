/* SPDX-License-Identifier: Apache-2.0 */
/* What the two sides of the key agreement compute. */
#include <string.h>

#include "common/base/random.h"
#include "common/card/key_agreement_internal.h"
#include "common/card/tlv_internal.h"

enum { USAGE_VERIFY = 0x88, USAGE_VERIFY_OLD = 0x82 }; /* 95 of a certificate: emitted, accepted too (spec/README.md) */
enum { DERIVED_MAX = 4 * AES_KEY };
/* In the signature RC has this two-byte tag, not the one of the answer. */
static const uint8_t signed_challenge_tag[] = { 0x00, 0x85 };

const char *ka_verdict_text(enum ka_verdict v)
{
	static const char *const texts[] = {
		[KA_GOOD] = "good",
		[KA_MALFORMED] = "malformed",
		[KA_BAD_CERTIFICATE] = "the certificate is not of this CI",
		[KA_WRONG_ROLE] = "the certificate has another role",
		[KA_WRONG_USAGE] = "the certificate is not for signatures",
		[KA_BAD_SIGNATURE] = "wrong signature",
		[KA_BAD_POINT] = "not a point of P-256",
		[KA_BAD_RECEIPT] = "wrong receipt",
		[KA_UNSUPPORTED] = "unsupported control reference template",
		[KA_WRONG_DR] = "derivation random missing or not asked for",
	};

	return (size_t)v < LEN(texts) ? texts[v] : "unknown";
}

static bool challenge_ok(struct bytes rc)
{
	return rc.len == KA_CHALLENGE_MIN || rc.len == KA_CHALLENGE_MAX;
}

/* Adds RC to what is signed with it. */
static void add_challenge(struct buf *out, struct bytes rc)
{
	buf_add(out, signed_challenge_tag, sizeof(signed_challenge_tag));
	buf_char(out, (char)rc.len);
	buf_add(out, rc.data, rc.len);
}

static void add_name(struct buf *out, const struct ka_name *n)
{
	buf_char(out, (char)n->len);
	buf_add(out, n->data, n->len);
}

/* What goes into the key derivation besides the secret (card.md 3). False: a host id needs an identity. */
static bool shared_info(struct buf *out, const struct ka_template *t, const struct ka_identity *identity,
			const struct ka_answer *dr)
{
	const uint8_t head[] = { t->usage, t->key_type, t->key_len };

	buf_add(out, head, sizeof(head));
	if (t->scenario & KA_WITH_DR)
		buf_add(out, dr->dr, KA_DR);
	if (!(t->scenario & KA_WITH_HOST_ID))
		return true;
	if (!identity || identity->sin.len > KA_NAME_MAX || identity->sdin.len > KA_NAME_MAX)
		return false;
	add_name(out, &t->host_id);
	add_name(out, &identity->sin);
	add_name(out, &identity->sdin);
	return true;
}

/* The receipt key stands first; then three keys, or the base key of the secure channel. What SCP03 does with a base key is not in
 * the fact sheets [GUESS]: it is all three. */
static void split(const struct ka_template *t, const uint8_t *derived, struct card_keys *out)
{
	const uint8_t *key = derived + AES_KEY;
	size_t step = t->usage == KA_THREE_KEYS ? AES_KEY : 0;

	out->kvn = t->kvn;
	memcpy(out->enc, key, AES_KEY);
	memcpy(out->mac, key + step, AES_KEY);
	memcpy(out->dek, key + 2 * step, AES_KEY);
}

static bool receipt_make(const uint8_t receipt_key[AES_KEY], struct bytes a6, const struct ka_answer *answer,
			 uint8_t out[KA_RECEIPT])
{
	CLEANUP(buf_free) struct buf dr = { 0 };
	struct bytes parts[2] = { a6 };

	if (answer->has_dr)
		tlv_add(&dr, TAG_CHALLENGE, answer->dr, KA_DR);
	parts[1] = (struct bytes){ (const uint8_t *)dr.data, dr.len };
	return aes_cmac(receipt_key, parts, LEN(parts), out);
}

/* Both sides: keys and receipt from the own private key and the other's point. answer: DR in, if there is one. */
static enum ka_verdict derive(const struct ka_template *t, struct bytes a6, const struct ec_key *own,
			      const uint8_t point[P256_POINT], const struct ka_identity *identity, const struct ka_answer *answer,
			      struct card_keys *out_keys, uint8_t out_receipt[KA_RECEIPT])
{
	size_t n = t->usage == KA_THREE_KEYS ? DERIVED_MAX : 2 * AES_KEY;
	CLEANUP(secret_free) struct secret common = secret_new(P256_SCALAR);
	CLEANUP(secret_free) struct secret derived = secret_new(n);
	CLEANUP(buf_free) struct buf info = { 0 };

	if (!shared_info(&info, t, identity, answer))
		return KA_UNSUPPORTED;
	if (!ec_shared_x(own, point, common.data))
		return KA_BAD_POINT;
	kdf_x963(common.data, common.len, (struct bytes){ (const uint8_t *)info.data, info.len }, derived.data, n);
	if (!receipt_make(derived.data, a6, answer, out_receipt))
		return KA_UNSUPPORTED;
	split(t, derived.data, out_keys);
	return KA_GOOD;
}

bool ka_host_start_with(struct ka_host *h, const struct ka_template *t, const struct ec_key *ephemeral)
{
	CLEANUP(secret_free) struct secret scalar = { 0 };

	if (!ka_template_ok(t))
		return false;
	scalar = ec_key_scalar(ephemeral);
	*h = (struct ka_host){ .template = *t, .form = KA_POINT_FORM };
	memcpy(h->esk, scalar.data, P256_SCALAR);
	ec_key_public(ephemeral, h->epk);
	return true;
}

bool ka_host_start(struct ka_host *h, const struct ka_template *t)
{
	CLEANUP(ec_key_freep) struct ec_key *ephemeral = ec_key_new();

	return ka_host_start_with(h, t, ephemeral);
}

/* What is signed; false: it cannot be. */
static bool to_sign(struct buf *out, const struct ka_template *t, enum ka_point_form form, const uint8_t point[P256_POINT],
		    struct bytes rc)
{
	if (!challenge_ok(rc) || !ka_template_ok(t))
		return false;
	ka_request_head(out, t, form, point);
	add_challenge(out, rc);
	return true;
}

bool ka_host_sign(const struct ka_host *h, struct bytes rc, const struct ec_key *signer, uint8_t out[P256_SIGNATURE])
{
	CLEANUP(buf_free) struct buf b = { 0 };

	return to_sign(&b, &h->template, h->form, h->epk, rc) && ec_sign(signer, b.data, b.len, out);
}

bool ka_request_verify(const struct ka_request *r, struct bytes rc, const uint8_t signer_point[P256_POINT])
{
	CLEANUP(buf_free) struct buf b = { 0 };

	return to_sign(&b, &r->template, r->form, r->point, rc) && ec_verify(signer_point, b.data, b.len, r->signature);
}

bool ka_host_request(const struct ka_host *h, struct bytes rc, const struct ec_key *signer, struct buf *out)
{
	struct ka_request r = { .template = h->template, .form = h->form };

	memcpy(r.point, h->epk, P256_POINT);
	return ka_host_sign(h, rc, signer, r.signature) && ka_request_build(out, &r);
}

enum ka_verdict ka_host_finish(const struct ka_host *h, const uint8_t ecasd_point[P256_POINT], const struct ka_identity *identity,
			       const struct ka_answer *answer, struct card_keys *out)
{
	CLEANUP(secret_free) struct secret scalar = { 0 };
	CLEANUP(ec_key_freep) struct ec_key *ephemeral = NULL;
	CLEANUP(card_keys_wipe) struct card_keys keys = { 0 };
	CLEANUP(buf_free) struct buf a6 = { 0 };
	uint8_t receipt[KA_RECEIPT];
	enum ka_verdict verdict;

	if (!ka_template_ok(&h->template))
		return KA_UNSUPPORTED;
	if (answer->has_dr != ((h->template.scenario & KA_WITH_DR) != 0))
		return KA_WRONG_DR;
	scalar = secret_new(P256_SCALAR);
	memcpy(scalar.data, h->esk, P256_SCALAR);
	ephemeral = ec_key_from_scalar(&scalar);
	if (!ephemeral)
		return KA_MALFORMED;
	ka_template_build(&a6, &h->template);
	verdict = derive(&h->template, (struct bytes){ (const uint8_t *)a6.data, a6.len }, ephemeral, ecasd_point, identity, answer,
			 &keys, receipt);
	if (verdict != KA_GOOD)
		return verdict;
	if (!mac_equal(receipt, answer->receipt, KA_RECEIPT))
		return KA_BAD_RECEIPT;
	*out = keys;
	return KA_GOOD;
}

void ka_host_wipe(struct ka_host *h)
{
	secret_wipe(h, sizeof(*h));
}

enum ka_verdict ka_certificate_check(struct bytes cert, const uint8_t ci_point[P256_POINT], uint8_t role, uint8_t out[P256_POINT])
{
	struct gp_cert c;

	if (!gp_cert_parse(cert, &c))
		return KA_MALFORMED;
	if (!gp_cert_verify(cert, ci_point))
		return KA_BAD_CERTIFICATE;
	if (c.role != role)
		return KA_WRONG_ROLE;
	if (c.key_usage.len != 1 || (c.key_usage.data[0] != USAGE_VERIFY && c.key_usage.data[0] != USAGE_VERIFY_OLD))
		return KA_WRONG_USAGE;
	memcpy(out, c.point, P256_POINT);
	return KA_GOOD;
}

enum ka_verdict ka_card_agree(const struct ka_received *r, struct bytes rc, const uint8_t signer_point[P256_POINT],
			      const struct ec_key *sk_ecasd, const struct ka_identity *identity, struct card_keys *out_keys,
			      struct ka_answer *out_answer)
{
	const struct ka_template *t = &r->request.template;
	CLEANUP(card_keys_wipe) struct card_keys keys = { 0 };
	CLEANUP(buf_free) struct buf is_signed = { 0 };
	struct ka_answer answer = { .has_dr = (t->scenario & KA_WITH_DR) != 0 };
	enum ka_verdict verdict;

	if (!challenge_ok(rc))
		return KA_MALFORMED;
	buf_add(&is_signed, r->signed_part.data, r->signed_part.len);
	add_challenge(&is_signed, rc);
	if (!ec_verify(signer_point, is_signed.data, is_signed.len, r->request.signature))
		return KA_BAD_SIGNATURE;
	if (!ka_template_ok(t))
		return KA_UNSUPPORTED;
	if (answer.has_dr)
		random_bytes(answer.dr, KA_DR);
	verdict = derive(t, r->a6, sk_ecasd, r->request.point, identity, &answer, &keys, answer.receipt);
	if (verdict != KA_GOOD)
		return verdict;
	*out_keys = keys;
	*out_answer = answer;
	return KA_GOOD;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The key set that is agreed on with a card that shall come. */
#include <string.h>

#include "common/base/hex.h"
#include "common/crypto/keys.h"
#include "services/sm-sr-handover/handover_in.h"

enum {
	EPHEMERAL_LEN = P256_SCALAR + P256_POINT,
	OFFER_LEN = P256_POINT + P256_SIGNATURE,
	/* [GUESS] of ES7.CreateAdditionalKeySet: certificate verified before, no derivation random, no host id (procedures.md 4.5). */
	SCENARIO = 0,
};

/* What the other SM-SR builds as well: all but the two keys. */
static struct ka_host host_of(const struct handover_in *h)
{
	struct ka_host host = { .template = ka_template_isdr(h->kvn), .form = KA_POINT_FORM };

	host.template.scenario = KA_CERTIFIED | SCENARIO;
	(void)ka_template_set_counter(&host.template, h->counter);
	return host;
}

result in_offer_make(struct in_case *c, struct bytes rc)
{
	CLEANUP(secret_free) struct secret kept = secret_new(EPHEMERAL_LEN);
	CLEANUP(ka_host_wipe) struct ka_host host = { 0 };
	struct handover_in *h = c->h;
	struct isdr_offer offer;
	uint8_t *made = arena_alloc(c->a, OFFER_LEN);

	if (rc.len != KA_CHALLENGE_MIN && rc.len != KA_CHALLENGE_MAX)
		return failed(c->a, CODE_PARAM_INVALID, "RandomChallenge", "RandomChallenge: %zu bytes", rc.len);
	if (!isdr_agreement_start(&host, h->kvn, h->counter, SCENARIO, (struct bytes){ 0 }) ||
	    !isdr_agreement_offer(&host, rc, c->hs->own.key, c->a, &offer))
		return internal(c->a, "handover %s: no ephemeral key could be made", h->id);
	memcpy(kept.data, host.esk, P256_SCALAR);
	memcpy(kept.data + P256_SCALAR, host.epk, P256_POINT);
	in_seal(c, kept.data, kept.len);
	memcpy(made, offer.point.data, P256_POINT);
	memcpy(made + P256_POINT, offer.signature.data, P256_SIGNATURE);
	h->offer = (struct bytes){ made, OFFER_LEN };
	return OK;
}

result in_offer_read(const struct in_case *c, struct isdr_offer *out)
{
	const struct handover_in *h = c->h;

	if (h->offer.len != OFFER_LEN)
		return internal(c->a, "handover %s: its offer cannot be read", h->id);
	*out = (struct isdr_offer){ .kvn = h->kvn,
				    .counter = h->counter,
				    .scenario = KA_CERTIFIED | SCENARIO,
				    .point = { h->offer.data, P256_POINT },
				    .signature = { h->offer.data + P256_POINT, P256_SIGNATURE } };
	return OK;
}

/* One of the member keys of rq.adopt: wrapped as the sm-sr stores it, and not opened here any more. */
static void key_write(struct in_case *c, struct buf *out, unsigned index, const uint8_t key[AES_KEY])
{
	const struct handover_in *h = c->h;
	uint8_t kcv[KCV_LEN];
	struct bytes wrapped;

	(void)key_kcv(KEY_TYPE_AES, key, AES_KEY, kcv);
	kek_wrap(&c->hs->kek, arena_printf(c->a, "%s|%u|%u", h->eid.text, h->kvn, index), key, AES_KEY, c->a, &wrapped);
	buf_printf(out, "%s{\"index\":%u,\"type\":\"%02X\",\"kcv\":\"%s\",\"wrapped\":\"%s\"}", index > 1 ? "," : "", index,
		   KEY_TYPE_AES, hex_text(c->a, kcv, sizeof(kcv)), hex_text(c->a, wrapped.data, wrapped.len));
}

static void keys_keep(struct in_case *c, const struct card_keys *keys)
{
	CLEANUP(buf_free) struct buf out = { 0 };

	buf_char(&out, '[');
	key_write(c, &out, 1, keys->enc);
	key_write(c, &out, 2, keys->mac);
	key_write(c, &out, 3, keys->dek);
	buf_char(&out, ']');
	c->h->secret = (struct bytes){ arena_memdup(c->a, out.data, out.len), out.len };
}

result in_receipt_take(struct in_case *c, struct bytes derivation_random, struct bytes receipt)
{
	CLEANUP(secret_free) struct secret kept = { 0 };
	CLEANUP(card_keys_wipe) struct card_keys keys = { 0 };
	CLEANUP(ka_host_wipe) struct ka_host host = host_of(c->h);
	struct handover_in *h = c->h;
	struct ka_answer answer;
	enum ka_verdict verdict;

	if (!in_unseal(c, &kept) || kept.len != EPHEMERAL_LEN || h->ecasd.len != P256_POINT)
		return internal(c->a, "handover %s: its ephemeral key cannot be read with this KEK", h->id);
	if (!isdr_agreement_answer(derivation_random, receipt, &answer))
		return failed(c->a, CODE_ISDR_KEY_INVALID, "Receipt", "Receipt: %zu bytes, DerivationRandom: %zu", receipt.len,
			      derivation_random.len);
	memcpy(host.esk, kept.data, P256_SCALAR);
	memcpy(host.epk, kept.data + P256_SCALAR, P256_POINT);
	verdict = ka_host_finish(&host, h->ecasd.data, NULL, &answer, &keys);
	if (verdict != KA_GOOD)
		return failed(c->a, CODE_ISDR_KEY_INVALID, "Receipt", "Receipt: %s", ka_verdict_text(verdict));
	keys_keep(c, &keys);
	h->offer = (struct bytes){ 0 };
	return OK;
}

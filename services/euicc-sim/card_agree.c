/* SPDX-License-Identifier: Apache-2.0 */
/* A key set for an ISD-P, or a further one for the ISD-R (procedures.md 3.3 B, 3.20, 4.5): what the ECASD does with the certificate and
 * signature of the SM-DP or SM-SR, and what the security domain then has. */
#include <string.h>

#include "common/base/hex.h"
#include "common/base/random.h"
#include "common/card/isdr_agreement.h"
#include "services/euicc-sim/card_internal.h"

enum { SCP03_FIRST = 0x30, SCP03_LAST = 0x3F, SCP03_COUNTER_BYTES = 3, SIN_DIGITS = 8 };
static const uint8_t sdin_ecasd[] = { 0x00, 0x02 }; /* as the EUM says it in the EIS */

/* [GUESS] The fact sheets do not say which status word a failed check has (procedures.md 4.10). */
static uint16_t refused(enum ka_verdict verdict)
{
	if (verdict == KA_BAD_CERTIFICATE || verdict == KA_BAD_SIGNATURE)
		return SW_SECURITY;
	return verdict == KA_WRONG_ROLE || verdict == KA_WRONG_USAGE ? SW_CONDITIONS : SW_BAD_DATA;
}

/* Factory profiles have no keys that we know; what has a key set gets no other. */
static uint16_t personalize(struct card *c, const struct apdu *apdu)
{
	struct card_channel *ch;
	struct aid isdp;
	uint16_t sw = ka_install_parse(apdu, &isdp);
	uint8_t place;

	if (sw != SW_OK)
		return sw;
	place = card_place_of(c, &isdp);
	if (place == CARD_NONE)
		return SW_NOT_FOUND;
	if (c->profiles[place].state != ISDP_SELECTABLE)
		return SW_CONDITIONS;
	ch = card_channel_of(c);
	ch->agreeing = place;
	ch->has_rc = false;
	return SW_OK;
}

/* Without an INSTALL before it is for the ISD-R. */
static uint16_t certificate(struct card *c, const struct apdu *apdu, struct buf *out, struct card_effects *effects)
{
	struct card_channel *ch = card_channel_of(c);
	enum ka_verdict verdict;
	struct bytes cert;
	uint16_t sw = ka_certificate_parse(apdu, &cert);

	if (sw != SW_OK)
		return sw;
	ch->has_rc = false;
	verdict = ka_certificate_check(cert, c->ci_point, ch->agreeing == CARD_NONE ? GP_ROLE_SM_SR : GP_ROLE_SM_DP, ch->signer);
	if (verdict != KA_GOOD) {
		effects->why = ka_verdict_text(verdict);
		return refused(verdict);
	}
	random_bytes(ch->rc, sizeof(ch->rc));
	ch->has_rc = true;
	ka_challenge_build(out, (struct bytes){ ch->rc, sizeof(ch->rc) });
	if (card_fault_strikes(effects, CARD_FAULT_CHALLENGE, 0))
		out->len -= sizeof(ch->rc) / 2;
	return SW_OK;
}

/* The template's initial counter in at most so many bytes. False: it is more than its keys can count to. */
static bool counter_of(const struct ka_template *t, size_t bytes, uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < t->n_counter; i++) {
		if (i + bytes < t->n_counter && t->counter[i])
			return false;
		n = n << 8 | t->counter[i];
	}
	*out = n;
	return true;
}

static struct ka_identity identity_of(const struct card *c)
{
	struct ka_identity id = { .sin.len = SIN_DIGITS / 2, .sdin.len = sizeof(sdin_ecasd) };

	(void)hex_decode(c->eid.text, SIN_DIGITS, id.sin.data);
	memcpy(id.sdin.data, sdin_ecasd, sizeof(sdin_ecasd));
	return id;
}

/* To the ISD-P at this place. */
static void keys_take(struct card *c, uint8_t place, const struct card_keys *keys, uint32_t counter)
{
	struct card_domain *d = card_domain_new();

	d->keys = *keys;
	d->sequence = counter;
	d->changed = true;
	c->profiles[place].domain = d;
	c->profiles[place].state = ISDP_PERSONALIZED;
	c->keysets++;
}

/* Does what was agreed on suit the security domain? */
static bool suits(const struct ka_template *t, bool isdr, uint64_t *out_counter)
{
	if (isdr)
		return t->kvn >= SCP80_KVN_FIRST && t->kvn <= SCP80_KVN_LAST && t->usage == KA_THREE_KEYS && t->key_id == 1 &&
		       counter_of(t, SCP80_COUNTER_BYTES, out_counter);
	return t->kvn >= SCP03_FIRST && t->kvn <= SCP03_LAST && counter_of(t, SCP03_COUNTER_BYTES, out_counter);
}

/* Gives the keys to whom they are for. */
static uint16_t give(struct card *c, const struct card_keys *keys, uint64_t counter, struct card_effects *effects)
{
	struct card_channel *ch = c->channel;

	if (ch->agreeing == CARD_NONE)
		return card_isdr_keys_take(c, keys, counter, effects);
	keys_take(c, ch->agreeing, keys, (uint32_t)counter);
	ch->agreeing = CARD_NONE;
	effects->changed = true;
	return SW_OK;
}

static uint16_t agree(struct card *c, const struct ka_received *r, struct buf *out, struct card_effects *effects)
{
	CLEANUP(secret_free) struct secret scalar = secret_new(sizeof(c->ecasd_key));
	CLEANUP(card_keys_wipe) struct card_keys keys = { 0 };
	CLEANUP(ec_key_freep) struct ec_key *ecasd = NULL;
	const struct ka_identity identity = identity_of(c);
	struct card_channel *ch = c->channel;
	struct ka_answer answer;
	enum ka_verdict verdict;
	uint64_t counter = 0;
	uint16_t sw;

	memcpy(scalar.data, c->ecasd_key, sizeof(c->ecasd_key));
	ecasd = ec_key_from_scalar(&scalar);
	if (!ecasd)
		return SW_MEMORY_FAILURE;
	verdict = ka_card_agree(r, (struct bytes){ ch->rc, sizeof(ch->rc) }, ch->signer, ecasd, &identity, &keys, &answer);
	if (verdict == KA_GOOD && !suits(&r->request.template, ch->agreeing == CARD_NONE, &counter))
		verdict = KA_UNSUPPORTED;
	if (verdict != KA_GOOD) {
		effects->why = ka_verdict_text(verdict);
		return refused(verdict);
	}
	sw = give(c, &keys, counter, effects);
	if (sw != SW_OK)
		return sw;
	if (card_fault_strikes(effects, CARD_FAULT_RECEIPT, 0))
		answer.receipt[0] ^= 0x01;
	ka_answer_build(out, &answer);
	return SW_OK;
}

/* RC is for one signature, good or not. */
static uint16_t request(struct card *c, const struct apdu *apdu, struct buf *out, struct card_effects *effects)
{
	struct ka_received received;
	uint16_t sw;

	if (!c->channel || !c->channel->has_rc)
		return SW_CONDITIONS;
	c->channel->has_rc = false;
	sw = ka_request_parse(apdu, &received);
	return sw == SW_OK ? agree(c, &received, out, effects) : sw;
}

uint16_t card_agree(struct card *c, const struct apdu *apdu, enum ka_step step, struct buf *out, struct card_effects *effects)
{
	switch (step) {
	case KA_STEP_INSTALL:
		return personalize(c, apdu);
	case KA_STEP_CERTIFICATE:
		return certificate(c, apdu, out, effects);
	case KA_STEP_REQUEST:
		return request(c, apdu, out, effects);
	case KA_STEP_NONE:
		break;
	}
	return SW_BAD_INS;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/isdr_agreement.h"

#include <string.h>

#include "common/card/key_agreement_internal.h"
#include "common/card/scp80.h"
#include "common/card/tlv_internal.h"

static bool kvn_ok(uint8_t kvn)
{
	return kvn >= SCP80_KVN_FIRST && kvn <= SCP80_KVN_LAST;
}

/* The template that we write; false: it cannot be one. */
static bool template_of(struct ka_template *out, uint8_t kvn, int64_t counter, uint8_t scenario, struct bytes host_id)
{
	*out = ka_template_isdr(kvn);
	out->scenario = scenario;
	return kvn_ok(kvn) && ka_template_set_counter(out, counter) && ka_name_set(&out->host_id, host_id) && ka_template_ok(out);
}

bool isdr_agreement_start(struct ka_host *h, uint8_t kvn, int64_t counter, uint8_t scenario, struct bytes host_id)
{
	struct ka_template t;

	return template_of(&t, kvn, counter, scenario | KA_CERTIFIED, host_id) && ka_host_start(h, &t);
}

bool isdr_agreement_offer(const struct ka_host *h, struct bytes rc, const struct ec_key *signer, struct arena *a,
			  struct isdr_offer *out)
{
	const struct ka_template *t = &h->template;
	uint8_t signature[P256_SIGNATURE];
	int64_t counter = 0;

	if (!ka_host_sign(h, rc, signer, signature))
		return false;
	for (size_t i = 0; i < t->n_counter; i++)
		counter = counter << 8 | t->counter[i];
	/* [GUESS] EphemeralPublicKey is the point alone, whatever stands around it in 7F49. */
	*out = (struct isdr_offer){
		.kvn = t->kvn,
		.counter = counter,
		.scenario = t->scenario,
		.host_id = { t->host_id.len ? arena_memdup(a, t->host_id.data, t->host_id.len) : NULL, t->host_id.len },
		.point = { arena_memdup(a, h->epk, P256_POINT), P256_POINT },
		.signature = { arena_memdup(a, signature, P256_SIGNATURE), P256_SIGNATURE },
	};
	return true;
}

bool isdr_agreement_answer(struct bytes derivation_random, struct bytes receipt, struct ka_answer *out)
{
	struct ka_answer made = { .has_dr = derivation_random.len > 0 };

	if (receipt.len != KA_RECEIPT || (made.has_dr && derivation_random.len != KA_DR))
		return false;
	memcpy(made.receipt, receipt.data, KA_RECEIPT);
	if (made.has_dr)
		memcpy(made.dr, derivation_random.data, KA_DR);
	*out = made;
	return true;
}

/* The point alone, in B0 with its F0, or either of these in 7F49. */
static bool point_take(struct bytes v, struct ka_request *out)
{
	struct bytes rest = v;
	struct tlv t;

	if (v.len != P256_POINT && tlv_next(&rest, &t) && t.tag == TAG_POINT && !rest.len)
		v = t.value;
	return ka_point_read(v, out);
}

/* The counter in n bytes; false: it does not fit, or no card takes that many. */
static bool counter_in(struct ka_template *t, uint64_t counter, size_t n)
{
	uint8_t bytes[KA_COUNTER_MAX];
	size_t used = n ? tlv_put_number(bytes, counter, n) : 0;

	if (used != n || (!n && counter))
		return false;
	memset(t->counter, 0, sizeof(t->counter));
	memcpy(t->counter, bytes, n);
	t->n_counter = (uint8_t)n;
	return true;
}

/* Sets template and form as the signer had them. */
static bool settle(struct ka_request *r, uint64_t counter, const struct ka_name *sdin, struct bytes rc,
		   const uint8_t signer_point[P256_POINT])
{
	static const uint8_t lengths[] = { 0, SCP80_COUNTER_BYTES, 2, 3, KA_COUNTER_MAX };
	static const enum ka_point_form forms[] = { KA_POINT_FORM, KA_POINT_BARE, KA_POINT_WRAPPED };
	bool may_say_sdin = r->template.host_id.len && sdin && sdin->len;

	for (unsigned with_sdin = 0; with_sdin <= may_say_sdin; with_sdin++) {
		r->template.sdin = with_sdin ? *sdin : (struct ka_name){ 0 };
		for (size_t n = 0; n < LEN(lengths); n++) {
			if (!counter_in(&r->template, counter, lengths[n]))
				continue;
			for (size_t f = 0; f < LEN(forms); f++) {
				r->form = forms[f];
				if (ka_request_verify(r, rc, signer_point))
					return true;
			}
		}
	}
	return false;
}

enum ka_verdict isdr_agreement_request(const struct isdr_offer *o, const struct ka_name *sdin, struct bytes rc,
				       const uint8_t signer_point[P256_POINT], struct buf *out)
{
	struct ka_request r = { 0 };

	if (o->signature.len != P256_SIGNATURE || !point_take(o->point, &r))
		return KA_MALFORMED;
	memcpy(r.signature, o->signature.data, P256_SIGNATURE);
	if (!template_of(&r.template, o->kvn, o->counter, o->scenario, o->host_id))
		return KA_UNSUPPORTED;
	if (!settle(&r, (uint64_t)o->counter, sdin, rc, signer_point))
		return KA_BAD_SIGNATURE;
	return ka_request_build(out, &r) ? KA_GOOD : KA_UNSUPPORTED;
}

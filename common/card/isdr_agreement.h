/* SPDX-License-Identifier: Apache-2.0 */
/* ES5.establishISDRKeySet between two SM-SRs (SGP.02 4.1.1.8, 3.8; procedures.md 3.20 steps 7 to 23, 4.5). The new SM-SR signs a control
 * reference template that it does not send: ES7.CreateAdditionalKeySet carries its values, and the old SM-SR builds it again, to the byte.
 * Both use what is here, and key_agreement.h below it; the card is in key_agreement.h. */
#ifndef CARD_ISDR_AGREEMENT_H
#define CARD_ISDR_AGREEMENT_H

#include "common/card/key_agreement.h"

/* Key versions of the ISD-R (card.md 1). */
enum { SCP80_KVN_FIRST = 0x01, SCP80_KVN_LAST = 0x0F, SCP81_KVN_FIRST = 0x40, SCP81_KVN_LAST = 0x4F };

/* What CreateAdditionalKeySet says, in plain values; bytes point wherever they came from. */
struct isdr_offer {
	uint8_t kvn;
	int64_t counter;               /* InitialSequenceCounter, 0..SCP80_COUNTER_MAX */
	uint8_t scenario;              /* ScenarioParameter: KA_ bits */
	struct bytes host_id;          /* empty: none */
	struct bytes point, signature; /* EphemeralPublicKey, Signature */
};

/* ---- The new SM-SR ---- */

/* A new ephemeral key pair and the template of ka_template_isdr with these values; scenario: KA_ bits beside KA_CERTIFIED, which is always
 * set. False: the key version is none of SCP80, the counter does not fit, or KA_WITH_HOST_ID and host_id do not agree; h untouched. */
bool isdr_agreement_start(struct ka_host *h, uint8_t kvn, int64_t counter, uint8_t scenario, struct bytes host_id);
/* Signs RC and says what goes into CreateAdditionalKeySet, in a. signer: SK.SR.ECDSA. False: RC is not 16 or 32 bytes, or the library
 * failed; out untouched. */
bool isdr_agreement_offer(const struct ka_host *h, struct bytes rc, const struct ec_key *signer, struct arena *a,
			  struct isdr_offer *out);
/* DerivationRandom (empty: none) and Receipt as the answer for ka_host_finish. False: a length is wrong; out untouched. */
bool isdr_agreement_answer(struct bytes derivation_random, struct bytes receipt, struct ka_answer *out);

/* ---- The old SM-SR ---- */

/* Appends the second STORE DATA. What the sheets leave open (the form of the point in 7F49, the length of the counter, 45 beside 84:
 * procedures.md 4.5) is settled by the signature: the form that it holds for is sent. sdin: of the card, as the EIS says it; NULL: not
 * known. signer_point: of the CERT.SR.ECDSA that the card has verified.
 * KA_MALFORMED: point or signature cannot be read; KA_UNSUPPORTED: key version, counter, scenario or host id; KA_BAD_SIGNATURE: for no
 * form, and the card would refuse it as well. Nothing is appended unless KA_GOOD. */
enum ka_verdict isdr_agreement_request(const struct isdr_offer *o, const struct ka_name *sdin, struct bytes rc,
				       const uint8_t signer_point[P256_POINT], struct buf *out);

#endif

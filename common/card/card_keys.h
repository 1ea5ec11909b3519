/* SPDX-License-Identifier: Apache-2.0 */
/* One key set of a security domain as the key agreement makes it and SCP03 (an ISD-P) or SCP80 (the ISD-R) uses it. Plain values:
 * who keeps them stores them encrypted (design.md 8) and wipes his copy. */
#ifndef CARD_CARD_KEYS_H
#define CARD_CARD_KEYS_H

#include "common/base/secret.h"
#include "common/crypto/aes.h"

struct card_keys {
	uint8_t kvn;
	uint8_t enc[AES_KEY]; /* SCP80: KIc */
	uint8_t mac[AES_KEY]; /* SCP80: KID */
	uint8_t dek[AES_KEY];
};

/* Usable as CLEANUP(card_keys_wipe). */
static inline void card_keys_wipe(struct card_keys *k)
{
	secret_wipe(k, sizeof(*k));
}

#endif

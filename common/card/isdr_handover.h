/* SPDX-License-Identifier: Apache-2.0 */
/* What a new SM-SR does on the ISD-R once its key set KS2 is there (SGP.02 4.1.1.9, 4.1.1.10, GlobalPlatform PUT KEY; procedures.md 3.20
 * steps 24 to 26, decisions.md E2): a key set for HTTPS, its own addresses, the end of the old SM-SR's keys. C-APDUs without tag 22. Both
 * sides: the SM-SR builds and reads answers, the card reads and answers. */
#ifndef CARD_ISDR_HANDOVER_H
#define CARD_ISDR_HANDOVER_H

#include "common/card/apdu.h"
#include "common/card/ram_http.h"
#include "common/crypto/aes.h"

/* Which of them an APDU claims to be, by its header and DGI, and nothing about whether it is well made. */
enum isdr_change { ISDR_CHANGE_NONE, ISDR_PUT_KEY, ISDR_ADDRESSING, ISDR_FINALISE };
enum isdr_change isdr_change_of(const struct apdu *c);

/* A key set of SCP81: key 1 the PSK (85), key 2 an AES key (88). Plain values: who keeps it stores it encrypted and wipes his copy. */
struct scp81_keys {
	uint8_t kvn; /* SCP81_KVN_FIRST..SCP81_KVN_LAST */
	uint8_t psk[AES_KEY], dek[AES_KEY];
};
/* Usable as CLEANUP. */
void scp81_keys_wipe(struct scp81_keys *k);
/* 80 D8 00 81: a new set, both keys encrypted under dek, that of the set which secures the command (KS2's). False: the key version is none of
 * SCP81, or the library failed. */
bool isdr_put_key_build(struct buf *out, const struct scp81_keys *k, const uint8_t dek[AES_KEY]);
/* The card's reader: SW_OK, else the status word to answer, out untouched: SW_WRONG_P1P2, SW_BAD_DATA (layout, key version or types, or a
 * KCV that does not hold: then dek is another). */
uint16_t isdr_put_key_parse(const struct apdu *c, const uint8_t dek[AES_KEY], struct scp81_keys *out);
/* Its answer: key version and both KCVs. False: the library failed; or what was answered is about other keys. */
bool isdr_put_key_answer_build(struct buf *out, const struct scp81_keys *k);
bool isdr_put_key_answered(struct bytes data, const struct scp81_keys *k);

/* UpdateSMSRAddressingParameters, 80 E2 88 00, DGI 3A07 {A3}. */
enum { ISDR_NUMBER_MAX = 20 }; /* digits of an address in an SMS */
struct isdr_addressing {
	char number[ISDR_NUMBER_MAX + 1]; /* where the card's SMS go: digits, '+' in front of an international one; "": not said */
	bool has_http;
	struct ram_trigger http; /* where its sessions go, and by which key; stored means nothing */
};
/* False: nothing is said, the number is none, or it does not fit an APDU. */
bool isdr_addressing_build(struct buf *out, const struct isdr_addressing *p);
/* Text points into the APDU. SW_OK, else the status word to answer, out untouched. Other bearers are passed over. */
uint16_t isdr_addressing_parse(const struct apdu *c, struct isdr_addressing *out);

/* FinaliseISDRhandover, 80 E4 00 00 {F2 03 version first last}+: all keys of the ISD-R go but the listed ones (spec: DECIDED). */
struct isdr_kept {
	uint8_t kvn, first, last; /* key ids, first <= last */
};
enum { ISDR_KEPT_MAX = 16 };
/* False: none, or more than ISDR_KEPT_MAX. */
bool isdr_finalise_build(struct buf *out, const struct isdr_kept *kept, size_t n);
/* SW_OK, else the status word to answer, outputs untouched. */
uint16_t isdr_finalise_parse(const struct apdu *c, struct isdr_kept out[ISDR_KEPT_MAX], size_t *out_n);
bool isdr_kept_has(const struct isdr_kept *kept, size_t n, uint8_t kvn, uint8_t id);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SCP03 with AES-128, i = 70: pseudo-random card challenge, R-MAC, R-ENC (GlobalPlatform Amendment D; SGP.02 4.1.3.3; card.md 4,
 * procedures.md 4.8). Here: the session, which SCP03t (scp03t.h) shares, and the APDU form. Both sides of both. Because the card's
 * challenge is computed from its counter and AID, a host that knows the counter begins the session before the card answered, and
 * may send everything in one script; it then verifies the answers one by one. */
#ifndef CARD_SCP03_H
#define CARD_SCP03_H

#include "common/card/apdu.h"
#include "common/card/card_keys.h"

enum { SCP03_CHALLENGE = 8, SCP03_CRYPTOGRAM = 8, SCP03_MAC = 8, SCP03_DIVERSIFICATION = 10 };
enum { SCP03_SEQUENCE_MAX = 0xFFFFFF, SCP03_COMMANDS_MAX = 0xFFFFFF };

/* Security levels; 01, 03, 11, 13 and 33 exist. */
enum { SCP03_C_MAC = 0x01, SCP03_C_DEC = 0x02, SCP03_R_MAC = 0x10, SCP03_R_ENC = 0x20, SCP03_LEVEL_FULL = 0x33 };

enum scp03_state {
	SCP03_CLOSED,        /* zeroed, wiped, or ended by the first thing that did not verify */
	SCP03_STARTED,       /* keys derived, INITIALIZE UPDATE asked or answered */
	SCP03_AUTHENTICATED, /* EXTERNAL AUTHENTICATE built, or taken */
};
/* Plain values, to be stored between two commands; the keys are secrets: whoever stores them encrypts them. */
struct scp03_session {
	uint8_t s_enc[AES_KEY], s_mac[AES_KEY], s_rmac[AES_KEY];
	uint8_t chain[AES_BLOCK]; /* the last command's whole CMAC */
	uint32_t counter;         /* commands secured since EXTERNAL AUTHENTICATE */
	uint8_t host_challenge[SCP03_CHALLENGE], card_challenge[SCP03_CHALLENGE];
	uint8_t host_cryptogram[SCP03_CRYPTOGRAM], card_cryptogram[SCP03_CRYPTOGRAM];
	uint32_t sequence; /* of the key set: the card counts sessions, the first one is 1 */
	uint8_t kvn, level;
	uint8_t state; /* enum scp03_state */
};
void scp03_wipe(struct scp03_session *s); /* also as CLEANUP(scp03_wipe) */

/* Where in the session an answer belongs: taken after a command was built, when more commands are built before its answer comes. */
struct scp03_mark {
	uint8_t chain[AES_BLOCK];
	uint32_t counter;
};
struct scp03_mark scp03_mark_of(const struct scp03_session *s);

/* The pseudo-random challenge of card.md 4. False: sequence above 3 bytes, or the library failed. */
bool scp03_card_challenge(const uint8_t k_enc[AES_KEY], uint32_t sequence, const struct aid *aid, uint8_t out[SCP03_CHALLENGE]);
/* Derives the session (state STARTED), on either side. aid: of the security domain. False: as above, *s then zeroed. The card has
 * counted sequence up and stored it before it answers. */
bool scp03_begin(struct scp03_session *s, const struct card_keys *keys, const struct aid *aid, uint32_t sequence,
		 const uint8_t host_challenge[SCP03_CHALLENGE]);
/* The same with a challenge that the card made otherwise (i = 00, 60). */
bool scp03_begin_with(struct scp03_session *s, const struct card_keys *keys, uint32_t sequence,
		      const uint8_t host_challenge[SCP03_CHALLENGE], const uint8_t card_challenge[SCP03_CHALLENGE]);

enum scp03_verdict {
	SCP03_GOOD,
	SCP03_MALFORMED,
	SCP03_WRONG_STATE,    /* the session is not where this belongs */
	SCP03_OTHER_KEYS,     /* key version, or another protocol than 03 70 */
	SCP03_OTHER_SEQUENCE, /* begin again with the card's counter: out->sequence is set */
	SCP03_BAD_CHALLENGE,  /* the card's is not the one of its counter */
	SCP03_BAD_CRYPTOGRAM, /* other keys, or somebody changed it */
	SCP03_BAD_MAC,
	SCP03_REFUSED, /* the card said so: status word, or 9F44, 9F45, 9F46 */
};
const char *scp03_verdict_text(enum scp03_verdict v);

/* What INITIALIZE UPDATE asks, and the 32 bytes of its answer; the same in SCP03t. */
struct scp03_initialize {
	uint8_t kvn, key_id;
	uint8_t host_challenge[SCP03_CHALLENGE];
};
struct scp03_initialized {
	uint8_t diversification[SCP03_DIVERSIFICATION];
	uint8_t kvn, protocol, i; /* 03, 70 */
	uint8_t card_challenge[SCP03_CHALLENGE], card_cryptogram[SCP03_CRYPTOGRAM];
	uint32_t sequence;
};
bool scp03_initialized_parse(struct bytes data, struct scp03_initialized *out);
/* Of a session that has begun; diversification data are zeros, as in the recorded session. */
void scp03_initialized_build(struct buf *out, const struct scp03_session *s);
/* Host: key version, counter, challenge, cryptogram are those of the session. */
enum scp03_verdict scp03_initialized_check(const struct scp03_session *s, const struct scp03_initialized *answer);

/* ---- APDU form, host ---- */

void scp03_initialize_build(struct buf *out, const struct scp03_session *s);
/* EXTERNAL AUTHENTICATE; state AUTHENTICATED. False: wrong state, unknown level, or the library failed. */
bool scp03_authenticate_build(struct scp03_session *s, uint8_t level, struct buf *out);
/* Appends c secured as the level says: CLA | 04, data padded and ciphered, C-MAC. False: wrong state, it would exceed Lc 255, c is
 * on a logical channel or secured already; nothing changed then. */
bool scp03_wrap(struct scp03_session *s, const struct apdu *c, struct buf *out);
/* Data of the answer (without SW) to the command at mark; NULL: the last one. Status words of errors carry no MAC: REFUSED. out in
 * a. */
enum scp03_verdict scp03_answer_open(struct arena *a, const struct scp03_session *s, const struct scp03_mark *at, struct bytes data,
				     uint16_t sw, struct bytes *out);

/* ---- APDU form, card ---- */

uint16_t scp03_initialize_parse(const struct apdu *c, struct scp03_initialize *out);
/* SW_OK: authenticated with the command's level. Whatever is refused closes (wipes) the session, here and in scp03_unwrap. */
uint16_t scp03_authenticate(struct scp03_session *s, const struct apdu *c);
/* The plain command; its data stand in *out_data, which the caller frees. SW_SECURITY: wrong MAC, a replayed or missing command, or
 * not secured at all. */
uint16_t scp03_unwrap(struct scp03_session *s, const struct apdu *c, struct apdu *out, struct secret *out_data);
/* Appends the data secured for the last command; not for status words of errors, whose answers stay plain and empty. False: the
 * library failed. */
bool scp03_answer_build(const struct scp03_session *s, struct bytes data, uint16_t sw, struct buf *out);

#endif

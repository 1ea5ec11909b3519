/* SPDX-License-Identifier: Apache-2.0 */
/* Secured packets over SMS (ETSI TS 102 225, TS 102 226, SGP.02 2.4.2; card.md 5, procedures.md 4.2): AES-CBC with a zero IV, AES-CMAC of 8
 * bytes. Both directions: the SM-SR secures commands and opens PoRs, the card does the reverse. */
#ifndef CARD_SCP80_H
#define CARD_SCP80_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/crypto/aes.h"

enum { SCP80_TAR = 3, SCP80_CC = 8, SCP80_COUNTER_BYTES = 5 };
#define SCP80_COUNTER_MAX UINT64_C(0xFFFFFFFFFF)

/* SPI: what secures the command, what the PoR must be. */
enum {
	SPI_CC_CIPHER_HIGHER = 0x16, /* CC, ciphering, counter must be higher */
	SPI_CC_ONLY = 0x02,          /* CC, no counter: notifications of a card */
	SPI_POR_NONE = 0x00,
	SPI_POR_PLAIN = 0x01,        /* required, unprotected, by SMS-DELIVER-REPORT */
	SPI_POR_SECURED = 0x39,      /* required, CC, ciphered, by SMS-SUBMIT */
};

/* Keys are struct secrets of the caller; they are wiped by him. */
struct scp80_keys {
	uint8_t kvn;              /* 01..0F */
	const uint8_t *kic, *kid; /* AES_KEY bytes each: ciphering, CC */
};

struct scp80_command {
	uint8_t spi1, spi2;
	uint8_t kic, kid;         /* as on the wire: version in the high nibble, 2 = AES in the low one; built from keys->kvn */
	uint8_t tar[SCP80_TAR];
	uint64_t counter;
	struct bytes data;
};

/* Appends the packet (CPL ... data), without UDH. False: counter or data too large, or the library failed. */
bool scp80_command_build(const struct scp80_keys *keys, const struct scp80_command *c, struct buf *out);
/* What stands in clear, so that the keys can be found. False: not a command packet (lengths do not agree). */
bool scp80_command_peek(struct bytes packet, struct scp80_command *out);
enum scp80_verdict { SCP80_GOOD, SCP80_MALFORMED, SCP80_BAD_CC, SCP80_UNSUPPORTED };
/* Deciphers and checks the CC; out->data in a. The counter is judged by the caller, who keeps it. */
enum scp80_verdict scp80_command_open(struct arena *a, const struct scp80_keys *keys, struct bytes packet, struct scp80_command *out);

enum scp80_status { POR_OK = 0x00, POR_CC_FAILED = 0x01, POR_COUNTER_LOW = 0x02, POR_COUNTER_HIGH = 0x03, POR_BLOCKED = 0x04, POR_CIPHER = 0x05,
		    POR_SECURITY = 0x06, POR_MEMORY = 0x07, POR_MORE_TIME = 0x08, POR_TAR_UNKNOWN = 0x09, POR_LEVEL = 0x0A };
const char *por_status_text(uint8_t status);

struct scp80_por {
	uint8_t tar[SCP80_TAR];
	uint64_t counter;     /* of the command it answers */
	uint8_t status;
	bool is_protected;    /* CC checked; an error may come unprotected (card.md 5) */
	struct bytes data;
};
/* spi2: of the command that is answered. */
bool scp80_por_build(const struct scp80_keys *keys, uint8_t spi2, const struct scp80_por *por, struct buf *out);
/* Tries as spi2 says, then plain. The caller compares the counter, and trusts an unprotected one only as a hint. */
enum scp80_verdict scp80_por_open(struct arena *a, const struct scp80_keys *keys, uint8_t spi2, struct bytes packet, struct scp80_por *out);

#endif

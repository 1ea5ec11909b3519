/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers of SGP.02. They exist only parsed: a struct below always holds a valid value. */
#ifndef SGP02_IDS_H
#define SGP02_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EID_DIGITS = 32, ICCID_MAX = 20, AID_MIN = 5, AID_MAX = 16, OID_MAX = 127, MSISDN_MAX = 15, IMSI_MAX = 15 };

/* 32 decimal digits and a NUL; check digits hold (ISO 7064 MOD 97-10; procedures.md 1.3). */
struct eid {
	char text[EID_DIGITS + 1];
};

/* E.118 text without F padding, 6 to 20 digits, starts with 89 (wire.md 6.11). */
struct iccid {
	char text[ICCID_MAX + 1];
};

struct aid {
	uint8_t data[AID_MAX];
	uint8_t len;
};

/* Dotted object identifier of an entity: digits and single dots (wire.md 6.11, ObjectIdentifierType). */
struct oid {
	char text[OID_MAX + 1];
};

/* Accepts 32 digits, or the 64-digit "hex of ASCII digits" form of some peers (wire.md 10), and checks MOD 97-10.
 * False: anything else. */
bool eid_parse(const char *text, struct eid *out);
/* Puts the two check digits behind 30 digits; false: not 30 digits. (procedures.md 1.3) */
bool eid_complete(const char first30[30], struct eid *out);
bool eid_equal(const struct eid *a, const struct eid *b);
/* As cards and certificates carry it: two digits a byte, the first in the high nibble. */
void eid_bytes(const struct eid *eid, uint8_t out[EID_DIGITS / 2]);
/* False: a nibble above 9, or wrong check digits. */
bool eid_from_bytes(const uint8_t in[EID_DIGITS / 2], struct eid *out);

/* Accepts pattern 89[0-9fF]{4,18}; F padding is dropped. */
bool iccid_parse(const char *text, struct iccid *out);
/* Appends the Luhn digit to a body of 5 to 19 digits that starts with 89. */
bool iccid_complete(const char *body, struct iccid *out);
bool iccid_equal(const struct iccid *a, const struct iccid *b);

/* 10 to 32 hex digits of either case. */
bool aid_parse(const char *text, struct aid *out);
bool aid_equal(const struct aid *a, const struct aid *b);
/* Upper-case hex of an AID into out. */
void aid_format(const struct aid *aid, char out[2 * AID_MAX + 1]);

bool oid_parse(const char *text, struct oid *out);
bool oid_equal(const struct oid *a, const struct oid *b);

/* The AIDs of card.md 1: RID A000000559, PIX 1010FFFFFFFF89 <TAR> 00. */
extern const struct aid AID_ISDR, AID_ECASD, AID_ISDP_LOADFILE, AID_ISDP_MODULE;
/* An ISD-P instance AID; tar 0x000010..0x00FFFF. */
struct aid aid_isdp(uint32_t tar);
/* The TAR in an AID of that form, three bytes. False: it is none. */
bool aid_tar(const struct aid *aid, uint8_t out[3]);
bool aid_is_isdp(const struct aid *aid);

#endif

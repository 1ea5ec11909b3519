/* SPDX-License-Identifier: Apache-2.0 */
/* Commands around a profile download besides those of apdu.h (which has the deletion, GET STATUS and FF21): the creation of an
 * ISD-P, and what the ECASD lets be read (SGP.02 4.1.1.1, 4.1.1.7; card.md 2). INSTALL [for personalization] and STORE DATA 3A01,
 * 3A02 are in key_agreement.h. */
#ifndef CARD_ISDP_COMMANDS_H
#define CARD_ISDP_COMMANDS_H

#include "common/card/apdu.h"

enum { ISDP_QUOTA_UNSAID = -1, ISDP_CREATED_ANSWER = 0x00 };

/* 80 E6 0C 00. quota: bytes that the profile may use (EF 83, in 2 to 7 bytes); ISDP_QUOTA_UNSAID: none is said. The card reads it
 * with isdr_command_parse (ISDR_CREATE, quota). */
void isdr_create_isdp(struct buf *out, const struct aid *isdp, int64_t quota);
/* Data of a good answer: 00 or nothing. */
bool isdr_created_parse(struct bytes data);
void isdr_created_build(struct buf *out);

/* GET DATA BF30 of the ECASD: 80 CA BF30 {5C wanted}. */
enum ecasd_object { ECASD_CERTIFICATE = 0x7F21, ECASD_RECOGNITION = 0x66 };
void ecasd_get_data(struct buf *out, enum ecasd_object wanted);
/* SW_OK; SW_NOT_FOUND: another P1 P2 or object; SW_BAD_DATA; SW_BAD_INS, SW_BAD_CLA: another command. */
uint16_t ecasd_get_data_parse(const struct apdu *c, enum ecasd_object *out);
/* The answer is the object, with or without BF30 around it. out: the whole TLV (for 7F21 what gp_cert_parse takes), pointing into
 * data. False: it is not there, or something is broken. */
bool ecasd_data_parse(struct bytes data, enum ecasd_object wanted, struct bytes *out);
/* tlv: the whole object. */
void ecasd_data_build(struct buf *out, struct bytes tlv);

#endif

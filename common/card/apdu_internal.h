/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of the ISD-R's commands, for who builds them and who reads them. */
#ifndef CARD_APDU_INTERNAL_H
#define CARD_APDU_INTERNAL_H

#include "common/card/apdu.h"

enum {
	INS_GET_DATA = 0xCA,
	INS_PUT_KEY = 0xD8,
	INS_STORE_DATA = 0xE2,
	INS_DELETE = 0xE4,
	INS_INSTALL = 0xE6,
	INS_GET_STATUS = 0xF2,
};
enum {
	P1_LAST = 0x88,          /* STORE DATA: data groupings, last block */
	P1_LAST_ANSWERED = 0x89, /* the same, data comes back */
	P1_MORE_ANSWERED = 0x09, /* more blocks follow, data comes back */
	P1_FOR_INSTALL = 0x0C,   /* INSTALL: for install and make selectable */
	P1_FOR_PERSO = 0x20,     /* INSTALL: for personalization */
	P1_APPLICATIONS = 0x40,
	P2_DELETE_RELATED = 0x40,
	P2_TLV_FIRST = 0x02,
	P2_TLV_NEXT = 0x03,
};
enum { DGI_ENABLE = 0x3A03, DGI_DISABLE = 0x3A04, DGI_SET_FALLBACK = 0x3A05, DGI_CONFIRM = 0x3A08, DGI_ADDRESSING = 0x3A07 };
enum { DGI_CERTIFICATE = 0x3A01, DGI_KEYS = 0x3A02 }; /* of key_agreement.h */
enum { SHORT_MAX = 255 };
enum { TAG_AID = 0x4F, TAG_LIST = 0x5C, TAG_SEQUENCE = 0x4E, TAG_RESOURCES = 0xFF21 };

/* The data of an INSTALL: six values with one byte of length each. */
enum { INSTALL_LOAD_FILE, INSTALL_MODULE, INSTALL_INSTANCE, INSTALL_PRIVILEGES, INSTALL_PARAMETERS, INSTALL_TOKEN, INSTALL_PARTS };
extern const uint8_t isdp_privileges[3]; /* a security domain with trusted path */
/* False: cut off, or something behind them. */
bool install_parts(struct bytes data, struct bytes out[INSTALL_PARTS]);
/* Adds one of them. */
void lv_add(struct buf *out, const void *value, size_t n);

/* STORE DATA with one data grouping of at most DGI_MAX bytes, whose identifier is no BER tag and whose length is one byte here. */
enum { DGI_MAX = SHORT_MAX - 3 };
void store_data_build(struct buf *out, uint8_t p1, uint16_t dgi, struct bytes value);
/* Takes the first data grouping of a STORE DATA off rest: identifier, one byte of length, or FF and two. */
bool dgi_take(struct bytes *rest, uint16_t *out_dgi, struct bytes *out);
/* v as an AID; empty: one of length 0. False: another length. */
bool aid_of(struct bytes v, struct aid *out);
struct bytes buf_bytes(const struct buf *b);

#endif

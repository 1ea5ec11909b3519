/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of the ISD-R's commands, for who builds them and who reads them. */
#ifndef CARD_APDU_INTERNAL_H
#define CARD_APDU_INTERNAL_H

enum {
	INS_GET_DATA = 0xCA,
	INS_STORE_DATA = 0xE2,
	INS_DELETE = 0xE4,
	INS_INSTALL = 0xE6,
	INS_GET_STATUS = 0xF2,
};
enum {
	P1_LAST = 0x88,          /* STORE DATA: data groupings, last block */
	P1_LAST_ANSWERED = 0x89, /* the same, data comes back */
	P1_FOR_INSTALL = 0x0C,   /* INSTALL: for install and make selectable */
	P1_APPLICATIONS = 0x40,
	P2_DELETE_RELATED = 0x40,
	P2_TLV_FIRST = 0x02,
	P2_TLV_NEXT = 0x03,
};
enum { DGI_ENABLE = 0x3A03, DGI_DISABLE = 0x3A04, DGI_SET_FALLBACK = 0x3A05, DGI_CONFIRM = 0x3A08 };
enum { TAG_AID = 0x4F, TAG_LIST = 0x5C, TAG_SEQUENCE = 0x4E, TAG_RESOURCES = 0xFF21 };

#endif

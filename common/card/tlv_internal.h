/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share of the TLV codec. */
#ifndef CARD_TLV_INTERNAL_H
#define CARD_TLV_INTERNAL_H

#include "common/card/tlv.h"

/* Rows of a struct tlv_field table: { TLV_ROW(...), .min = 1, .max = 7 }. */
#define TLV_ROW(tag_, type_, flags_, struct_, member_) \
	.tag = (tag_), .type = (type_), .flags = (flags_), .offset = offsetof(struct_, member_)
#define TLV_ROW_GROUP(tag_, flags_, struct_, member_, sub_) TLV_ROW(tag_, TLV_GROUP, flags_, struct_, member_), .sub = (sub_)

/* Why tlv_decode refused: the words are static, so they outlive every arena. */
struct tlv_fault {
	uint32_t tag; /* 0: none was read yet */
	const char *what;
};
/* tlv_decode without making a text of it. */
bool tlv_decode_fault(struct arena *a, const struct tlv_group *g, struct bytes in, void *out, struct tlv_fault *out_fault);

/* Makes what was added to out since its length was at the value of a TLV. */
void tlv_wrap(struct buf *out, size_t at, uint32_t tag);
/* A number of at most 7 bytes, so that it fits int64_t. */
bool tlv_number(struct bytes in, int64_t *out);
/* Bytes of v without leading zeros, at least min of them; how many. */
size_t tlv_put_number(uint8_t out[8], uint64_t v, size_t min);
void tlv_add_number(struct buf *out, uint32_t tag, uint64_t value, size_t min);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The one BER-TLV codec: a reader of single TLVs, and tables that describe whole structures in both directions (decisions.md H4). */
#ifndef CARD_TLV_H
#define CARD_TLV_H

#include <stdbool.h>

#include "common/base/buf.h"

/* One TLV; value points into what was read. Tags are the bytes as a number: 4F, 9F70, 7F49. */
struct tlv {
	uint32_t tag;
	struct bytes value;
};

/* Takes the first TLV off *rest. False: *rest is empty, cut off, has a tag of more than 3 or a length of more than 4 bytes (indefinite lengths
 * are not for this function); *rest is then untouched. */
bool tlv_next(struct bytes *rest, struct tlv *out);
/* The first TLV with this tag among those of in (one level); false: none, or what stands before it is broken. */
bool tlv_find(struct bytes in, uint32_t tag, struct bytes *out);
/* Appends tag, definite length in the shortest form, and value. */
void tlv_add(struct buf *out, uint32_t tag, const void *value, size_t n);
void tlv_add_head(struct buf *out, uint32_t tag, size_t n);

enum tlv_type {
	TLV_BYTES, /* struct bytes; min, max = length */
	TLV_UINT,  /* uint64_t, big endian in min..max bytes; written in at least min bytes */
	TLV_AID,   /* struct aid (sgp02/ids.h) */
	TLV_GROUP, /* a nested struct described by sub */
	TLV_FLAG,  /* bool: true when the TLV is there; its value must be empty */
};
enum tlv_flag {
	TLV_OPTIONAL = 1 << 0, /* bytes: data NULL when absent; uint, aid (len 0): untouched, that is zero; group: pointer, NULL when absent */
	TLV_MANY = 1 << 1,     /* the member is a pointer to items, count_offset a size_t; groups, bytes, aids */
};

struct tlv_field {
	uint32_t tag;
	uint32_t aliases[3];  /* further tags accepted on input; 0: none */
	enum tlv_type type;
	unsigned flags;
	size_t offset, count_offset;
	size_t min, max;      /* max 0: no limit */
	size_t size;          /* of one item: TLV_MANY, optional groups */
	const struct tlv_group *sub;
};
struct tlv_group {
	size_t size;                    /* of the struct */
	const struct tlv_field *fields; /* in the order they are written; ends with tag 0 */
	bool any_order;                 /* input: in any order; else in the table's */
	bool strict;                    /* unknown tags are refused; else skipped */
};

/* Decodes the TLVs of in (the value of the group's own tag) into out (size bytes, zeroed here); what it points to lives in a or points into in.
 * False: *out_why (static text or in a) names the tag and what is wrong, never its value; nested too deep (8) or a tag twice are wrong too. */
bool tlv_decode(struct arena *a, const struct tlv_group *g, struct bytes in, void *out, const char **out_why);
/* Appends the TLVs of the struct. */
void tlv_encode(struct buf *out, const struct tlv_group *g, const void *in);

#endif

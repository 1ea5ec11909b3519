/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/notification.h"

#include <string.h>

#include "common/card/tlv_internal.h"

enum { TAG_NOTIFICATION = 0xE1, TAG_EID = 0x4C, TAG_TYPE = 0x4D, TAG_SEQUENCE = 0x4E, TAG_IMEI = 0x14, TAG_MEID = 0x6D };
enum { EID_BYTES = EID_DIGITS / 2 };

struct wire {
	struct bytes eid;
	uint64_t type, seq;
	struct aid aid, old_aid; /* one of them: cards differ in the tag */
	struct bytes imei, meid;
};

/* An odd IMEI is no reason to miss a roll-back, so its length is only bounded. */
static const struct tlv_field fields[] = {
	{ TLV_ROW(TAG_EID, TLV_BYTES, 0, struct wire, eid), .min = EID_BYTES, .max = EID_BYTES },
	{ TLV_ROW(TAG_TYPE, TLV_UINT, 0, struct wire, type), .min = 1, .max = 1 },
	{ TLV_ROW(TAG_SEQUENCE, TLV_UINT, 0, struct wire, seq), .min = 2, .max = 2 },
	{ TLV_ROW(NOTE_AID_TAG, TLV_AID, TLV_OPTIONAL, struct wire, aid), .aliases = { NOTE_AID_TAG | 0x80 } },
	{ TLV_ROW(NOTE_AID_TAG_OLD, TLV_AID, TLV_OPTIONAL, struct wire, old_aid) },
	{ TLV_ROW(TAG_IMEI, TLV_BYTES, TLV_OPTIONAL, struct wire, imei), .aliases = { TAG_IMEI | 0x80 }, .max = 16 },
	{ TLV_ROW(TAG_MEID, TLV_BYTES, TLV_OPTIONAL, struct wire, meid), .aliases = { TAG_MEID | 0x80 }, .max = 16 },
	{ 0 },
};
static const struct tlv_group group = { sizeof(struct wire), fields, .any_order = true };

void notification_build(struct buf *out, const struct notification *n, uint32_t aid_tag)
{
	uint8_t eid[EID_BYTES];
	struct wire w = { .eid = { eid, sizeof(eid) }, .type = n->type, .seq = n->seq };
	size_t at = out->len;

	eid_bytes(&n->eid, eid);
	*(aid_tag == NOTE_AID_TAG_OLD ? &w.old_aid : &w.aid) = n->aid;
	if (n->imei.len)
		w.imei = n->imei;
	if (n->meid.len)
		w.meid = n->meid;
	tlv_encode(out, &group, &w);
	tlv_wrap(out, at, TAG_NOTIFICATION);
}

/* The arena of the decoder does not outlive the call, so each text is a literal. */
static const char *why(uint32_t tag)
{
	switch (tag) {
	case 0:
		return "E1 is empty or its first TLV is cut off";
	case TAG_EID:
		return "E1 is wrong at 4C (EID)";
	case TAG_TYPE:
		return "E1 is wrong at 4D (type)";
	case TAG_SEQUENCE:
		return "E1 is wrong at 4E (sequence number)";
	case NOTE_AID_TAG:
	case NOTE_AID_TAG | 0x80:
	case NOTE_AID_TAG_OLD:
		return "E1 is wrong at 2F (AID)";
	case TAG_IMEI:
	case TAG_IMEI | 0x80:
		return "E1 is wrong at 14 (IMEI)";
	case TAG_MEID:
	case TAG_MEID | 0x80:
		return "E1 is wrong at 6D (MEID)";
	default:
		return "E1 is wrong behind a tag that is not ours";
	}
}

bool notification_parse(struct bytes in, struct notification *out, const char **out_why)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct tlv_fault fault = { 0 };
	struct tlv t;
	struct wire w;
	struct eid eid;

	if (!tlv_next(&in, &t) || t.tag != TAG_NOTIFICATION || in.len) {
		*out_why = "not one E1: cut off, another tag, or bytes behind it";
		return false;
	}
	if (!tlv_decode_fault(a, &group, t.value, &w, &fault)) {
		*out_why = why(fault.tag);
		return false;
	}
	if (!w.aid.len == !w.old_aid.len) {
		*out_why = why(NOTE_AID_TAG);
		return false;
	}
	if (!eid_from_bytes(w.eid.data, &eid)) {
		*out_why = why(TAG_EID);
		return false;
	}
	*out = (struct notification){ eid, (uint8_t)w.type, (uint16_t)w.seq, w.aid.len ? w.aid : w.old_aid, w.imei, w.meid };
	return true;
}

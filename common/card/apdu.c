/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/apdu.h"

#include <assert.h>
#include <string.h>

#include "common/card/apdu_internal.h"
#include "common/card/tlv_internal.h"

enum { HEADER = 4, EXTENDED_MAX = 65535, STATUS_LIST_MAX = 256, ATTRIBUTE_FALLBACK = 1 };

static const struct {
	uint16_t sw;
	const char *text;
} sw_texts[] = {
	{ SW_OK, "done" },
	{ SW_MORE, "more with the next command" },
	{ SW_TRUNCATED, "answer cut short, script stopped" },
	{ SW_MEMORY_FAILURE, "memory failure" },
	{ SW_SECURITY, "security status not satisfied" },
	{ SW_CONDITIONS, "wrong state, or the fall-back profile" },
	{ SW_POL1, "POL1 forbids it" },
	{ SW_BAD_DATA, "wrong data" },
	{ SW_NO_APPLICATION, "application not found" },
	{ SW_NO_MEMORY, "not enough memory" },
	{ SW_WRONG_P1P2, "wrong P1 or P2" },
	{ SW_NOT_FOUND, "not found" },
	{ SW_BAD_INS, "unknown instruction" },
	{ SW_BAD_CLA, "unknown class" },
	{ SW_WRONG_LENGTH, "wrong length" },
};

const char *sw_text(uint16_t sw)
{
	for (size_t i = 0; i < LEN(sw_texts); i++)
		if (sw_texts[i].sw == sw)
			return sw_texts[i].text;
	return "unknown status word";
}

/* What stands behind the four bytes: Lc of lc bytes, data, Le of as many bytes or none. */
static bool read_body(struct bytes body, size_t lc, struct apdu *out)
{
	size_t n = lc == 1 ? body.data[0] : (size_t)body.data[1] << 8 | body.data[2];
	size_t le = lc == 1 ? 1 : 2;

	if (n == 0 || (body.len != lc + n && body.len != lc + n + le))
		return false;
	out->data = (struct bytes){ body.data + lc, n };
	out->has_le = body.len != lc + n;
	return true;
}

bool apdu_parse(struct bytes in, struct apdu *out)
{
	struct apdu c = { 0 };
	struct bytes body;
	bool extended;

	if (in.len < HEADER)
		return false;
	c = (struct apdu){ .cla = in.data[0], .ins = in.data[1], .p1 = in.data[2], .p2 = in.data[3] };
	body = (struct bytes){ in.data + HEADER, in.len - HEADER };
	extended = body.len >= 3 && body.data[0] == 0;
	if (body.len == 1 || (extended && body.len == 3))
		c.has_le = true; /* only Le, short or extended */
	else if (body.len && !read_body(body, extended ? 3 : 1, &c))
		return false;
	*out = c;
	return true;
}

void apdu_build(struct buf *out, const struct apdu *c)
{
	const uint8_t header[] = { c->cla, c->ins, c->p1, c->p2 };
	const uint8_t extended[] = { 0, (uint8_t)(c->data.len >> 8), (uint8_t)c->data.len };
	bool is_short = c->data.len <= SHORT_MAX;

	assert(c->data.len <= EXTENDED_MAX);
	buf_add(out, header, sizeof(header));
	if (c->data.len) {
		buf_add(out, is_short ? extended + 2 : extended, is_short ? 1 : 3);
		buf_add(out, c->data.data, c->data.len);
	}
	if (c->has_le)
		buf_add(out, "\0\0", is_short ? 1 : 2);
}

const uint8_t isdp_privileges[3] = { 0x80, 0xC0, 0x00 };

void lv_add(struct buf *out, const void *value, size_t n)
{
	buf_char(out, (char)n);
	buf_add(out, value, n);
}

struct bytes buf_bytes(const struct buf *b)
{
	return (struct bytes){ (const uint8_t *)b->data, b->len };
}

void store_data_build(struct buf *out, uint8_t p1, uint16_t dgi, struct bytes value)
{
	CLEANUP(buf_free) struct buf data = { 0 };
	const uint8_t head[] = { (uint8_t)(dgi >> 8), (uint8_t)dgi, (uint8_t)value.len };

	buf_add(&data, head, sizeof(head));
	buf_add(&data, value.data, value.len);
	apdu_build(out, &(struct apdu){ 0x80, INS_STORE_DATA, p1, 0, buf_bytes(&data), p1 == P1_LAST_ANSWERED });
}

static void store_aid(struct buf *out, uint16_t dgi, const struct aid *isdp)
{
	CLEANUP(buf_free) struct buf value = { 0 };

	tlv_add(&value, TAG_AID, isdp->data, isdp->len);
	store_data_build(out, P1_LAST, dgi, buf_bytes(&value));
}

void isdr_enable_profile(struct buf *out, const struct aid *isdp)
{
	store_aid(out, DGI_ENABLE, isdp);
}

void isdr_disable_profile(struct buf *out, const struct aid *isdp)
{
	store_aid(out, DGI_DISABLE, isdp);
}

void isdr_set_fallback(struct buf *out, const struct aid *isdp)
{
	store_aid(out, DGI_SET_FALLBACK, isdp);
}

void isdr_delete_profile(struct buf *out, const struct aid *isdp)
{
	CLEANUP(buf_free) struct buf data = { 0 };

	tlv_add(&data, TAG_AID, isdp->data, isdp->len);
	apdu_build(out, &(struct apdu){ 0x80, INS_DELETE, 0x00, P2_DELETE_RELATED, buf_bytes(&data), true });
}

void isdr_get_status(struct buf *out, const struct aid *isdp, bool next)
{
	static const uint8_t wanted[] = { 0x4F, 0x9F, 0x70 };
	CLEANUP(buf_free) struct buf data = { 0 };

	tlv_add(&data, TAG_AID, isdp ? isdp->data : NULL, isdp ? isdp->len : 0);
	tlv_add(&data, TAG_LIST, wanted, sizeof(wanted));
	apdu_build(out, &(struct apdu){ 0x80, INS_GET_STATUS, P1_APPLICATIONS, next ? P2_TLV_NEXT : P2_TLV_FIRST, buf_bytes(&data),
					true });
}

void isdr_get_resources(struct buf *out)
{
	apdu_build(out, &(struct apdu){ 0x80, INS_GET_DATA, TAG_RESOURCES >> 8, TAG_RESOURCES & 0xFF, { NULL, 0 }, true });
}

void isdr_confirm_notification(struct buf *out, uint16_t seq)
{
	CLEANUP(buf_free) struct buf value = { 0 };

	tlv_add_number(&value, TAG_SEQUENCE, seq, 2);
	store_data_build(out, P1_LAST_ANSWERED, DGI_CONFIRM, buf_bytes(&value));
}

/* One E3 as it is on the wire: a number that was not said differs from 0. */
struct status_wire {
	struct aid aid;
	uint64_t state;
	struct bytes attribute, memory, free;
};
struct status_list {
	struct status_wire *entries;
	size_t n;
};

static const struct tlv_field status_fields[] = {
	{ TLV_ROW(TAG_AID, TLV_AID, 0, struct status_wire, aid) },
	{ TLV_ROW(0x9F70, TLV_UINT, 0, struct status_wire, state), .min = 1, .max = 1 },
	{ TLV_ROW(0x53, TLV_BYTES, TLV_OPTIONAL, struct status_wire, attribute), .min = 1, .max = 1 },
	{ TLV_ROW(0x8F, TLV_BYTES, TLV_OPTIONAL, struct status_wire, memory), .min = 1, .max = 7 },
	{ TLV_ROW(0x91, TLV_BYTES, TLV_OPTIONAL, struct status_wire, free), .min = 1, .max = 7 },
	{ 0 },
};
static const struct tlv_group status_group = { sizeof(struct status_wire), status_fields, .any_order = true };
static const struct tlv_field list_fields[] = {
	{ TLV_ROW_GROUP(0xE3, TLV_MANY | TLV_OPTIONAL, struct status_list, entries, &status_group),
	  .count_offset = offsetof(struct status_list, n) },
	{ 0 },
};
static const struct tlv_group list_group = { sizeof(struct status_list), list_fields, .strict = true };

/* -1 when it was not said; the tables have checked its length. */
static int64_t said(struct bytes v)
{
	int64_t n = -1;

	(void)tlv_number(v, &n);
	return n;
}

/* What a table writes for a number that may be unsaid (negative). */
static struct bytes unsaid_or(int64_t v, size_t min, uint8_t room[8])
{
	if (v < 0)
		return (struct bytes){ NULL, 0 };
	return (struct bytes){ room, tlv_put_number(room, (uint64_t)v, min) };
}

bool isdr_status_parse(struct arena *a, struct bytes data, struct isdp_status **out, size_t *out_n)
{
	struct status_list list;
	struct isdp_status *made;
	struct tlv_fault fault;

	if (!tlv_decode_fault(a, &list_group, data, &list, &fault) || list.n > STATUS_LIST_MAX)
		return false;
	made = arena_array(a, list.n, sizeof(*made));
	for (size_t i = 0; i < list.n; i++) {
		const struct status_wire *w = &list.entries[i];

		made[i] = (struct isdp_status){
			.aid = w->aid,
			.state = (uint8_t)w->state,
			.fallback = w->attribute.len && w->attribute.data[0] & ATTRIBUTE_FALLBACK,
			.memory = said(w->memory),
			.free = said(w->free),
		};
	}
	*out = made;
	*out_n = list.n;
	return true;
}

void isdr_status_build(struct buf *out, const struct isdp_status *s)
{
	static const uint8_t fallback = ATTRIBUTE_FALLBACK;
	uint8_t memory[8], room[8];
	struct status_wire w = {
		.aid = s->aid,
		.state = s->state,
		.attribute = { s->fallback ? &fallback : NULL, s->fallback },
		.memory = unsaid_or(s->memory, 4, memory),
		.free = unsaid_or(s->free, 4, room),
	};

	tlv_encode(out, &list_group, &(struct status_list){ &w, 1 });
}

struct resources_wire {
	struct bytes applications, free_nvm, free_ram;
};

static const struct tlv_field resources_fields[] = {
	{ TLV_ROW(0x81, TLV_BYTES, TLV_OPTIONAL, struct resources_wire, applications), .min = 1, .max = 7 },
	{ TLV_ROW(0x82, TLV_BYTES, TLV_OPTIONAL, struct resources_wire, free_nvm), .min = 1, .max = 7 },
	{ TLV_ROW(0x83, TLV_BYTES, TLV_OPTIONAL, struct resources_wire, free_ram), .min = 1, .max = 7 },
	{ 0 },
};
static const struct tlv_group resources_group = { sizeof(struct resources_wire), resources_fields, .any_order = true };

/* Some cards answer with the object itself (FF21), some with what is in it. */
static bool unwrap(struct bytes in, uint32_t tag, struct bytes *out)
{
	struct bytes rest = in;
	struct tlv t;

	*out = in;
	if (in.len == 0)
		return true;
	if (!tlv_next(&rest, &t))
		return false;
	if (t.tag != tag)
		return true;
	*out = t.value;
	return rest.len == 0;
}

bool isdr_resources_parse(struct bytes data, struct card_resources *out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct resources_wire w;
	struct tlv_fault fault;

	if (!unwrap(data, TAG_RESOURCES, &data) || !tlv_decode_fault(a, &resources_group, data, &w, &fault))
		return false;
	*out = (struct card_resources){ said(w.applications), said(w.free_nvm), said(w.free_ram) };
	return true;
}

void isdr_resources_build(struct buf *out, const struct card_resources *r)
{
	uint8_t applications[8], nvm[8], ram[8];
	const struct resources_wire w = {
		unsaid_or(r->applications, 1, applications),
		unsaid_or(r->free_nvm, 4, nvm),
		unsaid_or(r->free_ram, 4, ram),
	};
	size_t at = out->len;

	tlv_encode(out, &resources_group, &w);
	tlv_wrap(out, at, TAG_RESOURCES);
}

struct deleted {
	struct aid *aids;
	size_t n;
};
struct confirmed {
	struct deleted *deleted;
};

static const struct tlv_field deleted_fields[] = {
	{ TLV_ROW(TAG_AID, TLV_AID, TLV_MANY | TLV_OPTIONAL, struct deleted, aids), .count_offset = offsetof(struct deleted, n) },
	{ 0 },
};
static const struct tlv_group deleted_group = { sizeof(struct deleted), deleted_fields, .strict = true };
static const struct tlv_field confirmed_fields[] = {
	{ TLV_ROW_GROUP(0x80, TLV_OPTIONAL, struct confirmed, deleted, &deleted_group) },
	{ 0 },
};
static const struct tlv_group confirmed_group = { sizeof(struct confirmed), confirmed_fields, .strict = true };

bool isdr_confirmed_parse(struct arena *a, struct bytes data, struct aid **out, size_t *out_n)
{
	struct confirmed c;
	struct tlv_fault fault;

	if (!tlv_decode_fault(a, &confirmed_group, data, &c, &fault))
		return false;
	*out = c.deleted ? c.deleted->aids : NULL;
	*out_n = c.deleted ? c.deleted->n : 0;
	return true;
}

void isdr_confirmed_build(struct buf *out, const struct aid *deleted, size_t n)
{
	CLEANUP(buf_free) struct buf aids = { 0 };

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		tlv_add(&aids, TAG_AID, deleted[i].data, deleted[i].len);
	tlv_add(out, 0x80, aids.data, aids.len);
}

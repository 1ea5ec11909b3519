/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "common/card/tlv_internal.h"
#include "common/sgp02/ids.h"

/* FIELDS_MAX bounds our tables, DEPTH_MAX what a peer may nest. */
enum { DEPTH_MAX = 8, FIELDS_MAX = 32, NO_FIELD = FIELDS_MAX };

struct decoder {
	struct arena *a;
	struct tlv_fault *fault;
};

static bool refuse(struct decoder *d, uint32_t tag, const char *what)
{
	*d->fault = (struct tlv_fault){ tag, what };
	return false;
}

static void *slot(void *base, size_t offset)
{
	return (char *)base + offset;
}

static const void *const_slot(const void *base, size_t offset)
{
	return (const char *)base + offset;
}

static bool by_pointer(const struct tlv_field *f)
{
	return f->type == TLV_GROUP && f->flags & TLV_OPTIONAL;
}

static size_t item_size(const struct tlv_field *f)
{
	switch (f->type) {
	case TLV_BYTES:
		return sizeof(struct bytes);
	case TLV_UINT:
		return sizeof(uint64_t);
	case TLV_AID:
		return sizeof(struct aid);
	case TLV_FLAG:
		return sizeof(bool);
	case TLV_GROUP:
		break;
	}
	return f->sub->size;
}

static void check_table(const struct tlv_group *g)
{
	size_t n = 0;

	while (g->fields[n].tag)
		n++;
	assert(n < FIELDS_MAX);
}

static bool tagged(const struct tlv_field *f, uint32_t tag)
{
	if (tag == f->tag)
		return true;
	for (size_t i = 0; i < 3; i++)
		if (f->aliases[i] && f->aliases[i] == tag)
			return true;
	return false;
}

static size_t field_of(const struct tlv_group *g, uint32_t tag)
{
	if (tag == 0)
		return NO_FIELD;
	for (size_t i = 0; g->fields[i].tag; i++)
		if (tagged(&g->fields[i], tag))
			return i;
	return NO_FIELD;
}

/* First pass: counts what there is and judges tags and their order, so that the second one only converts. */
static bool survey(struct decoder *d, const struct tlv_group *g, struct bytes in, size_t seen[FIELDS_MAX])
{
	struct tlv t = { 0 };
	size_t last = 0;

	while (in.len) {
		size_t i;

		if (!tlv_next(&in, &t))
			return refuse(d, t.tag, t.tag ? "what follows is cut off or no TLV" : "cut off or no TLV");
		i = field_of(g, t.tag);
		if (i == NO_FIELD) {
			if (g->strict)
				return refuse(d, t.tag, "not expected here");
			continue;
		}
		if (seen[i]++ && !(g->fields[i].flags & TLV_MANY))
			return refuse(d, t.tag, "comes twice");
		if (!g->any_order && i < last)
			return refuse(d, t.tag, "not in its place");
		last = i;
	}
	for (size_t i = 0; g->fields[i].tag; i++)
		if (!seen[i] && !(g->fields[i].flags & TLV_OPTIONAL) && g->fields[i].type != TLV_FLAG)
			return refuse(d, g->fields[i].tag, "missing");
	return true;
}

static bool decode_uint(struct bytes v, uint64_t *out)
{
	uint64_t n = 0;

	if (v.len > sizeof(n))
		return false;
	for (size_t i = 0; i < v.len; i++)
		n = n << 8 | v.data[i];
	*out = n;
	return true;
}

static bool decode_aid(struct bytes v, struct aid *out)
{
	struct aid aid = { .len = (uint8_t)v.len };

	if (v.len < AID_MIN || v.len > AID_MAX)
		return false;
	memcpy(aid.data, v.data, v.len);
	*out = aid;
	return true;
}

static bool decode_group(struct decoder *d, const struct tlv_group *g, struct bytes in, unsigned depth, void *out);

static bool decode_item(struct decoder *d, const struct tlv_field *f, const struct tlv *t, unsigned depth, void *item)
{
	if (t->value.len < f->min || (f->max && t->value.len > f->max))
		return refuse(d, t->tag, "wrong length");
	switch (f->type) {
	case TLV_BYTES:
		*(struct bytes *)item = t->value;
		return true;
	case TLV_UINT:
		return decode_uint(t->value, item) || refuse(d, t->tag, "wrong length");
	case TLV_AID:
		return decode_aid(t->value, item) || refuse(d, t->tag, "no AID");
	case TLV_FLAG:
		*(bool *)item = true;
		return t->value.len == 0 || refuse(d, t->tag, "not empty");
	case TLV_GROUP:
		break;
	}
	return decode_group(d, f->sub, t->value, depth + 1, item);
}

/* Where the value of this TLV goes; done: how many items of a list are filled. */
static void *place(struct decoder *d, const struct tlv_field *f, size_t n, size_t done, void *out)
{
	void *member = slot(out, f->offset);

	if (f->flags & TLV_MANY) {
		if (done == 0) {
			*(void **)member = arena_array(d->a, n, item_size(f));
			*(size_t *)slot(out, f->count_offset) = n;
		}
		return slot(*(void **)member, done * item_size(f));
	}
	if (by_pointer(f))
		return *(void **)member = arena_alloc(d->a, f->sub->size);
	return member;
}

static bool decode_group(struct decoder *d, const struct tlv_group *g, struct bytes in, unsigned depth, void *out)
{
	size_t seen[FIELDS_MAX] = { 0 }, done[FIELDS_MAX] = { 0 };
	struct tlv t;

	if (depth > DEPTH_MAX)
		return refuse(d, 0, "nested too deep");
	check_table(g);
	if (!survey(d, g, in, seen))
		return false;
	while (tlv_next(&in, &t)) {
		size_t i = field_of(g, t.tag);

		if (i == NO_FIELD)
			continue;
		if (!decode_item(d, &g->fields[i], &t, depth, place(d, &g->fields[i], seen[i], done[i], out)))
			return false;
		done[i]++;
	}
	return true;
}

bool tlv_decode_fault(struct arena *a, const struct tlv_group *g, struct bytes in, void *out, struct tlv_fault *out_fault)
{
	struct decoder d = { a, out_fault };
	void *made = arena_alloc(a, g->size);

	if (!decode_group(&d, g, in, 1, made))
		return false;
	memcpy(out, made, g->size);
	return true;
}

bool tlv_decode(struct arena *a, const struct tlv_group *g, struct bytes in, void *out, const char **out_why)
{
	struct tlv_fault fault = { 0 };

	if (tlv_decode_fault(a, g, in, out, &fault))
		return true;
	*out_why = fault.tag ? arena_printf(a, "tag %X: %s", fault.tag, fault.what) : fault.what;
	return false;
}

static void encode_item(struct buf *out, const struct tlv_field *f, const void *item)
{
	const struct bytes *b = item;
	const struct aid *aid = item;
	size_t at = out->len;

	switch (f->type) {
	case TLV_BYTES:
		tlv_add(out, f->tag, b->data, b->len);
		return;
	case TLV_UINT:
		tlv_add_number(out, f->tag, *(const uint64_t *)item, f->min);
		return;
	case TLV_AID:
		tlv_add(out, f->tag, aid->data, aid->len);
		return;
	case TLV_FLAG:
		tlv_add(out, f->tag, NULL, 0);
		return;
	case TLV_GROUP:
		tlv_encode(out, f->sub, item);
		tlv_wrap(out, at, f->tag);
		return;
	}
}

static bool absent(const struct tlv_field *f, const void *member)
{
	if (f->type == TLV_FLAG)
		return !*(const bool *)member;
	if (!(f->flags & TLV_OPTIONAL))
		return false;
	switch (f->type) {
	case TLV_BYTES:
		return !((const struct bytes *)member)->data;
	case TLV_UINT:
		return *(const uint64_t *)member == 0;
	case TLV_AID:
		return ((const struct aid *)member)->len == 0;
	case TLV_GROUP:
		return !*(const void *const *)member;
	case TLV_FLAG:
		break;
	}
	return false;
}

void tlv_encode(struct buf *out, const struct tlv_group *g, const void *in)
{
	for (const struct tlv_field *f = g->fields; f->tag; f++) {
		const void *member = const_slot(in, f->offset);

		if (f->flags & TLV_MANY) {
			const void *items = *(const void *const *)member;
			size_t n = *(const size_t *)const_slot(in, f->count_offset);

			for (size_t i = 0; i < n; i++)
				encode_item(out, f, const_slot(items, i * item_size(f)));
		} else if (!absent(f, member)) {
			encode_item(out, f, by_pointer(f) ? *(const void *const *)member : member);
		}
	}
}

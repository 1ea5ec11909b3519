/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/card/profile_internal.h"

struct walk {
	pe_visitor visit;
	void *data;
	struct profile_fault *fault;
};

const char *der_next(struct bytes *rest, struct tlv *out)
{
	struct bytes after = *rest;
	struct tlv t;
	uint8_t number[8];
	size_t tag, length, head;

	if (!tlv_next(&after, &t))
		return "cut off or no TLV";
	tag = tlv_put_number(number, t.tag, 1);
	length = t.value.len < 0x80 ? 1 : 1 + tlv_put_number(number, t.value.len, 1);
	head = (size_t)(t.value.data - rest->data);
	if (head != tag + length)
		return "length not in its shortest form";
	if (tag > 1 && (rest->data[1] < 0x1F || rest->data[1] == 0x80))
		return "tag not in its shortest form";
	*rest = after;
	*out = t;
	return NULL;
}

bool der_number(struct bytes in, uint64_t *out)
{
	uint64_t v = 0;

	if (in.len == 0 || in.len > 9 || in.data[0] & 0x80)
		return false;
	if (in.len > 1 && in.data[0] == 0 && !(in.data[1] & 0x80))
		return false;
	if (in.len == 9 && in.data[0])
		return false;
	for (size_t i = 0; i < in.len; i++)
		v = v << 8 | in.data[i];
	*out = v;
	return true;
}

void der_add_number(struct buf *out, uint32_t tag, uint64_t value)
{
	uint8_t number[9] = { 0 };
	size_t n = tlv_put_number(number + 1, value, 1);

	if (number[1] & 0x80)
		tlv_add(out, tag, number, n + 1);
	else
		tlv_add(out, tag, number + 1, n);
}

bool pe_refuse(struct profile_fault *out_fault, const struct profile_element *e, const char *field, const char *what,
	       unsigned status)
{
	*out_fault = (struct profile_fault){
		out_fault->index, e ? e->name : NULL, e ? e->identification : PE_NO_IDENTIFICATION, field, what, (uint16_t)status
	};
	return false;
}

static bool wrong(struct walk *w, const char *field, const char *what)
{
	w->fault->field = field;
	w->fault->what = what;
	w->fault->status = PE_STATUS_BAD_VALUES;
	return false;
}

static void seen(struct walk *w, const struct pe_field *f, const struct tlv *t, unsigned depth, bool leaving)
{
	if (w->visit)
		w->visit(w->data, f, t, depth, leaving);
}

static bool value_of(struct walk *w, const struct pe_field *f, const struct tlv *t, unsigned depth);

/* The row for this tag at or behind *at, which moves there; NULL: none. *out_missing: a row on the way that must not be skipped. */
static const struct pe_field *row_behind(const struct pe_field *rows, size_t *at, uint32_t tag, const char **out_missing)
{
	for (size_t i = *at; rows[i].name; i++) {
		if (rows[i].tag == tag) {
			*at = i + 1;
			return &rows[i];
		}
		if (!(rows[i].flags & FIELD_OPTIONAL) && !*out_missing)
			*out_missing = rows[i].name;
	}
	return NULL;
}

static const struct pe_field *row_any(const struct pe_field *rows, uint32_t tag)
{
	for (size_t i = 0; rows[i].name; i++)
		if (rows[i].tag == tag)
			return &rows[i];
	return NULL;
}

/* EXTENSIBILITY IMPLIED: what we do not know is allowed, what we know must be in its place. */
static bool sequence(struct walk *w, const struct pe_field *rows, struct bytes in, unsigned depth)
{
	size_t at = 0;

	while (in.len) {
		const struct pe_field *f, *displaced;
		const char *missing = NULL, *why;
		struct tlv t;

		why = der_next(&in, &t);
		if (why)
			return wrong(w, rows[at].name, why);
		f = row_behind(rows, &at, t.tag, &missing);
		displaced = f ? NULL : row_any(rows, t.tag);
		if (displaced)
			return wrong(w, displaced->name, "twice, or not in its place");
		if (!f) {
			seen(w, NULL, &t, depth, false);
			continue;
		}
		if (missing)
			return wrong(w, missing, "missing");
		if (!value_of(w, f, &t, depth))
			return false;
	}
	for (; rows[at].name; at++)
		if (!(rows[at].flags & FIELD_OPTIONAL))
			return wrong(w, rows[at].name, "missing");
	return true;
}

/* Any of the rows, each as often as it likes; out_n: how many TLVs. */
static bool items(struct walk *w, const struct pe_field *parent, struct bytes in, unsigned depth, size_t *out_n)
{
	for (*out_n = 0; in.len; ++*out_n) {
		struct tlv t;
		const char *why = der_next(&in, &t);
		const struct pe_field *f;

		if (why)
			return wrong(w, parent->name, why);
		f = row_any(parent->sub, t.tag);
		if (!f)
			return wrong(w, parent->name, "holds a tag that is not for it");
		if (!value_of(w, f, &t, depth))
			return false;
	}
	return true;
}

static bool within(const struct pe_field *f, uint64_t n)
{
	return n >= f->min && (!f->max || n <= f->max);
}

static bool all_there(struct walk *w, const char *const *files, const uint64_t have[2])
{
	for (size_t i = 0; files[i]; i++)
		if (*files[i] == '*' && !(have[i / 64] >> i % 64 & 1))
			return wrong(w, files[i] + 1, "missing");
	return true;
}

/* Header and templateID, then files by ascending numbers. */
static bool template_files(struct walk *w, const struct pe_field *element, struct bytes in, unsigned depth)
{
	uint64_t have[2] = { 0 };
	uint32_t last = 0;

	for (size_t i = 0; element->sub[i].name; i++) {
		struct tlv t;
		const char *why = in.len ? der_next(&in, &t) : "missing";

		if (!why && t.tag != element->sub[i].tag)
			why = "missing";
		if (why)
			return wrong(w, element->sub[i].name, why);
		if (!value_of(w, &element->sub[i], &t, depth))
			return false;
	}
	while (in.len) {
		struct pe_field f;
		struct tlv t;
		const char *why = der_next(&in, &t);
		uint32_t number;

		if (why)
			return wrong(w, "files", why);
		if (!pe_file_field(element, t.tag, &f)) {
			seen(w, NULL, &t, depth, false);
			continue;
		}
		number = t.tag > 0xFF ? t.tag & 0x7F : t.tag & 0x1F;
		if (number <= last)
			return wrong(w, f.name, "twice, or not in its place");
		last = number;
		have[(number - 2) / 64] |= UINT64_C(1) << (number - 2) % 64;
		if (!value_of(w, &f, &t, depth))
			return false;
	}
	return all_there(w, element->files, have);
}

static bool text_ok(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		if (in.data[i] < 0x20 || in.data[i] == 0x7F)
			return false;
	return true;
}

static bool oid_ok(struct bytes in)
{
	bool start = true;

	for (size_t i = 0; i < in.len; i++) {
		if (start && in.data[i] == 0x80)
			return false;
		start = !(in.data[i] & 0x80);
	}
	return in.len && start;
}

static bool constructed(struct walk *w, const struct pe_field *f, struct bytes value, unsigned depth)
{
	size_t n;

	switch (f->type) {
	case ASN_SEQUENCE:
		return sequence(w, f->sub, value, depth);
	case ASN_LIST:
	case ASN_CHOICES:
		return items(w, f, value, depth, &n) && (within(f, n) || wrong(w, f->name, "too few or too many in it"));
	case ASN_CHOICE:
		return items(w, f, value, depth, &n) && (n == 1 || wrong(w, f->name, "not exactly one choice"));
	case ASN_FILES:
		return template_files(w, f, value, depth);
	case ASN_OCTETS:
	case ASN_NUMBER:
	case ASN_NULL:
	case ASN_OID:
	case ASN_TEXT:
		break;
	}
	return wrong(w, f->name, "not constructed");
}

static bool primitive(struct walk *w, const struct pe_field *f, struct bytes v)
{
	uint64_t n;

	if (f->type == ASN_NUMBER)
		return (der_number(v, &n) && within(f, n)) || wrong(w, f->name, "no number, or out of its range");
	if (f->type == ASN_NULL)
		return v.len == 0 || wrong(w, f->name, "not empty");
	if (!within(f, v.len))
		return wrong(w, f->name, "wrong length");
	if (f->type == ASN_OID)
		return oid_ok(v) || wrong(w, f->name, "no object identifier");
	return f->type != ASN_TEXT || text_ok(v) || wrong(w, f->name, "holds control characters");
}

static bool is_constructed(enum pe_type type)
{
	return type >= ASN_SEQUENCE;
}

static bool value_of(struct walk *w, const struct pe_field *f, const struct tlv *t, unsigned depth)
{
	if (!is_constructed(f->type)) {
		if (!primitive(w, f, t->value))
			return false;
		seen(w, f, t, depth, false);
		return true;
	}
	seen(w, f, t, depth, false);
	if (!constructed(w, f, t->value, depth + 1))
		return false;
	seen(w, f, t, depth, true);
	return true;
}

bool pe_walk(const struct pe_field *f, struct bytes value, pe_visitor visit, void *data, struct profile_fault *out_fault)
{
	struct walk w = { visit, data, out_fault };

	return constructed(&w, f, value, 0);
}

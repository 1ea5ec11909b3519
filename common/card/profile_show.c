/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/profile_show.h"

#include "common/card/profile_internal.h"

enum { BYTES_SHOWN = 32 };

struct show {
	struct buf *out;
	unsigned flags;
};

static void indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i <= depth; i++)
		buf_str(out, "  ");
}

/* What a template says may meet a terminal: nothing but printable ASCII gets there. */
static void show_text(struct buf *out, struct bytes text)
{
	buf_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];

		if (c >= ' ' && c < 0x7F && c != '"' && c != '\\')
			buf_char(out, c);
		else
			buf_printf(out, "\\x%02X", text.data[i]);
	}
	buf_char(out, '"');
}

static void show_octets(const struct show *s, struct bytes b)
{
	size_t n = s->flags & PROFILE_SHOW_WHOLE || b.len <= BYTES_SHOWN ? b.len : BYTES_SHOWN;

	if (b.len == 0) {
		buf_str(s->out, "(empty)");
		return;
	}
	buf_hex(s->out, b.data, n);
	if (n < b.len)
		buf_printf(s->out, "... (%zu bytes)", b.len);
}

/* X.690 8.19: the first subidentifier holds two. */
static void show_oid(struct buf *out, struct bytes oid)
{
	uint64_t id = 0;
	bool first = true;

	for (size_t i = 0; i < oid.len; i++) {
		id = id << 7 | (oid.data[i] & 0x7F);
		if (oid.data[i] & 0x80)
			continue;
		if (first) {
			uint64_t top = id < 80 ? id / 40 : 2;

			buf_printf(out, "%llu.%llu", (unsigned long long)top, (unsigned long long)(id - 40 * top));
		} else {
			buf_printf(out, ".%llu", (unsigned long long)id);
		}
		first = false;
		id = 0;
	}
}

static void show_value(const struct show *s, const struct pe_field *f, struct bytes v)
{
	uint64_t n = 0;

	if (f->flags & FIELD_SECRET && !(s->flags & PROFILE_SHOW_SECRETS)) {
		buf_printf(s->out, "(%zu bytes hidden)", v.len);
		return;
	}
	switch (f->type) {
	case ASN_NUMBER:
		(void)der_number(v, &n);
		buf_printf(s->out, "%llu", (unsigned long long)n);
		return;
	case ASN_OID:
		show_oid(s->out, v);
		return;
	case ASN_TEXT:
		show_text(s->out, v);
		return;
	case ASN_OCTETS:
	case ASN_NULL:
	case ASN_SEQUENCE:
	case ASN_LIST:
	case ASN_CHOICE:
	case ASN_CHOICES:
	case ASN_FILES:
		show_octets(s, v);
		return;
	}
}

static void on_visit(void *data, const struct pe_field *f, const struct tlv *t, unsigned depth, bool leaving)
{
	const struct show *s = data;

	if (leaving)
		return;
	indent(s->out, depth);
	if (!f) {
		/* of a later version: it may be a secret, so only its size is shown */
		buf_printf(s->out, "unknown tag %X: (%zu bytes)\n", t->tag, t->value.len);
		return;
	}
	buf_str(s->out, f->name);
	if (f->type < ASN_SEQUENCE && f->type != ASN_NULL) {
		buf_str(s->out, ": ");
		show_value(s, f, t->value);
	}
	buf_char(s->out, '\n');
}

static void show_head(struct buf *out, const struct profile_element *e)
{
	buf_str(out, e->name);
	if (e->identification != PE_NO_IDENTIFICATION)
		buf_printf(out, ", identification %d", (int)e->identification);
	if (e->mandated)
		buf_str(out, ", mandated");
	buf_printf(out, ", %zu bytes\n", e->whole.len);
}

void profile_show_element(struct buf *out, const struct profile_element *e, unsigned flags)
{
	const struct pe_field *description = pe_describe(e->kind);
	struct profile_fault fault = { 0 };
	struct show s = { out, flags };

	show_head(out, e);
	if (description && !pe_walk(description, e->value, on_visit, &s, &fault))
		buf_printf(out, "  (cannot be read further: %s)\n", fault.what);
}

void profile_show(struct buf *out, const struct profile_package *p, unsigned flags)
{
	for (size_t i = 0; i < p->n; i++) {
		buf_printf(out, "%zu ", i + 1);
		profile_show_element(out, &p->elements[i], flags);
	}
}

void profile_show_list(struct buf *out, const struct profile_package *p)
{
	for (size_t i = 0; i < p->n; i++) {
		buf_printf(out, "%zu ", i + 1);
		show_head(out, &p->elements[i]);
	}
}

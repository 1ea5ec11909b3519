/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "common/msg/bind_internal.h"

struct encoder {
	struct xml_writer w;
	struct buf *out, *value; /* value: room for one */
	enum bind_mask mask;
};

size_t bind_items(const struct bind_field *f, const void *base, const void **out_first)
{
	const void *at = bind_at(base, f->offset);

	if (f->flags & BIND_MANY) {
		*out_first = *(const void *const *)at;
		return *(const size_t *)bind_at(base, f->count_offset);
	}
	if (bind_by_pointer(f)) {
		*out_first = *(const void *const *)at;
		return *out_first != NULL;
	}
	*out_first = at;
	if (!(f->flags & BIND_OPTIONAL))
		return 1;
	if (f->type == BIND_HEX || f->type == BIND_OCTETS)
		return ((const struct bytes *)at)->data != NULL;
	return *(const char *const *)at != NULL;
}

static void encode_content(struct encoder *e, const struct bind_group *g, const void *in);

static void encode_attributes(struct encoder *e, const struct bind_group *g, const void *in)
{
	for (const struct bind_field *f = g->fields; f->name; f++) {
		const void *item;

		if ((f->flags & BIND_ATTR) && bind_items(f, in, &item))
			xw_attr(&e->w, f->name, bind_value_text(e->value, f, item, e->mask));
	}
}

/* An element without content is closed at once: <rps:pol2/>. */
static void encode_group(struct encoder *e, const char *name, const char *ns, const struct bind_group *g, const void *in)
{
	size_t behind;

	xw_start(&e->w, name);
	if (ns)
		xw_attr(&e->w, "xmlns:rps", ns);
	encode_attributes(e, g, in);
	xw_end(&e->w, 0);
	behind = e->out->len;
	encode_content(e, g, in);
	if (e->out->len > behind) {
		xw_close(&e->w, name);
		return;
	}
	e->out->len--;
	xw_end(&e->w, 1);
}

static bool is_secret_octets(const struct encoder *e, const struct bind_field *f)
{
	return e->mask == BIND_MASKED && (f->flags & BIND_SECRET);
}

static void encode_item(struct encoder *e, const struct bind_field *f, const void *base, const void *item)
{
	const struct bytes *octets = f->type == BIND_OCTETS ? item : NULL;

	if (f->flags & BIND_SIGNED)
		octets = bind_at(base, f->count_offset);
	if (octets && octets->len && !is_secret_octets(e, f)) {
		xw_raw(&e->w, octets->data, octets->len);
	} else if (f->type == BIND_GROUP) {
		encode_group(e, f->name, NULL, f->sub, item);
	} else {
		assert(f->type != BIND_OCTETS && "octets that must be there are empty");
		xw_text(&e->w, f->name, bind_value_text(e->value, f, item, e->mask));
	}
}

static void encode_content(struct encoder *e, const struct bind_group *g, const void *in)
{
	for (const struct bind_field *f = g->fields; f->name; f++) {
		const char *first;
		const void *items;
		size_t n;

		if (f->flags & BIND_ATTR)
			continue;
		n = bind_items(f, in, &items);
		first = items;
		for (size_t i = 0; i < n; i++)
			encode_item(e, f, in, first + i * f->size);
	}
}

static void encode(struct buf *out, const char *name, const char *ns, const struct bind_group *g, const void *in,
		   enum bind_mask mask)
{
	CLEANUP(buf_free) struct buf value = { 0 };
	struct encoder e = { { out, "rps" }, out, &value, mask };

	encode_group(&e, name, ns, g, in);
}

void bind_encode(struct buf *out, const struct bind_message *m, const void *in, enum bind_mask mask)
{
	encode(out, m->root, NULL, m->group, in, mask);
}

void bind_encode_group(struct buf *out, const char *name, const char *ns, const struct bind_group *g, const void *in)
{
	encode(out, name, ns, g, in, BIND_PLAIN);
}

static bool group_has_secret(const struct bind_group *g)
{
	for (const struct bind_field *f = g->fields; f->name; f++)
		if ((f->flags & BIND_SECRET) || (f->sub && group_has_secret(f->sub)))
			return true;
	return false;
}

bool bind_has_secret(const struct bind_message *m)
{
	return group_has_secret(m->group);
}

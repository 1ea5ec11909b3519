/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a request that two transmissions of the same call share (decisions.md A1): names of rows, and values with their
 * length in front, so that no two different requests give the same octets. */
#include <string.h>

#include "common/msg/bind_internal.h"

static void put_sized(struct buf *out, const void *data, size_t n)
{
	buf_printf(out, "%zu:", n);
	buf_add(out, data, n);
}

static void digest_group(struct buf *out, const struct bind_group *g, const void *in, const struct bind_field *from);

static void digest_item(struct buf *out, struct buf *value, const struct bind_field *f, const void *item)
{
	const char *text;

	if (f->type == BIND_GROUP) {
		digest_group(out, f->sub, item, f->sub->fields);
	} else if (f->type == BIND_OCTETS) {
		put_sized(out, ((const struct bytes *)item)->data, ((const struct bytes *)item)->len);
	} else {
		text = bind_value_text(value, f, item, BIND_PLAIN);
		put_sized(out, text, strlen(text));
	}
}

static void digest_group(struct buf *out, const struct bind_group *g, const void *in, const struct bind_field *from)
{
	CLEANUP(buf_free) struct buf value = { 0 };

	buf_char(out, '{');
	for (const struct bind_field *f = from; f->name; f++) {
		const void *items;
		const char *first;
		size_t n = bind_items(f, in, &items);

		buf_printf(out, "%s[%zu]", f->name, n);
		first = items;
		for (size_t i = 0; i < n; i++)
			digest_item(out, &value, f, first + i * f->size);
	}
	buf_char(out, '}');
}

static size_t base_rows(const struct bind_message *m)
{
	const struct bind_field *f = request_base_group.fields;

	if (m->base != BASE_REQUEST)
		return 0;
	while (f->name)
		f++;
	return (size_t)(f - request_base_group.fields);
}

void bind_digest_input(struct buf *out, const struct bind_message *m, const void *in)
{
	buf_str(out, m->root);
	digest_group(out, m->group, in, m->group->fields + base_rows(m));
}

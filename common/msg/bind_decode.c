/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/msg/bind_internal.h"

struct decoder {
	struct arena *a;
	const char *ns;
	const struct bind_dialect *dialect;
};

/* Where the decoder stands, for messages: Eis/ProfileInfo[2]/Iccid. */
struct path {
	const struct path *up; /* NULL: the message itself */
	const char *name;
	size_t index; /* from 1; 0: not a list */
};

static void path_text(const struct path *p, struct buf *out)
{
	if (p->up && p->up->name) {
		path_text(p->up, out);
		buf_char(out, '/');
	}
	buf_str(out, p->name);
	if (p->index)
		buf_printf(out, "[%zu]", p->index);
}

static result refuse(struct decoder *d, enum code code, const struct path *up, const char *name, size_t index, const char *why)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct path at = { up, name, index };

	path_text(&at, &text);
	return failed(d->a, code, name, "%s: %s", text.data, why);
}

static bool is_word_of(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = words; p && *p; p += strspn(p, " ")) {
		size_t m = strcspn(p, " ");

		if (m == n && !memcmp(p, word, n))
			return true;
		p += m;
	}
	return false;
}

static bool named(const struct bind_field *f, const struct soap_node *n)
{
	return !strcmp(soap_name(n), f->name) || is_word_of(f->alias, soap_name(n));
}

static bool qualified(const struct decoder *d, const struct soap_node *n)
{
	const char *ns = soap_namespace(n);

	return !strcmp(ns, d->ns) || (!*ns && d->dialect && d->dialect->unqualified);
}

static bool matches(const struct decoder *d, const struct bind_field *f, const struct soap_node *n)
{
	return n && !(f->flags & BIND_ATTR) && named(f, n) && qualified(d, n);
}

static result decode_group(struct decoder *d, const struct bind_group *g, const struct soap_node *n, const struct path *at,
			   void *out);

static result decode_octets(struct decoder *d, const struct soap_node *n, const struct path *at, struct bytes *out)
{
	struct bytes octets = soap_canonical(d->a, n, C14N_EXCLUSIVE);

	if (octets.len == 0)
		return refuse(d, CODE_PARAM_INVALID, at->up, at->name, at->index, "it has no canonical form");
	*out = octets;
	return OK;
}

/* One element into item, which is where the value (not a pointer to it) lies. */
static result decode_item(struct decoder *d, const struct bind_field *f, const struct soap_node *n, const struct path *at,
			  void *item)
{
	const char *text, *why;

	if (f->type == BIND_GROUP)
		return decode_group(d, f->sub, n, at, item);
	if (f->type == BIND_OCTETS)
		return decode_octets(d, n, at, item);
	text = soap_text(d->a, n);
	why = text ? bind_value_parse(d->a, f, text, item) : "it has child elements";
	return why ? refuse(d, CODE_PARAM_INVALID, at->up, at->name, at->index, why) : OK;
}

static void *slot(void *base, size_t offset)
{
	return (char *)base + offset;
}

/* The struct keeps what was signed beside what it means. */
static result decode_signed(struct decoder *d, const struct bind_field *f, const struct soap_node *n, const struct path *at,
			    void *out)
{
	if (f->node_offset)
		*(const void **)slot(out, f->node_offset) = n;
	return decode_octets(d, n, at, slot(out, f->count_offset));
}

static result decode_one(struct decoder *d, const struct bind_field *f, const struct soap_node *n, const struct path *up, void *out)
{
	const struct path at = { up, f->name, 0 };
	void *item = slot(out, f->offset);

	if (bind_by_pointer(f)) {
		void *value = arena_alloc(d->a, f->size);

		TRY(decode_item(d, f, n, &at, value));
		*(void **)item = value;
		return OK;
	}
	TRY(decode_item(d, f, n, &at, item));
	return f->flags & BIND_SIGNED ? decode_signed(d, f, n, &at, out) : OK;
}

/* Says why the mandatory f is not where it must be: it comes later (then c stands in its way), is in a foreign namespace, or is not
 * there. */
static result not_here(struct decoder *d, const struct bind_field *f, const struct soap_node *c, const struct path *up)
{
	for (const struct soap_node *n = c; n; n = soap_next(n)) {
		if (matches(d, f, n))
			return refuse(d, CODE_PARAM_INVALID, up, arena_strdup(d->a, soap_name(c)), 0, "not expected here");
		if (named(f, n))
			return refuse(d, CODE_PARAM_INVALID, up, f->name, 0, "not in the namespace of the message");
	}
	return refuse(d, CODE_PARAM_MISSING, up, f->name, 0, "missing");
}

static result check_occurs(struct decoder *d, const struct bind_field *f, size_t n, const struct path *up)
{
	if (n < f->min_occurs)
		return refuse(d, CODE_PARAM_INVALID, up, f->name, 0, arena_printf(d->a, "fewer than %u", f->min_occurs));
	if (f->max_occurs && n > f->max_occurs)
		return refuse(d, CODE_PARAM_INVALID, up, f->name, 0, arena_printf(d->a, "more than %u", f->max_occurs));
	return OK;
}

/* Rows [first, end) in any mixture from *c on: a list row alone, or a choice. */
static result decode_list(struct decoder *d, const struct bind_field *first, const struct bind_field *end,
			  const struct soap_node **c, const struct path *up, void *out)
{
	const struct soap_node *start = *c, *n;
	size_t all = 0;

	for (const struct bind_field *f = first; f < end; f++) {
		size_t count = 0, i = 0;
		char *items;

		for (n = start; n; n = soap_next(n)) {
			bool any = false;

			for (const struct bind_field *g = first; g < end; g++)
				any = any || matches(d, g, n);
			if (!any)
				break;
			count += matches(d, f, n);
		}
		*c = n;
		all += count;
		if (count == 0)
			continue;
		items = arena_array(d->a, count, f->size);
		for (const struct soap_node *m = start; m != n; m = soap_next(m)) {
			const struct path at = { up, f->name, i + 1 };

			if (!matches(d, f, m))
				continue;
			if (f->max_occurs && i >= f->max_occurs)
				break; /* refused below; not worth decoding */
			TRY(decode_item(d, f, m, &at, items + i++ * f->size));
		}
		*(void **)slot(out, f->offset) = items;
		*(size_t *)slot(out, f->count_offset) = count;
	}
	if (all == 0 && first->min_occurs > 0)
		return not_here(d, first, start, up);
	return check_occurs(d, first, all, up);
}

static result decode_attribute(struct decoder *d, const struct bind_field *f, const struct soap_node *n, const struct path *up,
			       void *out)
{
	const char *text = soap_attribute(d->a, n, f->name);
	const char *why;

	if (!text)
		return f->flags & BIND_OPTIONAL ? OK : refuse(d, CODE_PARAM_MISSING, up, f->name, 0, "missing");
	why = bind_value_parse(d->a, f, text, slot(out, f->offset));
	return why ? refuse(d, CODE_PARAM_INVALID, up, f->name, 0, why) : OK;
}

/* What is left behind the last row: newer peers append, that is ignored (wire.md 10); a name of ours is out of order or there
 * twice. */
static result check_rest(struct decoder *d, const struct bind_group *g, const struct soap_node *c, const struct path *at)
{
	for (const struct soap_node *n = c; n; n = soap_next(n))
		for (const struct bind_field *f = g->fields; f->name; f++)
			if (matches(d, f, n))
				return refuse(d, CODE_PARAM_INVALID, at, arena_strdup(d->a, soap_name(c)), 0, "not expected here");
	return OK;
}

static result decode_group(struct decoder *d, const struct bind_group *g, const struct soap_node *n, const struct path *at,
			   void *out)
{
	const struct soap_node *c = soap_first(n);
	const struct bind_field *f = g->fields;

	while (f->name) {
		const struct bind_field *end = f + 1;

		if (f->flags & BIND_ATTR) {
			TRY(decode_attribute(d, f, n, at, out));
		} else if (f->flags & BIND_MANY) {
			while ((f->flags & BIND_CHOICE) && end->name && (end->flags & BIND_CHOICE))
				end++;
			TRY(decode_list(d, f, end, &c, at, out));
		} else if (matches(d, f, c)) {
			TRY(decode_one(d, f, c, at, out));
			c = soap_next(c);
		} else if (!(f->flags & (BIND_OPTIONAL | BIND_FORCED))) {
			return not_here(d, f, c, at);
		}
		f = end;
	}
	return check_rest(d, g, c, at);
}

result bind_decode(struct arena *a, const struct bind_message *m, const struct soap_node *node, const char *ns,
		   const struct bind_dialect *dialect, void *out)
{
	struct decoder d = { a, ns, dialect };
	const struct path root = { 0 };

	memset(out, 0, m->group->size);
	return decode_group(&d, m->group, node, &root, out);
}

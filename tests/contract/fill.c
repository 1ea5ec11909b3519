/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/fill.h"

#include <stdio.h>
#include <string.h>

#include "common/base/cleanup.h"

#define NS_RPS "http://namespaces.gsma.org/esim-messaging/3"

/* Canonical, as a decoder would keep it. */
static const char signature[] =
	"<rps:EumSignature xmlns:rps=\"" NS_RPS "\"><ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">"
	"<ds:CanonicalizationMethod Algorithm=\"urn:a\"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm=\"urn:b\">"
	"</ds:SignatureMethod><ds:Reference><ds:DigestMethod "
	"Algorithm=\"urn:c\"></ds:DigestMethod><ds:DigestValue>AAAA</ds:DigestValue>"
	"</ds:Reference></ds:SignedInfo><ds:SignatureValue xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">AAAA</ds:SignatureValue>"
	"</rps:EumSignature>";

struct filler {
	struct arena *a;
	enum fill how;
	unsigned seed;
};

static void fill_group(struct filler *f, const struct bind_group *g, char *base);

static const char *digits(struct filler *f, size_t n)
{
	char *text = arena_alloc(f->a, n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)('0' + (f->seed + i) % 10);
	return text;
}

static const char *pattern_text(struct filler *f, const struct bind_field *row)
{
	size_t n = row->max ? (size_t)row->max : 12;

	if (!strcmp(row->xsd_type, "ThreeDigitVersion"))
		return arena_printf(f->a, "%u.%u.0", f->seed % 10, f->seed);
	if (!strcmp(row->xsd_type, "ObjectIdentifierType"))
		return arena_printf(f->a, "8.%u.%u", f->seed % 5, f->seed);
	if (!strcmp(row->xsd_type, "IccidPrefixType"))
		return arena_printf(f->a, "89%s", digits(f, n - 2));
	return digits(f, n);
}

static const char *string_text(struct filler *f, const struct bind_field *row)
{
	static const char alphabet[] = "ab<c>&\"' \xC3\xA9z";
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_printf(&b, "s%u%s", f->seed, alphabet);
	return arena_strdup(f->a, row->max && row->max < 24 ? b.data + strlen(b.data) - (size_t)row->min : b.data);
}

static struct bytes hex_bytes(struct filler *f, const struct bind_field *row)
{
	size_t n = row->max ? (size_t)row->max : 5;
	uint8_t *data = arena_alloc(f->a, n);

	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(f->seed * 17 + i);
	return (struct bytes){ data, n };
}

static void fill_id(struct filler *f, const struct bind_field *row, void *item)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "8904903200050088123456%08u", f->seed);
	if (row->type == BIND_EID)
		(void)eid_complete(text, item);
	else if (row->type == BIND_AID)
		*(struct aid *)item = aid_isdp(0x10 + f->seed);
	else if (row->type == BIND_OID)
		(void)snprintf(((struct oid *)item)->text, OID_MAX, "1.3.6.1.4.1.99999.%u", f->seed);
	(void)snprintf(text, sizeof(text), "8933%014u", f->seed);
	if (row->type == BIND_ICCID)
		(void)iccid_complete(text, item);
}

static void fill_item(struct filler *f, const struct bind_field *row, void *item)
{
	unsigned names = 0;

	f->seed++;
	switch (row->type) {
	case BIND_STRING:
		*(const char **)item = string_text(f, row);
		break;
	case BIND_PATTERN:
		*(const char **)item = pattern_text(f, row);
		break;
	case BIND_EID:
	case BIND_ICCID:
	case BIND_AID:
	case BIND_OID:
		fill_id(f, row, item);
		break;
	case BIND_HEX:
		*(struct bytes *)item = hex_bytes(f, row);
		break;
	case BIND_INT:
		*(int64_t *)item = f->seed % 3 == 0 ? row->max : row->min + (f->seed % 3 == 1 ? 0 : 1);
		break;
	case BIND_BOOL:
		*(bool *)item = f->seed % 2;
		break;
	case BIND_TIME:
		*(int64_t *)item = INT64_C(1768469400000000) + f->seed * 1001000;
		break;
	case BIND_ENUM:
		while (row->names[names])
			names++;
		*(unsigned *)item = f->seed % names;
		break;
	case BIND_GROUP:
		fill_group(f, row->sub, item);
		break;
	case BIND_OCTETS:
		*(struct bytes *)item = (struct bytes){ (const uint8_t *)signature, sizeof(signature) - 1 };
		break;
	}
}

static bool by_pointer(const struct bind_field *row)
{
	bool absent_inside =
		row->type == BIND_STRING || row->type == BIND_PATTERN || row->type == BIND_HEX || row->type == BIND_OCTETS;

	return (row->flags & BIND_OPTIONAL) && !absent_inside;
}

static void fill_list(struct filler *f, const struct bind_field *row, char *base)
{
	size_t n = f->how == FILL_LEAST ? row->min_occurs : 3;
	char *items = arena_array(f->a, n, row->size);

	for (size_t i = 0; i < n; i++)
		fill_item(f, row, items + i * row->size);
	*(void **)(base + row->offset) = items;
	*(size_t *)(base + row->count_offset) = n;
}

static void fill_group(struct filler *f, const struct bind_group *g, char *base)
{
	for (const struct bind_field *row = g->fields; row->name; row++) {
		if (row->flags & BIND_MANY) {
			fill_list(f, row, base);
		} else if ((row->flags & BIND_OPTIONAL) && f->how == FILL_LEAST) {
			continue;
		} else if (by_pointer(row)) {
			void *item = arena_alloc(f->a, row->size);

			fill_item(f, row, item);
			*(void **)(base + row->offset) = item;
		} else {
			fill_item(f, row, base + row->offset);
		}
	}
}

void *fill_new(struct arena *a, const struct bind_group *g, enum fill how, unsigned seed)
{
	struct filler f = { a, how, seed };
	char *base = arena_alloc(a, g->size);

	fill_group(&f, g, base);
	return base;
}

static bool same_bytes(const struct bytes *x, const struct bytes *y)
{
	return x->len == y->len && (!x->data) == (!y->data) && (x->len == 0 || !memcmp(x->data, y->data, x->len));
}

static bool same_text(const char *x, const char *y)
{
	return x == y || (x && y && !strcmp(x, y));
}

static const char *item_difference(const struct bind_field *row, const void *x, const void *y)
{
	bool same = false;

	switch (row->type) {
	case BIND_STRING:
	case BIND_PATTERN:
		same = same_text(*(const char *const *)x, *(const char *const *)y);
		break;
	case BIND_EID:
	case BIND_ICCID:
	case BIND_OID:
		same = same_text(x, y);
		break;
	case BIND_AID:
		same = aid_equal(x, y);
		break;
	case BIND_HEX:
	case BIND_OCTETS:
		same = same_bytes(x, y);
		break;
	case BIND_INT:
	case BIND_TIME:
		same = *(const int64_t *)x == *(const int64_t *)y;
		break;
	case BIND_BOOL:
		same = *(const bool *)x == *(const bool *)y;
		break;
	case BIND_ENUM:
		same = *(const unsigned *)x == *(const unsigned *)y;
		break;
	case BIND_GROUP:
		return fill_difference(row->sub, x, y);
	}
	return same ? NULL : row->name;
}

const char *fill_difference(const struct bind_group *g, const void *one, const void *two)
{
	for (const struct bind_field *row = g->fields; row->name; row++) {
		const char *x = (const char *)one + row->offset, *y = (const char *)two + row->offset, *name;
		size_t n = 1;

		if (row->flags & BIND_MANY) {
			n = *(const size_t *)((const char *)one + row->count_offset);
			if (n != *(const size_t *)((const char *)two + row->count_offset))
				return row->name;
		}
		if ((row->flags & BIND_MANY) || by_pointer(row)) {
			x = *(const char *const *)x;
			y = *(const char *const *)y;
			if (n && (!x || !y)) {
				if (x != y)
					return row->name;
				continue;
			}
		}
		for (size_t i = 0; i < n; i++) {
			name = item_difference(row, x + i * row->size, y + i * row->size);
			if (name)
				return name;
		}
	}
	return NULL;
}

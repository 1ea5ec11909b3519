/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/profile_package.h"

#include <stdio.h>
#include <string.h>

#include "common/card/profile_internal.h"

enum { TAG_LOW_LAST = 0xBE, TAG_HIGH = 0xBF00, NUMBER_HIGH_FIRST = 31, TAG_PE_HEADER = 0xA0 };

static const char *const kind_names[] = {
#define PE(kind, name) [PE_##kind] = (name),
#include "common/card/profile_kinds.def"
#undef PE
	[PE_UNKNOWN] = "unknown",
};
static const char *const service_names[] = {
#define SERVICE(service, name) [SERVICE_##service] = (name),
#include "common/card/profile_kinds.def"
#undef SERVICE
};

const char *pe_kind_name(enum pe_kind kind)
{
	return kind_names[kind <= PE_UNKNOWN ? kind : PE_UNKNOWN];
}

const char *pe_service_name(unsigned service)
{
	return service < LEN(service_names) ? service_names[service] : NULL;
}

const char *profile_fault_text(struct arena *a, const struct profile_fault *f)
{
	char identification[32] = "";

	if (!f->element)
		return arena_printf(a, "the package: %s", f->what);
	if (f->identification != PE_NO_IDENTIFICATION)
		(void)snprintf(identification, sizeof(identification), " (identification %d)", (int)f->identification);
	return arena_printf(a, "element %zu, %s%s%s%s: %s", f->index + 1, f->element, identification, f->field ? ", " : "",
			    f->field ? f->field : "", f->what);
}

/* A context tag of a constructed value, else -1. */
static int number_of(uint32_t tag)
{
	if (tag >= TAG_PE_HEADER && tag <= TAG_LOW_LAST)
		return (int)(tag - TAG_PE_HEADER);
	return tag > TAG_HIGH && tag <= (TAG_HIGH | 0x7F) ? (int)(tag & 0x7F) : -1;
}

static bool has_pe_header(enum pe_kind kind)
{
	return kind != PE_HEADER && (kind < PE_RFU1 || kind > PE_RFU5);
}

/* Reads the PEHeader as far as it can be read; the description judges it. */
static void read_pe_header(struct profile_element *e)
{
	struct bytes in = e->value, found;
	uint64_t number;
	struct tlv t;

	if (!tlv_next(&in, &t) || t.tag != TAG_PE_HEADER)
		return;
	e->mandated = tlv_find(t.value, 0x80, &found) && found.len == 0;
	if (tlv_find(t.value, 0x81, &found) && der_number(found, &number) && number <= PE_IDENTIFICATION_MAX)
		e->identification = (int32_t)number;
}

bool profile_element_next(struct bytes *rest, struct profile_element *out, struct profile_fault *out_fault)
{
	struct bytes after = *rest;
	struct profile_element e = { .identification = PE_NO_IDENTIFICATION };
	struct profile_fault fault = { .index = out_fault->index };
	const struct pe_field *description;
	struct tlv t;
	const char *why = der_next(&after, &t);
	int number;

	if (why)
		return pe_refuse(out_fault, NULL, NULL, why, PE_STATUS_INVALID_REQUEST_FORMAT);
	number = number_of(t.tag);
	if (number < 0)
		return pe_refuse(out_fault, NULL, NULL, "a tag that no profile element has", PE_STATUS_INVALID_REQUEST_FORMAT);
	e.kind = number < PE_UNKNOWN ? (enum pe_kind)number : PE_UNKNOWN;
	e.name = pe_kind_name(e.kind);
	e.value = t.value;
	e.whole = (struct bytes){ rest->data, (size_t)(t.value.data - rest->data) + t.value.len };
	if (has_pe_header(e.kind))
		read_pe_header(&e);
	description = pe_describe(e.kind);
	if (description && !pe_walk(description, e.value, NULL, NULL, &fault))
		return pe_refuse(out_fault, &e, fault.field, fault.what, fault.status);
	*rest = after;
	*out = e;
	return true;
}

const struct profile_element *profile_element_find(const struct profile_package *p, enum pe_kind kind, size_t from)
{
	for (size_t i = from; i < p->n; i++)
		if (p->elements[i].kind == kind)
			return &p->elements[i];
	return NULL;
}

/* How many TLVs there are, as far as they can be told apart: bounds the list before it is made. */
static size_t count_elements(struct bytes in)
{
	struct tlv t;
	size_t n = 0;

	while (n <= PROFILE_ELEMENTS_MAX && tlv_next(&in, &t))
		n++;
	return n;
}

static bool package_frame(const struct profile_package *p, struct profile_fault *fault)
{
	fault->index = 0;
	if (p->n == 0)
		return pe_refuse(fault, NULL, NULL, "empty", PE_STATUS_INVALID_REQUEST_FORMAT);
	if (p->elements[0].kind != PE_HEADER)
		return pe_refuse(fault, &p->elements[0], NULL, "comes first: the header must", PE_STATUS_INVALID_REQUEST_FORMAT);
	for (size_t i = 1; i < p->n; i++) {
		fault->index = i;
		if (p->elements[i].kind == PE_HEADER)
			return pe_refuse(fault, &p->elements[i], NULL, "a second one", PE_STATUS_INVALID_REQUEST_FORMAT);
		if (p->elements[i].kind == PE_END && i + 1 < p->n)
			return pe_refuse(fault, &p->elements[i], NULL, "something is behind it", PE_STATUS_INVALID_REQUEST_FORMAT);
	}
	if (p->elements[p->n - 1].kind != PE_END)
		return pe_refuse(fault, NULL, NULL, "does not finish with the end element", PE_STATUS_INVALID_REQUEST_FORMAT);
	return true;
}

bool profile_package_parse(struct arena *a, struct bytes in, struct profile_package *out, struct profile_fault *out_fault)
{
	struct profile_package p = { .whole = in };
	struct profile_fault fault = { 0 };
	struct bytes rest = in;
	size_t n;

	*out_fault = fault;
	if (in.len > PROFILE_PACKAGE_MAX)
		return pe_refuse(out_fault, NULL, NULL, "too long", PE_STATUS_NOT_ENOUGH_MEMORY);
	n = count_elements(in);
	if (n > PROFILE_ELEMENTS_MAX)
		return pe_refuse(out_fault, NULL, NULL, "too many elements", PE_STATUS_NOT_ENOUGH_MEMORY);
	p.elements = arena_array(a, n + 1, sizeof(*p.elements));
	while (rest.len) {
		out_fault->index = p.n;
		if (!profile_element_next(&rest, &p.elements[p.n], out_fault))
			return false;
		p.n++;
	}
	if (!package_frame(&p, out_fault) || !profile_header_decode(a, &p.elements[0], &p.header, out_fault))
		return false;
	*out = p;
	return true;
}

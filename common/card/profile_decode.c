/* SPDX-License-Identifier: Apache-2.0 */
/* Single elements as structs. The walk over their description has judged them before, so the tables here only say where things go. */
#include <string.h>

#include "common/base/hex.h"
#include "common/card/profile_internal.h"

enum { ATTRIBUTES_DEFAULT = 7, PIN_TRIES_DEFAULT = 0x33, PUK_TRIES_DEFAULT = 0xAA, MAC_LENGTH_DEFAULT = 8 };

struct list_wire {
	void *items;
	size_t n;
};

#define OPTIONAL_BYTES(tag_, struct_, member_)                           \
	{                                                                \
		TLV_ROW(tag_, TLV_BYTES, TLV_OPTIONAL, struct_, member_) \
	}
#define NEEDED_BYTES(tag_, struct_, member_)                  \
	{                                                     \
		TLV_ROW(tag_, TLV_BYTES, 0, struct_, member_) \
	}
#define OPTIONAL_UINT(tag_, struct_, member_)                           \
	{                                                               \
		TLV_ROW(tag_, TLV_UINT, TLV_OPTIONAL, struct_, member_) \
	}
#define NEEDED_UINT(tag_, struct_, member_)                  \
	{                                                    \
		TLV_ROW(tag_, TLV_UINT, 0, struct_, member_) \
	}
#define LIST_ROW(tag_, type_, size_, sub_)                                                            \
	{                                                                                             \
		TLV_ROW(tag_, type_, TLV_MANY | TLV_OPTIONAL, struct list_wire, items),               \
			.count_offset = offsetof(struct list_wire, n), .size = (size_), .sub = (sub_) \
	}

#define GROUP(name, struct_) static const struct tlv_group name##_group = { sizeof(struct_), name##_rows }

static const struct tlv_field octets_rows[] = { LIST_ROW(0x04, TLV_BYTES, sizeof(struct bytes), NULL), { 0 } };
GROUP(octets, struct list_wire);
static const struct tlv_field oids_rows[] = { LIST_ROW(0x06, TLV_BYTES, sizeof(struct bytes), NULL), { 0 } };
GROUP(oids, struct list_wire);

static const struct tlv_field aid_rows[] = {
	NEEDED_BYTES(0x80, struct profile_required_aid, aid),
	NEEDED_BYTES(0x81, struct profile_required_aid, version),
	{ 0 },
};
GROUP(aid, struct profile_required_aid);
static const struct tlv_field aids_rows[] = { LIST_ROW(0x30, TLV_GROUP, sizeof(struct profile_required_aid), &aid_group), { 0 } };
GROUP(aids, struct list_wire);

struct header_wire {
	struct profile_header h;
	struct bytes services;
	struct list_wire templates;
	struct list_wire *aids;
};
static const struct tlv_field header_rows[] = {
	NEEDED_UINT(0x80, struct header_wire, h.major),
	NEEDED_UINT(0x81, struct header_wire, h.minor),
	OPTIONAL_BYTES(0x82, struct header_wire, h.profile_type),
	NEEDED_BYTES(0x83, struct header_wire, h.iccid),
	OPTIONAL_BYTES(0x84, struct header_wire, h.pol),
	NEEDED_BYTES(0xA5, struct header_wire, services),
	{ TLV_ROW_GROUP(0xA6, 0, struct header_wire, templates, &oids_group) },
	OPTIONAL_BYTES(0x87, struct header_wire, h.connectivity),
	{ TLV_ROW_GROUP(0xA8, TLV_OPTIONAL, struct header_wire, aids, &aids_group) },
	{ 0 },
};
GROUP(header, struct header_wire);

struct aka_wire {
	struct bytes configuration;
	struct profile_aka aka;
	struct list_wire *sqn_init;
};
static const struct tlv_field aka_rows[] = {
	NEEDED_BYTES(0xA1, struct aka_wire, configuration),
	OPTIONAL_BYTES(0x83, struct aka_wire, aka.sqn_delta),
	OPTIONAL_BYTES(0x84, struct aka_wire, aka.sqn_age_limit),
	{ TLV_ROW_GROUP(0xA5, TLV_OPTIONAL, struct aka_wire, sqn_init, &octets_group) },
	{ 0 },
};
GROUP(aka, struct aka_wire);
static const struct tlv_field algorithm_rows[] = {
	NEEDED_UINT(0x80, struct profile_aka, algorithm),
	NEEDED_BYTES(0x81, struct profile_aka, options),
	NEEDED_BYTES(0x82, struct profile_aka, key),
	NEEDED_BYTES(0x83, struct profile_aka, opc),
	OPTIONAL_BYTES(0x84, struct profile_aka, rotation),
	OPTIONAL_BYTES(0x85, struct profile_aka, xoring),
	{ 0 },
};
GROUP(algorithm, struct profile_aka);

/* What has a default is told apart from what is 0. */
struct code_wire {
	struct profile_code_entry entry;
	struct bytes attributes, tries;
};
static const struct tlv_field pin_rows[] = {
	NEEDED_UINT(0x80, struct code_wire, entry.reference), NEEDED_BYTES(0x81, struct code_wire, entry.value),
	OPTIONAL_UINT(0x82, struct code_wire, entry.puk),     OPTIONAL_BYTES(0x83, struct code_wire, attributes),
	OPTIONAL_BYTES(0x84, struct code_wire, tries),        { 0 },
};
GROUP(pin, struct code_wire);
static const struct tlv_field puk_rows[] = {
	NEEDED_UINT(0x80, struct code_wire, entry.reference),
	NEEDED_BYTES(0x81, struct code_wire, entry.value),
	OPTIONAL_BYTES(0x82, struct code_wire, tries),
	{ 0 },
};
GROUP(puk, struct code_wire);
static const struct tlv_field pins_rows[] = { LIST_ROW(0x30, TLV_GROUP, sizeof(struct code_wire), &pin_group), { 0 } };
GROUP(pins, struct list_wire);
static const struct tlv_field puks_rows[] = { LIST_ROW(0x30, TLV_GROUP, sizeof(struct code_wire), &puk_group), { 0 } };
GROUP(puks, struct list_wire);

static const struct tlv_field component_rows[] = {
	NEEDED_BYTES(0x80, struct profile_sd_component, type),
	NEEDED_BYTES(0x86, struct profile_sd_component, data),
	OPTIONAL_UINT(0x87, struct profile_sd_component, mac_length),
	{ 0 },
};
GROUP(component, struct profile_sd_component);
static const struct tlv_field components_rows[] = {
	LIST_ROW(0x30, TLV_GROUP, sizeof(struct profile_sd_component), &component_group), { 0 }
};
GROUP(components, struct list_wire);
struct key_wire {
	struct profile_sd_key key;
	struct list_wire components;
};
static const struct tlv_field key_rows[] = {
	NEEDED_BYTES(0x95, struct key_wire, key.usage),
	OPTIONAL_BYTES(0x96, struct key_wire, key.access),
	NEEDED_UINT(0x82, struct key_wire, key.id),
	NEEDED_UINT(0x83, struct key_wire, key.version),
	OPTIONAL_BYTES(0x85, struct key_wire, key.counter),
	{ TLV_ROW_GROUP(0x30, 0, struct key_wire, components, &components_group) },
	{ 0 },
};
GROUP(key, struct key_wire);
static const struct tlv_field keys_rows[] = { LIST_ROW(0x30, TLV_GROUP, sizeof(struct key_wire), &key_group), { 0 } };
GROUP(keys, struct list_wire);
static const struct tlv_field instance_rows[] = {
	{ TLV_ROW(0x4F, TLV_AID, TLV_MANY | TLV_OPTIONAL, struct list_wire, items), .count_offset = offsetof(struct list_wire, n),
	  .size = sizeof(struct aid) },
	{ 0 },
};
GROUP(instance, struct list_wire);

/* Decodes into out what stands in this value; a refusal would mean that the description and the table here differ, or that the walk was left out. */
static bool decode(struct arena *a, const struct tlv_group *g, const struct profile_element *e, struct bytes value, void *out,
		   struct profile_fault *out_fault)
{
	struct tlv_fault fault = { 0 };

	return tlv_decode_fault(a, g, value, out, &fault) || pe_refuse(out_fault, e, NULL, fault.what, PE_STATUS_BAD_VALUES);
}

static bool is_kind(const struct profile_element *e, enum pe_kind kind, struct profile_fault *out_fault)
{
	return e->kind == kind ||
	       pe_refuse(out_fault, e, NULL, "not the kind of element that is read here", PE_STATUS_INVALID_PARAMETER);
}

/* A service that has no bit of its own shares the last one, which nobody supports. */
enum { SERVICE_LAST = 63 };

static uint64_t service_bits(struct bytes list)
{
	uint64_t bits = 0;
	struct tlv t;

	while (tlv_next(&list, &t)) {
		uint32_t number = t.tag <= 0xFF ? t.tag & 0x1F : t.tag <= 0xFFFF ? t.tag & 0x7F : SERVICE_LAST;

		bits |= UINT64_C(1) << (number < SERVICE_LAST ? number : SERVICE_LAST);
	}
	return bits;
}

bool profile_header_decode(struct arena *a, const struct profile_element *e, struct profile_header *out,
			   struct profile_fault *out_fault)
{
	struct header_wire w;

	if (!is_kind(e, PE_HEADER, out_fault) || !decode(a, &header_group, e, e->value, &w, out_fault))
		return false;
	w.h.services = service_bits(w.services);
	w.h.templates = w.templates.items;
	w.h.n_templates = w.templates.n;
	if (w.aids) {
		w.h.aids = w.aids->items;
		w.h.n_aids = w.aids->n;
	}
	*out = w.h;
	return true;
}

bool profile_header_iccid(const struct profile_header *h, struct iccid *out)
{
	char text[2 * 10 + 1];

	if (h->iccid.len != 10)
		return false;
	hex_encode(h->iccid.data, h->iccid.len, text);
	return iccid_parse(text, out);
}

uint8_t profile_header_pol1(const struct profile_header *h)
{
	return h->pol.len ? h->pol.data[0] : 0;
}

bool profile_aka_decode(struct arena *a, const struct profile_element *e, struct profile_aka *out, struct profile_fault *out_fault)
{
	struct profile_aka algorithm = { 0 };
	struct aka_wire w;
	struct tlv t = { 0 };

	if (!is_kind(e, PE_AKA_PARAMETER, out_fault) || !decode(a, &aka_group, e, e->value, &w, out_fault))
		return false;
	(void)tlv_next(&w.configuration, &t);
	if (t.tag == 0xA1 && !decode(a, &algorithm_group, e, t.value, &algorithm, out_fault))
		return false;
	algorithm.mapped = t.tag != 0xA1;
	algorithm.sqn_delta = w.aka.sqn_delta;
	algorithm.sqn_age_limit = w.aka.sqn_age_limit;
	if (w.sqn_init) {
		algorithm.sqn_init = w.sqn_init->items;
		algorithm.n_sqn_init = w.sqn_init->n;
	}
	*out = algorithm;
	return true;
}

/* The list of codes in the element: pinCodes is a choice, pukCodes the list itself. */
static bool codes_of(const struct profile_element *e, struct bytes *out)
{
	struct bytes found = { 0 };
	bool ok = tlv_find(e->value, 0xA1, &found);

	*out = (struct bytes){ 0 };
	if (ok && e->kind == PE_PUK_CODES)
		*out = found;
	else if (ok)
		(void)tlv_find(found, 0xA0, out);
	return ok;
}

bool profile_codes_decode(struct arena *a, const struct profile_element *e, struct profile_code_entry **out, size_t *out_n,
			  struct profile_fault *out_fault)
{
	bool pins = e->kind == PE_PIN_CODES;
	struct profile_code_entry *entries;
	const struct code_wire *wires;
	struct list_wire list;
	struct bytes codes;

	if ((!pins && !is_kind(e, PE_PUK_CODES, out_fault)) || !codes_of(e, &codes) ||
	    !decode(a, pins ? &pins_group : &puks_group, e, codes, &list, out_fault))
		return false;
	wires = list.items;
	entries = arena_array(a, list.n, sizeof(*entries));
	for (size_t i = 0; i < list.n; i++) {
		entries[i] = wires[i].entry;
		if (!der_number(wires[i].attributes, &entries[i].attributes))
			entries[i].attributes = pins ? ATTRIBUTES_DEFAULT : 0;
		if (!der_number(wires[i].tries, &entries[i].tries))
			entries[i].tries = pins ? PIN_TRIES_DEFAULT : PUK_TRIES_DEFAULT;
	}
	*out = entries;
	*out_n = list.n;
	return true;
}

static void take_keys(struct arena *a, struct profile_sd *sd, const struct list_wire *list)
{
	const struct key_wire *wires = list->items;

	sd->keys = arena_array(a, list->n, sizeof(*sd->keys));
	sd->n_keys = list->n;
	for (size_t i = 0; i < list->n; i++) {
		sd->keys[i] = wires[i].key;
		sd->keys[i].components = wires[i].components.items;
		sd->keys[i].n_components = wires[i].components.n;
		for (size_t k = 0; k < sd->keys[i].n_components; k++)
			if (!sd->keys[i].components[k].mac_length)
				sd->keys[i].components[k].mac_length = MAC_LENGTH_DEFAULT;
	}
}

bool profile_sd_decode(struct arena *a, const struct profile_element *e, struct profile_sd *out, struct profile_fault *out_fault)
{
	struct bytes instance = { 0 }, keys = { 0 };
	struct list_wire aids, list;
	struct profile_sd sd = { 0 };
	const struct aid *found;

	if (!is_kind(e, PE_SECURITY_DOMAIN, out_fault))
		return false;
	(void)tlv_find(e->value, 0xA1, &instance);
	(void)tlv_find(e->value, 0xA2, &keys);
	if (!decode(a, &instance_group, e, instance, &aids, out_fault) || !decode(a, &keys_group, e, keys, &list, out_fault))
		return false;
	if (aids.n < 3)
		return pe_refuse(out_fault, e, "instance", "without its AIDs", PE_STATUS_BAD_VALUES);
	found = aids.items;
	sd.load_package = found[0];
	sd.class_aid = found[1];
	sd.instance = found[2];
	(void)tlv_find(instance, 0x82, &sd.privileges);
	(void)tlv_find(instance, 0x83, &sd.life_cycle);
	(void)tlv_find(instance, 0xC9, &sd.parameters);
	take_keys(a, &sd, &list);
	*out = sd;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between the elements of a package. */
#include <string.h>

#include "common/card/profile_file.h"
#include "common/card/profile_internal.h"

/* Versions of the format whose packages we take. */
enum { MAJOR_FIRST = 2, MAJOR_LAST = 3, PUKS_MAX = 256, CODES_ALL = 256, KEYS_ALL = 65536 };

struct check {
	struct arena *a;
	const struct profile_package *p;
	struct profile_fault *fault;
	bool puks[PUKS_MAX]; /* references that a pukCodes before has defined */
};

static bool bad(struct check *c, size_t index, const char *field, const char *what, unsigned status)
{
	c->fault->index = index;
	return pe_refuse(c->fault, &c->p->elements[index], field, what, status);
}

static bool version_ok(struct check *c)
{
	uint64_t major = c->p->header.major;

	return (major >= MAJOR_FIRST && major <= MAJOR_LAST) ||
	       bad(c, 0, "major-version", "not a version that is supported", PE_STATUS_UNSUPPORTED_PROFILE_VERSION);
}

static bool identifications_ok(struct check *c)
{
	const struct profile_package *p = c->p;
	uint8_t *seen = arena_alloc(c->a, PE_IDENTIFICATION_MAX + 1);

	for (size_t i = 0; i < p->n; i++) {
		int32_t id = p->elements[i].identification;

		if (id == PE_NO_IDENTIFICATION)
			continue;
		if (seen[id])
			return bad(c, i, "identification", "another element has it too", PE_STATUS_INVALID_REQUEST_FORMAT);
		seen[id] = 1;
	}
	return true;
}

/* What may be there once only, and what must stand somewhere before. The optional files of an application go into the one created last. */
static const struct {
	enum pe_kind kind;
	bool once;
	enum pe_kind before; /* PE_HEADER: nothing of its own */
	const char *what;
} places[] = {
	{ PE_MF, true, PE_HEADER, NULL },
	{ PE_PUK_CODES, true, PE_HEADER, NULL },
	{ PE_GENERIC_FILE_MANAGEMENT, false, PE_MF, "mf must be before it" },
	{ PE_CD, true, PE_MF, "mf must be before it" },
	{ PE_TELECOM, true, PE_MF, "mf must be before it" },
	{ PE_USIM, false, PE_MF, "mf must be before it" },
	{ PE_OPT_USIM, false, PE_USIM, "usim must be before it" },
	{ PE_ISIM, false, PE_MF, "mf must be before it" },
	{ PE_OPT_ISIM, false, PE_ISIM, "isim must be before it" },
	{ PE_CSIM, false, PE_MF, "mf must be before it" },
	{ PE_OPT_CSIM, false, PE_CSIM, "csim must be before it" },
	{ PE_PHONEBOOK, false, PE_USIM, "usim must be before it" },
	{ PE_GSM_ACCESS, false, PE_USIM, "usim must be before it" },
	{ PE_DF_5GS, false, PE_USIM, "usim must be before it" },
	{ PE_DF_SAIP, false, PE_USIM, "usim must be before it" },
	{ PE_DF_SNPN, false, PE_USIM, "usim must be before it" },
	{ PE_DF_5GPROSE, false, PE_USIM, "usim must be before it" },
	{ PE_EAP, false, PE_MF, "mf must be before it" },
	{ PE_OPT_IOT, false, PE_IOT, "iot must be before it" },
};

static bool places_ok(struct check *c)
{
	bool seen[PE_UNKNOWN + 1] = { false };

	for (size_t i = 0; i < c->p->n; i++) {
		enum pe_kind kind = c->p->elements[i].kind;

		for (size_t k = 0; k < LEN(places); k++) {
			if (places[k].kind != kind)
				continue;
			if (places[k].once && seen[kind])
				return bad(c, i, NULL, "a second one", PE_STATUS_INVALID_REQUEST_FORMAT);
			if (!seen[places[k].before] && places[k].before != PE_HEADER)
				return bad(c, i, NULL, places[k].what, PE_STATUS_INVALID_REQUEST_FORMAT);
		}
		seen[kind] = true;
		seen[PE_MF] = seen[PE_MF] || kind == PE_IOT; /* it has one in it */
	}
	if (seen[PE_MF])
		return true;
	c->fault->index = 0;
	return pe_refuse(c->fault, NULL, NULL, "has no mf", PE_STATUS_INVALID_REQUEST_FORMAT);
}

/* Elements that are of no use without a service, so that the header must call it mandatory; and the other way round. */
static const struct {
	enum pe_kind kind;
	enum pe_service service, or_service;
	const char *not_listed, *not_there; /* not_there NULL: the service is of use without an element */
} needs[] = {
	{ PE_USIM, SERVICE_USIM, SERVICE_USIM, "the header does not list usim as mandatory", "lists usim, but there is none" },
	{ PE_ISIM, SERVICE_ISIM, SERVICE_ISIM, "the header does not list isim as mandatory", "lists isim, but there is none" },
	{ PE_CSIM, SERVICE_CSIM, SERVICE_CSIM, "the header does not list csim as mandatory", "lists csim, but there is none" },
	{ PE_EAP, SERVICE_EAP, SERVICE_EAP, "the header does not list eap as mandatory", NULL },
	{ PE_APPLICATION, SERVICE_JAVACARD, SERVICE_MULTOS, "the header lists neither javacard nor multos as mandatory", NULL },
};
/* Services that another one is needed for. */
static const struct {
	enum pe_service service, needs, or_needs;
	const char *what;
} relies[] = {
	{ SERVICE_GBA_USIM, SERVICE_USIM, SERVICE_USIM, "lists gba-usim without usim" },
	{ SERVICE_GBA_ISIM, SERVICE_ISIM, SERVICE_ISIM, "lists gba-isim without isim" },
	{ SERVICE_MULTIPLE_USIM, SERVICE_USIM, SERVICE_USIM, "lists multiple-usim without usim" },
	{ SERVICE_MULTIPLE_ISIM, SERVICE_ISIM, SERVICE_ISIM, "lists multiple-isim without isim" },
	{ SERVICE_MULTIPLE_CSIM, SERVICE_CSIM, SERVICE_CSIM, "lists multiple-csim without csim" },
	{ SERVICE_GET_IDENTITY, SERVICE_USIM, SERVICE_ISIM, "lists get-identity without usim or isim" },
	{ SERVICE_PROFILE_A_X25519, SERVICE_USIM, SERVICE_ISIM, "lists profile-a-x25519 without usim or isim" },
	{ SERVICE_PROFILE_B_P256, SERVICE_USIM, SERVICE_ISIM, "lists profile-b-p256 without usim or isim" },
};
static const struct {
	enum pe_kind kind;
	enum pe_service service;
	const char *what;
} several[] = {
	{ PE_USIM, SERVICE_MULTIPLE_USIM, "the header does not list multiple-usim as mandatory" },
	{ PE_ISIM, SERVICE_MULTIPLE_ISIM, "the header does not list multiple-isim as mandatory" },
	{ PE_CSIM, SERVICE_MULTIPLE_CSIM, "the header does not list multiple-csim as mandatory" },
};

static const char SERVICES[] = "eUICC-Mandatory-services";

static bool listed(const struct check *c, enum pe_service s)
{
	return c->p->header.services >> s & 1;
}

static size_t index_of(const struct profile_package *p, const struct profile_element *e)
{
	return (size_t)(e - p->elements);
}

static bool services_ok(struct check *c)
{
	for (size_t i = 0; i < LEN(needs); i++) {
		const struct profile_element *e = profile_element_find(c->p, needs[i].kind, 0);
		bool has = listed(c, needs[i].service) || listed(c, needs[i].or_service);

		if (e && !has)
			return bad(c, index_of(c->p, e), NULL, needs[i].not_listed, PE_STATUS_FEATURE_NOT_SUPPORTED);
		if (!e && has && needs[i].not_there && !(needs[i].kind == PE_USIM && profile_element_find(c->p, PE_IOT, 0)))
			return bad(c, 0, SERVICES, needs[i].not_there, PE_STATUS_INVALID_PARAMETER);
	}
	for (size_t i = 0; i < LEN(several); i++) {
		const struct profile_element *e = profile_element_find(c->p, several[i].kind, 0);

		e = e ? profile_element_find(c->p, several[i].kind, index_of(c->p, e) + 1) : NULL;
		if (e && !listed(c, several[i].service))
			return bad(c, index_of(c->p, e), NULL, several[i].what, PE_STATUS_FEATURE_NOT_SUPPORTED);
	}
	for (size_t i = 0; i < LEN(relies); i++)
		if (listed(c, relies[i].service) && !listed(c, relies[i].needs) && !listed(c, relies[i].or_needs))
			return bad(c, 0, SERVICES, relies[i].what, PE_STATUS_INVALID_PARAMETER);
	return true;
}

static bool aka_ok(struct check *c, size_t i)
{
	struct profile_aka aka;

	if (!profile_aka_decode(c->a, &c->p->elements[i], &aka, c->fault))
		return false;
	if (aka.mapped)
		return true;
	switch (aka.algorithm) {
	case ALGORITHM_MILENAGE:
		if (aka.key.len != 16 || aka.opc.len != 16)
			return bad(c, i, "key", "Milenage has a key and an OPc of 16 bytes", PE_STATUS_BAD_VALUES);
		return listed(c, SERVICE_MILENAGE) ||
		       bad(c, i, NULL, "the header does not list milenage as mandatory", PE_STATUS_FEATURE_NOT_SUPPORTED);
	case ALGORITHM_TUAK:
		if ((aka.key.len != 16 && aka.key.len != 32) || aka.opc.len != 32)
			return bad(c, i, "key", "TUAK has a key of 16 or 32 bytes and a TOPc of 32", PE_STATUS_BAD_VALUES);
		return listed(c, aka.key.len == 16 ? SERVICE_TUAK128 : SERVICE_TUAK256) ||
		       bad(c, i, NULL, "the header does not list tuak for this key as mandatory", PE_STATUS_FEATURE_NOT_SUPPORTED);
	case ALGORITHM_USIM_TEST:
		return listed(c, SERVICE_USIM_TEST_ALGORITHM) ||
		       bad(c, i, NULL, "the header does not list usim-test-algorithm as mandatory",
			   PE_STATUS_FEATURE_NOT_SUPPORTED);
	default:
		return bad(c, i, "algorithmID", "not an algorithm that is supported", PE_STATUS_BAD_VALUES);
	}
}

/* References are unique in an element; a PIN's PUK was defined before. */
static bool codes_ok(struct check *c, size_t i)
{
	const struct profile_element *e = &c->p->elements[i];
	bool seen[CODES_ALL] = { false };
	struct profile_code_entry *codes;
	size_t n;

	if (!profile_codes_decode(c->a, e, &codes, &n, c->fault))
		return false;
	for (size_t k = 0; k < n; k++) {
		uint8_t reference = (uint8_t)codes[k].reference;

		if (seen[reference])
			return bad(c, i, "keyReference", "twice in this element", PE_STATUS_BAD_VALUES);
		seen[reference] = true;
		if (e->kind == PE_PUK_CODES)
			c->puks[reference] = true;
		else if (codes[k].puk && !c->puks[(uint8_t)codes[k].puk])
			return bad(c, i, "unblockingPINReference", "no pukCodes before it has this PUK",
				   PE_STATUS_PIN_CODE_MISSING);
	}
	return true;
}

static bool template_ok(struct check *c, size_t i)
{
	const struct profile_header *h = &c->p->header;
	struct bytes id = { 0 };

	if (!tlv_find(c->p->elements[i].value, 0x81, &id))
		return bad(c, i, "templateID", "missing", PE_STATUS_BAD_VALUES);
	for (size_t k = 0; k < h->n_templates; k++)
		if (h->templates[k].len == id.len && !memcmp(h->templates[k].data, id.data, id.len))
			return true;
	return bad(c, i, "templateID", "the header does not list it as mandatory", PE_STATUS_TEMPLATE_NOT_SUPPORTED);
}

static bool iccid_ok(struct check *c, size_t i)
{
	const struct profile_header *h = &c->p->header;
	uint8_t ef[10];
	struct profile_file f;

	if (!profile_file_find(c->a, &c->p->elements[i], "ef-iccid", &f, c->fault) || f.n_fills == 0)
		return true;
	for (size_t k = 0; k < sizeof(ef); k++)
		ef[k] = (uint8_t)(h->iccid.data[k] << 4 | h->iccid.data[k] >> 4);
	if (f.n_fills == 1 && f.fills[0].at == 0 && f.fills[0].data.len == sizeof(ef) &&
	    !memcmp(f.fills[0].data.data, ef, sizeof(ef)))
		return true;
	return bad(c, i, "ef-iccid", "not the ICCID of the header", PE_STATUS_BAD_VALUES);
}

static bool files_ok(struct check *c, size_t i)
{
	const struct profile_element *e = &c->p->elements[i];
	struct profile_file *files;
	size_t n;

	c->fault->index = i;
	if (!profile_files_decode(c->a, e, &files, &n, c->fault))
		return false;
	for (size_t k = 0; k < n; k++) {
		if (files[k].do_not_create && (files[k].has_fcp || files[k].n_fills))
			return bad(c, i, files[k].name, "not to be created, and described", PE_STATUS_BAD_VALUES);
		if (profile_file_size(&files[k]) > PROFILE_FILE_SIZE_MAX)
			return bad(c, i, files[k].name, "larger than a file can be", PE_STATUS_NOT_ENOUGH_MEMORY);
		if (files[k].fcp.size.len && files[k].end > profile_file_size(&files[k]))
			return bad(c, i, files[k].name, "filled beyond its size", PE_STATUS_BAD_VALUES);
	}
	if (e->kind == PE_GENERIC_FILE_MANAGEMENT)
		return true;
	return template_ok(c, i) && ((e->kind != PE_MF && e->kind != PE_IOT) || iccid_ok(c, i));
}

static bool keys_ok(struct check *c, size_t i)
{
	uint8_t seen[KEYS_ALL / 8] = { 0 };
	struct profile_sd sd;

	if (!profile_sd_decode(c->a, &c->p->elements[i], &sd, c->fault))
		return false;
	for (size_t k = 0; k < sd.n_keys; k++) {
		uint16_t key = (uint16_t)(sd.keys[k].version << 8 | sd.keys[k].id);

		if (seen[key / 8] >> key % 8 & 1)
			return bad(c, i, "keyList", "a key is in it twice", PE_STATUS_BAD_VALUES);
		seen[key / 8] |= (uint8_t)(1u << key % 8);
	}
	return true;
}

static bool element_ok(struct check *c, size_t i)
{
	const struct profile_element *e = &c->p->elements[i];
	const struct pe_field *description = pe_describe(e->kind);

	c->fault->index = i;
	if (e->kind == PE_AKA_PARAMETER)
		return aka_ok(c, i);
	if (e->kind == PE_PIN_CODES || e->kind == PE_PUK_CODES)
		return codes_ok(c, i);
	if (e->kind == PE_SECURITY_DOMAIN)
		return keys_ok(c, i);
	if (description && (description->type == ASN_FILES || e->kind == PE_GENERIC_FILE_MANAGEMENT))
		return files_ok(c, i);
	return true;
}

bool profile_package_check(const struct profile_package *p, struct profile_fault *out_fault)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct check c = { .a = a, .p = p, .fault = out_fault };

	*out_fault = (struct profile_fault){ 0 };
	if (!version_ok(&c) || !identifications_ok(&c) || !places_ok(&c) || !services_ok(&c))
		return false;
	for (size_t i = 1; i < p->n; i++)
		if (!element_ok(&c, i))
			return false;
	if (!pe_file_ids_ok(a, p, out_fault))
		return false;
	*out_fault = (struct profile_fault){ 0 };
	return true;
}

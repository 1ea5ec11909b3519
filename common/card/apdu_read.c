/* SPDX-License-Identifier: Apache-2.0 */
/* The card's side of the ISD-R's commands. */
#include <string.h>

#include "common/card/apdu.h"
#include "common/card/apdu_internal.h"
#include "common/card/tlv_internal.h"

/* The value of every command that names an ISD-P; an empty 4F, which only GET STATUS may have, is no AID. */
struct named {
	struct bytes aid, list;
};

static const struct tlv_field aid_fields[] = {
	{ TLV_ROW(TAG_AID, TLV_BYTES, 0, struct named, aid), .min = AID_MIN, .max = AID_MAX },
	{ 0 },
};
static const struct tlv_group aid_group = { sizeof(struct named), aid_fields, .strict = true };
static const struct tlv_field status_fields[] = {
	{ TLV_ROW(TAG_AID, TLV_BYTES, 0, struct named, aid), .max = AID_MAX },
	{ TLV_ROW(TAG_LIST, TLV_BYTES, TLV_OPTIONAL, struct named, list) },
	{ 0 },
};
static const struct tlv_group status_group = { sizeof(struct named), status_fields, .strict = true };

struct confirmation {
	uint64_t seq;
};
static const struct tlv_field confirmation_fields[] = {
	{ TLV_ROW(TAG_SEQUENCE, TLV_UINT, 0, struct confirmation, seq), .min = 2, .max = 2 },
	{ 0 },
};
static const struct tlv_group confirmation_group = { sizeof(struct confirmation), confirmation_fields, .strict = true };

/* Install parameters: C9 holds what the new security domain shall speak, EF what it may use. */
struct quota {
	struct bytes memory;
};
struct parameters {
	struct bytes domain;
	struct quota *quota;
};
static const struct tlv_field quota_fields[] = {
	{ TLV_ROW(0x83, TLV_BYTES, TLV_OPTIONAL, struct quota, memory), .min = 1, .max = 7 },
	{ 0 },
};
static const struct tlv_group quota_group = { sizeof(struct quota), quota_fields };
static const struct tlv_field parameters_fields[] = {
	{ TLV_ROW(0xC9, TLV_BYTES, 0, struct parameters, domain) },
	{ TLV_ROW_GROUP(0xEF, TLV_OPTIONAL, struct parameters, quota, &quota_group) },
	{ 0 },
};
static const struct tlv_group parameters_group = { sizeof(struct parameters), parameters_fields, .any_order = true };

static bool decode(const struct tlv_group *g, struct bytes in, void *out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct tlv_fault fault;

	return tlv_decode_fault(a, g, in, out, &fault);
}

bool aid_of(struct bytes v, struct aid *out)
{
	struct aid aid = { .len = (uint8_t)v.len };

	if (v.len && (v.len < AID_MIN || v.len > AID_MAX))
		return false;
	if (v.len)
		memcpy(aid.data, v.data, v.len);
	*out = aid;
	return true;
}

static bool read_aid(const struct tlv_group *g, struct bytes in, struct aid *out)
{
	struct named named;

	return decode(g, in, &named) && aid_of(named.aid, out);
}

bool dgi_take(struct bytes *rest, uint16_t *out_dgi, struct bytes *out)
{
	const uint8_t *p = rest->data;
	size_t head, n;

	if (rest->len < 3)
		return false;
	head = p[2] == 0xFF ? 5 : 3;
	if (rest->len < head)
		return false;
	n = head == 5 ? (size_t)p[3] << 8 | p[4] : p[2];
	if (rest->len - head < n)
		return false;
	*out_dgi = (uint16_t)(p[0] << 8 | p[1]);
	*out = (struct bytes){ p + head, n };
	*rest = (struct bytes){ p + head + n, rest->len - head - n };
	return true;
}

static uint16_t read_store_data(const struct apdu *c, struct isdr_command *out)
{
	static const struct {
		uint16_t dgi;
		enum isdr_function function;
	} grouping[] = { { DGI_ENABLE, ISDR_ENABLE }, { DGI_DISABLE, ISDR_DISABLE }, { DGI_SET_FALLBACK, ISDR_SET_FALLBACK } };
	struct confirmation confirmation;
	struct bytes rest = c->data, value;
	uint16_t dgi;

	if ((c->p1 != P1_LAST && c->p1 != P1_LAST_ANSWERED) || c->p2 != 0)
		return SW_WRONG_P1P2;
	if (!dgi_take(&rest, &dgi, &value) || rest.len)
		return SW_BAD_DATA;
	if (dgi == DGI_CONFIRM) {
		if (!decode(&confirmation_group, value, &confirmation))
			return SW_BAD_DATA;
		out->function = ISDR_CONFIRM;
		out->seq = (uint16_t)confirmation.seq;
		return SW_OK;
	}
	for (size_t i = 0; i < LEN(grouping); i++) {
		if (grouping[i].dgi == dgi) {
			out->function = grouping[i].function;
			return read_aid(&aid_group, value, &out->isdp) ? SW_OK : SW_BAD_DATA;
		}
	}
	return SW_BAD_DATA;
}

static uint16_t read_delete(const struct apdu *c, struct isdr_command *out)
{
	if (c->p1 != 0 || c->p2 != P2_DELETE_RELATED)
		return SW_WRONG_P1P2;
	out->function = ISDR_DELETE;
	return read_aid(&aid_group, c->data, &out->isdp) ? SW_OK : SW_BAD_DATA;
}

static uint16_t read_get_status(const struct apdu *c, struct isdr_command *out)
{
	if (c->p1 != P1_APPLICATIONS || (c->p2 != P2_TLV_FIRST && c->p2 != P2_TLV_NEXT))
		return SW_WRONG_P1P2;
	out->function = ISDR_GET_STATUS;
	out->next = c->p2 == P2_TLV_NEXT;
	return read_aid(&status_group, c->data, &out->isdp) ? SW_OK : SW_BAD_DATA;
}

static uint16_t read_get_data(const struct apdu *c, struct isdr_command *out)
{
	if ((c->p1 << 8 | c->p2) != TAG_RESOURCES)
		return SW_NOT_FOUND;
	out->function = ISDR_GET_RESOURCES;
	return c->data.len == 0 ? SW_OK : SW_BAD_DATA;
}

/* Takes a value with one byte of length off rest. */
static bool take(struct bytes *rest, struct bytes *out)
{
	size_t n;

	if (rest->len == 0 || rest->data[0] > rest->len - 1)
		return false;
	n = rest->data[0];
	*out = (struct bytes){ rest->data + 1, n };
	*rest = (struct bytes){ rest->data + 1 + n, rest->len - 1 - n };
	return true;
}

static bool is_aid(struct bytes v, const struct aid *aid)
{
	return v.len == aid->len && !memcmp(v.data, aid->data, v.len);
}

static bool read_quota(struct bytes in, int64_t *out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct parameters p;
	struct tlv_fault fault;
	int64_t quota = -1;

	if (!tlv_decode_fault(a, &parameters_group, in, &p, &fault))
		return false;
	if (p.quota && p.quota->memory.data && !tlv_number(p.quota->memory, &quota))
		return false;
	*out = quota;
	return true;
}

bool install_parts(struct bytes data, struct bytes out[INSTALL_PARTS])
{
	for (size_t i = 0; i < INSTALL_PARTS; i++)
		if (!take(&data, &out[i]))
			return false;
	return data.len == 0;
}

static uint16_t read_install(const struct apdu *c, struct isdr_command *out)
{
	struct bytes part[INSTALL_PARTS];

	if (c->p1 != P1_FOR_INSTALL || c->p2 != 0)
		return SW_WRONG_P1P2;
	if (!install_parts(c->data, part) || part[INSTALL_TOKEN].len || part[INSTALL_PRIVILEGES].len != sizeof(isdp_privileges) ||
	    memcmp(part[INSTALL_PRIVILEGES].data, isdp_privileges, sizeof(isdp_privileges)))
		return SW_BAD_DATA;
	if (!is_aid(part[INSTALL_LOAD_FILE], &AID_ISDP_LOADFILE) || !is_aid(part[INSTALL_MODULE], &AID_ISDP_MODULE))
		return SW_NOT_FOUND;
	if (!aid_of(part[INSTALL_INSTANCE], &out->isdp) || !aid_is_isdp(&out->isdp) ||
	    !read_quota(part[INSTALL_PARAMETERS], &out->quota))
		return SW_BAD_DATA;
	out->function = ISDR_CREATE;
	return SW_OK;
}

uint16_t isdr_command_parse(const struct apdu *c, struct isdr_command *out)
{
	static const struct {
		uint8_t ins;
		uint16_t (*read)(const struct apdu *c, struct isdr_command *out);
	} instructions[] = {
		{ INS_STORE_DATA, read_store_data }, { INS_DELETE, read_delete },   { INS_GET_STATUS, read_get_status },
		{ INS_GET_DATA, read_get_data },     { INS_INSTALL, read_install },
	};
	struct isdr_command made = { .quota = -1 };

	if (c->cla != 0x80)
		return SW_BAD_CLA;
	for (size_t i = 0; i < LEN(instructions); i++) {
		if (instructions[i].ins == c->ins) {
			uint16_t sw = instructions[i].read(c, &made);

			if (sw == SW_OK)
				*out = made;
			return sw;
		}
	}
	return SW_BAD_INS;
}

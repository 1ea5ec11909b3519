/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-sr/send_filter.h"

#include "common/card/key_agreement.h"
#include "common/card/scp03t.h"
#include "common/card/tlv.h"

enum { TAG_C_APDU = 0x22, TAG_R_APDU = 0x23, INITIALIZE_LEN = 10, AUTHENTICATE_LEN = 17, MAC_LEN = 8, BLOCK = 16 };
enum { CLA_GP = 0x80, CLA_SECURED = 0x84, INS_INITIALIZE = 0x50, INS_AUTHENTICATE = 0x82, INS_STORE = 0xE2, INS_PUT_KEY = 0xD8 };

static enum send_kind refuse(const char **out_why, const char *why)
{
	*out_why = why;
	return SEND_REFUSED;
}

/* Lengths are those that SCP03t has (card.md 4); what is inside only the ISD-P can tell. */
static bool is_segment(const struct tlv *t)
{
	switch (t->tag) {
	case SCP03T_INITIALIZE:
		return t->value.len == INITIALIZE_LEN;
	case SCP03T_AUTHENTICATE:
		return t->value.len == AUTHENTICATE_LEN;
	case SCP03T_SEGMENT:
		return t->value.len >= BLOCK + MAC_LEN && (t->value.len - MAC_LEN) % BLOCK == 0;
	default:
		return false;
	}
}

/* What may reach an ISD-P as an APDU: the opening of a session, and what the session secures and an ISD-P is for. */
static bool is_secured(const struct tlv *t)
{
	static const struct {
		uint8_t cla, ins;
	} allowed[] = { { CLA_GP, INS_INITIALIZE },
			{ CLA_SECURED, INS_AUTHENTICATE },
			{ CLA_SECURED, INS_STORE },
			{ CLA_SECURED, INS_PUT_KEY } };
	struct apdu c;

	if (t->tag != TAG_C_APDU || !apdu_parse(t->value, &c))
		return false;
	for (size_t i = 0; i < LEN(allowed); i++)
		if (c.cla == allowed[i].cla && c.ins == allowed[i].ins)
			return c.ins == INS_INITIALIZE || c.data.len >= MAC_LEN;
	return false;
}

/* All of one kind: a session of TLVs and one of APDUs do not mix. */
static enum send_kind to_isdp(const struct aid *isdp, struct bytes data, struct aid *out_isdp, const char **out_why)
{
	enum send_kind kind = SEND_REFUSED, is;
	struct tlv t;

	while (data.len) {
		if (!tlv_next(&data, &t))
			return refuse(out_why, "the data is no list of TLVs");
		is = is_segment(&t) ? SEND_SEGMENTS : is_secured(&t) ? SEND_SCP03 : SEND_REFUSED;
		if (is == SEND_REFUSED)
			return refuse(out_why, "a command that is neither SCP03t nor secured by SCP03");
		if (kind != SEND_REFUSED && kind != is)
			return refuse(out_why, "SCP03 and SCP03t in one call");
		kind = is;
	}
	if (kind == SEND_REFUSED)
		return refuse(out_why, "no command");
	*out_isdp = *isdp;
	return kind;
}

static bool next_apdu(struct bytes *rest, struct apdu *out)
{
	struct tlv t;

	return tlv_next(rest, &t) && t.tag == TAG_C_APDU && apdu_parse(t.value, out);
}

static enum send_kind certificate(struct bytes rest, const struct aid *isdp, struct aid *out_isdp, const char **out_why)
{
	struct bytes cert;
	struct apdu c;

	if (!next_apdu(&rest, &c) || ka_certificate_parse(&c, &cert) != SW_OK)
		return refuse(out_why, "INSTALL is not followed by STORE DATA 3A01");
	if (rest.len)
		return refuse(out_why, "a command behind STORE DATA 3A01");
	if (!aid_is_isdp(isdp))
		return refuse(out_why, "INSTALL names no ISD-P");
	*out_isdp = *isdp;
	return SEND_CERTIFICATE;
}

static enum send_kind to_isdr(struct bytes data, struct aid *out_isdp, const char **out_why)
{
	struct bytes rest = data;
	struct ka_received request;
	struct aid isdp;
	struct apdu c;

	if (!next_apdu(&rest, &c))
		return refuse(out_why, "the data is no list of C-APDUs");
	if (ka_install_parse(&c, &isdp) == SW_OK)
		return certificate(rest, &isdp, out_isdp, out_why);
	if (ka_request_parse(&c, &request) != SW_OK || rest.len)
		return refuse(out_why, "a command that is not part of a key establishment");
	out_isdp->len = 0;
	return SEND_AGREEMENT;
}

enum send_kind send_filter(const struct aid *sd, struct bytes data, struct aid *out_isdp, const char **out_why)
{
	if (aid_equal(sd, &AID_ISDR))
		return to_isdr(data, out_isdp, out_why);
	if (!aid_is_isdp(sd))
		return refuse(out_why, "neither the ISD-R nor an ISD-P");
	return to_isdp(sd, data, out_isdp, out_why);
}

bool send_part(struct bytes *rest, size_t max, struct bytes *out)
{
	struct bytes left = *rest, before = left;
	struct tlv t;

	if (!tlv_next(&left, &t))
		return false;
	do {
		before = left;
	} while (tlv_next(&left, &t) && rest->len - left.len <= max);
	*out = (struct bytes){ rest->data, rest->len - before.len };
	*rest = before;
	return true;
}

bool send_stopped(struct bytes content)
{
	struct tlv t;

	while (tlv_next(&content, &t)) {
		if (t.tag == TAG_R_APDU) {
			if (t.value.len < 2 || t.value.data[t.value.len - 2] != 0x90 || t.value.data[t.value.len - 1] != 0)
				return true;
		} else if (t.tag != SCP03T_INITIALIZE && t.tag != SCP03T_AUTHENTICATE && t.tag != SCP03T_SEGMENT) {
			return true;
		}
	}
	return content.len > 0;
}

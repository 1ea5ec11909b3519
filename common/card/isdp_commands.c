/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/isdp_commands.h"

#include "common/card/apdu_internal.h"
#include "common/card/tlv_internal.h"

enum { TAG_DOMAIN = 0xC9, TAG_PROTOCOL = 0x81, TAG_QUOTA = 0xEF, TAG_MEMORY = 0x83, TAG_ECASD_DATA = 0xBF30, QUOTA_MIN_BYTES = 2 };

void isdr_create_isdp(struct buf *out, const struct aid *isdp, int64_t quota)
{
	static const uint8_t scp03_i70[] = { 0x03, 0x70 };
	CLEANUP(buf_free) struct buf parameters = { 0 };
	CLEANUP(buf_free) struct buf data = { 0 };
	size_t at;

	tlv_add(&parameters, TAG_PROTOCOL, scp03_i70, sizeof(scp03_i70));
	tlv_wrap(&parameters, 0, TAG_DOMAIN);
	at = parameters.len;
	if (quota >= 0) {
		tlv_add_number(&parameters, TAG_MEMORY, (uint64_t)quota, QUOTA_MIN_BYTES);
		tlv_wrap(&parameters, at, TAG_QUOTA);
	}
	lv_add(&data, AID_ISDP_LOADFILE.data, AID_ISDP_LOADFILE.len);
	lv_add(&data, AID_ISDP_MODULE.data, AID_ISDP_MODULE.len);
	lv_add(&data, isdp->data, isdp->len);
	lv_add(&data, isdp_privileges, sizeof(isdp_privileges));
	lv_add(&data, parameters.data, parameters.len);
	lv_add(&data, NULL, 0);
	apdu_build(out, &(struct apdu){ 0x80, INS_INSTALL, P1_FOR_INSTALL, 0, buf_bytes(&data), true });
}

bool isdr_created_parse(struct bytes data)
{
	return data.len == 0 || (data.len == 1 && data.data[0] == ISDP_CREATED_ANSWER);
}

void isdr_created_build(struct buf *out)
{
	buf_char(out, ISDP_CREATED_ANSWER);
}

void ecasd_get_data(struct buf *out, enum ecasd_object wanted)
{
	CLEANUP(buf_free) struct buf data = { 0 };

	tlv_add_number(&data, TAG_LIST, wanted, 1);
	apdu_build(out, &(struct apdu){ 0x80, INS_GET_DATA, TAG_ECASD_DATA >> 8, TAG_ECASD_DATA & 0xFF, buf_bytes(&data), true });
}

uint16_t ecasd_get_data_parse(const struct apdu *c, enum ecasd_object *out)
{
	struct bytes rest = c->data;
	struct tlv list;
	int64_t tag;

	if (c->cla != 0x80)
		return SW_BAD_CLA;
	if (c->ins != INS_GET_DATA)
		return SW_BAD_INS;
	if ((c->p1 << 8 | c->p2) != TAG_ECASD_DATA)
		return SW_NOT_FOUND;
	if (!tlv_next(&rest, &list) || rest.len || list.tag != TAG_LIST || !tlv_number(list.value, &tag))
		return SW_BAD_DATA;
	if (tag != ECASD_CERTIFICATE && tag != ECASD_RECOGNITION)
		return SW_NOT_FOUND;
	*out = (enum ecasd_object)tag;
	return SW_OK;
}

bool ecasd_data_parse(struct bytes data, enum ecasd_object wanted, struct bytes *out)
{
	struct bytes rest = data;
	struct tlv t;

	if (!tlv_next(&rest, &t) || rest.len)
		return false;
	if (t.tag == TAG_ECASD_DATA) {
		rest = data = t.value;
		if (!tlv_next(&rest, &t) || rest.len)
			return false;
	}
	if (t.tag != (uint32_t)wanted)
		return false;
	*out = data;
	return true;
}

void ecasd_data_build(struct buf *out, struct bytes tlv)
{
	tlv_add(out, TAG_ECASD_DATA, tlv.data, tlv.len);
}

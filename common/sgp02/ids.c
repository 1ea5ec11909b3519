/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/ids.h"

#include <ctype.h>
#include <string.h>

#include "common/base/hex.h"

#define GSMA_AID(tar_hi, tar_mid, tar_lo)                                                                                        \
	{                                                                                                                        \
		{ 0xA0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, (tar_hi), (tar_mid), (tar_lo), 0 }, 16 \
	}

const struct aid AID_ISDR = GSMA_AID(0x00, 0x00, 0x01);
const struct aid AID_ECASD = GSMA_AID(0x00, 0x00, 0x02);
const struct aid AID_ISDP_LOADFILE = GSMA_AID(0x00, 0x00, 0x0D);
const struct aid AID_ISDP_MODULE = GSMA_AID(0x00, 0x00, 0x0E);

enum { TAR_AT = 12, ISDP_TAR_FIRST = 0x10, ISDP_TAR_LAST = 0xFFFF };

static bool all_digits(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

static unsigned mod97(const char *digits, size_t n)
{
	unsigned r = 0;

	for (size_t i = 0; i < n; i++)
		r = (r * 10 + (unsigned)(digits[i] - '0')) % 97;
	return r;
}

bool eid_parse(const char *text, struct eid *out)
{
	struct eid eid = { { 0 } };
	size_t n = strlen(text);

	if (n == 2 * EID_DIGITS) {
		if (!hex_decode(text, n, (uint8_t *)eid.text))
			return false;
	} else if (n == EID_DIGITS) {
		memcpy(eid.text, text, EID_DIGITS);
	} else {
		return false;
	}
	if (!all_digits(eid.text, EID_DIGITS) || mod97(eid.text, EID_DIGITS) != 1)
		return false;
	*out = eid;
	return true;
}

bool eid_complete(const char first30[30], struct eid *out)
{
	struct eid eid = { { 0 } };
	unsigned check;

	if (!all_digits(first30, 30))
		return false;
	memcpy(eid.text, first30, 30);
	memcpy(eid.text + 30, "00", 2);
	check = 98 - mod97(eid.text, EID_DIGITS);
	eid.text[30] = (char)('0' + check / 10);
	eid.text[31] = (char)('0' + check % 10);
	*out = eid;
	return true;
}

bool eid_equal(const struct eid *a, const struct eid *b)
{
	return !strcmp(a->text, b->text);
}

void eid_bytes(const struct eid *eid, uint8_t out[EID_DIGITS / 2])
{
	for (size_t i = 0; i < EID_DIGITS / 2; i++)
		out[i] = (uint8_t)((eid->text[2 * i] - '0') << 4 | (eid->text[2 * i + 1] - '0'));
}

bool eid_from_bytes(const uint8_t in[EID_DIGITS / 2], struct eid *out)
{
	char text[EID_DIGITS + 1];

	hex_encode(in, EID_DIGITS / 2, text);
	return eid_parse(text, out);
}

bool iccid_parse(const char *text, struct iccid *out)
{
	struct iccid iccid = { { 0 } };
	size_t n = strlen(text);

	if (n < 6 || n > ICCID_MAX || text[0] != '8' || text[1] != '9')
		return false;
	while (n > 0 && (text[n - 1] == 'F' || text[n - 1] == 'f'))
		n--;
	if (n < 6 || !all_digits(text, n))
		return false;
	memcpy(iccid.text, text, n);
	*out = iccid;
	return true;
}

bool iccid_complete(const char *body, struct iccid *out)
{
	struct iccid iccid = { { 0 } };
	size_t n = strlen(body);
	unsigned sum = 0;

	if (n < 5 || n >= ICCID_MAX || body[0] != '8' || body[1] != '9' || !all_digits(body, n))
		return false;
	memcpy(iccid.text, body, n);
	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(body[n - 1 - i] - '0') * (i % 2 ? 1 : 2);

		sum += d > 9 ? d - 9 : d;
	}
	iccid.text[n] = (char)('0' + (10 - sum % 10) % 10);
	*out = iccid;
	return true;
}

bool iccid_equal(const struct iccid *a, const struct iccid *b)
{
	return !strcmp(a->text, b->text);
}

bool aid_parse(const char *text, struct aid *out)
{
	struct aid aid = { { 0 }, 0 };
	size_t n = strlen(text);

	if (n < 2 * AID_MIN || n > 2 * AID_MAX || !hex_decode(text, n, aid.data))
		return false;
	aid.len = (uint8_t)(n / 2);
	*out = aid;
	return true;
}

bool aid_equal(const struct aid *a, const struct aid *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

void aid_format(const struct aid *aid, char out[2 * AID_MAX + 1])
{
	hex_encode(aid->data, aid->len, out);
}

bool oid_parse(const char *text, struct oid *out)
{
	struct oid oid = { { 0 } };
	size_t n = strlen(text);
	bool dot = true; /* a digit must follow */

	if (n == 0 || n > OID_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '.') {
			if (dot)
				return false;
			dot = true;
		} else if (isdigit((unsigned char)text[i])) {
			dot = false;
		} else {
			return false;
		}
	}
	if (dot)
		return false;
	memcpy(oid.text, text, n);
	*out = oid;
	return true;
}

bool oid_equal(const struct oid *a, const struct oid *b)
{
	return !strcmp(a->text, b->text);
}

struct aid aid_isdp(uint32_t tar)
{
	struct aid aid = GSMA_AID((uint8_t)(tar >> 16), (uint8_t)(tar >> 8), (uint8_t)tar);

	return aid;
}

bool aid_tar(const struct aid *aid, uint8_t out[3])
{
	if (aid->len != AID_MAX || memcmp(aid->data, AID_ISDR.data, TAR_AT) || aid->data[AID_MAX - 1])
		return false;
	memcpy(out, aid->data + TAR_AT, 3);
	return true;
}

bool aid_is_isdp(const struct aid *aid)
{
	uint8_t bytes[3];
	uint32_t tar;

	if (!aid_tar(aid, bytes))
		return false;
	tar = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
	return tar >= ISDP_TAR_FIRST && tar <= ISDP_TAR_LAST;
}

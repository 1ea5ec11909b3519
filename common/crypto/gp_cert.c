/* SPDX-License-Identifier: Apache-2.0 */
/* GlobalPlatform certificates (procedures.md 1.7). This reader stands below card/, hence a small one of its own. */
#include <string.h>

#include "common/base/buf.h"
#include "common/base/hex.h"
#include "common/crypto/ec.h"

enum {
	TAG_CERT = 0x7f21,
	TAG_SERIAL = 0x93,
	TAG_CA_ID = 0x42,
	TAG_SUBJECT = 0x5f20,
	TAG_USAGE = 0x95,
	TAG_EFFECTIVE = 0x5f25,
	TAG_EXPIRES = 0x5f24,
	TAG_DISCRETIONARY = 0x73,
	TAG_ROLE = 0xc8,
	TAG_AUTHORITY = 0xc9,
	TAG_KEY = 0x7f49,
	TAG_POINT = 0xb0,
	TAG_CURVE = 0xf0,
	TAG_SIGNATURE = 0x5f37,
	ID_MAX = 16,
	SKI_LEN = 20,
	BCD_DATE = 4,
};

/* Cuts one TLV off in: one or two tag bytes, length up to two bytes behind 82. */
static bool tlv_next(struct bytes *in, unsigned *out_tag, struct bytes *out_value)
{
	const uint8_t *p = in->data, *end = p + in->len;
	unsigned tag;
	size_t n;

	if (p == end)
		return false;
	tag = *p++;
	if ((tag & 0x1f) == 0x1f) {
		if (p == end || (*p & 0x80))
			return false;
		tag = tag << 8 | *p++;
	}
	if (p == end)
		return false;
	n = *p++;
	if (n >= 0x80) {
		size_t extra = n & 0x7f;

		if (extra < 1 || extra > 2 || (size_t)(end - p) < extra)
			return false;
		for (n = 0; extra > 0; extra--)
			n = n << 8 | *p++;
	}
	if ((size_t)(end - p) < n)
		return false;
	*out_value = (struct bytes){ p, n };
	*out_tag = tag;
	*in = (struct bytes){ p + n, (size_t)(end - p) - n };
	return true;
}

static void tlv_add(struct buf *b, unsigned tag, const void *value, size_t n)
{
	if (tag > 0xff)
		buf_char(b, (char)(tag >> 8));
	buf_char(b, (char)(tag & 0xff));
	if (n > 0xff)
		buf_char(b, (char)0x82);
	else if (n > 0x7f)
		buf_char(b, (char)0x81);
	if (n > 0xff)
		buf_char(b, (char)(n >> 8));
	buf_char(b, (char)(n & 0xff));
	buf_add(b, value, n);
}

static bool two_digits(const char *at, unsigned min, unsigned max)
{
	unsigned n = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');

	return n >= min && n <= max;
}

/* BCD is the hex of the digits. */
static bool date_ok(const char *date)
{
	return strspn(date, "0123456789") == 8 && !date[8] && two_digits(date + 4, 1, 12) && two_digits(date + 6, 1, 31);
}

static bool date_add(struct buf *b, unsigned tag, const char *date)
{
	uint8_t bcd[BCD_DATE];

	if (!date_ok(date) || !hex_decode(date, 8, bcd))
		return false;
	tlv_add(b, tag, bcd, sizeof(bcd));
	return true;
}

static bool id_ok(struct bytes id)
{
	return id.len >= 1 && id.len <= ID_MAX;
}

static void discretionary_add(struct buf *b, const struct gp_cert *c)
{
	CLEANUP(buf_free) struct buf in = { 0 };

	if (c->role != GP_ROLE_NONE)
		tlv_add(&in, TAG_ROLE, &c->role, 1);
	if (c->authority.len)
		tlv_add(&in, TAG_AUTHORITY, c->authority.data, c->authority.len);
	if (in.len)
		tlv_add(b, TAG_DISCRETIONARY, in.data, in.len);
}

static void key_add(struct buf *b, const struct gp_cert *c)
{
	static const uint8_t p256 = 0;
	CLEANUP(buf_free) struct buf in = { 0 };

	tlv_add(&in, TAG_POINT, c->point, P256_POINT);
	tlv_add(&in, TAG_CURVE, &p256, 1);
	tlv_add(b, TAG_KEY, in.data, in.len);
}

struct bytes gp_cert_build(struct arena *a, const struct gp_cert *c, const struct ec_key *issuer)
{
	CLEANUP(buf_free) struct buf in = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };
	uint8_t signature[P256_SIGNATURE];
	const struct bytes none = { 0 };

	if (!id_ok(c->serial) || !id_ok(c->ca_id) || !id_ok(c->subject) || c->key_usage.len < 1 || c->key_usage.len > 2 ||
	    !c->expires || (c->authority.len && c->authority.len != SKI_LEN))
		return none;
	tlv_add(&in, TAG_SERIAL, c->serial.data, c->serial.len);
	tlv_add(&in, TAG_CA_ID, c->ca_id.data, c->ca_id.len);
	tlv_add(&in, TAG_SUBJECT, c->subject.data, c->subject.len);
	tlv_add(&in, TAG_USAGE, c->key_usage.data, c->key_usage.len);
	if ((c->effective && !date_add(&in, TAG_EFFECTIVE, c->effective)) || !date_add(&in, TAG_EXPIRES, c->expires))
		return none;
	discretionary_add(&in, c);
	key_add(&in, c);
	if (!ec_sign(issuer, in.data, in.len, signature))
		return none;
	tlv_add(&in, TAG_SIGNATURE, signature, sizeof(signature));
	tlv_add(&out, TAG_CERT, in.data, in.len);
	return (struct bytes){ arena_memdup(a, out.data, out.len), out.len };
}

static bool date_read(struct bytes bcd, char out[9])
{
	if (bcd.len != BCD_DATE)
		return false;
	hex_encode(bcd.data, bcd.len, out);
	return date_ok(out);
}

static bool discretionary_read(struct bytes in, struct gp_cert *c)
{
	struct bytes value;
	unsigned tag;

	while (in.len) {
		if (!tlv_next(&in, &tag, &value))
			return false;
		if (tag == TAG_ROLE) {
			if (value.len != 1)
				return false;
			c->role = value.data[0];
		} else if (tag == TAG_AUTHORITY) {
			if (value.len != SKI_LEN)
				return false;
			c->authority = value;
		}
	}
	return true;
}

static bool key_read(struct bytes in, struct gp_cert *c)
{
	struct bytes value;
	unsigned tag;

	while (in.len) {
		if (!tlv_next(&in, &tag, &value))
			return false;
		if (tag == TAG_POINT) {
			if (value.len != P256_POINT || value.data[0] != 4)
				return false;
			memcpy(c->point, value.data, P256_POINT);
		} else if (tag == TAG_CURVE && (value.len != 1 || value.data[0] != 0)) {
			return false;
		}
	}
	return c->point[0] == 4;
}

/* What each tag stands for as a bit: a tag given twice is refused, since two readers could take different ones. */
enum {
	SEEN_SERIAL = 1,
	SEEN_CA_ID = 2,
	SEEN_SUBJECT = 4,
	SEEN_USAGE = 8,
	SEEN_EXPIRES = 16,
	SEEN_KEY = 32,
	SEEN_ALL = 63, /* mandatory ones */
	SEEN_EFFECTIVE = 64,
	SEEN_DISCRETIONARY = 128,
	BAD_FIELD = 256,
};

static unsigned id_read(struct bytes value, struct bytes *out, unsigned seen)
{
	*out = value;
	return id_ok(value) ? seen : BAD_FIELD;
}

static unsigned field_read(unsigned tag, struct bytes value, struct gp_cert *c)
{
	switch (tag) {
	case TAG_SERIAL:
		return id_read(value, &c->serial, SEEN_SERIAL);
	case TAG_CA_ID:
		return id_read(value, &c->ca_id, SEEN_CA_ID);
	case TAG_SUBJECT:
		return id_read(value, &c->subject, SEEN_SUBJECT);
	case TAG_USAGE:
		c->key_usage = value;
		return value.len >= 1 && value.len <= 2 ? SEEN_USAGE : BAD_FIELD;
	case TAG_EFFECTIVE:
		return date_read(value, c->dates[0]) ? SEEN_EFFECTIVE : BAD_FIELD;
	case TAG_EXPIRES:
		return date_read(value, c->dates[1]) ? SEEN_EXPIRES : BAD_FIELD;
	case TAG_DISCRETIONARY:
		return discretionary_read(value, c) ? SEEN_DISCRETIONARY : BAD_FIELD;
	case TAG_KEY:
		return key_read(value, c) ? SEEN_KEY : BAD_FIELD;
	default:
		return 0;
	}
}

/* The value of 7F21, with nothing behind it. */
static bool template_open(struct bytes tlv, struct bytes *out)
{
	unsigned tag;

	return tlv_next(&tlv, &tag, out) && tag == TAG_CERT && tlv.len == 0;
}

/* The signature must be the last TLV: a field behind it would be read but not signed. */
static bool signature_find(struct bytes template, struct bytes *out_signed, struct bytes *out_signature)
{
	struct bytes at = template, value;
	unsigned tag;

	while (at.len) {
		const uint8_t *start = at.data;

		if (!tlv_next(&at, &tag, &value))
			return false;
		if (tag != TAG_SIGNATURE)
			continue;
		*out_signed = (struct bytes){ template.data, (size_t)(start - template.data) };
		*out_signature = value;
		return at.len == 0 && value.len == P256_SIGNATURE;
	}
	return false;
}

bool gp_cert_parse(struct bytes tlv, struct gp_cert *out)
{
	struct bytes template, fields, signature, value;
	struct gp_cert c = { 0 };
	unsigned seen = 0, tag;

	if (!template_open(tlv, &template) || !signature_find(template, &fields, &signature))
		return false;
	while (fields.len) {
		unsigned bit;

		if (!tlv_next(&fields, &tag, &value))
			return false;
		bit = field_read(tag, value, &c);
		if (bit == BAD_FIELD || (seen & bit))
			return false;
		seen |= bit;
	}
	if ((seen & SEEN_ALL) != SEEN_ALL)
		return false;
	*out = c;
	out->effective = seen & SEEN_EFFECTIVE ? out->dates[0] : NULL;
	out->expires = out->dates[1];
	return true;
}

bool gp_cert_verify(struct bytes tlv, const uint8_t issuer_point[P256_POINT])
{
	struct bytes template, fields, signature;

	return template_open(tlv, &template) && signature_find(template, &fields, &signature) &&
	       ec_verify(issuer_point, fields.data, fields.len, signature.data);
}

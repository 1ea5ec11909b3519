/* SPDX-License-Identifier: Apache-2.0 */
/* The simple types of wire.md 6.10 and 6.11: text to value and back. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/msg/bind_internal.h"

static size_t digits(const char *p)
{
	return strspn(p, "0123456789");
}

static bool is_version(const char *p)
{
	for (int part = 0; part < 3; part++) {
		size_t n = digits(p);

		if (n == 0 || p[n] != (part < 2 ? '.' : '\0'))
			return false;
		p += n + 1;
	}
	return true;
}

static bool is_imsi(const char *p)
{
	return digits(p) == strlen(p) && strlen(p) <= IMSI_MAX;
}

static bool is_msisdn(const char *p)
{
	return digits(p) == strlen(p) && strlen(p) >= 3 && strlen(p) <= MSISDN_MAX;
}

static bool is_digits(const char *p)
{
	return *p && digits(p) == strlen(p);
}

static bool is_iccid_prefix(const char *p)
{
	return is_digits(p) && !strncmp(p, "89", 2);
}

static bool is_dotted_code(const char *p)
{
	struct oid oid;

	return oid_parse(p, &oid);
}

static const struct {
	const char *xsd_type, *pattern, *why;
	bool (*check)(const char *text);
} patterns[] = {
	{ "ThreeDigitVersion", "\\d+[.]\\d+[.]\\d+", "not of the form 1.2.3", is_version },
	{ "IMSIType", "\\d{0,15}", "not up to 15 digits", is_imsi },
	{ "MSISDNType", "\\d{3,15}", "not 3 to 15 digits", is_msisdn },
	{ "ObjectIdentifierType", "([\\d]+[.])*[\\d]+", "not numbers with dots between", is_dotted_code },
	{ "DigitsType", "\\d+", "not digits", is_digits },
	{ "IccidPrefixType", "89\\d*", "not digits that start with 89", is_iccid_prefix },
};

const char *bind_pattern(const char *xsd_type)
{
	for (size_t i = 0; i < LEN(patterns); i++)
		if (!strcmp(patterns[i].xsd_type, xsd_type))
			return patterns[i].pattern;
	return NULL;
}

static size_t characters(const char *p)
{
	size_t n = 0;

	for (; *p; p++)
		n += ((unsigned char)*p & 0xC0) != 0x80;
	return n;
}

static const char *parse_string(struct arena *a, const struct bind_field *f, const char *text, void *item)
{
	int64_t n = (int64_t)characters(text);

	if (n < f->min)
		return n == 0 ? "empty" : arena_printf(a, "shorter than %" PRId64 " characters", f->min);
	if (f->max && n > f->max)
		return arena_printf(a, "longer than %" PRId64 " characters", f->max);
	*(const char **)item = text;
	return NULL;
}

static const char *parse_pattern(struct arena *a, const struct bind_field *f, const char *text, void *item)
{
	for (size_t i = 0; i < LEN(patterns); i++)
		if (!strcmp(patterns[i].xsd_type, f->xsd_type) && !patterns[i].check(text))
			return patterns[i].why;
	return parse_string(a, f, text, item);
}

static const char *parse_eid(const char *text, void *item)
{
	size_t n = strlen(text);

	if (eid_parse(text, item))
		return NULL;
	return (n == EID_DIGITS || n == 2 * EID_DIGITS) && digits(text) == n ? "wrong check digits" : "not 32 digits";
}

static const char *parse_hex(struct arena *a, const struct bind_field *f, const char *text, void *item)
{
	size_t n = strlen(text);
	uint8_t *data = arena_alloc(a, n / 2 + 1);

	if (!hex_decode(text, n, data))
		return "not pairs of hexadecimal digits";
	if ((int64_t)(n / 2) < f->min || (f->max && (int64_t)(n / 2) > f->max)) {
		if (f->min == f->max)
			return arena_printf(a, "not %" PRId64 " bytes", f->max);
		return arena_printf(a, f->max ? "not %" PRId64 " to %" PRId64 " bytes" : "fewer than %" PRId64 " bytes", f->min,
				    f->max);
	}
	*(struct bytes *)item = (struct bytes){ data, n / 2 };
	return NULL;
}

#define NO_AID "0000000000" /* what the schema takes where there is none */

static const char *parse_aid(const struct bind_field *f, const char *text, void *item)
{
	if ((f->flags & BIND_FORCED) && (!*text || !strcmp(text, NO_AID))) {
		*(struct aid *)item = (struct aid){ .len = 0 };
		return NULL;
	}
	return aid_parse(text, item) ? NULL : "not 5 to 16 bytes in hexadecimal digits";
}

static const char *parse_int(struct arena *a, const struct bind_field *f, const char *text, void *item)
{
	const char *p = *text == '+' || *text == '-' ? text + 1 : text;
	long long v;

	if (!is_digits(p))
		return "not a whole number";
	errno = 0;
	v = strtoll(text, NULL, 10);
	if (errno || v < f->min || v > f->max) {
		if (f->max == INT64_MAX)
			return v < f->min ? arena_printf(a, "less than %" PRId64, f->min) : "too large";
		return arena_printf(a, "not from %" PRId64 " to %" PRId64, f->min, f->max);
	}
	*(int64_t *)item = v;
	return NULL;
}

static const char *parse_bool(const char *text, void *item)
{
	bool yes = !strcmp(text, "true") || !strcmp(text, "1");

	if (!yes && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
		return "neither true nor false";
	*(bool *)item = yes;
	return NULL;
}

static const char *parse_enum(struct arena *a, const struct bind_field *f, const char *text, void *item)
{
	CLEANUP(buf_free) struct buf why = { 0 };

	for (unsigned i = 0; f->names[i]; i++) {
		if (!strcmp(f->names[i], text)) {
			*(unsigned *)item = i;
			return NULL;
		}
		buf_printf(&why, "%s%s", i ? ", " : "none of ", f->names[i]);
	}
	return arena_strdup(a, why.data);
}

const char *bind_value_parse(struct arena *a, const struct bind_field *f, const char *text, void *item)
{
	switch (f->type) {
	case BIND_STRING:
		return parse_string(a, f, text, item);
	case BIND_PATTERN:
		return parse_pattern(a, f, text, item);
	case BIND_EID:
		return parse_eid(text, item);
	case BIND_ICCID:
		return iccid_parse(text, item) ? NULL : "not 6 to 20 digits that start with 89";
	case BIND_AID:
		return parse_aid(f, text, item);
	case BIND_OID:
		return oid_parse(text, item) ? NULL : "not numbers with dots between";
	case BIND_HEX:
		return parse_hex(a, f, text, item);
	case BIND_INT:
		return parse_int(a, f, text, item);
	case BIND_BOOL:
		return parse_bool(text, item);
	case BIND_TIME:
		return datetime_parse(text, item) ? NULL : "not a date and time";
	case BIND_ENUM:
		return parse_enum(a, f, text, item);
	case BIND_GROUP:
	case BIND_OCTETS:
		break;
	}
	return "not a simple value";
}

static const char *formatted(struct buf *out, const struct bind_field *f, const void *item)
{
	char aid[2 * AID_MAX + 1], time[DATETIME_MAX];

	switch (f->type) {
	case BIND_EID:
		return ((const struct eid *)item)->text;
	case BIND_ICCID:
		return ((const struct iccid *)item)->text;
	case BIND_OID:
		return ((const struct oid *)item)->text;
	case BIND_AID:
		if ((f->flags & BIND_FORCED) && ((const struct aid *)item)->len == 0)
			return NO_AID;
		aid_format(item, aid);
		buf_str(out, aid);
		break;
	case BIND_HEX:
		buf_hex(out, ((const struct bytes *)item)->data, ((const struct bytes *)item)->len);
		break;
	case BIND_INT:
		buf_printf(out, "%" PRId64, *(const int64_t *)item);
		break;
	case BIND_BOOL:
		return *(const bool *)item ? "true" : "false";
	case BIND_TIME:
		datetime_format(*(const int64_t *)item, time);
		buf_str(out, time);
		break;
	case BIND_ENUM:
		for (unsigned i = 0; i <= *(const unsigned *)item; i++)
			assert(f->names[i] && "an enum value without a name on the wire");
		return f->names[*(const unsigned *)item];
	case BIND_STRING:
	case BIND_PATTERN:
	case BIND_GROUP:
	case BIND_OCTETS:
		assert(!"not formatted here");
	}
	return out->data ? out->data : "";
}

const char *bind_value_text(struct buf *out, const struct bind_field *f, const void *item, enum bind_mask mask)
{
	bool text = f->type == BIND_STRING || f->type == BIND_PATTERN;

	buf_clear(out);
	if (mask == BIND_MASKED && (f->flags & BIND_SECRET))
		return text ? "*" : "";
	if (!text)
		return formatted(out, f, item);
	assert(*(const char *const *)item && "a mandatory text is missing");
	return *(const char *const *)item;
}

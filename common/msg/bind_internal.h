/* SPDX-License-Identifier: Apache-2.0 */
/* Private to msg: how rows are written, the simple types, and the tables that several messages share. */
#ifndef MSG_BIND_INTERNAL_H
#define MSG_BIND_INTERNAL_H

#include <stdbool.h>

#include "common/msg/bind.h"
#include "common/msg/messages.h"

/* One value from text. NULL: done; else why not (static, or in a), without the value: it may be secret. */
const char *bind_value_parse(struct arena *a, const struct bind_field *f, const char *text, void *item);
/* The value as wire text: either out's content or the string itself. */
const char *bind_value_text(struct buf *out, const struct bind_field *f, const void *item, enum bind_mask mask);
/* Of a BIND_PATTERN row's xsd_type: the XSD pattern; NULL: no such type. */
const char *bind_pattern(const char *xsd_type);

/* How a row's value lies in memory. */
static inline bool bind_by_pointer(const struct bind_field *f)
{
	bool inline_absent = f->type == BIND_STRING || f->type == BIND_PATTERN || f->type == BIND_HEX || f->type == BIND_OCTETS;

	return (f->flags & BIND_MANY) || ((f->flags & BIND_OPTIONAL) && !inline_absent);
}

static inline const void *bind_at(const void *base, size_t offset)
{
	return (const char *)base + offset;
}

/* The items of a row in the struct at base: how many, and the first. An absent optional value has none. */
size_t bind_items(const struct bind_field *f, const void *base, const void **out_first);

/* Rows. s: the struct, m: its member. */
#define ROW(s, m, n, t, x, ...)                                                                  \
	{                                                                                        \
		.name = (n), .type = (t), .offset = offsetof(s, m), .xsd_type = (x), __VA_ARGS__ \
	}
#define SIZE_OF_ITEM(s, m) sizeof(*((s *)0)->m)
#define OPT(s, m, n, t, x, ...) \
	ROW(s, m, n, t, x, .flags = BIND_OPTIONAL, .size = SIZE_OF_ITEM(s, m), __VA_ARGS__) /* the member is a pointer */
#define OPT_IN(s, m, n, t, x, ...) ROW(s, m, n, t, x, .flags = BIND_OPTIONAL, __VA_ARGS__)  /* strings and hex: NULL is absent */
#define MANY(s, m, c, n, t, x, least, most, ...)                                                                                  \
	ROW(s, m, n, t, x, .flags = BIND_MANY, .count_offset = offsetof(s, c), .size = SIZE_OF_ITEM(s, m), .min_occurs = (least), \
	    .max_occurs = (most), __VA_ARGS__)
#define GROUP(s, m, n, g) ROW(s, m, n, BIND_GROUP, NULL, .sub = &(g))
#define OPT_GROUP(s, m, n, g) OPT(s, m, n, BIND_GROUP, NULL, .sub = &(g))
#define MANY_GROUP(s, m, c, n, g, least, most) MANY(s, m, c, n, BIND_GROUP, NULL, least, most, .sub = &(g))

#define STRING100(s, m, n) ROW(s, m, n, BIND_STRING, "String100", .max = 100)
#define VERSION(s, m, n) ROW(s, m, n, BIND_PATTERN, "ThreeDigitVersion")
#define EID(s, m, n) ROW(s, m, n, BIND_EID, "EIDType")
#define ICCID(s, m, n) ROW(s, m, n, BIND_ICCID, "ICCIDType")
#define AID(s, m, n) ROW(s, m, n, BIND_AID, "AIDType")
#define OID(s, m, n) ROW(s, m, n, BIND_OID, "ObjectIdentifierType")
#define BOOL(s, m, n) ROW(s, m, n, BIND_BOOL, "xs:boolean")
#define TIME(s, m, n) ROW(s, m, n, BIND_TIME, "xs:dateTime")
#define BYTES_LEFT(s, m, n) ROW(s, m, n, BIND_INT, "xs:nonNegativeInteger", .max = INT64_MAX)

/* What every message starts with (wire.md 4). */
#define REQUEST_ROWS                                                                                             \
	ROW(struct request_base, fci, "FunctionCallIdentifier", BIND_STRING, "xs:string", .min = 1, .max = 256), \
		OPT(struct request_base, validity_s, "ValidityPeriod", BIND_INT, "xs:positiveInteger", .min = 1, .max = INT64_MAX)
#define RESPONSE_ROWS                                                                                                        \
	OPT(struct response_base, processing_start, "ProcessingStart", BIND_TIME, "xs:dateTime"),                            \
		OPT(struct response_base, processing_end, "ProcessingEnd", BIND_TIME, "xs:dateTime"),                        \
		OPT(struct response_base, acceptable_validity_s, "AcceptableValidityPeriod", BIND_INT, "xs:positiveInteger", \
		    .min = 1, .max = INT64_MAX),                                                                             \
		GROUP(struct response_base, status, "FunctionExecutionStatus", execution_status_group)

/* The base fields alone, as types of the schema, and an answer that has nothing more. */
extern const struct bind_group request_base_group, response_base_group, execution_status_group, plain_rs_group;
extern const struct bind_group eis_group, properties_group, pol2_group, address_group;

extern const struct bind_message es1_register_eis_request, es1_register_eis_response;
extern const struct bind_message es1_update_properties_request, es1_update_properties_response;
extern const struct bind_message es4_get_eis_request, es4_get_eis_response;
extern const struct bind_message es4_enable_profile_request, es4_enable_profile_response;
extern const struct bind_message es4_disable_profile_request, es4_disable_profile_response;
extern const struct bind_message es4_delete_profile_request, es4_delete_profile_response;
extern const struct bind_message es4_update_policy_rules_request, es4_update_policy_rules_response;
extern const struct bind_message es4_update_subscription_address_request, es4_update_subscription_address_response;
extern const struct bind_message es4_audit_eis_request, es4_audit_eis_response;
extern const struct bind_message es4_profile_enabled_notification, es4_profile_disabled_notification, es4_profile_deleted_notification;
extern const struct bind_message eum_create_batch_request, eum_create_batch_response;
extern const struct bind_message eum_get_batch_request, eum_get_batch_response;
extern const struct bind_message eum_update_properties_request, eum_update_properties_response;

#endif

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

/* Rows whose spelling differs from message to message (wire.md 10): either reads both. */
#define SMSR(s, m) ROW(s, m, "Smsr-id", BIND_OID, "ObjectIdentifierType", .alias = "SmSr-id")
#define SMSR_RARE(s, m) ROW(s, m, "SmSr-id", BIND_OID, "ObjectIdentifierType", .alias = "Smsr-id")
#define COMPLETED(s, m) ROW(s, m, "CompletionTimestamp", BIND_TIME, "xs:dateTime", .alias = "completionTimestamp")
#define COMPLETED_RARE(s, m) ROW(s, m, "completionTimestamp", BIND_TIME, "xs:dateTime", .alias = "CompletionTimestamp")
/* Any string in the schema of requests; an EIS can hold a String100. */
#define PROFILE_TYPE(s, m) OPT_IN(s, m, "ProfileType", BIND_STRING, "xs:string", .max = 100)

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
/* Bodies that interfaces share. */
extern const struct bind_group get_eis_rq_group, get_eis_rs_group, audit_rq_group, audit_rs_group;
extern const struct bind_group profile_rq_group, card_rs_group, address_rq_group;
extern const struct bind_group profile_notification_group, es3_profile_notification_group;

extern const struct bind_message es1_register_eis_request, es1_register_eis_response;
extern const struct bind_message es1_update_properties_request, es1_update_properties_response;
extern const struct bind_message es2_get_eis_request, es2_get_eis_response;
extern const struct bind_message es2_download_profile_request, es2_download_profile_response;
extern const struct bind_message es2_update_policy_rules_request, es2_update_policy_rules_response;
extern const struct bind_message es2_update_subscription_address_request, es2_update_subscription_address_response;
extern const struct bind_message es2_enable_profile_request, es2_enable_profile_response;
extern const struct bind_message es2_disable_profile_request, es2_disable_profile_response;
extern const struct bind_message es2_delete_profile_request, es2_delete_profile_response;
extern const struct bind_message es2_audit_eis_request, es2_audit_eis_response;
extern const struct bind_message es3_get_eis_request, es3_get_eis_response;
extern const struct bind_message es3_create_isdp_request, es3_create_isdp_response;
extern const struct bind_message es3_send_data_request, es3_send_data_response;
extern const struct bind_message es3_profile_download_completed_request, es3_profile_download_completed_response;
extern const struct bind_message es3_enable_profile_request, es3_enable_profile_response;
extern const struct bind_message es3_disable_profile_request, es3_disable_profile_response;
extern const struct bind_message es3_delete_isdp_request, es3_delete_isdp_response;
extern const struct bind_message es3_update_policy_rules_request, es3_update_policy_rules_response;
extern const struct bind_message es3_update_subscription_address_request, es3_update_subscription_address_response;
extern const struct bind_message es3_audit_eis_request, es3_audit_eis_response;
extern const struct bind_message es3_update_connectivity_parameters_request, es3_update_connectivity_parameters_response;
extern const struct bind_message es4_get_eis_request, es4_get_eis_response;
extern const struct bind_message es4_enable_profile_request, es4_enable_profile_response;
extern const struct bind_message es4_disable_profile_request, es4_disable_profile_response;
extern const struct bind_message es4_delete_profile_request, es4_delete_profile_response;
extern const struct bind_message es4_update_policy_rules_request, es4_update_policy_rules_response;
extern const struct bind_message es4_update_subscription_address_request, es4_update_subscription_address_response;
extern const struct bind_message es4_audit_eis_request, es4_audit_eis_response;
extern const struct bind_message es4_prepare_smsr_change_request, es4_prepare_smsr_change_response;
extern const struct bind_message es4_smsr_change_request, es4_smsr_change_response;
extern const struct bind_message es7_handover_euicc_request, es7_handover_euicc_response;
extern const struct bind_message es7_authenticate_smsr_request, es7_authenticate_smsr_response;
extern const struct bind_message es7_create_additional_keyset_request, es7_create_additional_keyset_response;
/* The same notification on ES2, ES3 and ES4. */
#define TOLD(name) es2_##name##_notification, es3_##name##_notification, es4_##name##_notification
extern const struct bind_message TOLD(profile_enabled), TOLD(profile_disabled);
extern const struct bind_message TOLD(profile_deleted), TOLD(profile_downloaded);
extern const struct bind_message TOLD(pol2_updated), TOLD(smsr_change);
extern const struct bind_message TOLD(emergency_set), TOLD(emergency_unset);
extern const struct bind_message TOLD(fallback_set), TOLD(fallback_unset);
#undef TOLD
extern const struct bind_message eum_create_batch_request, eum_create_batch_response;
extern const struct bind_message eum_get_batch_request, eum_get_batch_response;
extern const struct bind_message eum_update_properties_request, eum_update_properties_response;

#endif

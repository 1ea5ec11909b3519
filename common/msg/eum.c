/* SPDX-License-Identifier: Apache-2.0 */
/* Our own order interface: how cards are ordered from the EUM. */
#include "common/msg/bind_internal.h"

enum { QUANTITY_MAX = 100000, ORDERS_MAX = 8, BATCH_NAME_MAX = 64, EID_PREFIX = 18, FILE_NAME_MAX = 4096 };

static const struct bind_field order_fields[] = {
	OID(struct eum_profile_order, mno, "Mno-id"),
	OPT_IN(struct eum_profile_order, profile_type, "ProfileType", BIND_STRING, "String100", .max = 100),
	ROW(struct eum_profile_order, iccid_prefix, "IccidPrefix", BIND_PATTERN, "IccidPrefixType", .min = 2, .max = ICCID_MAX - 1),
	ROW(struct eum_profile_order, imsi_prefix, "ImsiPrefix", BIND_PATTERN, "DigitsType", .min = 1, .max = IMSI_MAX),
	ROW(struct eum_profile_order, msisdn_prefix, "MsisdnPrefix", BIND_PATTERN, "DigitsType", .min = 1, .max = MSISDN_MAX),
	BOOL(struct eum_profile_order, enabled, "Enabled"),
	ROW(struct eum_profile_order, memory, "Memory", BIND_INT, "xs:positiveInteger", .min = 1, .max = INT64_MAX),
	{ 0 },
};
static const struct bind_group order_group = { "ProfileOrderType", sizeof(struct eum_profile_order), order_fields };

static const struct bind_field create_rq_fields[] = {
	REQUEST_ROWS,
	ROW(struct eum_create_batch_rq, name, "Name", BIND_STRING, "BatchNameType", .min = 1, .max = BATCH_NAME_MAX),
	ROW(struct eum_create_batch_rq, quantity, "Quantity", BIND_INT, "QuantityType", .min = 1, .max = QUANTITY_MAX),
	OID(struct eum_create_batch_rq, smsr, "Smsr-id"),
	ROW(struct eum_create_batch_rq, eid_prefix, "EidPrefix", BIND_PATTERN, "DigitsType", .min = EID_PREFIX, .max = EID_PREFIX),
	STRING100(struct eum_create_batch_rq, platform_type, "PlatformType"),
	VERSION(struct eum_create_batch_rq, platform_version, "PlatformVersion"),
	ROW(struct eum_create_batch_rq, memory, "Memory", BIND_INT, "xs:positiveInteger", .min = 1, .max = INT64_MAX),
	BOOL(struct eum_create_batch_rq, http_support, "HttpSupport"),
	MANY_GROUP(struct eum_create_batch_rq, profiles, n_profiles, "Profile", order_group, 1, ORDERS_MAX),
	OPT_GROUP(struct eum_create_batch_rq, properties, "AdditionalProperties", properties_group),
	{ 0 },
};
static const struct bind_group create_rq_group = { NULL, sizeof(struct eum_create_batch_rq), create_rq_fields };
const struct bind_message eum_create_batch_request = { "EUM-CreateBatchRequest", BASE_REQUEST, &create_rq_group };

static const struct bind_field create_rs_fields[] = {
	RESPONSE_ROWS,
	OPT_IN(struct eum_create_batch_rs, batch, "Batch", BIND_STRING, "BatchNameType", .min = 1, .max = BATCH_NAME_MAX),
	{ 0 },
};
static const struct bind_group create_rs_group = { NULL, sizeof(struct eum_create_batch_rs), create_rs_fields };
const struct bind_message eum_create_batch_response = { "EUM-CreateBatchResponse", BASE_RESPONSE, &create_rs_group };

static const struct bind_field get_rq_fields[] = {
	REQUEST_ROWS,
	ROW(struct eum_get_batch_rq, batch, "Batch", BIND_STRING, "BatchNameType", .min = 1, .max = BATCH_NAME_MAX),
	{ 0 },
};
static const struct bind_group get_rq_group = { NULL, sizeof(struct eum_get_batch_rq), get_rq_fields };
const struct bind_message eum_get_batch_request = { "EUM-GetBatchRequest", BASE_REQUEST, &get_rq_group };

#define COUNT(m, n) ROW(struct eum_batch_info, m, n, BIND_INT, "xs:nonNegativeInteger", .max = INT64_MAX)
static const struct bind_field info_fields[] = {
	ROW(struct eum_batch_info, batch, "Batch", BIND_STRING, "BatchNameType", .min = 1, .max = BATCH_NAME_MAX),
	ROW(struct eum_batch_info, name, "Name", BIND_STRING, "BatchNameType", .min = 1, .max = BATCH_NAME_MAX),
	COUNT(quantity, "Quantity"),
	COUNT(made, "Made"),
	COUNT(submitted, "Submitted"),
	COUNT(registered, "Registered"),
	COUNT(refused, "Refused"),
	OPT_IN(struct eum_batch_info, file, "File", BIND_STRING, "xs:string", .max = FILE_NAME_MAX),
	{ 0 },
};
static const struct bind_group info_group = { "BatchInfoType", sizeof(struct eum_batch_info), info_fields };

static const struct bind_field get_rs_fields[] = {
	RESPONSE_ROWS,
	OPT_GROUP(struct eum_get_batch_rs, info, "BatchInfo", info_group),
	{ 0 },
};
static const struct bind_group get_rs_group = { NULL, sizeof(struct eum_get_batch_rs), get_rs_fields };
const struct bind_message eum_get_batch_response = { "EUM-GetBatchResponse", BASE_RESPONSE, &get_rs_group };

static const struct bind_field update_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct eum_update_properties_rq, eid, "Eid"),
	GROUP(struct eum_update_properties_rq, properties, "AdditionalProperties", properties_group),
	{ 0 },
};
static const struct bind_group update_rq_group = { NULL, sizeof(struct eum_update_properties_rq), update_rq_fields };
const struct bind_message eum_update_properties_request = { "EUM-UpdatePropertiesRequest", BASE_REQUEST, &update_rq_group };
const struct bind_message eum_update_properties_response = { "EUM-UpdatePropertiesResponse", BASE_RESPONSE, &plain_rs_group };

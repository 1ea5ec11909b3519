/* SPDX-License-Identifier: Apache-2.0 */
#include "common/msg/bind_internal.h"

static const char *const status_names[] = { "EXECUTED_SUCCESS", "EXECUTED_WITHWARNING", "FAILED", "EXPIRED", NULL };

static const struct bind_field status_code_fields[] = {
	ROW(struct status_code_data, subject, "Subject", BIND_PATTERN, "ObjectIdentifierType"),
	ROW(struct status_code_data, reason, "Reason", BIND_PATTERN, "ObjectIdentifierType"),
	OPT_IN(struct status_code_data, subject_id, "SubjectIdentifier", BIND_STRING, "xs:string"),
	OPT_IN(struct status_code_data, message, "Message", BIND_STRING, "xs:string"),
	{ 0 },
};
static const struct bind_group status_code_group = { "StatusCodeDataType", sizeof(struct status_code_data), status_code_fields };

static const struct bind_field execution_status_fields[] = {
	ROW(struct execution_status, status, "Status", BIND_ENUM, "StatusType", .names = status_names),
	OPT_GROUP(struct execution_status, code, "StatusCodeData", status_code_group),
	{ 0 },
};
const struct bind_group execution_status_group = { "ExecutionStatusType", sizeof(struct execution_status),
						   execution_status_fields };

static const struct bind_field request_fields[] = { REQUEST_ROWS, { 0 } };
const struct bind_group request_base_group = { "BaseRequestType", sizeof(struct request_base), request_fields };

static const struct bind_field response_fields[] = { RESPONSE_ROWS, { 0 } };
const struct bind_group response_base_group = { "BaseResponseType", sizeof(struct response_base), response_fields };
const struct bind_group plain_rs_group = { NULL, sizeof(struct plain_rs), response_fields };

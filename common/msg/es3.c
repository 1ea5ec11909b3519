/* SPDX-License-Identifier: Apache-2.0 */
/* ES3 requests and answers (wire.md 5.3). */
#include "common/msg/bind_internal.h"

const struct bind_message es3_get_eis_request = { "ES3-GetEISRequest", BASE_REQUEST, &get_eis_rq_group };
const struct bind_message es3_get_eis_response = { "ES3-GetEISResponse", BASE_RESPONSE, &get_eis_rs_group };
const struct bind_message es3_audit_eis_request = { "ES3-AuditEISRequest", BASE_REQUEST, &audit_rq_group };
const struct bind_message es3_audit_eis_response = { "ES3-AuditEISResponse", BASE_RESPONSE, &audit_rs_group };
const struct bind_message es3_enable_profile_request = { "ES3-EnableProfileRequest", BASE_REQUEST, &profile_rq_group };
const struct bind_message es3_enable_profile_response = { "ES3-EnableProfileResponse", BASE_RESPONSE, &card_rs_group };
const struct bind_message es3_disable_profile_request = { "ES3-DisableProfileRequest", BASE_REQUEST, &profile_rq_group };
const struct bind_message es3_disable_profile_response = { "ES3-DisableProfileResponse", BASE_RESPONSE, &card_rs_group };
const struct bind_message es3_delete_isdp_request = { "ES3-DeleteISDPRequest", BASE_REQUEST, &profile_rq_group };
const struct bind_message es3_delete_isdp_response = { "ES3-DeleteISDPResponse", BASE_RESPONSE, &card_rs_group };
const struct bind_message es3_update_subscription_address_request = { "ES3-UpdateSubscriptionAddressRequest", BASE_REQUEST,
								      &address_rq_group };
const struct bind_message es3_update_subscription_address_response = { "ES3-UpdateSubscriptionAddressResponse", BASE_RESPONSE,
								       &plain_rs_group };

static const struct bind_field create_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct es3_create_isdp_rq, eid, "Eid"),
	ICCID(struct es3_create_isdp_rq, iccid, "Iccid"),
	OID(struct es3_create_isdp_rq, mno, "Mno-id"),
	ROW(struct es3_create_isdp_rq, required_memory, "RequiredMemory", BIND_INT, "xs:integer", .max = INT64_MAX),
	OPT(struct es3_create_isdp_rq, more_to_do, "MoreToDo", BIND_BOOL, "xs:boolean"),
	{ 0 },
};
static const struct bind_group create_rq_group = { NULL, sizeof(struct es3_create_isdp_rq), create_rq_fields };
const struct bind_message es3_create_isdp_request = { "ES3-CreateISDPRequest", BASE_REQUEST, &create_rq_group };

static const struct bind_field create_rs_fields[] = {
	RESPONSE_ROWS,
	ROW(struct es3_create_isdp_rs, isdp_aid, "Isd-p-aid", BIND_AID, "AIDType", .flags = BIND_FORCED),
	OPT_IN(struct es3_create_isdp_rs, euicc_response_data, "EuiccResponseData", BIND_HEX, "xs:hexBinary"),
	{ 0 },
};
static const struct bind_group create_rs_group = { NULL, sizeof(struct es3_create_isdp_rs), create_rs_fields };
const struct bind_message es3_create_isdp_response = { "ES3-CreateISDPResponse", BASE_RESPONSE, &create_rs_group };

/* Commands and answers are ciphertext of the profile, or what its keys are made of: none of it belongs into a journal. */
static const struct bind_field send_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct es3_send_data_rq, eid, "Eid"),
	AID(struct es3_send_data_rq, sd_aid, "Sd-aid"),
	ROW(struct es3_send_data_rq, data, "Data", BIND_HEX, "xs:hexBinary", .flags = BIND_SECRET, .min = 1, .max = SEND_DATA_MAX),
	OPT(struct es3_send_data_rq, more_to_do, "MoreToDo", BIND_BOOL, "xs:boolean"),
	{ 0 },
};
static const struct bind_group send_rq_group = { NULL, sizeof(struct es3_send_data_rq), send_rq_fields };
const struct bind_message es3_send_data_request = { "ES3-SendDataRequest", BASE_REQUEST, &send_rq_group };

static const struct bind_field send_rs_fields[] = {
	RESPONSE_ROWS,
	ROW(struct es3_send_data_rs, euicc_response_data, "EuiccResponseData", BIND_HEX, "xs:hexBinary",
	    .flags = BIND_OPTIONAL | BIND_SECRET),
	{ 0 },
};
static const struct bind_group send_rs_group = { NULL, sizeof(struct es3_send_data_rs), send_rs_fields };
const struct bind_message es3_send_data_response = { "ES3-SendDataResponse", BASE_RESPONSE, &send_rs_group };

static const struct bind_field completed_fields[] = {
	REQUEST_ROWS,
	EID(struct es3_profile_download_completed_rq, eid, "Eid"),
	ICCID(struct es3_profile_download_completed_rq, iccid, "Iccid"),
	PROFILE_TYPE(struct es3_profile_download_completed_rq, profile_type),
	OPT_GROUP(struct es3_profile_download_completed_rq, address, "SubscriptionAddress", address_group),
	OPT_GROUP(struct es3_profile_download_completed_rq, pol2, "pol2", pol2_group),
	{ 0 },
};
static const struct bind_group completed_group = { NULL, sizeof(struct es3_profile_download_completed_rq), completed_fields };
const struct bind_message es3_profile_download_completed_request = { "ES3-ProfileDownloadCompletedRequest", BASE_REQUEST,
								     &completed_group };
const struct bind_message es3_profile_download_completed_response = { "ES3-ProfileDownloadCompletedResponse", BASE_RESPONSE,
								      &plain_rs_group };

static const struct bind_field policy_fields[] = {
	REQUEST_ROWS,
	EID(struct es3_update_policy_rules_rq, eid, "Eid"),
	ICCID(struct es3_update_policy_rules_rq, iccid, "Iccid"),
	OPT_GROUP(struct es3_update_policy_rules_rq, pol2, "pol2", pol2_group),
	{ 0 },
};
static const struct bind_group policy_group = { NULL, sizeof(struct es3_update_policy_rules_rq), policy_fields };
const struct bind_message es3_update_policy_rules_request = { "ES3-UpdatePolicyRulesRequest", BASE_REQUEST, &policy_group };
const struct bind_message es3_update_policy_rules_response = { "ES3-UpdatePolicyRulesResponse", BASE_RESPONSE, &plain_rs_group };

static const struct bind_field connectivity_fields[] = {
	REQUEST_ROWS,
	EID(struct es3_update_connectivity_parameters_rq, eid, "Eid"),
	ICCID(struct es3_update_connectivity_parameters_rq, iccid, "Iccid"),
	ROW(struct es3_update_connectivity_parameters_rq, parameters, "ConnectivityParameters", BIND_HEX, "xs:hexBinary",
	    .flags = BIND_SECRET, .min = 1),
	{ 0 },
};
static const struct bind_group connectivity_group = { NULL, sizeof(struct es3_update_connectivity_parameters_rq),
						      connectivity_fields };
const struct bind_message es3_update_connectivity_parameters_request = { "ES3-UpdateConnectivityParametersRequest", BASE_REQUEST,
									 &connectivity_group };
const struct bind_message es3_update_connectivity_parameters_response = { "ES3-UpdateConnectivityParametersResponse", BASE_RESPONSE,
									  &card_rs_group };

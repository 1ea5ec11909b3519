/* SPDX-License-Identifier: Apache-2.0 */
/* ES2 requests and answers (wire.md 5.2). Where Smsr-id stands and how it is spelt differs from message to message. */
#include "common/msg/bind_internal.h"

static const struct bind_field get_eis_fields[] = {
	REQUEST_ROWS,
	EID(struct es2_get_eis_rq, es3.eid, "Eid"),
	SMSR(struct es2_get_eis_rq, smsr),
	{ 0 },
};
static const struct bind_group get_eis_group = { NULL, sizeof(struct es2_get_eis_rq), get_eis_fields };
const struct bind_message es2_get_eis_request = { "ES2-GetEISRequest", BASE_REQUEST, &get_eis_group };
const struct bind_message es2_get_eis_response = { "ES2-GetEISResponse", BASE_RESPONSE, &get_eis_rs_group };

static const struct bind_field download_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct es2_download_profile_rq, eid, "Eid"),
	SMSR_RARE(struct es2_download_profile_rq, smsr),
	PROFILE_TYPE(struct es2_download_profile_rq, profile_type),
	OPT(struct es2_download_profile_rq, iccid, "Iccid", BIND_ICCID, "ICCIDType"),
	BOOL(struct es2_download_profile_rq, enable, "EnableProfile"),
	{ 0 },
};
static const struct bind_group download_rq_group = { NULL, sizeof(struct es2_download_profile_rq), download_rq_fields };
const struct bind_message es2_download_profile_request = { "ES2-DownloadProfileRequest", BASE_REQUEST, &download_rq_group };

static const struct bind_field download_rs_fields[] = {
	RESPONSE_ROWS,
	OPT(struct es2_download_profile_rs, iccid, "Iccid", BIND_ICCID, "ICCIDType"),
	{ 0 },
};
static const struct bind_group download_rs_group = { NULL, sizeof(struct es2_download_profile_rs), download_rs_fields };
const struct bind_message es2_download_profile_response = { "ES2-DownloadProfileResponse", BASE_RESPONSE, &download_rs_group };

static const struct bind_field policy_fields[] = {
	REQUEST_ROWS,
	EID(struct es2_update_policy_rules_rq, es3.eid, "Eid"),
	ICCID(struct es2_update_policy_rules_rq, es3.iccid, "Iccid"),
	SMSR(struct es2_update_policy_rules_rq, smsr),
	OPT_GROUP(struct es2_update_policy_rules_rq, es3.pol2, "pol2", pol2_group),
	{ 0 },
};
static const struct bind_group policy_group = { NULL, sizeof(struct es2_update_policy_rules_rq), policy_fields };
const struct bind_message es2_update_policy_rules_request = { "ES2-UpdatePolicyRulesRequest", BASE_REQUEST, &policy_group };
const struct bind_message es2_update_policy_rules_response = { "ES2-UpdatePolicyRulesResponse", BASE_RESPONSE, &plain_rs_group };

static const struct bind_field new_address_fields[] = {
	REQUEST_ROWS,
	EID(struct es2_update_subscription_address_rq, es3.eid, "Eid"),
	SMSR(struct es2_update_subscription_address_rq, smsr),
	ICCID(struct es2_update_subscription_address_rq, es3.iccid, "Iccid"),
	GROUP(struct es2_update_subscription_address_rq, es3.address, "newSubscriptionAddress", address_group),
	{ 0 },
};
static const struct bind_group new_address_group = { NULL, sizeof(struct es2_update_subscription_address_rq), new_address_fields };
const struct bind_message es2_update_subscription_address_request = { "ES2-UpdateSubscriptionAddressRequest", BASE_REQUEST,
								      &new_address_group };
const struct bind_message es2_update_subscription_address_response = { "ES2-UpdateSubscriptionAddressResponse", BASE_RESPONSE,
								       &plain_rs_group };

static const struct bind_field enable_fields[] = {
	REQUEST_ROWS,
	EID(struct es2_profile_rq, es3.eid, "Eid"),
	SMSR_RARE(struct es2_profile_rq, smsr),
	ICCID(struct es2_profile_rq, es3.iccid, "Iccid"),
	{ 0 },
};
static const struct bind_group enable_group = { NULL, sizeof(struct es2_profile_rq), enable_fields };
const struct bind_message es2_enable_profile_request = { "ES2-EnableProfileRequest", BASE_REQUEST, &enable_group };
const struct bind_message es2_enable_profile_response = { "ES2-EnableProfileResponse", BASE_RESPONSE, &plain_rs_group };

static const struct bind_field disable_fields[] = {
	REQUEST_ROWS,
	EID(struct es2_profile_rq, es3.eid, "Eid"),
	SMSR(struct es2_profile_rq, smsr),
	ICCID(struct es2_profile_rq, es3.iccid, "Iccid"),
	{ 0 },
};
static const struct bind_group disable_group = { NULL, sizeof(struct es2_profile_rq), disable_fields };
const struct bind_message es2_disable_profile_request = { "ES2-DisableProfileRequest", BASE_REQUEST, &disable_group };
const struct bind_message es2_disable_profile_response = { "ES2-DisableProfileResponse", BASE_RESPONSE, &plain_rs_group };

static const struct bind_field delete_fields[] = {
	REQUEST_ROWS,
	EID(struct es2_profile_rq, es3.eid, "Eid"),
	ICCID(struct es2_profile_rq, es3.iccid, "Iccid"),
	SMSR(struct es2_profile_rq, smsr),
	{ 0 },
};
static const struct bind_group delete_group = { NULL, sizeof(struct es2_profile_rq), delete_fields };
const struct bind_message es2_delete_profile_request = { "ES2-DeleteProfileRequest", BASE_REQUEST, &delete_group };
const struct bind_message es2_delete_profile_response = { "ES2-DeleteProfileResponse", BASE_RESPONSE, &plain_rs_group };

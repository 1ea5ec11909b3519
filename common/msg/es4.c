/* SPDX-License-Identifier: Apache-2.0 */
#include "common/msg/bind_internal.h"

static const struct bind_field get_eis_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct es4_get_eis_rq, eid, "Eid"),
	{ 0 },
};
const struct bind_group get_eis_rq_group = { NULL, sizeof(struct es4_get_eis_rq), get_eis_rq_fields };
const struct bind_message es4_get_eis_request = { "ES4-GetEISRequest", BASE_REQUEST, &get_eis_rq_group };

static const struct bind_field get_eis_rs_fields[] = {
	RESPONSE_ROWS,
	OPT_GROUP(struct es4_get_eis_rs, eis, "Eis", eis_group),
	{ 0 },
};
const struct bind_group get_eis_rs_group = { NULL, sizeof(struct es4_get_eis_rs), get_eis_rs_fields };
const struct bind_message es4_get_eis_response = { "ES4-GetEISResponse", BASE_RESPONSE, &get_eis_rs_group };

static const struct bind_field policy_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct es4_update_policy_rules_rq, eid, "Eid"),
	ICCID(struct es4_update_policy_rules_rq, iccid, "Iccid"),
	GROUP(struct es4_update_policy_rules_rq, pol2, "pol2", pol2_group),
	{ 0 },
};
static const struct bind_group policy_rq_group = { NULL, sizeof(struct es4_update_policy_rules_rq), policy_rq_fields };
const struct bind_message es4_update_policy_rules_request = { "ES4-UpdatePolicyRulesRequest", BASE_REQUEST, &policy_rq_group };
const struct bind_message es4_update_policy_rules_response = { "ES4-UpdatePolicyRulesResponse", BASE_RESPONSE, &plain_rs_group };

static const struct bind_field address_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct es4_update_subscription_address_rq, eid, "Eid"),
	ICCID(struct es4_update_subscription_address_rq, iccid, "Iccid"),
	GROUP(struct es4_update_subscription_address_rq, address, "newSubscriptionAddress", address_group),
	{ 0 },
};
const struct bind_group address_rq_group = { NULL, sizeof(struct es4_update_subscription_address_rq), address_rq_fields };
const struct bind_message es4_update_subscription_address_request = { "ES4-UpdateSubscriptionAddressRequest", BASE_REQUEST,
								      &address_rq_group };
const struct bind_message es4_update_subscription_address_response = { "ES4-UpdateSubscriptionAddressResponse", BASE_RESPONSE,
								       &plain_rs_group };

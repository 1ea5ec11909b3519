/* SPDX-License-Identifier: Apache-2.0 */
/* ES4 functions that need the card (wire.md 5.4). ES3 has the same bodies. */
#include "common/msg/bind_internal.h"

static const struct bind_field profile_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct es4_profile_rq, eid, "Eid"),
	ICCID(struct es4_profile_rq, iccid, "Iccid"),
	{ 0 },
};
const struct bind_group profile_rq_group = { NULL, sizeof(struct es4_profile_rq), profile_rq_fields };
const struct bind_message es4_enable_profile_request = { "ES4-EnableProfileRequest", BASE_REQUEST, &profile_rq_group };

const struct bind_message es4_disable_profile_request = { "ES4-DisableProfileRequest", BASE_REQUEST, &profile_rq_group };
const struct bind_message es4_delete_profile_request = { "ES4-DeleteProfileRequest", BASE_REQUEST, &profile_rq_group };

static const struct bind_field card_rs_fields[] = {
	RESPONSE_ROWS,
	OPT_IN(struct card_rs, euicc_response_data, "EuiccResponseData", BIND_HEX, "xs:hexBinary"),
	{ 0 },
};
const struct bind_group card_rs_group = { NULL, sizeof(struct card_rs), card_rs_fields };
const struct bind_message es4_enable_profile_response = { "ES4-EnableProfileResponse", BASE_RESPONSE, &card_rs_group };

const struct bind_message es4_disable_profile_response = { "ES4-DisableProfileResponse", BASE_RESPONSE, &card_rs_group };
const struct bind_message es4_delete_profile_response = { "ES4-DeleteProfileResponse", BASE_RESPONSE, &card_rs_group };

static const struct bind_field audit_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct es4_audit_eis_rq, eid, "Eid"),
	MANY(struct es4_audit_eis_rq, iccids, n_iccids, "Iccid", BIND_ICCID, "ICCIDType", 0, 0),
	{ 0 },
};
const struct bind_group audit_rq_group = { NULL, sizeof(struct es4_audit_eis_rq), audit_rq_fields };
const struct bind_message es4_audit_eis_request = { "ES4-AuditEISRequest", BASE_REQUEST, &audit_rq_group };

static const struct bind_field audit_rs_fields[] = {
	RESPONSE_ROWS,
	OPT_GROUP(struct es4_audit_eis_rs, eis, "Eis", eis_group),
	{ 0 },
};
const struct bind_group audit_rs_group = { NULL, sizeof(struct es4_audit_eis_rs), audit_rs_fields };
const struct bind_message es4_audit_eis_response = { "ES4-AuditEISResponse", BASE_RESPONSE, &audit_rs_group };

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/msg/bind_internal.h"

static const struct bind_field register_eis_rq_fields[] = {
	REQUEST_ROWS,
	GROUP(struct es1_register_eis_rq, eis, "Eis", eis_group),
	{ 0 },
};
static const struct bind_group register_eis_rq_group = { NULL, sizeof(struct es1_register_eis_rq), register_eis_rq_fields };
const struct bind_message es1_register_eis_request = { "ES1-RegisterEISRequest", BASE_REQUEST, &register_eis_rq_group };
const struct bind_message es1_register_eis_response = { "ES1-RegisterEISResponse", BASE_RESPONSE, &plain_rs_group };

static const struct bind_field update_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct es1_update_properties_rq, eid, "Eid"),
	GROUP(struct es1_update_properties_rq, properties, "AdditionalProperties", properties_group),
	{ 0 },
};
static const struct bind_group update_rq_group = { NULL, sizeof(struct es1_update_properties_rq), update_rq_fields };
const struct bind_message es1_update_properties_request = { "ES1-UpdateEISAdditionalPropertiesRequest", BASE_REQUEST,
							    &update_rq_group };
const struct bind_message es1_update_properties_response = { "ES1-UpdateEISAdditionalPropertiesResponse", BASE_RESPONSE,
							     &plain_rs_group };

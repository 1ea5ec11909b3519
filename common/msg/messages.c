/* SPDX-License-Identifier: Apache-2.0 */
#include "common/msg/bind_internal.h"

static const struct {
	const struct bind_message *request, *response;
} tables[FN_COUNT] = {
	[FN_ES1_RegisterEIS] = { &es1_register_eis_request, &es1_register_eis_response },
	[FN_ES1_UpdateEISAdditionalProperties] = { &es1_update_properties_request, &es1_update_properties_response },
	[FN_ES4_GetEIS] = { &es4_get_eis_request, &es4_get_eis_response },
	[FN_ES4_EnableProfile] = { &es4_enable_profile_request, &es4_enable_profile_response },
	[FN_ES4_DisableProfile] = { &es4_disable_profile_request, &es4_disable_profile_response },
	[FN_ES4_DeleteProfile] = { &es4_delete_profile_request, &es4_delete_profile_response },
	[FN_ES4_UpdatePolicyRules] = { &es4_update_policy_rules_request, &es4_update_policy_rules_response },
	[FN_ES4_UpdateSubscriptionAddress] = { &es4_update_subscription_address_request, &es4_update_subscription_address_response },
	[FN_ES4_AuditEIS] = { &es4_audit_eis_request, &es4_audit_eis_response },
	[FN_ES4_HandleProfileEnabledNotification] = { &es4_profile_enabled_notification, NULL },
	[FN_ES4_HandleProfileDisabledNotification] = { &es4_profile_disabled_notification, NULL },
	[FN_ES4_HandleProfileDeletedNotification] = { &es4_profile_deleted_notification, NULL },
	[FN_EUM_CreateBatch] = { &eum_create_batch_request, &eum_create_batch_response },
	[FN_EUM_GetBatch] = { &eum_get_batch_request, &eum_get_batch_response },
	[FN_EUM_UpdateProperties] = { &eum_update_properties_request, &eum_update_properties_response },
};

const struct bind_message *message_request(enum function_id id)
{
	return tables[id].request;
}

const struct bind_message *message_response(enum function_id id)
{
	return tables[id].response;
}

const struct bind_message *message_bare_response(struct arena *a, const struct function *f)
{
	struct bind_message *m = ARENA_NEW(a, struct bind_message);

	*m = (struct bind_message){ arena_printf(a, "%sResponse", f->wire), BASE_RESPONSE, &plain_rs_group };
	return m;
}

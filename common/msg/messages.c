/* SPDX-License-Identifier: Apache-2.0 */
#include "common/msg/bind_internal.h"

static const struct {
	const struct bind_message *request, *response;
} tables[FN_COUNT] = {
	[FN_ES1_RegisterEIS] = { &es1_register_eis_request, &es1_register_eis_response },
	[FN_ES1_UpdateEISAdditionalProperties] = { &es1_update_properties_request, &es1_update_properties_response },
	[FN_ES2_GetEIS] = { &es2_get_eis_request, &es2_get_eis_response },
	[FN_ES2_DownloadProfile] = { &es2_download_profile_request, &es2_download_profile_response },
	[FN_ES2_UpdatePolicyRules] = { &es2_update_policy_rules_request, &es2_update_policy_rules_response },
	[FN_ES2_UpdateSubscriptionAddress] = { &es2_update_subscription_address_request,
					       &es2_update_subscription_address_response },
	[FN_ES2_EnableProfile] = { &es2_enable_profile_request, &es2_enable_profile_response },
	[FN_ES2_DisableProfile] = { &es2_disable_profile_request, &es2_disable_profile_response },
	[FN_ES2_DeleteProfile] = { &es2_delete_profile_request, &es2_delete_profile_response },
	[FN_ES2_AuditEIS] = { &es2_audit_eis_request, &es2_audit_eis_response },
	[FN_ES3_GetEIS] = { &es3_get_eis_request, &es3_get_eis_response },
	[FN_ES3_CreateISDP] = { &es3_create_isdp_request, &es3_create_isdp_response },
	[FN_ES3_SendData] = { &es3_send_data_request, &es3_send_data_response },
	[FN_ES3_ProfileDownloadCompleted] = { &es3_profile_download_completed_request, &es3_profile_download_completed_response },
	[FN_ES3_EnableProfile] = { &es3_enable_profile_request, &es3_enable_profile_response },
	[FN_ES3_DisableProfile] = { &es3_disable_profile_request, &es3_disable_profile_response },
	[FN_ES3_DeleteISDP] = { &es3_delete_isdp_request, &es3_delete_isdp_response },
	[FN_ES3_UpdatePolicyRules] = { &es3_update_policy_rules_request, &es3_update_policy_rules_response },
	[FN_ES3_UpdateSubscriptionAddress] = { &es3_update_subscription_address_request,
					       &es3_update_subscription_address_response },
	[FN_ES3_AuditEIS] = { &es3_audit_eis_request, &es3_audit_eis_response },
	[FN_ES3_UpdateConnectivityParameters] = { &es3_update_connectivity_parameters_request,
						  &es3_update_connectivity_parameters_response },
	[FN_ES4_GetEIS] = { &es4_get_eis_request, &es4_get_eis_response },
	[FN_ES4_EnableProfile] = { &es4_enable_profile_request, &es4_enable_profile_response },
	[FN_ES4_DisableProfile] = { &es4_disable_profile_request, &es4_disable_profile_response },
	[FN_ES4_DeleteProfile] = { &es4_delete_profile_request, &es4_delete_profile_response },
	[FN_ES4_UpdatePolicyRules] = { &es4_update_policy_rules_request, &es4_update_policy_rules_response },
	[FN_ES4_UpdateSubscriptionAddress] = { &es4_update_subscription_address_request, &es4_update_subscription_address_response },
	[FN_ES4_AuditEIS] = { &es4_audit_eis_request, &es4_audit_eis_response },
	[FN_ES4_PrepareSMSRChange] = { &es4_prepare_smsr_change_request, &es4_prepare_smsr_change_response },
	[FN_ES4_SMSRChange] = { &es4_smsr_change_request, &es4_smsr_change_response },
	[FN_ES7_HandoverEUICC] = { &es7_handover_euicc_request, &es7_handover_euicc_response },
	[FN_ES7_AuthenticateSMSR] = { &es7_authenticate_smsr_request, &es7_authenticate_smsr_response },
	[FN_ES7_CreateAdditionalKeySet] = { &es7_create_additional_keyset_request, &es7_create_additional_keyset_response },
#define TOLD(function, name)                                                            \
	[FN_ES2_Handle##function##Notification] = { &es2_##name##_notification, NULL }, \
	[FN_ES3_Handle##function##Notification] = { &es3_##name##_notification, NULL }, \
	[FN_ES4_Handle##function##Notification] = { &es4_##name##_notification, NULL }
	TOLD(ProfileEnabled, profile_enabled),
	TOLD(ProfileDisabled, profile_disabled),
	TOLD(ProfileDeleted, profile_deleted),
	TOLD(ProfileDownloaded, profile_downloaded),
	TOLD(ProfilePOL2Updated, pol2_updated),
	TOLD(SMSRChange, smsr_change),
	TOLD(EmergencyProfileAttributeSet, emergency_set),
	TOLD(EmergencyProfileAttributeUnset, emergency_unset),
	TOLD(FallBackAttributeSet, fallback_set),
	TOLD(FallBackAttributeUnset, fallback_unset),
#undef TOLD
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

/* SPDX-License-Identifier: Apache-2.0 */
/* What this sm-sr serves; every other row of proto/functions.def is answered 1.6/3.1 by the pipeline. */
#include "services/sm-sr/functions.h"

#include "services/sm-sr/procedures.h"
#include "services/sm-sr/smsr_change.h"

const struct served smsr_served[] = {
	{ FN_ES1_RegisterEIS, &es1_register_eis_load, es1_register_eis, es1_register_eis_committed },
	SERVE(ES1, UpdateEISAdditionalProperties, &es1_update_properties_load, es1_update_eis_additional_properties),
	SERVE(ES3, GetEIS, &es4_get_eis_load, es4_get_eis),
	{ FN_ES3_CreateISDP, &es3_create_isdp_load, es3_create_isdp, es4_procedure_committed },
	{ FN_ES3_SendData, &es3_send_data_load, es3_send_data, es4_procedure_committed },
	{ FN_ES3_ProfileDownloadCompleted, &es3_profile_download_completed_load, es3_profile_download_completed,
	  es3_profile_download_completed_committed },
	{ FN_ES3_UpdateConnectivityParameters, &es3_update_connectivity_parameters_load, es3_update_connectivity_parameters,
	  es4_procedure_committed },
	SERVE(ES3, UpdatePolicyRules, &es3_update_policy_rules_load, es3_update_policy_rules),
	SERVE(ES3, UpdateSubscriptionAddress, &es4_update_subscription_address_load, es4_update_subscription_address),
	{ FN_ES3_EnableProfile, &es4_profile_load, es4_enable_profile, es4_procedure_committed },
	{ FN_ES3_DisableProfile, &es4_profile_load, es4_disable_profile, es4_procedure_committed },
	{ FN_ES3_DeleteISDP, &es4_profile_load, es4_delete_profile, es4_procedure_committed },
	{ FN_ES3_AuditEIS, &es4_audit_eis_load, es4_audit_eis, es4_procedure_committed },
	SERVE(ES4, GetEIS, &es4_get_eis_load, es4_get_eis),
	SERVE(ES4, UpdatePolicyRules, &es4_update_policy_rules_load, es4_update_policy_rules),
	SERVE(ES4, UpdateSubscriptionAddress, &es4_update_subscription_address_load, es4_update_subscription_address),
	{ FN_ES4_EnableProfile, &es4_profile_load, es4_enable_profile, es4_procedure_committed },
	{ FN_ES4_DisableProfile, &es4_profile_load, es4_disable_profile, es4_procedure_committed },
	{ FN_ES4_DeleteProfile, &es4_profile_load, es4_delete_profile, es4_procedure_committed },
	{ FN_ES4_AuditEIS, &es4_audit_eis_load, es4_audit_eis, es4_procedure_committed },
	SERVE(ES4, PrepareSMSRChange, &es4_prepare_smsr_change_load, es4_prepare_smsr_change),
	{ FN_ES4_SMSRChange, &es4_smsr_change_load, es4_smsr_change, es4_procedure_committed },
};
const size_t smsr_served_count = LEN(smsr_served);

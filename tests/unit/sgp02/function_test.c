/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/function.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/cleanup.h"

static const char *used_name(const char *root, enum function_id id)
{
	const char *name = NULL;
	const struct function *f = function_by_root(root, &name);

	cr_assert(f && f->id == id, "%s", root);
	return name;
}

Test(function, an_alias_is_found_and_can_be_told)
{
	cr_assert_str_eq(used_name("ES4-GetEISRequest", FN_ES4_GetEIS), "GetEIS");
	cr_assert_str_eq(used_name("ES4-GetEUICCInfoRequest", FN_ES4_GetEIS), "GetEUICCInfo");
	cr_assert_str_eq(used_name("ES3-DownloadProfileRequest", FN_ES3_SendData), "DownloadProfile");
	cr_assert_str_eq(used_name("ES3-EstablishISDPKeySetRequest", FN_ES3_SendData), "EstablishISDPKeySet");
	cr_assert_str_eq(used_name("ES2-DownloadProfileRequest", FN_ES2_DownloadProfile), "DownloadProfile");
	cr_assert_str_eq(used_name("ES7-AuthenticateSM-SRRequest", FN_ES7_AuthenticateSMSR), "AuthenticateSM-SR");
	cr_assert_str_eq(used_name("ES7-AuthenticateSMSRRequest", FN_ES7_AuthenticateSMSR), "AuthenticateSMSR");
	cr_assert_str_eq(used_name("ES7-AuthenticateSMSRequest", FN_ES7_AuthenticateSMSR), "AuthenticateSMSR");
	cr_assert_str_eq(used_name("ES4A-SetPLMARequest", FN_ES4A_SetPLMA), "SetPLMA");
	cr_assert_str_eq(used_name("ES2-HandleProfileEnabledNotification", FN_ES2_HandleProfileEnabledNotification),
			 "HandleProfileEnabledNotification");
}

Test(function, roots_that_are_none)
{
	static const char *const bad[] = { "",
					   "-",
					   "ES4",
					   "ES4-",
					   "ES4-Request",
					   "ES4-GetEIS",
					   "ES4-GetEISResponse",
					   "es4-GetEISRequest",
					   "ES4-geteisRequest",
					   "ES5-GetEISRequest",
					   "ES4-SetPLMARequest",
					   "ES2-HandleProfileEnabledNotificationRequest",
					   "ES4-EnableProfileNotification",
					   "GetEISRequest" };
	const char *name = NULL;

	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert_null(function_by_root(bad[i], &name), "%s", bad[i]);
	cr_assert_null(name);
}

Test(function, responses_and_urls)
{
	cr_assert_eq(function_by_response_root("ES4-GetEISResponse")->id, FN_ES4_GetEIS);
	cr_assert_null(function_by_response_root("ES4-GetEISRequest"));
	cr_assert_null(function_by_response_root("ES4-HandleProfileEnabledNotificationResponse"));
	cr_assert_eq(function_by_url("es4", "GetEUICCInfo")->id, FN_ES4_GetEIS);
	cr_assert_eq(function_by_url("eS4a", "SetAuthorisationsOfM2MSP")->id, FN_ES4A_SetPLMA);
	cr_assert_eq(function_by_url("es7", "AuthenticateSM-SR")->id, FN_ES7_AuthenticateSMSR);
	cr_assert_null(function_by_url("es7", "ES7-AuthenticateSMSRequest"), "a typo of a root is no name");
	cr_assert_null(function_by_url("es4", "getEIS"));
	cr_assert_null(function_by_url("", ""));
}

Test(function, roles_have_names_both_ways)
{
	enum role role;

	for (unsigned bit = ROLE_EUM; bit <= ROLE_SM_SR; bit <<= 1)
		cr_assert(role_parse(role_name((enum role)bit), &role) && role == bit);
	cr_assert(!role_parse("smsr", &role));
	cr_assert_str_eq(role_name(ROLE_M2M_SP), "m2m-sp");
	cr_assert_str_eq(iface_name(IF_ES4A), "ES4A");
	cr_assert_str_eq(group_name(GROUP_eUICCManagement), "eUICCManagement");
}

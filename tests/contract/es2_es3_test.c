/* SPDX-License-Identifier: Apache-2.0 */
/* ES2 and ES3: the quirks of wire.md 10 on messages as peers write them. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/contract/peer.h"

#define ICCID "<rps:Iccid>8933010000000000028F</rps:Iccid>"
#define TOLD_OF "<rps:Eid>" EID "</rps:Eid>" ICCID
#define TIME_TEXT "2026-01-15T09:30:00Z"
#define TIME_US INT64_C(1768469400000000)

TestSuite(es2, .init = peer_start, .fini = peer_stop);
TestSuite(es3, .init = peer_start, .fini = peer_stop);

Test(es2, a_delete_copied_by_its_prefix_says_the_same_on_es3)
{
	struct es2_profile_rq rq;

	take("ES2-DeleteProfileRequest", CARD ICCID "<rps:Smsr-id>1.2.3</rps:Smsr-id>", &rq);
	cr_assert_str_eq(written(message_request(FN_ES3_DeleteISDP), &rq.es3, BIND_PLAIN),
			 "<rps:ES3-DeleteISDPRequest>" CARD
			 "<rps:Iccid>8933010000000000028</rps:Iccid></rps:ES3-DeleteISDPRequest>");
}

Test(es2, both_spellings_of_smsr_id_are_read_and_each_message_writes_its_own)
{
	static const struct {
		const char *root, *before, *after, *spelling;
	} messages[] = {
		{ "ES2-GetEISRequest", CARD, "", "Smsr-id" },
		{ "ES2-EnableProfileRequest", CARD, ICCID, "SmSr-id" },
		{ "ES2-DisableProfileRequest", CARD, ICCID, "Smsr-id" },
		{ "ES2-DeleteProfileRequest", CARD ICCID, "", "Smsr-id" },
		{ "ES2-AuditEISRequest", CARD, ICCID ICCID, "Smsr-id" },
		{ "ES2-UpdatePolicyRulesRequest", CARD ICCID, "<rps:pol2/>", "Smsr-id" },
		{ "ES2-UpdateSubscriptionAddressRequest", CARD, ICCID "<rps:newSubscriptionAddress/>", "Smsr-id" },
		{ "ES2-DownloadProfileRequest", CARD, "<rps:EnableProfile>0</rps:EnableProfile>", "SmSr-id" },
	};
	static const char *const spellings[] = { "Smsr-id", "SmSr-id" };

	for (size_t i = 0; i < LEN(messages); i++) {
		const char *root = messages[i].root, *name;
		const struct bind_message *m = message_request(function_by_root(root, &name)->id);

		for (size_t s = 0; s < LEN(spellings); s++) {
			const char *content = arena_printf(a, "%s<rps:%s>1.2.3</rps:%s>%s", messages[i].before, spellings[s],
							   spellings[s], messages[i].after);
			void *out = arena_alloc(a, m->group->size);
			result r = decode(root, content, out);

			cr_assert(r == OK, "%s: %s", root, r ? r->message : "");
			cr_assert_eq(valid(root, content), !strcmp(spellings[s], messages[i].spelling), "%s", content);
			cr_assert(strstr(written(m, out, BIND_PLAIN), arena_printf(a, "<rps:%s>1.2.3<", messages[i].spelling)),
				  "%s", root);
		}
		refused(root, arena_printf(a, "%s%s", messages[i].before, messages[i].after), CODE_PARAM_MISSING,
			messages[i].spelling, arena_printf(a, "%s: missing", messages[i].spelling));
	}
}

Test(es2, a_download_names_a_type_or_an_iccid_or_both)
{
	struct es2_download_profile_rq rq;

	take("ES2-DownloadProfileRequest",
	     CARD
	     "<rps:SmSr-id>1.2.3</rps:SmSr-id><rps:ProfileType>basic</rps:ProfileType><rps:EnableProfile>1</rps:EnableProfile>",
	     &rq);
	cr_assert_str_eq(rq.smsr.text, "1.2.3");
	cr_assert_str_eq(rq.profile_type, "basic");
	cr_assert(rq.enable && !rq.iccid && !rq.base.validity_s);
	take("ES2-DownloadProfileRequest",
	     CARD "<rps:SmSr-id>1.2.3</rps:SmSr-id>" ICCID "<rps:EnableProfile>false</rps:EnableProfile>", &rq);
	cr_assert(!rq.profile_type && !rq.enable);
	cr_assert_str_eq(rq.iccid->text, "8933010000000000028", "padding is dropped");
	refused("ES2-DownloadProfileRequest", CARD "<rps:SmSr-id>1.2.3</rps:SmSr-id>" ICCID, CODE_PARAM_MISSING, "EnableProfile",
		"EnableProfile: missing");
	refused("ES2-DownloadProfileRequest",
		arena_printf(a, CARD "<rps:SmSr-id>1.2.3</rps:SmSr-id><rps:ProfileType>%0101d</rps:ProfileType>", 0),
		CODE_PARAM_INVALID, "ProfileType", "ProfileType: longer than 100 characters");
}

Test(es2, the_answer_to_a_download_may_name_its_iccid)
{
	struct es2_download_profile_rs rs;

	take("ES2-DownloadProfileResponse", DONE ICCID, &rs);
	cr_assert_str_eq(rs.iccid->text, "8933010000000000028");
	take("ES2-DownloadProfileResponse", FAILURE, &rs);
	cr_assert_null(rs.iccid);
}

/* wire.md 10: a template of an operator has them; what comes behind the known is ignored. */
Test(es2, answers_with_children_of_a_later_schema_are_read)
{
	struct plain_rs rs;
	result r = decode("ES2-EnableProfileResponse", DONE ICCID "<rps:EuiccResponseData>9000</rps:EuiccResponseData>", &rs);

	cr_assert(r == OK, "%s", r ? r->message : "");
	cr_assert_eq(rs.base.status.status, STATUS_SUCCESS);
}

Test(es2, policy_rules_that_are_absent_are_not_an_empty_list)
{
	struct es2_update_policy_rules_rq rq;
	const struct bind_message *es3 = message_request(FN_ES3_UpdatePolicyRules);

	take("ES2-UpdatePolicyRulesRequest", CARD ICCID "<rps:Smsr-id>1.2</rps:Smsr-id>", &rq);
	cr_assert_null(rq.es3.pol2);
	cr_assert(!strstr(written(es3, &rq.es3, BIND_PLAIN), "pol2"));
	take("ES2-UpdatePolicyRulesRequest", CARD ICCID "<rps:Smsr-id>1.2</rps:Smsr-id><rps:pol2/>", &rq);
	cr_assert_eq(rq.es3.pol2->n_rules, 0);
	cr_assert(strstr(written(es3, &rq.es3, BIND_PLAIN), "<rps:pol2/>"));
	take("ES2-UpdatePolicyRulesRequest",
	     CARD ICCID
	     "<rps:Smsr-id>1.2</rps:Smsr-id><rps:pol2><rps:Rule><rps:Subject>PROFILE</rps:Subject><rps:Action>DELETE</rps:Action>"
	     "<rps:Qualification>Not-Allowed</rps:Qualification></rps:Rule></rps:pol2>",
	     &rq);
	cr_assert_eq(rq.es3.pol2->n_rules, 1);
	cr_assert_eq(rq.es3.pol2->rules[0].action, POL2_DELETE);
	refused("ES2-UpdatePolicyRulesRequest", CARD ICCID "<rps:Smsr-id>1.2</rps:Smsr-id><rps:pol2><rps:Rule/></rps:pol2>",
		CODE_PARAM_MISSING, "Subject", "pol2/Rule[1]/Subject: missing");
}

Test(es2, both_spellings_of_the_time_are_read_and_each_notification_writes_its_own)
{
	static const struct {
		const char *root, *before, *spelling;
	} messages[] = {
		{ "ES2-HandleProfileEnabledNotification", TOLD_OF, "completionTimestamp" },
		{ "ES2-HandleProfileDisabledNotification", TOLD_OF, "CompletionTimestamp" },
		{ "ES2-HandleProfileDeletedNotification", TOLD_OF, "CompletionTimestamp" },
		{ "ES2-HandleProfileDownloadedNotification", TOLD_OF, "CompletionTimestamp" },
		{ "ES2-HandleProfilePOL2UpdatedNotification", TOLD_OF "<rps:pol2/>", "CompletionTimestamp" },
		{ "ES3-HandleProfileEnabledNotification", TOLD_OF "<rps:Mno-id>1.5</rps:Mno-id>", "CompletionTimestamp" },
		{ "ES3-HandleProfilePOL2UpdatedNotification", TOLD_OF "<rps:Mno-id>1.5</rps:Mno-id>", "CompletionTimestamp" },
		{ "ES4-HandleProfileEnabledNotification", TOLD_OF, "CompletionTimestamp" },
		{ "ES4-HandleProfileDownloadedNotification", TOLD_OF "<rps:Mno-id>1.5</rps:Mno-id>", "CompletionTimestamp" },
	};
	static const char *const spellings[] = { "completionTimestamp", "CompletionTimestamp" };

	for (size_t i = 0; i < LEN(messages); i++) {
		const char *root = messages[i].root, *name;
		const struct bind_message *m = message_request(function_by_root(root, &name)->id);

		for (size_t s = 0; s < LEN(spellings); s++) {
			const char *content =
				arena_printf(a, "%s<rps:%s>" TIME_TEXT "</rps:%s>", messages[i].before, spellings[s], spellings[s]);
			void *out = arena_alloc(a, m->group->size);
			result r = decode(root, content, out);

			cr_assert(r == OK, "%s: %s", root, r ? r->message : "");
			cr_assert_eq(valid(root, content), !strcmp(spellings[s], messages[i].spelling), "%s", content);
			cr_assert(strstr(written(m, out, BIND_PLAIN), arena_printf(a, "<rps:%s>2026-", messages[i].spelling)), "%s",
				  root);
		}
	}
}

Test(es3, the_aliases_of_send_data_are_send_data)
{
	static const char *const roots[] = { "ES3-SendDataRequest", "ES3-EstablishISDPKeySetRequest",
					     "ES3-DownloadProfileRequest" };
	static const char *const names[] = { "SendData", "EstablishISDPKeySet", "DownloadProfile" };

	for (size_t i = 0; i < LEN(roots); i++) {
		struct es3_send_data_rq rq;
		const char *name = "";
		result r = decode(roots[i],
				  CARD "<rps:Sd-aid>a0000005591010ffffffff8900001000</rps:Sd-aid><rps:Data>80e28800feDC</rps:Data>"
				       "<rps:MoreToDo>true</rps:MoreToDo>",
				  &rq);

		cr_assert(r == OK, "%s: %s", roots[i], r ? r->message : "");
		cr_assert_eq(function_by_root(roots[i], &name)->id, FN_ES3_SendData);
		cr_assert_str_eq(name, names[i]);
		cr_assert(aid_is_isdp(&rq.sd_aid) && *rq.more_to_do);
		cr_assert_eq(rq.data.len, 6);
		cr_assert_arr_eq(rq.data.data, "\x80\xE2\x88\x00\xFE\xDC", 6);
	}
}

Test(es3, send_data_refuses_what_is_no_data_and_names_it)
{
#define AID "<rps:Sd-aid>A0000005591010FFFFFFFF8900000100</rps:Sd-aid>"
	struct es3_send_data_rq rq;

	take("ES3-SendDataRequest", CARD AID "<rps:Data>80</rps:Data>", &rq);
	cr_assert_null(rq.more_to_do);
	refused("ES3-SendDataRequest", CARD AID "<rps:Data>80E28</rps:Data>", CODE_PARAM_INVALID, "Data",
		"Data: not pairs of hexadecimal digits");
	refused("ES3-SendDataRequest", CARD AID "<rps:Data>80E28G</rps:Data>", CODE_PARAM_INVALID, "Data",
		"Data: not pairs of hexadecimal digits");
	refused("ES3-SendDataRequest", CARD AID "<rps:Data/>", CODE_PARAM_INVALID, "Data", "Data: not 1 to 1048576 bytes");
	refused("ES3-SendDataRequest", CARD AID, CODE_PARAM_MISSING, "Data", "Data: missing");
	refused("ES3-SendDataRequest", CARD "<rps:Sd-aid>A000</rps:Sd-aid><rps:Data>80</rps:Data>", CODE_PARAM_INVALID, "Sd-aid",
		"Sd-aid: not 5 to 16 bytes in hexadecimal digits");
	refused("ES3-SendDataRequest", CARD "<rps:Sd-aid>0000000000</rps:Sd-aid>", CODE_PARAM_MISSING, "Data", "Data: missing");
}

Test(es3, send_data_takes_a_mebibyte_and_no_byte_more)
{
	size_t digits = 2 * (size_t)SEND_DATA_MAX;
	char *hex = arena_alloc(a, digits + 3);
	struct es3_send_data_rq rq;
	result r;

	memset(hex, 'A', digits);
	r = decode("ES3-SendDataRequest", arena_printf(a, CARD AID "<rps:Data>%s</rps:Data>", hex), &rq);
	cr_assert(r == OK, "%s", r ? r->message : "");
	cr_assert(rq.data.len == SEND_DATA_MAX && rq.data.data[SEND_DATA_MAX - 1] == 0xAA);
	memset(hex, 'A', digits + 2);
	refused("ES3-SendDataRequest", arena_printf(a, CARD AID "<rps:Data>%s</rps:Data>", hex), CODE_PARAM_INVALID, "Data",
		"Data: not 1 to 1048576 bytes");
}

Test(es3, what_a_profile_is_made_of_stays_out_of_journals)
{
	static const struct {
		const char *root, *content;
	} messages[] = {
		{ "ES3-SendDataRequest", CARD AID "<rps:Data>C0FFEE</rps:Data>" },
		{ "ES3-SendDataResponse", DONE "<rps:EuiccResponseData>C0FFEE</rps:EuiccResponseData>" },
		{ "ES3-UpdateConnectivityParametersRequest",
		  CARD ICCID "<rps:ConnectivityParameters>C0FFEE</rps:ConnectivityParameters>" },
	};

	for (size_t i = 0; i < LEN(messages); i++) {
		const char *root = messages[i].root, *name;
		const struct function *f = function_by_root(root, &name);
		const struct bind_message *m = f ? message_request(f->id) : message_response(function_by_response_root(root)->id);
		void *out = arena_alloc(a, m->group->size);

		take(root, messages[i].content, out);
		cr_assert(bind_has_secret(m), "%s", root);
		cr_assert(strstr(written(m, out, BIND_PLAIN), "C0FFEE"));
		cr_assert(!strstr(written(m, out, BIND_MASKED), "C0FFEE"));
	}
	refused("ES3-UpdateConnectivityParametersRequest", CARD ICCID "<rps:ConnectivityParameters/>", CODE_PARAM_INVALID,
		"ConnectivityParameters", "ConnectivityParameters: fewer than 1 bytes");
}

Test(es3, create_isdp_is_told_how_much_and_for_whom)
{
	struct es3_create_isdp_rq rq;

	take("ES3-CreateISDPRequest",
	     CARD ICCID "<rps:Mno-id>1.5</rps:Mno-id><rps:RequiredMemory>30000</rps:RequiredMemory><rps:MoreToDo>1</rps:MoreToDo>",
	     &rq);
	cr_assert_str_eq(rq.mno.text, "1.5");
	cr_assert(rq.required_memory == 30000 && *rq.more_to_do);
	take("ES3-CreateISDPRequest", CARD ICCID "<rps:Mno-id>1.5</rps:Mno-id><rps:RequiredMemory>0</rps:RequiredMemory>", &rq);
	cr_assert_null(rq.more_to_do);
	refused("ES3-CreateISDPRequest", CARD ICCID "<rps:Mno-id>1.5</rps:Mno-id><rps:RequiredMemory>-1</rps:RequiredMemory>",
		CODE_PARAM_INVALID, "RequiredMemory", "RequiredMemory: less than 0");
}

Test(es3, create_isdp_answers_with_the_aid_and_what_the_card_said)
{
	struct es3_create_isdp_rs rs;
	char aid[2 * AID_MAX + 1];

	take("ES3-CreateISDPResponse",
	     DONE
	     "<rps:Isd-p-aid>A0000005591010FFFFFFFF8900001000</rps:Isd-p-aid><rps:EuiccResponseData>9000</rps:EuiccResponseData>",
	     &rs);
	aid_format(&rs.isdp_aid, aid);
	cr_assert_str_eq(aid, "A0000005591010FFFFFFFF8900001000");
	cr_assert(rs.euicc_response_data.len == 2 && rs.euicc_response_data.data[0] == 0x90);
	take("ES3-CreateISDPResponse", DONE "<rps:Isd-p-aid>A000000559</rps:Isd-p-aid>", &rs);
	cr_assert_null(rs.euicc_response_data.data);
}

/* wire.md 10: the schema forces an AID on failures; strict receivers refuse the answer without it. */
Test(es3, a_failed_create_isdp_says_an_aid_of_zeros_and_is_read_without_any)
{
	static const char *const forms[] = { "", "<rps:Isd-p-aid/>", "<rps:Isd-p-aid>0000000000</rps:Isd-p-aid>" };
	const struct bind_message *m = message_response(FN_ES3_CreateISDP);
	struct es3_create_isdp_rs rs;

	for (size_t i = 0; i < LEN(forms); i++) {
		result r = decode("ES3-CreateISDPResponse",
				  arena_printf(a, FAILURE "%s<rps:EuiccResponseData>6A84</rps:EuiccResponseData>", forms[i]), &rs);

		cr_assert(r == OK, "%s: %s", forms[i], r ? r->message : "");
		cr_assert_eq(rs.isdp_aid.len, 0, "%s", forms[i]);
		cr_assert_arr_eq(rs.euicc_response_data.data, "\x6A\x84", 2);
		cr_assert(strstr(written(m, &rs, BIND_PLAIN), "<rps:Isd-p-aid>0000000000</rps:Isd-p-aid>"));
	}
	refused("ES3-CreateISDPResponse", FAILURE "<rps:Isd-p-aid>00000000</rps:Isd-p-aid>", CODE_PARAM_INVALID, "Isd-p-aid",
		"Isd-p-aid: not 5 to 16 bytes in hexadecimal digits");
	refused("ES3-CreateISDPResponse",
		FAILURE "<rps:EuiccResponseData>6A84</rps:EuiccResponseData><rps:Isd-p-aid>A000000559</rps:Isd-p-aid>",
		CODE_PARAM_INVALID, "Isd-p-aid", "Isd-p-aid: not expected here");
}

Test(es3, a_completed_download_says_what_the_eis_is_to_hold_or_nothing)
{
	struct es3_profile_download_completed_rq rq;

	take("ES3-ProfileDownloadCompletedRequest", CARD ICCID, &rq);
	cr_assert(!rq.profile_type && !rq.address && !rq.pol2);
	take("ES3-ProfileDownloadCompletedRequest",
	     CARD ICCID "<rps:ProfileType>basic</rps:ProfileType><rps:SubscriptionAddress><rps:Imsi>001010000000001</rps:Imsi>"
			"</rps:SubscriptionAddress><rps:pol2/>",
	     &rq);
	cr_assert_str_eq(rq.profile_type, "basic");
	cr_assert_str_eq(rq.address->imsi, "001010000000001");
	cr_assert_null(rq.address->msisdn);
	cr_assert_eq(rq.pol2->n_rules, 0);
}

Test(es3, a_new_address_begins_with_a_small_letter)
{
	struct es4_update_subscription_address_rq rq;

	take("ES3-UpdateSubscriptionAddressRequest",
	     CARD ICCID "<rps:newSubscriptionAddress><rps:Msisdn>88299000001</rps:Msisdn></rps:newSubscriptionAddress>", &rq);
	cr_assert_str_eq(rq.address.msisdn, "88299000001");
	refused("ES3-UpdateSubscriptionAddressRequest", CARD ICCID "<rps:NewSubscriptionAddress/>", CODE_PARAM_MISSING,
		"newSubscriptionAddress", "newSubscriptionAddress: missing");
}

Test(es3, a_notification_says_whom_to_tell)
{
	struct es3_profile_downloaded_notification n;

	take("ES3-HandleProfileDownloadedNotification",
	     TOLD_OF "<rps:Mno-id>1.5</rps:Mno-id><rps:ProfileType>basic</rps:ProfileType><rps:CompletionTimestamp>" TIME_TEXT
		     "</rps:CompletionTimestamp>",
	     &n);
	cr_assert_str_eq(n.mno.text, "1.5");
	cr_assert(n.es2.completed == TIME_US && !n.es2.owner);
	cr_assert_str_eq(written(message_request(FN_ES2_HandleProfileDownloadedNotification), &n.es2, BIND_PLAIN),
			 "<rps:ES2-HandleProfileDownloadedNotification><rps:Eid>" EID
			 "</rps:Eid><rps:Iccid>8933010000000000028</rps:Iccid>"
			 "<rps:ProfileType>basic</rps:ProfileType><rps:CompletionTimestamp>" TIME_TEXT "</rps:CompletionTimestamp>"
			 "</rps:ES2-HandleProfileDownloadedNotification>");
	refused("ES3-HandleProfileDownloadedNotification",
		TOLD_OF "<rps:CompletionTimestamp>" TIME_TEXT "</rps:CompletionTimestamp>", CODE_PARAM_MISSING, "Mno-id",
		"Mno-id: missing");
}

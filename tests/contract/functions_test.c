/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of proto/functions.def against what SGP.02 and its peers count, name and send. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/msg/messages.h"
#include "common/sgp02/result.h"

static const unsigned counts[IF_COUNT] = {
	[IF_ES1] = 2, [IF_ES2] = 25, [IF_ES3] = 28, [IF_ES4] = 23, [IF_ES4A] = 4, [IF_ES7] = 3, [IF_EUM] = 3
};

Test(functions, all_85_are_there_per_interface)
{
	unsigned n[IF_COUNT] = { 0 }, notifications[IF_COUNT] = { 0 };

	for (enum function_id id = 0; id < FN_COUNT; id++) {
		const struct function *f = function_by_id(id);

		cr_assert_eq(f->id, id);
		n[f->iface]++;
		notifications[f->iface] += f->mep == MEP_NOTIFY;
	}
	for (enum iface i = 0; i < IF_COUNT; i++) {
		cr_assert_eq(n[i], counts[i], "%s: %u", iface_name(i), n[i]);
		cr_assert_eq(notifications[i], i == IF_ES2 || i == IF_ES3 || i == IF_ES4 ? 11 : 0, "%s", iface_name(i));
	}
	cr_assert_eq(FN_COUNT - n[IF_EUM], 85);
}

static void found_by(const struct function *f, const char *name, bool whole_root)
{
	char root[160], iface[8] = "";
	const char *used = NULL;

	(void)snprintf(root, sizeof(root), "%s-%s%s", iface_name(f->iface), name, f->mep == MEP_NOTIFY ? "" : "Request");
	cr_assert(function_by_root(whole_root ? name : root, &used) == f, "%s", root);
	cr_assert_str_eq(used, whole_root ? f->name : name);
	if (whole_root)
		return;
	cr_assert(function_by_url(iface_name(f->iface), name) == f, "%s", root);
	for (size_t i = 0; iface_name(f->iface)[i]; i++)
		iface[i] = (char)tolower((unsigned char)iface_name(f->iface)[i]);
	cr_assert(function_by_url(iface, name) == f, "%s", root);
}

Test(functions, every_row_is_found_by_root_alias_and_url)
{
	unsigned aliases = 0;

	for (enum function_id id = 0; id < FN_COUNT; id++) {
		const struct function *f = function_by_id(id);
		char list[160], response[160], *rest = list;

		found_by(f, f->name, false);
		(void)snprintf(response, sizeof(response), "%sResponse", f->wire);
		cr_assert(function_by_response_root(response) == (f->mep == MEP_NOTIFY ? NULL : f), "%s", response);
		(void)snprintf(list, sizeof(list), "%s", f->aliases);
		for (char *word; (word = strsep(&rest, " ")) && *word; aliases++)
			found_by(f, word, !strncmp(word, iface_name(f->iface), strlen(iface_name(f->iface))));
	}
	/* seed names: ES2 5, ES3 7 (two of SendData), ES4 4, ES4A 2, ES7 1; and one typo */
	cr_assert_eq(aliases, 20, "%u", aliases);
}

Test(functions, the_seed_names_of_the_article_are_known)
{
	static const struct {
		const char *iface, *seed;
		enum function_id id;
	} seeds[] = {
		{ "ES2", "GetEUICCInfo", FN_ES2_GetEIS },
		{ "ES2", "UpdateEUICCInfo", FN_ES2_UpdateSubscriptionAddress },
		{ "ES2", "AuditEUICCInfo", FN_ES2_AuditEIS },
		{ "ES2", "SetAuthorisationsOfM2MSP", FN_ES2_SetPLMA },
		{ "ES2", "GetAuthorisationsOfM2MSP", FN_ES2_GetPLMA },
		{ "ES3", "EstablishISDPKeySet", FN_ES3_SendData },
		{ "ES3", "DownloadProfile", FN_ES3_SendData },
		{ "ES3", "DeleteProfile", FN_ES3_DeleteISDP },
		{ "ES3", "UpdateEUICCInfo", FN_ES3_UpdateSubscriptionAddress },
		{ "ES3", "AuditEUICCInfo", FN_ES3_AuditEIS },
		{ "ES3", "SetAuthorisationsOfM2MSP", FN_ES3_SetPLMA },
		{ "ES3", "GetAuthorisationsOfM2MSP", FN_ES3_GetPLMA },
		{ "ES4", "GetEUICCInfo", FN_ES4_GetEIS },
		{ "ES4", "UpdateEUICCInfo", FN_ES4_UpdateSubscriptionAddress },
		{ "ES4", "AuditEUICCInfo", FN_ES4_AuditEIS },
		{ "ES4", "GetAuthorisationsOfM2MSP", FN_ES4_GetPLMA },
		{ "ES7", "AuthenticateSM-SR", FN_ES7_AuthenticateSMSR },
	};

	for (size_t i = 0; i < LEN(seeds); i++)
		cr_assert(function_by_url(seeds[i].iface, seeds[i].seed) == function_by_id(seeds[i].id), "%s %s", seeds[i].iface,
			  seeds[i].seed);
}

enum kind { REQUEST, RESPONSE, CALLBACK };

Test(functions, actions_are_those_of_the_v3_wsdls)
{
	static const struct {
		enum kind kind;
		enum function_id id;
		const char *action;
	} wire[] = {
#define ACTION(kind, es, name, action) { kind, FN_##es##_##name, action },
#include "tests/contract/wire_actions.def"
#undef ACTION
	};
	char action[ACTION_MAX];

	cr_assert_geq(LEN(wire), 60);
	for (size_t i = 0; i < LEN(wire); i++) {
		const struct function *f = function_by_id(wire[i].id);

		if (wire[i].kind == REQUEST)
			function_request_action(f, action);
		else if (wire[i].kind == RESPONSE)
			function_response_action(f, action);
		else
			function_callback_action(f, action);
		cr_assert_str_eq(action, wire[i].action);
		cr_assert(wire[i].kind != CALLBACK || f->mep == MEP_DEFERRED, "%s", f->wire);
		cr_assert(wire[i].kind != RESPONSE || f->mep == MEP_SYNC, "%s", f->wire);
	}
}

/* decisions.md A6 */
static struct validity expected_validity(const struct function *f)
{
	if (f->mep == MEP_NOTIFY)
		return (struct validity){ 0, 0, 0 };
	if (f->mep == MEP_SYNC)
		return (struct validity){ 30, 1, 300 };
	if (f->id == FN_ES2_DownloadProfile)
		return (struct validity){ 3600, 10, 86400 };
	if (f->id == FN_ES4_SMSRChange)
		return (struct validity){ 10000, 30, 172800 };
	return (struct validity){ 720, 3, 86400 };
}

Test(functions, columns_agree_with_each_other)
{
	for (enum function_id id = 0; id < FN_COUNT; id++) {
		const struct function *f = function_by_id(id);
		struct validity v = expected_validity(f);

		cr_assert(f->validity.def_s == v.def_s && f->validity.min_s == v.min_s && f->validity.max_s == v.max_s, "%s",
			  f->wire);
		cr_assert(f->providers && f->callers, "%s", f->wire);
		cr_assert(f->mep != MEP_DEFERRED || f->tx == TX_PROCEDURE, "%s", f->wire);
		cr_assert(f->mep == MEP_DEFERRED || f->tx != TX_PROCEDURE, "%s", f->wire);
		cr_assert(!f->needs_card || f->mep == MEP_DEFERRED, "%s", f->wire);
		cr_assert_eq(f->mep == MEP_NOTIFY, f->relation == REL_RECIPIENT, "%s", f->wire);
		cr_assert(f->tx != TX_READ || !strncmp(f->name, "Get", 3), "%s", f->wire);
		cr_assert(!f->not_served || strlen(f->not_served) > 10, "%s needs a reason", f->wire);
	}
	cr_assert_eq(function_by_id(FN_ES4_UpdatePolicyRules)->callers, ROLE_OPERATOR, "a PLMA never grants POL2");
}

Test(functions, what_is_served_has_its_messages_and_each_message_its_name)
{
	for (enum function_id id = 0; id < FN_COUNT; id++) {
		const struct function *f = function_by_id(id);
		const struct bind_message *rq = message_request(id), *rs = message_response(id);
		char root[160];

		cr_assert(rq || f->not_served, "%s", f->wire);
		cr_assert_eq(rs != NULL, rq && f->mep != MEP_NOTIFY, "%s", f->wire);
		if (!rq)
			continue;
		(void)snprintf(root, sizeof(root), "%s%s", f->wire, f->mep == MEP_NOTIFY ? "" : "Request");
		cr_assert_str_eq(rq->root, root);
		cr_assert_eq(rq->base, f->mep == MEP_NOTIFY ? BASE_NOTIFICATION : BASE_REQUEST);
		(void)snprintf(root, sizeof(root), "%sResponse", f->wire);
		if (rs)
			cr_assert(!strcmp(rs->root, root) && rs->base == BASE_RESPONSE, "%s", rs->root);
	}
}

Test(functions, what_is_served_stays_served)
{
	static const enum function_id served[] = {
		FN_ES1_RegisterEIS,      FN_ES1_UpdateEISAdditionalProperties,
		FN_ES4_GetEIS,           FN_ES4_PrepareSMSRChange,
		FN_ES4_SMSRChange,       FN_ES7_HandoverEUICC,
		FN_ES7_AuthenticateSMSR, FN_ES7_CreateAdditionalKeySet,
		FN_EUM_CreateBatch,      FN_EUM_GetBatch,
		FN_EUM_UpdateProperties,
	};

	for (size_t i = 0; i < LEN(served); i++)
		cr_assert_null(function_by_id(served[i])->not_served);
}

Test(status_codes, names_and_meanings_are_unique)
{
	for (enum code i = 0; i < CODE_COUNT; i++) {
		cr_assert(*status_code(i)->text && *status_code(i)->subject && *status_code(i)->reason);
		for (enum code j = 0; j < i; j++)
			cr_assert(strcmp(status_code(i)->subject, status_code(j)->subject) != 0 ||
					  strcmp(status_code(i)->reason, status_code(j)->reason) != 0,
				  "%s and %s", status_code(i)->name, status_code(j)->name);
	}
}

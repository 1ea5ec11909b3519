/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "services/operator-gateway/api.h"
#include "services/operator-gateway/base64.h"

static const char eid_text[] = "89001012012341234012345678901224";

static struct eid test_eid(void)
{
	struct eid eid;

	cr_assert(eid_parse(eid_text, &eid), "the test's EID is not one");
	return eid;
}

static struct oid test_oid(const char *text)
{
	struct oid oid;

	cr_assert(oid_parse(text, &oid));
	return oid;
}

static struct eis *test_eis(struct arena *a)
{
	static enum keyset_type scp80 = KEYSET_SCP80;
	static int64_t free_memory = 1000;
	struct eis *e = ARENA_NEW(a, struct eis);
	struct profile_info *p = arena_array(a, 2, sizeof(*p));

	e->info.eid = test_eid();
	e->info.eum = test_oid("1.3.6.1.4.1.99999.1");
	e->info.platform_type = "type";
	e->info.platform_version = "1.2.3";
	e->info.isdp_loadfile_aid = AID_ISDP_LOADFILE;
	e->info.isdp_module_aid = AID_ISDP_MODULE;
	e->info.capabilities = (struct euicc_capabilities){ .http_support = true, .http_version = "1.1.3" };
	e->info_octets = (struct bytes){ (const uint8_t *)"<a>\xC3\xA4</a>", 9 };
	e->signature_octets = (struct bytes){ (const uint8_t *)"<s/>", 4 };
	e->remaining_memory = 300000;
	e->available_memory = 500000;
	e->smsr = test_oid("1.3.6.1.4.1.99999.4");
	cr_assert(iccid_parse("8949000000000000017F", &p[0].iccid));
	p[0].isdp_aid = aid_isdp(0x10);
	p[0].mno = test_oid("1.3.6.1.4.1.99999.2");
	p[0].fallback = true;
	p[0].state = PROFILE_ENABLED;
	p[0].address = (struct subscription_address){ .imsi = "262010000000001", .msisdn = "491700000001" };
	p[0].profile_type = "bootstrap";
	p[0].allocated_memory = 200000;
	p[0].free_memory = &free_memory;
	p[0].pol2.rules = ARENA_NEW(a, struct pol2_rule);
	p[0].pol2.rules[0] = (struct pol2_rule){ POL2_PROFILE, POL2_DISABLE, POL2_NOT_ALLOWED };
	p[0].pol2.n_rules = 1;
	cr_assert(iccid_parse("8949000000000000025F", &p[1].iccid));
	p[1].mno = p[0].mno;
	p[1].state = PROFILE_DISABLED;
	e->profiles = p;
	e->n_profiles = 2;
	e->isdr.aid = AID_ISDR;
	e->isdr.keysets = ARENA_NEW(a, struct keyset);
	e->isdr.keysets[0] = (struct keyset){ .version = 1, .type = &scp80 };
	e->isdr.n_keysets = 1;
	e->properties = ARENA_NEW(a, struct properties);
	e->properties->items = ARENA_NEW(a, struct property);
	e->properties->items[0] = (struct property){ "colour", "red \"5\"" };
	e->properties->n_items = 1;
	return e;
}

static const char *text_at(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "(absent)";
}

static void check_profile(const json_t *p)
{
	const json_t *rule = json_array_get(json_object_get(p, "pol2"), 0);

	cr_expect_str_eq(text_at(p, "iccid"), "8949000000000000017");
	cr_expect_str_eq(text_at(p, "isdp_aid"), "A0000005591010FFFFFFFF8900001000");
	cr_expect_str_eq(text_at(p, "mno"), "1.3.6.1.4.1.99999.2");
	cr_expect_str_eq(text_at(p, "state"), "Enabled");
	cr_expect(json_is_true(json_object_get(p, "fallback")));
	cr_expect_str_eq(text_at(json_object_get(p, "address"), "imsi"), "262010000000001");
	cr_expect_str_eq(text_at(p, "profile_type"), "bootstrap");
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(p, "memory"), "free")), 1000);
	cr_expect_str_eq(text_at(rule, "action"), "DISABLE");
	cr_expect_str_eq(text_at(rule, "qualification"), "Not-Allowed");
}

Test(gateway_api, eis_has_every_member_and_absent_ones_are_left_out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(json_freep) json_t *j = api_eis_json(a, test_eis(a));
	const json_t *second = json_array_get(json_object_get(j, "profiles"), 1);
	const json_t *keyset = json_array_get(json_object_get(json_object_get(j, "isdr"), "keysets"), 0);
	struct bytes octets;

	cr_expect_str_eq(text_at(j, "eid"), eid_text);
	cr_expect_str_eq(text_at(j, "production_date"), "1970-01-01T00:00:00Z");
	cr_expect_str_eq(text_at(json_object_get(j, "platform"), "version"), "1.2.3");
	cr_expect(json_is_true(json_object_get(json_object_get(j, "capabilities"), "http_support")));
	cr_expect_null(json_object_get(json_object_get(j, "capabilities"), "cattp_version"));
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(j, "memory"), "available")), 500000);
	cr_expect_str_eq(text_at(j, "smsr"), "1.3.6.1.4.1.99999.4");
	cr_expect_null(json_object_get(j, "last_audit"));
	check_profile(json_array_get(json_object_get(j, "profiles"), 0));
	cr_expect_str_eq(text_at(second, "state"), "Disabled");
	cr_expect_null(json_object_get(second, "smdp"));
	cr_expect_eq(json_array_size(json_object_get(second, "pol2")), 0);
	cr_expect_str_eq(text_at(keyset, "type"), "SCP80");
	cr_expect_str_eq(text_at(json_object_get(j, "properties"), "colour"), "red \"5\"");
	cr_assert(base64_decode(a, text_at(j, "signed_info"), &octets));
	cr_expect(octets.len == 9 && !memcmp(octets.data, "<a>\xC3\xA4</a>", 9), "the signed octets must not change");
}

Test(gateway_api, status_of_every_class)
{
	static const struct {
		enum status status;
		const char *subject, *reason;
		unsigned want;
	} rows[] = {
		{ STATUS_FAILED, "8.1.1", "1.1", 404 }, { STATUS_FAILED, "8.1", "1.2", 403 },
		{ STATUS_FAILED, "1.2", "4.4", 503 },   { STATUS_FAILED, "1.6", "2.1", 400 },
		{ STATUS_FAILED, "1.6", "2.3", 400 },   { STATUS_FAILED, "1.6", "3.1", 502 },
		{ STATUS_FAILED, "1.2", "4.2", 502 },   { STATUS_FAILED, "8.1.1", "1.2", 502 },
		{ STATUS_FAILED, "", "", 502 },         { STATUS_EXPIRED, "1.6", "5.3", 504 },
		{ STATUS_SUCCESS, "", "", 200 },        { STATUS_WARNING, "1.6", "2.1", 200 },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		cr_expect_eq(api_status(rows[i].status, rows[i].subject, rows[i].reason), rows[i].want, "row %zu", i);
}

static unsigned reply_to(struct arena *a, const struct call_answer *answer, json_t **out_error)
{
	struct eid eid = test_eid();
	struct api_reply reply = { 0 };
	json_t *body;

	api_eis_reply(a, function_by_id(FN_ES4_GetEIS), &eid, answer, &reply);
	body = json_loads(reply.body, 0, NULL);
	cr_assert(body, "not JSON: %s", reply.body);
	*out_error = json_incref(json_object_get(body, "error"));
	json_decref(body);
	cr_expect_eq(json_integer_value(json_object_get(*out_error, "retry_after_s")) > 0, reply.status == 503);
	return reply.status;
}

Test(gateway_api, refusals_carry_code_subject_function_and_message_id)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(json_freep) json_t *error = NULL;
	CLEANUP(json_freep) json_t *busy = NULL;
	struct status_code_data code = { "8.1.1", "1.1", eid_text, "EID \"x\" unknown" };
	struct es4_get_eis_rs rs = { .base.status = { STATUS_FAILED, &code } };
	struct call_answer answer = { .outcome = CALL_RESPONSE, .response = &rs, .base = &rs.base, .message_id = "//1.2/x" };

	cr_assert_eq(reply_to(a, &answer, &error), 404);
	cr_expect_str_eq(text_at(error, "code"), "8.1.1/1.1");
	cr_expect_str_eq(text_at(error, "message"), "EID \"x\" unknown");
	cr_expect_str_eq(text_at(error, "subject_identifier"), eid_text);
	cr_expect_str_eq(text_at(error, "status"), "FAILED");
	cr_expect_str_eq(text_at(error, "function"), "ES4-GetEIS");
	cr_expect_str_eq(text_at(error, "message_id"), "//1.2/x");
	code = (struct status_code_data){ "1.2", "4.4", NULL, NULL };
	cr_expect_eq(reply_to(a, &answer, &busy), 503);
}

Test(gateway_api, an_error_says_who_was_asked)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const struct call_answer answer = { .outcome = CALL_UNREACHABLE };
	static const struct {
		enum function_id id;
		const char *function, *who;
	} rows[] = {
		{ FN_ES4_GetEIS, "\"function\":\"ES4-GetEIS\"", "the SM-SR cannot" },
		{ FN_ES2_GetEIS, "\"function\":\"ES2-GetEIS\"", "the SM-DP cannot" },
	};
	struct eid eid = test_eid();

	for (size_t i = 0; i < LEN(rows); i++) {
		struct api_reply reply = { 0 };

		api_eis_reply(a, function_by_id(rows[i].id), &eid, &answer, &reply);
		cr_expect(strstr(reply.body, rows[i].function) && strstr(reply.body, rows[i].who), "%s", reply.body);
	}
}

Test(gateway_api, outcomes_without_a_usable_answer)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		enum call_outcome outcome;
		unsigned status;
		const char *code;
	} rows[] = {
		{ CALL_UNREACHABLE, 502, "unreachable" }, { CALL_BROKEN, 504, "no_answer" },  { CALL_GARBAGE, 502, "bad_answer" },
		{ CALL_ACCEPTED, 502, "bad_answer" },     { CALL_FAULT, 502, "soap:Sender" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		CLEANUP(json_freep) json_t *error = NULL;
		struct call_answer answer = { .outcome = rows[i].outcome, .fault = { "Sender", "why" } };

		cr_expect_eq(reply_to(a, &answer, &error), rows[i].status, "row %zu", i);
		cr_expect_str_eq(text_at(error, "code"), rows[i].code);
		cr_expect(json_object_get(error, "message") && !json_object_get(error, "status"));
	}
}

Test(gateway_api, success_is_the_card_that_was_asked_for)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(json_freep) json_t *error = NULL;
	CLEANUP(json_freep) json_t *none = NULL;
	CLEANUP(json_freep) json_t *other = NULL;
	struct status_code_data code = { "1.6", "2.1", NULL, NULL };
	struct es4_get_eis_rs rs = { .base.status = { STATUS_WARNING, &code }, .eis = test_eis(a) };
	struct call_answer answer = { .outcome = CALL_RESPONSE, .response = &rs, .base = &rs.base };
	struct api_reply reply;
	struct eid eid = test_eid();

	cr_expect_eq(reply_to(a, &answer, &error), 200);
	cr_expect_null(error);
	api_eis_reply(a, function_by_id(FN_ES4_GetEIS), &eid, &answer, &reply);
	cr_expect(strstr(reply.body, "\"warning\":{\"code\":\"1.6/2.1\""), "%s", reply.body);
	cr_assert(eid_complete("890010120123412340123456789099", &rs.eis->info.eid));
	cr_expect_eq(reply_to(a, &answer, &other), 502, "another card's EIS");
	rs.eis = NULL;
	cr_expect_eq(reply_to(a, &answer, &none), 502, "success without EIS");
}

Test(gateway_api, base64_of_any_length_and_nothing_else)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const char *const texts[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==" };
	static const char *const bad[] = { "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "Zg==Zg==", "Z!==", "====", "Zg-_" };
	struct bytes out;

	for (size_t i = 0; i < LEN(texts); i++) {
		cr_expect_str_eq(base64_encode(a, "foob", i), texts[i]);
		cr_assert(base64_decode(a, texts[i], &out), "%s", texts[i]);
		cr_expect(out.len == i && !memcmp(out.data, "foob", i));
	}
	for (size_t i = 0; i < LEN(bad); i++)
		cr_expect_not(base64_decode(a, bad[i], &out), "%s", bad[i]);
}

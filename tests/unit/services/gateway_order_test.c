/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "services/operator-gateway/operation.h"

#define EID "89001012012341234012345678901224"
#define ICCID "8949000000000000017"

Test(operation_order, paths)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		const char *rest, *kind; /* kind NULL: no order */
		const char *error;       /* NULL: just no such path */
		const char *method;      /* NULL: POST */
	} rows[] = {
		{ EID "/audit", "audit", NULL },
		{ EID "/profiles/" ICCID "/enable", "enable", NULL },
		{ EID "/profiles/" ICCID "F/enable", "enable", NULL },
		{ EID, NULL, NULL },
		{ EID "/", NULL, NULL },
		{ EID "/audit/x", NULL, NULL },
		{ EID "/profiles/" ICCID "/disable", "disable", NULL },
		{ EID "/profiles/" ICCID "/delete", "delete", NULL },
		{ EID "/profiles/" ICCID "/pol2", "policy", NULL, "PUT" },
		{ EID "/profiles/" ICCID "/subscription-address", "address", NULL, "PUT" },
		{ EID "/profiles/download", "download", NULL },
		{ EID "/profiles/download", NULL, NULL, "PUT" },
		{ EID "/profiles/download/x", NULL, NULL },
		{ EID "/profiles/" ICCID "/download", NULL, NULL },
		{ EID "/smsr-change", "smsr-change", NULL },
		{ EID "/smsr-change", NULL, NULL, "PUT" },
		{ EID "/smsr-change/x", NULL, NULL },
		{ "1/smsr-change", NULL, "eid" },
		{ "1/profiles/download", NULL, "eid" },
		{ EID "/profiles/" ICCID "/pol2", NULL, NULL },
		{ EID "/profiles/" ICCID "/enable", NULL, NULL, "PUT" },
		{ EID "/audit", NULL, NULL, "PUT" },
		{ EID "/profiles/" ICCID, NULL, NULL },
		{ EID "/profiles/" ICCID "/", NULL, NULL },
		{ EID "/profiles/12/pol2", NULL, "iccid", "PUT" },
		{ "1/profiles/" ICCID "/delete", NULL, "eid" },
		{ EID "/profiles/enable", NULL, NULL },
		{ EID "/profiles//enable", NULL, NULL },
		{ EID "/profiles/12/enable", NULL, "iccid" },
		{ EID "/profiles/" ICCID "/x/enable", NULL, "iccid" },
		{ "1/audit", NULL, "eid" },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct operation_order o;
		const char *error = NULL;
		bool good = order_path(a, rows[i].method ? rows[i].method : "POST", rows[i].rest, &o, &error);

		cr_expect_eq(good, rows[i].kind != NULL, "%s", rows[i].rest);
		cr_expect(good            ? !strcmp(operation_kind_name(o.kind), rows[i].kind)
			  : rows[i].error ? error && strstr(error, rows[i].error)
					  : !error,
			  "%s", rows[i].rest);
	}
}

static bool body(struct arena *a, enum operation_kind kind, const char *text, struct operation_order *out, const char **out_error)
{
	CLEANUP(json_freep) json_t *j = text ? json_loads(text, 0, NULL) : NULL;
	cr_assert(j || !text, "the test's JSON is wrong: %s", text);
	*out = (struct operation_order){ .kind = kind, .iccids = "" };
	cr_assert(eid_parse(EID, &out->eid) && (!operation_of_profile(kind) || iccid_parse(ICCID, &out->iccid)));
	return order_body(a, j, out, out_error);
}

Test(operation_order, bodies)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		const char *text, *names;
	} wrong[] = {
		{ "[]", "object" },
		{ "{\"validity_s\":2}", "validity_s: 3 to 86400" },
		{ "{\"validity_s\":86401}", "validity_s" },
		{ "{\"validity_s\":1.5}", "validity_s" },
		{ "{\"mode\":1}", "mode" },
		{ "{\"when\":\"then\"}", "when" },
		{ "{\"iccids\":[]}", "iccids" },
		{ "{\"iccids\":[\"1\"]}", "iccids" },
		{ "{\"iccids\":\"" ICCID "\"}", "iccids" },
		{ "{\"x\":1}", "x: " },
		{ "{\"smdp\":1}", "smdp: OID or name" },
		{ "{\"smdp\":\"\"}", "smdp: OID or name" },
		{ "{\"iccid\":\"" ICCID "\"}", "iccid: this order has no such field" },
	};
	struct operation_order o, other;
	const char *error = NULL;

	cr_assert(body(a, OPERATION_ENABLE, NULL, &o, &error));
	cr_expect(o.validity_s == 720 && o.callback && o.patient);
	cr_assert(body(a, OPERATION_AUDIT,
		       "{\"validity_s\":60,\"mode\":\"connection\",\"when\":\"now\",\"iccids\":[\"" ICCID "\",\"" ICCID "F\"]}", &o,
		       &error),
		  "%s", error);
	cr_expect(o.validity_s == 60 && !o.callback && !o.patient);
	cr_expect_str_eq(o.iccids, ICCID " " ICCID);
	for (size_t i = 0; i < LEN(wrong); i++) {
		error = NULL;
		cr_expect_not(body(a, OPERATION_AUDIT, wrong[i].text, &other, &error), "%s", wrong[i].text);
		cr_expect(error && strstr(error, wrong[i].names), "%s: %s", wrong[i].text, error);
	}
	cr_expect_not(body(a, OPERATION_ENABLE, "{\"iccids\":[\"" ICCID "\"]}", &other, &error), "only audits have a list");
}

Test(operation_order, what_a_policy_may_say)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
#define RULE(action, qualification) "{\"action\":\"" action "\",\"qualification\":\"" qualification "\"}"
	static const struct {
		const char *text, *names;
	} wrong[] = {
		{ "{}", "rules: is missing" },
		{ "{\"rules\":{}}", "rules: an array" },
		{ "{\"rules\":[\"DISABLE\"]}", "rules[0]" },
		{ "{\"rules\":[{\"action\":\"DISABLE\"}]}", "rules[0]: should be an object whose qualification" },
		{ "{\"rules\":[" RULE("disable", "Not-Allowed") "]}", "rules[0]: should be an object whose action" },
		{ "{\"rules\":[" RULE("DELETE", "Not-Allowed") "," RULE("DISABLE", "Allowed") "]}", "rules[1]" },
		{ "{\"rules\":[" RULE("DELETE", "Auto-Delete") "]}", "rules[0]: should be Auto-Delete of DISABLE" },
		{ "{\"rules\":[" RULE("DELETE", "Not-Allowed") "," RULE("DELETE", "Not-Allowed") "]}", "rules[1]: says the same" },
		{ "{\"rules\":[{\"subject\":\"CARD\",\"action\":\"DELETE\",\"qualification\":\"Not-Allowed\"}]}", "PROFILE" },
		{ "{\"rules\":[{\"x\":1,\"action\":\"DELETE\",\"qualification\":\"Not-Allowed\"}]}", "nothing else" },
		{ "{\"rules\":[],\"mode\":\"callback\"}", "mode: this order has no such field" },
		{ "{\"rules\":[],\"imsi\":\"1\"}", "imsi: this order has no such field" },
		{ "{\"rules\":[],\"validity_s\":2}", "validity_s: 3 to 86400" },
	};
	struct operation_order o, again = { .kind = OPERATION_POLICY };
	const char *error = NULL;

	cr_assert(body(a, OPERATION_POLICY, "{\"rules\":[]}", &o, &error), "%s", error);
	cr_expect(o.pol2.n_rules == 0 && !o.callback && o.patient && o.validity_s == 720);
	cr_expect_str_eq(change_text(a, &o), "[]");
	cr_assert(body(a, OPERATION_POLICY,
		       "{\"rules\":[" RULE("DISABLE",
					   "Auto-Delete") ",{\"subject\":\"PROFILE\",\"action\":\"DELETE\",\"qualification\":"
							  "\"Not-Allowed\"}]}",
		       &o, &error),
		  "%s", error);
	cr_assert(change_read(a, change_text(a, &o), &again));
	cr_assert_eq(again.pol2.n_rules, 2);
	cr_expect(again.pol2.rules[0].action == POL2_DISABLE && again.pol2.rules[0].qualification == POL2_AUTO_DELETE);
	cr_expect(again.pol2.rules[1].action == POL2_DELETE && again.pol2.rules[1].qualification == POL2_NOT_ALLOWED);
	for (size_t i = 0; i < LEN(wrong); i++) {
		error = NULL;
		cr_expect_not(body(a, OPERATION_POLICY, wrong[i].text, &o, &error), "%s", wrong[i].text);
		cr_expect(error && strstr(error, wrong[i].names), "%s: %s", wrong[i].text, error);
	}
	cr_expect_not(body(a, OPERATION_POLICY, NULL, &o, &error), "nothing is not no rule");
	cr_expect_not(change_read(a, "", &again), "a damaged row never clears the rules");
	cr_expect_not(change_read(a, "{}", &again));
#undef RULE
}

Test(operation_order, what_an_address_may_say)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		const char *text, *names;
	} wrong[] = {
		{ "{}", "at least one" },
		{ "{\"imsi\":262}", "imsi: a string" },
		{ "{\"imsi\":\"\"}", "imsi: a string of 1 to 15" },
		{ "{\"imsi\":\"1234567890123456\"}", "imsi" },
		{ "{\"imsi\":\"262\",\"msisdn\":\"49\"}", "msisdn: a string of 3 to 15" },
		{ "{\"msisdn\":\"+49170\"}", "msisdn" },
		{ "{\"msisdn\":null}", "msisdn" },
		{ "{\"msisdn\":\"49170\",\"rules\":[]}", "rules: this order has no such field" },
	};
	struct operation_order o, again = { .kind = OPERATION_ADDRESS };
	const char *error = NULL;

	cr_assert(body(a, OPERATION_ADDRESS, "{\"msisdn\":\"49170\",\"when\":\"now\"}", &o, &error), "%s", error);
	cr_expect(!o.address.imsi && !o.callback && !o.patient);
	cr_expect_str_eq(change_text(a, &o), "{\"msisdn\":\"49170\"}");
	cr_assert(change_read(a, "{\"imsi\":\"26201\",\"msisdn\":\"49170\"}", &again));
	cr_expect_str_eq(again.address.imsi, "26201");
	cr_expect_str_eq(again.address.msisdn, "49170");
	for (size_t i = 0; i < LEN(wrong); i++) {
		error = NULL;
		cr_expect_not(body(a, OPERATION_ADDRESS, wrong[i].text, &o, &error), "%s", wrong[i].text);
		cr_expect(error && strstr(error, wrong[i].names), "%s: %s", wrong[i].text, error);
	}
	cr_expect_not(change_read(a, "", &again));
	cr_expect_not(change_read(a, "{\"imsi\":\"x\"}", &again));
}

Test(operation_order, what_a_download_may_say)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		const char *text, *names;
	} wrong[] = {
		{ "{}", "profile_type, iccid: at least one" },
		{ "{\"enable\":true}", "profile_type, iccid" },
		{ "{\"profile_type\":\"\"}", "profile_type: a string of 1 to 100" },
		{ "{\"profile_type\":7}", "profile_type" },
		{ "{\"profile_type\":\"a\\nb\"}", "profile_type" },
		{ "{\"iccid\":\"12\"}", "iccid: a string of 6 to 20" },
		{ "{\"iccid\":null}", "iccid" },
		{ "{\"profile_type\":\"t\",\"enable\":1}", "enable: true or false" },
		{ "{\"profile_type\":\"t\",\"validity_s\":9}", "validity_s: 10 to 86400" },
		{ "{\"profile_type\":\"t\",\"smdp\":null}", "smdp: OID or name of an SM-DP: nobody else" },
		{ "{\"profile_type\":\"t\",\"iccids\":[\"" ICCID "\"]}", "iccids: this order has no such field" },
		{ "{\"profile_type\":\"t\",\"rules\":[]}", "rules: this order has no such field" },
	};
	struct operation_order o, again = { .kind = OPERATION_DOWNLOAD };
	const char *error = NULL;

	cr_assert(body(a, OPERATION_DOWNLOAD, "{\"profile_type\":\"t 1\"}", &o, &error), "%s", error);
	cr_expect(o.validity_s == 3600 && o.callback && o.patient && !o.enable && !*o.iccid.text && !o.smdp);
	cr_expect_str_eq(change_text(a, &o), "{\"profile_type\":\"t 1\",\"enable\":false}");
	cr_assert(body(a, OPERATION_DOWNLOAD, "{\"iccid\":\"" ICCID "F\",\"enable\":true,\"smdp\":\"SM-DP\"}", &o, &error), "%s",
		  error);
	cr_expect(o.enable && !o.profile_type);
	cr_expect_str_eq(o.iccid.text, ICCID);
	cr_expect_str_eq(o.smdp, "SM-DP");
	for (size_t i = 0; i < LEN(wrong); i++) {
		error = NULL;
		cr_expect_not(body(a, OPERATION_DOWNLOAD, wrong[i].text, &o, &error), "%s", wrong[i].text);
		cr_expect(error && strstr(error, wrong[i].names), "%s: %s", wrong[i].text, error);
	}
	cr_expect_not(change_read(a, "", &again), "a damaged row");
	cr_expect_not(change_read(a, "{\"enable\":true}", &again), "neither type nor ICCID");
	cr_assert(change_read(a, "{\"profile_type\":\"t\",\"enable\":true}", &again));
	cr_expect(again.enable && !strcmp(again.profile_type, "t"));
}

Test(operation_order, what_an_sm_sr_change_may_say)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		const char *text, *names;
	} wrong[] = {
		{ "{}", "to: is missing" },
		{ "{\"dry_run\":true}", "to: is missing" },
		{ "{\"to\":\"sm-sr\"}", "to: the OID" },
		{ "{\"to\":1}", "to: the OID" },
		{ "{\"to\":\"1.2.3\",\"dry_run\":1}", "dry_run: true or false" },
		{ "{\"to\":\"1.2.3\",\"smdp\":\"1.2.4\"}", "smdp: null" },
		{ "{\"to\":\"1.2.3\",\"iccid\":\"" ICCID "\"}", "iccid: this order has no such field" },
		{ "{\"to\":\"1.2.3\",\"validity_s\":29}", "validity_s: 30 to 172800" },
	};
	struct operation_order o, again = { .kind = OPERATION_SMSR_CHANGE };
	const char *error = NULL;

	cr_assert(body(a, OPERATION_SMSR_CHANGE, "{\"to\":\"1.2.3\",\"smdp\":null}", &o, &error), "%s", error);
	cr_expect(o.validity_s == 10000 && o.callback && o.patient && !o.dry_run);
	cr_expect_str_eq(o.to.text, "1.2.3");
	cr_expect_str_eq(change_text(a, &o), "{\"to\":\"1.2.3\",\"dry_run\":false}");
	cr_assert(body(a, OPERATION_SMSR_CHANGE, "{\"to\":\"1.2.3\",\"dry_run\":true}", &o, &error), "%s", error);
	cr_expect(o.dry_run && o.validity_s == 720, "it is the first request alone");
	cr_assert(change_read(a, change_text(a, &o), &again));
	cr_expect(again.dry_run && !strcmp(again.to.text, "1.2.3"));
	cr_expect_not(change_read(a, "", &again), "a damaged row");
	cr_expect_not(change_read(a, "{\"to\":\"x\",\"dry_run\":true}", &again));
	for (size_t i = 0; i < LEN(wrong); i++) {
		error = NULL;
		cr_expect_not(body(a, OPERATION_SMSR_CHANGE, wrong[i].text, &o, &error), "%s", wrong[i].text);
		cr_expect(error && strstr(error, wrong[i].names), "%s: %s", wrong[i].text, error);
	}
}

Test(operation_order, by_whom)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const enum operation_kind kinds[] = { OPERATION_ENABLE, OPERATION_DISABLE, OPERATION_DELETE, OPERATION_AUDIT };
	struct operation_order o;
	const char *error = NULL;

	for (size_t i = 0; i < LEN(kinds); i++) {
		cr_assert(body(a, kinds[i], "{\"smdp\":\"1.2.3\"}", &o, &error), "%s", error);
		cr_expect_str_eq(o.smdp, "1.2.3");
		cr_assert(body(a, kinds[i], "{\"smdp\":null}", &o, &error), "%s", error);
		cr_expect_str_eq(o.smdp, "", "straight to the SM-SR");
		cr_assert(body(a, kinds[i], "{}", &o, &error), "%s", error);
		cr_expect_null(o.smdp, "what is set");
	}
	cr_assert(body(a, OPERATION_POLICY, "{\"rules\":[],\"smdp\":\"x\"}", &o, &error), "%s", error);
	cr_assert(body(a, OPERATION_ADDRESS, "{\"imsi\":\"1\",\"smdp\":\"x\"}", &o, &error), "%s", error);
}

Test(operation_order, input_tells_any_two_orders_apart)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const char *const bodies[] = { NULL,
					      "{\"validity_s\":60}",
					      "{\"mode\":\"connection\"}",
					      "{\"when\":\"now\"}",
					      "{\"smdp\":\"1.2.3\"}",
					      "{\"smdp\":null}" };
	static const struct {
		enum operation_kind kind;
		const char *body;
	} others[] = {
		{ OPERATION_AUDIT, NULL },
		{ OPERATION_AUDIT, "{\"iccids\":[\"" ICCID "\"]}" },
		{ OPERATION_DISABLE, NULL },
		{ OPERATION_DELETE, NULL },
		{ OPERATION_POLICY, "{\"rules\":[]}" },
		{ OPERATION_POLICY, "{\"rules\":[{\"action\":\"DELETE\",\"qualification\":\"Not-Allowed\"}]}" },
		{ OPERATION_ADDRESS, "{\"imsi\":\"12345\"}" },
		{ OPERATION_ADDRESS, "{\"msisdn\":\"12345\"}" },
		{ OPERATION_DOWNLOAD, "{\"profile_type\":\"t\"}" },
		{ OPERATION_DOWNLOAD, "{\"profile_type\":\"t\",\"enable\":true}" },
		{ OPERATION_DOWNLOAD, "{\"iccid\":\"" ICCID "\"}" },
		{ OPERATION_DOWNLOAD, "{\"iccid\":\"" ICCID "\",\"profile_type\":\"t\"}" },
		{ OPERATION_SMSR_CHANGE, "{\"to\":\"1.2.3\"}" },
		{ OPERATION_SMSR_CHANGE, "{\"to\":\"1.2.4\"}" },
		{ OPERATION_SMSR_CHANGE, "{\"to\":\"1.2.3\",\"dry_run\":true}" },
	};
	const char *texts[LEN(bodies) + LEN(others)], *error;
	struct operation_order o;

	for (size_t i = 0; i < LEN(bodies); i++) {
		cr_assert(body(a, OPERATION_ENABLE, bodies[i], &o, &error));
		texts[i] = order_input(a, &o);
	}
	for (size_t i = 0; i < LEN(others); i++) {
		cr_assert(body(a, others[i].kind, others[i].body, &o, &error));
		texts[LEN(bodies) + i] = order_input(a, &o);
	}
	for (size_t i = 0; i < LEN(texts); i++)
		for (size_t k = 0; k < i; k++)
			cr_expect_str_neq(texts[i], texts[k]);
	cr_assert(body(a, OPERATION_ENABLE, "{\"validity_s\":720,\"mode\":\"callback\",\"when\":\"next_event\"}", &o, &error));
	cr_expect_str_eq(order_input(a, &o), texts[0], "what is said and what is meant without a word");
}

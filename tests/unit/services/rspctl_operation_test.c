/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

#include "services/operator-gateway/rspctl/list.h"

#define ICCID "8949000000000000017"

static void quiet(void)
{
	cr_redirect_stderr();
}

static int body_of(struct ctl *c, char text[512])
{
	CLEANUP(json_freep) json_t *body = NULL;
	int code = order_options(c, &body);

	text[0] = '\0';
	if (code == EXIT_OK)
		(void)snprintf(text, 512, "%s", json_text(c->arena, body));
	return code;
}

Test(rspctl_operation, options_become_the_order, .init = quiet)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ctl c = { .arena = a };
	char text[512];

	cr_expect_eq(body_of(&c, text), EXIT_OK);
	cr_expect_str_eq(text, "{}", "the gateway's own defaults");
	c.option[OPT_VALIDITY] = "60";
	c.option[OPT_MODE] = "connection";
	c.option[OPT_WHEN] = "next-event";
	c.option[OPT_ICCID] = ICCID "," ICCID "F";
	cr_expect_eq(body_of(&c, text), EXIT_OK);
	cr_expect_str_eq(text, "{\"iccids\":[\"" ICCID "\",\"" ICCID
			       "\"],\"validity_s\":60,\"mode\":\"connection\",\"when\":\"next_event\"}");
	c.option[OPT_WHEN] = "now";
	cr_expect_eq(body_of(&c, text), EXIT_OK);
	cr_expect(strstr(text, "\"when\":\"now\""));
}

Test(rspctl_operation, wrong_options_are_usage, .init = quiet)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		enum option option;
		const char *value;
	} rows[] = {
		{ OPT_VALIDITY, "" },        { OPT_VALIDITY, "1 h" },  { OPT_VALIDITY, "-1" },
		{ OPT_VALIDITY, "1234567" }, { OPT_MODE, "post" },     { OPT_WHEN, "next_event" },
		{ OPT_ICCID, "" },           { OPT_ICCID, ICCID "," }, { OPT_ICCID, "12345" },
	};
	char text[512];

	for (size_t i = 0; i < LEN(rows); i++) {
		struct ctl c = { .arena = a };

		c.option[rows[i].option] = rows[i].value;
		cr_expect_eq(body_of(&c, text), EXIT_USAGE, "row %zu", i);
	}
}

static int change_of(int (*options)(struct ctl *c, json_t **out), struct ctl *c, const char **out_text)
{
	CLEANUP(json_freep) json_t *body = NULL;
	int code = options(c, &body);

	*out_text = code == EXIT_OK ? json_text(c->arena, body) : "";
	return code;
}

static const char *const *rules;
static unsigned n_rules;

static int policy(struct ctl *c, json_t **out)
{
	return policy_options(c, rules, n_rules, out);
}

Test(rspctl_operation, rules_become_the_policy, .init = quiet)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const char *const good[] = { "DISABLE:Not-Allowed", "DELETE:Not-Allowed" }, *const bad[] = { "DISABLE" };
	struct ctl c = { .arena = a };
	const char *text;

	rules = good;
	cr_expect_eq(change_of(policy, &c, &text), EXIT_OK);
	cr_expect_str_eq(text, "{\"rules\":[]}", "no rule is one way to say it");
	n_rules = 2;
	c.option[OPT_WHEN] = "now";
	cr_expect_eq(change_of(policy, &c, &text), EXIT_OK);
	cr_expect_str_eq(text, "{\"when\":\"now\",\"rules\":[{\"action\":\"DISABLE\",\"qualification\":\"Not-Allowed\"},"
			       "{\"action\":\"DELETE\",\"qualification\":\"Not-Allowed\"}]}");
	c.option[OPT_WHEN] = "later";
	cr_expect_eq(change_of(policy, &c, &text), EXIT_USAGE);
	c.option[OPT_WHEN] = NULL;
	rules = bad;
	n_rules = 1;
	cr_expect_eq(change_of(policy, &c, &text), EXIT_USAGE);
}

Test(rspctl_operation, options_become_the_address, .init = quiet)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ctl c = { .arena = a };
	const char *text;

	cr_expect_eq(change_of(address_options, &c, &text), EXIT_USAGE, "neither");
	c.option[OPT_MSISDN] = "49170";
	cr_expect_eq(change_of(address_options, &c, &text), EXIT_OK);
	cr_expect_str_eq(text, "{\"msisdn\":\"49170\"}");
	c.option[OPT_IMSI] = "+1";
	cr_expect_eq(change_of(address_options, &c, &text), EXIT_USAGE);
}

Test(rspctl_operation, by_whom, .init = quiet)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ctl c = { .arena = a };
	char text[512];

	c.option[OPT_VIA] = "SM-DP";
	cr_expect_eq(body_of(&c, text), EXIT_OK);
	cr_expect_str_eq(text, "{\"smdp\":\"SM-DP\"}");
	c.option[OPT_VIA] = "direct";
	cr_expect_eq(body_of(&c, text), EXIT_OK);
	cr_expect_str_eq(text, "{\"smdp\":null}");
	c.option[OPT_VIA] = "";
	cr_expect_eq(body_of(&c, text), EXIT_USAGE);
}

static const char *which;

static int download(struct ctl *c, json_t **out)
{
	return download_options(c, which, out);
}

Test(rspctl_operation, options_become_the_download, .init = quiet)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ctl c = { .arena = a };
	const char *text;

	cr_expect_eq(change_of(download, &c, &text), EXIT_USAGE, "which?");
	c.option[OPT_TYPE] = "t1";
	cr_expect_eq(change_of(download, &c, &text), EXIT_OK);
	cr_expect_str_eq(text, "{\"profile_type\":\"t1\"}");
	which = "t2";
	cr_expect_eq(change_of(download, &c, &text), EXIT_OK);
	cr_expect_str_eq(text, "{\"profile_type\":\"t2\"}", "a line goes before the option");
	which = ICCID;
	c.option[OPT_TYPE] = NULL;
	c.option[OPT_ENABLE] = "yes";
	c.option[OPT_VIA] = "1.2.3";
	cr_expect_eq(change_of(download, &c, &text), EXIT_OK);
	cr_expect_str_eq(text, "{\"smdp\":\"1.2.3\",\"iccid\":\"" ICCID "\",\"enable\":true}");
	which = NULL;
	c.option[OPT_ICCID] = ICCID "," ICCID;
	cr_expect_eq(change_of(download, &c, &text), EXIT_USAGE, "one profile");
	c.option[OPT_ICCID] = ICCID "F";
	cr_expect_eq(change_of(download, &c, &text), EXIT_OK);
	cr_expect(strstr(text, "\"iccid\":\"" ICCID "\""));
}

#define EID "89001012012341234012345678901224"

Test(rspctl_operation, a_list_of_downloads)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		const char *text, *names;
	} wrong[] = {
		{ EID "\n12\n", "line 2: 12: should be an EID" },
		{ EID "," ICCID ",x\n", "line 1: should be EID, or" },
		{ "," ICCID "\n", "line 1: : should be an EID" },
		{ "\n\neid\n", "line 3: eid" },
	};
	struct list_row *rows = NULL;
	char error[256] = "";
	size_t n = 9;

	cr_assert(list_parse(a, "EID,profile\r\n" EID "\r\n\n " EID " , " ICCID "\t\n" EID ",\n" EID ",t 1", &rows, &n, error),
		  "%s", error);
	cr_assert_eq(n, 4);
	cr_expect(rows[0].line == 2 && !rows[0].which);
	cr_expect_eq(rows[1].line, 4);
	cr_expect_str_eq(rows[1].which, ICCID);
	cr_expect_str_eq(rows[1].eid.text, EID);
	cr_expect_null(rows[2].which);
	cr_expect_str_eq(rows[3].which, "t 1");
	cr_assert(list_parse(a, "", &rows, &n, error));
	cr_expect_eq(n, 0);
	for (size_t i = 0; i < LEN(wrong); i++) {
		cr_expect_not(list_parse(a, wrong[i].text, &rows, &n, error), "%s", wrong[i].text);
		cr_expect(strstr(error, wrong[i].names), "%s", error);
	}
}

Test(rspctl_operation, an_end_is_an_exit_code, .init = quiet)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ctl c = { .arena = a };
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{ "{\"state\":\"ended\",\"status\":\"EXECUTED_SUCCESS\"}", EXIT_OK },
		{ "{\"state\":\"ended\",\"status\":\"EXECUTED_WITHWARNING\",\"code\":\"1.6/2.1\"}", EXIT_OK },
		{ "{\"state\":\"ended\",\"status\":\"FAILED\",\"code\":\"8.2.1/4.2\"}", EXIT_REFUSED },
		{ "{\"state\":\"ended\",\"status\":\"FAILED\",\"code\":\"8.1.1/1.1\"}", EXIT_NOT_FOUND },
		{ "{\"state\":\"ended\",\"status\":\"FAILED\",\"code\":\"8.2.1/3.9\",\"message\":\"m\"}", EXIT_NOT_FOUND },
		{ "{\"state\":\"ended\",\"status\":\"EXPIRED\",\"code\":\"1.6/5.3\"}", EXIT_REFUSED },
		{ "{\"state\":\"ended\",\"status\":\"FAILED\",\"code\":\"fault\",\"message\":\"m\"}", EXIT_REFUSED },
		{ "{\"state\":\"ended\",\"status\":\"NO_ANSWER\",\"code\":\"no_answer\",\"message\":\"m\"}", EXIT_UNREACHABLE },
		{ "{\"state\":\"ended\",\"status\":\"EXECUTED_SUCCESS\",\"enable\":true,\"enabled\":true}", EXIT_OK },
		{ "{\"state\":\"ended\",\"status\":\"EXECUTED_WITHWARNING\",\"enable\":false,\"enabled\":false}", EXIT_OK },
		{ "{\"state\":\"ended\",\"status\":\"EXECUTED_WITHWARNING\",\"enable\":true,\"enabled\":false}", EXIT_REFUSED },
		{ "{\"state\":\"accepted\"}", EXIT_REFUSED },
		{ "{}", EXIT_REFUSED },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		CLEANUP(json_freep) json_t *o = json_loads(rows[i].text, 0, NULL);

		cr_expect_eq(operation_code(&c, o), rows[i].code, "%s", rows[i].text);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/operator-gateway/rspctl/rspctl.h"

#define PROFILE                                                                                                             \
	"{\"mno\":\"1.3.6.1.4.1.99999.2\",\"profile_type\":\"boot\",\"iccid_prefix\":\"894900\",\"imsi_prefix\":\"26201\"," \
	"\"msisdn_prefix\":\"49170\",\"enabled\":true,\"memory\":200000}"
#define ORDER(name, profiles, more)                                                                                              \
	"{\"name\":" name ",\"quantity\":100,\"smsr\":\"1.3.6.1.4.1.99999.4\",\"eid_prefix\":\"890010120123412340\","            \
	"\"platform_type\":\"t\",\"platform_version\":\"1.0.0\",\"memory\":500000,\"http_support\":false,\"profiles\":" profiles \
		more "}"

static bool parse(struct arena *a, const char *text, struct eum_create_batch_rq *out, char error[256])
{
	CLEANUP(json_freep) json_t *order = json_loads(text, 0, NULL);

	cr_assert(order, "the test's JSON is wrong: %s", text);
	error[0] = '\0';
	return order_parse(a, order, out, error);
}

Test(rspctl_order, every_field_arrives)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct eum_create_batch_rq rq = { 0 };
	char error[256];

	cr_assert(parse(a, ORDER("\"b1\"", "[" PROFILE "]", ",\"fci\":\"f.1\",\"properties\":{\"k\":\"v\"}"), &rq, error), "%s",
		  error);
	cr_expect_str_eq(rq.base.fci, "f.1");
	cr_expect_str_eq(rq.name, "b1");
	cr_expect_eq(rq.quantity, 100);
	cr_expect_str_eq(rq.smsr.text, "1.3.6.1.4.1.99999.4");
	cr_expect_str_eq(rq.eid_prefix, "890010120123412340");
	cr_expect_eq(rq.memory, 500000);
	cr_expect_not(rq.http_support);
	cr_assert_eq(rq.n_profiles, 1);
	cr_expect_str_eq(rq.profiles[0].mno.text, "1.3.6.1.4.1.99999.2");
	cr_expect_str_eq(rq.profiles[0].iccid_prefix, "894900");
	cr_expect(rq.profiles[0].enabled);
	cr_expect_eq(rq.profiles[0].memory, 200000);
	cr_assert(rq.properties && rq.properties->n_items == 1);
	cr_expect_str_eq(rq.properties->items[0].value, "v");
}

Test(rspctl_order, a_fault_names_its_field)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		const char *text, *names;
	} rows[] = {
		{ "[]", "object" },
		{ "{}", "name" },
		{ ORDER("\"\"", "[" PROFILE "]", ""), "name: " },
		{ ORDER("\"b\"", "[]", ""), "profiles: " },
		{ ORDER("\"b\"", "[" PROFILE "," PROFILE "]", ""), "exactly one" },
		{ ORDER("\"b\"", "[{\"mno\":\"x\"}]", ""), "profiles[0].mno: " },
		{ ORDER("\"b\"", "[7]", ""), "profiles[0]." },
		{ ORDER("\"b\"", "[" PROFILE "]", ",\"colour\":1"), "colour: " },
		{ ORDER("\"b\"", "[" PROFILE "]", ",\"properties\":{\"k\":1}"), "properties: " },
		{ ORDER("\"b\"", "[" PROFILE "]", ",\"fci\":7"), "fci: " },
	};
	struct eum_create_batch_rq rq;
	char error[256];

	for (size_t i = 0; i < LEN(rows); i++) {
		cr_expect_not(parse(a, rows[i].text, &rq, error), "row %zu", i);
		cr_expect(strstr(error, rows[i].names), "row %zu: %s", i, error);
	}
}

static int nothing(struct ctl *c)
{
	(void)c;
	return 0;
}

static const struct command commands[] = {
	{ "fault", "[...]", 0, 3, OPT(ADMIN), 0, "", nothing },
	{ "eis get", "EID", 1, 1, OPT(GATEWAY), OPT(OCTETS), "", nothing },
	{ 0 },
};

struct line {
	struct ctl c;
	const struct command *command;
	bool help;
	char error[256];
};

static int run_line(struct arena *a, struct line *l, const char *const *words)
{
	static const char *const env[] = { "X=1", "RSPCTL_GATEWAY=https://env", "RSPCTL_ADMIN=", NULL };
	unsigned n = 0;

	*l = (struct line){ .c.arena = a };
	while (words[n])
		n++;
	return command_parse(commands, n, words, env, &l->c, &l->command, &l->help, l->error);
}
#define LINE(l, ...) run_line(a, (l), (const char *const[]){ "rspctl", __VA_ARGS__, NULL })

Test(rspctl_command, options_stand_anywhere_and_the_environment_fills_in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct line l;

	cr_assert_eq(LINE(&l, "--json", "eis", "--octets=/x", "get", "89"), EXIT_OK, "%s", l.error);
	cr_expect_str_eq(l.command->words, "eis get");
	cr_expect(l.c.json);
	cr_expect_str_eq(l.c.option[OPT_OCTETS], "/x");
	cr_expect_str_eq(l.c.option[OPT_GATEWAY], "https://env");
	cr_expect_eq(l.c.n_args, 1);
	cr_expect_str_eq(l.c.args[0], "89");
	cr_assert_eq(LINE(&l, "--gateway", "https://line", "eis", "get", "89"), EXIT_OK);
	cr_expect_str_eq(l.c.option[OPT_GATEWAY], "https://line");
	cr_assert_eq(LINE(&l, "--admin", "s", "fault", "p", "kill", "--", "--x"), EXIT_OK, "%s", l.error);
	cr_expect_str_eq(l.c.args[2], "--x");
	cr_assert_eq(LINE(&l, "eis", "--help"), EXIT_OK);
	cr_expect(l.help);
}

Test(rspctl_command, usage_faults_say_what_to_mend)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct line l;

	cr_expect_eq(LINE(&l, "eis", "got"), EXIT_USAGE);
	cr_expect(strstr(l.error, "eis: there is no such command"), "%s", l.error);
	cr_expect_eq(LINE(&l, "eis", "get"), EXIT_USAGE);
	cr_expect(strstr(l.error, "usage: rspctl eis get EID"), "%s", l.error);
	cr_expect_eq(LINE(&l, "fault"), EXIT_USAGE, "an empty variable is none");
	cr_expect(strstr(l.error, "--admin SOCKET or RSPCTL_ADMIN"), "%s", l.error);
	cr_expect_eq(LINE(&l, "fault", "--admin"), EXIT_USAGE);
	cr_expect(strstr(l.error, "--admin: its SOCKET is missing"), "%s", l.error);
	cr_expect_eq(LINE(&l, "fault", "--admin", "s", "--octets", "d"), EXIT_USAGE);
	cr_expect(strstr(l.error, "--octets means nothing for fault"), "%s", l.error);
	cr_expect_eq(LINE(&l, "--jso"), EXIT_USAGE);
	cr_expect_eq(LINE(&l, "--json=1", "fault"), EXIT_USAGE);
}

Test(rspctl_xml, elements_on_lines_text_untouched)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "<?xml version=\"1.0\"?><a><b>x &lt; y</b><c/><d></d></a>",
		  "<?xml version=\"1.0\"?>\n<a>\n  <b>x &lt; y</b>\n  <c/>\n  <d></d>\n</a>" },
		{ "<a>\n  <b>1</b>\n</a>", "<a>\n  <b>1</b>\n</a>" },
		{ "not XML", "not XML" },
		{ "<a><b", "<a><b" },
		{ "</a></b>x", "</a>\n</b>x" },
		{ "", "" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		CLEANUP(buf_free) struct buf out = { 0 };

		xml_indent(&out, rows[i].in, strlen(rows[i].in));
		cr_expect_str_eq(out.data ? out.data : "", rows[i].out, "row %zu", i);
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f);
	cr_assert(fputs(text, f) >= 0 && fclose(f) == 0);
}

Test(rspctl_entity, files_become_pem_and_faults_name_file_and_field)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const struct {
		const char *text, *names;
	} rows[] = {
		{ "{\"oid\":\"1.2.3\",\"roles\":[\"eum\"],\"certificates\":[\"c.pem\"],\"dialect\":{\"fci\":\"weak\",\"b\":\"c\"},"
		  "\"addresses\":{\"ES4\":[\"https://h:1\"]}}",
		  NULL },
		{ "{\"oid\":\"1..3\",\"roles\":[\"eum\"],\"certificates\":[]}", "e.json: oid: " },
		{ "{\"oid\":\"1.2.3\",\"roles\":[\"king\"],\"certificates\":[]}", "e.json: roles[0]: " },
		{ "{\"oid\":\"1.2.3\",\"roles\":[],\"certificates\":[]}", "e.json: roles: " },
		{ "{\"oid\":\"1.2.3\",\"roles\":[\"eum\"],\"certificates\":[\"x.pem\"]}", "e.json: certificates[0]: " },
		{ "{\"oid\":\"1.2.3\",\"roles\":[\"eum\"],\"certificates\":[\"e.json\"]}", "should be the path of a PEM" },
		{ "{\"oid\":\"1.2.3\",\"roles\":[\"eum\"],\"certificates\":[],\"addresses\":{\"ES1\":\"http://h\"}}",
		  "addresses.ES1: " },
		{ "{\"oid\":\"1.2.3\",\"roles\":[\"eum\"],\"certificates\":[],\"customers\":[7]}", "customers: " },
		{ "{\"oid\":\"1.2.3\",\"roles\":[\"eum\"],\"certificates\":[],\"dialect\":{\"fci\":1}}", "dialect.fci: " },
		{ "[1,", "e.json: line 1: " },
	};
	char dir[] = "/tmp/rspctl-XXXXXX", error[512];
	const char *file, *pem;

	cr_assert(mkdtemp(dir));
	file = arena_printf(a, "%s/e.json", dir);
	pem = arena_printf(a, "%s/c.pem", dir);
	write_file(pem, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
	for (size_t i = 0; i < LEN(rows); i++) {
		CLEANUP(json_freep) json_t *entity = NULL;

		write_file(file, rows[i].text);
		error[0] = '\0';
		entity = entity_read(a, file, error);
		cr_expect_eq(entity == NULL, rows[i].names != NULL, "row %zu: %s", i, error);
		cr_expect(!rows[i].names || strstr(error, rows[i].names), "row %zu: %s", i, error);
		if (entity)
			cr_expect_str_eq(json_string_value(json_object_get(entity, "dialect")), "fci=weak b=c");
		if (entity)
			cr_expect(strstr(json_string_value(json_array_get(json_object_get(entity, "certificates"), 0)), "\nx\n"));
	}
	unlink(file);
	unlink(pem);
	rmdir(dir);
}

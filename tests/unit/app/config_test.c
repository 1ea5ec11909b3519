/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/app/config.h"

struct config {
	struct config_common common;
	const char *text;
	bool flag;
	unsigned port, number;
	struct oid oid;
	const char *secret;
};

static const struct config_row rows[] = {
	{ "TEXT_OWN", CONFIG_TEXT, offsetof(struct config, text), "a|b", "a text" },
	{ "FLAG", CONFIG_BOOL, offsetof(struct config, flag), "no", "a flag" },
	{ "PORT_OWN", CONFIG_PORT, offsetof(struct config, port), "0", "a port" },
	{ "NUMBER_OWN", CONFIG_NUMBER, offsetof(struct config, number), "7", "a number" },
	{ "OID_OWN", CONFIG_OID, offsetof(struct config, oid), "1.2", "an OID" },
	{ "SECRET_OWN", CONFIG_SECRET_FILE, offsetof(struct config, secret), "", "a secret" },
	{ NULL },
};

static char file[64], file_line[5][160];

static void file_new(void)
{
	static const char *const keys[] = { "TLS_SERVER_CERT", "TLS_SERVER_KEY", "TLS_CLIENT_CERT", "TLS_CLIENT_KEY", "TLS_CA" };
	int fd;

	(void)snprintf(file, sizeof(file), "/tmp/config-test-XXXXXX");
	fd = mkstemp(file);
	cr_assert_geq(fd, 0);
	(void)close(fd);
	for (unsigned i = 0; i < LEN(keys); i++)
		(void)snprintf(file_line[i], sizeof(file_line[i]), "RSP_T_%s=%s", keys[i], file);
}

static void file_gone(void)
{
	(void)unlink(file);
}

TestSuite(config, .init = file_new, .fini = file_gone);

/* Reads what must be set and the further variables. */
static int read_with(char *const *more, struct config *out, struct buf *errors)
{
	static char oid[] = "RSP_T_ENTITY_OID=1.3.6.1.4", database[] = "RSP_T_DATABASE=host=/x dbname=y";
	char *environment[64] = { oid, database, file_line[0], file_line[1], file_line[2], file_line[3], file_line[4] };
	size_t n = 7;

	while (*more)
		environment[n++] = *more++;
	buf_clear(errors);
	return config_read("RSP_T_", rows, environment, out, errors);
}

#define VARIABLES(...) ((char *[]){ __VA_ARGS__, NULL })

static char *variable(const char *text)
{
	static char kept[8][256];
	static unsigned next;
	char *slot = kept[next++ % 8];

	(void)snprintf(slot, sizeof(kept[0]), "RSP_T_%s", text);
	return slot;
}

Test(config, reads_every_type_and_its_default)
{
	CLEANUP(buf_free) struct buf errors = { 0 };
	struct config c;
	char secret[200], foreign[] = "OTHER_T_X=1";

	cr_assert_eq(read_with(VARIABLES(foreign), &c, &errors), 0, "%s", errors.data);
	cr_assert_str_eq(c.text, "a|b");
	cr_assert_not(c.flag);
	cr_assert_eq(c.number, 7);
	cr_assert_str_eq(c.oid.text, "1.2");
	cr_assert_str_eq(c.common.entity_oid.text, "1.3.6.1.4");
	cr_assert_str_eq(c.common.database, "host=/x dbname=y"); /* values may hold = */
	cr_assert_str_eq(c.common.listen, "127.0.0.1");
	cr_assert_eq(c.common.connections, 4000);
	(void)snprintf(secret, sizeof(secret), "SECRET_OWN=%s", file);
	cr_assert_eq(
		read_with(VARIABLES(variable("TEXT_OWN=t"), variable("FLAG=yes"), variable("PORT_OWN=65535"),
				    variable("NUMBER_OWN="), variable("OID_OWN=2.999"), variable(secret), variable("PORT=8443")),
			  &c, &errors),
		0, "%s", errors.data);
	cr_assert_str_eq(c.text, "t");
	cr_assert(c.flag);
	cr_assert_eq(c.port, 65535);
	cr_assert_eq(c.number, 7); /* empty counts as not set */
	cr_assert_str_eq(c.oid.text, "2.999");
	cr_assert_str_eq(c.secret, file);
	cr_assert_eq(c.common.port, 8443);
}

static void refused(const char *text, const char *line)
{
	CLEANUP(buf_free) struct buf errors = { 0 };
	struct config c, before;

	memset(&c, 0x5A, sizeof(c));
	before = c;
	cr_assert_eq(read_with(VARIABLES(variable(text)), &c, &errors), -1, "%s", text);
	cr_assert_not_null(strstr(errors.data, line), "%s: got %s", text, errors.data);
	cr_assert_eq(strchr(errors.data, '\n'), errors.data + errors.len - 1, "one line a fault: %s", errors.data);
	cr_assert_eq(memcmp(&c, &before, sizeof(c)), 0, "changed on failure: %s", text);
}

Test(config, refuses_bad_values_by_name)
{
	static const struct {
		const char *text, *line;
	} cases[] = {
		{ "PORT=65536", "RSP_T_PORT: '65536' is not a port" },
		{ "PORT=-1", "RSP_T_PORT: '-1' is not a port" },
		{ "NUMBER_OWN=12x", "RSP_T_NUMBER_OWN: '12x' is not a number" },
		{ "NUMBER_OWN=99999999999", "is not a number" },
		{ "OID_OWN=1..2", "RSP_T_OID_OWN: '1..2' is not an object identifier" },
		{ "FLAG=true", "RSP_T_FLAG: 'true' is neither yes nor no" },
		{ "TLS_CRL=/nowhere/crl.pem", "RSP_T_TLS_CRL: /nowhere/crl.pem cannot be read: No such file" },
		{ "TLS_CRL=/tmp", "RSP_T_TLS_CRL: /tmp is not a file" },
		{ "PROT=1", "RSP_T_PROT: there is no such variable" },
		{ "LOG_LEVEL=loud", "RSP_T_LOG_LEVEL: 'loud' is not a level" },
		{ "DOMAIN=a.b", "RSP_T_DOMAIN: 'a.b' is not a name" },
		{ "THREADS=0", "RSP_T_THREADS: 0 is out of range" },
		{ "LISTEN=0.0.0.0", "RSP_T_PUBLIC_URL: is not set" },
		{ "PUBLIC_URL=http://x", "RSP_T_PUBLIC_URL: 'http://x' does not begin with https://" },
	};

	for (unsigned i = 0; i < LEN(cases); i++)
		refused(cases[i].text, cases[i].line);
}

Test(config, names_what_is_missing_and_secrets_that_are_open)
{
	CLEANUP(buf_free) struct buf errors = { 0 };
	char *none[] = { NULL }, expected[256];
	struct config c;

	cr_assert_eq(config_read("RSP_T_", rows, none, &c, &errors), -1);
	cr_assert_not_null(strstr(errors.data, "RSP_T_ENTITY_OID: is not set and has no default"));
	cr_assert_not_null(strstr(errors.data, "RSP_T_DATABASE: is not set"));
	cr_assert_not_null(strstr(errors.data, "RSP_T_TLS_CA: is not set"));
	cr_assert_eq(chmod(file, 0640), 0);
	cr_assert_eq(read_with(none, &c, &errors), -1);
	(void)snprintf(expected, sizeof(expected), "RSP_T_TLS_SERVER_KEY: %s has mode 0640", file);
	cr_assert_not_null(strstr(errors.data, expected), "%s", errors.data);
	(void)snprintf(expected, sizeof(expected), "chmod 600 %s", file);
	cr_assert_not_null(strstr(errors.data, expected), "%s", errors.data);
	cr_assert_null(strstr(errors.data, "RSP_T_TLS_SERVER_CERT"), "a certificate is public");
}

Test(config, help_lists_every_variable_once)
{
	static const char *const common[] = {
#define CONFIG(key, type, member, def, text) "RSP_T_" key,
#include "common/app/config.def"
#undef CONFIG
	};
	CLEANUP(buf_free) struct buf help = { 0 };
	CLEANUP(buf_free) struct buf table = { 0 };
	char wanted[80];

	config_help("t", "RSP_T_", rows, &help);
	config_help_markdown("t", "RSP_T_", rows, &table);
	for (unsigned i = 0; i < LEN(common); i++) {
		(void)snprintf(wanted, sizeof(wanted), "  %s (", common[i]);
		cr_assert_not_null(strstr(help.data, wanted), "%s", wanted);
		cr_assert_null(strstr(strstr(help.data, wanted) + 1, wanted), "%s twice", wanted);
		(void)snprintf(wanted, sizeof(wanted), "\n| `%s` | ", common[i]);
		cr_assert_not_null(strstr(table.data, wanted), "%s", wanted);
	}
	cr_assert_not_null(strstr(help.data, "  RSP_T_TEXT_OWN (text, default a|b)\n      a text\n"));
	cr_assert_not_null(strstr(help.data, "  RSP_T_DATABASE (text, must be set)\n"));
	cr_assert_not_null(strstr(table.data, "| `RSP_T_TEXT_OWN` | text | `a\\|b` | a text |\n"));
}

Test(config, a_process_of_its_own_has_its_own_rows_alone)
{
	static char number[] = "RSP_A_N=7", common[] = "RSP_A_DOMAIN=b";
	static const struct config_row own[] = { { "N", CONFIG_NUMBER, 0, "1", "a number" }, { NULL } };
	char *good[] = { number, NULL }, *bad[] = { number, common, NULL };
	CLEANUP(buf_free) struct buf errors = { 0 };
	CLEANUP(buf_free) struct buf help = { 0 };
	unsigned n = 0;

	cr_assert_eq(config_read_own("RSP_A_", own, bad, &n, &errors), -1);
	cr_assert_not_null(strstr(errors.data, "RSP_A_DOMAIN: there is no such variable"));
	cr_assert_eq(n, 0);
	cr_assert_eq(config_read_own("RSP_A_", own, good, &n, &errors), 0);
	cr_assert_eq(n, 7);
	config_help_own("a", "RSP_A_", own, false, &help);
	cr_assert_not_null(strstr(help.data, "  RSP_A_N (number, default 1)\n"));
	cr_assert_null(strstr(help.data, "DOMAIN"));
}

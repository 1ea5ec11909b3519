/* SPDX-License-Identifier: Apache-2.0 */
/* Profile types and the stock of ICCIDs of an SM-DP, on its admin socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/card/profile_default.h"
#include "services/operator-gateway/rspctl/rspctl.h"

enum { PACKAGE_MAX = PROFILE_PACKAGE_MAX, PAD_MAX = PROFILE_PACKAGE_MAX - 64 * 1024, MEMORY_DIGITS = 10 };

/* "DISABLE:Not-Allowed DELETE:Not-Allowed" */
static const char *rules_of(struct ctl *c, unsigned first)
{
	const char *rules = "";

	for (unsigned i = first; i < c->n_args; i++)
		rules = arena_printf(c->arena, "%s%s%s", rules, *rules ? " " : "", c->args[i]);
	return rules;
}

/* What is drawn for each card of the built-in packages when nobody says otherwise; PINs stay 0000: a device must know them. */
static const char default_variables[] = "scp80=random scp03=random puk1=random puk2=random adm1=random";
static const char meter_variables[] = "scp80=random adm1=random";

static bool built_in(const struct ctl *c)
{
	return c->option[OPT_DEFAULT] || c->option[OPT_METER];
}

/* The package as hex: of the file that is named, or a built-in one. */
static int package_take(struct ctl *c, struct buf *out)
{
	CLEANUP(buf_free) struct buf made = { 0 };
	struct bytes package;
	unsigned pad = 0;
	int code;

	if (c->option[OPT_PAD] && (!c->option[OPT_DEFAULT] || !number_parse(c->option[OPT_PAD], &pad) || pad > PAD_MAX))
		return ctl_fail(c, EXIT_USAGE, "--pad %s: should be at most %d bytes, and goes with --default", c->option[OPT_PAD], PAD_MAX);
	if (c->option[OPT_DEFAULT] && c->option[OPT_METER])
		return ctl_fail(c, EXIT_USAGE, "type add: --default and --meter are two packages: name one");
	if (built_in(c)) {
		if (c->option[OPT_METER])
			profile_meter_build(&made);
		else
			profile_default_build(&made, pad);
		buf_hex(out, made.data, made.len);
		return EXIT_OK;
	}
	if (c->n_args < 2)
		return ctl_fail(c, EXIT_USAGE,
				"type add: PACKAGE is missing: name a file, or --default or --meter for one that is built in");
	code = file_read(c, c->args[1], PACKAGE_MAX, &package);
	if (code != EXIT_OK)
		return code;
	buf_str(out, "");
	buf_hex(out, package.data, package.len);
	return EXIT_OK;
}

static const char *variables_of(const struct ctl *c)
{
	const char *given = c->option[OPT_VARIABLES];

	if (given)
		return given;
	return c->option[OPT_METER] ? meter_variables : c->option[OPT_DEFAULT] ? default_variables : NULL;
}

int cmd_type_add(struct ctl *c)
{
	const char *memory = c->option[OPT_MEMORY];
	CLEANUP(json_freep) json_t *body = json_object();
	CLEANUP(json_freep) json_t *answer = NULL;
	CLEANUP(buf_free) struct buf hex = { 0 };
	int code;

	if (!*memory || strlen(memory) > MEMORY_DIGITS || memory[strspn(memory, "0123456789")])
		return ctl_fail(c, EXIT_USAGE, "--memory %s: should be a number of bytes", memory);
	code = package_take(c, &hex);
	if (code != EXIT_OK)
		return code;
	json_put(body, "name", c->args[0]);
	json_put(body, "mno", c->option[OPT_MNO]);
	json_put(body, "package", hex.data);
	json_put(body, "keys", c->option[OPT_KEYS]);
	json_put(body, "address", c->option[OPT_ADDRESS]);
	json_put(body, "rules", rules_of(c, built_in(c) ? 1 : 2));
	json_put(body, "variables", variables_of(c));
	json_object_set_new(body, "memory", json_integer(strtoll(memory, NULL, 10)));
	code = admin_json(c, "POST", "/admin/types", body, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("profile type %s %s\n", c->args[0],
		       json_is_true(json_object_get(answer, "repeated")) ? "was there already" : "was made");
	return EXIT_OK;
}

int cmd_type_list(struct ctl *c)
{
	static const char *const names[] = { "mno",     "name",  "package",   "memory",   "keys",
					     "address", "rules", "variables", "available" };
	static const char *const heads[] = { "OPERATOR", "TYPE",  "PACKAGE",   "MEMORY",   "KEYS",
					     "ADDRESS",  "RULES", "VARIABLES", "AVAILABLE" };

	return ctl_list(c, "/admin/types", names, heads, LEN(names));
}

/* The file's name without folder and .csv. */
static const char *batch_of(struct ctl *c)
{
	const char *slash = strrchr(c->args[0], '/'), *name = slash ? slash + 1 : c->args[0];
	size_t n = strlen(name);

	if (c->option[OPT_BATCH])
		return c->option[OPT_BATCH];
	return n > 4 && !strcmp(name + n - 4, ".csv") ? arena_strndup(c->arena, name, n - 4) : name;
}

static int batch_print(const struct ctl *c, const json_t *answer)
{
	if (c->json)
		ctl_print_json(answer);
	else
		printf("batch %s: %s ICCIDs %s\n", ctl_cell(c->arena, answer, "batch"), ctl_cell(c->arena, answer, "iccids"),
		       json_is_true(json_object_get(answer, "repeated")) ? "were there already" : "are new");
	return EXIT_OK;
}

int cmd_stock_import(struct ctl *c)
{
	CLEANUP(json_freep) json_t *answer = NULL;
	CLEANUP(buf_free) struct buf path = { 0 };
	int code;

	buf_str(&path, "/admin/stock/import");
	ctl_query(&path, "mno", c->option[OPT_MNO]);
	ctl_query(&path, "type", c->option[OPT_TYPE]);
	ctl_query(&path, "batch", batch_of(c));
	ctl_query(&path, "wrap", c->option[OPT_WRAP]);
	code = admin_file(c, path.data, "text/csv", c->args[0], &answer);
	if (code != EXIT_OK)
		return code;
	return batch_print(c, answer);
}

int cmd_stock_make(struct ctl *c)
{
	CLEANUP(json_freep) json_t *body = json_object();
	CLEANUP(json_freep) json_t *answer = NULL;
	unsigned quantity = 0;
	int code;

	if (!number_parse(c->option[OPT_QUANTITY], &quantity))
		return ctl_fail(c, EXIT_USAGE, "--quantity %s: should be a number from 1 to 100000", c->option[OPT_QUANTITY]);
	json_put(body, "batch", c->args[0]);
	json_put(body, "iccid", c->args[1]);
	json_put(body, "imsi", c->args[2]);
	json_put(body, "mno", c->option[OPT_MNO]);
	json_put(body, "type", c->option[OPT_TYPE]);
	json_object_set_new(body, "quantity", json_integer(quantity));
	code = admin_json(c, "POST", "/admin/stock/make", body, &answer);
	return code == EXIT_OK ? batch_print(c, answer) : code;
}

/* The file as it is, so that `> file` keeps it. */
int cmd_stock_export(struct ctl *c)
{
	CLEANUP(json_freep) json_t *whole = NULL;
	CLEANUP(buf_free) struct buf path = { 0 };
	struct bytes csv;
	unsigned status;
	int code;

	buf_str(&path, "/admin/stock/export");
	ctl_query(&path, "mno", c->option[OPT_MNO]);
	ctl_query(&path, "batch", c->args[0]);
	code = admin_call(c, "GET", path.data, NULL, &status, &csv);
	if (code != EXIT_OK)
		return code;
	if (status != 200)
		return ctl_http_fail(c, path.data, status, csv);
	whole = c->json ? json_pack("{s:s%}", "csv", csv.data, csv.len) : NULL;
	if (whole)
		ctl_print_json(whole);
	else
		(void)fwrite(csv.data, 1, csv.len, stdout);
	return EXIT_OK;
}

int cmd_stock_digest(struct ctl *c)
{
	CLEANUP(json_freep) json_t *answer = NULL;
	CLEANUP(buf_free) struct buf path = { 0 };
	int code;

	buf_str(&path, "/admin/stock/digest");
	ctl_query(&path, "iccid", c->args[0]);
	code = admin_json(c, "GET", path.data, NULL, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("%s of type %s: %s elements, %s bytes, SHA-256 %s\n", c->args[0], ctl_cell(c->arena, answer, "type"),
		       ctl_cell(c->arena, answer, "elements"), ctl_cell(c->arena, answer, "bytes"),
		       ctl_cell(c->arena, answer, "digest"));
	return EXIT_OK;
}

int cmd_stock_list(struct ctl *c)
{
	static const char *const names[] = {
		"iccid", "mno", "type", "batch", "imsi", "msisdn", "state", "sent", "eid", "changed_at"
	};
	static const char *const heads[] = { "ICCID",  "OPERATOR", "TYPE", "BATCH", "IMSI",
					     "MSISDN", "STATE",    "SENT", "EID",   "CHANGED" };

	return ctl_list_by(c, "/admin/stock", OPT(MNO) | OPT(TYPE) | OPT(BATCH) | OPT(STATE) | OPT(EID) | OPT(LIMIT), names, heads,
			   LEN(names));
}

int cmd_stock_count(struct ctl *c)
{
	static const char *const names[] = { "mno", "type", "state", "iccids" };
	static const char *const heads[] = { "OPERATOR", "TYPE", "STATE", "ICCIDS" };

	return ctl_list(c, "/admin/stock/count", names, heads, LEN(names));
}

int cmd_stock_batches(struct ctl *c)
{
	static const char *const names[] = { "mno", "batch", "type", "wrap", "iccids", "imported_at" };
	static const char *const heads[] = { "OPERATOR", "BATCH", "TYPE", "WRAP", "ICCIDS", "IMPORTED" };

	return ctl_list_by(c, "/admin/stock/batches", OPT(LIMIT), names, heads, LEN(names));
}

/* What a person decides about an ICCID; says: what --yes says. */
static int decide(struct ctl *c, const char *word, const char *says, json_t **out)
{
	CLEANUP(json_freep) json_t *body = json_pack("{s:s}", "iccid", c->args[0]);

	if (!body)
		return ctl_fail(c, EXIT_USAGE, "stock %s: ICCID is 6 to 20 digits", word);
	if (!c->option[OPT_YES])
		return ctl_fail(c, EXIT_USAGE, "stock %s %s: --yes says that a person knows %s", word, c->args[0], says);
	return admin_json(c, "POST", arena_printf(c->arena, "/admin/stock/%s", word), body, out);
}

int cmd_stock_release(struct ctl *c)
{
	CLEANUP(json_freep) json_t *answer = NULL;
	int code = decide(c, "release", "it is on no card, or only on its own: it becomes available again", &answer);

	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else if (json_is_string(json_object_get(answer, "eid")))
		printf("%s is available again, for card %s alone\n", c->args[0], ctl_cell(c->arena, answer, "eid"));
	else
		printf("%s is available again\n", c->args[0]);
	return EXIT_OK;
}

int cmd_stock_deleted(struct ctl *c)
{
	CLEANUP(json_freep) json_t *answer = NULL;
	int code =
		decide(c, "deleted",
		       "its profile is on the card no more: it becomes quarantined, and the keys of its ISD-P are wiped", &answer);

	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("%s is quarantined; it was on card %s\n", c->args[0], ctl_cell(c->arena, answer, "eid"));
	return EXIT_OK;
}

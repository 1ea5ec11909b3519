/* SPDX-License-Identifier: Apache-2.0 */
/* profile, download, eis audit, operation and notification. */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/operator-gateway/rspctl/rspctl.h"

enum { WAIT_MAX_S = 60 };

static int bad_wait(struct ctl *c)
{
	return ctl_fail(c, EXIT_USAGE, "--wait %s: should be a number of seconds", c->option[OPT_WAIT]);
}

/* The gateway answers at its end, so this asks again only for long waits. */
int operation_fetch(struct ctl *c, const char *id, unsigned wait_s, json_t **out)
{
	int64_t until = clock_ms() + (int64_t)wait_s * 1000;
	CLEANUP(buf_free) struct buf path = { 0 };

	for (;;) {
		int64_t rest = (until - clock_ms() + 999) / 1000;
		json_t *found = NULL;
		int code;

		buf_clear(&path);
		buf_str(&path, "/v1/operations/");
		url_escape(&path, id);
		if (rest > 0)
			buf_printf(&path, "?wait=%d", (int)(rest < WAIT_MAX_S ? rest : WAIT_MAX_S));
		code = gateway_json(c, "GET", path.data, NULL, &found);
		if (code != EXIT_OK)
			return code;
		if (rest <= WAIT_MAX_S || !strcmp(ctl_cell(c->arena, found, "state"), "ended")) {
			*out = found;
			return EXIT_OK;
		}
		json_decref(found);
	}
}

/* What policy and address orders say. */
static void print_change(struct ctl *c, const json_t *o)
{
	const json_t *rules = json_object_get(o, "rules"), *address = json_object_get(o, "address"), *r;
	size_t i;

	if (rules && !json_array_size(rules))
		printf("%-14s  none\n", "rule");
	json_array_foreach(rules, i, r)
		printf("%-14s  %s:%s\n", "rule", ctl_cell(c->arena, r, "action"), ctl_cell(c->arena, r, "qualification"));
	if (address)
		printf("%-14s  %s\n%-14s  %s\n", "imsi", ctl_cell(c->arena, address, "imsi"), "msisdn",
		       ctl_cell(c->arena, address, "msisdn"));
}

static void print_operation(struct ctl *c, const json_t *o)
{
	static const char *const names[] = { "operation",    "kind",   "eid",     "iccid",   "smsr",           "smdp",
					     "mode",         "when",   "state",   "attempt", "created",        "deadline",
					     "ended",        "status", "code",    "message", "euicc_response", "user",
					     "profile_type", "enable", "enabled", "to",      "dry_run",        "stage" };
	const json_t *profiles = json_object_get(json_object_get(o, "eis"), "profiles"), *p;
	size_t i;

	if (c->json) {
		ctl_print_json(o);
		return;
	}
	for (i = 0; i < LEN(names); i++)
		if (json_object_get(o, names[i]))
			printf("%-14s  %s\n", names[i], ctl_cell(c->arena, o, names[i]));
	print_change(c, o);
	json_array_foreach(profiles, i, p)
		printf("%-14s  %s %s\n", "profile", ctl_cell(c->arena, p, "iccid"), ctl_cell(c->arena, p, "state"));
}

int order_place(struct ctl *c, const char *method, const char *path, json_t *options)
{
	CLEANUP(json_freep) json_t *body = options;
	CLEANUP(json_freep) json_t *made = NULL;
	CLEANUP(json_freep) json_t *ended = NULL;
	unsigned wait_s = 0;
	int code;

	if (c->option[OPT_WAIT] && !number_parse(c->option[OPT_WAIT], &wait_s))
		return bad_wait(c);
	code = gateway_json(c, method, path, body, &made);
	if (code != EXIT_OK)
		return code;
	if (c->option[OPT_WAIT]) {
		code = operation_fetch(c, ctl_cell(c->arena, made, "operation"), wait_s, &ended);
		if (code == EXIT_OK)
			code = operation_code(c, ended);
		if (code == EXIT_OK)
			print_operation(c, ended);
		return code;
	}
	if (c->json)
		ctl_print_json(made);
	else
		printf("operation %s\n", ctl_cell(c->arena, made, "operation"));
	return EXIT_OK;
}

static int bad_eid(struct ctl *c, const char *text)
{
	return ctl_fail(c, EXIT_USAGE, "EID %s: should be 32 digits whose check digits hold", text);
}

/* NULL: one of EID and ICCID is wrong, said, and *out_code. */
static const char *profile_path(struct ctl *c, const char *word, int *out_code)
{
	struct iccid iccid;
	struct eid eid;

	if (!eid_parse(c->args[0], &eid))
		*out_code = bad_eid(c, c->args[0]);
	else if (!iccid_parse(c->args[1], &iccid))
		*out_code = ctl_fail(c, EXIT_USAGE, "ICCID %s: should be 6 to 20 digits that start with 89", c->args[1]);
	else
		return arena_printf(c->arena, "/v1/euiccs/%s/profiles/%s/%s", eid.text, iccid.text, word);
	return NULL;
}

static int profile_order(struct ctl *c, const char *word)
{
	int code = EXIT_OK;
	const char *path = profile_path(c, word, &code);
	json_t *body = NULL;

	if (path)
		code = order_options(c, &body);
	return code == EXIT_OK ? order_place(c, "POST", path, body) : code;
}

int cmd_profile_enable(struct ctl *c)
{
	return profile_order(c, "enable");
}

int cmd_profile_disable(struct ctl *c)
{
	return profile_order(c, "disable");
}

int cmd_profile_delete(struct ctl *c)
{
	return profile_order(c, "delete");
}

int cmd_profile_policy(struct ctl *c)
{
	int code = EXIT_OK;
	const char *path = profile_path(c, "pol2", &code);
	json_t *body = NULL;

	if (path)
		code = policy_options(c, c->args + 2, c->n_args - 2, &body);
	return code == EXIT_OK ? order_place(c, "PUT", path, body) : code;
}

int cmd_profile_address(struct ctl *c)
{
	int code = EXIT_OK;
	const char *path = profile_path(c, "subscription-address", &code);
	json_t *body = NULL;

	if (path)
		code = address_options(c, &body);
	return code == EXIT_OK ? order_place(c, "PUT", path, body) : code;
}

int cmd_download(struct ctl *c)
{
	json_t *body = NULL;
	struct eid eid;
	int code;

	if (c->option[OPT_CSV])
		return c->n_args ? ctl_fail(c, EXIT_USAGE, "download: EID or --csv, not both") : download_list(c);
	if (!c->n_args)
		return ctl_fail(c, EXIT_USAGE, "usage: rspctl download EID, or rspctl download --csv FILE");
	if (!eid_parse(c->args[0], &eid))
		return bad_eid(c, c->args[0]);
	code = download_options(c, NULL, &body);
	if (code != EXIT_OK)
		return code;
	return order_place(c, "POST", arena_printf(c->arena, "/v1/euiccs/%s/profiles/download", eid.text), body);
}

int cmd_eis_audit(struct ctl *c)
{
	json_t *body = NULL;
	struct eid eid;
	int code;

	if (!eid_parse(c->args[0], &eid))
		return bad_eid(c, c->args[0]);
	code = order_options(c, &body);
	if (code != EXIT_OK)
		return code;
	return order_place(c, "POST", arena_printf(c->arena, "/v1/euiccs/%s/audit", eid.text), body);
}

int cmd_operation_show(struct ctl *c)
{
	CLEANUP(json_freep) json_t *o = NULL;
	unsigned wait_s = 0;
	int code;

	if (c->option[OPT_WAIT] && !number_parse(c->option[OPT_WAIT], &wait_s))
		return bad_wait(c);
	code = operation_fetch(c, c->args[0], wait_s, &o);
	if (code == EXIT_OK)
		print_operation(c, o);
	return code;
}

static int list(struct ctl *c, const char *path, const char *const *names, const char *const *heads, unsigned columns)
{
	CLEANUP(buf_free) struct buf url = { 0 };
	CLEANUP(json_freep) json_t *rows = NULL;
	int code;

	buf_str(&url, path);
	ctl_query(&url, "eid", c->option[OPT_EID]);
	ctl_query(&url, "state", c->option[OPT_STATE]);
	ctl_query(&url, "limit", c->option[OPT_LIMIT]);
	code = gateway_json(c, "GET", url.data, NULL, &rows);
	return code == EXIT_OK ? ctl_print_list(c, rows, names, heads, columns) : code;
}

int cmd_operation_list(struct ctl *c)
{
	static const char *const names[] = { "operation", "kind", "eid", "iccid", "state", "status", "code", "created", "ended" };
	static const char *const heads[] = { "OPERATION", "KIND", "EID", "ICCID", "STATE", "STATUS", "CODE", "CREATED", "ENDED" };

	return list(c, "/v1/operations", names, heads, LEN(names));
}

int cmd_notification_list(struct ctl *c)
{
	static const char *const names[] = { "received", "kind", "eid", "iccid", "completed", "smsr", "smdp" };
	static const char *const heads[] = { "RECEIVED", "KIND", "EID", "ICCID", "COMPLETED", "SM-SR", "SM-DP" };

	return list(c, "/v1/notifications", names, heads, LEN(names));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* eis get: a card through the gateway's northbound API. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/operator-gateway/base64.h"
#include "services/operator-gateway/rspctl/rspctl.h"

static void file_close(FILE **f)
{
	if (*f)
		fclose(*f);
}

static int write_octets(struct ctl *c, const json_t *eis, const char *member, const char *name)
{
	const char *path = arena_printf(c->arena, "%s/%s", c->option[OPT_OCTETS], name);
	const char *text = json_string_value(json_object_get(eis, member));
	CLEANUP(file_close) FILE *f = NULL;
	struct bytes octets;

	if (!text || !base64_decode(c->arena, text, &octets))
		return ctl_fail(c, EXIT_INTERNAL, "%s in the answer is not base64", member);
	f = fopen(path, "we");
	if (!f || fwrite(octets.data, 1, octets.len, f) != octets.len || fflush(f))
		return ctl_fail(c, EXIT_USAGE, "--octets %s: %s", path, strerror(errno));
	return EXIT_OK;
}

static const char *sub(struct ctl *c, const json_t *o, const char *group, const char *name)
{
	return ctl_cell(c->arena, json_object_get(o, group), name);
}

static const char *pol2_text(struct ctl *c, const json_t *rules)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	const json_t *r;
	size_t i;

	json_array_foreach(rules, i, r)
		buf_printf(&out, "%s%s %s", i ? ", " : "", ctl_cell(c->arena, r, "action"), ctl_cell(c->arena, r, "qualification"));
	return out.len ? arena_strdup(c->arena, out.data) : "-";
}

static void print_profiles(struct ctl *c, const json_t *profiles)
{
	enum { COLUMNS = 9 };
	static const char *const heads[COLUMNS] = { "ICCID", "STATE",  "FALLBACK", "OPERATOR", "TYPE",
						    "IMSI",  "MSISDN", "MEMORY",   "POL2" };
	const char **cells = arena_array(c->arena, COLUMNS * (json_array_size(profiles) + 1), sizeof(*cells));
	unsigned n = COLUMNS;
	const json_t *p;
	size_t i;

	memcpy(cells, heads, sizeof(heads));
	json_array_foreach(profiles, i, p)
	{
		cells[n++] = ctl_cell(c->arena, p, "iccid");
		cells[n++] = ctl_cell(c->arena, p, "state");
		cells[n++] = ctl_cell(c->arena, p, "fallback");
		cells[n++] = ctl_cell(c->arena, p, "mno");
		cells[n++] = ctl_cell(c->arena, p, "profile_type");
		cells[n++] = sub(c, p, "address", "imsi");
		cells[n++] = sub(c, p, "address", "msisdn");
		cells[n++] = sub(c, p, "memory", "allocated");
		cells[n++] = pol2_text(c, json_object_get(p, "pol2"));
	}
	ctl_print_table(cells, COLUMNS, n / COLUMNS);
}

static void print_eis(struct ctl *c, const json_t *eis)
{
	json_t *properties = json_object_get(eis, "properties"), *value;
	const char *key;

	printf("EID       %s\n", ctl_cell(c->arena, eis, "eid"));
	printf("EUM       %s, made %s\n", ctl_cell(c->arena, eis, "eum"), ctl_cell(c->arena, eis, "production_date"));
	printf("SM-SR     %s\n", ctl_cell(c->arena, eis, "smsr"));
	printf("Platform  %s %s\n", sub(c, eis, "platform", "type"), sub(c, eis, "platform", "version"));
	printf("Memory    %s of %s bytes free for profiles\n", sub(c, eis, "memory", "remaining"),
	       sub(c, eis, "memory", "available"));
	printf("HTTPS     %s\n", sub(c, eis, "capabilities", "http_support"));
	json_object_foreach(properties, key, value)
		printf("Property  %s = %s\n", key, json_string_value(value) ? json_string_value(value) : "?");
	putchar('\n');
	print_profiles(c, json_object_get(eis, "profiles"));
}

int cmd_eis_get(struct ctl *c)
{
	CLEANUP(json_freep) json_t *eis = NULL;
	CLEANUP(buf_free) struct buf path = { 0 };
	const char *via = c->option[OPT_VIA];
	struct eid eid;
	int code;

	if (!eid_parse(c->args[0], &eid))
		return ctl_fail(c, EXIT_USAGE, "EID %s: should be 32 digits whose check digits hold", c->args[0]);
	buf_printf(&path, "/v1/euiccs/%s", eid.text);
	ctl_query(&path, "smdp", via && !strcmp(via, "direct") ? "" : via);
	code = gateway_json(c, "GET", path.data, NULL, &eis);
	if (code == EXIT_OK && c->option[OPT_OCTETS])
		code = write_octets(c, eis, "signed_info", "signed_info.xml");
	if (code == EXIT_OK && c->option[OPT_OCTETS])
		code = write_octets(c, eis, "signature", "signature.xml");
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(eis);
	else
		print_eis(c, eis);
	return EXIT_OK;
}

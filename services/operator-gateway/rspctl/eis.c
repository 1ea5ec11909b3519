/* SPDX-License-Identifier: Apache-2.0 */
/* eis get: a card through the gateway's northbound API. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "common/http/client.h"
#include "services/operator-gateway/base64.h"
#include "services/operator-gateway/rspctl/rspctl.h"

enum { TIMEOUT_MS = 120 * 1000, EIS_MAX = 8 * 1024 * 1024, TOKEN_FILE_MAX = 4096 };

/* "Authorization: Bearer ..." in a secret. */
static int authorization(struct ctl *c, struct secret *out)
{
	static const char head[] = "Authorization: Bearer ";
	CLEANUP(secret_free) struct secret file = { 0 };
	const char *path = c->option[OPT_TOKEN_FILE];
	int failed = secret_read_file(path, TOKEN_FILE_MAX, &file);
	size_t n;

	if (failed == -EPERM)
		return ctl_fail(c, EXIT_USAGE, "--token-file %s: group or others may read it: chmod 600", path);
	if (failed)
		return ctl_fail(c, EXIT_USAGE, "--token-file %s: %s", path, strerror(-failed));
	for (n = 0; n < file.len && file.data[n] > ' ' && file.data[n] < 0x7F; n++)
		;
	if (!n)
		return ctl_fail(c, EXIT_USAGE, "--token-file %s: the first line should be a token of rspctl token create", path);
	*out = secret_new(sizeof(head) + n);
	memcpy(out->data, head, sizeof(head) - 1);
	memcpy(out->data + sizeof(head) - 1, file.data, n);
	return EXIT_OK;
}

static void client_close(struct http_client **client)
{
	http_client_close(*client, 0);
}

static int gateway_get(struct ctl *c, const char *path, json_t **out)
{
	const struct http_client_spec spec = { .trust_file = c->option[OPT_CA] };
	CLEANUP(secret_free) struct secret header = { 0 };
	CLEANUP(client_close) struct http_client *client = NULL;
	char error[256] = "";
	size_t base = strlen(c->option[OPT_GATEWAY]);
	const char *headers[2] = { 0 };
	struct http_outgoing rq = { .method = "GET", .timeout_ms = TIMEOUT_MS, .max_answer = EIS_MAX, .headers = headers };
	struct http_answer answer;
	int code = authorization(c, &header);

	if (code != EXIT_OK)
		return code;
	client = http_client_open(&spec, error);
	if (!client)
		return ctl_fail(c, EXIT_USAGE, "%s", error);
	while (base && c->option[OPT_GATEWAY][base - 1] == '/')
		base--;
	rq.url = arena_printf(c->arena, "%.*s%s", (int)base, c->option[OPT_GATEWAY], path);
	headers[0] = (const char *)header.data;
	http_client_call(client, c->arena, &rq, &answer);
	if (answer.error != HTTP_ANSWERED)
		return ctl_fail(c, answer.error == HTTP_TOO_LARGE ? EXIT_INTERNAL : EXIT_UNREACHABLE, "%s: %s: %s", rq.url,
				http_error_name(answer.error), answer.reason ? answer.reason : "no reason given");
	if (answer.status != 200)
		return ctl_http_fail(c, rq.url, answer.status, answer.body);
	*out = json_loadb((const char *)answer.body.data, answer.body.len, 0, NULL);
	return *out ? EXIT_OK : ctl_fail(c, EXIT_INTERNAL, "%s: the answer is not JSON; is it a gateway's northbound API?", rq.url);
}

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
	struct eid eid;
	int code;

	if (!eid_parse(c->args[0], &eid))
		return ctl_fail(c, EXIT_USAGE, "EID %s: should be 32 digits whose check digits hold", c->args[0]);
	code = gateway_get(c, arena_printf(c->arena, "/v1/euiccs/%s", eid.text), &eis);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests at a gateway's northbound API. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/http/client.h"
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

int gateway_call(struct ctl *c, const char *method, const char *path, const json_t *json, struct http_answer *out)
{
	const char *body = json ? json_text(c->arena, json) : NULL;
	const struct http_client_spec spec = { .trust_file = c->option[OPT_CA] };
	CLEANUP(secret_free) struct secret header = { 0 };
	CLEANUP(client_close) struct http_client *client = NULL;
	char error[256] = "";
	size_t base = strlen(c->option[OPT_GATEWAY]);
	const char *headers[2] = { 0 };
	struct http_outgoing rq = { .method = method, .timeout_ms = TIMEOUT_MS, .max_answer = EIS_MAX, .headers = headers };
	int code = authorization(c, &header);

	if (code != EXIT_OK)
		return code;
	client = http_client_open(&spec, error);
	if (!client)
		return ctl_fail(c, EXIT_USAGE, "%s", error);
	while (base && c->option[OPT_GATEWAY][base - 1] == '/')
		base--;
	rq.url = arena_printf(c->arena, "%.*s%s", (int)base, c->option[OPT_GATEWAY], path);
	rq.content_type = body ? "application/json" : NULL;
	rq.body = body;
	rq.n = body ? strlen(body) : 0;
	headers[0] = (const char *)header.data;
	http_client_call(client, c->arena, &rq, out);
	return EXIT_OK;
}

int gateway_json(struct ctl *c, const char *method, const char *path, const json_t *body, json_t **out)
{
	struct http_answer answer;
	int code = gateway_call(c, method, path, body, &answer);

	if (code != EXIT_OK)
		return code;
	if (answer.error != HTTP_ANSWERED)
		return ctl_fail(c, answer.error == HTTP_TOO_LARGE ? EXIT_INTERNAL : EXIT_UNREACHABLE, "%s%s: %s: %s",
				c->option[OPT_GATEWAY], path, http_error_name(answer.error),
				answer.reason ? answer.reason : "no reason given");
	if (answer.status / 100 != 2)
		return ctl_http_fail(c, arena_printf(c->arena, "%s%s", c->option[OPT_GATEWAY], path), answer.status, answer.body);
	*out = json_loadb((const char *)answer.body.data, answer.body.len, 0, NULL);
	return *out ? EXIT_OK
		    : ctl_fail(c, EXIT_INTERNAL, "%s%s: the answer is not JSON; is it a gateway's northbound API?",
			       c->option[OPT_GATEWAY], path);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on the admin socket of a process. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http/client.h"
#include "services/operator-gateway/rspctl/rspctl.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, BODY_MAX = 32 * 1024 * 1024, TIMEOUT_MS = 60 * 1000, FILE_TIMEOUT_MS = 600 * 1000 };

static void client_close(struct http_client **client)
{
	http_client_close(*client, 0);
}

static int send_request(struct ctl *c, const char *method, const char *path, const char *content_type, struct bytes body, int timeout_ms,
			struct http_answer *out)
{
	const struct http_client_spec spec = { 0 };
	const char *socket = c->option[OPT_ADMIN];
	const struct http_outgoing rq = {
		.method = method,
		.url = arena_printf(c->arena, "http://localhost%s", path),
		.plain_allowed = true,
		.content_type = content_type,
		.body = body.data,
		.n = body.len,
		.timeout_ms = timeout_ms,
		.max_answer = ANSWER_MAX,
		.unix_path = socket,
	};
	char error[256] = "";
	CLEANUP(client_close) struct http_client *client = http_client_open(&spec, error);

	if (!client)
		return ctl_fail(c, EXIT_INTERNAL, "%s", error);
	http_client_call(client, c->arena, &rq, out);
	if (out->error == HTTP_ANSWERED)
		return EXIT_OK;
	if (out->error == HTTP_TOO_LARGE)
		return ctl_fail(c, EXIT_INTERNAL, "--admin %s: the answer is larger than %d bytes", socket, ANSWER_MAX);
	return ctl_fail(c, EXIT_UNREACHABLE, "--admin %s: %s; is the process running, with this ADMIN_SOCKET, as this user?",
			socket, out->reason && *out->reason ? out->reason : http_error_name(out->error));
}

int admin_call(struct ctl *c, const char *method, const char *path, const json_t *body, unsigned *out_status,
	       struct bytes *out_body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct http_answer answer;
	const struct bytes sent = { (const uint8_t *)text, text ? strlen(text) : 0 };
	int code = send_request(c, method, path, text ? "application/json" : NULL, sent, TIMEOUT_MS, &answer);

	free(text);
	if (code != EXIT_OK)
		return code;
	*out_status = answer.status;
	*out_body = answer.body;
	return EXIT_OK;
}

/* What a request was answered with, when that is 2xx and JSON. */
static int json_answer(struct ctl *c, const char *path, unsigned status, struct bytes text, json_t **out)
{
	json_t *answer;

	if (status / 100 != 2)
		return ctl_http_fail(c, path, status, text);
	answer = text.len ? json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL, NULL) : json_object();
	if (!answer)
		return ctl_fail(c, EXIT_INTERNAL, "%s: the answer is not JSON; are rspctl and the process of the same version?",
				path);
	*out = answer;
	return EXIT_OK;
}

int admin_json(struct ctl *c, const char *method, const char *path, const json_t *body, json_t **out)
{
	struct bytes text;
	unsigned status;
	int code = admin_call(c, method, path, body, &status, &text);

	return code == EXIT_OK ? json_answer(c, path, status, text, out) : code;
}

static void file_closep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

int file_read(struct ctl *c, const char *path, size_t max, struct bytes *out)
{
	CLEANUP(file_closep) FILE *f = fopen(path, "re");
	uint8_t *data;
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET))
		return ctl_fail(c, EXIT_USAGE, "%s: %s", path, strerror(errno));
	if ((size_t)size > max)
		return ctl_fail(c, EXIT_USAGE, "%s: has %ld bytes, at most %zu are taken at once: divide it", path, size, max);
	data = arena_alloc(c->arena, (size_t)size + 1);
	if (fread(data, 1, (size_t)size, f) != (size_t)size)
		return ctl_fail(c, EXIT_USAGE, "%s: %s", path, ferror(f) ? strerror(errno) : "it became shorter while it was read");
	*out = (struct bytes){ data, (size_t)size };
	return EXIT_OK;
}

int admin_file(struct ctl *c, const char *path, const char *content_type, const char *file, json_t **out)
{
	struct http_answer answer;
	struct bytes body;
	int code = file_read(c, file, BODY_MAX, &body);

	if (code == EXIT_OK)
		code = send_request(c, "POST", path, content_type, body, FILE_TIMEOUT_MS, &answer);
	return code == EXIT_OK ? json_answer(c, file, answer.status, answer.body, out) : code;
}

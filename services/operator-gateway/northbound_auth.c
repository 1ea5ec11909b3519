/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use the northbound API: bearer tokens, of which the database holds SHA-256 only. */
#include <string.h>

#include "common/base/hex.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/crypto/cert.h"
#include "services/operator-gateway/api.h"
#include "services/operator-gateway/gateway.h"

enum { TOKEN_BYTES = 32, TOKEN_MAX = 256, NAME_LIMIT = 64 };

void northbound_db_failed(struct http_call *call, result failure)
{
	log_msg(LOG_ERROR, "northbound.database", "%s", failure->cause ? failure->cause : status_code(failure->code)->text);
	app_error(call, 503, "unavailable", "the gateway's database does not answer; try again later");
}

static void answer_401(struct http_call *call, const char *message)
{
	static const struct http_header challenge[] = { { "WWW-Authenticate", "Bearer" } };
	const char *body = api_error_json(app_arena(call), &(struct api_error){ .code = "unauthorised", .message = message });

	http_reply_headers(call, 401, "application/json", body, strlen(body), challenge, LEN(challenge));
}

/* The token of "Authorization: Bearer x"; NULL: none. */
static const char *bearer(const struct http_call *call)
{
	const char *value = http_header(call, "Authorization");

	if (!value || strncasecmp(value, "Bearer ", 7))
		return NULL;
	value += 7 + strspn(value + 7, " ");
	return *value && strlen(value) <= TOKEN_MAX ? value : NULL;
}

bool northbound_allow(struct http_call *call, enum api_role least, const char **out_name)
{
	const char *token = bearer(call);
	struct api_user user;
	uint8_t digest[SHA256_LEN];
	result failure;

	if (!token) {
		answer_401(call, "send Authorization: Bearer TOKEN; tokens are made by rspctl token create");
		return false;
	}
	sha256(token, strlen(token), digest);
	failure = token_find(app_db(call), app_arena(call), digest, &user);
	if (failure != OK) {
		northbound_db_failed(call, failure);
		return false;
	}
	if (!user.name) {
		answer_401(call, "this token is unknown or was deleted; rspctl token create makes a new one");
		return false;
	}
	if (user.role < least) {
		app_error(call, 403, "forbidden", "token %s has role reader; this needs role operator", user.name);
		return false;
	}
	*out_name = user.name;
	return true;
}

static bool name_ok(const char *name)
{
	size_t n = name ? strlen(name) : 0;

	return n > 0 && n <= NAME_LIMIT && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/* The token leaves this process once, here; nothing but its digest stays. */
static void token_made(struct http_call *call, const char *name, const char *role)
{
	uint8_t random[TOKEN_BYTES], digest[SHA256_LEN];
	char token[2 * TOKEN_BYTES + 1], body[512];
	bool made = false;
	result failure;

	random_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), token);
	sha256(token, strlen(token), digest);
	failure = token_add(app_db(call), app_arena(call), name, role, digest, &made);
	if (failure != OK) {
		northbound_db_failed(call, failure);
	} else if (!made) {
		app_error(call, 409, "conflict", "a token named %s exists; delete it first or choose another name", name);
	} else {
		snprintf(body, sizeof(body), "{\"name\":\"%s\",\"role\":\"%s\",\"token\":\"%s\"}", name, role, token);
		app_json(call, 201, body);
	}
	secret_wipe(random, sizeof(random));
	secret_wipe(token, sizeof(token));
	secret_wipe(body, sizeof(body));
}

static void tokens_post(struct app *app, struct http_call *call)
{
	struct bytes in = http_body(call);
	CLEANUP(json_freep) json_t *body = json_loadb((const char *)in.data, in.len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(body, "name"));
	const char *role = json_string_value(json_object_get(body, "role"));
	enum api_role parsed;

	(void)app;
	if (!name_ok(name))
		app_error(call, 400, "invalid_parameter", "name: 1 to 64 of A-Z a-z 0-9 . _ -");
	else if (!api_role_parse(role, &parsed))
		app_error(call, 400, "invalid_parameter", "role: reader or operator");
	else
		token_made(call, name, role);
}

static void tokens_get(struct app *app, struct http_call *call)
{
	const char *json;
	result failure = token_list(app_db(call), app_arena(call), &json);

	(void)app;
	if (failure != OK)
		northbound_db_failed(call, failure);
	else
		app_json(call, 200, json);
}

static void tokens_delete(struct app *app, struct http_call *call);

enum { ADMIN_DELETE = 2 };
const struct route gateway_admin[] = {
	{ "POST", "/admin/tokens", tokens_post },
	{ "GET", "/admin/tokens", tokens_get },
	[ADMIN_DELETE] = { "DELETE", "/admin/tokens/", tokens_delete },
	{ 0 },
};

static void tokens_delete(struct app *app, struct http_call *call)
{
	const char *name = route_rest(&gateway_admin[ADMIN_DELETE], call);
	bool gone = false;
	result failure;

	(void)app;
	failure = token_delete(app_db(call), app_arena(call), name, &gone);
	if (failure != OK)
		northbound_db_failed(call, failure);
	else if (!gone)
		app_error(call, 404, "not_found", "there is no token of this name; rspctl token list shows all");
	else
		app_json(call, 200, "{}");
}

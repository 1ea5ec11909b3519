/* SPDX-License-Identifier: Apache-2.0 */
/* The admin socket: what rspctl and tests ask of a running process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/app/app_internal.h"
#include "common/app/json_in.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"

enum { MESSAGES = 100, MESSAGES_MAX = 1000 };

/* clang-format off */
static const struct route routes[] = {
	{ "GET", "/admin/entities", admin_entities },
	{ "POST", "/admin/entities", admin_entity_save },
	{ "GET", "/admin/messages", admin_messages },
	{ "GET", "/admin/outbox", admin_outbox },
	{ "GET", "/admin/outbox/", admin_outbox_show },
	{ "POST", "/admin/outbox/replay", admin_outbox_replay },
	{ "DELETE", "/admin/outbox/", admin_outbox_drop },
	{ "GET", "/admin/peers", admin_peers },
	{ "GET", "/admin/faults", admin_faults },
	{ "POST", "/admin/faults", admin_fault_arm },
	{ "POST", "/admin/log-level", admin_log_level },
	{ NULL },
};
/* clang-format on */

void admin_handle(void *ctx, struct http_call *call)
{
	struct process *p = ctx;
	const struct route *const tables[] = { routes, p->app.spec->admin };

	route_call(p, call, tables, LEN(tables));
}

unsigned query_limit(const struct http_call *call, unsigned def, unsigned max)
{
	const char *text = http_query(call, "limit");
	unsigned long v;

	if (!text || !*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		return def;
	v = strtoul(text, NULL, 10);
	return v < max ? (unsigned)v : max;
}

void admin_messages(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	if (!app->rpc.journal) {
		app_error(call, 404, "no_journal", "this process keeps no journal; set %sJOURNAL", app->spec->env_prefix);
		return;
	}
	journal_read(app->rpc.journal, http_query(call, "eid"), http_query(call, "message_id"),
		     query_limit(call, MESSAGES, MESSAGES_MAX), &b);
	buf_char(&b, '\n');
	http_reply(call, 200, "application/json", b.data, b.len);
}

void admin_rows(struct http_call *call, const struct rows *rows, void (*element)(struct buf *out, const struct rows *rows, size_t row))
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_char(&b, '[');
	for (size_t i = 0; i < rows_count(rows); i++) {
		if (i)
			buf_str(&b, ",\n");
		element(&b, rows, i);
	}
	buf_str(&b, "]\n");
	app_json(call, 200, b.data);
}

void admin_log_level(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *j = json_body(call);
	const char *text;
	enum log_level level;

	if (!j)
		return;
	text = json_string_value(json_object_get(j, "level"));
	if (!text || !log_level_parse(text, &level)) {
		app_error(call, 400, "bad_level", "give level: debug, info, warn or error");
		return;
	}
	log_open(app->spec->name, level);
	app_json(call, 200, "{}\n");
}

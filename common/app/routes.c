/* SPDX-License-Identifier: Apache-2.0 */
/* Served paths of the admin, management and northbound listeners: from a call to its handler, and the forms of an answer. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/app/app_internal.h"
#include "common/app/json_in.h"
#include "common/rpc/json_out.h"

void *pool_thread_open(void *ctx)
{
	const struct process *p = ctx;
	struct pool_thread *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->db = db_open(p->app.rpc.store);
	t->arena = arena_new();
	return t;
}

void pool_thread_close(void *ctx, void *thread)
{
	struct pool_thread *t = thread;

	if (!t)
		return;
	db_close(t->db);
	arena_free(t->arena);
	free(t);
}

struct db *app_db(struct http_call *call)
{
	const struct pool_thread *t = http_thread_of(call);

	return t->db;
}

struct arena *app_arena(struct http_call *call)
{
	const struct pool_thread *t = http_thread_of(call);

	return t->arena;
}

/* How well a route's path fits: 0 not at all, SIZE_MAX exactly, between: the more is named the better. */
static size_t fit(const struct route *r, const char *path)
{
	size_t n = strlen(r->path);

	if (!strcmp(r->path, path))
		return SIZE_MAX;
	return r->path[n - 1] == '/' && !strncmp(path, r->path, n) ? n : 0;
}

struct found {
	const struct route *route; /* NULL: none with this method */
	size_t fit;                /* of any method; 0: no such path */
	char allow[64];            /* methods of the path */
};

static void allow_add(struct found *f, const char *method)
{
	size_t n = strlen(f->allow);

	if (!strstr(f->allow, method))
		(void)snprintf(f->allow + n, sizeof(f->allow) - n, "%s%s", n ? ", " : "", method);
}

static void find(const struct route *table, const char *method, const char *path, struct found *f)
{
	for (const struct route *r = table; r && r->method; r++) {
		size_t how = fit(r, path);

		if (!how || how < f->fit)
			continue;
		if (how > f->fit)
			*f = (struct found){ .fit = how };
		allow_add(f, r->method);
		if (!f->route && !strcmp(r->method, method))
			f->route = r;
	}
}

static void answer_not_allowed(struct http_call *call, const struct found *f)
{
	static const char body[] =
		"{\"error\":{\"code\":\"method_not_allowed\",\"message\":\"this path does not know the method\"}}\n";
	const struct http_header allow = { "Allow", f->allow };

	http_reply_headers(call, 405, "application/json", body, sizeof(body) - 1, &allow, 1);
}

void route_call(struct process *p, struct http_call *call, const struct route *const *tables, size_t n)
{
	struct pool_thread *t = http_thread_of(call); /* the call itself may be gone when its handler returns */
	struct found f = { 0 };

	for (size_t i = 0; i < n; i++)
		find(tables[i], http_method(call), http_path(call), &f);
	if (f.route)
		f.route->handle(&p->app, call);
	else if (f.fit)
		answer_not_allowed(call, &f);
	else
		app_error(call, 404, "not_found", "there is no %s", http_path(call));
	if (db_in_transaction(t->db))
		db_rollback(t->db); /* a handler that gave up must not leave its locks to the next one */
	arena_reset(t->arena);
}

void northbound_handle(void *ctx, struct http_call *call)
{
	struct process *p = ctx;

	route_call(p, call, &p->app.spec->northbound, 1);
}

const char *route_rest(const struct route *r, const struct http_call *call)
{
	const char *path = http_path(call);
	size_t n = strlen(r->path);

	return strncmp(path, r->path, n) ? "" : path + n;
}

void app_json(struct http_call *call, unsigned status, const char *json)
{
	http_reply(call, status, "application/json", json, strlen(json));
}

void app_error(struct http_call *call, unsigned status, const char *code, const char *fmt, ...)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	char message[1024];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	buf_str(&b, "{\"error\":{");
	json_out_member(&b, "code", code);
	json_out_member(&b, "message", message);
	buf_str(&b, "}}\n");
	app_json(call, status, b.data);
}

void json_body_free(json_t **j)
{
	json_decref(*j);
}

json_t *json_body(struct http_call *call)
{
	struct bytes body = http_body(call);
	json_error_t e;
	json_t *j = json_loadb(body.len ? (const char *)body.data : "", body.len, JSON_REJECT_DUPLICATES, &e);

	if (json_is_object(j))
		return j;
	if (j)
		app_error(call, 400, "bad_json", "the body is JSON, but no object");
	else
		app_error(call, 400, "bad_json", "the body is no JSON: line %d: %s", e.line, e.text);
	json_decref(j);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One main for every process (style.md 12): configuration, log, database, bus, workers, listeners, drain. */
#ifndef APP_APP_H
#define APP_APP_H

#include "common/app/config.h"
#include "common/rpc/ask.h"
#include "common/rpc/rpc.h"

/* One served path of the admin socket or the northbound listener, with JSON bodies. */
struct app;
struct route {
	const char *method, *path; /* "GET", "/admin/batches"; a trailing "/" matches everything below: the rest by route_rest */
	void (*handle)(struct app *app, struct http_call *call);
};

/* Rows that are kept for a time and then deleted, by CLEAN_S (maintain.c). Its statement deletes a batch of them at most, so that nobody
 * waits for it, and is repeated until nothing is left. */
struct cleaning {
	unsigned statement;
	const char *what; /* for the log: "calls" */
	size_t days;      /* offset of an unsigned in the role's config: $1, days to keep; 0: the statement has no parameter */
	/* It cannot find by an index what may go: it walks through the table. $2: where it stopped, '' at the beginning. It answers one row:
	 * how many it deleted, and where it stopped, null at the end. */
	bool walks;
};

struct app_spec {
	const char *name;         /* "sm-sr" */
	const char *env_prefix;   /* "RSP_SMSR_" */
	enum role role;
	const struct config_row *config; /* the role's own rows, ending with key NULL; common ones are added */
	size_t config_size;       /* of the role's config struct, which begins with struct config_common */
	const struct migration *migrations;
	const size_t *n_migrations;
	const struct statement *statements; /* the role's own, numbered from RPC_STATEMENTS */
	size_t n_statements;
	bool plan_once;                 /* struct store_spec */
	const struct served *served;
	size_t n_served;
	const struct awaited *awaited;  /* callbacks to us; NULL: none */
	size_t n_awaited;
	const struct relay_role *relay; /* of its RELAY rows; NULL: nothing */
	outbox_answered answered;
	ask_replied replied;       /* to what this role asks another one of its domain; NULL: it asks nothing */
	const struct asked *asked; /* what it is asked; NULL: nothing */
	size_t n_asked;
	const struct cleaning *cleanings; /* of the role's own tables; may be NULL */
	size_t n_cleanings;
	const struct route *admin;      /* further admin routes; ends with method NULL; may be NULL */
	const struct route *northbound; /* HTTPS listener of the gateway; NULL: none */
	/* The role's process-wide object (keys read from files, ...). 0, or -1 with error filled: what, where, how to mend. */
	int (*open)(struct app *app, void **out_role, char error[256]);
	void (*close)(void *role);
	/* A listener of the role's own (cards), opened before the partner listener, closed after it, drained with it. NULL: none. *out NULL with
	 * 0: not configured. Its port stands in the port file as extra_name. */
	const char *extra_name;
	int (*extra_open)(struct app *app, struct http_server **out, char error[256]);
	/* The bus rang our bell, or came back: look for work. From the library's thread; NULL: nothing. */
	void (*wake)(struct app *app);
	/* Called once after the listeners are up, for background work of the role; may be NULL. */
	void (*ready)(struct app *app);
	void (*stop)(struct app *app);
};

struct app {
	const struct app_spec *spec;
	const struct config_common *config; /* the role's struct begins with it */
	struct rpc rpc;
	struct http_server *partner, *northbound, *management, *admin, *extra;
	volatile int draining;
};

/* Runs the process until SIGTERM or SIGINT. The value is main's: 0 clean, 1 a start that failed (printed: what, where, how to
 * mend), 2 usage. */
int app_run(const struct app_spec *spec, int argc, char **argv);

/* For routes: this pool thread's database connection and a fresh arena that is freed when the handler returns. */
struct db *app_db(struct http_call *call);
struct arena *app_arena(struct http_call *call);
/* What follows the route's path, for routes that end with '/'. */
const char *route_rest(const struct route *r, const struct http_call *call);
/* Answers with a JSON text; and the error form {"error":{"code":"...","message":"..."}}. */
void app_json(struct http_call *call, unsigned status, const char *json);
void app_error(struct http_call *call, unsigned status, const char *code, const char *fmt, ...) PRINTF(4, 5);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APP_APP_INTERNAL_H
#define APP_APP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/app/app.h"

enum { SELF_URL_MAX = 300, ERROR_MAX = 600 };

extern const char app_version[]; /* of the project: version.c.in */
extern const struct migration common_migrations[]; /* made of common/store/sql by tools/embed-sql.py */
extern const size_t common_migrations_count;

/* config.c, config_check.c */
extern const struct config_row config_common_rows[];                                               /* ends with key NULL */
unsigned config_check(const char *prefix, const struct config_common *config, struct buf *errors); /* number of faults */
/* config_blame.c: adds to an error that names a path, but no variable, the variables that hold it. */
void config_blame(const char *prefix, const struct config_row *own, const void *config, char error[ERROR_MAX]);

/* A running process: what roles see, and what only app/ sees. */
struct process {
	struct app app; /* first: a struct app * of ours is a struct process * */
	void *config;   /* of spec->config_size */
	struct statement *statements;
	struct migration *migrations;
	char self_url[SELF_URL_MAX];
	/* Guards what the main thread makes and ends while others look: what the bell rings (bus thread), the listeners (/metrics). */
	pthread_mutex_t lock;
	struct replica *replica; /* replica.c */
	struct relays *relays;   /* relays.c; NULL: this role relays nothing */
	struct ask_server *asked; /* NULL: this role is asked nothing, or there is no bus */
	struct outbox *bell;
	struct parked *parked_bell;
	bool awake; /* spec->wake may be called */
	int reserved_fd; /* holds the partner port until its listener has it; -1 */
	uint16_t partner_port;
	bool in_service;        /* spec->ready has run */
	atomic_bool listening;  /* every listener is up */
	int64_t drain_until_ms; /* clock_ms() by when running calls must have ended */
};

/* One thing that a process opens at its start and closes at its end. */
struct step {
	const char *name;
	int (*open)(struct process *p, char error[ERROR_MAX]); /* 0, or -1 with error filled */
	void (*close)(struct process *p);                      /* NULL: nothing to close */
};

/* steps.c: from the bottom to the outbox. listeners.c: what is reached from outside. */
int libraries_open(struct process *p, char error[ERROR_MAX]);
void libraries_close(struct process *p);
int database_open(struct process *p, char error[ERROR_MAX]);
void database_close(struct process *p);
int replica_open(struct process *p, char error[ERROR_MAX]); /* replica.c */
void replica_close(struct process *p);
int log_journal_open(struct process *p, char error[ERROR_MAX]);
void log_journal_close(struct process *p);
int client_open(struct process *p, char error[ERROR_MAX]);
void client_close(struct process *p);
int bus_step_open(struct process *p, char error[ERROR_MAX]);
void bus_step_close(struct process *p);
int role_open(struct process *p, char error[ERROR_MAX]);
void role_close(struct process *p);
int workers_open(struct process *p, char error[ERROR_MAX]);
void workers_close(struct process *p);
int asked_open(struct process *p, char error[ERROR_MAX]);
void asked_close(struct process *p);
int parked_step_open(struct process *p, char error[ERROR_MAX]);
void parked_step_close(struct process *p);
int relays_open(struct process *p, char error[ERROR_MAX]); /* relays.c */
void relays_close(struct process *p);
/* Whether the bell reaches the role. */
void awake_set(struct process *p, bool awake);

int address_open(struct process *p, char error[ERROR_MAX]); /* the partner port, and with it self_url */
void address_close(struct process *p);
int admin_open(struct process *p, char error[ERROR_MAX]);
void admin_close(struct process *p);
int management_open(struct process *p, char error[ERROR_MAX]);
void management_close(struct process *p);
int northbound_open(struct process *p, char error[ERROR_MAX]);
void northbound_close(struct process *p);
int extra_open(struct process *p, char error[ERROR_MAX]);
void extra_close(struct process *p);
int partner_open(struct process *p, char error[ERROR_MAX]);
void partner_close(struct process *p);
int port_file_open(struct process *p, char error[ERROR_MAX]);
void port_file_close(struct process *p);

/* routes.c: what a pool thread of the admin, management and northbound listeners has. */
struct pool_thread {
	struct db *db;
	struct arena *arena;
};
void *pool_thread_open(void *ctx);
void pool_thread_close(void *ctx, void *thread);
/* Finds the route in the tables (each ends with method NULL or is NULL) and runs it, or answers 404 or 405. */
void route_call(struct process *p, struct http_call *call, const struct route *const *tables, size_t n);

/* management.c, admin.c, admin_entity.c, admin_outbox.c */
void management_handle(void *ctx, struct http_call *call);
void admin_handle(void *ctx, struct http_call *call);
void northbound_handle(void *ctx, struct http_call *call);
/* Answers 200 with a JSON array, an element per row. */
void admin_rows(struct http_call *call, const struct rows *rows, void (*element)(struct buf *out, const struct rows *rows, size_t row));
void admin_entities(struct app *app, struct http_call *call);
void admin_entity_save(struct app *app, struct http_call *call);
void admin_messages(struct app *app, struct http_call *call);
void admin_outbox(struct app *app, struct http_call *call);
void admin_outbox_show(struct app *app, struct http_call *call);
void admin_outbox_replay(struct app *app, struct http_call *call);
void admin_outbox_drop(struct app *app, struct http_call *call);
void admin_peers(struct app *app, struct http_call *call);
void admin_faults(struct app *app, struct http_call *call);
void admin_fault_arm(struct app *app, struct http_call *call);
void admin_log_level(struct app *app, struct http_call *call);
/* The value of ?limit=, at most max; def when it is absent or no number. */
unsigned query_limit(const struct http_call *call, unsigned def, unsigned max);

/* maintain.c: deletes what was kept long enough. stop_soon tells that a signal waits. */
void maintain(struct process *p, bool (*stop_soon)(void));

#endif

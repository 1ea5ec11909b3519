/* SPDX-License-Identifier: Apache-2.0 */
/* A replica's name is one process's alone: two of the same name would answer each other's parked callers, that is nobody. It is held as an
 * advisory lock of the role's database, on a connection of its own, from the start to the end of the process. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/app/app_internal.h"
#include "common/app/worker.h"
#include "common/base/log.h"
#include "common/store/statements.h"

enum {
	TRIES = 5,       /* each waits for a second in the database (lock_timeout): a process that was just killed is gone by then */
	WATCH_MS = 1000, /* how soon it is seen that the database has closed our connection; asks the socket, not the database */
};

struct replica {
	struct db *db;
	struct arena *arena;
	struct worker *watch;
	const char *role, *name;
	bool held;        /* as long as the connection lives */
	unsigned refused; /* tries in a row */
	bool told;        /* the process was asked to end */
};

enum held { HELD, HELD_BY_ANOTHER, HELD_UNKNOWN };

static enum held name_take(struct replica *r, result *out_why)
{
	struct db_failure failure = { 0 };
	result why;

	arena_reset(r->arena);
	DB_QUEUE(r->db, RPC_REPLICA_LOCK, p_text(r->role), p_text(r->name));
	why = db_sync(r->db, r->arena, NULL, 0, &failure);
	*out_why = why;
	r->held = why == OK;
	if (r->held)
		return HELD;
	return failure.sqlstate && !strcmp(failure.sqlstate, "55P03") ? HELD_BY_ANOTHER : HELD_UNKNOWN;
}

/* We went on without a name for a while: callers that wait here may be lost already, but no more shall be. */
static void end_process(struct replica *r)
{
	r->told = true;
	log_msg(LOG_ERROR, "replica", "another process took the name %s of this %s while the database was away: this one ends", r->name, r->role);
	(void)kill(getpid(), SIGTERM);
}

/* On the watch's thread. */
static bool watch(void *ctx)
{
	struct replica *r = ctx;
	result why;

	if (r->told || (r->held && db_connected(r->db)))
		return false;
	switch (name_take(r, &why)) {
	case HELD:
		r->refused = 0;
		log_msg(LOG_INFO, "replica", "the database is back, and the name %s is still ours", r->name);
		break;
	case HELD_BY_ANOTHER:
		if (++r->refused == TRIES)
			end_process(r);
		return !r->told; /* it has waited a second for the name */
	case HELD_UNKNOWN: /* the database is still away */
		break;
	}
	return false;
}

int replica_open(struct process *p, char error[ERROR_MAX])
{
	const struct app_spec *spec = p->app.spec;
	struct replica *r = calloc(1, sizeof(*r));
	enum held held = HELD_BY_ANOTHER;
	result why = OK;

	if (!r)
		abort();
	*r = (struct replica){ .db = db_open(p->app.rpc.store), .arena = arena_new(), .role = spec->name, .name = p->app.config->replica };
	p->replica = r;
	for (unsigned i = 0; i < TRIES && held == HELD_BY_ANOTHER; i++)
		held = name_take(r, &why);
	if (held == HELD) {
		r->watch = worker_start(WATCH_MS, watch, r);
		return 0;
	}
	if (held == HELD_BY_ANOTHER)
		(void)snprintf(error, ERROR_MAX, "another %s that runs on this database has the name %s: give each replica a %sREPLICA of its own",
			       r->role, r->name, spec->env_prefix);
	else
		(void)snprintf(error, ERROR_MAX, "%s (%sDATABASE)", why->cause ? why->cause : "the database is busy", spec->env_prefix);
	replica_close(p);
	return -1;
}

void replica_close(struct process *p)
{
	struct replica *r = p->replica;

	worker_stop(r->watch);
	db_close(r->db);
	arena_free(r->arena);
	free(r);
	p->replica = NULL;
}

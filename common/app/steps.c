/* SPDX-License-Identifier: Apache-2.0 */
/* What a process stands on, below its listeners. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/app/app_internal.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/crypto/xmldsig.h"
#include "common/store/statements.h"

enum { CLIENT_GRACE_MS = 1000, ASKED_THREADS = 4 };

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

/* Thousands of connections do not fit into the usual soft limit. */
static void raise_file_limit(unsigned connections)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < (rlim_t)connections + 256)
		log_msg(LOG_WARN, "limits",
			"%u connections are configured, but only %llu files may be open: raise the hard limit of open files",
			connections, (unsigned long long)limit.rlim_max);
}

int libraries_open(struct process *p, char error[ERROR_MAX])
{
	raise_file_limit(p->app.config->connections);
	if (xmldsig_open())
		return 0;
	(void)snprintf(error, ERROR_MAX, "the xmlsec library does not start; its OpenSSL part (libxmlsec1-openssl) may be missing");
	return -1;
}

void libraries_close(struct process *p)
{
	xmldsig_close();
}

static void *joined(const void *first, size_t n_first, const void *second, size_t n_second, size_t size)
{
	char *all = calloc(n_first + n_second + 1, size);

	if (!all)
		abort();
	memcpy(all, first, n_first * size);
	if (n_second)
		memcpy(all + n_first * size, second, n_second * size);
	return all;
}

int database_open(struct process *p, char error[ERROR_MAX])
{
	const struct app_spec *spec = p->app.spec;
	size_t n_migrations = spec->n_migrations ? *spec->n_migrations : 0;
	struct store_spec store = {
		.conninfo = p->app.config->database,
		.n_statements = RPC_STATEMENTS + spec->n_statements,
		.n_migrations = common_migrations_count + n_migrations,
		.plan_once = spec->plan_once,
	};
	char why[512] = "", application[64];

	(void)snprintf(application, sizeof(application), "%s:%s", spec->name, p->app.config->replica);
	store.application = application; /* whose connection holds a lock: RPC_OUTBOX_HOLDERS */
	p->statements = joined(rpc_statements, RPC_STATEMENTS, spec->statements, spec->n_statements, sizeof(*p->statements));
	p->migrations = joined(common_migrations, common_migrations_count, spec->migrations, n_migrations, sizeof(*p->migrations));
	store.statements = p->statements;
	store.migrations = p->migrations;
	if (store_open(&store, p->app.config->database_wait_s, &p->app.rpc.store, why) == 0)
		return 0;
	(void)snprintf(error, ERROR_MAX, "%s (%sDATABASE)", why, spec->env_prefix);
	return -1;
}

void database_close(struct process *p)
{
	store_close(p->app.rpc.store);
}

int log_journal_open(struct process *p, char error[ERROR_MAX])
{
	const struct config_common *config = p->app.config;

	if (!*config->journal)
		return 0;
	p->app.rpc.journal = journal_open(config->journal, (size_t)config->journal_mib << 20, error);
	return p->app.rpc.journal ? 0 : -1;
}

void log_journal_close(struct process *p)
{
	journal_close(p->app.rpc.journal);
}

int client_open(struct process *p, char error[ERROR_MAX])
{
	const struct config_common *config = p->app.config;
	struct http_client_spec spec = {
		.cert_file = config->tls_client_cert,
		.key_file = config->tls_client_key,
		.trust_file = config->tls_ca,
		.crl_file = or_null(config->tls_crl),
	};

	p->app.rpc.client = http_client_open(&spec, error);
	return p->app.rpc.client ? 0 : -1;
}

void client_close(struct process *p)
{
	http_client_close(p->app.rpc.client, CLIENT_GRACE_MS);
}

/* Another replica committed work that we may take or end, or the bus came back. The role's wake runs under the lock: after
 * awake_set(p, false) it never runs again. */
static void bus_wake_taken(void *ctx, const char *payload, size_t n)
{
	struct process *p = ctx;

	pthread_mutex_lock(&p->lock);
	outbox_wake(p->bell);
	parked_ring(p->parked_bell);
	if (p->awake && p->app.spec->wake)
		p->app.spec->wake(&p->app);
	pthread_mutex_unlock(&p->lock);
}

void awake_set(struct process *p, bool awake)
{
	pthread_mutex_lock(&p->lock);
	p->awake = awake;
	pthread_mutex_unlock(&p->lock);
}

static void bell_set(struct process *p, struct outbox *outbox)
{
	pthread_mutex_lock(&p->lock);
	p->bell = outbox;
	pthread_mutex_unlock(&p->lock);
}

int bus_step_open(struct process *p, char error[ERROR_MAX])
{
	const struct config_common *config = p->app.config;
	struct bus_spec spec = {
		.url = config->bus_url,
		.domain = config->domain,
		.role = p->app.spec->name,
		.replica = config->replica,
		.cert_file = or_null(config->bus_cert),
		.key_file = or_null(config->bus_key),
		.trust_file = or_null(config->bus_ca),
		.wake = bus_wake_taken,
		.ctx = p,
	};

	if (!*config->bus_url)
		return 0;
	p->app.rpc.bus = bus_open(&spec, error);
	return p->app.rpc.bus ? 0 : -1;
}

void bus_step_close(struct process *p)
{
	bus_close(p->app.rpc.bus);
}

/* Fills what the pipeline and the outbox share but for what other steps open, and opens the role's own object. */
int role_open(struct process *p, char error[ERROR_MAX])
{
	const struct app_spec *spec = p->app.spec;
	const struct config_common *config = p->app.config;
	struct rpc *rpc = &p->app.rpc;

	rpc->role = spec->name;
	rpc->self_role = spec->role;
	rpc->self = config->entity_oid;
	rpc->self_name = config->entity_name;
	rpc->self_url = p->self_url;
	rpc->served = spec->served;
	rpc->n_served = spec->n_served;
	rpc->relay = spec->relay;
	rpc->awaited = spec->awaited;
	rpc->n_awaited = spec->n_awaited;
	rpc->replica = config->replica;
	rpc->rate_per_s = config->rate;
	rpc->peer_pause_ms = config->peer_pause_ms;
	rpc->callback_spare_s = config->callback_spare_s;
	rpc->notify_give_up_s = config->notify_give_up_s;
	return spec->open ? spec->open(&p->app, &rpc->role_state, error) : 0;
}

void role_close(struct process *p)
{
	if (p->app.spec->close)
		p->app.spec->close(p->app.rpc.role_state);
}

int workers_open(struct process *p, char error[ERROR_MAX])
{
	struct outbox_spec spec = { .rpc = &p->app.rpc,
				    .workers = p->app.config->workers,
				    .in_flight = p->app.config->outbox_in_flight,
				    .answered = p->app.spec->answered,
				    .replied = p->app.spec->replied };

	p->app.rpc.outbox = outbox_open(&spec);
	if (!p->app.rpc.outbox) {
		(void)snprintf(error, ERROR_MAX, "the system gives no threads for %u workers", spec.workers);
		return -1;
	}
	bell_set(p, p->app.rpc.outbox);
	return 0;
}

/* The role's background work ends before the workers that it feeds. */
void workers_close(struct process *p)
{
	awake_set(p, false);
	if (p->in_service && p->app.spec->stop)
		p->app.spec->stop(&p->app);
	bell_set(p, NULL);
	outbox_close(p->app.rpc.outbox);
	p->app.rpc.outbox = NULL;
}

int asked_open(struct process *p, char error[ERROR_MAX])
{
	const struct ask_spec spec = {
		.rpc = &p->app.rpc, .asked = p->app.spec->asked, .n_asked = p->app.spec->n_asked, .threads = ASKED_THREADS
	};

	if (spec.n_asked && p->app.rpc.bus)
		p->asked = ask_serve_open(&spec);
	return 0;
}

void asked_close(struct process *p)
{
	ask_serve_close(p->asked);
	p->asked = NULL;
}

static void parked_bell_set(struct process *p, struct parked *parked)
{
	pthread_mutex_lock(&p->lock);
	p->parked_bell = parked;
	pthread_mutex_unlock(&p->lock);
}

int parked_step_open(struct process *p, char error[ERROR_MAX])
{
	const struct config_common *config = p->app.config;

	p->app.rpc.parked = parked_open(&p->app.rpc, config->park_listener, config->park_entity, config->park_max_s);
	parked_bell_set(p, p->app.rpc.parked);
	return 0;
}

/* Nobody rings any more, and who still waited was answered when the partner listener closed. */
void parked_step_close(struct process *p)
{
	struct parked *parked = p->app.rpc.parked;

	parked_bell_set(p, NULL);
	p->app.rpc.parked = NULL;
	parked_close(parked);
}

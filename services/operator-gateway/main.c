/* SPDX-License-Identifier: Apache-2.0 */
/* operator-gateway: one Operator or M2M SP on ES2 and ES4, and its HTTPS/JSON API northbound. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/operator-gateway/gateway.h"
#include "services/operator-gateway/operation.h"

static const struct config_row config[] = {
#define CONFIG(key, type, member, def, text) { key, CONFIG_##type, offsetof(struct gateway_config, member), def, text },
#include "services/operator-gateway/config.def"
#undef CONFIG
	{ 0 },
};

static const struct cleaning cleanings[] = {
	{ GW_OPERATION_CLEAN, "operations", offsetof(struct gateway_config, keep_operations_days), false },
	{ GW_NOTIFICATION_CLEAN, "notifications of cards", offsetof(struct gateway_config, keep_operations_days), false },
};

static int gateway_open(struct app *app, void **out_role, char error[256])
{
	const struct gateway_config *c = (const struct gateway_config *)app->config;
	struct gateway *g;
	struct oid smsr = { "" };
	enum role role;

	if (!role_parse(c->role, &role) || (role != ROLE_OPERATOR && role != ROLE_M2M_SP)) {
		snprintf(error, 256, "RSP_GATEWAY_ROLE is %s: set it to operator or m2m-sp", c->role);
		return -1;
	}
	if (*c->default_smsr && !oid_parse(c->default_smsr, &smsr)) {
		snprintf(error, 256, "RSP_GATEWAY_DEFAULT_SMSR is %s: set it to an OID like 1.3.6.1.4.1.99999.1, or leave it empty",
			 c->default_smsr);
		return -1;
	}
	if (*c->default_smdp && role != ROLE_OPERATOR) {
		snprintf(error, 256, "RSP_GATEWAY_DEFAULT_SMDP is %.100s: leave it empty, SM-DPs serve operators only",
			 c->default_smdp);
		return -1;
	}
	if (c->call_s < 1 || c->call_s > 300) {
		snprintf(error, 256, "RSP_GATEWAY_CALL_S is %u: set it to 1..300 seconds", c->call_s);
		return -1;
	}
	g = calloc(1, sizeof(*g));
	if (!g)
		abort();
	g->config = c;
	g->default_smsr = smsr;
	g->rpc = &app->rpc;
	g->waits = waits_new();
	app->rpc.self_role = role; /* the one program serves two roles */
	*out_role = g;
	return 0;
}

static void gateway_close(void *role)
{
	struct gateway *g = role;

	if (!g)
		return;
	euicc_flush(g, NULL);
	waits_free(g->waits);
	free(g);
}

static bool writer_pass(void *ctx)
{
	struct gateway *g = ctx;

	euicc_flush(g, g->writer_db);
	return false;
}

static void gateway_ready(struct app *app)
{
	struct gateway *g = app->rpc.role_state;

	/* Looks by itself: a bell could ring after its end, from the client's thread. */
	g->writer_db = db_open(app->rpc.store);
	g->writer = worker_start(1000, writer_pass, g);
	waits_start(g->waits, app);
}

static void gateway_stop(struct app *app)
{
	struct gateway *g = app->rpc.role_state;
	struct worker *writer = g->writer;

	waits_stop(g->waits);
	g->writer = NULL;
	worker_stop(writer);
	if (g->writer_db)
		euicc_flush(g, g->writer_db);
	db_closep(&g->writer_db);
}

int main(int argc, char **argv)
{
	const struct app_spec spec = { .name = "operator-gateway",
				       .env_prefix = "RSP_GATEWAY_",
				       .role = ROLE_OPERATOR,
				       .config = config,
				       .config_size = sizeof(struct gateway_config),
				       .migrations = gateway_migrations,
				       .n_migrations = &gateway_migrations_count,
				       .statements = gateway_statements,
				       .n_statements = GW_STATEMENTS,
				       .served = gateway_served,
				       .n_served = gateway_n_served,
				       .awaited = gateway_awaited,
				       .n_awaited = gateway_n_awaited,
				       .answered = gateway_answered,
				       .cleanings = cleanings,
				       .n_cleanings = LEN(cleanings),
				       .admin = gateway_admin,
				       .northbound = gateway_northbound,
				       .open = gateway_open,
				       .close = gateway_close,
				       .ready = gateway_ready,
				       .stop = gateway_stop };

	return app_run(&spec, argc, argv);
}

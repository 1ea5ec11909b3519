/* SPDX-License-Identifier: Apache-2.0 */
/* sm-dp: keeps the profiles of operators and their secrets, and has them installed on cards. */
#include "services/sm-dp/download.h"

static const struct config_row config[] = {
#define CONFIG(key, type, member, def, text) { key, CONFIG_##type, offsetof(struct smdp_config, member), def, text },
#include "services/sm-dp/config.def"
#undef CONFIG
	{ 0 },
};

static const struct cleaning cleanings[] = {
	{ SMDP_DOWNLOAD_CLEAN, "downloads", offsetof(struct config_common, keep_days), false },
	{ SMDP_CONNECTIVITY_CLEAN, "connectivity orders", offsetof(struct config_common, keep_days), false },
};

static void wake(struct app *app)
{
	const struct smdp *smdp = app->rpc.role_state;

	due_ring(smdp->downloads, &download_due_table, NULL, NULL);
}

static void ready(struct app *app)
{
	const struct smdp *smdp = app->rpc.role_state;

	due_start(smdp->downloads, &app->rpc);
}

static void stop(struct app *app)
{
	const struct smdp *smdp = app->rpc.role_state;

	due_stop(smdp->downloads);
}

int main(int argc, char **argv)
{
	const struct app_spec spec = { .name = "sm-dp",
				       .env_prefix = "RSP_SMDP_",
				       .role = ROLE_SM_DP,
				       .config = config,
				       .config_size = sizeof(struct smdp_config),
				       .migrations = smdp_migrations,
				       .n_migrations = &smdp_migrations_count,
				       .statements = smdp_statements,
				       .n_statements = SMDP_STATEMENTS,
				       .served = smdp_served,
				       .n_served = smdp_n_served,
				       .relay = &smdp_relay,
				       .awaited = smdp_awaited,
				       .n_awaited = smdp_n_awaited,
				       .answered = smdp_answered,
				       .cleanings = cleanings,
				       .n_cleanings = LEN(cleanings),
				       .open = smdp_open,
				       .close = smdp_close,
				       .admin = smdp_admin,
				       .wake = wake,
				       .ready = ready,
				       .stop = stop };

	return app_run(&spec, argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sm-sr-handover: ES7 of an SM-SR, whose cards its sm-sr has. */
#include "services/sm-sr-handover/handover.h"

static const struct config_row config[] = {
#define CONFIG(key, type, member, def, text) { key, CONFIG_##type, offsetof(struct handover_config, member), def, text },
#include "services/sm-sr-handover/config.def"
#undef CONFIG
	{ 0 },
};

static const struct cleaning cleanings[] = {
	{ HANDOVER_OUT_CLEAN, "cards handed over", offsetof(struct config_common, keep_days), false },
	{ HANDOVER_IN_CLEAN, "cards taken over", offsetof(struct config_common, keep_days), false },
	{ HANDOVER_STAGE_CLEAN, "stages of SM-SR changes", offsetof(struct config_common, keep_days), false },
};

static void wake(struct app *app)
{
	const struct handovers *h = app->rpc.role_state;

	due_ring(h->due, NULL, NULL, NULL);
}

static void ready(struct app *app)
{
	const struct handovers *h = app->rpc.role_state;

	due_start(h->due, &app->rpc);
}

static void stop(struct app *app)
{
	const struct handovers *h = app->rpc.role_state;

	due_stop(h->due);
}

int main(int argc, char **argv)
{
	const struct app_spec spec = { .name = "sm-sr-handover",
				       .env_prefix = "RSP_HANDOVER_",
				       .role = ROLE_SM_SR,
				       .config = config,
				       .config_size = sizeof(struct handover_config),
				       .migrations = handover_migrations,
				       .n_migrations = &handover_migrations_count,
				       .statements = handover_statements,
				       .n_statements = HANDOVER_STATEMENTS,
				       .served = handover_served,
				       .n_served = handover_n_served,
				       .awaited = handover_awaited,
				       .n_awaited = handover_n_awaited,
				       .answered = handover_answered,
				       .asked = handover_asked,
				       .n_asked = handover_n_asked,
				       .replied = handover_replied,
				       .cleanings = cleanings,
				       .n_cleanings = LEN(cleanings),
				       .open = handovers_open,
				       .close = handovers_close,
				       .admin = handover_admin,
				       .wake = wake,
				       .ready = ready,
				       .stop = stop };

	return app_run(&spec, argc, argv);
}

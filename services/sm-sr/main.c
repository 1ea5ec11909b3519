/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-sr/card_wait.h"
#include "services/sm-sr/cards.h"
#include "services/sm-sr/functions.h"
#include "services/sm-sr/smsr_change.h"

static const struct config_row config[] = {
#define CONFIG(key, type, member, def, text) { key, CONFIG_##type, offsetof(struct smsr_config, member), def, text },
#include "services/sm-sr/config.def"
#undef CONFIG
	{ 0 },
};

static const struct statement statements[] = {
#define STATEMENT(name, sql) { #name, sql },
#include "services/sm-sr/statements.def"
#undef STATEMENT
};

static const struct cleaning cleanings[] = {
	{ SMSR_CLEAN_PROCEDURES, "procedures", offsetof(struct config_common, keep_days), false },
	{ SMSR_CLEAN_COMMANDS, "scripts", offsetof(struct config_common, keep_days), false },
	{ SMSR_CLEAN_NOTIFICATIONS, "notifications of cards", offsetof(struct config_common, keep_days), true },
	{ SMSR_CLEAN_STEPS, "steps of SM-SR changes", offsetof(struct config_common, keep_days), false },
	{ SMSR_CLEAN_SMS, "SMS", offsetof(struct config_common, keep_days), false },
	{ SMSR_CLEAN_PREPARES, "SM-SR changes that were announced", offsetof(struct config_common, keep_days), false },
};

extern const struct migration smsr_migrations[];
extern const size_t smsr_migrations_count;

static void wake(struct app *app)
{
	struct smsr *smsr = app->rpc.role_state;

	sms_lane_ring(smsr);
	sweeper_ring(smsr);
	card_waits_ring(smsr->waits);
}

static void ready(struct app *app)
{
	sweeper_start(app);
	card_waits_start(app);
	sms_lane_start(app);
}

static void stop(struct app *app)
{
	sms_lane_stop(app);
	card_waits_stop(app);
	sweeper_stop(app);
}

int main(int argc, char **argv)
{
	const struct app_spec spec = { .name = "sm-sr",
				       .env_prefix = "RSP_SMSR_",
				       .role = ROLE_SM_SR,
				       .config = config,
				       .config_size = sizeof(struct smsr_config),
				       .migrations = smsr_migrations,
				       .n_migrations = &smsr_migrations_count,
				       .statements = statements,
				       .n_statements = LEN(statements),
				       .plan_once = true,
				       .served = smsr_served,
				       .n_served = smsr_served_count,
				       .replied = smsr_replied,
				       .asked = smsr_asked,
				       .n_asked = smsr_asked_count,
				       .cleanings = cleanings,
				       .n_cleanings = LEN(cleanings),
				       .open = smsr_open,
				       .close = smsr_close,
				       .admin = smsr_admin,
				       .extra_name = "cards",
				       .extra_open = cards_open,
				       .wake = wake,
				       .ready = ready,
				       .stop = stop };

	return app_run(&spec, argc, argv);
}

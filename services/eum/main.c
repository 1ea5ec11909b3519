/* SPDX-License-Identifier: Apache-2.0 */
/* eum: makes eUICCs in batches and registers each at its first SM-SR (ES1). */
#include "services/eum/eum.h"
#include "services/eum/statements.h"

static const struct config_row config[] = {
#define CONFIG(key, type, member, def, text) { key, CONFIG_##type, offsetof(struct eum_config, member), def, text },
#include "services/eum/config.def"
#undef CONFIG
	{ 0 },
};

static const struct cleaning cleanings[] = {
	{ EUM_CLEAN_UPDATES, "changes of properties", offsetof(struct config_common, keep_days), false },
};

static int role_open(struct app *app, void **out_role, char error[256])
{
	struct eum *eum;

	if (eum_open((const struct eum_config *)app->config, &eum, error))
		return -1;
	*out_role = eum;
	return 0;
}

static void role_close(void *role)
{
	eum_close(role);
}

static void role_ready(struct app *app)
{
	struct eum *eum = app->rpc.role_state;

	atomic_store(&eum->maker, eum_maker_open(app, eum));
}

/* The listeners may still finish calls: they find no maker to ring any more. */
static void role_stop(struct app *app)
{
	struct eum *eum = app->rpc.role_state;

	eum_maker_close(atomic_exchange(&eum->maker, NULL));
}

static const struct app_spec spec = {
	.name = "eum",
	.env_prefix = "RSP_EUM_",
	.role = ROLE_EUM,
	.config = config,
	.config_size = sizeof(struct eum_config),
	.migrations = eum_migrations,
	.n_migrations = &eum_migrations_count,
	.statements = eum_statements,
	.n_statements = EUM_STATEMENTS,
	.served = eum_served,
	.n_served = EUM_SERVED,
	.awaited = eum_awaited,
	.n_awaited = EUM_AWAITED,
	.answered = eum_answered,
	.cleanings = cleanings,
	.n_cleanings = LEN(cleanings),
	.admin = eum_admin,
	.open = role_open,
	.close = role_close,
	.ready = role_ready,
	.stop = role_stop,
};

int main(int argc, char **argv)
{
	return app_run(&spec, argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sm-dp: keeps the profiles of operators and their secrets, and has them installed on cards. */
#include "services/sm-dp/smdp.h"

static const struct config_row config[] = {
#define CONFIG(key, type, member, def, text) { key, CONFIG_##type, offsetof(struct smdp_config, member), def, text },
#include "services/sm-dp/config.def"
#undef CONFIG
	{ 0 },
};

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
				       .open = smdp_open,
				       .close = smdp_close,
				       .admin = smdp_admin };

	return app_run(&spec, argc, argv);
}

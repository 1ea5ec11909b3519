/* SPDX-License-Identifier: Apache-2.0 */
/* What the sm-sr's files share: its process-wide state and its handlers. */
#ifndef SMSR_SMSR_H
#define SMSR_SMSR_H

#include "common/app/app.h"
#include "common/crypto/key_file.h"
#include "services/sm-sr/statements.h"

struct smsr_config {
	struct config_common common;
#define CONFIG(key, type, member, def, text) CONFIG_TYPE_##type member;
#include "services/sm-sr/config.def"
#undef CONFIG
};

/* One for the process, read-only after its start but for its workers. */
struct smsr {
	struct rpc *rpc;
	const struct smsr_config *config;
	struct arena *arena; /* what lives as long as the process */
	struct secret kek;
	struct bytes ci_pem, ci_crl_pem;
	struct transport_keys transports; /* by EUM */
	struct sweeper *sweeper;          /* NULL: not started; as is: */
	struct sms_lane *sms_lane;
	uint16_t cards_port;      /* on which cards are listened for; 0: not at all */
	struct card_waits *waits; /* card_wait.c; NULL: no session waits (tests) */
};

int smsr_open(struct app *app, void **out_role, char error[KEY_FILE_ERROR]);
void smsr_close(void *role);

/* smsr_admin.c */
extern const struct route smsr_admin[];

/* es1.c (SGP.02 5.2) */
extern const struct load es1_register_eis_load, es1_update_properties_load;
result es1_register_eis(struct rq *rq, const void *in, void *out);
void es1_register_eis_committed(struct rq *rq);
result es1_update_eis_additional_properties(struct rq *rq, const void *in, void *out);

/* es4_profile_management.c (SGP.02 5.4, 5.5): ES3 and ES4 */
extern const struct load es4_get_eis_load;
result es4_get_eis(struct rq *rq, const void *in, void *out);

#endif

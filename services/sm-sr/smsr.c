/* SPDX-License-Identifier: Apache-2.0 */
/* The sm-sr's keys and roots, read once at start. */
#include "services/sm-sr/smsr.h"

#include <stdlib.h>

#include "services/sm-sr/card_wait.h"
#include "services/sm-sr/sms_trigger.h"

int smsr_open(struct app *app, void **out_role, char error[KEY_FILE_ERROR])
{
	const struct smsr_config *config = (const struct smsr_config *)app->config;
	struct smsr *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->rpc = &app->rpc;
	s->config = config;
	s->arena = arena_new();
	if (sms_config_check(config, error) || key_file_read(config->kek_file, KEK_LEN, &s->kek, error) ||
	    pem_file_read(s->arena, config->ci_ca, &s->ci_pem, error) || pem_file_read(s->arena, config->ci_crl, &s->ci_crl_pem, error) ||
	    transport_keys_open(config->transport_keys, &config->common.entity_oid, TRANSPORT_OF_SM_SR, &s->transports, error)) {
		smsr_close(s);
		return -1;
	}
	s->waits = card_waits_new();
	*out_role = s;
	return 0;
}

void smsr_close(void *role)
{
	struct smsr *s = role;

	if (!s)
		return;
	card_waits_free(s->waits);
	transport_keys_close(&s->transports);
	secret_free(&s->kek);
	arena_free(s->arena);
	free(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The sm-dp's keys and its certificate, read once at start; every fault says which file, what is wrong and how to mend it. */
#include "services/sm-dp/smdp.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/crypto/gp_identity.h"
#include "services/sm-dp/download.h"

enum { SEND_MAX = SEND_DATA_MAX / 2, BACKOFF_MAX_MS = 60000 };

const struct statement smdp_statements[SMDP_STATEMENTS] = {
#define STATEMENT(name, sql) { #name, sql },
#include "services/sm-dp/statements.def"
#undef STATEMENT
};

static int fault(char error[KEY_FILE_ERROR], const char *path, const char *what)
{
	(void)snprintf(error, KEY_FILE_ERROR, "%s: %s", path, what);
	return -1;
}

static int identity_open(struct smdp *s, char error[KEY_FILE_ERROR])
{
	const struct smdp_config *c = s->config;
	const struct gp_identity_files files = { .prefix = "RSP_SMDP_",
						 .role = GP_ROLE_SM_DP,
						 .sign_key = c->sign_key,
						 .sign_cert = c->sign_cert,
						 .ci_ca = c->ci_ca,
						 .ci_crl = c->ci_crl };
	struct gp_identity own = { 0 };
	int rc = gp_identity_open(&files, s->arena, clock_wall_us(), &own, error);

	s->key = own.key;
	s->certificate = own.certificate;
	s->ci_pem = own.ci_pem;
	s->ci_crl_pem = own.ci_crl_pem;
	return rc;
}

static int config_check(const struct smdp_config *c, char error[KEY_FILE_ERROR])
{
	if (c->send_bytes < 1 || c->send_bytes > SEND_MAX)
		return fault(error, "RSP_SMDP_SEND_BYTES", "set it to 1..524288 bytes");
	return c->backoff_ms < 1 || c->backoff_ms > BACKOFF_MAX_MS ? fault(error, "RSP_SMDP_BACKOFF_MS", "set it to 1..60000") : 0;
}

int smdp_open(struct app *app, void **out_role, char error[KEY_FILE_ERROR])
{
	const struct smdp_config *config = (const struct smdp_config *)app->config;
	struct smdp *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->config = config;
	s->rpc = &app->rpc;
	s->arena = arena_new();
	s->downloads = downloads_new();
	if (config_check(config, error) || key_file_read(config->kek_file, KEK_LEN, &s->kek, error) || identity_open(s, error) ||
	    transport_keys_open(config->transport_keys, &config->common.entity_oid, TRANSPORT_OF_SM_DP, &s->transports, error)) {
		smdp_close(s);
		return -1;
	}
	*out_role = s;
	return 0;
}

void smdp_close(void *role)
{
	struct smdp *s = role;

	if (!s)
		return;
	due_free(s->downloads);
	transport_keys_close(&s->transports);
	ec_key_free(s->key);
	secret_free(&s->kek);
	arena_free(s->arena);
	free(s);
}

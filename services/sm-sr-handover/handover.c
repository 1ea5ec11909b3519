/* SPDX-License-Identifier: Apache-2.0 */
/* The process-wide state: keys and certificates, read once at start. */
#include "services/sm-sr-handover/handover.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"

enum { MS_MAX = 600000, CARD_STEP_MAX_S = 86400, PREPARED_MAX_S = 366 * 86400 };

const struct statement handover_statements[HANDOVER_STATEMENTS] = {
#define STATEMENT(name, sql) { #name, sql },
#include "services/sm-sr-handover/statements.def"
#undef STATEMENT
};

static int number_check(const char *key, unsigned value, unsigned max, char error[KEY_FILE_ERROR])
{
	if (value >= 1 && value <= max)
		return 0;
	(void)snprintf(error, KEY_FILE_ERROR, "RSP_HANDOVER_%s: set it to 1..%u", key, max);
	return -1;
}

static int config_check(const struct handover_config *c, char error[KEY_FILE_ERROR])
{
	if (number_check("PREPARED_S", c->prepared_s, PREPARED_MAX_S, error) ||
	    number_check("CARD_STEP_S", c->card_step_s, CARD_STEP_MAX_S, error))
		return -1;
	return number_check("RETRY_MS", c->retry_ms, MS_MAX, error);
}

static int identity_open(struct handovers *h, char error[KEY_FILE_ERROR])
{
	const struct handover_config *c = h->config;
	const struct gp_identity_files files = { .prefix = "RSP_HANDOVER_",
						 .role = GP_ROLE_SM_SR,
						 .sign_key = c->sign_key,
						 .sign_cert = c->sign_cert,
						 .ci_ca = c->ci_ca,
						 .ci_crl = c->ci_crl };

	return gp_identity_open(&files, h->arena, clock_wall_us(), &h->own, error);
}

int handovers_open(struct app *app, void **out_role, char error[KEY_FILE_ERROR])
{
	static const struct due_table *const tables[] = { &handover_in_due, &handover_out_due };
	const struct handover_config *config = (const struct handover_config *)app->config;
	struct handovers *h = calloc(1, sizeof(*h));

	if (!h)
		abort();
	h->config = config;
	h->rpc = &app->rpc;
	h->arena = arena_new();
	if (config_check(config, error) || key_file_read(config->kek_file, KEK_LEN, &h->kek, error) || identity_open(h, error)) {
		handovers_close(h);
		return -1;
	}
	h->due = due_new(tables, LEN(tables));
	*out_role = h;
	return 0;
}

void handovers_close(void *role)
{
	struct handovers *h = role;

	if (!h)
		return;
	due_free(h->due);
	gp_identity_close(&h->own);
	secret_free(&h->kek);
	arena_free(h->arena);
	free(h);
}

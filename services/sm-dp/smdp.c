/* SPDX-License-Identifier: Apache-2.0 */
/* The sm-dp's keys and its certificate, read once at start; every fault says which file, what is wrong and how to mend it. */
#include "services/sm-dp/smdp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/sm-dp/download.h"

enum { PEM_MAX = 64 * 1024, DATE_LEN = 8, SEND_MAX = SEND_DATA_MAX / 2, BACKOFF_MAX_MS = 60000 };

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

static int key_open(const char *path, struct ec_key **out, char error[KEY_FILE_ERROR])
{
	CLEANUP(secret_free) struct secret pem = { 0 };
	int rc = secret_read_file(path, PEM_MAX, &pem);

	if (rc)
		return fault(error, path, rc == -EPERM ? "others can read this key: chmod 0600 it" : strerror(-rc));
	*out = ec_key_read(&pem);
	return *out ? 0 : fault(error, path, "not a P-256 private key in PEM without a password");
}

static int ci_open(struct arena *a, const char *path, struct bytes *out_pem, uint8_t out[P256_POINT], char error[KEY_FILE_ERROR])
{
	struct cert_info info;

	if (pem_file_read(a, path, out_pem, error))
		return -1;
	if (!cert_read(a, out_pem->data, out_pem->len, &info))
		return fault(error, path, "no certificate in it: give it in PEM");
	return cert_public_point(info.der, out) ? 0 : fault(error, path, "its key is not on P-256");
}

/* YYYYMMDD of today. */
static void today(char out[DATE_LEN + 1])
{
	char t[DATETIME_MAX];

	datetime_format(clock_wall_us(), t);
	memcpy(out, t, 4);
	memcpy(out + 4, t + 5, 2);
	memcpy(out + 6, t + 8, 2);
	out[DATE_LEN] = '\0';
}

/* Every card would refuse what is refused here (procedures.md 1.7). */
static int certificate_check(const struct smdp *s, const uint8_t ci_point[P256_POINT], char error[KEY_FILE_ERROR])
{
	const char *path = s->config->sign_cert;
	uint8_t own[P256_POINT];
	char date[DATE_LEN + 1];
	struct gp_cert c;

	today(date);
	ec_key_public(s->key, own);
	if (!gp_cert_parse(s->certificate, &c))
		return fault(error, path, "not a certificate in GlobalPlatform form (7F21...)");
	if (c.role != GP_ROLE_SM_DP)
		return fault(error, path, "this certificate is not for an SM-DP: its C8 should be 01");
	if (memcmp(own, c.point, sizeof(own)) != 0)
		return fault(error, path, "not the certificate of RSP_SMDP_SIGN_KEY");
	if (!gp_cert_verify(s->certificate, ci_point))
		return fault(error, path, "not issued by the CI of RSP_SMDP_CI_CA");
	return strcmp(c.expires, date) < 0 ? fault(error, path, "this certificate is expired: have the CI renew it") : 0;
}

static int identity_open(struct smdp *s, char error[KEY_FILE_ERROR])
{
	uint8_t ci_point[P256_POINT];

	if (key_open(s->config->sign_key, &s->key, error) ||
	    pem_file_read(s->arena, s->config->sign_cert, &s->certificate, error) ||
	    ci_open(s->arena, s->config->ci_ca, &s->ci_pem, ci_point, error) ||
	    pem_file_read(s->arena, s->config->ci_crl, &s->ci_crl_pem, error))
		return -1;
	return certificate_check(s, ci_point, error);
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
	downloads_free(s->downloads);
	transport_keys_close(&s->transports);
	ec_key_free(s->key);
	secret_free(&s->kek);
	arena_free(s->arena);
	free(s);
}

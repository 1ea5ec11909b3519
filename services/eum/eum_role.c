/* SPDX-License-Identifier: Apache-2.0 */
/* The EUM's keys and folders, read once at start; every fault says which file, what is wrong and how to mend it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "services/eum/eum.h"

enum { PEM_MAX = 64 * 1024, ERROR_MAX = KEY_FILE_ERROR, YEARS_MAX = 100, CHUNK_MAX = 500 };

static void eum_freep(struct eum **e)
{
	eum_close(*e);
}

static int fault(char error[ERROR_MAX], const char *path, const char *what)
{
	(void)snprintf(error, ERROR_MAX, "%s: %s", path, what);
	return -1;
}

static int certificate_of(struct arena *a, const char *path, struct bytes *out_pem, struct cert_info *out, char error[ERROR_MAX])
{
	if (pem_file_read(a, path, out_pem, error))
		return -1;
	return cert_read(a, out_pem->data, out_pem->len, out) ? 0 : fault(error, path, "no certificate in it: give it in PEM");
}

static int verdict_fault(char error[ERROR_MAX], const char *path, enum cert_verdict verdict)
{
	switch (verdict) {
	case CERT_GOOD:
	case CERT_REVOKED: /* flagged by those who look at CRLs, never refused (D4) */
		return 0;
	case CERT_EXPIRED:
		return fault(error, path, "this certificate is expired: have the CI renew it");
	case CERT_UNTRUSTED:
		return fault(error, path, "not issued by the CI of RSP_EUM_CI_CA");
	case CERT_BAD:
		break;
	}
	return fault(error, path, "not a usable certificate");
}

/* Key, certificate and CI must belong together: what we sign is checked by others with exactly these. */
static int issuer_open(const struct eum_config *c, struct eum_issuer *out, char error[ERROR_MAX])
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(secret_free) struct secret pem = { 0 };
	struct cert_info cert, ci;
	struct bytes cert_pem, ci_pem;
	int rc = secret_read_file(c->sign_key, PEM_MAX, &pem);

	if (rc)
		return fault(error, c->sign_key, rc == -EPERM ? "others can read this key: chmod 0600 it" : strerror(-rc));
	out->key = ec_key_read(&pem);
	if (!out->key)
		return fault(error, c->sign_key, "not a P-256 private key in PEM without a password");
	if (certificate_of(a, c->sign_cert, &cert_pem, &cert, error) || certificate_of(a, c->ci_ca, &ci_pem, &ci, error))
		return -1;
	if (!cert_public_point(ci.der, out->ci_point))
		return fault(error, c->ci_ca, "its key is not on P-256");
	if (!cert_ski(cert.der, out->key_id))
		return fault(error, c->sign_cert, "no SubjectKeyIdentifier in it: eUICC certificates must name their issuer's key");
	if (verdict_fault(error, c->sign_cert, cert_verify(cert.der, ci_pem, (struct bytes){ 0 }, clock_wall_us())))
		return -1;
	out->signer = xml_signer_open(c->sign_key, c->sign_cert, error); /* also: certificate and key belong together */
	return out->signer ? 0 : -1;
}

/* The batch files hold keys: nobody else may even list them. */
static int folder_check(const char *path, char error[ERROR_MAX])
{
	struct stat s;

	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return fault(error, path, strerror(errno));
	if (stat(path, &s) != 0)
		return fault(error, path, strerror(errno));
	if (!S_ISDIR(s.st_mode))
		return fault(error, path, "not a folder: RSP_EUM_BATCH_DIR must name one");
	return s.st_mode & 077 ? fault(error, path, "others can look into it: chmod 0700 it") : 0;
}

int eum_open(const struct eum_config *config, struct eum **out, char error[ERROR_MAX])
{
	CLEANUP(eum_freep) struct eum *eum = calloc(1, sizeof(*eum));
	struct bytes ca_id;

	if (!eum)
		abort();
	eum->config = config;
	eum->arena = arena_new();
	eum->issuer.oid = config->common.entity_oid;
	eum->issuer.cert_years = config->cert_years;
	if (config->cert_years < 1 || config->cert_years > YEARS_MAX)
		return fault(error, "RSP_EUM_CERT_YEARS", "set it to 1..100");
	if (config->maker_cards < 1 || config->maker_cards > CHUNK_MAX)
		return fault(error, "RSP_EUM_MAKER_CARDS", "set it to 1..500");
	if (key_file_read(config->kek_file, KEK_LEN, &eum->issuer.kek, error) || issuer_open(config, &eum->issuer, error) ||
	    transport_keys_open(config->transport_keys, &eum->issuer.oid, TRANSPORT_OF_EUM, &eum->transport_keys, error) ||
	    folder_check(config->batch_dir, error))
		return -1;
	ca_id = eum_ca_id(eum->arena, &eum->issuer.oid, eum->issuer.key_id);
	eum->issuer.ca_id = ca_id;
	*out = eum;
	eum = NULL;
	return 0;
}

void eum_close(struct eum *eum)
{
	if (!eum)
		return;
	transport_keys_close(&eum->transport_keys);
	xml_signer_free(eum->issuer.signer);
	ec_key_free(eum->issuer.key);
	secret_free(&eum->issuer.kek);
	arena_free(eum->arena);
	free(eum);
}

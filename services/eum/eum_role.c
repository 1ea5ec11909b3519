/* SPDX-License-Identifier: Apache-2.0 */
/* The EUM's keys and folders, read once at start; every fault says which file, what is wrong and how to mend it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "services/eum/eum.h"

enum { KEK_LEN = 32, TRANSPORT_LEN = 16, PEM_MAX = 64 * 1024, ERROR_MAX = 256, YEARS_MAX = 100, CHUNK_MAX = 500 };

static void dir_freep(DIR **d)
{
	if (*d)
		closedir(*d);
}

static void file_freep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static void eum_freep(struct eum **e)
{
	eum_close(*e);
}

static int fault(char error[ERROR_MAX], const char *path, const char *what)
{
	(void)snprintf(error, ERROR_MAX, "%s: %s", path, what);
	return -1;
}

static int secret_of(const char *path, size_t n, const char *what, struct secret *out, char error[ERROR_MAX])
{
	int rc = secret_read_file(path, n, out);

	if (rc == -EPERM)
		return fault(error, path, "others can read this key: chmod 0600 it");
	if (rc == -EFBIG || (rc == 0 && out->len != n))
		return fault(error, path, what);
	return rc ? fault(error, path, strerror(-rc)) : 0;
}

static int certificate_of(struct arena *a, const char *path, struct bytes *out_pem, struct cert_info *out, char error[ERROR_MAX])
{
	CLEANUP(file_freep) FILE *f = fopen(path, "re");
	uint8_t *text = arena_alloc(a, PEM_MAX);

	if (!f)
		return fault(error, path, strerror(errno));
	*out_pem = (struct bytes){ text, fread(text, 1, PEM_MAX, f) };
	return cert_read(a, text, out_pem->len, out) ? 0 : fault(error, path, "no certificate in it: give it in PEM");
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

/* "<our OID>_<their OID>.key" */
static bool transport_name(const struct oid *self, const char *name, struct oid *out)
{
	size_t n = strlen(self->text), len = strlen(name);
	char oid[OID_MAX + 1];

	if (strncmp(name, self->text, n) != 0 || name[n] != '_' || len < n + 6 || strcmp(name + len - 4, ".key") != 0 ||
	    len - n - 5 > OID_MAX)
		return false;
	(void)snprintf(oid, sizeof(oid), "%.*s", (int)(len - n - 5), name + n + 1);
	return oid_parse(oid, out);
}

static int transport_open(const struct eum_config *c, struct eum *eum, char error[ERROR_MAX])
{
	CLEANUP(dir_freep) DIR *d = opendir(c->transport_keys);
	struct dirent *e;

	if (!d)
		return fault(error, c->transport_keys, strerror(errno));
	while ((e = readdir(d))) {
		struct eum_transport_key key = { 0 };
		char path[4096];

		if (!transport_name(&c->common.entity_oid, e->d_name, &key.smsr))
			continue; /* other parties' keys may lie in the same folder */
		if (snprintf(path, sizeof(path), "%s/%s", c->transport_keys, e->d_name) >= (int)sizeof(path))
			return fault(error, c->transport_keys, "its path is too long");
		if (secret_of(path, TRANSPORT_LEN, "a transport key has 16 bytes (binary)", &key.key, error))
			return -1;
		eum->transport_keys = reallocarray(eum->transport_keys, eum->n_transport_keys + 1, sizeof(key));
		if (!eum->transport_keys)
			abort();
		eum->transport_keys[eum->n_transport_keys++] = key;
	}
	return 0;
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
	if (secret_of(config->kek_file, KEK_LEN, "a KEK has 32 bytes (binary)", &eum->issuer.kek, error) ||
	    issuer_open(config, &eum->issuer, error) || transport_open(config, eum, error) ||
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
	for (size_t i = 0; i < eum->n_transport_keys; i++)
		secret_free(&eum->transport_keys[i].key);
	free(eum->transport_keys);
	xml_signer_free(eum->issuer.signer);
	ec_key_free(eum->issuer.key);
	secret_free(&eum->issuer.kek);
	arena_free(eum->arena);
	free(eum);
}

const struct secret *eum_transport_key(const struct eum *eum, const struct oid *smsr)
{
	for (size_t i = 0; i < eum->n_transport_keys; i++)
		if (oid_equal(&eum->transport_keys[i].smsr, smsr))
			return &eum->transport_keys[i].key;
	return NULL;
}

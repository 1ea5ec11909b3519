/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http/pki.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MUST(expr)                                           \
	do {                                                 \
		if (!(expr)) {                               \
			fprintf(stderr, "pki: %s\n", #expr); \
			exit(3);                             \
		}                                            \
	} while (0)

struct signer {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};

const char *pki_path(struct pki *p, const char *name)
{
	char *out = p->path[p->at++ % 32];

	MUST(strlen(p->dir) + 1 + strlen(name) < sizeof(p->path[0]));
	stpcpy(stpcpy(stpcpy(out, p->dir), "/"), name);
	return out;
}

static void store(struct pki *p, const char *name, const char *ext, gnutls_datum_t *pem)
{
	char file[40];
	int fd;

	snprintf(file, sizeof(file), "%s.%s", name, ext);
	fd = open(pki_path(p, file), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(fd >= 0 && write(fd, pem->data, pem->size) == (ssize_t)pem->size);
	close(fd);
	gnutls_free(pem->data);
}

static gnutls_x509_privkey_t key_new(void)
{
	gnutls_x509_privkey_t key;

	gnutls_x509_privkey_init(&key);
	MUST(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) >= 0);
	return key;
}

static gnutls_x509_crt_t crt_new(const char *name, gnutls_x509_privkey_t key, long from_s, long to_s)
{
	gnutls_x509_crt_t crt;
	unsigned char serial[8];

	gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
	serial[0] &= 0x7F;
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_key(crt, key);
	gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
	gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
	gnutls_x509_crt_set_activation_time(crt, time(NULL) + from_s);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + to_s);
	return crt;
}

static struct signer ca_new(struct pki *p, const char *file)
{
	struct signer ca = { .key = key_new() };
	gnutls_datum_t pem;

	ca.crt = crt_new("Test CA", ca.key, -3600, 86400);
	gnutls_x509_crt_set_ca_status(ca.crt, 1);
	gnutls_x509_crt_set_key_usage(ca.crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
	MUST(gnutls_x509_crt_sign2(ca.crt, ca.crt, ca.key, GNUTLS_DIG_SHA256, 0) >= 0);
	MUST(gnutls_x509_crt_export2(ca.crt, GNUTLS_X509_FMT_PEM, &pem) >= 0);
	store(p, file, "pem", &pem);
	return ca;
}

struct wanted {
	const char *name, *purpose, *host;
	long to_s;
};

static gnutls_x509_crt_t leaf(struct pki *p, const struct signer *ca, const struct wanted *w)
{
	gnutls_x509_privkey_t key = key_new();
	gnutls_x509_crt_t crt = crt_new(w->name, key, -3600, w->to_s);
	gnutls_datum_t pem;

	gnutls_x509_crt_set_key_purpose_oid(crt, w->purpose, 0);
	if (!strcmp(w->name, "revoked")) /* serves both ways, so that each side can be shown to refuse it */
		gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
	gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (w->host) {
		const struct in_addr loopback = { htonl(INADDR_LOOPBACK) };

		gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, w->host, (unsigned)strlen(w->host), GNUTLS_FSAN_SET);
		if (!strcmp(w->host, "localhost"))
			gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, &loopback, sizeof(loopback),
							     GNUTLS_FSAN_APPEND);
	}
	MUST(gnutls_x509_crt_sign2(crt, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0) >= 0);
	MUST(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem) >= 0);
	store(p, w->name, "pem", &pem);
	MUST(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) >= 0);
	store(p, w->name, "key", &pem);
	gnutls_x509_privkey_deinit(key);
	return crt;
}

static void crl(struct pki *p, const struct signer *ca, const char *file, gnutls_x509_crt_t revoked)
{
	gnutls_x509_crl_t l;
	gnutls_datum_t pem;

	gnutls_x509_crl_init(&l);
	gnutls_x509_crl_set_version(l, 2);
	gnutls_x509_crl_set_this_update(l, time(NULL) - 60);
	gnutls_x509_crl_set_next_update(l, time(NULL) + 86400);
	gnutls_x509_crl_set_number(l, "\1", 1);
	if (revoked)
		gnutls_x509_crl_set_crt(l, revoked, time(NULL) - 60);
	MUST(gnutls_x509_crl_sign2(l, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0) >= 0);
	MUST(gnutls_x509_crl_export2(l, GNUTLS_X509_FMT_PEM, &pem) >= 0);
	store(p, file, "pem", &pem);
	gnutls_x509_crl_deinit(l);
}

static void signer_free(struct signer *s)
{
	gnutls_x509_crt_deinit(s->crt);
	gnutls_x509_privkey_deinit(s->key);
}

void pki_open(struct pki *p)
{
	static const struct wanted ours[] = {
		{ "server", GNUTLS_KP_TLS_WWW_SERVER, "localhost", 86400 },
		{ "elsewhere", GNUTLS_KP_TLS_WWW_SERVER, "elsewhere.test", 86400 },
		{ "good", GNUTLS_KP_TLS_WWW_CLIENT, NULL, 86400 },
		{ "expired", GNUTLS_KP_TLS_WWW_CLIENT, NULL, -60 },
		{ "serveronly", GNUTLS_KP_TLS_WWW_SERVER, NULL, 86400 },
	};
	static const struct wanted revoked = { "revoked", GNUTLS_KP_TLS_WWW_CLIENT, "localhost", 86400 };
	static const struct wanted foreign = { "foreign", GNUTLS_KP_TLS_WWW_CLIENT, NULL, 86400 };
	struct signer ca, other;
	gnutls_x509_crt_t crt;

	memset(p, 0, sizeof(*p));
	strcpy(p->dir, "/tmp/rsp-http-XXXXXX");
	MUST(mkdtemp(p->dir));
	ca = ca_new(p, "ca");
	other = ca_new(p, "other-ca");
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		gnutls_x509_crt_deinit(leaf(p, &ca, &ours[i]));
	gnutls_x509_crt_deinit(leaf(p, &other, &foreign));
	crt = leaf(p, &ca, &revoked);
	crl(p, &ca, "crl", NULL);
	crl(p, &ca, "crl-revoked", crt);
	crl(p, &other, "other-crl", NULL);
	gnutls_x509_crt_deinit(crt);
	signer_free(&ca);
	signer_free(&other);
}

void pki_close(struct pki *p)
{
	DIR *d = opendir(p->dir);
	struct dirent *e;

	MUST(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(p->dir);
}

void pki_pin(struct pki *p, const char *name, char out[64])
{
	gnutls_datum_t pem, spki, text, sum;
	unsigned char digest[32];
	gnutls_x509_crt_t crt;
	gnutls_pubkey_t key;

	MUST(gnutls_load_file(pki_path(p, name), &pem) >= 0);
	gnutls_x509_crt_init(&crt);
	gnutls_pubkey_init(&key);
	MUST(gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM) >= 0 && gnutls_pubkey_import_x509(key, crt, 0) >= 0);
	MUST(gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &spki) >= 0);
	gnutls_hash_fast(GNUTLS_DIG_SHA256, spki.data, spki.size, digest);
	sum = (gnutls_datum_t){ digest, sizeof(digest) };
	MUST(gnutls_base64_encode2(&sum, &text) >= 0);
	snprintf(out, 64, "sha256//%s", (char *)text.data);
	gnutls_free(text.data);
	gnutls_free(spki.data);
	gnutls_free(pem.data);
	gnutls_pubkey_deinit(key);
	gnutls_x509_crt_deinit(crt);
}

void pki_replace(struct pki *p, const char *from, const char *to)
{
	gnutls_datum_t text;

	MUST(gnutls_load_file(pki_path(p, from), &text) >= 0);
	store(p, "new", "tmp", &text);
	MUST(rename(pki_path(p, "new.tmp"), pki_path(p, to)) == 0);
}

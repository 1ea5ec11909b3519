/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "services/certs/certs.h"

enum { CA_DAYS = 3650 };

void issuer_free(struct issuer *i)
{
	ec_key_freep(&i->key);
}

bool key_get(const struct order *o, const char *folder, const char *base, struct ec_key **out)
{
	char *path = path_in(o, folder, arena_printf(o->a, "%s.key", base));
	CLEANUP(secret_free) struct secret pem = { 0 };
	struct ec_key *key;
	int rc;

	if (!folder_make(arena_printf(o->a, "%s/%s", o->out, folder)))
		return false;
	if (file_exists(path)) {
		rc = secret_read_file(path, KEY_FILE_MAX, &pem);
		if (rc < 0)
			return complain(strerror(-rc), path, "make it readable for you alone (chmod 0600)");
		key = ec_key_read(&pem);
		if (!key)
			return complain("not a P-256 private key in PEM", path, "remove it and its certificate to make new ones");
		*out = key;
		return true;
	}
	key = ec_key_new();
	pem = pki_key_pem(key);
	if (!file_write(path, pem.data, pem.len)) {
		ec_key_free(key);
		return false;
	}
	*out = key;
	return true;
}

/* The certificate in path, which must be that of key. */
static bool cert_load(const struct order *o, const char *path, const struct ec_key *key, struct issuer *out)
{
	uint8_t mine[P256_POINT], point[P256_POINT];
	struct cert_info info;

	if (!file_read(o->a, path, &out->pem))
		return false;
	if (!cert_read(o->a, out->pem.data, out->pem.len, &info))
		return complain("not a certificate in PEM", path, "remove it to make a new one");
	ec_key_public(key, mine);
	if (!cert_public_point(info.der, point) || memcmp(mine, point, sizeof(point)) != 0)
		return complain("is not of the key beside it", path, "restore the matching file, or remove both to make new ones");
	out->der = info.der;
	return true;
}

bool pair_make(const struct order *o, const char *folder, const char *base, const struct pki_cert *c, const struct issuer *ca,
	       struct issuer *out)
{
	char *key_path = path_in(o, folder, arena_printf(o->a, "%s.key", base));
	char *path = path_in(o, folder, arena_printf(o->a, "%s.pem", base));
	CLEANUP(issuer_free) struct issuer i = { 0 };
	struct bytes pem;

	if (file_exists(path) && !file_exists(key_path))
		return complain("its key file is missing", path, "restore the .key file, or remove this one to make both new");
	if (!key_get(o, folder, base, &i.key))
		return false;
	if (!file_exists(path)) {
		if (!pki_cert_make(o->a, c, i.key, ca ? ca->key : i.key, ca ? ca->der : (struct bytes){ 0 }, &pem))
			return complain("cannot be signed", path, "check the files of its CA and --days");
		if (!file_write(path, pem.data, pem.len))
			return false;
	}
	if (!cert_load(o, path, i.key, &i))
		return false;
	if (out) {
		*out = i;
		i.key = NULL;
	}
	return true;
}

static bool crl_write(const struct order *o, const char *path, const struct issuer *ca, struct bytes old, struct bytes revoked)
{
	struct bytes pem;

	if (!pki_crl_make(o->a, ca->key, ca->der, old, revoked, o->now_us - DAY_US, o->now_us + CA_DAYS * DAY_US, &pem))
		return complain("not a CRL in PEM", path, "remove it to begin an empty one");
	return file_write(path, pem.data, pem.len);
}

bool ca_make(const struct order *o, const char *folder, const char *base, const char *cn, struct issuer *out)
{
	const struct pki_cert c = {
		.kind = PKI_ROOT,
		.cn = cn,
		.not_before = o->now_us - DAY_US,
		.not_after = o->now_us + (o->days > CA_DAYS ? o->days : CA_DAYS) * DAY_US,
	};
	char *crl = path_in(o, folder, arena_printf(o->a, "%s.crl", base));
	CLEANUP(issuer_free) struct issuer ca = { 0 };
	const struct bytes none = { 0 };

	if (!pair_make(o, folder, base, &c, NULL, &ca) || (!file_exists(crl) && !crl_write(o, crl, &ca, none, none)))
		return false;
	*out = ca;
	ca.key = NULL;
	return true;
}

/* *out_ours: the certificate was issued by this CA. False: a complaint. */
static bool revoke_by(const struct order *o, const char *folder, const char *cn, struct bytes der, bool *out_ours)
{
	char *crl = path_in(o, folder, arena_printf(o->a, "%s.crl", folder));
	CLEANUP(issuer_free) struct issuer ca = { 0 };
	struct bytes old, none = { 0 };

	if (!ca_make(o, folder, folder, cn, &ca))
		return false;
	/* Expired ones can be revoked too: only that the chain fits counts. */
	*out_ours = cert_verify(der, ca.pem, none, o->now_us) != CERT_UNTRUSTED;
	if (!*out_ours)
		return true;
	return file_read(o->a, crl, &old) && crl_write(o, crl, &ca, old, der);
}

bool revoke_cert(const struct order *o)
{
	struct cert_info info;
	struct bytes file;
	bool ours = false;

	if (!file_read(o->a, o->revoke, &file))
		return false;
	if (!cert_read(o->a, file.data, file.len, &info))
		return complain("no certificate in it", o->revoke, "give a .pem file that rsp-certs made");
	if (!revoke_by(o, "tls-ca", "TLS CA", info.der, &ours) || (!ours && !revoke_by(o, "ci", "CI", info.der, &ours)))
		return false;
	return ours || complain("not issued by a CA in --out", o->revoke, "give the --out folder whose CA issued it");
}

/* A stranger has the real CA's name: only its key tells them apart. */
static bool issuer_of_extra(const struct order *o, struct issuer *out)
{
	if (o->eum)
		return o->foreign_ca ? ca_make(o, "extra", "foreign-ci", "CI", out) : ca_make(o, "ci", "ci", "CI", out);
	return o->foreign_ca ? ca_make(o, "extra", "foreign-ca", "TLS CA", out) : ca_make(o, "tls-ca", "tls-ca", "TLS CA", out);
}

bool issue_extra(const struct order *o)
{
	bool both = o->eku && strcmp(o->eku, "both") == 0;
	const struct pki_cert c = {
		.kind = o->eum ? PKI_SUB_CA : PKI_END,
		.server = both || (o->eku && strcmp(o->eku, "server") == 0),
		.client = both || (o->eku && strcmp(o->eku, "client") == 0),
		.cn = o->issue,
		.alt_names = o->eum ? arena_printf(o->a, "RID:%s", o->eum)
				    : arena_printf(o->a, "DNS:localhost,IP:127.0.0.1,IP:::1,DNS:%s", o->issue),
		.not_before = o->now_us - (o->expired ? 2 * DAY_US : DAY_US),
		.not_after = o->expired ? o->now_us - DAY_US : o->now_us + o->days * DAY_US,
	};
	CLEANUP(issuer_free) struct issuer ca = { 0 };

	return issuer_of_extra(o, &ca) && pair_make(o, "extra", o->issue, &c, &ca, NULL);
}

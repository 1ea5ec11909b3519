/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/gp_identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"

enum { PEM_MAX = 64 * 1024, WHAT_MAX = 120 };

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

static int ci_open(struct arena *a, const char *path, struct gp_identity *out, char error[KEY_FILE_ERROR])
{
	struct cert_info info;

	if (pem_file_read(a, path, &out->ci_pem, error))
		return -1;
	if (!cert_read(a, out->ci_pem.data, out->ci_pem.len, &info))
		return fault(error, path, "no certificate in it: give it in PEM");
	return cert_public_point(info.der, out->ci_point) ? 0 : fault(error, path, "its key is not on P-256");
}

void gp_date(int64_t wall_us, char out[GP_DATE + 1])
{
	char t[DATETIME_MAX];

	datetime_format(wall_us, t);
	memcpy(out, t, 4);
	memcpy(out + 4, t + 5, 2);
	memcpy(out + 6, t + 8, 2);
	out[GP_DATE] = '\0';
}

static int check(const struct gp_identity_files *files, const struct gp_identity *id, int64_t now_us, char error[KEY_FILE_ERROR])
{
	const char *path = files->sign_cert, *what = NULL;
	bool smdp = files->role == GP_ROLE_SM_DP;
	char date[GP_DATE + 1], text[WHAT_MAX];
	uint8_t own[P256_POINT];
	struct gp_cert c;

	gp_date(now_us, date);
	ec_key_public(id->key, own);
	if (!gp_cert_parse(id->certificate, &c))
		return fault(error, path, "not a certificate in GlobalPlatform form (7F21...)");
	if (c.role != files->role)
		what = smdp ? "this certificate is not for an SM-DP: its C8 should be 01"
			    : "this certificate is not for an SM-SR: its C8 should be 02";
	else if (memcmp(own, c.point, sizeof(own)) != 0)
		(void)snprintf(text, sizeof(text), "not the certificate of %sSIGN_KEY", files->prefix);
	else if (!gp_cert_verify(id->certificate, id->ci_point))
		(void)snprintf(text, sizeof(text), "not issued by the CI of %sCI_CA", files->prefix);
	else if (strcmp(c.expires, date) < 0)
		what = "this certificate is expired: have the CI renew it";
	else
		return 0;
	return fault(error, path, what ? what : text);
}

int gp_identity_open(const struct gp_identity_files *files, struct arena *a, int64_t now_us, struct gp_identity *out,
		     char error[KEY_FILE_ERROR])
{
	if (key_open(files->sign_key, &out->key, error) || pem_file_read(a, files->sign_cert, &out->certificate, error) ||
	    ci_open(a, files->ci_ca, out, error) || pem_file_read(a, files->ci_crl, &out->ci_crl_pem, error))
		return -1;
	return check(files, out, now_us, error);
}

void gp_identity_close(struct gp_identity *id)
{
	ec_key_free(id->key);
	id->key = NULL;
}

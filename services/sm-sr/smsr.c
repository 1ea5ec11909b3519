/* SPDX-License-Identifier: Apache-2.0 */
/* The sm-sr's keys and roots, read once at start. */
#include "services/sm-sr/smsr.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEK_LEN = 32, TRANSPORT_LEN = 16, PEM_MAX = 1024 * 1024 };

static int fail(char error[256], const char *what, const char *path, const char *mend)
{
	(void)snprintf(error, 256, "%s %s: %s", what, path, mend);
	return -1;
}

static int read_key(const char *what, const char *path, size_t len, struct secret *out, char error[256])
{
	int rc = secret_read_file(path, len + 1, out);

	if (rc == -EPERM)
		return fail(error, what, path, "others may read it; chmod 600");
	if (rc < 0 && rc != -EFBIG)
		return fail(error, what, path, strerror(-rc));
	if (rc == 0 && out->len == len)
		return 0;
	if (rc == 0)
		secret_free(out);
	return fail(error, what, path, "is not a binary key of the right length");
}

/* A PEM file into memory, NUL-terminated; path "" gives empty bytes. */
static int read_pem(const char *path, struct bytes *out, char error[256])
{
	CLEANUP(buf_free) struct buf text = { 0 };
	char piece[4096];
	size_t n;
	FILE *f;

	*out = (struct bytes){ 0 };
	if (!*path)
		return 0;
	f = fopen(path, "re");
	if (!f)
		return fail(error, "file", path, strerror(errno));
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0 && text.len < PEM_MAX)
		buf_add(&text, piece, n);
	fclose(f);
	*out = (struct bytes){ (const uint8_t *)text.data, text.len };
	text = (struct buf){ 0 };
	return 0;
}

/* <EUM OID>_<our OID>.key; other names are left alone. */
static bool transport_file(const char *name, const struct oid *self, struct oid *out_eum)
{
	char text[2 * OID_MAX + 8];
	char *mid, *end;

	if (strlen(name) >= sizeof(text))
		return false;
	memcpy(text, name, strlen(name) + 1);
	mid = strchr(text, '_');
	end = strstr(text, ".key");
	if (!mid || !end || end < mid || end[4])
		return false;
	*mid = *end = '\0';
	return oid_parse(text, out_eum) && !strcmp(mid + 1, self->text);
}

static int transport_add(struct smsr *s, const char *folder, const char *name, const struct oid *eum, char error[256])
{
	struct secret key = { 0 };
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (read_key("transport key", path, TRANSPORT_LEN, &key, error) < 0)
		return -1;
	s->transports = realloc(s->transports, (s->n_transports + 1) * sizeof(*s->transports));
	if (!s->transports)
		abort();
	s->transports[s->n_transports++] = (struct transport_key){ .eum = *eum, .key = key };
	return 0;
}

static int read_transports(struct smsr *s, const char *folder, char error[256])
{
	DIR *d = opendir(folder);
	struct dirent *e;
	struct oid eum;
	int rc = 0;

	if (!d)
		return fail(error, "folder of transport keys", folder, strerror(errno));
	while (rc == 0 && (e = readdir(d)))
		if (transport_file(e->d_name, &s->self, &eum))
			rc = transport_add(s, folder, e->d_name, &eum, error);
	closedir(d);
	return rc;
}

int smsr_open(struct app *app, void **out_role, char error[256])
{
	const struct smsr_config *config = (const struct smsr_config *)app->config;
	struct smsr *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->config = config;
	s->self = config->common.entity_oid;
	if (read_key("KEK", config->kek_file, KEK_LEN, &s->kek, error) < 0 || read_pem(config->ci_ca, &s->ci_pem, error) < 0 ||
	    read_pem(config->ci_crl, &s->ci_crl_pem, error) < 0 || read_transports(s, config->transport_keys, error) < 0) {
		smsr_close(s);
		return -1;
	}
	*out_role = s;
	return 0;
}

static void bytes_free(struct bytes *b)
{
	union {
		const uint8_t *c;
		void *v;
	} p = { .c = b->data };

	free(p.v);
	*b = (struct bytes){ 0 };
}

void smsr_close(void *role)
{
	struct smsr *s = role;

	if (!s)
		return;
	for (size_t i = 0; i < s->n_transports; i++)
		secret_free(&s->transports[i].key);
	free(s->transports);
	secret_free(&s->kek);
	bytes_free(&s->ci_pem);
	bytes_free(&s->ci_crl_pem);
	free(s);
}

const struct secret *smsr_transport(const struct smsr *s, const struct oid *eum)
{
	for (size_t i = 0; i < s->n_transports; i++)
		if (oid_equal(&s->transports[i].eum, eum))
			return &s->transports[i].key;
	return NULL;
}

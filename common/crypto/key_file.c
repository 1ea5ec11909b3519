/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/key_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEM_MAX = 1024 * 1024, PATH_LEN = 4096 };

static void file_freep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static void dir_freep(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int fault(char error[KEY_FILE_ERROR], const char *path, const char *what)
{
	(void)snprintf(error, KEY_FILE_ERROR, "%s: %s", path, what);
	return -1;
}

int key_file_read(const char *path, size_t n, struct secret *out, char error[KEY_FILE_ERROR])
{
	struct secret key = { 0 };
	int rc = secret_read_file(path, n, &key);
	char what[80];

	if (rc == -EPERM)
		return fault(error, path, "others can read this key: chmod 0600 it");
	if (rc < 0 && rc != -EFBIG)
		return fault(error, path, strerror(-rc));
	if (rc == 0 && key.len == n) {
		*out = key;
		return 0;
	}
	secret_free(&key);
	(void)snprintf(what, sizeof(what), "a binary key of %zu bytes is expected here", n);
	return fault(error, path, what);
}

int pem_file_read(struct arena *a, const char *path, struct bytes *out, char error[KEY_FILE_ERROR])
{
	CLEANUP(file_freep) FILE *f = *path ? fopen(path, "re") : NULL;
	uint8_t *data;
	long size;

	if (!*path) {
		*out = (struct bytes){ 0 };
		return 0;
	}
	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET))
		return fault(error, path, strerror(errno));
	if (size > PEM_MAX)
		return fault(error, path, "more than 1 MiB is no PEM file of ours");
	data = arena_alloc(a, (size_t)size + 1);
	*out = (struct bytes){ data, fread(data, 1, (size_t)size, f) };
	return 0;
}

/* <giver's OID>_<taker's OID>.key with self on its side. */
static bool transport_name(const char *name, const struct oid *self, enum transport_side side, struct oid *out_peer)
{
	char text[2 * OID_MAX + 8];
	char *mid, *end;
	const char *own, *peer;

	if (strlen(name) >= sizeof(text))
		return false;
	memcpy(text, name, strlen(name) + 1);
	mid = strchr(text, '_');
	end = strstr(text, ".key");
	if (!mid || !end || end < mid || end[strlen(".key")])
		return false;
	*mid = *end = '\0';
	own = side == TRANSPORT_OF_EUM ? text : mid + 1;
	peer = side == TRANSPORT_OF_EUM ? mid + 1 : text;
	return !strcmp(own, self->text) && oid_parse(peer, out_peer);
}

static int transport_add(struct transport_keys *k, const char *folder, const char *name, const struct oid *peer, char error[KEY_FILE_ERROR])
{
	struct secret key = { 0 };
	char path[PATH_LEN];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return fault(error, folder, "its path is too long");
	if (key_file_read(path, TRANSPORT_KEY_LEN, &key, error))
		return -1;
	k->items = reallocarray(k->items, k->n + 1, sizeof(*k->items));
	if (!k->items)
		abort();
	k->items[k->n++] = (struct transport_key){ .peer = *peer, .key = key };
	return 0;
}

int transport_keys_open(const char *folder, const struct oid *self, enum transport_side side, struct transport_keys *out,
			char error[KEY_FILE_ERROR])
{
	CLEANUP(transport_keys_close) struct transport_keys keys = { 0 };
	CLEANUP(dir_freep) DIR *d = opendir(folder);
	struct dirent *e;
	struct oid peer;

	if (!d)
		return fault(error, folder, strerror(errno));
	while ((e = readdir(d)))
		if (transport_name(e->d_name, self, side, &peer) && transport_add(&keys, folder, e->d_name, &peer, error))
			return -1;
	*out = keys;
	keys = (struct transport_keys){ 0 };
	return 0;
}

void transport_keys_close(struct transport_keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		secret_free(&k->items[i].key);
	free(k->items);
	*k = (struct transport_keys){ 0 };
}

const struct secret *transport_key_of(const struct transport_keys *k, const struct oid *peer)
{
	for (size_t i = 0; i < k->n; i++)
		if (oid_equal(&k->items[i].peer, peer))
			return &k->items[i].key;
	return NULL;
}

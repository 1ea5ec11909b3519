/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/key_file.h"

#define EUM "1.3.6.1.4.1.99999.1"
#define SMSR "1.3.6.1.4.1.99999.2"

static char folder[] = "/tmp/rsp-key-file-XXXXXX";

static void folder_make(void)
{
	cr_assert(mkdtemp(folder));
}

static void folder_drop(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_assert_eq(system(command), 0);
}

static const char *put(struct arena *a, const char *name, size_t n, mode_t mode)
{
	const char *path = arena_printf(a, "%s/%s", folder, name);
	FILE *f = fopen(path, "we");

	cr_assert(f);
	for (size_t i = 0; i < n; i++)
		(void)fputc((int)(i + 1), f);
	(void)fclose(f);
	cr_assert_eq(chmod(path, mode), 0);
	return path;
}

TestSuite(key_file, .init = folder_make, .fini = folder_drop);

Test(key_file, a_key_has_its_length_and_is_closed_to_others)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(secret_free) struct secret key = { 0 };
	char error[KEY_FILE_ERROR];

	cr_assert_eq(key_file_read(put(a, "short", 31, 0600), KEK_LEN, &key, error), -1);
	cr_assert(strstr(error, "32 bytes") && strstr(error, "/short"), "%s", error);
	cr_assert_eq(key_file_read(put(a, "long", 33, 0600), KEK_LEN, &key, error), -1);
	cr_assert(strstr(error, "32 bytes"), "%s", error);
	cr_assert_eq(key_file_read(put(a, "open", 32, 0640), KEK_LEN, &key, error), -1);
	cr_assert(strstr(error, "chmod 0600"), "%s", error);
	cr_assert_eq(key_file_read(arena_printf(a, "%s/none", folder), KEK_LEN, &key, error), -1);
	cr_assert(strstr(error, "No such file"), "%s", error);
	cr_assert(!key.data);
	cr_assert_eq(key_file_read(put(a, "good", 32, 0600), KEK_LEN, &key, error), 0, "%s", error);
	cr_assert(key.len == 32 && key.data[0] == 1 && key.data[31] == 32);
}

Test(key_file, transport_keys_are_those_of_our_side)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct transport_keys keys = { 0 };
	struct oid eum, smsr, other;
	char error[KEY_FILE_ERROR];

	cr_assert(oid_parse(EUM, &eum) && oid_parse(SMSR, &smsr) && oid_parse("1.2.3", &other));
	(void)put(a, EUM "_" SMSR ".key", 16, 0600);
	(void)put(a, "1.2.3_1.2.4.key", 3, 0644); /* not ours: not looked at */
	(void)put(a, "README", 3, 0644);
	cr_assert_eq(transport_keys_open(folder, &smsr, TRANSPORT_OF_SM_SR, &keys, error), 0, "%s", error);
	cr_assert_eq(keys.n, 1);
	cr_assert(transport_key_of(&keys, &eum));
	cr_assert(!transport_key_of(&keys, &other));
	transport_keys_close(&keys);
	cr_assert_eq(transport_keys_open(folder, &eum, TRANSPORT_OF_EUM, &keys, error), 0, "%s", error);
	cr_assert(transport_key_of(&keys, &smsr));
	transport_keys_close(&keys);
	cr_assert_eq(transport_keys_open(folder, &smsr, TRANSPORT_OF_EUM, &keys, error), 0, "%s", error);
	cr_assert_eq(keys.n, 0);
	(void)put(a, "1.2.3_" SMSR ".key", 15, 0600);
	cr_assert_eq(transport_keys_open(folder, &smsr, TRANSPORT_OF_SM_SR, &keys, error), -1);
	cr_assert(strstr(error, "1.2.3_" SMSR ".key"), "%s", error);
	cr_assert(keys.n == 0 && !keys.items);
}

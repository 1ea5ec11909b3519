/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates that a process reads from files at its start; a fault is one sentence: which file, what is wrong, how to mend it. */
#ifndef CRYPTO_KEY_FILE_H
#define CRYPTO_KEY_FILE_H

#include "common/base/arena.h"
#include "common/base/secret.h"
#include "common/sgp02/ids.h"

enum { KEK_LEN = 32, TRANSPORT_KEY_LEN = 16, KEY_FILE_ERROR = 256 };

/* A binary key of exactly n bytes from a file closed to group and others. 0, or -1 with error filled; the secret is the caller's. */
int key_file_read(const char *path, size_t n, struct secret *out, char error[KEY_FILE_ERROR]);
/* A PEM file of up to 1 MiB into a; path "": empty bytes. 0, or -1 with error filled. */
int pem_file_read(struct arena *a, const char *path, struct bytes *out, char error[KEY_FILE_ERROR]);

/* The keys under which EUMs hand ISD-R keys to SM-SRs (binding.md c10), and operators their profiles' keys to SM-DPs: files
 * <EUM OID>_<SM-SR OID>.key, <operator OID>_<SM-DP OID>.key in one folder. */
enum transport_side { TRANSPORT_OF_EUM, TRANSPORT_OF_SM_SR, TRANSPORT_OF_SM_DP = TRANSPORT_OF_SM_SR };
struct transport_keys {
	struct transport_key {
		struct oid peer;
		struct secret key;
	} *items;
	size_t n;
};
/* Reads those of self, which stands on the side given; others in the folder are left alone. 0, or -1 with error filled and nothing kept. */
int transport_keys_open(const char *folder, const struct oid *self, enum transport_side side, struct transport_keys *out,
			char error[KEY_FILE_ERROR]);
/* Wipes them; a zeroed struct is allowed. */
void transport_keys_close(struct transport_keys *k);
/* NULL: none agreed with this peer. */
const struct secret *transport_key_of(const struct transport_keys *k, const struct oid *peer);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Key check values, the EUM transport scheme and keys at rest (procedures.md 5.4, decisions.md B3, design.md 7). */
#ifndef CRYPTO_KEYS_H
#define CRYPTO_KEYS_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/secret.h"

enum { KCV_LEN = 3, KEY_TYPE_PSK_TLS = 0x85, KEY_TYPE_AES = 0x88 };

/* AES: first 3 bytes of AES-ECB over 16 bytes of 01; PSK-TLS: first 3 bytes of SHA-1 of the key (card.md 2). False: key length or type not known. */
bool key_kcv(uint8_t type, const uint8_t *key, size_t n, uint8_t out[KCV_LEN]);

/* AES-128-ECB with PKCS#7 padding when needed (binding.md c10): a key of whole blocks is not padded ("when needed"); unwrapping takes both forms:
 * the caller says by the KCV which one it was. transport: 16 bytes. */
bool transport_wrap(const struct secret *transport, const uint8_t *key, size_t n, struct arena *a, struct bytes *out);
/* Both readings of a wrapped key: as it is and, where the last block is valid padding, without it. Number of readings (0: length not a
 * multiple of 16 or empty). The caller frees out[i]. */
unsigned transport_unwrap(const struct secret *transport, struct bytes wrapped, struct secret out[2]);

/* AES key wrap (RFC 3394), which tells a wrong key from a right one. transport: 16 bytes; n: a multiple of 8, 16 to 4096; out is 8 longer. False:
 * another length. */
bool rfc3394_wrap(const struct secret *transport, const uint8_t *key, size_t n, struct arena *a, struct bytes *out);
/* False: wrapped under another key, or damaged. The caller frees *out. */
bool rfc3394_unwrap(const struct secret *transport, struct bytes wrapped, struct secret *out);

/* AES-256-GCM: nonce(12) | ciphertext | tag(16); aad for key sets: "eid|kvn|use". kek: 32 bytes. */
void kek_wrap(const struct secret *kek, const char *aad, const uint8_t *key, size_t n, struct arena *a, struct bytes *out);
/* False: wrong KEK, AAD or bytes. */
bool kek_unwrap(const struct secret *kek, const char *aad, struct bytes wrapped, struct secret *out);

#endif

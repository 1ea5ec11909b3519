/* SPDX-License-Identifier: Apache-2.0 */
/* AES-128 as cards use it: CBC without padding of its own, CMAC (NIST SP 800-38A, SP 800-38B). Padding is the caller's (card/ says which). */
#ifndef CRYPTO_AES_H
#define CRYPTO_AES_H

#include <stdbool.h>

#include "common/base/arena.h"

enum { AES_KEY = 16, AES_BLOCK = 16 };

/* n is a multiple of 16; in and out may be the same. iv NULL: zeros. False: n is not, or the library failed; out is then not to be used. */
bool aes_cbc_encrypt(const uint8_t key[AES_KEY], const uint8_t iv[AES_BLOCK], const void *in, size_t n, uint8_t *out);
bool aes_cbc_decrypt(const uint8_t key[AES_KEY], const uint8_t iv[AES_BLOCK], const void *in, size_t n, uint8_t *out);
/* One block. */
bool aes_ecb_encrypt(const uint8_t key[AES_KEY], const uint8_t in[AES_BLOCK], uint8_t out[AES_BLOCK]);
/* CMAC over the parts, one behind the other. */
bool aes_cmac(const uint8_t key[AES_KEY], const struct bytes *parts, size_t n_parts, uint8_t out[AES_BLOCK]);
/* Compares without telling by its time where two MACs differ. */
bool mac_equal(const void *a, const void *b, size_t n);

#endif

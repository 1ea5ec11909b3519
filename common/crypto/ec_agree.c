/* SPDX-License-Identifier: Apache-2.0 */
/* ECKA and the key derivation behind it (BSI TR-03111 4.3). */
#include <string.h>

#include "common/crypto/crypto_internal.h"
#include "common/crypto/ec.h"

bool ec_shared_x(const struct ec_key *k, const uint8_t point[P256_POINT], uint8_t out[P256_SCALAR])
{
	CLEANUP(pkey_freep) EVP_PKEY *peer = NULL;
	CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *ctx = NULL;
	uint8_t x[P256_SCALAR];
	size_t n = sizeof(x);
	bool made;
	OPENSSL_ERRORS_SCOPE;

	peer = pkey_make(point, NULL);
	ctx = peer ? EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL) : NULL;
	/* The last 1: the peer's point is checked to be on the curve, or the scalar could leak bit by bit. */
	made = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) == 1 &&
	       EVP_PKEY_derive(ctx, x, &n) == 1 && n == sizeof(x);
	if (made)
		memcpy(out, x, sizeof(x));
	secret_wipe(x, sizeof(x));
	return made;
}

void kdf_x963(const void *secret, size_t n, struct bytes shared_info, uint8_t *out, size_t n_out)
{
	uint8_t digest[SHA256_LEN];

	for (uint32_t i = 1; n_out > 0; i++) {
		const uint8_t counter[] = { (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
		const struct bytes pieces[] = { { secret, n }, { counter, sizeof(counter) }, shared_info };
		size_t now = n_out < sizeof(digest) ? n_out : sizeof(digest);

		sha256_pieces(pieces, LEN(pieces), digest);
		memcpy(out, digest, now);
		out += now;
		n_out -= now;
	}
	secret_wipe(digest, sizeof(digest));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The session: derivation, authentication, MAC chain, ciphering. */
#include "common/card/scp03.h"

#include <string.h>

#include "common/card/scp03_internal.h"

enum { PROTOCOL = 0x03, I_PARAMETER = 0x70, SEQUENCE_BYTES = 3, PAD_FIRST = 0x80 };
enum { INITIALIZED_LEN = SCP03_DIVERSIFICATION + 3 + SCP03_CHALLENGE + SCP03_CRYPTOGRAM + SEQUENCE_BYTES };
enum {
	AT_KVN = SCP03_DIVERSIFICATION,
	AT_CHALLENGE = AT_KVN + 3,
	AT_CRYPTOGRAM = AT_CHALLENGE + SCP03_CHALLENGE,
	AT_SEQUENCE = AT_CRYPTOGRAM + SCP03_CRYPTOGRAM
};
/* Constants of the key derivation (card.md 4). */
enum derivation {
	CARD_CRYPTOGRAM = 0x00,
	HOST_CRYPTOGRAM = 0x01,
	CARD_CHALLENGE = 0x02,
	S_ENC = 0x04,
	S_MAC = 0x06,
	S_RMAC = 0x07,
};

void scp03_wipe(struct scp03_session *s)
{
	secret_wipe(s, sizeof(*s));
}

const char *scp03_verdict_text(enum scp03_verdict v)
{
	static const char *const texts[] = {
		[SCP03_GOOD] = "good",
		[SCP03_MALFORMED] = "malformed",
		[SCP03_WRONG_STATE] = "the session is in another state",
		[SCP03_OTHER_KEYS] = "another key version or protocol",
		[SCP03_OTHER_SEQUENCE] = "another sequence counter",
		[SCP03_BAD_CHALLENGE] = "wrong card challenge",
		[SCP03_BAD_CRYPTOGRAM] = "wrong card cryptogram",
		[SCP03_BAD_MAC] = "wrong R-MAC",
		[SCP03_REFUSED] = "refused by the card",
	};

	return (size_t)v < LEN(texts) ? texts[v] : "unknown";
}

static void sequence_put(uint8_t out[SEQUENCE_BYTES], uint32_t sequence)
{
	out[0] = (uint8_t)(sequence >> 16);
	out[1] = (uint8_t)(sequence >> 8);
	out[2] = (uint8_t)sequence;
}

/* n: at most one block, which is all that is derived with AES-128. */
static bool derive(const uint8_t key[AES_KEY], enum derivation what, size_t n, struct bytes first, struct bytes second,
		   uint8_t *out)
{
	const uint8_t label[AES_BLOCK] = {
		[11] = (uint8_t)what, [12] = 0, [13] = (uint8_t)(n * 8 >> 8), [14] = (uint8_t)(n * 8), [15] = 1
	};
	const struct bytes parts[] = { { label, sizeof(label) }, first, second };
	uint8_t block[AES_BLOCK];

	if (!aes_cmac(key, parts, LEN(parts), block))
		return false;
	memcpy(out, block, n);
	secret_wipe(block, sizeof(block));
	return true;
}

bool scp03_card_challenge(const uint8_t k_enc[AES_KEY], uint32_t sequence, const struct aid *aid, uint8_t out[SCP03_CHALLENGE])
{
	uint8_t counter[SEQUENCE_BYTES];

	if (sequence > SCP03_SEQUENCE_MAX)
		return false;
	sequence_put(counter, sequence);
	return derive(k_enc, CARD_CHALLENGE, SCP03_CHALLENGE, (struct bytes){ counter, sizeof(counter) },
		      (struct bytes){ aid->data, aid->len }, out);
}

bool scp03_begin_with(struct scp03_session *s, const struct card_keys *keys, uint32_t sequence,
		      const uint8_t host_challenge[SCP03_CHALLENGE], const uint8_t card_challenge[SCP03_CHALLENGE])
{
	const struct bytes host = { host_challenge, SCP03_CHALLENGE }, card = { card_challenge, SCP03_CHALLENGE };
	CLEANUP(scp03_wipe) struct scp03_session n = { .sequence = sequence, .kvn = keys->kvn, .state = SCP03_STARTED };

	memcpy(n.host_challenge, host_challenge, SCP03_CHALLENGE);
	memcpy(n.card_challenge, card_challenge, SCP03_CHALLENGE);
	if (sequence > SCP03_SEQUENCE_MAX || !derive(keys->enc, S_ENC, AES_KEY, host, card, n.s_enc) ||
	    !derive(keys->mac, S_MAC, AES_KEY, host, card, n.s_mac) || !derive(keys->mac, S_RMAC, AES_KEY, host, card, n.s_rmac) ||
	    !derive(n.s_mac, CARD_CRYPTOGRAM, SCP03_CRYPTOGRAM, host, card, n.card_cryptogram) ||
	    !derive(n.s_mac, HOST_CRYPTOGRAM, SCP03_CRYPTOGRAM, host, card, n.host_cryptogram)) {
		scp03_wipe(s);
		return false;
	}
	*s = n;
	return true;
}

bool scp03_begin(struct scp03_session *s, const struct card_keys *keys, const struct aid *aid, uint32_t sequence,
		 const uint8_t host_challenge[SCP03_CHALLENGE])
{
	uint8_t card_challenge[SCP03_CHALLENGE];

	if (!scp03_card_challenge(keys->enc, sequence, aid, card_challenge)) {
		scp03_wipe(s);
		return false;
	}
	return scp03_begin_with(s, keys, sequence, host_challenge, card_challenge);
}

struct scp03_mark scp03_mark_of(const struct scp03_session *s)
{
	struct scp03_mark m = { .counter = s->counter };

	memcpy(m.chain, s->chain, AES_BLOCK);
	return m;
}

struct scp03_mark scp03_mark_or_last(const struct scp03_session *s, const struct scp03_mark *at)
{
	return at ? *at : scp03_mark_of(s);
}

bool scp03_level_ok(uint8_t level)
{
	return level == SCP03_C_MAC || level == (SCP03_C_MAC | SCP03_C_DEC) || level == (SCP03_C_MAC | SCP03_R_MAC) ||
	       level == (SCP03_C_MAC | SCP03_C_DEC | SCP03_R_MAC) || level == SCP03_LEVEL_FULL;
}

bool scp03_initialized_parse(struct bytes data, struct scp03_initialized *out)
{
	const uint8_t *p = data.data;
	struct scp03_initialized i;

	if (data.len != INITIALIZED_LEN)
		return false;
	memcpy(i.diversification, p, SCP03_DIVERSIFICATION);
	i.kvn = p[AT_KVN];
	i.protocol = p[AT_KVN + 1];
	i.i = p[AT_KVN + 2];
	memcpy(i.card_challenge, p + AT_CHALLENGE, SCP03_CHALLENGE);
	memcpy(i.card_cryptogram, p + AT_CRYPTOGRAM, SCP03_CRYPTOGRAM);
	i.sequence = (uint32_t)p[AT_SEQUENCE] << 16 | (uint32_t)p[AT_SEQUENCE + 1] << 8 | p[AT_SEQUENCE + 2];
	*out = i;
	return true;
}

void scp03_initialized_build(struct buf *out, const struct scp03_session *s)
{
	uint8_t data[INITIALIZED_LEN] = { [AT_KVN] = s->kvn, [AT_KVN + 1] = PROTOCOL, [AT_KVN + 2] = I_PARAMETER };

	memcpy(data + AT_CHALLENGE, s->card_challenge, SCP03_CHALLENGE);
	memcpy(data + AT_CRYPTOGRAM, s->card_cryptogram, SCP03_CRYPTOGRAM);
	sequence_put(data + AT_SEQUENCE, s->sequence);
	buf_add(out, data, sizeof(data));
}

enum scp03_verdict scp03_initialized_check(const struct scp03_session *s, const struct scp03_initialized *answer)
{
	if (s->state == SCP03_CLOSED)
		return SCP03_WRONG_STATE;
	if (answer->kvn != s->kvn || answer->protocol != PROTOCOL || answer->i != I_PARAMETER)
		return SCP03_OTHER_KEYS;
	if (answer->sequence != s->sequence)
		return SCP03_OTHER_SEQUENCE;
	if (!mac_equal(answer->card_challenge, s->card_challenge, SCP03_CHALLENGE))
		return SCP03_BAD_CHALLENGE;
	if (!mac_equal(answer->card_cryptogram, s->card_cryptogram, SCP03_CRYPTOGRAM))
		return SCP03_BAD_CRYPTOGRAM;
	return SCP03_GOOD;
}

bool scp03_initialize_read(struct bytes challenge, uint8_t kvn, uint8_t key_id, struct scp03_initialize *out)
{
	struct scp03_initialize i = { .kvn = kvn, .key_id = key_id };

	if (challenge.len != SCP03_CHALLENGE)
		return false;
	memcpy(i.host_challenge, challenge.data, SCP03_CHALLENGE);
	*out = i;
	return true;
}

bool scp03_mac(const uint8_t key[AES_KEY], const uint8_t chain[AES_BLOCK], struct bytes head, struct bytes body,
	       uint8_t out[AES_BLOCK])
{
	const struct bytes parts[] = { { chain, AES_BLOCK }, head, body };

	return aes_cmac(key, parts, LEN(parts), out);
}

bool scp03_mac_is(const uint8_t cmac[AES_BLOCK], const uint8_t *mac)
{
	return mac_equal(cmac, mac, SCP03_MAC);
}

void scp03_advance(struct scp03_session *s, const uint8_t chain[AES_BLOCK])
{
	memcpy(s->chain, chain, AES_BLOCK);
	s->counter++;
}

static void authenticated(struct scp03_session *s, uint8_t level, const uint8_t chain[AES_BLOCK])
{
	memcpy(s->chain, chain, AES_BLOCK);
	s->counter = 0;
	s->level = level;
	s->state = SCP03_AUTHENTICATED;
}

bool scp03_authenticate_add(struct scp03_session *s, uint8_t level, struct bytes head, struct buf *out)
{
	uint8_t chain[AES_BLOCK];

	if (s->state != SCP03_STARTED || !scp03_level_ok(level) ||
	    !scp03_mac(s->s_mac, s->chain, head, (struct bytes){ s->host_cryptogram, SCP03_CRYPTOGRAM }, chain))
		return false;
	buf_add(out, s->host_cryptogram, SCP03_CRYPTOGRAM);
	buf_add(out, chain, SCP03_MAC);
	authenticated(s, level, chain);
	return true;
}

bool scp03_authenticate_with(struct scp03_session *s, uint8_t level, struct bytes head, struct bytes data)
{
	uint8_t chain[AES_BLOCK];

	if (s->state != SCP03_STARTED || !scp03_level_ok(level) || data.len != SCP03_AUTHENTICATE_DATA ||
	    !scp03_mac(s->s_mac, s->chain, head, (struct bytes){ data.data, SCP03_CRYPTOGRAM }, chain) ||
	    !scp03_mac_is(chain, data.data + SCP03_CRYPTOGRAM) || !mac_equal(data.data, s->host_cryptogram, SCP03_CRYPTOGRAM))
		return false;
	authenticated(s, level, chain);
	return true;
}

static bool icv_make(const struct scp03_session *s, uint32_t counter, enum scp03_way way, uint8_t out[AES_BLOCK])
{
	const uint8_t block[AES_BLOCK] = {
		[0] = way == SCP03_ANSWER ? 0x80 : 0, [12] = (uint8_t)(counter >> 24), [13] = (uint8_t)(counter >> 16),
		[14] = (uint8_t)(counter >> 8),       [15] = (uint8_t)counter,
	};

	return aes_ecb_encrypt(s->s_enc, block, out);
}

size_t scp03_ciphered(size_t n)
{
	return (n / AES_BLOCK + 1) * AES_BLOCK;
}

bool scp03_cipher(const struct scp03_session *s, uint32_t counter, enum scp03_way way, struct bytes plain, struct buf *out)
{
	CLEANUP(secret_free) struct secret padded = secret_new(scp03_ciphered(plain.len));
	uint8_t icv[AES_BLOCK];

	if (plain.len)
		memcpy(padded.data, plain.data, plain.len);
	padded.data[plain.len] = PAD_FIRST;
	if (!icv_make(s, counter, way, icv) || !aes_cbc_encrypt(s->s_enc, icv, padded.data, padded.len, padded.data))
		return false;
	buf_add(out, padded.data, padded.len);
	return true;
}

bool scp03_decipher(const struct scp03_session *s, uint32_t counter, enum scp03_way way, struct bytes in, struct secret *out)
{
	CLEANUP(secret_free) struct secret plain = { 0 };
	uint8_t icv[AES_BLOCK];
	size_t n = in.len;

	if (n == 0 || n % AES_BLOCK)
		return false;
	plain = secret_new(n);
	if (!icv_make(s, counter, way, icv) || !aes_cbc_decrypt(s->s_enc, icv, in.data, n, plain.data))
		return false;
	while (n > 0 && plain.data[n - 1] == 0)
		n--;
	if (n == 0 || plain.data[n - 1] != PAD_FIRST || in.len - n >= AES_BLOCK)
		return false;
	plain.len = n - 1;
	*out = plain;
	plain = (struct secret){ 0 };
	return true;
}

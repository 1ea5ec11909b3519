/* SPDX-License-Identifier: Apache-2.0 */
/* What the two forms of SCP03 share. Whatever does this with a command moves the session only when all of it succeeded. */
#ifndef CARD_SCP03_INTERNAL_H
#define CARD_SCP03_INTERNAL_H

#include "common/card/scp03.h"

enum { SCP03_AUTHENTICATE_DATA = SCP03_CRYPTOGRAM + SCP03_MAC };
/* Which way something goes: the counter block of an answer has its highest bit set. */
enum scp03_way { SCP03_COMMAND, SCP03_ANSWER };

bool scp03_level_ok(uint8_t level);
/* CMAC over chain | head | body; the MAC on the wire is its first SCP03_MAC bytes. */
bool scp03_mac(const uint8_t key[AES_KEY], const uint8_t chain[AES_BLOCK], struct bytes head, struct bytes body,
	       uint8_t out[AES_BLOCK]);
/* Bytes that n bytes take ciphered: padding is always there. */
size_t scp03_ciphered(size_t n);
/* Pads and ciphers plain: scp03_ciphered(plain.len) bytes appended. False: the library failed, nothing appended. */
bool scp03_cipher(const struct scp03_session *s, uint32_t counter, enum scp03_way way, struct bytes plain, struct buf *out);
/* False: not whole blocks, or the padding is wrong. */
bool scp03_decipher(const struct scp03_session *s, uint32_t counter, enum scp03_way way, struct bytes in, struct secret *out);
/* The session has taken or made a command with this CMAC. */
void scp03_advance(struct scp03_session *s, const uint8_t chain[AES_BLOCK]);
/* The session's own mark when there is no other. */
struct scp03_mark scp03_mark_or_last(const struct scp03_session *s, const struct scp03_mark *at);
/* A wire MAC against the CMAC that it should be the beginning of. */
bool scp03_mac_is(const uint8_t cmac[AES_BLOCK], const uint8_t *mac);
/* The host's authentication in either form, on the card. head as in scp03_mac; data: host cryptogram and C-MAC. False: refused. */
bool scp03_authenticate_with(struct scp03_session *s, uint8_t level, struct bytes head, struct bytes data);
/* Host: appends host cryptogram and C-MAC. */
bool scp03_authenticate_add(struct scp03_session *s, uint8_t level, struct bytes head, struct buf *out);
/* An initialize command's host challenge. */
bool scp03_initialize_read(struct bytes challenge, uint8_t kvn, uint8_t key_id, struct scp03_initialize *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SCP03 in APDUs. */
#include <string.h>

#include "common/card/apdu_internal.h"
#include "common/card/scp03_internal.h"

enum { CLA_PLAIN = 0x80, CLA_SECURED = 0x04, CLA_CHANNEL = 0x43, INS_INITIALIZE = 0x50, INS_AUTHENTICATE = 0x82 };
enum { LC_AT = 4, HEAD_LEN = 5 };

/* What the C-MAC covers in front of the data. */
static void head_make(uint8_t out[HEAD_LEN], const struct apdu *c, size_t lc)
{
	out[0] = c->cla | CLA_SECURED;
	out[1] = c->ins;
	out[2] = c->p1;
	out[3] = c->p2;
	out[LC_AT] = (uint8_t)lc;
}

/* The status words whose answers carry an R-MAC: done, and warnings. */
static bool is_answered(uint16_t sw)
{
	return sw == SW_OK || sw >> 8 == 0x62 || sw >> 8 == 0x63;
}

void scp03_initialize_build(struct buf *out, const struct scp03_session *s)
{
	apdu_build(out, &(struct apdu){ CLA_PLAIN, INS_INITIALIZE, s->kvn, 0, { s->host_challenge, SCP03_CHALLENGE }, true });
}

bool scp03_authenticate_build(struct scp03_session *s, uint8_t level, struct buf *out)
{
	const struct apdu c = { CLA_PLAIN, INS_AUTHENTICATE, level, 0, { NULL, 0 }, false };
	CLEANUP(buf_free) struct buf data = { 0 };
	uint8_t head[HEAD_LEN];

	head_make(head, &c, SCP03_AUTHENTICATE_DATA);
	if (!scp03_authenticate_add(s, level, (struct bytes){ head, HEAD_LEN }, &data))
		return false;
	apdu_build(out, &(struct apdu){ head[0], c.ins, c.p1, c.p2, buf_bytes(&data), false });
	return true;
}

bool scp03_wrap(struct scp03_session *s, const struct apdu *c, struct buf *out)
{
	CLEANUP(buf_free) struct buf data = { 0 };
	uint8_t head[HEAD_LEN], chain[AES_BLOCK];

	if (s->state != SCP03_AUTHENTICATED || s->counter >= SCP03_COMMANDS_MAX || c->cla & (CLA_SECURED | CLA_CHANNEL) ||
	    c->data.len > SHORT_MAX)
		return false;
	if (s->level & SCP03_C_DEC && c->data.len) {
		if (!scp03_cipher(s, s->counter + 1, SCP03_COMMAND, c->data, &data))
			return false;
	} else if (c->data.len) {
		buf_add(&data, c->data.data, c->data.len);
	}
	if (data.len + SCP03_MAC > SHORT_MAX)
		return false;
	head_make(head, c, data.len + SCP03_MAC);
	if (!scp03_mac(s->s_mac, s->chain, (struct bytes){ head, HEAD_LEN }, buf_bytes(&data), chain))
		return false;
	buf_add(&data, chain, SCP03_MAC);
	apdu_build(out, &(struct apdu){ head[0], c->ins, c->p1, c->p2, buf_bytes(&data), c->has_le });
	scp03_advance(s, chain);
	return true;
}

/* data and SW under the session's R-MAC key; the SW takes no part in the wire form. */
static bool answer_mac(const struct scp03_session *s, const struct scp03_mark *at, struct bytes data, uint16_t sw,
		       uint8_t out[AES_BLOCK])
{
	const uint8_t word[] = { (uint8_t)(sw >> 8), (uint8_t)sw };

	return scp03_mac(s->s_rmac, at->chain, data, (struct bytes){ word, sizeof(word) }, out);
}

enum scp03_verdict scp03_answer_open(struct arena *a, const struct scp03_session *s, const struct scp03_mark *at, struct bytes data,
				     uint16_t sw, struct bytes *out)
{
	const struct scp03_mark mark = scp03_mark_or_last(s, at);
	CLEANUP(secret_free) struct secret plain = { 0 };
	uint8_t cmac[AES_BLOCK];

	if (s->state != SCP03_AUTHENTICATED || mark.counter == 0)
		return SCP03_WRONG_STATE;
	if (!is_answered(sw))
		return SCP03_REFUSED;
	if (s->level & SCP03_R_MAC) {
		if (data.len < SCP03_MAC)
			return SCP03_MALFORMED;
		data.len -= SCP03_MAC;
		if (!answer_mac(s, &mark, data, sw, cmac) || !scp03_mac_is(cmac, data.data + data.len))
			return SCP03_BAD_MAC;
	}
	if (s->level & SCP03_R_ENC && data.len) {
		if (!scp03_decipher(s, mark.counter, SCP03_ANSWER, data, &plain))
			return SCP03_MALFORMED;
		data = (struct bytes){ plain.data, plain.len };
	}
	*out = (struct bytes){ arena_memdup(a, data.data, data.len), data.len };
	return SCP03_GOOD;
}

uint16_t scp03_initialize_parse(const struct apdu *c, struct scp03_initialize *out)
{
	if (c->cla != CLA_PLAIN)
		return SW_BAD_CLA;
	if (c->ins != INS_INITIALIZE)
		return SW_BAD_INS;
	return scp03_initialize_read(c->data, c->p1, c->p2, out) ? SW_OK : SW_WRONG_LENGTH;
}

static uint16_t refuse(struct scp03_session *s, uint16_t sw)
{
	scp03_wipe(s);
	return sw;
}

uint16_t scp03_authenticate(struct scp03_session *s, const struct apdu *c)
{
	uint8_t head[HEAD_LEN];

	if (c->cla != (CLA_PLAIN | CLA_SECURED))
		return refuse(s, SW_BAD_CLA);
	if (c->ins != INS_AUTHENTICATE)
		return refuse(s, SW_BAD_INS);
	if (c->p2 != 0)
		return refuse(s, SW_WRONG_P1P2);
	if (c->data.len != SCP03_AUTHENTICATE_DATA)
		return refuse(s, SW_WRONG_LENGTH);
	head_make(head, c, c->data.len);
	if (!scp03_authenticate_with(s, c->p1, (struct bytes){ head, HEAD_LEN }, c->data))
		return refuse(s, SW_SECURITY);
	return SW_OK;
}

uint16_t scp03_unwrap(struct scp03_session *s, const struct apdu *c, struct apdu *out, struct secret *out_data)
{
	CLEANUP(secret_free) struct secret plain = { 0 };
	struct bytes data = c->data;
	uint8_t head[HEAD_LEN], chain[AES_BLOCK];

	if (s->state != SCP03_AUTHENTICATED || s->counter >= SCP03_COMMANDS_MAX || !(c->cla & CLA_SECURED))
		return refuse(s, SW_SECURITY);
	if (c->cla & CLA_CHANNEL)
		return refuse(s, SW_BAD_CLA);
	if (data.len < SCP03_MAC || data.len > SHORT_MAX)
		return refuse(s, SW_WRONG_LENGTH);
	head_make(head, c, data.len);
	data.len -= SCP03_MAC;
	if (!scp03_mac(s->s_mac, s->chain, (struct bytes){ head, HEAD_LEN }, data, chain) ||
	    !scp03_mac_is(chain, data.data + data.len))
		return refuse(s, SW_SECURITY);
	if (s->level & SCP03_C_DEC && data.len) {
		if (!scp03_decipher(s, s->counter + 1, SCP03_COMMAND, data, &plain))
			return refuse(s, SW_SECURITY);
	} else if (data.len) {
		plain = secret_new(data.len);
		memcpy(plain.data, data.data, data.len);
	}
	scp03_advance(s, chain);
	*out_data = plain;
	plain = (struct secret){ 0 };
	*out = (struct apdu){ c->cla & (uint8_t)~CLA_SECURED, c->ins, c->p1, c->p2, { out_data->data, out_data->len }, c->has_le };
	return SW_OK;
}

bool scp03_answer_build(const struct scp03_session *s, struct bytes data, uint16_t sw, struct buf *out)
{
	const struct scp03_mark mark = scp03_mark_of(s);
	CLEANUP(buf_free) struct buf body = { 0 };
	uint8_t cmac[AES_BLOCK];

	if (s->state != SCP03_AUTHENTICATED || s->counter == 0 || !is_answered(sw))
		return false;
	if (s->level & SCP03_R_ENC && data.len) {
		if (!scp03_cipher(s, s->counter, SCP03_ANSWER, data, &body))
			return false;
	} else if (data.len) {
		buf_add(&body, data.data, data.len);
	}
	if (s->level & SCP03_R_MAC) {
		if (!answer_mac(s, &mark, buf_bytes(&body), sw, cmac))
			return false;
		buf_add(&body, cmac, SCP03_MAC);
	}
	buf_add(out, body.data, body.len);
	return true;
}

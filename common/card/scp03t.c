/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/scp03t.h"

#include <string.h>

#include "common/card/apdu_internal.h"
#include "common/card/scp03_internal.h"
#include "common/card/tlv_internal.h"

enum { ERROR_BASE = 0x9F44, INITIALIZE_LEN = 2 + SCP03_CHALLENGE };

const char *scp03t_reason_text(uint8_t reason)
{
	static const char *const texts[] = {
		[SCP03T_OK] = "no reason",
		[SCP03T_LENGTH] = "wrong length",
		[SCP03T_SECURITY] = "security error",
		[SCP03T_REFERENCE] = "reference data missing",
	};

	return reason < LEN(texts) ? texts[reason] : "unknown reason";
}

static uint32_t error_tag(uint8_t command_tag)
{
	return ERROR_BASE + (command_tag - (uint32_t)SCP03T_INITIALIZE);
}

/* Tag and final length, as the MAC covers them. */
static void head_add(struct buf *out, uint8_t tag, size_t n_before_mac)
{
	tlv_add_head(out, tag, n_before_mac + SCP03_MAC);
}

void scp03t_initialize_build(struct buf *out, const struct scp03_session *s)
{
	uint8_t value[INITIALIZE_LEN] = { s->kvn, 0x00 };

	memcpy(value + 2, s->host_challenge, SCP03_CHALLENGE);
	tlv_add(out, SCP03T_INITIALIZE, value, sizeof(value));
}

/* 85 11 33: what the MAC of the authentication covers in front of the cryptogram. */
static const uint8_t authenticate_head[] = { SCP03T_AUTHENTICATE, 1 + SCP03_AUTHENTICATE_DATA, SCP03_LEVEL_FULL };

bool scp03t_authenticate_build(struct scp03_session *s, struct buf *out)
{
	CLEANUP(buf_free) struct buf made = { 0 };
	const struct bytes head = { authenticate_head, sizeof(authenticate_head) };

	if (!scp03_authenticate_add(s, SCP03_LEVEL_FULL, head, &made))
		return false;
	buf_add(out, head.data, head.len);
	buf_add(out, made.data, made.len);
	return true;
}

static bool may_go_on(const struct scp03_session *s)
{
	return s->state == SCP03_AUTHENTICATED && s->level == SCP03_LEVEL_FULL;
}

bool scp03t_segment_build(struct scp03_session *s, struct bytes plain, struct buf *out)
{
	CLEANUP(buf_free) struct buf head = { 0 };
	CLEANUP(buf_free) struct buf body = { 0 };
	uint8_t chain[AES_BLOCK];

	if (!may_go_on(s) || s->counter >= SCP03_COMMANDS_MAX || plain.len == 0 || plain.len > SCP03T_PLAIN_MAX ||
	    !scp03_cipher(s, s->counter + 1, SCP03_COMMAND, plain, &body))
		return false;
	head_add(&head, SCP03T_SEGMENT, body.len);
	if (!scp03_mac(s->s_mac, s->chain, buf_bytes(&head), buf_bytes(&body), chain))
		return false;
	buf_add(out, head.data, head.len);
	buf_add(out, body.data, body.len);
	buf_add(out, chain, SCP03_MAC);
	scp03_advance(s, chain);
	return true;
}

/* The value of the one answer TLV with this tag. */
static enum scp03_verdict answer_value(struct bytes tlv, uint8_t tag, struct bytes *out, uint8_t *out_reason)
{
	struct tlv t;

	if (!tlv_next(&tlv, &t) || tlv.len)
		return SCP03_MALFORMED;
	if (t.tag == error_tag(tag) && t.value.len == 1) {
		*out_reason = t.value.data[0];
		return SCP03_REFUSED;
	}
	if (t.tag != tag)
		return SCP03_MALFORMED;
	*out = t.value;
	return SCP03_GOOD;
}

enum scp03_verdict scp03t_initialized_open(const struct scp03_session *s, struct bytes tlv, struct scp03_initialized *out,
					   uint8_t *out_reason)
{
	struct scp03_initialized answer;
	struct bytes value;
	enum scp03_verdict verdict = answer_value(tlv, SCP03T_INITIALIZE, &value, out_reason);

	if (verdict != SCP03_GOOD)
		return verdict;
	if (!scp03_initialized_parse(value, &answer))
		return SCP03_MALFORMED;
	*out = answer;
	return scp03_initialized_check(s, &answer);
}

/* Checks the R-MAC at the end of a value that is not empty; what stands before it in out. */
static enum scp03_verdict check_mac(const struct scp03_session *s, const struct scp03_mark *at, uint8_t tag, struct bytes value,
				    struct bytes *out)
{
	CLEANUP(buf_free) struct buf head = { 0 };
	struct bytes body;
	uint8_t cmac[AES_BLOCK];

	if (value.len < SCP03_MAC)
		return SCP03_MALFORMED;
	body = (struct bytes){ value.data, value.len - SCP03_MAC };
	head_add(&head, tag, body.len);
	if (!scp03_mac(s->s_rmac, at->chain, buf_bytes(&head), body, cmac) || !scp03_mac_is(cmac, value.data + body.len))
		return SCP03_BAD_MAC;
	*out = body;
	return SCP03_GOOD;
}

enum scp03_verdict scp03t_authenticated_open(const struct scp03_session *s, struct bytes tlv, uint8_t *out_reason)
{
	struct bytes value;
	enum scp03_verdict verdict;

	if (!may_go_on(s))
		return SCP03_WRONG_STATE;
	verdict = answer_value(tlv, SCP03T_AUTHENTICATE, &value, out_reason);
	if (verdict == SCP03_GOOD && value.len)
		return SCP03_MALFORMED;
	return verdict;
}

enum scp03_verdict scp03t_segment_open(struct arena *a, const struct scp03_session *s, const struct scp03_mark *at,
				       struct bytes tlv, struct bytes *out, uint8_t *out_reason)
{
	const struct scp03_mark mark = scp03_mark_or_last(s, at);
	CLEANUP(secret_free) struct secret plain = { 0 };
	struct bytes value, body;
	enum scp03_verdict verdict;

	if (!may_go_on(s) || mark.counter == 0)
		return SCP03_WRONG_STATE;
	verdict = answer_value(tlv, SCP03T_SEGMENT, &value, out_reason);
	if (verdict != SCP03_GOOD)
		return verdict;
	if (value.len == 0) {
		*out = value;
		return SCP03_GOOD;
	}
	verdict = check_mac(s, &mark, SCP03T_SEGMENT, value, &body);
	if (verdict != SCP03_GOOD)
		return verdict;
	if (body.len && !scp03_decipher(s, mark.counter, SCP03_ANSWER, body, &plain))
		return SCP03_MALFORMED;
	*out = (struct bytes){ arena_memdup(a, plain.data, plain.len), plain.len };
	return SCP03_GOOD;
}

enum scp03t_reason scp03t_initialize_parse(struct bytes value, struct scp03_initialize *out)
{
	if (value.len != INITIALIZE_LEN)
		return SCP03T_LENGTH;
	(void)scp03_initialize_read((struct bytes){ value.data + 2, SCP03_CHALLENGE }, value.data[0], value.data[1], out);
	return SCP03T_OK;
}

void scp03t_initialized_build(struct buf *out, const struct scp03_session *s)
{
	size_t at = out->len;

	scp03_initialized_build(out, s);
	tlv_wrap(out, at, SCP03T_INITIALIZE);
}

static enum scp03t_reason refuse(struct scp03_session *s, enum scp03t_reason reason)
{
	scp03_wipe(s);
	return reason;
}

enum scp03t_reason scp03t_authenticate(struct scp03_session *s, struct bytes value)
{
	if (value.len != 1 + SCP03_AUTHENTICATE_DATA)
		return refuse(s, SCP03T_LENGTH);
	if (value.data[0] != SCP03_LEVEL_FULL ||
	    !scp03_authenticate_with(s, SCP03_LEVEL_FULL, (struct bytes){ authenticate_head, sizeof(authenticate_head) },
				     (struct bytes){ value.data + 1, value.len - 1 }))
		return refuse(s, SCP03T_SECURITY);
	return SCP03T_OK;
}

enum scp03t_reason scp03t_segment(struct scp03_session *s, struct bytes value, struct secret *out)
{
	CLEANUP(buf_free) struct buf head = { 0 };
	struct bytes body;
	uint8_t chain[AES_BLOCK];

	if (value.len < AES_BLOCK + SCP03_MAC || value.len > SCP03T_CIPHER_MAX + SCP03_MAC || (value.len - SCP03_MAC) % AES_BLOCK)
		return refuse(s, SCP03T_LENGTH);
	if (!may_go_on(s) || s->counter >= SCP03_COMMANDS_MAX)
		return refuse(s, SCP03T_SECURITY);
	body = (struct bytes){ value.data, value.len - SCP03_MAC };
	head_add(&head, SCP03T_SEGMENT, body.len);
	if (!scp03_mac(s->s_mac, s->chain, buf_bytes(&head), body, chain) || !scp03_mac_is(chain, value.data + body.len) ||
	    !scp03_decipher(s, s->counter + 1, SCP03_COMMAND, body, out))
		return refuse(s, SCP03T_SECURITY);
	scp03_advance(s, chain);
	return SCP03T_OK;
}

void scp03t_authenticated_build(struct buf *out)
{
	tlv_add(out, SCP03T_AUTHENTICATE, NULL, 0);
}

bool scp03t_answer_build(const struct scp03_session *s, struct bytes plain, struct buf *out)
{
	CLEANUP(buf_free) struct buf head = { 0 };
	CLEANUP(buf_free) struct buf body = { 0 };
	uint8_t cmac[AES_BLOCK];

	if (!may_go_on(s) || s->counter == 0)
		return false;
	if (plain.len == 0) {
		tlv_add(out, SCP03T_SEGMENT, NULL, 0);
		return true;
	}
	if (!scp03_cipher(s, s->counter, SCP03_ANSWER, plain, &body))
		return false;
	head_add(&head, SCP03T_SEGMENT, body.len);
	if (!scp03_mac(s->s_rmac, s->chain, buf_bytes(&head), buf_bytes(&body), cmac))
		return false;
	buf_add(out, head.data, head.len);
	buf_add(out, body.data, body.len);
	buf_add(out, cmac, SCP03_MAC);
	return true;
}

void scp03t_error_build(struct buf *out, uint8_t command_tag, enum scp03t_reason reason)
{
	const uint8_t value = (uint8_t)reason;

	tlv_add(out, error_tag(command_tag), &value, 1);
}

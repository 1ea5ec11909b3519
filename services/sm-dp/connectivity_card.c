/* SPDX-License-Identifier: Apache-2.0 */
/* What ES3.UpdateConnectivityParameters carries, and what the card says to it. */
#include <string.h>

#include "common/card/tlv.h"
#include "services/sm-dp/connectivity.h"
#include "services/sm-dp/download_card.h"

enum { TAG_FIRST = 0xA0, TAG_LAST = 0xA2, TAG_COMMAND = 0x22 };
enum { CLA_GP = 0x80, INS_STORE_DATA = 0xE2, P1_LAST_TLV = 0x88, DGI_HEAD = 3 };

bool connectivity_ok(struct bytes parameters)
{
	unsigned seen = 0;
	struct tlv t;

	if (parameters.len == 0 || parameters.len > CONNECTIVITY_MAX)
		return false;
	while (parameters.len) {
		unsigned bit;

		if (!tlv_next(&parameters, &t) || t.tag < TAG_FIRST || t.tag > TAG_LAST)
			return false;
		bit = 1u << (t.tag - TAG_FIRST);
		if (seen & bit)
			return false;
		seen |= bit;
	}
	return true;
}

void connectivity_session_wipe(struct connectivity_session *in)
{
	card_keys_wipe(&in->keys);
}

static void command_add(struct buf *out, struct buf *apdu)
{
	tlv_add(out, TAG_COMMAND, apdu->data, apdu->len);
	buf_clear(apdu);
}

/* s: as it is behind the last command. */
static bool build(struct buf *out, const struct connectivity_session *in, struct scp03_session *s)
{
	const uint8_t head[DGI_HEAD] = { 0x3A, 0x07, (uint8_t)in->parameters.len };
	CLEANUP(secret_free) struct secret dgi = secret_new(DGI_HEAD + in->parameters.len); /* an APN may have a password */
	const struct apdu store = { CLA_GP, INS_STORE_DATA, P1_LAST_TLV, 0, { dgi.data, dgi.len }, false };
	CLEANUP(buf_free) struct buf apdu = { 0 };

	if (in->parameters.len > CONNECTIVITY_MAX || !scp03_begin(s, &in->keys, &in->isdp, in->sequence, in->challenge))
		return false;
	memcpy(dgi.data, head, DGI_HEAD);
	memcpy(dgi.data + DGI_HEAD, in->parameters.data, in->parameters.len);
	scp03_initialize_build(&apdu, s);
	command_add(out, &apdu);
	if (!scp03_authenticate_build(s, SCP03_LEVEL_FULL, &apdu))
		return false;
	command_add(out, &apdu);
	if (!scp03_wrap(s, &store, &apdu))
		return false;
	command_add(out, &apdu);
	return true;
}

bool connectivity_build(struct buf *out, const struct connectivity_session *in)
{
	CLEANUP(scp03_wipe) struct scp03_session s = { 0 };
	CLEANUP(buf_free) struct buf built = { 0 };

	if (!build(&built, in, &s))
		return false;
	buf_add(out, built.data, built.len);
	return true;
}

static result unverified(struct arena *a, const char *what, const char *why)
{
	return failed(a, CODE_ISDP_KEY_INVALID, NULL, "%s: %s", what, why);
}

/* A card that has the keys, too, says what it counted: the cryptogram is over it. */
static bool counted_by_card(const struct connectivity_session *in, const struct scp03_initialized *initialized)
{
	CLEANUP(scp03_wipe) struct scp03_session s = { 0 };

	return scp03_begin(&s, &in->keys, &in->isdp, initialized->sequence, in->challenge) &&
	       scp03_initialized_check(&s, initialized) == SCP03_GOOD;
}

result connectivity_read(struct arena *a, const struct connectivity_session *in, struct bytes data, uint32_t *out_sequence)
{
	CLEANUP(scp03_wipe) struct scp03_session s = { 0 };
	CLEANUP(buf_free) struct buf built = { 0 };
	struct bytes rest = card_answers_of(data), answer, plain;
	struct scp03_initialized initialized;
	enum scp03_verdict verdict;

	*out_sequence = 0;
	if (!build(&built, in, &s))
		return internal(a, "a session with an ISD-P could not be computed again");
	TRY(card_apdu_answer(a, &rest, "INITIALIZE UPDATE", &answer));
	if (!scp03_initialized_parse(answer, &initialized))
		return unverified(a, "INITIALIZE UPDATE", scp03_verdict_text(SCP03_MALFORMED));
	verdict = scp03_initialized_check(&s, &initialized);
	if (verdict == SCP03_OTHER_SEQUENCE && counted_by_card(in, &initialized))
		*out_sequence = initialized.sequence;
	if (verdict != SCP03_GOOD)
		return unverified(a, "INITIALIZE UPDATE", scp03_verdict_text(verdict));
	TRY(card_apdu_answer(a, &rest, "EXTERNAL AUTHENTICATE", &answer));
	TRY(card_apdu_answer(a, &rest, "STORE DATA with the parameters", &answer));
	verdict = scp03_answer_open(a, &s, NULL, answer, SW_OK, &plain);
	return verdict == SCP03_GOOD ? OK : unverified(a, "STORE DATA with the parameters", scp03_verdict_text(verdict));
}

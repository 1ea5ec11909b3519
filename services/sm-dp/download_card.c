/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/download_card.h"

#include <string.h>

#include "common/base/hex.h"
#include "common/card/profile_package.h"
#include "common/card/tlv.h"

enum {
	TAG_COMMAND = 0x22,
	TAG_RESULT = 0x23,
	TAG_EXECUTED = 0x80,
	TAG_BAD_FORMAT = 0x90,
	TAG_CONTAINER = 0xAB,
	SW_LEN = 2,
	SHOWN_MAX = 256, /* bytes of EuiccResponseData in a message */
	SEGMENT_TLV_MAX = SCP03T_PLAIN_MAX + AES_BLOCK + SCP03_MAC + 4,
};

static void command_add(struct buf *out, const struct buf *apdu)
{
	tlv_add(out, TAG_COMMAND, apdu->data, apdu->len);
}

bool card_certificate_build(struct buf *out, const struct aid *isdp, struct bytes cert)
{
	CLEANUP(buf_free) struct buf install = { 0 };
	CLEANUP(buf_free) struct buf store = { 0 };

	ka_install_build(&install, isdp);
	if (!ka_certificate_build(&store, cert))
		return false;
	command_add(out, &install);
	command_add(out, &store);
	return true;
}

bool card_request_build(struct buf *out, const struct ka_host *host, struct bytes rc, const struct ec_key *signer)
{
	CLEANUP(buf_free) struct buf store = { 0 };

	if (!ka_host_request(host, rc, signer, &store))
		return false;
	command_add(out, &store);
	return true;
}

struct bytes card_answers_of(struct bytes data)
{
	struct bytes rest = data;
	struct tlv t;

	return tlv_next(&rest, &t) && t.tag == TAG_CONTAINER ? t.value : data;
}

/* The next answer, with its tag and length; what says how many there are is skipped. */
static bool answer_next(struct bytes *rest, struct tlv *out, struct bytes *out_whole)
{
	do {
		const uint8_t *from = rest->data;

		if (!tlv_next(rest, out))
			return false;
		*out_whole = (struct bytes){ from, (size_t)(rest->data - from) };
	} while (out->tag == TAG_EXECUTED);
	return true;
}

static result not_verified(struct arena *a, const char *what, const char *why)
{
	return failed(a, CODE_ISDP_KEY_INVALID, NULL, "%s: %s", what, why);
}

result card_apdu_answer(struct arena *a, struct bytes *rest, const char *what, struct bytes *out)
{
	struct bytes whole;
	struct tlv t;
	uint16_t sw;

	if (!answer_next(rest, &t, &whole))
		return failed(a, CODE_CARD_ERROR, NULL, "%s was not answered", what);
	if (t.tag == TAG_BAD_FORMAT)
		return failed(a, CODE_CARD_ERROR, NULL, "%s: the eUICC could not read the script", what);
	if (t.tag != TAG_RESULT || t.value.len < SW_LEN)
		return failed(a, CODE_CARD_ERROR, NULL, "%s: its answer is no R-APDU", what);
	sw = (uint16_t)(t.value.data[t.value.len - 2] << 8 | t.value.data[t.value.len - 1]);
	if (sw != SW_OK)
		return failed(a, CODE_CARD_ERROR, NULL, "%s was answered %04X: %s", what, sw, sw_text(sw));
	*out = (struct bytes){ t.value.data, t.value.len - SW_LEN };
	return OK;
}

result card_challenge_read(struct arena *a, struct bytes data, struct bytes *out_rc)
{
	struct bytes rest = card_answers_of(data), answer, rc;

	TRY(card_apdu_answer(a, &rest, "INSTALL [for personalization]", &answer));
	TRY(card_apdu_answer(a, &rest, "STORE DATA with the SM-DP's certificate", &answer));
	if (!ka_challenge_parse(answer, &rc) || (rc.len != KA_CHALLENGE_MIN && rc.len != KA_CHALLENGE_MAX))
		return not_verified(a, "STORE DATA with the SM-DP's certificate", "its answer is no random challenge");
	*out_rc = rc;
	return OK;
}

result card_receipt_read(struct arena *a, struct bytes data, const struct ka_host *host, const uint8_t ecasd[P256_POINT],
			 struct card_keys *out)
{
	static const char what[] = "STORE DATA with the ephemeral key";
	struct bytes rest = card_answers_of(data), answer;
	struct ka_answer receipt;
	enum ka_verdict verdict;

	TRY(card_apdu_answer(a, &rest, what, &answer));
	if (!ka_answer_parse(answer, &receipt))
		return not_verified(a, what, "its answer is no receipt");
	verdict = ka_host_finish(host, ecasd, NULL, &receipt, out);
	return verdict == KA_GOOD ? OK : not_verified(a, what, ka_verdict_text(verdict));
}

/* SCP03t ---------------------------------------------------------------------------------------------------------------------- */

size_t card_segments(size_t package_len)
{
	return (package_len + SCP03T_PLAIN_MAX - 1) / SCP03T_PLAIN_MAX;
}

size_t card_segments_in(size_t bytes)
{
	return bytes < 2 * SEGMENT_TLV_MAX ? 1 : bytes / SEGMENT_TLV_MAX;
}

/* The session as it is behind the segment before past, with a mark per segment from first on. */
static bool replay(struct buf *out, const struct card_install *in, size_t first, size_t past, struct scp03_session *s,
		   struct scp03_mark *marks)
{
	CLEANUP(buf_free) struct buf before = { 0 };
	struct buf *to = first == 0 ? out : &before;

	if (!scp03_begin(s, &in->keys, &in->isdp, CARD_SEQUENCE, in->challenge))
		return false;
	scp03t_initialize_build(to, s);
	if (!scp03t_authenticate_build(s, to))
		return false;
	for (size_t i = 0; i < past; i++) {
		size_t at = i * SCP03T_PLAIN_MAX, left = in->package.len - at;
		struct bytes plain = { in->package.data + at, left < SCP03T_PLAIN_MAX ? left : SCP03T_PLAIN_MAX };

		buf_clear(&before);
		if (!scp03t_segment_build(s, plain, i < first ? &before : out))
			return false;
		if (i >= first && marks)
			marks[i - first] = scp03_mark_of(s);
	}
	return true;
}

static bool range_ok(const struct card_install *in, size_t first, size_t past)
{
	return first < past && past <= card_segments(in->package.len);
}

bool card_install_build(struct buf *out, const struct card_install *in, size_t first, size_t past)
{
	CLEANUP(scp03_wipe) struct scp03_session s = { 0 };
	CLEANUP(buf_free) struct buf built = { 0 };

	if (!range_ok(in, first, past) || !replay(&built, in, first, past, &s, NULL))
		return false;
	buf_add(out, built.data, built.len);
	return true;
}

/* The TLV of an answer; some servers wrap it as an R-APDU (procedures.md 4.8). */
static bool tlv_answer(struct bytes *rest, struct bytes *out, uint16_t *out_sw)
{
	struct tlv t;

	*out_sw = SW_OK;
	if (!answer_next(rest, &t, out))
		return false;
	if (t.tag != TAG_RESULT || t.value.len < SW_LEN)
		return true;
	*out_sw = (uint16_t)(t.value.data[t.value.len - 2] << 8 | t.value.data[t.value.len - 1]);
	*out = (struct bytes){ t.value.data, t.value.len - SW_LEN };
	return true;
}

/* A refusal is the card's word; anything else does not verify. */
static result verdict_result(struct arena *a, const char *what, enum scp03_verdict verdict, uint8_t reason)
{
	if (verdict == SCP03_GOOD)
		return OK;
	if (verdict == SCP03_REFUSED)
		return failed(a, CODE_CARD_ERROR, NULL, "%s was refused: %s (%02X)", what, scp03t_reason_text(reason), reason);
	return not_verified(a, what, scp03_verdict_text(verdict));
}

static result take(struct arena *a, struct bytes *rest, const char *what, struct bytes *out)
{
	uint16_t sw;

	if (!tlv_answer(rest, out, &sw))
		return failed(a, CODE_CARD_ERROR, NULL, "%s was not answered", what);
	if (sw != SW_OK)
		return failed(a, CODE_CARD_ERROR, NULL, "%s was answered %04X: %s", what, sw, sw_text(sw));
	return OK;
}

static result opening_read(struct arena *a, const struct scp03_session *s, struct bytes *rest)
{
	struct scp03_initialized initialized;
	enum scp03_verdict verdict;
	struct bytes tlv;
	uint8_t reason = 0;

	TRY(take(a, rest, "INITIALIZE UPDATE", &tlv));
	verdict = scp03t_initialized_open(s, tlv, &initialized, &reason);
	TRY(verdict_result(a, "INITIALIZE UPDATE", verdict, reason));
	TRY(take(a, rest, "EXTERNAL AUTHENTICATE", &tlv));
	verdict = scp03t_authenticated_open(s, tlv, &reason);
	return verdict_result(a, "EXTERNAL AUTHENTICATE", verdict, reason);
}

/* What the card says of the package; plain came R-MAC verified. */
static result response_read(struct arena *a, const struct card_install *in, struct bytes plain)
{
	const struct pe_status_entry *failure;
	struct euicc_response response;
	struct profile_package package;
	struct profile_fault fault;
	const char *why;
	bool known;

	if (!euicc_response_parse(a, plain, &response, &why))
		return failed(a, CODE_CARD_ERROR, NULL, "the eUICC's answer to the package cannot be read: %s", why);
	if (euicc_response_ok(&response))
		return OK;
	failure = euicc_response_failure(&response);
	known = profile_package_parse(a, in->package, &package, &fault);
	return failed(a, failure && failure->status == PE_STATUS_NOT_ENOUGH_MEMORY ? CODE_EUICC_MEMORY : CODE_CARD_ERROR, NULL,
		      "the profile was not installed: %s", euicc_response_explain(a, &response, known ? &package : NULL));
}

result card_install_read(struct arena *a, const struct card_install *in, size_t first, size_t past, struct bytes data)
{
	struct scp03_mark *marks = arena_array(a, first < past ? past - first : 0, sizeof(*marks));
	CLEANUP(scp03_wipe) struct scp03_session s = { 0 };
	CLEANUP(buf_free) struct buf built = { 0 };
	struct bytes rest = card_answers_of(data), tlv, plain;
	bool said = false;

	if (!range_ok(in, first, past) || !replay(&built, in, first, past, &s, marks))
		return internal(a, "the segments of a package could not be computed again");
	if (first == 0)
		TRY(opening_read(a, &s, &rest));
	for (size_t i = first; i < past; i++) {
		const char *what = arena_printf(a, "segment %zu of %zu", i + 1, card_segments(in->package.len));
		enum scp03_verdict verdict;
		uint8_t reason = 0;

		TRY(take(a, &rest, what, &tlv));
		verdict = scp03t_segment_open(a, &s, &marks[i - first], tlv, &plain, &reason);
		TRY(verdict_result(a, what, verdict, reason));
		if (plain.len == 0)
			continue;
		TRY(response_read(a, in, plain));
		said = i + 1 == card_segments(in->package.len);
	}
	if (past == card_segments(in->package.len) && !said)
		return failed(a, CODE_CARD_ERROR, NULL, "the eUICC took the whole package and did not say that it is installed");
	return OK;
}

const char *card_data_text(struct arena *a, struct bytes data)
{
	size_t n = data.len < SHOWN_MAX ? data.len : SHOWN_MAX;

	if (data.len == 0)
		return "";
	return arena_printf(a, ", EuiccResponseData %s%s", hex_text(a, data.data, n), n < data.len ? "..." : "");
}

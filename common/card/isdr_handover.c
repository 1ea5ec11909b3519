/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/isdr_handover.h"

#include <string.h>

#include "common/base/secret.h"
#include "common/card/apdu_internal.h"
#include "common/card/isdr_agreement.h"
#include "common/card/tlv_internal.h"
#include "common/crypto/keys.h"

/* [GUESS] PUT KEY's key data fields (card.md 2: from Amendments B and D). All of it is here. */
enum { P1_NEW_SET = 0x00, P2_SEVERAL_FROM_1 = 0x81, KEYS = 2, ENCRYPTED_LEN = 1 + AES_KEY };
enum { FIELD = 3 + AES_KEY + 1 + KCV_LEN }; /* type, 11, 10, 16 bytes, 03, KCV */
/* [GUESS] Objects of A3 beside 81: their order in the text is SMS, CAT_TP, HTTPS, DNS (procedures.md 4.4). */
enum { TAG_ADDRESSING = 0xA3, TAG_SMS = 0x81, TAG_HTTPS = 0x83 };
enum { TON_INTERNATIONAL = 0x91, TON_UNKNOWN = 0x81, BCD_END = 0x0F, TAG_KEPT = 0xF2, KEPT_LEN = 3 };

enum isdr_change isdr_change_of(const struct apdu *c)
{
	uint16_t dgi = c->data.len >= 2 ? (uint16_t)(c->data.data[0] << 8 | c->data.data[1]) : 0;

	if (c->cla != 0x80)
		return ISDR_CHANGE_NONE;
	if (c->ins == INS_PUT_KEY)
		return ISDR_PUT_KEY;
	if (c->ins == INS_DELETE && c->p1 == 0 && c->p2 == 0)
		return ISDR_FINALISE;
	return c->ins == INS_STORE_DATA && dgi == DGI_ADDRESSING ? ISDR_ADDRESSING : ISDR_CHANGE_NONE;
}

/* ---- PUT KEY ---- */

void scp81_keys_wipe(struct scp81_keys *k)
{
	secret_wipe(k, sizeof(*k));
}

static const uint8_t key_types[KEYS] = { KEY_TYPE_PSK_TLS, KEY_TYPE_AES };

static uint8_t *key_at(struct scp81_keys *k, size_t i)
{
	return i ? k->dek : k->psk;
}

static bool kvn_ok(uint8_t kvn)
{
	return kvn >= SCP81_KVN_FIRST && kvn <= SCP81_KVN_LAST;
}

bool isdr_put_key_build(struct buf *out, const struct scp81_keys *k, const uint8_t dek[AES_KEY])
{
	CLEANUP(scp81_keys_wipe) struct scp81_keys copy = *k;
	uint8_t data[1 + KEYS * FIELD] = { k->kvn }, *p = data + 1;

	if (!kvn_ok(k->kvn))
		return false;
	for (size_t i = 0; i < KEYS; i++, p += FIELD) {
		p[0] = key_types[i];
		p[1] = ENCRYPTED_LEN;
		p[2] = AES_KEY;
		p[3 + AES_KEY] = KCV_LEN;
		if (!aes_cbc_encrypt(dek, NULL, key_at(&copy, i), AES_KEY, p + 3) ||
		    !key_kcv(key_types[i], key_at(&copy, i), AES_KEY, p + 3 + AES_KEY + 1))
			return false;
	}
	apdu_build(out, &(struct apdu){ 0x80, INS_PUT_KEY, P1_NEW_SET, P2_SEVERAL_FROM_1, { data, sizeof(data) }, true });
	return true;
}

/* One key data field. */
static bool field_read(const uint8_t p[FIELD], uint8_t type, const uint8_t dek[AES_KEY], uint8_t out[AES_KEY])
{
	uint8_t kcv[KCV_LEN];

	return p[0] == type && p[1] == ENCRYPTED_LEN && p[2] == AES_KEY && p[3 + AES_KEY] == KCV_LEN &&
	       aes_cbc_decrypt(dek, NULL, p + 3, AES_KEY, out) && key_kcv(type, out, AES_KEY, kcv) &&
	       mac_equal(kcv, p + 3 + AES_KEY + 1, KCV_LEN);
}

uint16_t isdr_put_key_parse(const struct apdu *c, const uint8_t dek[AES_KEY], struct scp81_keys *out)
{
	CLEANUP(scp81_keys_wipe) struct scp81_keys k = { 0 };

	if (c->p1 != P1_NEW_SET || c->p2 != P2_SEVERAL_FROM_1)
		return SW_WRONG_P1P2;
	if (c->data.len != 1 + KEYS * FIELD || !kvn_ok(c->data.data[0]))
		return SW_BAD_DATA;
	k.kvn = c->data.data[0];
	for (size_t i = 0; i < KEYS; i++)
		if (!field_read(c->data.data + 1 + i * FIELD, key_types[i], dek, key_at(&k, i)))
			return SW_BAD_DATA;
	*out = k;
	return SW_OK;
}

bool isdr_put_key_answer_build(struct buf *out, const struct scp81_keys *k)
{
	uint8_t answer[1 + KEYS * KCV_LEN] = { k->kvn };

	if (!key_kcv(KEY_TYPE_PSK_TLS, k->psk, AES_KEY, answer + 1) ||
	    !key_kcv(KEY_TYPE_AES, k->dek, AES_KEY, answer + 1 + KCV_LEN))
		return false;
	buf_add(out, answer, sizeof(answer));
	return true;
}

bool isdr_put_key_answered(struct bytes data, const struct scp81_keys *k)
{
	CLEANUP(buf_free) struct buf expected = { 0 };

	return isdr_put_key_answer_build(&expected, k) && data.len == expected.len && mac_equal(data.data, expected.data, data.len);
}

/* ---- UpdateSMSRAddressingParameters ---- */

/* Type of number, then digits in swapped nibbles, as in an SMS. */
static bool number_add(struct buf *out, const char *number)
{
	bool international = *number == '+';
	const char *digits = number + international;
	size_t n = strspn(digits, "0123456789");

	if (n == 0 || n > ISDR_NUMBER_MAX || digits[n])
		return false;
	buf_char(out, (char)(international ? TON_INTERNATIONAL : TON_UNKNOWN));
	for (size_t i = 0; i < n; i += 2)
		buf_char(out, (char)((i + 1 < n ? digits[i + 1] - '0' : BCD_END) << 4 | (digits[i] - '0')));
	return true;
}

static bool number_read(struct bytes v, char out[ISDR_NUMBER_MAX + 1])
{
	size_t n = 0;

	if (v.len < 2 || (v.data[0] != TON_INTERNATIONAL && v.data[0] != TON_UNKNOWN) ||
	    2 * (v.len - 1) + (v.data[0] == TON_INTERNATIONAL) > ISDR_NUMBER_MAX)
		return false;
	if (v.data[0] == TON_INTERNATIONAL)
		out[n++] = '+';
	for (size_t i = 1; i < v.len; i++) {
		uint8_t low = v.data[i] & 0x0F, high = v.data[i] >> 4;

		if (low > 9 || (high > 9 && (high != BCD_END || i + 1 < v.len)))
			return false;
		out[n++] = (char)('0' + low);
		if (high != BCD_END)
			out[n++] = (char)('0' + high);
	}
	out[n] = '\0';
	return true;
}

bool isdr_addressing_build(struct buf *out, const struct isdr_addressing *p)
{
	CLEANUP(buf_free) struct buf value = { 0 };
	size_t at = 0;

	if (!*p->number && !p->has_http)
		return false;
	if (*p->number) {
		if (!number_add(&value, p->number))
			return false;
		tlv_wrap(&value, 0, TAG_SMS);
		at = value.len;
	}
	if (p->has_http) {
		ram_domain_build(&value, &p->http);
		tlv_wrap(&value, at, TAG_HTTPS);
	}
	tlv_wrap(&value, 0, TAG_ADDRESSING);
	if (value.len > DGI_MAX)
		return false;
	store_data_build(out, P1_LAST, DGI_ADDRESSING, buf_bytes(&value));
	return true;
}

/* The objects of A3. */
struct addressing_wire {
	struct bytes sms, https;
};
static const struct tlv_field addressing_fields[] = {
	{ TLV_ROW(TAG_SMS, TLV_BYTES, TLV_OPTIONAL, struct addressing_wire, sms), .min = 2 },
	{ TLV_ROW(TAG_HTTPS, TLV_BYTES, TLV_OPTIONAL, struct addressing_wire, https), .min = 1 },
	{ 0 },
};
static const struct tlv_group addressing_group = { sizeof(struct addressing_wire), addressing_fields, .any_order = true };

uint16_t isdr_addressing_parse(const struct apdu *c, struct isdr_addressing *out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes rest = c->data, value;
	struct isdr_addressing made = { 0 };
	struct addressing_wire w;
	struct tlv_fault fault;
	struct tlv a3;
	uint16_t dgi;

	if (c->p1 != P1_LAST || c->p2 != 0)
		return SW_WRONG_P1P2;
	if (!dgi_take(&rest, &dgi, &value) || rest.len || !tlv_next(&value, &a3) || value.len || a3.tag != TAG_ADDRESSING ||
	    !tlv_decode_fault(a, &addressing_group, a3.value, &w, &fault))
		return SW_BAD_DATA;
	if (w.sms.data && !number_read(w.sms, made.number))
		return SW_BAD_DATA;
	made.has_http = w.https.data != NULL;
	if (made.has_http && !ram_domain_parse(w.https, &made.http))
		return SW_BAD_DATA;
	*out = made;
	return SW_OK;
}

/* ---- FinaliseISDRhandover ---- */

bool isdr_finalise_build(struct buf *out, const struct isdr_kept *kept, size_t n)
{
	CLEANUP(buf_free) struct buf data = { 0 };

	if (n == 0 || n > ISDR_KEPT_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		const uint8_t v[KEPT_LEN] = { kept[i].kvn, kept[i].first, kept[i].last };

		tlv_add(&data, TAG_KEPT, v, sizeof(v));
	}
	apdu_build(out, &(struct apdu){ 0x80, INS_DELETE, 0x00, 0x00, buf_bytes(&data), true });
	return true;
}

uint16_t isdr_finalise_parse(const struct apdu *c, struct isdr_kept out[ISDR_KEPT_MAX], size_t *out_n)
{
	struct isdr_kept kept[ISDR_KEPT_MAX];
	struct bytes rest = c->data;
	struct tlv t;
	size_t n = 0;

	if (c->p1 != 0 || c->p2 != 0)
		return SW_WRONG_P1P2;
	for (; rest.len; n++) {
		if (n == ISDR_KEPT_MAX || !tlv_next(&rest, &t) || t.tag != TAG_KEPT || t.value.len != KEPT_LEN ||
		    t.value.data[1] > t.value.data[2])
			return SW_BAD_DATA;
		kept[n] = (struct isdr_kept){ t.value.data[0], t.value.data[1], t.value.data[2] };
	}
	if (n == 0)
		return SW_BAD_DATA;
	memcpy(out, kept, n * sizeof(*kept));
	*out_n = n;
	return SW_OK;
}

bool isdr_kept_has(const struct isdr_kept *kept, size_t n, uint8_t kvn, uint8_t id)
{
	for (size_t i = 0; i < n; i++)
		if (kept[i].kvn == kvn && id >= kept[i].first && id <= kept[i].last)
			return true;
	return false;
}

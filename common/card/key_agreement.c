/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the key agreement: control reference template, APDUs, answers. */
#include "common/card/key_agreement.h"

#include <assert.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/card/apdu_internal.h"
#include "common/card/key_agreement_internal.h"
#include "common/card/scp80.h"
#include "common/card/tlv_internal.h"
#include "common/crypto/keys.h"

enum { SCENARIO_3 = 0x03, SCENARIO_BITS = KA_DELETE_KEYS | KA_WITH_DR | KA_WITH_HOST_ID | KA_CERTIFIED, KVN_MAX = 0x7F };
enum { TAG_CERTIFICATE = 0x7F21, TAG_SIGNATURE = 0x5F37, TAG_UNCOMPRESSED = 0xB0, TAG_CURVE = 0xF0, CURVE_P256 = 0x00 };
enum { P2_FIRST = 0, P2_SECOND = 1, POINT_UNCOMPRESSED = 0x04 };

/* A6 as it is on the wire, in the order of the recorded session (card.md 3). */
struct a6_wire {
	struct bytes scenario;
	uint64_t usage;
	struct bytes access;
	uint64_t key_type, key_len, key_id, kvn;
	struct bytes counter, sdin, host_id;
};

static const struct tlv_field a6_fields[] = {
	{ TLV_ROW(0x90, TLV_BYTES, 0, struct a6_wire, scenario), .min = 2, .max = 2 },
	{ TLV_ROW(0x95, TLV_UINT, 0, struct a6_wire, usage), .min = 1, .max = 1 },
	{ TLV_ROW(0x96, TLV_BYTES, TLV_OPTIONAL, struct a6_wire, access), .min = 1, .max = 1 },
	{ TLV_ROW(0x80, TLV_UINT, 0, struct a6_wire, key_type), .min = 1, .max = 1 },
	{ TLV_ROW(0x81, TLV_UINT, 0, struct a6_wire, key_len), .min = 1, .max = 1 },
	{ TLV_ROW(0x82, TLV_UINT, 0, struct a6_wire, key_id), .min = 1, .max = 1 },
	{ TLV_ROW(0x83, TLV_UINT, 0, struct a6_wire, kvn), .min = 1, .max = 1 },
	{ TLV_ROW(0x91, TLV_BYTES, 0, struct a6_wire, counter), .max = KA_COUNTER_MAX },
	{ TLV_ROW(0x45, TLV_BYTES, TLV_OPTIONAL, struct a6_wire, sdin), .min = 1, .max = KA_NAME_MAX },
	{ TLV_ROW(0x84, TLV_BYTES, TLV_OPTIONAL, struct a6_wire, host_id), .min = 1, .max = KA_NAME_MAX },
	{ 0 },
};
static const struct tlv_group a6_group = { sizeof(struct a6_wire), a6_fields, .strict = true };

static struct ka_template three_aes_keys(uint8_t scenario, uint8_t kvn)
{
	return (struct ka_template){ .scenario = scenario,
				     .usage = KA_THREE_KEYS,
				     .key_type = KEY_TYPE_AES,
				     .key_len = AES_KEY,
				     .key_id = 0x01,
				     .kvn = kvn };
}

struct ka_template ka_template_isdp(uint8_t kvn)
{
	return three_aes_keys(KA_CERTIFIED | KA_DELETE_KEYS, kvn);
}

struct ka_template ka_template_isdr(uint8_t kvn)
{
	return three_aes_keys(KA_CERTIFIED, kvn);
}

static bool counter_ok(uint8_t n)
{
	return n == 0 || n == 2 || n == 3 || n == 5 || n == 8;
}

bool ka_template_ok(const struct ka_template *t)
{
	bool with_host = (t->scenario & KA_WITH_HOST_ID) != 0;

	return !(t->scenario & ~SCENARIO_BITS) && (t->usage == KA_THREE_KEYS || t->usage == KA_BASE_KEY) &&
	       t->key_type == KEY_TYPE_AES && t->key_len == AES_KEY && t->kvn >= 1 && t->kvn <= KVN_MAX &&
	       counter_ok(t->n_counter) && t->host_id.len <= KA_NAME_MAX && t->sdin.len <= KA_NAME_MAX &&
	       with_host == (t->host_id.len > 0) && (with_host || t->sdin.len == 0);
}

static struct bytes name_bytes(const struct ka_name *n)
{
	return (struct bytes){ n->len ? n->data : NULL, n->len };
}

void ka_template_build(struct buf *out, const struct ka_template *t)
{
	const uint8_t scenario[] = { SCENARIO_3, t->scenario };
	const struct a6_wire w = {
		.scenario = { scenario, sizeof(scenario) },
		.usage = t->usage,
		.access = { t->has_access ? &t->access : NULL, t->has_access },
		.key_type = t->key_type,
		.key_len = t->key_len,
		.key_id = t->key_id,
		.kvn = t->kvn,
		.counter = { t->counter, t->n_counter },
		.sdin = name_bytes(&t->sdin),
		.host_id = name_bytes(&t->host_id),
	};
	size_t at = out->len;

	assert(ka_template_ok(t));
	tlv_encode(out, &a6_group, &w);
	tlv_wrap(out, at, TAG_TEMPLATE);
}

bool ka_name_set(struct ka_name *out, struct bytes v)
{
	if (v.len > KA_NAME_MAX)
		return false;
	*out = (struct ka_name){ .len = (uint8_t)v.len };
	if (v.len)
		memcpy(out->data, v.data, v.len);
	return true;
}

bool ka_template_set_counter(struct ka_template *t, int64_t counter)
{
	if (counter < 0 || (uint64_t)counter > SCP80_COUNTER_MAX)
		return false;
	memset(t->counter, 0, sizeof(t->counter));
	t->n_counter = counter ? SCP80_COUNTER_BYTES : 0;
	if (counter)
		(void)tlv_put_number(t->counter, (uint64_t)counter, SCP80_COUNTER_BYTES);
	return true;
}

/* The value of A6, which is well made but may not be what we support. */
static bool template_read(struct bytes value, struct ka_template *out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ka_template t = { 0 };
	struct tlv_fault fault;
	struct a6_wire w;

	if (!tlv_decode_fault(a, &a6_group, value, &w, &fault) || w.scenario.data[0] != SCENARIO_3)
		return false;
	t.scenario = w.scenario.data[1];
	t.usage = (uint8_t)w.usage;
	t.key_type = (uint8_t)w.key_type;
	t.key_len = (uint8_t)w.key_len;
	t.key_id = (uint8_t)w.key_id;
	t.kvn = (uint8_t)w.kvn;
	t.has_access = w.access.len > 0;
	t.access = t.has_access ? w.access.data[0] : 0;
	t.n_counter = (uint8_t)w.counter.len;
	if (w.counter.len)
		memcpy(t.counter, w.counter.data, w.counter.len);
	if (!ka_name_set(&t.sdin, w.sdin) || !ka_name_set(&t.host_id, w.host_id))
		return false;
	*out = t;
	return true;
}

static void point_build(struct buf *out, enum ka_point_form form, const uint8_t point[P256_POINT])
{
	static const uint8_t curve = CURVE_P256;
	size_t at = out->len;

	if (form == KA_POINT_BARE) {
		tlv_add(out, TAG_POINT, point, P256_POINT);
		return;
	}
	tlv_add(out, TAG_UNCOMPRESSED, point, P256_POINT);
	tlv_add(out, TAG_CURVE, &curve, 1);
	tlv_wrap(out, at, TAG_POINT);
}

/* The value of 7F49. A bare point cannot be taken for the other form, which begins with B0. */
bool ka_point_read(struct bytes v, struct ka_request *out)
{
	struct tlv point = { .value = v }, curve;

	out->form = KA_POINT_BARE;
	if (v.len != P256_POINT) {
		out->form = KA_POINT_WRAPPED;
		if (!tlv_next(&v, &point) || point.tag != TAG_UNCOMPRESSED || !tlv_next(&v, &curve) || curve.tag != TAG_CURVE ||
		    curve.value.len != 1 || curve.value.data[0] != CURVE_P256 || v.len)
			return false;
	}
	if (point.value.len != P256_POINT || point.value.data[0] != POINT_UNCOMPRESSED)
		return false;
	memcpy(out->point, point.value.data, P256_POINT);
	return true;
}

void ka_install_build(struct buf *out, const struct aid *isdp)
{
	CLEANUP(buf_free) struct buf data = { 0 };

	for (size_t i = 0; i < INSTALL_PARTS; i++)
		lv_add(&data, isdp->data, i == INSTALL_INSTANCE ? isdp->len : 0);
	apdu_build(out, &(struct apdu){ 0x80, INS_INSTALL, P1_FOR_PERSO, 0, buf_bytes(&data), false });
}

static void dgi_add(struct buf *out, uint16_t dgi, size_t n)
{
	const uint8_t head[] = { (uint8_t)(dgi >> 8), (uint8_t)dgi, (uint8_t)n };

	assert(n < 0xFF);
	buf_add(out, head, sizeof(head));
}

bool ka_certificate_build(struct buf *out, struct bytes cert)
{
	CLEANUP(buf_free) struct buf data = { 0 };

	if (cert.len == 0 || cert.len > SHORT_MAX - 3)
		return false;
	dgi_add(&data, DGI_CERTIFICATE, cert.len);
	buf_add(&data, cert.data, cert.len);
	apdu_build(out, &(struct apdu){ 0x80, INS_STORE_DATA, P1_MORE_ANSWERED, P2_FIRST, buf_bytes(&data), true });
	return true;
}

void ka_request_head(struct buf *out, const struct ka_template *t, enum ka_point_form form, const uint8_t point[P256_POINT])
{
	CLEANUP(buf_free) struct buf a6 = { 0 };

	ka_template_build(&a6, t);
	dgi_add(out, DGI_KEYS, a6.len); /* its length covers A6 only (procedures.md 4.5) */
	buf_add(out, a6.data, a6.len);
	point_build(out, form, point);
}

bool ka_request_build(struct buf *out, const struct ka_request *r)
{
	CLEANUP(buf_free) struct buf data = { 0 };

	if (!ka_template_ok(&r->template))
		return false;
	ka_request_head(&data, &r->template, r->form, r->point);
	tlv_add(&data, TAG_SIGNATURE, r->signature, P256_SIGNATURE);
	if (data.len > SHORT_MAX)
		return false;
	apdu_build(out, &(struct apdu){ 0x80, INS_STORE_DATA, P1_LAST_ANSWERED, P2_SECOND, buf_bytes(&data), true });
	return true;
}

void ka_challenge_build(struct buf *out, struct bytes rc)
{
	tlv_add(out, TAG_CHALLENGE, rc.data, rc.len);
}

bool ka_challenge_parse(struct bytes data, struct bytes *out_rc)
{
	struct tlv t;

	if (!tlv_next(&data, &t) || data.len || t.tag != TAG_CHALLENGE ||
	    (t.value.len != KA_CHALLENGE_MIN && t.value.len != KA_CHALLENGE_MAX))
		return false;
	*out_rc = t.value;
	return true;
}

struct answer_wire {
	struct bytes dr, receipt;
};

static const struct tlv_field answer_fields[] = {
	{ TLV_ROW(TAG_CHALLENGE, TLV_BYTES, TLV_OPTIONAL, struct answer_wire, dr), .min = KA_DR, .max = KA_DR },
	{ TLV_ROW(TAG_RECEIPT, TLV_BYTES, 0, struct answer_wire, receipt), .min = KA_RECEIPT, .max = KA_RECEIPT },
	{ 0 },
};
static const struct tlv_group answer_group = { sizeof(struct answer_wire), answer_fields, .any_order = true, .strict = true };

void ka_answer_build(struct buf *out, const struct ka_answer *a)
{
	tlv_encode(out, &answer_group,
		   &(struct answer_wire){ { a->has_dr ? a->dr : NULL, a->has_dr ? KA_DR : 0 }, { a->receipt, KA_RECEIPT } });
}

bool ka_answer_parse(struct bytes data, struct ka_answer *out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ka_answer made = { 0 };
	struct tlv_fault fault;
	struct answer_wire w;

	if (!tlv_decode_fault(a, &answer_group, data, &w, &fault))
		return false;
	memcpy(made.receipt, w.receipt.data, KA_RECEIPT);
	made.has_dr = w.dr.len > 0;
	if (made.has_dr)
		memcpy(made.dr, w.dr.data, KA_DR);
	*out = made;
	return true;
}

enum ka_step ka_step_of(const struct apdu *c)
{
	uint16_t dgi = c->data.len >= 2 ? (uint16_t)(c->data.data[0] << 8 | c->data.data[1]) : 0;

	if (c->cla != 0x80)
		return KA_STEP_NONE;
	if (c->ins == INS_INSTALL && c->p1 == P1_FOR_PERSO && c->p2 == 0)
		return KA_STEP_INSTALL;
	if (c->ins != INS_STORE_DATA)
		return KA_STEP_NONE;
	if (c->p1 == P1_MORE_ANSWERED && c->p2 == P2_FIRST && dgi == DGI_CERTIFICATE)
		return KA_STEP_CERTIFICATE;
	return c->p1 == P1_LAST_ANSWERED && c->p2 == P2_SECOND && dgi == DGI_KEYS ? KA_STEP_REQUEST : KA_STEP_NONE;
}

uint16_t ka_install_parse(const struct apdu *c, struct aid *out_isdp)
{
	struct bytes part[INSTALL_PARTS];
	struct aid aid;

	if (ka_step_of(c) != KA_STEP_INSTALL)
		return SW_WRONG_P1P2;
	if (!install_parts(c->data, part))
		return SW_BAD_DATA;
	for (size_t i = 0; i < INSTALL_PARTS; i++)
		if (i != INSTALL_INSTANCE && part[i].len)
			return SW_BAD_DATA;
	if (!aid_of(part[INSTALL_INSTANCE], &aid) || !aid_is_isdp(&aid))
		return SW_BAD_DATA;
	*out_isdp = aid;
	return SW_OK;
}

uint16_t ka_certificate_parse(const struct apdu *c, struct bytes *out_cert)
{
	struct bytes rest = c->data, cert, inner;
	struct tlv t;
	uint16_t dgi;

	if (ka_step_of(c) != KA_STEP_CERTIFICATE)
		return SW_WRONG_P1P2;
	if (!dgi_take(&rest, &dgi, &cert) || rest.len)
		return SW_BAD_DATA;
	inner = cert;
	if (!tlv_next(&inner, &t) || inner.len || t.tag != TAG_CERTIFICATE)
		return SW_BAD_DATA;
	*out_cert = cert;
	return SW_OK;
}

uint16_t ka_request_parse(const struct apdu *c, struct ka_received *out)
{
	struct bytes rest = c->data, inner;
	struct ka_received r = { 0 };
	struct tlv a6, point, signature;
	uint16_t dgi;

	if (ka_step_of(c) != KA_STEP_REQUEST)
		return SW_WRONG_P1P2;
	if (!dgi_take(&rest, &dgi, &r.a6))
		return SW_BAD_DATA;
	inner = r.a6;
	if (!tlv_next(&inner, &a6) || inner.len || a6.tag != TAG_TEMPLATE || !template_read(a6.value, &r.request.template))
		return SW_BAD_DATA;
	if (!tlv_next(&rest, &point) || point.tag != TAG_POINT || !ka_point_read(point.value, &r.request))
		return SW_BAD_DATA;
	r.signed_part = (struct bytes){ c->data.data, c->data.len - rest.len };
	if (!tlv_next(&rest, &signature) || signature.tag != TAG_SIGNATURE || signature.value.len != P256_SIGNATURE || rest.len)
		return SW_BAD_DATA;
	memcpy(r.request.signature, signature.value.data, P256_SIGNATURE);
	*out = r;
	return SW_OK;
}

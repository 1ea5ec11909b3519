/* SPDX-License-Identifier: Apache-2.0 */
/* An element that a variable touches is written again on the way down to its field; lengths above the field follow, everything beside it is copied. */
#include "common/card/profile_personalise.h"

#include <string.h>

#include "common/card/profile_file.h"
#include "common/card/profile_internal.h"
#include "common/crypto/keys.h"

enum { ICCID_BYTES = 10, IMSI_BYTES = 9, KEY_16 = 16, KEY_24 = 24, KEY_32 = 32, PSK_MAX = 64, KEY_ANY_MAX = 255, CODE_LEN = 8 };
enum { KEY_TYPE_DES = 0x80 }; /* the others: crypto/keys.h */
/* Bounds what one element can grow by besides its values: length bytes on every level. */
enum { GROWTH = 128 };

struct job {
	const struct profile_variables *v;
	struct profile_fault *fault;
	const struct profile_element *e;
	struct buf out;
	uint8_t iccid_header[ICCID_BYTES], iccid_ef[ICCID_BYTES], imsi[IMSI_BYTES];
	bool iccid_placed, imsi_placed, ki_placed;
	bool *pins_placed, *puks_placed, *keys_placed;
	bool mno_sd_seen;
	/* fields that were met on the way, as far as those behind them depend on them */
	uint64_t algorithm, reference, key_id, key_version;
	uint8_t key_type;
	const struct profile_key *key;
	size_t components;
};

/* Writes one TLV, as it is or not. False: refused. */
typedef bool (*rewriter)(struct job *j, const struct tlv *t);

static bool refuse(struct job *j, const char *field, const char *what)
{
	return pe_refuse(j->fault, j->e, field, what, PE_STATUS_BAD_VALUES);
}

static bool copy(struct job *j, const struct tlv *t)
{
	tlv_add(&j->out, t->tag, t->value.data, t->value.len);
	return true;
}

static bool put(struct job *j, uint32_t tag, struct bytes value)
{
	tlv_add(&j->out, tag, value.data, value.len);
	return true;
}

static bool each(struct job *j, struct bytes in, rewriter rewrite)
{
	struct tlv t;

	while (tlv_next(&in, &t))
		if (!rewrite(j, &t))
			return false;
	return true;
}

static bool inside(struct job *j, const struct tlv *t, rewriter rewrite)
{
	size_t at = j->out.len;

	if (!each(j, t->value, rewrite))
		return false;
	tlv_wrap(&j->out, at, t->tag);
	return true;
}

static bool header_field(struct job *j, const struct tlv *t)
{
	const struct profile_variables *v = j->v;

	switch (t->tag) {
	case 0x83:
		return v->iccid ? put(j, t->tag, (struct bytes){ j->iccid_header, ICCID_BYTES }) : copy(j, t);
	case 0x84:
		return v->has_pol1 || copy(j, t);
	case 0xA5: /* pol stands before the services, connectivityParameters behind the templates */
		if (v->has_pol1)
			put(j, 0x84, (struct bytes){ &v->pol1, 1 });
		return copy(j, t);
	case 0xA6:
		copy(j, t);
		return !v->connectivity.data || put(j, 0x87, v->connectivity);
	case 0x87:
		return v->connectivity.data || copy(j, t);
	default:
		return copy(j, t);
	}
}

static bool file_part(struct job *j, const struct tlv *t)
{
	return t->tag == 0x82 || t->tag == 0x83 || copy(j, t);
}

/* The file with nothing but content in it; its description stays. */
static bool fill(struct job *j, const struct tlv *t, struct bytes content)
{
	size_t at = j->out.len;

	if (!each(j, t->value, file_part))
		return false;
	put(j, 0x83, content);
	tlv_wrap(&j->out, at, t->tag);
	return true;
}

static bool fill_iccid(struct job *j, const struct tlv *t)
{
	if (!j->v->iccid)
		return copy(j, t);
	j->iccid_placed = true;
	return fill(j, t, (struct bytes){ j->iccid_ef, ICCID_BYTES });
}

static bool fill_imsi(struct job *j, const struct tlv *t)
{
	if (!j->v->imsi)
		return copy(j, t);
	if (j->imsi_placed)
		return refuse(j, "ef-imsi", "a second USIM: whose the IMSI is cannot be told");
	j->imsi_placed = true;
	return fill(j, t, (struct bytes){ j->imsi, IMSI_BYTES });
}

static bool mf_field(struct job *j, const struct tlv *t)
{
	return t->tag == 0xA4 ? fill_iccid(j, t) : copy(j, t);
}

static bool usim_field(struct job *j, const struct tlv *t)
{
	return t->tag == 0xA3 ? fill_imsi(j, t) : copy(j, t);
}

static bool iot_field(struct job *j, const struct tlv *t)
{
	if (t->tag == 0xA4)
		return fill_iccid(j, t);
	return t->tag == 0xA9 ? fill_imsi(j, t) : copy(j, t);
}

/* Milenage and TUAK are judged by the check of the outcome; the test algorithm would take anything. */
static bool put_key(struct job *j, const struct tlv *t, const char *field, struct bytes value)
{
	if (!value.data)
		return copy(j, t);
	j->ki_placed = true;
	if (j->algorithm == ALGORITHM_USIM_TEST && value.len != KEY_16)
		return refuse(j, field, "the test algorithm has 16 bytes there");
	return put(j, t->tag, value);
}

static bool algorithm_field(struct job *j, const struct tlv *t)
{
	switch (t->tag) {
	case 0x80:
		(void)der_number(t->value, &j->algorithm);
		return copy(j, t);
	case 0x82:
		return put_key(j, t, "key", j->v->ki);
	case 0x83:
		return put_key(j, t, "opc", j->v->opc);
	default:
		return copy(j, t);
	}
}

static bool algorithm_choice(struct job *j, const struct tlv *t)
{
	return t->tag == 0xA1 ? inside(j, t, algorithm_field) : copy(j, t);
}

static bool aka_field(struct job *j, const struct tlv *t)
{
	return t->tag == 0xA1 ? inside(j, t, algorithm_choice) : copy(j, t);
}

static bool code_field(struct job *j, const struct tlv *t)
{
	bool pins = j->e->kind == PE_PIN_CODES;
	const struct profile_code *codes = pins ? j->v->pins : j->v->puks;
	bool *placed = pins ? j->pins_placed : j->puks_placed;
	size_t n = pins ? j->v->n_pins : j->v->n_puks;

	if (t->tag == 0x80)
		(void)der_number(t->value, &j->reference);
	for (size_t i = 0; t->tag == 0x81 && i < n; i++) {
		if (codes[i].reference != j->reference)
			continue;
		placed[i] = true;
		return put(j, t->tag, (struct bytes){ codes[i].value, CODE_LEN });
	}
	return copy(j, t);
}

static bool code_entry(struct job *j, const struct tlv *t)
{
	return inside(j, t, code_field);
}

static bool pin_choice(struct job *j, const struct tlv *t)
{
	return t->tag == 0xA0 ? inside(j, t, code_entry) : copy(j, t);
}

static bool pin_codes_field(struct job *j, const struct tlv *t)
{
	return t->tag == 0xA1 ? inside(j, t, pin_choice) : copy(j, t);
}

static bool puk_codes_field(struct job *j, const struct tlv *t)
{
	return t->tag == 0xA1 ? inside(j, t, code_entry) : copy(j, t);
}

static bool key_length_ok(uint8_t type, size_t n)
{
	switch (type) {
	case KEY_TYPE_AES:
		return n == KEY_16 || n == KEY_24 || n == KEY_32;
	case KEY_TYPE_DES:
		return n == KEY_16 || n == KEY_24;
	case KEY_TYPE_PSK_TLS:
		return n >= KEY_16 && n <= PSK_MAX;
	default:
		return n >= 1 && n <= KEY_ANY_MAX;
	}
}

static bool component_field(struct job *j, const struct tlv *t)
{
	if (t->tag == 0x80)
		j->key_type = t->value.data[0];
	if (t->tag != 0x86 || !j->key)
		return copy(j, t);
	if (j->components++)
		return refuse(j, "keyComponents", "this key has several: one value cannot fill them");
	if (!key_length_ok(j->key_type, j->key->value.len))
		return refuse(j, "keyData", "a length that keys of this type do not have");
	return put(j, t->tag, j->key->value);
}

static bool component(struct job *j, const struct tlv *t)
{
	return inside(j, t, component_field);
}

/* A key that stands there twice would also outgrow the room that was made. */
static bool choose_key(struct job *j)
{
	j->key = NULL;
	j->components = 0;
	for (size_t i = 0; i < j->v->n_sd_keys; i++) {
		const struct profile_key *k = &j->v->sd_keys[i];

		if (k->id != j->key_id || k->version != j->key_version)
			continue;
		if (j->keys_placed[i])
			return refuse(j, "keyList", "a key is in it twice");
		j->keys_placed[i] = true;
		j->key = k;
	}
	return true;
}

static bool key_field(struct job *j, const struct tlv *t)
{
	switch (t->tag) {
	case 0x82:
		j->key_id = t->value.data[0];
		return copy(j, t);
	case 0x83:
		j->key_version = t->value.data[0];
		return copy(j, t);
	case 0x30:
		return choose_key(j) && inside(j, t, component);
	default:
		return copy(j, t);
	}
}

static bool key_entry(struct job *j, const struct tlv *t)
{
	return inside(j, t, key_field);
}

static bool sd_field(struct job *j, const struct tlv *t)
{
	return t->tag == 0xA2 ? inside(j, t, key_entry) : copy(j, t);
}

/* How elements of this kind are written again; NULL: none of the variables that are set is for them. */
static rewriter rewriter_of(const struct job *j, enum pe_kind kind)
{
	const struct profile_variables *v = j->v;

	switch ((int)kind) {
	case PE_HEADER:
		return v->iccid || v->has_pol1 || v->connectivity.data ? header_field : NULL;
	case PE_MF:
		return v->iccid ? mf_field : NULL;
	case PE_USIM:
		return v->imsi ? usim_field : NULL;
	case PE_IOT:
		return v->iccid || v->imsi ? iot_field : NULL;
	case PE_AKA_PARAMETER:
		return v->ki.data || v->opc.data ? aka_field : NULL;
	case PE_PIN_CODES:
		return v->n_pins ? pin_codes_field : NULL;
	case PE_PUK_CODES:
		return v->n_puks ? puk_codes_field : NULL;
	case PE_SECURITY_DOMAIN:
		return v->n_sd_keys && !j->mno_sd_seen ? sd_field : NULL;
	default:
		return NULL;
	}
}

static bool element(struct job *j, const struct profile_element *e)
{
	rewriter rewrite = rewriter_of(j, e->kind);
	struct bytes in = e->whole;
	struct tlv t;

	j->e = e;
	if (e->kind == PE_SECURITY_DOMAIN)
		j->mno_sd_seen = true;
	if (!rewrite || !tlv_next(&in, &t)) {
		buf_add(&j->out, e->whole.data, e->whole.len);
		return true;
	}
	j->algorithm = j->reference = j->key_id = j->key_version = 0;
	return inside(j, &t, rewrite);
}

/* A variable that found no place is named by the element that should have had it. */
static bool no_place(struct job *j, const struct profile_package *p, enum pe_kind kind, const char *field, const char *what)
{
	j->e = profile_element_find(p, kind, 0);
	j->fault->index = j->e ? (size_t)(j->e - p->elements) : 0;
	return refuse(j, j->e ? field : NULL, what);
}

static bool all(const bool *placed, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!placed[i])
			return false;
	return true;
}

static bool everything_placed(struct job *j, const struct profile_package *p)
{
	const struct profile_variables *v = j->v;

	if (v->iccid && !j->iccid_placed)
		return no_place(j, p, PE_MF, "ef-iccid", "has no EF.ICCID for the ICCID");
	if (v->imsi && !j->imsi_placed)
		return no_place(j, p, PE_USIM, "ef-imsi", "has no USIM for the IMSI");
	if ((v->ki.data || v->opc.data) && !j->ki_placed)
		return no_place(j, p, PE_AKA_PARAMETER, "algoConfiguration", "has no akaParameter with a key of its own");
	if (!all(j->pins_placed, v->n_pins))
		return no_place(j, p, PE_PIN_CODES, "keyReference", "no pinCodes has this reference");
	if (!all(j->puks_placed, v->n_puks))
		return no_place(j, p, PE_PUK_CODES, "keyReference", "no pukCodes has this reference");
	if (!all(j->keys_placed, v->n_sd_keys))
		return no_place(j, p, PE_SECURITY_DOMAIN, "keyList", "the MNO-SD has no key of this version and identifier");
	return true;
}

/* So much room that the buffer with secrets never moves: what would be left behind could not be wiped. */
static size_t room(const struct profile_package *p, const struct profile_variables *v)
{
	size_t n = p->whole.len + v->connectivity.len + p->n * (GROWTH + v->ki.len + v->opc.len);

	for (size_t i = 0; i < v->n_sd_keys; i++)
		n += v->sd_keys[i].value.len + GROWTH;
	return n;
}

static bool checked(struct arena *a, struct bytes made, struct profile_fault *out_fault)
{
	struct profile_package p;

	return profile_package_parse(a, made, &p, out_fault) && profile_package_check(&p, out_fault);
}

static bool personalise(struct job *j, struct arena *a, const struct profile_package *p)
{
	const struct profile_variables *v = j->v;

	if (v->iccid)
		profile_iccid_bytes(v->iccid, j->iccid_header, j->iccid_ef);
	if (v->imsi && !profile_imsi_bytes(v->imsi, j->imsi))
		return no_place(j, p, PE_USIM, "ef-imsi", "the IMSI is not 6 to 15 digits");
	j->pins_placed = arena_array(a, v->n_pins, sizeof(bool));
	j->puks_placed = arena_array(a, v->n_puks, sizeof(bool));
	j->keys_placed = arena_array(a, v->n_sd_keys, sizeof(bool));
	buf_reserve(&j->out, room(p, v));
	for (size_t i = 0; i < p->n; i++) {
		j->fault->index = i;
		if (!element(j, &p->elements[i]))
			return false;
	}
	return everything_placed(j, p) && checked(a, (struct bytes){ (const uint8_t *)j->out.data, j->out.len }, j->fault);
}

bool profile_personalise(const struct profile_package *p, const struct profile_variables *v, struct secret *out,
			 struct profile_fault *out_fault)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct job j = { .v = v, .fault = out_fault };
	bool ok;

	*out_fault = (struct profile_fault){ .identification = PE_NO_IDENTIFICATION };
	ok = personalise(&j, a, p);
	if (ok) {
		*out = secret_new(j.out.len);
		memcpy(out->data, j.out.data, j.out.len);
	}
	secret_wipe(j.out.data, j.out.cap);
	buf_free(&j.out);
	return ok;
}

bool profile_code_make(uint8_t reference, const char *digits, struct profile_code *out)
{
	size_t n = strlen(digits);
	struct profile_code c = { .reference = reference };

	if (n < 4 || n > CODE_LEN || strspn(digits, "0123456789") != n)
		return false;
	memset(c.value, 0xFF, CODE_LEN);
	memcpy(c.value, digits, n);
	*out = c;
	secret_wipe(&c, sizeof(c));
	return true;
}

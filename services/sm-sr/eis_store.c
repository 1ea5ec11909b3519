/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-sr/eis_store.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "services/sm-sr/eis_json.h"
#include "services/sm-sr/statements.h"

/* Columns of SMSR_EIS_LOAD. */
enum { TAG, T1, T2, T3, T4, T5, T6, B1, B2, B3, B4, B5, B6, I1, I2, I3, I4 };
enum { TAG_EIS, TAG_PROFILE, TAG_KEYSET, TAG_PROPERTY, TAGS };
enum { TAR_LEN = 3, POL2_RULE_LEN = 3 };

static bool aid_from(struct bytes b, struct aid *out)
{
	if (b.len < AID_MIN || b.len > AID_MAX)
		return false;
	memcpy(out->data, b.data, b.len);
	out->len = (uint8_t)b.len;
	return true;
}

static int64_t *optional_int(struct arena *a, const struct rows *rows, size_t i, unsigned col)
{
	int64_t *v;

	if (row_null(rows, i, col))
		return NULL;
	v = ARENA_NEW(a, int64_t);
	*v = row_int(rows, i, col);
	return v;
}

static bool pol2_from(struct arena *a, struct bytes b, struct pol2 *out)
{
	out->n_rules = b.len / POL2_RULE_LEN;
	out->rules = arena_array(a, out->n_rules, sizeof(*out->rules));
	for (size_t i = 0; i < out->n_rules; i++) {
		const uint8_t *p = b.data + i * POL2_RULE_LEN;

		out->rules[i] =
			(struct pol2_rule){ (enum pol2_subject)p[0], (enum pol2_action)p[1], (enum pol2_qualification)p[2] };
		if (p[0] > POL2_PROFILE || p[1] > POL2_DELETE || p[2] > POL2_AUTO_DELETE)
			return false;
	}
	return b.len % POL2_RULE_LEN == 0;
}

struct bytes pol2_to_bytes(struct arena *a, const struct pol2 *pol2)
{
	uint8_t *b = arena_alloc(a, pol2->n_rules * POL2_RULE_LEN);

	for (size_t i = 0; i < pol2->n_rules; i++) {
		b[i * POL2_RULE_LEN] = (uint8_t)pol2->rules[i].subject;
		b[i * POL2_RULE_LEN + 1] = (uint8_t)pol2->rules[i].action;
		b[i * POL2_RULE_LEN + 2] = (uint8_t)pol2->rules[i].qualification;
	}
	return (struct bytes){ b, pol2->n_rules * POL2_RULE_LEN };
}

static bool head_from(struct arena *a, const struct rows *rows, size_t i, struct eis *out)
{
	struct bytes tars = row_bytes(rows, i, B4);
	const uint8_t *copy = arena_memdup(a, tars.data, tars.len);

	out->info_octets = row_bytes_dup(a, rows, i, B1);
	out->signature_octets = row_bytes_dup(a, rows, i, B2);
	out->remaining_memory = row_int(rows, i, I1);
	out->available_memory = row_int(rows, i, I2);
	out->last_audit = optional_int(a, rows, i, I3);
	out->info.capabilities.http_support = row_int(rows, i, I4) != 0; /* of the rest of what was signed nobody asks */
	out->isdr.n_tars = tars.len / TAR_LEN;
	out->isdr.tars = arena_array(a, out->isdr.n_tars, sizeof(*out->isdr.tars));
	for (size_t k = 0; k < out->isdr.n_tars; k++)
		out->isdr.tars[k] = (struct bytes){ copy + k * TAR_LEN, TAR_LEN };
	out->isdr.sin = row_bytes_dup(a, rows, i, B5);
	out->isdr.sdin = row_bytes_dup(a, rows, i, B6);
	out->isdr.role = SD_ISDR;
	return out->info_octets.len && out->signature_octets.len && oid_parse(row_text(rows, i, T1), &out->info.eum) &&
	       aid_from(row_bytes(rows, i, B3), &out->isdr.aid);
}

static bool profile_from(struct arena *a, const struct rows *rows, size_t i, struct profile_info *p)
{
	p->address.imsi = row_text_dup(a, rows, i, T3);
	p->address.msisdn = row_text_dup(a, rows, i, T4);
	p->profile_type = row_text_dup(a, rows, i, T6);
	p->state = (enum profile_state)row_int(rows, i, I1);
	p->allocated_memory = row_int(rows, i, I2);
	p->free_memory = optional_int(a, rows, i, I3);
	p->fallback = row_int(rows, i, I4) != 0;
	/* The encoder knows names of these values only. */
	if (row_int(rows, i, I1) < 0 || row_int(rows, i, I1) > PROFILE_IN_CREATION ||
	    !pol2_from(a, row_bytes(rows, i, B2), &p->pol2))
		return false;
	if (!row_null(rows, i, T5)) {
		p->smdp = ARENA_NEW(a, struct oid);
		if (!oid_parse(row_text(rows, i, T5), p->smdp))
			return false;
	}
	return iccid_parse(row_text(rows, i, T1), &p->iccid) && oid_parse(row_text(rows, i, T2), &p->mno) &&
	       aid_from(row_bytes(rows, i, B1), &p->isdp_aid);
}

static bool keyset_from(struct arena *a, const struct rows *rows, size_t i, struct keyset *k)
{
	k->version = row_int(rows, i, I1);
	if (!row_null(rows, i, I2)) {
		if (row_int(rows, i, I2) < 0 || row_int(rows, i, I2) > KEYSET_CA)
			return false;
		k->type = arena_alloc(a, sizeof(*k->type));
		*k->type = (enum keyset_type)row_int(rows, i, I2);
	}
	k->counter = optional_int(a, rows, i, I3);
	return true;
}

static bool property_from(struct arena *a, const struct rows *rows, size_t i, struct eis *out)
{
	struct property *p = &out->properties->items[out->properties->n_items++];

	p->key = row_text_dup(a, rows, i, T1);
	p->value = row_text_dup(a, rows, i, T2);
	return true;
}

static int profile_order(const void *a, const void *b)
{
	const struct profile_info *x = a, *y = b;

	return memcmp(x->isdp_aid.data, y->isdp_aid.data, AID_MAX);
}

static int keyset_order(const void *a, const void *b)
{
	const struct keyset *x = a, *y = b;

	return (x->version > y->version) - (x->version < y->version);
}

static int property_order(const void *a, const void *b)
{
	const struct property *x = a, *y = b;

	return strcmp(x->key, y->key);
}

static void rows_reserve(struct arena *a, const struct rows *rows, struct eis *out, size_t counts[TAGS])
{
	for (size_t i = 0; i < rows_count(rows); i++)
		if (row_int(rows, i, TAG) < TAGS)
			counts[row_int(rows, i, TAG)]++;
	out->profiles = arena_array(a, counts[TAG_PROFILE], sizeof(*out->profiles));
	out->isdr.keysets = arena_array(a, counts[TAG_KEYSET], sizeof(*out->isdr.keysets));
	if (counts[TAG_PROPERTY]) {
		out->properties = ARENA_NEW(a, struct properties);
		out->properties->items = arena_array(a, counts[TAG_PROPERTY], sizeof(struct property));
	}
}

static bool row_from(struct arena *a, const struct rows *rows, size_t i, struct eis *out)
{
	switch (row_int(rows, i, TAG)) {
	case TAG_EIS:
		return head_from(a, rows, i, out);
	case TAG_PROFILE:
		return profile_from(a, rows, i, &out->profiles[out->n_profiles++]);
	case TAG_KEYSET:
		return keyset_from(a, rows, i, &out->isdr.keysets[out->isdr.n_keysets++]);
	case TAG_PROPERTY:
		return property_from(a, rows, i, out);
	default:
		return false;
	}
}

result eis_from_rows(struct arena *a, const struct eid *eid, const struct oid *smsr, const struct rows *rows, struct eis *out,
		     bool *out_known)
{
	struct eis eis = { .smsr = *smsr };
	size_t counts[TAGS] = { 0 };

	eis.info.eid = *eid;
	rows_reserve(a, rows, &eis, counts);
	*out_known = counts[TAG_EIS] == 1;
	if (!*out_known)
		return OK;
	for (size_t i = 0; i < rows_count(rows); i++)
		if (!row_from(a, rows, i, &eis))
			return internal(a, "eis %s: row %zu is damaged", eid->text, i);
	qsort(eis.profiles, eis.n_profiles, sizeof(*eis.profiles), profile_order);
	qsort(eis.isdr.keysets, eis.isdr.n_keysets, sizeof(*eis.isdr.keysets), keyset_order);
	if (eis.properties)
		qsort(eis.properties->items, eis.properties->n_items, sizeof(struct property), property_order);
	*out = eis;
	return OK;
}

enum eis_view eis_view_of(const struct function *fn, unsigned roles)
{
	if (fn->iface == IF_ES3)
		return VIEW_SM_DP;
	return roles & ROLE_OPERATOR ? VIEW_OPERATOR : VIEW_M2M_SP;
}

void json_put_text(json_t *o, const char *key, const char *value)
{
	if (value)
		(void)json_object_set_new(o, key, json_string(value));
}

void json_put_int(json_t *o, const char *key, const int64_t *value)
{
	if (value)
		(void)json_object_set_new(o, key, json_integer(*value));
}

void json_put_hex(struct arena *a, json_t *o, const char *key, const void *data, size_t n)
{
	json_put_text(o, key, hex_text(a, data, n));
}

struct param p_json(struct arena *a, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);
	struct param p = p_text(arena_strdup(a, text ? text : ""));

	free(text);
	json_decref(value);
	return p;
}

static json_t *profile_json(struct arena *a, const struct profile_info *p)
{
	struct bytes pol2 = pol2_to_bytes(a, &p->pol2);
	int64_t state = p->state;
	json_t *o = json_object();

	json_put_text(o, "iccid", p->iccid.text);
	json_put_hex(a, o, "aid", p->isdp_aid.data, p->isdp_aid.len);
	json_put_text(o, "mno", p->mno.text);
	(void)json_object_set_new(o, "fallback", json_boolean(p->fallback));
	json_put_text(o, "imsi", p->address.imsi);
	json_put_text(o, "msisdn", p->address.msisdn);
	json_put_int(o, "state", &state);
	json_put_text(o, "smdp", p->smdp ? p->smdp->text : NULL);
	json_put_text(o, "type", p->profile_type);
	json_put_int(o, "allocated", &p->allocated_memory);
	json_put_int(o, "free", p->free_memory);
	json_put_hex(a, o, "pol2", pol2.data, pol2.len);
	return o;
}

static struct param profiles_param(struct arena *a, const struct eis *eis)
{
	json_t *all = json_array();

	for (size_t i = 0; i < eis->n_profiles; i++)
		(void)json_array_append_new(all, profile_json(a, &eis->profiles[i]));
	return p_json(a, all);
}

static struct param keysets_param(struct arena *a, const struct eis *eis)
{
	json_t *all = json_array();

	for (size_t i = 0; i < eis->isdr.n_keysets; i++) {
		const struct keyset *k = &eis->isdr.keysets[i];
		int64_t type = k->type ? *k->type : 0;
		json_t *o = json_object();

		json_put_int(o, "version", &k->version);
		json_put_int(o, "type", k->type ? &type : NULL);
		json_put_int(o, "counter", k->counter);
		(void)json_array_append_new(all, o);
	}
	return p_json(a, all);
}

static struct param keys_param(struct arena *a, const struct stored_key *keys, size_t n)
{
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++) {
		int64_t type = keys[i].type;
		json_t *o = json_object();

		json_put_int(o, "version", &keys[i].version);
		json_put_int(o, "idx", &keys[i].index);
		json_put_int(o, "type", &type);
		json_put_hex(a, o, "kcv", keys[i].kcv, sizeof(keys[i].kcv));
		json_put_hex(a, o, "wrapped", keys[i].wrapped.data, keys[i].wrapped.len);
		(void)json_array_append_new(all, o);
	}
	return p_json(a, all);
}

void eis_save_properties(struct db *db, struct arena *a, const struct eid *eid, const struct properties *p)
{
	json_t *object = json_object();

	for (size_t i = 0; i < p->n_items; i++)
		json_put_text(object, p->items[i].key, p->items[i].value);
	DB_QUEUE(db, SMSR_PROPERTIES_SAVE, p_text(eid->text), p_json(a, object));
}

void eis_insert(struct db *db, struct arena *a, const struct eis *eis, const struct eis_signer *signer,
		const struct stored_key *keys, size_t n_keys, bool shared_iccids)
{
	const struct security_domain *isdr = &eis->isdr;
	uint8_t *tars = arena_alloc(a, isdr->n_tars * TAR_LEN);

	for (size_t i = 0; i < isdr->n_tars; i++)
		memcpy(tars + i * TAR_LEN, isdr->tars[i].data, TAR_LEN);
	DB_QUEUE(db, SMSR_EIS_INSERT, p_text(eis->info.eid.text), p_int(a, eis->remaining_memory),
		 eis->last_audit ? p_time(a, *eis->last_audit) : p_null(), p_text(eis->info.eum.text),
		 p_bytes(eis->info_octets.data, eis->info_octets.len),
		 p_bytes(eis->signature_octets.data, eis->signature_octets.len), p_bytes(signer->der.data, signer->der.len),
		 p_bool(signer->revoked), p_int(a, eis->available_memory), p_bytes(isdr->aid.data, isdr->aid.len),
		 p_bytes(tars, isdr->n_tars * TAR_LEN), p_bytes(isdr->sin.data, isdr->sin.len),
		 p_bytes(isdr->sdin.data, isdr->sdin.len), p_bool(eis->info.capabilities.http_support));
	DB_QUEUE(db, SMSR_PROFILES_INSERT, p_text(eis->info.eid.text), profiles_param(a, eis), p_bool(shared_iccids));
	DB_QUEUE(db, SMSR_KEYS_INSERT, p_text(eis->info.eid.text), keysets_param(a, eis), keys_param(a, keys, n_keys));
	if (eis->properties)
		eis_save_properties(db, a, &eis->info.eid, eis->properties);
}

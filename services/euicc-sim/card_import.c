/* SPDX-License-Identifier: Apache-2.0 */
/* A card as the EUM's personalisation left it: one line of the batch file (services/eum/batch_file.c writes it). */
#include <jansson.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/secret.h"
#include "common/crypto/keys.h"
#include "services/euicc-sim/card_internal.h"

enum { ECASD_KEY = 32, IMEI_DIGITS = 15, IMEI_BODY_AT = 18, IMEI_BODY = 12, MOBILE_IDENTITY_IMEI = 0x0A };
#define MEMORY_MAX (INT64_C(1) << 40)

/* Where a fault is said: "profiles[1].aid: ...". */
struct import {
	char *why;
	const char *list; /* NULL: a member of the line itself */
	size_t at;
};

static bool PRINTF(3, 4) refuse(const struct import *im, const char *member, const char *fmt, ...)
{
	char what[CARD_ERROR / 2];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (im->list)
		(void)snprintf(im->why, CARD_ERROR, "%s[%zu].%s: %s", im->list, im->at, member, what);
	else
		(void)snprintf(im->why, CARD_ERROR, "%s: %s", member, what);
	return false;
}

static bool text_get(const struct import *im, const json_t *o, const char *member, const char **out)
{
	const json_t *j = json_object_get(o, member);

	if (!json_is_string(j))
		return refuse(im, member, j ? "not a text" : "missing");
	*out = json_string_value(j);
	return true;
}

static bool number_get(const struct import *im, const json_t *o, const char *member, int64_t min, int64_t max, int64_t *out)
{
	const json_t *j = json_object_get(o, member);

	if (!json_is_integer(j))
		return refuse(im, member, j ? "not a number" : "missing");
	if (json_integer_value(j) < min || json_integer_value(j) > max)
		return refuse(im, member, "not %lld to %lld", (long long)min, (long long)max);
	*out = json_integer_value(j);
	return true;
}

static bool flag_get(const struct import *im, const json_t *o, const char *member, bool *out)
{
	const json_t *j = json_object_get(o, member);

	if (!json_is_boolean(j))
		return refuse(im, member, j ? "not true or false" : "missing");
	*out = json_is_true(j);
	return true;
}

/* Its values are never said: these are keys. */
static bool hex_get(const struct import *im, const json_t *o, const char *member, size_t n, uint8_t *out)
{
	const char *text = "";

	if (!text_get(im, o, member, &text))
		return false;
	return (strlen(text) == 2 * n && hex_decode(text, 2 * n, out)) || refuse(im, member, "not %zu bytes in hex", n);
}

static bool list_get(const struct import *im, const json_t *o, const char *member, size_t max, const json_t **out)
{
	const json_t *j = json_object_get(o, member);

	if (!json_is_array(j))
		return refuse(im, member, j ? "not a list" : "missing");
	if (json_array_size(j) > max)
		return refuse(im, member, "more than %zu", max);
	*out = j;
	return true;
}

/* A text of digits that may be null. */
static bool digits_get(const struct import *im, const json_t *o, const char *member, size_t max, char *out)
{
	const json_t *j = json_object_get(o, member);
	const char *text = "";

	*out = 0;
	if (json_is_null(j))
		return true;
	if (!text_get(im, o, member, &text))
		return false;
	if (!*text || strlen(text) > max || text[strspn(text, "0123456789")])
		return refuse(im, member, "not 1 to %zu digits", max);
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool key_get(const struct import *im, const json_t *o, struct card_key *out)
{
	int64_t version, index;
	uint8_t kcv[KCV_LEN], computed[KCV_LEN];

	if (!number_get(im, o, "version", 1, 127, &version) || !number_get(im, o, "index", 1, 127, &index) ||
	    !hex_get(im, o, "type", 1, &out->type) || !hex_get(im, o, "kcv", KCV_LEN, kcv) ||
	    !hex_get(im, o, "key", CARD_KEY_LEN, out->value))
		return false;
	out->version = (uint8_t)version;
	out->index = (uint8_t)index;
	if (!key_kcv(out->type, out->value, CARD_KEY_LEN, computed))
		return refuse(im, "type", "unknown");
	return !memcmp(kcv, computed, KCV_LEN) || refuse(im, "kcv", "not that of the key");
}

uint8_t pol1_rule_parse(const char *name)
{
	static const struct {
		const char *name;
		enum pol1_rule rule;
	} rules[] = {
		{ "disable-not-allowed", POL1_NO_DISABLE },
		{ "delete-not-allowed", POL1_NO_DELETE },
		{ "delete-after-disable", POL1_DELETE_AFTER_DISABLE },
	};

	for (size_t i = 0; i < LEN(rules); i++)
		if (!strcmp(name, rules[i].name))
			return (uint8_t)rules[i].rule;
	return 0;
}

static bool pol1_get(const struct import *im, const json_t *o, uint8_t *out)
{
	const json_t *list;

	if (!list_get(im, o, "pol1", 3, &list))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		uint8_t rule = name ? pol1_rule_parse(name) : 0;

		if (!rule)
			return refuse(im, "pol1", "an unknown rule");
		*out |= rule;
	}
	return true;
}

static bool profile_get(const struct import *im, const json_t *o, struct card_profile *out)
{
	const char *iccid = "", *aid = "", *state = "";

	if (!text_get(im, o, "iccid", &iccid) || !text_get(im, o, "aid", &aid) || !text_get(im, o, "state", &state))
		return false;
	if (!iccid_parse(iccid, &out->iccid))
		return refuse(im, "iccid", "not an ICCID");
	if (!aid_parse(aid, &out->aid) || !aid_is_isdp(&out->aid))
		return refuse(im, "aid", "not an AID of an ISD-P");
	if (strcmp(state, "Enabled") != 0 && strcmp(state, "Disabled") != 0)
		return refuse(im, "state", "neither Enabled nor Disabled");
	out->state = strcmp(state, "Enabled") ? ISDP_DISABLED : ISDP_ENABLED;
	return flag_get(im, o, "fallback", &out->fallback) && number_get(im, o, "memory", 0, MEMORY_MAX, &out->memory) &&
	       digits_get(im, o, "imsi", IMSI_MAX, out->imsi) && digits_get(im, o, "msisdn", MSISDN_MAX, out->msisdn) &&
	       pol1_get(im, o, &out->pol1);
}

static bool keys_get(char *why, const json_t *list, struct card *c)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const struct import im = { why, "isdr_keys", i };
		struct card_key *key = &c->keys[i];

		if (!key_get(&im, json_array_get(list, i), key))
			return false;
		if (card_key_of(c, key->version, key->index) != key)
			return refuse(&im, "index", "this key comes twice");
	}
	return true;
}

static bool profiles_get(char *why, const json_t *list, struct card *c)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const struct import im = { why, "profiles", i };
		struct card_profile p = { 0 };

		if (!profile_get(&im, json_array_get(list, i), &p))
			return false;
		if (card_profile_of(c, &p.aid))
			return refuse(&im, "aid", "this ISD-P comes twice");
		if (p.state == ISDP_ENABLED && card_enabled(c) != CARD_NONE)
			return refuse(&im, "state", "another one is Enabled too");
		if (p.fallback && card_fallback(c) != CARD_NONE)
			return refuse(&im, "fallback", "another one has it too");
		c->profiles[i] = p;
	}
	return true;
}

/* The modem that this card sits in: digits of the EID and a Luhn digit, coded as the IMEI in a mobile identity. */
static void imei_make(const struct eid *eid, uint8_t out[8])
{
	char digits[IMEI_DIGITS + 1] = "35";
	unsigned sum = 0;

	memcpy(digits + 2, eid->text + IMEI_BODY_AT, IMEI_BODY);
	for (size_t i = 0; i < IMEI_DIGITS - 1; i++) {
		unsigned d = (unsigned)(digits[i] - '0') * (i % 2 ? 2 : 1);

		sum += d / 10 + d % 10;
	}
	digits[IMEI_DIGITS - 1] = (char)('0' + (10 - sum % 10) % 10);
	out[0] = (uint8_t)((digits[0] - '0') << 4 | MOBILE_IDENTITY_IMEI);
	for (size_t i = 1; i < 8; i++)
		out[i] = (uint8_t)((digits[2 * i] - '0') << 4 | (digits[2 * i - 1] - '0'));
}

/* Cards differ as makes do; the mix is the same for every batch. */
static void quirks_set(struct card *c, size_t index)
{
	c->fragment_512 = index % 3 == 0;
	c->aid_tag_old = index % 3 == 1;
	c->lower_case_headers = index % 4 == 1;
	c->agent_word_old = index % 5 == 2;
	c->cbc_only = index % 7 == 3;
}

static bool card_get(char *why, const json_t *o, struct card *c)
{
	const struct import im = { .why = why };
	const json_t *keys, *profiles;
	const char *eid = "";

	if (!json_is_object(o))
		return refuse(&im, "line", "not a JSON object");
	if (!text_get(&im, o, "eid", &eid))
		return false;
	if (!eid_parse(eid, &c->eid))
		return refuse(&im, "eid", "not an EID");
	if (!hex_get(&im, o, "ecasd_key", ECASD_KEY, c->ecasd_key) || !hex_get(&im, o, "ci_public_key", P256_POINT, c->ci_point) ||
	    !list_get(&im, o, "isdr_keys", CARD_KEYS, &keys) || !list_get(&im, o, "profiles", CARD_PROFILES, &profiles) ||
	    !number_get(&im, o, "memory", 0, MEMORY_MAX, &c->memory) ||
	    !number_get(&im, o, "remaining_memory", 0, c->memory, &c->remaining_memory) || !flag_get(&im, o, "http", &c->http))
		return false;
	return keys_get(why, keys, c) && profiles_get(why, profiles, c);
}

static void json_freep(json_t **j)
{
	json_decref(*j);
}

/* The library's texts are copies of keys. */
static void wiping_free(void *p)
{
	if (p)
		secret_wipe(p, malloc_usable_size(p));
	free(p);
}

bool card_import(struct card *out, const char *line, size_t n, size_t index, char out_why[CARD_ERROR])
{
	CLEANUP(card_forget) struct card c = { .before = CARD_NONE, .pinned = CARD_NONE };
	CLEANUP(json_freep) json_t *o = NULL;
	json_error_t fault;

	json_set_alloc_funcs(malloc, wiping_free);
	o = json_loadb(line, n, JSON_REJECT_DUPLICATES, &fault);
	if (!o) { /* the library's own words quote the text: it may be a key */
		(void)snprintf(out_why, CARD_ERROR, "not JSON, at its character %d", fault.position);
		return false;
	}
	if (!card_get(out_why, o, &c))
		return false;
	imei_make(&c.eid, c.imei);
	quirks_set(&c, index);
	*out = c;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* order.json: the fields of struct eum_create_batch_rq in snake case. Every fault names its field; unknown ones are typing slips. */
#include <stdio.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

enum { PROFILES_MAX = 8 };

/* Where we read: error holds the first fault. */
struct reader {
	struct arena *arena;
	const json_t *object;
	const char *at; /* "profiles[1]." */
	char *error;    /* 256 bytes */
	bool bad;
};

static void fault(struct reader *r, const char *name, const char *should)
{
	if (!r->bad)
		snprintf(r->error, 256, "%s%.40s: should be %s", r->at, name, should);
	r->bad = true;
}

/* NULL: absent, or a fault when needed. */
static const char *text(struct reader *r, const char *name, bool needed, const char *should)
{
	const json_t *v = json_object_get(r->object, name);

	if (!v && !needed)
		return NULL;
	if (!json_string_value(v) || !*json_string_value(v)) {
		fault(r, name, should);
		return "";
	}
	return arena_strdup(r->arena, json_string_value(v));
}

static const char *digits(struct reader *r, const char *name, size_t min, size_t max, const char *should)
{
	const char *value = text(r, name, true, should);
	size_t n = strlen(value);

	if (n < min || n > max || strspn(value, "0123456789") != n)
		fault(r, name, should);
	return value;
}

static int64_t number(struct reader *r, const char *name, int64_t min, int64_t max, const char *should)
{
	const json_t *v = json_object_get(r->object, name);

	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max) {
		fault(r, name, should);
		return min;
	}
	return json_integer_value(v);
}

static bool flag(struct reader *r, const char *name, bool def)
{
	const json_t *v = json_object_get(r->object, name);

	if (v && !json_is_boolean(v))
		fault(r, name, "true or false");
	return v ? json_is_true(v) : def;
}

static void oid(struct reader *r, const char *name, struct oid *out)
{
	const char *value = text(r, name, true, "an OID like 1.3.6.1.4.1.99999.1");

	if (!oid_parse(value, out))
		fault(r, name, "an OID like 1.3.6.1.4.1.99999.1");
}

static void only(struct reader *r, const char *const *names, size_t n)
{
	const void *at = NULL;
	json_t *object = json_copy((json_t *)(uintptr_t)r->object); /* shallow: iteration wants it writable */

	if (!json_is_object(object))
		fault(r, "", "an object");
	for (at = json_object_iter(object); at; at = json_object_iter_next(object, (void *)(uintptr_t)at)) {
		const char *key = json_object_iter_key((void *)(uintptr_t)at);
		size_t i;

		for (i = 0; i < n && strcmp(names[i], key); i++)
			;
		if (i == n)
			fault(r, key, "left out: there is no such field; docs/rspctl.md lists them");
	}
	json_decref(object);
}

static void read_profile(struct reader *r, struct eum_profile_order *out)
{
	static const char *const names[] = { "mno",           "profile_type", "iccid_prefix", "imsi_prefix",
					     "msisdn_prefix", "enabled",      "memory" };

	only(r, names, LEN(names));
	oid(r, "mno", &out->mno);
	out->profile_type = text(r, "profile_type", false, "text");
	out->iccid_prefix = digits(r, "iccid_prefix", 2, 18, "digits that start with 89");
	if (strncmp(out->iccid_prefix, "89", 2))
		fault(r, "iccid_prefix", "digits that start with 89");
	out->imsi_prefix = digits(r, "imsi_prefix", 1, 14, "1 to 14 digits");
	out->msisdn_prefix = digits(r, "msisdn_prefix", 1, 14, "1 to 14 digits");
	out->enabled = flag(r, "enabled", false);
	out->memory = number(r, "memory", 1, INT32_MAX, "a number of bytes");
}

static void read_profiles(struct reader *r, struct eum_create_batch_rq *out)
{
	const json_t *list = json_object_get(r->object, "profiles"), *item;
	unsigned enabled = 0;
	size_t i;

	if (!json_is_array(list) || !json_array_size(list) || json_array_size(list) > PROFILES_MAX) {
		fault(r, "profiles", "a list of 1 to 8 profiles");
		return;
	}
	out->n_profiles = json_array_size(list);
	out->profiles = arena_array(r->arena, out->n_profiles, sizeof(*out->profiles));
	json_array_foreach(list, i, item)
	{
		struct reader inner = { .arena = r->arena, .object = item, .error = r->error, .bad = r->bad };

		inner.at = arena_printf(r->arena, "profiles[%zu].", i);
		read_profile(&inner, &out->profiles[i]);
		r->bad = inner.bad;
		enabled += out->profiles[i].enabled;
	}
	if (enabled != 1)
		fault(r, "profiles", "so that exactly one has enabled true: the bootstrap profile");
}

static void read_properties(struct reader *r, struct eum_create_batch_rq *out)
{
	json_t *object = json_object_get(r->object, "properties"), *value;
	const char *key;
	size_t n = 0;

	if (!object)
		return;
	if (!json_is_object(object) || !json_object_size(object)) {
		fault(r, "properties", "an object of at least one {\"key\": \"value\"}, or left out");
		return;
	}
	out->properties = ARENA_NEW(r->arena, struct properties);
	out->properties->items = arena_array(r->arena, json_object_size(object), sizeof(*out->properties->items));
	json_object_foreach(object, key, value)
	{
		if (!*key || !json_string_value(value)) {
			fault(r, "properties", "an object whose values are strings");
			return;
		}
		out->properties->items[n].key = arena_strdup(r->arena, key);
		out->properties->items[n++].value = arena_strdup(r->arena, json_string_value(value));
	}
	out->properties->n_items = n;
}

bool order_parse(struct arena *a, const json_t *order, struct eum_create_batch_rq *out, char error[256])
{
	static const char *const names[] = { "fci",          "name",          "quantity",         "smsr",
					     "eid_prefix",   "platform_type", "platform_version", "memory",
					     "http_support", "profiles",      "properties" };
	struct reader r = { .arena = a, .object = order, .at = "", .error = error };
	struct eum_create_batch_rq rq = { 0 };

	only(&r, names, LEN(names));
	rq.base.fci = text(&r, "fci", false, "1 to 256 characters, or left out");
	rq.name = text(&r, "name", true, "1 to 64 characters");
	if (strlen(rq.name) > 64)
		fault(&r, "name", "1 to 64 characters");
	rq.quantity = number(&r, "quantity", 1, 100000, "a number from 1 to 100000");
	oid(&r, "smsr", &rq.smsr);
	rq.eid_prefix = digits(&r, "eid_prefix", 18, 18, "18 digits: 89, country, issuer, version, issuer information");
	rq.platform_type = text(&r, "platform_type", true, "text");
	rq.platform_version = text(&r, "platform_version", true, "a version like 1.0.0");
	rq.memory = number(&r, "memory", 1, INT32_MAX, "the bytes for profiles of one card");
	rq.http_support = flag(&r, "http_support", true);
	read_profiles(&r, &rq);
	read_properties(&r, &rq);
	if (!r.bad)
		*out = rq;
	return !r.bad;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* An EIS as JSON: wire spellings as values, snake case as names. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "services/operator-gateway/api.h"
#include "services/operator-gateway/base64.h"

static const char *const states[] = { "Created", "Disabled", "Enabled" };
static const char *const pol2_subjects[] = { "PROFILE" };
static const char *const pol2_actions[] = { "ENABLE", "DISABLE", "DELETE" };
static const char *const pol2_qualifications[] = { "Not-Allowed", "Auto-Delete" };
static const char *const keyset_types[] = { "SCP03", "SCP80", "SCP81", "TokenGeneration", "ReceiptVerification", "CA" };

/* NULL beyond the table: the member is left out then. */
#define NAME_OF(table, value) ((unsigned)(value) < LEN(table) ? (table)[value] : NULL)

static void put_int(json_t *o, const char *name, int64_t value)
{
	json_object_set_new(o, name, json_integer(value));
}

static void put_time(json_t *o, const char *name, int64_t wall_us)
{
	char text[DATETIME_MAX];

	datetime_format(wall_us, text);
	json_put(o, name, text);
}

static void put_aid(json_t *o, const char *name, const struct aid *aid)
{
	char text[2 * AID_MAX + 1];

	aid_format(aid, text);
	json_put(o, name, text);
}

/* The value of a name; false: it is none of the table. */
static bool value_of(const char *const *table, size_t n, const char *name, unsigned *out)
{
	for (unsigned i = 0; name && i < n; i++) {
		if (strcmp(table[i], name) != 0)
			continue;
		*out = i;
		return true;
	}
	return false;
}

bool api_pol2_action(const char *name, enum pol2_action *out)
{
	unsigned value;

	if (!value_of(pol2_actions, LEN(pol2_actions), name, &value))
		return false;
	*out = (enum pol2_action)value;
	return true;
}

bool api_pol2_qualification(const char *name, enum pol2_qualification *out)
{
	unsigned value;

	if (!value_of(pol2_qualifications, LEN(pol2_qualifications), name, &value))
		return false;
	*out = (enum pol2_qualification)value;
	return true;
}

json_t *api_pol2_json(const struct pol2 *pol2)
{
	json_t *list = json_array();

	for (size_t i = 0; i < pol2->n_rules; i++) {
		const struct pol2_rule *r = &pol2->rules[i];
		json_t *o = json_object();

		json_put(o, "subject", NAME_OF(pol2_subjects, r->subject));
		json_put(o, "action", NAME_OF(pol2_actions, r->action));
		json_put(o, "qualification", NAME_OF(pol2_qualifications, r->qualification));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *api_address_json(const struct subscription_address *address)
{
	json_t *o = json_object();

	json_put(o, "imsi", address->imsi);
	json_put(o, "msisdn", address->msisdn);
	return o;
}

static json_t *profile_json(const struct profile_info *p)
{
	json_t *o = json_object(), *memory = json_object();

	json_put(o, "iccid", p->iccid.text);
	put_aid(o, "isdp_aid", &p->isdp_aid);
	json_put(o, "mno", p->mno.text);
	json_put(o, "state", NAME_OF(states, p->state));
	json_object_set_new(o, "fallback", json_boolean(p->fallback));
	json_object_set_new(o, "address", api_address_json(&p->address));
	json_put(o, "smdp", p->smdp ? p->smdp->text : NULL);
	json_put(o, "profile_type", p->profile_type);
	put_int(memory, "allocated", p->allocated_memory);
	if (p->free_memory)
		put_int(memory, "free", *p->free_memory);
	json_object_set_new(o, "memory", memory);
	json_object_set_new(o, "pol2", api_pol2_json(&p->pol2));
	return o;
}

static json_t *isdr_json(struct arena *a, const struct security_domain *d)
{
	json_t *o = json_object(), *tars = json_array(), *keysets = json_array();

	put_aid(o, "aid", &d->aid);
	for (size_t i = 0; i < d->n_tars; i++)
		json_array_append_new(tars, json_string(hex_text(a, d->tars[i].data, d->tars[i].len)));
	json_object_set_new(o, "tars", tars);
	for (size_t i = 0; i < d->n_keysets; i++) {
		const struct keyset *k = &d->keysets[i];
		json_t *row = json_object();

		put_int(row, "version", k->version);
		if (k->type)
			json_put(row, "type", NAME_OF(keyset_types, *k->type));
		json_array_append_new(keysets, row);
	}
	json_object_set_new(o, "keysets", keysets);
	return o;
}

static json_t *capabilities_json(const struct euicc_capabilities *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "cattp_support", json_boolean(c->cattp_support));
	json_put(o, "cattp_version", c->cattp_version);
	json_object_set_new(o, "http_support", json_boolean(c->http_support));
	json_put(o, "http_version", c->http_version);
	json_put(o, "secure_packet_version", c->secure_packet_version);
	json_put(o, "remote_provisioning_version", c->remote_provisioning_version);
	return o;
}

static void put_card(json_t *o, const struct eis *eis)
{
	const struct eum_signed_info *info = &eis->info;
	json_t *platform = json_object(), *isdp = json_object(), *memory = json_object();

	json_put(o, "eid", info->eid.text);
	json_put(o, "eum", info->eum.text);
	put_time(o, "production_date", info->production_date);
	json_put(platform, "type", info->platform_type);
	json_put(platform, "version", info->platform_version);
	json_object_set_new(o, "platform", platform);
	json_object_set_new(o, "capabilities", capabilities_json(&info->capabilities));
	put_aid(isdp, "loadfile_aid", &info->isdp_loadfile_aid);
	put_aid(isdp, "module_aid", &info->isdp_module_aid);
	json_object_set_new(o, "isdp", isdp);
	put_int(memory, "remaining", eis->remaining_memory);
	put_int(memory, "available", eis->available_memory);
	json_object_set_new(o, "memory", memory);
	json_put(o, "smsr", eis->smsr.text);
	if (eis->last_audit)
		put_time(o, "last_audit", *eis->last_audit);
}

json_t *api_eis_json(struct arena *a, const struct eis *eis)
{
	json_t *o = json_object(), *profiles = json_array(), *properties = json_object();

	put_card(o, eis);
	for (size_t i = 0; i < eis->n_profiles; i++)
		json_array_append_new(profiles, profile_json(&eis->profiles[i]));
	json_object_set_new(o, "profiles", profiles);
	json_object_set_new(o, "isdr", isdr_json(a, &eis->isdr));
	for (size_t i = 0; eis->properties && i < eis->properties->n_items; i++)
		json_put(properties, eis->properties->items[i].key, eis->properties->items[i].value);
	json_object_set_new(o, "properties", properties);
	json_put(o, "signed_info", base64_encode(a, eis->info_octets.data, eis->info_octets.len));
	json_put(o, "signature", base64_encode(a, eis->signature_octets.data, eis->signature_octets.len));
	return o;
}

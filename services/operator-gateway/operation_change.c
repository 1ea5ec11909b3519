/* SPDX-License-Identifier: Apache-2.0 */
/* What policy, address, download and SM-SR change orders say. One reader: of what a tenant writes, and of the row that keeps it. */
#include <string.h>

#include "services/operator-gateway/api.h"
#include "services/operator-gateway/operation.h"

enum { MSISDN_MIN = 3, PROFILE_TYPE_MAX = 100 };

static bool wrong(const char **out_error, const char *text)
{
	*out_error = text;
	return false;
}

static bool rule_parse(struct arena *a, size_t i, const json_t *item, struct pol2_rule *out, const char **out_error)
{
	json_t *fields = json_is_object(item) ? json_copy((json_t *)(uintptr_t)item) : NULL; /* shallow: looking does not write */
	const char *action = json_string_value(json_object_get(fields, "action"));
	const char *qualification = json_string_value(json_object_get(fields, "qualification"));
	const json_t *subject = json_object_get(fields, "subject");
	size_t known = 2 + (subject ? 1 : 0), n = json_object_size(fields);
	const char *should = NULL;

	if (n > known)
		should = "an object of action and qualification, nothing else";
	else if (subject && (!json_is_string(subject) || strcmp(json_string_value(subject), "PROFILE") != 0))
		should = "about subject PROFILE, or without a subject";
	else if (!api_pol2_action(action, &out->action))
		should = "an object whose action is ENABLE, DISABLE or DELETE";
	else if (!api_pol2_qualification(qualification, &out->qualification))
		should = "an object whose qualification is Not-Allowed or Auto-Delete";
	else if (out->qualification == POL2_AUTO_DELETE && out->action != POL2_DISABLE)
		should = "Auto-Delete of DISABLE: of no other action there is one";
	out->subject = POL2_PROFILE;
	json_decref(fields);
	return !should || wrong(out_error, arena_printf(a, "rules[%zu]: should be %s", i, should));
}

static bool rule_equal(const struct pol2_rule *x, const struct pol2_rule *y)
{
	return x->action == y->action && x->qualification == y->qualification;
}

bool change_rules(struct arena *a, const json_t *list, struct operation_order *o, const char **out_error)
{
	struct pol2 pol2 = { .rules = arena_array(a, json_array_size(list) + 1, sizeof(*pol2.rules)) };
	const json_t *item;
	size_t i;

	if (!json_is_array(list))
		return wrong(out_error, "rules: an array of {\"action\",\"qualification\"}; [] allows everything");
	json_array_foreach(list, i, item)
	{
		if (!rule_parse(a, i, item, &pol2.rules[i], out_error))
			return false;
		for (size_t k = 0; k < i; k++)
			if (rule_equal(&pol2.rules[i], &pol2.rules[k]))
				return wrong(out_error, arena_printf(a, "rules[%zu]: says the same as rules[%zu]", i, k));
		pol2.n_rules = i + 1;
	}
	o->pol2 = pol2;
	o->has_change = true;
	return true;
}

static bool digits(const char *text, size_t min, size_t max)
{
	size_t n = text ? strlen(text) : 0;

	return n >= min && n <= max && strspn(text, "0123456789") == n;
}

bool change_imsi(struct arena *a, const json_t *value, struct operation_order *o, const char **out_error)
{
	const char *text = json_string_value(value);

	if (!digits(text, 1, IMSI_MAX))
		return wrong(out_error,
			     arena_printf(a, "imsi: a string of 1 to %d digits; left out: the profile has none", IMSI_MAX));
	o->address.imsi = arena_strdup(a, text);
	o->has_change = true;
	return true;
}

bool change_msisdn(struct arena *a, const json_t *value, struct operation_order *o, const char **out_error)
{
	const char *text = json_string_value(value);

	if (!digits(text, MSISDN_MIN, MSISDN_MAX))
		return wrong(out_error, arena_printf(a, "msisdn: a string of %d to %d digits; left out: the profile has none",
						     MSISDN_MIN, MSISDN_MAX));
	o->address.msisdn = arena_strdup(a, text);
	o->has_change = true;
	return true;
}

bool change_profile_type(struct arena *a, const json_t *value, struct operation_order *o, const char **out_error)
{
	const char *text = json_string_value(value);
	size_t n = text ? strlen(text) : 0, good = 0;

	while (good < n && text[good] >= ' ' && text[good] <= '~')
		good++;
	if (!n || n > PROFILE_TYPE_MAX || good < n)
		return wrong(out_error,
			     arena_printf(a, "profile_type: a string of 1 to %d printable ASCII characters", PROFILE_TYPE_MAX));
	o->profile_type = arena_strdup(a, text);
	return true;
}

static json_t *download_json(const struct operation_order *o)
{
	json_t *j = json_object();

	json_put(j, "profile_type", o->profile_type);
	json_object_set_new(j, "enable", json_boolean(o->enable));
	return j;
}

static bool download_read(struct arena *a, const json_t *j, struct operation_order *o)
{
	const json_t *type = json_object_get(j, "profile_type"), *enable = json_object_get(j, "enable");
	const char *error;

	o->enable = json_is_true(enable);
	return json_is_boolean(enable) && (!type || change_profile_type(a, type, o, &error)) && (type || *o->iccid.text);
}

static json_t *smsr_change_json(const struct operation_order *o)
{
	json_t *j = json_object();

	json_put(j, "to", o->to.text);
	json_object_set_new(j, "dry_run", json_boolean(o->dry_run));
	return j;
}

static bool smsr_change_read(const json_t *j, struct operation_order *o)
{
	const char *to = json_string_value(json_object_get(j, "to"));
	const json_t *dry_run = json_object_get(j, "dry_run");

	o->dry_run = json_is_true(dry_run);
	return to && oid_parse(to, &o->to) && json_is_boolean(dry_run);
}

const char *change_text(struct arena *a, const struct operation_order *o)
{
	CLEANUP(json_freep) json_t *j = NULL;

	if (o->kind == OPERATION_POLICY)
		j = api_pol2_json(&o->pol2);
	else if (o->kind == OPERATION_ADDRESS)
		j = api_address_json(&o->address);
	else if (o->kind == OPERATION_DOWNLOAD)
		j = download_json(o);
	else if (o->kind == OPERATION_SMSR_CHANGE)
		j = smsr_change_json(o);
	return j ? json_text(a, j) : "";
}

bool change_read(struct arena *a, const char *text, struct operation_order *o)
{
	CLEANUP(json_freep) json_t *j = NULL;
	const json_t *imsi, *msisdn;
	const char *error;

	if (o->kind != OPERATION_POLICY && o->kind != OPERATION_ADDRESS && o->kind != OPERATION_DOWNLOAD &&
	    o->kind != OPERATION_SMSR_CHANGE)
		return true;
	j = json_loads(text, 0, NULL);
	if (o->kind == OPERATION_SMSR_CHANGE)
		return smsr_change_read(j, o);
	if (o->kind == OPERATION_DOWNLOAD)
		return download_read(a, j, o);
	if (o->kind == OPERATION_POLICY)
		return change_rules(a, j, o, &error);
	imsi = json_object_get(j, "imsi");
	msisdn = json_object_get(j, "msisdn");
	return (imsi || msisdn) && (!imsi || change_imsi(a, imsi, o, &error)) && (!msisdn || change_msisdn(a, msisdn, o, &error));
}

void change_put(json_t *j, const struct operation_order *o)
{
	if (o->kind == OPERATION_POLICY)
		json_object_set_new(j, "rules", api_pol2_json(&o->pol2));
	else if (o->kind == OPERATION_ADDRESS)
		json_object_set_new(j, "address", api_address_json(&o->address));
	else if (o->kind == OPERATION_DOWNLOAD)
		json_object_update_new(j, download_json(o));
	else if (o->kind == OPERATION_SMSR_CHANGE)
		json_object_update_new(j, smsr_change_json(o));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/profile_type.h"

#include <string.h>

#include "common/sgp02/procedure.h"
#include "services/sm-dp/variables.h"

static const char *const keys_names[TYPE_KEYS] = { "retain", "hand-over", "delete" };
static const char *const address_names[] = { "none", "imsi", "msisdn", "both" };

const char *type_keys_name(enum type_keys k)
{
	return k < TYPE_KEYS ? keys_names[k] : "?";
}

const char *type_address_name(unsigned address)
{
	return address < LEN(address_names) ? address_names[address] : "?";
}

static bool value_of(const char *const *names, unsigned n, const char *name, unsigned *out)
{
	for (unsigned i = 0; i < n; i++) {
		if (!strcmp(names[i], name)) {
			*out = i;
			return true;
		}
	}
	return false;
}

bool type_keys_parse(const char *name, enum type_keys *out)
{
	unsigned value;

	if (!value_of(keys_names, LEN(keys_names), name, &value))
		return false;
	*out = (enum type_keys)value;
	return true;
}

bool type_address_parse(const char *name, unsigned *out)
{
	return value_of(address_names, LEN(address_names), name, out);
}

static bool rule_known(const struct pol2 *pol2, const struct pol2_rule *rule)
{
	return pol2_has(pol2, rule->action, rule->qualification);
}

bool type_pol2_parse(struct arena *a, const char *text, struct pol2 *out)
{
	struct pol2 pol2 = { .rules = arena_array(a, TYPE_RULES_MAX, sizeof(*pol2.rules)) };

	while (*text) {
		size_t n = strcspn(text, " ");
		struct pol2_rule rule;

		if (pol2.n_rules == TYPE_RULES_MAX || !pol2_rule_parse(arena_strndup(a, text, n), &rule) ||
		    rule_known(&pol2, &rule))
			return false;
		pol2.rules[pol2.n_rules++] = rule;
		text += n + (text[n] != '\0');
	}
	*out = pol2;
	return true;
}

bool type_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= TYPE_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

bool profile_type_check(struct arena *a, const struct profile_type *t, const char **out_why)
{
	struct type_variables variables;
	struct pol2 pol2;

	*out_why = NULL;
	if (!type_name_ok(t->name))
		*out_why = "name: should be 1 to 64 of A-Z a-z 0-9 . _ -";
	else if (t->memory < 1 || t->memory > INT32_MAX)
		*out_why = "memory: should be the bytes that its ISD-P needs, 1 to 2147483647";
	else if (!type_pol2_parse(a, t->pol2, &pol2))
		*out_why = "rules: should be ACTION:QUALIFICATION, each once, as DISABLE:Not-Allowed";
	else if (t->package.len > TYPE_PACKAGE_MAX)
		*out_why = "package: more than 1 MiB is no profile package";
	else if (type_variables_parse(a, t->variables, &variables, out_why))
		return type_template_check(a, t->package, &variables, out_why);
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/eis.h"

#include <string.h>

const char *const pol2_action_names[] = { "ENABLE", "DISABLE", "DELETE", NULL };
const char *const pol2_qualification_names[] = { "Not-Allowed", "Auto-Delete", NULL };

/* The place of the n characters of text in names; -1: nowhere. */
static int name_index(const char *const *names, const char *text, size_t n)
{
	for (int i = 0; names[i]; i++)
		if (strlen(names[i]) == n && !strncmp(names[i], text, n))
			return i;
	return -1;
}

bool pol2_rule_parse(const char *text, struct pol2_rule *out)
{
	size_t n = strcspn(text, ":");
	int action = name_index(pol2_action_names, text, n);
	int qualification = text[n] ? name_index(pol2_qualification_names, text + n + 1, strlen(text + n + 1)) : -1;

	if (action < 0 || qualification < 0)
		return false;
	*out = (struct pol2_rule){ POL2_PROFILE, (enum pol2_action)action, (enum pol2_qualification)qualification };
	return true;
}

enum {
	SCP80_FIRST = 0x01,
	SCP80_LAST = 0x0F,
	SCP81_FIRST = 0x40,
	SCP81_LAST = 0x4F,
	KCV_BYTES = 3,
	KEY_AES = 0x88,
	KEY_PSK_TLS = 0x85,
};

/* Element names as SubjectIdentifier. */
static result invalid(struct arena *a, const char *element, const char *why)
{
	return failed(a, CODE_PARAM_INVALID, element, "%s: %s", element, why);
}

static result check_fixed_aids(struct arena *a, const struct eis *eis)
{
	if (eis->info.ecasd.role != SD_ECASD)
		return invalid(a, "Ecasd", "its Role is not ECASD");
	if (eis->isdr.role != SD_ISDR)
		return invalid(a, "Isd-r", "its Role is not ISD-R");
	if (!aid_equal(&eis->isdr.aid, &AID_ISDR))
		return invalid(a, "Isd-r", "its Aid is not that of an ISD-R");
	if (!aid_equal(&eis->info.ecasd.aid, &AID_ECASD))
		return invalid(a, "Ecasd", "its Aid is not that of an ECASD");
	return OK;
}

static result check_profile(struct arena *a, const struct eis *eis, size_t i)
{
	const struct profile_info *p = &eis->profiles[i];

	if (!aid_is_isdp(&p->isdp_aid))
		return invalid(a, "Isd-p-aid", "outside the range of ISD-P AIDs");
	if (p->state == PROFILE_IN_CREATION)
		return invalid(a, "State", "a profile cannot be registered while it is made");
	for (size_t j = 0; j < i; j++) {
		const struct profile_info *q = &eis->profiles[j];

		if (aid_equal(&p->isdp_aid, &q->isdp_aid))
			return invalid(a, "Isd-p-aid", "used by two profiles");
		if (iccid_equal(&p->iccid, &q->iccid))
			return invalid(a, "Iccid", "used by two profiles");
		if (p->state == PROFILE_ENABLED && q->state == PROFILE_ENABLED)
			return invalid(a, "State", "more than one profile is enabled");
		if (p->fallback && q->fallback)
			return invalid(a, "FallbackAttribute", "more than one profile has it");
	}
	return OK;
}

/* The SCP a set is for: its Type, else its version tells (card.md 1). */
static bool keyset_is(const struct keyset *k, enum keyset_type type, int64_t first, int64_t last)
{
	return k->type ? *k->type == type : k->version >= first && k->version <= last;
}

static result check_keys(struct arena *a, const struct keyset *k, bool psk)
{
	for (size_t i = 0; i < k->n_keys; i++) {
		const struct key *key = &k->keys[i];

		if (key->kcv.len != KCV_BYTES)
			return invalid(a, "kcv", "a check value has three bytes");
		for (size_t j = 0; j < i; j++)
			if (k->keys[j].index == key->index)
				return invalid(a, "Index", "twice in one key set");
		for (size_t c = 0; c < key->n_components; c++) {
			struct bytes type = key->components[c].type;

			if (type.len != 1 || !(type.data[0] == KEY_AES || (psk && type.data[0] == KEY_PSK_TLS)))
				return invalid(a, "KeyComponents", psk ? "its type is neither 85 nor 88" : "its type is not 88");
		}
	}
	return OK;
}

static result check_keyset(struct arena *a, const struct security_domain *sd, size_t i, bool *out_scp80)
{
	const struct keyset *k = &sd->keysets[i];

	for (size_t j = 0; j < i; j++)
		if (sd->keysets[j].version == k->version)
			return invalid(a, "Version", "two key sets of the ISD-R have it");
	if (keyset_is(k, KEYSET_SCP80, SCP80_FIRST, SCP80_LAST)) {
		if (k->version < SCP80_FIRST || k->version > SCP80_LAST)
			return invalid(a, "Version", "an SCP80 key set has 1 to 15");
		if (k->n_keys == 0)
			return invalid(a, "Keyset", "an SCP80 key set without keys");
		*out_scp80 = true;
		return check_keys(a, k, false);
	}
	if (keyset_is(k, KEYSET_SCP81, SCP81_FIRST, SCP81_LAST)) {
		if (k->version < SCP81_FIRST || k->version > SCP81_LAST)
			return invalid(a, "Version", "an SCP81 key set has 64 to 79");
		if (k->n_keys == 0)
			return invalid(a, "Keyset", "an SCP81 key set without keys");
		return check_keys(a, k, true);
	}
	return OK;
}

static result check_isdr(struct arena *a, const struct security_domain *isdr)
{
	bool scp80 = false;

	for (size_t i = 0; i < isdr->n_keysets; i++)
		TRY(check_keyset(a, isdr, i, &scp80));
	if (!scp80)
		return invalid(a, "Isd-r", "it has no SCP80 key set");
	return OK;
}

/* What is free and what is granted: a number that can be counted with. */
static result memory_sum(struct arena *a, const struct eis *eis, int64_t *out)
{
	*out = eis->remaining_memory;
	for (size_t i = 0; i < eis->n_profiles; i++)
		if (__builtin_add_overflow(*out, eis->profiles[i].allocated_memory, out))
			return invalid(a, "AllocatedMemory", "too large");
	return OK;
}

/* It fits into what there is. */
static result check_memory(struct arena *a, const struct eis *eis)
{
	int64_t sum;

	for (size_t i = 0; i < eis->n_profiles; i++) {
		const struct profile_info *p = &eis->profiles[i];

		if (p->free_memory && *p->free_memory > p->allocated_memory)
			return invalid(a, "FreeMemory", "more than AllocatedMemory");
	}
	TRY(memory_sum(a, eis, &sum));
	if (sum > eis->available_memory)
		return invalid(a, "AvailableMemoryForProfiles", "less than RemainingMemory and all AllocatedMemory");
	return OK;
}

result eis_check_registration(struct arena *a, const struct eis *eis)
{
	TRY(check_fixed_aids(a, eis));
	for (size_t i = 0; i < eis->n_profiles; i++)
		TRY(check_profile(a, eis, i));
	TRY(check_isdr(a, &eis->isdr));
	return check_memory(a, eis);
}

result eis_check_handover(struct arena *a, const struct eis *eis)
{
	const struct security_domain *isdr = &eis->isdr;
	int64_t sum;

	TRY(check_fixed_aids(a, eis));
	for (size_t i = 0; i < eis->n_profiles; i++)
		TRY(check_profile(a, eis, i));
	for (size_t i = 0; i < isdr->n_keysets; i++)
		for (size_t j = 0; j < i; j++)
			if (isdr->keysets[i].version == isdr->keysets[j].version)
				return invalid(a, "Version", "two key sets of the ISD-R have it");
	return memory_sum(a, eis, &sum);
}

static bool listed(const struct oid *oid, const struct oid *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (oid_equal(oid, &list[i]))
			return true;
	return false;
}

/* An SM-DP sees its own profiles in any state, those of its operators that another SM-DP made only when they are complete. */
static bool smdp_sees(const struct profile_info *p, const struct oid *viewer, const struct oid *customers, size_t n_customers)
{
	if (p->smdp && oid_equal(p->smdp, viewer))
		return true;
	return p->state != PROFILE_CREATED && listed(&p->mno, customers, n_customers);
}

bool eis_profile_visible(const struct profile_info *p, enum eis_view view, const struct oid *viewer, const struct oid *customers,
			 size_t n_customers)
{
	if (p->state == PROFILE_IN_CREATION)
		return false;
	switch (view) {
	case VIEW_OPERATOR:
	case VIEW_M2M_SP: /* no grant is known before PLMA is served: what it owns itself */
		return oid_equal(&p->mno, viewer);
	case VIEW_SM_DP:
		return smdp_sees(p, viewer, customers, n_customers);
	case VIEW_SM_SR2:
		return true;
	}
	return false;
}

static void strip_keysets(struct security_domain *sd, bool keep_counter)
{
	for (size_t i = 0; i < sd->n_keysets; i++) {
		struct keyset *k = &sd->keysets[i];

		k->keys = NULL;
		k->n_keys = 0;
		k->certificates = NULL;
		k->n_certificates = 0;
		if (!keep_counter)
			k->counter = NULL;
	}
}

bool eis_filter(struct eis *eis, enum eis_view view, const struct oid *viewer, const struct oid *customers, size_t n_customers)
{
	size_t kept = 0;

	for (size_t i = 0; i < eis->n_profiles; i++)
		if (eis_profile_visible(&eis->profiles[i], view, viewer, customers, n_customers))
			eis->profiles[kept++] = eis->profiles[i];
	eis->n_profiles = kept;
	strip_keysets(&eis->isdr, view == VIEW_SM_SR2);
	if (view != VIEW_SM_SR2)
		eis->audit_trail = NULL;
	/* A card may have less than what was promised to an ISD-P that it is still to make. On the wire there is no less than none. */
	if (eis->remaining_memory < 0)
		eis->remaining_memory = 0;
	return kept > 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a template takes, found out by having it personalised with values that are nobody's. */
#include <string.h>

#include "services/sm-dp/variables.h"

enum { SCP80_FIRST = 0x01, SCP80_LAST = 0x0F, SCP03_FIRST = 0x30, SCP03_LAST = 0x3F };

static const char TRIAL_ICCID[] = "890000000000000000", TRIAL_IMSI[] = "001010000000000";

/* version takes the place of *lowest when it is of this range and lower, or the first of it. */
static void lower(uint64_t version, uint8_t first, uint8_t last, uint8_t *lowest)
{
	if (version >= first && version <= last && (*lowest == 0 || version < *lowest))
		*lowest = (uint8_t)version;
}

bool sd_versions_find(struct arena *a, const struct profile_package *p, struct sd_versions *out, struct profile_fault *out_fault)
{
	const struct profile_element *e = profile_element_find(p, PE_SECURITY_DOMAIN, 0);
	struct sd_versions found = { 0 };
	struct profile_sd sd = { 0 };

	if (e && !profile_sd_decode(a, e, &sd, out_fault))
		return false;
	for (size_t i = 0; i < sd.n_keys; i++) {
		lower(sd.keys[i].version, SCP80_FIRST, SCP80_LAST, &found.scp80);
		lower(sd.keys[i].version, SCP03_FIRST, SCP03_LAST, &found.scp03);
	}
	*out = found;
	return true;
}

static bool put_key(struct stock_variables *v, const struct stock_slot *slot, uint8_t version, struct bytes value,
		    struct profile_fault *out_fault)
{
	if (version == 0) {
		*out_fault = (struct profile_fault){ .identification = PE_NO_IDENTIFICATION,
						     .element = pe_kind_name(PE_SECURITY_DOMAIN),
						     .field = "keyList",
						     .what = "the MNO-SD has no key set of SCP80 (01 to 0F) or SCP03 (30 to 3F) "
							     "for a key" };
		return false;
	}
	v->keys[v->v.n_sd_keys++] = (struct profile_key){ version, slot->id, value };
	return true;
}

bool stock_variables_put(struct stock_variables *v, enum stock_use use, const struct sd_versions *sd,
			 struct profile_fault *out_fault)
{
	const struct stock_slot *slot = stock_slot_of(use);
	const struct bytes value = { v->secrets[use].data, v->secrets[use].len };

	switch (slot->place) {
	case PLACE_KI:
		v->v.ki = value;
		return true;
	case PLACE_OPC:
		v->v.opc = value;
		return true;
	case PLACE_SCP80:
		return put_key(v, slot, sd->scp80, value, out_fault);
	case PLACE_SCP03:
		return put_key(v, slot, sd->scp03, value, out_fault);
	case PLACE_PIN:
		stock_value_code(use, &v->secrets[use], &v->pins[v->v.n_pins++]);
		return true;
	case PLACE_PUK:
		stock_value_code(use, &v->secrets[use], &v->puks[v->v.n_puks++]);
		return true;
	}
	return false;
}

/* Variables that are the same for all cards of a type, and a secret for each use of the set. */
static bool trial(struct arena *a, const struct profile_package *p, const bool uses[STOCK_USES], const struct profile_variables *v,
		  struct profile_fault *out_fault)
{
	CLEANUP(stock_variables_freep) struct stock_variables *all = stock_variables_new();
	CLEANUP(secret_free) struct secret made = { 0 };
	struct sd_versions sd;

	if (!sd_versions_find(a, p, &sd, out_fault))
		return false;
	all->v.iccid = v->iccid;
	all->v.imsi = v->imsi;
	all->v.has_pol1 = v->has_pol1;
	all->v.pol1 = v->pol1;
	all->v.connectivity = v->connectivity;
	for (unsigned use = 0; use < STOCK_USES; use++) {
		if (!uses[use])
			continue;
		all->secrets[use] = stock_value_draw(use);
		if (!stock_variables_put(all, use, &sd, out_fault))
			return false;
	}
	return profile_personalise(p, &all->v, &made, out_fault);
}

bool type_place_of(struct arena *a, const struct profile_package *p, enum stock_use use, struct profile_fault *out_fault)
{
	const struct profile_variables none = { 0 };
	bool uses[STOCK_USES] = { false };

	uses[use] = true;
	return trial(a, p, uses, &none, out_fault);
}

/* Of one that is whole: does everything have its place? */
static bool takes(struct arena *a, const struct profile_package *p, const struct type_variables *t, const char **out_why)
{
	struct profile_variables v = {
		.imsi = TRIAL_IMSI, .has_pol1 = t->has_pol1, .pol1 = t->pol1, .connectivity = t->connectivity
	};
	bool uses[STOCK_USES] = { [USE_KI] = true, [USE_OPC] = true };
	struct profile_fault fault;
	struct iccid iccid;

	if (!iccid_complete(TRIAL_ICCID, &iccid))
		return false;
	v.iccid = &iccid;
	if (!trial(a, p, uses, &v, &fault)) {
		*out_why = arena_printf(a, "package: takes no subscription: %s", profile_fault_text(a, &fault));
		return false;
	}
	for (unsigned use = USE_KIC; use < STOCK_USES; use++) {
		if (t->source[use] == SOURCE_TEMPLATE || type_place_of(a, p, use, &fault))
			continue;
		*out_why = arena_printf(a, "variables: %s: the package has no place for it: %s", stock_use_name(use),
					profile_fault_text(a, &fault));
		return false;
	}
	return true;
}

bool type_template_check(struct arena *a, struct bytes package, const struct type_variables *v, const char **out_why)
{
	struct profile_package p;
	struct profile_fault fault;

	if (profile_package_parse(a, package, &p, &fault) && profile_package_check(&p, &fault))
		return takes(a, &p, v, out_why);
	*out_why = arena_printf(a, "package: %s", profile_fault_text(a, &fault));
	return false;
}

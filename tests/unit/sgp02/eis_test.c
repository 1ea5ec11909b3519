/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/eis.h"

#include <criterion/criterion.h>
#include <string.h>

/* A card as an EUM registers it: two profiles, SCP80 and SCP81 keys. */
struct card {
	struct eis eis;
	struct profile_info profiles[4];
	struct keyset keysets[2];
	struct key keys[2][2];
	struct key_component components[2][2];
	enum keyset_type scp80, scp81;
	struct oid smdp;
	int64_t counter;
	struct audit_trail trail;
};

static struct oid oid(const char *text)
{
	struct oid o;

	cr_assert(oid_parse(text, &o));
	return o;
}

static void add_keyset(struct card *c, unsigned at, int64_t version, enum keyset_type *type, const char *key_type)
{
	for (int k = 0; k < 2; k++) {
		c->components[at][k] = (struct key_component){ { (const uint8_t *)key_type, 1 }, { (const uint8_t *)"secret", 6 } };
		c->keys[at][k] = (struct key){ { (const uint8_t *)"KCV", 3 }, k + 1, &c->components[at][k], 1 };
	}
	c->keysets[at] = (struct keyset){ version, type, &c->counter, c->keys[at], 2, NULL, 0 };
}

static void add_profile(struct card *c, const char *iccid, uint32_t tar, const char *mno, enum profile_state state)
{
	struct profile_info *p = &c->profiles[c->eis.n_profiles++];

	cr_assert(iccid_parse(iccid, &p->iccid));
	p->isdp_aid = aid_isdp(tar);
	p->mno = oid(mno);
	p->state = state;
	p->smdp = &c->smdp;
	p->allocated_memory = 1000;
}

static struct card *new_card(struct arena *a)
{
	struct card *c = ARENA_NEW(a, struct card);

	c->scp80 = KEYSET_SCP80;
	c->scp81 = KEYSET_SCP81;
	c->smdp = oid("1.4");
	c->eis.profiles = c->profiles;
	add_profile(c, "8933010000000000010", 0x10, "1.5", PROFILE_ENABLED);
	add_profile(c, "8933010000000000028", 0x11, "1.6", PROFILE_DISABLED);
	c->profiles[0].fallback = true;
	add_keyset(c, 0, 1, &c->scp80, "\x88");
	add_keyset(c, 1, 0x40, &c->scp81, "\x85");
	c->eis.isdr = (struct security_domain){ .aid = AID_ISDR, .role = SD_ISDR, .keysets = c->keysets, .n_keysets = 2 };
	c->eis.info.ecasd = (struct security_domain){ .aid = AID_ECASD, .role = SD_ECASD };
	c->eis.remaining_memory = 3000;
	c->eis.available_memory = 5000;
	c->eis.audit_trail = &c->trail;
	return c;
}

static void refused(struct arena *a, struct card *c, const char *element)
{
	result r = eis_check_registration(a, &c->eis);

	cr_assert(r != OK, "taken although %s is wrong", element);
	cr_assert_eq(r->code, CODE_PARAM_INVALID);
	cr_assert_str_eq(r->subject_id, element);
	cr_assert(!strncmp(r->message, element, strlen(element)), "%s", r->message);
}

Test(eis_check_registration, a_whole_card_is_taken)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct card *c = new_card(a);

	cr_assert(eis_check_registration(a, &c->eis) == OK);
	c->eis.isdr.n_keysets = 1; /* no HTTPS */
	c->keysets[0].type = NULL; /* the version tells */
	cr_assert(eis_check_registration(a, &c->eis) == OK);
	c->eis.n_profiles = 0;
	cr_assert(eis_check_registration(a, &c->eis) == OK);
}

#define REFUSED(element, change)                                    \
	do {                                                        \
		CLEANUP(arena_freep) struct arena *a = arena_new(); \
		struct card *c = new_card(a);                       \
		change;                                             \
		refused(a, c, element);                             \
	} while (0)

Test(eis_check_registration, each_rule_about_profiles_names_its_element)
{
	REFUSED("Iccid", c->profiles[1].iccid = c->profiles[0].iccid);
	REFUSED("Isd-p-aid", c->profiles[1].isdp_aid = c->profiles[0].isdp_aid);
	REFUSED("Isd-p-aid", c->profiles[1].isdp_aid = AID_ISDR);
	REFUSED("Isd-p-aid", c->profiles[1].isdp_aid = aid_isdp(0x10000));
	REFUSED("State", c->profiles[1].state = PROFILE_ENABLED);
	REFUSED("State", c->profiles[1].state = PROFILE_IN_CREATION);
	REFUSED("FallbackAttribute", c->profiles[1].fallback = true);
}

Test(eis_check_registration, each_rule_about_keys_and_domains_names_its_element)
{
	REFUSED("Isd-r", c->eis.isdr.role = SD_ECASD);
	REFUSED("Isd-r", c->eis.isdr.aid = AID_ECASD);
	REFUSED("Ecasd", c->eis.info.ecasd.role = SD_ISDR);
	REFUSED("Ecasd", c->eis.info.ecasd.aid = AID_ISDR);
	REFUSED("Isd-r", c->eis.isdr.n_keysets = 0);
	REFUSED("Isd-r", (c->eis.isdr.keysets++, c->eis.isdr.n_keysets = 1));
	REFUSED("Version", c->keysets[0].version = 16);
	REFUSED("Version", c->keysets[1].version = 0x50);
	REFUSED("Version", (c->keysets[1] = c->keysets[0]));
	REFUSED("Keyset", c->keysets[0].n_keys = 0);
	REFUSED("Keyset", c->keysets[1].n_keys = 0);
	REFUSED("kcv", c->keys[0][1].kcv.len = 2);
	REFUSED("Index", c->keys[0][1].index = 1);
	REFUSED("KeyComponents", c->components[0][1].type.data = (const uint8_t *)"\x85");
	REFUSED("KeyComponents", c->components[1][1].type.data = (const uint8_t *)"\x80");
	REFUSED("KeyComponents", c->components[1][1].type.len = 0);
}

Test(eis_check_registration, memory_must_add_up)
{
	int64_t more = 1001;

	REFUSED("AvailableMemoryForProfiles", c->eis.available_memory = 4999);
	REFUSED("AvailableMemoryForProfiles", c->eis.remaining_memory = 3001);
	REFUSED("AllocatedMemory", c->profiles[1].allocated_memory = INT64_MAX);
	REFUSED("FreeMemory", c->profiles[1].free_memory = &more);
}

/* Another SM-SR counts its own way; but what is deleted later must be counted with. */
Test(eis_check_handover, memory_need_not_add_up_but_be_a_number)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct card *c = new_card(a);
	result r;

	c->eis.remaining_memory = INT64_MAX - 2000;
	cr_assert(eis_check_handover(a, &c->eis) == OK);
	c->eis.remaining_memory++;
	r = eis_check_handover(a, &c->eis);
	cr_assert(r != OK && r->code == CODE_PARAM_INVALID);
	cr_assert_str_eq(r->subject_id, "AllocatedMemory");
}

Test(eis_filter, each_viewer_sees_what_d2_says)
{
	static const struct {
		enum eis_view view;
		const char *viewer, *customer;
		unsigned seen; /* bits of profiles */
	} cases[] = {
		/* 0 enabled of 1.5, 1 disabled of 1.6, 2 created of 1.6 by SM-DP 1.4, 3 in creation */
		{ VIEW_OPERATOR, "1.5", NULL, 1 }, { VIEW_OPERATOR, "1.6", NULL, 2 | 4 },   { VIEW_OPERATOR, "1.9", NULL, 0 },
		{ VIEW_M2M_SP, "1.9", NULL, 0 },   { VIEW_SM_DP, "1.4", NULL, 1 | 2 | 4 },  { VIEW_SM_DP, "1.44", "1.6", 2 },
		{ VIEW_SM_DP, "1.44", NULL, 0 },   { VIEW_SM_SR2, "1.3", NULL, 1 | 2 | 4 },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(cases); i++) {
		struct card *c = new_card(a);
		struct oid viewer = oid(cases[i].viewer), customer = oid(cases[i].customer ? cases[i].customer : "1");
		unsigned seen = 0;

		add_profile(c, "8933010000000000036", 0x12, "1.6", PROFILE_CREATED);
		add_profile(c, "8933010000000000044", 0x13, "1.5", PROFILE_IN_CREATION);
		cr_assert_eq(eis_filter(&c->eis, cases[i].view, &viewer, &customer, cases[i].customer != NULL), cases[i].seen != 0);
		for (size_t p = 0; p < c->eis.n_profiles; p++)
			seen |= 1u << (c->profiles[p].isdp_aid.data[14] - 0x10);
		cr_assert_eq(seen, cases[i].seen, "case %zu: %x", i, seen);
		for (size_t k = 0; k < 2; k++)
			cr_assert(c->keysets[k].n_keys == 0 && !c->keysets[k].keys, "keys never leave");
		cr_assert_eq(c->keysets[0].counter != NULL, cases[i].view == VIEW_SM_SR2);
		cr_assert_eq(c->eis.audit_trail != NULL, cases[i].view == VIEW_SM_SR2);
		cr_assert_eq(c->keysets[0].version, 1);
		cr_assert_eq(*c->keysets[0].type, KEYSET_SCP80);
	}
}

/* An audit while an ISD-P is being made: the card has less than was promised, and the element has no sign. */
Test(eis_filter, memory_that_is_not_there_is_none)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct card *c = new_card(a);
	struct oid viewer = oid("1.5");

	c->eis.remaining_memory = -5;
	(void)eis_filter(&c->eis, VIEW_OPERATOR, &viewer, NULL, 0);
	cr_assert_eq(c->eis.remaining_memory, 0);
}

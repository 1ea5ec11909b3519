/* SPDX-License-Identifier: Apache-2.0 */
/* The behaviour table of the ISD-R, row by row. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/services/card_fixture.h"

struct row {
	const char *what;
	isdr_build *build;
	unsigned target; /* 9: unknown */
	/* What is different on the card. */
	unsigned enabled, holder; /* holder CARD_NONE: nobody */
	uint8_t pol1_of_boot, pol1_of_a;
	uint8_t pinned_plus_1;
	uint16_t sw;
};

static const struct row rows[] = {
	{ "enable", isdr_enable_profile, A, BOOT, BOOT, 0, 0, 0, SW_OK },
	{ "enable what is deleted later", isdr_enable_profile, A, BOOT, BOOT, POL1_DELETE_AFTER_DISABLE | POL1_NO_DELETE, 0, 0,
	  SW_OK },
	{ "enable: the target's own rules do not matter", isdr_enable_profile, A, BOOT, BOOT, 0, POL1_NO_DISABLE, 0, SW_OK },
	{ "enable: current may not be disabled", isdr_enable_profile, A, BOOT, BOOT, POL1_NO_DISABLE, 0, 0, SW_POL1 },
	{ "enable the enabled one", isdr_enable_profile, BOOT, BOOT, BOOT, 0, 0, 0, SW_CONDITIONS },
	{ "enable without a profile", isdr_enable_profile, BARE, BOOT, BOOT, 0, 0, 0, SW_CONDITIONS },
	{ "enable unknown", isdr_enable_profile, 9, BOOT, BOOT, 0, 0, 0, SW_NOT_FOUND },
	{ "enable another than the pinned one", isdr_enable_profile, B, BOOT, BOOT, 0, POL1_NO_DISABLE, A + 1, SW_POL1 },
	{ "enable the pinned one", isdr_enable_profile, A, BOOT, BOOT, 0, POL1_NO_DISABLE, A + 1, SW_OK },
	{ "disable", isdr_disable_profile, A, A, BOOT, 0, 0, 0, SW_OK },
	{ "disable: not allowed", isdr_disable_profile, A, A, BOOT, 0, POL1_NO_DISABLE, 0, SW_POL1 },
	{ "disable a disabled one", isdr_disable_profile, A, B, BOOT, 0, 0, 0, SW_CONDITIONS },
	{ "disable the holder", isdr_disable_profile, BOOT, BOOT, BOOT, 0, 0, 0, SW_CONDITIONS },
	{ "disable with no holder", isdr_disable_profile, A, A, CARD_NONE, 0, 0, 0, SW_CONDITIONS },
	{ "disable: the holder has no profile", isdr_disable_profile, A, A, BARE, 0, 0, 0, SW_CONDITIONS },
	{ "disable unknown", isdr_disable_profile, 9, A, BOOT, 0, 0, 0, SW_NOT_FOUND },
	{ "delete", isdr_delete_profile, A, BOOT, BOOT, 0, 0, 0, SW_OK },
	{ "delete: R1 and R3 do not matter", isdr_delete_profile, A, BOOT, BOOT, 0, POL1_NO_DISABLE | POL1_DELETE_AFTER_DISABLE, 0,
	  SW_OK },
	{ "delete: not allowed", isdr_delete_profile, A, BOOT, BOOT, 0, POL1_NO_DELETE, 0, SW_POL1 },
	{ "delete the pinned one", isdr_delete_profile, A, BOOT, BOOT, 0, POL1_NO_DISABLE, A + 1, SW_POL1 },
	{ "delete the enabled one", isdr_delete_profile, A, A, BOOT, 0, 0, 0, SW_CONDITIONS },
	{ "delete the holder", isdr_delete_profile, BOOT, A, BOOT, 0, 0, 0, SW_CONDITIONS },
	{ "delete one without a profile", isdr_delete_profile, BARE, BOOT, BOOT, 0, 0, 0, SW_OK },
	{ "delete unknown", isdr_delete_profile, 9, BOOT, BOOT, 0, 0, 0, SW_NOT_FOUND },
	{ "set fall-back", isdr_set_fallback, A, BOOT, BOOT, 0, 0, 0, SW_OK },
	{ "set fall-back where it is", isdr_set_fallback, BOOT, BOOT, BOOT, 0, 0, 0, SW_OK },
	{ "set fall-back while one is pinned", isdr_set_fallback, B, BOOT, BOOT, 0, POL1_NO_DISABLE, A + 1, SW_CONDITIONS },
	{ "set fall-back unknown", isdr_set_fallback, 9, BOOT, BOOT, 0, 0, 0, SW_NOT_FOUND },
};

static struct card card_for(const struct row *r)
{
	struct card c = fixture_card();

	c.profiles[BOOT].state = ISDP_DISABLED;
	c.profiles[r->enabled].state = ISDP_ENABLED;
	for (unsigned i = 0; i < FIXTURE_PROFILES; i++)
		c.profiles[i].fallback = i == r->holder;
	c.profiles[BOOT].pol1 = r->pol1_of_boot;
	c.profiles[A].pol1 = r->pol1_of_a;
	c.pinned = r->pinned_plus_1 ? (uint8_t)(r->pinned_plus_1 - 1) : CARD_NONE;
	c.powered = true;
	return c;
}

static void check_done(const struct row *r, const struct card *was, struct card *c, const struct aid *target)
{
	const struct card_profile *p = card_profile_of(c, target);

	cr_assert_eq(c->enables, was->enables + (r->build == isdr_enable_profile), "%s", r->what);
	cr_assert_eq(c->disables, was->disables + (r->build == isdr_disable_profile), "%s", r->what);
	cr_assert_eq(c->deletes, was->deletes + (r->build == isdr_delete_profile), "%s", r->what);
	if (r->build == isdr_enable_profile || r->build == isdr_disable_profile) {
		uint8_t to = (uint8_t)(r->build == isdr_enable_profile ? r->target : r->holder);

		cr_assert_eq(card_enabled(c), to, "%s", r->what);
		cr_assert_eq(c->profiles[r->enabled].state, ISDP_DISABLED, "%s", r->what);
		cr_assert_eq(c->before, r->enabled, "%s", r->what);
		cr_assert_eq(c->switches, was->switches + 1, "%s", r->what);
		cr_assert(fixture_effects.refresh, "%s", r->what);
		cr_assert_eq(c->pending, 0, "%s: nothing is said before it attached", r->what);
	} else {
		cr_assert_not(fixture_effects.refresh, "%s", r->what);
	}
	if (r->build == isdr_delete_profile) {
		cr_assert_null(p, "%s", r->what);
		cr_assert_eq(c->remaining_memory, was->remaining_memory + 10000, "%s", r->what);
	}
	if (r->build == isdr_set_fallback)
		for (unsigned i = 0; i < FIXTURE_PROFILES; i++)
			cr_assert_eq(c->profiles[i].fallback, i == r->target, "%s", r->what);
}

Test(card_commands, every_row_of_the_table)
{
	for (size_t i = 0; i < LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct aid target = fixture_aid(r->target);
		struct card c = card_for(r), was = c;
		uint16_t sw = fixture_run(&c, r->build, &target);

		cr_assert_eq(sw, r->sw, "%s: %04X, not %04X", r->what, sw, r->sw);
		cr_assert_eq(fixture_data.len, 0, "%s", r->what);
		cr_assert_eq(fixture_effects.changed, sw == SW_OK, "%s", r->what);
		if (sw == SW_OK)
			check_done(r, &was, &c, &target);
		else
			cr_assert_eq(memcmp(&c, &was, sizeof(c)), 0, "%s: refused and yet changed", r->what);
	}
}

Test(card_commands, what_a_card_without_a_function_answers)
{
	static const struct {
		uint8_t apdu[8];
		size_t n;
		uint16_t sw;
	} strange[] = {
		{ { 0x80, 0xE2, 0x88 }, 3, SW_WRONG_LENGTH },
		{ { 0x80, 0xDA, 0x00, 0x81, 0x01, 0x02 }, 6, SW_BAD_INS },
		{ { 0x84, 0x50, 0x30, 0x00 }, 4, SW_BAD_CLA },
	};
	struct card c = fixture_card(), was = c;

	for (size_t i = 0; i < LEN(strange); i++)
		cr_assert_eq(fixture_execute(&c, strange[i].apdu, strange[i].n), strange[i].sw, "%zu", i);
	cr_assert_eq(memcmp(&c, &was, sizeof(c)), 0);
}

static void get_status(struct buf *out, const struct aid *isdp)
{
	isdr_get_status(out, isdp, false);
}

static void get_more(struct buf *out, const struct aid *isdp)
{
	isdr_get_status(out, isdp, true);
}

static size_t listed(struct arena *a, struct isdp_status **out)
{
	size_t n;

	cr_assert(isdr_status_parse(a, (struct bytes){ (const uint8_t *)fixture_data.data, fixture_data.len }, out, &n));
	return n;
}

Test(card_commands, status_of_one_of_all_and_of_many)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct card c = fixture_card();
	struct aid one = fixture_aid(BOOT), unknown = fixture_aid(9);
	struct isdp_status *s;
	size_t n, seen;

	cr_assert_eq(fixture_run(&c, get_status, &one), SW_OK);
	cr_assert_eq(listed(a, &s), 1);
	cr_assert(aid_equal(&s[0].aid, &one));
	cr_assert_eq(s[0].state, ISDP_ENABLED);
	cr_assert(s[0].fallback);
	cr_assert_eq(s[0].memory, 10000);
	cr_assert_eq(fixture_run(&c, get_status, &unknown), SW_NOT_FOUND);
	cr_assert_eq(fixture_run(&c, get_more, NULL), SW_CONDITIONS, "there is no list to continue");
	cr_assert_eq(fixture_run(&c, get_status, NULL), SW_OK);
	cr_assert_eq(listed(a, &s), FIXTURE_PROFILES);
	cr_assert_eq(s[BARE].state, ISDP_PERSONALIZED);
	for (unsigned i = FIXTURE_PROFILES; i < CARD_PROFILES; i++)
		c.profiles[i] = (struct card_profile){ .aid = fixture_aid(i), .state = ISDP_DISABLED, .memory = 1 << 20 };
	seen = 0;
	for (uint16_t sw = SW_MORE; sw == SW_MORE; seen += n) {
		sw = fixture_run(&c, seen ? get_more : get_status, NULL);
		cr_assert(sw == SW_OK || sw == SW_MORE, "%04X", sw);
		cr_assert_leq(fixture_data.len, 250);
		n = listed(a, &s);
		for (size_t i = 0; i < n; i++)
			cr_assert(aid_equal(&s[i].aid, &c.profiles[seen + i].aid));
	}
	cr_assert_eq(seen, CARD_PROFILES);
	cr_assert_eq(fixture_run(&c, get_status, NULL), SW_MORE);
	cr_assert_eq(fixture_run(&c, get_status, &one), SW_OK);
	cr_assert_eq(fixture_run(&c, get_more, NULL), SW_CONDITIONS, "a list is continued at once or never");
	memset(c.profiles, 0, sizeof(c.profiles));
	cr_assert_eq(fixture_run(&c, get_status, NULL), SW_NOT_FOUND);
}

static void get_resources(struct buf *out, const struct aid *isdp)
{
	(void)isdp;
	isdr_get_resources(out);
}

Test(card_commands, a_place_is_made_within_the_memory)
{
	static const uint8_t install_head[] = { 0x80, 0xE6, 0x0C, 0x00 };
	static const uint8_t install_tail[] = { 0x03, 0x80, 0xC0, 0x00, 0x0B, 0xC9, 0x04, 0x81,
						0x02, 0x03, 0x70, 0xEF, 0x03, 0x83, 0x01, 0x64 };
	CLEANUP(buf_free) struct buf capdu = { 0 };
	struct aid made = fixture_aid(7);
	struct card c = fixture_card();
	struct card_resources r;

	buf_add(&capdu, install_head, sizeof(install_head));
	buf_char(&capdu, (char)(3 * 17 + sizeof(install_tail) + 1));
	for (size_t i = 0; i < 3; i++) {
		const struct aid *aid = i == 0 ? &AID_ISDP_LOADFILE : i == 1 ? &AID_ISDP_MODULE : &made;

		buf_char(&capdu, AID_MAX);
		buf_add(&capdu, aid->data, AID_MAX);
	}
	buf_add(&capdu, install_tail, sizeof(install_tail));
	buf_char(&capdu, 0); /* the token's length */
	buf_char(&capdu, 0); /* Le */
	cr_assert_eq(fixture_execute(&c, capdu.data, capdu.len), SW_OK);
	cr_assert(fixture_effects.changed);
	cr_assert_eq(card_profile_of(&c, &made)->state, ISDP_SELECTABLE);
	cr_assert_eq(c.remaining_memory, 60000 - 100);
	cr_assert_eq(fixture_execute(&c, capdu.data, capdu.len), SW_BAD_DATA, "the AID is taken");
	cr_assert_eq(fixture_run(&c, get_resources, NULL), SW_OK);
	cr_assert(isdr_resources_parse((struct bytes){ (const uint8_t *)fixture_data.data, fixture_data.len }, &r));
	cr_assert_eq(r.applications, FIXTURE_PROFILES + 1);
	cr_assert_eq(r.free_nvm, 60000 - 100);
	cr_assert_eq(fixture_run(&c, isdr_delete_profile, &made), SW_OK);
	c.remaining_memory = 99;
	cr_assert_eq(fixture_execute(&c, capdu.data, capdu.len), SW_NO_MEMORY);
}

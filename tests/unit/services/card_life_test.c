/* SPDX-License-Identifier: Apache-2.0 */
/* What a card does after a switch: attach, be confirmed, roll back, fall back. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/services/card_fixture.h"

static void enable(struct card *c, unsigned profile)
{
	struct aid aid = fixture_aid(profile);

	cr_assert_eq(fixture_run(c, isdr_enable_profile, &aid), SW_OK);
	card_refresh(c);
	cr_assert_eq(c->phase, CARD_ATTACHING);
}

static void check_note(const struct card *c, uint8_t type, uint16_t seq, unsigned profile)
{
	struct notification n;
	struct aid aid = fixture_aid(profile);

	cr_assert(card_notification(c, &n));
	cr_assert_eq(n.type, type, "%02X, not %02X", n.type, type);
	cr_assert_eq(n.seq, seq, "%u, not %u", n.seq, seq);
	cr_assert(aid_equal(&n.aid, &aid));
	cr_assert(eid_equal(&n.eid, &c->eid));
	cr_assert_eq(n.imei.len, 8);
}

static size_t deleted(struct arena *a, struct aid **out)
{
	size_t n;

	cr_assert(isdr_confirmed_parse(a, (struct bytes){ (const uint8_t *)fixture_data.data, fixture_data.len }, out, &n));
	return n;
}

Test(card_life, the_first_attach_is_said_once_per_life)
{
	struct card c = fixture_card();
	struct notification n;

	cr_assert_not(card_attached(&c, true), "it has no power");
	card_power(&c, true);
	cr_assert_eq(c.phase, CARD_ATTACHING);
	cr_assert_not(card_notification(&c, &n));
	cr_assert(card_attached(&c, true));
	cr_assert_eq(c.phase, CARD_IDLE);
	check_note(&c, NOTE_FIRST_ATTACH, 1, BOOT);
	cr_assert_not(card_unconfirmed(&c), "there is nothing to roll back");
	cr_assert_not(card_notification(&c, &n), "silent until the next power-on");
	cr_assert_not(c.attached_once);
	card_power(&c, false);
	cr_assert_eq(c.phase, CARD_OFF);
	card_power(&c, true);
	cr_assert(card_attached(&c, true));
	check_note(&c, NOTE_FIRST_ATTACH, 1, BOOT);
	cr_assert_eq(fixture_confirm(&c, 2), SW_NOT_FOUND);
	check_note(&c, NOTE_FIRST_ATTACH, 1, BOOT);
	cr_assert_eq(fixture_confirm(&c, 1), SW_OK);
	cr_assert_eq(fixture_data.len, 0);
	cr_assert(c.attached_once);
	cr_assert_eq(fixture_confirm(&c, 1), SW_NOT_FOUND, "it is confirmed already");
	card_power(&c, true);
	cr_assert(card_attached(&c, true));
	cr_assert_not(card_notification(&c, &n));
}

Test(card_life, a_confirmed_switch_is_for_good)
{
	struct card c = fixture_card();
	struct notification n;

	fixture_settle(&c);
	c.seq = 0xFFFF;
	enable(&c, A);
	cr_assert_eq(fixture_confirm(&c, 0), SW_NOT_FOUND, "nothing is said yet");
	cr_assert(card_attached(&c, true));
	check_note(&c, NOTE_CHANGE_OK, 0, A);
	card_power(&c, false);
	card_power(&c, true);
	cr_assert(card_attached(&c, true));
	check_note(&c, NOTE_CHANGE_OK, 0, A);
	cr_assert_eq(fixture_confirm(&c, 0), SW_OK);
	cr_assert_eq(fixture_data.len, 0);
	cr_assert_not(card_notification(&c, &n));
	cr_assert_not(card_unconfirmed(&c));
	cr_assert_eq(card_enabled(&c), A);
	cr_assert_eq(c.before, CARD_NONE);
	cr_assert_eq(c.switches, 1);
}

Test(card_life, not_confirmed_or_not_attached_it_rolls_back)
{
	for (int confirmed_at_all = 0; confirmed_at_all < 2; confirmed_at_all++) {
		struct card c = fixture_card();
		struct aid boot = fixture_aid(BOOT);

		fixture_settle(&c);
		c.profiles[BOOT].fallback = false; /* so that going back is no fall-back */
		c.profiles[B].fallback = true;
		c.profiles[BOOT].pol1 = POL1_DELETE_AFTER_DISABLE;
		enable(&c, A);
		cr_assert_eq(fixture_run(&c, isdr_delete_profile, &boot), SW_CONDITIONS, "it may be needed yet");
		if (confirmed_at_all) {
			cr_assert(card_attached(&c, true));
			check_note(&c, NOTE_CHANGE_OK, 2, A);
			cr_assert(card_unconfirmed(&c));
		} else {
			cr_assert_not(card_attached(&c, false));
		}
		cr_assert_eq(c.phase, CARD_ATTACHING);
		cr_assert_eq(card_enabled(&c), BOOT);
		cr_assert_eq(c.pending, 0);
		cr_assert(card_attached(&c, true));
		check_note(&c, NOTE_ROLLED_BACK, confirmed_at_all ? 3 : 2, BOOT);
		cr_assert_not(card_unconfirmed(&c), "it has arrived where it was");
		card_power(&c, true);
		cr_assert(card_attached(&c, true));
		cr_assert_eq(fixture_confirm(&c, c.seq), SW_OK);
		cr_assert_eq(fixture_data.len, 0, "POL1 deletes nothing after a roll-back");
		cr_assert_not_null(card_profile_of(&c, &boot));
	}
}

Test(card_life, what_cannot_roll_back_falls_back)
{
	struct card c = fixture_card();

	fixture_settle(&c);
	enable(&c, A);
	cr_assert(card_attached(&c, true));
	cr_assert_eq(fixture_confirm(&c, c.seq), SW_OK);
	c.profiles[A].pol1 = POL1_DELETE_AFTER_DISABLE;
	enable(&c, B);
	cr_assert_not(card_attached(&c, false));
	cr_assert_eq(card_enabled(&c), A);
	cr_assert_not(card_attached(&c, false));
	cr_assert_eq(card_enabled(&c), BOOT);
	cr_assert_not(card_attached(&c, false), "even there it must wait for a network");
	cr_assert_eq(card_enabled(&c), BOOT);
	cr_assert_eq(c.phase, CARD_ATTACHING);
	cr_assert(card_attached(&c, true));
	check_note(&c, NOTE_FALL_BACK, 3, BOOT);
	cr_assert_eq(fixture_confirm(&c, 3), SW_OK);
	cr_assert_eq(fixture_data.len, 0, "POL1 deletes nothing after a fall-back");
	cr_assert_eq(c.profiles[A].state, ISDP_DISABLED);
	cr_assert_eq(c.profiles[B].state, ISDP_DISABLED);
	cr_assert_eq(c.switches, 4);
}

Test(card_life, pol1_deletes_at_the_confirmation)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct aid aid_a = fixture_aid(A), boot = fixture_aid(BOOT), *gone;
	struct card c = fixture_card();

	fixture_settle(&c);
	c.profiles[BOOT].pol1 = c.profiles[A].pol1 = POL1_DELETE_AFTER_DISABLE;
	enable(&c, A);
	cr_assert(card_attached(&c, true));
	cr_assert_eq(fixture_confirm(&c, c.seq), SW_OK);
	cr_assert_eq(deleted(a, &gone), 0, "never the fall-back holder");
	cr_assert_not_null(card_profile_of(&c, &boot));
	cr_assert_eq(fixture_run(&c, isdr_disable_profile, &aid_a), SW_OK);
	card_refresh(&c);
	cr_assert(card_attached(&c, true));
	check_note(&c, NOTE_CHANGE_OK, c.seq, BOOT);
	cr_assert_not_null(card_profile_of(&c, &aid_a), "not before it is confirmed");
	cr_assert_eq(fixture_confirm(&c, c.seq), SW_OK);
	cr_assert_eq(deleted(a, &gone), 1);
	cr_assert(aid_equal(&gone[0], &aid_a));
	cr_assert(fixture_effects.changed);
	cr_assert_null(card_profile_of(&c, &aid_a));
	cr_assert_eq(c.remaining_memory, 70000);
	cr_assert_eq(fixture_confirm(&c, c.seq), SW_NOT_FOUND);
}

Test(card_life, loss_of_coverage_pins_what_may_not_be_disabled)
{
	struct aid aid_a = fixture_aid(A), aid_b = fixture_aid(B);
	struct card c = fixture_card();

	cr_assert_not(card_coverage_lost(&c), "it has no power");
	fixture_settle(&c);
	cr_assert_not(card_coverage_lost(&c), "the holder is enabled");
	enable(&c, A);
	cr_assert(card_attached(&c, true));
	cr_assert_eq(fixture_confirm(&c, c.seq), SW_OK);
	c.profiles[A].pol1 = POL1_NO_DISABLE | POL1_DELETE_AFTER_DISABLE;
	cr_assert(card_coverage_lost(&c));
	cr_assert_eq(c.phase, CARD_ATTACHING);
	cr_assert(card_attached(&c, true));
	check_note(&c, NOTE_FALL_BACK, 3, BOOT);
	cr_assert_eq(fixture_confirm(&c, 3), SW_OK);
	cr_assert_not_null(card_profile_of(&c, &aid_a));
	cr_assert_eq(fixture_run(&c, isdr_enable_profile, &aid_b), SW_POL1);
	enable(&c, A);
	cr_assert_not(card_attached(&c, false));
	cr_assert_eq(fixture_run(&c, isdr_enable_profile, &aid_b), SW_POL1, "still, until it is back for good");
	cr_assert(card_attached(&c, true));
	cr_assert_eq(fixture_confirm(&c, c.seq), SW_OK);
	enable(&c, A);
	cr_assert(card_attached(&c, true));
	cr_assert_eq(fixture_confirm(&c, c.seq), SW_OK);
	cr_assert_eq(c.pinned, CARD_NONE);
	cr_assert_eq(fixture_run(&c, isdr_enable_profile, &aid_b), SW_POL1, "now because it is enabled");
	c.profiles[A].pol1 = 0;
	cr_assert_eq(fixture_run(&c, isdr_enable_profile, &aid_b), SW_OK);
}

Test(card_life, coverage_lost_amid_a_switch_is_a_fall_back)
{
	struct card c = fixture_card();

	fixture_settle(&c);
	enable(&c, A);
	cr_assert(card_attached(&c, true));
	cr_assert(card_coverage_lost(&c));
	cr_assert_eq(c.before, CARD_NONE);
	cr_assert(card_attached(&c, true));
	check_note(&c, NOTE_FALL_BACK, 3, BOOT);
	cr_assert_eq(fixture_confirm(&c, 2), SW_NOT_FOUND, "the switch is history");
	cr_assert_not(card_unconfirmed(&c));
	cr_assert_eq(card_enabled(&c), BOOT);
}

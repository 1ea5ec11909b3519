/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/card_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

struct buf fixture_data;
struct card_effects fixture_effects;

struct aid fixture_aid(unsigned profile)
{
	return aid_isdp(0x10 + profile);
}

struct card fixture_card(void)
{
	struct card c = { .memory = 100000, .remaining_memory = 60000, .before = CARD_NONE, .pinned = CARD_NONE };

	cr_assert(eid_complete("890010120123412340123456789012", &c.eid));
	for (unsigned i = 0; i < FIXTURE_PROFILES; i++)
		c.profiles[i] = (struct card_profile){ .aid = fixture_aid(i), .state = ISDP_DISABLED, .memory = 10000 };
	c.profiles[BOOT].state = ISDP_ENABLED;
	c.profiles[BOOT].fallback = true;
	c.profiles[BARE].state = ISDP_PERSONALIZED;
	for (uint8_t i = 0; i < 2; i++) {
		c.keys[i] = (struct card_key){ .version = 1, .index = (uint8_t)(i + 1), .type = 0x88 };
		memset(c.keys[i].value, 0x11 * (i + 1), CARD_KEY_LEN);
	}
	return c;
}

uint16_t fixture_execute(struct card *c, const void *capdu, size_t n)
{
	buf_clear(&fixture_data);
	fixture_effects = (struct card_effects){ 0 };
	return card_execute(c, (struct bytes){ capdu, n }, &fixture_data, &fixture_effects);
}

uint16_t fixture_run(struct card *c, isdr_build *build, const struct aid *isdp)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };

	build(&capdu, isdp);
	return fixture_execute(c, capdu.data, capdu.len);
}

uint16_t fixture_confirm(struct card *c, uint16_t seq)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };

	isdr_confirm_notification(&capdu, seq);
	return fixture_execute(c, capdu.data, capdu.len);
}

void fixture_settle(struct card *c)
{
	card_power(c, true);
	cr_assert(card_attached(c, true));
	cr_assert_eq(fixture_confirm(c, c->seq), SW_OK);
	cr_assert_eq(c->pending, 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Secured SMS: which are taken, which are met with silence; and what a test may make go wrong. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "services/euicc-sim/hook.h"
#include "tests/unit/services/card_fixture.h"

static const uint8_t body[] = { 0x81, 0x00 };

/* What the SM-SR sends. */
static struct scp80_command command_of(uint8_t spi2, uint64_t counter)
{
	return (struct scp80_command){
		.spi1 = SPI_CC_CIPHER_HIGHER, .spi2 = spi2, .tar = { 0, 0, 1 }, .counter = counter, .data = { body, sizeof(body) }
	};
}

struct world {
	struct arena *a;
	struct card card;
	uint8_t kic[16], kid[16];
	struct scp80_keys keys;
	struct scp80_command got;
	struct buf packet, por;
	const char *why;
};

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->a = arena_new();
	w->card = fixture_card();
	memset(w->kic, 0x11, sizeof(w->kic));
	memset(w->kid, 0x22, sizeof(w->kid));
	w->keys = (struct scp80_keys){ 1, w->kic, w->kid };
}

static void close_world(struct world *w)
{
	arena_free(w->a);
	buf_free(&w->packet);
	buf_free(&w->por);
}

static bool deliver(struct world *w, const struct scp80_command *command)
{
	buf_clear(&w->packet);
	buf_clear(&w->por);
	w->why = NULL;
	cr_assert(scp80_command_build(&w->keys, command, &w->packet));
	return card_sms(&w->card, w->a, (struct bytes){ (const uint8_t *)w->packet.data, w->packet.len }, &w->got, &w->por,
			&w->why);
}

static void check_por(struct world *w, const struct scp80_command *command, uint8_t status, bool is_protected)
{
	struct scp80_por por;

	cr_assert_gt(w->por.len, 0);
	cr_assert_eq(
		scp80_por_open(w->a, &w->keys, command->spi2, (struct bytes){ (const uint8_t *)w->por.data, w->por.len }, &por),
		SCP80_GOOD);
	cr_assert_eq(por.status, status);
	cr_assert_eq(por.counter, command->counter);
	cr_assert_eq(por.is_protected, is_protected);
}

static void check_silence(struct world *w, const struct scp80_command *command, const char *why)
{
	struct card was = w->card;

	cr_assert_not(deliver(w, command), "%s", why);
	cr_assert_str_eq(w->why, why);
	cr_assert_eq(w->por.len, 0, "%s", why);
	cr_assert_eq(memcmp(&was, &w->card, sizeof(was)), 0, "%s: it left a trace", why);
}

Test(card_sms, only_a_higher_counter_is_taken)
{
	CLEANUP(close_world) struct world w;
	struct scp80_command c = command_of(SPI_POR_SECURED, 5);

	open_world(&w);
	cr_assert(deliver(&w, &c), "%s", w.why ? w.why : "?");
	cr_assert_eq(w.got.data.len, sizeof(body));
	cr_assert_arr_eq(w.got.data.data, body, sizeof(body));
	check_por(&w, &c, POR_OK, true);
	check_silence(&w, &c, "counter not higher than the last one");
	c.counter = 4;
	check_silence(&w, &c, "counter not higher than the last one");
	c.counter = 6;
	cr_assert(deliver(&w, &c));
	c.counter = SCP80_COUNTER_MAX;
	cr_assert(deliver(&w, &c));
	check_silence(&w, &c, "counter not higher than the last one");
}

Test(card_sms, a_tar_is_a_security_domain_that_there_is)
{
	CLEANUP(close_world) struct world w;
	struct scp80_command c = command_of(SPI_POR_SECURED, 5);
	struct aid target;

	open_world(&w);
	cr_assert(deliver(&w, &c) && card_sms_target(&w.card, &w.got, &target));
	cr_assert(aid_equal(&target, &AID_ISDR));
	w.card.profiles[0].aid = aid_isdp(0x0123);
	memcpy(c.tar, "\x00\x01\x23", SCP80_TAR);
	c.counter++;
	cr_assert(deliver(&w, &c) && card_sms_target(&w.card, &w.got, &target));
	cr_assert(aid_equal(&target, &w.card.profiles[0].aid));
	check_por(&w, &c, POR_OK, true);
	c.tar[2]++;
	c.counter++;
	cr_assert_not(deliver(&w, &c));
	cr_assert_str_eq(w.why, "unknown TAR");
	check_por(&w, &c, POR_TAR_UNKNOWN, true);
}

Test(card_sms, silence_for_what_proves_nothing)
{
	CLEANUP(close_world) struct world w;
	struct scp80_command c = command_of(SPI_POR_SECURED, 5);

	open_world(&w);
	w.kid[0] ^= 1;
	check_silence(&w, &c, "wrong CC");
	w.kid[0] ^= 1;
	w.keys.kvn = 2;
	check_silence(&w, &c, "no such key set");
	w.keys.kvn = 1;
	c.spi1 = SPI_CC_ONLY;
	check_silence(&w, &c, "security level too low");
	cr_assert_not(card_sms(&w.card, w.a, (struct bytes){ body, sizeof(body) }, &w.got, &w.por, &w.why));
	cr_assert_str_eq(w.why, "not a command packet");
	cr_assert_eq(w.por.len, 0);
	c = command_of(SPI_POR_SECURED, 5);
	cr_assert(deliver(&w, &c), "none of this took the counter");
}

Test(card_sms, the_por_is_what_spi2_asks_for)
{
	CLEANUP(close_world) struct world w;
	static const uint8_t answer[] = { 0xAB, 0x07, 0x80, 0x01, 0x01, 0x23, 0x02, 0x90, 0x00 };
	struct scp80_command c = command_of(SPI_POR_NONE, 1);
	struct scp80_por por;

	open_world(&w);
	cr_assert(deliver(&w, &c));
	cr_assert_eq(w.por.len, 0);
	cr_assert_not(card_sms_answer(&w.card, &w.got, (struct bytes){ answer, sizeof(answer) }, &w.por));
	c = command_of(SPI_POR_PLAIN, 2);
	cr_assert(deliver(&w, &c));
	check_por(&w, &c, POR_OK, false);
	c = command_of(SPI_POR_SECURED, 3);
	c.tar[0] = 0xEE;
	cr_assert_not(deliver(&w, &c));
	cr_assert_str_eq(w.why, "unknown TAR");
	check_por(&w, &c, POR_TAR_UNKNOWN, true);
	c = command_of(SPI_POR_SECURED, 4);
	memcpy(c.tar, (const uint8_t[]){ 0xB2, 0x01, 0x00 }, SCP80_TAR);
	cr_assert(deliver(&w, &c));
	buf_clear(&w.por);
	cr_assert(card_sms_answer(&w.card, &w.got, (struct bytes){ answer, sizeof(answer) }, &w.por));
	check_por(&w, &c, POR_OK, true);
	cr_assert_eq(scp80_por_open(w.a, &w.keys, c.spi2, (struct bytes){ (const uint8_t *)w.por.data, w.por.len }, &por),
		     SCP80_GOOD);
	cr_assert_eq(por.data.len, sizeof(answer));
	cr_assert_arr_eq(por.data.data, answer, sizeof(answer));
}

Test(card_sms, a_notification_is_a_packet_without_counter)
{
	CLEANUP(close_world) struct world w;
	CLEANUP(buf_free) struct buf e1 = { 0 };
	struct notification n;

	open_world(&w);
	card_power(&w.card, true);
	cr_assert(card_attached(&w.card, true));
	cr_assert(card_notification(&w.card, &n));
	notification_build(&e1, &n, NOTE_AID_TAG);
	cr_assert(card_sms_notification(&w.card, (struct bytes){ (const uint8_t *)e1.data, e1.len }, &w.packet));
	cr_assert_eq(scp80_command_open(w.a, &w.keys, (struct bytes){ (const uint8_t *)w.packet.data, w.packet.len }, &w.got),
		     SCP80_GOOD);
	cr_assert_eq(w.got.counter, 0);
	cr_assert_eq(w.got.spi1, SPI_CC_ONLY);
	cr_assert_eq(w.got.data.len, e1.len);
	memset(w.card.keys, 0, sizeof(w.card.keys));
	cr_assert_not(card_sms_notification(&w.card, (struct bytes){ body, sizeof(body) }, &w.packet));
}

Test(hook, strikes_whom_it_was_armed_for_and_counts_down)
{
	struct hooks *h = hooks_new();
	struct eid one, other;
	const char *argument = NULL;

	cr_assert(eid_complete("890010120123412340123456789012", &one));
	cr_assert(eid_complete("890010120123412340123456789013", &other));
	cr_assert_not(hook_strikes(h, HOOK_DROP_SMS, &one, NULL));
	hook_arm(h, HOOK_DROP_SMS, &one, 2, "");
	hook_arm(h, HOOK_DROP_SMS, NULL, 1, "");
	cr_assert(hook_strikes(h, HOOK_DROP_SMS, &one, NULL));
	cr_assert(hook_strikes(h, HOOK_DROP_SMS, &one, NULL));
	cr_assert(hook_strikes(h, HOOK_DROP_SMS, &other, NULL), "every card's is not used up");
	cr_assert_not(hook_strikes(h, HOOK_DROP_SMS, &one, NULL));
	hook_arm(h, HOOK_DELAY_SMS, NULL, 1, "250");
	cr_assert_not(hook_strikes(h, HOOK_DROP_SMS, &one, NULL));
	cr_assert(hook_strikes(h, HOOK_DELAY_SMS, &one, &argument));
	cr_assert_str_eq(argument, "250");
	hook_arm(h, HOOK_POWER_CUT, &one, 1, "after-script");
	cr_assert_not(hook_strikes_at(h, HOOK_POWER_CUT, &one, "before-script"));
	cr_assert(hook_strikes_at(h, HOOK_POWER_CUT, &one, "after-script"));
	cr_assert_not(hook_strikes_at(h, HOOK_POWER_CUT, &one, "after-script"));
	hook_arm(h, HOOK_REFUSE_ATTACH, &one, 0, "8901");
	hook_arm(h, HOOK_REFUSE_ATTACH, &one, 0, "8902");
	for (int i = 0; i < 3; i++) {
		cr_assert(hook_strikes_at(h, HOOK_REFUSE_ATTACH, &one, "8901"));
		cr_assert(hook_strikes_at(h, HOOK_REFUSE_ATTACH, &one, "8902"));
		cr_assert_not(hook_strikes_at(h, HOOK_REFUSE_ATTACH, &one, "8903"));
	}
	hook_clear(h, HOOK_REFUSE_ATTACH, &one);
	cr_assert_not(hook_strikes(h, HOOK_REFUSE_ATTACH, &one, NULL));
	hook_arm(h, HOOK_REFUSE_ATTACH, &one, 0, "");
	cr_assert(hook_strikes_at(h, HOOK_REFUSE_ATTACH, &one, "8903"));
	hooks_free(h);
}

/* How often of n times. */
static unsigned struck(const char *argument, unsigned n, uint64_t *out_which)
{
	struct hooks *h = hooks_new();
	struct eid eid;
	unsigned times = 0;

	cr_assert(eid_complete("890010120123412340123456789012", &eid));
	hook_arm(h, HOOK_LOSE_SMS, &eid, 0, argument);
	*out_which = 0;
	for (unsigned i = 0; i < n; i++) {
		bool strikes = hook_chance(h, HOOK_LOSE_SMS, &eid);

		times += strikes;
		*out_which = *out_which << 1 | strikes;
	}
	hooks_free(h);
	return times;
}

Test(hook, by_chance_it_strikes_as_often_as_it_says_and_repeats_itself)
{
	static const char *const bad[] = { "", "x", "101", "5:", "5:x", ":1", "5:1:2", "-5", "5 ", "1000", "5:1234567890" };
	uint64_t one, same, other;
	struct hooks *h = hooks_new();
	struct eid eid;

	for (size_t i = 0; i < LEN(bad); i++)
		cr_expect_not(hook_chance_good(bad[i]), "%s", bad[i]);
	cr_assert(hook_chance_good("5") && hook_chance_good("100:0") && hook_chance_good("0:999999999"));
	cr_assert_eq(struck("0:3", 1000, &one), 0);
	cr_assert_eq(struck("100:3", 1000, &one), 1000);
	cr_assert(struck("5:3", 10000, &one) > 400 && struck("5:3", 10000, &one) < 600);
	(void)struck("50:7", 64, &one);
	(void)struck("50:7", 64, &same);
	(void)struck("50:8", 64, &other);
	cr_assert_eq(one, same);
	cr_assert_neq(one, other);
	/* So many strikes, and it is over. */
	cr_assert(eid_complete("890010120123412340123456789012", &eid));
	hook_arm(h, HOOK_REORDER_SMS, &eid, 2, "100");
	cr_assert(hook_chance(h, HOOK_REORDER_SMS, &eid) && hook_chance(h, HOOK_REORDER_SMS, &eid));
	cr_assert_not(hook_chance(h, HOOK_REORDER_SMS, &eid));
	hooks_free(h);
}

Test(hook, has_names_and_a_list)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct hooks *h = hooks_new();
	enum hook_kind k;
	struct eid eid;
	json_t *list, *o;

	for (unsigned i = 0; i < HOOK_COUNT; i++) {
		cr_assert(hook_parse(hook_name((enum hook_kind)i), &k));
		cr_assert_eq((unsigned)k, i);
	}
	cr_assert_not(hook_parse("no-such-hook", &k));
	cr_assert(eid_complete("890010120123412340123456789012", &eid));
	hook_arm(h, HOOK_WRONG_PSK, &eid, 3, "a \"quoted\" one");
	hook_arm(h, HOOK_WRONG_PSK, &eid, 2, "a \"quoted\" one");
	hook_arm(h, HOOK_DROP_POR, NULL, 0, "");
	hooks_json(h, &text);
	list = json_loadb(text.data, text.len, 0, NULL);
	cr_assert_eq(json_array_size(list), 2, "armed anew it replaces what was");
	o = json_array_get(list, 0);
	cr_assert_str_eq(json_string_value(json_object_get(o, "hook")), "wrong-psk");
	cr_assert_str_eq(json_string_value(json_object_get(o, "eid")), eid.text);
	cr_assert_eq(json_integer_value(json_object_get(o, "times")), 2);
	cr_assert_str_eq(json_string_value(json_object_get(o, "argument")), "a \"quoted\" one");
	cr_assert(json_is_null(json_object_get(json_array_get(list, 1), "eid")));
	json_decref(list);
	hooks_free(h);
}

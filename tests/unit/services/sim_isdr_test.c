/* SPDX-License-Identifier: Apache-2.0 */
/* A card that a new SM-SR has sent elsewhere: where its sessions and SMS go then, and by which key. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/card/isdr_handover.h"
#include "common/card/script.h"
#include "services/euicc-sim/card_internal.h"
#include "tests/unit/services/sim_fixture.h"

enum { NEW_HTTPS = 0x41, DEAD_PORT = 1 };

static bool confirmed(struct sim_test *t)
{
	const struct holder *h = sim_test_card(t, 0);

	return h->card->phase == CARD_IDLE && h->card->attached_once && !h->session;
}

static bool answered(struct sim_test *t)
{
	return t->smsr.n_answers > 0;
}

static uint16_t addressed(struct sim_test *t, const struct isdr_addressing *p)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };
	CLEANUP(buf_free) struct buf script = { 0 };
	CLEANUP(buf_free) struct buf answer = { 0 };
	struct script_answer read;
	struct bytes apdu;
	bool refresh = false;
	const char *why;

	cr_assert(isdr_addressing_build(&capdu, p));
	apdu = (struct bytes){ (const uint8_t *)capdu.data, capdu.len };
	script_build(&script, SCRIPT_DEFINITE, &apdu, 1);
	cr_assert(script_run(sim_test_card(t, 0), 1, &AID_ISDR, (struct bytes){ (const uint8_t *)script.data, script.len }, &answer,
			     &refresh));
	cr_assert(script_answer_parse((struct bytes){ (const uint8_t *)answer.data, answer.len }, &read, &why), "%s", why);
	cr_assert(read.n == 1 && !refresh);
	return read.results[0].sw;
}

/* The key that the SM-SR of the fixture knows under this version; the old one is no more. */
static void change_key(struct card *c)
{
	for (size_t i = 0; i < CARD_KEYS; i++) {
		if (c->keys[i].version != 64)
			continue;
		c->keys[i].version = NEW_HTTPS;
		memset(c->keys[i].value, 1 + NEW_HTTPS * 7 + 1, CARD_KEY_LEN);
	}
}

Test(sim_isdr, a_card_goes_where_it_was_sent_with_the_key_that_was_said)
{
	struct isdr_addressing p = { .number = "88390", .has_http = true };
	struct sim_test t;
	struct goal goal;
	struct holder *h;

	sim_test_make(&t, true);
	t.smsr.confirms[NOTE_FIRST_ATTACH] = true;
	sim_test_start(&t);
	h = sim_test_card(&t, 0);
	life_power(h, true);
	cr_assert(sim_test_until(&t, confirmed));
	goal_default(h, &goal);
	p.http = (struct ram_trigger){
		.address = 0x7F000001, .port = goal.port, .kvn = NEW_HTTPS, .key_id = 1, .uri = { (const uint8_t *)"/home", 5 }
	};
	cr_assert_eq(addressed(&t, &p), SW_OK);
	change_key(h->card);
	t.config.smsr_port = DEAD_PORT;
	goal_default(h, &goal);
	cr_assert_str_eq(goal.host, "127.0.0.1");
	cr_assert_str_eq(goal.uri, "/home");
	cr_assert(goal.port == p.http.port && goal.kvn == NEW_HTTPS);
	isdr_get_resources(&t.smsr.script);
	sim_test_bind(&t, "secret12");
	sim_test_trigger(&t);
	cr_assert(sim_test_until(&t, answered));
	cr_assert_eq(t.smsr.last_sw, SW_OK);
	sim_test_restart(&t);
	goal_default(sim_test_card(&t, 0), &goal);
	cr_assert(goal.port == p.http.port && goal.kvn == NEW_HTTPS, "a restart knows it as well");
	sim_test_end(&t);
}

static bool notified(struct sim_test *t)
{
	return t->esme.packet.len > 0;
}

/* The ESME of the fixture takes only what is for its number. */
Test(sim_isdr, sms_of_the_card_go_to_the_number_that_was_said)
{
	const struct isdr_addressing p = { .number = "+88390" };
	struct sim_test t;

	sim_test_make(&t, false);
	t.config.smsr_number = "1";
	sim_test_start(&t);
	cr_assert_eq(addressed(&t, &p), SW_OK);
	sim_test_bind(&t, "secret12");
	life_power(sim_test_card(&t, 0), true);
	cr_assert(sim_test_until(&t, notified));
	sim_test_end(&t);
}

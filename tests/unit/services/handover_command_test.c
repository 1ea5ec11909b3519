/* SPDX-License-Identifier: Apache-2.0 */
/* What an SM-SR change has a card execute: the whole way, by SMS and over HTTPS, with answers lost and steps asked twice; and what is
 * refused, or nobody answers. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "tests/unit/services/handover_card.h"

#define CERTIFICATE(hex) ",\"command\":\"establish_certificate\",\"apdu\":\"" hex "\""
#define PUT_KEY ",\"command\":\"put_key\",\"secured\":2,\"kvn\":65"
#define ADDRESSING ",\"command\":\"addressing\",\"secured\":2"
#define FINALISE ",\"command\":\"finalise\",\"secured\":2,\"keep\":[2,65]"
#define FINALISE_SMS ",\"command\":\"finalise\",\"secured\":2,\"keep\":[2]"
#define AUDIT ",\"command\":\"audit\""
#define IS(member, value) cr_assert_str_eq(change_outcome(w, member), value)

static struct change *w;

static void refused(result r, enum code code)
{
	cr_assert(r != OK && r->status == STATUS_FAILED);
	cr_assert_eq(r->code, code, "%s", status_code(r->code)->name);
}

/* ---- SM-SR2's side of the agreement, as its sm-sr-handover has it ---- */

static const char *members_with(const char *command, const struct buf *capdu)
{
	return arena_printf(w->s->a, ",\"command\":\"%s\",\"apdu\":\"%s\"", command,
			    hex_text(w->s->a, (const uint8_t *)capdu->data, capdu->len));
}

static const char *certificate_members(void)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };

	cr_assert(ka_certificate_build(&capdu, download_cert(&w->d, w->d.ci, GP_ROLE_SM_SR)));
	return members_with("establish_certificate", &capdu);
}

/* The data of the newest outcome. */
static void outcome_data(struct buf *out)
{
	const char *hex = change_outcome(w, "data");
	uint8_t *raw = arena_alloc(w->s->a, strlen(hex) / 2);

	cr_assert(hex_decode(hex, strlen(hex), raw));
	buf_clear(out);
	buf_add(out, raw, strlen(hex) / 2);
}

static const char *request_members(void)
{
	CLEANUP(buf_free) struct buf data = { 0 };
	CLEANUP(buf_free) struct buf capdu = { 0 };
	uint8_t point[P256_POINT];
	struct isdr_offer offer;
	struct bytes rc;

	outcome_data(&data);
	cr_assert(ka_challenge_parse((struct bytes){ (const uint8_t *)data.data, data.len }, &rc));
	cr_assert(isdr_agreement_start(&w->d.host, NEW, NEW_COUNTER, 0, (struct bytes){ 0 }));
	cr_assert(isdr_agreement_offer(&w->d.host, rc, w->d.dp, w->s->a, &offer));
	ec_key_public(w->d.dp, point);
	cr_assert_eq(isdr_agreement_request(&offer, NULL, rc, point, &capdu), KA_GOOD);
	return members_with("establish_request", &capdu);
}

/* ---- one step ---- */

/* Asked twice while it runs and once after its end: it goes to the card once, and its outcome is told again, the same. */
static void step(const char *name, const char *members, enum loss loss, const char *outcome)
{
	int64_t before = change_outcomes(w);
	const char *told;

	cr_assert_eq(change_ask(w, HANDOVER, name, members), OK);
	cr_assert_eq(change_ask(w, HANDOVER, name, members), OK);
	cr_assert_eq(look(w->s).open_commands, 1);
	cr_assert_eq(change_outcomes(w), before);
	cr_assert(change_go(w, loss));
	if (loss == NEVER_SENT && change_outcomes(w) == before) /* nothing reached the card: the same once more */
		cr_assert(change_go(w, NOTHING_LOST));
	cr_assert_eq(change_outcomes(w), before + 1);
	IS("outcome", outcome);
	IS("step", name);
	IS("handover", HANDOVER);
	IS("eid", w->s->eid.text);
	told = outbox_body_of(w->s, "outcome");
	cr_assert_eq(change_ask(w, HANDOVER, name, members), OK);
	cr_assert_eq(change_outcomes(w), before + 2);
	cr_assert_str_eq(outbox_body_of(w->s, "outcome"), told);
}

/* With its answer lost it is silent, whatever the card has done; asked as a new step it is answered. */
static void through(const char *name, const char *members, enum loss loss)
{
	if (loss == ANSWER_LOST) {
		step(arena_printf(w->s->a, "%s/1", name), members, loss, "silent");
		IS("code", "1.6/5.4");
		loss = NOTHING_LOST;
	}
	step(arena_printf(w->s->a, "%s/2", name), members, loss, "answered");
	IS("code", "");
	IS("sw", "9000");
}

/* ---- the whole way ---- */

static void establish(enum loss loss)
{
	CLEANUP(buf_free) struct buf data = { 0 };

	through("certificate", certificate_members(), loss);
	if (loss == ANSWER_LOST) {
		/* The card has KS2, and nobody knows it: it gives way to the next. */
		step("request/1", request_members(), loss, "silent");
		cr_assert_eq(change_card_keys(w, NEW), 3);
		step("certificate/3", certificate_members(), NOTHING_LOST, "answered");
	}
	step("request/2", request_members(), loss == NEVER_SENT ? loss : NOTHING_LOST, "answered");
	outcome_data(&w->d.out);
	cr_assert_eq(download_finish(&w->d), KA_GOOD);
	cr_assert(w->d.keys.kvn == NEW && change_card_keys(w, OLD) == 3);
	/* The lock stays: drop or unlock is another request. */
	cr_assert_eq(look(w->s).busy, 1);
	cr_assert_eq(look(w->s).open_commands, 0);
}

static void keys_here(struct scp81_keys *out)
{
	struct held_keys held;
	const struct rows *rows;

	held_keys_queue(w->s->db, &w->s->eid);
	cr_assert_eq(db_sync(w->s->db, w->s->a, &rows, 1, NULL), OK);
	held_keys_take(w->s->a, rows, &held);
	cr_assert(scp81_keys_open(&w->s->smsr, &w->s->eid, &held, NEW_HTTPS, out));
}

static void keys_are_the_cards(void)
{
	CLEANUP(scp81_keys_wipe) struct scp81_keys k = { 0 };

	keys_here(&k);
	cr_assert_arr_eq(card_key_of(w->d.c, NEW_HTTPS, 1)->value, k.psk, sizeof(k.psk));
	cr_assert_arr_eq(card_key_of(w->d.c, NEW_HTTPS, 2)->value, k.dek, sizeof(k.dek));
}

static void take_over_https(enum loss loss)
{
	cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0");
	cr_assert_not(change_psk(w, OLD_HTTPS), "a key of SM-SR1");
	if (loss == ANSWER_LOST) {
		CLEANUP(buf_free) struct buf first = { 0 };

		step("key/1", PUT_KEY, loss, "silent");
		keys_are_the_cards();
		cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0 65:1:2");
		cr_assert_not(change_psk(w, NEW_HTTPS), "the card has not said that it has it");
		buf_add(&first, w->script.data, w->script.len);
		step("key/2", PUT_KEY, NOTHING_LOST, "answered");
		cr_assert(first.len == w->script.len && !memcmp(first.data, w->script.data, first.len), "the same keys");
	} else {
		step("key/2", PUT_KEY, loss, "answered");
	}
	keys_are_the_cards();
	cr_assert(change_psk(w, NEW_HTTPS));
	cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0 65:2:2");
	/* Asked under another name once it is there: it is, and the card is left alone. */
	cr_assert_eq(change_ask(w, HANDOVER, "key/3", PUT_KEY), OK);
	IS("step", "key/3");
	IS("outcome", "answered");
	cr_assert_not(change_go(w, NOTHING_LOST));
	through("addressing", ADDRESSING, loss);
	cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0 65:0:2");
	cr_assert(w->d.c->home.address == 0x7F000001 && w->d.c->home.port == 4433 && w->d.c->home.kvn == NEW_HTTPS &&
		  w->d.c->home.scp80 == NEW);
	cr_assert_str_eq(w->d.c->home.uri, "/es5");
	cr_assert_str_eq(w->d.c->home.number, "88390");
}

static void take_over(bool https, enum loss loss)
{
	unsigned sessions;

	change_at_sr2(w, https);
	download_reload(&w->d); /* a power cut behind each step changes nothing */
	if (https)
		take_over_https(loss);
	else
		through("addressing", ADDRESSING, loss);
	download_reload(&w->d);
	through("finalise", https ? FINALISE : FINALISE_SMS, loss);
	cr_assert_str_eq(change_keysets(w), https ? "2:0:3 65:0:2" : "2:0:3");
	cr_assert(change_card_keys(w, OLD) == 0 && change_card_keys(w, OLD_HTTPS) == 0 && change_card_keys(w, NEW) == 3);
	cr_assert_eq(change_card_keys(w, NEW_HTTPS), https ? 2 : 0);
	download_reload(&w->d);
	sessions = w->sessions;
	cr_assert_eq(change_ask(w, HANDOVER, "audit", AUDIT), OK);
	cr_assert(look(w->s).profiles == 2 || loss != NOTHING_LOST);
	cr_assert(change_go(w, NOTHING_LOST));
	IS("step", "audit");
	IS("outcome", "answered");
	cr_assert_eq(w->sessions - sessions, https ? 1 : 0);
	cr_assert_eq(look(w->s).profiles, 1, "the EIS follows the card, which has one");
	cr_assert_not(look(w->s).uncertain);
	cr_assert_eq(look(w->s).busy, 0);
	cr_assert_eq(look(w->s).open_commands, 0);
}

static void the_whole_way(bool https, enum loss loss)
{
	change_at_sr1(w, https);
	establish(loss);
	cr_assert_eq(w->sessions > 0, https);
	take_over(https, loss);
	w->sessions = 0;
}

static void by_https_and_sms(void)
{
	for (enum loss loss = NOTHING_LOST; loss <= NEVER_SENT; loss++)
		the_whole_way(true, loss);
}

static void by_sms_alone(void)
{
	for (enum loss loss = NOTHING_LOST; loss <= NEVER_SENT; loss++)
		the_whole_way(false, loss);
}

/* A full trigger names the new key. */
static void the_trigger_names_the_new_key(void)
{
	change_at_sr1(w, true);
	establish(NOTHING_LOST);
	change_at_sr2(w, true);
	take_over_https(NOTHING_LOST);
	w->s->config.trigger_form = "full";
	cr_assert_eq(change_ask(w, HANDOVER, "audit", AUDIT), OK);
	cr_assert(change_go(w, NOTHING_LOST));
	cr_assert(!w->trigger.stored && w->trigger.kvn == NEW_HTTPS && w->trigger.key_id == 1 && w->trigger.port == 4433);
	IS("outcome", "answered");
	w->s->config.trigger_form = "stored";
}

/* ---- at SM-SR1 ---- */

static void only_under_the_lock(void)
{
	const char *other = "00000000-0000-4000-8000-000000000001", *members;

	change_at_sr1(w, true);
	members = certificate_members();
	refused(change_ask(w, other, "a", members), CODE_SMSR_CHANGE_ENDED);
	refused(change_ask(w, HANDOVER, "a", AUDIT), CODE_SMSR_CHANGE_ENDED);
	cr_assert_eq(change_ask(w, HANDOVER, "a", members), OK);
	refused(change_ask(w, HANDOVER, "b", members), CODE_BUSY);
	refused(ask_enable(w->s, OTHER), CODE_BUSY);
	cr_assert(change_go(w, NOTHING_LOST));
	IS("outcome", "answered");
	change_unlock(w);
	refused(change_ask(w, HANDOVER, "b", members), CODE_SMSR_CHANGE_ENDED);
	cr_assert_eq(change_ask(w, HANDOVER, "a", members), OK, "what was done is told again");
	cr_assert_eq(change_outcomes(w), 2);
}

static void what_cannot_be_read(void)
{
	static const char *const bad[] = {
		",\"command\":\"reset\"",
		"",
		",\"command\":\"establish_certificate\"",
		CERTIFICATE(""),
		CERTIFICATE("80E2"),
		CERTIFICATE("80F24002044F005C00"), /* another command */
		CERTIFICATE("80E2890107"
			    "3A0204A6029000"), /* 3A02 where 3A01 is meant */
		",\"command\":\"put_key\",\"secured\":2",
		",\"command\":\"put_key\",\"secured\":2,\"kvn\":63",
		",\"command\":\"put_key\",\"secured\":1,\"kvn\":65", /* whose keys are SM-SR1's */
		",\"command\":\"put_key\",\"secured\":3,\"kvn\":65",
		",\"command\":\"put_key\",\"secured\":2,\"kvn\":64",    /* listed, and SM-SR1's */
		",\"command\":\"addressing\",\"secured\":2,\"kvn\":65", /* there is none yet */
		",\"command\":\"finalise\",\"secured\":2",
		",\"command\":\"finalise\",\"secured\":2,\"keep\":[]",
		",\"command\":\"finalise\",\"secured\":2,\"keep\":[2,1]",
		",\"command\":\"finalise\",\"secured\":2,\"keep\":[\"2\"]",
		",\"command\":\"finalise\",\"secured\":2,\"keep\":[2,65]",
	};

	memset(&w->d.keys, 0x5A, sizeof(w->d.keys));
	change_at_sr2(w, true);
	for (size_t i = 0; i < LEN(bad); i++)
		refused(change_ask(w, HANDOVER, "a", bad[i]), CODE_PARAM_INVALID);
	cr_assert_eq(look(w->s).open_commands + look(w->s).busy + change_outcomes(w), 0);
	cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0");
}

static void its_time_is_over(void)
{
	struct look l;

	change_at_sr1(w, true);
	cr_assert_eq(change_ask(w, HANDOVER, "a", certificate_members()), OK);
	change_overdue(w);
	IS("outcome", "refused");
	IS("code", "1.6/5.3");
	l = look(w->s);
	cr_assert(l.busy == 1 && l.open_commands == 0 && !l.uncertain);
	cr_assert_not(change_go(w, NOTHING_LOST));
	/* And when the card has taken it. */
	cr_assert_eq(change_ask(w, HANDOVER, "b", certificate_members()), OK);
	DB_QUEUE(w->s->db, SMSR_COMMAND_FETCHED, p_text(w->s->eid.text), p_int(w->s->a, 0),
		 p_int(w->s->a, COMMAND_ISDR_CERTIFICATE), p_null(), p_null());
	cr_assert_eq(db_sync(w->s->db, w->s->a, NULL, 0, NULL), OK);
	change_overdue(w);
	IS("outcome", "silent");
	IS("code", "1.6/5.4");
	l = look(w->s);
	cr_assert(l.busy == 1 && l.uncertain);
}

static void an_uncertain_card_is_audited_first(void)
{
	change_at_sr1(w, true);
	change_uncertain(w);
	cr_assert_eq(change_ask(w, HANDOVER, "a", certificate_members()), OK);
	cr_assert(change_go(w, NOTHING_LOST));
	IS("outcome", "answered");
	cr_assert(!look(w->s).uncertain && look(w->s).profiles == 1);
}

static void the_card_refuses(void)
{
	CLEANUP(ec_key_freep) struct ec_key *other = ec_key_new();
	CLEANUP(buf_free) struct buf capdu = { 0 };

	change_at_sr1(w, false);
	cr_assert(ka_certificate_build(&capdu, download_cert(&w->d, other, GP_ROLE_SM_SR)));
	step("a", members_with("establish_certificate", &capdu), NOTHING_LOST, "refused");
	IS("code", "8.4/4.2");
	IS("sw", "6982");
	cr_assert_eq(look(w->s).busy, 1);
	cr_assert_not(look(w->s).uncertain);
}

/* ---- at SM-SR2 ---- */

/* The card's key sets are there, its SM-SR2 has them. */
static void adopted(bool https)
{
	change_at_sr1(w, https);
	establish(NOTHING_LOST);
	change_at_sr2(w, https);
}

static void only_who_brought_it(void)
{
	const char *other = "00000000-0000-4000-8000-000000000001";

	adopted(true);
	refused(change_ask(w, other, "a", AUDIT), CODE_SMSR_CHANGE_ENDED);
	refused(change_ask(w, other, "a", PUT_KEY), CODE_SMSR_CHANGE_ENDED);
	cr_assert_eq(look(w->s).open_commands + look(w->s).busy, 0);
	cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0");
}

static void put_key_is_refused(void)
{
	adopted(true);
	w->d.keys.dek[0] ^= 1; /* what the card has is another DEK */
	change_at_sr2(w, true);
	step("key", PUT_KEY, NOTHING_LOST, "refused");
	IS("sw", "6A80");
	cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0", "keys that nobody has are kept nowhere");
	cr_assert_eq(look(w->s).busy, 0);
}

/* Check values count, not the status word: "there already" is a success after an answer that was lost, 9000 for other keys is none. */
static void the_check_values_count(void)
{
	CLEANUP(scp81_keys_wipe) struct scp81_keys k = { 0 };
	CLEANUP(buf_free) struct buf answer = { 0 };
	struct bytes said;

	adopted(true);
	cr_assert_eq(change_ask(w, HANDOVER, "key/1", PUT_KEY), OK);
	keys_here(&k);
	cr_assert(isdr_put_key_answer_build(&answer, &k));
	said = (struct bytes){ (const uint8_t *)answer.data, answer.len };
	change_says(w, said, SW_CONDITIONS);
	IS("outcome", "answered");
	IS("sw", "6985");
	cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0 65:2:2");
	change_at_sr2(w, true);
	cr_assert_eq(change_ask(w, HANDOVER, "key/1", PUT_KEY), OK);
	change_says(w, said, SW_OK);
	IS("outcome", "refused");
	IS("code", "8.4/4.2");
	cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0");
}

static void the_card_is_busy(void)
{
	adopted(true);
	cr_assert_eq(ask_enable(w->s, OTHER), OK);
	refused(change_ask(w, HANDOVER, "key", PUT_KEY), CODE_BUSY);
	cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0");
	time_out(w->s, false);
	cr_assert_eq(change_ask(w, HANDOVER, "key", PUT_KEY), OK);
	refused(ask_enable(w->s, OTHER), CODE_BUSY);
	refused(change_ask(w, HANDOVER, "addressing", ADDRESSING), CODE_BUSY);
	change_overdue(w);
	IS("outcome", "refused");
	IS("code", "1.6/5.3");
	cr_assert_eq(look(w->s).busy, 0);
	cr_assert_eq(ask_enable(w->s, OTHER), OK);
}

/* Whatever the card could: these go by SMS, under KS2. */
static void never_in_a_session(void)
{
	adopted(true);
	step("key", PUT_KEY, NOTHING_LOST, "answered");
	step("addressing", ADDRESSING, NOTHING_LOST, "answered");
	cr_assert_eq(change_ask(w, HANDOVER, "finalise", FINALISE), OK);
	change_session(w, NEW_HTTPS, NOTHING_LOST);
	IS("step", "addressing");
	cr_assert_eq(look(w->s).open_commands, 1);
	cr_assert_eq(change_card_keys(w, OLD), 3);
	cr_assert(change_go(w, NOTHING_LOST));
	IS("step", "finalise");
	IS("outcome", "answered");
	cr_assert_eq(change_card_keys(w, OLD), 0);
}

static void nothing_to_be_told(void)
{
	adopted(true);
	w->s->config.smpp_source = "operator";
	refused(change_ask(w, HANDOVER, "addressing", ADDRESSING), CODE_UNSUPPORTED);
	w->s->config.smpp_source = "+88390";
	w->s->config.cards_host = "";
	step("key", PUT_KEY, NOTHING_LOST, "answered");
	step("addressing", ADDRESSING, NOTHING_LOST, "answered");
	cr_assert_str_eq(w->d.c->home.number, "88390");
	cr_assert_eq(w->d.c->home.port, 0);
	cr_assert_str_eq(change_keysets(w), "1:0:0 2:0:3 64:0:0 65:2:2", "the card does not know where to go with it");
	w->s->config.cards_host = "127.0.0.1";
}

static void an_audit_that_nobody_answers(void)
{
	adopted(false);
	cr_assert_eq(change_ask(w, HANDOVER, "audit", AUDIT), OK);
	change_overdue(w);
	IS("outcome", "refused");
	IS("code", "1.6/5.3");
	cr_assert_eq(look(w->s).busy, 0);
}

Test(handover_command, what_a_card_executes, .timeout = 240)
{
	static void (*const cases[])(void) = {
		by_https_and_sms,
		by_sms_alone,
		the_trigger_names_the_new_key,
		only_under_the_lock,
		what_cannot_be_read,
		its_time_is_over,
		an_uncertain_card_is_audited_first,
		the_card_refuses,
		only_who_brought_it,
		put_key_is_refused,
		the_card_is_busy,
		never_in_a_session,
		nothing_to_be_told,
		an_audit_that_nobody_answers,
		the_check_values_count,
	};

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	w = change_open();
	for (size_t i = 0; i < LEN(cases); i++)
		cases[i]();
	change_close(w);
}

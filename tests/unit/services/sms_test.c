/* SPDX-License-Identifier: Apache-2.0 */
/* SMS that wake cards: their bytes, as a card opens them, and what becomes of them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/card/ram_http.h"
#include "common/card/script.h"
#include "common/card/smpp.h"
#include "common/card/sms.h"
#include "common/crypto/keys.h"
#include "services/sm-sr/card_case.h"
#include "services/sm-sr/sms_rules.h"
#include "services/sm-sr/sms_trigger.h"

#define EID_TEXT "89001012012341234012345678901224"
enum { KVN = 3, COUNTER = 0x0102030405 };

struct world {
	struct arena *a;
	struct smsr_config config;
	struct smsr smsr;
	uint8_t kic[16], kid[16];
	struct scp80_keys keys; /* the card's */
	struct sms_due due;
	struct sms_path path;
	struct sms_row row; /* the packet in flight */
	struct buf packet;
};

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->a = arena_new();
	w->config = (struct smsr_config){ .smpp_host = "127.0.0.1",
					  .smpp_port = 2775,
					  .smpp_system_id = "x",
					  .smpp_password_file = "/x",
					  .smpp_source = "88390",
					  .smpp_window = 10,
					  .sms_tries = 3,
					  .audit_tries = 3,
					  .trigger_spi = "1639",
					  .trigger_form = "stored", .sms_validity = "relative",
					  .cards_host = "",
					  .cards_uri = "/ram" };
	w->smsr.config = &w->config;
	w->smsr.cards_port = 8443;
	w->smsr.kek = secret_new(32);
	memset(w->smsr.kek.data, 0x77, 32);
	memset(w->kic, 0x11, sizeof(w->kic));
	memset(w->kid, 0x22, sizeof(w->kid));
	w->keys = (struct scp80_keys){ KVN, w->kic, w->kid };
	w->due = (struct sms_due){ .kvn = KVN, .counter = COUNTER, .psk_kvn = 0x40, .psk_id = 1, .msisdn = "88123", .told = "" };
	cr_assert(eid_parse(EID_TEXT, &w->due.eid));
	kek_wrap(&w->smsr.kek, EID_TEXT "|3|1", w->kic, sizeof(w->kic), w->a, &w->due.kic);
	kek_wrap(&w->smsr.kek, EID_TEXT "|3|2", w->kid, sizeof(w->kid), w->a, &w->due.kid);
	w->path = (struct sms_path){ KVN, w->due.kic, w->due.kid, w->due.msisdn };
	w->row = (struct sms_row){ .eid = w->due.eid,
				   .kvn = KVN,
				   .spi2 = SPI_POR_SECURED,
				   .counter = COUNTER,
				   .tar = { 0, 0, 1 },
				   .kic = w->due.kic,
				   .kid = w->due.kid,
				   .wanted = true };
}

static void close_world(struct world *w)
{
	secret_free(&w->smsr.kek);
	buf_free(&w->packet);
	arena_free(w->a);
}

static struct bytes bytes_of(const struct buf *b)
{
	return (struct bytes){ (const uint8_t *)b->data, b->len };
}

/* As the card does it. */
static struct ram_trigger card_opens(struct world *w, struct scp80_command *command)
{
	struct ram_trigger t;
	const char *why = NULL;

	buf_clear(&w->packet);
	cr_assert(sms_trigger_build(&w->smsr, &w->due, &w->packet, &why), "%s", why);
	cr_assert_eq(scp80_command_open(w->a, &w->keys, bytes_of(&w->packet), command), SCP80_GOOD);
	cr_assert(ram_trigger_parse(command->data, &t));
	return t;
}

Test(sms_trigger, a_card_opens_it_with_its_own_keys)
{
	static const uint8_t isdr[] = { 0, 0, 1 }, stored[] = { 0x81, 0x00 };
	struct scp80_command command;
	struct world w;

	open_world(&w);
	cr_assert(card_opens(&w, &command).stored);
	cr_assert_eq(command.counter, COUNTER);
	cr_assert_eq(command.spi1, 0x16);
	cr_assert_eq(command.spi2, 0x39);
	cr_assert_eq(command.kic, 0x32);
	cr_assert_eq(command.kid, 0x32);
	cr_assert_arr_eq(command.tar, isdr, sizeof(isdr));
	cr_assert_eq(command.data.len, sizeof(stored));
	cr_assert_arr_eq(command.data.data, stored, sizeof(stored));
	w.config.trigger_spi = "1601";
	(void)card_opens(&w, &command);
	cr_assert_eq(command.spi2, 0x01);
	close_world(&w);
}

Test(sms_trigger, the_full_form_says_where_and_with_which_key)
{
	struct scp80_command command;
	struct ram_trigger t;
	struct bytes *parts;
	struct world w;

	open_world(&w);
	w.config.trigger_form = "full";
	w.config.cards_host = "192.0.2.7";
	w.config.cards_uri = arena_printf(w.a, "/%0200d", 7);
	t = card_opens(&w, &command);
	cr_assert_not(t.stored);
	cr_assert_eq(t.address, 0xC0000207);
	cr_assert_eq(t.port, 8443);
	cr_assert_eq(t.kvn, 0x40);
	cr_assert_eq(t.key_id, 1);
	cr_assert_eq(t.uri.len, 201);
	cr_assert_arr_eq(t.uri.data, w.config.cards_uri, t.uri.len);
	cr_assert_eq(t.host.len, strlen(w.config.cards_host));
	cr_assert_eq(sms_split(w.a, SMS_COMMAND, bytes_of(&w.packet), 9, &parts), 3);
	w.config.cards_host = "cards.example";
	t = card_opens(&w, &command);
	cr_assert_eq(t.address, 0);
	cr_assert_eq(t.host.len, strlen("cards.example"));
	close_world(&w);
}

Test(sms_trigger, keys_of_another_place_or_kek_are_refused)
{
	struct world w;
	const char *why = NULL;
	struct bytes kept;

	open_world(&w);
	kept = w.due.kic;
	w.due.kic = w.due.kid;
	cr_assert_not(sms_trigger_build(&w.smsr, &w.due, &w.packet, &why));
	cr_assert_not_null(why);
	w.due.kic = kept;
	w.due.kvn = KVN + 1;
	cr_assert_not(sms_trigger_build(&w.smsr, &w.due, &w.packet, &why));
	w.due.kvn = KVN;
	w.smsr.kek.data[0] ^= 1;
	cr_assert_not(sms_trigger_build(&w.smsr, &w.due, &w.packet, &why));
	cr_assert_eq(w.packet.len, 0);
	close_world(&w);
}

Test(sms_command, a_card_opens_a_script_and_executes_it_once)
{
	CLEANUP(buf_free) struct buf script = { 0 };
	CLEANUP(buf_free) struct buf apdu = { 0 };
	struct card_command m = { .target = AID_ISDR };
	struct scp80_command command;
	const char *why = NULL;
	struct script parsed;
	struct bytes one;
	struct world w;

	open_world(&w);
	w.config.trigger_spi = "0201"; /* says nothing about commands */
	isdr_confirm_notification(&apdu, 7);
	one = bytes_of(&apdu);
	script_build(&script, SCRIPT_INDEFINITE, &one, 1);
	m.script = bytes_of(&script);
	cr_assert(sms_script_build(&w.smsr, &w.due.eid, &w.path, COUNTER, &m, &w.packet, &why), "%s", why);
	cr_assert_eq(scp80_command_open(w.a, &w.keys, bytes_of(&w.packet), &command), SCP80_GOOD);
	cr_assert_eq(command.counter, COUNTER);
	cr_assert_eq(command.spi1, 0x16);
	cr_assert_eq(command.spi2, 0x39);
	cr_assert_arr_eq(command.tar, ((const uint8_t[]){ 0, 0, 1 }), SCP80_TAR);
	cr_assert_eq(command.data.data[0], 0xAA, "of definite length");
	cr_assert(script_parse(command.data, &parsed, &why));
	cr_assert_eq(parsed.n, 1);
	cr_assert_eq(parsed.apdus[0].len, one.len);
	cr_assert_arr_eq(parsed.apdus[0].data, one.data, one.len);
	/* To an ISD-P: by the same keys, to its own TAR. */
	m.target = aid_isdp(0x0123);
	buf_clear(&w.packet);
	cr_assert(sms_script_build(&w.smsr, &w.due.eid, &w.path, COUNTER, &m, &w.packet, &why), "%s", why);
	cr_assert_eq(scp80_command_open(w.a, &w.keys, bytes_of(&w.packet), &command), SCP80_GOOD);
	cr_assert_arr_eq(command.tar, ((const uint8_t[]){ 0, 1, 0x23 }), SCP80_TAR);
	m.target.len--;
	cr_assert_not(sms_script_build(&w.smsr, &w.due.eid, &w.path, COUNTER, &m, &w.packet, &why));
	cr_assert_str_eq(why, "its target has no TAR");
	m.target = AID_ISDR;
	m.script.len = 3;
	cr_assert_not(sms_script_build(&w.smsr, &w.due.eid, &w.path, COUNTER, &m, &w.packet, &why));
	m.script = bytes_of(&script);
	w.path.kvn++; /* keys are wrapped for their place */
	cr_assert_not(sms_script_build(&w.smsr, &w.due.eid, &w.path, COUNTER, &m, &w.packet, &why));
	close_world(&w);
}

/* As a card sends it. */
static bool note_opens(struct world *w, const struct scp80_keys *keys, uint8_t tar, const struct notification *n,
		       const char **out_why)
{
	struct scp80_command command = { .spi1 = SPI_CC_ONLY, .tar = { 0, 0, tar } };
	const struct sms_sender sender = { w->due.eid, w->path };
	CLEANUP(buf_free) struct buf e1 = { 0 };
	struct notification got;

	notification_build(&e1, n, NOTE_AID_TAG);
	command.data = bytes_of(&e1);
	buf_clear(&w->packet);
	cr_assert(scp80_command_build(keys, &command, &w->packet));
	if (!sms_note_open(&w->smsr, w->a, &sender, bytes_of(&w->packet), &got, out_why))
		return false;
	cr_assert_eq(got.seq, n->seq);
	cr_assert(aid_equal(&got.aid, &n->aid));
	return true;
}

Test(sms_command, a_notification_is_its_cards_or_nobodys)
{
	struct notification n = { .type = NOTE_CHANGE_OK, .seq = 9, .aid = aid_isdp(0x11) };
	struct scp80_keys others;
	const char *why = "";
	uint8_t kid[16];
	struct world w;

	open_world(&w);
	n.eid = w.due.eid;
	cr_assert(note_opens(&w, &w.keys, 1, &n, &why));
	memcpy(kid, w.kid, sizeof(kid));
	kid[3] ^= 1;
	others = (struct scp80_keys){ KVN, w.kic, kid };
	cr_assert_not(note_opens(&w, &others, 1, &n, &why));
	cr_assert_null(why);
	others = (struct scp80_keys){ KVN + 1, w.kic, w.kid };
	cr_assert_not(note_opens(&w, &others, 1, &n, &why));
	cr_assert_null(why);
	cr_assert_not(note_opens(&w, &w.keys, 2, &n, &why));
	cr_assert_not_null(why);
	cr_assert(eid_complete("890010120123412340123456789999", &n.eid));
	cr_assert_not(note_opens(&w, &w.keys, 1, &n, &why));
	cr_assert_str_eq(why, "a notification of another card");
	/* A packet of ours that comes back is no card's word. */
	n.eid = w.due.eid;
	buf_clear(&w.packet);
	cr_assert(sms_trigger_build(&w.smsr, &w.due, &w.packet, &why));
	cr_assert_not(sms_note_open(&w.smsr, w.a, &(const struct sms_sender){ w.due.eid, w.path }, bytes_of(&w.packet), &n, &why));
	close_world(&w);
}

Test(sms_rules, the_bearer_goes_by_capability_size_and_what_the_card_answers_to)
{
	struct sms_due d = { .http = true, .kind = COMMAND_ENABLE, .script_len = 40 };
	struct world w;

	open_world(&w);
	w.config.sms_after = 3;
	w.config.sms_script_max = 100;
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_SESSION);
	d.unheard = 2;
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_SESSION);
	d.unheard = 3;
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_SMS);
	d.in_session = true;
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_SESSION);
	d.in_session = false;
	d.script_len = 101;
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_SESSION);
	d.uncertain = true; /* its list goes first */
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_SMS);
	w.config.sms_after = 0;
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_SESSION);
	d = (struct sms_due){ .kind = COMMAND_DELETE, .script_len = 100 };
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_SMS);
	d.script_len++;
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_NONE);
	d.kind = COMMAND_PARAMETERS;
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_NONE);
	d.script_len--;
	cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_SMS);
	for (enum command_kind k = COMMAND_CREATE; k <= COMMAND_AGREEMENT; k++) {
		d = (struct sms_due){ .kind = k, .script_len = 10 };
		cr_assert_eq(sms_bearer_of(&w.smsr, &d), SMS_BEARER_NONE);
	}
	close_world(&w);
}

/* The card's answer, judged. spi2_card: how the card secures it. */
static enum sms_por_move judged(struct world *w, uint8_t spi2_card, struct scp80_por por)
{
	CLEANUP(buf_free) struct buf packet = { 0 };
	struct scp80_por opened;

	cr_assert(scp80_por_build(&w->keys, spi2_card, &por, &packet));
	if (!sms_por_open(&w->smsr, w->a, &w->row, bytes_of(&packet), &opened))
		return SMS_POR_NOTHING;
	return sms_por_of(&w->row, &opened);
}

Test(sms_por, only_what_verifies_and_answers_the_packet_counts)
{
	const struct scp80_por good = { .tar = { 0, 0, 1 }, .counter = COUNTER, .status = POR_OK };
	struct scp80_por other = good;
	struct world w;

	open_world(&w);
	cr_assert_eq(judged(&w, SPI_POR_SECURED, good), SMS_POR_DONE);
	other.counter = COUNTER - 1;
	cr_assert_eq(judged(&w, SPI_POR_SECURED, other), SMS_POR_NOTHING);
	other = good;
	other.tar[0] = 0xB2;
	cr_assert_eq(judged(&w, SPI_POR_SECURED, other), SMS_POR_NOTHING);
	w.row.tar[0] = 0xB2; /* of what was sent there it is */
	cr_assert_eq(judged(&w, SPI_POR_SECURED, other), SMS_POR_DONE);
	w.row.tar[0] = 0;
	other = good;
	other.status = POR_COUNTER_LOW;
	cr_assert_eq(judged(&w, SPI_POR_SECURED, other), SMS_POR_FAILED);
	/* What anybody could have sent. */
	cr_assert_eq(judged(&w, SPI_POR_PLAIN, other), SMS_POR_HINT);
	cr_assert_eq(judged(&w, SPI_POR_PLAIN, good), SMS_POR_NOTHING);
	w.kid[0] ^= 1;
	cr_assert_eq(judged(&w, SPI_POR_SECURED, good), SMS_POR_NOTHING);
	w.kid[0] ^= 1;
	/* To the copy of a command that it has executed a card may say so; nor is the answer there when it follows. */
	w.row.kind = SMS_SCRIPT;
	cr_assert_eq(judged(&w, SPI_POR_SECURED, other), SMS_POR_HINT);
	other.status = 0x0B;
	cr_assert_eq(judged(&w, SPI_POR_SECURED, other), SMS_POR_HINT);
	other.status = POR_MORE_TIME;
	cr_assert_eq(judged(&w, SPI_POR_SECURED, other), SMS_POR_HINT);
	other.status = POR_LEVEL;
	cr_assert_eq(judged(&w, SPI_POR_SECURED, other), SMS_POR_FAILED);
	other.status = POR_COUNTER_LOW;
	w.row.kind = SMS_TRIGGER;
	/* Where the plain one was asked for there is no better one. */
	w.row.spi2 = SPI_POR_PLAIN;
	cr_assert_eq(judged(&w, SPI_POR_PLAIN, good), SMS_POR_DONE);
	cr_assert_eq(judged(&w, SPI_POR_PLAIN, other), SMS_POR_HINT);
	close_world(&w);
}

Test(sms_rules, attempts_end_by_answer_time_and_number)
{
	struct sms_row r = { .wanted = true };
	const char *why = NULL;

	cr_assert_eq(sms_due_move(&r, 3, &why), SMS_MOVE_SEND);
	r.attempts = 2;
	cr_assert_eq(sms_due_move(&r, 3, &why), SMS_MOVE_SEND);
	r.attempts = 3;
	cr_assert_eq(sms_due_move(&r, 3, &why), SMS_MOVE_FAIL);
	cr_assert_str_eq(why, "the card did not answer");
	r.uncounted = 1; /* the SMSC throttled one of them */
	cr_assert_eq(sms_due_move(&r, 3, &why), SMS_MOVE_SEND);
	r.overdue = true;
	cr_assert_eq(sms_due_move(&r, 3, &why), SMS_MOVE_FAIL);
	cr_assert_str_eq(why, "its time is over");
	r.wanted = false; /* fetched meanwhile */
	cr_assert_eq(sms_due_move(&r, 3, &why), SMS_MOVE_DONE);
	r = (struct sms_row){ .wanted = true, .attempts = SMS_TOKEN_ATTEMPTS, .uncounted = SMS_TOKEN_ATTEMPTS };
	cr_assert_eq(sms_due_move(&r, 3, &why), SMS_MOVE_FAIL);
}

Test(sms_rules, the_smsc_tries_no_longer_than_we_do)
{
	struct sms_row r = { .kind = SMS_SCRIPT, .left_ms = 100000 };

	cr_assert_eq(sms_valid_ms(&r, 3, 30000), 90000);
	r.attempts = 2;
	r.uncounted = 1;
	cr_assert_eq(sms_valid_ms(&r, 3, 30000), 60000);
	r.left_ms = 5000;
	cr_assert_eq(sms_valid_ms(&r, 3, 30000), 5000);
	r.kind = SMS_TRIGGER; /* a card that is on again has something to come for as long as that */
	r.left_ms = 100000;
	cr_assert_eq(sms_valid_ms(&r, 3, 30000), 100000);
}

Test(sms_rules, answers_and_receipts)
{
	cr_assert_eq(sms_answer_of(SMPP_OK), SMS_ACCEPTED);
	cr_assert_eq(sms_answer_of(SMPP_THROTTLED), SMS_LATER_ALL);
	cr_assert_eq(sms_answer_of(SMPP_QUEUE_FULL), SMS_LATER);
	cr_assert_eq(sms_answer_of(SMPP_SYSTEM_ERROR), SMS_LATER);
	cr_assert_eq(sms_answer_of(SMPP_INVALID_DESTINATION), SMS_REFUSED);
	cr_assert_eq(sms_answer_of(0x45), SMS_LATER_COUNTED);
	cr_assert_eq(sms_receipt_hint("DELIVRD", 30000), 10000);
	cr_assert_eq(sms_receipt_hint("UNDELIV", 30000), 0);
	cr_assert_eq(sms_receipt_hint("EXPIRED", 30000), 0);
	cr_assert_eq(sms_receipt_hint("ACCEPTD", 30000), -1);
	cr_assert_eq(sms_receipt_hint("", 30000), -1);
}

static bool among(const char *forms, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = forms; n && *p; p += strcspn(p, " "), p += strspn(p, " "))
		if (strcspn(p, " ") == n && !strncmp(p, word, n))
			return true;
	return false;
}

/* What the database compares: lower case, no zeros in front. */
static const char *stored(struct arena *a, const char *id)
{
	char *s = arena_strdup(a, id + strspn(id, "0"));

	for (char *c = s; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	return s;
}

Test(sms_ids, the_forms_of_an_id_are_what_smpp_id_equal_says)
{
	static const char *const ids[] = { "",
					   "0",
					   "A1",
					   "00a1",
					   "161",
					   "0000000161",
					   "a1-b2",
					   "A1-B2",
					   "10",
					   "16",
					   "0x10",
					   "4294967295",
					   "FFFFFFFF",
					   "18446744073709551615",
					   "FFFFFFFFFFFFFFFF",
					   "99999999999999999999",
					   "zz" };
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(ids); i++)
		for (size_t k = 0; k < LEN(ids); k++)
			if (*stored(a, ids[i]) && *stored(a, ids[k]))
				cr_assert_eq(among(sms_id_forms(a, ids[i]), stored(a, ids[k])), smpp_id_equal(ids[i], ids[k]),
					     "%s and %s", ids[i], ids[k]);
	cr_assert_str_eq(sms_id_forms(a, "a b"), "a_b");
}

Test(sms_ids, tokens_name_the_part)
{
	const struct sms_token t = { .id = 0x123456789, .attempt = 0xFFFE, .number = 255 };
	const struct sms_token back = sms_token_unpack(sms_token_pack(&t));

	cr_assert_eq(back.id, t.id);
	cr_assert_eq(back.attempt, t.attempt);
	cr_assert_eq(back.number, t.number);
}

static bool config_good(struct world *w)
{
	char error[256];

	return sms_config_check(&w->config, error) == 0;
}

Test(sms_config, a_lane_that_could_not_work_does_not_start)
{
	static const char *const bad_spi[] = { "", "163", "16390", "16x9", "0139", "3639" };
	struct world w;

	open_world(&w);
	cr_assert(config_good(&w));
	for (size_t i = 0; i < LEN(bad_spi); i++) {
		w.config.trigger_spi = bad_spi[i];
		cr_assert_not(config_good(&w), "%s", bad_spi[i]);
	}
	w.config.trigger_spi = "1639";
	w.config.trigger_form = "full"; /* and no host */
	cr_assert_not(config_good(&w));
	w.config.trigger_form = "stored";
	w.config.sms_validity = "absolute";
	cr_assert_not(config_good(&w));
	w.config.sms_validity = "none";
	w.config.smpp_source = "";
	cr_assert_not(config_good(&w));
	w.config.smpp_host = ""; /* no lane, nothing to check */
	cr_assert(config_good(&w));
	close_world(&w);
}

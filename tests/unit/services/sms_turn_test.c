/* SPDX-License-Identifier: Apache-2.0 */
/* A card's turns by SMS on a real database: what goes into a packet, what its answer or its end changes, and that no counter comes back. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/crypto/keys.h"
#include "services/sm-sr/card_session.h"
#include "services/sm-sr/sms_command.h"
#include "tests/unit/services/procedure_fixture.h"

enum { KVN = 3, COUNTER = 40, NONE = -1 };
#define NO_ISDP ((enum isdp_state)0)

#define SAYS(answer, what) cr_expect(strstr((answer) ? (answer) : "", (what)), "%s: %s", (what), (answer) ? (answer) : "(none)")

static struct stage *s;
static struct sms_lane lane;
static const uint8_t kic[16] = { 0x11 }, kid[16] = { 0x22 };
static struct sms_path path;
static int64_t newest; /* counter */

/* The packet that is in flight, as the card opens it. */
struct packet {
	int64_t id, counter;
	const char *session;
	int function; /* enum isdr_function of its first command; NONE: there is no packet */
};

static const char *wrapped(unsigned index, const uint8_t key[16], struct bytes *out)
{
	kek_wrap(&s->smsr.kek, arena_printf(s->a, "%s|%d|%u", s->eid.text, KVN, index), key, 16, s->a, out);
	return arena_printf(s->a, "{\"version\":%d,\"idx\":%u,\"type\":136,\"kcv\":\"\",\"wrapped\":\"%s\"}", KVN, index,
			    hex_text(s->a, out->data, out->len));
}

static void begin(void)
{
	const char *first, *second;

	stage_reset(s);
	path = (struct sms_path){ .kvn = KVN, .msisdn = "88123" };
	first = wrapped(1, kic, &path.kic);
	second = wrapped(2, kid, &path.kid);
	DB_QUEUE(s->db, SMSR_KEYS_INSERT, p_text(s->eid.text),
		 p_text(arena_printf(s->a, "[{\"version\":%d,\"type\":1,\"counter\":%d}]", KVN, COUNTER)),
		 p_text(arena_printf(s->a, "[%s,%s]", first, second)));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	cr_assert(db_try_lock(s->db, SMS_LANE_KEY));
	lane = (struct sms_lane){ .rpc = &s->rpc, .smsr = &s->smsr, .db = s->db, .a = s->a };
	newest = COUNTER;
}

static struct packet in_flight(void)
{
	struct packet p = { .function = NONE };
	struct scp80_command command;
	struct isdr_command isdr;
	const struct rows *rows;
	struct script script;
	struct apdu apdu;
	const char *why;

	DB_QUEUE(s->db, T_PACKET, p_text(s->eid.text));
	cr_assert_eq(db_sync(s->db, s->a, &rows, 1, NULL), OK);
	cr_assert_leq(rows_count(rows), 1);
	if (!rows_count(rows))
		return p;
	p.id = row_int(rows, 0, 0);
	p.session = row_text_dup(s->a, rows, 0, 1);
	p.counter = row_int(rows, 0, 2);
	cr_assert_eq(scp80_command_open(s->a, &(struct scp80_keys){ KVN, kic, kid }, row_bytes(rows, 0, 3), &command), SCP80_GOOD);
	cr_assert_eq(command.counter, (uint64_t)p.counter);
	cr_assert(script_parse(command.data, &script, &why) && apdu_parse(script.apdus[0], &apdu));
	cr_assert_eq(isdr_command_parse(&apdu, &isdr), SW_OK);
	p.function = (int)isdr.function;
	return p;
}

/* A new one with this command; its counter was never used. */
static struct packet goes(enum isdr_function function)
{
	struct packet p = in_flight();

	cr_assert_eq(p.function, (int)function, "%d goes, not %d", p.function, (int)function);
	cr_assert_gt(p.counter, newest);
	newest = p.counter;
	return p;
}

static void nothing_goes(void)
{
	cr_assert_eq(in_flight().function, NONE);
}

static void turn(const struct sms_said *said)
{
	cr_assert_eq(sms_turn(&lane, said), SMS_TURN_DONE);
}

static void due(void)
{
	turn(&(const struct sms_said){ .kind = SMS_SAID_DUE, .eid = s->eid, .path = path });
}

static void answered(const struct packet *p, const char *data, uint16_t sw)
{
	CLEANUP(buf_free) struct buf body = { 0 };
	uint8_t *raw = arena_alloc(s->a, strlen(data) / 2);
	const struct script_result one = { { raw, strlen(data) / 2 }, sw };

	cr_assert(hex_decode(data, strlen(data), raw));
	script_answer_build(&body, SCRIPT_DEFINITE, &one, 1);
	turn(&(const struct sms_said){ .kind = SMS_SAID_ANSWER,
				       .eid = s->eid,
				       .path = path,
				       .id = p->id,
				       .session = p->session,
				       .answer = { (const uint8_t *)body.data, body.len } });
}

static void noted(enum notification_type type, uint16_t seq, enum profile_at profile)
{
	turn(&(const struct sms_said){ .kind = SMS_SAID_NOTE,
				       .eid = s->eid,
				       .path = path,
				       .note = { .eid = s->eid, .type = (uint8_t)type, .seq = seq, .aid = s->isdp[profile] } });
}

/* Its retries are over. reached: something may have come to the card. */
static void ended(const struct packet *p, bool reached)
{
	DB_QUEUE(s->db, SMSR_SMS_END, p_int(s->a, p->id), p_int(s->a, SMS_FAILED), p_text("the card did not answer"));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	turn(&(const struct sms_said){ .kind = SMS_SAID_LOST,
				       .eid = s->eid,
				       .session = p->session,
				       .why = "the card did not answer",
				       .reached = reached });
}

static const char *list(enum isdp_state base, enum isdp_state other)
{
	const enum isdp_state states[] = { [BASE] = base, [OTHER] = other };
	CLEANUP(buf_free) struct buf tlv = { 0 };

	for (int p = BASE; p <= OTHER && states[p] != NO_ISDP; p++)
		isdr_status_build(
			&tlv,
			&(const struct isdp_status){
				.aid = s->isdp[p], .state = (uint8_t)states[p], .fallback = p == BASE, .memory = -1, .free = -1 });
	return hex_text(s->a, (const uint8_t *)tlv.data, tlv.len);
}

static void the_whole_way_of_an_enable(void)
{
	struct packet enable, confirm;
	struct look l;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	due();
	enable = goes(ISDR_ENABLE);
	due(); /* one in flight: nothing else */
	cr_assert_eq(in_flight().id, enable.id);
	answered(&enable, "", SW_OK);
	nothing_goes();
	cr_expect_null(look(s).answer);
	noted(NOTE_CHANGE_OK, 1, OTHER);
	confirm = goes(ISDR_CONFIRM);
	cr_expect_null(look(s).answer);
	answered(&confirm, "", SW_OK);
	nothing_goes();
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_str_eq(l.enabled, s->iccid[OTHER].text);
	cr_expect_eq(l.open_commands, 0);
	cr_expect_not(l.uncertain || l.session);
	/* What comes twice changes nothing. */
	answered(&enable, "", SW_POL1);
	answered(&confirm, "", SW_NOT_FOUND);
	nothing_goes();
	cr_expect_not(look(s).uncertain);
	cr_expect_str_eq(look(s).trail, "2- 512/0");
}

static void the_card_says_no(void)
{
	struct packet p;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	due();
	p = goes(ISDR_ENABLE);
	answered(&p, "", SW_POL1);
	nothing_goes();
	SAYS(look(s).answer, "8.2.2");
	/* A proof of receipt with nothing in it answers nothing. */
	cr_assert_eq(ask_audit(s, BASE), OK);
	due();
	p = goes(ISDR_GET_STATUS);
	turn(&(const struct sms_said){ .kind = SMS_SAID_ANSWER, .eid = s->eid, .path = path, .id = p.id, .session = p.session });
	SAYS(look(s).answer, "8.4");
	cr_expect(look(s).uncertain);
	nothing_goes();
}

static void without_an_answer_the_list_tells(void)
{
	struct packet p;
	struct look l;

	cr_assert_eq(ask_delete(s, OTHER), OK);
	due();
	p = goes(ISDR_DELETE);
	ended(&p, true);
	cr_expect(look(s).uncertain);
	nothing_goes();
	due();
	p = goes(ISDR_GET_STATUS);
	ended(&p, true); /* asked again: it does no harm */
	due();
	p = goes(ISDR_GET_STATUS);
	answered(&p, list(ISDP_ENABLED, ISDP_DISABLED), SW_OK); /* it has it still */
	p = goes(ISDR_DELETE);
	answered(&p, "", SW_OK);
	nothing_goes();
	l = look(s);
	SAYS(l.answer, "EXECUTED_SUCCESS");
	cr_expect_eq(l.profiles, 1);
	cr_expect_eq(l.open_commands, 0);
	cr_expect_not(l.uncertain);
}

static void what_never_left_was_not_executed(void)
{
	struct packet p;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	due();
	p = goes(ISDR_ENABLE);
	ended(&p, false);
	cr_expect_not(look(s).uncertain);
	nothing_goes();
	due();
	(void)goes(ISDR_ENABLE);
	time_out(s, false);
	SAYS(look(s).answer, "EXPIRED");
}

/* Its only attempt ends with this status, and with it the packet. */
static void attempted(const struct packet *p, uint32_t status)
{
	DB_QUEUE(s->db, SMSR_SMS_SENDING, p_int(s->a, p->id), p_int(s->a, 1), p_int(s->a, 1000));
	DB_QUEUE(s->db, SMSR_SMS_ANSWERED, p_int(s->a, p->id), p_int(s->a, 1), p_int(s->a, 1), p_text(""), p_int(s->a, status),
		 p_text(""));
	DB_QUEUE(s->db, SMSR_SMS_END, p_int(s->a, p->id), p_int(s->a, SMS_FAILED), p_text("its time is over"));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	cr_assert(sms_lost_due(&lane));
}

/* What the SMSC refused did not leave; what it did not answer may have. */
static void an_smsc_that_does_not_answer_may_have_taken_it(void)
{
	struct packet p;

	cr_assert_eq(ask_delete(s, OTHER), OK);
	due();
	p = goes(ISDR_DELETE);
	attempted(&p, SMPP_THROTTLED);
	cr_expect_not(look(s).uncertain);
	due();
	p = goes(ISDR_DELETE);
	attempted(&p, SMPP_SYSTEM_ERROR);
	cr_expect(look(s).uncertain);
	due();
	p = goes(ISDR_GET_STATUS);
	answered(&p, list(ISDP_ENABLED, NO_ISDP), SW_OK);
	SAYS(look(s).answer, "EXECUTED_SUCCESS");
}

static void the_confirmation_is_not_answered(void)
{
	struct packet p;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	due();
	(void)goes(ISDR_ENABLE);
	noted(NOTE_CHANGE_OK, 1, OTHER); /* better than the answer */
	p = goes(ISDR_CONFIRM);
	ended(&p, true);
	cr_expect(look(s).uncertain);
	due();
	p = goes(ISDR_GET_STATUS);
	answered(&p, list(ISDP_DISABLED, ISDP_ENABLED), SW_OK);
	p = goes(ISDR_CONFIRM);
	answered(&p, "", SW_NOT_FOUND); /* it had heard it */
	SAYS(look(s).answer, "EXECUTED_SUCCESS");
	cr_expect_not(look(s).uncertain);
	nothing_goes();
}

static void notifications_that_come_again(void)
{
	struct packet p, again;

	noted(NOTE_FIRST_ATTACH, 1, BASE);
	p = goes(ISDR_CONFIRM);
	noted(NOTE_FIRST_ATTACH, 1, BASE);
	again = in_flight();
	cr_expect_eq(again.id, p.id);
	noted(NOTE_FALL_BACK, 2, BASE); /* something newer */
	again = goes(ISDR_CONFIRM);
	cr_expect_neq(again.id, p.id);
	answered(&p, "", SW_OK); /* of the older one: it has given way */
	cr_assert_eq(in_flight().id, again.id);
	answered(&again, "", SW_OK);
	cr_expect_str_eq(look(s).trail, "5-");
	/* A copy of what was confirmed: the card is told once more, and whatever it says changes nothing. */
	noted(NOTE_FALL_BACK, 2, BASE);
	p = goes(ISDR_CONFIRM);
	answered(&p, "", SW_NOT_FOUND);
	nothing_goes();
	cr_expect_str_eq(look(s).trail, "5-");
	cr_expect_not(look(s).uncertain);
	/* Nor does it disturb a command. */
	cr_assert_eq(ask_audit(s, BASE), OK);
	due();
	p = goes(ISDR_GET_STATUS);
	noted(NOTE_FALL_BACK, 2, BASE);
	cr_assert_eq(in_flight().id, p.id);
	answered(&p, list(ISDP_ENABLED, ISDP_DISABLED), SW_OK);
	SAYS(look(s).answer, "EXECUTED_SUCCESS");
}

static void never_beside_a_session(void)
{
	struct card_peer peer = { .eid = s->eid }, other = { .eid = s->eid };
	const struct card_post first = { .kind = POST_FIRST };
	struct card_answer answer;
	struct packet p;

	cr_assert_eq(ask_delete(s, OTHER), OK);
	due();
	p = goes(ISDR_DELETE);
	card_visit(&s->rpc, &s->smsr, s->db, s->a, &peer, &first, &answer);
	cr_expect_eq(answer.status, 204);
	cr_assert_eq(in_flight().id, p.id);
	cr_expect_not(look(s).uncertain || look(s).session);
	answered(&p, "", SW_OK);
	SAYS(look(s).answer, "EXECUTED_SUCCESS");
	/* And the other way round. */
	cr_assert_eq(ask_audit(s, BASE), OK);
	card_visit(&s->rpc, &s->smsr, s->db, s->a, &other, &first, &answer);
	cr_assert_eq(answer.kind, COMMAND_STATUS);
	due();
	nothing_goes();
}

static void too_late(void)
{
	struct packet p;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	due();
	p = goes(ISDR_ENABLE);
	time_out(s, false);
	SAYS(look(s).answer, "EXPIRED");
	cr_expect(look(s).uncertain);
	answered(&p, "", SW_OK); /* nobody waits for it */
	noted(NOTE_CHANGE_OK, 1, OTHER);
	nothing_goes(); /* not confirmed: the card goes back by itself */
	noted(NOTE_ROLLED_BACK, 2, BASE);
	p = goes(ISDR_CONFIRM);
	answered(&p, "", SW_OK);
	p = goes(ISDR_GET_STATUS);
	answered(&p, list(ISDP_ENABLED, ISDP_DISABLED), SW_OK);
	nothing_goes();
	cr_expect_str_eq(look(s).enabled, s->iccid[BASE].text);
	cr_expect_not(look(s).uncertain);
	/* A copy of the first word is no word on a newer command. */
	cr_assert_eq(ask_enable(s, OTHER), OK);
	due();
	p = goes(ISDR_ENABLE);
	noted(NOTE_CHANGE_OK, 1, OTHER);
	cr_assert_eq(in_flight().id, p.id);
	cr_expect_not(look(s).answer || look(s).uncertain);
}

static void a_card_that_cannot_be_settled(void)
{
	const struct sms_said said = { .kind = SMS_SAID_DUE, .eid = s->eid, .path = path };

	cr_assert_eq(ask_enable(s, OTHER), OK);
	path.kic.len--;
	cr_assert_eq(sms_turn(&lane, &(const struct sms_said){ .kind = SMS_SAID_DUE, .eid = s->eid, .path = path }),
		     SMS_TURN_UNSETTLED);
	nothing_goes();
	damage_procedure(s);
	cr_assert_eq(sms_turn(&lane, &said), SMS_TURN_UNSETTLED);
	nothing_goes();
}

static void the_lanes_own_list_is_asked_for_again(void)
{
	struct packet p;

	cr_assert_eq(ask_enable(s, OTHER), OK);
	due();
	(void)goes(ISDR_ENABLE);
	time_out(s, false);
	due();
	p = goes(ISDR_GET_STATUS);
	answered(&p, list(ISDP_ENABLED, NO_ISDP), SW_MORE);
	p = goes(ISDR_GET_STATUS); /* the rest */
	ended(&p, true);
	due();
	p = goes(ISDR_GET_STATUS);
	answered(&p, list(ISDP_ENABLED, ISDP_DISABLED), SW_OK);
	cr_expect_not(look(s).uncertain);
}

static void without_its_lock_it_does_nothing(void)
{
	struct packet p;

	cr_assert_eq(ask_delete(s, OTHER), OK);
	due();
	p = goes(ISDR_DELETE);
	DB_QUEUE(s->db, SMSR_SMS_END, p_int(s->a, p.id), p_int(s->a, SMS_FAILED), p_text("its time is over"));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	db_unlock(s->db, SMS_LANE_KEY);
	cr_expect_not(sms_lost_due(&lane));
	cr_expect_not(look(s).uncertain);
	cr_assert(db_try_lock(s->db, SMS_LANE_KEY)); /* with it the cards of a batch come in turn */
	memcpy(lane.lost_after, s->eid.text, sizeof(lane.lost_after));
	cr_assert(sms_lost_due(&lane));
	cr_expect_not(look(s).uncertain);
	cr_assert(sms_lost_due(&lane));
	due(); /* no part of it has left */
	(void)goes(ISDR_DELETE);
}

/* Its packet is with the SMSC, and nobody waits for it any more. */
static void not_before_the_smsc_has_forgotten_the_packet(void)
{
	struct card_peer peer = { .eid = s->eid };
	const struct notification note = { .eid = s->eid, .type = NOTE_FIRST_ATTACH, .seq = 1, .aid = s->isdp[BASE] };
	struct card_post post = { .kind = POST_NOTIFICATION, .note = note };
	CLEANUP(buf_free) struct buf body = { 0 };
	struct card_answer answer;
	struct packet p;
	script_answer_build(&body, SCRIPT_DEFINITE, &(const struct script_result){ .sw = SW_OK }, 1);
	cr_assert_eq(ask_delete(s, OTHER), OK);
	due();
	p = goes(ISDR_DELETE);
	DB_QUEUE(s->db, SMSR_SMS_SENDING, p_int(s->a, p.id), p_int(s->a, 1), p_int(s->a, 1000));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	s->config.sms_tries = 3;
	s->config.sms_retry_ms = 60000;
	card_visit(&s->rpc, &s->smsr, s->db, s->a, &peer, &post, &answer);
	cr_assert(answer.confirms);
	post = (struct card_post){ .kind = POST_ANSWER, .body = { (const uint8_t *)body.data, body.len } };
	card_visit(&s->rpc, &s->smsr, s->db, s->a, &peer, &post, &answer);
	cr_expect_eq(answer.status, 204);
	s->config.sms_retry_ms = 0;
	post.kind = POST_FIRST;
	card_visit(&s->rpc, &s->smsr, s->db, s->a, &peer, &post, &answer);
	cr_expect(answer.status == 200 && answer.kind == COMMAND_STATUS);
}

Test(sms_turn, by_sms_as_in_a_session, .timeout = 120)
{
	static void (*const cases[])(void) = { the_whole_way_of_an_enable,
					       the_card_says_no,
					       without_an_answer_the_list_tells,
					       what_never_left_was_not_executed,
					       an_smsc_that_does_not_answer_may_have_taken_it,
					       the_confirmation_is_not_answered,
					       notifications_that_come_again,
					       never_beside_a_session,
					       too_late,
					       the_lanes_own_list_is_asked_for_again,
					       without_its_lock_it_does_nothing,
					       not_before_the_smsc_has_forgotten_the_packet,
					       a_card_that_cannot_be_settled };

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	s->config.sms_script_max = 400;
	s->config.trigger_again_s = 1;
	s->config.trigger_spi = "1639";
	s->smsr.kek = secret_new(32);
	memset(s->smsr.kek.data, 0x77, 32);
	for (size_t i = 0; i < LEN(cases); i++) {
		begin();
		cases[i]();
	}
	secret_free(&s->smsr.kek);
	stage_drop(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The sweeper on a real database: it ends what is due, and what it cannot end it leaves alone for a while. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/sm-sr/cards.h"
#include "services/sm-sr/sms_internal.h"
#include "tests/unit/services/procedure_fixture.h"

enum { AWHILE_US = 1500 * 1000, ROUND_US = 50 * 1000, ROUNDS_MAX = 600, TRIGGER_AGAIN_S = 60 };

/* How often the word stands in what was written so far; who writes shares the file's position. */
static unsigned count(int fd, const char *word)
{
	static char text[1 << 20];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	unsigned found = 0;

	text[n > 0 ? n : 0] = '\0';
	for (const char *at = text; (at = strstr(at, word)); at++)
		found++;
	return found;
}

/* How many lines of this event the sweeper logs in a while; that is prolonged until there are as many as expected. */
static unsigned lines_of(struct stage *s, const char *event, unsigned expected)
{
	struct app app = { .config = &s->config.common, .rpc = s->rpc };
	FILE *log = tmpfile();
	int stderr_was = dup(STDERR_FILENO);
	unsigned n;

	cr_assert(log && stderr_was >= 0);
	app.rpc.store = s->store;
	app.rpc.role_state = &s->smsr;
	s->config.sweep_ms = 5000;
	s->config.card_lost_ms = s->config.card_gone_ms = 60000;
	(void)dup2(fileno(log), STDERR_FILENO);
	sweeper_start(&app);
	usleep(AWHILE_US);
	for (unsigned i = 0; i < ROUNDS_MAX && count(fileno(log), event) < expected; i++)
		usleep(ROUND_US);
	sweeper_stop(&app);
	(void)dup2(stderr_was, STDERR_FILENO);
	(void)close(stderr_was);
	n = count(fileno(log), event);
	(void)fclose(log);
	return n;
}

Test(sweeper, ends_what_is_due_and_does_not_spin_on_the_rest, .timeout = 120)
{
	struct stage *s;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	stage_reset(s);
	cr_assert_eq(ask_enable(s, OTHER), OK);
	time_out(s, true);
	cr_expect_eq(lines_of(s, "event=procedure_ended", 1), 1);
	cr_expect(strstr(look(s).answer, "5.3"));
	cr_assert_eq(ask_enable(s, OTHER), OK);
	damage_procedure(s);
	cr_expect_leq(lines_of(s, "is damaged", 1), 3);
	stage_drop(s);
}

Test(sweeper, those_that_cannot_be_settled_do_not_starve_the_others, .timeout = 120)
{
	enum { CROWD = 230 }; /* more than are looked at in two passes */
	struct stage *s;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	stage_reset(s);
	crowd(s, CROWD);
	cr_assert_eq(ask_enable(s, OTHER), OK);
	time_out(s, true);
	cr_expect_eq(lines_of(s, "event=procedure_ended", 1), 1);
	stage_drop(s);
}

/* How many audits are given up when cards were rung this often in vain. */
static size_t silent(struct stage *s, unsigned tries)
{
	const struct rows *rows;

	DB_QUEUE(s->db, SMSR_SMS_SILENT, p_int(s->a, tries), p_int(s->a, COMMAND_STATUS));
	cr_assert_eq(db_sync(s->db, s->a, &rows, 1, NULL), OK);
	return rows_count(rows);
}

Test(sweeper, a_card_that_never_comes_is_not_rung_for_ever, .timeout = 120)
{
	struct stage *s;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	stage_reset(s);
	set_msisdn(s, BASE, "882360000001");
	set_msisdn(s, OTHER, "882360000002");
	cr_assert_eq(ask_enable(s, OTHER), OK);
	card_session(s);
	(void)card_fetch(s);
	time_out(s, false);
	cr_assert(look(s).uncertain);
	cr_assert_eq(look(s).open_commands, 1);
	/* Nobody knows on which profile it is: each is tried. */
	cr_expect_str_eq(rings_at(s, 4), "882360000001");
	cr_expect_eq(silent(s, 5), 0);
	cr_expect_str_eq(rings_at(s, 5), "882360000002");
	cr_expect_eq(silent(s, 5), 1);
	cr_expect_eq(look(s).open_commands, 0);
	cr_expect(look(s).uncertain);
	cr_expect_str_empty(rings_at(s, 5));
	/* It comes by itself. */
	card_session(s);
	cr_expect_eq(card_fetch(s), COMMAND_STATUS);
	stage_drop(s);
}

/* Does a sweep find it lost, when what goes by SMS is so after so long? */
static bool swept(struct stage *s, int64_t by_sms_ms)
{
	const struct rows *rows[2];
	bool found;

	DB_QUEUE(s->db, SMSR_SWEEP_DUE, p_int(s->a, 60000), p_int(s->a, 60000), p_text(""), p_int(s->a, by_sms_ms));
	DB_QUEUE(s->db, SMSR_SWEEP_LOST, p_text(s->eid.text), p_int(s->a, 60000), p_int(s->a, 60000), p_int(s->a, by_sms_ms));
	cr_assert_eq(db_sync(s->db, s->a, rows, 2, NULL), OK);
	found = rows_count(rows[0]) > 0;
	cr_expect_eq(found, *row_text(rows[1], 0, 0) != '\0');
	return found;
}

/* Its packet is in flight, and there is no lane that could end it: the card would get nothing in its sessions for ever. */
Test(sweeper, a_command_by_sms_is_given_up_without_the_lane, .timeout = 120)
{
	struct stage *s;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	stage_reset(s);
	cr_assert_eq(ask_enable(s, OTHER), OK);
	card_session(s);
	(void)card_fetch(s);
	DB_QUEUE(s->db, SMSR_SMS_FETCHED, p_text(s->eid.text), p_text(s->c->session));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	cr_expect_not(swept(s, 60000));
	cr_expect(swept(s, 0));
	stage_drop(s);
}

/* A trigger that was built now; its row. */
static struct sms_row trigger(struct stage *s)
{
	const struct sms_due due = { .eid = s->eid, .kvn = 1, .counter = 1, .msisdn = "882360000001", .until = INT64_MAX / 2 };
	const struct rows *rows;
	struct sms_row *found;

	sms_add(s->db, s->a, &due, 0x21, (struct bytes){ (const uint8_t *)"packet", 6 }, TRIGGER_AGAIN_S);
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	sms_sendable_queue(s->db, s->a, 1);
	cr_assert_eq(db_sync(s->db, s->a, &rows, 1, NULL), OK);
	cr_assert_eq(sms_sendable_take(s->a, rows, &found), 1);
	return found[0];
}

/* Its proof of receipt comes; is the card woken for what is queued? */
static bool rung_after(struct stage *s, const struct sms_row *r)
{
	const struct rows *rows[SMS_DUE_RESULTS];

	sms_heard(s->db, s->a, r, TRIGGER_AGAIN_S);
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	sms_due_queue(s->db, s->a, 10, 10);
	cr_assert_eq(db_sync(s->db, s->a, rows, SMS_DUE_RESULTS, NULL), OK);
	return rows_count(rows[SMS_DUE_FOUND]) > 0;
}

Test(sweeper, a_late_proof_does_not_put_off_who_came_after_its_trigger, .timeout = 120)
{
	struct sms_row r;
	struct stage *s;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	stage_reset(s);
	set_msisdn(s, BASE, "882360000001");
	cr_assert_eq(ask_enable(s, OTHER), OK);
	r = trigger(s);
	cr_expect_not(rung_after(s, &r), "the card has it, and time for its session");
	time_out(s, false);
	cr_assert_eq(ask_enable(s, OTHER), OK);
	r = trigger(s);
	time_out(s, false);
	cr_assert_eq(ask_audit(s, BASE), OK);
	cr_expect(rung_after(s, &r), "that session is over, this order is younger");
	stage_drop(s);
}

static int64_t unheard(struct stage *s)
{
	const struct rows *rows[SMS_DUE_RESULTS];
	struct sms_due *found;

	sms_unheard(s->db, s->a, &s->eid, 3);
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	(void)rings_at(s, 0); /* due now */
	sms_due_queue(s->db, s->a, 10, 10);
	cr_assert_eq(db_sync(s->db, s->a, rows, SMS_DUE_RESULTS, NULL), OK);
	cr_assert_eq(sms_due_take(s->a, rows[SMS_DUE_FOUND], &found), 1);
	return found[0].unheard;
}

Test(sms_lane, a_card_in_a_session_hears, .timeout = 120)
{
	struct stage *s;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	stage_reset(s);
	DB_QUEUE(s->db, SMSR_KEYS_INSERT, p_text(s->eid.text), p_text("[{\"version\":3,\"type\":1,\"counter\":1}]"),
		 p_text("[{\"version\":3,\"idx\":1,\"type\":136,\"kcv\":\"\",\"wrapped\":\"00\"}]"));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	cr_assert_eq(ask_delete(s, OTHER), OK);
	cr_expect_eq(unheard(s), 1);
	card_session(s); /* it heard; a trigger meanwhile says nothing of that */
	cr_expect_eq(unheard(s), 0);
	stage_drop(s);
}

/* It has no session of the SMSC: whatever it tried to send would end it. */
Test(sms_lane, what_waited_too_long_is_not_sent)
{
	struct sms_outgoing late = { .until = 1 };
	struct sms_lane lane = { .outgoing_arena = arena_new(), .outgoing = &late, .pause_until = INT64_MAX };

	sms_pump(&lane);
	cr_expect_eq(lane.outgoing, &late, "the SMSC is throttling us");
	lane.pause_until = 0;
	sms_pump(&lane);
	cr_expect_null(lane.outgoing);
	arena_free(lane.outgoing_arena);
}

/* However many cards there are, one step of raising their counters is of a bounded size, and all steps reach each of them once. */
Test(cards, counters_are_raised_in_batches, .timeout = 120)
{
	enum { CARDS = 2500, BATCH = 1000, BY = 1000 };
	const char *after = "";
	int64_t all, same, raised = 0;
	unsigned batches = 0;
	struct stage *s;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	herd(s, CARDS);
	while (after) {
		const struct rows *rows;

		DB_QUEUE(s->db, SMSR_KEYS_BUMP, p_text("*"), p_int(s->a, BY), p_int(s->a, KEYSET_SCP80), p_int(s->a, 1 << 30), p_text(after));
		cr_assert_eq(db_sync(s->db, s->a, &rows, 1, NULL), OK);
		cr_expect_leq(row_int(rows, 0, 0), BATCH);
		raised += row_int(rows, 0, 0);
		after = row_text_dup(s->a, rows, 0, 1);
		cr_assert(++batches <= CARDS / BATCH + 2);
	}
	counters(s, 5 + BY, &all, &same);
	cr_expect_eq(all, CARDS);
	cr_expect_eq(same, CARDS);
	cr_expect_eq(raised, CARDS);
	stage_drop(s);
}

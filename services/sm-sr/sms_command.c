/* SPDX-License-Identifier: Apache-2.0 */
/* Commands by SMS: a script is fetched by a chain of packets as it is by a session, its answer comes back in the proof of receipt, and
 * the engine is the same. A card that has one in flight gets nothing else. */
#include "services/sm-sr/sms_command.h"

#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/card/script.h"
#include "services/sm-sr/card_turn.h"
#include "services/sm-sr/handover_command.h"
#include "services/sm-sr/procedure_internal.h"
#include "services/sm-sr/sms_trigger.h"

enum { ATTEMPTS = 4, LOST_BATCH = 64 };
/* What waits for no procedure ends with its retries: this is only a bound. */
static const int64_t UNTIL_US = INT64_C(3600) * 1000000;

/* One attempt at it. */
struct turn {
	struct sms_lane *l;
	const struct sms_said *said;
	struct card_case c;
	struct sms_path path;
	bool in_flight;                  /* ANSWER: its packet is awaited still */
	bool is_ours;                    /* ANSWER: to what no SM-DP sent; of what nobody waits for any more we do not know */
	bool note_confirmed;             /* NOTE: it was confirmed before */
	bool note_past;                  /* NOTE: it was not, and the card has said something new since */
	const struct card_command *next; /* to the card now; NULL: nothing */
	const char *why;                 /* nothing goes: for the row */
	bool anew;                       /* where the card is has to be found out from now on */
};

static const char *const said_words[] = {
	[SMS_SAID_DUE] = "due", [SMS_SAID_ANSWER] = "answer", [SMS_SAID_NOTE] = "note", [SMS_SAID_LOST] = "lost"
};

static void fault_point(const struct turn *t, const char *stage)
{
	char name[48];

	(void)snprintf(name, sizeof(name), "sm-sr.sms.command.%s.%s", said_words[t->said->kind], stage);
	(void)FAULT(name, t->c.eid.text);
}

static void chain_begin(struct turn *t)
{
	char *id = arena_alloc(t->c.a, UUID_TEXT);

	uuid_new(id);
	t->c.session = id;
}

static void choose(struct turn *t, bool asked_status)
{
	struct card_turn turn = { .c = &t->c, .asked_status = asked_status, .by_sms = true };

	t->next = card_turn_next(&turn);
}

/* Anything fetched that may still be answered, in a session or a chain of packets. */
static bool is_awaited(const struct card_case *c)
{
	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].state == COMMAND_FETCHED && c->commands[i].session)
			return true;
	return false;
}

static void decide_due(struct turn *t)
{
	struct card_case *c = &t->c;

	if (is_awaited(c) || (c->session && !c->session_gone)) {
		t->why = "a session of the card is open";
		return;
	}
	if (c->session)
		case_session_end(c);
	chain_begin(t);
	choose(t, false);
	t->why = "nothing that may go by SMS";
}

static void decide_answer(struct turn *t)
{
	struct card_case *c = &t->c;
	const char *open = c->session;
	struct card_command *m = card_turn_fetched(c, t->said->session);
	bool asked;

	if (!t->in_flight) /* it came twice, or too late */
		return;
	sms_end(c->db, c->a, t->said->id, SMS_DONE, "");
	if (!m) {
		card_log(c, LOG_INFO, "card_answer", "nobody waits for it");
		return;
	}
	asked = m->kind == COMMAND_STATUS;
	t->is_ours = !command_is_sent(m);
	c->session = t->said->session;
	card_turn_answered(c, m, t->said->answer);
	if (!open)
		choose(t, asked);
	if (!t->next && c->uncertain)
		t->why = "its state is not known";
}

/* A confirmation of this very number is on its way: the card says it again because it has not come yet, or the network did. */
static bool is_being_confirmed(const struct card_case *c, const struct notification *n)
{
	const struct card_command *m = card_turn_by_sms(c);
	CLEANUP(buf_free) struct buf apdu = { 0 };
	struct script script;
	const char *why;

	isdr_confirm_notification(&apdu, n->seq);
	return m && m->kind == COMMAND_CONFIRM && script_parse(m->script, &script, &why) && script.n == 1 &&
	       script.apdus[0].len == apdu.len && !memcmp(script.apdus[0].data, apdu.data, apdu.len);
}

/* It has no counter: one that is known may be anybody's copy, and disturbs nothing. */
static void decide_note(struct turn *t)
{
	struct card_case *c = &t->c;
	const struct notification *n = &t->said->note;
	const struct profile_info *at = case_profile_of_aid(c, &n->aid);

	if (is_being_confirmed(c, n) || t->note_past || (t->note_confirmed && (c->session || is_awaited(c)))) {
		sms_metric("note_again");
		return;
	}
	if (c->session)
		case_session_end(c);
	if (at && at->address.msisdn && *at->address.msisdn)
		t->path.msisdn = at->address.msisdn;
	chain_begin(t);
	t->next = card_turn_notified(c, n);
}

/* GET STATUS does no harm and is said again; what no part of has left was not executed; of all else an audit tells (C3). */
static void lose(struct turn *t, struct card_command *m)
{
	struct card_case *c = &t->c;
	bool ours = command_is_of(m, c->running);
	bool engines = m->kind == COMMAND_STATUS && !ours; /* said before m moves */
	bool acts = m->kind == COMMAND_ENABLE || m->kind == COMMAND_DISABLE || m->kind == COMMAND_DELETE ||
		    m->kind == COMMAND_PARAMETERS;

	if (m->kind == COMMAND_STATUS && !m->kept.len) {
		case_command_again(c, m);
		if (ours)
			(void)procedure_step(c, PEV_LOST);
	} else if (acts && ours && !t->said->reached) {
		case_command_again(c, m);
		(void)procedure_step(c, PEV_NOT_DONE);
	} else if (command_is_handover(m->kind) && ours && !t->said->reached) {
		handover_not_sent(c, m);
	} else {
		case_command_lost(c, m);
		procedure_lost(c, m);
		if (engines)
			audit_wake(c);
	}
}

static void decide_lost(struct turn *t)
{
	struct card_command *m = card_turn_fetched(&t->c, t->said->session);

	if (!m || !m->by_sms)
		return;
	card_log(&t->c, LOG_INFO, "card_lost", "%s by SMS is not answered: %s", command_kind_name(m->kind), t->said->why);
	t->anew = m->kind != COMMAND_STATUS;
	lose(t, m);
	(void)procedure_overdue(&t->c);
	t->why = t->said->why;
}

static void decide(struct turn *t)
{
	switch (t->said->kind) {
	case SMS_SAID_DUE:
		decide_due(t);
		break;
	case SMS_SAID_ANSWER:
		decide_answer(t);
		break;
	case SMS_SAID_NOTE:
		decide_note(t);
		break;
	case SMS_SAID_LOST:
		decide_lost(t);
		break;
	}
}

/* ---- the packet ---- */

static int64_t until(const struct turn *t)
{
	const struct procedure *p = t->c.running;

	return command_is_of(t->next, p) ? p->deadline : t->c.now + UNTIL_US;
}

/* Counter and packet, in this transaction (C6). */
static result packet_add(struct turn *t, struct db_failure *failure)
{
	struct card_case *c = &t->c;
	struct sms_due due = { .eid = c->eid, .kvn = t->path.kvn };
	CLEANUP(buf_free) struct buf packet = { 0 };
	const struct rows *counter;
	const char *why = NULL;

	DB_QUEUE(c->db, SMSR_SMS_SUPERSEDED, p_text(c->eid.text));
	DB_QUEUE(c->db, SMSR_SMS_FETCHED, p_text(c->eid.text), p_text(c->session));
	TRY(db_sync(c->db, c->a, NULL, 0, failure));
	sms_counter_queue(c->db, c->a, &due);
	TRY(db_sync(c->db, c->a, &counter, 1, failure));
	if (!sms_counter_taken(counter, &due.counter))
		return internal(c->a, "its SCP80 counter is used up");
	if (!sms_script_build(t->l->smsr, &c->eid, &t->path, due.counter, t->next, &packet, &why))
		return internal(c->a, "%s", why);
	sms_script_add(c->db, c->a, &c->eid, &t->path, due.counter,
		       (struct bytes){ arena_memdup(c->a, packet.data, packet.len), packet.len }, until(t), c->session);
	return OK;
}

static void load(struct turn *t)
{
	const struct sms_said *s = t->said;
	struct card_case *c = &t->c;

	case_queue(c->db, &c->eid);
	if (s->kind == SMS_SAID_ANSWER)
		DB_QUEUE(c->db, SMSR_SMS_IN_FLIGHT, p_int(c->a, s->id));
	else if (s->kind == SMS_SAID_NOTE)
		DB_QUEUE(c->db, SMSR_SMS_NOTE_KNOWN, p_text(c->eid.text), p_int(c->a, s->note.seq), p_int(c->a, s->note.type),
			 p_bytes(s->note.aid.data, s->note.aid.len));
}

static void take(struct turn *t, const struct rows *more)
{
	t->in_flight = t->said->kind == SMS_SAID_ANSWER && rows_count(more) > 0;
	t->note_confirmed = t->said->kind == SMS_SAID_NOTE && rows_count(more) > 0 && row_bool(more, 0, 0);
	t->note_past = t->said->kind == SMS_SAID_NOTE && rows_count(more) > 0 && !row_bool(more, 0, 0) && row_bool(more, 0, 1);
}

/* One transaction. */
static result attempt(struct turn *t, struct db_failure *failure)
{
	const struct rows *rows[CASE_RESULTS + 1];
	const struct sms_said *s = t->said;
	struct card_case *c = &t->c;
	size_t more = s->kind == SMS_SAID_ANSWER || s->kind == SMS_SAID_NOTE;

	db_begin(c->db);
	load(t);
	TRY(db_sync(c->db, c->a, rows, CASE_RESULTS + more, failure));
	if (more)
		take(t, rows[CASE_RESULTS]);
	TRY(case_take(c, rows));
	if (!c->known)
		return internal(c->a, "it has SCP80 keys, but no EIS");
	decide(t);
	fault_point(t, "decided");
	if (s->from)
		DB_QUEUE(c->db, SMSR_SMS_IN_DONE, p_text(s->from), p_int(c->a, s->ref), p_int(c->a, s->total));
	if (t->next)
		TRY(packet_add(t, failure));
	else if (t->why)
		sms_pause(c->db, c->a, &c->eid, t->why, t->l->smsr->config->trigger_again_s, t->anew);
	db_commit(c->db);
	TRY(db_sync(c->db, c->a, NULL, 0, failure));
	fault_point(t, "committed");
	return OK;
}

static void log_turn(const struct turn *t)
{
	const struct bytes none = { 0 }; /* of what goes between an SM-DP and its ISD-P: as in a session (card_listener.c) */
	struct log_line line;
	char labels[64];

	log_begin(&line, LOG_INFO, "card_sms");
	log_str(&line, "eid", t->c.eid.text);
	log_str(&line, "on", said_words[t->said->kind]);
	if (t->said->kind == SMS_SAID_NOTE) {
		log_int(&line, "type", t->said->note.type);
		log_int(&line, "seq", t->said->note.seq);
	}
	log_str(&line, "script", t->next ? command_kind_name(t->next->kind) : NULL);
	log_str(&line, "why", t->next ? NULL : t->why);
	log_end(&line);
	if (t->said->kind == SMS_SAID_ANSWER)
		sms_journal(t->l, JOURNAL_SMS_IN, t->said->path.msisdn, t->c.eid.text, "ES5 answer", "",
			    t->is_ours ? t->said->answer : none);
	if (!t->next)
		return;
	sms_journal(t->l, JOURNAL_SMS_OUT, t->path.msisdn, t->c.eid.text,
		    t->next->kind == COMMAND_CONFIRM ? "ES5 confirmation" : "ES5 script", command_kind_name(t->next->kind),
		    command_is_sent(t->next) ? none : t->next->script);
	(void)snprintf(labels, sizeof(labels), "kind=\"%s\"", command_kind_name(t->next->kind));
	metric_add("rsp_card_scripts_total", labels, 1);
}

enum sms_turn sms_turn(struct sms_lane *l, const struct sms_said *said)
{
	struct db_failure failure = { 0 };
	result r = OK;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct turn t = { .l = l, .said = said, .path = said->path };

		t.c = (struct card_case){ .rpc = l->rpc, .smsr = l->smsr, .db = l->db, .a = l->a, .eid = said->eid };
		failure = (struct db_failure){ 0 };
		r = attempt(&t, &failure);
		if (r == OK) {
			log_turn(&t);
			case_committed(&t.c);
			return SMS_TURN_DONE;
		}
		if (db_in_transaction(l->db))
			db_rollback(l->db);
		if (!failure.rerun && !failure.unique_constraint)
			break;
	}
	log_msg(LOG_WARN, "card_sms", "eid %s: %s", said->eid.text, r->cause ? r->cause : status_code(r->code)->text);
	return r->code == CODE_BUSY || !db_connected(l->db) ? SMS_TURN_DATABASE : SMS_TURN_UNSETTLED;
}

/* ---- packets that ended without an answer ---- */

static size_t lost_take(struct sms_lane *l, const struct rows *rows, struct sms_said **out)
{
	size_t n = rows_count(rows), good = 0;
	struct sms_said *all = arena_array(l->a, n, sizeof(*all));

	for (size_t i = 0; i < n; i++) {
		struct sms_said *s = &all[good];

		s->kind = SMS_SAID_LOST;
		if (!eid_parse(row_text(rows, i, 0), &s->eid))
			continue;
		s->session = row_text_dup(l->a, rows, i, 1);
		s->why = row_text_dup(l->a, rows, i, 2);
		s->reached = row_bool(rows, i, 3);
		good++;
	}
	*out = all;
	return good;
}

bool sms_lost_due(struct sms_lane *l)
{
	const struct rows *rows;
	struct sms_said *all;
	size_t n;

	DB_QUEUE(l->db, SMSR_SMS_ORPHANS, p_int(l->a, LOST_BATCH), p_int(l->a, SMPP_SYSTEM_ERROR), p_text(l->lost_after));
	if (db_sync(l->db, l->a, &rows, 1, NULL) != OK)
		return false;
	n = rows_count(rows);
	(void)snprintf(l->lost_after, sizeof(l->lost_after), "%s", n == LOST_BATCH ? row_text(rows, n - 1, 0) : "");
	n = lost_take(l, rows, &all);
	for (size_t i = 0; i < n; i++)
		if (!sms_lane_is_held(l) || (sms_turn(l, &all[i]) == SMS_TURN_DATABASE && !db_connected(l->db)))
			return false;
	return true;
}

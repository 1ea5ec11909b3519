/* SPDX-License-Identifier: Apache-2.0 */
/* What the SMSC says: answers to what was submitted, receipts, and what cards send. All of it is in the tables before the SMSC
 * hears that we have it (decisions.md C7). */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/card/sms.h"
#include "services/sm-sr/sms_command.h"
#include "services/sm-sr/sms_internal.h"
#include "services/sm-sr/sms_rules.h"
#include "services/sm-sr/sms_trigger.h"

enum { RESULTS_ANSWER = 1, RESULTS_RECEIPT = 1, RESULTS_ALONE = 2, RESULTS_PARTS = 4, AT_PARTS = 1, AT_WHOSE = 2 };
enum { AT_CANDIDATES, AT_SENDERS }; /* of whose */
enum { SOON_MS = 20 /* answers come in swarms */, SPI2_POR = 0x03 };

/* ---- from the session ---- */

static struct sms_event *event_new(struct sms_lane *l)
{
	struct sms_event *e = ARENA_NEW(l->events_arena, struct sms_event);

	*l->events_last = e;
	l->events_last = &e->next;
	l->n_events++;
	return e;
}

static bool on_bound(void *ctx, struct smpp_session *s, const char *system_id, const char *password)
{
	struct sms_lane *l = ctx;
	struct log_line line;

	(void)s;
	(void)password;
	l->fresh = true;
	log_begin(&line, LOG_INFO, "sms_bound");
	log_str(&line, "host", l->smsr->config->smpp_host);
	log_int(&line, "port", l->smsr->config->smpp_port);
	log_str(&line, "smsc", system_id);
	log_end(&line);
	sms_metric("bound");
	return true;
}

static void on_message(void *ctx, struct smpp_session *s, uint32_t sequence, const struct smpp_message *m)
{
	struct sms_lane *l = ctx;
	struct sms_event *e = event_new(l);

	(void)s;
	e->sequence = sequence;
	e->message = *m;
	e->message.data.data = arena_memdup(l->events_arena, m->data.data, m->data.len);
}

static void on_answered(void *ctx, struct smpp_session *s, uint64_t token, uint32_t status, const char *message_id)
{
	struct sms_lane *l = ctx;
	struct sms_event *e = event_new(l);

	(void)s;
	e->is_answer = true;
	e->token = sms_token_unpack(token);
	e->status = status;
	e->id = arena_strdup(l->events_arena, message_id);
}

static void on_ended(void *ctx, struct smpp_session *s, const char *why)
{
	struct sms_lane *l = ctx;

	(void)s;
	l->ended = true;
	(void)snprintf(l->why, sizeof(l->why), "%s", why);
}

const struct smpp_events sms_smpp_events = { on_bound, on_message, on_answered, on_ended };

/* ---- into the tables ---- */

/* Of the text that the SMSC calls the sender: MSISDNs are stored without a plus. */
static const char *number_of(const struct smpp_message *m)
{
	return m->source[0] == '+' ? m->source + 1 : m->source;
}

static bool from_card(const struct sms_event *e, struct sms_part *part)
{
	return !e->is_answer && !e->message.is_receipt && (e->message.esm_class & SMPP_ESM_UDHI) &&
	       sms_part_parse(e->message.data, part);
}

/* Two results: packets in flight that a message from there may answer, keys by which it may be secured. */
static void whose_queue(struct sms_lane *l, const char *number)
{
	sms_candidates_queue(l->db, number);
	sms_senders_queue(l->db, l->a, number);
}

static size_t queue_message(struct sms_lane *l, const struct sms_event *e)
{
	const char *number = number_of(&e->message);
	struct sms_part part;

	if (e->message.is_receipt) {
		DB_QUEUE(l->db, SMSR_SMS_RECEIPT, p_text(e->message.receipt_id), p_text(sms_id_forms(l->a, e->message.receipt_id)),
			 p_text(e->message.receipt_state), p_text(number));
		return RESULTS_RECEIPT;
	}
	if (!from_card(e, &part))
		return 0;
	if (part.total == 1) {
		whose_queue(l, number);
		return RESULTS_ALONE;
	}
	DB_QUEUE(l->db, SMSR_SMS_IN_ADD, p_text(number), p_int(l->a, part.ref), p_int(l->a, part.total), p_int(l->a, part.number),
		 p_int(l->a, part.kind), p_bytes(part.data.data, part.data.len));
	DB_QUEUE(l->db, SMSR_SMS_IN_PARTS, p_text(number), p_int(l->a, part.ref), p_int(l->a, part.total));
	whose_queue(l, number);
	return RESULTS_PARTS;
}

static size_t queue_event(struct sms_lane *l, const struct sms_event *e)
{
	const struct sms_token *t = &e->token;

	if (!e->is_answer)
		return queue_message(l, e);
	DB_QUEUE(l->db, SMSR_SMS_ANSWERED, p_int(l->a, t->id), p_int(l->a, t->attempt), p_int(l->a, t->number), p_text(e->id),
		 p_int(l->a, e->status), p_text(sms_id_forms(l->a, e->id)));
	return RESULTS_ANSWER;
}

static void hint(struct sms_lane *l, int64_t id, const char *state)
{
	int64_t ms = sms_receipt_hint(state, l->smsr->config->sms_retry_ms);

	if (ms >= 0)
		DB_QUEUE(l->db, SMSR_SMS_HINT, p_int(l->a, id), p_int(l->a, ms));
}

static void later(struct sms_lane *l, const struct sms_token *t, unsigned ms, bool counted)
{
	DB_QUEUE(l->db, SMSR_SMS_LATER, p_int(l->a, t->id), p_int(l->a, t->attempt), p_int(l->a, ms), p_int(l->a, counted ? 0 : 1));
}

static void refused(struct sms_lane *l, const struct sms_event *e, const char *eid)
{
	const char *why = sms_status_text(l->a, e->status);
	struct log_line line;

	log_begin(&line, LOG_WARN, "sms_failed");
	log_str(&line, "eid", eid);
	log_str(&line, "why", why);
	log_end(&line);
	sms_metric("refused");
	sms_end(l->db, l->a, e->token.id, SMS_FAILED, why);
}

static void settle_answer(struct sms_lane *l, const struct sms_event *e, const struct rows *rows)
{
	const struct smsr_config *config = l->smsr->config;
	const struct sms_token *t = &e->token;
	bool answered;

	if (rows_count(rows) == 0) /* its row was cleaned away meanwhile */
		return;
	switch (sms_answer_of(e->status)) {
	case SMS_ACCEPTED:
		answered = !(row_int(rows, 0, 1) & SPI2_POR); /* no PoR was asked for: of a trigger */
		DB_QUEUE(l->db, SMSR_SMS_ACCEPTED, p_int(l->a, t->id), p_int(l->a, t->attempt),
			 p_int(l->a, answered ? SMS_DONE : SMS_WAITING));
		sms_metric("accepted");
		break;
	case SMS_LATER_ALL:
		l->pause_until = clock_ms() + config->smpp_throttle_ms;
		sms_metric("throttled");
		later(l, t, config->smpp_throttle_ms, false);
		break;
	case SMS_LATER:
		sms_metric("deferred");
		later(l, t, config->smpp_throttle_ms, false);
		break;
	case SMS_LATER_COUNTED:
		sms_metric("deferred");
		later(l, t, config->sms_retry_ms, true);
		break;
	case SMS_REFUSED:
		refused(l, e, row_text(rows, 0, 0));
		break;
	}
	if (!row_null(rows, 0, 2))
		hint(l, t->id, row_text(rows, 0, 2));
}

static void settle_receipt(struct sms_lane *l, const struct sms_event *e, const struct rows *rows)
{
	const struct smpp_message *m = &e->message;
	const char *eid = rows_count(rows) ? row_text(rows, 0, 1) : "";
	struct log_line line;

	log_begin(&line, LOG_INFO, "sms_receipt");
	log_str(&line, "eid", eid);
	log_str(&line, "id", m->receipt_id);
	log_str(&line, "state", m->receipt_state);
	log_end(&line);
	sms_metric(*eid ? "receipt" : "receipt_unknown");
	sms_journal(l, JOURNAL_SMS_IN, number_of(m), eid, "ES5 receipt",
		    arena_printf(l->a, "%s %s", m->receipt_id, m->receipt_state), (struct bytes){ 0 });
	if (*eid)
		hint(l, row_int(rows, 0, 0), m->receipt_state);
}

static void log_por(struct sms_lane *l, const struct sms_event *e, const struct sms_row *r, const struct scp80_por *por,
		    enum sms_por_move move)
{
	bool bad = move == SMS_POR_FAILED, behind = por->is_protected && por->status == POR_COUNTER_LOW;
	struct log_line line;

	log_begin(&line, behind ? LOG_ERROR : move == SMS_POR_DONE ? LOG_INFO : LOG_WARN, "sms_por");
	log_str(&line, "eid", r->eid.text);
	log_int(&line, "status", por->status);
	log_str(&line, "is", por_status_text(por->status));
	if (!por->is_protected && move == SMS_POR_HINT)
		log_str(&line, "msg", "not protected: it may be anybody's, and changes nothing");
	else if (behind)
		log_str(&line, "msg",
			r->kind == SMS_SCRIPT ? "it has executed this, or our counter is behind the card's: then rspctl keys bump"
					      : "our counter is behind the card's: raise it with rspctl keys bump");
	log_end(&line);
	sms_metric(move == SMS_POR_DONE ? "por" : bad ? "por_error" : "por_hint");
	sms_journal(l, JOURNAL_SMS_IN, number_of(&e->message), r->eid.text, "ES5 PoR",
		    arena_printf(l->a, "counter %llu status %02X %s", (unsigned long long)por->counter, por->status,
				 por_status_text(por->status)),
		    (struct bytes){ 0 });
}

/* A card's turn, in a transaction of its own after this one (sms_command.c). */
struct said {
	struct said *next;
	struct sms_event *e;
	struct sms_said of;
};

/* What the messages of a round are about. */
struct saids {
	struct said *first, **last;
};

static void said_add(struct sms_lane *l, struct saids *all, struct sms_event *e, const struct sms_part *part,
		     const struct sms_said *of)
{
	struct said *s = ARENA_NEW(l->a, struct said);

	*s = (struct said){ .e = e, .of = *of };
	if (part->total > 1) {
		s->of.from = number_of(&e->message);
		s->of.ref = part->ref;
		s->of.total = part->total;
	}
	*all->last = s;
	all->last = &s->next;
}

/* The packet in flight that this answers, if any does: nothing else changes anything. True: one does. */
static bool settle_por(struct sms_lane *l, struct sms_event *e, const struct sms_part *part, struct bytes packet,
		       const struct rows *candidates, struct saids *out)
{
	struct sms_row *all;
	size_t n = sms_candidates_take(l->a, candidates, &all);

	for (size_t i = 0; i < n; i++) {
		const struct sms_row *r = &all[i];
		struct scp80_por por;
		enum sms_por_move move;

		if (!sms_por_open(l->smsr, l->a, r, packet, &por))
			continue;
		move = sms_por_of(r, &por);
		if (move == SMS_POR_NOTHING)
			continue;
		log_por(l, e, r, &por, move);
		if (move == SMS_POR_FAILED)
			sms_end(l->db, l->a, r->id, SMS_FAILED, por_status_text(por.status));
		else if (move == SMS_POR_DONE && r->kind == SMS_TRIGGER)
			sms_heard(l->db, l->a, r, l->smsr->config->trigger_again_s);
		else if (move == SMS_POR_DONE && r->session)
			said_add(l, out, e, part,
				 &(const struct sms_said){ .kind = SMS_SAID_ANSWER,
							   .eid = r->eid,
							   .path = { r->kvn, r->kic, r->kid, r->msisdn },
							   .id = r->id,
							   .session = r->session,
							   .answer = por.data });
		return true;
	}
	log_msg(LOG_INFO, "sms_por", "from %s: it answers nothing that is awaited", e->message.source);
	sms_metric("por_unknown");
	return false;
}

static void log_note(const struct sms_lane *l, const struct sms_event *e, const struct notification *n)
{
	char aid[2 * AID_MAX + 1];

	aid_format(&n->aid, aid);
	sms_metric("note");
	sms_journal(l, JOURNAL_SMS_IN, number_of(&e->message), n->eid.text, "ES5 notification",
		    arena_printf(l->a, "type %02X sequence %u ISD-P %s", n->type, n->seq, aid), (struct bytes){ 0 });
}

/* The card's own word, secured by its keys: from whoever else it comes it is nobody's. True: it is that. */
static bool settle_note(struct sms_lane *l, struct sms_event *e, const struct sms_part *part, struct bytes packet,
			const struct rows *senders, struct saids *out)
{
	const char *number = arena_strdup(l->a, number_of(&e->message)), *why = NULL;
	struct sms_sender *all;
	size_t n = sms_senders_take(l->a, senders, number, &all);
	struct sms_said said = { .kind = SMS_SAID_NOTE };

	for (size_t i = 0; i < n && !why; i++) {
		if (!sms_note_open(l->smsr, l->a, &all[i], packet, &said.note, &why))
			continue;
		said.eid = all[i].eid;
		said.path = all[i].path;
		log_note(l, e, &said.note);
		said_add(l, out, e, part, &said);
		return true;
	}
	log_msg(LOG_INFO, "sms_ignored", "from %s: %s", e->message.source,
		why ? why : "neither an answer to a packet of ours nor a card's word");
	sms_metric("ignored");
	return false;
}

/* A packet is whole. whose: two results. True: it is a card's; what it came in has done its service. */
static bool settle_packet(struct sms_lane *l, struct sms_event *e, const struct sms_part *part, enum sms_kind kind,
			  struct bytes packet, const struct rows *const *whose, struct saids *out)
{
	if (kind == SMS_ANSWER)
		return settle_por(l, e, part, packet, whose[AT_CANDIDATES], out);
	return settle_note(l, e, part, packet, whose[AT_SENDERS], out);
}

/* What nobody can open stays: one part may be left from an older packet with this number, and the right one still to come. */
static void settle_parts(struct sms_lane *l, struct sms_event *e, const struct sms_part *part, const struct rows *const *rows,
			 struct saids *out)
{
	const struct rows *parts = rows[AT_PARTS];
	CLEANUP(buf_free) struct buf packet = { 0 };
	struct said **before = out->last;

	if (rows_count(parts) < part->total)
		return;
	for (size_t i = 0; i < rows_count(parts); i++) {
		struct bytes data = row_bytes(parts, i, 2);

		buf_add(&packet, data.data, data.len);
	}
	if (settle_packet(l, e, part, (enum sms_kind)row_int(parts, 0, 1),
			  (struct bytes){ arena_memdup(l->a, packet.data, packet.len), packet.len }, rows + AT_WHOSE, out) &&
	    before == out->last) /* no turn follows, which does it */
		DB_QUEUE(l->db, SMSR_SMS_IN_DONE, p_text(number_of(&e->message)), p_int(l->a, part->ref), p_int(l->a, part->total));
}

static void settle_event(struct sms_lane *l, struct sms_event *e, const struct rows *const *rows, struct saids *out)
{
	struct sms_part part;

	if (e->is_answer) {
		settle_answer(l, e, rows[0]);
	} else if (e->message.is_receipt) {
		settle_receipt(l, e, rows[0]);
	} else if (!from_card(e, &part)) {
		log_msg(LOG_INFO, "sms_ignored", "from %s: neither a receipt nor a packet", e->message.source);
		sms_metric("ignored");
	} else if (part.total == 1) {
		(void)settle_packet(l, e, &part, part.kind, part.data, rows, out);
	} else {
		settle_parts(l, e, &part, rows, out);
	}
}

/* Whose packets were answered; the commit takes the rows away. */
static size_t answered_cards(const struct sms_lane *l, const struct rows *const *rows, const char **out)
{
	size_t n = 0;

	for (const struct sms_event *e = l->events; e; e = e->next)
		if (e->is_answer && rows_count(rows[e->first]))
			out[n++] = row_text_dup(l->a, rows[e->first], 0, 0);
	return n;
}

/* One that cannot be settled must not come again and again; what the database did not take does. */
static void turns(struct sms_lane *l, const struct saids *all)
{
	for (const struct said *s = all->first; s; s = s->next)
		s->e->failed = !sms_lane_is_held(l) || sms_turn(l, &s->of) == SMS_TURN_DATABASE;
}

static bool settle(struct sms_lane *l, struct saids *out)
{
	const struct rows **rows = arena_array(l->a, l->n_events * RESULTS_PARTS, sizeof(struct rows *));
	const char **cards = arena_array(l->a, l->n_events, sizeof(*cards));
	size_t n = 0, n_cards;

	db_begin(l->db);
	for (struct sms_event *e = l->events; e; e = e->next) {
		e->first = n;
		n += queue_event(l, e);
	}
	if (db_sync(l->db, l->a, rows, n, NULL) != OK)
		return false;
	for (struct sms_event *e = l->events; e; e = e->next)
		settle_event(l, e, rows + e->first, out);
	n_cards = answered_cards(l, rows, cards);
	db_commit(l->db);
	if (db_sync(l->db, l->a, NULL, 0, NULL) != OK)
		return false;
	for (size_t i = 0; i < n_cards; i++)
		(void)FAULT("sm-sr.sms.answered", cards[i]);
	return true;
}

bool sms_events_settle(struct sms_lane *l)
{
	struct saids said = { .first = NULL, .last = &said.first };
	bool good = !l->events || settle(l, &said);

	if (good)
		turns(l, &said);
	for (const struct sms_event *e = l->events; e; e = e->next)
		if (!e->is_answer && l->session && !l->ended)
			smpp_answer(l->session, e->sequence, good && !e->failed ? SMPP_OK : SMPP_SYSTEM_ERROR, "");
	if (l->events && l->look_at > clock_ms() + SOON_MS)
		l->look_at = clock_ms() + SOON_MS;
	l->events = NULL;
	l->events_last = &l->events;
	l->n_events = 0;
	arena_reset(l->events_arena);
	return good;
}

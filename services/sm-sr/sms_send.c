/* SPDX-License-Identifier: Apache-2.0 */
/* What is due: cards that are to be woken get a packet, packets get their attempts. */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/card/sms.h"
#include "services/sm-sr/sms_command.h"
#include "services/sm-sr/sms_internal.h"
#include "services/sm-sr/sms_rules.h"
#include "services/sm-sr/sms_trigger.h"

enum { INTERNATIONAL = 1, ISDN = 1, LOCKED_S = 2 };

bool sms_lane_is_held(const struct sms_lane *l)
{
	return db_connected(l->db) && db_holds(l->db, SMS_LANE_KEY);
}

void sms_metric(const char *what)
{
	char labels[64];

	(void)snprintf(labels, sizeof(labels), "what=\"%s\"", what);
	metric_add("rsp_sms_total", labels, 1);
}

void sms_journal(const struct sms_lane *l, enum journal_kind kind, const char *peer, const char *eid, const char *function,
		 const char *words, struct bytes data)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct journal_entry e = {
		.at = clock_wall_us(), .kind = kind, .peer = peer, .eid = eid, .function = function, .message_id = ""
	};

	buf_str(&text, words);
	if (data.len) {
		buf_char(&text, ' ');
		buf_hex(&text, data.data, data.len);
	}
	e.text = text.data;
	e.n = text.len;
	journal_write(l->rpc->journal, &e);
}

/* ---- packets ---- */

static void unreachable(struct sms_lane *l, const struct sms_due *d, const char *why)
{
	if (strcmp(d->told, why) != 0) { /* once, not every time */
		struct log_line line;

		log_begin(&line, LOG_WARN, "sms_unreachable");
		log_str(&line, "eid", d->eid.text);
		log_str(&line, "why", why);
		log_end(&line);
		sms_metric("unreachable");
	}
	sms_unreachable(l->db, l->a, d, why, l->smsr->config->trigger_again_s);
}

static const char *obstacle(const struct sms_due *d, enum sms_bearer bearer)
{
	if (bearer == SMS_BEARER_NONE)
		return "it has no HTTPS, and this does not go by SMS";
	if (!d->msisdn)
		return "no enabled profile with a number";
	if (!d->kvn || !d->kic.len || !d->kid.len)
		return "no SCP80 keys of AES";
	return NULL;
}

/* The second half of the transaction: each card that got a counter gets its packet. */
static void packets_add(struct sms_lane *l, struct sms_due *due, size_t n, const struct rows *const *counters)
{
	uint8_t spi[2];

	sms_spi(l->smsr->config, spi);
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf packet = { 0 };
		const char *why = NULL;

		if (!sms_counter_taken(counters[i], &due[i].counter))
			why = "its SCP80 counter is used up";
		else if (sms_trigger_build(l->smsr, &due[i], &packet, &why))
			sms_add(l->db, l->a, &due[i], spi[1],
				(struct bytes){ arena_memdup(l->a, packet.data, packet.len), packet.len },
				l->smsr->config->trigger_again_s);
		if (why)
			unreachable(l, &due[i], why);
	}
}

/* In one transaction: counters, packets, and what they are for. */
static bool wake(struct sms_lane *l, struct sms_due *due, size_t n)
{
	const struct rows **counters = arena_array(l->a, n, sizeof(struct rows *));

	db_begin(l->db);
	for (size_t i = 0; i < n; i++)
		sms_counter_queue(l->db, l->a, &due[i]);
	if (db_sync(l->db, l->a, counters, n, NULL) != OK)
		return false;
	packets_add(l, due, n, counters);
	db_commit(l->db);
	if (db_sync(l->db, l->a, NULL, 0, NULL) != OK)
		return false;
	for (size_t i = 0; i < n; i++)
		(void)FAULT("sm-sr.sms.built", due[i].eid.text);
	return true;
}

static void given_up(const struct rows *rows)
{
	for (size_t i = 0; i < rows_count(rows); i++) {
		struct log_line line;

		log_begin(&line, LOG_WARN, "card_silent");
		log_str(&line, "eid", row_text(rows, i, 0));
		log_str(&line, "why",
			"it was woken to be audited as often as AUDIT_TRIES says; it is audited when it comes by itself");
		log_end(&line);
		sms_metric("silent");
	}
}

/* Each in a transaction of its own: the engine chooses under the card's lock. */
static bool command(struct sms_lane *l, const struct sms_due *due, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct sms_due *d = &due[i];
		const struct sms_said said = { .kind = SMS_SAID_DUE, .eid = d->eid, .path = { d->kvn, d->kic, d->kid, d->msisdn } };

		enum sms_turn turn;

		if (!sms_lane_is_held(l))
			return false;
		turn = sms_turn(l, &said);
		if (turn == SMS_TURN_DONE)
			continue;
		if (turn == SMS_TURN_DATABASE) /* somebody is at it */
			sms_pause(l->db, l->a, &d->eid, "its rows are locked", LOCKED_S, false);
		else
			unreachable(l, d, "it cannot be settled now");
		if (db_sync(l->db, l->a, NULL, 0, NULL) != OK)
			return false;
	}
	return true;
}

bool sms_wake_due(struct sms_lane *l, bool *out_full)
{
	const struct rows *rows[SMS_DUE_RESULTS];
	struct sms_due *due, *by_sms;
	size_t n, good = 0, n_by_sms = 0;

	sms_due_queue(l->db, l->a, l->smsr->config->audit_tries, SMS_BATCH);
	if (db_sync(l->db, l->a, rows, LEN(rows), NULL) != OK)
		return false;
	given_up(rows[SMS_DUE_SILENT]);
	n = sms_due_take(l->a, rows[SMS_DUE_FOUND], &due);
	*out_full = n == SMS_BATCH;
	by_sms = arena_array(l->a, n, sizeof(*by_sms));
	for (size_t i = 0; i < n; i++) {
		enum sms_bearer bearer = sms_bearer_of(l->smsr, &due[i]);
		const char *why = obstacle(&due[i], bearer);

		if (why)
			unreachable(l, &due[i], why);
		else if (bearer == SMS_BEARER_SMS)
			by_sms[n_by_sms++] = due[i];
		else
			due[good++] = due[i];
	}
	if (good + n_by_sms < n && db_sync(l->db, l->a, NULL, 0, NULL) != OK)
		return false;
	return (good == 0 || wake(l, due, good)) && command(l, by_sms, n_by_sms);
}

/* ---- attempts ---- */

struct sending {
	const struct sms_row *row;
	struct bytes *parts;
	size_t n;
};

static void outgoing_add(struct sms_lane *l, const struct sending *s, size_t i)
{
	const struct sms_token token = { .id = s->row->id, .attempt = s->row->attempts + 1, .number = (uint8_t)(i + 1) };
	struct sms_outgoing *o = ARENA_NEW(l->outgoing_arena, struct sms_outgoing);
	struct smpp_message *m = &o->message;

	*m = (struct smpp_message){ .source_ton = INTERNATIONAL,
				    .source_npi = ISDN,
				    .destination_ton = INTERNATIONAL,
				    .destination_npi = ISDN,
				    .esm_class = SMPP_ESM_UDHI,
				    .protocol_id = SMS_PID,
				    .data_coding = SMS_DCS,
				    .receipt_wanted = true };
	(void)snprintf(m->source, sizeof(m->source), "%s", l->smsr->config->smpp_source);
	(void)snprintf(m->destination, sizeof(m->destination), "%s", s->row->msisdn);
	o->until = clock_ms() + sms_valid_ms(s->row, l->smsr->config->sms_tries, l->smsr->config->sms_retry_ms);
	m->data = (struct bytes){ arena_memdup(l->outgoing_arena, s->parts[i].data, s->parts[i].len), s->parts[i].len };
	o->token = sms_token_pack(&token);
	*l->outgoing_last = o;
	l->outgoing_last = &o->next;
}

static void sent(struct sms_lane *l, const struct sending *s)
{
	const struct sms_row *r = s->row;
	struct log_line line;

	for (size_t i = 0; i < s->n; i++)
		outgoing_add(l, s, i);
	log_begin(&line, LOG_INFO, "sms_sent");
	log_str(&line, "eid", r->eid.text);
	log_int(&line, "parts", (int64_t)s->n);
	log_int(&line, "attempt", r->attempts + 1);
	log_end(&line);
	sms_metric(r->attempts ? "sent_again" : "sent");
	sms_journal(l, JOURNAL_SMS_OUT, r->msisdn, r->eid.text, r->kind == SMS_SCRIPT ? "ES5 command" : "ES5 trigger",
		    arena_printf(l->a, "counter %llu attempt %lld parts %zu", (unsigned long long)r->counter,
				 (long long)r->attempts + 1, s->n),
		    r->packet);
}

static void give_up(struct sms_lane *l, const struct sms_row *r, const char *why)
{
	struct log_line line;

	log_begin(&line, LOG_WARN, "sms_failed");
	log_str(&line, "eid", r->eid.text);
	log_int(&line, "attempts", r->attempts);
	log_str(&line, "why", why);
	log_end(&line);
	sms_metric("failed");
	sms_end(l->db, l->a, r->id, SMS_FAILED, why);
}

/* Queues the row's next step; true: it is sent. */
static bool step(struct sms_lane *l, const struct sms_row *r, struct sending *out)
{
	const struct smsr_config *config = l->smsr->config;
	const char *why = "its packet is too long";

	switch (sms_due_move(r, config->sms_tries, &why)) {
	case SMS_MOVE_DONE:
		if (r->kind == SMS_SCRIPT)
			sms_end(l->db, l->a, r->id, SMS_FAILED, "nobody waits for it any more"); /* it may still come to the card */
		else
			sms_end(l->db, l->a, r->id, SMS_DONE, "");
		return false;
	case SMS_MOVE_FAIL:
		give_up(l, r, why);
		return false;
	case SMS_MOVE_SEND:
		break;
	}
	/* The same bytes each time: the card puts parts of several attempts together, too. */
	out->row = r;
	out->n = sms_split(l->a, SMS_COMMAND, r->packet, (uint8_t)r->counter, &out->parts);
	if (!out->n) {
		give_up(l, r, why);
		return false;
	}
	sms_sending(l->db, l->a, r, out->n, config->sms_retry_ms);
	return true;
}

bool sms_send_due(struct sms_lane *l, bool *out_full)
{
	const struct rows *rows;
	struct sending *sending;
	struct sms_row *due;
	size_t n, good = 0;

	sms_sendable_queue(l->db, l->a, SMS_BATCH);
	if (db_sync(l->db, l->a, &rows, 1, NULL) != OK)
		return false;
	n = sms_sendable_take(l->a, rows, &due);
	*out_full = n == SMS_BATCH;
	if (!n)
		return true;
	sending = arena_array(l->a, n, sizeof(*sending));
	db_begin(l->db);
	db_relax(l->db); /* lost with the power it is sent once more: the card drops the double */
	for (size_t i = 0; i < n; i++)
		good += step(l, &due[i], &sending[good]);
	if (good < n)
		*out_full = true; /* what has ended may have made something due */
	db_commit(l->db);
	if (db_sync(l->db, l->a, NULL, 0, NULL) != OK)
		return false;
	if (!sms_lane_is_held(l))
		return false;
	for (size_t i = 0; i < good; i++)
		sent(l, &sending[i]);
	sms_pump(l);
	for (size_t i = 0; i < good; i++)
		(void)FAULT("sm-sr.sms.sent", sending[i].row->eid.text);
	return true;
}

/* False: the SMSC takes no more now. What is validated from now on must not outlive what it was queued for. */
static bool pump_one(struct sms_lane *l, struct sms_outgoing *o)
{
	int64_t left = o->until - clock_ms();

	if (left <= 0)
		return true;
	if (!strcmp(l->smsr->config->sms_validity, "relative"))
		smpp_validity_format(left, o->message.validity);
	return smpp_send(l->session, &o->message, o->token);
}

void sms_pump(struct sms_lane *l)
{
	while (l->outgoing && clock_ms() >= l->pause_until && pump_one(l, l->outgoing))
		l->outgoing = l->outgoing->next;
	if (!l->outgoing)
		sms_outgoing_drop(l);
}

void sms_outgoing_drop(struct sms_lane *l)
{
	l->outgoing = NULL;
	l->outgoing_last = &l->outgoing;
	arena_reset(l->outgoing_arena);
}

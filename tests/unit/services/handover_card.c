/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/handover_card.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/crypto/keys.h"

enum { AES = KEY_TYPE_AES, PSK = KEY_TYPE_PSK_TLS };

static struct bytes view(const struct buf *b)
{
	return (struct bytes){ (const uint8_t *)b->data, b->len };
}

static const struct rows *sync_ok(struct change *w, size_t n, const struct rows **rows)
{
	result r = db_sync(w->s->db, w->s->a, rows, n, NULL);

	cr_assert_eq(r, OK, "%s", r && r->cause ? r->cause : "");
	return n ? rows[0] : NULL;
}

struct change *change_open(void)
{
	struct change *w = calloc(1, sizeof(*w));

	w->s = stage_make();
	download_open(&w->d);
	w->s->eid = w->d.c->eid;
	w->s->config.sms_script_max = 400;
	w->s->config.sms_after = 3;
	w->s->config.trigger_again_s = 1;
	w->s->config.trigger_spi = "1639";
	w->s->config.trigger_form = "stored";
	w->s->config.smpp_source = "88390";
	w->s->config.cards_host = "127.0.0.1";
	w->s->config.cards_uri = "/es5";
	w->s->config.card_lost_ms = w->s->config.card_gone_ms = 60000;
	w->s->smsr.cards_port = 4433;
	w->s->smsr.kek = secret_new(32);
	memset(w->s->smsr.kek.data, 0x77, 32);
	w->lane = (struct sms_lane){ .rpc = &w->s->rpc, .smsr = &w->s->smsr, .db = w->s->db, .a = w->s->a };
	return w;
}

void change_close(struct change *w)
{
	secret_free(&w->s->smsr.kek);
	buf_free(&w->script);
	download_close(&w->d);
	stage_drop(w->s);
	free(w);
}

/* ---- rows ---- */

static const char *key_json(struct change *w, uint8_t version, unsigned index, uint8_t type, const uint8_t value[CARD_KEY_LEN])
{
	struct stored_key k;

	cr_assert(isdr_key_store(&w->s->smsr, w->s->a, &w->s->eid,
				 &(const struct isdr_key){ version, (uint8_t)index, type, value, CARD_KEY_LEN }, &k));
	return arena_printf(w->s->a, "{\"version\":%u,\"idx\":%u,\"type\":%u,\"kcv\":\"%s\",\"wrapped\":\"%s\"}", version, index,
			    type, hex_text(w->s->a, k.kcv, sizeof(k.kcv)), hex_text(w->s->a, k.wrapped.data, k.wrapped.len));
}

static void keys_insert(struct change *w, const char *sets, const char *keys)
{
	DB_QUEUE(w->s->db, SMSR_KEYS_INSERT, p_text(w->s->eid.text), p_text(sets), p_text(keys));
	sync_ok(w, 0, NULL);
}

static void card_key(struct change *w, size_t place, uint8_t version, uint8_t index, uint8_t type)
{
	struct card_key *k = &w->d.c->keys[place];

	*k = (struct card_key){ .version = version, .index = index, .type = type };
	memset(k->value, version + index, CARD_KEY_LEN);
}

static void rows_common(struct change *w, bool https)
{
	stage_reset(w->s);
	set_msisdn(w->s, BASE, "88123");
	DB_QUEUE(w->s->db, T_HTTPS, p_text(w->s->eid.text), p_bool(https));
	sync_ok(w, 0, NULL);
}

void change_at_sr1(struct change *w, bool https)
{
	struct arena *a = w->s->a;
	struct card *c = w->d.c;
	CLEANUP(buf_free) struct buf keys = { 0 };

	rows_common(w, https);
	memset(c->keys, 0, sizeof(c->keys));
	memset(c->counters, 0, sizeof(c->counters));
	memset(&c->home, 0, sizeof(c->home));
	c->unused_scp80 = c->unused_scp81 = 0;
	for (uint8_t i = 0; i < 3; i++)
		card_key(w, i, OLD, i + 1, AES);
	card_key(w, 3, OLD_HTTPS, 1, PSK);
	card_key(w, 4, OLD_HTTPS, 2, AES);
	download_save(&w->d);
	for (size_t i = 0; i < 5; i++)
		buf_printf(&keys, "%s%s", i ? "," : "[",
			   key_json(w, c->keys[i].version, c->keys[i].index, c->keys[i].type, c->keys[i].value));
	buf_char(&keys, ']');
	keys_insert(w, arena_printf(a, "[{\"version\":%d,\"type\":1,\"counter\":5},{\"version\":%d,\"type\":2}]", OLD, OLD_HTTPS),
		    keys.data);
	DB_QUEUE(w->s->db, SMSR_PROCEDURE_START, p_text(w->s->eid.text), p_text(HANDOVER), p_int(a, PROC_SMSR_CHANGE),
		 p_text("1.2.5"), p_int(a, ROLE_OPERATOR), p_text("ES4-SMSRChange"), p_text("lock"), p_text(""), p_text(""),
		 p_text(""), p_null(), p_null(), p_text(""), p_int(a, 3600), p_int(a, PROC_MOVING), p_bool(false), p_null());
	sync_ok(w, 0, NULL);
	w->newest = 5;
}

void change_at_sr2(struct change *w, bool https)
{
	CLEANUP(buf_free) struct buf keys = { 0 };
	const struct card_keys *k = &w->d.keys;
	struct arena *a = w->s->a;

	rows_common(w, https);
	DB_QUEUE(w->s->db, T_LISTED, p_text(w->s->eid.text), p_int(a, OLD), p_int(a, KEYSET_SCP80));
	DB_QUEUE(w->s->db, T_LISTED, p_text(w->s->eid.text), p_int(a, OLD_HTTPS), p_int(a, KEYSET_SCP81));
	DB_QUEUE(w->s->db, SMSR_ADOPT, p_text(w->s->eid.text), p_text(HANDOVER), p_text("1.2.6"), p_text("1.2.5"), p_text(""),
		 p_text("[]"));
	sync_ok(w, 0, NULL);
	buf_printf(&keys, "[%s,%s,%s]", key_json(w, NEW, 1, AES, k->enc), key_json(w, NEW, 2, AES, k->mac),
		   key_json(w, NEW, 3, AES, k->dek));
	keys_insert(w, arena_printf(a, "[{\"version\":%d,\"type\":1,\"counter\":%d}]", NEW, NEW_COUNTER), keys.data);
	w->newest = NEW_COUNTER;
}

void change_unlock(struct change *w)
{
	DB_QUEUE(w->s->db, SMSR_PROCEDURE_END, p_text(w->s->eid.text), p_text(HANDOVER), p_int(w->s->a, PROC_MOVING),
		 p_int(w->s->a, PROC_ENDED), p_int(w->s->a, STATUS_FAILED), p_text(""));
	sync_ok(w, 0, NULL);
}

void change_uncertain(struct change *w)
{
	DB_QUEUE(w->s->db, T_UNCERTAIN, p_text(w->s->eid.text));
	sync_ok(w, 0, NULL);
}

/* ---- the sm-sr-handover ---- */

result change_ask(struct change *w, const char *handover, const char *step, const char *members)
{
	const char *text =
		arena_printf(w->s->a, "{\"handover\":\"%s\",\"step\":\"%s\",\"eid\":\"%s\",\"until\":\"" UNTIL_LATER "\"%s}",
			     handover, step, w->s->eid.text, members);
	json_t *in = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	CLEANUP(buf_free) struct buf out = { 0 };
	struct asking q = { .rpc = &w->s->rpc,
			    .role = &w->s->smsr,
			    .db = w->s->db,
			    .a = w->s->a,
			    .verb = "command",
			    .handover = handover,
			    .step = step,
			    .eid = w->s->eid,
			    .in = in,
			    .out = &out };
	result r;

	cr_assert_not_null(in, "%s", text);
	db_begin(w->s->db);
	r = handover_command(&q);
	if (r == OK) {
		db_commit(w->s->db);
		sync_ok(w, 0, NULL);
		handover_command_committed(&q);
	} else {
		db_rollback(w->s->db);
	}
	json_decref(in);
	return r;
}

int64_t change_outcomes(struct change *w)
{
	const struct rows *rows;

	DB_QUEUE0(w->s->db, T_OUTCOMES);
	return row_int(sync_ok(w, 1, &rows), 0, 0);
}

const char *change_outcome(struct change *w, const char *member)
{
	json_t *j = json_loads(outbox_body_of(w->s, "outcome"), JSON_REJECT_DUPLICATES, NULL);
	const char *value = json_string_value(json_object_get(j, member));
	char *copy = arena_strdup(w->s->a, value ? value : "(none)");

	cr_assert_eq(json_object_size(j), 8);
	json_decref(j);
	return copy;
}

const char *change_keysets(struct change *w)
{
	const struct rows *rows;

	DB_QUEUE(w->s->db, T_KEYSETS, p_text(w->s->eid.text));
	return row_text_dup(w->s->a, sync_ok(w, 1, &rows), 0, 0);
}

unsigned change_card_keys(const struct change *w, uint8_t version)
{
	unsigned n = 0;

	for (size_t i = 0; i < CARD_KEYS; i++)
		n += w->d.c->keys[i].version == version;
	return n;
}

/* ---- the card ---- */

static bool is_step(struct bytes capdu)
{
	struct apdu apdu;

	return apdu_parse(capdu, &apdu) && (isdr_change_of(&apdu) != ISDR_CHANGE_NONE || ka_step_of(&apdu) != KA_STEP_NONE);
}

/* True: it is a step's. */
static bool see(struct change *w, struct bytes script)
{
	struct script parsed;
	const char *why;

	cr_assert(script_parse(script, &parsed, &why), "%s", why);
	if (!is_step(parsed.apdus[0]))
		return false;
	cr_assert_eq(parsed.n, 1);
	buf_clear(&w->script);
	buf_add(&w->script, parsed.apdus[0].data, parsed.apdus[0].len);
	return true;
}

static void run(struct change *w, struct bytes script, uint8_t secured, struct buf *answer)
{
	struct script_result results[SCRIPT_COMMANDS_MAX];
	struct script parsed;
	const char *why;
	size_t n = 0;

	cr_assert(script_parse(script, &parsed, &why), "%s", why);
	w->d.secured = secured;
	while (n < parsed.n) {
		CLEANUP(buf_free) struct buf capdu = { 0 };

		buf_add(&capdu, parsed.apdus[n].data, parsed.apdus[n].len);
		results[n].sw = download_execute(&w->d, &capdu);
		results[n].data = (struct bytes){ arena_memdup(w->s->a, w->d.out.data, w->d.out.len), w->d.out.len };
		if (card_script_stops(results[n++].sw))
			break;
	}
	script_answer_build(answer, parsed.form, results, n);
}

/* The packet that is in flight. */
struct flying {
	int64_t id, counter;
	const char *session; /* NULL: a trigger */
	struct bytes packet;
};

static bool in_flight(struct change *w, struct flying *p)
{
	const struct rows *rows;

	DB_QUEUE(w->s->db, T_PACKET, p_text(w->s->eid.text));
	sync_ok(w, 1, &rows);
	cr_assert_leq(rows_count(rows), 1);
	if (!rows_count(rows))
		return false;
	*p = (struct flying){ .id = row_int(rows, 0, 0),
			      .counter = row_int(rows, 0, 2),
			      .packet = row_bytes_dup(w->s->a, rows, 0, 3) };
	p->session = row_null(rows, 0, 1) ? NULL : row_text_dup(w->s->a, rows, 0, 1);
	cr_assert_gt(p->counter, w->newest, "a counter comes twice");
	w->newest = p->counter;
	w->packets++;
	return true;
}

static void turn(struct change *w, const struct sms_said *said)
{
	cr_assert_eq(sms_turn(&w->lane, said), SMS_TURN_DONE);
}

static void lost(struct change *w, const struct flying *p, bool reached)
{
	DB_QUEUE(w->s->db, SMSR_SMS_END, p_int(w->s->a, p->id), p_int(w->s->a, SMS_FAILED), p_text("the card did not answer"));
	sync_ok(w, 0, NULL);
	turn(w, &(const struct sms_said){ .kind = SMS_SAID_LOST,
					  .eid = w->s->eid,
					  .session = p->session,
					  .why = "the card did not answer",
					  .reached = reached });
}

/* The card's answer as the lane reads it. */
static struct bytes por_open(struct change *w, const struct sms_path *path, const struct flying *p,
			     const struct scp80_command *command, const struct buf *por)
{
	struct sms_row row = { .eid = w->s->eid,
				     .kind = SMS_SCRIPT,
				     .kvn = path->kvn,
				     .spi2 = SPI_POR_SECURED,
				     .counter = (uint64_t)p->counter,
				     .kic = path->kic,
				     .kid = path->kid,
				     .tar = { 0, 0, 1 } }; /* the ISD-R's */
	struct scp80_por opened;

	memcpy(row.tar, command->tar, sizeof(row.tar));
	cr_assert(sms_por_open(&w->s->smsr, w->s->a, &row, view(por), &opened));
	cr_assert_eq(sms_por_of(&row, &opened), SMS_POR_DONE);
	return opened.data;
}

static void by_sms(struct change *w, const struct sms_due *due, enum loss loss)
{
	const struct sms_path path = { due->kvn, due->kic, due->kid, due->msisdn };
	struct flying p;

	turn(w, &(const struct sms_said){ .kind = SMS_SAID_DUE, .eid = w->s->eid, .path = path });
	while (in_flight(w, &p)) {
		CLEANUP(buf_free) struct buf por = { 0 };
		CLEANUP(buf_free) struct buf answer = { 0 };
		struct scp80_command command;
		const char *why = "";
		bool step;

		cr_assert_not_null(p.session, "a command");
		cr_assert(card_sms(w->d.c, w->s->a, p.packet, &command, &por, &why), "%s", why);
		download_save(&w->d);
		step = see(w, command.data);
		if (step && loss == NEVER_SENT) {
			lost(w, &p, false);
			return;
		}
		run(w, command.data, command.kid >> 4, &answer);
		if (step && loss == ANSWER_LOST) {
			lost(w, &p, true);
			return;
		}
		buf_clear(&por);
		cr_assert(card_sms_answer(w->d.c, &command, view(&answer), &por));
		turn(w, &(const struct sms_said){ .kind = SMS_SAID_ANSWER,
						  .eid = w->s->eid,
						  .path = path,
						  .id = p.id,
						  .session = p.session,
						  .answer = por_open(w, &path, &p, &command, &por) });
	}
}

void change_session(struct change *w, uint8_t kvn, enum loss loss)
{
	struct card_peer peer = { .eid = w->s->eid };
	struct card_post post = { .kind = POST_FIRST };
	struct card_answer next;

	cr_assert(change_psk(w, kvn), "its key is not known");
	w->sessions++;
	card_key_used(w->d.c, kvn);
	for (;;) {
		CLEANUP(buf_free) struct buf answer = { 0 };
		bool step;

		card_visit(&w->s->rpc, &w->s->smsr, w->s->db, w->s->a, &peer, &post, &next);
		if (next.status == 204)
			return;
		cr_assert_eq(next.status, 200);
		step = see(w, next.script);
		run(w, next.script, kvn, &answer);
		if (step && loss == ANSWER_LOST) { /* it comes again, and knows nothing of it */
			change_session(w, kvn, NOTHING_LOST);
			return;
		}
		post = (struct card_post){ .kind = POST_ANSWER,
					   .status = RAM_OK,
					   .ticket = next.ticket,
					   .body = { arena_memdup(w->s->a, answer.data, answer.len), answer.len } };
	}
}

/* The trigger as the lane builds it: the key that it would name, if it named one, must be the card's. */
static void by_session(struct change *w, struct sms_due *due, enum loss loss)
{
	CLEANUP(buf_free) struct buf packet = { 0 };
	CLEANUP(buf_free) struct buf por = { 0 };
	struct scp80_command command;
	const struct rows *counter;
	const char *why = "";

	sms_counter_queue(w->s->db, w->s->a, due);
	cr_assert(sms_counter_taken(sync_ok(w, 1, &counter), &due->counter));
	cr_assert_gt((int64_t)due->counter, w->newest);
	w->newest = (int64_t)due->counter;
	cr_assert(sms_trigger_build(&w->s->smsr, due, &packet, &why), "%s", why);
	cr_assert(card_sms(w->d.c, w->s->a, view(&packet), &command, &por, &why), "%s", why);
	download_save(&w->d);
	cr_assert(ram_trigger_parse(command.data, &w->trigger));
	change_session(w, w->trigger.stored ? (w->d.c->home.kvn ? w->d.c->home.kvn : OLD_HTTPS) : w->trigger.kvn, loss);
}

static bool due_now(struct change *w, struct sms_due **out)
{
	const struct rows *rows[SMS_DUE_RESULTS];

	DB_QUEUE(w->s->db, T_DUE_NOW, p_text(w->s->eid.text));
	sync_ok(w, 0, NULL);
	sms_due_queue(w->s->db, w->s->a, 150, 10);
	sync_ok(w, SMS_DUE_RESULTS, rows);
	return sms_due_take(w->s->a, rows[SMS_DUE_FOUND], out) == 1;
}

void change_says(struct change *w, struct bytes data, uint16_t sw)
{
	CLEANUP(buf_free) struct buf body = { 0 };
	const struct script_result one = { data, sw };
	struct sms_path path;
	struct sms_due *due;
	struct flying p;

	cr_assert(due_now(w, &due));
	path = (struct sms_path){ due->kvn, due->kic, due->kid, due->msisdn };
	turn(w, &(const struct sms_said){ .kind = SMS_SAID_DUE, .eid = w->s->eid, .path = path });
	cr_assert(in_flight(w, &p));
	script_answer_build(&body, SCRIPT_DEFINITE, &one, 1);
	turn(w, &(const struct sms_said){ .kind = SMS_SAID_ANSWER,
					  .eid = w->s->eid,
					  .path = path,
					  .id = p.id,
					  .session = p.session,
					  .answer = view(&body) });
}

bool change_go(struct change *w, enum loss loss)
{
	struct sms_due *due;

	if (!due_now(w, &due))
		return false;
	if (sms_bearer_of(&w->s->smsr, due) == SMS_BEARER_SMS)
		by_sms(w, due, loss);
	else
		by_session(w, due, loss);
	return true;
}

bool change_psk(struct change *w, uint8_t kvn)
{
	const struct rows *rows;

	DB_QUEUE(w->s->db, SMSR_PSK_FIND, p_text(w->s->eid.text), p_int(w->s->a, kvn), p_int(w->s->a, 1), p_int(w->s->a, PSK),
		 p_bytes(AID_ISDR.data, AID_ISDR.len));
	return rows_count(sync_ok(w, 1, &rows)) > 0;
}

void change_overdue(struct change *w)
{
	const struct rows *rows[CASE_RESULTS];
	struct card_case c = { .rpc = &w->s->rpc, .smsr = &w->s->smsr, .db = w->s->db, .a = w->s->a, .eid = w->s->eid };

	DB_QUEUE(w->s->db, T_STEP_OVER, p_text(w->s->eid.text));
	sync_ok(w, 0, NULL);
	DB_QUEUE(w->s->db, SMSR_SWEEP_DUE, p_int(w->s->a, 60000), p_int(w->s->a, 60000), p_text(""),
		 p_int(w->s->a, 60000));
	cr_assert_eq(rows_count(sync_ok(w, 1, rows)), 1, "the sweeper does not see it");
	db_begin(w->s->db);
	case_queue(w->s->db, &w->s->eid);
	sync_ok(w, CASE_RESULTS, rows);
	cr_assert_eq(case_take(&c, rows), OK);
	cr_assert(procedure_overdue(&c));
	db_commit(w->s->db);
	sync_ok(w, 0, NULL);
}

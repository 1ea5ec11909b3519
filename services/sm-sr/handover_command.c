/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked for a card's SM-SR change becomes a script: read, checked, built, queued in one transaction. */
#include "services/sm-sr/handover_command.h"

#include <string.h>

#include "common/base/fault.h"
#include "common/base/hex.h"
#include "common/card/isdr_agreement.h"
#include "common/card/key_agreement.h"
#include "services/sm-sr/handover_keys.h"
#include "services/sm-sr/procedure_internal.h"
#include "services/sm-sr/smsr_change.h"
#include "services/sm-sr/sms_trigger.h"

enum { AT_STEP, AT_KEYS, AT_ADOPTED, RESULTS, KEY_ID_HTTPS = 1, APDU_MAX = 261, UNTIL_MAX_S = INT32_MAX };

static const struct {
	const char *word;
	enum command_kind kind;
} commands[HANDOVER_COMMANDS] = {
	[HANDOVER_CERTIFICATE] = { "establish_certificate", COMMAND_ISDR_CERTIFICATE },
	[HANDOVER_REQUEST] = { "establish_request", COMMAND_ISDR_AGREEMENT },
	[HANDOVER_PUT_KEY] = { "put_key", COMMAND_PUT_KEY },
	[HANDOVER_ADDRESSING] = { "addressing", COMMAND_ADDRESSING },
	[HANDOVER_FINALISE] = { "finalise", COMMAND_FINALISE },
	[HANDOVER_AUDIT] = { "audit", COMMAND_STATUS },
};

/* A request as it was read, and what it needs. */
struct order {
	struct asking *q;
	struct card_case *c;
	enum handover_command command;
	struct bytes apdu;
	int64_t secured, kvn, until; /* 0: not said */
	uint8_t keep[ISDR_KEPT_MAX];
	size_t n_keep;
	struct held_keys held;
	bool known, ended; /* asked before; and it has ended */
	bool adopted;      /* this SM-SR change brought the card here */
	const char *told;
	struct bytes expected; /* the answer to PUT KEY */
};

/* ---- reading ---- */

static bool said(const struct order *o, const char *member)
{
	return json_object_get(o->q->in, member) != NULL;
}

static bool establishes(const struct order *o)
{
	return o->command == HANDOVER_CERTIFICATE || o->command == HANDOVER_REQUEST;
}

/* It must be the STORE DATA that it claims to be: nothing else goes to a card by this way. */
static bool apdu_read(struct order *o)
{
	const char *hex = asking_text(o->q, "apdu");
	enum ka_step step = o->command == HANDOVER_CERTIFICATE ? KA_STEP_CERTIFICATE : KA_STEP_REQUEST;
	size_t n = hex ? strlen(hex) : 0;
	struct apdu apdu;
	uint8_t *raw;

	if (!n || n > 2 * APDU_MAX)
		return false;
	raw = arena_alloc(o->q->a, n / 2);
	o->apdu = (struct bytes){ raw, n / 2 };
	return hex_decode(hex, n, raw) && apdu_parse(o->apdu, &apdu) && ka_step_of(&apdu) == step;
}

static bool keep_read(struct order *o)
{
	const json_t *list = json_object_get(o->q->in, "keep");

	if (!json_is_array(list) || !json_array_size(list) || json_array_size(list) > LEN(o->keep))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_int_t version = json_integer_value(json_array_get(list, i));

		if (version < SCP80_KVN_FIRST || version > SCP81_KVN_LAST)
			return false;
		o->keep[o->n_keep++] = (uint8_t)version;
	}
	return true;
}

static result read_order(struct order *o)
{
	const char *word = asking_text(o->q, "command");

	while (o->command < HANDOVER_COMMANDS && (!word || strcmp(word, commands[o->command].word) != 0))
		o->command++;
	if (o->command == HANDOVER_COMMANDS)
		return asking_bad(o->q, "command");
	if (!asking_time(o->q, "until", &o->until))
		return asking_bad(o->q, "until");
	if (establishes(o) && !apdu_read(o))
		return asking_bad(o->q, "apdu");
	if (said(o, "secured") && !asking_number(o->q, "secured", SCP80_KVN_FIRST, SCP80_KVN_LAST, &o->secured))
		return asking_bad(o->q, "secured");
	if ((said(o, "kvn") || o->command == HANDOVER_PUT_KEY) &&
	    !asking_number(o->q, "kvn", SCP81_KVN_FIRST, SCP81_KVN_LAST, &o->kvn))
		return asking_bad(o->q, "kvn");
	if (o->command == HANDOVER_FINALISE && !keep_read(o))
		return asking_bad(o->q, "keep");
	return OK;
}

/* ---- loading ---- */

static result load(struct order *o)
{
	const struct rows *rows[RESULTS];
	struct asking *q = o->q;

	TRY(asking_case(q, &o->c));
	DB_QUEUE(q->db, SMSR_STEP_FIND, p_text(q->eid.text), p_text(q->handover), p_text(q->step));
	held_keys_queue(q->db, &q->eid);
	DB_QUEUE(q->db, SMSR_STEP_ADOPTED, p_text(q->eid.text), p_text(q->handover));
	TRY(db_sync(q->db, q->a, rows, RESULTS, NULL));
	held_keys_take(q->a, rows[AT_KEYS], &o->held);
	o->adopted = rows_count(rows[AT_ADOPTED]) > 0;
	o->known = rows_count(rows[AT_STEP]) > 0;
	if (o->known) {
		o->ended = row_bool(rows[AT_STEP], 0, 0);
		o->told = row_text_dup(q->a, rows[AT_STEP], 0, 1);
	}
	return OK;
}

/* Whoever secures SMS to the card now: by another set a script cannot go. */
static result secured_by(struct order *o)
{
	uint8_t sms = held_keys_sms(&o->held);

	if (!sms || (o->secured && o->secured != sms))
		return asking_bad(o->q, "secured");
	o->secured = sms;
	return OK;
}

static result may_begin(struct order *o)
{
	const struct card_case *c = o->c;
	const char *eid = c->eid.text;

	if (!c->known)
		return failed(o->q->a, CODE_EID_UNKNOWN, eid, NULL);
	if (!establishes(o)) {
		if (!o->adopted)
			return failed(o->q->a, CODE_SMSR_CHANGE_ENDED, eid, "this SM-SR change did not bring the eUICC here");
		if (c->running || c->busy_holder)
			return failed(o->q->a, CODE_BUSY, eid, "another procedure commands this eUICC");
		return secured_by(o);
	}
	if (!handover_holds(c, o->q->handover))
		return failed(o->q->a, CODE_SMSR_CHANGE_ENDED, eid, "this SM-SR change does not hold the eUICC");
	if (c->step)
		return failed(o->q->a, CODE_BUSY, eid, "another step of this SM-SR change is at work");
	return OK;
}

/* ---- building ---- */

static void expect_answer(struct order *o, const struct scp81_keys *keys)
{
	CLEANUP(buf_free) struct buf answer = { 0 };

	if (isdr_put_key_answer_build(&answer, keys))
		o->expected = (struct bytes){ arena_memdup(o->q->a, answer.data, answer.len), answer.len };
}

/* The same keys each time; a version that is only listed was another SM-SR's (E2). */
static result put_key(struct order *o, struct buf *out)
{
	CLEANUP(scp81_keys_wipe) struct scp81_keys keys = { 0 };
	CLEANUP(secret_free) struct secret dek = { 0 };
	const struct smsr *smsr = o->c->smsr;
	struct asking *q = o->q;
	uint8_t kvn = (uint8_t)o->kvn;
	bool listed = held_keys_lists(&o->held, kvn), good;

	if (listed && !held_key_of(&o->held, kvn, KEY_ID_HTTPS))
		return asking_bad(q, "kvn");
	good = listed ? scp81_keys_open(smsr, &q->eid, &o->held, kvn, &keys)
		      : scp81_keys_make(smsr, q->db, q->a, &q->eid, kvn, &keys);
	if (!good || !scp80_dek_open(smsr, &q->eid, &o->held, (uint8_t)o->secured, &dek) ||
	    !isdr_put_key_build(out, &keys, dek.data))
		return failed(q->a, CODE_ISDR_KEY_INVALID, q->eid.text,
			      "the keys of sets %lld and %lld cannot be had, or no PUT KEY be made of them", (long long)o->secured,
			      (long long)kvn);
	expect_answer(o, &keys);
	return OK;
}

/* Where SMS and sessions of the card go from now on. */
static result addressing(struct order *o, struct buf *out)
{
	const struct smsr *smsr = o->c->smsr;
	struct isdr_addressing p = { .number = "" };

	const struct held_key *psk = held_key_of(&o->held, (uint8_t)o->kvn, KEY_ID_HTTPS);

	if (o->kvn && (!psk || psk->stage == KEYSET_MADE))
		return asking_bad(o->q, "kvn");
	if (!o->kvn)
		o->kvn = held_keys_https(&o->held);
	sms_home_number(smsr->config, p.number);
	p.has_http = o->kvn && o->c->eis.info.capabilities.http_support && sms_home_told(smsr->config);
	if (p.has_http)
		sms_home(smsr, (uint8_t)o->kvn, KEY_ID_HTTPS, &p.http);
	else
		o->kvn = 0;
	if (!isdr_addressing_build(out, &p))
		return failed(o->q->a, CODE_UNSUPPORTED, o->q->eid.text,
			      "this SM-SR has no number and no address that a card could be told");
	return OK;
}

static bool keeps(const struct order *o, uint8_t version)
{
	return memchr(o->keep, version, o->n_keep) != NULL;
}

/* All keys of each set that stays; the one that secures this must be among them, or the card is out of reach. */
static result finalise(struct order *o, struct buf *out)
{
	struct isdr_kept kept[ISDR_KEPT_MAX];

	for (size_t i = 0; i < o->n_keep; i++) {
		kept[i] = (struct isdr_kept){ .kvn = o->keep[i], .first = UINT8_MAX };
		for (size_t k = 0; k < o->held.n; k++) {
			const struct held_key *key = &o->held.all[k];

			if (key->version != o->keep[i] || !key->index || key->stage == KEYSET_MADE)
				continue;
			kept[i].first = key->index < kept[i].first ? key->index : kept[i].first;
			kept[i].last = key->index > kept[i].last ? key->index : kept[i].last;
		}
		if (!kept[i].last)
			return asking_bad(o->q, "keep");
	}
	if (!keeps(o, (uint8_t)o->secured) || !isdr_finalise_build(out, kept, o->n_keep))
		return asking_bad(o->q, "keep");
	return OK;
}

static result build(struct order *o, struct buf *out)
{
	switch (o->command) {
	case HANDOVER_PUT_KEY:
		return put_key(o, out);
	case HANDOVER_ADDRESSING:
		return addressing(o, out);
	case HANDOVER_FINALISE:
		return finalise(o, out);
	case HANDOVER_CERTIFICATE:
	case HANDOVER_REQUEST:
		buf_add(out, o->apdu.data, o->apdu.len);
		return OK;
	case HANDOVER_AUDIT: /* the engine's own script */
	case HANDOVER_COMMANDS:
		break;
	}
	return OK;
}

/* ---- beginning ---- */

static const char *keep_text(const struct order *o)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_str(&text, "");
	for (size_t i = 0; i < o->n_keep; i++)
		buf_printf(&text, "%s%u", i ? " " : "", o->keep[i]);
	return arena_strdup(o->q->a, text.data);
}

static void step_add(struct order *o, const char *procedure)
{
	struct handover_step *s = ARENA_NEW(o->q->a, struct handover_step);
	struct asking *q = o->q;

	*s = (struct handover_step){
		.handover = q->handover, .step = q->step, .command = o->command, .kvn = (uint8_t)o->kvn, .keep = keep_text(o)
	};
	DB_QUEUE(q->db, SMSR_STEP_ADD, p_text(q->eid.text), p_text(q->handover), p_text(q->step), p_int(q->a, o->command),
		 p_text(procedure), s->kvn ? p_int(q->a, s->kvn) : p_null(), p_text(s->keep), p_time(q->a, o->until));
	o->c->step = s;
}

/* The card has said that it has them: nothing is left to do. */
static bool is_done(const struct order *o)
{
	const struct held_key *psk = held_key_of(&o->held, (uint8_t)o->kvn, KEY_ID_HTTPS);

	return o->command == HANDOVER_PUT_KEY && psk && psk->stage != KEYSET_MADE;
}

static void done_at_once(struct order *o)
{
	static const uint8_t ok[] = { SW_OK >> 8, SW_OK & 0xFF };
	CLEANUP(buf_free) struct buf answer = { 0 };

	buf_add(&answer, o->expected.data, o->expected.len);
	buf_add(&answer, ok, sizeof(ok));
	step_add(o, o->q->handover);
	handover_step_end(o->c, OK, (struct bytes){ arena_memdup(o->q->a, answer.data, answer.len), answer.len });
}

/* At SM-SR2 each step has the card for itself; an audit is one like any other. */
static void own_procedure(struct order *o)
{
	const struct procedure_start start = { .kind = o->command == HANDOVER_AUDIT ? PROC_AUDIT : PROC_HANDOVER_STEP };
	int64_t left = (o->until - o->c->now) / 1000000 + 1;

	procedure_start_own(o->c, &start, left <= 0 ? 0 : left < UNTIL_MAX_S ? (unsigned)left : UNTIL_MAX_S);
}

static void script_add(struct order *o, const struct buf *apdu)
{
	const struct bytes one = { (const uint8_t *)apdu->data, apdu->len };
	CLEANUP(buf_free) struct buf script = { 0 };

	script_build(&script, SCRIPT_INDEFINITE, &one, 1);
	case_command_add(o->c, o->c->running, commands[o->command].kind, &script);
	if (o->expected.len)
		DB_QUEUE(o->q->db, SMSR_COMMAND_EXPECTS, p_text(o->q->eid.text), p_int(o->q->a, commands[o->command].kind),
			 p_bytes(o->expected.data, o->expected.len));
}

static result begin(struct order *o)
{
	CLEANUP(buf_free) struct buf apdu = { 0 };

	TRY(may_begin(o));
	TRY(build(o, &apdu));
	if (is_done(o)) {
		done_at_once(o);
		return OK;
	}
	if (!establishes(o))
		own_procedure(o);
	step_add(o, o->c->running->id);
	if (o->command != HANDOVER_AUDIT)
		script_add(o, &apdu);
	card_log(o->c, LOG_INFO, "handover_command", "%s for %s", commands[o->command].word, o->q->handover);
	return OK;
}

result handover_command(struct asking *q)
{
	struct order *o = ARENA_NEW(q->a, struct order);

	o->q = q;
	TRY(read_order(o));
	TRY(load(o));
	if (!o->known)
		TRY(begin(o));
	else if (o->ended)
		handover_tell_again(o->c, q->handover, q->step, o->told);
	(void)FAULT("sm-sr.handover.command.decided", q->eid.text);
	return OK;
}

void handover_command_committed(struct asking *q)
{
	struct card_case *c = q->loaded;

	(void)FAULT("sm-sr.handover.command.committed", q->eid.text);
	case_committed(c);
}

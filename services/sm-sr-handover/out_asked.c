/* SPDX-License-Identifier: Apache-2.0 */
/* What the sm-sr asks of SM-SR1: an order ES4.SMSRChange begins, a command to the card has ended. */
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/log.h"
#include "common/card/apdu.h"
#include "common/card/key_agreement.h"
#include "common/sgp02/code_text.h"
#include "services/sm-sr-handover/handover_in.h"
#include "services/sm-sr-handover/out.h"

enum { DATA_MAX = 1024 /* digits */ };

/* ---- change ---- */

/* One that is just being taken over keeps its order until its former SM-SR has been told, and has no key on it any more: on its way to a third
 * one it would end neither here nor there. */
static result arrived_check(struct asking *q)
{
	struct handover_in *h = NULL;
	const struct rows *rows;

	DB_QUEUE(q->db, HANDOVER_IN_ACTIVE, p_text(q->eid.text));
	TRY(db_sync(q->db, q->a, &rows, 1, NULL));
	if (rows_count(rows))
		TRY(in_row(q->a, rows, &h));
	if (h && handover_in_committed(h->state) && h->state < HIN_AUDITING)
		return failed(q->a, CODE_BUSY, q->eid.text, "this eUICC is still being taken over: %s",
			      handover_in_state_name(h->state));
	return OK;
}

/* The row as it stands now, with the database's time; *out_new: it was not there. */
static result add(struct asking *q, const struct oid *target, const struct oid *requester, int64_t until, struct handover_out **out,
		  bool *out_new)
{
	const char *context = asking_text(q, "context_id");
	const struct rows *rows[3];

	TRY(out_lock(q->db, q->a, q->handover, out));
	*out_new = !*out;
	if (*out)
		return OK;
	DB_QUEUE(q->db, HANDOVER_OUT_OF_EID, p_text(q->eid.text));
	TRY(db_sync(q->db, q->a, rows, 1, NULL));
	if (rows_count(rows[0])) /* whose end we do not know of yet: it is asked again */
		return internal(q->a, "handover %s: another one of eid %s has not ended", q->handover, q->eid.text);
	TRY(arrived_check(q));
	DB_QUEUE(q->db, HANDOVER_OUT_ADD, p_text(q->handover), p_text(q->eid.text), p_text(target->text), p_text(requester->text),
		 p_text(context ? context : ""), p_text(q->trace ? q->trace : ""), p_int(q->a, HOUT_LOCKING), p_time(q->a, until));
	TRY(db_sync(q->db, q->a, rows, 1, NULL));
	return out_lock(q->db, q->a, q->handover, out);
}

result handover_out_change(struct asking *q)
{
	const char *target = asking_text(q, "target"), *requester = asking_text(q, "operator");
	struct out_case *c = ARENA_NEW(q->a, struct out_case);
	struct oid to, by;
	int64_t until;
	bool is_new;

	*c = (struct out_case){ .role = q->role, .db = q->db, .a = q->a };
	q->loaded = c;
	if (!target || !oid_parse(target, &to))
		return asking_bad(q, "target");
	if (!requester || !oid_parse(requester, &by))
		return asking_bad(q, "operator");
	if (!asking_time(q, "until", &until))
		return asking_bad(q, "until");
	TRY(add(q, &to, &by, until, &c->h, &is_new));
	if (!c->h)
		return internal(q->a, "handover %s: its row is not there", q->handover);
	if (!is_new)
		return OK;
	if (until <= c->h->now)
		return out_step(c, HOEV_DEADLINE, OK);
	out_ask_export(c);
	out_save(c, HOUT_LOCKING);
	return OK;
}

void handover_out_changed(struct asking *q)
{
	out_committed(q->loaded);
}

/* ---- outcome ---- */

/* SW and data of the card's answer; false: the sm-sr says it otherwise than rq.outcome has it. */
static bool answer_of(const struct asking *q, unsigned *out_sw, struct bytes *out_data)
{
	const char *sw = asking_text(q, "sw"), *data = asking_text(q, "data");
	size_t n = data ? strlen(data) : 0;
	uint8_t word[2], *bytes;

	if (!sw || strlen(sw) != 2 * sizeof(word) || !hex_decode(sw, 2 * sizeof(word), word) || n > DATA_MAX)
		return false;
	bytes = arena_alloc(q->a, n / 2 + 1);
	if (n && !hex_decode(data, n, bytes))
		return false;
	*out_sw = (unsigned)word[0] << 8 | word[1];
	*out_data = (struct bytes){ bytes, n / 2 };
	return true;
}

/* The card took the command and says what it is to say. */
static result answered(struct asking *q, struct out_case *c)
{
	struct es7_create_additional_keyset_rs *keyset;
	struct es7_authenticate_smsr_rs *challenge;
	struct ka_answer answer;
	struct bytes data, rc;
	unsigned sw;

	if (!answer_of(q, &sw, &data))
		return asking_bad(q, "sw, data");
	if (sw != SW_OK)
		return out_step(c, HOEV_CARD_FAILED, failed(q->a, CODE_CARD_ERROR, NULL, "the eUICC answered %04X", sw));
	if (c->h->state == HOUT_CERTIFYING && ka_challenge_parse(data, &rc)) {
		challenge = ARENA_NEW(q->a, struct es7_authenticate_smsr_rs);
		challenge->random_challenge = c->h->challenge = rc;
		c->response = challenge;
		return out_step(c, HOEV_CHALLENGE, OK);
	}
	if (c->h->state == HOUT_KEYING && ka_answer_parse(data, &answer)) {
		keyset = ARENA_NEW(q->a, struct es7_create_additional_keyset_rs);
		keyset->receipt = (struct bytes){ arena_memdup(q->a, answer.receipt, KA_RECEIPT), KA_RECEIPT };
		if (answer.has_dr)
			keyset->derivation_random = (struct bytes){ arena_memdup(q->a, answer.dr, KA_DR), KA_DR };
		c->response = keyset;
		return out_step(c, HOEV_RECEIPT, OK);
	}
	return out_step(c, HOEV_CARD_FAILED,
			failed(q->a, CODE_CARD_ERROR, NULL, "the eUICC's answer has not the data that belongs to it"));
}

/* It did not: the sm-sr says why. */
static result not_answered(struct asking *q, struct out_case *c, bool silent)
{
	const char *code = asking_text(q, "code"), *message = asking_text(q, "message"), *sw = asking_text(q, "sw");
	struct result *r = ARENA_NEW(q->a, struct result);
	bool coded = code && *code;

	r->status = silent ? STATUS_EXPIRED : STATUS_FAILED;
	r->code = coded ? code_of_text(code, CODE_INTERNAL) : silent ? CODE_NO_RESPONSE : CODE_CARD_ERROR;
	if (message && *message)
		r->message = message;
	else if (sw && *sw && !silent)
		r->message = arena_printf(q->a, "the eUICC answered %s", sw);
	return out_step(c, HOEV_CARD_FAILED, r);
}

result handover_out_outcome(struct asking *q, bool *out_ours)
{
	const char *outcome = asking_text(q, "outcome");
	struct out_case *c = ARENA_NEW(q->a, struct out_case);

	*c = (struct out_case){ .role = q->role, .db = q->db, .a = q->a };
	q->loaded = c;
	TRY(out_lock(q->db, q->a, q->handover, &c->h));
	*out_ours = c->h != NULL;
	if (!c->h)
		return OK;
	if (strcmp(q->step, out_command_step(q->a, c->h)) != 0) {
		log_msg(LOG_INFO, "handover_out_late", "handover %s: the outcome of %s comes when it is in %s, step %lld", c->h->id,
			q->step, handover_out_state_name(c->h->state), (long long)c->h->step);
		return OK;
	}
	if (outcome && !strcmp(outcome, "answered"))
		return answered(q, c);
	if (outcome && (!strcmp(outcome, "refused") || !strcmp(outcome, "silent")))
		return not_answered(q, c, !strcmp(outcome, "silent"));
	return asking_bad(q, "outcome");
}

void handover_out_outcome_committed(struct asking *q)
{
	out_committed(q->loaded);
}

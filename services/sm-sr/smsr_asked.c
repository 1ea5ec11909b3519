/* SPDX-License-Identifier: Apache-2.0 */
/* What the sm-sr-handover asks of the SM-SR that has the card: its EIS to hand over, and the end of the change (procedures.md 3.20 steps 5, 29, 30).
 * All of it may be asked again, and is answered the same. */
#include <string.h>

#include "common/base/clock.h"
#include "common/rpc/json_out.h"
#include "common/sgp02/code_text.h"
#include "services/sm-sr/handover_command.h"
#include "services/sm-sr/procedure_internal.h"
#include "services/sm-sr/smsr_change.h"

/* So many records travel, the newest ones, some 650 octets each; fewer where others wrote more into them (EIS_TEXT_MAX). */
enum { TRAIL_MAX = 1000 };

result asking_case(struct asking *q, struct card_case **out)
{
	struct card_case *c = ARENA_NEW(q->a, struct card_case);
	const struct rows *rows[CASE_RESULTS];

	*c = (struct card_case){ .rpc = q->rpc, .smsr = q->role, .db = q->db, .a = q->a, .eid = q->eid };
	case_queue(q->db, &c->eid);
	TRY(db_sync(q->db, q->a, rows, LEN(rows), NULL));
	TRY(case_take(c, rows));
	q->loaded = c;
	*out = c;
	return OK;
}

void asking_case_committed(struct asking *q)
{
	if (q->loaded)
		case_committed(q->loaded);
}

bool handover_holds(const struct card_case *c, const char *handover)
{
	return c->running && c->running->kind == PROC_SMSR_CHANGE && !strcmp(c->running->id, handover);
}

static result not_locked(const struct asking *q)
{
	return failed(q->a, CODE_SMSR_CHANGE_ENDED, q->eid.text, "this SM-SR change does not hold the eUICC");
}

/* *out: that handover brought the card to another SM-SR. */
static result moved(const struct asking *q, bool *out)
{
	const struct rows *row;

	DB_QUEUE(q->db, SMSR_CHANGE_MOVED, p_text(q->eid.text), p_text(q->handover));
	TRY(db_sync(q->db, q->a, &row, 1, NULL));
	*out = row_bool(row, 0, 0);
	return OK;
}

/* ---- export ---- */

static result trail_load(const struct asking *q, struct audit_trail **out)
{
	const struct rows *rows;

	DB_QUEUE(q->db, SMSR_TRAIL_LOAD, p_text(q->eid.text), p_int(q->a, TRAIL_MAX));
	TRY(db_sync(q->db, q->a, &rows, 1, NULL));
	if (rows_count(rows) && row_int(rows, 0, 13) > TRAIL_MAX)
		log_msg(LOG_WARN, "export_trail", "eid %s: only the newest %d of %lld records of its audit trail travel",
			q->eid.text, TRAIL_MAX, (long long)row_int(rows, 0, 13));
	return audit_trail_from_rows(q->a, &q->eid, &q->rpc->self, rows, out);
}

/* D2: profiles of all operators but those that are being made, key sets without a key. */
static result asked_export(struct asking *q)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct card_case *c;
	size_t cut;

	TRY(asking_case(q, &c));
	if (!c->known)
		return failed(q->a, CODE_EID_UNKNOWN, q->eid.text, NULL);
	if (!handover_holds(c, q->handover))
		return not_locked(q);
	TRY(trail_load(q, &c->eis.audit_trail));
	(void)eis_filter(&c->eis, VIEW_SM_SR2, NULL, NULL, 0);
	if (!eis_text_write_cut(q->a, &text, &c->eis, &cut))
		return failed(q->a, CODE_SMSR_REFUSED, q->eid.text, "its EIS is too long to be handed over");
	if (cut)
		log_msg(LOG_WARN, "export_trail", "eid %s: the %zu oldest of these records do not fit", q->eid.text, cut);
	json_out_member(q->out, "eis", text.data);
	return OK;
}

/* ---- drop, unlock, tell ---- */

/* As the request says it: code and message, each of which may be missing. */
static result said(const struct asking *q, enum status status, enum code otherwise)
{
	const char *code = asking_text(q, "code"), *message = asking_text(q, "message");
	struct result *r = ARENA_NEW(q->a, struct result);

	r->status = status;
	r->code = code && *code ? code_of_text(code, CODE_SMSR_CHANGE_ENDED) : otherwise;
	r->subject_id = q->eid.text;
	r->message = message && *message ? message : NULL;
	return r;
}

static void left_event(struct card_case *c, const char *moved_to)
{
	char at[DATETIME_MAX];

	datetime_format(c->now, at);
	outbox_event(c->db, c->a, "eis.left", c->eid.text, c->running->trace,
		     arena_printf(c->a, "{\"eid\":\"%s\",\"eum\":\"%s\",\"moved_to\":\"%s\",\"smsr\":\"%s\",\"at\":\"%s\"}",
				  c->eid.text, c->eis.info.eum.text, moved_to, c->rpc->self.text, at));
}

static result drop_outcome(const struct asking *q, result *out)
{
	const char *status = asking_text(q, "status");

	if (!status || (strcmp(status, "success") != 0 && strcmp(status, "warning") != 0))
		return asking_bad(q, "status");
	*out = strcmp(status, "success") ? said(q, STATUS_WARNING, CODE_SMSR_CHANGE_ENDED) : OK;
	return OK;
}

/* What was moved before is done, and what is not here has nothing to be dropped: only of a card that this change does not hold nothing may go. */
static result asked_drop(struct asking *q)
{
	const char *moved_to = asking_text(q, "moved_to");
	struct card_case *c;
	result outcome;
	struct oid to;
	bool before;

	if (!moved_to || !oid_parse(moved_to, &to))
		return asking_bad(q, "moved_to");
	TRY(drop_outcome(q, &outcome));
	TRY(asking_case(q, &c));
	if (!c->known)
		return OK;
	if (!handover_holds(c, q->handover)) {
		TRY(moved(q, &before));
		return before ? OK : not_locked(q);
	}
	left_event(c, moved_to);
	smsr_change_end(c, PEV_MOVED, outcome);
	DB_QUEUE(q->db, SMSR_DROP, p_text(c->eid.text), p_text(moved_to), p_text(q->handover));
	c->queued = true; /* its session is at its end */
	return OK;
}

static result asked_unlock(struct asking *q)
{
	struct card_case *c;
	bool before;

	TRY(asking_case(q, &c));
	if (c->known && handover_holds(c, q->handover)) {
		smsr_change_end(c, PEV_KEPT, said(q, STATUS_FAILED, CODE_SMSR_CHANGE_ENDED));
		return OK;
	}
	TRY(moved(q, &before));
	return before ? not_locked(q) : OK;
}

static result asked_tell(struct asking *q)
{
	struct card_case *c;

	TRY(asking_case(q, &c));
	if (c->known && handover_holds(c, q->handover))
		smsr_change_tell(c, said(q, STATUS_EXPIRED, CODE_TIME_EXPIRED));
	return OK;
}

const struct asked smsr_asked[] = {
	{ "export", asked_export, NULL },
	{ "drop", asked_drop, asking_case_committed },
	{ "unlock", asked_unlock, asking_case_committed },
	{ "tell", asked_tell, asking_case_committed },
	{ "adopt", asked_adopt, NULL },
	{ "announce", asked_announce, asking_case_committed },
	{ "command", handover_command, handover_command_committed },
};
const size_t smsr_asked_count = LEN(smsr_asked);

/* SPDX-License-Identifier: Apache-2.0 */
/* ES4, group eUICCManagement: an operator has a card change its SM-SR (SGP.02 5.5; functions.md ES4 8, 9). */
#include "services/sm-sr/smsr_change.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/rpc/json_out.h"
#include "common/sgp02/code_text.h"
#include "services/sm-sr/cards.h"
#include "services/sm-sr/es4_card.h"
#include "services/sm-sr/procedure_internal.h"

enum { CONTEXT_MAX = 256 }; /* as the schemas have it */
#define HANDOVER_ROLE "sm-sr-handover"

_Static_assert(ROLE_SM_SR == 16, "a number in SMSR_PREPARE_FACTS");
_Static_assert(PROC_SMSR_CHANGE == 7, "a number in SMSR_EIS_MOVING, SMSR_CHANGE_MOVED");

/* ---- asking the sm-sr-handover ---- */

/* What both requests begin with; the step has the verb's name. */
static void ask_begin(struct buf *json, const struct rq *rq, const char *handover, const char *verb, const struct eid *eid)
{
	const char *context = rq->envelope->context_id;

	buf_char(json, '{');
	json_out_member(json, "handover", handover);
	json_out_member(json, "step", verb);
	json_out_member(json, "eid", eid->text);
	json_out_member(json, "operator", rq->caller->oid.text);
	json_out_member(json, "context_id", context && strlen(context) <= CONTEXT_MAX ? context : "");
}

static void ask_send(struct rq *rq, struct buf *json, const char *handover, const char *verb, const struct eid *eid,
		     int64_t give_up_s)
{
	buf_char(json, '}');
	outbox_ask(rq->db, rq->arena,
		   &(const struct ask){ .role = HANDOVER_ROLE,
					.verb = verb,
					.eid = arena_strdup(rq->arena, eid->text),
					.ref = arena_printf(rq->arena, "%s/%s", handover, verb),
					.trace = rq->trace,
					.json = arena_strdup(rq->arena, json->data),
					.give_up_s = give_up_s });
	rq->outbox = true;
}

/* ---- PrepareSMSRChange, on the new SM-SR ---- */

struct prepare_facts {
	bool managed, current_known;
};

static void prepare_queue(struct rq *rq, const void *in)
{
	const struct es4_prepare_smsr_change_rq *request = in;

	DB_QUEUE(rq->db, SMSR_PREPARE_FACTS, p_text(request->eid.text), p_text(request->current.text));
}

static result prepare_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct prepare_facts *found = ARENA_NEW(rq->arena, struct prepare_facts);

	(void)in;
	(void)facts;
	found->managed = row_bool(rows[0], 0, 0);
	found->current_known = row_bool(rows[0], 0, 1);
	rq->loaded = found;
	return OK;
}

const struct load es4_prepare_smsr_change_load = { .results = 1, .queue = prepare_queue, .take = prepare_take };

/* Of the card nothing is known here: whether the operator has a profile on it SM-SR1 will see. Who is no SM-SR of our registry could not
 * hand it over. */
result es4_prepare_smsr_change(struct rq *rq, const void *in, void *out)
{
	const struct es4_prepare_smsr_change_rq *request = in;
	const struct prepare_facts *found = rq->loaded;
	CLEANUP(buf_free) struct buf json = { 0 };
	char *id = arena_alloc(rq->arena, UUID_TEXT);

	(void)out;
	if (found->managed)
		return failed(rq->arena, CODE_EUICC_MANAGED, request->eid.text, NULL);
	if (oid_equal(&request->current, &rq->rpc->self))
		return failed(rq->arena, CODE_PARAM_INVALID, "CurrentSMSRid",
			      "CurrentSMSRid: is this SM-SR, which does not manage the eUICC");
	if (!found->current_known)
		return failed(rq->arena, CODE_SMSR_UNKNOWN, request->current.text, NULL);
	uuid_new(id);
	DB_QUEUE(rq->db, SMSR_PREPARE_ADD, p_text(id), p_text(request->eid.text), p_text(rq->caller->oid.text),
		 p_text(rq->fn->wire), p_text(rq->claim_key), p_time(rq->arena, rq->received_us));
	ask_begin(&json, rq, id, "prepare", &request->eid);
	json_out_member(&json, "current", request->current.text);
	ask_send(rq, &json, id, "prepare", &request->eid, rq->validity_s);
	return OK;
}

/* ---- SMSRChange, on the one that has the card ---- */

static void change_queue(struct rq *rq, const void *in)
{
	const struct es4_smsr_change_rq *request = in;

	case_queue(rq->db, &request->eid);
	DB_QUEUE(rq->db, SMSR_PREPARE_FACTS, p_text(request->eid.text), p_text(request->target.text));
}

static result change_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es4_smsr_change_rq *request = in;
	struct card_case *c;

	TRY(es4_case_take(rq, &request->eid, rows, facts));
	c = rq->loaded;
	c->target_known = row_bool(rows[CASE_RESULTS], 0, 1);
	return OK;
}

const struct load es4_smsr_change_load = { .results = CASE_RESULTS + 1, .queue = change_queue, .take = change_take };

/* Locks the card and lets the sm-sr-handover do the rest. That its caller owns a profile on it was checked. */
result es4_smsr_change(struct rq *rq, const void *in, void *out)
{
	const struct es4_smsr_change_rq *request = in;
	struct card_case *c = rq->loaded;
	CLEANUP(buf_free) struct buf json = { 0 };
	char until[DATETIME_MAX];

	(void)out;
	if (oid_equal(&request->target, &rq->rpc->self))
		return failed(rq->arena, CODE_SMSR_NO_TARGET, request->target.text, "the eUICC is managed by this SM-SR already");
	if (!c->target_known)
		return failed(rq->arena, CODE_SMSR_UNKNOWN, request->target.text, NULL);
	TRY(procedure_start(rq, c,
			    &(const struct procedure_start){ .kind = PROC_SMSR_CHANGE,
							     .grace_s = (unsigned)c->smsr->config->smsr_change_grace_s }));
	datetime_format(c->now + (int64_t)rq->validity_s * 1000000, until);
	ask_begin(&json, rq, c->running->id, "change", &c->eid);
	json_out_member(&json, "target", request->target.text);
	json_out_member(&json, "until", until);
	ask_send(rq, &json, c->running->id, "change", &c->eid, 0); /* for ever: see smsr_change_expired */
	c->outbox = true;
	return OK;
}

result smsr_change_lets(const struct card_case *c)
{
	if (c->running && c->running->kind == PROC_SMSR_CHANGE)
		return failed(c->a, CODE_BUSY, c->eid.text, SMSR_CHANGE_RUNS);
	return OK;
}

/* ---- how it ends ---- */

static bool moving(const struct card_case *c)
{
	return c->running && c->running->kind == PROC_SMSR_CHANGE;
}

void smsr_change_tell(struct card_case *c, result outcome)
{
	const struct procedure *p = c->running;
	struct deferred_call call;

	if (!moving(c) || p->state == PROC_DOUBT || !procedure_step(c, PEV_EXPIRED))
		return;
	call = (struct deferred_call){ p->caller.text, p->function, p->fci };
	deferred_end(c->db, c->a, &call,
		     deferred_encode(c->a, function_by_id(FN_ES4_SMSRChange), NULL, outcome, false, p->started_at));
	card_log(c, LOG_WARN, "smsr_change_doubt", "its caller is told that its time is over; the card stays locked");
	c->outbox = true;
	c->ended = true;
}

void smsr_change_expired(struct card_case *c)
{
	smsr_change_tell(c, expired(c->a, CODE_TIME_EXPIRED));
}

void smsr_change_end(struct card_case *c, enum procedure_event event, result outcome)
{
	if (moving(c) && procedure_step(c, event))
		procedure_end(c, outcome, NO_DATA);
}

/* ---- what the sm-sr-handover answered ---- */

static result refusal(struct arena *a, const struct ask_reply *reply)
{
	if (reply->given_up)
		return expired(a, CODE_TIME_EXPIRED);
	if (reply->done)
		return OK;
	return failed(a, code_of_text(reply->code, CODE_SMSR_CHANGE_ENDED), reply->eid, *reply->message ? "%s" : NULL,
		      reply->message);
}

/* The handover that ref names. */
static const char *handover_of(struct arena *a, const struct ask_reply *reply)
{
	return arena_strndup(a, reply->ref, strcspn(reply->ref, "/"));
}

static result prepare_replied(struct db *db, struct arena *a, const struct ask_reply *reply, const char **out_parked)
{
	const char *id = handover_of(a, reply);
	const struct rows *row, *ended[3];
	struct deferred_call call;
	int64_t received;

	DB_QUEUE(db, SMSR_PREPARE_LOCK, p_text(id));
	TRY(db_sync(db, a, &row, 1, NULL));
	if (rows_count(row) == 0)
		return OK;
	call = (struct deferred_call){ row_text_dup(a, row, 0, 0), row_text_dup(a, row, 0, 1), row_text_dup(a, row, 0, 2) };
	received = row_int(row, 0, 3);
	DB_QUEUE(db, SMSR_PREPARE_END, p_text(id));
	deferred_end(db, a, &call,
		     deferred_encode(a, function_by_id(FN_ES4_PrepareSMSRChange), NULL, refusal(a, reply), false, received));
	TRY(db_sync(db, a, ended, LEN(ended), NULL));
	*out_parked = row_text_dup(a, ended[2], 0, 0);
	return OK;
}

/* Taken: drop or unlock will end it. Refused: nothing has happened, it ends here. */
static result change_replied(struct smsr *smsr, struct db *db, struct arena *a, const struct ask_reply *reply,
			     const char **out_parked)
{
	struct card_case *c = ARENA_NEW(a, struct card_case); /* what is queued is read after this function */
	const struct rows *rows[CASE_RESULTS];

	*c = (struct card_case){ .rpc = smsr->rpc, .smsr = smsr, .db = db, .a = a };
	if (reply->done || !eid_parse(reply->eid, &c->eid))
		return OK;
	case_queue(db, &c->eid);
	TRY(db_sync(db, a, rows, LEN(rows), NULL));
	TRY(case_take(c, rows));
	if (!c->known || !handover_holds(c, handover_of(a, reply)))
		return OK;
	smsr_change_end(c, PEV_KEPT, refusal(a, reply));
	*out_parked = c->parked_replicas;
	return OK;
}

bool smsr_replied(void *role, struct db *db, struct arena *a, const struct ask_reply *reply)
{
	const char *parked = NULL;
	result r = OK;

	if (!strcmp(reply->verb, "prepare"))
		r = prepare_replied(db, a, reply, &parked);
	else if (!strcmp(reply->verb, "change"))
		r = change_replied(role, db, a, reply, &parked);
	if (r != OK)
		log_msg(LOG_WARN, "ask_reply", "%s of %s: %s", reply->verb, reply->ref,
			r->cause ? r->cause : status_code(r->code)->text);
	if (reply->parked)
		*reply->parked = parked;
	return r == OK;
}

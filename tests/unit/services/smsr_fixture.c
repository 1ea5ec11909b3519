/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/smsr_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/rpc/json_out.h"

static void sync_ok(struct stage *s, const struct rows **rows, size_t n)
{
	result r = db_sync(s->db, s->a, rows, n, NULL);

	cr_assert_eq(r, OK, "%s", r && r->cause ? r->cause : "");
}

static const struct asked *asked_row(const char *verb)
{
	for (size_t i = 0; i < smsr_asked_count; i++)
		if (!strcmp(smsr_asked[i].verb, verb))
			return &smsr_asked[i];
	cr_assert_fail("%s is not asked", verb);
	return NULL;
}

static void answer_take(struct stage *s, const struct buf *members, json_t **out)
{
	json_error_t e;

	if (!out)
		return;
	*out = json_loads(arena_printf(s->a, "{\"status\":\"done\"%s%s}", members->len && *members->data != ',' ? "," : "",
				       members->len ? members->data : ""),
			  JSON_REJECT_DUPLICATES, &e);
	cr_assert_not_null(*out, "%s", e.text);
}

result ask_sm_sr(struct stage *s, const char *verb, const char *handover, const char *members, json_t **out)
{
	const char *text =
		arena_printf(s->a, "{\"handover\":\"%s\",\"step\":\"1\",\"eid\":\"%s\"%s}", handover, s->eid.text, members);
	const struct asked *row = asked_row(verb);
	CLEANUP(buf_free) struct buf further = { 0 };
	json_error_t e;
	json_t *in = json_loads(text, JSON_REJECT_DUPLICATES, &e);
	struct asking q = { .rpc = &s->rpc,
			    .role = &s->smsr,
			    .db = s->db,
			    .a = s->a,
			    .verb = verb,
			    .trace = "",
			    .handover = handover,
			    .step = "1",
			    .eid = s->eid,
			    .in = in,
			    .out = &further };
	result r;

	cr_assert_not_null(in, "%s: %s", e.text, text);
	db_begin(s->db);
	r = row->answer(&q);
	if (r == OK) {
		db_commit(s->db);
		sync_ok(s, NULL, 0);
		if (row->committed)
			row->committed(&q);
		answer_take(s, &further, out);
	} else {
		db_rollback(s->db);
	}
	json_decref(in);
	return r;
}

static bool reply(struct stage *s, struct ask_reply *reply, const char *handover)
{
	bool done;

	reply->role = "sm-sr-handover";
	reply->eid = s->eid.text;
	reply->ref = arena_printf(s->a, "%s/%s", handover, reply->verb);
	db_begin(s->db);
	done = smsr_replied(&s->smsr, s->db, s->a, reply);
	if (done) {
		db_commit(s->db);
		sync_ok(s, NULL, 0);
	} else {
		db_rollback(s->db);
	}
	return done;
}

bool reply_sm_sr(struct stage *s, const char *verb, const char *handover, const char *code, const char *message)
{
	return reply(s, &(struct ask_reply){ .verb = verb, .done = !code, .code = code ? code : "", .message = message }, handover);
}

bool reply_given_up(struct stage *s, const char *verb, const char *handover)
{
	return reply(s, &(struct ask_reply){ .verb = verb, .given_up = true }, handover);
}

void add_sm_sr(struct stage *s, const char *oid)
{
	DB_QUEUE(s->db, T_ENTITY, p_text(oid), p_int(s->a, ROLE_SM_SR), p_text(""));
	sync_ok(s, NULL, 0);
}

result ask_smsr_change(struct stage *s, enum profile_at who, const char *target)
{
	struct es4_smsr_change_rq *in = ARENA_NEW(s->a, struct es4_smsr_change_rq);

	in->eid = s->eid;
	cr_assert(oid_parse(target, &in->target));
	return ask(s, &s->operator[who], FN_ES4_SMSRChange, &es4_smsr_change_load, es4_smsr_change, in, NULL);
}

const char *running_id(struct stage *s)
{
	const struct rows *rows;

	DB_QUEUE(s->db, T_RUNNING, p_text(s->eid.text));
	sync_ok(s, &rows, 1);
	cr_assert_eq(rows_count(rows), 1, "nothing runs");
	return row_text_dup(s->a, rows, 0, 0);
}

void fill_card(struct stage *s)
{
	DB_QUEUE(s->db, T_FILL, p_text(s->eid.text), p_text(s->iccid[BASE].text));
	sync_ok(s, NULL, 0);
}

struct smsr_look smsr_look(struct stage *s)
{
	const struct rows *r;

	DB_QUEUE(s->db, T_SMSR, p_text(s->eid.text), p_text(s->fci ? s->fci : ""));
	sync_ok(s, &r, 1);
#define TEXT(col) (row_null(r, 0, (col)) ? "" : row_text_dup(s->a, r, 0, (col)))
	return (struct smsr_look){ .rows = row_int(r, 0, 0),
				   .busy = row_int(r, 0, 1),
				   .prepares = row_int(r, 0, 2),
				   .moved_to = TEXT(3),
				   .answer = TEXT(4),
				   .asked = TEXT(5),
				   .events = TEXT(6),
				   .told = TEXT(7),
				   .states = TEXT(8),
				   .asked_give_up = row_int(r, 0, 9) };
#undef TEXT
}

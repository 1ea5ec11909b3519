/* SPDX-License-Identifier: Apache-2.0 */
/* ES1 answers that come by callback, from SM-SRs with dialect s_callback. */
#include <criterion/criterion.h>

#include "tests/unit/services/eum_stage.h"

static size_t requests(struct stage *s, const struct eid *eid, const struct rows **out)
{
	DB_QUEUE(s->db, T_REQUESTS, p_text(eid->text), p_text(s->f.order.smsr.text));
	stage_sync(s, out, 1);
	return rows_count(*out);
}

/* The callback of that SM-SR to a request with this TransactionId. */
static enum callback_verdict called_back(struct stage *s, enum function_id fn, const struct entity *smsr, const char *correlation,
					 enum status st, const char *subject, const char *reason)
{
	const struct awaited *w = &eum_awaited[fn == FN_ES1_RegisterEIS ? 0 : 1];
	struct status_code_data code = { .subject = subject, .reason = reason, .message = "why" };
	const struct response_base base = { .status = { st, subject ? &code : NULL } };
	struct rq rq = { .db = s->db, .arena = s->f.a, .fn = function_by_id(fn), .caller = smsr, .correlation = correlation };
	enum callback_verdict verdict = CALLBACK_CLOSED;
	struct relation_facts facts = { 0 };
	const struct rows *rows;

	cr_assert_eq(w->id, fn);
	db_begin(s->db);
	w->load->queue(&rq, &base);
	stage_sync(s, &rows, w->load->results);
	cr_assert_eq(w->load->take(&rq, &base, &rows, &facts), OK);
	cr_assert_eq(w->handle(&rq, &base, &verdict), OK);
	db_commit(s->db);
	stage_sync(s, NULL, 0);
	return verdict;
}

/* An SM-SR that answers 202 and calls: asked again until it has, and then never again. */
Test(eum_es1, answers_by_callback, .timeout = 100)
{
	struct entity smsr = { .roles = ROLE_SM_SR }, other = { .oid = oid_of("1.3.6.1.4.1.99999.8"), .roles = ROLE_SM_SR };
	struct eum_update_properties_rq update;
	struct outbox_answer accepted = { .accepted = true, .fn = function_by_id(FN_ES1_RegisterEIS) };
	const enum function_id fn = FN_ES1_RegisterEIS, fn_update = FN_ES1_UpdateEISAdditionalProperties;
	const struct rows *rows;
	struct plain_rs rs = { 0 };
	struct stage *s;
	struct eid eid;
	const char *id;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	smsr.oid = s->f.order.smsr;
	DB_QUEUE0(s->db, T_DIALECT);
	stage_sync(s, NULL, 0);
	stage_fill(s, stage_order(s, "first", 1));
	eid = stage_first_eid(s);
	update = (struct eum_update_properties_rq){ .eid = eid, .properties = *s->f.order.properties };
	cr_assert_eq(stage_call(s, &eum_served[2], &s->orderer, &update, &rs), OK);
	cr_assert_eq(requests(s, &eid, &rows), 2);
	cr_assert(row_bool(rows, 0, 2) && row_bool(rows, 1, 2));
	cr_assert_str_eq(row_text(rows, 0, 3), eid.text);
	id = row_text_dup(s->f.a, rows, 1, 1);
	cr_assert_str_eq(row_text(rows, 1, 3), id);
	accepted.ref = eid.text;
	cr_assert(!eum_answered(&s->eum, s->db, s->f.a, &accepted)); /* nothing is known yet */
	cr_assert_eq(called_back(s, fn, &other, eid.text, STATUS_SUCCESS, NULL, NULL), CALLBACK_NOT_OURS);
	cr_assert_eq(called_back(s, fn, &smsr, "nothing", STATUS_SUCCESS, NULL, NULL), CALLBACK_NOT_OURS);
	cr_assert_eq(called_back(s, fn, &smsr, eid.text, STATUS_FAILED, "1.2", "4.4"), CALLBACK_TAKEN); /* later */
	stage_card_is(s, &eid, "submitted", "");
	cr_assert_eq(requests(s, &eid, &rows), 2);
	cr_assert_eq(called_back(s, fn, &smsr, eid.text, STATUS_SUCCESS, NULL, NULL), CALLBACK_TAKEN);
	stage_card_is(s, &eid, "registered", "");
	cr_assert_eq(requests(s, &eid, &rows), 1);
	cr_assert_eq(called_back(s, fn, &smsr, eid.text, STATUS_FAILED, "8.1.1", "3.3"), CALLBACK_CLOSED);
	stage_card_is(s, &eid, "registered", "");
	cr_assert_eq(called_back(s, fn_update, &other, id, STATUS_SUCCESS, NULL, NULL), CALLBACK_NOT_OURS);
	cr_assert_eq(called_back(s, fn_update, &smsr, id, STATUS_FAILED, "8.1.1", "3.9"), CALLBACK_TAKEN);
	cr_assert_eq(requests(s, &eid, &rows), 0);
	DB_QUEUE(s->db, T_UPDATE, p_text(eid.text));
	stage_sync(s, &rows, 1);
	cr_assert_str_eq(row_text(rows, 0, 1), "refused");
	stage_drop(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of operations, and the requests that their steps send: always in one transaction (decisions.md B1). */
#include "services/operator-gateway/operation.h"

#include <string.h>

#include "common/base/log.h"
#include "services/operator-gateway/gateway.h"

enum { S_US = 1000000, ANSWER_SPARE_S = 30 };

static void take_answer(struct arena *a, const struct rows *rows, size_t row, unsigned col, struct operation_answer *out)
{
	const char **const members[] = { &out->status,  &out->subject,        &out->reason, &out->subject_id,
					 &out->message, &out->euicc_response, &out->eis };

	for (unsigned i = 0; i < LEN(members); i++)
		*members[i] = row_text_dup(a, rows, row, col + i);
	out->iccid = row_text_dup(a, rows, row, 28);
}

result operation_row(struct arena *a, const struct rows *rows, size_t row, struct operation *out)
{
	struct operation o = { .id = row_text_dup(a, rows, row, 0) };
	bool good;

	good = eid_parse(row_text(rows, row, 1), &o.order.eid) && operation_kind_parse(row_text(rows, row, 2), &o.order.kind) &&
	       oid_parse(row_text(rows, row, 5), &o.smsr) && operation_state_parse(row_text(rows, row, 8), &o.state);
	if (good && (operation_of_profile(o.order.kind) || *row_text(rows, row, 3)))
		good = iccid_parse(row_text(rows, row, 3), &o.order.iccid);
	if (good && *row_text(rows, row, 27))
		good = oid_parse(row_text(rows, row, 27), &o.smdp);
	good = good && operation_stage_parse(row_text(rows, row, 29), &o.stage) &&
	       (o.stage == STAGE_NONE) == (o.order.kind != OPERATION_SMSR_CHANGE);
	good = good && change_read(a, row_text(rows, row, 23), &o.order) && operation_asked(&o);
	if (!good)
		return internal(a, "operation %s is damaged", o.id);
	o.order.iccids = row_text_dup(a, rows, row, 4);
	o.order.callback = !strcmp(row_text(rows, row, 6), "callback");
	o.order.patient = row_bool(rows, row, 7);
	o.attempt = row_int(rows, row, 9);
	o.created_at = row_int(rows, row, 10);
	o.deadline = row_int(rows, row, 11);
	o.next_at = row_int(rows, row, 12);
	o.ended_at = row_int(rows, row, 13);
	take_answer(a, rows, row, 14, &o.answer);
	o.user = row_text_dup(a, rows, row, 21);
	o.trace = row_text_dup(a, rows, row, 22);
	o.now = row_int(rows, row, 24);
	o.refusals = row_int(rows, row, 25);
	o.busy_at = row_int(rows, row, 26);
	o.stage_attempt = row_int(rows, row, 30);
	o.stages = row_text_dup(a, rows, row, 31);
	*out = o;
	return OK;
}

result operation_get(struct db *db, struct arena *a, const char *id, struct operation *out)
{
	const struct rows *rows;

	DB_QUEUE(db, GW_OPERATION_GET, p_text(id));
	TRY(db_sync(db, a, &rows, 1, NULL));
	if (rows_count(rows))
		return operation_row(a, rows, 0, out);
	*out = (struct operation){ 0 };
	return OK;
}

/* The ICCIDs of an audit; they were checked when they were ordered. */
static void split_iccids(struct arena *a, const char *text, struct es4_audit_eis_rq *rq)
{
	rq->iccids = arena_array(a, ICCIDS_MAX, sizeof(*rq->iccids));
	for (const char *p = text; *p && rq->n_iccids < ICCIDS_MAX; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (iccid_parse(arena_strndup(a, p, n), &rq->iccids[rq->n_iccids]))
			rq->n_iccids++;
		p += n;
	}
}

/* What is due already is given up at the next look. */
static int64_t seconds_until(const struct operation *o, int64_t at)
{
	int64_t us = at - o->now;

	return us <= 0 ? 1 : (us + S_US - 1) / S_US;
}

#define REQUEST(type, ...) arena_memdup(a, &(struct type){ __VA_ARGS__ }, sizeof(struct type))
#define HEAD .base = *base, .eid = order->eid

/* UpdatePolicyRules alone says its rules in another way on ES2. */
static const void *policy_of(struct arena *a, const struct operation *o, const struct request_base *base)
{
	const struct operation_order *order = &o->order;
	struct pol2 *pol2 = arena_memdup(a, &order->pol2, sizeof(order->pol2));

	if (operation_route(o) == ROUTE_ES4)
		return REQUEST(es4_update_policy_rules_rq, HEAD, .iccid = order->iccid, .pol2 = order->pol2);
	return REQUEST(es2_update_policy_rules_rq, .es3 = { HEAD, .iccid = order->iccid, .pol2 = pol2 }, .smsr = o->smsr);
}

/* Both or one of what a download is told by; they were checked when they were ordered. */
static const void *download_of(struct arena *a, const struct operation *o, const struct request_base *base)
{
	const struct operation_order *order = &o->order;
	struct iccid *iccid = *order->iccid.text ? arena_memdup(a, &order->iccid, sizeof(order->iccid)) : NULL;

	return REQUEST(es2_download_profile_rq, HEAD, .smsr = o->smsr, .profile_type = order->profile_type, .iccid = iccid,
		       .enable = order->enable);
}

static const void *smsr_change_of(struct arena *a, const struct operation *o, const struct request_base *base)
{
	const struct operation_order *order = &o->order;

	if (o->stage == STAGE_PREPARE)
		return REQUEST(es4_prepare_smsr_change_rq, HEAD, .current = o->smsr);
	return REQUEST(es4_smsr_change_rq, HEAD, .target = order->to);
}

/* The function's request struct, in a. Those of ES2 begin with what ES4 takes. */
static const void *request_of(struct arena *a, const struct operation *o, const struct request_base *base)
{
	const struct operation_order *order = &o->order;

	if (order->kind == OPERATION_AUDIT) {
		struct es2_audit_eis_rq *audit = REQUEST(es2_audit_eis_rq, .es3 = { HEAD }, .smsr = o->smsr);

		split_iccids(a, order->iccids, &audit->es3);
		return audit;
	}
	if (order->kind == OPERATION_POLICY)
		return policy_of(a, o, base);
	if (order->kind == OPERATION_DOWNLOAD)
		return download_of(a, o, base);
	if (order->kind == OPERATION_SMSR_CHANGE)
		return smsr_change_of(a, o, base);
	if (order->kind == OPERATION_ADDRESS)
		return REQUEST(es2_update_subscription_address_rq,
			       .es3 = { HEAD, .iccid = order->iccid, .address = order->address }, .smsr = o->smsr);
	return REQUEST(es2_profile_rq, .es3 = { HEAD, .iccid = order->iccid }, .smsr = o->smsr);
}
#undef HEAD
#undef REQUEST

/* attempt and rest of its time are the caller's choice: a new one, or the old one again. Its TransactionId names the attempt: what is said
 * of an older one is told apart. */
static void send_request(struct db *db, struct arena *a, const struct operation *o, int64_t attempt, int64_t validity_s,
			 int64_t give_up_at)
{
	const char *ref = operation_ref(a, o, attempt);
	const struct request_base base = { .fci = ref, .validity_s = &validity_s };
	struct outbox_message m = { .fn = operation_asked(o),
				    .kind = OUTBOX_REQUEST,
				    .to = operation_to(o),
				    .eid = o->order.eid.text,
				    .ref = ref,
				    .transaction_id = ref,
				    .context_id = o->id,
				    .trace = o->trace,
				    .in = request_of(a, o, &base),
				    .wants_callback = o->order.callback,
				    .give_up_s = seconds_until(o, give_up_at) };

	if (!o->order.callback)
		m.timeout_s = (unsigned)validity_s + ANSWER_SPARE_S;
	outbox_send(db, a, &m);
}

/* The ValidityPeriod of the stage's request. */
static int64_t request_s(const struct operation *o, int64_t rest_s)
{
	int64_t s = operation_request_s(o->order.kind, rest_s), most = operation_asked(o)->validity.def_s;

	return o->stage == STAGE_PREPARE && s > most ? most : s;
}

/* What is not delivered by the deadline is not to be executed behind it. But an answer on the connection comes at the deadline at the
 * earliest, and is fetched by another attempt when it was lost. */
static int64_t give_up_at(const struct operation *o)
{
	return o->deadline + (o->order.callback ? 0 : (int64_t)ANSWER_SPARE_S * S_US);
}

void operation_queue_add(struct db *db, struct arena *a, const struct operation *o, const char *key)
{
	const struct operation_order *order = &o->order;

	DB_QUEUE(db, GW_OPERATION_ADD, p_text(o->id), p_text(order->eid.text), p_text(operation_kind_name(order->kind)),
		 p_text(order->iccid.text), p_text(order->iccids), p_text(o->smsr.text),
		 p_text(order->callback ? "callback" : "connection"), p_bool(order->patient), p_int(a, o->deadline),
		 p_int(a, operation_due(o, OPERATION_QUEUED, o->now)), p_text(o->user), key ? p_text(key) : p_null(),
		 p_text(order_input(a, order)), p_text(o->trace), p_text(change_text(a, order)), p_text(o->smdp.text),
		 p_text(operation_stage_name(o->stage)));
	send_request(db, a, o, 1, request_s(o, order->validity_s), give_up_at(o));
}

static void queue_answer(struct db *db, const struct operation *o, const struct operation_answer *r)
{
	DB_QUEUE(db, GW_OPERATION_ANSWER, p_text(o->id), p_text(r->status), p_text(r->subject), p_text(r->reason),
		 p_text(r->subject_id), p_text(r->message), p_text(r->euicc_response), p_text(r->eis), p_text(r->iccid));
}

static const struct operation_answer *silence(const struct operation *o)
{
#define SILENT(who)                                                                                                                \
	{                                                                                                                          \
		"NO_ANSWER", "no_answer", "", "", "the " who " gave no answer in time: ask for an audit to see what became of it", \
			"", "", 0, ""                                                                                              \
	}
	static const struct operation_answer silent[OPERATION_ROUTES] = {
		[ROUTE_ES4] = SILENT("SM-SR"), [ROUTE_ES2] = SILENT("SM-DP")
	};
#undef SILENT
	static const struct operation_answer between = {
		"NO_ANSWER",
		"no_answer",
		"",
		"",
		"the SM-SR gave no answer in time: ask both SM-SRs for the card to see who has it",
		"",
		"",
		0,
		""
	};

	if (o->order.kind == OPERATION_SMSR_CHANGE)
		return &between;
	return &silent[operation_route(o)];
}

static void log_end_of(const struct operation *o, const struct operation_answer *r)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "operation_ended");
	log_str(&l, "operation", o->id);
	log_str(&l, "kind", operation_kind_name(o->order.kind));
	log_str(&l, "eid", o->order.eid.text);
	log_str(&l, "smsr", o->smsr.text);
	log_str(&l, "smdp", *o->smdp.text ? o->smdp.text : NULL);
	log_str(&l, "status", r->status);
	log_str(&l, "subject", r->subject);
	log_str(&l, "reason", r->reason);
	log_int(&l, "attempt", o->attempt);
	log_int(&l, "ms", (o->now - o->created_at) / 1000);
	log_end(&l);
}

/* An answer that was faster than the end of its request, or that makes a newer one needless: that is not to be sent (again). Else a
 * repetition of what was busy could be executed beside the next attempt. */
static void withdraw(struct db *db, struct arena *a, const struct operation *o, enum operation_event event)
{
	bool answered = event == OPEV_ANSWER || event == OPEV_NEXT || event == OPEV_BUSY;

	if (answered && (o->state == OPERATION_QUEUED || o->state == OPERATION_REPEATED))
		outbox_withdraw(db, a, operation_to(o), o->order.eid.text, operation_ref(a, o, o->attempt));
}

/* The next attempt of who was told busy is another call only when this one is known to be none. */
static int64_t next_attempt(const struct operation *o, enum operation_action action)
{
	return o->attempt + (action == OPACT_NEXT || (action == OPACT_SEND && !o->busy_at));
}

static void queue_busy(struct db *db, struct arena *a, const struct operation *o, const struct operation_answer *answer)
{
	int64_t at = operation_busy_at(o, answer);

	DB_QUEUE(db, GW_OPERATION_BUSY, p_text(o->id), at ? p_time(a, at) : p_null());
}

/* The SM-SR that the card is to go to is prepared: the one that has it is asked. */
static const struct operation *stage_next(struct db *db, struct arena *a, const struct operation *o, int64_t attempt)
{
	struct operation *next = arena_memdup(a, o, sizeof(*o)); /* the queue points into it */

	next->stage = STAGE_CHANGE;
	next->stage_attempt = attempt;
	next->refusals = next->busy_at = 0;
	DB_QUEUE(db, GW_OPERATION_STAGE, p_text(o->id), p_text(operation_stage_name(next->stage)), p_int(a, attempt));
	return next;
}

/* What tenants are shown of it: before and next are the same but between two stages. */
static void show_step(struct db *db, struct arena *a, const struct operation *before, const struct operation *next,
		      enum operation_state state, int64_t attempt, const struct operation_answer *answer)
{
	struct operation shown = *before;

	if (before->stage == STAGE_NONE)
		return;
	if (next != before) {
		shown.stages = operation_stages_add(a, before, OPERATION_ENDED, before->attempt, answer);
		shown.stage = next->stage;
		answer = NULL;
	}
	DB_QUEUE(db, GW_OPERATION_STAGES, p_text(before->id), p_text(operation_stages_add(a, &shown, state, attempt, answer)));
}

static const struct operation_answer *no_time(const struct operation *o)
{
	static const struct operation_answer late = { "EXPIRED", "1.6", "5.3", "", "no time is left to ask for the change itself",
						      "",        "",    0,     "" };

	return o->deadline - o->now < (int64_t)function_by_id(FN_ES4_SMSRChange)->validity.min_s * S_US ? &late : NULL;
}

static void send_next(struct db *db, struct arena *a, const struct operation *o, enum operation_action action, int64_t attempt,
		      int64_t due)
{
	if (action == OPACT_REPEAT) /* how long it may take was said before: only the first one counts there */
		send_request(db, a, o, attempt, operation_asked(o)->validity.min_s, due);
	else
		send_request(db, a, o, attempt, request_s(o, (o->deadline - o->now) / S_US), give_up_at(o));
}

bool operation_step(struct db *db, struct arena *a, const struct operation *o, enum operation_event event,
		    const struct operation_answer *answer, bool *out_sent)
{
	struct operation_step step = operation_next(o->state, event);
	const struct operation *next = o;
	int64_t attempt, due;

	if (step.action == OPACT_NOTHING)
		return false;
	if (step.action == OPACT_NEXT && no_time(o)) {
		step = (struct operation_step){ OPERATION_ENDED, OPACT_END };
		answer = no_time(o);
	}
	if (step.action == OPACT_SILENT)
		answer = silence(o);
	attempt = next_attempt(o, step.action);
	if (answer)
		queue_answer(db, o, answer);
	if (answer && event == OPEV_BUSY)
		queue_busy(db, a, o, answer);
	withdraw(db, a, o, event);
	if (step.action == OPACT_NEXT)
		next = stage_next(db, a, o, attempt);
	show_step(db, a, o, next, step.state, attempt, answer);
	due = operation_due(next, step.state, next->now);
	*out_sent = step.action == OPACT_SEND || step.action == OPACT_NEXT || step.action == OPACT_REPEAT;
	if (*out_sent)
		send_next(db, a, next, step.action, attempt, due);
	DB_QUEUE(db, GW_OPERATION_STEP, p_text(o->id), p_text(operation_state_name(step.state)), p_int(a, attempt), p_time(a, due),
		 step.state == OPERATION_ENDED ? p_time(a, o->now) : p_null());
	if (step.state == OPERATION_ENDED)
		log_end_of(o, answer ? answer : &o->answer);
	return true;
}

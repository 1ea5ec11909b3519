/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/handover_out_stage.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/base/random.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

static const struct statement own[] = {
	{ "t_call", "insert into call (caller, function, fci, digest) values ($1, $2, $3, '')" },
	{ "t_outbox", "select id, lane, kind, ref, convert_from(payload, 'UTF8'), eid, wants_callback, transaction_id from outbox"
		      " where lane <> 'bus' order by id limit 1" },
	{ "t_outbox_done", "delete from outbox where id = $1::bigint" },
	{ "t_waiting", "select count(*) from outbox where lane <> 'bus'" },
	{ "t_events", "select coalesce(string_agg(substr(kind, 10), ' ' order by id), '') from outbox where lane = 'bus'" },
	{ "t_answer", "select convert_from(answer, 'UTF8') from call where fci = $1" },
	{ "t_parked", "insert into reply (id, caller, function, fci, mode, message_id, replica, until)"
		      " values (gen_random_uuid(), $1, $2, $3, 'parked', 'm', 'two', now() + interval '1 hour')" },
	{ "t_owned", "insert into handover_in (id, eid, former, operator, state, prepared_until, due_at, ended_at)"
		     " values (gen_random_uuid(), $1, '1.2', '1.3', 8, now(), now(), now())" },
	{ "t_coming", "insert into handover_in (id, eid, former, operator, state, prepared_until, due_at)"
		      " values (gen_random_uuid(), $1, '1.2.3', '1.2.4', $2::int2, now(), now())" },
	{ "t_left", "select count(*) from handover_in where eid = $1 and left_at is not null" },
	{ "t_again", "update handover_out set due_at = clock_timestamp(), call_at = clock_timestamp() where ended_at is null" },
	{ "t_deadline", "update handover_out set deadline = clock_timestamp(), due_at = clock_timestamp() where ended_at is null" },
	{ "t_call_over", "update handover_out set call_until = clock_timestamp() - interval '1 hour', due_at = clock_timestamp()"
			 " where ended_at is null" },
	{ "t_reset", "truncate handover_out, handover_stage, handover_in, call, reply, outbox cascade" },
};

void go_sync(struct go *g, const struct rows **rows, size_t n)
{
	struct db_failure failure = { 0 };
	result r = db_sync(g->db, g->a, rows, n, &failure);

	cr_assert_eq(r, OK, "%s %s", r && r->cause ? r->cause : "", failure.unique_constraint ? failure.unique_constraint : "");
}

static void store_make(struct go *g)
{
	struct store_spec spec = {
		.conninfo = g->cluster.conninfo, .statements = g->statements, .n_statements = T_END, .migrations = g->migrations
	};
	char error[512] = "";

	memcpy(g->statements, rpc_statements, sizeof(rpc_statements));
	memcpy(g->statements + RPC_STATEMENTS, handover_statements, HANDOVER_STATEMENTS * sizeof(*handover_statements));
	memcpy(g->statements + HANDOVER_STATEMENTS_END, own, sizeof(own));
	for (size_t i = 0; i < common_migrations_count; i++)
		g->migrations[spec.n_migrations++] = common_migrations[i];
	for (size_t i = 0; i < handover_migrations_count; i++)
		g->migrations[spec.n_migrations++] = handover_migrations[i];
	cr_assert_eq(store_open(&spec, 10, &g->store, error), 0, "%s", error);
	g->db = db_open(g->store);
}

struct bytes go_certificate(struct go *g, const struct ec_key *ci, uint8_t role, const char *expires)
{
	static const uint8_t id[] = { 1, 2, 3 }, usage[] = { 0x88 };
	struct gp_cert cert = { .serial = { id, 3 },
				.ca_id = { id, 2 },
				.subject = { id, 1 },
				.key_usage = { usage, 1 },
				.expires = expires,
				.role = role };
	struct bytes made;

	ec_key_public(g->sr2_key, cert.point);
	made = gp_cert_build(g->a, &cert, ci);
	cr_assert_gt(made.len, 0);
	return made;
}

static void card_make(struct go *g)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct eum_range *ranges;
	struct eum_batch batch;
	struct eum_card made;
	const char *why = NULL;
	size_t n;

	cr_assert_eq(eum_order_check(g->a, &g->f.order, &g->f.facts, &batch, &ranges, &n), OK);
	batch.id = "0";
	cr_assert(eum_card_make(g->a, &g->f.issuer, &g->f.transport, &batch, 0, clock_wall_us(), &made, &why), "%s", why);
	g->eid = made.eid;
	g->ecasd = ec_key_from_scalar(&made.ecasd);
	ec_key_public(g->ecasd, g->ecasd_point);
	for (size_t i = 0; i < made.eis.isdr.n_keysets; i++)
		made.eis.isdr.keysets[i].n_keys = 0; /* they do not travel (D2) */
	eis_text_write(g->a, &text, &made.eis);
	g->eis = arena_strdup(g->a, text.data);
	eum_card_free(&made);
}

struct go *go_open(void)
{
	struct go *g = calloc(1, sizeof(*g));

	cr_assert(g);
	g->cluster = cluster_new();
	g->f = fixture_make();
	g->a = g->f.a;
	store_make(g);
	g->config.retry_ms = 30000;
	g->rpc = (struct rpc){ .role = "sm-sr-handover",
			       .self_role = ROLE_SM_SR,
			       .self = oid_of("1.3.6.1.4.1.99999.21"),
			       .replica = "one",
			       .role_state = &g->role,
			       .store = g->store };
	g->role = (struct handovers){ .config = &g->config, .rpc = &g->rpc };
	ec_key_public(g->f.ci_key, g->role.own.ci_point);
	g->sr2 = (struct entity){ .oid = oid_of(SMSR2), .name = "B", .roles = ROLE_SM_SR };
	g->other = (struct entity){ .oid = oid_of("1.3.6.1.4.1.99999.23"), .name = "C", .roles = ROLE_SM_SR };
	g->sr2_key = ec_key_new();
	g->certificate = go_certificate(g, g->f.ci_key, GP_ROLE_SM_SR, "20401231");
	card_make(g);
	go_reset(g);
	return g;
}

void go_reset(struct go *g)
{
	DB_QUEUE0(g->db, T_RESET);
	go_sync(g, NULL, 0);
	memset(g->signer, 0, sizeof(g->signer));
}

void go_close(struct go *g)
{
	ka_host_wipe(&g->host);
	ec_key_free(g->sr2_key);
	ec_key_free(g->ecasd);
	db_close(g->db);
	store_close(g->store);
	cluster_free(&g->cluster);
	fixture_drop(&g->f);
	free(g);
}

/* The sm-sr -------------------------------------------------------------------------------------------------------------------------------- */

static struct asking asking(struct go *g, const char *verb, const char *step, const json_t *in)
{
	return (struct asking){ .rpc = &g->rpc,
				.role = &g->role,
				.db = g->db,
				.a = g->a,
				.verb = verb,
				.trace = "",
				.handover = HANDOVER,
				.step = step,
				.eid = g->eid,
				.in = in };
}

/* Its end as ask_serve has it. */
static result conclude(struct go *g, result r)
{
	if (r != OK) {
		db_rollback(g->db);
		return r;
	}
	db_commit(g->db);
	go_sync(g, NULL, 0);
	return OK;
}

result go_change(struct go *g, int64_t until_s)
{
	char until[DATETIME_MAX];
	struct asking q;
	json_t *in;
	result r;

	datetime_format(clock_wall_us() + until_s * 1000000, until);
	in = json_pack("{s:s, s:s, s:s, s:s}", "target", SMSR2, "operator", "1.3.6.1.4.1.99999.5", "context_id", "c1", "until",
		       until);
	q = asking(g, "change", "change", in);
	db_begin(g->db);
	r = conclude(g, handover_out_change(&q));
	if (r == OK)
		handover_out_changed(&q);
	json_decref(in);
	return r;
}

result go_outcome(struct go *g, const char *step, const char *outcome, const char *code, const char *sw, struct bytes data)
{
	json_t *in = json_pack("{s:s, s:s, s:s, s:s}", "outcome", outcome, "code", code, "sw", sw, "data",
			       data.len ? hex_text(g->a, data.data, data.len) : "");
	struct asking q = asking(g, "outcome", step, in);
	bool ours = false;
	result r;

	db_begin(g->db);
	r = conclude(g, handover_out_outcome(&q, &ours));
	if (r == OK && q.loaded)
		handover_out_outcome_committed(&q);
	cr_assert(r != OK || ours);
	json_decref(in);
	return r;
}

bool go_next(struct go *g, struct left *out)
{
	const struct rows *r;
	int64_t id;

	DB_QUEUE0(g->db, T_OUTBOX);
	go_sync(g, &r, 1);
	if (!rows_count(r))
		return false;
	id = row_int(r, 0, 0);
	*out = (struct left){ .lane = row_text_dup(g->a, r, 0, 1),
			      .kind = row_text_dup(g->a, r, 0, 2),
			      .ref = row_text_dup(g->a, r, 0, 3),
			      .body = row_text_dup(g->a, r, 0, 4),
			      .order = row_text_dup(g->a, r, 0, 5),
			      .wants_callback = row_bool(r, 0, 6) };
	DB_QUEUE(g->db, T_OUTBOX_DONE, p_int(g->a, id));
	go_sync(g, NULL, 0);
	return true;
}

json_t *go_asked(struct go *g, const char *verb, struct left *out)
{
	json_t *body;

	cr_assert(go_next(g, out), "the sm-sr is not asked to %s", verb);
	cr_assert_str_eq(out->lane, "rq:sm-sr");
	cr_assert_str_eq(out->kind, verb);
	cr_assert_str_eq(out->order, g->eid.text);
	body = json_loads(out->body, JSON_REJECT_DUPLICATES, NULL);
	cr_assert(body, "%s", out->body);
	cr_assert_str_eq(json_string_value(json_object_get(body, "handover")), HANDOVER);
	cr_assert_str_eq(json_string_value(json_object_get(body, "eid")), g->eid.text);
	return body;
}

bool go_reply(struct go *g, const struct left *l, const char *code, json_t *more)
{
	const struct ask_reply reply = { .role = "sm-sr",
					 .verb = l->kind,
					 .eid = g->eid.text,
					 .ref = l->ref,
					 .done = !*code,
					 .code = code,
					 .message = *code ? "as the test wants it" : "",
					 .body = more };
	bool ours, done;

	db_begin(g->db);
	done = handover_out_replied(&g->role, g->db, g->a, &reply, &ours);
	cr_assert(ours);
	if (done)
		db_commit(g->db);
	else
		db_rollback(g->db);
	go_sync(g, NULL, 0);
	json_decref(more);
	return done;
}

/* SM-SR2 ------------------------------------------------------------------------------------------------------------------------------------ */

static const struct served *served_of(enum function_id id)
{
	static const struct served authenticate = { FN_ES7_AuthenticateSMSR, &authenticate_smsr_load, authenticate_smsr,
						    handover_out_asked_committed };
	static const struct served keyset = { FN_ES7_CreateAdditionalKeySet, &create_additional_keyset_load,
					      create_additional_keyset, handover_out_asked_committed };

	return id == FN_ES7_AuthenticateSMSR ? &authenticate : &keyset;
}

result go_call(struct go *g, enum function_id id, const struct entity *caller, const void *in)
{
	const struct served *served = served_of(id);
	struct rq rq = { .rpc = &g->rpc,
			 .arena = g->a,
			 .db = g->db,
			 .fn = function_by_id(id),
			 .caller = caller,
			 .role = &g->role,
			 .trace = "",
			 .validity_s = VALIDITY_S,
			 .received_us = clock_wall_us(),
			 .claim_key = arena_printf(g->a, "call-%u", ++g->calls) };
	struct relation_facts facts = { 0 };
	const struct rows *rows[4];
	result r;

	g->fci = rq.claim_key;
	DB_QUEUE(g->db, T_CALL, p_text(caller->oid.text), p_text(rq.fn->wire), p_text(rq.claim_key));
	DB_QUEUE(g->db, T_PARKED, p_text(caller->oid.text), p_text(rq.fn->wire), p_text(rq.claim_key));
	go_sync(g, NULL, 0);
	db_begin(g->db);
	served->load->queue(&rq, in);
	go_sync(g, rows, served->load->results);
	r = served->load->take(&rq, in, rows, &facts);
	if (r == OK)
		r = relation_check(g->a, rq.fn, rq.caller, &facts);
	if (r == OK)
		r = served->handle(&rq, in, NULL);
	r = conclude(g, r);
	if (r == OK)
		served->committed(&rq);
	return r;
}

result go_authenticate(struct go *g, const struct entity *caller, struct bytes certificate)
{
	const struct es7_authenticate_smsr_rq rq = { .eid = &g->eid, .certificate = certificate };

	return go_call(g, FN_ES7_AuthenticateSMSR, caller, &rq);
}

result go_keyset(struct go *g, void (*spoil)(struct es7_create_additional_keyset_rq *rq))
{
	struct es7_create_additional_keyset_rq rq = { .eid = g->eid };
	struct isdr_offer offer;

	ka_host_wipe(&g->host);
	cr_assert(isdr_agreement_start(&g->host, KVN, 7, KA_WITH_DR, (struct bytes){ NULL, 0 }));
	cr_assert(isdr_agreement_offer(&g->host, (struct bytes){ g->rc, sizeof(g->rc) }, g->sr2_key, g->a, &offer));
	rq.kvn = offer.kvn;
	rq.counter = offer.counter;
	rq.scenario = offer.scenario;
	rq.point = offer.point;
	rq.signature = offer.signature;
	if (spoil)
		spoil(&rq);
	return go_call(g, FN_ES7_CreateAdditionalKeySet, &g->sr2, &rq);
}

const char *go_answer(struct go *g)
{
	const struct rows *r;

	DB_QUEUE(g->db, T_ANSWER, p_text(g->fci));
	go_sync(g, &r, 1);
	return rows_count(r) && !row_null(r, 0, 0) ? row_text_dup(g->a, r, 0, 0) : NULL;
}

void go_answer_is(struct go *g, const char *status, const char *subject, const char *reason)
{
	const char *text = go_answer(g);

	cr_assert(text, "SM-SR2's call is not answered");
	cr_assert(strstr(text, arena_printf(g->a, ">%s<", status)), "%s", text);
	cr_assert(!subject || strstr(text, arena_printf(g->a, "Subject>%s<", subject)), "%s", text);
	cr_assert(!reason || strstr(text, arena_printf(g->a, "Reason>%s<", reason)), "%s", text);
}

/* Answers to HandoverEUICC ---------------------------------------------------------------------------------------------------------------- */

bool go_answered_as(struct go *g, const struct left *l, const struct outbox_answer *answer)
{
	struct outbox_answer a = *answer;
	bool ours, done;

	a.fn = function_by_id(FN_ES7_HandoverEUICC);
	if (!a.to.text[0])
		a.to = g->sr2.oid;
	a.ref = l->ref;
	a.eid = l->order;
	db_begin(g->db);
	done = handover_out_answered(&g->role, g->db, g->a, &a, &ours);
	cr_assert(ours);
	if (done)
		db_commit(g->db);
	else
		db_rollback(g->db);
	go_sync(g, NULL, 0);
	return done;
}

static struct plain_rs *response(struct go *g, enum status status, const char *subject, const char *reason)
{
	struct plain_rs *rs = ARENA_NEW(g->a, struct plain_rs);

	rs->base.status.status = status;
	if (reason) {
		rs->base.status.code = ARENA_NEW(g->a, struct status_code_data);
		rs->base.status.code->subject = subject;
		rs->base.status.code->reason = reason;
	}
	return rs;
}

bool go_answered(struct go *g, const struct left *l, enum status status, const char *subject, const char *reason)
{
	const struct plain_rs *rs = response(g, status, subject, reason);

	return go_answered_as(g, l, &(const struct outbox_answer){ .response = rs, .base = &rs->base });
}

enum callback_verdict go_callback(struct go *g, const char *ref, const struct entity *caller, enum status status,
				  const char *subject, const char *reason)
{
	const struct plain_rs *rs = response(g, status, subject, reason);
	struct rq rq = { .rpc = &g->rpc,
			 .arena = g->a,
			 .db = g->db,
			 .fn = function_by_id(FN_ES7_HandoverEUICC),
			 .caller = caller,
			 .role = &g->role,
			 .correlation = ref };
	struct relation_facts facts = { 0 };
	enum callback_verdict verdict = CALLBACK_NOT_OURS;
	const struct rows *rows[1];

	db_begin(g->db);
	handover_out_callback_load.queue(&rq, rs);
	go_sync(g, rows, 1);
	cr_assert_eq(handover_out_callback_load.take(&rq, rs, rows, &facts), OK);
	cr_assert_eq(handover_out_callback(&rq, rs, &verdict), OK);
	if (verdict == CALLBACK_TAKEN) {
		db_commit(g->db);
		go_sync(g, NULL, 0);
		handover_out_callback_committed(&rq);
	} else {
		db_rollback(g->db);
	}
	return verdict;
}

/* What became of it ------------------------------------------------------------------------------------------------------------------------ */

void go_time(struct go *g, unsigned statement)
{
	unsigned ms;

	DB_QUEUE0(g->db, statement);
	go_sync(g, NULL, 0);
	(void)due_look(&handover_out_due, &g->rpc, g->db, g->a, "", &ms);
}

struct handover_out *go_row(struct go *g)
{
	struct handover_out *h = NULL;

	db_begin(g->db);
	cr_assert_eq(out_lock(g->db, g->a, HANDOVER, &h), OK);
	db_rollback(g->db);
	cr_assert(h, "there is no row");
	return h;
}

void go_in(struct go *g, enum handover_out_state state)
{
	enum handover_out_state is = go_row(g)->state;

	cr_assert_eq(is, state, "it is %s, not %s", handover_out_state_name(is), handover_out_state_name(state));
}

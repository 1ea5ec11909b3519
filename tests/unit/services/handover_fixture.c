/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/handover_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/soap/doc.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

#define FORMER "1.3.6.1.4.1.99999.2"
#define SELF "1.3.6.1.4.1.99999.22"
#define OPERATOR "1.3.6.1.4.1.99999.5"

static const struct statement own[] = {
	{ "t_entity", "insert into entity (oid, name, roles) values ($1, 'x', $2::int)" },
	{ "t_address", "insert into entity_address (oid, iface, ord, url) values ($1, 'ES7', 0, 'https://former.example:1/es7')" },
	{ "t_call", "insert into call (caller, function, fci, digest) values ($1, 'ES7-HandoverEUICC', $2, '')" },
	{ "t_outbox", "select id, kind, ref, payload from outbox where lane = $1 order by id limit 1" },
	{ "t_outbox_done", "delete from outbox where id = $1::bigint" },
	{ "t_answer", "select convert_from(answer, 'UTF8') from call where fci = $1 order by at limit 1" },
	{ "t_due", "update handover_in set due_at = clock_timestamp() where ended_at is null" },
	{ "t_deadline", "update handover_in set deadline = clock_timestamp() where ended_at is null" },
	{ "t_lapse",
	  "update handover_in set prepared_until = clock_timestamp(), due_at = clock_timestamp() where ended_at is null" },
	{ "t_state", "select state, code, left_at is not null from handover_in where id = $1::uuid" },
	{ "t_stages", "select string_agg(state::text, ' ' order by number) from handover_stage where handover = $1::uuid" },
	{ "t_events", "select count(*) from outbox where kind = $1" },
	{ "t_find", "select (select count(*) from handover_in x where x::text like $1) + (select count(*) from outbox x where "
		    "x::text like $1)"
		    " + (select count(*) from handover_stage x where x::text like $1) + (select count(*) from call x where x::text "
		    "like $1)" },
	{ "t_dialect", "update entity set dialect = 'es7=eid' where oid = '" FORMER "'" },
	{ "t_plain", "update entity set dialect = ''" },
	{ "t_reset", "truncate handover_in, handover_in_call, handover_out, handover_stage, call, reply, outbox" },
};

void desk_sync(struct desk *d, const struct rows **rows, size_t n)
{
	struct db_failure failure = { 0 };
	result r = db_sync(d->db, d->a, rows, n, &failure);

	cr_assert_eq(r, OK, "%s %s", r && r->cause ? r->cause : "", failure.unique_constraint ? failure.unique_constraint : "");
}

static void store_make(struct desk *d)
{
	struct store_spec spec = {
		.conninfo = d->cluster.conninfo, .statements = d->statements, .n_statements = T_END, .migrations = d->migrations
	};
	char error[512] = "";

	memcpy(d->statements, rpc_statements, sizeof(rpc_statements));
	memcpy(d->statements + RPC_STATEMENTS, handover_statements, HANDOVER_STATEMENTS * sizeof(*handover_statements));
	memcpy(d->statements + HANDOVER_STATEMENTS_END, own, sizeof(own));
	for (size_t i = 0; i < common_migrations_count; i++)
		d->migrations[spec.n_migrations++] = common_migrations[i];
	for (size_t i = 0; i < handover_migrations_count; i++)
		d->migrations[spec.n_migrations++] = handover_migrations[i];
	cr_assert_eq(store_open(&spec, 10, &d->store, error), 0, "%s", error);
	d->db = db_open(d->store);
}

static void process_make(struct desk *d)
{
	static const uint8_t id[] = { 1, 2, 3 }, usage[] = { 0x88 };
	struct gp_cert cert = { .serial = { id, 3 },
				.ca_id = { id, 2 },
				.subject = { id, 1 },
				.key_usage = { usage, 1 },
				.expires = "20401231",
				.role = GP_ROLE_SM_SR };

	d->config = (struct handover_config){ .prepared_s = 3600, .card_step_s = 720, .retry_ms = 1000 };
	d->hs = (struct handovers){ .config = &d->config, .arena = d->a, .kek = secret_new(KEK_LEN), .rpc = &d->rpc };
	random_bytes(d->hs.kek.data, KEK_LEN);
	d->hs.own.key = ec_key_new();
	d->hs.own.ci_pem = d->f.ci_pem;
	ec_key_public(d->hs.own.key, cert.point);
	d->hs.own.certificate = gp_cert_build(d->a, &cert, d->f.ci_key);
	d->rpc = (struct rpc){
		.role = "sm-sr-handover", .self_role = ROLE_SM_SR, .self = oid_of(SELF), .role_state = &d->hs, .store = d->store
	};
}

static void card_make(struct desk *d)
{
	struct eum_range *ranges;
	struct eum_batch batch;
	const char *why = NULL;
	size_t n;

	cr_assert_eq(eum_order_check(d->a, &d->f.order, &d->f.facts, &batch, &ranges, &n), OK);
	batch.id = "0";
	cr_assert(eum_card_make(d->a, &d->f.issuer, &d->f.transport, &batch, 0, clock_wall_us(), &d->made, &why), "%s", why);
	d->ecasd = ec_key_from_scalar(&d->made.ecasd);
}

struct desk *desk_open(void)
{
	struct desk *d = calloc(1, sizeof(*d));

	d->cluster = cluster_new();
	d->f = fixture_make();
	d->a = d->f.a;
	d->former = (struct entity){ .oid = oid_of(FORMER), .name = "SM-SR1", .roles = ROLE_SM_SR };
	store_make(d);
	process_make(d);
	card_make(d);
	DB_QUEUE(d->db, T_ENTITY, p_text(FORMER), p_int(d->a, ROLE_SM_SR));
	DB_QUEUE(d->db, T_ADDRESS, p_text(FORMER));
	DB_QUEUE(d->db, T_ENTITY, p_text(OPERATOR), p_int(d->a, ROLE_OPERATOR));
	desk_sync(d, NULL, 0);
	desk_reset(d);
	return d;
}

void desk_close(struct desk *d)
{
	json_decref(d->last);
	ec_key_free(d->ecasd);
	eum_card_free(&d->made);
	db_close(d->db);
	store_close(d->store);
	cluster_free(&d->cluster);
	secret_free(&d->hs.kek);
	ec_key_free(d->hs.own.key);
	fixture_drop(&d->f);
	free(d);
}

void desk_reset(struct desk *d)
{
	DB_QUEUE0(d->db, T_RESET);
	DB_QUEUE0(d->db, T_PLAIN);
	desk_sync(d, NULL, 0);
	d->eis = d->made.eis;
	d->eis.isdr.keysets =
		arena_memdup(d->a, d->made.eis.isdr.keysets, d->made.eis.isdr.n_keysets * sizeof(*d->eis.isdr.keysets));
	for (size_t i = 0; i < d->eis.isdr.n_keysets; i++)
		d->eis.isdr.keysets[i].n_keys = 0;
	d->orders = 0;
}

const char *desk_id(struct desk *d)
{
	return arena_printf(d->a, DESK_ID, d->ids);
}

static result asked(struct desk *d, const char *verb, const char *id, const char *step, json_t *in)
{
	const struct asked *row = handover_asked;
	CLEANUP(buf_free) struct buf out = { 0 };
	struct asking q = { .rpc = &d->rpc,
			    .role = &d->hs,
			    .db = d->db,
			    .a = d->a,
			    .verb = verb,
			    .trace = "",
			    .handover = id,
			    .step = step,
			    .eid = d->made.eid,
			    .in = in,
			    .out = &out };
	result r;

	while (strcmp(row->verb, verb) != 0)
		cr_assert_lt(++row - handover_asked, (ptrdiff_t)handover_n_asked);
	db_begin(d->db);
	r = row->answer(&q);
	if (r == OK) {
		db_commit(d->db);
		desk_sync(d, NULL, 0);
		if (row->committed)
			row->committed(&q);
	} else {
		db_rollback(d->db);
	}
	json_decref(in);
	return r;
}

result desk_prepare(struct desk *d, const char *former)
{
	d->ids++;
	return asked(d, "prepare", desk_id(d), "prepare",
		     json_pack("{s:s,s:s,s:s}", "current", former, "operator", OPERATOR, "context_id", "context"));
}

result desk_outcome(struct desk *d, int64_t step, const char *outcome)
{
	bool good = !strcmp(outcome, "answered");

	return asked(d, "outcome", desk_id(d), arena_printf(d->a, "%lld", (long long)step),
		     json_pack("{s:s,s:s,s:s}", "outcome", outcome, "code", good ? "" : "8.4/4.2", "message", good ? "" : "6985"));
}

result desk_hand(struct desk *d, const struct entity *caller, uint32_t validity_s)
{
	const struct es7_handover_euicc_rq order = { .base = { .fci = "x" }, .eis = d->eis };
	const struct envelope envelope = { 0 };
	struct rq rq = { .rpc = &d->rpc,
			 .arena = d->a,
			 .db = d->db,
			 .envelope = &envelope,
			 .fn = function_by_id(FN_ES7_HandoverEUICC),
			 .caller = caller,
			 .role = &d->hs,
			 .trace = "",
			 .validity_s = validity_s,
			 .received_us = clock_wall_us() + d->later_us,
			 .claim_key = arena_printf(d->a, "order-%u", ++d->orders) };
	const struct served *served = handover_served;
	struct relation_facts facts = { 0 };
	const struct rows *rows[4];
	result r;

	memcpy(rq.eid, d->eis.info.eid.text, sizeof(rq.eid));
	DB_QUEUE(d->db, T_CALL, p_text(caller->oid.text), p_text(rq.claim_key));
	desk_sync(d, NULL, 0);
	db_begin(d->db);
	served->load->queue(&rq, &order);
	desk_sync(d, rows, served->load->results);
	r = served->load->take(&rq, &order, rows, &facts);
	if (r == OK)
		r = relation_check(d->a, rq.fn, rq.caller, &facts);
	if (r == OK)
		r = served->handle(&rq, &order, NULL);
	if (r != OK) {
		db_rollback(d->db);
		return r;
	}
	db_commit(d->db);
	desk_sync(d, NULL, 0);
	served->committed(&rq);
	return OK;
}

static const void *decoded(struct desk *d, const struct desk_row *row)
{
	const struct bind_message *m = message_request(row->fn->id);
	CLEANUP(soap_doc_freep) struct soap_doc *doc = NULL;
	const struct bind_dialect dialect = { 0 };
	void *in = arena_alloc(d->a, m->group->size);
	const char *why = "?", *text = arena_printf(d->a, "<w xmlns:rps=\"" NS_RPS_DEFAULT "\">%s</w>", row->text);
	result r;

	doc = soap_doc_parse(d->a, text, strlen(text), &SOAP_LIMITS, &why);
	cr_assert_not_null(doc, "%s", why);
	r = bind_decode(d->a, m, soap_first(soap_doc_root(doc)), NS_RPS_DEFAULT, &dialect, in);
	cr_assert_eq(r, OK, "%s", r ? r->message : "");
	return in;
}

bool desk_next(struct desk *d, const char *lane, struct desk_row *out)
{
	const struct rows *r;
	struct bytes body;
	const char *name;

	DB_QUEUE(d->db, T_OUTBOX, p_text(lane));
	desk_sync(d, &r, 1);
	if (!rows_count(r))
		return false;
	body = row_bytes(r, 0, 3);
	*out = (struct desk_row){ .id = row_int(r, 0, 0),
				  .kind = row_text_dup(d->a, r, 0, 1),
				  .ref = row_text_dup(d->a, r, 0, 2),
				  .text = arena_strndup(d->a, (const char *)body.data, body.len) };
	if (!strncmp(lane, "peer", 4)) {
		out->fn = function_by_root(arena_printf(d->a, "%sRequest", out->kind), &name);
		cr_assert_not_null(out->fn);
		out->in = decoded(d, out);
		cr_assert_str_eq(((const struct request_base *)out->in)->fci, out->ref);
	} else {
		json_decref(d->last);
		out->json = d->last = json_loads(out->text, JSON_REJECT_DUPLICATES, NULL);
		cr_assert_not_null(out->json, "%s", out->text);
	}
	return true;
}

static void done(struct desk *d, const struct desk_row *row)
{
	DB_QUEUE(d->db, T_OUTBOX_DONE, p_int(d->a, row->id));
	db_commit(d->db);
	desk_sync(d, NULL, 0);
}

void desk_answer(struct desk *d, const struct desk_row *row, const struct response_base *rs)
{
	const struct outbox_answer in = { .given_up = !rs,
					  .fn = row->fn,
					  .to = d->former.oid,
					  .ref = row->ref,
					  .eid = d->made.eid.text,
					  .response = rs,
					  .base = rs };

	db_begin(d->db);
	cr_assert(handover_answered(&d->hs, d->db, d->a, &in));
	done(d, row);
}

void desk_refuse(struct desk *d, const struct desk_row *row, enum status status, const char *subject, const char *reason)
{
	struct status_code_data code = { .subject = subject, .reason = reason, .message = "as the test wants it" };
	struct es7_create_additional_keyset_rs rs = { .base = { .status = { status, &code } } }; /* no struct is larger */

	desk_answer(d, row, &rs.base);
}

void desk_callback(struct desk *d, const struct desk_row *row, const struct oid *from, const struct response_base *rs,
		   enum callback_verdict wanted)
{
	const struct entity caller = { .oid = *from, .roles = ROLE_SM_SR };
	struct rq rq = { .rpc = &d->rpc,
			 .arena = d->a,
			 .db = d->db,
			 .fn = row->fn,
			 .caller = &caller,
			 .role = &d->hs,
			 .correlation = row->ref };
	enum callback_verdict verdict = CALLBACK_NOT_OURS;
	const struct awaited *awaited = handover_awaited;
	struct relation_facts facts = { 0 };
	const struct rows *rows;

	while (awaited->id != row->fn->id)
		cr_assert_lt(++awaited - handover_awaited, (ptrdiff_t)handover_n_awaited);
	db_begin(d->db);
	awaited->load->queue(&rq, rs);
	desk_sync(d, &rows, 1);
	cr_assert_eq(awaited->load->take(&rq, rs, &rows, &facts), OK);
	cr_assert_eq(awaited->handle(&rq, rs, &verdict), OK);
	cr_assert_eq(verdict, wanted);
	if (verdict != CALLBACK_TAKEN) {
		db_rollback(d->db);
		return;
	}
	done(d, row);
	awaited->committed(&rq);
}

struct es7_authenticate_smsr_rs desk_challenge(struct desk *d)
{
	random_bytes(d->rc, sizeof(d->rc));
	return (struct es7_authenticate_smsr_rs){ .random_challenge = { d->rc, sizeof(d->rc) } };
}

struct es7_create_additional_keyset_rs desk_receipt(struct desk *d, const struct desk_row *row)
{
	const struct es7_create_additional_keyset_rq *rq = row->in;
	const struct isdr_offer offer = { .kvn = (uint8_t)rq->kvn,
					  .counter = rq->counter,
					  .scenario = (uint8_t)rq->scenario,
					  .host_id = rq->host_id,
					  .point = rq->point,
					  .signature = rq->signature };
	const struct bytes rc = { d->rc, sizeof(d->rc) };
	CLEANUP(buf_free) struct buf apdu = { 0 };
	uint8_t signer[P256_POINT];
	struct ka_received received;
	struct ka_answer answer;
	struct apdu c;

	ec_key_public(d->hs.own.key, signer);
	cr_assert_eq(isdr_agreement_request(&offer, NULL, rc, signer, &apdu), KA_GOOD);
	cr_assert(apdu_parse((struct bytes){ (const uint8_t *)apdu.data, apdu.len }, &c));
	cr_assert_eq(ka_request_parse(&c, &received), SW_OK);
	cr_assert_eq(ka_card_agree(&received, rc, signer, d->ecasd, NULL, &d->ks2, &answer), KA_GOOD);
	return (struct es7_create_additional_keyset_rs){
		.derivation_random = { arena_memdup(d->a, answer.dr, KA_DR), answer.has_dr ? KA_DR : 0 },
		.receipt = { arena_memdup(d->a, answer.receipt, KA_RECEIPT), KA_RECEIPT },
	};
}

void desk_reply(struct desk *d, const struct desk_row *row, bool good, bool https)
{
	json_t *body = json_pack("{s:b}", "https", https);
	const struct ask_reply reply = { .role = "sm-sr",
					 .verb = row->kind,
					 .eid = d->made.eid.text,
					 .ref = row->ref,
					 .done = good,
					 .code = good ? "" : "1.2/4.4",
					 .message = "",
					 .body = body };

	db_begin(d->db);
	cr_assert(handover_replied(&d->hs, d->db, d->a, &reply));
	done(d, row);
	json_decref(body);
}

size_t desk_time(struct desk *d, unsigned statement)
{
	unsigned ms;

	DB_QUEUE0(d->db, statement);
	desk_sync(d, NULL, 0);
	return due_look(&handover_in_due, &d->rpc, d->db, d->a, "", &ms);
}

static void run_call(struct desk *d, const struct desk_row *row)
{
	struct es7_authenticate_smsr_rs challenge;
	struct es7_create_additional_keyset_rs receipt;

	if (row->fn->id == FN_ES7_AuthenticateSMSR) {
		challenge = desk_challenge(d);
		desk_answer(d, row, &challenge.base);
	} else {
		receipt = desk_receipt(d, row);
		desk_answer(d, row, &receipt.base);
	}
}

void desk_run(struct desk *d, enum handover_in_state until)
{
	struct desk_row row;

	if (!d->orders) {
		cr_assert_eq(desk_prepare(d, FORMER), OK);
		if (until == HIN_PREPARED)
			return;
		cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
	}
	for (unsigned i = 0; i < 40 && desk_now(d)->state != until; i++) {
		struct handover_in *h = desk_now(d);

		if (desk_next(d, DESK_PEER, &row))
			run_call(d, &row);
		else if (desk_next(d, DESK_SMSR, &row))
			desk_reply(d, &row, true, true);
		else if (in_command(h->state))
			cr_assert_eq(desk_outcome(d, h->step, "answered"), OK);
	}
	cr_assert_eq(desk_now(d)->state, until, "it is in %s", handover_in_state_name(desk_now(d)->state));
}

struct handover_in *desk_now(struct desk *d)
{
	struct handover_in *h = NULL;

	cr_assert_eq(in_lock(d->db, d->a, desk_id(d), &h), OK);
	cr_assert_not_null(h);
	return h;
}

const char *desk_told(struct desk *d, unsigned order)
{
	const struct rows *r;

	DB_QUEUE(d->db, T_ANSWER, p_text(arena_printf(d->a, "order-%u", order)));
	desk_sync(d, &r, 1);
	cr_assert_eq(rows_count(r), 1);
	return row_null(r, 0, 0) ? NULL : row_text_dup(d->a, r, 0, 0);
}

void desk_told_is(struct desk *d, unsigned order, const char *status, const char *subject, const char *reason)
{
	const char *told = desk_told(d, order);

	cr_assert_not_null(told, "order-%u was not answered", order);
	cr_assert(strstr(told, arena_printf(d->a, "<rps:Status>%s</rps:Status>", status)), "%s", told);
	if (subject)
		cr_assert(strstr(told,
				 arena_printf(d->a, "<rps:Subject>%s</rps:Subject><rps:Reason>%s</rps:Reason>", subject, reason)),
			  "%s", told);
}

void desk_refused(result r, enum code code)
{
	cr_assert(r != OK && r->status == STATUS_FAILED && r->code == code, "%s", r ? status_code(r->code)->name : "OK");
}

void desk_untouched(struct desk *d)
{
	const struct handover_in *h = desk_now(d);
	struct desk_row row;

	cr_assert(h->state == HIN_PREPARED && !h->eis.len && !h->secret.len && !h->deadline);
	cr_assert(!desk_next(d, DESK_PEER, &row) && !desk_next(d, DESK_SMSR, &row));
}

void desk_each(void (*const *tests)(struct desk *d), size_t n)
{
	struct desk *d = desk_open();

	for (size_t i = 0; i < n; i++) {
		desk_reset(d);
		tests[i](d);
	}
	desk_close(d);
}

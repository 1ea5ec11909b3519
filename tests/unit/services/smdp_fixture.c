/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/smdp_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/card/profile_default.h"
#include "common/crypto/keys.h"
#include "common/soap/doc.h"
#include "services/sm-dp/stock_import.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

#define MNO "1.3.6.1.4.1.99999.5"
#define SMSR "1.3.6.1.4.1.99999.2"
#define SMDP "1.3.6.1.4.1.99999.4"
#define CONTEXT "context-of-the-operator"

enum { CARD_MEMORY = 400000, LARGE = 120000, TAR = 0x20 };

static const struct statement own[] = {
	{ "t_entity", "insert into entity (oid, name, roles) values ($1, 'x', $2::int)" },
	{ "t_call", "insert into call (caller, function, fci, digest) values ($1, 'ES2-DownloadProfile', $2, '')" },
	{ "t_outbox", "select id, kind, ref, wants_callback, payload, dedup, transaction_id, context_id from outbox"
		      " where lane = 'peer:' || $1 order by id limit 1" },
	{ "t_outbox_done", "delete from outbox where id = $1::bigint" },
	{ "t_download", "select id::text from download order by started_at desc limit 1" },
	{ "t_answer", "select convert_from(answer, 'UTF8') from call where fci = $1" },
	{ "t_deadline", "update download set deadline = clock_timestamp(), due_at = clock_timestamp() where ended_at is null" },
	{ "t_due", "update download set due_at = clock_timestamp() where ended_at is null" },
	{ "t_call_over", "update download set call_until = clock_timestamp(), due_at = clock_timestamp() where ended_at is null" },
	{ "t_cleaned", "update download set deadline = clock_timestamp() - interval '1 hour', due_at = clock_timestamp()"
		       " where ended_at is null" },
	{ "t_find",
	  "select (select count(*) from download x where x::text like $1) + (select count(*) from outbox x where x::text like $1)"
	  " + (select count(*) from isdp_keyset x where x::text like $1) + (select count(*) from call x where x::text like $1)"
	  " + (select count(*) from stock_secret x where x::text like $1) + (select count(*) from stock x where x::text like $1)" },
	{ "t_stock", "update stock set state = 0, sent = false, eid = null" },
	{ "t_keyset", "select isdp, kvn, keys, wrapped from isdp_keyset where eid = $1" },
	{ "t_reset", "truncate download, download_stage, call, reply, outbox, isdp_keyset, keyset_export, connectivity" },
};

void shop_sync(struct shop *s, const struct rows **rows, size_t n)
{
	struct db_failure failure = { 0 };
	result r = db_sync(s->db, s->a, rows, n, &failure);

	cr_assert_eq(r, OK, "%s %s", r && r->cause ? r->cause : "", failure.unique_constraint ? failure.unique_constraint : "");
}

static void store_make(struct shop *s)
{
	struct store_spec spec = {
		.conninfo = s->cluster.conninfo, .statements = s->statements, .n_statements = T_END, .migrations = s->migrations
	};
	char error[512] = "";

	memcpy(s->statements, rpc_statements, sizeof(rpc_statements));
	memcpy(s->statements + RPC_STATEMENTS, smdp_statements, SMDP_STATEMENTS * sizeof(*smdp_statements));
	memcpy(s->statements + SMDP_STATEMENTS_END, own, sizeof(own));
	for (size_t i = 0; i < common_migrations_count; i++)
		s->migrations[spec.n_migrations++] = common_migrations[i];
	for (size_t i = 0; i < smdp_migrations_count; i++)
		s->migrations[spec.n_migrations++] = smdp_migrations[i];
	cr_assert_eq(store_open(&spec, 10, &s->store, error), 0, "%s", error);
	s->db = db_open(s->store);
}

static void smdp_make(struct shop *s)
{
	static const uint8_t id[] = { 1, 2, 3 }, usage[] = { 0x88 };
	struct gp_cert cert = { .serial = { id, 3 },
				.ca_id = { id, 2 },
				.subject = { id, 1 },
				.key_usage = { usage, 1 },
				.expires = "20401231",
				.role = GP_ROLE_SM_DP };

	s->config = (struct smdp_config){ .send_bytes = 65536, .backoff_ms = 1000, .cleanup_s = 720 };
	s->smdp = (struct smdp){
		.config = &s->config, .kek = secret_new(KEK_LEN), .key = ec_key_new(), .ci_pem = s->f.ci_pem, .rpc = &s->rpc
	};
	random_bytes(s->smdp.kek.data, KEK_LEN);
	ec_key_public(s->smdp.key, cert.point);
	s->smdp.certificate = gp_cert_build(s->a, &cert, s->f.ci_key);
	cr_assert_gt(s->smdp.certificate.len, 0);
	s->transport = (struct transport_key){ s->mno.oid, secret_new(TRANSPORT_KEY_LEN) };
	random_bytes(s->transport.key.data, TRANSPORT_KEY_LEN);
	s->smdp.transports = (struct transport_keys){ &s->transport, 1 };
	s->rpc = (struct rpc){
		.role = "sm-dp", .self_role = ROLE_SM_DP, .self = oid_of(SMDP), .role_state = &s->smdp, .store = s->store
	};
}

static void type_make(struct shop *s, const char *name, size_t bytes, enum type_keys keys)
{
	CLEANUP(buf_free) struct buf package = { 0 };
	struct profile_type t = { .mno = s->mno.oid,
				  .name = name,
				  .keys = keys,
				  .memory = 150000,
				  .pol2 = "DELETE:Not-Allowed",
				  .address = ADDRESS_BOTH };
	enum type_added added;

	profile_default_build(&package, bytes);
	t.package = (struct bytes){ (const uint8_t *)package.data, package.len };
	cr_assert_eq(profile_type_add(s->db, s->a, &t, &added), OK);
	cr_assert_eq(added, TYPE_ADDED);
}

/* Two ICCIDs from number on, with the shop's Ki and further keys. */
static void fill(struct shop *s, const char *type, unsigned number)
{
	CLEANUP(buf_free) struct buf file = { 0 };
	struct stock_import in = { .mno = &s->mno.oid, .type = type, .name = type };
	struct stock_imported done;
	struct iccid first;
	struct bytes wrapped;

	cr_assert(iccid_complete("898830300000000000", &first));
	cr_assert(rfc3394_wrap(&s->transport.key, s->ki, sizeof(s->ki), s->a, &wrapped));
	buf_str(&file, "ICCID,IMSI,MSISDN,Ki,OPc,KIC,KID,KIK\n");
	for (unsigned i = number; i < number + 2; i++) {
		cr_assert(stock_iccid_at(&first, i, &s->iccid[i]));
		buf_printf(&file, "%s,90170%08u,8829900%u", s->iccid[i].text, i, i);
		for (int k = 0; k < 5; k++) {
			buf_char(&file, ',');
			buf_hex(&file, wrapped.data, wrapped.len);
		}
		buf_char(&file, '\n');
	}
	in.file = (struct bytes){ (const uint8_t *)file.data, file.len };
	cr_assert_eq(stock_import(&s->smdp, s->db, s->a, &in, &done), OK);
	cr_assert_eq(done.end, IMPORT_DONE, "%s", done.fault.text);
}

static void card_make(struct shop *s)
{
	struct eum_range *ranges;
	struct eum_batch batch;
	const char *why = NULL;
	size_t n;

	cr_assert_eq(eum_order_check(s->a, &s->f.order, &s->f.facts, &batch, &ranges, &n), OK);
	batch.id = "0";
	cr_assert(eum_card_make(s->a, &s->f.issuer, &s->f.transport, &batch, 0, clock_wall_us(), &s->made, &why), "%s", why);
	test_card_make(&s->card, s->a, s->f.issuer.ci_point, ec_key_from_scalar(&s->made.ecasd));
}

struct shop *shop_open(void)
{
	struct shop *s = calloc(1, sizeof(*s));

	s->cluster = cluster_new();
	s->f = fixture_make();
	s->a = s->f.a;
	s->smsr = oid_of(SMSR);
	s->mno = (struct entity){ .oid = oid_of(MNO), .name = "Operator", .roles = ROLE_OPERATOR };
	random_bytes(s->ki, sizeof(s->ki));
	store_make(s);
	smdp_make(s);
	DB_QUEUE(s->db, T_ENTITY, p_text(SMSR), p_int(s->a, ROLE_SM_SR));
	DB_QUEUE(s->db, T_ENTITY, p_text(MNO), p_int(s->a, ROLE_OPERATOR));
	shop_sync(s, NULL, 0);
	type_make(s, "small", 0, TYPE_KEYS_RETAIN);
	type_make(s, "large", LARGE, TYPE_KEYS_DELETE);
	fill(s, "small", 0);
	fill(s, "large", 2);
	card_make(s);
	shop_reset(s);
	return s;
}

void shop_reset(struct shop *s)
{
	DB_QUEUE0(s->db, T_RESET);
	DB_QUEUE0(s->db, T_STOCK);
	shop_sync(s, NULL, 0);
	s->hook = NULL;
	buf_clear(&s->asked);
	buf_str(&s->asked, "");
	s->card.fault = CARD_GOOD;
	s->card.created = false;
	s->eis = s->made.eis;
	s->eis.profiles = arena_array(s->a, s->made.eis.n_profiles + 2, sizeof(*s->eis.profiles));
	memcpy(s->eis.profiles, s->made.eis.profiles, s->made.eis.n_profiles * sizeof(*s->eis.profiles));
	s->eis.available_memory = s->eis.remaining_memory = CARD_MEMORY;
	s->config.send_bytes = 65536;
}

void shop_close(struct shop *s)
{
	ec_key_free(s->card.ecasd);
	test_card_free(&s->card);
	eum_card_free(&s->made);
	db_close(s->db);
	store_close(s->store);
	cluster_free(&s->cluster);
	secret_free(&s->smdp.kek);
	ec_key_free(s->smdp.key);
	secret_free(&s->transport.key);
	buf_free(&s->asked);
	fixture_drop(&s->f);
	free(s);
}

/* The operator ---------------------------------------------------------------------------------------------------------------- */

result shop_order(struct shop *s, const struct es2_download_profile_rq *order)
{
	const struct envelope envelope = { .context_id = CONTEXT };
	struct rq rq = { .rpc = &s->rpc,
			 .arena = s->a,
			 .db = s->db,
			 .envelope = &envelope,
			 .fn = function_by_id(FN_ES2_DownloadProfile),
			 .caller = &s->mno,
			 .role = &s->smdp,
			 .trace = "",
			 .validity_s = 3600,
			 .received_us = clock_wall_us(),
			 .claim_key = arena_printf(s->a, "order-%u", ++s->orders) };
	const struct served *served = &smdp_served[0];
	struct relation_facts facts = { 0 };
	const struct rows *rows[8];
	result r;

	cr_assert_eq(served->id, FN_ES2_DownloadProfile);
	DB_QUEUE(s->db, T_CALL, p_text(s->mno.oid.text), p_text(rq.claim_key));
	shop_sync(s, NULL, 0);
	db_begin(s->db);
	served->load->queue(&rq, order);
	shop_sync(s, rows, served->load->results);
	r = served->load->take(&rq, order, rows, &facts);
	if (r == OK)
		r = relation_check(s->a, rq.fn, rq.caller, &facts);
	if (r == OK)
		r = served->handle(&rq, order, NULL);
	if (r != OK) {
		db_rollback(s->db);
		return r;
	}
	db_commit(s->db);
	shop_sync(s, NULL, 0);
	served->committed(&rq);
	return OK;
}

void shop_download(struct shop *s, const char *type, bool enable)
{
	const struct es2_download_profile_rq order = {
		.base = { .fci = "x" }, .eid = s->made.eid, .smsr = s->smsr, .profile_type = type, .enable = enable
	};
	result r = shop_order(s, &order);

	cr_assert_eq(r, OK, "%s", r && r->message ? r->message : "");
}

/* The SM-SR ------------------------------------------------------------------------------------------------------------------- */

/* As its pipeline decodes it. */
static const void *decoded(struct shop *s, const struct test_call *call)
{
	const struct bind_message *m = message_request(call->fn->id);
	CLEANUP(soap_doc_freep) struct soap_doc *doc = NULL;
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct bind_dialect dialect = { 0 };
	void *in = arena_alloc(s->a, m->group->size);
	const char *why = "?";
	result r;

	buf_str(&text, "<w xmlns:rps=\"" NS_RPS_DEFAULT "\">");
	buf_add(&text, call->body.data, call->body.len);
	buf_str(&text, "</w>");
	doc = soap_doc_parse(s->a, text.data, text.len, &SOAP_LIMITS, &why);
	cr_assert_not_null(doc, "%s", why);
	r = bind_decode(s->a, m, soap_first(soap_doc_root(doc)), NS_RPS_DEFAULT, &dialect, in);
	cr_assert_eq(r, OK, "%s", r ? r->message : "");
	return in;
}

bool shop_next(struct shop *s, struct test_call *out)
{
	const struct request_base *base;
	const struct rows *r;
	const char *name;

	DB_QUEUE(s->db, T_OUTBOX, p_text(SMSR));
	shop_sync(s, &r, 1);
	if (!rows_count(r))
		return false;
	*out = (struct test_call){ .id = row_int(r, 0, 0),
				   .ref = row_text_dup(s->a, r, 0, 2),
				   .wants_callback = row_bool(r, 0, 3),
				   .body = row_bytes_dup(s->a, r, 0, 4),
				   .fn = function_by_root(arena_printf(s->a, "%sRequest", row_text(r, 0, 1)), &name) };
	cr_assert_str_eq(out->ref, row_text(r, 0, 5), "the FCI is the row's key");
	cr_assert_str_eq(out->ref, row_text(r, 0, 6), "and its TransactionId");
	cr_assert_str_eq(row_text(r, 0, 7), CONTEXT);
	cr_assert_not_null(out->fn);
	out->in = decoded(s, out);
	base = out->in;
	cr_assert_str_eq(base->fci, out->ref);
	cr_assert(base->validity_s && *base->validity_s >= 3);
	return true;
}

static bool more_of(const struct test_call *call)
{
	const bool *more = NULL;

	if (call->fn->id == FN_ES3_CreateISDP)
		more = ((const struct es3_create_isdp_rq *)call->in)->more_to_do;
	else if (call->fn->id == FN_ES3_SendData)
		more = ((const struct es3_send_data_rq *)call->in)->more_to_do;
	return more && *more;
}

struct test_answer test_refusal(struct shop *s, enum status status, const char *subject, const char *reason)
{
	struct status_code_data *code = ARENA_NEW(s->a, struct status_code_data);
	struct test_answer answer = { 0 };

	*code = (struct status_code_data){ .subject = subject, .reason = reason, .message = "as the test wants it" };
	answer.base.status = (struct execution_status){ status, code };
	return answer;
}

struct test_answer shop_execute(struct shop *s, const struct test_call *call)
{
	struct test_answer answer = { 0 };

	buf_printf(&s->asked, "%s%s%s", s->asked.len ? " " : "", call->fn->name, more_of(call) ? "+" : "");
	if (s->hook && s->hook(s, call, &answer))
		return answer;
	if (call->fn->id == FN_ES3_GetEIS) {
		answer.eis.eis = &s->eis;
	} else if (call->fn->id == FN_ES3_CreateISDP) {
		answer.created.isdp_aid = aid_isdp(TAR);
		test_card_create(&s->card, &answer.created.isdp_aid);
	} else if (call->fn->id == FN_ES3_SendData) {
		const struct es3_send_data_rq *rq = call->in;

		answer.sent.euicc_response_data = test_card_execute(&s->card, &rq->sd_aid, rq->data);
	} else if (call->fn->id == FN_ES3_ProfileDownloadCompleted) {
		s->completed = *(const struct es3_profile_download_completed_rq *)call->in;
	}
	return answer;
}

void shop_answer(struct shop *s, const struct test_call *call, const struct test_answer *answer)
{
	const struct outbox_answer in = { .fn = call->fn,
					  .to = s->smsr,
					  .ref = call->ref,
					  .eid = s->made.eid.text,
					  .response = &answer->base,
					  .base = &answer->base };

	db_begin(s->db);
	cr_assert(smdp_answered(&s->smdp, s->db, s->a, &in));
	DB_QUEUE(s->db, T_OUTBOX_DONE, p_int(s->a, call->id));
	db_commit(s->db);
	shop_sync(s, NULL, 0);
}

void shop_callback(struct shop *s, const struct test_call *call, const struct test_answer *answer, enum callback_verdict wanted)
{
	const struct entity smsr = { .oid = s->smsr, .roles = ROLE_SM_SR };
	struct rq rq = { .rpc = &s->rpc,
			 .arena = s->a,
			 .db = s->db,
			 .fn = call->fn,
			 .caller = &smsr,
			 .role = &s->smdp,
			 .correlation = call->ref };
	enum callback_verdict verdict = CALLBACK_NOT_OURS;
	const struct awaited *awaited = smdp_awaited;
	struct relation_facts facts = { 0 };
	const struct rows *rows;
	result r;

	while (awaited->id != call->fn->id)
		cr_assert_lt(++awaited - smdp_awaited, (ptrdiff_t)smdp_n_awaited);
	db_begin(s->db);
	awaited->load->queue(&rq, &answer->base);
	shop_sync(s, &rows, 1);
	cr_assert_eq(awaited->load->take(&rq, &answer->base, &rows, &facts), OK);
	r = awaited->handle(&rq, &answer->base, &verdict);
	cr_assert_eq(r, OK, "%s", r && r->cause ? r->cause : "");
	cr_assert_eq(verdict, wanted);
	if (verdict != CALLBACK_TAKEN) {
		db_rollback(s->db);
		return;
	}
	db_commit(s->db);
	shop_sync(s, NULL, 0);
	awaited->committed(&rq);
}

bool shop_step(struct shop *s)
{
	struct test_call call;
	struct test_answer answer;

	if (!shop_next(s, &call))
		return false;
	answer = shop_execute(s, &call);
	shop_answer(s, &call, &answer);
	return true;
}

void shop_run(struct shop *s, enum download_state until)
{
	for (int i = 0; i < 1000 && shop_now(s)->state != until; i++)
		if (!shop_step(s))
			return;
}

void shop_time(struct shop *s, unsigned statement)
{
	unsigned ms;

	DB_QUEUE0(s->db, statement);
	shop_sync(s, NULL, 0);
	cr_assert_eq(due_look(&download_due_table, &s->rpc, s->db, s->a, "", &ms), 1);
}

/* How it stands --------------------------------------------------------------------------------------------------------------- */

struct download *shop_now(struct shop *s)
{
	struct download *d = NULL;
	const struct rows *r;

	DB_QUEUE0(s->db, T_DOWNLOAD);
	shop_sync(s, &r, 1);
	cr_assert_eq(rows_count(r), 1);
	cr_assert_eq(download_lock(s->db, s->a, row_text_dup(s->a, r, 0, 0), &d), OK);
	cr_assert_not_null(d);
	return d;
}

const char *shop_told(struct shop *s)
{
	const struct rows *r;

	DB_QUEUE(s->db, T_ANSWER, p_text(arena_printf(s->a, "order-%u", s->orders)));
	shop_sync(s, &r, 1);
	return row_null(r, 0, 0) ? NULL : row_text_dup(s->a, r, 0, 0);
}

void shop_told_is(struct shop *s, const char *status, const char *subject, const char *reason)
{
	const char *told = shop_told(s);

	cr_assert_not_null(told);
	cr_assert(strstr(told, arena_printf(s->a, "<rps:Status>%s</rps:Status>", status)), "%s", told);
	if (subject)
		cr_assert(strstr(told,
				 arena_printf(s->a, "<rps:Subject>%s</rps:Subject><rps:Reason>%s</rps:Reason>", subject, reason)),
			  "%s", told);
}

struct stock_item *shop_stock(struct shop *s, const struct iccid *iccid)
{
	struct stock_item *item = NULL;

	cr_assert_eq(stock_load(s->db, s->a, iccid, &item), OK);
	return item;
}

int64_t shop_find(struct shop *s, const void *data, size_t n)
{
	CLEANUP(buf_free) struct buf hex = { 0 };
	int64_t found = 0;

	buf_hex(&hex, data, n);
	for (int lower = 0; lower < 2; lower++) {
		const struct rows *r;

		for (size_t i = 0; lower && i < hex.len; i++)
			hex.data[i] = hex.data[i] >= 'A' ? (char)(hex.data[i] | 0x20) : hex.data[i];
		DB_QUEUE(s->db, T_FIND, p_text(arena_printf(s->a, "%%%s%%", hex.data)));
		shop_sync(s, &r, 1);
		found += row_int(r, 0, 0);
	}
	return found;
}

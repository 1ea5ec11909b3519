/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/procedure_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "services/sm-sr/cards.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;
extern const struct migration smsr_migrations[];
extern const size_t smsr_migrations_count;

static const struct statement smsr_statements[] = {
#define STATEMENT(name, sql) { #name, sql },
#include "services/sm-sr/statements.def"
#undef STATEMENT
};

static const struct statement own[] = {
	{ "t_card", "with e as (insert into eis (eid, eum, signed_info, signature, signer, signer_revoked, available_memory, "
		    "isdr_aid, isdr_tars,"
		    " isdr_sin, isdr_sdin, http) values ($1, '1.2.1', '<EumSignedInfo/>', '<EumSignature/>', '', false, 1000, $2, "
		    "'\\x000001', '', '', true))"
		    " insert into eis_state (eid, remaining_memory) values ($1, 500)" },
	{ "t_profile", "with i as (insert into iccid (iccid, eid) values ($2, $1)) insert into profile (eid, iccid, isdp_aid, mno, "
		       "fallback, state,"
		       " allocated_memory, pol2) values ($1, $2, $3, $4, $5::bool, $6::int2, 100, '')" },
	{ "t_entity", "insert into entity (oid, name, roles, customers) values ($1, 'x', $2::int4, string_to_array($3, ' '))" },
	{ "t_address", "insert into entity_address (oid, iface, ord, url) values ($1, $2, 0, 'https://127.0.0.1:1/x')" },
	{ "t_call", "insert into call (caller, function, fci, digest) values ($1, $2, $3, '')" },
	{ "t_reset",
	  "truncate eis, eis_state, profile, iccid, entity, entity_address, call, reply, outbox, eid_busy, procedure, card_command,"
	  " card_session, card_notification, audit_trail, keyset, keyset_key, sms_out, sms_part, property, msisdn, smsr_prepare, adopted,"
	  " tombstone, handover_step cascade" },
	{ "t_packet", "select id, session::text, counter, packet from sms_out where eid = $1 and state < 3" },
	{ "t_overdue", "update procedure set deadline = clock_timestamp() where eid = $1 and ended_at is null" },
	{ "t_damage", "update procedure set kind = 99, deadline = clock_timestamp() where eid = $1 and ended_at is null" },
	{ "t_crowd", "insert into procedure (eid, id, kind, state, caller, caller_roles, function, fci, deadline)"
		     " select b * 100 + 98 - b * 100 % 97, gen_random_uuid(), 0, 0, '1.2', 2, 'f', '', now() - interval '1 hour'"
		     " from (select 890019990299999999000000000000::numeric + i as b from generate_series(1, $1::int4) i) x" },
	{ "t_msisdn", "update profile set msisdn = $3 where eid = $1 and iccid = $2" },
	{ "t_triggered", "update card_command set triggers = $2::int4, trigger_at = now() where eid = $1 and state = 0" },
	{ "t_pol2", "update profile set pol2 = $3 where eid = $1 and iccid = $2" },
	{ "t_herd", "with c as (select (b * 100 + 98 - b * 100 % 97)::text as eid"
		    " from (select 890019990299999999000000000000::numeric + i as b from generate_series(1, $1::int4) i) x),"
		    " s as (insert into eis_state (eid, remaining_memory) select eid, 0 from c)"
		    " insert into keyset (eid, version, counter) select eid, v, 5 from c, unnest(array[3, 64]) v" },
	{ "t_counters", "select count(*), count(*) filter (where counter = $1::int8) from keyset where version < 16" },
	{ "t_made", "update profile set smdp = $3, state = $4::int2 where eid = $1 and iccid = $2" },
	{ "t_unaddressed", "delete from entity_address where oid = $1" },
	{ "t_body", "select convert_from(payload, 'UTF8') from outbox where kind = $1 order by id desc limit 1" },
	{ "t_lease_over", "update eid_busy set until = clock_timestamp() where eid = $1" },
	{ "t_look",
	  "select (select string_agg(iccid, ' ') from profile where eid = $1 and state = 2),"
	  " (select convert_from(answer, 'UTF8') from call where fci = $2),"
	  " (select string_agg(state || '/' || coalesce(status::text, '') || '/' || code, ' ' order by started_at) from "
	  "procedure where eid = $1),"
	  " (select string_agg(operation || coalesce('/' || status, '-'), ' ' order by operation, id) from audit_trail "
	  "where eid = $1),"
	  " (select string_agg(kind || '>' || substr(lane, 6), ' ' order by kind, lane) from outbox where lane <> 'bus'),"
	  " (select string_agg(kind, ' ' order by kind) from outbox where lane = 'bus'),"
	  " s.uncertain, s.expired_aid is not null, (select count(*) from card_command where eid = $1 and state < 2),"
	  " (select count(*) from eid_busy), (select count(*) from profile where eid = $1),"
	  " (select coalesce(max(times), 0) from card_notification), s.auto_delete, s.remaining_memory || ' ' ||"
	  " coalesce((select state::text from profile where iccid = $3), '-'), exists (select from card_session where eid = $1)"
	  " from eis_state s where eid = $1" },
#include "tests/unit/services/smsr_statements.def"
};

/* The other lanes are not here. */
void sms_lane_ring(struct smsr *s)
{
	(void)s;
}

__attribute__((weak)) void sweeper_ring(struct smsr *s)
{
	(void)s;
}

static const struct rows *sync_ok(struct stage *s, size_t n, const struct rows **rows)
{
	struct db_failure failure = { 0 };
	result r = db_sync(s->db, s->a, rows, n, &failure);

	cr_assert_eq(r, OK, "%s %s", r && r->cause ? r->cause : "", failure.unique_constraint ? failure.unique_constraint : "");
	return n ? rows[0] : NULL;
}

static void store_make(struct stage *s)
{
	struct store_spec spec = {
		.conninfo = s->cluster.conninfo, .statements = s->statements, .n_statements = T_END, .migrations = s->migrations
	};
	char error[512] = "";

	memcpy(s->statements, rpc_statements, sizeof(rpc_statements));
	memcpy(s->statements + RPC_STATEMENTS, smsr_statements, sizeof(smsr_statements));
	memcpy(s->statements + T_FIRST, own, sizeof(own));
	for (size_t i = 0; i < common_migrations_count; i++)
		s->migrations[spec.n_migrations++] = common_migrations[i];
	for (size_t i = 0; i < smsr_migrations_count; i++)
		s->migrations[spec.n_migrations++] = smsr_migrations[i];
	cr_assert_eq(store_open(&spec, 10, &s->store, error), 0, "%s", error);
	s->db = db_open(s->store);
}

static void rows_make(struct stage *s)
{
	DB_QUEUE(s->db, T_CARD, p_text(s->eid.text), p_bytes(AID_ISDR.data, AID_ISDR.len));
	for (int i = 0; i < 2; i++) {
		DB_QUEUE(s->db, T_PROFILE, p_text(s->eid.text), p_text(s->iccid[i].text), p_bytes(s->isdp[i].data, s->isdp[i].len),
			 p_text(s->operator[i].oid.text), p_bool(i == BASE),
			 p_int(s->a, i == BASE ? PROFILE_ENABLED : PROFILE_DISABLED));
		DB_QUEUE(s->db, T_ENTITY, p_text(s->operator[i].oid.text), p_int(s->a, ROLE_OPERATOR), p_text(""));
		DB_QUEUE(s->db, T_ADDRESS, p_text(s->operator[i].oid.text), p_text("ES4"));
	}
	sync_ok(s, 0, NULL);
}

struct stage *stage_make(void)
{
	struct stage *s = calloc(1, sizeof(*s));

	s->cluster = cluster_new();
	s->a = arena_new();
	store_make(s);
	s->config.card_net_ms = 3000;
	s->config.auto_delete_s = 720;
	s->config.lease_s = 60;
	s->config.send_script_max = 8192;
	s->config.smsr_change_grace_s = 3;
	s->smsr.config = &s->config;
	s->smsr.rpc = &s->rpc;
	s->rpc.replica = "one";
	cr_assert(oid_parse("1.2.9", &s->rpc.self));
	cr_assert(eid_complete("890490320005008812000000000001", &s->eid));
	for (int i = 0; i < 2; i++) {
		cr_assert(iccid_complete(i ? "894902000000000001" : "893301000000000001", &s->iccid[i]));
		cr_assert(oid_parse(i ? "1.2.6" : "1.2.5", &s->operator[i].oid));
		s->operator[i].roles = ROLE_OPERATOR;
		s->isdp[i] = aid_isdp(0x10 + (uint32_t)i);
	}
	cr_assert(oid_parse("1.2.8", &s->smdp.oid));
	s->smdp.roles = ROLE_SM_DP;
	s->smdp.customers = &s->operator[OTHER].oid;
	s->smdp.n_customers = 1;
	cr_assert(iccid_complete("894903000000000001", &s->iccid[THIRD]));
	s->isdp[THIRD] = aid_isdp(0x12);
	return s;
}

void stage_reset(struct stage *s)
{
	arena_reset(s->a);
	s->calls = 0;
	s->fci = NULL;
	DB_QUEUE0(s->db, T_RESET);
	sync_ok(s, 0, NULL);
	rows_make(s);
}

void add_third(struct stage *s)
{
	DB_QUEUE(s->db, T_PROFILE, p_text(s->eid.text), p_text(s->iccid[THIRD].text),
		 p_bytes(s->isdp[THIRD].data, s->isdp[THIRD].len), p_text("1.2.7"), p_bool(false), p_int(s->a, PROFILE_DISABLED));
	sync_ok(s, 0, NULL);
}

void add_smdp(struct stage *s, bool addressed)
{
	DB_QUEUE(s->db, T_ENTITY, p_text(s->smdp.oid.text), p_int(s->a, ROLE_SM_DP), p_text(s->operator[OTHER].oid.text));
	if (addressed)
		DB_QUEUE(s->db, T_ADDRESS, p_text(s->smdp.oid.text), p_text("ES3"));
	sync_ok(s, 0, NULL);
}

void made_by_smdp(struct stage *s, enum profile_at p, enum profile_state state)
{
	DB_QUEUE(s->db, T_MADE, p_text(s->eid.text), p_text(s->iccid[p].text), p_text(s->smdp.oid.text), p_int(s->a, state));
	sync_ok(s, 0, NULL);
}

const char *outbox_body_of(struct stage *s, const char *kind)
{
	const struct rows *rows;

	DB_QUEUE(s->db, T_BODY, p_text(kind));
	sync_ok(s, 1, &rows);
	cr_assert(rows_count(rows), "no %s", kind);
	return row_text_dup(s->a, rows, 0, 0);
}

void unaddressed(struct stage *s, enum profile_at who)
{
	DB_QUEUE(s->db, T_UNADDRESSED, p_text(s->operator[who].oid.text));
	sync_ok(s, 0, NULL);
}

void damage_procedure(struct stage *s)
{
	DB_QUEUE(s->db, T_DAMAGE, p_text(s->eid.text));
	sync_ok(s, 0, NULL);
}

void crowd(struct stage *s, unsigned n)
{
	DB_QUEUE(s->db, T_CROWD, p_int(s->a, n));
	sync_ok(s, 0, NULL);
}

void herd(struct stage *s, unsigned n)
{
	DB_QUEUE(s->db, T_HERD, p_int(s->a, n));
	sync_ok(s, 0, NULL);
}

void counters(struct stage *s, int64_t counter, int64_t *out_all, int64_t *out_same)
{
	const struct rows *rows;

	DB_QUEUE(s->db, T_COUNTERS, p_int(s->a, counter));
	sync_ok(s, 1, &rows);
	*out_all = row_int(rows, 0, 0);
	*out_same = row_int(rows, 0, 1);
}

void set_msisdn(struct stage *s, enum profile_at p, const char *msisdn)
{
	DB_QUEUE(s->db, T_MSISDN, p_text(s->eid.text), p_text(s->iccid[p].text), p_text(msisdn));
	sync_ok(s, 0, NULL);
}

const char *rings_at(struct stage *s, unsigned times)
{
	const struct rows *due;

	DB_QUEUE(s->db, T_TRIGGERED, p_text(s->eid.text), p_int(s->a, times));
	sync_ok(s, 0, NULL);
	DB_QUEUE(s->db, SMSR_SMS_DUE, p_int(s->a, 10), p_int(s->a, PROFILE_ENABLED), p_int(s->a, KEYSET_SCP80), p_int(s->a, 0x88),
		 p_int(s->a, 0x85));
	sync_ok(s, 1, &due);
	return rows_count(due) && !row_null(due, 0, 4) ? row_text_dup(s->a, due, 0, 4) : "";
}

void set_pol2(struct stage *s, enum profile_at p, struct bytes pol2)
{
	DB_QUEUE(s->db, T_POL2, p_text(s->eid.text), p_text(s->iccid[p].text), p_bytes(pol2.data, pol2.len));
	sync_ok(s, 0, NULL);
}

void stage_drop(struct stage *s)
{
	db_close(s->db);
	store_close(s->store);
	arena_free(s->a);
	cluster_free(&s->cluster);
	free(s);
}

static void begin(struct stage *s, const struct rows *rows[CASE_RESULTS])
{
	db_begin(s->db);
	case_queue(s->db, &s->eid);
	sync_ok(s, CASE_RESULTS, rows);
}

static struct card_case *take(struct stage *s)
{
	const struct rows *rows[CASE_RESULTS];
	struct card_case *c = ARENA_NEW(s->a, struct card_case);

	begin(s, rows);
	*c = (struct card_case){ .rpc = &s->rpc, .smsr = &s->smsr, .db = s->db, .a = s->a, .eid = s->eid };
	cr_assert_eq(case_take(c, rows), OK);
	cr_assert(c->known);
	s->c = c;
	return c;
}

static void commit(struct stage *s)
{
	db_commit(s->db);
	sync_ok(s, 0, NULL);
}

result ask(struct stage *s, const struct entity *caller, enum function_id id, const struct load *load,
	   result (*handle)(struct rq *rq, const void *in, void *out), const void *in, void *out)
{
	static const struct envelope envelope = { 0 };
	struct rq *rq = ARENA_NEW(s->a, struct rq);
	struct relation_facts facts = { 0 };
	const struct rows *rows[CASE_RESULTS + 1];
	result r;

	s->fci = arena_printf(s->a, "call-%u", ++s->calls);
	*rq = (struct rq){ .rpc = &s->rpc,
			   .arena = s->a,
			   .db = s->db,
			   .fn = function_by_id(id),
			   .caller = caller,
			   .envelope = &envelope,
			   .role = &s->smsr,
			   .received_us = clock_wall_us(),
			   .validity_s = 720,
			   .claim_key = s->fci };
	db_begin(s->db);
	load->queue(rq, in);
	sync_ok(s, load->results, rows);
	cr_assert_eq(load->take(rq, in, rows, &facts), OK);
	DB_QUEUE(s->db, T_CALL, p_text(rq->caller->oid.text), p_text(rq->fn->wire), p_text(s->fci));
	r = relation_check(s->a, rq->fn, caller, &facts);
	if (r == OK)
		r = handle(rq, in, out);
	s->asked = rq->loaded;
	if (r == OK)
		commit(s);
	else
		db_rollback(s->db);
	return r;
}

result ask_enable(struct stage *s, enum profile_at who)
{
	const struct es4_profile_rq in = { .eid = s->eid, .iccid = s->iccid[who] };

	return ask(s, &s->operator[who], FN_ES4_EnableProfile, &es4_profile_load, es4_enable_profile,
		   arena_memdup(s->a, &in, sizeof(in)), NULL);
}

result ask_disable(struct stage *s, enum profile_at who)
{
	const struct es4_profile_rq in = { .eid = s->eid, .iccid = s->iccid[who] };

	return ask(s, &s->operator[who], FN_ES4_DisableProfile, &es4_profile_load, es4_disable_profile,
		   arena_memdup(s->a, &in, sizeof(in)), NULL);
}

result ask_delete(struct stage *s, enum profile_at who)
{
	const struct es4_profile_rq in = { .eid = s->eid, .iccid = s->iccid[who] };

	return ask(s, &s->operator[who], FN_ES4_DeleteProfile, &es4_profile_load, es4_delete_profile,
		   arena_memdup(s->a, &in, sizeof(in)), NULL);
}

result ask_audit(struct stage *s, enum profile_at who)
{
	const struct es4_audit_eis_rq in = { .eid = s->eid };

	return ask(s, &s->operator[who], FN_ES4_AuditEIS, &es4_audit_eis_load, es4_audit_eis, arena_memdup(s->a, &in, sizeof(in)),
		   NULL);
}

void card_session(struct stage *s)
{
	struct card_case *c = take(s);
	char *id = arena_alloc(s->a, UUID_TEXT);

	uuid_new(id);
	case_session_set(c, id);
	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].state == COMMAND_FETCHED) {
			case_command_lost(c, &c->commands[i]);
			procedure_lost(c, &c->commands[i]);
		}
	commit(s);
}

enum command_kind card_fetch(struct stage *s)
{
	struct card_case *c = take(s);
	struct card_command *m = case_fetched(c);

	if (!m && c->uncertain) {
		m = procedure_audit_now(c);
	} else if (!m) {
		m = case_next(c);
		cr_assert_not_null(m, "nothing is queued");
		case_command_fetched(c, m, c->session);
		cr_assert(procedure_step(c, PEV_FETCHED));
	}
	commit(s);
	return m->kind;
}

bool card_may_fetch(struct stage *s)
{
	struct card_case *c = take(s);
	const struct card_command *m = case_next(c);
	bool may;

	cr_assert_not_null(m, "nothing is queued");
	may = procedure_may_send(c, m);
	commit(s);
	return may;
}

void card_answer(struct stage *s, size_t n, const char *const *data, const uint16_t *sw)
{
	struct card_case *c = take(s);
	struct card_command *m = case_fetched(c);
	struct script_answer *answer = ARENA_NEW(s->a, struct script_answer);

	cr_assert_not_null(m, "the card has nothing to answer");
	answer->n = n;
	answer->executed = -1;
	for (size_t i = 0; i < n; i++) {
		uint8_t *raw = arena_alloc(s->a, strlen(data[i]) / 2);

		cr_assert(hex_decode(data[i], strlen(data[i]), raw));
		answer->results[i] = (struct script_result){ { raw, strlen(data[i]) / 2 }, sw[i] };
	}
	case_command_answered(c, m);
	procedure_answered(c, m, answer);
	procedure_follow_up(c);
	commit(s);
}

void card_answer_raw(struct stage *s, const char *hex)
{
	struct card_case *c = take(s);
	struct card_command *m = case_fetched(c);
	uint8_t *raw = arena_alloc(s->a, strlen(hex) / 2);

	cr_assert_not_null(m, "the card has nothing to answer");
	cr_assert(command_is_sent(m));
	cr_assert(hex_decode(hex, strlen(hex), raw));
	case_command_answered(c, m);
	procedure_relayed(c, m, (struct bytes){ raw, strlen(hex) / 2 });
	procedure_follow_up(c);
	commit(s);
}

void lease_over(struct stage *s)
{
	DB_QUEUE(s->db, T_LEASE_OVER, p_text(s->eid.text));
	sync_ok(s, 0, NULL);
}

void card_answer1(struct stage *s, const char *data, uint16_t sw)
{
	card_answer(s, 1, &data, &sw);
}

bool card_notify(struct stage *s, enum notification_type type, uint16_t seq, enum profile_at profile)
{
	struct card_case *c = take(s);
	const struct notification n = { .eid = s->eid, .type = (uint8_t)type, .seq = seq, .aid = s->isdp[profile] };
	bool confirm = false;

	procedure_notified(c, &n, &confirm);
	commit(s);
	return confirm;
}

void time_out(struct stage *s, bool unattended)
{
	struct card_case *c;

	DB_QUEUE(s->db, T_OVERDUE, p_text(s->eid.text));
	sync_ok(s, 0, NULL);
	if (unattended)
		return;
	c = take(s);
	cr_assert(c->running && c->running->overdue);
	procedure_expire(c);
	commit(s);
}

struct look look(struct stage *s)
{
	const struct rows *r;
	struct look l;

	DB_QUEUE(s->db, T_LOOK, p_text(s->eid.text), p_text(s->fci ? s->fci : ""), p_text(s->iccid[THIRD].text));
	sync_ok(s, 1, &r);
#define TEXT(col) (row_null(r, 0, (col)) ? "" : row_text_dup(s->a, r, 0, (col)))
	l = (struct look){ .enabled = TEXT(0),
			   .answer = row_null(r, 0, 1) ? NULL : row_text_dup(s->a, r, 0, 1),
			   .states = TEXT(2),
			   .trail = TEXT(3),
			   .told = TEXT(4),
			   .events = TEXT(5),
			   .uncertain = row_bool(r, 0, 6),
			   .expired_aid = row_bool(r, 0, 7),
			   .open_commands = row_int(r, 0, 8),
			   .busy = row_int(r, 0, 9),
			   .profiles = row_int(r, 0, 10),
			   .times = row_int(r, 0, 11),
			   .auto_delete = TEXT(12),
			   .third = TEXT(13),
			   .session = row_bool(r, 0, 14) };
#undef TEXT
	return l;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/eum_stage.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

static const struct statement own[] = {
	{ "t_entity", "insert into entity (oid, name, roles) values ($1, 'x', $2::int)" },
	{ "t_address", "insert into entity_address (oid, iface, ord, url) values ($1, 'ES1', 0, 'https://127.0.0.1:1/es1')" },
	{ "t_counts", "select count(*), (select count(*) from card_key), (select count(*) from card_profile),"
		      " (select count(distinct eid) from outbox where kind = 'ES1-RegisterEIS'),"
		      " (select count(*) from outbox o join card c on c.eid = o.ref and c.fci = o.dedup) from card" },
	{ "t_card", "select state, code, message from card where eid = $1" },
	{ "t_outbox_clear", "delete from outbox" },
	{ "t_events", "select convert_from(payload, 'UTF8') from outbox where lane = 'bus' and kind = $1" },
	{ "t_update", "select id, state from property_update where eid = $1" },
	{ "t_dialect", "update entity set dialect = 's_callback=yes'" },
	{ "t_requests", "select kind, ref, wants_callback, transaction_id from outbox where eid = $1 and lane = 'peer:' || $2 order by id" },
};

static void stage_store(struct stage *s)
{
	struct store_spec spec = {
		.conninfo = s->cluster.conninfo, .statements = s->statements, .n_statements = T_END, .migrations = s->migrations
	};
	char error[512] = "";

	memcpy(s->statements, rpc_statements, sizeof(rpc_statements));
	memcpy(s->statements + RPC_STATEMENTS, eum_statements, EUM_STATEMENTS * sizeof(*eum_statements));
	memcpy(s->statements + EUM_STATEMENTS_END, own, sizeof(own));
	for (size_t i = 0; i < common_migrations_count; i++)
		s->migrations[spec.n_migrations++] = common_migrations[i];
	for (size_t i = 0; i < eum_migrations_count; i++)
		s->migrations[spec.n_migrations++] = eum_migrations[i];
	cr_assert_eq(store_open(&spec, 10, &s->store, error), 0, "%s", error);
	s->db = db_open(s->store);
}

void stage_sync(struct stage *s, const struct rows **rows, size_t n)
{
	struct db_failure failure = { 0 };
	result r = db_sync(s->db, s->f.a, rows, n, &failure);

	cr_assert_eq(r, OK, "%s %s", r && r->cause ? r->cause : "", failure.unique_constraint ? failure.unique_constraint : "");
}

struct stage *stage_make(void)
{
	struct stage *s = calloc(1, sizeof(*s));

	s->cluster = cluster_new();
	s->f = fixture_make();
	stage_store(s);
	strcpy(s->dir, "/tmp/rsp-eum-XXXXXX");
	cr_assert_not_null(mkdtemp(s->dir));
	s->config.batch_dir = s->dir;
	s->config.maker_cards = 2;
	s->transport = (struct transport_key){ s->f.order.smsr, s->f.transport };
	s->eum.config = &s->config;
	s->eum.issuer = s->f.issuer;
	s->eum.transport_keys = (struct transport_keys){ &s->transport, 1 };
	s->app.rpc.store = s->store;
	s->app.rpc.role_state = &s->eum;
	s->orderer = (struct entity){ .oid = oid_of("1.3.6.1.4.1.99999.5"), .name = "Operator", .roles = ROLE_OPERATOR };
	DB_QUEUE(s->db, T_ENTITY, p_text(s->f.order.smsr.text), p_int(s->f.a, ROLE_SM_SR));
	DB_QUEUE(s->db, T_ADDRESS, p_text(s->f.order.smsr.text));
	stage_sync(s, NULL, 0);
	return s;
}

/* A folder of plain files. */
static void folder_drop(const char *path)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	DIR *d = opendir(path);
	struct dirent *e;

	cr_assert(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			unlink(arena_printf(a, "%s/%s", path, e->d_name));
	closedir(d);
	rmdir(path);
}

void stage_drop(struct stage *s)
{
	db_close(s->db);
	store_close(s->store);
	cluster_free(&s->cluster);
	folder_drop(s->dir); /* batch files hold card keys */
	fixture_drop(&s->f);
	free(s);
}

result stage_call(struct stage *s, const struct served *served, const struct entity *caller, const void *in, void *out)
{
	struct rq rq = { .rpc = &s->app.rpc,
			 .arena = s->f.a,
			 .db = s->db,
			 .caller = caller,
			 .role = &s->eum,
			 .trace = "",
			 .received_us = clock_wall_us() };
	struct relation_facts facts = { 0 };
	const struct rows *rows[8];
	result r;

	db_begin(s->db);
	served->load->queue(&rq, in);
	stage_sync(s, rows, served->load->results);
	r = served->load->take(&rq, in, rows, &facts);
	if (r == OK)
		r = relation_check(s->f.a, function_by_id(served->id), caller, &facts);
	if (r == OK)
		r = served->handle(&rq, in, out);
	if (r != OK) {
		db_rollback(s->db);
		return r;
	}
	db_commit(s->db);
	stage_sync(s, NULL, 0);
	return OK;
}

const char *stage_order(struct stage *s, const char *name, int64_t quantity)
{
	struct eum_create_batch_rs rs = { 0 };
	result r;

	s->f.order.name = name;
	s->f.order.quantity = quantity;
	r = stage_call(s, &eum_served[0], &s->orderer, &s->f.order, &rs);
	cr_assert_eq(r, OK, "%s", r ? r->message : "");
	return rs.batch;
}

void stage_nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

struct eum_batch_info *stage_status(struct stage *s, const char *batch)
{
	struct eum_get_batch_rq rq = { .batch = batch };
	struct eum_get_batch_rs rs = { 0 };

	cr_assert_eq(stage_call(s, &eum_served[1], &s->orderer, &rq, &rs), OK);
	return rs.info;
}

void stage_fill(struct stage *s, const char *batch)
{
	struct eum_maker *m = eum_maker_open(&s->app, &s->eum);

	for (int i = 0; !stage_status(s, batch)->file; i++) {
		cr_assert(i < 1500, "the maker does not end");
		stage_nap();
	}
	eum_maker_close(m);
}

struct eid stage_first_eid(struct stage *s)
{
	const struct rows *rows;
	struct eid eid;

	DB_QUEUE(s->db, EUM_FILE_CARDS, p_text(stage_status(s, "first")->batch), p_int(s->f.a, 0), p_int(s->f.a, 1));
	stage_sync(s, &rows, 1);
	cr_assert(eid_parse(row_text(rows, 0, 0), &eid));
	return eid;
}

void stage_card_is(struct stage *s, const struct eid *eid, const char *state, const char *code)
{
	const struct rows *rows;

	DB_QUEUE(s->db, T_CARD, p_text(eid->text));
	stage_sync(s, &rows, 1);
	cr_assert_str_eq(row_text(rows, 0, 0), state);
	cr_assert_str_eq(row_text(rows, 0, 1), code);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is due by the clock, on a real database. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/operator-gateway/gateway.h"
#include "services/operator-gateway/operation.h"
#include "tests/unit/store/cluster.h"

#define WAITING_ID "11111111-1111-4111-8111-111111111111"
#define EID "89001012012341234012345678901224"
#define DAMAGED_ID "22222222-2222-4222-8222-222222222222"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

enum { T_ADD = GW_END, T_STATE, T_CHANGE, T_END };
static const struct statement own[] = {
	/* Told to be busy a while ago. */
	{ "t_add",
	  "insert into operation (id, eid, kind, smsr, mode, patient, state, created_at, deadline, next_at, user_name, input)"
	  " values ($1::uuid, '" EID "', 'audit', $2, 'callback', true, 'waiting', now(),"
	  " now() + interval '600 seconds', now() - make_interval(secs => $3::float8), 'x', '')" },
	{ "t_state", "select state, attempt, next_at > now() from operation where id = $1::uuid" },
	/* Ordered a minute ago. */
	{ "t_change",
	  "insert into operation (id, eid, kind, smsr, mode, patient, state, created_at, deadline, next_at, user_name, input, "
	  "change,"
	  " stage) values ($1::uuid, '" EID "', 'smsr-change', $2, 'callback', true, 'accepted', now() - interval '1 minute',"
	  " now() + interval '600 seconds', now() + interval '600 seconds', 'x', '', $3, 'change')" },
};

struct stage {
	struct cluster cluster;
	struct statement statements[T_END];
	struct migration migrations[16];
	struct store *store;
	struct db *db;
	struct arena *a;
	struct gateway_config config;
	struct rpc rpc;
	struct gateway gateway;
};

static void stage_open(struct stage *s)
{
	struct store_spec spec = { .statements = s->statements, .n_statements = T_END, .migrations = s->migrations };
	char error[512] = "";

	*s = (struct stage){ .cluster = cluster_new(), .a = arena_new() };
	spec.conninfo = s->cluster.conninfo;
	memcpy(s->statements, rpc_statements, sizeof(rpc_statements));
	memcpy(s->statements + RPC_STATEMENTS, gateway_statements, sizeof(gateway_statements));
	memcpy(s->statements + GW_END, own, sizeof(own));
	for (size_t i = 0; i < common_migrations_count; i++)
		s->migrations[spec.n_migrations++] = common_migrations[i];
	for (size_t i = 0; i < gateway_migrations_count; i++)
		s->migrations[spec.n_migrations++] = gateway_migrations[i];
	cr_assert_eq(store_open(&spec, 10, &s->store, error), 0, "%s", error);
	s->db = db_open(s->store);
	s->gateway = (struct gateway){ .config = &s->config, .rpc = &s->rpc, .waits = waits_new() };
}

static void stage_close(struct stage *s)
{
	waits_free(s->gateway.waits);
	db_close(s->db);
	store_close(s->store);
	arena_free(s->a);
	cluster_free(&s->cluster);
}

static void add(struct stage *s, const char *id, const char *smsr, int64_t due_s)
{
	DB_QUEUE(s->db, T_ADD, p_text(id), p_text(smsr), p_int(s->a, due_s));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
}

static const struct rows *state(struct stage *s, const char *id)
{
	const struct rows *rows;

	DB_QUEUE(s->db, T_STATE, p_text(id));
	cr_assert_eq(db_sync(s->db, s->a, &rows, 1, NULL), OK);
	return rows;
}

/* One that cannot be read is due first, and for ever: the others must not wait for that. */
Test(gateway_due, a_damaged_row_keeps_nobody_waiting, .timeout = 120)
{
	static struct stage stage;
	const struct rows *rows;
	unsigned ms = 0;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	stage_open(&stage);
	add(&stage, DAMAGED_ID, "not an OID", 100);
	add(&stage, WAITING_ID, "1.3.6.1.4.1.99999.2", 1);
	cr_expect(operations_due(&stage.gateway, stage.db, stage.a, &ms));
	rows = state(&stage, WAITING_ID);
	cr_expect_str_eq(row_text(rows, 0, 0), "queued");
	cr_expect_eq(row_int(rows, 0, 1), 2);
	/* It is not looked at without a pause, either, and stays as it is. */
	cr_expect_not(operations_due(&stage.gateway, stage.db, stage.a, &ms));
	cr_expect_geq(ms, 1000);
	rows = state(&stage, DAMAGED_ID);
	cr_expect_str_eq(row_text(rows, 0, 0), "waiting");
	cr_expect(row_bool(rows, 0, 2));
	stage_close(&stage);
}

#define ONE "1.3.6.1.4.1.99999.2"
#define TWO "1.3.6.1.4.1.99999.22"
#define THREE "1.3.6.1.4.1.99999.23"

/* A notification: it is there since so many seconds. */
static void told(struct stage *s, const char *smsr, int64_t ago_s)
{
	DB_QUEUE(s->db, GW_EUICC_MOVE, p_text(EID), p_text(smsr), p_time(s->a, clock_wall_us() - ago_s * 1000000), p_text(""),
		 p_null());
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
}

/* The change from one SM-SR to another was executed so many seconds ago, as the first one says now. */
static void answered(struct stage *s, const char *id, const char *from, const char *to, int64_t ago_s)
{
	const char *change = arena_printf(s->a, "{\"to\":\"%s\",\"dry_run\":false}", to);
	int64_t at = clock_wall_us() - ago_s * 1000000;
	const struct response_base base = { .processing_end = &at };
	struct outbox_answer in = { .fn = function_by_id(FN_ES4_SMSRChange),
				    .ref = arena_printf(s->a, "%s.1", id),
				    .eid = EID,
				    .base = &base,
				    .response = &base };

	DB_QUEUE(s->db, T_CHANGE, p_text(id), p_text(from), p_text(change));
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	db_begin(s->db);
	cr_assert(gateway_answered(&s->gateway, s->db, s->a, &in));
	db_commit(s->db);
	cr_assert_eq(db_sync(s->db, s->a, NULL, 0, NULL), OK);
	cr_assert_str_eq(row_text(state(s, id), 0, 0), "ended");
}

static void is_at(struct stage *s, const char *smsr)
{
	struct oid at, smdp;
	bool known;

	cr_assert_eq(euicc_find(s->db, s->a, &(const struct eid){ EID }, &at, &smdp, &known), OK);
	cr_assert(known);
	cr_expect_str_eq(at.text, smsr);
}

/* It is where the newest word says, in whatever order the words come. */
Test(gateway_due, a_late_answer_does_not_bring_a_card_back, .timeout = 120)
{
	static struct stage stage;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	stage_open(&stage);
	answered(&stage, "33333333-3333-4333-8333-333333333331", ONE, TWO, 50);
	is_at(&stage, TWO);
	/* On its way again, as others ordered, before this SM-SR heard that it may forget it. */
	told(&stage, TWO, 40);
	told(&stage, THREE, 20);
	answered(&stage, "33333333-3333-4333-8333-333333333332", ONE, TWO, 10);
	is_at(&stage, THREE);
	/* Back where it was: that answer is older. */
	told(&stage, ONE, 5);
	answered(&stage, "33333333-3333-4333-8333-333333333333", ONE, TWO, 8);
	is_at(&stage, ONE);
	/* An order that waited until it came back. */
	answered(&stage, "33333333-3333-4333-8333-333333333334", ONE, TWO, 1);
	is_at(&stage, TWO);
	stage_close(&stage);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox's pauses by themselves, and its worker on a real database: order, back-off, give-up (B1). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/bus/bus_internal.h"
#include "common/rpc/outbox_internal.h"
#include "tests/unit/store/cluster.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

#define PEER "peer:1.3.6.1.4.1.99999.2"

/* Pauses ------------------------------------------------------------------------------------------------------------------ */

struct pauses {
	struct outbox o;
	struct rpc rpc;
	struct arena *a;
};

static struct pauses *pauses_make(struct bus *bus)
{
	struct pauses *p = calloc(1, sizeof(*p));

	cr_assert_not_null(p);
	p->rpc = (struct rpc){ .peer_pause_ms = 100, .bus = bus };
	p->o.spec.rpc = &p->rpc;
	pthread_mutex_init(&p->o.lock, NULL);
	p->a = arena_new();
	return p;
}

static void pauses_drop(struct pauses *p)
{
	pthread_mutex_destroy(&p->o.lock);
	arena_free(p->a);
	free(p);
}

/* As if the pause were over. */
static void let_pass(struct pauses *p, unsigned slot)
{
	p->o.paused[slot].until_ms = clock_ms() - 1;
}

Test(rpc_outbox, a_pause_doubles_up_to_a_minute)
{
	struct pauses *p = pauses_make(NULL);
	int64_t want = 100;

	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), "");
	cr_expect_eq(outbox_next_probe_ms(&p->o, 0), -1);
	for (int i = 0; i < 14; i++) {
		int64_t began = clock_ms(), rest;

		outbox_lane_failed(&p->o, PEER, "gone");
		outbox_lane_failed(&p->o, PEER, "gone"); /* of the same batch */
		cr_expect_eq(p->o.paused[0].backoff_ms, want);
		rest = outbox_next_probe_ms(&p->o, 0);
		cr_expect(rest <= want && rest >= want - (clock_ms() - began), "%lld", (long long)rest);
		cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), PEER);
		cr_expect_not(outbox_probing(&p->o, PEER));
		let_pass(p, 0);
		cr_expect_eq(outbox_next_probe_ms(&p->o, 0), 0);
		cr_expect_eq(outbox_next_probe_ms(&p->o, clock_ms()), -1, "looked at");
		cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), "");
		cr_expect(outbox_probing(&p->o, PEER), "one row only");
		want = want * 2 < 60000 ? want * 2 : 60000;
	}
	cr_expect_eq(want, 60000);
	outbox_lane_reached(&p->o, PEER);
	cr_expect_not(outbox_probing(&p->o, PEER));
	cr_expect_eq(outbox_next_probe_ms(&p->o, 0), -1);
	outbox_lane_failed(&p->o, PEER, "gone");
	cr_expect_eq(p->o.paused[0].backoff_ms, 100, "it begins anew");
	pauses_drop(p);
}

Test(rpc_outbox, lanes_do_not_wait_for_one_another)
{
	struct pauses *p = pauses_make(NULL);
	char lane[OID_MAX + 16];

	outbox_lane_failed(&p->o, PEER, "gone");
	outbox_lane_failed(&p->o, BUS_LANE, "gone");
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), PEER " " BUS_LANE);
	let_pass(p, 1);
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), PEER);
	outbox_lane_reached(&p->o, PEER);
	outbox_lane_reached(&p->o, "peer:9.9"); /* was never paused */
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), "");
	/* More than there is room for, and a name that has none: said, so that their rows wait instead. */
	for (int i = 0; i < 2 * PAUSED_MAX; i++) {
		snprintf(lane, sizeof(lane), "peer:1.%d", i);
		cr_expect_eq(outbox_lane_failed(&p->o, lane, "gone"), i < PAUSED_MAX - 1);
	}
	memset(lane, 'x', sizeof(lane) - 1);
	lane[sizeof(lane) - 1] = '\0';
	cr_expect_not(outbox_lane_failed(&p->o, lane, "gone"));
	cr_expect_null(strstr(outbox_paused_lanes(&p->o, p->a), "xxx"));
	pauses_drop(p);
}

/* One row of a paused lane in the whole process; who takes his time is there, and does not hold up the others for ever. */
Test(rpc_outbox, one_probe_at_a_time)
{
	struct pauses *p = pauses_make(NULL);
	struct outbox_pause *list;
	bool probe = true;

	cr_expect(outbox_lane_enter(&p->o, PEER, &probe) && !probe, "not paused");
	outbox_lane_failed(&p->o, PEER, "nobody there");
	cr_expect_not(outbox_lane_enter(&p->o, PEER, &probe));
	cr_assert_eq(outbox_pauses(&p->o, p->a, &list), 1);
	cr_expect_str_eq(list[0].lane, PEER);
	cr_expect_str_eq(list[0].why, "nobody there");
	cr_expect(list[0].left_ms > 50 && list[0].left_ms <= 100);
	let_pass(p, 0);
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), "");
	cr_expect(outbox_lane_enter(&p->o, PEER, &probe) && probe);
	cr_expect_not(outbox_lane_enter(&p->o, PEER, &probe), "another worker's");
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), PEER);
	cr_expect(outbox_next_probe_ms(&p->o, clock_ms()) > 5000, "until it must have failed");
	p->o.paused[0].probed_ms = clock_ms() - 1;
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), "");
	cr_expect(outbox_lane_enter(&p->o, PEER, &probe) && probe);
	outbox_probe_end(&p->o, PEER);
	cr_expect(outbox_lane_enter(&p->o, PEER, &probe) && probe);
	outbox_probe_end(&p->o, PEER);
	/* An administrator does not wait. */
	outbox_lane_failed(&p->o, PEER, NULL);
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), PEER);
	outbox_try(&p->o, PEER);
	outbox_try(&p->o, "peer:9.9");
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), "");
	cr_expect_eq(outbox_pauses(NULL, p->a, &list), 0);
	pauses_drop(p);
}

/* However long the bus was away, its pause ends when it is back; one that is there and refuses stays paused. */
Test(rpc_outbox, the_bus_is_back)
{
	struct bus bus = { 0 };
	struct pauses *p = pauses_make(&bus);

	outbox_lane_failed(&p->o, BUS_LANE, "gone");
	p->o.paused[0].backoff_ms = 60000;
	p->o.paused[0].until_ms = clock_ms() + 60000;
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), BUS_LANE);
	atomic_store(&bus.up, true);
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), "");
	cr_expect(outbox_probing(&p->o, BUS_LANE));
	outbox_lane_failed(&p->o, BUS_LANE, "gone");
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), BUS_LANE);
	cr_expect_str_eq(outbox_paused_lanes(&p->o, p->a), BUS_LANE);
	pauses_drop(p);
}

/* The worker -------------------------------------------------------------------------------------------------------------- */

enum { T_ADD = RPC_STATEMENTS, T_ROW, T_LEFT, T_TIMES, T_AGE, T_HOLD, T_LET, T_END };
static const struct statement own[] = {
	{ "t_add", "insert into outbox (lane, shard, eid, kind, dedup, payload, attempts, give_up_at)"
		   " values ($1, abs(hashtext($1 || $2)::bigint) % 16, $2, $3, 'd', '', $4::int, now() + $5::interval) returning id" },
	{ "t_row", "select attempts, error, dead_at is not null, (extract(epoch from next_at - now()) * 1000)::bigint from outbox"
		   " where id = $1::bigint" },
	{ "t_left", "select count(*) from outbox where lane = $1" },
	{ "t_times", "select attempts, dead_at is not null, replayed_at is not null, round(extract(epoch from give_up_at - now()))::bigint,"
		     " next_at <= now() from outbox where id = $1::bigint" },
	{ "t_age", "update outbox set created_at = created_at - interval '10 h', give_up_at = give_up_at - interval '10 h',"
		   " next_at = next_at - interval '10 h', replayed_at = replayed_at - interval '10 h' where id = $1::bigint" },
	{ "t_hold", "select pg_advisory_lock(1868722040, s) from generate_series(0, 15) s" }, /* LOCK_SPACE */
	{ "t_let", "select pg_advisory_unlock_all()" },
};

struct stage {
	struct cluster cluster;
	struct store *store;
	struct db *db;
	struct arena *a;
	struct rpc rpc;
	struct outbox *outbox;
};

static struct stage *stage_make(void)
{
	static struct statement statements[T_END];
	struct stage *s = calloc(1, sizeof(*s));
	struct store_spec spec = { .statements = statements, .n_statements = T_END, .migrations = common_migrations,
				   .n_migrations = common_migrations_count };
	char error[512] = "";

	cr_assert_not_null(s);
	s->cluster = cluster_new();
	spec.conninfo = s->cluster.conninfo;
	memcpy(statements, rpc_statements, sizeof(rpc_statements));
	memcpy(statements + RPC_STATEMENTS, own, sizeof(own));
	cr_assert_eq(store_open(&spec, 10, &s->store, error), 0, "%s", error);
	s->a = arena_new();
	s->db = db_open(s->store);
	s->rpc = (struct rpc){ .role = "test", .store = s->store };
	return s;
}

/* Nobody is reached here: no answer comes. Of what is given up the role is told, in the transaction of the dead letter. */
static bool no_answer(void *role, struct db *db, struct arena *a, const struct outbox_answer *answer)
{
	if (!answer->given_up || answer->response || answer->fault.code || answer->fn->id != FN_ES1_RegisterEIS)
		abort();
	DB_QUEUE(db, T_ADD, p_text("told"), p_text(answer->eid), p_text("x"), p_text("0"), p_text(NULL));
	return false;
}

static void work(struct stage *s)
{
	s->outbox = outbox_open(&(struct outbox_spec){ .rpc = &s->rpc, .workers = 2, .answered = no_answer });
}

static void stage_drop(struct stage *s)
{
	outbox_close(s->outbox);
	db_close(s->db);
	arena_free(s->a);
	store_close(s->store);
	cluster_free(&s->cluster);
	free(s);
}

static const struct rows *sync_rows(struct stage *s)
{
	const struct rows *rows;

	cr_assert_eq(db_sync(s->db, s->a, &rows, 1, NULL), OK);
	return rows;
}

/* give_up: from now; NULL: never. */
static int64_t add(struct stage *s, const char *lane, const char *eid, const char *kind, int64_t attempts, const char *give_up)
{
	DB_QUEUE(s->db, T_ADD, p_text(lane), p_text(eid), p_text(kind), p_int(s->a, attempts), p_text(give_up));
	return row_int(sync_rows(s), 0, 0);
}

static const struct rows *row(struct stage *s, int64_t id)
{
	DB_QUEUE(s->db, T_ROW, p_int(s->a, id));
	return sync_rows(s);
}

/* Its attempts reach n; milliseconds to the next one. */
static int64_t await_attempts(struct stage *s, int64_t id, int64_t n)
{
	for (int i = 0; i < 1000; i++) {
		const struct rows *r = row(s, id);

		cr_assert_eq(rows_count(r), 1);
		if (row_int(r, 0, 0) >= n)
			return row_int(r, 0, 3);
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	cr_assert_fail("row %ld has not been tried %ld times", (long)id, (long)n);
	return 0;
}

static void await_none(struct stage *s, const char *lane)
{
	for (int i = 0; i < 1000; i++) {
		DB_QUEUE(s->db, T_LEFT, p_text(lane));
		if (row_int(sync_rows(s), 0, 0) == 0)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	cr_assert_fail("rows of %s are left", lane);
}

Test(rpc_outbox, order_back_off_and_give_up)
{
	struct stage *s = stage_make();
	int64_t first = add(s, PEER, "1", "ES1-RegisterEIS", 0, NULL), second = add(s, PEER, "1", "ES1-RegisterEIS", 0, NULL);
	int64_t old = add(s, PEER, "2", "ES1-RegisterEIS", 6, NULL), ancient = add(s, PEER, "5", "ES1-RegisterEIS", 20, NULL);
	int64_t damaged = add(s, PEER, "3", "ES9-Nothing", 0, NULL);
	int64_t dead = add(s, PEER, "4", "ES1-RegisterEIS", 3, "-1s"), behind = add(s, PEER, "4", "ES1-RegisterEIS", 0, NULL);
	int64_t left;

	for (int i = 0; i < 100; i++)
		(void)add(s, BUS_LANE, "1", "eis.registered", 0, NULL);
	work(s);
	(void)await_attempts(s, first, 2);
	cr_expect_str_eq(row_text(row(s, first), 0, 1), "the peer is not in the registry");
	cr_expect_eq(row_int(row(s, second), 0, 0), 0, "not before the first of its card");
	/* Half a second, doubled by each attempt, up to a minute. */
	left = await_attempts(s, old, 7);
	cr_expect(left > 22000 && left <= 32000, "%ld", (long)left);
	left = await_attempts(s, ancient, 21);
	cr_expect(left > 50000 && left <= 60000, "%ld", (long)left);
	(void)await_attempts(s, damaged, 1);
	cr_expect_str_eq(row_text(row(s, damaged), 0, 1), "the row is damaged");
	/* A dead letter stays and holds nobody up. */
	(void)await_attempts(s, behind, 1);
	cr_expect(row_bool(row(s, dead), 0, 2));
	cr_expect_str_eq(row_text(row(s, dead), 0, 1), "give-up time reached");
	cr_expect_eq(row_int(row(s, dead), 0, 0), 3);
	DB_QUEUE(s->db, T_LEFT, p_text("told"));
	cr_expect_eq(row_int(sync_rows(s), 0, 0), 1, "the role was told, whatever it returned");
	await_none(s, BUS_LANE); /* no bus is configured */
	stage_drop(s);
}

/* A fault's reason is as long as the peer wants; in a row it is not. */
/* By themselves workers look every five seconds. */
Test(rpc_outbox, who_rings_for_whom)
{
	struct stage *s = stage_make();
	int64_t begun, call;

	work(s);
	for (int i = 0; i < 3; i++) {
		(void)add(s, BUS_LANE, "1", "eis.registered", 0, NULL);
		begun = clock_ms();
		outbox_ring_bus(s->outbox);
		await_none(s, BUS_LANE);
		cr_expect_lt(clock_ms() - begun, 3000);
	}
	(void)add(s, BUS_LANE, "1", "eis.registered", 0, NULL);
	call = add(s, PEER, "1", "ES1-RegisterEIS", 0, NULL);
	begun = clock_ms();
	outbox_ring(s->outbox);
	await_none(s, BUS_LANE);
	(void)await_attempts(s, call, 1);
	cr_expect_lt(clock_ms() - begun, 3000);
	stage_drop(s);
}

Test(rpc_outbox, what_a_peer_says_is_kept_in_short)
{
	struct stage *s = stage_make();
	int64_t id = add(s, PEER, "1", "ES1-RegisterEIS", 0, NULL);
	const char *number = arena_printf(s->a, "%lld", (long long)id), *reason = arena_printf(s->a, "%0*d", 100000, 0);

	DB_QUEUE(s->db, RPC_OUTBOX_LATER, p_text(number), p_text("1"), p_text(reason));
	(void)sync_rows(s);
	cr_expect_eq(strlen(row_text(row(s, id), 0, 1)), 1000);
	DB_QUEUE(s->db, RPC_OUTBOX_DEAD, p_text(number), p_text(reason));
	(void)sync_rows(s);
	cr_expect_eq(strlen(row_text(row(s, id), 0, 1)), 1000);
	stage_drop(s);
}

static const struct rows *times(struct stage *s, int64_t id)
{
	DB_QUEUE(s->db, T_TIMES, p_int(s->a, id));
	return sync_rows(s);
}

static int64_t replay(struct stage *s, const char *id, const char *lane)
{
	const struct rows *rows;

	DB_QUEUE(s->db, RPC_OUTBOX_REPLAY, p_text(id), p_text(lane));
	rows = sync_rows(s);
	return (int64_t)rows_count(rows);
}

static void bury(struct stage *s, int64_t id)
{
	DB_QUEUE(s->db, RPC_OUTBOX_DEAD, p_text(arena_printf(s->a, "%lld", (long long)id)), p_text("old"));
	(void)sync_rows(s);
}

/* A replayed row has as long as it had at first, however often; only dead letters are replayed or dropped. */
Test(rpc_outbox, a_dead_letter_is_replayed_or_dropped)
{
	struct stage *s = stage_make();
	int64_t one = add(s, PEER, "1", "ES1-RegisterEIS", 5, "2 h"), other = add(s, PEER "1", "1", "ES1-RegisterEIS", 5, NULL);
	int64_t alive = add(s, PEER, "2", "ES1-RegisterEIS", 0, "1 h");
	const char *id = arena_printf(s->a, "%lld", (long long)one);
	const struct rows *t;

	for (int i = 0; i < 2; i++) {
		DB_QUEUE(s->db, T_AGE, p_text(id));
		(void)sync_rows(s);
		bury(s, one);
		cr_expect_eq(replay(s, arena_printf(s->a, "%lld", (long long)alive), NULL), 0);
		cr_expect_eq(replay(s, NULL, PEER "1"), 0);
		cr_expect_eq(i ? replay(s, NULL, PEER) : replay(s, id, NULL), 1);
		t = times(s, one);
		cr_expect(row_int(t, 0, 0) == 0 && !row_bool(t, 0, 1) && row_bool(t, 0, 2) && row_bool(t, 0, 4));
		cr_expect(row_int(t, 0, 3) > 7190 && row_int(t, 0, 3) <= 7200, "%ld", (long)row_int(t, 0, 3));
	}
	bury(s, one);
	bury(s, other);
	cr_expect_eq(replay(s, NULL, NULL), 2);
	cr_expect_eq(row_int(times(s, other), 0, 3), 0, "never is never");
	bury(s, other);
	DB_QUEUE(s->db, RPC_OUTBOX_DROP, p_text(id));
	cr_expect_eq(rows_affected(sync_rows(s)), 0, "it is alive");
	DB_QUEUE(s->db, RPC_OUTBOX_DROP, p_int(s->a, other));
	cr_expect_eq(rows_affected(sync_rows(s)), 1);
	stage_drop(s);
}

/* What becomes due behind a worker's look counts, be it while that still goes on; what it sees does not: it would never sleep. */
Test(rpc_outbox, due_behind_the_last_look)
{
	struct stage *s = stage_make();
	const char *id = arena_printf(s->a, "%lld", (long long)add(s, PEER, "1", "ES1-RegisterEIS", 0, "1 h"));
	const struct rows *rows;

	DB_QUEUE0(s->db, RPC_OUTBOX_NEXT);
	rows = sync_rows(s);
	cr_expect(row_int(rows, 0, 0) > 3500000 && row_int(rows, 0, 0) <= 3600000, "the give-up time");
	DB_QUEUE(s->db, RPC_OUTBOX_LATER, p_text(id), p_text("30"), p_text("why"));
	(void)sync_rows(s);
	DB_QUEUE0(s->db, RPC_OUTBOX_NEXT);
	rows = sync_rows(s);
	cr_expect(row_int(rows, 0, 0) > 0 && row_int(rows, 0, 0) <= 30000, "its next try");
	DB_QUEUE(s->db, T_AGE, p_text(id));
	(void)sync_rows(s);
	DB_QUEUE0(s->db, RPC_OUTBOX_NEXT);
	cr_expect(row_null(sync_rows(s), 0, 0));
	stage_drop(s);
}

/* Another replica looked at all shards a moment before a row was committed: its locks go, and nobody rings. */
Test(rpc_outbox, a_shard_that_was_held_is_looked_at_soon)
{
	struct stage *s = stage_make();
	int64_t id, begun;

	work(s);
	DB_QUEUE0(s->db, T_HOLD);
	(void)sync_rows(s);
	id = add(s, PEER, "1", "ES1-RegisterEIS", 0, NULL);
	outbox_ring(s->outbox);
	nanosleep(&(struct timespec){ .tv_nsec = 150000000 }, NULL);
	cr_expect_eq(row_int(row(s, id), 0, 0), 0);
	DB_QUEUE0(s->db, T_LET);
	(void)sync_rows(s);
	begun = clock_ms();
	(void)await_attempts(s, id, 1);
	cr_expect(clock_ms() - begun < 2500, "%lld ms", (long long)(clock_ms() - begun));
	stage_drop(s);
}

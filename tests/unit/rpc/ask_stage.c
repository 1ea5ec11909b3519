/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rpc/ask_stage.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fault.h"
#include "common/rpc/json_out.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

#define HANDOVER "6f1d0b6e-8a3c-4a55-9d1e-0d7b3f6c2a10"

static const struct statement own[] = {
	{ "t_execute",
	  "insert into t_executed (eid, step, verb, replica) values ($1, $2, $3, $4) on conflict (eid, step) do nothing" },
	{ "t_who", "select replica from t_executed where eid = $1 and step = $2" },
	{ "t_executed", "select count(*) from t_executed where eid = $1 and step = $2" },
	{ "t_fail", "select t_fail($1)" },
	{ "t_reply", "insert into t_reply (eid, step, text) values ($1, $2, $3)" },
	{ "t_replies",
	  "select count(*), coalesce((array_agg(text order by id desc))[1], '') from t_reply where eid = $1 and step = $2" },
	{ "t_row", "select attempts, error, dead_at is not null from outbox where eid = $1" },
	{ "t_left", "select count(*) from outbox where dead_at is null" },
	{ "t_count", "select count(*), coalesce(string_agg(step, ' ' order by id), ''), count(distinct replica) from t_executed "
		     "where eid like $1" },
};

static const struct migration migration = {
	900, "900_test.sql",
	"create table t_executed (id bigint generated always as identity, eid text, step text, verb text, replica text,"
	" primary key (eid, step));"
	"create table t_reply (id bigint generated always as identity, eid text, step text, text text);"
	"create function t_fail(state text) returns int language plpgsql as"
	" $$begin raise exception using errcode = state, message = 'as ordered'; end$$"
};

/* What is asked ------------------------------------------------------------------------------------------------------------ */

static void entered(struct side *side)
{
	unsigned now = atomic_fetch_add(&side->running, 1) + 1, most = atomic_load(&side->most);

	while (now > most && !atomic_compare_exchange_weak(&side->most, &most, now))
		;
}

/* "sleep": milliseconds. */
static void take_time(const struct asking *q)
{
	int64_t ms;

	if (asking_number(q, "sleep", 0, 10000, &ms))
		nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/* "trouble": an SQLSTATE that the database shall say; "times": so often, of this side's runs. */
static result be_troubled(struct asking *q, struct side *side)
{
	const char *state = asking_text(q, "trouble");
	int64_t times;

	if (!state || !asking_number(q, "times", 1, 100, &times) || atomic_fetch_add(&side->trouble, 1) >= times)
		return OK;
	DB_QUEUE(q->db, T_FAIL, p_text(state));
	return db_sync(q->db, q->a, NULL, 0, NULL);
}

/* The same at each repetition: who did it. "comma": written as a handler does that sets a comma before each member. */
static result say_more(struct asking *q)
{
	const struct rows *rows[2];
	int64_t n;

	DB_QUEUE(q->db, T_WHO, p_text(q->eid.text), p_text(q->step));
	TRY(db_sync(q->db, q->a, rows, 2, NULL));
	if (asking_text(q, "comma"))
		buf_str(q->out, ",\"first\":true");
	json_out_member(q->out, "replica", row_text(rows[1], 0, 0));
	if (!asking_number(q, "octets", 1, 4000000, &n))
		return OK;
	buf_str(q->out, ",\"long\":\"");
	for (int64_t i = 0; i < n; i++)
		buf_char(q->out, 'x');
	buf_char(q->out, '"');
	return OK;
}

static result execute(struct asking *q)
{
	struct side *side = q->role;
	int64_t until;

	TRY(be_troubled(q, side));
	DB_QUEUE(q->db, T_EXECUTE, p_text(q->eid.text), p_text(q->step), p_text(q->verb), p_text(side->rpc.replica));
	if (asking_text(q, "refuse"))
		return failed(q->a, CODE_EUICC_MANAGED, NULL, "not \"this\" one");
	if (json_object_get(q->in, "until") && !asking_time(q, "until", &until))
		return asking_bad(q, "until");
	if (asking_text(q, "busy"))
		return failed(q->a, CODE_BUSY, NULL, NULL);
	return say_more(q);
}

static result adopt(struct asking *q)
{
	struct side *side = q->role;
	result r;

	entered(side);
	take_time(q);
	r = execute(q);
	atomic_fetch_sub(&side->running, 1);
	return r;
}

static void committed(struct asking *q)
{
	struct side *side = q->role;

	atomic_fetch_add(&side->served, 1);
}

static const struct asked table[] = { { "adopt", adopt, committed }, { "export", adopt, committed } };

/* What comes of it: "done", "refused 8.1/3.3 not this one", "given up". A step "twice": asked once more; "parked": callers wait at two replicas. */
static bool replied(void *role, struct db *db, struct arena *a, const struct ask_reply *r)
{
	const char *text = r->given_up ? "given up" : r->done ? "done" : arena_printf(a, "refused %s %s", r->code, r->message);
	struct side *side = role;

	if (strstr(r->ref, "parked"))
		*r->parked = "r2 r1";
	if (r->done && json_object_get(r->body, "replica"))
		text = arena_printf(a, "done by %s", json_string_value(json_object_get(r->body, "replica")));
	DB_QUEUE(db, T_REPLY, p_text(arena_strdup(a, r->eid)), p_text(arena_strdup(a, r->ref)), p_text(text));
	return !strstr(r->ref, "twice") || atomic_fetch_add(&side->trouble, 1) > 0;
}

/* The sides ---------------------------------------------------------------------------------------------------------------- */

static void rung(void *ctx, const char *payload, size_t n)
{
	struct side *side = ctx;

	if (n == strlen("parked") && !memcmp(payload, "parked", n))
		atomic_fetch_add(&side->rung, 1);
}

static struct store *store_new(struct stage *s)
{
	static struct statement statements[T_END];
	static struct migration migrations[64];
	struct store_spec spec = { .conninfo = s->conninfo,
				   .statements = statements,
				   .n_statements = T_END,
				   .migrations = migrations,
				   .n_migrations = common_migrations_count + 1 };
	struct store *store = NULL;
	char error[512] = "";

	memcpy(statements, rpc_statements, sizeof(rpc_statements));
	memcpy(statements + RPC_STATEMENTS, own, sizeof(own));
	cr_assert(common_migrations_count < 63);
	memcpy(migrations, common_migrations, common_migrations_count * sizeof(*migrations));
	migrations[common_migrations_count] = migration;
	cr_assert_eq(store_open(&spec, 10, &store, error), 0, "%s", error);
	return store;
}

void side_open(struct stage *s, struct side *side, const char *replica)
{
	const char *role = side == &s->asker ? "sm-sr-handover" : "sm-sr";
	struct bus_spec spec = nats_server_spec(&s->nats, side == &s->asker ? 0 : side == &s->first ? 1 : 2, role, role, replica);
	char error[256] = "";

	spec.wake = rung;
	spec.ctx = side;
	side->stage = s;
	side->store = store_new(s);
	side->bus = bus_open(&spec, error);
	cr_assert(side->bus, "%s", error);
	side->rpc = (struct rpc){ .role = role,
				  .replica = replica,
				  .store = side->store,
				  .bus = side->bus,
				  .role_state = side,
				  .self_name = "",
				  .self_url = "",
				  .peer_pause_ms = 200 };
}

void side_serve(struct side *side, unsigned threads)
{
	const struct ask_spec spec = { .rpc = &side->rpc, .asked = table, .n_asked = LEN(table), .threads = threads };

	side->server = ask_serve_open(&spec);
}

void side_ask(struct side *side)
{
	const struct outbox_spec spec = { .rpc = &side->rpc, .workers = 1, .replied = replied };

	side->outbox = side->rpc.outbox = outbox_open(&spec);
}

void side_close(struct side *side)
{
	if (!side->stage)
		return;
	ask_serve_close(side->server);
	outbox_close(side->outbox);
	bus_close(side->bus);
	store_close(side->store);
	memset(side, 0, sizeof(*side));
}

static void be_a_side(struct stage *s, const char *role, const char *point, const char *eid)
{
	struct side *side = !strcmp(role, "sm-sr") ? &s->first : &s->asker;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fault_arm(point, FAULT_KILL, eid) != 0)
		_exit(2);
	side_open(s, side, "killed");
	if (side == &s->first)
		side_serve(side, 1);
	else
		side_ask(side);
	for (;;)
		pause();
}

pid_t side_fork(struct stage *s, const char *role, const char *point, const char *eid)
{
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (pid == 0)
		be_a_side(s, role, point, eid);
	return pid;
}

void side_join(pid_t pid)
{
	int status = 0;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it died otherwise: %x", (unsigned)status);
}

/* The stage ---------------------------------------------------------------------------------------------------------------- */

bool stage_open(struct stage *s)
{
	struct store *store;

	memset(s, 0, sizeof(*s));
	if (!nats_server_installed() || !cluster_installed())
		return false;
	s->cluster = cluster_new();
	snprintf(s->conninfo, sizeof(s->conninfo), "%s", s->cluster.conninfo);
	s->nats = nats_server_new();
	store = store_new(s); /* makes the tables; no thread of ours is left for those who fork */
	store_close(store);
	return true;
}

void stage_nats_start(struct stage *s)
{
	nats_server_start(&s->nats, "sm-sr");
}

void stage_close(struct stage *s)
{
	db_close(s->db);
	arena_free(s->a);
	store_close(s->store);
	side_close(&s->asker);
	side_close(&s->first);
	side_close(&s->second);
	nats_server_free(&s->nats);
	cluster_free(&s->cluster);
}

static const struct rows *sync_rows(struct stage *s)
{
	const struct rows *rows;

	cr_assert_eq(db_sync(s->db, s->a, &rows, 1, NULL), OK);
	return rows;
}

static void look(struct stage *s)
{
	if (s->db)
		return;
	s->a = arena_new();
	s->store = store_new(s);
	s->db = db_open(s->store);
}

const char *stage_eid(struct stage *s, unsigned n)
{
	struct eid eid;
	char first[31];

	look(s);
	snprintf(first, sizeof(first), "8900101201234123401234567%05u", n);
	cr_assert(eid_complete(first, &eid));
	return arena_strdup(s->a, eid.text);
}

void stage_ask(struct stage *s, const char *verb, const char *eid, const char *step, const char *more, int64_t give_up_s)
{
	const char *json;

	look(s);
	json = arena_printf(s->a, "{\"handover\":\"" HANDOVER "\",\"step\":\"%s\",\"eid\":\"%s\"%s}", step, eid, more);
	outbox_ask(s->db, s->a,
		   &(struct ask){ .role = "sm-sr",
				  .verb = verb,
				  .eid = eid,
				  .ref = step,
				  .json = json,
				  .trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
				  .give_up_s = give_up_s });
	(void)sync_rows(s);
	outbox_ring(s->asker.outbox);
}

int64_t stage_executed(struct stage *s, const char *eid, const char *step)
{
	DB_QUEUE(s->db, T_EXECUTED, p_text(eid), p_text(step));
	return row_int(sync_rows(s), 0, 0);
}

int64_t stage_replies(struct stage *s, const char *eid, const char *step, const char **out)
{
	const struct rows *rows;

	DB_QUEUE(s->db, T_REPLIES, p_text(eid), p_text(step));
	rows = sync_rows(s);
	if (out)
		*out = row_text_dup(s->a, rows, 0, 1);
	return row_int(rows, 0, 0);
}

int64_t stage_left(struct stage *s)
{
	DB_QUEUE0(s->db, T_LEFT);
	return row_int(sync_rows(s), 0, 0);
}

const struct rows *stage_row(struct stage *s, const char *eid)
{
	DB_QUEUE(s->db, T_ROW, p_text(eid));
	return sync_rows(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox between a real database and peers of many kinds: what is sent, in which order, what becomes of the rows (A7, B1). */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "common/http/server.h"
#include "common/rpc/outbox_internal.h"
#include "tests/unit/http/pki.h"
#include "tests/unit/rpc/outbox_peer.h"
#include "tests/unit/store/cluster.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

#define SELF "1.3.6.1.4.1.99999.1"
enum { PER_CARD = 6 };

/* The stage ---------------------------------------------------------------------------------------------------------------- */

enum { T_ENTITY = RPC_STATEMENTS, T_CERT, T_URL, T_CALLBACK, T_ROW, T_LEFT, T_KILL, T_LOCKS, T_BURY, T_END };
static const struct statement own[] = {
	{ "t_entity", "insert into entity (oid, name, roles) values ($1, 'peer', 31)" },
	{ "t_cert", "insert into entity_cert (fingerprint, oid, spki, subject, not_after)"
		    " values (convert_to($1, 'UTF8'), $1, decode($2, 'base64'), 'peer', now() + interval '1 day')" },
	{ "t_url", "insert into entity_address (oid, iface, ord, url) values ($1, 'ES4', 0, $2)" },
	{ "t_callback", "insert into outbox (lane, shard, eid, kind, dedup, context_id, payload, address, relates_to,"
			" transaction_id) values ('peer:' || $1, abs(hashtext('peer:' || $1 || $2)::bigint) % 16, $2,"
			" 'ES4-EnableProfileResponse', 'fci', 'ctx', convert_to('<rps:ES4-EnableProfileResponse/>', 'UTF8'), $3,"
			" '//them/1?TransactionID=t1', 't1')" },
	{ "t_row", "select max(attempts), max(error), bool_or(dead_at is not null) from outbox where eid = $1" },
	{ "t_left", "select count(*) from outbox where lane = 'peer:' || $1 and dead_at is null" },
	{ "t_kill", "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname is not null" },
	{ "t_locks", "select count(distinct objid), count(*), max(n) from (select objid, count(*) over (partition by pid) n from pg_locks"
		     " where locktype = 'advisory') l" },
	{ "t_bury", "update outbox set dead_at = now(), error = 'old'" },
};

struct stage {
	struct cluster cluster;
	struct pki pki;
	struct peer_side peer;
	struct http_server *server;
	struct store *store;
	struct db *db;
	struct arena *a;
	struct rpc rpc;
	struct outbox *outbox;
	atomic_uint accepted, given_up, others;
};

static void stage_net(struct stage *s)
{
	struct http_spec spec = { .name = "peer", .security = HTTP_MUTUAL_TLS, .bind_address = "127.0.0.1", .threads = 8,
				  .connections = 200, .max_body = 100000, .ctx = &s->peer, .handlers.handle = peer_handle };
	struct http_client_spec client = { .connections_per_host = 64, .connect_ms = 20000 };
	char error[256];

	pki_open(&s->pki);
	spec.trust_file = client.trust_file = pki_path(&s->pki, "ca.pem");
	spec.cert_file = pki_path(&s->pki, "server.pem");
	spec.key_file = pki_path(&s->pki, "server.key");
	client.cert_file = pki_path(&s->pki, "good.pem");
	client.key_file = pki_path(&s->pki, "good.key");
	pthread_mutex_init(&s->peer.lock, NULL);
	s->server = http_server_open(&spec, error);
	cr_assert(s->server, "%s", error);
	s->rpc.client = http_client_open(&client, error);
	cr_assert(s->rpc.client, "%s", error);
}

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
	s->rpc = (struct rpc){ .role = "test", .store = s->store, .self_name = "", .self_url = "https://us.example",
			       .role_state = s, .peer_pause_ms = 200 };
	cr_assert(oid_parse(SELF, &s->rpc.self));
	stage_net(s);
	return s;
}

static bool answered(void *role, struct db *db, struct arena *a, const struct outbox_answer *answer)
{
	struct stage *s = role;

	if (answer->accepted)
		s->accepted++;
	else if (answer->given_up)
		s->given_up++;
	else
		s->others++;
	return true;
}

static struct outbox *work(struct stage *s, unsigned workers, unsigned in_flight)
{
	const struct outbox_spec spec = { .rpc = &s->rpc, .workers = workers, .in_flight = in_flight, .answered = answered };

	return outbox_open(&spec);
}

static void stage_drop(struct stage *s)
{
	outbox_close(s->outbox);
	http_client_close(s->rpc.client, 0);
	http_server_close(s->server, 0);
	db_close(s->db);
	arena_free(s->a);
	store_close(s->store);
	cluster_free(&s->cluster);
	pki_close(&s->pki);
	pthread_mutex_destroy(&s->peer.lock);
	free(s);
}

static const struct rows *sync_rows(struct stage *s)
{
	const struct rows *rows;

	cr_assert_eq(db_sync(s->db, s->a, &rows, 1, NULL), OK);
	return rows;
}

static const char *url(struct stage *s, const char *path)
{
	return arena_printf(s->a, "https://127.0.0.1:%u%s", http_server_port(s->server), path);
}

static struct oid peer_add(struct stage *s, const char *oid, const char *path)
{
	struct oid out;
	char pin[64];

	cr_assert(oid_parse(oid, &out));
	pki_pin(&s->pki, "server.pem", pin);
	DB_QUEUE(s->db, T_ENTITY, p_text(oid));
	(void)sync_rows(s);
	DB_QUEUE(s->db, T_CERT, p_text(oid), p_text(pin + strlen("sha256//")));
	(void)sync_rows(s);
	DB_QUEUE(s->db, T_URL, p_text(oid), p_text(url(s, path)));
	(void)sync_rows(s);
	return out;
}

static struct bytes body(struct stage *s, const char *text)
{
	const char *xml = arena_printf(s->a, "<rps:ES4-EnableProfileRequest>%s</rps:ES4-EnableProfileRequest>", text);

	return (struct bytes){ (const uint8_t *)xml, strlen(xml) };
}

static void send_message(struct stage *s, const struct outbox_message *m)
{
	outbox_send(s->db, s->a, m);
	(void)sync_rows(s);
	outbox_ring(s->outbox);
}

/* A request that is answered by callback: HTTP 202 is its end. */
static void order(struct stage *s, const struct oid *to, const char *eid, const char *text)
{
	send_message(s, &(struct outbox_message){ .fn = function_by_id(FN_ES4_EnableProfile), .to = to, .eid = eid, .ref = eid,
						   .body = body(s, text), .wants_callback = true, .timeout_s = 40 });
}

static void notify(struct stage *s, const struct oid *to, const char *eid)
{
	const struct function *fn = function_by_id(FN_ES4_HandleProfileEnabledNotification);

	send_message(s, &(struct outbox_message){ .fn = fn, .kind = OUTBOX_NOTIFY, .to = to, .eid = eid, .body = body(s, eid),
						   .context_id = "c9" });
}

#define AWAIT(cond)                                                                     \
	do {                                                                            \
		for (int i_ = 0; i_ < 1000 && !(cond); i_++)                            \
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL); \
		cr_assert(cond);                                                        \
	} while (0)

static int64_t left(struct stage *s, const struct oid *to)
{
	DB_QUEUE(s->db, T_LEFT, p_text(to->text));
	return row_int(sync_rows(s), 0, 0);
}

static const struct rows *row(struct stage *s, const char *eid)
{
	DB_QUEUE(s->db, T_ROW, p_text(eid));
	return sync_rows(s);
}

/* Tests -------------------------------------------------------------------------------------------------------------------- */

Test(rpc_outbox_flow, who_never_answers_delays_nobody)
{
	struct stage *s = stage_make();
	struct oid silent = peer_add(s, "1.3.6.1.4.1.99999.2", "/silent"), mixed = peer_add(s, "1.3.6.1.4.1.99999.3", "/mixed");
	struct oid alive = peer_add(s, "1.3.6.1.4.1.99999.4", "/taken");
	int64_t begun;

	for (int i = 0; i < 200; i++) /* more than one look at the table brings */
		order(s, &silent, arena_printf(s->a, "s%d", i), "hello");
	order(s, &mixed, "m0", "mute");
	order(s, &mixed, "m0", "behind");
	for (int i = 1; i < 20; i++) {
		order(s, &mixed, arena_printf(s->a, "m%d", i), "first");
		order(s, &mixed, arena_printf(s->a, "m%d", i), "second");
	}
	s->outbox = work(s, 1, 16);
	AWAIT(left(s, &mixed) == 2);
	cr_expect_eq(seen(&s->peer, "/mixed", "mute", NULL), 1);
	cr_expect_eq(seen(&s->peer, "/mixed", "behind", NULL), 0, "never before the first of its card");
	order(s, &alive, "a", "hello"); /* while all are at work */
	AWAIT(left(s, &alive) == 0);
	cr_expect_eq(seen(&s->peer, "/silent", "", NULL), 8, "%zu: a lane may have what it leaves free",
		     seen(&s->peer, "/silent", "", NULL));
	cr_expect_eq(left(s, &silent), 200);
	AWAIT(s->outbox->in_flight == 9);
	cr_expect_eq(s->accepted, 39);
	/* The connection goes, and with it the locks: what is in flight stays so, and the work goes on. */
	DB_QUEUE0(s->db, T_KILL);
	(void)sync_rows(s);
	order(s, &alive, "a", "hello again");
	AWAIT(left(s, &alive) == 0);
	order(s, &alive, "s0", "in a shard of theirs");
	AWAIT(left(s, &alive) == 0);
	cr_expect_eq(seen(&s->peer, "/silent", "", NULL), 8);
	AWAIT(s->outbox->in_flight == 9);
	begun = clock_ms();
	outbox_close(s->outbox);
	s->outbox = NULL;
	cr_expect(clock_ms() - begun < 5000, "%lld ms", (long long)(clock_ms() - begun));
	cr_expect_eq(left(s, &silent), 200);
	cr_expect_eq(row_int(row(s, "s0"), 0, 0), 0, "our own end is no attempt of its");
	stage_drop(s);
}

/* Two replicas with two workers each, and a peer that takes its time. */
Test(rpc_outbox_flow, one_card_one_at_a_time)
{
	struct stage *s = stage_make();
	struct oid slow = peer_add(s, "1.3.6.1.4.1.99999.2", "/slow"), silent = peer_add(s, "1.3.6.1.4.1.99999.3", "/silent");
	const struct rows *locks;
	struct outbox *other;

	for (unsigned i = 1; i <= PER_CARD; i++)
		for (unsigned card = 0; card < CARDS; card++)
			order(s, &slow, arena_printf(s->a, "%u", card), arena_printf(s->a, "mark:%u.%u", card, i));
	s->outbox = work(s, 2, 0);
	other = work(s, 2, 0);
	for (int i = 0; left(s, &slow) && i < 400; i++) {
		outbox_ring(other);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	cr_expect_eq(left(s, &slow), 0);
	cr_expect_not(s->peer.crossed);
	cr_expect_not(s->peer.disordered);
	cr_expect_eq(seen(&s->peer, "/slow", "", NULL), CARDS * PER_CARD);
	cr_expect_eq(s->accepted, CARDS * PER_CARD);
	/* Shards are shared: each is of one worker while its rows are in flight, and nobody has more than half of them. */
	for (int i = 0; i < 60; i++)
		order(s, &silent, arena_printf(s->a, "s%d", i), "hello");
	AWAIT(s->outbox->in_flight + other->in_flight == 60);
	DB_QUEUE0(s->db, T_LOCKS);
	locks = sync_rows(s);
	cr_expect(row_int(locks, 0, 0) == 16 && row_int(locks, 0, 1) == 16 && row_int(locks, 0, 2) <= 8, "%lld shards, %lld locks, %lld",
		  (long long)row_int(locks, 0, 0), (long long)row_int(locks, 0, 1), (long long)row_int(locks, 0, 2));
	outbox_close(other);
	stage_drop(s);
}

/* The MessageID in a message; "" when there is none. */
static const char *message_id(struct stage *s, const char *text)
{
	const char *from = strstr(text, "<wsa:MessageID>"), *to = strstr(text, "</wsa:MessageID>");

	return from && to ? arena_strndup(s->a, from + 15, (size_t)(to - from - 15)) : "";
}

static void expect_in(const char *text, const char *part)
{
	cr_expect(strstr(text, part), "no %s in %s", part, text);
}

Test(rpc_outbox_flow, what_travels_and_how_it_ends)
{
	struct stage *s = stage_make();
	struct oid taken = peer_add(s, "1.3.6.1.4.1.99999.2", "/taken"), again = peer_add(s, "1.3.6.1.4.1.99999.3", "/again");
	struct oid refuse = peer_add(s, "1.3.6.1.4.1.99999.4", "/refuse"), nobody;
	char text[TEXT_MAX], first[TEXT_MAX];

	s->outbox = work(s, 1, 0);
	/* A callback as the end of a call inserts it: to the address of the request, and to no other. */
	DB_QUEUE(s->db, T_CALLBACK, p_text(taken.text), p_text("cb"), p_text(url(s, "/empty")));
	(void)sync_rows(s);
	outbox_ring(s->outbox);
	AWAIT(left(s, &taken) == 0);
	cr_assert_eq(seen(&s->peer, "/empty", "<rps:ES4-EnableProfileResponse/>", text), 1);
	expect_in(text, "<wsa:RelatesTo>//them/1?TransactionID=t1</wsa:RelatesTo>");
	expect_in(text, "<wsa:Action>http://gsma.com/ES4/PlatformManagementCallBack/ES4-EnableProfile</wsa:Action>");
	expect_in(text, arena_printf(s->a, "<wsa:To>%s?EntityId=%s</wsa:To>", url(s, "/empty"), taken.text));
	expect_in(message_id(s, text), "?TransactionID=t1?ContextID=ctx");
	cr_expect_null(strstr(text, "ReplyTo"));
	/* A request whose answer comes later. */
	order(s, &taken, "later", "x");
	AWAIT(s->accepted == 1);
	AWAIT(left(s, &taken) == 0);
	cr_assert_eq(seen(&s->peer, "/taken", "", text), 1);
	expect_in(text, "<wsa:ReplyTo><wsa:Address>https://us.example/es4</wsa:Address></wsa:ReplyTo>");
	/* A notification is the same message at all attempts. */
	notify(s, &again, "n1");
	AWAIT(seen(&s->peer, "/again", "", first) == 1);
	AWAIT(left(s, &again) == 0);
	cr_expect_eq(seen(&s->peer, "/again", "", text), 3);
	expect_in(text, "<wsa:Action>http://gsma.com/ES4/PlatformManagement/ES4-HandleProfileEnabledNotification</wsa:Action>");
	cr_expect_str_eq(message_id(s, text), message_id(s, first));
	expect_in(message_id(s, text), "//" SELF "/");
	expect_in(message_id(s, text), "?ContextID=c9?MessageDate=");
	/* Refused for good: kept with its reason, and not asked again. */
	notify(s, &refuse, "n2");
	AWAIT(row_bool(row(s, "n2"), 0, 2));
	cr_expect_str_eq(row_text(row(s, "n2"), 0, 1), "Sender fault: never heard of it");
	cr_expect_eq(seen(&s->peer, "/refuse", "", NULL), 1);
	/* What comes behind it does not wait. */
	notify(s, &refuse, "n2");
	AWAIT(seen(&s->peer, "/refuse", "", NULL) == 2);
	AWAIT(left(s, &refuse) == 0);
	/* Of a request, the role hears that; and that time is over, in the lane of a peer that nobody knows. */
	cr_expect_eq(s->others, 0);
	order(s, &refuse, "r", "x");
	AWAIT(s->others == 1);
	cr_assert(oid_parse("1.3.6.1.4.1.99999.9", &nobody));
	send_message(s, &(struct outbox_message){ .fn = function_by_id(FN_ES4_EnableProfile), .to = &nobody, .eid = "g", .ref = "g",
						   .body = body(s, "x"), .give_up_s = 1 });
	AWAIT(row_bool(row(s, "g"), 0, 2));
	cr_expect_eq(s->given_up, 1);
	cr_expect_str_eq(row_text(row(s, "g"), 0, 1), "give-up time reached");
	stage_drop(s);
}

/* Three of one card became dead letters while the peer was away; a fourth waits behind nobody. */
Test(rpc_outbox_flow, replayed_in_order)
{
	struct stage *s = stage_make();
	struct oid slow = peer_add(s, "1.3.6.1.4.1.99999.2", "/slow");

	for (unsigned i = 1; i <= 3; i++)
		order(s, &slow, "0", arena_printf(s->a, "mark:0.%u", i));
	DB_QUEUE0(s->db, T_BURY);
	(void)sync_rows(s);
	order(s, &slow, "0", "mark:0.4");
	DB_QUEUE(s->db, RPC_OUTBOX_REPLAY, p_null(), p_text(arena_printf(s->a, "peer:%s", slow.text)));
	cr_expect_eq(rows_count(sync_rows(s)), 3);
	s->outbox = work(s, 2, 0);
	AWAIT(left(s, &slow) == 0);
	cr_expect_eq(s->accepted, 4);
	cr_expect_not(s->peer.disordered);
	stage_drop(s);
}

/* Where an answer is wanted says little of the peer: its other messages do not wait for that place. */
Test(rpc_outbox_flow, a_dead_reply_to_delays_nobody)
{
	struct stage *s = stage_make();
	struct oid taken = peer_add(s, "1.3.6.1.4.1.99999.2", "/taken");

	s->rpc.peer_pause_ms = 2000;
	DB_QUEUE(s->db, T_CALLBACK, p_text(taken.text), p_text("cb"), p_text("https://127.0.0.1:1/"));
	(void)sync_rows(s);
	s->outbox = work(s, 1, 0);
	AWAIT(row_int(row(s, "cb"), 0, 0) >= 1);
	notify(s, &taken, "n1");
	AWAIT(left(s, &taken) == 1);
	stage_drop(s);
}

static double unreachable(void)
{
	static const char name[] = "rsp_calls_out_total{function=\"ES4-EnableProfile\",outcome=\"unreachable\"} ";
	CLEANUP(buf_free) struct buf text = { 0 };

	metrics_write(&text);
	return strstr(text.data, name) ? strtod(strstr(text.data, name) + strlen(name), NULL) : 0;
}

/* More than pauses can be kept of: their rows wait instead. */
Test(rpc_outbox_flow, many_peers_are_away)
{
	struct stage *s = stage_make();
	struct oid away;

	for (int i = 0; i < PAUSED_MAX + 6; i++) {
		away = peer_add(s, arena_printf(s->a, "1.3.6.1.4.1.99999.100.%d", i), "/taken");
		order(s, &away, "e", "x");
	}
	http_server_close(s->server, 0);
	s->server = NULL;
	s->outbox = work(s, 1, 0);
	AWAIT(unreachable() >= PAUSED_MAX + 6);
	nanosleep(&(struct timespec){ .tv_sec = 2 }, NULL);
	cr_expect(unreachable() < 5 * (PAUSED_MAX + 6), "%.0f attempts", unreachable());
	stage_drop(s);
}

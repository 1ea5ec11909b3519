/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/app/app_internal.h"
#include "common/store/statements.h"
#include "tests/unit/app/staged.h"

static void hello(struct app *app, struct http_call *call)
{
	app_json(call, 200, "{\"hello\":true}");
}

static void rest(struct app *app, struct http_call *call);

static const struct route rest_route = { "GET", "/admin/rest/", rest };

static void rest(struct app *app, struct http_call *call)
{
	app_json(call, 200, route_rest(&rest_route, call));
}

/* Gives up in the middle of a transaction, with a lock held. */
static void careless(struct app *app, struct http_call *call)
{
	struct db *db = app_db(call);

	db_begin(db);
	DB_QUEUE0(db, RPC_STATEMENTS);
	(void)db_sync(db, app_arena(call), NULL, 0, NULL);
	app_json(call, db_in_transaction(db) ? 200 : 500, "{}");
}

static void slow(struct app *app, struct http_call *call)
{
	(void)usleep(1500 * 1000);
	app_json(call, 200, "{\"slow\":true}");
}

static const struct route admin[] = {
	{ "GET", "/admin/hello", hello },
	{ "GET", "/admin/rest/", rest },
	{ "GET", "/admin/careless", careless },
	{ NULL },
};
static const struct route northbound[] = { { "GET", "/v1/hello", hello }, { "GET", "/v1/slow", slow }, { NULL } };

static int role_object;

static int tiny_open(struct app *app, void **out_role, char error[256])
{
	if (*app->config->entity_name == '!') {
		(void)snprintf(error, 256, "the name begins with !");
		return -1;
	}
	*out_role = &role_object;
	return 0;
}

static const char *said(const struct app *app, const char *what)
{
	(void)dprintf(STDERR_FILENO, "role %s at %s\n", what, app->rpc.self_url);
	return what;
}

static void extra_handle(void *ctx, struct http_call *call)
{
	http_reply(call, 200, "text/plain", "extra", 5);
}

static int extra_listen(struct app *app, struct http_server **out, char error[256])
{
	const struct http_spec http = { .name = "cards", .bind_address = "127.0.0.1", .threads = 1, .connections = 5,
					.handlers = { .handle = extra_handle } };

	if (*app->config->entity_name == '?')
		return 0; /* not configured */
	*out = http_server_open(&http, error);
	return *out ? 0 : -1;
}

static void role_ready(struct app *app)
{
	(void)said(app, "ready");
}

static void role_stop(struct app *app)
{
	(void)said(app, app->rpc.outbox ? "stopped before the outbox" : "stopped late");
}

static const struct statement statements[] = { { "LOCK_A_LOT", "lock table call in access exclusive mode" } };

static const struct app_spec spec = {
	.name = "tiny",
	.env_prefix = "RSP_T_",
	.role = ROLE_SM_SR,
	.config_size = sizeof(struct config_common),
	.statements = statements,
	.n_statements = LEN(statements),
	.admin = admin,
	.northbound = northbound,
	.open = tiny_open,
	.extra_name = "cards",
	.extra_open = extra_listen,
	.ready = role_ready,
	.stop = role_stop,
};

static void has(const char *text, const char *part)
{
	cr_assert_not_null(strstr(text, part), "no '%s' in: %s", part, text);
}

static struct staged s;

static void check_extra(void)
{
	unsigned status;

	cr_assert_neq(s.extra, 0);
	cr_assert_str_eq(ask(NULL, s.extra, "GET", "/", "", &status), "extra");
	has(ask(NULL, s.management, "GET", "/metrics", "", &status), "\nrsp_http_parked{listener=\"cards\"} 0\n");
}

static void check_management(void)
{
	unsigned status;
	const char *body = ask(NULL, s.management, "GET", "/healthz", "", &status);

	cr_assert_eq(status, 200);
	body = ask(NULL, s.management, "GET", "/readyz", "", &status);
	cr_assert_eq(status, 200);
	has(body, "\"ready\":true");
	has(body, "\"bus\":false"); /* does not count */
	body = ask(NULL, s.management, "GET", "/metrics", "", &status);
	cr_assert_eq(status, 200);
	has(body, "rsp_build_info{role=\"tiny\",version=\"");
	has(body, "\nrsp_outbox_rows 0\n");
	has(body, "\nrsp_outbox_dead 0\n");
	has(body, "\nrsp_outbox_oldest_seconds 0\n");
	has(body, "\nrsp_http_parked{listener=\"partner\"} 0\n");
	body = ask(NULL, s.management, "POST", "/healthz", "{}", &status);
	cr_assert_eq(status, 405);
	has(body, "{\"error\":{\"code\":\"method_not_allowed\"");
	body = ask(NULL, s.management, "GET", "/admin/entities", "", &status);
	cr_assert_eq(status, 404); /* the two listeners do not mix */
	has(body, "\"code\":\"not_found\"");
}

static const char *admin_ask(const char *method, const char *path, const char *body, unsigned wanted)
{
	unsigned status;
	const char *answer = ask(staged_path(&s, "admin"), 0, method, path, body, &status);

	cr_assert_eq(status, wanted, "%s %s: %u %s", method, path, status, answer);
	return answer;
}

/* The file's text as the inside of a JSON string. */
static void add_pem(struct buf *b, const char *file)
{
	FILE *f = fopen(file, "re");
	int c;

	cr_assert_not_null(f);
	while ((c = fgetc(f)) != EOF) {
		if (c == '\n')
			buf_str(b, "\\n");
		else
			buf_char(b, (char)c);
	}
	(void)fclose(f);
}

static void check_entities(void)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const char *answer;

	has(admin_ask("GET", "/admin/entities", "", 200), "[]");
	buf_str(&b, "{\"oid\":\"1.2.3\",\"name\":\"Op\",\"roles\":[\"operator\",\"m2m-sp\"],\"customers\":[\"1.9\",\"1.8\"],"
		    "\"addresses\":{\"ES4\":[\"https://a/\",\"https://b/\"],\"ES2\":[\"https://c/\"]},\"certificates\":[\"");
	add_pem(&b, pki_path(&s.pki, "good.pem"));
	buf_str(&b, "\"]}");
	(void)admin_ask("POST", "/admin/entities", b.data, 200);
	answer = admin_ask("GET", "/admin/entities", "", 200);
	has(answer, "\"oid\":\"1.2.3\",\"name\":\"Op\",\"roles\":[\"operator\",\"m2m-sp\"]");
	has(answer, "\"customers\":[\"1.9\",\"1.8\"]");
	has(answer, "\"addresses\":{\"ES2\":[\"https://c/\"],\"ES4\":[\"https://a/\",\"https://b/\"]}");
	has(answer, "\"certificates\":[{\"sha256\":\"");
	has(admin_ask("POST", "/admin/entities", "{", 400), "line 1");
	has(admin_ask("POST", "/admin/entities", "[]", 400), "no object");
	has(admin_ask("POST", "/admin/entities", "{\"oid\":\"x\"}", 400), "oid: 'x' is not an object identifier");
	has(admin_ask("POST", "/admin/entities", "{\"oid\":\"1.2\",\"name\":\"n\",\"roles\":[\"king\"]}", 400),
	    "'king' is no role");
	has(admin_ask("POST", "/admin/entities", "{\"oid\":\"1.2\",\"name\":\"n\",\"roles\":[]}", 400), "at least one role");
	has(admin_ask("POST", "/admin/entities", "{\"oid\":\"1.2\",\"nome\":\"n\"}", 400), "no member 'nome'");
	has(admin_ask("POST", "/admin/entities", "{\"oid\":\"1.2\",\"name\":\"n\",\"roles\":[\"eum\"],\"certificates\":[\"junk\"]}",
		      400),
	    "certificates[0] is no certificate");
	has(admin_ask("POST", "/admin/entities", "{\"oid\":\"1.2\",\"name\":\"n\",\"roles\":[\"eum\"],\"addresses\":{\"ES9\":[]}}",
		      400),
	    "'ES9' is no interface");
	has(admin_ask("POST", "/admin/entities",
		      "{\"oid\":\"1.2\",\"name\":\"n\",\"roles\":[\"eum\"],\"addresses\":{\"ES1\":[\"http://a/\"]}}", 400),
	    "https");
}

static void check_admin(void)
{
	struct stat st;

	cr_assert_eq(stat(staged_path(&s, "admin"), &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	check_entities();
	has(admin_ask("GET", "/admin/hello", "", 200), "hello");
	cr_assert_str_eq(admin_ask("GET", "/admin/rest/a/b", "", 200), "a/b");
	(void)admin_ask("DELETE", "/admin/hello", "", 405);
	for (unsigned i = 0; i < 4; i++) /* more than there are threads: a lock left behind would hold one of them */
		(void)admin_ask("GET", "/admin/careless", "", 200);
	has(admin_ask("GET", "/admin/messages?limit=5", "", 200), "[]");
	has(admin_ask("GET", "/admin/outbox?dead=1", "", 200), "[]");
	has(admin_ask("GET", "/admin/outbox?peer=x", "", 400), "not an object identifier");
	has(admin_ask("GET", "/admin/outbox/12", "", 404), "no row 12");
	(void)admin_ask("GET", "/admin/outbox/x", "", 404);
	(void)admin_ask("DELETE", "/admin/outbox/12", "", 404);
	has(admin_ask("POST", "/admin/outbox/replay", "{\"all\":true}", 200), "{\"replayed\":0}");
	has(admin_ask("POST", "/admin/outbox/replay", "{\"peer\":\"1.2.3\"}", 200), "{\"replayed\":0}");
	(void)admin_ask("POST", "/admin/outbox/replay", "{\"id\":12}", 404);
	for (const char *const *wrong = (const char *const[]){ "{}", "{\"id\":0}", "{\"all\":false}", "{\"id\":1,\"all\":true}", NULL };
	     *wrong; wrong++)
		has(admin_ask("POST", "/admin/outbox/replay", *wrong, 400), "give one of id");
	has(admin_ask("GET", "/admin/peers", "", 200), "[]");
	(void)admin_ask("POST", "/admin/log-level", "{\"level\":\"loud\"}", 400);
	(void)admin_ask("POST", "/admin/log-level", "{\"level\":\"debug\"}", 200);
	has(admin_ask("POST", "/admin/faults", "{\"point\":\"sm-sr.outbox.taken\",\"action\":\"maybe\"}", 400),
	    "off, pause, kill or drop");
#ifdef RSP_FAULTS
	(void)admin_ask("POST", "/admin/faults", "{\"point\":\"no.such\",\"action\":\"drop\",\"eid\":\"*\"}", 404);
	(void)admin_ask("POST", "/admin/faults", "{\"point\":\"sm-sr.outbox.taken\",\"action\":\"drop\",\"eid\":\"*\"}", 200);
	has(admin_ask("GET", "/admin/faults", "", 200),
	    "{\"point\":\"sm-sr.outbox.taken\",\"action\":\"drop\",\"eid\":\"*\",\"held\":0,\"hits\":0}");
#else
	(void)admin_ask("POST", "/admin/faults", "{\"point\":\"sm-sr.outbox.taken\",\"action\":\"drop\",\"eid\":\"*\"}", 501);
#endif
}

static struct http_client *client_new(void)
{
	const struct http_client_spec client_spec = { .trust_file = pki_path(&s.pki, "ca.pem") };
	char error[256];
	struct http_client *client = http_client_open(&client_spec, error);

	cr_assert_not_null(client, "%s", error);
	return client;
}

static void answered(void *user, const struct http_answer *answer)
{
	atomic_store((atomic_uint *)user, answer->error == HTTP_ANSWERED ? answer->status : 1);
}

/* Starts a northbound call; *out_status becomes its HTTP status, 1 without an answer. */
static void northbound_ask(struct http_client *client, const char *path, atomic_uint *out_status)
{
	char url[64];
	struct http_outgoing out = { .method = "GET", .url = url, .timeout_ms = 10000, .max_answer = 1000 };

	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u%s", s.northbound, path);
	atomic_store(out_status, 0);
	http_client_send(client, &out, answered, out_status);
}

static unsigned status_within(atomic_uint *status, int ms)
{
	for (; ms > 0 && atomic_load(status) == 0; ms -= 10)
		(void)usleep(10000);
	return atomic_load(status);
}

/* A call that runs when the signal comes is finished, and meanwhile /readyz says that no more should come. */
static void check_drain(void)
{
	struct http_client *client = client_new();
	atomic_uint status;
	unsigned ready = 200;

	northbound_ask(client, "/v1/hello", &status);
	cr_assert_eq(status_within(&status, 5000), 200); /* no client certificate is asked for */
	northbound_ask(client, "/v1/slow", &status);
	(void)usleep(300 * 1000);
	cr_assert_eq(kill(s.pid, SIGTERM), 0);
	for (int i = 0; i < 50 && ready == 200; i++) {
		has(ask(NULL, s.management, "GET", "/readyz", "", &ready), "\"draining\"");
		(void)usleep(10000);
	}
	cr_assert_eq(ready, 503);
	cr_assert_eq(atomic_load(&status), 0, "still running");
	cr_assert_eq(staged_end(&s, 0), 0, "%s", staged_words(&s));
	cr_assert_eq(status_within(&status, 1000), 200);
	http_client_close(client, 0);
}

static void check_second_signal(void)
{
	struct http_client *client = client_new();
	atomic_uint status;

	northbound_ask(client, "/v1/slow", &status);
	(void)usleep(300 * 1000);
	cr_assert_eq(kill(s.pid, SIGTERM), 0);
	(void)usleep(200 * 1000);
	cr_assert_eq(staged_end(&s, SIGTERM), 128 + SIGTERM);
	cr_assert_eq(status_within(&status, 1000), 1);
	http_client_close(client, 0);
}

Test(app, runs_answers_and_drains)
{
	char url[64];

	if (!cluster_installed())
		cr_skip_test("no PostgreSQL");
	staged_open(&s);
	staged_start(&s, &spec, NULL);
	staged_wait(&s);
	check_management();
	check_extra();
	check_admin();
	check_drain();
	(void)snprintf(url, sizeof(url), "role ready at https://127.0.0.1:%u\n", s.partner);
	has(staged_words(&s), url);
	has(staged_words(&s), "role stopped before the outbox");
	has(staged_words(&s), "event=ended");
	cr_assert_neq(access(staged_path(&s, "ports"), F_OK), 0);
	cr_assert_neq(access(staged_path(&s, "admin"), F_OK), 0);
	/* Once more on the same state; SIGINT as well. */
	staged_start(&s, &spec, NULL);
	staged_wait(&s);
	has(admin_ask("GET", "/admin/entities", "", 200), "1.2.3");
	check_second_signal();
	staged_set(&s, "ENTITY_NAME", "?");
	staged_start(&s, &spec, NULL); /* what the killed one left behind is no obstacle */
	staged_wait(&s);
	cr_assert_eq(s.extra, 0);
	cr_assert_eq(staged_end(&s, SIGINT), 0, "%s", staged_words(&s));
	staged_close(&s);
}

static void fails(const char *key, const char *value, const char *words)
{
	char before[192] = "";

	for (unsigned i = 0; i < s.n_variables; i++)
		if (!strncmp(s.variables[i] + strlen("RSP_T_"), key, strlen(key)) &&
		    s.variables[i][strlen("RSP_T_") + strlen(key)] == '=')
			strcpy(before, strchr(s.variables[i], '=') + 1);
	staged_set(&s, key, value);
	staged_start(&s, &spec, NULL);
	cr_assert_eq(staged_end(&s, 0), 1, "%s=%s", key, value);
	has(staged_words(&s), words);
	staged_set(&s, key, before);
}

Test(app, says_why_it_does_not_start)
{
	static const char *const check[] = { "--check", NULL }, *const help[] = { "--help", NULL },
				 *const wrong[] = { "--hlep", NULL };
	char port[8];

	if (!cluster_installed())
		cr_skip_test("no PostgreSQL");
	staged_open(&s);
	staged_set(&s, "DATABASE_WAIT_S", "0");
	fails("DATABASE", "host=/nowhere dbname=x", "tiny: cannot start: database: ");
	fails("ENTITY_NAME", "!", "tiny: cannot start: role: the name begins with !\n");
	fails("TLS_SERVER_KEY", pki_path(&s.pki, "good.key"), "tiny: cannot start: northbound listener: ");
	fails("LISTEN", "192.0.2.1", "tiny: cannot start: partner address: no port on 192.0.2.1");
	fails("PORT_FILE", "/nowhere/ports", "tiny: cannot start: port file: /nowhere/ports cannot be written: No such file");
	fails("THREADS", "many", "tiny: the configuration is wrong:\nRSP_T_THREADS: 'many' is not a number");
	staged_start(&s, &spec, check);
	cr_assert_eq(staged_end(&s, 0), 0);
	has(staged_words(&s), "the configuration is good");
	staged_start(&s, &spec, help);
	cr_assert_eq(staged_end(&s, 0), 0);
	has(staged_words(&s), "RSP_T_ENTITY_OID");
	staged_start(&s, &spec, wrong);
	cr_assert_eq(staged_end(&s, 0), 2);
	has(staged_words(&s), "Usage: tiny");
	/* Two processes want one name, then one port. */
	staged_start(&s, &spec, NULL);
	staged_wait(&s);
	(void)snprintf(port, sizeof(port), "%u", s.management);
	{
		struct staged other = s;

		other.pid = 0;
		staged_set(&other, "MANAGEMENT_PORT", port);
		staged_set(&other, "ADMIN_SOCKET", "");
		staged_set(&other, "JOURNAL", "");
		staged_set(&other, "PORT_FILE", "");
		staged_start(&other, &spec, NULL);
		cr_assert_eq(staged_end(&other, 0), 1);
		has(staged_words(&other), "tiny: cannot start: replica name: another tiny that runs on this database has the name 1: "
					  "give each replica a RSP_T_REPLICA of its own\n");
		staged_set(&other, "REPLICA", "2");
		staged_start(&other, &spec, NULL);
		cr_assert_eq(staged_end(&other, 0), 1);
		has(staged_words(&other), "tiny: cannot start: management listener: ");
	}
	cr_assert_eq(staged_end(&s, SIGTERM), 0);
	staged_close(&s);
}

static bool go_on(void)
{
	return false;
}

Test(app, maintenance_deletes_old_calls_alone)
{
	enum { CALLS_MAKE = RPC_STATEMENTS, CALLS_COUNT, SEEN_MAKE, REPLIES_MAKE, OTHERS_COUNT };
	struct statement all[RPC_STATEMENTS + 5] = {
		[CALLS_MAKE] = { "CALLS_MAKE",
				 "insert into call (caller, function, fci, digest, at) select '1.2', 'f', i::text, '',"
				 " now() - case when i <= 2500 then interval '8 days' else interval '6 days' end"
				 " from generate_series(1, 2507) i" },
		[CALLS_COUNT] = { "CALLS_COUNT", "select count(*) from call" },
		[SEEN_MAKE] = { "SEEN_MAKE",
				"insert into seen (entity, message_id, digest, at) select '1.2', i::text, '',"
				" now() - case when i <= 1100 then interval '8 days' else interval '6 days' end"
				" from generate_series(1, 1103) i" },
		[REPLIES_MAKE] = { "REPLIES_MAKE",
				   "insert into reply (id, caller, function, fci, mode, message_id, until) select gen_random_uuid(),"
				   " '1.2', 'f', 'x', 'parked', 'm', now() + (i - 2) * interval '1 minute' - interval '1 s'"
				   " from generate_series(1, 6) i" },
		[OTHERS_COUNT] = { "OTHERS_COUNT", "select (select count(*) from seen), (select count(*) from reply)" },
	};
	struct config_common config = { .keep_days = 7, .dead_keep_days = 90 };
	struct process p = { .app = { .spec = &spec, .config = &config } };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct cluster cluster;
	struct store_spec store = { .statements = all,
				    .n_statements = LEN(all),
				    .migrations = common_migrations,
				    .n_migrations = common_migrations_count };
	const struct rows *rows[2];
	char error[512];
	struct db *db;

	if (!cluster_installed())
		cr_skip_test("no PostgreSQL");
	cluster = cluster_new();
	memcpy(all, rpc_statements, sizeof(rpc_statements));
	store.conninfo = cluster.conninfo;
	cr_assert_eq(store_open(&store, 5, &p.app.rpc.store, error), 0, "%s", error);
	db = db_open(p.app.rpc.store);
	DB_QUEUE0(db, CALLS_MAKE);
	DB_QUEUE0(db, SEEN_MAKE);
	DB_QUEUE0(db, REPLIES_MAKE);
	cr_assert_eq(db_sync(db, a, NULL, 0, NULL), OK);
	maintain(&p, go_on); /* three batches */
	DB_QUEUE0(db, CALLS_COUNT);
	cr_assert_eq(db_sync(db, a, rows, 1, NULL), OK);
	cr_assert_eq(row_int(rows[0], 0, 0), 7);
	DB_QUEUE0(db, OTHERS_COUNT);
	cr_assert_eq(db_sync(db, a, rows, 1, NULL), OK);
	cr_assert_eq(row_int(rows[0], 0, 0), 3);
	cr_assert_eq(row_int(rows[0], 0, 1), 4);
	db_close(db);
	store_close(p.app.rpc.store);
	cluster_free(&cluster);
}

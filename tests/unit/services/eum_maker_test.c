/* SPDX-License-Identifier: Apache-2.0 */
/* The EUM on a real database: orders by their handlers, cards by the maker, crashes at its fault points, answers of the SM-SR. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/hex.h"
#include "common/crypto/keys.h"
#include "services/eum/eum.h"
#include "services/eum/statements.h"
#include "tests/unit/services/eum_fixture.h"
#include "tests/unit/store/cluster.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

/* Statements of this test, behind the EUM's. */
enum { T_ENTITY = EUM_STATEMENTS_END, T_ADDRESS, T_COUNTS, T_CARD, T_OUTBOX_CLEAR, T_EVENTS, T_UPDATE, T_END };
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
};

struct stage {
	struct cluster cluster;
	struct fixture f;
	struct statement statements[T_END];
	struct migration migrations[8];
	struct store *store;
	struct db *db;
	struct eum_config config;
	struct transport_key transport;
	struct eum eum;
	struct app app;
	struct entity orderer;
	char dir[64];
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

static void sync_ok(struct stage *s, const struct rows **rows, size_t n)
{
	struct db_failure failure = { 0 };
	result r = db_sync(s->db, s->f.a, rows, n, &failure);

	cr_assert_eq(r, OK, "%s %s", r && r->cause ? r->cause : "", failure.unique_constraint ? failure.unique_constraint : "");
}

static struct stage *stage_make(void)
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
	sync_ok(s, NULL, 0);
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

static void stage_drop(struct stage *s)
{
	db_close(s->db);
	store_close(s->store);
	cluster_free(&s->cluster);
	folder_drop(s->dir); /* batch files hold card keys */
	fixture_drop(&s->f);
	free(s);
}

/* As the pipeline does it: begin, load, handle, commit; the caller's own entity. */
static result call(struct stage *s, const struct served *served, const struct entity *caller, const void *in, void *out)
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
	sync_ok(s, rows, served->load->results);
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
	sync_ok(s, NULL, 0);
	return OK;
}

static const char *order(struct stage *s, const char *name, int64_t quantity)
{
	struct eum_create_batch_rs rs = { 0 };
	result r;

	s->f.order.name = name;
	s->f.order.quantity = quantity;
	r = call(s, &eum_served[0], &s->orderer, &s->f.order, &rs);
	cr_assert_eq(r, OK, "%s", r ? r->message : "");
	return rs.batch;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

static struct eum_batch_info *status(struct stage *s, const char *batch)
{
	struct eum_get_batch_rq rq = { .batch = batch };
	struct eum_get_batch_rs rs = { 0 };

	cr_assert_eq(call(s, &eum_served[1], &s->orderer, &rq, &rs), OK);
	return rs.info;
}

/* Runs the maker until the batch's file is marked. */
static void make(struct stage *s, const char *batch)
{
	struct eum_maker *m = eum_maker_open(&s->app, &s->eum);

	for (int i = 0; !status(s, batch)->file; i++) {
		cr_assert(i < 1500, "the maker does not end");
		nap();
	}
	eum_maker_close(m);
}

static void counts(struct stage *s, int64_t cards)
{
	const struct rows *rows;

	DB_QUEUE0(s->db, T_COUNTS);
	sync_ok(s, &rows, 1);
	cr_assert_eq(row_int(rows, 0, 0), cards);
	cr_assert_eq(row_int(rows, 0, 1), cards * 5);
	cr_assert_eq(row_int(rows, 0, 2), cards * 2);
	cr_assert_eq(row_int(rows, 0, 3), cards);
	cr_assert_eq(row_int(rows, 0, 4), cards);
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	cr_assert_not_null(s, "no %s", name);
	return s;
}

/* The card's keys fit its certificate and check values. */
static void check_line(struct stage *s, const char *line)
{
	json_t *card = json_loads(line, 0, NULL), *keys = json_object_get(card, "isdr_keys"),
	       *profiles = json_object_get(card, "profiles");
	struct secret scalar = secret_new(32);
	uint8_t certificate[512], key[16], kcv[3], point[P256_POINT];
	const char *hex = text_of(card, "ecasd_certificate");
	CLEANUP(ec_key_freep) struct ec_key *ecasd = NULL;
	struct gp_cert cert;
	struct eid eid;

	cr_assert(eid_parse(text_of(card, "eid"), &eid));
	cr_assert(hex_decode(text_of(card, "ecasd_key"), 64, scalar.data));
	ecasd = ec_key_from_scalar(&scalar);
	ec_key_public(ecasd, point);
	cr_assert(hex_decode(hex, strlen(hex), certificate));
	cr_assert(gp_cert_parse((struct bytes){ certificate, strlen(hex) / 2 }, &cert));
	cr_assert_arr_eq(cert.point, point, P256_POINT);
	cr_assert_eq(json_array_size(keys), 5);
	for (size_t i = 0; i < 5; i++) {
		const json_t *k = json_array_get(keys, i);

		cr_assert(hex_decode(text_of(k, "key"), 32, key));
		cr_assert(key_kcv((uint8_t)strtol(text_of(k, "type"), NULL, 16), key, 16, kcv));
		cr_assert_eq(strcasecmp(hex_text(s->f.a, kcv, 3), text_of(k, "kcv")), 0);
	}
	cr_assert_eq(json_array_size(profiles), 2);
	cr_assert_str_eq(text_of(json_array_get(profiles, 0), "state"), "Enabled");
	cr_assert_str_eq(text_of(json_array_get(profiles, 1), "aid"), "A0000005591010FFFFFFFF8900001100");
	secret_free(&scalar);
	json_decref(card);
}

static void check_file(struct stage *s, const char *batch, int cards)
{
	const char *path = batch_file_path(s->f.a, &s->eum, batch);
	FILE *f = fopen(path, "re");
	char line[16384];
	struct stat st;
	int n = 0;

	cr_assert_not_null(f);
	cr_assert_eq(fstat(fileno(f), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	for (; fgets(line, sizeof(line), f); n++)
		check_line(s, line);
	fclose(f);
	cr_assert_eq(n, cards);
	cr_assert_neq(access(arena_printf(s->f.a, "%s.tmp", path), F_OK), 0);
}

static void check_orders(struct stage *s, const char *batch)
{
	const struct entity stranger = { .oid = oid_of("1.3.6.1.4.1.99999.6"), .name = "Other", .roles = ROLE_OPERATOR };
	struct eum_get_batch_rq get = { .batch = batch };
	struct eum_get_batch_rs rs = { 0 };
	struct eum_create_batch_rs made = { 0 };
	struct eum_batch_info *info = status(s, "first");
	result r;

	cr_assert_str_eq(info->batch, batch);
	cr_assert_eq(info->quantity, 5);
	cr_assert_eq(info->made, 5);
	cr_assert_eq(info->registered + info->refused, 0);
	r = call(s, &eum_served[1], &stranger, &get, &rs);
	cr_assert_neq(r, OK);
	cr_assert_eq(r->code, CODE_PARAM_INVALID);
	cr_assert_str_eq(r->subject_id, "Batch");
	r = call(s, &eum_served[0], &s->orderer, &s->f.order, &made);
	cr_assert_neq(r, OK);
	cr_assert_str_eq(r->subject_id, "Name");
	s->f.order.profiles[1].iccid_prefix = "89490";
	s->f.order.name = "overlaps";
	r = call(s, &eum_served[0], &s->orderer, &s->f.order, &made);
	cr_assert_neq(r, OK);
	cr_assert_str_eq(r->subject_id, "IccidPrefix");
	s->f.order.profiles[1].iccid_prefix = "894902";
}

static struct eid first_eid(struct stage *s)
{
	const struct rows *rows;
	struct eid eid;

	DB_QUEUE(s->db, EUM_FILE_CARDS, p_text(status(s, "first")->batch), p_int(s->f.a, 0), p_int(s->f.a, 1));
	sync_ok(s, &rows, 1);
	cr_assert(eid_parse(row_text(rows, 0, 0), &eid));
	return eid;
}

/* One answer to the card's registration; what eum_answered says. */
static bool answer(struct stage *s, enum function_id fn, const char *ref, enum status st, const char *subject, const char *reason,
		   const char *fault)
{
	struct status_code_data code = { .subject = subject, .reason = reason, .message = "why" };
	struct response_base base = { .status = { st, subject ? &code : NULL } };
	struct outbox_answer a = { .fn = function_by_id(fn),
				   .to = s->f.order.smsr,
				   .ref = ref,
				   .eid = ref,
				   .base = fault ? NULL : &base,
				   .fault = { fault, fault ? "broken" : NULL } };
	bool done;

	db_begin(s->db);
	done = eum_answered(&s->eum, s->db, s->f.a, &a);
	if (done) {
		db_commit(s->db);
		sync_ok(s, NULL, 0);
	} else {
		db_rollback(s->db);
	}
	return done;
}

static void card_is(struct stage *s, const struct eid *eid, const char *state, const char *code)
{
	const struct rows *rows;

	DB_QUEUE(s->db, T_CARD, p_text(eid->text));
	sync_ok(s, &rows, 1);
	cr_assert_str_eq(row_text(rows, 0, 0), state);
	cr_assert_str_eq(row_text(rows, 0, 1), code);
}

static void check_update(struct stage *s, const struct eid *eid)
{
	struct eum_update_properties_rq rq = { .eid = *eid, .properties = *s->f.order.properties };
	const struct entity stranger = { .oid = oid_of("1.3.6.1.4.1.99999.6"), .name = "Other", .roles = ROLE_OPERATOR };
	struct plain_rs rs = { 0 };
	const struct rows *rows;
	const char *id;
	result r;

	r = call(s, &eum_served[2], &stranger, &rq, &rs);
	cr_assert_eq(r->code, CODE_REQUESTER_NOT_ALLOWED);
	cr_assert_eq(call(s, &eum_served[2], &s->orderer, &rq, &rs), OK);
	DB_QUEUE(s->db, T_UPDATE, p_text(eid->text));
	sync_ok(s, &rows, 1);
	cr_assert_eq(rows_count(rows), 1);
	id = row_text_dup(s->f.a, rows, 0, 0);
	cr_assert(answer(s, FN_ES1_UpdateEISAdditionalProperties, id, STATUS_SUCCESS, NULL, NULL, NULL));
	DB_QUEUE(s->db, T_UPDATE, p_text(eid->text));
	sync_ok(s, &rows, 1);
	cr_assert_str_eq(row_text(rows, 0, 1), "done");
	cr_assert(eid_parse("89001012012341234012345678901224", &rq.eid));
	r = call(s, &eum_served[2], &s->orderer, &rq, &rs);
	cr_assert_eq(r->code, CODE_EID_UNKNOWN);
}

static void check_answers(struct stage *s)
{
	struct eid eid = first_eid(s);
	const struct rows *rows;

	cr_assert(!answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_FAILED, "1.2", "4.4", NULL));
	cr_assert(!answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_FAILED, "1.2", "4.2", NULL));
	cr_assert(!answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_FAILED, NULL, NULL, "Receiver"));
	card_is(s, &eid, "submitted", "");
	cr_assert(answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_WARNING, NULL, NULL, NULL));
	card_is(s, &eid, "registered", "");
	check_update(s, &eid);
	cr_assert(answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_FAILED, "8.1.1", "3.3", NULL)); /* the first answer counts */
	card_is(s, &eid, "registered", "");
	cr_assert_eq(status(s, "first")->registered, 1);
	DB_QUEUE(s->db, T_EVENTS, p_text("eum.card.registered"));
	sync_ok(s, &rows, 1);
	cr_assert_eq(rows_count(rows), 1);
	cr_assert_not_null(strstr(row_text(rows, 0, 0), eid.text));
}

static void check_refusals(struct stage *s)
{
	struct eid eid = first_eid(s);

	cr_assert(answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_FAILED, "8.1.1", "3.3", NULL));
	card_is(s, &eid, "refused", "8.1.1/3.3");
	cr_assert_eq(status(s, "first")->refused, 1);
}

Test(eum_maker, makes_what_was_ordered, .timeout = 100)
{
	struct stage *s;
	const char *batch;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	batch = order(s, "first", 5);
	make(s, batch);
	counts(s, 5);
	check_file(s, batch, 5);
	check_orders(s, batch);
	check_answers(s);
	cr_assert_eq(unlink(batch_file_path(s->f.a, &s->eum, batch)), 0);
	for (struct eum_maker *m = eum_maker_open(&s->app, &s->eum); m; m = NULL) { /* written again by the next start */
		for (int i = 0; access(batch_file_path(s->f.a, &s->eum, batch), F_OK) != 0; i++) {
			cr_assert(i < 1500);
			nap();
		}
		eum_maker_close(m);
	}
	check_file(s, batch, 5);
	stage_drop(s);
}

/* A process that dies at point while it makes the batch. */
static void killed_at(struct stage *s, const char *point)
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		(void)fault_arm(point, FAULT_KILL, "*");
		eum_maker_open(&s->app, &s->eum);
		for (;;)
			nap();
	}
	cr_assert_eq(waitpid(pid, &st, 0), pid);
	cr_assert(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL, "%s was not reached", point);
}

Test(eum_maker, resumes_after_kill_at_every_point, .timeout = 200)
{
	static const char *const points[] = { "eum.maker.made", "eum.maker.committed", "eum.file.written", "eum.file.renamed" };
	struct stage *s;
	const char *batch;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	if (fault_arm(points[0], FAULT_OFF, "*") != 0)
		cr_skip_test("built without faults");
	s = stage_make();
	for (size_t i = 0; i < LEN(points); i++) {
		batch = order(s, i ? points[i] : "first", 3);
		killed_at(s, points[i]);
		killed_at(s, i < 2 ? points[i] : points[3]);
		make(s, batch);
		counts(s, 3 * (int64_t)(i + 1));
		check_file(s, batch, 3);
	}
	check_refusals(s);
	stage_drop(s);
}

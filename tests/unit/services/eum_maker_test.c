/* SPDX-License-Identifier: Apache-2.0 */
/* The EUM on a real database: orders by their handlers, cards by the maker, crashes at its fault points, answers of the SM-SR. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fault.h"
#include "common/base/hex.h"
#include "common/crypto/keys.h"
#include "services/eum/statements.h"
#include "tests/unit/services/eum_stage.h"

static void counts(struct stage *s, int64_t cards)
{
	const struct rows *rows;

	DB_QUEUE0(s->db, T_COUNTS);
	stage_sync(s, &rows, 1);
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
	struct eum_batch_info *info = stage_status(s, "first");
	result r;

	cr_assert_str_eq(info->batch, batch);
	cr_assert_eq(info->quantity, 5);
	cr_assert_eq(info->made, 5);
	cr_assert_eq(info->registered + info->refused, 0);
	r = stage_call(s, &eum_served[1], &stranger, &get, &rs);
	cr_assert_neq(r, OK);
	cr_assert_eq(r->code, CODE_PARAM_INVALID);
	cr_assert_str_eq(r->subject_id, "Batch");
	r = stage_call(s, &eum_served[0], &s->orderer, &s->f.order, &made);
	cr_assert_neq(r, OK);
	cr_assert_str_eq(r->subject_id, "Name");
	s->f.order.profiles[1].iccid_prefix = "89490";
	s->f.order.name = "overlaps";
	r = stage_call(s, &eum_served[0], &s->orderer, &s->f.order, &made);
	cr_assert_neq(r, OK);
	cr_assert_str_eq(r->subject_id, "IccidPrefix");
	s->f.order.profiles[1].iccid_prefix = "894902";
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
				   .fault = { .code = fault, .reason = fault ? "broken" : NULL } };
	bool done;

	db_begin(s->db);
	done = eum_answered(&s->eum, s->db, s->f.a, &a);
	if (done) {
		db_commit(s->db);
		stage_sync(s, NULL, 0);
	} else {
		db_rollback(s->db);
	}
	return done;
}

static void check_update(struct stage *s, const struct eid *eid)
{
	struct eum_update_properties_rq rq = { .eid = *eid, .properties = *s->f.order.properties };
	const struct entity stranger = { .oid = oid_of("1.3.6.1.4.1.99999.6"), .name = "Other", .roles = ROLE_OPERATOR };
	struct plain_rs rs = { 0 };
	const struct rows *rows;
	const char *id;
	result r;

	r = stage_call(s, &eum_served[2], &stranger, &rq, &rs);
	cr_assert_eq(r->code, CODE_REQUESTER_NOT_ALLOWED);
	cr_assert_eq(stage_call(s, &eum_served[2], &s->orderer, &rq, &rs), OK);
	DB_QUEUE(s->db, T_UPDATE, p_text(eid->text));
	stage_sync(s, &rows, 1);
	cr_assert_eq(rows_count(rows), 1);
	id = row_text_dup(s->f.a, rows, 0, 0);
	cr_assert(answer(s, FN_ES1_UpdateEISAdditionalProperties, id, STATUS_SUCCESS, NULL, NULL, NULL));
	DB_QUEUE(s->db, T_UPDATE, p_text(eid->text));
	stage_sync(s, &rows, 1);
	cr_assert_str_eq(row_text(rows, 0, 1), "done");
	cr_assert(eid_parse("89001012012341234012345678901224", &rq.eid));
	r = stage_call(s, &eum_served[2], &s->orderer, &rq, &rs);
	cr_assert_eq(r->code, CODE_EID_UNKNOWN);
}

static void check_answers(struct stage *s)
{
	struct eid eid = stage_first_eid(s);
	const struct rows *rows;

	cr_assert(!answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_FAILED, "1.2", "4.4", NULL));
	cr_assert(!answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_FAILED, "1.2", "4.2", NULL));
	cr_assert(!answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_FAILED, NULL, NULL, "Receiver"));
	stage_card_is(s, &eid, "submitted", "");
	cr_assert(answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_WARNING, NULL, NULL, NULL));
	stage_card_is(s, &eid, "registered", "");
	check_update(s, &eid);
	cr_assert(answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_FAILED, "8.1.1", "3.3", NULL)); /* the first answer counts */
	stage_card_is(s, &eid, "registered", "");
	cr_assert_eq(stage_status(s, "first")->registered, 1);
	DB_QUEUE(s->db, T_EVENTS, p_text("eum.card.registered"));
	stage_sync(s, &rows, 1);
	cr_assert_eq(rows_count(rows), 1);
	cr_assert_not_null(strstr(row_text(rows, 0, 0), eid.text));
}

static void check_refusals(struct stage *s)
{
	struct eid eid = stage_first_eid(s);

	cr_assert(answer(s, FN_ES1_RegisterEIS, eid.text, STATUS_FAILED, "8.1.1", "3.3", NULL));
	stage_card_is(s, &eid, "refused", "8.1.1/3.3");
	cr_assert_eq(stage_status(s, "first")->refused, 1);
}

Test(eum_maker, makes_what_was_ordered, .timeout = 100)
{
	struct stage *s;
	const char *batch;

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	s = stage_make();
	batch = stage_order(s, "first", 5);
	stage_fill(s, batch);
	counts(s, 5);
	check_file(s, batch, 5);
	check_orders(s, batch);
	check_answers(s);
	cr_assert_eq(unlink(batch_file_path(s->f.a, &s->eum, batch)), 0);
	for (struct eum_maker *m = eum_maker_open(&s->app, &s->eum); m; m = NULL) { /* written again by the next start */
		for (int i = 0; access(batch_file_path(s->f.a, &s->eum, batch), F_OK) != 0; i++) {
			cr_assert(i < 1500);
			stage_nap();
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
			stage_nap();
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
		batch = stage_order(s, i ? points[i] : "first", 3);
		killed_at(s, points[i]);
		killed_at(s, i < 2 ? points[i] : points[3]);
		stage_fill(s, batch);
		counts(s, 3 * (int64_t)(i + 1));
		check_file(s, batch, 3);
	}
	check_refusals(s);
	stage_drop(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: SMS to cards, the counters of SCP80 keys, and cards whose EIS is in doubt. */
#include <string.h>

#include "common/app/json_in.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/card/scp80.h"
#include "common/rpc/json_out.h"
#include "common/sgp02/eis.h"
#include "services/sm-sr/cards.h"
#include "services/sm-sr/sms_store.h"

static const char *const state_words[] = {
	[SMS_QUEUED] = "queued", [SMS_SENT] = "sent", [SMS_WAITING] = "waiting", [SMS_DONE] = "done", [SMS_FAILED] = "failed"
};

static void time_member(struct buf *b, const char *name, const struct rows *r, size_t row, unsigned col)
{
	char text[DATETIME_MAX];

	if (!row_null(r, row, col))
		datetime_format(row_int(r, row, col), text);
	json_out_member(b, name, row_null(r, row, col) ? NULL : text);
}

/* Without the packets: they are of no use to who has no keys, and of too much to who has. */
static void sms_write(struct buf *b, const struct rows *r)
{
	buf_str(b, "[");
	for (size_t i = 0; i < rows_count(r); i++) {
		size_t state = (size_t)row_int(r, i, 5);

		buf_printf(b, "%s{\"id\":%lld", i ? "," : "", (long long)row_int(r, i, 0));
		json_out_member(b, "eid", row_text(r, i, 1));
		json_out_member(b, "msisdn", row_text(r, i, 2));
		buf_printf(b, ",\"kvn\":%lld,\"counter\":%lld,\"attempts\":%lld", (long long)row_int(r, i, 3),
			   (long long)row_int(r, i, 4), (long long)row_int(r, i, 6));
		json_out_member(b, "state", state < LEN(state_words) ? state_words[state] : "?");
		time_member(b, "queued_at", r, i, 7);
		time_member(b, "ended_at", r, i, 8);
		json_out_member(b, "error", row_text(r, i, 9));
		buf_printf(b, ",\"parts\":%s}", row_text(r, i, 10));
	}
	buf_str(b, "]");
}

static void sms(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	const char *eid = http_query(call, "eid");
	struct db *db = app_db(call);
	const struct rows *rows;

	DB_QUEUE(db, SMSR_SMS_LIST, p_text(eid ? eid : ""));
	if (db_sync(db, app_arena(call), &rows, 1, NULL) != OK) {
		app_error(call, 503, "database", "the database does not answer");
		return;
	}
	sms_write(&json, rows);
	app_json(call, 200, json.data);
}

static void keys_bump(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	const char *eid = json_string_value(json_object_get(body, "eid"));
	json_int_t by = json_integer_value(json_object_get(body, "by"));
	struct arena *a = app_arena(call);
	struct db *db = app_db(call);
	const struct rows *rows;
	struct eid parsed;
	long long n;

	if (!body)
		return;
	if (!eid || (strcmp(eid, "*") != 0 && !eid_parse(eid, &parsed)) || by < 1 || by > (json_int_t)SCP80_COUNTER_MAX) {
		app_error(call, 400, "bad_request", "eid: an EID, or * for all; by: how far the counters are raised, at least 1");
		return;
	}
	DB_QUEUE(db, SMSR_KEYS_BUMP, p_text(eid), p_int(a, by), p_int(a, KEYSET_SCP80), p_int(a, (int64_t)SCP80_COUNTER_MAX));
	if (db_sync(db, a, &rows, 1, NULL) != OK) {
		app_error(call, 503, "database", "the database does not answer");
		return;
	}
	n = (long long)row_int(rows, 0, 0);
	log_msg(LOG_WARN, "keys_bumped", "the counters of %lld key sets were raised by %lld", n, (long long)by);
	sms_lane_ring(app->rpc.role_state);
	app_json(call, 200, arena_printf(a, "{\"keysets\":%lld}", n));
}

/* The rows of cards that are busy just now are waited for, but not long. */
static bool uncertain_batch(struct db *db, struct arena *a, const char *eid, const char *after, const struct rows **out)
{
	enum { ATTEMPTS = 5 };

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		DB_QUEUE(db, SMSR_CARDS_UNCERTAIN, p_text(eid), p_text(after));
		if (db_sync(db, a, out, 1, NULL) == OK)
			return true;
	}
	return false;
}

/* A batch at a time: who asks goes on behind "next" until there is none. */
static void cards_uncertain(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	const char *eid = json_string_value(json_object_get(body, "eid")), *after = json_string_value(json_object_get(body, "after"));
	CLEANUP(buf_free) struct buf json = { 0 };
	struct arena *a = app_arena(call);
	const struct rows *rows;
	struct eid parsed;
	bool all;

	if (!body)
		return;
	all = eid && !strcmp(eid, "*");
	if (!eid || (!all && !eid_parse(eid, &parsed)) || (after && *after && !eid_parse(after, &parsed))) {
		app_error(call, 400, "bad_request", "eid: an EID, or * for all; after: the EID behind which to go on");
		return;
	}
	if (!uncertain_batch(app_db(call), a, eid, after ? after : "", &rows)) {
		app_error(call, 503, "database", "the database does not answer, or cards are busy");
		return;
	}
	if (!all && row_int(rows, 0, 0) == 0) {
		app_error(call, 404, "not_found", "no card with this EID is managed here");
		return;
	}
	log_msg(LOG_WARN, "cards_uncertain", "%lld cards are audited at their next session", (long long)row_int(rows, 0, 0));
	buf_printf(&json, "{\"cards\":%lld", (long long)row_int(rows, 0, 0));
	json_out_member(&json, "next", all && !row_null(rows, 0, 1) ? row_text(rows, 0, 1) : NULL);
	buf_char(&json, '}');
	app_json(call, 200, json.data);
}

const struct route smsr_admin[] = {
	{ "GET", "/admin/sms", sms }, /* ?eid= */
	{ "POST", "/admin/keys/bump", keys_bump },
	{ "POST", "/admin/cards/uncertain", cards_uncertain },
	{ 0 },
};

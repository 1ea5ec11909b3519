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

/* Cards are gone through a batch at a time: who asks goes on behind "next" until there is none. False: answered. */
static bool cards_of(struct http_call *call, const json_t *body, const char **out_eid, const char **out_after)
{
	const char *eid = json_string_value(json_object_get(body, "eid")), *after = json_string_value(json_object_get(body, "after"));
	struct eid parsed;

	*out_eid = eid;
	*out_after = after ? after : "";
	if (eid && (!strcmp(eid, "*") || eid_parse(eid, &parsed)) && (!**out_after || eid_parse(after, &parsed)))
		return true;
	app_error(call, 400, "bad_request", "eid: an EID, or * for all; after: the EID behind which to go on");
	return false;
}

/* The rows of cards that are busy just now are waited for, but not long. rows: a count, the last EID. False: answered. */
static bool batch(struct http_call *call, unsigned statement, const struct param *params, size_t n, const struct rows **out)
{
	enum { ATTEMPTS = 5 };

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		db_queue(app_db(call), statement, params, n);
		if (db_sync(app_db(call), app_arena(call), out, 1, NULL) == OK)
			return true;
	}
	app_error(call, 503, "database", "the database does not answer, or cards are busy");
	return false;
}

static void batch_done(struct http_call *call, const char *member, const char *eid, const struct rows *rows)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	bool more = !strcmp(eid, "*") && !row_null(rows, 0, 1);

	buf_printf(&json, "{\"%s\":%lld", member, (long long)row_int(rows, 0, 0));
	json_out_member(&json, "next", more ? row_text(rows, 0, 1) : NULL);
	buf_char(&json, '}');
	app_json(call, 200, json.data);
}

static void keys_bump(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	json_int_t by = json_integer_value(json_object_get(body, "by"));
	struct arena *a = app_arena(call);
	const struct rows *rows;
	const char *eid, *after;

	if (!body || !cards_of(call, body, &eid, &after))
		return;
	if (by < 1 || by > (json_int_t)SCP80_COUNTER_MAX) {
		app_error(call, 400, "bad_request", "by: how far the counters are raised, at least 1");
		return;
	}
	if (!batch(call, SMSR_KEYS_BUMP,
		   (const struct param[]){ p_text(eid), p_int(a, by), p_int(a, KEYSET_SCP80), p_int(a, (int64_t)SCP80_COUNTER_MAX), p_text(after) },
		   5, &rows))
		return;
	log_msg(LOG_WARN, "keys_bumped", "the counters of %lld key sets were raised by %lld", (long long)row_int(rows, 0, 0), (long long)by);
	sms_lane_ring(app->rpc.role_state);
	batch_done(call, "keysets", eid, rows);
}

static void cards_uncertain(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	const struct rows *rows;
	const char *eid, *after;

	(void)app;
	if (!body || !cards_of(call, body, &eid, &after))
		return;
	if (!batch(call, SMSR_CARDS_UNCERTAIN, (const struct param[]){ p_text(eid), p_text(after) }, 2, &rows))
		return;
	if (strcmp(eid, "*") != 0 && row_int(rows, 0, 0) == 0) {
		app_error(call, 404, "not_found", "no card with this EID is managed here");
		return;
	}
	log_msg(LOG_WARN, "cards_uncertain", "%lld cards are audited at their next session", (long long)row_int(rows, 0, 0));
	batch_done(call, "cards", eid, rows);
}

const struct route smsr_admin[] = {
	{ "GET", "/admin/sms", sms }, /* ?eid= */
	{ "POST", "/admin/keys/bump", keys_bump },
	{ "POST", "/admin/cards/uncertain", cards_uncertain },
	{ 0 },
};

/* SPDX-License-Identifier: Apache-2.0 */
/* A person says whose a card is, when the other SM-SR never will (E1). */
#include <string.h>

#include "common/app/json_in.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"
#include "services/sm-sr-handover/out.h"

/* Why it is not for a person to decide; NULL: it is. */
static const char *not_yet(const struct handover_out *h)
{
	if (h->ended_at)
		return "it has ended";
	if (h->state == HOUT_ANSWERED)
		return "its time is not over: the other SM-SR may still say that it has the card";
	return h->state == HOUT_DOUBT ? NULL : "it is not in doubt: it ends by itself";
}

result out_decide(struct handovers *role, struct db *db, struct arena *a, const char *id, bool moved, struct out_case *c)
{
	*c = (struct out_case){ .role = role, .db = db, .a = a };
	db_begin(db);
	TRY(out_lock(db, a, id, &c->h));
	if (!c->h || not_yet(c->h)) {
		db_rollback(db);
		return OK;
	}
	TRY(out_step(c, moved ? HOEV_RESOLVE_MOVED : HOEV_RESOLVE_KEPT, OK));
	db_commit(db);
	return db_sync(db, a, NULL, 0, NULL);
}

static void resolved(struct app *app, struct http_call *call, const struct out_case *c, const char *by)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	const struct handover_out *h = c->h;

	out_committed(c);
	outbox_ring(app->rpc.outbox);
	log_msg(LOG_WARN, "handover_resolved", "handover %s of eid %s: %s said that it is %s now", h->id, h->eid.text, by,
		handover_out_state_name(h->state));
	buf_char(&json, '{');
	json_out_member(&json, "id", h->id);
	json_out_member(&json, "eid", h->eid.text);
	json_out_member(&json, "stage", handover_out_state_name(h->state));
	buf_str(&json, "}\n");
	app_json(call, 200, json.data);
}

void handover_out_resolve(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	const json_t *moved = json_object_get(body, "moved");
	const char *id = json_string_value(json_object_get(body, "handover")), *by = json_string_value(json_object_get(body, "by"));
	struct out_case c;
	result r;

	if (!body)
		return;
	if (!id || !handover_id_ok(id) || !json_is_boolean(moved)) {
		app_error(call, 400, "bad_request",
			  "handover: the id of an SM-SR change, as the list has it; moved: true or false");
		return;
	}
	r = out_decide(app->rpc.role_state, app_db(call), app_arena(call), id, json_is_true(moved), &c);
	if (r != OK) {
		db_rollback(app_db(call));
		log_msg(LOG_WARN, "handover_resolve", "handover %s: %s", id, r->cause ? r->cause : status_code(r->code)->text);
		app_error(call, 503, "database", "the database does not answer, or the row cannot be read; nothing has changed");
	} else if (!c.h) {
		app_error(call, 404, "not_found", "no card is handed over under %s", id);
	} else if (!c.event) {
		app_error(call, 409, "not_in_doubt", "handover %s is %s: %s", id, handover_out_state_name(c.h->state),
			  not_yet(c.h));
	} else {
		resolved(app, call, &c, by ? by : "somebody");
	}
}

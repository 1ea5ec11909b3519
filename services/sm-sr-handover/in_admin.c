/* SPDX-License-Identifier: Apache-2.0 */
/* A person leaves out what a card will not do: it is managed here in any case (procedures.md 3.20, failure rules). */
#include <string.h>

#include "common/app/json_in.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"
#include "services/sm-sr-handover/handover_in.h"

static bool may_skip(const struct handover_in *h)
{
	return h && in_command(h->state);
}

/* *out_from: where it was. */
static result skip(struct in_case *c, const char *id, const char *note, enum handover_in_state *out_from)
{
	struct result *why = ARENA_NEW(c->a, struct result);

	db_begin(c->db);
	TRY(in_lock(c->db, c->a, id, &c->h));
	if (!may_skip(c->h)) {
		db_rollback(c->db);
		return OK;
	}
	*out_from = c->h->state;
	*why = (struct result){ .status = STATUS_WARNING,
				.code = CODE_CARD_ERROR,
				.message = arena_printf(c->a, "%s was left out", handover_in_state_name(*out_from)) };
	TRY(in_step(c, HIEV_SKIPPED, why, note));
	db_commit(c->db);
	return db_sync(c->db, c->a, NULL, 0, NULL);
}

static void skipped(struct app *app, struct http_call *call, const struct in_case *c, enum handover_in_state from, const char *by)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	const struct handover_in *h = c->h;

	deferred_ring(&app->rpc, c->replicas);
	log_msg(LOG_WARN, "handover_skipped", "handover %s of eid %s: %s left out %s; it is %s now", h->id, h->eid.text, by,
		handover_in_state_name(from), handover_in_state_name(h->state));
	buf_char(&json, '{');
	json_out_member(&json, "id", h->id);
	json_out_member(&json, "eid", h->eid.text);
	json_out_member(&json, "skipped", handover_in_state_name(from));
	json_out_member(&json, "stage", handover_in_state_name(h->state));
	buf_str(&json, "}\n");
	app_json(call, 200, json.data);
}

void handover_in_skip(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	const char *id = json_string_value(json_object_get(body, "handover")), *by = json_string_value(json_object_get(body, "by"));
	struct in_case c = { .rpc = &app->rpc, .hs = app->rpc.role_state, .db = app_db(call), .a = app_arena(call) };
	enum handover_in_state from = HANDOVER_IN_STATES;
	result r;

	if (!body)
		return;
	if (!id || !handover_id_ok(id)) {
		app_error(call, 400, "bad_request", "handover: the id of an SM-SR change, as the list has it");
		return;
	}
	r = skip(&c, id, by ? arena_printf(c.a, "by %s", by) : "", &from);
	if (r != OK) {
		db_rollback(c.db);
		log_msg(LOG_WARN, "handover_skip", "handover %s: %s", id, r->cause ? r->cause : status_code(r->code)->text);
		app_error(call, 503, "database", "the database does not answer, or the row cannot be read; nothing has changed");
	} else if (!c.h) {
		app_error(call, 404, "not_found", "no card comes here under %s", id);
	} else if (from == HANDOVER_IN_STATES) {
		app_error(call, 409, "no_card_step", "handover %s is %s: there is no step of the card to leave out", id,
			  handover_in_state_name(c.h->state));
	} else {
		skipped(app, call, &c, from, by ? by : "somebody");
	}
}

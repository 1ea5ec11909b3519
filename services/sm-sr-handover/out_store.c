/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of cards that go to another SM-SR. */
#include <string.h>

#include "services/sm-sr-handover/out.h"

static bool outcome_row(struct arena *a, const struct rows *r, struct out_outcome *out)
{
	int64_t status = row_int(r, 0, 21);

	*out = (struct out_outcome){ .message = row_text_dup(a, r, 0, 23) };
	if (row_null(r, 0, 21))
		return true;
	out->known = true;
	out->status = (enum status)status;
	return status == STATUS_SUCCESS ||
	       (status > 0 && status <= STATUS_EXPIRED && handover_code_by_name(row_text(r, 0, 22), &out->code));
}

static bool numbers_row(const struct rows *r, struct handover_out *h)
{
	int64_t state = row_int(r, 0, 6), wait = row_int(r, 0, 9);

	h->state = (enum handover_out_state)state;
	h->step = row_int(r, 0, 7);
	h->call = row_int(r, 0, 8);
	h->wait = (enum out_wait)wait;
	h->tries = row_int(r, 0, 10);
	h->started_at = row_int(r, 0, 11);
	h->deadline = row_int(r, 0, 12);
	h->due_at = row_int(r, 0, 13);
	h->call_at = row_int(r, 0, 14);
	h->called_at = row_int(r, 0, 15);
	h->call_until = row_int(r, 0, 16);
	h->told = row_bool(r, 0, 20);
	h->ended_at = row_int(r, 0, 24);
	h->now = row_int(r, 0, 25);
	return state >= 0 && state < HANDOVER_OUT_STATES && wait >= 0 && wait < OUT_WAITS && h->tries >= 0;
}

result out_row(struct arena *a, const struct rows *r, struct handover_out **out)
{
	struct handover_out *h;
	struct bytes eis;

	*out = NULL;
	if (!rows_count(r))
		return OK;
	eis = row_bytes(r, 0, 17);
	h = ARENA_NEW(a, struct handover_out);
	*h = (struct handover_out){ .id = row_text_dup(a, r, 0, 0),
				    .context_id = row_text_dup(a, r, 0, 4),
				    .trace = row_text_dup(a, r, 0, 5),
				    .eis = eis.len ? arena_strndup(a, (const char *)eis.data, eis.len) : NULL,
				    .certificate = row_bytes_dup(a, r, 0, 18),
				    .challenge = row_bytes_dup(a, r, 0, 19),
				    .fci = row_text_dup(a, r, 0, 26) };
	if (!eid_parse(row_text(r, 0, 1), &h->eid) || !oid_parse(row_text(r, 0, 2), &h->target) ||
	    !oid_parse(row_text(r, 0, 3), &h->requester) || !numbers_row(r, h) || !outcome_row(a, r, &h->outcome))
		return internal(a, "handover %s: its row cannot be read", h->id);
	*out = h;
	return OK;
}

result out_lock(struct db *db, struct arena *a, const char *id, struct handover_out **out)
{
	const struct rows *r;

	DB_QUEUE(db, HANDOVER_OUT_LOCK, p_text(arena_strdup(a, id)));
	TRY(db_sync(db, a, &r, 1, NULL));
	return out_row(a, r, out);
}

/* The earliest of what will be due; 0: nothing. */
static int64_t due(const struct handover_out *h)
{
	bool ends = h->state >= HOUT_DROPPING, timed = h->state < HOUT_DOUBT;
	int64_t at = timed ? h->deadline : 0;

	if (ends)
		return 0;
	if (h->wait != OUT_SENT && h->call_at && (!at || h->call_at < at))
		at = h->call_at;
	if (*h->fci && h->call_until + OUT_GRACE_US < at)
		at = h->call_until + OUT_GRACE_US;
	return at;
}

static struct param p_instant(struct arena *a, int64_t at)
{
	return at ? p_time(a, at) : p_null();
}

/* Absent ones are null. What is bound lives in a, since h may change before it is sent. */
static struct param p_some(struct arena *a, const void *data, size_t n)
{
	return n ? p_bytes(arena_memdup(a, data, n), n) : p_null();
}

static void stage(struct out_case *c)
{
	const struct handover_out *h = c->h;
	const struct out_outcome *o = &h->outcome;

	handover_stage(c->role, c->db, c->a,
		       &(const struct handover_told){ .id = h->id,
						      .eid = h->eid.text,
						      .trace = h->trace,
						      .side = HANDOVER_OUT,
						      .stage = handover_out_state_name(h->state),
						      .state = (int)h->state,
						      .step = h->step,
						      .peer = &h->target,
						      .requester = &h->requester,
						      .code = o->known && o->status != STATUS_SUCCESS ? &o->code : NULL,
						      .note = c->event ? c->event : "ordered" });
}

void out_save(struct out_case *c, enum handover_out_state from)
{
	struct handover_out *h = c->h;
	const struct out_outcome *o = &h->outcome;
	struct arena *a = c->a;

	h->due_at = due(h);
	DB_QUEUE(c->db, HANDOVER_OUT_SAVE, p_text(h->id), p_int(a, from), p_int(a, h->state), p_int(a, h->step), p_int(a, h->call),
		 p_int(a, h->wait), p_int(a, h->tries), p_instant(a, h->due_at), p_instant(a, h->call_at),
		 p_instant(a, h->called_at), p_instant(a, h->call_until), p_some(a, h->eis, h->eis ? strlen(h->eis) : 0),
		 p_some(a, h->certificate.data, h->certificate.len), p_some(a, h->challenge.data, h->challenge.len), p_text(h->fci),
		 p_bool(h->told), o->known ? p_int(a, o->status) : p_null(),
		 p_text(o->known && o->status != STATUS_SUCCESS ? status_code(o->code)->name : ""), p_text(o->message),
		 p_instant(a, h->ended_at));
	if (h->state != from)
		stage(c);
}

bool out_eis(struct arena *a, const struct eid *eid, const char *text, struct eis *out)
{
	struct eis eis;

	if (eis_text_read(a, (struct bytes){ (const uint8_t *)text, strlen(text) }, &eis) != OK || !eid_equal(&eis.info.eid, eid))
		return false;
	*out = eis;
	return true;
}

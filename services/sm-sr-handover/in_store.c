/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of cards that shall come. */
#include <string.h>

#include "common/crypto/keys.h"
#include "services/sm-sr-handover/handover_in.h"

_Static_assert(HANDOVER_IN == 1 && HIN_AUDITING == 7 && HIN_OWNED == 8, "numbers in HANDOVER_IN_LEAVE, HANDOVER_IN_CLEAN");

static bool outcome_row(struct arena *a, const struct rows *r, struct handover_in_outcome *out)
{
	int64_t status = row_int(r, 0, 22);

	if (row_null(r, 0, 22))
		return true;
	*out = (struct handover_in_outcome){ .known = true,
					     .status = (enum status)status,
					     .subject_id = row_text_dup(a, r, 0, 24),
					     .message = row_text_dup(a, r, 0, 25) };
	return status == STATUS_SUCCESS ||
	       (status > 0 && status <= STATUS_EXPIRED && handover_code_by_name(row_text(r, 0, 23), &out->code));
}

static bool numbers_row(const struct rows *r, struct handover_in *h)
{
	int64_t state = row_int(r, 0, 6), wait = row_int(r, 0, 8), kvn = row_int(r, 0, 16), psk = row_int(r, 0, 20);

	h->state = (enum handover_in_state)state;
	h->step = row_int(r, 0, 7);
	h->wait = (enum handover_in_wait)wait;
	h->tries = row_int(r, 0, 9);
	h->started_at = row_int(r, 0, 10);
	h->prepared_until = row_int(r, 0, 11);
	h->deadline = row_int(r, 0, 12);
	h->due_at = row_int(r, 0, 13);
	h->kvn = (uint8_t)kvn;
	h->counter = row_int(r, 0, 17);
	h->psk_kvn = (uint8_t)psk;
	h->told = row_bool(r, 0, 21);
	h->ended_at = row_int(r, 0, 26);
	h->now = row_int(r, 0, 27);
	return state >= 0 && state < HANDOVER_IN_STATES && wait >= 0 && wait < IN_WAITS && kvn >= 0 && kvn <= SCP80_KVN_LAST &&
	       psk >= 0 && psk <= SCP81_KVN_LAST;
}

result in_row(struct arena *a, const struct rows *r, struct handover_in **out)
{
	struct handover_in *h = ARENA_NEW(a, struct handover_in);

	*h = (struct handover_in){ .id = row_text_dup(a, r, 0, 0),
				   .context_id = row_text_dup(a, r, 0, 4),
				   .trace = row_text_dup(a, r, 0, 5),
				   .eis = row_bytes_dup(a, r, 0, 14),
				   .ecasd = row_bytes_dup(a, r, 0, 15),
				   .offer = row_bytes_dup(a, r, 0, 18),
				   .secret = row_bytes_dup(a, r, 0, 19) };
	if (!eid_parse(row_text(r, 0, 1), &h->eid) || !oid_parse(row_text(r, 0, 2), &h->former) ||
	    !oid_parse(row_text(r, 0, 3), &h->requester) || !numbers_row(r, h) || !outcome_row(a, r, &h->outcome))
		return internal(a, "handover %s: its row cannot be read", h->id);
	*out = h;
	return OK;
}

result in_lock(struct db *db, struct arena *a, const char *id, struct handover_in **out)
{
	const struct rows *r;

	*out = NULL;
	TRY(db_sync(db, a, NULL, 0, NULL));
	DB_QUEUE(db, HANDOVER_IN_LOCK, p_text(id));
	TRY(db_sync(db, a, &r, 1, NULL));
	return rows_count(r) ? in_row(a, r, out) : OK;
}

void in_add(struct db *db, struct arena *a, const struct handover_in *h, int64_t prepared_us)
{
	DB_QUEUE(db, HANDOVER_IN_ADD, p_text(h->id), p_text(h->eid.text), p_text(h->former.text), p_text(h->requester.text),
		 p_text(h->context_id), p_text(h->trace), p_int(a, h->state), p_int(a, prepared_us));
}

/* Absent ones are null. */
static struct param p_some(struct bytes b)
{
	return b.len ? p_bytes(b.data, b.len) : p_null();
}

static struct param p_instant(struct arena *a, int64_t at)
{
	return at ? p_time(a, at) : p_null();
}

void in_save(struct db *db, struct arena *a, const struct handover_in *h, enum handover_in_state state, int64_t step)
{
	const struct handover_in_outcome *o = &h->outcome;
	bool coded = o->known && o->status != STATUS_SUCCESS;

	DB_QUEUE(db, HANDOVER_IN_SAVE, p_text(h->id), p_int(a, state), p_int(a, step), p_int(a, h->state), p_int(a, h->step),
		 p_int(a, h->wait), p_int(a, h->tries), p_instant(a, h->deadline), p_time(a, h->due_at), p_some(h->eis),
		 p_some(h->ecasd), p_int(a, h->kvn), p_int(a, h->counter), p_some(h->offer), p_some(h->secret),
		 p_int(a, h->psk_kvn), p_bool(h->told), o->known ? p_int(a, o->status) : p_null(),
		 p_text(coded ? status_code(o->code)->name : ""), p_text(o->subject_id ? o->subject_id : ""),
		 p_text(o->message ? o->message : ""), p_instant(a, h->ended_at));
}

static const char *aad(const struct in_case *c)
{
	return arena_printf(c->a, "handover|%s|ephemeral", c->h->id);
}

void in_seal(struct in_case *c, const void *secret, size_t n)
{
	kek_wrap(&c->hs->kek, aad(c), secret, n, c->a, &c->h->secret);
}

bool in_unseal(const struct in_case *c, struct secret *out)
{
	return kek_unwrap(&c->hs->kek, aad(c), c->h->secret, out);
}

void handover_in_left(struct db *db, const struct eid *eid)
{
	DB_QUEUE(db, HANDOVER_IN_LEAVE, p_text(eid->text));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of downloads. */
#include <stdlib.h>
#include <string.h>

#include "common/crypto/keys.h"
#include "services/sm-dp/download.h"
#include "services/sm-dp/statements.h"

enum { STEP_DIGITS = 9 };

const char *download_ref(struct arena *a, const struct download *d)
{
	return arena_printf(a, "%s.%lld", d->id, (long long)d->step);
}

bool download_id_ok(const char *id)
{
	if (strlen(id) != DOWNLOAD_ID)
		return false;
	for (size_t i = 0; i < DOWNLOAD_ID; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? id[i] != '-' : !id[i] || !strchr("0123456789abcdef", id[i]))
			return false;
	return true;
}

bool download_ref_parse(struct arena *a, const char *text, const char **out_id, int64_t *out_step)
{
	const char *dot = strrchr(text, '.'), *id = dot ? arena_strndup(a, text, (size_t)(dot - text)) : "";
	size_t n = dot ? strlen(dot + 1) : 0;

	if (!download_id_ok(id) || n < 1 || n > STEP_DIGITS || strspn(dot + 1, "0123456789") != n || dot[1] == '0')
		return false;
	*out_id = id;
	*out_step = strtoll(dot + 1, NULL, 10);
	return true;
}

/* The codes stand by their names, which no new row of the table moves. */
static bool code_by_name(const char *name, enum code *out)
{
	for (int c = 0; c < CODE_COUNT; c++)
		if (!strcmp(status_code((enum code)c)->name, name)) {
			*out = (enum code)c;
			return true;
		}
	return false;
}

static bool outcome_row(struct arena *a, const struct rows *r, struct download_outcome *out)
{
	int64_t status = row_int(r, 0, 26);

	if (row_null(r, 0, 26))
		return true;
	*out = (struct download_outcome){ .known = true,
					  .status = (enum status)status,
					  .subject_id = row_text_dup(a, r, 0, 28),
					  .message = row_text_dup(a, r, 0, 29) };
	return status == STATUS_SUCCESS || (status > 0 && status <= STATUS_EXPIRED && code_by_name(row_text(r, 0, 27), &out->code));
}

static bool aid_row(const struct rows *r, unsigned col, struct aid *out)
{
	struct bytes b = row_bytes(r, 0, col);

	if (b.len > AID_MAX)
		return false;
	if (b.len)
		memcpy(out->data, b.data, b.len);
	out->len = (uint8_t)b.len;
	return true;
}

static bool numbers_row(const struct rows *r, struct download *d)
{
	int64_t state = row_int(r, 0, 9), wait = row_int(r, 0, 11);

	d->state = (enum download_state)state;
	d->step = row_int(r, 0, 10);
	d->wait = (enum download_wait)wait;
	d->tries = row_int(r, 0, 12);
	d->busy_at = row_int(r, 0, 13);
	d->started_at = row_int(r, 0, 14);
	d->deadline = row_int(r, 0, 15);
	d->call_until = row_int(r, 0, 16);
	d->due_at = row_int(r, 0, 17);
	d->first = row_int(r, 0, 23);
	d->past = row_int(r, 0, 24);
	d->told = row_bool(r, 0, 25);
	d->ended_at = row_int(r, 0, 30);
	d->now = row_int(r, 0, 31);
	return state >= 0 && state < DOWNLOAD_STATES && wait >= 0 && wait < DOWNLOAD_WAITS && d->first >= 0 && d->past >= d->first;
}

result download_row(struct arena *a, const struct rows *r, struct download **out)
{
	struct download *d = ARENA_NEW(a, struct download);

	*d = (struct download){ .id = row_text_dup(a, r, 0, 0),
				.type = row_text_dup(a, r, 0, 5),
				.enable = row_bool(r, 0, 6),
				.fci = row_text_dup(a, r, 0, 7),
				.trace = row_text_dup(a, r, 0, 8),
				.ecasd = row_bytes_dup(a, r, 0, 19),
				.leftovers = row_text_dup(a, r, 0, 20),
				.request = row_bytes_dup(a, r, 0, 21),
				.secret = row_bytes_dup(a, r, 0, 22),
				.context_id = row_text_dup(a, r, 0, 32) };
	if (!eid_parse(row_text(r, 0, 1), &d->eid) || !oid_parse(row_text(r, 0, 2), &d->smsr) ||
	    !oid_parse(row_text(r, 0, 3), &d->mno) || !iccid_parse(row_text(r, 0, 4), &d->iccid) || !numbers_row(r, d) ||
	    !aid_row(r, 18, &d->isdp) || !outcome_row(a, r, &d->outcome))
		return internal(a, "download %s: its row cannot be read", d->id);
	*out = d;
	return OK;
}

result download_lock(struct db *db, struct arena *a, const char *id, struct download **out)
{
	const struct rows *r;

	*out = NULL;
	DB_QUEUE(db, SMDP_DOWNLOAD_LOCK, p_text(id));
	TRY(db_sync(db, a, &r, 1, NULL));
	return rows_count(r) ? download_row(a, r, out) : OK;
}

/* state, step: where it was until now. */
static void stage_save(struct db *db, struct arena *a, const struct download *d, enum download_state state, int64_t step)
{
	DB_QUEUE(db, SMDP_STAGE_SAVE, p_text(d->id), p_int(a, state), p_int(a, step), p_int(a, d->state), p_int(a, d->step),
		 p_text(d->answer ? d->answer : ""));
}

void download_add(struct db *db, struct arena *a, const struct download *d)
{
	DB_QUEUE(db, SMDP_DOWNLOAD_ADD, p_text(d->id), p_text(d->eid.text), p_text(d->smsr.text), p_text(d->mno.text),
		 p_text(d->iccid.text), p_text(d->type), p_bool(d->enable), p_text(d->fci), p_text(d->trace), p_int(a, d->state),
		 p_int(a, d->step), p_int(a, d->deadline), p_int(a, d->call_until), p_int(a, d->due_at), p_text(d->context_id));
	stage_save(db, a, d, d->state, d->step);
}

/* Absent ones are null. What is bound lives in a, since d may change before it is sent. */
static struct param p_some(struct arena *a, const void *data, size_t n)
{
	return n ? p_bytes(arena_memdup(a, data, n), n) : p_null();
}

static struct param p_instant(struct arena *a, int64_t at)
{
	return at ? p_time(a, at) : p_null();
}

void download_save(struct db *db, struct arena *a, const struct download *d, enum download_state state, int64_t step)
{
	const struct download_outcome *o = &d->outcome;
	bool coded = o->known && o->status != STATUS_SUCCESS;

	DB_QUEUE(db, SMDP_DOWNLOAD_SAVE, p_text(d->id), p_int(a, state), p_int(a, step), p_int(a, d->state), p_int(a, d->step),
		 p_int(a, d->wait), p_int(a, d->tries), p_instant(a, d->busy_at), p_time(a, d->call_until), p_time(a, d->due_at),
		 p_some(a, d->isdp.data, d->isdp.len), p_some(a, d->ecasd.data, d->ecasd.len), p_text(d->leftovers),
		 p_some(a, d->request.data, d->request.len), p_some(a, d->secret.data, d->secret.len), p_int(a, d->first),
		 p_int(a, d->past), p_bool(d->told), o->known ? p_int(a, o->status) : p_null(),
		 p_text(coded ? status_code(o->code)->name : ""), p_text(o->subject_id ? o->subject_id : ""),
		 p_text(o->message ? o->message : ""), p_instant(a, d->ended_at));
	stage_save(db, a, d, state, step);
}

static const char *aad(const struct download_case *c, const char *use)
{
	return arena_printf(c->a, "download|%s|%s", c->d->id, use);
}

void download_seal(struct download_case *c, const char *use, const void *secret, size_t n)
{
	kek_wrap(&c->smdp->kek, aad(c, use), secret, n, c->a, &c->d->secret);
}

bool download_unseal(const struct download_case *c, const char *use, struct secret *out)
{
	return kek_unwrap(&c->smdp->kek, aad(c, use), c->d->secret, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* How SM-SRs answer: on the connection, which the outbox tells us, or by callback. */
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "services/sm-dp/connectivity.h"
#include "services/sm-dp/download.h"

/* The download that waits for an answer to ref; *out NULL: none does, any more. */
static result waiting(struct db *db, struct arena *a, const char *ref, const struct function *fn, const struct oid *from,
		      struct download **out)
{
	struct download *d = NULL;
	const char *id;
	int64_t number;

	*out = NULL;
	if (!download_ref_parse(a, ref, &id, &number))
		return OK;
	TRY(download_lock(db, a, id, &d));
	if (d && !download_ended(d->state) && d->step == number && oid_equal(&d->smsr, from) && download_function(d->state) == fn)
		*out = d;
	else if (d)
		log_msg(LOG_INFO, "download_answer_late", "download %s: %s of step %lld is answered, it is in %s, step %lld", d->id,
			fn->wire, (long long)number, download_state_name(d->state), (long long)d->step);
	return OK;
}

static void failed_log(const char *ref, result r)
{
	log_msg(LOG_WARN, "download_answer", "%s: %s", ref, r->cause ? r->cause : status_code(r->code)->text);
}

bool smdp_answered(void *role, struct db *db, struct arena *a, const struct outbox_answer *in)
{
	struct smdp *smdp = role;
	struct download_case c = { .rpc = smdp->rpc, .smdp = smdp, .db = db, .a = a };
	const struct download_said said = { .base = in->base,
					    .response = in->response,
					    .fault = in->fault.code
							     ? arena_printf(a, "%s: %s", in->fault.code,
									    in->fault.reason ? in->fault.reason : "no reason")
							     : NULL };
	bool ours, done = connectivity_answered(smdp, db, a, in, &ours);
	result r;

	if (ours)
		return done;
	if (in->accepted) /* the answer comes by callback, or the same call fetches it */
		return true;
	r = waiting(db, a, in->ref, in->fn, &in->to, &c.d);
	if (r == OK && c.d)
		r = download_answered(&c, &said);
	if (r != OK) {
		failed_log(in->ref, r);
		return false;
	}
	if (c.d)
		downloads_moved(&c);
	return true;
}

/* Callbacks ---------------------------------------------------------------------------------------------------------------------- */

static void callback_queue(struct rq *rq, const void *in)
{
	const char *id = "00000000-0000-0000-0000-000000000000"; /* nobody's */
	int64_t number;

	(void)in;
	(void)download_ref_parse(rq->arena, rq->correlation, &id, &number);
	DB_QUEUE(rq->db, SMDP_DOWNLOAD_LOCK, p_text(id));
}

static result callback_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct download *d = NULL;

	(void)in;
	(void)facts;
	if (rows_count(rows[0]))
		TRY(download_row(rq->arena, rows[0], &d));
	if (d)
		(void)snprintf(rq->eid, sizeof(rq->eid), "%s", d->eid.text);
	rq->loaded = d;
	return OK;
}

static const struct load callback_load = { .results = 1, .queue = callback_queue, .take = callback_take };

static result callback_handle(struct rq *rq, const void *in, enum callback_verdict *out)
{
	struct smdp *smdp = rq->role;
	struct download_case c = { .rpc = rq->rpc, .smdp = smdp, .db = rq->db, .a = rq->arena, .d = rq->loaded };
	const struct download_said said = { .base = in, .response = in };
	const char *id;
	int64_t number = 0;

	*out = CALLBACK_NOT_OURS;
	if (!c.d || !oid_equal(&c.d->smsr, &rq->caller->oid) || !download_ref_parse(rq->arena, rq->correlation, &id, &number) ||
	    number > c.d->step)
		return OK;
	*out = CALLBACK_CLOSED;
	if (download_ended(c.d->state) || number != c.d->step || download_function(c.d->state) != rq->fn)
		return OK;
	TRY(download_answered(&c, &said));
	rq->outbox = c.sent;
	rq->loaded = arena_memdup(rq->arena, &c, sizeof(c)); /* for committed */
	*out = CALLBACK_TAKEN;
	return OK;
}

static void callback_committed(struct rq *rq)
{
	downloads_moved(rq->loaded);
}

const struct awaited smdp_awaited[] = {
	{ FN_ES3_GetEIS, &callback_load, callback_handle, callback_committed },
	{ FN_ES3_CreateISDP, &callback_load, callback_handle, callback_committed },
	{ FN_ES3_SendData, &callback_load, callback_handle, callback_committed },
	{ FN_ES3_ProfileDownloadCompleted, &callback_load, callback_handle, callback_committed },
	{ FN_ES3_EnableProfile, &callback_load, callback_handle, callback_committed },
	{ FN_ES3_DeleteISDP, &callback_load, callback_handle, callback_committed },
	{ FN_ES3_UpdateConnectivityParameters, &connectivity_callback_load, connectivity_callback, NULL },
};
const size_t smdp_n_awaited = LEN(smdp_awaited);

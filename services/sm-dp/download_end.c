/* SPDX-License-Identifier: Apache-2.0 */
/* How a download ends: the operator's answer, the ICCID, the ISD-P's keys. */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/crypto/keys.h"
#include "services/sm-dp/download.h"
#include "services/sm-dp/keyset.h"

enum { MESSAGE_MAX = 1000 };

void download_outcome_set(struct download *d, result r)
{
	struct download_outcome o = { .known = true, .status = STATUS_SUCCESS, .subject_id = "", .message = "" };

	if (r != OK) {
		o.status = r->status;
		o.code = r->code;
		o.subject_id = r->subject_id ? r->subject_id : "";
		o.message = r->message ? r->message : "";
		if (r->cause)
			log_msg(LOG_WARN, "download_failed", "download %s: %s", d->id, r->cause);
	}
	d->outcome = o;
}

result download_result(struct arena *a, const struct download_outcome *o)
{
	struct result *r;

	if (!o->known || o->status == STATUS_SUCCESS)
		return OK;
	r = ARENA_NEW(a, struct result);
	r->status = o->status;
	r->code = o->code;
	r->subject_id = o->subject_id && *o->subject_id ? o->subject_id : NULL;
	r->message = o->message && *o->message ? arena_strcut(a, o->message, MESSAGE_MAX) : NULL;
	return r;
}

result download_flush(struct download_case *c)
{
	return db_sync(c->db, c->a, NULL, 0, NULL);
}

result download_tell(struct download_case *c, result outcome)
{
	const struct function *fn = function_by_id(FN_ES2_DownloadProfile);
	struct es2_download_profile_rs response = { .iccid = &c->d->iccid };
	const struct deferred_call call = { c->d->mno.text, fn->wire, c->d->fci };
	const struct rows *rows[2];

	if (c->d->told)
		return OK;
	TRY(download_flush(c));
	deferred_end(c->db, c->a, &call, deferred_encode(c->a, fn, &response, outcome, false, c->d->started_at));
	TRY(db_sync(c->db, c->a, rows, LEN(rows), NULL));
	c->replicas = rows_count(rows[1]) ? row_text_dup(c->a, rows[1], 0, 0) : NULL;
	c->told = c->sent = true;
	c->d->told = true;
	return OK;
}

/* By the type's option. The keys are never stored in clear, and go from the download's own row in any case. */
static result keys_keep(struct download_case *c, enum type_keys keys)
{
	CLEANUP(secret_free) struct secret kept = { 0 };
	struct download *d = c->d;
	struct bytes wrapped;
	uint8_t kvn;

	if (keys == TYPE_KEYS_DELETE)
		return OK;
	if (!download_unseal(c, "keys", &kept) || kept.len < sizeof(struct card_keys))
		return internal(c->a, "download %s: the keys of its ISD-P cannot be read with this KEK", d->id);
	kvn = kept.data[offsetof(struct card_keys, kvn)];
	kek_wrap(&c->smdp->kek, keyset_aad(c->a, d->eid.text, &d->isdp, kvn), kept.data + offsetof(struct card_keys, enc),
		 KEYSET_KEYS, c->a, &wrapped);
	DB_QUEUE(c->db, SMDP_KEYSET_ADD, p_text(d->eid.text), p_bytes(d->isdp.data, d->isdp.len), p_text(d->iccid.text),
		 p_int(c->a, kvn), p_int(c->a, keys), p_bytes(wrapped.data, wrapped.len), p_int(c->a, CARD_SEQUENCE),
		 p_text(d->smsr.text));
	return OK;
}

static result stock_settle(struct download_case *c, enum stock_event event)
{
	bool moved;

	TRY(download_parts(c));
	/* Not when it was deleted before we heard that it is complete. */
	moved = c->item && stock_move(c->db, c->a, c->item, event, NULL);
	return moved && event == STEV_INSTALLED && c->type ? keys_keep(c, c->type->keys) : OK;
}

static void ended_event(struct download_case *c, result outcome)
{
	const struct status_code *code = outcome ? status_code(outcome->code) : NULL;
	const struct download *d = c->d;
	char at[DATETIME_MAX];

	datetime_format(d->now, at);
	outbox_event(
		c->db, c->a, "procedure.ended", d->eid.text, d->trace,
		arena_printf(
			c->a,
			"{\"eid\":\"%s\",\"procedure\":\"%s\",\"kind\":\"download\",\"function\":\"ES2-DownloadProfile\","
			"\"caller\":\"%s\",\"iccid\":\"%s\",\"status\":\"%s\",\"code\":\"%s%s%s\",\"smsr\":\"%s\",\"at\":\"%s\"}",
			d->eid.text, d->id, d->mno.text, d->iccid.text, status_name(outcome ? outcome->status : STATUS_SUCCESS),
			code ? code->subject : "", code ? "/" : "", code ? code->reason : "", d->smsr.text, at));
}

static void ended_log(const struct download *d, result outcome)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "download_ended");
	log_str(&l, "download", d->id);
	log_str(&l, "eid", d->eid.text);
	log_str(&l, "iccid", d->iccid.text);
	log_str(&l, "type", d->type);
	log_str(&l, "operator", d->mno.text);
	log_str(&l, "smsr", d->smsr.text);
	log_str(&l, "status", status_name(outcome ? outcome->status : STATUS_SUCCESS));
	log_str(&l, "code", outcome ? status_code(outcome->code)->name : NULL);
	log_str(&l, "msg", outcome ? outcome->message : NULL);
	log_int(&l, "calls", d->step);
	log_int(&l, "ms", (d->now - d->started_at) / 1000);
	log_end(&l);
}

static void ended_metric(const struct download *d)
{
	static const char *const labels[] = { "outcome=\"done\"", "outcome=\"failed\"", "outcome=\"expired\"" };

	metric_add("rsp_downloads_total", labels[d->state - DOWNLOAD_DONE], 1);
	metric_observe_us("rsp_download_seconds", labels[d->state - DOWNLOAD_DONE], d->now - d->started_at);
}

result download_end(struct download_case *c, enum download_state old, enum download_event event)
{
	result outcome = download_result(c->a, &c->d->outcome);

	TRY(stock_settle(c, download_stock(old, event)));
	TRY(download_tell(c, outcome));
	c->d->ended_at = c->d->now;
	c->d->secret = c->d->request = (struct bytes){ NULL, 0 };
	ended_event(c, outcome);
	c->sent = true;
	ended_log(c->d, outcome);
	ended_metric(c->d);
	return OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/connectivity.h"

#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/crypto/keys.h"
#include "services/sm-dp/download.h"
#include "services/sm-dp/keyset.h"

#define REF "connectivity-"
enum { STEPS_MAX = 3, TEXT_MAX = 1000, S_US = 1000000 };

static const char *const state_names[CONNECTIVITY_STATES] = { "sent", "done", "failed", "expired" };

const char *connectivity_state_name(enum connectivity_state s)
{
	return s < CONNECTIVITY_STATES ? state_names[s] : "?";
}

/* A row. */
struct connectivity {
	char id[UUID_TEXT];
	struct eid eid;
	struct oid smsr;
	struct iccid iccid;
	struct aid isdp;
	unsigned kvn;
	uint32_t sequence;
	uint8_t challenge[SCP03_CHALLENGE];
	struct bytes parameters, keys; /* wrapped; keys empty: we do not have them any more */
	int64_t step, rest_us;
	enum connectivity_state state;
};

static const char *ref_of(struct arena *a, const struct connectivity *c)
{
	return arena_printf(a, REF "%s.%lld", c->id, (long long)c->step);
}

static bool ref_parse(struct arena *a, const char *text, const char **out_id, int64_t *out_step)
{
	size_t n = sizeof(REF) - 1;

	return !strncmp(text, REF, n) && download_ref_parse(a, text + n, out_id, out_step);
}

static const char *aad(struct arena *a, const char *id)
{
	return arena_printf(a, "connectivity|%s|parameters", id);
}

/* The session that the row means; clear: its parameters in clear, which must outlive out. */
static result session_open(const struct smdp *smdp, struct arena *a, const struct connectivity *c, struct secret *clear,
			   struct connectivity_session *out)
{
	CLEANUP(secret_free) struct secret keys = { 0 };

	if (!kek_unwrap(&smdp->kek, keyset_aad(a, c->eid.text, &c->isdp, c->kvn), c->keys, &keys) || keys.len != KEYSET_KEYS ||
	    !kek_unwrap(&smdp->kek, aad(a, c->id), c->parameters, clear))
		return internal(a, "connectivity %s: keys or parameters cannot be read with this KEK", c->id);
	*out = (struct connectivity_session){
		.isdp = c->isdp, .sequence = c->sequence, .keys.kvn = (uint8_t)c->kvn, .parameters = { clear->data, clear->len }
	};
	memcpy(out->keys.enc, keys.data, AES_KEY);
	memcpy(out->keys.mac, keys.data + AES_KEY, AES_KEY);
	memcpy(out->keys.dek, keys.data + 2 * (size_t)AES_KEY, AES_KEY);
	memcpy(out->challenge, c->challenge, sizeof(out->challenge));
	return OK;
}

/* Queues the call of the row's step. */
static result call(const struct smdp *smdp, struct db *db, struct arena *a, const struct connectivity *c, int64_t validity_s)
{
	CLEANUP(connectivity_session_wipe) struct connectivity_session session = { 0 };
	CLEANUP(secret_free) struct secret clear = { 0 };
	CLEANUP(buf_free) struct buf script = { 0 };
	const char *ref = ref_of(a, c);
	struct es3_update_connectivity_parameters_rq in = { .base = { .fci = ref + sizeof(REF) - 1, .validity_s = &validity_s },
							    .eid = c->eid,
							    .iccid = c->iccid };
	const struct outbox_message m = { .fn = function_by_id(FN_ES3_UpdateConnectivityParameters),
					  .kind = OUTBOX_REQUEST,
					  .to = &c->smsr,
					  .eid = c->eid.text,
					  .ref = ref,
					  .transaction_id = ref,
					  .in = &in,
					  .wants_callback = true,
					  .give_up_s = validity_s };

	TRY(session_open(smdp, a, c, &clear, &session));
	if (!connectivity_build(&script, &session))
		return internal(a, "connectivity %s: its commands could not be made", c->id);
	in.parameters = (struct bytes){ (const uint8_t *)script.data, script.len };
	outbox_send(db, a, &m);
	return OK;
}

/* Orders ------------------------------------------------------------------------------------------------------------------------ */

/* The next session under these keys: the row of the key set is locked from here on. */
static result keys_take(struct db *db, struct arena *a, const struct connectivity_order *o, struct connectivity *c,
			enum connectivity_end *out_end)
{
	const struct rows *rows[2];

	db_begin(db);
	DB_QUEUE(db, SMDP_CONNECTIVITY_OVER, p_text(o->eid.text), p_int(a, CONNECTIVITY_SENT), p_int(a, CONNECTIVITY_EXPIRED));
	DB_QUEUE(db, SMDP_KEYSET_NEXT, p_text(o->eid.text), p_text(o->iccid.text));
	TRY(db_sync(db, a, rows, LEN(rows), NULL));
	*out_end = CONNECTIVITY_NO_KEYS;
	if (rows_count(rows[1]) == 0)
		return OK;
	c->kvn = (unsigned)row_int(rows[1], 0, 1);
	c->sequence = (uint32_t)row_int(rows[1], 0, 2);
	c->keys = row_bytes_dup(a, rows[1], 0, 3);
	if (!keyset_isdp(row_bytes(rows[1], 0, 0), &c->isdp))
		return internal(a, "the key set of ICCID %s cannot be read", o->iccid.text);
	*out_end = oid_parse(row_text(rows[1], 0, 4), &c->smsr) ? CONNECTIVITY_ORDERED : CONNECTIVITY_NO_SMSR;
	return OK;
}

static result order(const struct smdp *smdp, struct db *db, struct arena *a, const struct connectivity_order *o,
		    struct connectivity *c, enum connectivity_end *out_end)
{
	const struct rows *added;

	TRY(keys_take(db, a, o, c, out_end));
	if (*out_end != CONNECTIVITY_ORDERED)
		return OK;
	kek_wrap(&smdp->kek, aad(a, c->id), o->parameters.data, o->parameters.len, a, &c->parameters);
	DB_QUEUE(db, SMDP_CONNECTIVITY_ADD, p_text(c->id), p_text(c->eid.text), p_text(c->smsr.text), p_text(c->iccid.text),
		 p_bytes(c->isdp.data, c->isdp.len), p_int(a, c->kvn), p_int(a, c->sequence),
		 p_bytes(c->challenge, sizeof(c->challenge)), p_bytes(c->parameters.data, c->parameters.len), p_text(o->by),
		 p_int(a, o->validity_s));
	TRY(db_sync(db, a, &added, 1, NULL));
	if (rows_affected(added) == 0) {
		*out_end = CONNECTIVITY_BUSY;
		return OK;
	}
	TRY(call(smdp, db, a, c, o->validity_s));
	db_commit(db);
	return db_sync(db, a, NULL, 0, NULL);
}

result connectivity_order(struct smdp *smdp, struct db *db, struct arena *a, const struct connectivity_order *o,
			  enum connectivity_end *out_end, char out_id[UUID_TEXT])
{
	struct connectivity *c = ARENA_NEW(a, struct connectivity); /* queues point into it */
	result r;

	*c = (struct connectivity){ .eid = o->eid, .iccid = o->iccid, .step = 1 };
	uuid_new(c->id);
	random_bytes(c->challenge, sizeof(c->challenge));
	r = order(smdp, db, a, o, c, out_end);
	if (r != OK || *out_end != CONNECTIVITY_ORDERED) {
		db_rollback(db);
		return r;
	}
	memcpy(out_id, c->id, UUID_TEXT);
	outbox_ring(smdp->rpc->outbox);
	return OK;
}

/* Answers ----------------------------------------------------------------------------------------------------------------------- */

static bool challenge_take(struct bytes b, uint8_t out[SCP03_CHALLENGE])
{
	if (b.len != SCP03_CHALLENGE)
		return false;
	memcpy(out, b.data, b.len);
	return true;
}

/* Columns of SMDP_CONNECTIVITY_LOCK; *out NULL: no row. */
static result row_read(struct arena *a, const struct rows *r, struct connectivity **out)
{
	struct connectivity *c = ARENA_NEW(a, struct connectivity);
	int64_t state;

	*out = NULL;
	if (rows_count(r) == 0)
		return OK;
	state = row_int(r, 0, 10);
	*c = (struct connectivity){ .kvn = (unsigned)row_int(r, 0, 5),
				    .sequence = (uint32_t)row_int(r, 0, 6),
				    .parameters = row_bytes_dup(a, r, 0, 8),
				    .step = row_int(r, 0, 9),
				    .state = (enum connectivity_state)state,
				    .rest_us = row_int(r, 0, 11),
				    .keys = row_bytes_dup(a, r, 0, 12) };
	(void)snprintf(c->id, sizeof(c->id), "%s", row_text(r, 0, 0));
	if (!eid_parse(row_text(r, 0, 1), &c->eid) || !oid_parse(row_text(r, 0, 2), &c->smsr) ||
	    !iccid_parse(row_text(r, 0, 3), &c->iccid) || !keyset_isdp(row_bytes(r, 0, 4), &c->isdp) ||
	    !challenge_take(row_bytes(r, 0, 7), c->challenge) || state < 0 || state >= CONNECTIVITY_STATES)
		return internal(a, "connectivity %s: its row cannot be read", c->id);
	*out = c;
	return OK;
}

static void end(struct db *db, struct arena *a, const struct connectivity *c, enum connectivity_state state, const char *text)
{
	DB_QUEUE(db, SMDP_CONNECTIVITY_END, p_text(c->id), p_int(a, CONNECTIVITY_SENT), p_int(a, state),
		 p_text(arena_strcut(a, text, TEXT_MAX)));
	log_msg(LOG_INFO, "connectivity_ended", "%s of ICCID %s on %s: %s %s", c->id, c->iccid.text, c->eid.text,
		connectivity_state_name(state), text);
}

/* The card had counted otherwise: what it counts next is known now. False: no more of that. */
static result again(struct smdp *smdp, struct db *db, struct arena *a, struct connectivity *c, uint32_t counted, bool *out_called)
{
	int64_t validity = download_validity_s(function_by_id(FN_ES3_UpdateConnectivityParameters), c->rest_us);

	if (counted < SCP03_SEQUENCE_MAX)
		DB_QUEUE(db, SMDP_KEYSET_COUNT, p_text(c->eid.text), p_bytes(c->isdp.data, c->isdp.len),
			 p_int(a, (int64_t)counted + 1));
	*out_called = c->step < STEPS_MAX && validity > 0 && counted < SCP03_SEQUENCE_MAX;
	if (!*out_called)
		return OK;
	c->step++;
	c->sequence = counted + 1;
	random_bytes(c->challenge, sizeof(c->challenge));
	DB_QUEUE(db, SMDP_CONNECTIVITY_AGAIN, p_text(c->id), p_int(a, c->step), p_int(a, c->sequence),
		 p_bytes(c->challenge, sizeof(c->challenge)));
	return call(smdp, db, a, c, validity);
}

/* A Response that says that the card was asked. */
static result carried(struct smdp *smdp, struct db *db, struct arena *a, struct connectivity *c, struct bytes data,
		      bool *out_called)
{
	CLEANUP(connectivity_session_wipe) struct connectivity_session session = { 0 };
	CLEANUP(secret_free) struct secret clear = { 0 };
	uint32_t counted = 0;
	result r;

	if (c->keys.len == 0) {
		end(db, a, c, CONNECTIVITY_FAILED, "it was answered when we did not have the keys any more that would verify it");
		return OK;
	}
	TRY(session_open(smdp, a, c, &clear, &session));
	r = connectivity_read(a, &session, data, &counted);
	if (r == OK) {
		end(db, a, c, CONNECTIVITY_DONE, "");
		return OK;
	}
	if (r->code == CODE_INTERNAL)
		return r;
	if (counted)
		TRY(again(smdp, db, a, c, counted, out_called));
	if (!*out_called)
		end(db, a, c, CONNECTIVITY_FAILED, arena_printf(a, "%s%s", r->message, card_data_text(a, data)));
	return OK;
}

static const char *refusal_text(struct arena *a, const struct response_base *base, struct bytes data)
{
	const struct status_code_data *code = base->status.code;

	return arena_printf(a, "%s %s/%s: %s%s", status_name(base->status.status), code ? code->subject : "-",
			    code ? code->reason : "-", code && code->message ? code->message : "no message was given",
			    card_data_text(a, data));
}

static result said(struct smdp *smdp, struct db *db, struct arena *a, struct connectivity *c, const struct card_rs *rs,
		   bool *out_called)
{
	enum status status = rs->base.status.status;

	if (status == STATUS_SUCCESS || status == STATUS_WARNING)
		return carried(smdp, db, a, c, rs->euicc_response_data, out_called);
	end(db, a, c, status == STATUS_EXPIRED ? CONNECTIVITY_EXPIRED : CONNECTIVITY_FAILED,
	    refusal_text(a, &rs->base, rs->euicc_response_data));
	return OK;
}

static bool waits(const struct connectivity *c, int64_t step, const struct oid *from)
{
	return c && c->state == CONNECTIVITY_SENT && c->step == step && oid_equal(&c->smsr, from);
}

static result answered(struct smdp *smdp, struct db *db, struct arena *a, const struct outbox_answer *in, const char *id,
		       int64_t step, bool *out_called)
{
	struct connectivity *c;
	const struct rows *r;

	DB_QUEUE(db, SMDP_CONNECTIVITY_LOCK, p_text(id));
	TRY(db_sync(db, a, &r, 1, NULL));
	TRY(row_read(a, r, &c));
	if (!waits(c, step, &in->to))
		return OK;
	if (in->response)
		return said(smdp, db, a, c, in->response, out_called);
	if (in->given_up)
		end(db, a, c, CONNECTIVITY_EXPIRED, in->tried ? "the SM-SR gave no answer" : "the SM-SR was never reached");
	else
		end(db, a, c, CONNECTIVITY_FAILED,
		    arena_printf(a, "SOAP Fault: %s", in->fault.reason ? in->fault.reason : in->fault.code));
	return OK;
}

bool connectivity_answered(struct smdp *smdp, struct db *db, struct arena *a, const struct outbox_answer *in, bool *out_ours)
{
	bool called = false;
	const char *id;
	int64_t step;
	result r;

	*out_ours = ref_parse(a, in->ref, &id, &step);
	if (!*out_ours || in->accepted) /* the answer comes by callback */
		return true;
	r = answered(smdp, db, a, in, id, step, &called);
	if (r == OK) {
		if (called)
			outbox_ring(smdp->rpc->outbox);
		return true;
	}
	log_msg(LOG_WARN, "connectivity_answer", "%s: %s", in->ref, r->cause ? r->cause : status_code(r->code)->text);
	return false;
}

static void callback_queue(struct rq *rq, const void *in)
{
	const char *id = "00000000-0000-0000-0000-000000000000"; /* nobody's */
	int64_t step;

	(void)in;
	(void)ref_parse(rq->arena, rq->correlation, &id, &step);
	DB_QUEUE(rq->db, SMDP_CONNECTIVITY_LOCK, p_text(id));
}

static result callback_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct connectivity *c;

	(void)in;
	(void)facts;
	TRY(row_read(rq->arena, rows[0], &c));
	if (c)
		(void)snprintf(rq->eid, sizeof(rq->eid), "%s", c->eid.text);
	rq->loaded = c;
	return OK;
}

const struct load connectivity_callback_load = { .results = 1, .queue = callback_queue, .take = callback_take };

result connectivity_callback(struct rq *rq, const void *in, enum callback_verdict *out)
{
	struct connectivity *c = rq->loaded;
	bool called = false;
	const char *id;
	int64_t step = 0;

	*out = CALLBACK_NOT_OURS;
	if (!c || !oid_equal(&c->smsr, &rq->caller->oid) || !ref_parse(rq->arena, rq->correlation, &id, &step) || step > c->step)
		return OK;
	*out = CALLBACK_CLOSED;
	if (!waits(c, step, &rq->caller->oid))
		return OK;
	TRY(said(rq->role, rq->db, rq->arena, c, in, &called));
	rq->outbox = called;
	*out = CALLBACK_TAKEN;
	return OK;
}

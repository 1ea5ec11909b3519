/* SPDX-License-Identifier: Apache-2.0 */
/* ES2.DownloadProfile (SGP.02 5.3; procedures.md 3.3, steps 1 and 2): what is ordered, and whether it may be. */
#include <string.h>

#include "common/base/random.h"
#include "services/sm-dp/download.h"

enum { S_US = 1000000 };

struct order {
	bool busy, smsr_known, type_known;
	bool held;               /* the type has a free one, which another order may take or leave */
	struct stock_item *item; /* that of the ICCID, or a free one of the type; NULL: none */
};

static void queue(struct rq *rq, const void *in)
{
	const struct es2_download_profile_rq *order = in;
	const char *type = order->profile_type ? order->profile_type : "", *mno = rq->caller->oid.text;

	DB_QUEUE(rq->db, SMDP_DOWNLOAD_ACTIVE, p_text(order->eid.text));
	DB_QUEUE(rq->db, RPC_ENTITY_BY_OID, p_text(order->smsr.text));
	DB_QUEUE(rq->db, SMDP_TYPE_KNOWN, p_text(mno), p_text(type));
	if (order->iccid) {
		DB_QUEUE(rq->db, SMDP_STOCK_GET, p_text(order->iccid->text));
		DB_QUEUE0(rq->db, RPC_NOTHING);
	} else {
		DB_QUEUE(rq->db, SMDP_STOCK_FREE, p_text(mno), p_text(type), p_text(order->eid.text));
		DB_QUEUE(rq->db, SMDP_STOCK_ANY, p_text(mno), p_text(type), p_text(order->eid.text));
	}
}

static result take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct order *o = ARENA_NEW(rq->arena, struct order);

	(void)in;
	(void)facts;
	o->busy = rows_count(rows[0]) > 0;
	o->smsr_known = rows_count(rows[1]) > 0 && ((unsigned)row_int(rows[1], 0, 2) & ROLE_SM_SR);
	o->type_known = rows_count(rows[2]) > 0;
	o->held = rows_count(rows[4]) > 0;
	rq->loaded = o;
	return stock_item_from(rq->arena, rows[3], &o->item);
}

const struct load es2_download_profile_load = { .results = 5, .queue = queue, .take = take };

/* Of another operator's ICCID it is not said that there is one. */
static result iccid_check(struct arena *a, const struct oid *caller, const struct es2_download_profile_rq *in,
			  const struct order *o)
{
	const char *iccid = in->iccid->text;

	if (!o->item || !oid_equal(&o->item->mno, caller))
		return failed(a, CODE_ICCID_UNKNOWN, iccid, "this ICCID is not in the stock");
	if (in->profile_type && strcmp(in->profile_type, o->item->type) != 0)
		return failed(a, CODE_PARAM_INVALID, "ProfileType", "ProfileType: this ICCID is of type %s", o->item->type);
	if (o->item->state != STOCK_AVAILABLE)
		return failed(a, CODE_ICCID_IN_USE, iccid, "this ICCID is %s", stock_state_name(o->item->state));
	if (!stock_serves(o->item->sent, o->item->eid, &in->eid))
		return failed(a, CODE_ICCID_IN_USE, iccid, "the secrets of this ICCID were sent to another eUICC");
	return OK;
}

static result eligible(struct rq *rq, const struct es2_download_profile_rq *in, const struct order *o)
{
	struct arena *a = rq->arena;

	if (!in->profile_type && !in->iccid)
		return failed(a, CODE_PARAM_CONDITIONAL, "ProfileType", "ProfileType: either it or Iccid must be given");
	if (!o->smsr_known)
		return failed(a, CODE_SMSR_UNKNOWN, in->smsr.text, NULL);
	if (in->profile_type && !o->type_known)
		return failed(a, CODE_PROFILE_TYPE_UNKNOWN, in->profile_type, NULL);
	if (in->iccid)
		TRY(iccid_check(a, &rq->caller->oid, in, o));
	else if (!o->item && o->held) /* not remembered, as the other would be */
		return failed(a, CODE_BUSY, in->profile_type, "other orders look for an ICCID of this type");
	else if (!o->item)
		return failed(a, CODE_PROFILE_TYPE_EMPTY, in->profile_type, NULL);
	return o->busy ? failed(a, CODE_BUSY, in->eid.text, "another download to this eUICC is running") : OK;
}

result es2_download_profile(struct rq *rq, const void *in, void *out)
{
	const struct es2_download_profile_rq *order = in;
	const struct order *o = rq->loaded;
	struct download *d = ARENA_NEW(rq->arena, struct download);
	struct download_case c = { .rpc = rq->rpc, .smdp = rq->role, .db = rq->db, .a = rq->arena, .d = d };
	char *id = arena_alloc(rq->arena, UUID_TEXT);
	bool called;

	(void)out; /* the answer comes when it has ended */
	TRY(eligible(rq, order, o));
	if (!stock_move(rq->db, rq->arena, o->item, STEV_RESERVED, &order->eid))
		return failed(rq->arena, CODE_ICCID_IN_USE, o->item->iccid.text, NULL);
	uuid_new(id);
	*d = (struct download){ .id = id,
				.eid = order->eid,
				.smsr = order->smsr,
				.mno = rq->caller->oid,
				.iccid = o->item->iccid,
				.type = o->item->type,
				.enable = order->enable,
				.fci = rq->claim_key,
				.trace = rq->trace ? rq->trace : "",
				.context_id = rq->envelope->context_id ? rq->envelope->context_id : "",
				.state = DOWNLOAD_GET_EIS,
				.step = 1,
				.leftovers = "",
				.deadline = (int64_t)rq->validity_s * S_US };
	TRY(download_call(&c, false, &called));
	if (!called) /* the least validity of the table leaves time for it */
		return internal(rq->arena, "%u s are no time for a download", rq->validity_s);
	download_add(rq->db, rq->arena, d);
	rq->outbox = true;
	return OK;
}

void es2_download_profile_committed(struct rq *rq)
{
	const struct smdp *smdp = rq->role;

	due_ring(smdp->downloads, &download_due_table, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ES4, group ProfileManagement (SGP.02 5.5; functions.md ES4). */
#include "services/sm-sr/eis_store.h"
#include "services/sm-sr/smsr.h"

static void queue(struct rq *rq, const void *in)
{
	const struct es4_get_eis_rq *request = in;

	DB_QUEUE(rq->db, SMSR_EIS_LOAD, p_text(request->eid.text));
}

static result take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es4_get_eis_rq *request = in;
	struct eis *eis = ARENA_NEW(rq->arena, struct eis);

	TRY(eis_from_rows(rq->arena, &request->eid, &rq->rpc->self, rows[0], eis, &facts->eid_known));
	facts->eid_named = true;
	facts->eid = request->eid;
	facts->eum = eis->info.eum;
	facts->profiles = eis->profiles;
	facts->n_profiles = eis->n_profiles;
	rq->loaded = eis;
	return OK;
}

const struct load es4_get_eis_load = { .results = 1, .queue = queue, .take = take };

/* Stored data, no card (procedures.md 3.21). That the caller owns something here was checked; what it may see is D2. */
result es4_get_eis(struct rq *rq, const void *in, void *out)
{
	struct es4_get_eis_rs *response = out;
	struct eis *eis = rq->loaded;

	(void)eis_filter(eis, rq->caller->roles & ROLE_OPERATOR ? VIEW_OPERATOR : VIEW_M2M_SP, &rq->caller->oid, NULL, 0);
	response->eis = eis;
	return OK;
}

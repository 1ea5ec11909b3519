/* SPDX-License-Identifier: Apache-2.0 */
/* ES4, group PlatformManagement (SGP.02 5.5): what an operator has the card do. */
#include "services/sm-sr/cards.h"
#include "services/sm-sr/es4_card.h"
#include "services/sm-sr/procedure_internal.h"

result es4_case_take(struct rq *rq, const struct eid *eid, const struct rows *const *rows, struct relation_facts *facts)
{
	struct card_case *c = ARENA_NEW(rq->arena, struct card_case);

	c->rpc = rq->rpc;
	c->smsr = rq->role;
	c->db = rq->db;
	c->a = rq->arena;
	c->eid = *eid;
	TRY(case_take(c, rows));
	facts->eid_named = true;
	facts->eid = *eid;
	facts->eid_known = c->known;
	if (c->known) {
		facts->eum = c->eis.info.eum;
		facts->profiles = c->eis.profiles;
		facts->n_profiles = c->eis.n_profiles;
	}
	rq->loaded = c;
	return OK;
}

/* The sweeper may be asleep for longer than this procedure lasts. */
void es4_procedure_committed(struct rq *rq)
{
	struct card_case *c = rq->loaded;

	case_committed(c);
	if ((int64_t)rq->validity_s * 1000 <= (int64_t)c->smsr->config->sweep_ms)
		sweeper_ring(c->smsr);
}

static void queue(struct rq *rq, const void *in)
{
	const struct es4_profile_rq *request = in;

	case_queue(rq->db, &request->eid);
}

static result take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es4_profile_rq *request = in;

	facts->iccid = &request->iccid;
	return es4_case_take(rq, &request->eid, rows, facts);
}

const struct load es4_enable_profile_load = { .results = CASE_RESULTS, .queue = queue, .take = take };

static result check_disabled(struct arena *a, const struct profile_info *p)
{
	static const char *const names[] = { "Created", "Disabled", "Enabled", "In-Creation" };

	if (p->state == PROFILE_DISABLED)
		return OK;
	return failed(a, CODE_PROFILE_NOT_ALLOWED, p->iccid.text, "the profile is %s, not Disabled", names[p->state]);
}

/* Deferred: the answer leaves when the card confirmed the change, or the validity period ends. That the caller owns the
 * profile was checked. */
result es4_enable_profile(struct rq *rq, const void *in, void *out)
{
	const struct es4_profile_rq *request = in;
	struct card_case *c = rq->loaded;
	const struct profile_info *target = case_profile_of_iccid(c, &request->iccid);

	(void)out;
	TRY(procedure_may_start(rq->arena, c));
	if (!target)
		return failed(rq->arena, CODE_ICCID_UNKNOWN, request->iccid.text, NULL);
	TRY(check_disabled(rq->arena, target));
	TRY(pol2_allow_enable(rq->arena, target, case_enabled(c)));
	return procedure_start(rq, c, &(const struct procedure_start){ .kind = PROC_ENABLE, .target = target });
}

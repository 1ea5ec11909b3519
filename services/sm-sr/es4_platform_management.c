/* SPDX-License-Identifier: Apache-2.0 */
/* ES3 and ES4, group PlatformManagement (SGP.02 5.4, 5.5): what an operator has the card do, by itself or through its SM-DP. */
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

const struct load es4_profile_load = { .results = CASE_RESULTS, .queue = queue, .take = take };

static result check_state(struct arena *a, const struct profile_info *p, enum profile_state wanted)
{
	static const char *const names[] = { "Created", "Disabled", "Enabled", "In-Creation" };

	if (p->state == wanted)
		return OK;
	return failed(a, CODE_PROFILE_NOT_ALLOWED, p->iccid.text, "the profile is %s, not %s", names[p->state], names[wanted]);
}

/* The holder cannot be disabled or deleted, and another one must be there to take over (procedures.md 3.7). */
static result check_fallback(struct arena *a, const struct card_case *c, const struct profile_info *target, bool takes_over)
{
	const struct profile_info *holder = case_fallback(c);

	if (target->fallback)
		return failed(a, CODE_PROFILE_NOT_ALLOWED, target->iccid.text, "the profile holds the fall-back attribute");
	if (takes_over && (!holder || holder->state != PROFILE_DISABLED))
		return failed(a, CODE_PROFILE_NOT_ALLOWED, target->iccid.text, "no profile could take over: the eUICC has %s",
			      holder ? "a fall-back profile that is not Disabled" : "none with the fall-back attribute");
	return OK;
}

/* What each handler begins with. */
static result target_of(struct rq *rq, const struct es4_profile_rq *request, const struct profile_info **out)
{
	const struct card_case *c = rq->loaded;
	const struct profile_info *target = case_profile_of_iccid(c, &request->iccid);

	TRY(procedure_may_start(rq, c, target ? &target->isdp_aid : NULL));
	if (!target)
		return failed(rq->arena, CODE_ICCID_UNKNOWN, request->iccid.text, NULL);
	*out = target;
	return OK;
}

/* Deferred, as the others below: the answer leaves when the card confirmed the change, or the validity period ends. That the
 * caller owns the profile was checked. */
result es4_enable_profile(struct rq *rq, const void *in, void *out)
{
	struct card_case *c = rq->loaded;
	const struct profile_info *target;

	(void)out;
	TRY(target_of(rq, in, &target));
	TRY(check_state(rq->arena, target, PROFILE_DISABLED));
	TRY(pol2_allow_enable(rq->arena, target, case_enabled(c)));
	return procedure_start(rq, c, &(const struct procedure_start){ .kind = PROC_ENABLE, .target = target });
}

result es4_disable_profile(struct rq *rq, const void *in, void *out)
{
	struct card_case *c = rq->loaded;
	const struct profile_info *target;

	(void)out;
	TRY(target_of(rq, in, &target));
	TRY(check_state(rq->arena, target, PROFILE_ENABLED));
	TRY(check_fallback(rq->arena, c, target, true));
	TRY(pol2_allow_disable(rq->arena, target));
	return procedure_start(rq, c, &(const struct procedure_start){ .kind = PROC_DISABLE, .target = target });
}

/* What a download left behind its SM-DP takes away (D1, procedures.md 3.4). So it does with what is In-Creation still: its CreateISDP has
 * expired, and "not there" would be a guess that lets the ICCID go to another card (D6); the audit before the command tells. */
static bool leftover_of(const struct rq *rq, const struct profile_info *p)
{
	bool incomplete = p->state == PROFILE_CREATED || p->state == PROFILE_IN_CREATION;

	return rq->fn->iface == IF_ES3 && incomplete && p->smdp && oid_equal(p->smdp, &rq->caller->oid);
}

/* One that is enabled is disabled first (procedures.md 3.8). One whose download is not complete is its SM-DP's. */
result es4_delete_profile(struct rq *rq, const void *in, void *out)
{
	struct card_case *c = rq->loaded;
	const struct profile_info *target;
	bool enabled;

	(void)out;
	TRY(target_of(rq, in, &target));
	enabled = target->state == PROFILE_ENABLED;
	if (!enabled && !leftover_of(rq, target))
		TRY(check_state(rq->arena, target, PROFILE_DISABLED));
	TRY(check_fallback(rq->arena, c, target, enabled));
	if (!leftover_of(rq, target)) /* POL2 is that of a complete profile */
		TRY(pol2_allow_delete(rq->arena, target));
	return procedure_start(rq, c, &(const struct procedure_start){ .kind = PROC_DELETE, .target = target });
}

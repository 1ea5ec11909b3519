/* SPDX-License-Identifier: Apache-2.0 */
/* ES3 and ES4, group ProfileManagement: what needs no card (SGP.02 5.4, 5.5; functions.md ES3, ES4). The bodies are the same but for those
 * of UpdatePolicyRules; whose call it is shows in what it may see. */
#include "common/base/clock.h"
#include "services/sm-sr/eis_store.h"
#include "services/sm-sr/es4_card.h"
#include "services/sm-sr/procedures.h"
#include "services/sm-sr/smsr_change.h"

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

/* Stored data, no card (procedures.md 3.21). That an operator owns something here was checked; what the caller may see is D2: an SM-DP perhaps
 * no profile at all. */
result es4_get_eis(struct rq *rq, const void *in, void *out)
{
	struct es4_get_eis_rs *response = out;
	struct eis *eis = rq->loaded;

	(void)eis_filter(eis, eis_view_of(rq->fn, rq->caller->roles), &rq->caller->oid, rq->caller->customers,
			 rq->caller->n_customers);
	response->eis = eis;
	return OK;
}

static void policy_queue(struct rq *rq, const void *in)
{
	const struct es4_update_policy_rules_rq *request = in;

	case_queue(rq->db, &request->eid);
}

static result policy_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es4_update_policy_rules_rq *request = in;

	facts->iccid = &request->iccid;
	return es4_case_take(rq, &request->eid, rows, facts);
}

static void es3_policy_queue(struct rq *rq, const void *in)
{
	const struct es3_update_policy_rules_rq *request = in;

	case_queue(rq->db, &request->eid);
}

static result es3_policy_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es3_update_policy_rules_rq *request = in;

	facts->iccid = &request->iccid;
	return es4_case_take(rq, &request->eid, rows, facts);
}

const struct load es3_update_policy_rules_load = { .results = CASE_RESULTS, .queue = es3_policy_queue, .take = es3_policy_take };

const struct load es4_update_policy_rules_load = { .results = CASE_RESULTS, .queue = policy_queue, .take = policy_take };

static void address_queue(struct rq *rq, const void *in)
{
	const struct es4_update_subscription_address_rq *request = in;

	case_queue(rq->db, &request->eid);
}

static result address_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es4_update_subscription_address_rq *request = in;

	facts->iccid = &request->iccid;
	return es4_case_take(rq, &request->eid, rows, facts);
}

const struct load es4_update_subscription_address_load = { .results = CASE_RESULTS, .queue = address_queue, .take = address_take };

static const char *changed_json(struct rq *rq, const struct eid *eid, const struct iccid *iccid, const struct oid *mno)
{
	char at[DATETIME_MAX];

	datetime_format(rq->received_us, at);
	return arena_printf(rq->arena, "{\"eid\":\"%s\",\"iccid\":\"%s\",\"mno\":\"%s\",\"smsr\":\"%s\",\"at\":\"%s\"}", eid->text,
			    iccid->text, mno->text, rq->rpc->self.text, at);
}

/* Replaces all rules; none is an explicit "no restriction" (procedures.md 3.10). A command that is under way is judged again by them before
 * the card gets it; what the card has already is not called back. */
static result set_rules(struct rq *rq, const struct iccid *iccid, const struct pol2 *rules)
{
	const struct card_case *c = rq->loaded;
	const struct profile_info *target = case_profile_of_iccid(c, iccid);
	struct bytes pol2 = pol2_to_bytes(rq->arena, rules);

	TRY(smsr_change_lets(c));
	if (!target)
		return failed(rq->arena, CODE_ICCID_UNKNOWN, iccid->text, NULL);
	DB_QUEUE(rq->db, SMSR_PROFILE_POL2, p_text(c->eid.text), p_text(iccid->text), p_bytes(pol2.data, pol2.len));
	rq_event(rq, "profile.pol2_updated", c->eid.text, changed_json(rq, &c->eid, iccid, &target->mno));
	return OK;
}

result es4_update_policy_rules(struct rq *rq, const void *in, void *out)
{
	const struct es4_update_policy_rules_rq *request = in;

	(void)out;
	return set_rules(rq, &request->iccid, &request->pol2);
}

/* An SM-DP may leave the rules out: then there are none [GUESS: procedures.md 3.10]. */
enum { POL2_ABSENT_CLEARS = true };

result es3_update_policy_rules(struct rq *rq, const void *in, void *out)
{
	static const struct pol2 none = { 0 };
	const struct es3_update_policy_rules_rq *request = in;

	(void)out;
	if (!request->pol2 && !POL2_ABSENT_CLEARS)
		return failed(rq->arena, CODE_PARAM_MISSING, "pol2", NULL);
	return set_rules(rq, &request->iccid, request->pol2 ? request->pol2 : &none);
}

static struct param p_text_or_null(const char *s)
{
	return s ? p_text(s) : p_null();
}

/* Replaces both; absent ones are forgotten. The next SMS to the card goes to the new number (procedures.md 3.22). */
result es4_update_subscription_address(struct rq *rq, const void *in, void *out)
{
	const struct es4_update_subscription_address_rq *request = in;
	const struct card_case *c = rq->loaded;
	const struct profile_info *target = case_profile_of_iccid(c, &request->iccid);

	(void)out;
	TRY(smsr_change_lets(c));
	if (!target)
		return failed(rq->arena, CODE_ICCID_UNKNOWN, request->iccid.text, NULL);
	DB_QUEUE(rq->db, SMSR_PROFILE_ADDRESS, p_text(request->eid.text), p_text(request->iccid.text),
		 p_text_or_null(request->address.imsi), p_text_or_null(request->address.msisdn));
	rq_event(rq, "profile.address_updated", request->eid.text, changed_json(rq, &request->eid, &request->iccid, &target->mno));
	return OK;
}

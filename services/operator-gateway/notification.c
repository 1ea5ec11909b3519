/* SPDX-License-Identifier: Apache-2.0 */
/* What SM-SRs and SM-DPs tell of their own accord. */
#include <string.h>

#include "common/base/log.h"
#include "services/operator-gateway/api.h"
#include "services/operator-gateway/gateway.h"
#include "services/operator-gateway/operation.h"

/* As tenants see it. NULL: the handlers and this table disagree. */
static const char *kind_of(const struct function *fn)
{
	static const struct {
		const char *name, *kind;
	} rows[] = {
		{ "HandleProfileEnabledNotification", "enabled" },          { "HandleProfileDisabledNotification", "disabled" },
		{ "HandleProfileDeletedNotification", "deleted" },          { "HandleProfileDownloadedNotification", "downloaded" },
		{ "HandleProfilePOL2UpdatedNotification", "pol2_updated" }, { "HandleSMSRChangeNotification", "smsr_changed" },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		if (!strcmp(rows[i].name, fn->name))
			return rows[i].kind;
	return NULL;
}

/* iccid NULL: it is about the card. detail: what else it says, as members of its JSON. */
static result notified(struct rq *rq, const struct eid *eid, const struct iccid *iccid, int64_t completed, const json_t *detail)
{
	const char *sender = rq->caller->oid.text, *kind = kind_of(rq->fn);

	if (!kind)
		return internal(rq->arena, "%s has no kind", rq->fn->wire);
	DB_QUEUE(rq->db, GW_NOTIFICATION_ADD, p_text(iface_name(rq->fn->iface)), p_text(sender), p_text(eid->text),
		 p_text(iccid ? iccid->text : ""), p_text(kind), p_time(rq->arena, completed), p_text(rq->envelope->message_id),
		 p_text(detail ? json_text(rq->arena, detail) : ""));
	DB_QUEUE(rq->db, GW_OPERATION_WAKE, p_text(eid->text), p_text(sender));
	return OK;
}

static result handle_profile(struct rq *rq, const void *in, void *out)
{
	const struct profile_notification *n = in;

	(void)out;
	return notified(rq, &n->eid, &n->iccid, n->completed, NULL);
}

static result handle_profile_downloaded(struct rq *rq, const void *in, void *out)
{
	const struct profile_downloaded_notification *n = in;
	CLEANUP(json_freep) json_t *detail = json_object();

	(void)out;
	json_put(detail, "profile_type", n->profile_type);
	json_put(detail, "mno", n->owner ? n->owner->text : NULL);
	return notified(rq, &n->eid, &n->iccid, n->completed, detail);
}

static result handle_profile_pol2_updated(struct rq *rq, const void *in, void *out)
{
	const struct pol2_updated_notification *n = in;
	CLEANUP(json_freep) json_t *detail = json_object();

	(void)out;
	if (n->pol2)
		json_object_set_new(detail, "rules", api_pol2_json(n->pol2));
	return notified(rq, &n->eid, &n->iccid, n->completed, detail);
}

/* By the SM-SR that has the card now, or by an SM-DP that acts for us. */
static bool may_tell_of_change(const struct rq *rq, const struct oid *smsr)
{
	const struct entity *caller = rq->caller;

	if (rq->fn->iface == IF_ES4)
		return oid_equal(&caller->oid, smsr);
	for (size_t i = 0; i < caller->n_customers; i++)
		if (oid_equal(&caller->customers[i], &rq->rpc->self))
			return true;
	return false;
}

static void ask_for_smsr(struct rq *rq, const void *in)
{
	const struct smsr_change_notification *n = in;

	DB_QUEUE(rq->db, RPC_ENTITY_BY_OID, p_text(n->eis.smsr.text));
}

/* What becomes of the change that was told. */
struct told {
	bool counts;
};

static result take_smsr(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct smsr_change_notification *n = in;
	bool known = rows_count(rows[0]) && ((unsigned)row_int(rows[0], 0, 2) & ROLE_SM_SR);
	struct told *told = ARENA_NEW(rq->arena, struct told);

	(void)facts;
	told->counts = known && may_tell_of_change(rq, &n->eis.smsr);
	rq->loaded = told;
	return OK;
}

static const struct load smsr_load = { .results = 1, .queue = ask_for_smsr, .take = take_smsr };

static result handle_smsr_change(struct rq *rq, const void *in, void *out)
{
	const struct smsr_change_notification *n = in;
	CLEANUP(json_freep) json_t *detail = json_object();
	const struct told *told = rq->loaded;
	const struct eid *eid = &n->eis.info.eid;
	json_t *iccids = json_array();

	(void)out;
	json_put(detail, "new_smsr", n->eis.smsr.text);
	json_object_set_new(detail, "iccids", iccids);
	for (size_t i = 0; i < n->eis.n_profiles; i++)
		json_array_append_new(iccids, json_string(n->eis.profiles[i].iccid.text));
	if (told->counts)
		DB_QUEUE(rq->db, GW_EUICC_MOVE, p_text(eid->text), p_text(n->eis.smsr.text), p_time(rq->arena, n->completed),
			 p_text(""), p_null());
	return notified(rq, eid, NULL, n->completed, detail);
}

static void notification_committed(struct rq *rq)
{
	struct gateway *g = rq->role;

	waits_ring(g->waits, NULL);
}

static void smsr_change_committed(struct rq *rq)
{
	const struct told *told = rq->loaded;

	if (!told->counts)
		log_msg(LOG_WARN, "smsr_change_ignored", "%s says that %s is at another SM-SR, which is not for it to say",
			rq->caller->oid.text, rq->eid);
	notification_committed(rq);
}

/* An SM-SR and an SM-DP may tell of the same change: both are kept, for they are different messages. */
const struct served gateway_served[] = {
	{ FN_ES2_HandleProfileEnabledNotification, NULL, handle_profile, notification_committed },
	{ FN_ES2_HandleProfileDisabledNotification, NULL, handle_profile, notification_committed },
	{ FN_ES2_HandleProfileDeletedNotification, NULL, handle_profile, notification_committed },
	{ FN_ES2_HandleSMSRChangeNotification, &smsr_load, handle_smsr_change, smsr_change_committed },
	{ FN_ES2_HandleProfileDownloadedNotification, NULL, handle_profile_downloaded, notification_committed },
	{ FN_ES2_HandleProfilePOL2UpdatedNotification, NULL, handle_profile_pol2_updated, notification_committed },
	{ FN_ES4_HandleProfileEnabledNotification, NULL, handle_profile, notification_committed },
	{ FN_ES4_HandleProfileDisabledNotification, NULL, handle_profile, notification_committed },
	{ FN_ES4_HandleProfileDeletedNotification, NULL, handle_profile, notification_committed },
	{ FN_ES4_HandleSMSRChangeNotification, &smsr_load, handle_smsr_change, smsr_change_committed },
	{ FN_ES4_HandleProfileDownloadedNotification, NULL, handle_profile_downloaded, notification_committed },
	{ FN_ES4_HandleProfilePOL2UpdatedNotification, NULL, handle_profile_pol2_updated, notification_committed },
};
const size_t gateway_n_served = LEN(gateway_served);

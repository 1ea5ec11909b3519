/* SPDX-License-Identifier: Apache-2.0 */
/* What this sm-dp serves, or hands on to the card's SM-SR or the profile's operator; every other row of proto/functions.def is answered 1.6/3.1
 * by the pipeline. */
#include "common/rpc/relay.h"
#include "services/sm-dp/download.h"

const struct served smdp_served[] = {
	{ FN_ES2_DownloadProfile, &es2_download_profile_load, es2_download_profile, es2_download_profile_committed },
	RELAY(ES2, GetEIS, ES3, GetEIS),
	RELAY(ES2, EnableProfile, ES3, EnableProfile),
	RELAY(ES2, DisableProfile, ES3, DisableProfile),
	RELAY(ES2, DeleteProfile, ES3, DeleteISDP),
	RELAY(ES2, AuditEIS, ES3, AuditEIS),
	RELAY(ES2, UpdatePolicyRules, ES3, UpdatePolicyRules),
	RELAY(ES2, UpdateSubscriptionAddress, ES3, UpdateSubscriptionAddress),
	RELAY(ES3, HandleProfileEnabledNotification, ES2, HandleProfileEnabledNotification),
	RELAY(ES3, HandleProfileDisabledNotification, ES2, HandleProfileDisabledNotification),
	RELAY(ES3, HandleSMSRChangeNotification, ES2, HandleSMSRChangeNotification),
	RELAY(ES3, HandleProfileDeletedNotification, ES2, HandleProfileDeletedNotification),
	RELAY(ES3, HandleProfileDownloadedNotification, ES2, HandleProfileDownloadedNotification),
	RELAY(ES3, HandleProfilePOL2UpdatedNotification, ES2, HandleProfilePOL2UpdatedNotification),
};
const size_t smdp_n_served = LEN(smdp_served);

static void owner_queue(struct rq *rq, const struct iccid *iccid)
{
	DB_QUEUE(rq->db, SMDP_STOCK_OWNER, p_text(iccid->text));
}

/* A profile that is deleted leaves its ICCID to a person. */
static void relayed(void *role, struct db *db, struct arena *a, const struct relay_end *end)
{
	const struct es4_profile_rq *request = end->request;

	(void)role;
	if (end->fn->id == FN_ES2_DeleteProfile && end->base &&
	    (end->base->status.status == STATUS_SUCCESS || end->base->status.status == STATUS_WARNING))
		stock_deleted(db, a, &request->iccid, &request->eid, 0);
}

/* Whom connectivity parameters go by from then on. Only the SM-SR that has the card now says so. */
static bool told_moved(struct rq *rq, const struct es3_smsr_change_notification *n)
{
	const struct eis *eis = &n->es2.eis;

	if (!oid_equal(&rq->caller->oid, &eis->smsr))
		return false;
	DB_QUEUE(rq->db, SMDP_KEYSET_MOVE, p_text(eis->info.eid.text), p_text(eis->smsr.text), p_time(rq->arena, n->es2.completed));
	return true;
}

/* A profile that was deleted otherwise: straight through its SM-SR, by another, or by its rules; a card that moved. */
static bool told(struct rq *rq, const void *in)
{
	const struct es3_profile_notification *n = in;

	if (rq->fn->id == FN_ES3_HandleSMSRChangeNotification)
		return told_moved(rq, in);
	if (rq->fn->id == FN_ES3_HandleProfileDeletedNotification)
		stock_deleted(rq->db, rq->arena, &n->es2.iccid, &n->es2.eid, n->es2.completed);
	return true;
}

const struct relay_role smdp_relay = { .owner_queue = owner_queue, .ended = relayed, .told = told };

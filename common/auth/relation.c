/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/relation.h"

#include <string.h>

/* A customer of an SM-DP, or the caller itself. */
static bool owns(const struct entity *caller, const struct oid *mno)
{
	if (oid_equal(&caller->oid, mno))
		return true;
	if (caller->roles & ROLE_SM_DP)
		for (size_t i = 0; i < caller->n_customers; i++)
			if (oid_equal(&caller->customers[i], mno))
				return true;
	return false;
}

static result eid_known(struct arena *a, const struct relation_facts *facts)
{
	if (facts->eid_named && !facts->eid_known)
		return failed(a, CODE_EID_UNKNOWN, facts->eid.text, NULL);
	return OK;
}

/* The SM-DP that made a profile. */
static bool made(const struct entity *caller, const struct profile_info *p)
{
	return p->smdp && oid_equal(p->smdp, &caller->oid);
}

/* by_smdp: the caller comes as an SM-DP, with what it made and what its customers own. */
static result owns_any(struct arena *a, const struct entity *caller, const struct relation_facts *facts, bool by_smdp)
{
	for (size_t i = 0; i < facts->n_profiles; i++) {
		const struct profile_info *p = &facts->profiles[i];

		if (p->state == PROFILE_IN_CREATION)
			continue;
		if (by_smdp ? owns(caller, &p->mno) || made(caller, p) : oid_equal(&p->mno, &caller->oid))
			return OK;
	}
	return failed(a, CODE_EUICC_NOT_ALLOWED, facts->eid.text, NULL);
}

/* maker: who may take away what it began to make and of which nobody knows whether the card has it; NULL: nobody. */
static const struct profile_info *profile_named(const struct relation_facts *facts, const struct entity *maker)
{
	for (size_t i = 0; facts->iccid && i < facts->n_profiles; i++) {
		const struct profile_info *p = &facts->profiles[i];

		if (iccid_equal(&p->iccid, facts->iccid) && (p->state != PROFILE_IN_CREATION || (maker && made(maker, p))))
			return p;
	}
	return NULL;
}

/* by_smdp: the SM-DP that made the profile will do as well as its owner. unsettled: it may be one In-Creation then. */
static result owns_profile(struct arena *a, const struct entity *caller, const struct relation_facts *facts, bool by_smdp,
			   bool unsettled)
{
	const struct profile_info *p = profile_named(facts, by_smdp && unsettled ? caller : NULL);

	if (!p)
		return failed(a, CODE_ICCID_UNKNOWN, facts->iccid ? facts->iccid->text : NULL, NULL);
	if (owns(caller, &p->mno) || (by_smdp && made(caller, p)))
		return OK;
	return failed(a, CODE_PROFILE_NOT_ALLOWED, p->iccid.text, "the requester does not own this profile");
}

/* D1: assigned in our stock, else the owner by a fresh EIS; without an ICCID anything on the card will do. */
static result owns_stock(struct arena *a, const struct entity *caller, const struct relation_facts *facts)
{
	if (facts->stock != STOCK_UNKNOWN)
		return OK;
	return facts->iccid ? owns_profile(a, caller, facts, false, false) : owns_any(a, caller, facts, false);
}

/* Only who made it: that its operator is a customer will not do. ISD-Ps are numbered, anybody can name them: the ICCIDs behind them are not
 * told (D2). */
static result made_isdp(struct arena *a, const struct entity *caller, const struct relation_facts *facts)
{
	if (!facts->isdp)
		return failed(a, CODE_ISDP_NOT_ALLOWED, facts->eid.text,
			      "the data is nothing that an SM-DP may send to this security domain");
	for (size_t i = 0; i < facts->n_profiles; i++) {
		const struct profile_info *p = &facts->profiles[i];

		if (p->state != PROFILE_IN_CREATION && aid_equal(&p->isdp_aid, facts->isdp))
			return made(caller, p)
				       ? OK
				       : failed(a, CODE_ISDP_NOT_ALLOWED, facts->eid.text, "another SM-DP created this ISD-P");
	}
	return failed(a, CODE_ISDP_UNKNOWN, facts->eid.text, NULL);
}

static result not_allowed(struct arena *a)
{
	return failed(a, CODE_REQUESTER_NOT_ALLOWED, NULL, NULL);
}

result relation_check(struct arena *a, const struct function *f, const struct entity *caller, const struct relation_facts *facts)
{
	TRY(eid_known(a, facts));
	switch (f->relation) {
	case REL_NONE:
	case REL_EID:
	case REL_RECIPIENT:
		return OK;
	case REL_EUM_OF_EID:
		return oid_equal(&facts->eum, &caller->oid) ? OK : not_allowed(a);
	case REL_OWNS_ANY:
		return owns_any(a, caller, facts, f->iface == IF_ES3);
	case REL_PROFILE_OWNER:
	case REL_PROFILE_OWNER_STRICT:
		return owns_profile(a, caller, facts, false, false);
	case REL_PROFILE_SMDP:
		return owns_profile(a, caller, facts, true, f->id == FN_ES3_DeleteISDP);
	case REL_ISDP:
		return made_isdp(a, caller, facts);
	case REL_ORDERER:
		return !facts->orderer.text[0] || oid_equal(&facts->orderer, &caller->oid) ? OK : not_allowed(a);
	case REL_STOCK:
		return owns_stock(a, caller, facts);
	case REL_HANDOVER:
		return facts->handover == HANDOVER_PARTNERS ? OK : failed(a, CODE_EID_UNKNOWN, facts->eid.text, NULL);
	case REL_PLMA_OWNER:
		/* Its table comes with its functions; until then nobody has this relation. */
		return not_allowed(a);
	}
	return not_allowed(a);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The one check of who may do what to which card or profile (decisions.md D1). */
#ifndef AUTH_RELATION_H
#define AUTH_RELATION_H

#include "common/auth/registry.h"
#include "common/sgp02/eis.h"

/* What the begin step loaded, as far as the relation needs it. */
struct relation_facts {
	bool eid_named, eid_known;   /* the input has an EID; we manage it */
	struct eid eid;
	struct oid eum;              /* who registered it; valid when eid_known */
	const struct profile_info *profiles; /* of the EID, In-Creation included */
	size_t n_profiles;
	const struct iccid *iccid;   /* the ICCID the input names; NULL: none */
	const struct aid *isdp;      /* REL_ISDP: whom the commands reach; NULL: nothing that an SM-DP may command */
	/* REL_STOCK: the profile is the caller's by our own tables; or the relay asks the next hop first, and checks once more with profiles. */
	enum { STOCK_UNKNOWN, STOCK_CALLERS, STOCK_ASK } stock;
	/* REL_HANDOVER: set by the load when the caller is the other SM-SR of this EID's change, announced and not over. */
	enum { HANDOVER_NONE, HANDOVER_PARTNERS } handover;
	struct oid orderer;          /* REL_ORDERER: of the batch; empty text: no such row, the handler says so */
};

/* OK, or the code of procedures.md 5.4: 8.1.1/1.1 EID unknown, 8.1/1.2 owns nothing, 8.2.1/3.9 ICCID unknown, 8.2.1/1.2 not the owner, 8.3.1/3.9 ISD-P unknown,
 * 8.3.1/1.2 not its SM-DP, 1.1/1.2 else. An EID that was not announced to this SM-SR is unknown to it: whether another one has it is not told. */
result relation_check(struct arena *a, const struct function *f, const struct entity *caller, const struct relation_facts *facts);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The EIS in PostgreSQL. */
#ifndef SMSR_EIS_STORE_H
#define SMSR_EIS_STORE_H

#include "common/rpc/rq.h"
#include "common/sgp02/eis.h"

/* Reads the rows of SMSR_EIS_LOAD. *out_known false: no such EID. Octets and texts are copied into a. INTERNAL: a damaged row. */
result eis_from_rows(struct arena *a, const struct eid *eid, const struct oid *smsr, const struct rows *rows, struct eis *out, bool *out_known);

/* Who looks at an EIS by calling fn with these roles (D2). */
enum eis_view eis_view_of(const struct function *fn, unsigned roles);
/* An ISD-R key as it is stored. */
struct stored_key {
	int64_t version, index;
	uint8_t type;
	uint8_t kcv[3];
	struct bytes wrapped;
};
/* Queues all rows of a new EIS. signer: DER of the certificate that verified it. */
void eis_insert(struct db *db, struct arena *a, const struct eis *eis, struct bytes signer, bool signer_revoked, const struct stored_key *keys,
		size_t n_keys);
/* As the rules of a profile are stored, in a. */
struct bytes pol2_to_bytes(struct arena *a, const struct pol2 *pol2);
/* Queues properties: replaced by key. */
void eis_save_properties(struct db *db, struct arena *a, const struct eid *eid, const struct properties *p);

#endif

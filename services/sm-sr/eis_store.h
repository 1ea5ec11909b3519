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
/* Who signed it: DER of the certificate, and whether it is revoked. */
struct eis_signer {
	struct bytes der;
	bool revoked;
};
/* Queues all rows of a new EIS; a tombstone of it goes. shared_iccids: what another card has as its ICCID here is no obstacle. */
void eis_insert(struct db *db, struct arena *a, const struct eis *eis, const struct eis_signer *signer, const struct stored_key *keys,
		size_t n_keys, bool shared_iccids);
/* As the rules of a profile are stored, in a. */
struct bytes pol2_to_bytes(struct arena *a, const struct pol2 *pol2);
/* Queues properties: replaced by key. */
void eis_save_properties(struct db *db, struct arena *a, const struct eid *eid, const struct properties *p);

#endif

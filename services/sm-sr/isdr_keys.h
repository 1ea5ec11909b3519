/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SMSR_ISDR_KEYS_H
#define SMSR_ISDR_KEYS_H

#include "common/rpc/rq.h"
#include "services/sm-sr/eis_store.h"
#include "services/sm-sr/smsr.h"

/* Unwraps the ISD-R keys of a registration with the EUM's transport key, checks their KCVs and wraps them for rest (procedures.md 2.2, 5.4;
 * B3). Clear keys never leave this file and are wiped. OK with *out in rq->arena; 8.4/6.1 naming keyset and key; 1.2/4.2 when no transport
 * key was agreed with the EUM. */
result isdr_keys_take(struct rq *rq, const struct eis *eis, struct stored_key **out, size_t *out_n);

/* A key as it is stored, opened: for the PSK of a session and for SCP80. False: it was wrapped for another place or under another KEK. The caller
 * frees *out. */
bool isdr_key_open(const struct smsr *smsr, const struct eid *eid, int64_t version, int64_t index, struct bytes wrapped,
		   struct secret *out);

/* A key of our own making, as it is stored; in a. False: key type or length not known. */
struct isdr_key {
	uint8_t version, index, type;
	const uint8_t *value;
	size_t len;
};
bool isdr_key_store(const struct smsr *smsr, struct arena *a, const struct eid *eid, const struct isdr_key *k,
		    struct stored_key *out);

#endif

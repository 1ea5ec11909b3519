/* SPDX-License-Identifier: Apache-2.0 */
/* The key sets of a card's ISD-R that have keys here, and the new one for HTTPS (decisions.md B3, E2). */
#ifndef SMSR_HANDOVER_KEYS_H
#define SMSR_HANDOVER_KEYS_H

#include "common/card/isdr_handover.h"
#include "services/sm-sr/smsr.h"

/* Numbers stand in rows. */
enum keyset_stage {
	KEYSET_IN_USE,
	KEYSET_MADE,  /* the card has not said that it has it: nobody opens a session with it */
	KEYSET_TAKEN, /* it has, and does not know yet where to go: it is not woken for a session */
};

struct held_key {
	uint8_t version, index, type; /* index 0: the set is listed, without a key here */
	enum keyset_stage stage;
	struct bytes wrapped;
};
struct held_keys {
	struct held_key *all; /* by version and index */
	size_t n;
};

/* One result. */
void held_keys_queue(struct db *db, const struct eid *eid);
void held_keys_take(struct arena *a, const struct rows *rows, struct held_keys *out);
bool held_keys_lists(const struct held_keys *h, uint8_t version);
/* NULL: it has none. */
const struct held_key *held_key_of(const struct held_keys *h, uint8_t version, uint8_t index);
/* The set that secures SMS to the card: the lowest of SCP80 that has keys. 0: none. */
uint8_t held_keys_sms(const struct held_keys *h);
/* The newest of SCP81 that the card has. 0: none. */
uint8_t held_keys_https(const struct held_keys *h);

/* A new set with this version, its rows queued as KEYSET_MADE; or, when it was made before, the same. False: it cannot be opened with our
 * KEK, or the library failed. The caller wipes *out. */
bool scp81_keys_make(const struct smsr *smsr, struct db *db, struct arena *a, const struct eid *eid, uint8_t version,
		     struct scp81_keys *out);
bool scp81_keys_open(const struct smsr *smsr, const struct eid *eid, const struct held_keys *h, uint8_t version,
		     struct scp81_keys *out);
/* The DEK of an SCP80 set. False: as above, or it has none. The caller frees *out. */
bool scp80_dek_open(const struct smsr *smsr, const struct eid *eid, const struct held_keys *h, uint8_t version, struct secret *out);

/* The card took it; it knows where to go; it refused it; what it has not kept is gone (keep: as in a step). Each queues a statement. */
void keyset_taken(struct db *db, struct arena *a, const struct eid *eid, uint8_t version);
void keyset_in_use(struct db *db, struct arena *a, const struct eid *eid, uint8_t version);
void keyset_refused(struct db *db, struct arena *a, const struct eid *eid, uint8_t version);
void keysets_kept(struct db *db, const struct eid *eid, const char *keep);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What an order is, what a card is: pure, without database (eum_order.c, eum_batch.c). */
#ifndef EUM_BATCH_H
#define EUM_BATCH_H

#include "common/crypto/ec.h"
#include "common/crypto/xmldsig.h"
#include "common/msg/messages.h"

/* Numbers that a card gets: one kind per counter of the database. */
enum eum_number { NUMBER_EID, NUMBER_ICCID, NUMBER_IMSI, NUMBER_MSISDN, NUMBER_KINDS };
extern const char *const eum_number_names[NUMBER_KINDS]; /* number_range.kind */

struct eum_range {
	enum eum_number kind;
	const char *prefix;
	int64_t first; /* of the range a batch takes; the next free one of a range that is known */
};

struct eum_batch_profile {
	struct eum_profile_order order;
	int64_t iccid_first, imsi_first, msisdn_first;
};

struct eum_batch {
	const char *id, *orderer, *name;
	struct oid smsr;
	int64_t quantity, made;
	const char *eid_prefix;
	int64_t eid_first;
	const char *platform_type, *platform_version;
	int64_t memory;
	bool http_support;
	struct eum_batch_profile *profiles;
	size_t n_profiles;
	struct properties *properties; /* NULL: none */
};

/* What the begin step found for an order. */
struct eum_order_facts {
	bool name_used, smsr_known, smsr_reachable, transport_key;
	const struct eum_range *known; /* ranges of the database that are the same as, or overlap, those the order names */
	size_t n_known;
};

/* Fills ranges (at most 1 + 3 * n_profiles, in the arena) with what the order names, first 0. */
size_t eum_order_ranges(struct arena *a, const struct eum_create_batch_rq *rq, struct eum_range **out);
/* Checks everything; OK and the batch with its numbers taken, and the ranges to be saved with the next free number in first.
 * Else 1.6/2.1 (or 2.2) naming the element. */
result eum_order_check(struct arena *a, const struct eum_create_batch_rq *rq, const struct eum_order_facts *facts,
		       struct eum_batch *out, struct eum_range **out_ranges, size_t *out_n_ranges);

/* What is needed to make cards; keys of the process, wiped at close. */
struct eum_issuer {
	struct oid oid;
	struct bytes ca_id;           /* 42 of eUICC certificates: our OID's DER content, or our key id cut to 16 bytes */
	uint8_t key_id[20];           /* SKI of our certificate */
	uint8_t ci_point[P256_POINT]; /* PK.CI.ECDSA */
	struct ec_key *key;
	struct xml_signer *signer; /* one thread: the maker's */
	struct secret kek;
	unsigned cert_years;
};

/* 42 from an OID: its DER content octets when they are 1 to 16, else the first 16 bytes of the key id. */
struct bytes eum_ca_id(struct arena *a, const struct oid *oid, const uint8_t key_id[20]);

enum { EUM_SCP80_VERSION = 1, EUM_SCP81_VERSION = 64, EUM_ECASD_VERSION = 116, EUM_CARD_KEYS = 5, EUM_KEY_LEN = 16 };

struct eum_card_key {
	int version, index;
	uint8_t type; /* 85, 88 */
	uint8_t kcv[3];
	struct secret key;
};

struct eum_card {
	struct eid eid;
	struct secret ecasd;      /* SK.ECASD.ECKA */
	struct bytes certificate; /* CERT.ECASD.ECKA */
	struct eum_card_key keys[EUM_CARD_KEYS];
	size_t n_keys;
	struct eis eis; /* signed, keys wrapped under the transport key */
};

/* Makes card number index of the batch: fresh keys, everything else follows from batch and index. False: out of its numbers or a
 * library failed; *out_why says what. The caller frees the card. */
bool eum_card_make(struct arena *a, const struct eum_issuer *issuer, const struct secret *transport, const struct eum_batch *batch,
		   int64_t index, int64_t now_us, struct eum_card *out, const char **out_why);
/* Wipes its keys. */
void eum_card_free(struct eum_card *card);

#endif

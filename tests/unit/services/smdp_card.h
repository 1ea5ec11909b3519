/* SPDX-License-Identifier: Apache-2.0 */
/* A card as an SM-DP meets it through ES3.SendData: key agreement and SCP03t by the card's side of common/card. */
#ifndef TESTS_SMDP_CARD_H
#define TESTS_SMDP_CARD_H

#include "common/card/key_agreement.h"
#include "common/card/profile_reader.h"
#include "common/card/scp03t.h"

enum card_fault {
	CARD_GOOD,
	CARD_BAD_RECEIPT, /* one bit of it */
	CARD_BAD_RMAC,    /* one bit of the last answer's */
	CARD_PE_FAILURE,  /* the element in segment at */
	CARD_NO_MEMORY,   /* the same, for want of memory */
	CARD_BAD_SEGMENT, /* 9F46 at segment at */
	CARD_LOCKED,      /* INSTALL [for personalization] is answered 6985 */
	CARD_SILENT_END,  /* the last segment is answered as those before */
};

struct test_card {
	struct arena *a;
	uint8_t ci_point[P256_POINT];
	struct ec_key *ecasd;
	struct aid isdp;
	enum card_fault fault;
	unsigned at;
	/* What became of it. */
	bool created, certified, personalized, installed;
	uint8_t rc[KA_CHALLENGE_MIN], dp_point[P256_POINT];
	struct card_keys keys;
	struct scp03_session session;
	uint32_t sequence;
	unsigned segments;
	struct profile_reader reader;
	struct buf package; /* all that was decrypted */
};

void test_card_make(struct test_card *c, struct arena *a, const uint8_t ci_point[P256_POINT], struct ec_key *ecasd);
/* A new ISD-P: whatever was there before is gone. */
void test_card_create(struct test_card *c, const struct aid *isdp);
void test_card_free(struct test_card *c);
/* What it answers to the data of one SendData, in the arena. */
struct bytes test_card_execute(struct test_card *c, const struct aid *target, struct bytes data);

#endif

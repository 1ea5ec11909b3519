/* SPDX-License-Identifier: Apache-2.0 */
/* Command and answer APDUs, and the platform commands of the ISD-R (SGP.02 4.1.1; card.md 2). Both sides are here: the SM-SR builds
 * and reads answers, the simulator reads and answers. */
#ifndef CARD_APDU_H
#define CARD_APDU_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/sgp02/ids.h"

/* Status words that SGP.02 names (card.md 2). */
enum sw {
	SW_OK = 0x9000,
	SW_MORE = 0x6310,          /* GET STATUS: more with the next one */
	SW_TRUNCATED = 0x62F1,
	SW_MEMORY_FAILURE = 0x6581,
	SW_SECURITY = 0x6982,
	SW_CONDITIONS = 0x6985,
	SW_POL1 = 0x69E1,
	SW_BAD_DATA = 0x6A80,
	SW_NO_APPLICATION = 0x6A82,
	SW_NO_MEMORY = 0x6A84,
	SW_WRONG_P1P2 = 0x6A86,
	SW_NOT_FOUND = 0x6A88,
	SW_BAD_INS = 0x6D00,
	SW_BAD_CLA = 0x6E00,
	SW_WRONG_LENGTH = 0x6700,
};
/* What a status word means, for logs and messages; "unknown status word" for others. */
const char *sw_text(uint16_t sw);

struct apdu {
	uint8_t cla, ins, p1, p2;
	struct bytes data; /* up to 255 bytes; extended lengths are read too */
	bool has_le;
};
/* False: shorter than 4 bytes, or Lc does not fit. */
bool apdu_parse(struct bytes in, struct apdu *out);
/* Appends it; Le is written as 00. */
void apdu_build(struct buf *out, const struct apdu *c);

/* Commands to the ISD-R as C-APDUs (without tag 22). */
void isdr_enable_profile(struct buf *out, const struct aid *isdp);
void isdr_disable_profile(struct buf *out, const struct aid *isdp);
void isdr_delete_profile(struct buf *out, const struct aid *isdp);
void isdr_set_fallback(struct buf *out, const struct aid *isdp);
/* isdp NULL: all. next: continue a list that ended with 6310. */
void isdr_get_status(struct buf *out, const struct aid *isdp, bool next);
void isdr_get_resources(struct buf *out);
void isdr_confirm_notification(struct buf *out, uint16_t seq);

/* One E3 of a GET STATUS answer. */
struct isdp_status {
	struct aid aid;
	uint8_t state;          /* 9F70 */
	bool fallback;          /* 53 with bit 1 */
	int64_t memory, free;   /* 8F, 91 in bytes; -1: not said */
};
enum isdp_state { ISDP_SELECTABLE = 0x07, ISDP_PERSONALIZED = 0x0F, ISDP_DISABLED = 0x1F, ISDP_ENABLED = 0x3F };
/* The data of a GET STATUS answer, without SW: a list of E3. False: broken (more than 256 entries, an AID that is none, a state missing). */
bool isdr_status_parse(struct arena *a, struct bytes data, struct isdp_status **out, size_t *out_n);
void isdr_status_build(struct buf *out, const struct isdp_status *s);
/* GET DATA FF21: 81, 82, 83; -1 for what was not said. */
struct card_resources {
	int64_t applications, free_nvm, free_ram;
};
bool isdr_resources_parse(struct bytes data, struct card_resources *out);
void isdr_resources_build(struct buf *out, const struct card_resources *r);
/* The answer to a confirmation: AIDs of ISD-Ps that the card deleted by POL1 (80 {4F AID}*); an empty answer has none. */
bool isdr_confirmed_parse(struct arena *a, struct bytes data, struct aid **out, size_t *out_n);
void isdr_confirmed_build(struct buf *out, const struct aid *deleted, size_t n);

/* What a C-APDU to the ISD-R asks, for the simulator. */
enum isdr_function {
	ISDR_ENABLE, ISDR_DISABLE, ISDR_SET_FALLBACK, ISDR_DELETE, ISDR_GET_STATUS, ISDR_GET_RESOURCES, ISDR_CONFIRM, ISDR_CREATE,
};
struct isdr_command {
	enum isdr_function function;
	struct aid isdp;   /* len 0: none or all */
	bool next;         /* GET STATUS */
	uint16_t seq;      /* confirmation */
	int64_t quota;     /* create: EF/83 in bytes, -1: not said */
};
/* OK: SW_OK; else the status word to answer. */
uint16_t isdr_command_parse(const struct apdu *c, struct isdr_command *out);

#endif

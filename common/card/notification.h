/* SPDX-License-Identifier: Apache-2.0 */
/* The eUICC's notification E1 (SGP.02 4.1.1.11; card.md 7, procedures.md 4.6). */
#ifndef CARD_NOTIFICATION_H
#define CARD_NOTIFICATION_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/sgp02/ids.h"

enum notification_type {
	NOTE_FIRST_ATTACH = 0x01,
	NOTE_CHANGE_OK = 0x02,
	NOTE_ROLLED_BACK = 0x03,
	NOTE_FALL_BACK = 0x05,
};

struct notification {
	struct eid eid;
	uint8_t type;        /* enum notification_type, or one of v4 that we do not know */
	uint16_t seq;
	struct aid aid;      /* of the ISD-P that is enabled now */
	struct bytes imei;   /* empty: absent */
	struct bytes meid;
};

enum { NOTE_AID_TAG = 0x2F, NOTE_AID_TAG_OLD = 0x4F };

/* Appends the whole E1 TLV; aid_tag: which of the two tags the card uses. */
void notification_build(struct buf *out, const struct notification *n, uint32_t aid_tag);
/* Reads one E1 TLV with nothing behind it; tags with and without comprehension bit (2F AF 4F, 14 94, 6D ED). imei, meid point into in.
 * False: *out_why (static) names the tag. */
bool notification_parse(struct bytes in, struct notification *out, const char **out_why);

#endif

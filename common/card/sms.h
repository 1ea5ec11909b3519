/* SPDX-License-Identifier: Apache-2.0 */
/* User data of binary SMS: header, concatenation (3GPP TS 23.040 9.2.3.24; ETSI TS 102 225; card.md 5). */
#ifndef CARD_SMS_H
#define CARD_SMS_H

#include <stdbool.h>

#include "common/base/buf.h"

enum { SMS_USER_DATA = 140, SMS_PARTS_MAX = 255, SMS_PID = 0x7F, SMS_DCS = 0xF6 };
enum sms_kind { SMS_COMMAND = 0x70, SMS_ANSWER = 0x71, SMS_OTHER = 0 };

/* Cuts a packet into user data of at most 140 bytes each, UDH included: alone 02 70 00, else 07 70 00 00 03 ref n i, then 05 00 03 ref n i.
 * Number of parts in *out (in a); 0: too long. */
size_t sms_split(struct arena *a, enum sms_kind kind, struct bytes packet, uint8_t ref, struct bytes **out);

struct sms_part {
	enum sms_kind kind;     /* parts behind the first have SMS_OTHER */
	uint8_t ref, total, number; /* 0, 1, 1 when alone */
	struct bytes data;      /* behind the UDH */
};
/* False: the UDH does not fit, or number is not 1..total. Unknown information elements are skipped. */
bool sms_part_parse(struct bytes user_data, struct sms_part *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* One secret of an ICCID, as it travels and as it is stored: 16 bytes. A key is itself; a code (PIN, PUK, ADM) is its length (1 byte), that many
 * bytes, zeros, so that it can be wrapped like a key (RFC 3394 wants whole blocks) and looks like one. Pure. */
#ifndef SMDP_STOCK_VALUE_H
#define SMDP_STOCK_VALUE_H

#include "common/base/secret.h"
#include "common/card/profile_personalise.h"
#include "services/sm-dp/stock_csv.h"

enum { STOCK_CODE_MIN = 4, STOCK_CODE_MAX = 8 };

/* Where in a package it goes. id: of a PIN or PUK its reference, of a key its identifier in its set. */
enum stock_place { PLACE_KI, PLACE_OPC, PLACE_SCP80, PLACE_SCP03, PLACE_PIN, PLACE_PUK };
struct stock_slot {
	enum stock_place place;
	uint8_t id;
};
const struct stock_slot *stock_slot_of(enum stock_use use);

/* 16 bytes; of a PIN or PUK digits alone, a PUK 8 of them, an ADM 4 to 8 octets of any kind. NULL: it is well; else what it should be. */
const char *stock_value_why(enum stock_use use, const struct secret *value);
/* As it stands in a package, filled up with FF; value: one that is well. */
void stock_value_code(enum stock_use use, const struct secret *value, struct profile_code *out);
/* Fresh: a key of 16 random octets, a PIN of 4 random digits, a PUK of 8, an ADM of 8 random octets. The caller frees it. */
struct secret stock_value_draw(enum stock_use use);

#endif

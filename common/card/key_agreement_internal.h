/* SPDX-License-Identifier: Apache-2.0 */
/* What the APDUs of the key agreement and its computations share. */
#ifndef CARD_KEY_AGREEMENT_INTERNAL_H
#define CARD_KEY_AGREEMENT_INTERNAL_H

#include "common/card/key_agreement.h"

enum { TAG_TEMPLATE = 0xA6, TAG_POINT = 0x7F49, TAG_CHALLENGE = 0x85, TAG_RECEIPT = 0x86 };

/* 3A02 L A6 | 7F49 L ePK: what the second STORE DATA begins with, and what is signed together with RC. */
void ka_request_head(struct buf *out, const struct ka_template *t, enum ka_point_form form, const uint8_t point[P256_POINT]);
/* The point of a value of 7F49, in either form: form and point of out. */
bool ka_point_read(struct bytes v, struct ka_request *out);

#endif

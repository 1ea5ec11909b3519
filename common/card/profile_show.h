/* SPDX-License-Identifier: Apache-2.0 */
/* A package as text, one field a line, near to ASN.1 value notation: for rspctl package show. */
#ifndef CARD_PROFILE_SHOW_H
#define CARD_PROFILE_SHOW_H

#include "common/card/profile_package.h"

enum profile_show_flag {
	PROFILE_SHOW_SECRETS = 1 << 0, /* Ki, OPc, PINs, PUKs, keys in clear; else "(16 bytes hidden)" */
	PROFILE_SHOW_WHOLE = 1 << 1,   /* long values to their end; else the first 32 bytes and how many there are */
};

/* Appends one line per element: number, name, identification, mandated, bytes. */
void profile_show_list(struct buf *out, const struct profile_package *p);
/* Appends everything. With PROFILE_SHOW_SECRETS the caller wipes *out before it frees it. */
void profile_show(struct buf *out, const struct profile_package *p, unsigned flags);
void profile_show_element(struct buf *out, const struct profile_element *e, unsigned flags);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What an SM-DP may have a card execute by SendData (decisions.md C4). Pure, so that tests reach all of it. */
#ifndef SMSR_SEND_FILTER_H
#define SMSR_SEND_FILTER_H

#include "common/base/buf.h"
#include "common/sgp02/ids.h"

enum send_kind {
	SEND_REFUSED,
	SEND_SEGMENTS,    /* to an ISD-P: SCP03t, TLVs 84, 85, 86 */
	SEND_SCP03,       /* to an ISD-P: C-APDUs in 22 that open an SCP03 session, or are secured by one */
	SEND_CERTIFICATE, /* to the ISD-R: INSTALL [for personalization] of one ISD-P, then STORE DATA 3A01 */
	SEND_AGREEMENT,   /* to the ISD-R: STORE DATA 3A02 */
};

/* data: a list of command TLVs for the security domain sd. *out_isdp: the ISD-P that it reaches; len 0 with SEND_AGREEMENT, which goes to the
 * one that was installed for before. SEND_REFUSED: *out_why (static), *out_isdp untouched. */
enum send_kind send_filter(const struct aid *sd, struct bytes data, struct aid *out_isdp, const char **out_why);

/* The longest part of *rest with whole TLVs of at most max bytes, but always one; taken off it. False: *rest is empty. For data that has passed
 * the filter. */
bool send_part(struct bytes *rest, size_t max, struct bytes *out);

/* An answer TLV says that the card stopped, or a command failed: the rest would fail, too. content: answers without their container. */
bool send_stopped(struct bytes content);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The packages that are built in, so that a demo needs no file: a small USIM with Milenage and an MNO-SD of SCP80 and SCP03 keys, and one for meters. */
#ifndef CARD_PROFILE_DEFAULT_H
#define CARD_PROFILE_DEFAULT_H

#include "common/card/profile_package.h"

/* What personalisation sets in it: PINs pinAppl1 (1), secondPINAppl1 (129), adm1 (10); PUKs pukAppl1 (1), secondPUKAppl1 (129); keys 1 to 3 of version
 * 01 (SCP80) and 30 (SCP03), AES of 16 bytes. Before that these hold zeros, ICCID 8900...0, IMSI 001010000000000, PIN 0000, PUK 00000000. */
extern const char PROFILE_DEFAULT_TYPE[]; /* the profileType in its header */
enum { PROFILE_DEFAULT_KVN_SCP80 = 0x01, PROFILE_DEFAULT_KVN_SCP03 = 0x30 };

/* Appends the package; at least bytes long (padded with files under DF 7F66, up to PROFILE_PACKAGE_MAX - 64 KiB), 0: as small as it is. */
void profile_default_build(struct buf *out, size_t bytes);

/* One for meters: data only, no PIN or PUK, no SMS, no name to show; low priority signalling (EF.NASCONFIG), files of the meter's own under DF 7F6D, one of
 * them BER-TLV. What personalisation sets in it: adm1 (10), keys 1 to 3 of version 01 (SCP80), AES of 16 bytes, and ICCID, IMSI, Ki, OPc as above. */
extern const char PROFILE_METER_TYPE[]; /* the profileType in its header */
/* Appends the package. */
void profile_meter_build(struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What ES3.SendData carries for a download, and what the card answers (procedures.md 4.5, 4.8, 4.9; card.md 3, 4). Pure: the same rows give the
 * same bytes, so that a call can be repeated, and its answer be read, by another process. */
#ifndef SMDP_DOWNLOAD_CARD_H
#define SMDP_DOWNLOAD_CARD_H

#include "common/card/key_agreement.h"
#include "common/card/scp03t.h"
#include "common/sgp02/result.h"

enum { CARD_KVN = 0x30, CARD_SEQUENCE = 1 /* of a key set that was never used */ };

/* Commands in 22, without container: INSTALL [for personalization] of the ISD-P and STORE DATA with cert (7F21). False: the certificate does not
 * fit. */
bool card_certificate_build(struct buf *out, const struct aid *isdp, struct bytes cert);
/* Answers to scripts, for their readers. Without container (procedures.md 4.9); a peer that leaves it there is understood. */
struct bytes card_answers_of(struct bytes data);
/* The next one's data, when it is a good R-APDU. 8.4/4.2 naming what, and its status word. */
result card_apdu_answer(struct arena *a, struct bytes *rest, const char *what, struct bytes *out);
/* Its answer: the card's random challenge, which points into data. 8.4/4.2 naming the command and its status word; 8.3/6.1 for an answer that is
 * none. */
result card_challenge_read(struct arena *a, struct bytes data, struct bytes *out_rc);
/* STORE DATA with our ephemeral key, signed over rc, in 22. False: the library failed. */
bool card_request_build(struct buf *out, const struct ka_host *host, struct bytes rc, const struct ec_key *signer);
/* Its answer: receipt verified, keys derived. Codes as above; 8.3/6.1 for a wrong receipt. */
result card_receipt_read(struct arena *a, struct bytes data, const struct ka_host *host, const uint8_t ecasd[P256_POINT],
			 struct card_keys *out);

/* What an installation is computed from. SECRET. */
struct card_install {
	struct card_keys keys;
	uint8_t challenge[SCP03_CHALLENGE]; /* the host's */
	struct aid isdp;
	struct bytes package;
};
/* Segments of a package. */
size_t card_segments(size_t package_len);
/* How many of them fit in so many bytes of data; at least one. */
size_t card_segments_in(size_t bytes);
/* Segments first..past - 1 as TLVs 86, before the first one 84 and 85. False: the library failed. */
bool card_install_build(struct buf *out, const struct card_install *in, size_t first, size_t past);
/* Their answer, R-MAC verified: OK; when past is the last segment, that means that the card said that everything is installed. 8.4/4.2 with the
 * failing element, 8.1/4.8 when that is memory, 8.3/6.1 for what does not verify. */
result card_install_read(struct arena *a, const struct card_install *in, size_t first, size_t past, struct bytes data);

/* ", EuiccResponseData 230269.." in a, cut after some hundred bytes; "" without data. */
const char *card_data_text(struct arena *a, struct bytes data);

#endif

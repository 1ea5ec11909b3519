/* SPDX-License-Identifier: Apache-2.0 */
/* SCP03t: SCP03 as TLVs, in which a profile package goes to an ISD-P (SGP.02 4.1.3.3; card.md 4, procedures.md 4.8). The level is
 * always 33.
 *
 *   84 0A kvn key-id host-challenge     -> 84 20 struct scp03_initialized        error 9F44 01 reason
 *   85 11 33 host-cryptogram C-MAC      -> 85 00                                 error 9F45 01 reason
 *   86 L ciphertext C-MAC               -> 86 00, or 86 L ciphertext R-MAC       error 9F46 01 reason
 *
 * Host: scp03_begin, scp03t_initialize_build, scp03t_authenticate_build, scp03t_segment_build as often as needed; all of it may be
 * one script. Keep a scp03_mark_of after each segment whose answer comes later than the next segment is built. Then open the
 * answers.
 *
 * An empty answer carries no MAC (card.md 4): nothing proves that the card made it. Only the R-MAC of the last segment's answer
 * proves that the card took the whole chain, so a download is done with that and not before. */
#ifndef CARD_SCP03T_H
#define CARD_SCP03T_H

#include "common/card/scp03.h"

enum { SCP03T_INITIALIZE = 0x84, SCP03T_AUTHENTICATE = 0x85, SCP03T_SEGMENT = 0x86 };
enum {
	SCP03T_PLAIN_MAX = 1000,  /* what we put in one segment; the largest seen in the recorded session (card.md 4) */
	SCP03T_CIPHER_MAX = 1024, /* what our card takes; at least 1024 bytes of TLV is asked of every card (binding.md f7) */
};

/* Why the card refuses: the byte of 9F44, 9F45, 9F46. */
enum scp03t_reason { SCP03T_OK = 0, SCP03T_LENGTH = 1, SCP03T_SECURITY = 2, SCP03T_REFERENCE = 3 };
const char *scp03t_reason_text(uint8_t reason);

/* ---- Host ---- */

/* 84, of a session that has begun. */
void scp03t_initialize_build(struct buf *out, const struct scp03_session *s);
/* 85; state AUTHENTICATED. False: wrong state, or the library failed. */
bool scp03t_authenticate_build(struct scp03_session *s, struct buf *out);
/* 86 with at most SCP03T_PLAIN_MAX bytes, at least one. False: another length, wrong state, or the library failed; nothing changed.
 * */
bool scp03t_segment_build(struct scp03_session *s, struct bytes plain, struct buf *out);

/* Readers of one answer TLV (nothing behind it). SCP03_REFUSED: *out_reason is the card's (an enum scp03t_reason, or what it made
 * up). */
enum scp03_verdict scp03t_initialized_open(const struct scp03_session *s, struct bytes tlv, struct scp03_initialized *out,
					   uint8_t *out_reason);
enum scp03_verdict scp03t_authenticated_open(const struct scp03_session *s, struct bytes tlv, uint8_t *out_reason);
/* The answer to the segment at mark; NULL: the last one. Empty: *out has len 0 and is unproven. */
enum scp03_verdict scp03t_segment_open(struct arena *a, const struct scp03_session *s, const struct scp03_mark *at,
				       struct bytes tlv, struct bytes *out, uint8_t *out_reason);

/* ---- Card: values of the command TLVs ---- */

enum scp03t_reason scp03t_initialize_parse(struct bytes value, struct scp03_initialize *out);
/* The answer 84 of a session that has begun. */
void scp03t_initialized_build(struct buf *out, const struct scp03_session *s);
/* Verifies cryptogram and C-MAC. Whatever is refused closes (wipes) the session, here and in scp03t_segment. */
enum scp03t_reason scp03t_authenticate(struct scp03_session *s, struct bytes value);
/* The plain segment in *out, freed by the caller; untouched when refused: changed, replayed, missing, out of order, or too long. */
enum scp03t_reason scp03t_segment(struct scp03_session *s, struct bytes value, struct secret *out);
/* The answer to the last 85 (empty) or 86; an empty one is 86 00. False: the library failed, or wrong state. */
void scp03t_authenticated_build(struct buf *out);
bool scp03t_answer_build(const struct scp03_session *s, struct bytes plain, struct buf *out);
/* 9F44, 9F45, 9F46 for the command tag 84, 85, 86. */
void scp03t_error_build(struct buf *out, uint8_t command_tag, enum scp03t_reason reason);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the card_*.c files share. */
#ifndef EUICC_SIM_CARD_INTERNAL_H
#define EUICC_SIM_CARD_INTERNAL_H

#include "services/euicc-sim/card.h"

/* The holder of the fall-back attribute; CARD_NONE: none. */
uint8_t card_fallback(const struct card *c);
/* Disables what is enabled and enables profile to; the notification of that type is due at the next attach. */
void card_switch(struct card *c, uint8_t to, uint8_t note);
/* Removes a profile and gives its memory back. */
void card_wipe(struct card *c, uint8_t index);
/* The outstanding notification was confirmed: POL1's deletion is done. False: not the outstanding one. out_deleted->len 0: nothing was
 * deleted. */
bool card_confirm(struct card *c, uint16_t seq, struct aid *out_deleted);

/* card_import.c: a card as personalised, from one line of a batch file; index: its place in the batch. False: out_why names the
 * member. */
bool card_import(struct card *out, const char *line, size_t n, size_t index, char out_why[CARD_ERROR]);

/* card_record.c: what of a card changes, as bytes of a fixed length with a checksum. */
enum { CARD_RECORD = 2560 };
/* Wipes a copy of a card, which holds its keys. */
void card_forget(struct card *c);
void card_record_write(const struct card *c, uint64_t generation, uint8_t out[CARD_RECORD]);
/* False: damaged, never written, or of another card; c (which holds what its line says) is then untouched. */
bool card_record_read(struct card *c, const uint8_t in[CARD_RECORD], uint64_t *out_generation);

#endif

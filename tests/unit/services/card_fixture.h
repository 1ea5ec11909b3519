/* SPDX-License-Identifier: Apache-2.0 */
/* A card of the simulator with profiles to switch between. */
#ifndef TESTS_CARD_FIXTURE_H
#define TESTS_CARD_FIXTURE_H

#include "services/euicc-sim/card.h"

/* BOOT is enabled and holds the fall-back attribute; A and B are disabled; BARE has no profile yet. */
enum { BOOT, A, B, BARE, FIXTURE_PROFILES };

struct card fixture_card(void);
struct aid fixture_aid(unsigned profile);

/* Data of the last answer, what it made due. */
extern struct buf fixture_data;
extern struct card_effects fixture_effects;
typedef void isdr_build(struct buf *out, const struct aid *isdp);
/* The status word. */
uint16_t fixture_run(struct card *c, isdr_build *build, const struct aid *isdp);
uint16_t fixture_confirm(struct card *c, uint16_t seq);
uint16_t fixture_execute(struct card *c, const void *capdu, size_t n);
/* Switches it on and confirms the first attach. */
void fixture_settle(struct card *c);

#endif

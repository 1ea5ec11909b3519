/* SPDX-License-Identifier: Apache-2.0 */
/* The card side of sm-sr (ES5): listener and sessions, the sweeper, and the lane that wakes cards by SMS. */
#ifndef SMSR_CARDS_H
#define SMSR_CARDS_H

#include "services/sm-sr/smsr.h"

/* card_listener.c: HTTPS with PSK (decisions.md C5), the sessions of cards (C2). app_spec.extra_open. */
int cards_open(struct app *app, struct http_server **out, char error[256]);

/* sweeper.c: what is due by the clock: expiry, lost sessions, retention of ended rows. */
void sweeper_start(struct app *app);
void sweeper_stop(struct app *app);
void sweeper_ring(struct smsr *s);
/* A card's connection broke before its session was ended. From any thread. */
void sweeper_session_gone(struct smsr *s, const struct eid *eid, const char *session);

/* sms_lane.c: one replica binds to the SMSC and sends what is due (C6, C7). Does nothing where SMPP_HOST is empty. */
enum { SMS_NET_MS = 2000 }; /* its longest sleep: a lost ring costs no more (C2) */
void sms_lane_start(struct app *app);
void sms_lane_stop(struct app *app);
void sms_lane_ring(struct smsr *s);

#endif

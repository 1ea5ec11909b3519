/* SPDX-License-Identifier: Apache-2.0 */
/* A relayed call as a table (design.md 4): which event moves which state where, and how much time its next hop gets. Pure; the one mover
 * is relay_step.c. */
#ifndef SGP02_RELAY_STATE_H
#define SGP02_RELAY_STATE_H

#include <stdint.h>

/* Numbers stand in rows: new ones are added at the end. */
enum relay_state {
	RELAY_ASKING,   /* a fresh EIS shall say whose the profile is (D1) */
	RELAY_CALLING,  /* the call is on its way to the next hop */
	RELAY_AWAITING, /* the next hop took it; its answer comes by callback */
	RELAY_ENDED,
	RELAY_STATES
};

enum relay_event {
	REV_OWNED,    /* the EIS says that the caller may */
	REV_REFUSED,  /* it says that the caller may not, or there is none */
	REV_TAKEN,    /* HTTP 202 */
	REV_ANSWERED, /* the next hop's answer, or its fault */
	REV_GIVEN_UP, /* nothing came in the time that the next hop had */
	REV_EXPIRED,  /* the deadline */
	REV_EVENTS
};

/* The next state; RELAY_STATES: this event cannot happen here, or not any more: it changes nothing. */
enum relay_state relay_next(enum relay_state state, enum relay_event event);
const char *relay_state_name(enum relay_state s); /* "asking" */

/* Seconds of validity for a nested call when rest_ms are left: max(2 s, 5 %) are kept back for its answer (A6). 0: less than 3, it is not
 * made. */
int64_t relay_nested_s(int64_t rest_ms);

#endif

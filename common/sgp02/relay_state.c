/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/relay_state.h"

enum { KEEP_MIN_MS = 2000, KEEP_PART = 20, NESTED_MIN_S = 3 };

/* 0 is "cannot happen", so states stand one higher in the table. */
#define TO(state) ((uint8_t)((state) + 1))

static const uint8_t next[RELAY_STATES][REV_EVENTS] = {
	[RELAY_ASKING] = { [REV_OWNED] = TO(RELAY_CALLING),
			   [REV_REFUSED] = TO(RELAY_ENDED),
			   [REV_TAKEN] = TO(RELAY_ASKING), /* a peer that answers everything by callback */
			   [REV_GIVEN_UP] = TO(RELAY_ENDED),
			   [REV_EXPIRED] = TO(RELAY_ENDED) },
	[RELAY_CALLING] = { [REV_TAKEN] = TO(RELAY_AWAITING),
			    [REV_ANSWERED] = TO(RELAY_ENDED),
			    [REV_GIVEN_UP] = TO(RELAY_ENDED),
			    [REV_EXPIRED] = TO(RELAY_ENDED) },
	[RELAY_AWAITING] = { [REV_ANSWERED] = TO(RELAY_ENDED), [REV_EXPIRED] = TO(RELAY_ENDED) },
};

enum relay_state relay_next(enum relay_state state, enum relay_event event)
{
	if ((unsigned)state >= RELAY_STATES || (unsigned)event >= REV_EVENTS || !next[state][event])
		return RELAY_STATES;
	return (enum relay_state)(next[state][event] - 1);
}

const char *relay_state_name(enum relay_state s)
{
	static const char *const names[RELAY_STATES] = {
		[RELAY_ASKING] = "asking", [RELAY_CALLING] = "calling", [RELAY_AWAITING] = "awaiting", [RELAY_ENDED] = "ended"
	};

	return (unsigned)s < RELAY_STATES ? names[s] : "?";
}

int64_t relay_nested_s(int64_t rest_ms)
{
	int64_t keep = rest_ms / KEEP_PART > KEEP_MIN_MS ? rest_ms / KEEP_PART : KEEP_MIN_MS;
	int64_t s = (rest_ms - keep) / 1000;

	return s >= NESTED_MIN_S ? s : 0;
}

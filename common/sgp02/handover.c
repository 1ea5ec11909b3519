/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/handover.h"

#include <string.h>

/* 0 is "cannot happen", so states stand one higher in the tables. */
#define TO(state) ((uint8_t)(HOUT_##state + 1))
#define IN(state) ((uint8_t)(HIN_##state + 1))

/* Until the receipt is answered SM-SR1 may give up at any time. Who says that he manages the card is believed at any time: an earlier
 * attempt may have made it so, and two owners are worse than none that was chosen. */
#define BEFORE_ANSWER(self)                                                                                 \
	[HOEV_MANAGED] = TO(DROPPING), [HOEV_REFUSED] = TO(UNLOCKING), [HOEV_PEER_EXPIRED] = TO(UNLOCKING), \
	[HOEV_SILENT] = TO(self), [HOEV_DEADLINE] = TO(UNLOCKING)

static const uint8_t out_next[HANDOVER_OUT_STATES][HANDOVER_OUT_EVENTS] = {
	[HOUT_LOCKING] = { [HOEV_LOCKED] = TO(CALLING),
			   [HOEV_BUSY] = TO(UNLOCKING),
			   [HOEV_SILENT] = TO(LOCKING),
			   [HOEV_DEADLINE] = TO(UNLOCKING) },
	[HOUT_CALLING] = { [HOEV_AUTHENTICATE] = TO(CERTIFYING), BEFORE_ANSWER(CALLING) },
	[HOUT_CERTIFYING] = { [HOEV_CHALLENGE] = TO(CERTIFIED), [HOEV_CARD_FAILED] = TO(CALLING), BEFORE_ANSWER(CERTIFYING) },
	[HOUT_CERTIFIED] = { [HOEV_AUTHENTICATE] = TO(CERTIFYING), /* once more, for a new challenge */
			     [HOEV_KEYSET] = TO(KEYING),
			     BEFORE_ANSWER(CERTIFIED) },
	/* The card may have KS2 without a receipt that anybody saw: nobody can use it then. */
	[HOUT_KEYING] = { [HOEV_RECEIPT] = TO(ANSWERED), [HOEV_CARD_FAILED] = TO(CALLING), BEFORE_ANSWER(KEYING) },
	[HOUT_ANSWERED] = { [HOEV_MANAGED] = TO(DROPPING),
			    [HOEV_REFUSED] = TO(UNLOCKING),
			    [HOEV_PEER_EXPIRED] = TO(ANSWERED),
			    [HOEV_SILENT] = TO(ANSWERED),
			    [HOEV_DEADLINE] = TO(DOUBT) },
	[HOUT_DOUBT] = { [HOEV_MANAGED] = TO(DROPPING),
			 [HOEV_REFUSED] = TO(UNLOCKING),
			 [HOEV_PEER_EXPIRED] = TO(DOUBT),
			 [HOEV_SILENT] = TO(DOUBT),
			 [HOEV_RESOLVE_MOVED] = TO(DROPPING),
			 [HOEV_RESOLVE_KEPT] = TO(UNLOCKING) },
	[HOUT_DROPPING] = { [HOEV_SILENT] = TO(DROPPING), [HOEV_DEADLINE] = TO(DROPPING), [HOEV_SETTLED] = TO(MOVED) },
	[HOUT_UNLOCKING] = { [HOEV_SILENT] = TO(UNLOCKING), [HOEV_DEADLINE] = TO(UNLOCKING), [HOEV_SETTLED] = TO(KEPT) },
};

/* Before the commit everything else ends the attempt. */
#define BEFORE_COMMIT(self) \
	[HIEV_REFUSED] = IN(FAILED), [HIEV_SILENT] = IN(self), [HIEV_ASKED] = IN(FAILED), [HIEV_DEADLINE] = IN(FAILED)
/* Behind it nothing does. */
#define COMMITTED(self, then)                                                                                             \
	[HIEV_SILENT] = IN(self), [HIEV_DEADLINE] = IN(self), [HIEV_CARD_DONE] = IN(then), [HIEV_CARD_FAILED] = IN(self), \
	[HIEV_SKIPPED] = IN(then)

static const uint8_t in_next[HANDOVER_IN_STATES][HANDOVER_IN_EVENTS] = {
	[HIN_PREPARED] = { [HIEV_HANDOVER] = IN(AUTHENTICATING), [HIEV_DEADLINE] = IN(LAPSED) },
	[HIN_AUTHENTICATING] = { [HIEV_CHALLENGE] = IN(KEYING), BEFORE_COMMIT(AUTHENTICATING) },
	[HIN_KEYING] = { [HIEV_RECEIPT] = IN(ADOPTING), [HIEV_BAD_RECEIPT] = IN(FAILED), BEFORE_COMMIT(KEYING) },
	[HIN_ADOPTING] = { [HIEV_ADOPTED] = IN(PUTTING_KEY),
			   [HIEV_ADOPTED_SMS] = IN(ADDRESSING),
			   [HIEV_SILENT] = IN(ADOPTING),
			   [HIEV_DEADLINE] = IN(ADOPTING) },
	[HIN_PUTTING_KEY] = { COMMITTED(PUTTING_KEY, ADDRESSING) },
	[HIN_ADDRESSING] = { COMMITTED(ADDRESSING, FINALISING) },
	[HIN_FINALISING] = { COMMITTED(FINALISING, AUDITING) },
	[HIN_AUDITING] = { COMMITTED(AUDITING, OWNED) },
};

enum handover_out_state handover_out_next(enum handover_out_state state, enum handover_out_event event)
{
	uint8_t to = (unsigned)state < HANDOVER_OUT_STATES && (unsigned)event < HANDOVER_OUT_EVENTS ? out_next[state][event] : 0;

	return to ? (enum handover_out_state)(to - 1) : HANDOVER_OUT_STATES;
}

bool handover_out_ended(enum handover_out_state s)
{
	return s == HOUT_MOVED || s == HOUT_KEPT;
}

bool handover_out_in_doubt(enum handover_out_state s)
{
	return s == HOUT_ANSWERED || s == HOUT_DOUBT;
}

enum handover_tell handover_out_tells(enum handover_out_state state, enum handover_out_event event, bool told)
{
	enum handover_out_state to = handover_out_next(state, event);

	if (told)
		return HANDOVER_NOTHING;
	/* Drop and unlock are certain to come: nobody waits for them longer than he wanted to. */
	if (to == HOUT_MOVED || (state == HOUT_DROPPING && event == HOEV_DEADLINE))
		return HANDOVER_SUCCESS;
	if (to == HOUT_KEPT || (state == HOUT_UNLOCKING && event == HOEV_DEADLINE))
		return HANDOVER_FAILED;
	return to == HOUT_DOUBT ? HANDOVER_EXPIRED : HANDOVER_NOTHING;
}

enum handover_in_state handover_in_next(enum handover_in_state state, enum handover_in_event event)
{
	uint8_t to = (unsigned)state < HANDOVER_IN_STATES && (unsigned)event < HANDOVER_IN_EVENTS ? in_next[state][event] : 0;

	return to ? (enum handover_in_state)(to - 1) : HANDOVER_IN_STATES;
}

bool handover_in_ended(enum handover_in_state s)
{
	return s == HIN_OWNED || s == HIN_FAILED || s == HIN_LAPSED;
}

bool handover_in_committed(enum handover_in_state s)
{
	return s >= HIN_ADOPTING && s <= HIN_OWNED;
}

enum handover_tell handover_in_tells(enum handover_in_state state, enum handover_in_event event, bool told)
{
	enum handover_in_state to = handover_in_next(state, event);

	if (told || to == HANDOVER_IN_STATES || to == HIN_LAPSED)
		return HANDOVER_NOTHING;
	if (to == HIN_FAILED)
		return event == HIEV_DEADLINE ? HANDOVER_EXPIRED : HANDOVER_FAILED;
	if (!handover_in_committed(to))
		return HANDOVER_NOTHING;
	/* What is left to be done is ours alone: SM-SR1 may go. */
	if (event == HIEV_DEADLINE || event == HIEV_CARD_FAILED || (event == HIEV_SKIPPED && to == HIN_AUDITING))
		return HANDOVER_WARNING;
	return to == HIN_AUDITING ? HANDOVER_SUCCESS : HANDOVER_NOTHING;
}

enum handover_repeat handover_in_repeated(enum handover_in_state state, bool in_time)
{
	if (handover_in_committed(state))
		return in_time && state < HIN_AUDITING ? HANDOVER_WAITS : HANDOVER_MANAGED;
	if (state == HIN_AUTHENTICATING || state == HIN_KEYING)
		return in_time ? HANDOVER_WAITS : HANDOVER_DIES;
	if (state == HIN_PREPARED && in_time)
		return HANDOVER_BEGINS;
	return state == HIN_FAILED ? HANDOVER_DEAD : HANDOVER_UNKNOWN;
}

static const char *const out_states[HANDOVER_OUT_STATES] = {
	"locking", "calling", "certifying", "certified", "keying", "answered", "doubt", "dropping", "unlocking", "moved", "kept",
};
static const char *const out_events[HANDOVER_OUT_EVENTS] = {
	"locked",  "busy",         "authenticate", "challenge", "keyset",  "receipt",       "card_failed",  "managed",
	"refused", "peer_expired", "silent",       "deadline",  "settled", "resolve_moved", "resolve_kept",
};
static const char *const in_states[HANDOVER_IN_STATES] = {
	"prepared",   "authenticating", "keying", "adopting", "putting_key", "addressing",
	"finalising", "auditing",       "owned",  "failed",   "lapsed",
};
static const char *const in_events[HANDOVER_IN_EVENTS] = {
	"handover", "challenge", "receipt",     "bad_receipt", "refused",     "silent",  "asked",
	"deadline", "adopted",   "adopted_sms", "card_done",   "card_failed", "skipped",
};

static unsigned find(const char *const *names, unsigned n, const char *name)
{
	unsigned i = 0;

	while (i < n && strcmp(names[i], name) != 0)
		i++;
	return i;
}

const char *handover_out_state_name(enum handover_out_state s)
{
	return (unsigned)s < HANDOVER_OUT_STATES ? out_states[s] : "?";
}

const char *handover_out_event_name(enum handover_out_event e)
{
	return (unsigned)e < HANDOVER_OUT_EVENTS ? out_events[e] : "?";
}

enum handover_out_state handover_out_state_by_name(const char *name)
{
	return (enum handover_out_state)find(out_states, HANDOVER_OUT_STATES, name);
}

const char *handover_in_state_name(enum handover_in_state s)
{
	return (unsigned)s < HANDOVER_IN_STATES ? in_states[s] : "?";
}

const char *handover_in_event_name(enum handover_in_event e)
{
	return (unsigned)e < HANDOVER_IN_EVENTS ? in_events[e] : "?";
}

enum handover_in_state handover_in_state_by_name(const char *name)
{
	return (enum handover_in_state)find(in_states, HANDOVER_IN_STATES, name);
}

uint8_t handover_free_kvn(const struct eis *eis, enum keyset_type kind)
{
	uint8_t first = kind == KEYSET_SCP81 ? 0x40 : 0x01, last = kind == KEYSET_SCP81 ? 0x4F : 0x0F;

	for (uint8_t kvn = first; kvn <= last; kvn++) {
		size_t i = 0;

		while (i < eis->isdr.n_keysets && eis->isdr.keysets[i].version != kvn)
			i++;
		if (i == eis->isdr.n_keysets)
			return kvn;
	}
	return 0;
}

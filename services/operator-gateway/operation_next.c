/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an operation: one table, and the times that go with it. */
#include <string.h>

#include "services/operator-gateway/operation.h"

enum { S_US = 1000000 };
enum {
	BACKOFF_S = 5, /* of the first busy answer; doubles */
	BACKOFF_MAX_S = 60,
	SILENCE_S = 60,  /* behind the deadline: then the callback is late */
	LAST_S = 300,    /* behind the deadline: then nobody knows */
	REPEATED_S = 60, /* at least so long a repetition is waited for */
};

#define KEEP(state)                           \
	{                                     \
		OPERATION_##state, OPACT_KEEP \
	}
#define NOTHING(state)                           \
	{                                        \
		OPERATION_##state, OPACT_NOTHING \
	}
#define END(action)                             \
	{                                       \
		OPERATION_ENDED, OPACT_##action \
	}

/* clang-format off */
static const struct operation_step table[OPERATION_STATES][OPERATION_EVENTS] = {
	[OPERATION_QUEUED] = {
		[OPEV_ACCEPTED] = KEEP(ACCEPTED),
		[OPEV_ANSWER] = END(END),
		[OPEV_BUSY] = KEEP(WAITING),
		[OPEV_FAULT] = END(END),
		[OPEV_GIVEN_UP] = END(SILENT),
		[OPEV_DUE] = END(SILENT), /* the outbox forgot it */
		[OPEV_LATE] = END(SILENT),
	},
	/* Its request is done with: what the outbox says still was said before, of the same attempt. */
	[OPERATION_ACCEPTED] = {
		[OPEV_ACCEPTED] = NOTHING(ACCEPTED),
		[OPEV_ANSWER] = END(END),
		[OPEV_BUSY] = KEEP(WAITING),
		[OPEV_FAULT] = NOTHING(ACCEPTED),
		[OPEV_GIVEN_UP] = NOTHING(ACCEPTED),
		[OPEV_DUE] = { OPERATION_REPEATED, OPACT_REPEAT },
		[OPEV_LATE] = { OPERATION_REPEATED, OPACT_REPEAT },
	},
	/* Busy: it may still run there. */
	[OPERATION_REPEATED] = {
		[OPEV_ACCEPTED] = NOTHING(REPEATED),
		[OPEV_ANSWER] = END(END),
		[OPEV_BUSY] = NOTHING(REPEATED),
		[OPEV_FAULT] = END(END),
		[OPEV_GIVEN_UP] = END(SILENT),
		[OPEV_DUE] = END(SILENT),
		[OPEV_LATE] = END(SILENT),
	},
	[OPERATION_WAITING] = {
		[OPEV_ACCEPTED] = NOTHING(WAITING),
		[OPEV_ANSWER] = END(END),
		[OPEV_BUSY] = NOTHING(WAITING),
		[OPEV_FAULT] = NOTHING(WAITING),
		[OPEV_GIVEN_UP] = NOTHING(WAITING),
		[OPEV_DUE] = { OPERATION_QUEUED, OPACT_SEND },
		[OPEV_LATE] = END(LAST),
	},
	[OPERATION_ENDED] = {
		[OPEV_ACCEPTED] = NOTHING(ENDED),
		[OPEV_ANSWER] = NOTHING(ENDED),
		[OPEV_BUSY] = NOTHING(ENDED),
		[OPEV_FAULT] = NOTHING(ENDED),
		[OPEV_GIVEN_UP] = NOTHING(ENDED),
		[OPEV_DUE] = NOTHING(ENDED),
		[OPEV_LATE] = NOTHING(ENDED),
	},
};
/* clang-format on */

static const char *const state_names[] = { "queued", "accepted", "repeated", "waiting", "ended" };
static const char *const kind_names[] = { "enable", "audit" };
_Static_assert(LEN(state_names) == OPERATION_STATES && LEN(kind_names) == OPERATION_KINDS, "every value has a name");

struct operation_step operation_next(enum operation_state state, enum operation_event event)
{
	return table[state][event];
}

const char *operation_state_name(enum operation_state state)
{
	return state_names[state];
}

const char *operation_kind_name(enum operation_kind kind)
{
	return kind_names[kind];
}

bool operation_state_parse(const char *text, enum operation_state *out)
{
	for (unsigned i = 0; text && i < OPERATION_STATES; i++) {
		if (strcmp(state_names[i], text) != 0)
			continue;
		*out = (enum operation_state)i;
		return true;
	}
	return false;
}

bool operation_kind_parse(const char *text, enum operation_kind *out)
{
	for (unsigned i = 0; text && i < OPERATION_KINDS; i++) {
		if (strcmp(kind_names[i], text) != 0)
			continue;
		*out = (enum operation_kind)i;
		return true;
	}
	return false;
}

const struct function *operation_function(enum operation_kind kind)
{
	return function_by_id(kind == OPERATION_AUDIT ? FN_ES4_AuditEIS : FN_ES4_EnableProfile);
}

static int64_t backoff_us(int64_t attempt)
{
	int64_t s = BACKOFF_S;

	for (int64_t i = 1; i < attempt && s < BACKOFF_MAX_S; i++)
		s *= 2;
	return (s < BACKOFF_MAX_S ? s : BACKOFF_MAX_S) * S_US;
}

int64_t operation_due(const struct operation *o, enum operation_state state, int64_t now)
{
	int64_t at = o->deadline + (int64_t)LAST_S * S_US, soonest = now + (int64_t)REPEATED_S * S_US;

	switch (state) {
	case OPERATION_WAITING:
		at = now + backoff_us(o->attempt);
		return at < o->deadline ? at : o->deadline;
	case OPERATION_ACCEPTED:
		return o->deadline + (int64_t)SILENCE_S * S_US;
	case OPERATION_REPEATED:
		return at > soonest ? at : soonest;
	case OPERATION_QUEUED:
	case OPERATION_ENDED:
	case OPERATION_STATES:
		break;
	}
	return at;
}

enum operation_event operation_event_of(const struct operation *o, const struct operation_answer *answer)
{
	const struct status_code *busy = status_code(CODE_BUSY);

	if (o->order.patient && !strcmp(answer->status, status_name(STATUS_FAILED)) && !strcmp(answer->subject, busy->subject) &&
	    !strcmp(answer->reason, busy->reason))
		return OPEV_BUSY;
	return OPEV_ANSWER;
}

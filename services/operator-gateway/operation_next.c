/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an operation: one table, and the times that go with it. */
#include <stdlib.h>
#include <string.h>

#include "common/base/random.h"
#include "services/operator-gateway/operation.h"

enum { S_US = 1000000, ATTEMPT_DIGITS = 9 };
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
		[OPEV_NEXT] = { OPERATION_QUEUED, OPACT_NEXT },
		[OPEV_BUSY] = KEEP(WAITING),
		[OPEV_FAULT] = END(END),
		[OPEV_GIVEN_UP] = END(SILENT),
		[OPEV_DUE] = END(SILENT), /* the outbox forgot it */
		[OPEV_LATE] = END(SILENT),
		[OPEV_STALE] = NOTHING(QUEUED),
	},
	/* Its request is done with: what the outbox says still was said before, of the same attempt. */
	[OPERATION_ACCEPTED] = {
		[OPEV_ACCEPTED] = NOTHING(ACCEPTED),
		[OPEV_ANSWER] = END(END),
		[OPEV_NEXT] = { OPERATION_QUEUED, OPACT_NEXT },
		[OPEV_BUSY] = KEEP(WAITING),
		[OPEV_FAULT] = NOTHING(ACCEPTED),
		[OPEV_GIVEN_UP] = NOTHING(ACCEPTED),
		[OPEV_DUE] = { OPERATION_REPEATED, OPACT_REPEAT },
		[OPEV_LATE] = { OPERATION_REPEATED, OPACT_REPEAT },
		[OPEV_STALE] = NOTHING(ACCEPTED),
	},
	/* Busy: it may still run there. */
	[OPERATION_REPEATED] = {
		[OPEV_ACCEPTED] = NOTHING(REPEATED),
		[OPEV_ANSWER] = END(END),
		[OPEV_NEXT] = { OPERATION_QUEUED, OPACT_NEXT },
		[OPEV_BUSY] = NOTHING(REPEATED),
		[OPEV_FAULT] = END(END),
		[OPEV_GIVEN_UP] = END(SILENT),
		[OPEV_DUE] = END(SILENT),
		[OPEV_LATE] = END(SILENT),
		[OPEV_STALE] = NOTHING(REPEATED),
	},
	[OPERATION_WAITING] = {
		[OPEV_ACCEPTED] = NOTHING(WAITING),
		[OPEV_ANSWER] = END(END),
		[OPEV_NEXT] = { OPERATION_QUEUED, OPACT_NEXT },
		[OPEV_BUSY] = NOTHING(WAITING),
		[OPEV_FAULT] = NOTHING(WAITING),
		[OPEV_GIVEN_UP] = NOTHING(WAITING),
		[OPEV_DUE] = { OPERATION_QUEUED, OPACT_SEND },
		[OPEV_LATE] = END(LAST),
		[OPEV_STALE] = NOTHING(WAITING),
	},
	[OPERATION_ENDED] = {
		[OPEV_ACCEPTED] = NOTHING(ENDED),
		[OPEV_ANSWER] = NOTHING(ENDED),
		[OPEV_NEXT] = NOTHING(ENDED),
		[OPEV_BUSY] = NOTHING(ENDED),
		[OPEV_FAULT] = NOTHING(ENDED),
		[OPEV_GIVEN_UP] = NOTHING(ENDED),
		[OPEV_DUE] = NOTHING(ENDED),
		[OPEV_LATE] = NOTHING(ENDED),
		[OPEV_STALE] = NOTHING(ENDED),
	},
};
/* clang-format on */

static const char *const state_names[] = { "queued", "accepted", "repeated", "waiting", "ended" };
static const struct {
	const char *name;
	enum function_id functions[OPERATION_ROUTES]; /* FN_COUNT: none */
} kinds[] = {
#define KIND(name, function)                                                             \
	{                                                                                \
		name,                                                                    \
		{                                                                        \
			[ROUTE_ES4] = FN_ES4_##function, [ROUTE_ES2] = FN_ES2_##function \
		}                                                                        \
	}
	[OPERATION_ENABLE] = KIND("enable", EnableProfile),
	[OPERATION_AUDIT] = KIND("audit", AuditEIS),
	[OPERATION_DISABLE] = KIND("disable", DisableProfile),
	[OPERATION_DELETE] = KIND("delete", DeleteProfile),
	[OPERATION_POLICY] = KIND("policy", UpdatePolicyRules),
	[OPERATION_ADDRESS] = KIND("address", UpdateSubscriptionAddress),
	[OPERATION_DOWNLOAD] = { "download", { [ROUTE_ES4] = FN_COUNT, [ROUTE_ES2] = FN_ES2_DownloadProfile } },
	[OPERATION_SMSR_CHANGE] = { "smsr-change", { [ROUTE_ES4] = FN_ES4_SMSRChange, [ROUTE_ES2] = FN_COUNT } },
#undef KIND
};
_Static_assert(LEN(state_names) == OPERATION_STATES && LEN(kinds) == OPERATION_KINDS, "every value has a name");

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
	return kinds[kind].name;
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
		if (strcmp(kinds[i].name, text) != 0)
			continue;
		*out = (enum operation_kind)i;
		return true;
	}
	return false;
}

const struct function *operation_function(enum operation_kind kind, enum operation_route route)
{
	enum function_id id = kinds[kind].functions[route];

	return id != FN_COUNT ? function_by_id(id) : NULL;
}

enum operation_route operation_route(const struct operation *o)
{
	return *o->smdp.text ? ROUTE_ES2 : ROUTE_ES4;
}

const struct oid *operation_to(const struct operation *o)
{
	if (o->stage == STAGE_PREPARE)
		return &o->order.to;
	return operation_route(o) == ROUTE_ES2 ? &o->smdp : &o->smsr;
}

const struct function *operation_asked(const struct operation *o)
{
	if (o->stage == STAGE_PREPARE)
		return function_by_id(FN_ES4_PrepareSMSRChange);
	return operation_function(o->order.kind, operation_route(o));
}

bool operation_of_profile(enum operation_kind kind)
{
	return kind != OPERATION_AUDIT && kind != OPERATION_DOWNLOAD && kind != OPERATION_SMSR_CHANGE;
}

/* What holds for a function on ES2 holds for its like on ES4. */
static const struct function *usual(enum operation_kind kind)
{
	enum function_id es2 = kinds[kind].functions[ROUTE_ES2];

	return function_by_id(es2 != FN_COUNT ? es2 : kinds[kind].functions[ROUTE_ES4]); /* each kind has one of them */
}

bool operation_at_once(enum operation_kind kind)
{
	return usual(kind)->mep == MEP_SYNC;
}

/* Who answers at once may be busy or down all the same: the order may wait as long as those for a card. */
struct validity operation_validity(enum operation_kind kind)
{
	return usual(operation_at_once(kind) ? OPERATION_ENABLE : kind)->validity;
}

int64_t operation_request_s(enum operation_kind kind, int64_t rest_s)
{
	int64_t most = usual(kind)->validity.def_s;

	return operation_at_once(kind) && rest_s > most ? most : rest_s;
}

int64_t operation_busy_at(const struct operation *o, const struct operation_answer *answer)
{
	return answer->at != o->busy_at ? answer->at : 0;
}

static int64_t backoff_us(int64_t refusals)
{
	int64_t s = BACKOFF_S;

	for (int64_t i = 0; i < refusals && s < BACKOFF_MAX_S; i++)
		s *= 2;
	return (s < BACKOFF_MAX_S ? s : BACKOFF_MAX_S) * S_US;
}

static int64_t waiting_due(const struct operation *o, int64_t now)
{
	int64_t at = now + backoff_us(o->refusals);

	return at < o->deadline ? at : o->deadline;
}

/* Its request has not the whole order's time. */
static int64_t prepare_due(const struct operation *o, enum operation_state state, int64_t now)
{
	int64_t at = now + (int64_t)operation_asked(o)->validity.def_s * S_US;

	if (state == OPERATION_WAITING)
		return waiting_due(o, now);
	if (state == OPERATION_REPEATED)
		return now + (int64_t)REPEATED_S * S_US;
	if (state == OPERATION_ACCEPTED)
		return (at < o->deadline ? at : o->deadline) + (int64_t)SILENCE_S * S_US;
	return o->deadline + (int64_t)LAST_S * S_US;
}

int64_t operation_due(const struct operation *o, enum operation_state state, int64_t now)
{
	int64_t at = o->deadline + (int64_t)LAST_S * S_US, soonest = now + (int64_t)REPEATED_S * S_US;

	if (o->stage == STAGE_PREPARE)
		return prepare_due(o, state, now);
	switch (state) {
	case OPERATION_WAITING:
		return waiting_due(o, now);
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

bool operation_executed(const struct operation_answer *answer)
{
	return !strcmp(answer->status, status_name(STATUS_SUCCESS)) || !strcmp(answer->status, status_name(STATUS_WARNING));
}

enum operation_event operation_event_of(const struct operation *o, int64_t attempt, const struct operation_answer *answer)
{
	const struct status_code *busy = status_code(CODE_BUSY);

	if (attempt < o->stage_attempt)
		return OPEV_STALE; /* what follows it is under way */
	if (operation_executed(answer))
		return o->stage == STAGE_PREPARE && !o->order.dry_run ? OPEV_NEXT : OPEV_ANSWER;
	if (attempt != o->attempt)
		return OPEV_STALE;
	if (o->order.patient && !strcmp(answer->status, status_name(STATUS_FAILED)) && !strcmp(answer->subject, busy->subject) &&
	    !strcmp(answer->reason, busy->reason))
		return OPEV_BUSY;
	return OPEV_ANSWER;
}

bool operation_id_ok(const char *text)
{
	size_t n = 0;

	for (; text[n] && n < UUID_TEXT; n++) {
		bool dash = n == 8 || n == 13 || n == 18 || n == 23;

		if (dash ? text[n] != '-' : !strchr("0123456789abcdefABCDEF", text[n]))
			return false;
	}
	return n == UUID_TEXT - 1;
}

const char *operation_ref(struct arena *a, const struct operation *o, int64_t attempt)
{
	return arena_printf(a, "%s.%lld", o->id, (long long)attempt);
}

bool operation_ref_parse(struct arena *a, const char *text, const char **out_id, int64_t *out_attempt)
{
	const char *dot = strrchr(text, '.'), *id = dot ? arena_strndup(a, text, (size_t)(dot - text)) : "";
	size_t n = dot ? strlen(dot + 1) : 0;

	if (!operation_id_ok(id) || n < 1 || n > ATTEMPT_DIGITS || strspn(dot + 1, "0123456789") != n ||
	    dot[1] == '0') /* there is no attempt 0, and no other way to write one */
		return false;
	*out_id = id;
	*out_attempt = strtoll(dot + 1, NULL, 10);
	return true;
}

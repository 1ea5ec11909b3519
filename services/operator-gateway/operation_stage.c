/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of an SM-SR change, and what a tenant is shown of them. */
#include <string.h>

#include "common/base/clock.h"
#include "services/operator-gateway/operation.h"

enum { STAGES_SHOWN = 100 }; /* of an order that is busy for days the newest */

static const char *const names[] = { "", "prepare", "change" };
_Static_assert(LEN(names) == OPERATION_STAGES, "every value has a name");

const char *operation_stage_name(enum operation_stage stage)
{
	return names[stage];
}

bool operation_stage_parse(const char *text, enum operation_stage *out)
{
	for (unsigned i = 0; i < LEN(names); i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		*out = (enum operation_stage)i;
		return true;
	}
	return false;
}

enum operation_stage operation_first_stage(enum operation_kind kind)
{
	return kind == OPERATION_SMSR_CHANGE ? STAGE_PREPARE : STAGE_NONE;
}

/* number: in the order of time, though older ones are not shown any more. */
static json_t *entry(json_int_t number, enum operation_stage stage, enum operation_state state, int64_t attempt, int64_t at)
{
	json_t *j = json_object();
	char text[DATETIME_MAX];

	datetime_format(at, text);
	json_object_set_new(j, "number", json_integer(number));
	json_put(j, "at", text);
	json_put(j, "stage", operation_stage_name(stage));
	json_put(j, "state", operation_state_name(state));
	json_object_set_new(j, "attempt", json_integer(attempt));
	return j;
}

static json_t *stored(const struct operation *o)
{
	json_t *list = *o->stages ? json_loads(o->stages, 0, NULL) : NULL;

	return list ? list : json_array();
}

json_int_t operation_stages_newest(const json_t *stages, json_int_t none)
{
	size_t n = json_array_size(stages);

	return n ? json_integer_value(json_object_get(json_array_get(stages, n - 1), "number")) : none;
}

const char *operation_stages_add(struct arena *a, const struct operation *o, enum operation_state state, int64_t attempt,
				 const struct operation_answer *answer)
{
	CLEANUP(json_freep) json_t *list = stored(o);
	json_t *row = entry(operation_stages_newest(list, 1) + 1, o->stage, state, attempt, o->now);

	if (answer) {
		json_put(row, "status", answer->status);
		if (*answer->subject)
			json_put(row, "code",
				 *answer->reason ? arena_printf(a, "%s/%s", answer->subject, answer->reason) : answer->subject);
		json_put(row, "message", *answer->message ? answer->message : NULL);
	}
	json_array_append_new(list, row);
	while (json_array_size(list) > STAGES_SHOWN)
		json_array_remove(list, 0);
	return json_text(a, list);
}

json_t *operation_stages_json(const struct operation *o)
{
	json_t *list = stored(o);

	json_array_insert_new(list, 0, entry(1, operation_first_stage(o->order.kind), OPERATION_QUEUED, 1, o->created_at));
	return list;
}

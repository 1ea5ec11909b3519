/* SPDX-License-Identifier: Apache-2.0 */
/* The schemas of proto/events: each says what it is about, is closed, and the stages of an SM-SR change are those of its tables. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/sgp02/handover.h"
#include "tests/contract/schema.h"

static void json_freep(json_t **j)
{
	json_decref(*j);
}

static json_t *schema_read(struct arena *a, const char *name)
{
	const char *path = source_path(a, arena_printf(a, "proto/events/%s", name));
	json_error_t e;
	json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &e);

	cr_assert_not_null(j, "%s: line %d: %s", name, e.line, e.text);
	return j;
}

static int is_schema(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".json");
}

/* What must be there can be there, and nothing else. */
static void check_object(const char *name, const json_t *o)
{
	const json_t *properties = json_object_get(o, "properties"), *required = json_object_get(o, "required"), *word;
	size_t i;

	cr_assert_str_eq(json_string_value(json_object_get(o, "type")), "object", "%s", name);
	cr_assert(json_is_false(json_object_get(o, "additionalProperties")), "%s", name);
	cr_assert(json_is_object(properties) && json_is_array(required), "%s", name);
	json_array_foreach(required, i, word)
		cr_assert_not_null(json_object_get(properties, json_string_value(word)), "%s: %s", name, json_string_value(word));
}

static void check_schema(struct arena *a, const char *file)
{
	CLEANUP(json_freep) json_t *j = schema_read(a, file);
	const char *title = json_string_value(json_object_get(j, "title")), *stem = arena_strndup(a, file, strlen(file) - 5);
	const json_t *defs = json_object_get(j, "$defs");

	cr_assert(title && !strncmp(title, stem, strlen(stem)), "%s", file);
	cr_assert_not_null(json_object_get(j, "description"), "%s", file);
	if (strncmp(stem, "rq.", 3) != 0) {
		check_object(file, j);
		return;
	}
	check_object(file, json_object_get(defs, "request"));
	check_object(file, json_object_get(defs, "answer"));
	if (json_object_get(defs, "key"))
		check_object(file, json_object_get(defs, "key"));
}

Test(events, each_schema_is_closed_and_named_as_its_event)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct dirent **names = NULL;
	int n = scandir(source_path(a, "proto/events"), &names, is_schema, alphasort);

	cr_assert_gt(n, 10);
	for (int i = 0; i < n; i++) {
		check_schema(a, names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

Test(events, a_handover_has_the_stages_of_its_tables_and_no_others)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(json_freep) json_t *j = schema_read(a, "handover.json");
	const json_t *stages = json_object_get(json_object_get(json_object_get(j, "properties"), "stage"), "enum"), *word;
	size_t i, known = 0;

	json_array_foreach(stages, i, word)
	{
		const char *name = json_string_value(word);

		cr_assert(handover_out_state_by_name(name) != HANDOVER_OUT_STATES ||
				  handover_in_state_by_name(name) != HANDOVER_IN_STATES,
			  "%s", name);
		known += handover_out_state_by_name(name) != HANDOVER_OUT_STATES;
		known += handover_in_state_by_name(name) != HANDOVER_IN_STATES;
	}
	cr_assert_eq(known, HANDOVER_OUT_STATES + HANDOVER_IN_STATES, "each state is a stage");
}

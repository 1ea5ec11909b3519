/* SPDX-License-Identifier: Apache-2.0 */
#include "services/operator-gateway/json.h"

#include <stdlib.h>

void json_freep(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}

const char *json_text(struct arena *a, const json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);
	const char *out;

	if (!text)
		abort(); /* without memory; what we build is always text */
	out = arena_strdup(a, text);
	free(text);
	return out;
}

void json_put(json_t *o, const char *name, const char *text)
{
	if (text)
		json_object_set_new(o, name, json_string(text));
}

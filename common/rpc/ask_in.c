/* SPDX-License-Identifier: Apache-2.0 */
/* Members of requests, for those who answer them. */
#include "common/rpc/ask.h"

#include "common/base/clock.h"

const char *asking_text(const struct asking *q, const char *member)
{
	return json_string_value(json_object_get(q->in, member));
}

bool asking_number(const struct asking *q, const char *member, int64_t min, int64_t max, int64_t *out)
{
	const json_t *j = json_object_get(q->in, member);

	if (!json_is_integer(j) || json_integer_value(j) < min || json_integer_value(j) > max)
		return false;
	*out = json_integer_value(j);
	return true;
}

bool asking_time(const struct asking *q, const char *member, int64_t *out)
{
	const char *text = asking_text(q, member);

	return text && datetime_parse(text, out);
}

result asking_bad(const struct asking *q, const char *member)
{
	return failed(q->a, CODE_PARAM_INVALID, member, "%s: missing, or not as the schema has it", member);
}

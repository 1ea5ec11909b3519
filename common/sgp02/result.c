/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/result.h"

#include <stdarg.h>

static const struct status_code codes[] = {
#define CODE(name, subject, reason, text) { #name, subject, reason, text },
#include "proto/status_codes.def"
#undef CODE
};

static const char *const statuses[] = { "EXECUTED_SUCCESS", "EXECUTED_WITHWARNING", "FAILED", "EXPIRED" };

const struct status_code *status_code(enum code code)
{
	return &codes[code];
}

const char *status_name(enum status status)
{
	return (unsigned)status < LEN(statuses) ? statuses[status] : NULL;
}

result failed(struct arena *a, enum code code, const char *subject_id, const char *fmt, ...)
{
	struct result *r = ARENA_NEW(a, struct result);
	va_list args;

	r->status = STATUS_FAILED;
	r->code = code;
	r->subject_id = subject_id ? arena_strdup(a, subject_id) : NULL;
	if (fmt) {
		va_start(args, fmt);
		r->message = arena_vprintf(a, fmt, args);
		va_end(args);
	}
	return r;
}

result internal(struct arena *a, const char *cause_fmt, ...)
{
	struct result *r = ARENA_NEW(a, struct result);
	va_list args;

	r->status = STATUS_FAILED;
	r->code = CODE_INTERNAL;
	va_start(args, cause_fmt);
	r->cause = arena_vprintf(a, cause_fmt, args);
	va_end(args);
	return r;
}

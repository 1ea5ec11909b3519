/* SPDX-License-Identifier: Apache-2.0 */
/* The one result type (style.md 11) and the status codes of proto/status_codes.def. */
#ifndef SGP02_RESULT_H
#define SGP02_RESULT_H

#include "common/base/arena.h"

/* Execution status (wire.md 6.10); the order is that of severity. */
enum status { STATUS_SUCCESS, STATUS_WARNING, STATUS_FAILED, STATUS_EXPIRED };

enum code {
#define CODE(name, subject, reason, text) CODE_##name,
#include "proto/status_codes.def"
#undef CODE
	CODE_COUNT
};

struct result {
	enum status status;
	enum code code;
	const char *subject_id; /* on the wire as SubjectIdentifier; NULL: none */
	const char *message;    /* on the wire as Message; NULL: the table's text */
	const char *cause;      /* for the log only; NULL: none */
};

/* NULL is success. A result lives as long as the arena it was made in. */
typedef const struct result *result;
#define OK ((result)0)

#define TRY(expr)                                                                                                     \
	do {                                                                                                          \
		result try_ = (expr);                                                                                 \
		if (try_ != OK)                                                                                       \
			return try_;                                                                                  \
	} while (0)

/* Refuses with a code of the table; subject_id may be NULL; fmt (may be NULL) is the wire's Message. */
result failed(struct arena *a, enum code code, const char *subject_id, const char *fmt, ...) PRINTF(4, 5);
/* A broken database, socket or library: 1.2/4.2 on the wire, the cause in the log only. */
result internal(struct arena *a, const char *cause_fmt, ...) PRINTF(2, 3);

/* Row of the table. */
struct status_code {
	const char *name, *subject, *reason, *text;
};
const struct status_code *status_code(enum code code);
/* EXECUTED_SUCCESS, ... (wire spelling); NULL when status is not one. */
const char *status_name(enum status status);

#endif

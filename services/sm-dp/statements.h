/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SMDP_STATEMENTS_H
#define SMDP_STATEMENTS_H

#include "common/store/statements.h"

/* Of download_row. */
#define DOWNLOAD_COLUMNS                                                                                                        \
	" id::text, eid, smsr, mno, iccid, type, enable, fci, trace, state, step, wait, tries, busy_at, started_at, deadline, " \
	"call_until,"                                                                                                           \
	" due_at, isdp, ecasd, leftovers, request, secret, first, past, told, status, code, subject_id, message, ended_at, "    \
	"clock_timestamp(), context_id "

enum smdp_statement {
	SMDP_BEFORE_FIRST = RPC_STATEMENTS - 1,
#define STATEMENT(name, sql) name,
#include "services/sm-dp/statements.def"
#undef STATEMENT
	SMDP_STATEMENTS_END
};

enum { SMDP_STATEMENTS = SMDP_STATEMENTS_END - RPC_STATEMENTS };

#endif

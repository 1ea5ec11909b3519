/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HANDOVER_STATEMENTS_H
#define HANDOVER_STATEMENTS_H

#include "common/store/statements.h"

/* Of in_row. */
#define HANDOVER_IN_COLUMNS                                                                                                     \
	" id::text, eid, former, operator, context_id, trace, state, step, wait, tries, started_at, prepared_until, deadline, " \
	"due_at,"                                                                                                               \
	" eis, ecasd, kvn, counter, offer, secret, psk_kvn, told, status, code, subject_id, message, ended_at, clock_timestamp() "

/* Of out_row. */
#define HANDOVER_OUT_COLUMNS                                                                                                       \
	" id::text, eid, target, operator, context_id, trace, state, step, call, wait, tries, started_at, deadline, due_at, call_at,"      \
	" called_at, call_until, eis, certificate, challenge, told, status, code, message, ended_at, clock_timestamp(), asked_fci "

enum handover_statement {
	HANDOVER_BEFORE_FIRST = RPC_STATEMENTS - 1,
#define STATEMENT(name, sql) name,
#include "services/sm-sr-handover/statements.def"
#undef STATEMENT
	HANDOVER_STATEMENTS_END
};

enum { HANDOVER_STATEMENTS = HANDOVER_STATEMENTS_END - RPC_STATEMENTS };

#endif

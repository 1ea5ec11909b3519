/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EUM_STATEMENTS_H
#define EUM_STATEMENTS_H

#include "common/store/statements.h"

enum eum_statement {
	EUM_BEFORE_FIRST = RPC_STATEMENTS - 1,
#define STATEMENT(name, sql) name,
#include "services/eum/statements.def"
#undef STATEMENT
	EUM_STATEMENTS_END
};

enum { EUM_STATEMENTS = EUM_STATEMENTS_END - RPC_STATEMENTS };

#endif

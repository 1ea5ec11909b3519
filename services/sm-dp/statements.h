/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SMDP_STATEMENTS_H
#define SMDP_STATEMENTS_H

#include "common/store/statements.h"

enum smdp_statement {
	SMDP_BEFORE_FIRST = RPC_STATEMENTS - 1,
#define STATEMENT(name, sql) name,
#include "services/sm-dp/statements.def"
#undef STATEMENT
	SMDP_STATEMENTS_END
};

enum { SMDP_STATEMENTS = SMDP_STATEMENTS_END - RPC_STATEMENTS };

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SMSR_STATEMENTS_H
#define SMSR_STATEMENTS_H

#include "common/store/statements.h"

enum smsr_statement {
	SMSR_STATEMENTS_FROM = RPC_STATEMENTS - 1,
#define STATEMENT(name, sql) name,
#include "services/sm-sr/statements.def"
#undef STATEMENT
	SMSR_STATEMENTS_END
};

#endif

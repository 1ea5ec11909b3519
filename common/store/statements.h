/* SPDX-License-Identifier: Apache-2.0 */
/* Statements that every role has; a role's own numbers begin at RPC_STATEMENTS. */
#ifndef STORE_STATEMENTS_H
#define STORE_STATEMENTS_H

#include "common/store/store.h"

enum rpc_statement {
#define STATEMENT(name, sql) name,
#include "common/store/statements.def"
#undef STATEMENT
	RPC_STATEMENTS
};

extern const struct statement rpc_statements[RPC_STATEMENTS];

#endif

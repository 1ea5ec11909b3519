/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/statements.h"

const struct statement rpc_statements[RPC_STATEMENTS] = {
#define STATEMENT(name, sql) { #name, sql },
#include "common/rpc/statements.def"
#undef STATEMENT
};

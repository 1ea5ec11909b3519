/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/statements.h"

const struct statement rpc_statements[RPC_STATEMENTS] = {
#define STATEMENT(name, sql) { #name, sql },
#include "common/store/statements.def"
#undef STATEMENT
};

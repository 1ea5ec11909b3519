/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rpc/: may an answer be sent to this ReplyTo (decisions.md A3)? */
#ifndef RPC_REPLY_TO_H
#define RPC_REPLY_TO_H

#include <stdbool.h>

#include "common/base/arena.h"

/* The address of a caller that wants to fetch its answer (WS-MakeConnection). */
bool reply_to_polls(const char *url);
/* The mailbox that it names: the whole address, its beginning in the standard's letter case. In a; NULL: it is not
 * <WS-MakeConnection>/anonymous?id=<something>, or has more than 2,000 characters. */
const char *reply_to_mailbox(struct arena *a, const char *url);
/* https://host[:port][/...] without a user, at most 2,000 characters. */
bool reply_to_valid(const char *url);
/* Both valid, host and port are the same. */
bool reply_to_same_place(const char *url, const char *registered);

#endif

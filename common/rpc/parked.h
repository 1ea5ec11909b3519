/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rpc/: callers that wait on their connections, from the pipeline's side (decisions.md A4, A5). */
#ifndef RPC_PARKED_H
#define RPC_PARKED_H

#include "common/base/random.h"
#include "common/rpc/answer.h"

struct http_call;

/* Takes a place for the caller before the commit that may cause the answer: it may come at once. out_id: of its reply row.
 * False: too many wait. */
bool parked_enter(struct parked *p, struct http_call *call, const struct answer_way *way, const char *eid, int64_t started_us,
		  char out_id[UUID_TEXT]);
/* How many seconds a caller waits when its call may take validity_s. */
unsigned parked_wait_s(const struct parked *p, uint32_t validity_s);
/* After the commit: parks the call, or lets the answer out that is there already. The call must not be touched any more. */
void parked_park(struct parked *p, const char *id, struct http_call *call, uint32_t validity_s);
/* There was no commit: gives the place back. */
void parked_leave(struct parked *p, const char *id);

#endif

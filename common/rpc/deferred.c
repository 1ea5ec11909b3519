/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/deferred.h"

#include <string.h>

#include "common/rpc/answer.h"

struct bytes deferred_encode(struct arena *a, const struct function *fn, void *response, result outcome, bool keep_data,
			     int64_t received_us)
{
	const struct bind_message *m = message_response(fn->id);
	bool told = response && m && (outcome == OK || outcome->status == STATUS_WARNING || keep_data);
	CLEANUP(buf_free) struct buf out = { 0 };
	struct answer answer = { .message = m ? m : message_bare_response(a, fn), .outcome = outcome, .received_us = received_us };

	answer.base = told ? response : arena_alloc(a, answer.message->group->size);
	answer_encode(a, &out, &answer);
	return (struct bytes){ arena_memdup(a, out.data, out.len), out.len };
}

void deferred_end(struct db *db, struct arena *a, const struct deferred_call *call, struct bytes answer)
{
	struct param caller = p_text(arena_strdup(a, call->caller)), function = p_text(arena_strdup(a, call->function));
	struct param fci = p_text(arena_strdup(a, call->fci));

	DB_QUEUE(db, RPC_CALL_END, caller, function, fci, p_bytes(answer.data, answer.len));
	DB_QUEUE(db, RPC_REPLY_END, caller, function, fci);
}

void deferred_ring(struct rpc *rpc, const char *replicas)
{
	const char *p = replicas ? replicas : "";

	outbox_ring(rpc->outbox);
	parked_ring(rpc->parked);
	while (*p) {
		CLEANUP(buf_free) struct buf name = { 0 };
		size_t n = strcspn(p, " ");

		buf_add(&name, p, n);
		if (n && rpc->bus && strcmp(name.data, rpc->replica))
			bus_wake(rpc->bus, name.data, "parked");
		p += n + strspn(p + n, " ");
	}
}

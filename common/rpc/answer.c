/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/answer.h"

#include "common/base/clock.h"

static const char *dup(struct arena *a, const char *text)
{
	return text ? arena_strdup(a, text) : NULL;
}

struct answer_way answer_way_dup(struct arena *a, const struct answer_way *way)
{
	return (struct answer_way){ .fn = way->fn,
				    .namespace_uri = dup(a, way->namespace_uri),
				    .to = dup(a, way->to),
				    .to_entity = dup(a, way->to_entity),
				    .message_id = dup(a, way->message_id),
				    .transaction_id = dup(a, way->transaction_id),
				    .context_id = dup(a, way->context_id),
				    .message_pending = dup(a, way->message_pending) };
}

const char *answer_wrap(struct arena *a, struct buf *out, const struct rpc *rpc, const struct answer_way *way, struct bytes answer)
{
	char action[ACTION_MAX];
	struct envelope e = { .from_entity = rpc->self.text,
			      .from_name = rpc->self_name && *rpc->self_name ? rpc->self_name : NULL,
			      .to = way->to,
			      .to_entity = way->to_entity,
			      .relates_to = way->message_id,
			      .action = action,
			      .message_pending = way->message_pending };

	if (way->message_pending)
		function_callback_action(way->fn, action);
	else
		function_response_action(way->fn, action);
	e.from = arena_printf(a, "%s/%s", rpc->self_url, iface_name(way->fn->iface));
	e.message_id = message_id_new(a, rpc->self.text, way->transaction_id, way->context_id);
	buf_clear(out);
	envelope_open(out, &e, way->namespace_uri ? way->namespace_uri : NS_RPS_DEFAULT);
	buf_add(out, answer.data, answer.len);
	envelope_close(out);
	return e.message_id;
}

static void status_fill(struct arena *a, result outcome, struct execution_status *out)
{
	const struct status_code *code;

	if (outcome == OK) {
		out->status = STATUS_SUCCESS;
		return;
	}
	code = status_code(outcome->code);
	out->status = outcome->status;
	out->code = arena_alloc(a, sizeof(*out->code));
	out->code->subject = code->subject;
	out->code->reason = code->reason;
	out->code->subject_id = outcome->subject_id;
	out->code->message = outcome->message ? outcome->message : code->text;
}

void answer_encode(struct arena *a, struct buf *out, const struct answer *answer)
{
	struct response_base *base = answer->base;
	int64_t *times = arena_array(a, 3, sizeof(*times));

	times[0] = answer->received_us;
	times[1] = clock_wall_us();
	if (times[1] < times[0]) /* begun by another replica, whose clock is ahead, or before ours was put back */
		times[1] = times[0];
	base->processing_start = &times[0];
	base->processing_end = &times[1];
	if (answer->acceptable_validity_s) {
		times[2] = *answer->acceptable_validity_s;
		base->acceptable_validity_s = &times[2];
	}
	if (!answer->told)
		status_fill(a, answer->outcome, &base->status);
	bind_encode(out, answer->message, base, BIND_PLAIN);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Private to rpc/: answers, whether they leave in their request's own run or much later. */
#ifndef RPC_ANSWER_H
#define RPC_ANSWER_H

#include "common/rpc/rpc.h"

#define SOAP_TYPE "application/soap+xml; charset=utf-8"

/* What an answer repeats of its request, and whom it is for. */
struct answer_way {
	const struct function *fn;
	const char *namespace_uri;     /* of the caller's dialect; NULL: the default */
	const char *to, *to_entity;
	const char *message_id, *transaction_id, *context_id;
	const char *message_pending;   /* it is fetched: "true" when more wait, "false"; its Action is a callback's then. NULL: it is not */
};

/* A copy that lives in a. */
struct answer_way answer_way_dup(struct arena *a, const struct answer_way *way);
/* The whole message around this Response element into out (cleared before); the new MessageID, in a. */
const char *answer_wrap(struct arena *a, struct buf *out, const struct rpc *rpc, const struct answer_way *way, struct bytes answer);

/* How a Response element is made. */
struct answer {
	const struct bind_message *message;
	struct response_base *base; /* the message's struct; filled here */
	result outcome;             /* OK, a warning, a refusal */
	bool told;                  /* base.status is filled already: another hop's */
	int64_t received_us;
	const int64_t *acceptable_validity_s; /* NULL: not said */
};
void answer_encode(struct arena *a, struct buf *out, const struct answer *answer);

#endif

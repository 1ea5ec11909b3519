/* SPDX-License-Identifier: Apache-2.0 */
/* The peer of the outbox's tests: what it does is said by the path. */
#ifndef UNIT_RPC_OUTBOX_PEER_H
#define UNIT_RPC_OUTBOX_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/http/server.h"

enum { SEEN_MAX = 400, TEXT_MAX = 3000, CARDS = 4 };

struct peer_side {
	pthread_mutex_t lock;
	struct {
		char path[16], text[TEXT_MAX];
	} seen[SEEN_MAX];
	size_t n;
	unsigned busy[CARDS], last[CARDS]; /* of /slow */
	bool crossed, disordered;
};

/* How many of this path and text came, and the newest. */
size_t seen(struct peer_side *p, const char *path, const char *text, char out[TEXT_MAX]);
/* A listener's handler; ctx: a struct peer_side. */
void peer_handle(void *ctx, struct http_call *c);

#endif

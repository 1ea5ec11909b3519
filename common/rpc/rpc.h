/* SPDX-License-Identifier: Apache-2.0 */
/* What the pipeline, outbound calls and the outbox share in one process. Made by app_run; read-only afterwards but for its pools. */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include "common/bus/bus.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "common/rpc/journal.h"
#include "common/rpc/deferred.h"
#include "common/rpc/outbox.h"
#include "common/rpc/rq.h"

struct rpc {
	const char *role;         /* "sm-sr": log, metrics, events, fault points */
	enum role self_role;      /* what we are on the wire */
	struct oid self;          /* our entity */
	const char *self_name;    /* EntityName */
	const char *self_url;     /* base of wsa:From: https://host:port */
	const struct served *served;
	size_t n_served;
	const struct relay_role *relay; /* what this role adds to its RELAY rows; NULL: nothing */
	const struct awaited *awaited;
	size_t n_awaited;
	const char *replica;      /* our name within role and domain */
	struct parked *parked;    /* NULL: nobody is ever parked */
	void *role_state;
	struct store *store;
	struct http_client *client;
	struct bus *bus;          /* NULL: none configured */
	struct journal *journal;  /* NULL: none */
	struct outbox *outbox;
	unsigned rate_per_s;      /* calls per second and entity; 0: no limit */
	unsigned callback_spare_s; /* after its call's deadline an answer is still tried so long */
	unsigned notify_give_up_s; /* so long a notification is tried */
	int64_t peer_pause_ms;    /* first pause of a peer that cannot be reached; doubles up to 60 s */
};

/* Handlers of a partner listener (pipeline.c); ctx of the listener is the struct rpc. */
extern const struct http_handlers pipeline_handlers;
void *pipeline_thread_open(void *ctx);
void pipeline_thread_close(void *ctx, void *thread);

/* The call's traceparent (W3C), in a; "" when there is none or it is not one: it goes into rows, headers and logs. */
const char *rpc_trace(struct arena *a, const struct http_call *call);

/* Limits (design.md 8). */
enum {
	BODY_MAX = 4 * 1024 * 1024,      /* read at all */
	BODY_PLAIN_MAX = 1024 * 1024,    /* unless the root is SendData or DownloadProfile */
};

#endif

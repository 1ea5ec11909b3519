/* SPDX-License-Identifier: Apache-2.0 */
/* One POST of a card: one transaction, one answer (decisions.md C2, C3). */
#ifndef SMSR_CARD_SESSION_H
#define SMSR_CARD_SESSION_H

#include "services/sm-sr/card_case.h"
#include "services/sm-sr/card_post.h"

/* What a connection remembers between POSTs; everything that matters is in rows. */
struct card_peer {
	struct eid eid;
	char session[UUID_TEXT]; /* "": none is open */
	unsigned posts;          /* of this session */
	bool ours;               /* the script it was given last is ours, not an SM-DP's: its answer may be shown */
	bool asked_status;       /* GET STATUS went out in this session: it is not asked again and again */
};

enum { CARD_POSTS_MAX = 64 };

struct card_answer {
	unsigned status;         /* 200 with script, 204, 503 */
	struct bytes script;     /* in the arena */
	const char *ticket;      /* of the script: its answer is to name it; NULL: it has none */
	struct aid target;
	enum command_kind kind;  /* of the script: log, journal */
	bool confirms;           /* the POST was a notification that is confirmed */
	bool waits;              /* nothing yet: the session is held (card_wait.c) */
	bool closes;             /* nothing more is taken on this connection */
};

/* Runs the transaction, again where another one was in the way, and rings after the commit. */
void card_visit(struct rpc *rpc, struct smsr *smsr, struct db *db, struct arena *a, struct card_peer *peer, const struct card_post *post,
		struct card_answer *out);

#endif

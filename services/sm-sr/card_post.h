/* SPDX-License-Identifier: Apache-2.0 */
/* What a card's POST is, told from its headers (card.md 6, procedures.md 3.11, 4.3). Pure, so that tests reach it. */
#ifndef SMSR_CARD_POST_H
#define SMSR_CARD_POST_H

#include "common/card/notification.h"
#include "common/card/ram_http.h"

enum { CARD_ANSWER_MAX = 64 * 1024 };

/* As they came; NULL: absent. */
struct card_headers {
	const char *protocol, *from, *status, *resume, *content_type;
	const char *msg; /* of the query: a notification in hex */
	const char *ticket; /* of the query: which script is answered */
	struct bytes body;
};

enum post_kind {
	POST_FIRST,        /* the card asks for work */
	POST_ANSWER,       /* it reports what a script did; body */
	POST_UNABLE,       /* it could not take the script; status says why */
	POST_NOTIFICATION, /* note */
	POST_BAD,          /* HTTP 400: bad says what is wrong */
	POST_FORBIDDEN,    /* HTTP 403: it speaks for another card */
};
struct card_post {
	enum post_kind kind;
	bool resume;       /* what was not reported is to be sent again */
	enum ram_status status;
	bool waited;       /* not the card's: its session was held as long as it may be (card_wait.c) */
	struct bytes body;
	const char *ticket; /* POST_ANSWER, POST_UNABLE: of the script that is meant; NULL: not said */
	struct notification note; /* imei, meid in a */
	const char *bad;
};

/* eid: whose key the connection has. */
void card_post_read(struct arena *a, const struct card_headers *h, const struct eid *eid, struct card_post *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A relay between an operator (the partner of partner.h) and an SM-SR that answers as it is told, behind real TLS. */
#ifndef UNIT_RPC_RELAY_STAGE_H
#define UNIT_RPC_RELAY_STAGE_H

#include <pthread.h>

#include "common/rpc/relay.h"
#include "tests/unit/http/pki.h"
#include "tests/unit/rpc/partner.h"

#define SMSR "1.3.6.1.4.1.99999.7"
#define SHY_SMSR "1.3.6.1.4.1.99999.8"  /* answers everything by callback */
#define NO_SMSR "1.3.6.1.4.1.99999.9"   /* an SM-SR whom nobody reaches */
#define OTHER_MNO "1.3.6.1.4.1.99999.6" /* an operator, at the same listener as the SM-SR */
#define ICCID "8933010000000000028"     /* the partner's, by our stock */
#define FOREIGN "8933010000000000036"   /* not in our stock */

enum { MOVES = 8, SEEN = 64, SEEN_TEXT = 6000 };

/* How the SM-SR answers one message: with HTTP status and this Response element, or nothing at all. */
struct hop_answer {
	unsigned status;
	const char *body; /* NULL: none */
};

struct stage {
	struct partner p;
	struct pki pki;
	struct http_server *hop;
	pthread_mutex_t lock;             /* of all below */
	struct hop_answer answers[MOVES]; /* by the order of messages; the last one stands */
	size_t n_answers, n_seen;
	char seen[SEEN][SEEN_TEXT];
	unsigned ended;
	char ended_as[200];
	char told_of[200];
};

/* With an outbox at work. owner: of ICCID by the stock. */
struct stage *stage_open(void);
void stage_close(struct stage *s);
/* As if the process had been killed: nothing is at work; then a new one with the same database. */
void stage_stop(struct stage *s);
void stage_start(struct stage *s);
/* Who talks to us from now on. */
void stage_caller(struct stage *s, const char *oid, unsigned roles);

void hop_answers(struct stage *s, const struct hop_answer *answers, size_t n);
#define HOP(s, ...)                                                  \
	hop_answers((s), (const struct hop_answer[]){ __VA_ARGS__ }, \
		    sizeof((const struct hop_answer[]){ __VA_ARGS__ }) / sizeof(struct hop_answer))
/* How many messages with this text came to the hop by now; the newest into out, in the stage's arena. */
size_t hop_seen(struct stage *s, const char *text, const char **out);
/* Until there are as many. */
const char *hop_wait(struct stage *s, const char *text, size_t n);

/* "<rps:ES3-...Response>" with a status and what follows it. */
const char *response(struct stage *s, const char *name, const char *status, const char *rest);
/* ES3-GetEISResponse (or another name's) of a card with one profile each of these operators' ICCIDs; iccid NULL: no more. */
const char *eis_response(struct stage *s, const char *name, const char *eid, const char *mno, const char *iccid, const char *mno2,
			 const char *iccid2);

/* ES2-<name>Request with fci, EID, Smsr-id and ICCID in the order of the schema; iccid NULL: none. extra: behind them. */
const char *es2_request(struct stage *s, const char *name, const char *fci, unsigned validity_s, const char *smsr,
			const char *iccid, const char *extra);
unsigned es2_ask(struct stage *s, const char *message_id, const char *reply_to, const char *body, const char **out_text);
void has(const char *text, const char *part);
void has_not(const char *text, const char *part);
/* Until the outbox is empty. */
void outbox_empty(struct stage *s);

#endif

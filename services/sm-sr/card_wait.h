/* SPDX-License-Identifier: Apache-2.0 */
/* Cards' POSTs that are answered when an SM-DP, for whom the card is kept, has its next command for it (decisions.md C1, C2): the session
 * stays, no thread waits. */
#ifndef SMSR_CARD_WAIT_H
#define SMSR_CARD_WAIT_H

#include "services/sm-sr/card_session.h"

/* Lives from smsr_open to smsr_close; in between its worker. */
struct card_waits *card_waits_new(void);
void card_waits_free(struct card_waits *w);
void card_waits_start(struct app *app);
void card_waits_stop(struct app *app);
/* Something was committed that may be for a waiting card. Any thread; NULL allowed. */
void card_waits_ring(struct card_waits *w);

/* Parks the call. peer: the connection's, which lives as long as it and is not touched by others meanwhile. */
void card_wait(struct card_waits *w, struct http_call *call, struct card_peer *peer, unsigned ms);

/* card_listener.c: the same answer as at once. False: the call is gone. */
bool card_answer_resume(const struct app *app, struct http_call *call, const struct card_peer *peer, const struct card_answer *answer);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Connectivity parameters of a profile that is on a card, changed by us with the keys of its ISD-P (SGP.02 3.14, ES3.UpdateConnectivityParameters;
 * procedures.md 3.16, 4.8). An order is a row and an outbox row, made in one transaction; what is sent follows from the row, so that any process of
 * this role can read the answer. */
#ifndef SMDP_CONNECTIVITY_H
#define SMDP_CONNECTIVITY_H

#include "common/base/random.h"
#include "common/card/scp03.h"
#include "common/rpc/outbox.h"
#include "services/sm-dp/smdp.h"

/* Numbers stand in rows. */
enum connectivity_state { CONNECTIVITY_SENT, CONNECTIVITY_DONE, CONNECTIVITY_FAILED, CONNECTIVITY_EXPIRED, CONNECTIVITY_STATES };
const char *connectivity_state_name(enum connectivity_state s); /* "sent", "done", "failed", "expired" */

enum { CONNECTIVITY_MAX = 192 /* bytes: with DGI, padding and MAC in one STORE DATA */, CONNECTIVITY_BY_MAX = 64 };
/* One each, at least one, of the TLVs A0 (SMS), A1 (CAT_TP), A2 (HTTPS), and nothing else. */
bool connectivity_ok(struct bytes parameters);

/* connectivity_card.c. Pure. A session that is opened for one STORE DATA. SECRET. */
struct connectivity_session {
	struct card_keys keys;
	struct aid isdp;
	uint32_t sequence;
	uint8_t challenge[SCP03_CHALLENGE]; /* the host's */
	struct bytes parameters;
};
void connectivity_session_wipe(struct connectivity_session *in);
/* INITIALIZE UPDATE, EXTERNAL AUTHENTICATE (level 33), STORE DATA 3A07, each in 22. False: the library failed. */
bool connectivity_build(struct buf *out, const struct connectivity_session *in);
/* Their answer, R-MAC verified: OK. *out_sequence: 0, or what the card, by its own cryptogram, had counted when that is not
 * in->sequence, and nothing was stored. 8.4/4.2 with command and status word; 8.3/6.1 for what does not verify. */
result connectivity_read(struct arena *a, const struct connectivity_session *in, struct bytes data, uint32_t *out_sequence);

struct connectivity_order {
	struct eid eid;
	struct iccid iccid;
	struct bytes parameters; /* connectivity_ok */
	int64_t validity_s;
	const char *by;
};
enum connectivity_end {
	CONNECTIVITY_ORDERED,
	CONNECTIVITY_NO_KEYS, /* we have none of that ISD-P: never, or not any more */
	CONNECTIVITY_NO_SMSR, /* nobody knows who manages the card */
	CONNECTIVITY_BUSY,    /* another order for this card is under way */
};
/* In a transaction of its own. id: of CONNECTIVITY_ORDERED. INTERNAL: the keys cannot be read with this KEK. */
result connectivity_order(struct smdp *smdp, struct db *db, struct arena *a, const struct connectivity_order *order,
			  enum connectivity_end *out_end, char out_id[UUID_TEXT]);

/* How SM-SRs answer; as smdp_answered. *out_ours false: ref is of something else. */
bool connectivity_answered(struct smdp *smdp, struct db *db, struct arena *a, const struct outbox_answer *in, bool *out_ours);
extern const struct load connectivity_callback_load;
result connectivity_callback(struct rq *rq, const void *in, enum callback_verdict *out);

/* connectivity_admin.c */
void connectivity_list(struct app *app, struct http_call *call);
void connectivity_order_route(struct app *app, struct http_call *call);

#endif

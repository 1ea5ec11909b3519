/* SPDX-License-Identifier: Apache-2.0 */
/* The SMS lane of one process: the thread that holds it (sms_lane.c), what is due (sms_send.c), what the SMSC says
 * (sms_answers.c). */
#ifndef SMSR_SMS_INTERNAL_H
#define SMSR_SMS_INTERNAL_H

#include <stdatomic.h>

#include "common/app/worker.h"
#include "common/card/smpp.h"
#include "services/sm-sr/cards.h"
#include "services/sm-sr/sms_store.h"

enum { SMS_BATCH = 64, SMS_WHY = 128 };
/* The lane's lock. Far from the shards of the outbox, which count from 0. */
#define SMS_LANE_KEY INT64_C(0x534D53)

/* A part on its way to the SMSC; lives in `outgoing_arena`. */
struct sms_outgoing {
	struct sms_outgoing *next;
	uint64_t token;
	int64_t until; /* clock_ms(): nobody needs it then */
	struct smpp_message message;
};

/* What the SMSC said, until it is in the tables; lives in `events_arena`. */
struct sms_event {
	struct sms_event *next;
	bool is_answer;
	struct sms_token token; /* of an answer */
	uint32_t status;
	const char *id;
	uint32_t sequence; /* of a message */
	struct smpp_message message;
	size_t first; /* of its results */
	bool failed;  /* it is not in the tables: it is to come again */
};

struct sms_lane {
	struct rpc *rpc;
	struct smsr *smsr;
	struct worker *worker;
	struct db *db;
	struct arena *a; /* of one round */
	int bell;        /* eventfd */
	atomic_bool stop;
	bool held;
	struct smpp_session *session; /* NULL: none */
	bool fresh;                   /* bound since the last round */
	bool ended;
	char why[SMS_WHY];  /* it ended */
	int64_t connect_at; /* clock_ms() of the next attempt to connect */
	unsigned back_off_ms;
	int64_t look_at;     /* when to look for what is due */
	int64_t pause_until; /* the SMSC is throttling us */
	int64_t clean_at;
	char lost_after[EID_DIGITS + 1]; /* where the next batch of sms_lost_due begins; "": with the first card */
	struct arena *outgoing_arena, *events_arena;
	struct sms_outgoing *outgoing, **outgoing_last;
	struct sms_event *events, **events_last;
	size_t n_events;
};

/* sms_send.c */
/* Packets for cards that are to be woken; then what is due to the SMSC goes into `outgoing`. False: the database failed. *out_full:
 * there may be more. */
bool sms_wake_due(struct sms_lane *l, bool *out_full);
bool sms_send_due(struct sms_lane *l, bool *out_full);
/* As much of `outgoing` as the SMSC may be told now; what has waited there too long is dropped. */
void sms_pump(struct sms_lane *l);
void sms_outgoing_drop(struct sms_lane *l);

/* sms_answers.c */
extern const struct smpp_events sms_smpp_events;
/* Writes the events into the tables, then answers the messages among them. False: the database failed; they come again. */
bool sms_events_settle(struct sms_lane *l);

/* The lock is ours still. A connection is replaced unnoticed, and another replica may work the lane since. */
bool sms_lane_is_held(const struct sms_lane *l);

void sms_metric(const char *what);
void sms_journal(const struct sms_lane *l, enum journal_kind kind, const char *peer, const char *eid, const char *function,
		 const char *words, struct bytes data);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of SMS to cards (decisions.md C6, C7): what is due, what was sent, what the SMSC and the card said. Each function that
 * writes queues its statements in the open pipeline. */
#ifndef SMSR_SMS_STORE_H
#define SMSR_SMS_STORE_H

#include "common/card/scp80.h"
#include "common/sgp02/ids.h"
#include "services/sm-sr/smsr.h"

/* From SMS_DONE on it is ended. SENT: not all of its parts are answered; WAITING: the SMSC has them all, the card has not
 * answered. */
enum sms_state { SMS_QUEUED, SMS_SENT, SMS_WAITING, SMS_DONE, SMS_FAILED };
enum sms_out_kind { SMS_TRIGGER, SMS_SCRIPT };
enum { KIC_INDEX = 1, KID_INDEX = 2, SMS_TOKEN_ATTEMPTS = 0xFFFF };

/* How a card is reached. */
struct sms_path {
	uint8_t kvn;
	struct bytes kic, kid; /* as they are stored */
	const char *msisdn;
};

/* A card that is to be woken, or commanded. */
struct sms_due {
	struct eid eid;
	uint8_t kvn;             /* 0: it has no SCP80 keys */
	uint64_t counter;        /* taken for it */
	struct bytes kic, kid;   /* as they are stored */
	uint8_t psk_kvn, psk_id; /* of the key that it opens its session with; 0: none */
	const char *msisdn;      /* NULL: no profile is enabled, or it has no number */
	const char *told;        /* why it could not be woken the last time; "" */
	int64_t until;           /* wall microseconds of the database's clock */
	bool http;               /* it can open sessions: its EIS says so, and it has a key for them */
	bool in_session;         /* one is open */
	bool uncertain;          /* so its list is what comes first */
	int64_t unheard;         /* triggers that it took, and opened no session for */
	int kind;                /* enum command_kind of what comes next */
	size_t script_len;       /* of that */
};

/* A packet that is in flight. */
struct sms_row {
	int64_t id;
	struct eid eid;
	enum sms_out_kind kind;
	uint8_t kvn, spi2;
	uint64_t counter;
	const char *msisdn;
	const char *session; /* of the command that it carries (sms_command.h); NULL: a trigger */
	struct bytes packet;
	enum sms_state state;
	int64_t attempts;       /* so far */
	int64_t uncounted;      /* of them: throttled, or never answered */
	int64_t left_ms;        /* until nobody needs it any more */
	bool overdue;           /* nobody needs it any more */
	bool wanted;            /* the card has not fetched what it was sent for; its command's answer is awaited */
	struct bytes kic, kid;  /* only of sms_candidates_take, as is */
	uint8_t tar[SCP80_TAR]; /* whom it is for */
};

/* Ends what is pointless, gives up audits of cards that were rung so often, finds what is due: three results. Arena: of the work. */
enum { SMS_DUE_POINTLESS, SMS_DUE_SILENT, SMS_DUE_FOUND, SMS_DUE_RESULTS };
void sms_due_queue(struct db *db, struct arena *a, unsigned tries, size_t limit);
size_t sms_due_take(struct arena *a, const struct rows *rows, struct sms_due **out);
/* One result: the counter that was taken, see sms_counter_taken. */
void sms_counter_queue(struct db *db, struct arena *a, const struct sms_due *d);
bool sms_counter_taken(const struct rows *rows, uint64_t *out);
/* The packet, and the commands that it wakes the card for. */
void sms_add(struct db *db, struct arena *a, const struct sms_due *d, uint8_t spi2, struct bytes packet, unsigned again_s);
/* A command's packet. until: as above. */
void sms_script_add(struct db *db, struct arena *a, const struct eid *eid, const struct sms_path *path, uint64_t counter,
		    struct bytes packet, int64_t until, const char *session);
/* Nothing goes to the card for a while; why: for its rows. anew: its numbers are tried from the likeliest on. */
void sms_pause(struct db *db, struct arena *a, const struct eid *eid, const char *why, unsigned again_s, bool anew);
/* The card cannot be woken now; tried again later. */
void sms_unreachable(struct db *db, struct arena *a, const struct sms_due *d, const char *why, unsigned again_s);

/* What is to be sent, sent again or given up now. */
void sms_sendable_queue(struct db *db, struct arena *a, size_t limit);
size_t sms_sendable_take(struct arena *a, const struct rows *rows, struct sms_row **out);
/* The next attempt begins; without a PoR the one behind it follows in retry_ms. */
void sms_sending(struct db *db, struct arena *a, const struct sms_row *r, size_t parts, unsigned retry_ms);
void sms_end(struct db *db, struct arena *a, int64_t id, enum sms_state state, const char *error);
/* The card took the packet. */
void sms_heard(struct db *db, struct arena *a, const struct sms_row *r, unsigned again_s);
/* The card has been told to come, as far as we can know. */
void sms_unheard(struct db *db, struct arena *a, const struct eid *eid, uint8_t kvn);
/* The packets in flight of the card with this number, with their keys. */
void sms_candidates_queue(struct db *db, const char *msisdn);
size_t sms_candidates_take(struct arena *a, const struct rows *rows, struct sms_row **out);

/* Who may have sent a packet from this number. */
struct sms_sender {
	struct eid eid;
	struct sms_path path;
};
void sms_senders_queue(struct db *db, struct arena *a, const char *msisdn);
size_t sms_senders_take(struct arena *a, const struct rows *rows, const char *msisdn, struct sms_sender **out);

/* Which part of which attempt, as smpp_send carries it. */
struct sms_token {
	int64_t id, attempt;
	uint8_t number;
};
uint64_t sms_token_pack(const struct sms_token *t);
struct sms_token sms_token_unpack(uint64_t token);

/* A message id as it may be spelled elsewhere: itself, its hexadecimal and its decimal, lower case, without leading zeros; blank
 * between two (smpp_id_equal). */
const char *sms_id_forms(struct arena *a, const char *id);

#endif

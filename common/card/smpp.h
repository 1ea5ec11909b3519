/* SPDX-License-Identifier: Apache-2.0 */
/* SMPP 3.4 on libsmpp34, both sides: the sm-sr binds as ESME, the simulator is the SMSC (decisions.md C7, recipes.md 6). The library's
 * globals are not safe for threads: one thread of a process uses everything in this header. Nothing here blocks: the owner polls. */
#ifndef CARD_SMPP_H
#define CARD_SMPP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"

enum { SMPP_ADDRESS_MAX = 20, SMPP_ID_MAX = 64, SMPP_TIME = 16, SMPP_DATA_MAX = 253 /* libsmpp34 refuses the 254 that the specification allows */ };
enum smpp_status { SMPP_OK = 0, SMPP_INVALID_COMMAND = 3, SMPP_NOT_BOUND = 4, SMPP_SYSTEM_ERROR = 8, SMPP_INVALID_DESTINATION = 0x0B, SMPP_BIND_FAILED = 0x0D,
		   SMPP_QUEUE_FULL = 0x14, SMPP_THROTTLED = 0x58, SMPP_INVALID_VALIDITY = 0x62 };
enum smpp_esm { SMPP_ESM_UDHI = 0x40, SMPP_ESM_RECEIPT = 0x04 };

/* A short message, of submit_sm or deliver_sm. */
struct smpp_message {
	char source[SMPP_ADDRESS_MAX + 1], destination[SMPP_ADDRESS_MAX + 1];
	uint8_t source_ton, source_npi, destination_ton, destination_npi;
	uint8_t esm_class, protocol_id, data_coding;
	bool receipt_wanted;
	struct bytes data;               /* short_message, or message_payload when that came */
	char validity[SMPP_TIME + 1];    /* of submit_sm: how long the SMSC tries (smpp_validity_format); "": as long as it likes */
	/* Of a delivery receipt (esm_class RECEIPT): from the TLVs receipted_message_id and message_state, else from the text id:... stat:... */
	bool is_receipt;
	char receipt_id[SMPP_ID_MAX + 1]; /* as the SMSC wrote it: see smpp_id_equal */
	char receipt_state[8];            /* DELIVRD, UNDELIV, EXPIRED, REJECTD, ... */
};

/* Message ids: submit_sm_resp and receipt may write the same number in decimal and hexadecimal, in any case, with leading zeros. */
bool smpp_id_equal(const char *a, const char *b);

/* A validity period, relative to when the SMSC takes the message (SMPP 3.4 7.1.1.2: YYMMDDhhmmss000R). Whole seconds, at least one, at most 30
 * days. */
void smpp_validity_format(int64_t ms, char out[SMPP_TIME + 1]);
/* Of one in that form, in ms; 0: ""; -1: anything else, also a point in time (7.1.1.1). */
int64_t smpp_validity_ms(const char *validity);

struct smpp_session;
enum smpp_side { SMPP_ESME, SMPP_SMSC };

struct smpp_events {
	/* Bound: as ESME the SMSC accepted; as SMSC somebody binds: true accepts. */
	bool (*bound)(void *ctx, struct smpp_session *s, const char *system_id, const char *password);
	/* A submit_sm (SMSC) or deliver_sm (ESME). It is answered later, by smpp_answer with this sequence. data dies with the call. */
	void (*message)(void *ctx, struct smpp_session *s, uint32_t sequence, const struct smpp_message *m);
	/* The peer answered, or will not (status SMPP_SYSTEM_ERROR and id "" when the session ended or answer_ms went by). */
	void (*answered)(void *ctx, struct smpp_session *s, uint64_t token, uint32_t status, const char *message_id);
	/* The session is over; only smpp_close may follow. why: for the log. */
	void (*ended)(void *ctx, struct smpp_session *s, const char *why);
};
struct smpp_spec {
	enum smpp_side side;
	const char *system_id, *password, *system_type; /* ESME: what to bind with */
	unsigned window;      /* unanswered messages at most; default 10 */
	unsigned enquire_ms;  /* silence after which enquire_link is sent; default 30000 */
	unsigned answer_ms;   /* for an answer; default 10000 */
	struct smpp_events events;
	void *ctx;
};

/* Starts a non-blocking connection. The descriptor, or -errno. */
int smpp_connect(const char *host, uint16_t port);
/* fd: connected, connecting or accepted; the session owns it. As ESME it binds transceiver as soon as it is connected. */
struct smpp_session *smpp_open(const struct smpp_spec *spec, int fd);
/* Closes without further events; unbind is sent when there is room. NULL allowed. */
void smpp_close(struct smpp_session *s);
int smpp_fd(const struct smpp_session *s);
/* What to wait for (POLLIN, POLLOUT), and how long at most (ms; -1: no limit). */
short smpp_wants(const struct smpp_session *s);
int64_t smpp_timeout_ms(const struct smpp_session *s);
/* Reads, writes, runs timers and calls events. May end the session. */
void smpp_run(struct smpp_session *s, short revents);
bool smpp_is_bound(const struct smpp_session *s);
/* How many messages may be sent now. */
unsigned smpp_room(const struct smpp_session *s);
/* submit_sm (ESME) or deliver_sm (SMSC); token comes back with answered(). False: not bound, no room, or it cannot be packed. */
bool smpp_send(struct smpp_session *s, const struct smpp_message *m, uint64_t token);
/* Answers a message() with submit_sm_resp or deliver_sm_resp. */
void smpp_answer(struct smpp_session *s, uint32_t sequence, uint32_t status, const char *message_id);

#endif

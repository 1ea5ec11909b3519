/* SPDX-License-Identifier: Apache-2.0 */
/* Between the codec (smpp.c, which alone sees libsmpp34) and the session (smpp_session.c). */
#ifndef CARD_SMPP_INTERNAL_H
#define CARD_SMPP_INTERNAL_H

#include "common/base/buf.h"
#include "common/card/smpp.h"

/* PDU_MAX: more than any PDU we understand; what claims to be longer is no SMPP. PAYLOAD: libsmpp34's limit. */
enum { SMPP_HEADER = 16, SMPP_PDU_MAX = 4096, SMPP_PAYLOAD_MAX = 1024 };
enum { SMPP_SYSTEM_ID = 16, SMPP_PASSWORD = 9, SMPP_SYSTEM_TYPE = 13 }; /* with the NUL */
enum { SMPP_INVALID_LENGTH = 2, SMPP_ALREADY_BOUND = 5 };

#define SMPP_RESPONSE UINT32_C(0x80000000)
enum smpp_command {
	CMD_NACK = 0, /* a response only */
	CMD_BIND_RECEIVER = 0x01,
	CMD_BIND_TRANSMITTER = 0x02,
	CMD_SUBMIT = 0x04,
	CMD_DELIVER = 0x05,
	CMD_UNBIND = 0x06,
	CMD_BIND = 0x09,
	CMD_OUTBIND = 0x0B,
	CMD_ENQUIRE = 0x15,
	CMD_ALERT = 0x102,
};

/* What of a PDU we use. Wipe it after a bind: it holds a password. */
struct smpp_pdu {
	uint32_t command, status, sequence;
	char system_id[SMPP_SYSTEM_ID], password[SMPP_PASSWORD], system_type[SMPP_SYSTEM_TYPE];
	char message_id[SMPP_ID_MAX + 1];
	struct smpp_message message;
	uint8_t payload[SMPP_PAYLOAD_MAX]; /* where message.data of an unpacked PDU points to */
};

/* Bytes written, 0: it cannot be packed. Responses with a status have no body. */
size_t smpp_pack(const struct smpp_pdu *p, uint8_t *out, size_t size);
/* frame: a whole PDU of SMPP_HEADER bytes at least, whose length is right. The header is always filled; false: a broken body. */
bool smpp_unpack(struct bytes frame, struct smpp_pdu *out);

uint32_t smpp_get32(const uint8_t *in);

enum { SMPP_IN_MAX = 4 * SMPP_PDU_MAX, SMPP_WHY_MAX = 96 };
/* BINDING: as ESME the bind is sent, as SMSC it is awaited. LEAVING: the last bytes go out, nothing is read any more. */
enum smpp_state { CONNECTING, BINDING, BOUND, LEAVING, ENDED };

struct smpp_waiting {
	uint32_t sequence;
	uint64_t token;
	int64_t since_ms;
};

struct smpp_session {
	struct smpp_spec spec; /* its texts are copied below */
	char system_id[SMPP_SYSTEM_ID], password[SMPP_PASSWORD], system_type[SMPP_SYSTEM_TYPE];
	int fd;
	enum smpp_state state;
	bool running, close_asked;
	uint32_t sequence, bind_sequence;
	int64_t since_ms; /* in this state */
	int64_t heard_ms;
	int64_t enquired_ms; /* 0: no enquire_link is unanswered */
	struct smpp_waiting *waiting;
	unsigned n_waiting;
	struct buf out; /* never grows, so that no copy of a password stays behind */
	size_t n_in;
	uint8_t in[SMPP_IN_MAX];
	char why[SMPP_WHY_MAX]; /* set: it is to end as soon as smpp_run can tell */
};

/* It ends with this reason as soon as smpp_run can tell; the first reason stays. */
void smpp_fail(struct smpp_session *s, const char *fmt, ...) PRINTF(2, 3);
/* It ends when all is written, or answer_ms went by; nothing more is read. */
void smpp_leave(struct smpp_session *s, const char *why);
void smpp_enter(struct smpp_session *s, enum smpp_state state);
/* Tells the owner about waiting[i] and forgets it; the last one takes its place. */
void smpp_answered(struct smpp_session *s, unsigned i, uint32_t status, const char *id);
void smpp_put(struct smpp_session *s, const struct smpp_pdu *p);
void smpp_put_header(struct smpp_session *s, uint32_t command, uint32_t status, uint32_t sequence);
/* Handles one whole PDU (smpp_peer.c). */
void smpp_take(struct smpp_session *s, struct bytes frame);

#endif

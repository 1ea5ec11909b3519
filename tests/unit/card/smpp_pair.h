/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions under test, each with an owner that writes down what it is told; and PDUs written by hand, without the library. */
#ifndef TESTS_UNIT_CARD_SMPP_PAIR_H
#define TESTS_UNIT_CARD_SMPP_PAIR_H

#include "common/base/buf.h"
#include "common/card/smpp.h"

enum { OWNER_ANSWERS = 64 };

struct owner {
	struct smpp_session *s;
	bool refuses; /* a bind */
	bool closes;  /* in whatever it is told first */
	int bound, messages, n_answered, ended;
	char system_id[32], password[32], why[128];
	struct smpp_message last; /* its data is in last_data */
	uint8_t last_data[1024];
	uint32_t last_sequence;
	struct {
		uint64_t token;
		uint32_t status;
		char id[SMPP_ID_MAX + 1];
	} answered[OWNER_ANSWERS];
};

/* Limits in ms; 0: the defaults. */
struct smpp_spec spec_of(enum smpp_side side, struct owner *o, unsigned enquire_ms, unsigned answer_ms);
/* Opens both ends of a socketpair. */
void pair_open(struct owner *esme, struct owner *smsc);
void pair_close(struct owner *esme, struct owner *smsc);
/* One session; its peer is the returned descriptor (blocking, 2 s at most). */
int raw_open(struct owner *o, const struct smpp_spec *spec);
/* Runs the sessions that are there until none has anything left to do. */
void pump(struct owner *a, struct owner *b);
/* Runs them for this long, timers included; stops when *until (may be NULL) is not 0. */
void pump_ms(struct owner *a, struct owner *b, int ms, const int *until);

/* ---- by hand ---- */
void raw_pdu(struct buf *b, uint32_t command, uint32_t status, uint32_t sequence, const void *body, size_t n);
/* A submit_sm or deliver_sm body: tlvs is appended as it is. */
void raw_message(struct buf *b, uint8_t esm_class, struct bytes data, struct bytes tlvs);
void raw_tlv(struct buf *b, uint16_t tag, const void *value, size_t n);
void raw_write(int fd, struct buf *b);
/* One PDU: its header's fields; the body's length is returned, its bytes in body (1024 at most). -1: the session closed. */
int raw_read(int fd, uint32_t *command, uint32_t *status, uint32_t *sequence, uint8_t *body);
/* Binds an ESME session whose peer is fd. */
void raw_accept(struct owner *o, int fd);

#endif

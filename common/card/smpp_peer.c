/* SPDX-License-Identifier: Apache-2.0 */
/* What the peer says: each PDU is answered, refused or handed to the owner. */
#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/card/smpp_internal.h"

#include <string.h>

static void on_response(struct smpp_session *s, const struct smpp_pdu *p)
{
	const uint32_t ours = (s->spec.side == SMPP_ESME ? CMD_SUBMIT : CMD_DELIVER) | SMPP_RESPONSE;
	uint32_t status = p->status;

	if (p->command != ours && p->command != (CMD_NACK | SMPP_RESPONSE))
		return;
	/* A refusal that says OK is none that could be believed. */
	if (p->command != ours && status == SMPP_OK)
		status = SMPP_SYSTEM_ERROR;
	for (unsigned i = 0; i < s->n_waiting; i++) {
		if (s->waiting[i].sequence == p->sequence) {
			smpp_answered(s, i, status, p->message_id);
			return;
		}
	}
}

static void on_bind_response(struct smpp_session *s, const struct smpp_pdu *p)
{
	if (s->state != BINDING || s->spec.side != SMPP_ESME || p->sequence != s->bind_sequence)
		return;
	if (p->status != SMPP_OK || p->command != (CMD_BIND | SMPP_RESPONSE)) {
		smpp_fail(s, "bind refused: status 0x%08x", p->status);
		return;
	}
	smpp_enter(s, BOUND);
	s->spec.events.bound(s->spec.ctx, s, p->system_id, "");
}

static void on_bind(struct smpp_session *s, const struct smpp_pdu *p)
{
	struct smpp_pdu answer = { .command = p->command | SMPP_RESPONSE, .sequence = p->sequence };

	if (s->spec.side != SMPP_SMSC || s->state == BOUND) {
		smpp_put_header(s, answer.command, s->state == BOUND ? SMPP_ALREADY_BOUND : SMPP_INVALID_COMMAND, p->sequence);
		return;
	}
	/* Only a transceiver both sends commands and gets the answers of cards. */
	if (p->command != CMD_BIND || !s->spec.events.bound(s->spec.ctx, s, p->system_id, p->password)) {
		smpp_put_header(s, answer.command, SMPP_BIND_FAILED, p->sequence);
		smpp_leave(s, "bind refused");
		return;
	}
	memcpy(answer.system_id, s->system_id, sizeof(answer.system_id));
	smpp_put(s, &answer);
	smpp_enter(s, BOUND);
}

static void on_message(struct smpp_session *s, const struct smpp_pdu *p)
{
	if (p->command != (s->spec.side == SMPP_ESME ? CMD_DELIVER : CMD_SUBMIT))
		smpp_put_header(s, CMD_NACK | SMPP_RESPONSE, SMPP_INVALID_COMMAND, p->sequence);
	else if (s->state != BOUND)
		smpp_put_header(s, p->command | SMPP_RESPONSE, SMPP_NOT_BOUND, p->sequence);
	else
		s->spec.events.message(s->spec.ctx, s, p->sequence, &p->message);
}

static void on_unbind(struct smpp_session *s, const struct smpp_pdu *p)
{
	smpp_put_header(s, CMD_UNBIND | SMPP_RESPONSE, SMPP_OK, p->sequence);
	smpp_leave(s, "the peer unbinds");
}

static void on_pdu(struct smpp_session *s, const struct smpp_pdu *p)
{
	switch (p->command) {
	case CMD_BIND:
	case CMD_BIND_RECEIVER:
	case CMD_BIND_TRANSMITTER:
		on_bind(s, p);
		break;
	case CMD_SUBMIT:
	case CMD_DELIVER:
		on_message(s, p);
		break;
	case CMD_ENQUIRE:
		smpp_put_header(s, CMD_ENQUIRE | SMPP_RESPONSE, SMPP_OK, p->sequence);
		break;
	case CMD_UNBIND:
		on_unbind(s, p);
		break;
	case CMD_OUTBIND: /* have no response and mean nothing to us */
	case CMD_ALERT:
		break;
	case CMD_BIND | SMPP_RESPONSE:
		on_bind_response(s, p);
		break;
	case CMD_NACK | SMPP_RESPONSE:
		on_bind_response(s, p);
		on_response(s, p);
		break;
	case CMD_SUBMIT | SMPP_RESPONSE:
	case CMD_DELIVER | SMPP_RESPONSE:
		on_response(s, p);
		break;
	default: /* an unknown response is never answered: two of us would do so for ever */
		if (!(p->command & SMPP_RESPONSE))
			smpp_put_header(s, CMD_NACK | SMPP_RESPONSE, SMPP_INVALID_COMMAND, p->sequence);
	}
}

/* A body that cannot be read: its sequence can still be answered. An accepted message whose id is unreadable stays accepted. */
static void on_broken(struct smpp_session *s, const struct smpp_pdu *p)
{
	if (!(p->command & SMPP_RESPONSE))
		smpp_put_header(s, p->command | SMPP_RESPONSE, SMPP_SYSTEM_ERROR, p->sequence);
	else
		on_pdu(s, p);
}

void smpp_take(struct smpp_session *s, struct bytes frame)
{
	struct smpp_pdu p;

	s->heard_ms = clock_ms();
	s->enquired_ms = 0;
	if (smpp_unpack(frame, &p))
		on_pdu(s, &p);
	else
		on_broken(s, &p);
	secret_wipe(&p, sizeof(p));
}

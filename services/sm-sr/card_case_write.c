/* SPDX-License-Identifier: Apache-2.0 */
/* What a step changes about a card's commands and session: each function queues its statement and keeps the case as it will be. */
#include <string.h>

#include "common/base/hex.h"
#include "services/sm-sr/card_case.h"
#include "services/sm-sr/cards.h"

static struct param p_aid(const struct card_case *c, const struct aid *aid)
{
	return aid && aid->len ? p_bytes(arena_memdup(c->a, aid->data, aid->len), aid->len) : p_null();
}

static struct param p_text_or_null(const char *s)
{
	return s ? p_text(s) : p_null();
}

/* Commands are few: a longer array for each new one is cheap. */
static struct card_command *command_new(struct card_case *c, const struct procedure *p, enum command_kind kind,
					const struct aid *target, const struct buf *script)
{
	struct card_command *all = arena_array(c->a, c->n_commands + 1, sizeof(*all)), *m;

	if (c->n_commands)
		memcpy(all, c->commands, c->n_commands * sizeof(*all));
	c->commands = all;
	m = &all[c->n_commands++];
	m->procedure = p ? p->id : NULL;
	m->kind = kind;
	m->target = *target;
	m->script = (struct bytes){ arena_memdup(c->a, script->data, script->len), script->len };
	return m;
}

/* A session that is open fetches it: the SMS is not due before its time is over, and the lane's own look comes sooner. */
static void queued(struct card_case *c)
{
	c->queued = true;
	c->lane = c->lane || !c->session || c->smsr->config->card_net_ms < SMS_NET_MS;
}

void case_command_add(struct card_case *c, const struct procedure *p, enum command_kind kind, const struct buf *apdus_script)
{
	case_command_to(c, p, kind, &c->eis.isdr.aid, apdus_script);
}

void case_command_to(struct card_case *c, const struct procedure *p, enum command_kind kind, const struct aid *target,
		     const struct buf *script)
{
	struct card_command *m = command_new(c, p, kind, target, script);

	m->state = COMMAND_QUEUED;
	DB_QUEUE(c->db, SMSR_COMMAND_ADD, p_text(c->eid.text), p_text_or_null(m->procedure), p_int(c->a, kind), p_aid(c, &m->target),
		 p_bytes(m->script.data, m->script.len), p_bool(c->session != NULL), p_int(c->a, c->smsr->config->card_net_ms));
	queued(c);
}

/* A new one whenever it is sent for the first time: what was said about it before is not about this. */
static const char *ticket_new(struct card_case *c)
{
	uint8_t ticket[8];

	random_bytes(ticket, sizeof(ticket));
	return hex_text(c->a, ticket, sizeof(ticket));
}

struct card_command *case_command_now(struct card_case *c, const struct procedure *p, enum command_kind kind, const char *session,
				      const struct buf *apdus_script)
{
	struct card_command *m = command_new(c, p, kind, &c->eis.isdr.aid, apdus_script);

	m->state = COMMAND_FETCHED;
	m->session = session;
	m->ticket = ticket_new(c);
	DB_QUEUE(c->db, SMSR_COMMAND_NOW, p_text(c->eid.text), p_text_or_null(m->procedure), p_int(c->a, kind),
		 p_aid(c, &m->target), p_bytes(m->script.data, m->script.len), p_text(session), p_text(m->ticket));
	return m;
}

void case_command_fetched(struct card_case *c, struct card_command *m, const char *session)
{
	m->state = COMMAND_FETCHED;
	m->session = session;
	m->by_sms = false;
	m->ticket = ticket_new(c);
	DB_QUEUE(c->db, SMSR_COMMAND_FETCHED, p_text(c->eid.text), p_int(c->a, m->seq), p_int(c->a, m->kind), p_text(session),
		 p_text(m->ticket));
}

void case_command_answered(struct card_case *c, struct card_command *m)
{
	m->state = COMMAND_ANSWERED;
	DB_QUEUE(c->db, SMSR_COMMAND_ANSWERED, p_text(c->eid.text), p_int(c->a, m->seq), p_int(c->a, m->kind));
}

void case_command_resumed(struct card_case *c, struct card_command *m, const char *session)
{
	m->session = session;
	m->by_sms = false;
	DB_QUEUE(c->db, SMSR_COMMAND_SESSION, p_text(c->eid.text), p_int(c->a, m->seq), p_text_or_null(session));
}

void case_command_lost(struct card_case *c, struct card_command *m)
{
	case_command_resumed(c, m, NULL);
}

void case_command_again(struct card_case *c, struct card_command *m)
{
	m->state = COMMAND_QUEUED;
	m->session = NULL;
	DB_QUEUE(c->db, SMSR_COMMAND_AGAIN, p_text(c->eid.text), p_int(c->a, m->seq), p_bool(c->session != NULL),
		 p_int(c->a, c->smsr->config->card_net_ms));
	queued(c);
}

void case_withdraw(struct card_case *c, const struct procedure *p)
{
	for (size_t i = 0; i < c->n_commands; i++) {
		struct card_command *m = &c->commands[i];

		if (m->state > COMMAND_FETCHED || !m->procedure || strcmp(m->procedure, p->id))
			continue;
		if (m->state == COMMAND_FETCHED && !c->uncertain)
			case_uncertain(c, true);
		m->state = COMMAND_WITHDRAWN;
		DB_QUEUE(c->db, SMSR_COMMAND_WITHDRAWN, p_text(c->eid.text), p_int(c->a, m->seq), p_int(c->a, m->kind));
	}
}

void case_session_set(struct card_case *c, const char *session)
{
	c->session = session;
	c->session_replica = c->rpc->replica;
	DB_QUEUE(c->db, SMSR_SESSION_SET, p_text(c->eid.text), p_text(session), p_text(c->rpc->replica));
}

void case_session_end(struct card_case *c)
{
	DB_QUEUE(c->db, SMSR_SESSION_END, p_text(c->eid.text), p_text(c->session));
	c->session = c->session_replica = NULL;
}

void case_uncertain(struct card_case *c, bool uncertain)
{
	c->uncertain = uncertain;
	DB_QUEUE(c->db, SMSR_UNCERTAIN, p_text(c->eid.text), p_bool(uncertain));
}

void case_expired_aid(struct card_case *c, const struct aid *aid)
{
	c->expired_aid = aid ? *aid : (struct aid){ .len = 0 };
	DB_QUEUE(c->db, SMSR_EXPIRED_AID, p_text(c->eid.text), p_aid(c, aid));
}

void case_lease_end(struct card_case *c)
{
	if (!c->lease)
		return;
	c->lease = NULL;
	if (!c->running)
		c->busy_holder = NULL;
	DB_QUEUE(c->db, SMSR_LEASE_END, p_text(c->eid.text));
	c->queued = true; /* the session that waits for more is at its end */
}

void case_lease(struct card_case *c, const struct procedure *p, const char *certified)
{
	struct lease *lease = ARENA_NEW(c->a, struct lease);

	*lease = (struct lease){ .smdp = p->caller, .isdp = p->isdp, .certified = certified };
	c->lease = lease;
	c->busy_holder = lease->smdp.text;
	DB_QUEUE(c->db, SMSR_LEASE_SET, p_text(c->eid.text), p_text(p->id), p_text(lease->smdp.text), p_aid(c, &lease->isdp),
		 p_int(c->a, c->smsr->config->lease_s), p_text_or_null(certified));
}

void case_command_keep(struct card_case *c, struct card_command *m, struct bytes kept)
{
	m->kept = kept;
	DB_QUEUE(c->db, SMSR_COMMAND_KEPT, p_text(c->eid.text), p_int(c->a, m->seq), p_bytes(kept.data, kept.len));
}

void case_auto_delete(struct card_case *c, const char *iccids)
{
	c->auto_delete = iccids;
	DB_QUEUE(c->db, SMSR_AUTO_DELETE, p_text(c->eid.text), p_text(iccids));
}

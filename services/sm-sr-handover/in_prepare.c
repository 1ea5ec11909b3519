/* SPDX-License-Identifier: Apache-2.0 */
/* The sm-sr announces a card (ES4.PrepareSMSRChange; procedures.md 3.20, steps 1 to 3). */
#include <string.h>

#include "common/base/clock.h"
#include "services/sm-sr-handover/handover_in.h"

enum { S_US = 1000000, DATE_LEN = 8 };

/* A certificate that the card's SM-SR, or the card, would refuse is better seen now. */
static result own_check(struct asking *q, const struct handovers *hs)
{
	char now[DATETIME_MAX], day[DATE_LEN + 1];
	struct gp_cert own;

	datetime_format(clock_wall_us(), now);
	(void)snprintf(day, sizeof(day), "%.4s%.2s%.2s", now, now + 5, now + 8);
	if (!gp_cert_parse(hs->own.certificate, &own) || strcmp(own.expires, day) < 0)
		return failed(q->a, CODE_SMSR_CERT_EXPIRED, q->rpc->self.text, "the certificate of this SM-SR is expired");
	return OK;
}

/* It must be one that can be called. */
static result former_check(struct asking *q, const struct oid *former)
{
	const struct entity *peer;
	struct endpoint where;

	TRY(db_sync(q->db, q->a, NULL, 0, NULL));
	TRY(registry_peer(q->db, q->a, former, IF_ES7, &peer, &where));
	if (!peer || !(peer->roles & ROLE_SM_SR))
		return failed(q->a, CODE_SMSR_UNKNOWN, former->text, NULL);
	if (!where.n)
		return failed(q->a, CODE_SMSR_UNKNOWN, former->text, "no ES7 address of it is registered");
	return OK;
}

/* In the arena: what is queued is read when the transaction is sent. */
static result announcement(struct asking *q, struct handover_in **out_new)
{
	struct handover_in *out = *out_new = ARENA_NEW(q->a, struct handover_in);
	const char *former = asking_text(q, "current"), *requester = asking_text(q, "operator"),
		   *context = asking_text(q, "context_id");

	*out = (struct handover_in){ .id = q->handover,
				     .eid = q->eid,
				     .context_id = context ? context : "",
				     .trace = q->trace ? q->trace : "",
				     .state = HIN_PREPARED };
	if (!former || !oid_parse(former, &out->former))
		return asking_bad(q, "current");
	return requester && oid_parse(requester, &out->requester) ? OK : asking_bad(q, "operator");
}

/* What was announced before gives way, unless it has begun. */
static result make_room(struct asking *q, struct handovers *hs)
{
	struct in_case c = { .rpc = q->rpc, .hs = hs, .db = q->db, .a = q->a };
	const struct rows *active;

	DB_QUEUE(q->db, HANDOVER_IN_ACTIVE, p_text(q->eid.text));
	TRY(db_sync(q->db, q->a, &active, 1, NULL));
	if (!rows_count(active))
		return OK;
	TRY(in_row(q->a, active, &c.h));
	if (c.h->state != HIN_PREPARED)
		return failed(q->a, CODE_BUSY, q->eid.text, "this eUICC is being handed over: %s",
			      handover_in_state_name(c.h->state));
	return in_step(&c, HIEV_DEADLINE, NULL, "announced anew");
}

static void told(struct asking *q, struct handovers *hs, const struct handover_in *h)
{
	const struct handover_told t = { .id = h->id,
					 .eid = h->eid.text,
					 .trace = h->trace,
					 .side = HANDOVER_IN,
					 .stage = handover_in_state_name(h->state),
					 .state = h->state,
					 .peer = &h->former,
					 .requester = &h->requester };

	handover_stage(hs, q->db, q->a, &t);
}

result handover_in_prepare(struct asking *q)
{
	struct handovers *hs = q->role;
	struct handover_in *before, *h;

	TRY(announcement(q, &h));
	TRY(in_lock(q->db, q->a, q->handover, &before));
	if (before) /* the same again, whatever became of it */
		return eid_equal(&before->eid, &q->eid) ? OK : asking_bad(q, "eid");
	TRY(own_check(q, hs));
	TRY(former_check(q, &h->former));
	TRY(make_room(q, hs));
	in_add(q->db, q->a, h, (int64_t)hs->config->prepared_s * S_US);
	told(q, hs, h);
	return OK;
}

void handover_in_prepared(struct asking *q)
{
	outbox_ring_bus(q->rpc->outbox);
}

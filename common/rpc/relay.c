/* SPDX-License-Identifier: Apache-2.0 */
/* A relayed call or notification as it comes in: its next hop is known and allowed, then it is a row. */
#include "common/rpc/relay_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/log.h"

/* What begin loaded. */
struct incoming {
	const struct function *next;
	const struct oid *target;  /* of in */
	const struct iccid *iccid; /* of in; NULL: it names none, or several */
	unsigned roles;            /* the target's; 0: it is not in the registry */
	bool s_callback;           /* its dialect */
	bool believed;             /* a notification */
	enum relay_state first;
};

void relay_fault_point(const struct rpc *rpc, const char *stage, const char *eid)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s.relay.%s", rpc->role, stage);
	(void)FAULT(name, eid);
}

static bool asks_stock(const struct rq *rq, const struct iccid *iccid)
{
	return rq->fn->relation == REL_STOCK && iccid && rq->rpc->relay && rq->rpc->relay->owner_queue;
}

static void incoming_queue(struct rq *rq, const void *in)
{
	const struct bind_message *own = message_request(rq->fn->id);
	struct incoming *i = ARENA_NEW(rq->arena, struct incoming);

	(void)relay_next_of(rq->rpc, rq->fn->id, &i->next); /* we are here by that row */
	i->target = relay_member(own, in, BIND_OID, message_request(i->next->id)->group->size);
	i->iccid = relay_member(own, in, BIND_ICCID, 0);
	rq->loaded = i;
	DB_QUEUE(rq->db, RPC_ENTITY_BY_OID, p_text(i->target->text));
	if (asks_stock(rq, i->iccid))
		rq->rpc->relay->owner_queue(rq, i->iccid);
	else
		DB_QUEUE0(rq->db, RPC_NOTHING);
}

/* D1: our stock says that it is the caller's, else a fresh EIS decides. */
static void take_owner(struct rq *rq, const struct rows *owner, struct relation_facts *facts)
{
	struct incoming *i = rq->loaded;
	bool callers = asks_stock(rq, i->iccid) && rows_count(owner) && !row_null(owner, 0, 0) &&
		       !strcmp(row_text(owner, 0, 0), rq->caller->oid.text);

	facts->iccid = i->iccid;
	facts->stock = callers ? STOCK_CALLERS : STOCK_ASK;
	i->first = rq->fn->relation == REL_STOCK && !callers ? RELAY_ASKING : RELAY_CALLING;
}

static result incoming_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct incoming *i = rq->loaded;
	struct dialect dialect = { 0 };
	const char *bad;

	if (rows_count(rows[0])) {
		i->roles = (unsigned)row_int(rows[0], 0, 2);
		if (!dialect_parse(rq->arena, row_text(rows[0], 0, 3), &dialect, &bad))
			return internal(rq->arena, "entity %s: dialect %s is not known", i->target->text, bad);
		i->s_callback = dialect.s_callback;
	}
	take_owner(rq, rows[1], facts);
	return OK;
}

const struct load relay_load = { .results = 2, .queue = incoming_queue, .take = incoming_take };

/* The next hop's struct is how ours begins. */
static void *prefix(struct rq *rq, const struct function *next, const void *in)
{
	return arena_memdup(rq->arena, in, message_request(next->id)->group->size);
}

static result relay_call(struct rq *rq, const struct incoming *i, const void *in)
{
	int64_t nested_s = relay_nested_s((int64_t)rq->validity_s * 1000);
	char *id = arena_alloc(rq->arena, UUID_TEXT);
	void *request = prefix(rq, i->next, in);
	struct relay *r = ARENA_NEW(rq->arena, struct relay); /* the queue points into it */
	struct es4_get_eis_rq ask = { 0 };

	*r = (struct relay){ .id = id,
			     .caller = rq->caller->oid,
			     .peer = *i->target,
			     .fn = rq->fn,
			     .next = i->next,
			     .claim = rq->claim_key,
			     .eid = rq->eid,
			     .iccid = i->iccid ? i->iccid->text : "",
			     .context_id = rq->envelope->context_id,
			     .trace = rq->trace,
			     .by_callback = i->s_callback || i->next->mep == MEP_DEFERRED,
			     .state = i->first,
			     .received_us = rq->received_us };
	if (!nested_s)
		return arena_memdup(rq->arena, &(struct result){ .status = STATUS_EXPIRED, .code = CODE_TIME_EXPIRED },
				    sizeof(struct result));
	uuid_new(id);
	((struct request_base *)request)->fci = relay_fci(rq->arena, id, RELAY_CALL);
	r->request = relay_encode(rq->arena, i->next, request);
	relay_add(rq->db, rq->arena, r, rq->validity_s);
	if (i->first == RELAY_ASKING && !eid_parse(rq->eid, &ask.eid))
		return internal(rq->arena, "%s has no EID to ask about", rq->fn->wire);
	if (i->first == RELAY_ASKING)
		relay_send(rq->db, rq->arena, r, function_by_id(FN_ES3_GetEIS), RELAY_ASK, &ask, nested_s);
	else
		relay_send(rq->db, rq->arena, r, i->next, RELAY_CALL, request, nested_s);
	rq->outbox = true;
	relay_fault_point(rq->rpc, "queued", rq->eid);
	return OK;
}

static bool forwarded(const struct incoming *i)
{
	return i->roles & i->next->providers & (ROLE_OPERATOR | ROLE_M2M_SP);
}

/* An EIS in it shows the operator no more than D2 allows, whatever the SM-SR wrote. */
static void filter_eis(const struct function *next, void *in, const struct oid *viewer)
{
	for (const struct bind_field *f = message_request(next->id)->group->fields; f->name; f++)
		if (f->type == BIND_GROUP && f->size == sizeof(struct eis) && !strcmp(f->name, "Eis") &&
		    !(f->flags & (BIND_OPTIONAL | BIND_MANY)))
			(void)eis_filter((struct eis *)(void *)((char *)in + f->offset), VIEW_OPERATOR, viewer, NULL, 0);
}

/* One way: nobody would read a refusal. */
static result relay_notification(struct rq *rq, struct incoming *i, const void *in)
{
	void *forward = prefix(rq, i->next, in);
	const struct outbox_message m = { .fn = i->next,
					  .kind = OUTBOX_NOTIFY,
					  .to = i->target,
					  .eid = rq->eid,
					  .context_id = rq->envelope->context_id,
					  .trace = rq->trace,
					  .in = forward,
					  .give_up_s = rq->rpc->notify_give_up_s };

	i->believed = !rq->rpc->relay || !rq->rpc->relay->told || rq->rpc->relay->told(rq, in);
	if (!i->believed || !forwarded(i))
		return OK;
	filter_eis(i->next, forward, i->target);
	outbox_send(rq->db, rq->arena, &m);
	rq->outbox = true;
	relay_fault_point(rq->rpc, "queued", rq->eid);
	return OK;
}

result relay_handle(struct rq *rq, const void *in, void *out)
{
	struct incoming *i = rq->loaded;

	(void)out;
	if (rq->fn->mep == MEP_NOTIFY)
		return relay_notification(rq, i, in);
	if (!(i->roles & i->next->providers))
		return failed(rq->arena, CODE_SMSR_UNKNOWN, i->target->text, NULL);
	return relay_call(rq, i, in);
}

void relay_committed(struct rq *rq)
{
	const struct incoming *i = rq->loaded;

	relay_fault_point(rq->rpc, "committed", rq->eid);
	if (rq->fn->mep != MEP_NOTIFY)
		return;
	if (!i->believed)
		log_msg(LOG_WARN, "notification_dropped", "%s from %s: it is not for it to say", rq->fn->wire,
			rq->caller->oid.text);
	else if (!forwarded(i))
		log_msg(LOG_INFO, "notification_dropped", "%s from %s: %s is no customer of ours", rq->fn->wire,
			rq->caller->oid.text, i->target->text);
}

bool relays_any(const struct rpc *rpc)
{
	for (size_t i = 0; i < rpc->n_served; i++)
		if (rpc->served[i].relayed && function_by_id(rpc->served[i].id)->mep != MEP_NOTIFY)
			return true;
	return false;
}

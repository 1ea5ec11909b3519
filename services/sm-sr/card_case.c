/* SPDX-License-Identifier: Apache-2.0 */
/* A card and what runs on it: loading, looking, ringing. The writes are in card_case_write.c. */
#include "services/sm-sr/card_case.h"

#include <string.h>

#include "common/rpc/deferred.h"
#include "services/sm-sr/card_wait.h"
#include "services/sm-sr/cards.h"
#include "services/sm-sr/handover_command.h"

enum { BUSY_LEASE = 100 /* in eid_busy.kind, as in SMSR_LEASE_SET */ };
enum { AT_LOCK, AT_EIS, AT_PROCEDURE, AT_BUSY, AT_COMMANDS, AT_SESSION, AT_ROUTES };

_Static_assert(ROLE_SM_DP == 8, "a number in SMSR_CASE_ROUTES");

void case_queue(struct db *db, const struct eid *eid)
{
	DB_QUEUE(db, SMSR_CASE_LOCK, p_text(eid->text));
	DB_QUEUE(db, SMSR_EIS_LOAD, p_text(eid->text));
	DB_QUEUE(db, SMSR_CASE_PROCEDURE, p_text(eid->text));
	DB_QUEUE(db, SMSR_CASE_BUSY, p_text(eid->text));
	DB_QUEUE(db, SMSR_CASE_COMMANDS, p_text(eid->text));
	DB_QUEUE(db, SMSR_CASE_SESSION, p_text(eid->text));
	DB_QUEUE(db, SMSR_CASE_ROUTES, p_text(eid->text), p_text(iface_name(IF_ES4)), p_text(iface_name(IF_ES3)));
}

/* len 0: null, or nothing that can be an AID. */
static struct aid aid_of(const struct rows *rows, size_t i, unsigned col)
{
	struct bytes b = row_bytes(rows, i, col);
	struct aid aid = { .len = 0 };

	if (b.len >= AID_MIN && b.len <= AID_MAX) {
		memcpy(aid.data, b.data, b.len);
		aid.len = (uint8_t)b.len;
	}
	return aid;
}

/* Of the running procedure: columns of SMSR_CASE_PROCEDURE. */
static result step_take(struct card_case *c, const struct rows *rows)
{
	struct handover_step *s;

	if (row_null(rows, 0, 20))
		return OK;
	s = ARENA_NEW(c->a, struct handover_step);
	*s = (struct handover_step){ .handover = row_text_dup(c->a, rows, 0, 20),
				     .step = row_text_dup(c->a, rows, 0, 21),
				     .command = (enum handover_command)row_int(rows, 0, 22),
				     .kvn = row_null(rows, 0, 23) ? 0 : (uint8_t)row_int(rows, 0, 23),
				     .keep = row_text_dup(c->a, rows, 0, 24),
				     .overdue = row_bool(rows, 0, 25) };
	if (row_int(rows, 0, 22) < 0 || row_int(rows, 0, 22) >= HANDOVER_COMMANDS)
		return internal(c->a, "step %s of %s is damaged", s->step, c->eid.text);
	c->step = s;
	return OK;
}

static result procedure_take(struct card_case *c, const struct rows *rows)
{
	struct procedure *p;

	if (rows_count(rows) == 0)
		return OK;
	p = ARENA_NEW(c->a, struct procedure);
	p->id = row_text_dup(c->a, rows, 0, 0);
	p->kind = (enum procedure_kind)row_int(rows, 0, 1);
	p->state = (enum procedure_state)row_int(rows, 0, 2);
	p->caller_roles = (unsigned)row_int(rows, 0, 4);
	p->function = row_text_dup(c->a, rows, 0, 5);
	p->fci = row_text_dup(c->a, rows, 0, 6);
	p->context_id = row_text_dup(c->a, rows, 0, 7);
	p->trace = row_text_dup(c->a, rows, 0, 8);
	p->isdp = aid_of(rows, 0, 10);
	p->before = aid_of(rows, 0, 11);
	p->iccids = row_text_dup(c->a, rows, 0, 12);
	p->started_at = row_int(rows, 0, 13);
	p->deadline = row_int(rows, 0, 14);
	p->overdue = row_bool(rows, 0, 15);
	p->more = row_bool(rows, 0, 18);
	p->session = row_null(rows, 0, 19) ? NULL : row_text_dup(c->a, rows, 0, 19);
	if (row_int(rows, 0, 1) < 0 || row_int(rows, 0, 1) >= PROC_KINDS || row_int(rows, 0, 2) < 0 ||
	    row_int(rows, 0, 2) >= PROC_STATES || row_int(rows, 0, 2) == PROC_ENDED ||
	    !oid_parse(row_text(rows, 0, 3), &p->caller) ||
	    (*row_text(rows, 0, 9) && !iccid_parse(row_text(rows, 0, 9), &p->iccid)))
		return internal(c->a, "procedure %s of %s is damaged", p->id, c->eid.text);
	if (!row_null(rows, 0, 17))
		p->customers = oids_parse(c->a, row_text(rows, 0, 17), &p->n_customers);
	c->running = p;
	c->parked_replicas = row_null(rows, 0, 16) ? "" : row_text_dup(c->a, rows, 0, 16);
	return step_take(c, rows);
}

/* Whose procedure it is, or who has more to do and still may. */
static void busy_take(struct card_case *c, const struct rows *rows)
{
	struct lease *lease;

	c->lane_replica = row_text_dup(c->a, rows, 0, 1);
	c->now = row_int(rows, 0, 2);
	if (row_null(rows, 0, 0))
		return;
	c->busy_holder = row_text_dup(c->a, rows, 0, 0);
	if (row_int(rows, 0, 3) != BUSY_LEASE)
		return;
	lease = ARENA_NEW(c->a, struct lease);
	(void)oid_parse(c->busy_holder, &lease->smdp);
	lease->isdp = aid_of(rows, 0, 4);
	lease->over = !row_bool(rows, 0, 5);
	lease->certified = row_null(rows, 0, 6) ? NULL : row_text_dup(c->a, rows, 0, 6);
	c->lease = lease;
	if (lease->over)
		c->busy_holder = NULL;
}

static void commands_take(struct card_case *c, const struct rows *rows)
{
	c->n_commands = rows_count(rows);
	c->commands = arena_array(c->a, c->n_commands, sizeof(*c->commands));
	for (size_t i = 0; i < c->n_commands; i++)
		c->commands[i] = (struct card_command){ .seq = row_int(rows, i, 0),
							.procedure = row_text_dup(c->a, rows, i, 1),
							.kind = (enum command_kind)row_int(rows, i, 2),
							.state = (enum command_state)row_int(rows, i, 3),
							.session = row_text_dup(c->a, rows, i, 4),
							.target = aid_of(rows, i, 5),
							.script = row_bytes_dup(c->a, rows, i, 6),
							.kept = row_bytes_dup(c->a, rows, i, 7),
							.ticket = row_text_dup(c->a, rows, i, 8),
							.by_sms = row_bool(rows, i, 9) };
}

/* An OID that cannot be one is nobody's. */
static void routes_take(struct card_case *c, const struct rows *rows)
{
	c->routes = arena_array(c->a, rows_count(rows), sizeof(*c->routes));
	for (size_t i = 0; i < rows_count(rows); i++) {
		struct told_by *r = &c->routes[c->n_routes];

		if (!oid_parse(row_text(rows, i, 0), &r->mno))
			continue;
		if (!row_null(rows, i, 1))
			(void)oid_parse(row_text(rows, i, 1), &r->smdp);
		r->direct = row_bool(rows, i, 2);
		if (!row_null(rows, i, 3))
			(void)oid_parse(row_text(rows, i, 3), &r->by);
		c->n_routes++;
	}
}

result case_take(struct card_case *c, const struct rows *const rows[CASE_RESULTS])
{
	c->parked_replicas = c->auto_delete = "";
	TRY(eis_from_rows(c->a, &c->eid, &c->rpc->self, rows[AT_EIS], &c->eis, &c->known));
	if (!c->known || rows_count(rows[AT_LOCK]) == 0)
		return c->known = false, OK;
	c->uncertain = row_bool(rows[AT_LOCK], 0, 0);
	c->expired_aid = aid_of(rows[AT_LOCK], 0, 1);
	c->auto_delete = row_text_dup(c->a, rows[AT_LOCK], 0, 2);
	TRY(procedure_take(c, rows[AT_PROCEDURE]));
	busy_take(c, rows[AT_BUSY]);
	commands_take(c, rows[AT_COMMANDS]);
	if (rows_count(rows[AT_SESSION])) {
		c->session = row_text_dup(c->a, rows[AT_SESSION], 0, 0);
		c->session_replica = row_text_dup(c->a, rows[AT_SESSION], 0, 1);
		c->session_gone = row_bool(rows[AT_SESSION], 0, 2);
	}
	routes_take(c, rows[AT_ROUTES]);
	return OK;
}

/* Who wakes cards now may be another replica. */
static void ring_lane(const struct card_case *c)
{
	if (!*c->lane_replica || !strcmp(c->lane_replica, c->rpc->replica))
		sms_lane_ring(c->smsr);
	else if (c->rpc->bus)
		bus_wake(c->rpc->bus, c->lane_replica, "sms");
}

/* A card that is kept for more waits at the replica that its session reached (C2). */
static void ring_session(const struct card_case *c)
{
	if (!c->session_replica || !strcmp(c->session_replica, c->rpc->replica))
		card_waits_ring(c->smsr->waits);
	else if (c->rpc->bus)
		bus_wake(c->rpc->bus, c->session_replica, "cards");
}

void case_committed(struct card_case *c)
{
	if (c->ended)
		deferred_ring(c->rpc, c->parked_replicas);
	else if (c->outbox)
		outbox_ring(c->rpc->outbox);
	if (c->lane)
		ring_lane(c);
	if (c->queued)
		ring_session(c);
}

struct profile_info *case_enabled(const struct card_case *c)
{
	for (size_t i = 0; i < c->eis.n_profiles; i++)
		if (c->eis.profiles[i].state == PROFILE_ENABLED)
			return &c->eis.profiles[i];
	return NULL;
}

struct profile_info *case_fallback(const struct card_case *c)
{
	for (size_t i = 0; i < c->eis.n_profiles; i++)
		if (c->eis.profiles[i].fallback)
			return &c->eis.profiles[i];
	return NULL;
}

struct profile_info *case_profile_of_aid(const struct card_case *c, const struct aid *aid)
{
	for (size_t i = 0; i < c->eis.n_profiles; i++)
		if (aid_equal(&c->eis.profiles[i].isdp_aid, aid))
			return &c->eis.profiles[i];
	return NULL;
}

struct profile_info *case_profile_of_iccid(const struct card_case *c, const struct iccid *iccid)
{
	for (size_t i = 0; i < c->eis.n_profiles; i++)
		if (iccid_equal(&c->eis.profiles[i].iccid, iccid))
			return &c->eis.profiles[i];
	return NULL;
}

const struct told_by *case_route(const struct card_case *c, const struct profile_info *p)
{
	for (size_t i = 0; i < c->n_routes; i++)
		if (oid_equal(&c->routes[i].mno, &p->mno) && !strcmp(c->routes[i].smdp.text, p->smdp ? p->smdp->text : ""))
			return &c->routes[i];
	return NULL;
}

static struct card_command *first_in(const struct card_case *c, enum command_state state)
{
	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].state == state)
			return &c->commands[i];
	return NULL;
}

struct card_command *case_fetched(const struct card_case *c)
{
	return first_in(c, COMMAND_FETCHED);
}

struct card_command *case_next(const struct card_case *c)
{
	return first_in(c, COMMAND_QUEUED);
}

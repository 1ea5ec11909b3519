/* SPDX-License-Identifier: Apache-2.0 */
/* How a procedure ends, and who is told what (decisions.md A2, A7). */
#include <string.h>

#include "common/base/clock.h"
#include "common/rpc/rpc.h"
#include "services/sm-sr/handover_command.h"
#include "services/sm-sr/procedure_internal.h"

static const struct function *function_of(const struct procedure *p)
{
	for (int id = 0; id < FN_COUNT; id++)
		if (!strcmp(function_by_id((enum function_id)id)->wire, p->function))
			return function_by_id((enum function_id)id);
	return NULL;
}

bool text_lists(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = strstr(words, word); p; p = strstr(p + 1, word))
		if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

/* Only those that were asked about; none named: all. */
static void keep_named(struct eis *eis, const char *iccids)
{
	size_t kept = 0;

	if (!*iccids)
		return;
	for (size_t i = 0; i < eis->n_profiles; i++)
		if (text_lists(iccids, eis->profiles[i].iccid.text))
			eis->profiles[kept++] = eis->profiles[i];
	eis->n_profiles = kept;
}

/* The case's EIS stays whole: what the filter changes is copied. */
static struct eis *eis_for(const struct card_case *c, const struct procedure *p, const struct function *fn)
{
	struct eis *eis = arena_memdup(c->a, &c->eis, sizeof(*eis));

	eis->profiles = arena_memdup(c->a, eis->profiles, eis->n_profiles * sizeof(*eis->profiles));
	eis->isdr.keysets = arena_memdup(c->a, eis->isdr.keysets, eis->isdr.n_keysets * sizeof(*eis->isdr.keysets));
	(void)eis_filter(eis, eis_view_of(fn, p->caller_roles), &p->caller, p->customers, p->n_customers);
	keep_named(eis, p->iccids);
	return eis;
}

static struct bytes answer_of(const struct card_case *c, const struct procedure *p, const struct function *fn, result outcome,
			      struct bytes response_data)
{
	struct card_rs card = { .euicc_response_data = response_data };
	struct es4_audit_eis_rs audit = { .eis = NULL };
	struct es3_create_isdp_rs create = { .isdp_aid = outcome == OK ? p->isdp : (struct aid){ .len = 0 },
					     .euicc_response_data = response_data };
	struct es3_send_data_rs send = { .euicc_response_data = response_data };

	if (p->kind == PROC_AUDIT) {
		audit.eis = outcome == OK ? eis_for(c, p, fn) : NULL;
		return deferred_encode(c->a, fn, &audit, outcome, false, p->started_at);
	}
	if (fn->id == FN_ES3_CreateISDP)
		return deferred_encode(c->a, fn, &create, outcome, response_data.len > 0, p->started_at);
	if (fn->id == FN_ES3_SendData)
		return deferred_encode(c->a, fn, &send, outcome, response_data.len > 0, p->started_at);
	return deferred_encode(c->a, fn, &card, outcome, response_data.len > 0, p->started_at);
}

static const char *now_text(const struct card_case *c)
{
	char *at = arena_alloc(c->a, DATETIME_MAX);

	datetime_format(c->now, at);
	return at;
}

static const char *status_word(result outcome)
{
	return status_name(outcome ? outcome->status : STATUS_SUCCESS);
}

static void ended_event(struct card_case *c, const struct procedure *p, result outcome)
{
	const struct status_code *code = outcome ? status_code(outcome->code) : NULL;
	const char *json;

	json = arena_printf(
		c->a,
		"{\"eid\":\"%s\",\"procedure\":\"%s\",\"kind\":\"%s\",\"function\":\"%s\",\"caller\":\"%s\",\"status\":\"%s\","
		"\"code\":\"%s%s%s\",\"smsr\":\"%s\",\"at\":\"%s\"}",
		c->eid.text, p->id, procedure_kind_name(p->kind), p->function, p->caller.text, status_word(outcome),
		code ? code->subject : "", code ? "/" : "", code ? code->reason : "", c->rpc->self.text, now_text(c));
	outbox_event(c->db, c->a, "procedure.ended", c->eid.text, p->trace, json);
}

static void ended_log(const struct card_case *c, const struct procedure *p, result outcome)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "procedure_ended");
	log_str(&l, "eid", c->eid.text);
	log_str(&l, "procedure", p->id);
	log_str(&l, "function", p->function);
	log_str(&l, "caller", p->caller.text);
	log_str(&l, "state", procedure_state_name(p->state));
	log_str(&l, "status", status_word(outcome));
	log_str(&l, "code", outcome ? status_code(outcome->code)->name : NULL);
	log_str(&l, "msg", outcome ? outcome->message : NULL);
	log_end(&l);
}

static void ended_record(struct card_case *c, const struct procedure *p, uint16_t audit_code, result outcome)
{
	if (audit_code)
		audit_trail_add(c, &(const struct audit_note){ .operation = audit_code,
							       .requester = &p->caller,
							       .has_status = true,
							       .outcome = outcome,
							       .isdp = p->isdp.len ? &p->isdp : NULL,
							       .iccid = p->iccid.text[0] ? &p->iccid : NULL });
}

void procedure_end(struct card_case *c, result outcome, struct bytes response_data)
{
	procedure_end_certified(c, outcome, response_data, NULL);
}

void procedure_end_certified(struct card_case *c, result outcome, struct bytes response_data, const char *certified)
{
	const struct procedure *p = c->running;
	const struct function *fn = p ? function_of(p) : NULL;

	if (!p)
		return;
	case_withdraw(c, p);
	if (c->step)
		handover_step_end(c, outcome, response_data);
	if (p->kind == PROC_AUTO_DELETE) {
		ended_record(c, p, function_by_id(FN_ES4_DeleteProfile)->audit_code, outcome);
		/* What the card or a rule refused is not tried for ever. */
		if (!outcome || outcome->status != STATUS_EXPIRED)
			auto_delete_undue(c, &p->iccid);
	} else if (fn) { /* else: a row that a newer release wrote; its caller asks again */
		const struct deferred_call call = { p->caller.text, p->function, p->fci };

		ended_record(c, p, fn->audit_code, outcome);
		deferred_end(c->db, c->a, &call, answer_of(c, p, fn, outcome, response_data));
	}
	DB_QUEUE(c->db, SMSR_PROCEDURE_END, p_text(c->eid.text), p_text(p->id), p_int(c->a, p->state), p_int(c->a, PROC_ENDED),
		 p_int(c->a, outcome ? outcome->status : STATUS_SUCCESS), p_text(outcome ? status_code(outcome->code)->name : ""));
	ended_event(c, p, outcome);
	ended_log(c, p, outcome);
	c->running = NULL;
	c->busy_holder = NULL;
	if (p->more && outcome == OK)
		case_lease(c, p, certified);
	c->outbox = true;
	c->ended = true;
}

/* Of what an owner is told, by both ways. */
enum told { TOLD_ENABLED, TOLD_DISABLED, TOLD_DELETED };
static const struct {
	enum function_id direct, by_smdp;
} told_functions[] = {
	[TOLD_ENABLED] = { FN_ES4_HandleProfileEnabledNotification, FN_ES3_HandleProfileEnabledNotification },
	[TOLD_DISABLED] = { FN_ES4_HandleProfileDisabledNotification, FN_ES3_HandleProfileDisabledNotification },
	[TOLD_DELETED] = { FN_ES4_HandleProfileDeletedNotification, FN_ES3_HandleProfileDeletedNotification },
};

/* To whom nothing leads, nothing is said. requester: whose call it was; it hears by the answer, others with its ContextID. NULL: nobody's. */
static void tell_owner(struct card_case *c, enum told what, const struct profile_info *p, const struct oid *requester)
{
	struct es3_profile_notification *n = ARENA_NEW(c->a, struct es3_profile_notification);
	const struct told_by *way = case_route(c, p);

	if (!way || !(way->direct || way->by.text[0]) || (requester && oid_equal(requester, &p->mno)))
		return;
	*n = (struct es3_profile_notification){ { .eid = c->eid, .iccid = p->iccid, .completed = c->now }, p->mno };
	outbox_send(c->db, c->a,
		    &(const struct outbox_message){
			    .fn = function_by_id(way->direct ? told_functions[what].direct : told_functions[what].by_smdp),
			    .kind = OUTBOX_NOTIFY,
			    .to = way->direct ? &way->mno : &way->by,
			    .eid = c->eid.text,
			    .context_id = requester && c->running ? c->running->context_id : NULL,
			    .trace = c->running ? c->running->trace : NULL,
			    .in = n, /* the ES4 one is its first member */
			    .give_up_s = c->rpc->notify_give_up_s });
	c->outbox = true;
}

/* An operator that calls through an SM-DP is not told by us what its SM-DP tells it as the answer [GUESS: procedures.md 3.19 speaks of the
 * requester only]. Which operator it was, the call does not say: the one whose profile it is about. */
enum { BEHIND_SMDP_IS_REQUESTER = true };

const struct oid *requester_of(const struct card_case *c, const struct procedure *p)
{
	const struct function *fn = function_of(p);

	if (!BEHIND_SMDP_IS_REQUESTER || !fn || fn->iface != IF_ES3)
		return &p->caller;
	for (size_t i = 0; i < c->n_gone; i++)
		if (aid_equal(&c->gone[i].isdp_aid, &p->isdp))
			return &c->gone[i].mno;
	for (size_t i = 0; i < c->eis.n_profiles; i++)
		if (aid_equal(&c->eis.profiles[i].isdp_aid, &p->isdp))
			return &c->eis.profiles[i].mno;
	return &p->caller;
}

static void tell_bus(struct card_case *c, const char *event, const struct profile_info *p)
{
	const char *json = arena_printf(c->a, "{\"eid\":\"%s\",\"iccid\":\"%s\",\"mno\":\"%s\",\"smsr\":\"%s\",\"at\":\"%s\"}",
					c->eid.text, p->iccid.text, p->mno.text, c->rpc->self.text, now_text(c));

	outbox_event(c->db, c->a, event, c->eid.text, c->running ? c->running->trace : "", json);
	c->outbox = true;
}

void tell_profile_change(struct card_case *c, const struct profile_info *disabled, const struct profile_info *enabled,
			 const struct oid *requester)
{
	if (!requester)
		switch_told(c, enabled);
	if (disabled) {
		tell_bus(c, "profile.disabled", disabled);
		tell_owner(c, TOLD_DISABLED, disabled, requester);
	}
	if (enabled) {
		tell_bus(c, "profile.enabled", enabled);
		tell_owner(c, TOLD_ENABLED, enabled, requester);
	}
}

void tell_deleted(struct card_case *c, const struct profile_info *deleted, const struct oid *requester)
{
	tell_bus(c, "profile.deleted", deleted);
	/* What was never complete its owner never had. */
	if (deleted->state != PROFILE_CREATED && deleted->state != PROFILE_IN_CREATION)
		tell_owner(c, TOLD_DELETED, deleted, requester);
}

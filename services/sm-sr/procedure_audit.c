/* SPDX-License-Identifier: Apache-2.0 */
/* Auditing a card: its list of ISD-Ps and its resources, asked by AuditEIS, or by the engine because the card is uncertain. */
#include <string.h>

#include "common/card/tlv.h"
#include "services/sm-sr/procedure_internal.h"

enum { AT_STATUS, AT_RESOURCES };
enum { TAG_RESOURCES = 0xFF21 /* isdr_resources_build; a list has others */ };

/* next: where the card stopped; that must be the very next command that it gets. */
static void status_script(struct buf *out, bool next, bool with_resources)
{
	CLEANUP(buf_free) struct buf status = { 0 };
	CLEANUP(buf_free) struct buf resources = { 0 };
	struct bytes apdus[2];

	isdr_get_status(&status, NULL, next);
	isdr_get_resources(&resources);
	apdus[AT_STATUS] = (struct bytes){ (const uint8_t *)status.data, status.len };
	apdus[AT_RESOURCES] = (struct bytes){ (const uint8_t *)resources.data, resources.len };
	script_build(out, SCRIPT_INDEFINITE, apdus, with_resources ? LEN(apdus) : 1);
}

void status_command_add(struct card_case *c, const struct procedure *p)
{
	CLEANUP(buf_free) struct buf script = { 0 };

	status_script(&script, false, true);
	case_command_add(c, p, COMMAND_STATUS, &script);
}

/* The same list serves who waits for one. */
static struct card_command *status_queued(const struct card_case *c)
{
	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].kind == COMMAND_STATUS && c->commands[i].state == COMMAND_QUEUED)
			return &c->commands[i];
	return NULL;
}

void audit_wake(struct card_case *c)
{
	if (!status_queued(c))
		status_command_add(c, NULL);
}

/* Of the engine's own, which one list has answered all. */
static void status_served(struct card_case *c)
{
	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].kind == COMMAND_STATUS && c->commands[i].state == COMMAND_QUEUED && !c->commands[i].procedure)
			case_command_answered(c, &c->commands[i]);
}

struct card_command *procedure_audit_now(struct card_case *c)
{
	CLEANUP(buf_free) struct buf script = { 0 };
	struct card_command *m = status_queued(c);

	if (m && (!command_is_of(m, c->running) || procedure_step(c, PEV_FETCHED))) {
		case_command_fetched(c, m, c->session);
		return m;
	}
	status_script(&script, false, true);
	return case_command_now(c, NULL, COMMAND_STATUS, c->session, &script);
}

/* What a card has said of itself in scripts before: its resources, if it did, in front of its list. */
struct heard {
	bool has_resources;
	struct card_resources resources;
	struct bytes list;
};

static struct heard heard_before(const struct card_command *m)
{
	struct heard h = { .list = m->kept };
	struct bytes rest = m->kept;
	struct tlv t;

	if (!tlv_next(&rest, &t) || t.tag != TAG_RESOURCES || !isdr_resources_parse(t.value, &h.resources))
		return h;
	h.has_resources = true;
	h.list = rest;
	return h;
}

/* More of the list, or all of it; what the card said so far is kept in the row. */
static void status_next(struct card_case *c, const struct card_command *m, const struct heard *h, bool next_part)
{
	CLEANUP(buf_free) struct buf script = { 0 };
	CLEANUP(buf_free) struct buf kept = { 0 };
	struct card_command *next;

	if (h->has_resources)
		isdr_resources_build(&kept, &h->resources);
	buf_add(&kept, h->list.data, h->list.len);
	status_script(&script, next_part, !h->has_resources);
	next = case_command_now(c, command_is_of(m, c->running) ? c->running : NULL, COMMAND_STATUS, m->session, &script);
	next->kept = (struct bytes){ arena_memdup(c->a, kept.data, kept.len), kept.len };
	DB_QUEUE(c->db, SMSR_COMMAND_KEEP, p_text(c->eid.text), p_int(c->a, COMMAND_STATUS),
		 p_bytes(next->kept.data, next->kept.len));
}

static void status_refused(struct card_case *c, const struct card_command *m, uint16_t sw)
{
	if (!command_is_of(m, c->running))
		card_log(c, LOG_WARN, "audit_refused", "GET STATUS was answered %04X: %s", sw, sw_text(sw));
	else if (procedure_step(c, PEV_REFUSED))
		procedure_end(c, card_error(c, "GET STATUS", sw), NO_DATA);
}

static struct card_resources resources_of(struct card_case *c, const struct script_answer *answer)
{
	struct card_resources r = { -1, -1, -1 };
	const struct script_result *said = &answer->results[AT_RESOURCES];

	if (answer->n <= AT_RESOURCES || said->sw != SW_OK || !isdr_resources_parse(said->data, &r)) {
		card_log(c, LOG_INFO, "audit_resources", "the card does not say its resources");
		return (struct card_resources){ -1, -1, -1 };
	}
	return r;
}

/* Owners learn of a change that nobody asked for. What a switch does is told when it ends; of one that expired the card is expected to
 * go back. */
static void tell_found(struct card_case *c, const struct profile_info *was)
{
	const struct profile_info *is = case_enabled(c);

	if (!is || running_switch_to(c, &is->isdp_aid) || (was && aid_equal(&was->isdp_aid, &is->isdp_aid)))
		return;
	if (c->expired_aid.len && aid_equal(&c->expired_aid, &is->isdp_aid))
		return;
	tell_profile_change(c, was, is, NULL);
}

static void status_complete(struct card_case *c, const struct isdp_status *list, size_t n, const struct card_resources *resources)
{
	const struct profile_info *told = last_told(c), *was = NULL;

	if (told) /* the audit may take it out */
		was = arena_memdup(c->a, told, sizeof(*told));
	eis_audited(c, list, n, resources);
	if (c->uncertain)
		case_uncertain(c, false);
	tell_found(c, was);
	status_served(c);
	delete_noticed(c);
	create_audited(c, list, n);
	delete_audited(c);
	switch_audited(c, list, n);
	if (c->running && c->running->kind == PROC_AUDIT && procedure_step(c, PEV_ACCEPTED)) {
		commands_done(c, c->running);
		procedure_end(c, OK, NO_DATA);
	}
}

/* The EIS follows a list, profiles go by it: one that says nothing is no list, and one profile at most is enabled. */
static bool credible(const struct isdp_status *list, size_t n)
{
	size_t enabled = 0;

	for (size_t i = 0; i < n; i++)
		enabled += list[i].state == ISDP_ENABLED;
	return n > 0 && enabled <= 1;
}

/* The list has more than one answer holds. A card that executed what stood behind GET STATUS cannot go on with it: all of it again, without
 * that. Others stop at the warning. */
static void status_more(struct card_case *c, const struct card_command *m, const struct script_answer *answer, const struct heard *h)
{
	struct heard anew = { .has_resources = true };

	if (h->has_resources || answer->n <= AT_RESOURCES) {
		status_next(c, m, h, true);
		return;
	}
	anew.resources = resources_of(c, answer);
	status_next(c, m, &anew, false);
}

void status_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer)
{
	const struct script_result *r = &answer->results[AT_STATUS];
	CLEANUP(buf_free) struct buf all = { 0 };
	struct heard h = heard_before(m);
	struct isdp_status *list;
	size_t n;

	if (r->sw != SW_OK && r->sw != SW_MORE) {
		status_refused(c, m, r->sw);
		return;
	}
	buf_add(&all, h.list.data, h.list.len);
	buf_add(&all, r->data.data, r->data.len);
	h.list = (struct bytes){ arena_memdup(c->a, all.data, all.len), all.len };
	if (!isdr_status_parse(c->a, h.list, &list, &n) || (r->sw == SW_MORE && r->data.len == 0)) {
		procedure_unanswerable(c, m, "the eUICC's list of ISD-Ps is broken");
		return;
	}
	if (r->sw == SW_MORE) {
		status_more(c, m, answer, &h);
		return;
	}
	if (!credible(list, n)) {
		procedure_unanswerable(c, m, "the eUICC's list of ISD-Ps cannot be true");
		return;
	}
	if (!h.has_resources)
		h.resources = resources_of(c, answer);
	status_complete(c, list, n, &h.resources);
}

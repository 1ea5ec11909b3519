/* SPDX-License-Identifier: Apache-2.0 */
/* What an SM-DP has secured goes to its ISD-P, byte for byte, and what the card says of it comes back (decisions.md C3, C4). */
#include <string.h>

#include "services/sm-sr/procedure_internal.h"
#include "services/sm-sr/send_filter.h"

bool command_is_sent(const struct card_command *m)
{
	return m->kind == COMMAND_SEND || m->kind == COMMAND_CERTIFICATE || m->kind == COMMAND_AGREEMENT ||
	       m->kind == COMMAND_PARAMETERS;
}

void send_commands_add(struct card_case *c, const struct procedure *p, enum command_kind kind, struct bytes data)
{
	/* What belongs to a key establishment stays in one script, as do connectivity parameters. */
	size_t max = kind == COMMAND_SEND ? c->smsr->config->send_script_max : data.len;
	struct bytes part;

	while (send_part(&data, max, &part)) {
		CLEANUP(buf_free) struct buf script = { 0 };

		script_of_tlvs(&script, SCRIPT_INDEFINITE, part);
		case_command_to(c, p, kind, kind == COMMAND_SEND || kind == COMMAND_PARAMETERS ? &p->isdp : &c->eis.isdr.aid,
				&script);
	}
}

result send_allowed(const struct card_case *c, const struct procedure *p)
{
	if (p->session && (!c->session || strcmp(p->session, c->session)))
		return failed(c->a, CODE_ISDP_NOT_ALLOWED, p->iccid.text,
			      "the session in which the eUICC took the certificate has ended");
	return OK;
}

/* What waits after m of the same procedure; NULL: m was the last. */
static struct card_command *next_of(const struct card_case *c, const struct procedure *p)
{
	struct card_command *next = case_next(c);

	return next && command_is_of(next, p) ? next : NULL;
}

static struct bytes joined(struct arena *a, struct bytes before, struct bytes more)
{
	CLEANUP(buf_free) struct buf all = { 0 };

	buf_add(&all, before.data, before.len);
	buf_add(&all, more.data, more.len);
	return (struct bytes){ arena_memdup(a, all.data, all.len), all.len };
}

void procedure_relayed(struct card_case *c, const struct card_command *m, struct bytes body)
{
	const struct card_command sent = *m; /* commands move */
	const struct procedure *p = c->running;
	struct card_command *next;
	struct bytes content, all;
	const char *why;
	bool stopped;

	if (!command_is_of(&sent, p)) {
		card_log(c, LOG_INFO, "answer_late", "an answer to data whose SM-DP does not wait any more");
		return;
	}
	if (!script_answer_content(body, &content, &why)) {
		procedure_unanswerable(c, &sent, why);
		return;
	}
	stopped = send_stopped(content);
	all = joined(c->a, sent.kept, content);
	next = stopped ? NULL : next_of(c, p);
	if (next) {
		case_command_keep(c, next, all);
		return;
	}
	if (procedure_step(c, PEV_ACCEPTED))
		procedure_end_certified(c, OK, all, sent.kind == COMMAND_CERTIFICATE && !stopped ? sent.session : NULL);
}

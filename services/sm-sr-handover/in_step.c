/* SPDX-License-Identifier: Apache-2.0 */
/* The mover of cards that shall come: by the table of common/sgp02/handover.h, and nothing but it. */
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "services/sm-sr-handover/handover_in.h"

enum { DOUBLINGS_MAX = 6 /* 64 times the first pause */, MS_US = 1000 };

static void step_log(const struct handover_in *h, enum handover_in_state from, enum handover_in_event event, bool refused,
		     const char *note)
{
	struct log_line l;

	log_begin(&l, refused ? LOG_WARN : LOG_INFO, refused ? "handover_event_refused" : "handover_step");
	log_str(&l, "handover", h->id);
	log_str(&l, "side", "in");
	log_str(&l, "eid", h->eid.text);
	log_str(&l, "peer", h->former.text);
	log_str(&l, "from", handover_in_state_name(from));
	log_str(&l, "event", handover_in_event_name(event));
	log_str(&l, "to", refused ? NULL : handover_in_state_name(h->state));
	log_int(&l, "step", h->step);
	log_str(&l, "msg", note && *note ? note : NULL);
	log_end(&l);
}

static void ended_metric(const struct handover_in *h)
{
	static const char *const labels[HANDOVER_IN_STATES] = { [HIN_OWNED] = "outcome=\"owned\"",
								[HIN_FAILED] = "outcome=\"failed\"",
								[HIN_LAPSED] = "outcome=\"lapsed\"" };

	metric_add("rsp_handovers_in_total", labels[h->state], 1);
	metric_observe_us("rsp_handover_in_seconds", labels[h->state], h->now - h->started_at);
}

int64_t in_backoff_us(const struct in_case *c)
{
	int64_t tries = c->h->tries < DOUBLINGS_MAX ? c->h->tries : DOUBLINGS_MAX;

	return ((int64_t)c->hs->config->retry_ms * MS_US) << tries;
}

static void back_off(struct in_case *c)
{
	c->h->wait = IN_PAUSE;
	c->h->due_at = c->h->now + in_backoff_us(c);
	c->h->tries++;
}

/* What no later state needs. */
static void forget(struct handover_in *h)
{
	bool begun = h->state == HIN_AUTHENTICATING || h->state == HIN_KEYING;

	if (!begun && h->state != HIN_ADOPTING)
		h->eis = h->secret = (struct bytes){ 0 };
	if (!begun)
		h->offer = h->ecasd = (struct bytes){ 0 };
}

/* Without a key set for HTTPS the card is not told to use one, nor is it kept. */
static bool without_psk(enum handover_in_state from, enum handover_in_event event)
{
	return event == HIEV_ADOPTED_SMS || (from == HIN_PUTTING_KEY && event == HIEV_SKIPPED);
}

/* A state was entered: everything it needs stands in the row. */
static result enter(struct in_case *c, enum handover_in_state from, enum handover_in_event event)
{
	struct handover_in *h = c->h;

	h->step++;
	h->tries = 0;
	forget(h);
	if (without_psk(from, event))
		h->psk_kvn = 0;
	if (!handover_in_ended(h->state))
		return in_act(c);
	h->ended_at = h->now;
	ended_metric(h);
	return OK;
}

static void tell_stage(struct in_case *c, result why, const char *note)
{
	const struct handover_in *h = c->h;
	const struct handover_told told = { .id = h->id,
					    .eid = h->eid.text,
					    .trace = h->trace,
					    .side = HANDOVER_IN,
					    .stage = handover_in_state_name(h->state),
					    .state = h->state,
					    .step = h->step,
					    .peer = &h->former,
					    .requester = &h->requester,
					    .code = why ? &why->code : NULL,
					    .note = why && why->message ? why->message : note };

	handover_stage(c->hs, c->db, c->a, &told);
}

result in_step(struct in_case *c, enum handover_in_event event, result why, const char *note)
{
	struct handover_in *h = c->h;
	const enum handover_in_state from = h->state, to = handover_in_next(from, event);
	const enum handover_tell tell = handover_in_tells(from, event, h->told);
	const int64_t number = h->step;

	if (to == HANDOVER_IN_STATES) {
		step_log(h, from, event, true, note);
		return OK;
	}
	if (why && why->cause)
		log_msg(LOG_WARN, "handover_failed", "handover %s: %s", h->id, why->cause);
	if (to != from)
		in_withdraw(c);
	h->state = to;
	if (to != from)
		TRY(enter(c, from, event));
	else if (event != HIEV_DEADLINE)
		back_off(c);
	step_log(h, from, event, false, why && why->message ? why->message : note);
	if (to != from)
		tell_stage(c, why, note);
	TRY(in_tell(c, tell, why));
	in_save(c->db, c->a, h, from, number);
	return OK;
}

/* The time of HandoverEUICC is over. Who asked again behind it wants to know whose the card is (E1). */
static result expired(struct in_case *c)
{
	const char *state = handover_in_state_name(c->h->state);
	const struct rows *asked;
	struct result *why;

	if (!handover_in_committed(c->h->state)) {
		DB_QUEUE(c->db, HANDOVER_IN_QUESTION, p_text(c->h->id), p_time(c->a, c->h->deadline));
		TRY(db_sync(c->db, c->a, &asked, 1, NULL));
		if (rows_count(asked))
			return in_step(c, HIEV_ASKED, NULL, "it was asked for again, behind its time");
	}
	why = ARENA_NEW(c->a, struct result);
	*why = (struct result){ .status = STATUS_EXPIRED,
				.code = CODE_TIME_EXPIRED,
				.message = arena_printf(c->a, "while in %s", state) };
	if (handover_in_committed(c->h->state)) {
		why->code = CODE_NO_RESPONSE;
		why->message = arena_printf(c->a, "it is managed here; %s goes on", state);
	}
	return in_step(c, HIEV_DEADLINE, why, NULL);
}

/* A call under the same identifier, which fetches a lost answer; a command under another one, since what became of this one is told. */
static result again(struct in_case *c)
{
	struct handover_in *h = c->h;
	const int64_t number = h->step;
	bool asked = h->wait == IN_ASKED;

	if (asked && in_command(h->state))
		return in_step(c, HIEV_SILENT, NULL, "nothing was heard of the command");
	in_withdraw(c);
	h->tries += asked;
	h->step += in_command(h->state) != NULL;
	TRY(in_act(c));
	in_save(c->db, c->a, h, h->state, number);
	return OK;
}

result in_overdue(struct in_case *c)
{
	struct handover_in *h = c->h;

	if (h->state == HIN_PREPARED)
		return h->due_at <= h->now ? in_step(c, HIEV_DEADLINE, NULL, "nobody handed it over") : OK;
	if (!h->told && h->deadline <= h->now)
		TRY(expired(c));
	return !handover_in_ended(h->state) && h->due_at <= h->now ? again(c) : OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The mover of downloads: by the table of common/sgp02/download.h, and nothing but it. */
#include "common/base/fault.h"
#include "common/base/log.h"
#include "services/sm-dp/download.h"

enum {
	BACKOFF_DOUBLINGS = 6 /* the sixth pause is 32 times the first */,
	MS_US = 1000,
	GRACE_US = 1000000,
	REPEAT_US = 30 * 1000000
};

static void step_log(const struct download *d, enum download_state from, enum download_event event, bool refused)
{
	struct log_line l;

	log_begin(&l, refused ? LOG_WARN : LOG_INFO, refused ? "download_event_refused" : "download_step");
	log_str(&l, "download", d->id);
	log_str(&l, "eid", d->eid.text);
	log_str(&l, "iccid", d->iccid.text);
	log_str(&l, "from", download_state_name(from));
	log_str(&l, "event", download_event_name(event));
	log_str(&l, "to", refused ? NULL : download_state_name(d->state));
	log_int(&l, "step", d->step);
	log_end(&l);
}

result download_expired(struct arena *a, enum download_state state, const char *message)
{
	bool asked = state != DOWNLOAD_GET_EIS && state != DOWNLOAD_CLEANUP;
	struct result *r = ARENA_NEW(a, struct result);

	r->status = STATUS_EXPIRED;
	r->code = asked ? CODE_NO_RESPONSE : CODE_TIME_EXPIRED;
	r->message = message && *message ? arena_printf(a, "while in %s: %s", download_state_name(state), message)
					 : arena_printf(a, "while in %s", download_state_name(state));
	return r;
}

/* What the operator will be told. The first failure stands: what cleaning up finds does not explain it. Only that the time is over comes
 * on top. */
static void outcome_note(struct download_case *c, enum download_state from, enum download_event event, result why)
{
	struct download *d = c->d;
	bool cleans = download_cleans(from) || from == DOWNLOAD_KEEP;
	const char *before = d->outcome.known ? d->outcome.message : NULL;

	if (d->state == DOWNLOAD_DONE || d->state == DOWNLOAD_ENABLE || d->state == DOWNLOAD_COMPLETE)
		d->outcome = (struct download_outcome){ 0 };
	if (from == DOWNLOAD_ENABLE && d->state == DOWNLOAD_DONE) {
		download_outcome_set(d, why);
		if (d->outcome.status != STATUS_SUCCESS)
			d->outcome.status = STATUS_WARNING;
	} else if (d->state == DOWNLOAD_DONE) {
		download_outcome_set(d, OK);
	} else if (event == DLEV_DEADLINE && d->outcome.status != STATUS_EXPIRED) {
		download_outcome_set(d, download_expired(c->a, from, before));
	} else if (why != OK && !(cleans && d->outcome.known)) {
		download_outcome_set(d, why);
	}
}

static int64_t backoff_us(const struct download_case *c)
{
	int64_t tries = c->d->tries < BACKOFF_DOUBLINGS ? c->d->tries : BACKOFF_DOUBLINGS;

	return ((int64_t)c->smdp->config->backoff_ms * MS_US) << (tries > 0 ? tries - 1 : 0);
}

/* A refused call may have been executed, its answer lost, and its repetition be told "busy": so the same FCI is asked again as long as the
 * refusal is judged anew each time (A1). A refusal of the same moment is a stored one, and one without a moment may be: another FCI then. */
static void back_off(struct download_case *c, int64_t refused_at)
{
	struct download *d = c->d;

	d->tries++;
	d->busy_at = refused_at != d->busy_at ? refused_at : 0;
	d->wait = DOWNLOAD_BACKOFF;
	d->due_at = download_due(c, d->now + backoff_us(c));
}

/* A new call for the state that was entered. *out_event: it cannot be made any more. */
static result enter(struct download_case *c, bool *out_called, enum download_event *out_event)
{
	c->d->step++;
	c->d->tries = 0;
	c->d->busy_at = 0;
	TRY(download_call(c, false, out_called));
	if (!*out_called)
		c->d->wait = DOWNLOAD_BACKOFF; /* nothing is under way */
	*out_event = c->d->state == DOWNLOAD_DELETE_EXPIRED || c->d->state == DOWNLOAD_KEEP_EXPIRED ? DLEV_GIVEN_UP : DLEV_DEADLINE;
	return OK;
}

/* Of the old call nothing is to be sent (again). */
static void withdraw(struct download_case *c)
{
	if (c->d->wait != DOWNLOAD_BACKOFF)
		outbox_withdraw(c->db, c->a, &c->d->smsr, c->d->eid.text, download_ref(c->a, c->d));
}

/* The operator is told that its time is over while the cleaning goes on. */
static bool goes_on(enum download_state from, enum download_event event)
{
	return event == DLEV_DEADLINE && (download_cleans(from) || from == DOWNLOAD_KEEP);
}

static bool waits(enum download_state from, enum download_state to, enum download_event event)
{
	return event == DLEV_WAIT || (event == DLEV_SILENT && from == to);
}

/* When the time that a caller had is over amid a call or a pause: the call keeps its time, a pause its length. */
static int64_t next_look(const struct download_case *c)
{
	const struct download *d = c->d;

	if (d->wait == DOWNLOAD_BACKOFF)
		return d->now + backoff_us(c);
	return d->call_until + GRACE_US > d->now ? d->call_until + GRACE_US : d->now + REPEAT_US;
}

/* One event by the table; *out_more: a further one follows from it at once, in *event. */
static result move(struct download_case *c, enum download_event *event, result *why, int64_t refused_at, bool *out_more)
{
	struct download *d = c->d;
	enum download_state from = d->state, to = download_next(from, *event);
	bool called = true;

	*out_more = false;
	if (to == DOWNLOAD_STATES) {
		step_log(d, from, *event, true);
		return OK;
	}
	d->state = to;
	outcome_note(c, from, *event, *why);
	step_log(d, from, *event, false);
	if (download_ended(to))
		return download_end(c, from, *event);
	if (waits(from, to, *event)) {
		back_off(c, refused_at);
		return OK;
	}
	if (goes_on(from, *event)) {
		d->due_at = download_due(c, next_look(c));
		return OK;
	}
	TRY(enter(c, &called, event));
	*out_more = !called;
	*why = called ? OK : download_expired(c->a, d->state, "no time is left for another call");
	return OK;
}

static result step(struct download_case *c, enum download_event event, result why, int64_t refused_at)
{
	struct download *d = c->d;
	const enum download_state state = d->state;
	const int64_t number = d->step;
	bool more = true;

	if (event != DLEV_DEADLINE || !goes_on(state, event))
		withdraw(c);
	while (more)
		TRY(move(c, &event, &why, refused_at, &more));
	if (!d->told && d->deadline <= d->now && !download_ended(d->state) && d->outcome.status == STATUS_EXPIRED)
		TRY(download_tell(c, download_result(c->a, &d->outcome)));
	download_save(c->db, c->a, d, state, number);
	return OK;
}

result download_step(struct download_case *c, enum download_event event, result why)
{
	return step(c, event, why, 0);
}

enum { ANSWER_MAX = 1000 };

/* What came, and what we made of it: "FAILED 8.4/4.2: ...", "EXECUTED_SUCCESS; the profile was not installed: ...". */
static const char *answer_text(struct arena *a, const struct download_said *said, result told)
{
	const struct status_code_data *code = said->base ? said->base->status.code : NULL;
	const char *ours = told && told->message ? told->message : "", *text;

	if (said->base)
		text = arena_printf(a, "%s%s%s%s%s%s%s", status_name(said->base->status.status), code ? " " : "",
				    code ? code->subject : "", code ? "/" : "", code ? code->reason : "", *ours ? ": " : "", ours);
	else
		text = said->fault ? arena_printf(a, "SOAP Fault: %s", said->fault) : "no answer came";
	return arena_strcut(a, text, ANSWER_MAX);
}

/* Silence is no refusal, and what was not heard may have been executed: under another FCI that would be refused. Only the same call fetches
 * its answer. */
static int64_t refused_at(const struct download_case *c, const struct download_said *said)
{
	if (!said->base)
		return c->d->now;
	return said->base->processing_end ? *said->base->processing_end : 0;
}

result download_answered(struct download_case *c, const struct download_said *said)
{
	enum download_event event;
	result told;

	TRY(download_judge(c, said, &event, &told));
	c->d->answer = answer_text(c->a, said, told);
	(void)FAULT(arena_printf(c->a, "sm-dp.download.%s.answered", download_state_name(c->d->state)), c->d->eid.text);
	return step(c, event, told, refused_at(c, said));
}

/* The same call again, or under another FCI when this one is refused for good. */
static result again(struct download_case *c)
{
	struct download *d = c->d;
	const int64_t number = d->step;
	bool other = d->wait == DOWNLOAD_BACKOFF && !d->busy_at, called;

	withdraw(c);
	if (other)
		d->step++;
	TRY(download_call(c, !other, &called));
	if (!called) {
		d->step = number;
		return download_step(
			c, d->state == DOWNLOAD_DELETE_EXPIRED || d->state == DOWNLOAD_KEEP_EXPIRED ? DLEV_GIVEN_UP : DLEV_DEADLINE,
			download_expired(c->a, d->state, "no time is left for another call"));
	}
	/* A lost answer is fetched soon, and again from time to time. */
	if (d->wait == DOWNLOAD_REPEATED)
		d->due_at = download_due(c, d->now + REPEAT_US);
	download_save(c->db, c->a, d, d->state, number);
	return OK;
}

result download_overdue(struct download_case *c)
{
	struct download *d = c->d;

	if (d->now >= download_until(c) && (d->state == DOWNLOAD_DELETE_EXPIRED || d->state == DOWNLOAD_KEEP_EXPIRED))
		return download_step(c, DLEV_GIVEN_UP, download_expired(c->a, d->state, "nobody knows what the eUICC has"));
	if (d->now >= d->deadline && !d->told)
		return download_step(c, DLEV_DEADLINE, download_expired(c->a, d->state, NULL));
	return again(c);
}

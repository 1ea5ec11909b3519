/* SPDX-License-Identifier: Apache-2.0 */
/* What one POST of a card does: what it says is settled, then the next script is chosen. */
#include "services/sm-sr/card_session.h"

#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/card/smpp.h"
#include "services/sm-sr/card_turn.h"
#include "services/sm-sr/procedures.h"

enum { ATTEMPTS = 4, STATUS_OK = 200, STATUS_END = 204, STATUS_LATER = 503 };

/* One attempt at it. */
struct visit {
	struct card_case c;
	struct card_peer peer; /* copied back when the transaction is committed */
	const struct card_post *post;
	struct card_answer answer;
	bool fetches, answers, confirmed; /* what the POST does, for placed faults */
	enum command_kind fetched, answered;
	bool astray; /* a packet that nobody waits for may still come to the card */
};

static void end_with(struct visit *v, unsigned status)
{
	v->answer.status = status;
	v->answer.script = (struct bytes){ 0 };
}

static void send_script(struct visit *v, const struct card_command *m)
{
	v->answer.status = STATUS_OK;
	v->answer.script = m->script;
	v->answer.ticket = m->ticket;
	v->answer.target = m->target;
	v->answer.kind = m->kind;
	v->peer.ours = !command_is_sent(m);
}

static bool establishes(enum command_kind kind)
{
	return kind == COMMAND_CERTIFICATE || kind == COMMAND_AGREEMENT;
}

/* A placed fault of every POST, and of those that do the same as this one. */
static void fault_points(const struct visit *v, const char *stage)
{
	const struct {
		const char *what;
		bool does;
	} points[] = { { ".fetched", v->fetches },
		       { ".answered", v->answers && !v->confirmed },
		       { ".confirmed", v->confirmed },
		       { ".establishing", v->fetches && establishes(v->fetched) },
		       { ".established", v->answers && establishes(v->answered) },
		       { ".installing", v->fetches && v->fetched == COMMAND_SEND },
		       { ".installed", v->answers && v->answered == COMMAND_SEND },
		       { ".notified", v->post->kind == POST_NOTIFICATION },
		       { "", true } };
	char name[48];

	for (size_t i = 0; i < LEN(points); i++) {
		if (!points[i].does)
			continue;
		(void)snprintf(name, sizeof(name), "sm-sr.card%s.%s", points[i].what, stage);
		(void)FAULT(name, v->c.eid.text);
	}
}

/* The card is here: a new session, or the one this connection had. False: another connection has taken over; this one may only go. */
static bool join(struct visit *v)
{
	struct card_case *c = &v->c;

	if (v->peer.session[0])
		return c->session && !strcmp(c->session, v->peer.session);
	uuid_new(v->peer.session);
	v->peer.posts = 0;
	v->peer.asked_status = false;
	case_session_set(c, arena_strdup(c->a, v->peer.session));
	return true;
}

static void settle_answer(struct visit *v, struct card_command *m)
{
	v->answers = true;
	v->answered = m->kind;
	v->confirmed = m->kind == COMMAND_CONFIRM;
	if (command_is_sent(m))
		v->peer.posts = 0; /* a download is as long as it is */
	card_turn_answered(&v->c, m, v->post->body);
}

static void settle_unable(struct visit *v, struct card_command *m)
{
	case_command_answered(&v->c, m);
	procedure_unanswerable(&v->c, m, ram_status_name(v->post->status));
}

/* It tells what a script did. */
static bool reports(const struct card_post *post)
{
	return post->kind == POST_ANSWER || post->kind == POST_UNABLE;
}

/* A card whose last report was taken, and our reply to it lost, reports the same once more: that is not about m, which it never got. */
static bool is_about(const struct card_post *post, const struct card_command *m)
{
	return !post->ticket || (m->ticket && !strcmp(post->ticket, m->ticket));
}

/* What an earlier session of this card fetched: after a resume one of it is this session's, the rest is lost. So is all of it when the
 * card does not say which script it reports on. */
static void inherit(struct visit *v)
{
	bool resumed = !v->post->resume || (reports(v->post) && !v->post->ticket);

	for (size_t i = 0; i < v->c.n_commands; i++) {
		struct card_command *m = &v->c.commands[i];

		if (m->state != COMMAND_FETCHED || !m->session || !strcmp(m->session, v->peer.session))
			continue;
		if (!resumed) {
			case_command_resumed(&v->c, m, v->c.session);
			resumed = true;
		} else {
			case_command_lost(&v->c, m);
			procedure_lost(&v->c, m);
		}
	}
}

/* A notification goes before all else: it may be the answer to what an earlier session fetched. True: confirm it. */
static bool settle_notification(struct visit *v)
{
	const struct card_command *confirmation = card_turn_notified(&v->c, &v->post->note);

	if (!confirmation)
		return false;
	send_script(v, confirmation);
	v->answer.confirms = true;
	return true;
}

static void leave(struct visit *v)
{
	case_session_end(&v->c);
	v->peer.session[0] = '\0';
	end_with(v, STATUS_END);
}

static void choose_next(struct visit *v)
{
	struct card_case *c = &v->c;
	struct card_turn turn = { .c = c, .asked_status = v->peer.asked_status };
	const struct card_command *next;

	if (v->astray && !card_turn_fetched(c, v->peer.session)) {
		leave(v); /* else it might execute both, the older one last */
		return;
	}
	next = card_turn_next(&turn);
	v->peer.asked_status = turn.asked_status;
	if (turn.fetches) {
		v->fetches = true;
		v->fetched = next->kind;
	}
	if (next)
		send_script(v, next);
	else if (c->lease && !c->lease->over && c->smsr->waits && !v->post->waited)
		v->answer.waits = true; /* its SM-DP has more to send */
	else
		leave(v);
}

/* What it fetched waits for another session. */
static void cut_off(struct visit *v)
{
	struct card_command *m = card_turn_fetched(&v->c, v->peer.session);

	log_msg(LOG_WARN, "card_refused", "eid %s: its session has no end", v->c.eid.text);
	leave(v);
	v->answer.closes = true;
	if (!m)
		return;
	case_command_lost(&v->c, m);
	procedure_lost(&v->c, m);
}

static void decide(struct visit *v)
{
	struct card_command *m;

	if (!join(v)) {
		v->peer.session[0] = '\0';
		end_with(v, STATUS_END);
		return;
	}
	if (++v->peer.posts > CARD_POSTS_MAX) {
		cut_off(v);
		return;
	}
	if (v->post->kind == POST_NOTIFICATION) {
		if (!settle_notification(v))
			leave(v); /* not now: the card rolls back by itself, and what is queued waits for that (procedures.md 4.11) */
		return;
	}
	if (card_turn_by_sms(&v->c)) {
		leave(v); /* what it has in a packet it does first: never both at a time (C6) */
		return;
	}
	inherit(v);
	/* Looked up now: what was lost may have added commands, and the case keeps them in a new array then. */
	m = card_turn_fetched(&v->c, v->peer.session);
	if (reports(v->post) && !(m && is_about(v->post, m)))
		log_msg(LOG_INFO, "card_answer", "eid %s: nobody waits for it", v->c.eid.text);
	else if (v->post->kind == POST_ANSWER)
		settle_answer(v, m);
	else if (v->post->kind == POST_UNABLE)
		settle_unable(v, m);
	choose_next(v);
}

/* It went to another SM-SR while its connection was open: a next one finds no key here. */
static void not_ours(struct visit *v)
{
	log_msg(LOG_INFO, "card_refused", "eid %s: it is not managed here any more", v->c.eid.text);
	v->peer.session[0] = '\0';
	end_with(v, STATUS_END);
	v->answer.closes = true;
}

/* One transaction. failure: whether another attempt may help. */
static result attempt(struct visit *v, struct db_failure *failure)
{
	const struct smsr_config *config = v->c.smsr->config;
	const struct rows *rows[CASE_RESULTS + 1];
	struct card_case *c = &v->c;

	db_begin(c->db);
	case_queue(c->db, &c->eid);
	DB_QUEUE(c->db, SMSR_SMS_ASTRAY, p_text(c->eid.text), p_int(c->a, config->sms_tries), p_int(c->a, config->sms_retry_ms),
		 p_int(c->a, SMPP_SYSTEM_ERROR));
	TRY(db_sync(c->db, c->a, rows, LEN(rows), failure));
	TRY(case_take(c, rows));
	v->astray = rows_count(rows[CASE_RESULTS]) > 0;
	fault_points(v, "loaded");
	if (c->known)
		decide(v);
	else
		not_ours(v);
	fault_points(v, "decided");
	db_commit(c->db);
	TRY(db_sync(c->db, c->a, NULL, 0, failure));
	fault_points(v, "committed");
	return OK;
}

void card_visit(struct rpc *rpc, struct smsr *smsr, struct db *db, struct arena *a, struct card_peer *peer,
		const struct card_post *post, struct card_answer *out)
{
	result r = OK;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct visit v = { .c = { .rpc = rpc, .smsr = smsr, .db = db, .a = a, .eid = peer->eid },
				   .peer = *peer,
				   .post = post };
		struct db_failure failure = { 0 };

		r = attempt(&v, &failure);
		if (r == OK) {
			*peer = v.peer;
			*out = v.answer;
			case_committed(&v.c);
			return;
		}
		if (db_in_transaction(db))
			db_rollback(db);
		if (!failure.rerun && !failure.unique_constraint)
			break;
	}
	log_msg(LOG_WARN, "card_visit", "eid %s: %s", peer->eid.text, r->cause ? r->cause : status_code(r->code)->text);
	*out = (struct card_answer){ .status = STATUS_LATER };
}

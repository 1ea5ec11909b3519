/* SPDX-License-Identifier: Apache-2.0 */
/* What is due by the clock: validity periods that end (decisions.md A6), scripts that a card fetched and will not answer (C3). Every replica
 * runs it: the lock of the card's row lets one of them act, the others then find nothing due. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/app/worker.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "services/sm-sr/cards.h"
#include "services/sm-sr/procedures.h"

enum { ATTEMPTS = 4, DUE_MAX = 100, ROUND_MS = 10 };
enum { RETRY_MS = 1000 /* what cannot be settled must not spin */ };

/* A session whose connection broke. */
struct gone {
	struct gone *next;
	struct eid eid;
	char session[UUID_TEXT];
};

struct sweeper {
	struct rpc *rpc;
	struct smsr *smsr;
	struct worker *worker;
	struct db *db;
	struct arena *a;
	_Atomic(struct gone *) gone;
	bool stuck; /* in this pass: something is due that could not be settled */
};

static void gone_free(struct gone *g)
{
	while (g) {
		struct gone *next = g->next;

		free(g);
		g = next;
	}
}

void sweeper_session_gone(struct smsr *s, const struct eid *eid, const char *session)
{
	struct gone *g;

	if (!s->sweeper)
		return;
	g = calloc(1, sizeof(*g));
	if (!g)
		abort();
	g->eid = *eid;
	memcpy(g->session, session, sizeof(g->session));
	g->next = atomic_load(&s->sweeper->gone);
	while (!atomic_compare_exchange_weak(&s->sweeper->gone, &g->next, g))
		;
	worker_ring(s->sweeper->worker);
}

/* Lost with the process they cost the longer wait, no more. */
static void mark_gone(struct sweeper *s)
{
	struct gone *all = atomic_exchange(&s->gone, NULL);
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!all)
		return;
	for (const struct gone *g = all; g; g = g->next)
		buf_printf(&text, "%s%s/%s", text.len ? " " : "", g->eid.text, g->session);
	gone_free(all);
	DB_QUEUE(s->db, SMSR_SESSIONS_GONE, p_text(text.data));
	if (db_sync(s->db, s->a, NULL, 0, NULL) != OK)
		log_msg(LOG_WARN, "sweeper", "broken sessions could not be marked; they count as silent ones");
}

static bool listed(const char *numbers, int64_t seq)
{
	for (const char *p = numbers; *p; p += strspn(p, " ")) {
		char *end;

		if (strtoll(p, &end, 10) == seq)
			return true;
		p = end;
	}
	return false;
}

static void settle(struct card_case *c, const char *lost)
{
	for (size_t i = 0; i < c->n_commands; i++) {
		struct card_command *m = &c->commands[i];

		if (m->state != COMMAND_FETCHED || !listed(lost, m->seq))
			continue;
		log_msg(LOG_INFO, "card_lost", "eid %s: a script will not be answered any more", c->eid.text);
		case_command_lost(c, m);
		procedure_lost(c, m);
	}
	if (c->running && c->running->overdue)
		procedure_expire(c);
}

/* One card, in a transaction of its own. */
static result sweep_card(struct sweeper *s, struct card_case *c, struct db_failure *failure)
{
	const struct smsr_config *config = s->smsr->config;
	const struct rows *rows[CASE_RESULTS + 1];
	const char *lost;

	db_begin(s->db);
	case_queue(s->db, &c->eid);
	DB_QUEUE(s->db, SMSR_SWEEP_LOST, p_text(c->eid.text), p_int(s->a, config->card_lost_ms), p_int(s->a, config->card_gone_ms));
	TRY(db_sync(s->db, s->a, rows, LEN(rows), failure));
	lost = row_text_dup(s->a, rows[CASE_RESULTS], 0, 0);
	TRY(case_take(c, rows));
	if (c->known)
		settle(c, lost);
	else
		s->stuck = true; /* rows about a card that is not ours */
	db_commit(s->db);
	TRY(db_sync(s->db, s->a, NULL, 0, failure));
	(void)FAULT("sm-sr.card.expired", c->eid.text);
	case_committed(c);
	return OK;
}

static void sweep(struct sweeper *s, const struct eid *eid)
{
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct card_case *c = ARENA_NEW(s->a, struct card_case);
		struct db_failure failure = { 0 };
		result r;

		*c = (struct card_case){ .rpc = s->rpc, .smsr = s->smsr, .db = s->db, .a = s->a, .eid = *eid };
		r = sweep_card(s, c, &failure);
		if (r == OK)
			return;
		if (db_in_transaction(s->db))
			db_rollback(s->db);
		if (failure.rerun || failure.unique_constraint)
			continue;
		log_msg(LOG_WARN, "sweeper", "eid %s: %s", eid->text, r->cause ? r->cause : status_code(r->code)->text);
		break;
	}
	s->stuck = true;
}

/* How many cards there was something to do about. */
static size_t sweep_due(struct sweeper *s)
{
	const struct smsr_config *config = s->smsr->config;
	const struct rows *rows;
	struct eid *eids;
	size_t n, good = 0;

	DB_QUEUE(s->db, SMSR_SWEEP_DUE, p_int(s->a, config->card_lost_ms), p_int(s->a, config->card_gone_ms));
	if (db_sync(s->db, s->a, &rows, 1, NULL) != OK) {
		s->stuck = true;
		return 0;
	}
	n = rows_count(rows);
	eids = arena_array(s->a, n, sizeof(*eids));
	for (size_t i = 0; i < n; i++)
		if (eid_parse(row_text(rows, i, 0), &eids[good]))
			good++;
	for (size_t i = 0; i < good; i++)
		sweep(s, &eids[i]);
	return good;
}

/* The worker sleeps until the next deadline that stands in a row. */
static void next_due(struct sweeper *s)
{
	const struct smsr_config *config = s->smsr->config;
	const struct rows *rows;
	int64_t ms, least = s->stuck ? RETRY_MS : ROUND_MS;

	if (s->stuck)
		worker_next(s->worker, RETRY_MS);
	DB_QUEUE(s->db, SMSR_SWEEP_NEXT, p_int(s->a, config->card_lost_ms), p_int(s->a, config->card_gone_ms));
	if (db_sync(s->db, s->a, &rows, 1, NULL) != OK || row_null(rows, 0, 0))
		return;
	ms = row_int(rows, 0, 0) + 1;
	if (ms < (int64_t)config->sweep_ms)
		worker_next(s->worker, (unsigned)(ms > least ? ms : least));
}

static bool pass(void *ctx)
{
	struct sweeper *s = ctx;
	size_t done;

	arena_reset(s->a);
	s->stuck = false;
	mark_gone(s);
	done = sweep_due(s);
	if (done >= DUE_MAX && !s->stuck)
		return true;
	next_due(s);
	return false;
}

void sweeper_start(struct app *app)
{
	struct smsr *smsr = app->rpc.role_state;
	struct sweeper *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->rpc = &app->rpc;
	s->smsr = smsr;
	s->db = db_open(app->rpc.store);
	s->a = arena_new();
	s->worker = worker_start(smsr->config->sweep_ms, pass, s);
	smsr->sweeper = s;
}

void sweeper_stop(struct app *app)
{
	struct smsr *smsr = app->rpc.role_state;
	struct sweeper *s = smsr->sweeper;

	if (!s)
		return;
	smsr->sweeper = NULL;
	worker_stop(s->worker);
	db_close(s->db);
	arena_free(s->a);
	gone_free(atomic_load(&s->gone));
	free(s);
}

void sweeper_ring(struct smsr *s)
{
	if (s->sweeper)
		worker_ring(s->sweeper->worker);
}

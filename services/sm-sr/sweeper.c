/* SPDX-License-Identifier: Apache-2.0 */
/* What is due by the clock: validity periods that end (decisions.md A6), scripts that a card fetched and will not answer (C3). Every replica
 * runs it: the lock of the card's row lets one of them act, the others then find nothing due. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/app/worker.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "services/sm-sr/cards.h"
#include "services/sm-sr/procedures.h"

enum { ATTEMPTS = 4, DUE_MAX = 100, ROUND_MS = 10 };
enum {
	RETRY_MS = 1000,  /* the database does not answer */
	ASIDE_MS = 60000, /* a card that could not be settled lets others go first so long */
	LOCKED_MS = 2000, /* the same when its row was only locked */
	ASIDE_MAX = 1000, /* cards */
	TROUBLE_MAX = 3,  /* so many in a row that the database did not take: it is not the cards */
};

_Static_assert(PROC_DOUBT == 8, "a number in SMSR_CASE_PROCEDURE, SMSR_SWEEP_DUE, SMSR_SWEEP_NEXT");

/* A session whose connection broke. */
struct gone {
	struct gone *next;
	struct eid eid;
	char session[UUID_TEXT];
};

/* A card that is due and cannot be settled: unreadable rows, or a row that is locked. Without this a hundred of them would be all that is
 * ever found due. */
struct aside {
	char eid[EID_DIGITS + 1]; /* as it stands in the row */
	int64_t until_ms;
};

struct sweeper {
	struct rpc *rpc;
	struct smsr *smsr;
	struct worker *worker;
	struct db *db;
	struct arena *a;
	_Atomic(struct gone *) gone;
	struct aside aside[ASIDE_MAX];
	size_t n_aside;
	int64_t look_ms;  /* at replicas that died */
	unsigned trouble; /* in a row */
	bool stuck;       /* in this pass: the database did not answer */
};

static void gone_free(struct gone *g)
{
	while (g) {
		struct gone *next = g->next;

		free(g);
		g = next;
	}
}

static void gone_add(struct sweeper *s, struct gone *first, struct gone *last)
{
	last->next = atomic_load(&s->gone);
	while (!atomic_compare_exchange_weak(&s->gone, &last->next, first))
		;
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
	gone_add(s->sweeper, g, g);
	worker_ring(s->sweeper->worker);
}

/* Lost with the process they cost the longer wait, no more. While the database is away they are kept: then all sessions may break. */
static void mark_gone(struct sweeper *s)
{
	struct gone *all = atomic_exchange(&s->gone, NULL), *last = all;
	CLEANUP(buf_free) struct buf text = { 0 };

	if (!all)
		return;
	for (struct gone *g = all; g; g = g->next) {
		buf_printf(&text, "%s%s/%s", text.len ? " " : "", g->eid.text, g->session);
		last = g;
	}
	DB_QUEUE(s->db, SMSR_SESSIONS_GONE, p_text(text.data));
	if (db_sync(s->db, s->a, NULL, 0, NULL) == OK) {
		gone_free(all);
		return;
	}
	gone_add(s, all, last);
	s->stuck = true;
}

/* A replica that died could not say that its cards' connections broke, and may not come back under its name. Every one that lives holds
 * its name in the database; one that has just lost that to a restart of the database is not judged. */
static void mark_abandoned(struct sweeper *s)
{
	if (clock_ms() < s->look_ms)
		return;
	s->look_ms = clock_ms() + s->smsr->config->sweep_ms;
	DB_QUEUE(s->db, SMSR_SESSIONS_ABANDONED, p_text(s->rpc->role), p_text(s->rpc->replica));
	if (db_sync(s->db, s->a, NULL, 0, NULL) != OK)
		s->stuck = true;
}

/* ---- cards that wait ---- */

static void put_aside(struct sweeper *s, const char *eid, int64_t ms)
{
	struct aside *a = &s->aside[0];

	if (s->n_aside < ASIDE_MAX)
		a = &s->aside[s->n_aside++];
	else
		for (size_t i = 1; i < s->n_aside; i++) /* who has waited longest comes back early */
			if (s->aside[i].until_ms < a->until_ms)
				a = &s->aside[i];
	(void)snprintf(a->eid, sizeof(a->eid), "%s", eid);
	a->until_ms = clock_ms() + ms;
}

/* Their EIDs, blank between two; those whose time is over are not among them any more. */
static const char *aside_text(struct sweeper *s)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	int64_t now = clock_ms();
	size_t n = 0;

	buf_str(&text, "");
	for (size_t i = 0; i < s->n_aside; i++) {
		if (s->aside[i].until_ms <= now)
			continue;
		buf_printf(&text, "%s%s", n ? " " : "", s->aside[i].eid);
		s->aside[n++] = s->aside[i];
	}
	s->n_aside = n;
	return arena_strdup(s->a, text.data);
}

/* ---- one card ---- */

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

/* Twice what all its attempts take: then the lane, which would tell of its end, is not there. */
static int64_t by_sms_lost_ms(const struct smsr_config *config)
{
	return (int64_t)2 * config->sms_tries * config->sms_retry_ms;
}

/* What became of a card in one transaction. */
struct settled {
	bool lost, expired;
};

static struct settled settle(struct card_case *c, const char *lost)
{
	struct settled done = { 0 };

	for (size_t i = 0; i < c->n_commands; i++) {
		struct card_command *m = &c->commands[i];

		if (m->state != COMMAND_FETCHED || !listed(lost, m->seq))
			continue;
		log_msg(LOG_INFO, "card_lost", "eid %s: a script will not be answered any more", c->eid.text);
		case_command_lost(c, m);
		procedure_lost(c, m);
		done.lost = true;
	}
	done.expired = procedure_overdue(c);
	return done;
}

/* One card, in a transaction of its own. */
static result sweep_card(struct sweeper *s, struct card_case *c, struct db_failure *failure)
{
	const struct smsr_config *config = s->smsr->config;
	const struct rows *rows[CASE_RESULTS + 1];
	struct settled done = { 0 };
	const char *lost;

	db_begin(s->db);
	case_queue(s->db, &c->eid);
	DB_QUEUE(s->db, SMSR_SWEEP_LOST, p_text(c->eid.text), p_int(s->a, config->card_lost_ms), p_int(s->a, config->card_gone_ms),
		 p_int(s->a, by_sms_lost_ms(config)));
	TRY(db_sync(s->db, s->a, rows, LEN(rows), failure));
	lost = row_text_dup(s->a, rows[CASE_RESULTS], 0, 0);
	TRY(case_take(c, rows));
	if (!c->known)
		return internal(s->a, "rows about a card that is not managed here");
	done = settle(c, lost);
	db_commit(s->db);
	TRY(db_sync(s->db, s->a, NULL, 0, failure));
	if (done.lost)
		(void)FAULT("sm-sr.card.lost", c->eid.text);
	if (done.expired)
		(void)FAULT("sm-sr.card.expired", c->eid.text);
	case_committed(c);
	return OK;
}

/* Why it was not: said once, until it is tried again. */
static void not_settled(struct sweeper *s, const struct eid *eid, result r)
{
	log_msg(LOG_WARN, "sweeper", "eid %s: %s", eid->text, r->cause ? r->cause : status_code(r->code)->text);
	put_aside(s, eid->text, r->code == CODE_BUSY ? LOCKED_MS : ASIDE_MS);
	s->trouble = r->code == CODE_BUSY ? s->trouble + 1 : 0;
}

static void sweep(struct sweeper *s, const struct eid *eid)
{
	result r = OK;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct card_case *c = ARENA_NEW(s->a, struct card_case);
		struct db_failure failure = { 0 };

		*c = (struct card_case){ .rpc = s->rpc, .smsr = s->smsr, .db = s->db, .a = s->a, .eid = *eid };
		r = sweep_card(s, c, &failure);
		if (r == OK) {
			s->trouble = 0;
			return;
		}
		if (db_in_transaction(s->db))
			db_rollback(s->db);
		if (!failure.rerun && !failure.unique_constraint)
			break;
	}
	not_settled(s, eid, r);
}

/* How many cards there was something to do about. */
static size_t sweep_due(struct sweeper *s)
{
	const struct smsr_config *config = s->smsr->config;
	const struct rows *rows;
	struct eid *eids;
	size_t n, good = 0;

	DB_QUEUE(s->db, SMSR_SWEEP_DUE, p_int(s->a, config->card_lost_ms), p_int(s->a, config->card_gone_ms), p_text(aside_text(s)),
		 p_int(s->a, by_sms_lost_ms(config)));
	if (db_sync(s->db, s->a, &rows, 1, NULL) != OK) {
		s->stuck = true;
		return 0;
	}
	n = rows_count(rows);
	eids = arena_array(s->a, n, sizeof(*eids));
	for (size_t i = 0; i < n; i++) {
		if (eid_parse(row_text(rows, i, 0), &eids[good]))
			good++;
		else
			put_aside(s, row_text(rows, i, 0), ASIDE_MS); /* no EID: nothing that could be settled */
	}
	s->trouble = 0;
	for (size_t i = 0; i < good && s->trouble < TROUBLE_MAX; i++)
		sweep(s, &eids[i]);
	s->stuck = s->trouble >= TROUBLE_MAX || good < n;
	return n;
}

/* The worker sleeps until the next deadline that stands in a row. */
static void next_due(struct sweeper *s)
{
	const struct smsr_config *config = s->smsr->config;
	const struct rows *rows;
	int64_t ms;

	if (s->stuck) {
		worker_next(s->worker, RETRY_MS);
		return;
	}
	if (s->n_aside)
		worker_next(s->worker, LOCKED_MS);
	DB_QUEUE(s->db, SMSR_SWEEP_NEXT, p_int(s->a, config->card_lost_ms), p_int(s->a, config->card_gone_ms),
		 p_text(aside_text(s)), p_int(s->a, by_sms_lost_ms(config)));
	if (db_sync(s->db, s->a, &rows, 1, NULL) != OK || row_null(rows, 0, 0))
		return;
	ms = row_int(rows, 0, 0) + 1;
	if (ms < (int64_t)config->sweep_ms)
		worker_next(s->worker, (unsigned)(ms > ROUND_MS ? ms : ROUND_MS));
}

static bool pass(void *ctx)
{
	struct sweeper *s = ctx;
	size_t done;

	arena_reset(s->a);
	s->stuck = false;
	mark_gone(s);
	mark_abandoned(s);
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

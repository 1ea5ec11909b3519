/* SPDX-License-Identifier: Apache-2.0 */
/* The background worker that makes what was ordered: a chunk of cards, their registrations and the batch's mark in one transaction,
 * so that a crash anywhere resumes at the first card that has no row; then the batch's file for the card simulator. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/random.h"
#include "services/eum/eum.h"
#include "services/eum/statements.h"

enum { NET_MS = 5000 };

struct eum_maker {
	struct app *app;
	struct eum *eum;
	struct worker *worker;
	struct db *db;
	struct arena *arena;
	bool files_checked;
};

/* Cards of one chunk; their keys are wiped whatever happens. */
struct chunk {
	struct eum_card *cards;
	size_t n;
};

static void chunk_free(struct chunk *c)
{
	for (size_t i = 0; i < c->n; i++)
		eum_card_free(&c->cards[i]);
}

static void trouble(const char *event, result r)
{
	log_msg(LOG_WARN, event, "%s", r->cause ? r->cause : status_code(r->code)->text);
}

/* The SM-SRs we can wrap keys for; batches for others wait until their key is back. */
static const char *smsrs(const struct eum_maker *m)
{
	const char *text = "";

	for (size_t i = 0; i < m->eum->transport_keys.n; i++)
		text = arena_printf(m->arena, "%s%s%s", text, i ? " " : "", m->eum->transport_keys.items[i].peer.text);
	return text;
}

/* Locks one batch that has cards to be made; *out_found false: none. Leaves the transaction open. */
static result batch_take(struct eum_maker *m, struct eum_batch *out, bool *out_found)
{
	const struct rows *rows;

	*out_found = false;
	db_begin(m->db);
	DB_QUEUE(m->db, EUM_BATCH_TAKE, p_text(smsrs(m)));
	TRY(db_sync(m->db, m->arena, &rows, 1, NULL));
	if (rows_count(rows) == 0)
		return OK;
	eum_batch_from_row(m->arena, rows, 0, out);
	TRY(eum_batch_load_rest(m->db, m->arena, out));
	*out_found = true;
	return OK;
}

/* The registration leaves with the card's row: never one without the other. */
static void register_queue(struct eum_maker *m, const struct eum_card *card, const char *fci, bool by_callback)
{
	struct es1_register_eis_rq rq = { .base = { .fci = fci }, .eis = card->eis };
	const struct eum_submission s = { .fn = FN_ES1_RegisterEIS, .smsr = &card->eis.smsr, .by_callback = by_callback,
					  .eid = card->eid.text, .ref = card->eid.text, .in = &rq };

	eum_submit(m->db, m->arena, &s);
}

static result chunk_make(struct eum_maker *m, const struct eum_batch *batch, struct chunk *chunk)
{
	int64_t left = batch->quantity - batch->made, at_most = (int64_t)m->eum->config->maker_cards;
	size_t n = (size_t)(left < at_most ? left : at_most);
	const struct secret *transport = transport_key_of(&m->eum->transport_keys, &batch->smsr);
	const struct entity *smsr;
	const char *why;

	TRY(registry_by_oid(m->db, m->arena, &batch->smsr, &smsr));
	chunk->cards = arena_array(m->arena, n, sizeof(*chunk->cards));
	for (size_t i = 0; i < n; i++) {
		int64_t index = batch->made + (int64_t)i;
		struct eum_card *card = &chunk->cards[i];
		char id[UUID_TEXT];
		const char *fci;

		if (!eum_card_make(m->arena, &m->eum->issuer, transport, batch, index, clock_wall_us(), card, &why))
			return internal(m->arena, "batch %s, card %lld: %s", batch->id, (long long)index, why);
		chunk->n++;
		uuid_new(id);
		fci = arena_printf(m->arena, "%s.1", id);
		eum_card_save(m->db, m->arena, &m->eum->issuer, batch, index, fci, card);
		register_queue(m, card, fci, smsr && smsr->dialect.s_callback);
		(void)FAULT("eum.maker.made", card->eid.text);
	}
	DB_QUEUE(m->db, EUM_BATCH_MADE, p_text(batch->id), p_int(m->arena, batch->made + (int64_t)n));
	db_commit(m->db);
	return db_sync(m->db, m->arena, NULL, 0, NULL);
}

/* *out_made: a chunk was made; there may be more. */
static result make(struct eum_maker *m, bool *out_made)
{
	CLEANUP(chunk_free) struct chunk chunk = { 0 };
	struct eum_batch batch = { 0 };
	int64_t start = clock_us();
	bool found;

	TRY(batch_take(m, &batch, &found));
	if (!found) {
		db_rollback(m->db);
		return OK;
	}
	TRY(chunk_make(m, &batch, &chunk));
	for (size_t i = 0; i < chunk.n; i++)
		(void)FAULT("eum.maker.committed", chunk.cards[i].eid.text);
	outbox_ring(m->app->rpc.outbox);
	metric_add("rsp_eum_cards_made_total", "", (double)chunk.n);
	metric_observe_us("rsp_eum_chunk_seconds", "", clock_us() - start);
	*out_made = true;
	return OK;
}

/* *out_made: a file was written; there may be more. */
static result file_make(struct eum_maker *m, bool *out_made)
{
	struct eum_batch batch = { 0 };
	const struct rows *rows;

	db_begin(m->db); /* the row's lock keeps a second replica from the same temporary file */
	DB_QUEUE0(m->db, EUM_FILE_DUE);
	TRY(db_sync(m->db, m->arena, &rows, 1, NULL));
	if (rows_count(rows) == 0) {
		db_rollback(m->db);
		return OK;
	}
	eum_batch_from_row(m->arena, rows, 0, &batch);
	TRY(eum_batch_load_rest(m->db, m->arena, &batch));
	TRY(batch_file_write(m->db, m->arena, m->eum, &batch, batch_file_path(m->arena, m->eum, batch.id)));
	(void)FAULT("eum.file.renamed", "*");
	DB_QUEUE(m->db, EUM_FILE_DONE, p_text(batch.id));
	db_commit(m->db);
	TRY(db_sync(m->db, m->arena, NULL, 0, NULL));
	*out_made = true;
	return OK;
}

/* Once per start: a file that is marked complete but gone is written again. */
static result files_check(struct eum_maker *m)
{
	const struct rows *rows;
	const char **lost;
	size_t n = 0;

	DB_QUEUE0(m->db, EUM_FILES_WRITTEN);
	TRY(db_sync(m->db, m->arena, &rows, 1, NULL));
	lost = arena_array(m->arena, rows_count(rows), sizeof(*lost));
	for (size_t i = 0; i < rows_count(rows); i++) {
		const char *id = row_text_dup(m->arena, rows, i, 0);

		if (access(batch_file_path(m->arena, m->eum, id), F_OK) != 0)
			lost[n++] = id;
	}
	for (size_t i = 0; i < n; i++)
		DB_QUEUE(m->db, EUM_FILE_LOST, p_text(lost[i]));
	if (n)
		TRY(db_sync(m->db, m->arena, NULL, 0, NULL));
	m->files_checked = true;
	return OK;
}

static result work(struct eum_maker *m, bool *out_more)
{
	bool made = false, filed = false;

	if (!m->files_checked)
		TRY(files_check(m));
	TRY(make(m, &made));
	if (!made)
		TRY(file_make(m, &filed));
	*out_more = made || filed;
	return OK;
}

static bool pass(void *ctx)
{
	struct eum_maker *m = ctx;
	bool more = false;
	result r;

	arena_reset(m->arena);
	r = work(m, &more);
	if (r == OK)
		return more;
	trouble("maker_failed", r);
	db_rollback(m->db);
	return false; /* the net brings it back */
}

struct eum_maker *eum_maker_open(struct app *app, struct eum *eum)
{
	struct eum_maker *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->app = app;
	m->eum = eum;
	m->db = db_open(app->rpc.store);
	m->arena = arena_new();
	m->worker = worker_start(NET_MS, pass, m);
	return m;
}

void eum_maker_ring(struct eum_maker *m)
{
	if (m)
		worker_ring(m->worker);
}

void eum_maker_close(struct eum_maker *m)
{
	if (!m)
		return;
	worker_stop(m->worker);
	db_close(m->db);
	arena_free(m->arena);
	free(m);
}

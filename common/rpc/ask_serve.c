/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to this role: taken from the bus, answered from the database by threads of their own. The answer goes out after the commit; when
 * it gets lost, the same is asked again, and the handler knows it by (handover, step). */
#include "common/rpc/ask.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/random.h"
#include "common/rpc/json_out.h"

enum {
	QUEUE_MAX = 512, /* requests that wait for a thread; more are left unanswered */
	QUEUE_BYTES = 32 * 1024 * 1024,
	ATTEMPTS = 4,
	ANSWER_MS = 2000, /* no new attempt is made later: it would be answered to nobody */
	STEP_MAX = 64,
};

struct job {
	struct job *next;
	int64_t came_ms;
	unsigned connection;
	char *reply, *verb, *trace; /* with data in one piece of memory; trace "": none */
	const char *data;
	size_t n;
};

struct ask_server {
	struct ask_spec spec;
	pthread_t *threads;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *first, **last;
	size_t n, bytes;
	bool closing;
};

static void json_freep(json_t **j)
{
	json_decref(*j);
}

static void job_freep(struct job **j)
{
	free(*j);
}

static const struct asked *row_find(const struct ask_server *s, const char *verb)
{
	for (size_t i = 0; i < s->spec.n_asked; i++)
		if (!strcmp(s->spec.asked[i].verb, verb))
			return &s->spec.asked[i];
	return NULL;
}

static void count(const struct asked *row, const char *outcome)
{
	char labels[128];

	(void)snprintf(labels, sizeof(labels), "verb=\"%s\",outcome=\"%s\"", row ? row->verb : "unknown", outcome);
	metric_add("rsp_asked_total", labels, 1);
}

/* The queue ---------------------------------------------------------------------------------------------------------------- */

static char *put(char **at, const void *data, size_t n)
{
	char *start = *at;

	if (n)
		memcpy(start, data, n);
	start[n] = '\0';
	*at += n + 1;
	return start;
}

static struct job *job_new(const struct bus_asked *q)
{
	const char *trace = q->traceparent ? q->traceparent : "";
	struct job *j = calloc(1, sizeof(*j) + strlen(q->reply) + strlen(q->verb) + strlen(trace) + q->n + 4);
	char *at;

	if (!j)
		abort();
	at = (char *)(j + 1);
	*j = (struct job){ .came_ms = clock_ms(), .connection = q->connection, .n = q->n };
	j->reply = put(&at, q->reply, strlen(q->reply));
	j->verb = put(&at, q->verb, strlen(q->verb));
	j->trace = put(&at, trace, strlen(trace));
	j->data = put(&at, q->payload, q->n);
	return j;
}

/* On the library's thread. */
static void take(void *ctx, const struct bus_asked *q)
{
	struct ask_server *s = ctx;
	bool room;

	pthread_mutex_lock(&s->lock);
	room = !s->closing && s->n < QUEUE_MAX && s->bytes + q->n <= QUEUE_BYTES;
	if (room) {
		struct job *j = job_new(q);

		*s->last = j;
		s->last = &j->next;
		s->n++;
		s->bytes += j->n;
		pthread_cond_signal(&s->more);
	}
	pthread_mutex_unlock(&s->lock);
	if (!room)
		count(row_find(s, q->verb), "dropped");
}

/* NULL: the end. */
static struct job *job_next(struct ask_server *s)
{
	struct job *j = NULL;

	pthread_mutex_lock(&s->lock);
	while (!s->first && !s->closing)
		pthread_cond_wait(&s->more, &s->lock);
	if (!s->closing) {
		j = s->first;
		s->first = j->next;
		if (!s->first)
			s->last = &s->first;
		s->n--;
		s->bytes -= j->n;
	}
	pthread_mutex_unlock(&s->lock);
	return j;
}

/* One request -------------------------------------------------------------------------------------------------------------- */

static bool is_uuid(const char *text)
{
	if (!text || strlen(text) != UUID_TEXT - 1)
		return false;
	for (size_t i = 0; text[i]; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !strchr("0123456789abcdef", text[i]))
			return false;
	return true;
}

/* Where, and not what stands there: it may be a key. */
static result unread(struct arena *a, const json_error_t *e)
{
	return failed(a, CODE_PARAM_INVALID, NULL, "the request %s: line %d, column %d",
		      json_error_code(e) == json_error_duplicate_key ? "has a member twice" : "is no JSON", e->line, e->column);
}

/* What every request has. */
static result read_common(struct asking *q)
{
	const char *eid = asking_text(q, "eid");

	if (!json_is_object(q->in))
		return failed(q->a, CODE_PARAM_INVALID, NULL, "the request is JSON, but no object");
	q->handover = asking_text(q, "handover");
	if (!is_uuid(q->handover))
		return asking_bad(q, "handover");
	q->step = asking_text(q, "step");
	if (!q->step || !*q->step || strlen(q->step) > STEP_MAX)
		return asking_bad(q, "step");
	if (!eid || strlen(eid) != EID_DIGITS || !eid_parse(eid, &q->eid))
		return asking_bad(q, "eid");
	return OK;
}

/* True: a test wants to have it missed. */
static bool fault_point(const struct asking *q, const char *stage)
{
	char name[96];

	(void)snprintf(name, sizeof(name), "%s.asked.%s.%s", q->rpc->role, q->verb, stage);
	return FAULT(name, q->eid.text);
}

/* Trouble of ours, which is none of the asker's: it is asked again. What the database says has a cause, what a handler refuses has none. */
static bool is_trouble(result r)
{
	return r != OK && (r->status != STATUS_FAILED || r->code == CODE_INTERNAL || r->cause);
}

/* *out_again: it may end otherwise at once. */
static result attempt(struct asking *q, const struct asked *row, bool *out_again)
{
	struct db_failure failure = { 0 };
	result r;

	*out_again = false;
	q->loaded = NULL;
	buf_clear(q->out);
	db_begin(q->db);
	r = row->answer(q);
	(void)fault_point(q, "handled");
	if (r == OK) {
		db_commit(q->db);
		r = db_sync(q->db, q->a, NULL, 0, &failure);
		*out_again = failure.unique_constraint != NULL; /* somebody was faster: loaded again, the handler sees it */
	}
	if (r != OK)
		db_rollback(q->db);
	*out_again |= is_trouble(r) && r->code == CODE_BUSY; /* a lock, a deadlock, a lost connection */
	return r;
}

static result attempts(struct asking *q, const struct asked *row, int64_t until_ms)
{
	bool again = true;
	result r = OK;

	for (unsigned i = 0; again && i < ATTEMPTS && (!i || clock_ms() < until_ms); i++)
		r = attempt(q, row, &again);
	if (r != OK)
		return r;
	if (fault_point(q, "committed"))
		return internal(q->a, "a placed fault: the answer is lost");
	outbox_ring(q->rpc->outbox);
	if (row->committed)
		row->committed(q);
	return OK;
}

static result answer(struct asking *q, const struct asked *row, const struct job *j)
{
	if (!row)
		return failed(q->a, CODE_UNSUPPORTED, NULL, "this role is not asked to %s", j->verb);
	TRY(read_common(q));
	(void)fault_point(q, "begun");
	return attempts(q, row, j->came_ms + ANSWER_MS);
}

/* Never what was asked or answered, which may hold keys. */
static void log_answer(const struct asking *q, const struct job *j, result r)
{
	struct log_line l;

	log_begin(&l, is_trouble(r) ? LOG_ERROR : LOG_INFO, "asked");
	log_str(&l, "verb", j->verb);
	log_str(&l, "eid", q->eid.text);
	log_str(&l, "handover", q->handover);
	log_str(&l, "step", q->step);
	log_str(&l, "status", r == OK ? "done" : is_trouble(r) ? "unanswered" : "refused");
	if (r != OK) {
		log_str(&l, "code", status_code(r->code)->name);
		log_str(&l, "msg", r->cause ? r->cause : r->message);
	}
	log_int(&l, "ms", clock_ms() - j->came_ms);
	log_end(&l);
}

static void encode(result r, const struct buf *further, struct buf *out)
{
	const struct status_code *code = r == OK ? NULL : status_code(r->code);

	buf_str(out, code ? "{\"status\":\"refused\",\"code\":" : "{\"status\":\"done\",\"code\":\"\"");
	if (code)
		buf_printf(out, "\"%s/%s\"", code->subject, code->reason);
	json_out_member(out, "message", !code ? "" : r->message ? r->message : code->text);
	if (!code && further->len) {
		if (further->data[0] != ',') /* json_out_member puts none before the first */
			buf_char(out, ',');
		buf_add(out, further->data, further->len);
	}
	buf_char(out, '}');
}

static void send_answer(const struct ask_server *s, const struct job *j, struct arena *a, result r, const struct buf *further)
{
	CLEANUP(buf_free) struct buf out = { 0 };

	encode(r, further, &out);
	if (bus_answer(s->spec.rpc->bus, j->reply, j->connection, out.data, out.len) != BUS_REFUSED)
		return;
	r = failed(a, CODE_INTERNAL, NULL, "an answer of %zu octets is more than the bus takes", out.len);
	buf_clear(&out);
	encode(r, NULL, &out);
	(void)bus_answer(s->spec.rpc->bus, j->reply, j->connection, out.data, out.len);
}

static void serve(struct ask_server *s, struct db *db, struct arena *a, const struct job *j)
{
	CLEANUP(json_freep) json_t *in = NULL;
	CLEANUP(buf_free) struct buf further = { 0 };
	const struct asked *row = row_find(s, j->verb);
	struct asking q = { .rpc = s->spec.rpc,
			    .role = s->spec.rpc->role_state,
			    .db = db,
			    .a = a,
			    .verb = j->verb,
			    .trace = j->trace,
			    .out = &further };
	json_error_t e;
	result r;

	if (clock_ms() - j->came_ms > ASK_MS) { /* nobody waits for it any more: it has been asked again, or will be */
		count(row, "dropped");
		return;
	}
	q.in = in = json_loadb(j->data, j->n, JSON_REJECT_DUPLICATES, &e);
	r = in ? answer(&q, row, j) : unread(a, &e);
	log_answer(&q, j, r);
	count(row, r == OK ? "done" : is_trouble(r) ? "unanswered" : "refused");
	if (!is_trouble(r))
		send_answer(s, j, a, r, &further);
}

/* The threads -------------------------------------------------------------------------------------------------------------- */

static void *thread_main(void *arg)
{
	struct ask_server *s = arg;
	CLEANUP(db_closep) struct db *db = db_open(s->spec.rpc->store);
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (;;) {
		CLEANUP(job_freep) struct job *j = job_next(s);

		if (!j)
			return NULL;
		arena_reset(a);
		serve(s, db, a, j);
	}
}

struct ask_server *ask_serve_open(const struct ask_spec *spec)
{
	struct ask_server *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->spec = *spec;
	s->last = &s->first;
	s->threads = calloc(spec->threads, sizeof(*s->threads));
	if (!s->threads)
		abort();
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->more, NULL);
	for (unsigned i = 0; i < spec->threads; i++)
		if (pthread_create(&s->threads[i], NULL, thread_main, s) != 0)
			abort();
	bus_serve(spec->rpc->bus, take, s);
	return s;
}

void ask_serve_close(struct ask_server *s)
{
	if (!s)
		return;
	bus_serve(s->spec.rpc->bus, NULL, NULL);
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_broadcast(&s->more);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->spec.threads; i++)
		pthread_join(s->threads[i], NULL);
	while (s->first) {
		CLEANUP(job_freep) struct job *j = s->first;

		s->first = j->next;
	}
	pthread_cond_destroy(&s->more);
	pthread_mutex_destroy(&s->lock);
	free(s->threads);
	free(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The listener of cards: HTTPS with a pre-shared key (decisions.md C5). Whose key it was is whose card it is: all else that a card says of
 * itself is checked against that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/crypto/keys.h"
#include "services/sm-sr/card_session.h"
#include "services/sm-sr/card_turn.h"
#include "services/sm-sr/card_wait.h"
#include "services/sm-sr/cards.h"
#include "services/sm-sr/isdr_keys.h"
#include "services/sm-sr/procedures.h"

#define TICKET "script" /* in the query of the URI that a script is answered to */
enum { BODY_LIMIT = 4 * CARD_ANSWER_MAX, MEMORY = 8 * 1024, JOURNAL_BODY = 512 };

/* What a pool thread owns. */
struct card_thread {
	struct db *db;
	struct arena *a;
	struct buf text; /* journal */
};

/* A card's connection. */
struct card_connection {
	struct card_peer peer;
};

static void *thread_open(void *ctx)
{
	const struct app *app = ctx;
	struct card_thread *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->db = db_open(app->rpc.store);
	t->a = arena_new();
	return t;
}

static void thread_close(void *ctx, void *thread)
{
	struct card_thread *t = thread;

	db_close(t->db);
	arena_free(t->a);
	buf_free(&t->text);
	free(t);
}

static void refused(const char *eid, const char *why)
{
	struct log_line l;

	log_begin(&l, LOG_WARN, "card_refused");
	log_str(&l, "eid", eid);
	log_str(&l, "why", why);
	log_end(&l);
	metric_add("rsp_card_refused_total", "", 1);
}

/* The PSK of an identity: type 85 of the key set it names, of a card whose ISD-R it names. */
static size_t find_psk(void *ctx, void *thread, const char *identity, uint8_t *key, size_t max)
{
	const struct app *app = ctx;
	struct card_thread *t = thread;
	CLEANUP(secret_free) struct secret opened = { 0 };
	const struct rows *rows;
	struct psk_identity id;
	size_t n = 0;

	arena_reset(t->a);
	if (!psk_identity_parse(identity, &id)) {
		refused("", "the PSK identity is not one of SGP.02");
		return 0;
	}
	DB_QUEUE(t->db, SMSR_PSK_FIND, p_text(id.eid.text), p_int(t->a, id.kvn), p_int(t->a, id.key_id),
		 p_int(t->a, KEY_TYPE_PSK_TLS), p_bytes(id.aid.data, id.aid.len));
	if (db_sync(t->db, t->a, &rows, 1, NULL) != OK)
		refused(id.eid.text, "the database does not answer");
	else if (rows_count(rows) == 0)
		refused(id.eid.text, "no such card, key or ISD-R");
	else if (!isdr_key_open(app->rpc.role_state, &id.eid, id.kvn, id.key_id, row_bytes(rows, 0, 0), &opened) ||
		 opened.len > max)
		refused(id.eid.text, "its key cannot be opened with this KEK");
	else
		n = opened.len;
	if (n)
		memcpy(key, opened.data, n);
	return n;
}

static bool peer_accept(void *ctx, const struct http_peer *http_peer, void **out_peer)
{
	struct card_connection *conn;
	struct psk_identity id;

	(void)ctx;
	if (!http_peer->psk_identity || !psk_identity_parse(http_peer->psk_identity, &id))
		return false;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		abort();
	conn->peer.eid = id.eid;
	*out_peer = conn;
	metric_add("rsp_card_connections_total", "", 1);
	return true;
}

/* A session that was not ended: the card lost power or coverage, and may resume. */
static void peer_free(void *ctx, void *peer)
{
	const struct app *app = ctx;
	struct card_connection *conn = peer;

	if (conn->peer.session[0])
		sweeper_session_gone(app->rpc.role_state, &conn->peer.eid, conn->peer.session);
	free(conn);
}

static void journal(const struct app *app, struct card_thread *t, const struct card_peer *peer, enum journal_kind kind,
		    const char *function, unsigned status, const char *words, struct bytes body)
{
	struct journal_entry e = { .at = clock_wall_us(),
				   .kind = kind,
				   .peer = "card",
				   .eid = peer->eid.text,
				   .function = function,
				   .message_id = peer->session,
				   .status = status };

	buf_clear(&t->text);
	buf_str(&t->text, words);
	if (body.len) {
		buf_str(&t->text, " ");
		buf_hex(&t->text, body.data, body.len < JOURNAL_BODY ? body.len : JOURNAL_BODY);
	}
	e.text = t->text.data;
	e.n = t->text.len;
	journal_write(app->rpc.journal, &e);
}

static void journal_post(const struct app *app, struct card_thread *t, const struct card_peer *peer, const struct card_post *post)
{
	static const char *const functions[] = { [POST_FIRST] = "ES5 session", [POST_ANSWER] = "ES5 answer",
						 [POST_UNABLE] = "ES5 answer", [POST_NOTIFICATION] = "ES5 notification",
						 [POST_BAD] = "ES5 ?",         [POST_FORBIDDEN] = "ES5 ?" };
	char aid[2 * AID_MAX + 1];
	const char *words = post->resume ? "resume" : "";

	if (post->kind == POST_NOTIFICATION) {
		aid_format(&post->note.aid, aid);
		words = arena_printf(t->a, "type %02X sequence %u ISD-P %s", post->note.type, post->note.seq, aid);
	} else if (post->kind == POST_UNABLE) {
		words = ram_status_name(post->status);
	} else if (post->bad) {
		words = post->bad;
	}
	/* What a card answers to an SM-DP is no more for a journal than what it was sent. */
	journal(app, t, peer, JOURNAL_CARD_IN, functions[post->kind], 0, words,
		post->kind == POST_ANSWER && !peer->ours ? (struct bytes){ 0 } : post->body);
}

/* The rest of the line; a script is counted, too. */
static void log_answer(struct log_line *l, const struct card_answer *answer, int64_t us)
{
	char labels[64];

	log_int(l, "http", answer->status);
	if (answer->script.len)
		log_str(l, "script", command_kind_name(answer->kind));
	if (us >= 0)
		log_int(l, "us", us);
	log_end(l);
	if (!answer->script.len)
		return;
	(void)snprintf(labels, sizeof(labels), "kind=\"%s\"", command_kind_name(answer->kind));
	metric_add("rsp_card_scripts_total", labels, 1);
}

static void log_visit(const struct card_peer *peer, const struct card_post *post, const struct card_answer *answer, int64_t us)
{
	static const char *const events[] = { [POST_FIRST] = "card_session", [POST_ANSWER] = "card_answer",
					      [POST_UNABLE] = "card_answer", [POST_NOTIFICATION] = "card_notification",
					      [POST_BAD] = "card_refused",   [POST_FORBIDDEN] = "card_refused" };
	struct log_line l;

	log_begin(&l, LOG_INFO, events[post->kind]);
	log_str(&l, "eid", peer->eid.text);
	if (post->kind == POST_NOTIFICATION) {
		log_int(&l, "type", post->note.type);
		log_int(&l, "seq", post->note.seq);
	}
	log_answer(&l, answer, us);
}

/* What an SM-DP sends is the profile, if only as ciphertext: no journal has it. */
static bool relayed(enum command_kind kind)
{
	return command_is_sent(&(const struct card_command){ .kind = kind });
}

enum { HEADERS_MAX = 3 };

/* How many; uri and target hold what the last two say. */
static size_t headers_of(const struct smsr *smsr, const struct card_answer *answer, struct buf *uri, struct buf *target,
			 struct http_header out[HEADERS_MAX])
{
	out[0] = (struct http_header){ RAM_H_PROTOCOL, RAM_PROTOCOL };
	out[1] = (struct http_header){ "Connection", "close" };
	if (!answer->script.len)
		return answer->closes ? 2 : 1;
	buf_str(uri, smsr->config->cards_uri);
	if (answer->ticket)
		buf_printf(uri, "?" TICKET "=%s", answer->ticket);
	ram_target_format(target, &answer->target);
	out[1] = (struct http_header){ RAM_H_NEXT_URI, uri->data };
	out[2] = (struct http_header){ RAM_H_TARGET, target->data };
	return 3;
}

static void journal_answer(const struct app *app, struct card_thread *t, const struct card_peer *peer,
			   const struct card_answer *answer)
{
	if (!answer->script.len)
		journal(app, t, peer, JOURNAL_CARD_OUT, "ES5 end", answer->status, "", (struct bytes){ 0 });
	else
		journal(app, t, peer, JOURNAL_CARD_OUT, answer->confirms ? "ES5 confirmation" : "ES5 script", answer->status,
			command_kind_name(answer->kind), relayed(answer->kind) ? (struct bytes){ 0 } : answer->script);
}

static void answer_card(const struct app *app, struct card_thread *t, struct http_call *call, const struct card_peer *peer,
			const struct card_answer *answer)
{
	struct http_header headers[HEADERS_MAX];
	CLEANUP(buf_free) struct buf uri = { 0 };
	CLEANUP(buf_free) struct buf target = { 0 };
	size_t n = headers_of(app->rpc.role_state, answer, &uri, &target, headers);

	journal_answer(app, t, peer, answer);
	http_reply_headers(call, answer->status, answer->script.len ? RAM_COMMAND : NULL, answer->script.data, answer->script.len,
			   headers, n);
}

bool card_answer_resume(const struct app *app, struct http_call *call, const struct card_peer *peer,
			const struct card_answer *answer)
{
	struct http_header headers[HEADERS_MAX];
	CLEANUP(buf_free) struct buf uri = { 0 };
	CLEANUP(buf_free) struct buf target = { 0 };
	struct card_thread t = { 0 };
	struct log_line l;
	size_t n = headers_of(app->rpc.role_state, answer, &uri, &target, headers);

	log_begin(&l, LOG_INFO, "card_resumed");
	log_str(&l, "eid", peer->eid.text);
	log_answer(&l, answer, -1);
	journal_answer(app, &t, peer, answer);
	buf_free(&t.text);
	return http_resume_headers(call, answer->status, answer->script.len ? RAM_COMMAND : NULL, answer->script.data,
				   answer->script.len, headers, n);
}

static void handle(void *ctx, struct http_call *call)
{
	struct app *app = ctx;
	struct smsr *smsr = app->rpc.role_state;
	struct card_thread *t = http_thread_of(call);
	struct card_connection *conn = http_peer_of(call);
	const struct card_headers headers = { .protocol = http_header(call, RAM_H_PROTOCOL),
					      .from = http_header(call, RAM_H_FROM),
					      .status = http_header(call, RAM_H_STATUS),
					      .resume = http_header(call, RAM_H_RESUME),
					      .content_type = http_header(call, "Content-Type"),
					      .msg = http_query(call, "msg"),
					      .ticket = http_query(call, TICKET),
					      .body = http_body(call) };
	struct card_answer answer = { .status = 404 };
	struct card_post post;

	arena_reset(t->a);
	if (strcmp(http_method(call), "POST") || strcmp(http_path(call), smsr->config->cards_uri)) {
		refused(conn->peer.eid.text, "not a POST to the cards' URI");
		http_reply(call, answer.status, NULL, NULL, 0);
		return;
	}
	card_post_read(t->a, &headers, &conn->peer.eid, &post);
	journal_post(app, t, &conn->peer, &post);
	if (post.kind == POST_BAD || post.kind == POST_FORBIDDEN) {
		refused(conn->peer.eid.text, post.bad);
		http_reply(call, post.kind == POST_BAD ? 400 : 403, NULL, NULL, 0);
		return;
	}
	card_visit(&app->rpc, smsr, t->db, t->a, &conn->peer, &post, &answer);
	log_visit(&conn->peer, &post, &answer, clock_us() - http_started_us(call));
	if (answer.waits)
		card_wait(smsr->waits, call, &conn->peer, smsr->config->card_wait_ms);
	else
		answer_card(app, t, call, &conn->peer, &answer);
}

/* Connections that ended with this replica's last life, which could not say so: their cards get as long to come back as any others. Not
 * told, they would count as silent ones, which may cost the longer wait. */
static void sessions_left(const struct app *app)
{
	CLEANUP(db_closep) struct db *db = db_open(app->rpc.store);
	CLEANUP(arena_freep) struct arena *a = arena_new();

	DB_QUEUE(db, SMSR_SESSIONS_LEFT, p_text(app->rpc.replica));
	if (db_sync(db, a, NULL, 0, NULL) != OK)
		log_msg(LOG_WARN, "cards", "sessions of our last life could not be marked; they count as silent ones");
}

#define PORT_KEY " (RSP_SMSR_CARDS_PORT)"

int cards_open(struct app *app, struct http_server **out, char error[256])
{
	const struct smsr_config *config = (const struct smsr_config *)app->config;
	const struct http_spec spec = { .name = "cards",
					.security = HTTP_PSK,
					.bind_address = config->cards_listen,
					.port = (uint16_t)config->cards_port,
					.threads = config->cards_threads,
					.connections = config->cards_connections,
					.idle_s = config->card_idle_s,
					.request_s = config->common.request_s,
					.max_body = BODY_LIMIT,
					.connection_memory = MEMORY,
					.psk = find_psk,
					.thread_open = thread_open,
					.thread_close = thread_close,
					.handlers = { .peer_accept = peer_accept, .peer_free = peer_free, .handle = handle },
					.ctx = app };

	*out = NULL;
	if (!*config->cards_listen)
		return 0;
	sessions_left(app);
	*out = http_server_open(&spec, error);
	if (*out)
		((struct smsr *)app->rpc.role_state)->cards_port = http_server_port(*out);
	if (!*out && strlen(error) + sizeof(PORT_KEY) <= 256)
		strcat(error, PORT_KEY);
	return *out ? 0 : -1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A card's session with its SM-SR: RAM over HTTP inside TLS-PSK (procedures.md 4.3). At most one per card. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/base/fault.h"
#include "common/http/psk_client.h"
#include "services/euicc-sim/sim.h"

enum {
	HOLD_MS = 50,
	HEADERS_MAX = 6,
	HEADER_NAME_MAX = 40,
	PSK_FIRST_VERSION = 0x40,
	PSK_LAST_VERSION = 0x4F,
	PSK_INDEX = 1,
	PSK_TYPE = 0x85,
	FRAGMENT = 512,
	OVERSIZE = 128 << 10 /* hook: more than an SM-SR reads, not more than it lets in */
};

struct session {
	struct holder *h;
	enum session_kind kind;
	struct goal goal;
	char *first;           /* path of the first request */
	char uri[URI_MAX + 1]; /* of the next ones */
	struct watch watch;
	struct timer timer; /* for an answer, or while one of ours is held back */
	struct psk_client *client;
	uint8_t kvn;  /* of the PSK */
	bool begun;   /* the first request was posted */
	bool refresh; /* a script asks for it */
	bool endless, resumes, may_resume;
	bool told;    /* the first request has left */
	struct buf held; /* hook: the answer that is held back */
};

static void answer_late(struct timer *t);
static void go_on(struct session *s);

static const struct card_key *psk_key(const struct card *c, uint8_t version)
{
	unsigned first = version ? version : PSK_FIRST_VERSION, last = version ? version : PSK_LAST_VERSION;

	for (unsigned v = first; v <= last; v++) {
		const struct card_key *key = card_key_of(c, (uint8_t)v, PSK_INDEX);

		if (key && key->type == PSK_TYPE)
			return key;
	}
	return NULL;
}

static void log_state(const struct session *s, enum log_level level, const char *state, const char *why)
{
	struct log_line l;

	sim_log(&l, level, "card_session", s->h);
	log_str(&l, "state", state);
	log_str(&l, "for", s->kind == SESSION_NOTIFICATION ? "notification" : "trigger");
	log_str(&l, "host", s->goal.host);
	log_int(&l, "port", s->goal.port);
	log_str(&l, "why", why);
	log_end(&l);
}

static void ready(struct watch *w, uint32_t events)
{
	(void)events;
	go_on(OWNER(w, struct session, watch));
}

static void client_close(struct session *s, bool notify)
{
	loop_unwatch(s->h->sim->loop, &s->watch);
	psk_client_close(s->client, notify);
	s->client = NULL;
}

/* False: *out_why. */
static bool client_open(struct session *s, const char **out_why)
{
	const struct card *c = s->h->card;
	const struct card_key *key = psk_key(c, s->goal.kvn);
	struct psk_identity identity = { .eid = c->eid, .aid = AID_ISDR, .key_id = PSK_INDEX };
	char text[PSK_IDENTITY_MAX];
	uint8_t value[CARD_KEY_LEN];
	struct psk_client_spec spec = { .host = s->goal.host,
					.port = s->goal.port,
					.identity = text,
					.key = value,
					.key_n = sizeof(value),
					.max_fragment = c->fragment_512 ? FRAGMENT : 0,
					.cbc = c->cbc_only };

	if (!key) {
		*out_why = "the card has no such PSK";
		return false;
	}
	identity.kvn = s->kvn = key->version;
	psk_identity_format(&identity, text);
	memcpy(value, key->value, sizeof(value));
	value[0] ^= hook_now(s->h, HOOK_WRONG_PSK, NULL) ? 0xFF : 0;
	s->client = psk_client_open(&spec);
	secret_wipe(value, sizeof(value));
	s->begun = false;
	s->watch.ready = ready;
	if (s->client && loop_watch(s->h->sim->loop, &s->watch, psk_client_fd(s->client), psk_client_events(s->client))) {
		s->timer.due = answer_late;
		loop_timer(s->h->sim->loop, &s->timer, s->h->sim->config->answer_timeout_ms);
		return true;
	}
	client_close(s, false);
	*out_why = "no connection can be opened";
	return false;
}

static void session_free(struct session *s)
{
	loop_timer_stop(s->h->sim->loop, &s->timer);
	card_session_over(s->h->card);
	s->h->session = NULL;
	s->h->sim->open_sessions--;
	buf_free(&s->held);
	free(s->first);
	free(s);
}

bool session_open(struct holder *h, enum session_kind kind, const struct goal *goal, const char *path, const char **out_why)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	*s = (struct session){ .h = h, .kind = kind, .goal = *goal, .first = strdup(path), .may_resume = true };
	if (!s->first)
		abort();
	(void)snprintf(s->uri, sizeof(s->uri), "%s", goal->uri);
	h->session = s;
	h->sim->open_sessions++;
	if (!client_open(s, out_why)) {
		log_state(s, LOG_WARN, "failed", *out_why);
		session_free(s);
		return false;
	}
	h->sim->stats.sessions++;
	s->endless = hook_now(h, HOOK_ENDLESS_SESSION, NULL);
	log_state(s, LOG_INFO, "open", NULL);
	return true;
}

void session_cut(struct holder *h)
{
	if (!h->session)
		return;
	client_close(h->session, false);
	session_free(h->session);
}

/* The session is gone when it returns. */
static void end(struct session *s, bool ok, const char *why)
{
	struct holder *h = s->h;
	char *first = s->first;
	const struct goal goal = s->goal;
	char reason[256];
	struct session_end over = { .kind = s->kind, .ok = ok, .refresh = s->refresh, .why = reason, .goal = &goal, .path = first };

	(void)snprintf(reason, sizeof(reason), "%s", why); /* it may be the client's */
	log_state(s, ok ? LOG_INFO : LOG_WARN, ok ? "ended" : "failed", reason);
	s->first = NULL;
	client_close(s, ok);
	session_free(s);
	life_session_ended(h, &over);
	free(first);
}

static void answer_late(struct timer *t)
{
	end(OWNER(t, struct session, timer), false, "no answer in time");
}

/* A header, named as the card's make spells it. */
static void header_add(const struct session *s, struct http_header headers[HEADERS_MAX], char names[HEADERS_MAX][HEADER_NAME_MAX],
		       size_t *n, const char *name, const char *value)
{
	char *out = names[*n];

	(void)snprintf(out, HEADER_NAME_MAX, "%s", name);
	for (char *p = out; s->h->card->lower_case_headers && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	headers[(*n)++] = (struct http_header){ out, value };
}

/* Hook: what goes through the session, as it is inside TLS. */
static void trace(struct session *s, const char *way, const char *path, struct bytes body)
{
	CLEANUP(buf_free) struct buf line = { 0 };
	const char *name = "";
	FILE *f;

	if (!hook_now(s->h, HOOK_TRACE, &name))
		return;
	buf_printf(&line, "%s %s %s ", s->h->card->eid.text, way, path);
	buf_hex(&line, body.data, body.len);
	f = fopen(name, "ae");
	if (!f || fprintf(f, "%s\n", line.data) < 0)
		log_msg(LOG_ERROR, "card_trace", "%s: %m", name);
	if (f && fclose(f) != 0)
		log_msg(LOG_ERROR, "card_trace", "%s: %m", name);
}

/* status NULL: a request without answer in it. */
static bool post(struct session *s, const char *path, const char *status, struct bytes body)
{
	CLEANUP(buf_free) struct buf from = { 0 };
	struct http_header headers[HEADERS_MAX];
	char names[HEADERS_MAX][HEADER_NAME_MAX];
	const struct card *c = s->h->card;
	size_t n = 0;

	ram_from_format(&from, &c->eid, &AID_ISDR, c->agent_word_old ? "aaid" : "aa-id");
	header_add(s, headers, names, &n, RAM_H_PROTOCOL, RAM_PROTOCOL);
	header_add(s, headers, names, &n, RAM_H_FROM, from.data);
	if (body.len)
		header_add(s, headers, names, &n, "Content-Type", RAM_RESPONSE);
	if (status)
		header_add(s, headers, names, &n, RAM_H_STATUS, status);
	if (s->resumes)
		header_add(s, headers, names, &n, RAM_H_RESUME, "true");
	trace(s, "sent", path, body);
	s->resumes = false;
	s->begun = true;
	s->timer.due = answer_late;
	loop_timer(s->h->sim->loop, &s->timer, s->h->sim->config->answer_timeout_ms);
	/* Both ways to say where a body ends are met in the field: cards take turns. */
	return psk_client_post(s->client, path, headers, n, body.data, body.len, s->h->place % 2 == 1 && body.len > 0);
}

static bool post_empty(struct session *s, const char *path)
{
	return post(s, path, NULL, (struct bytes){ NULL, 0 });
}

/* Hook: how the answer is spoilt. */
static void corrupt(struct buf *answer, const char *how)
{
	CLEANUP(buf_free) struct buf old = *answer;

	*answer = (struct buf){ 0 };
	if (!strcmp(how, "truncate")) {
		buf_add(answer, old.data, old.len / 2);
	} else if (!strcmp(how, "oversize")) {
		buf_add(answer, old.data, old.len);
		while (answer->len < OVERSIZE)
			buf_str(answer, "0123456789abcdef");
	} else if (!strcmp(how, "unknown-sw") && old.len >= 4) {
		buf_add(answer, old.data, old.len);
		/* AF 80 ... SW 00 00, or AB ... SW */
		memcpy(answer->data + answer->len - ((uint8_t)old.data[0] == 0xAF ? 4 : 2), "\x6F\x42", 2);
	} else {
		for (size_t i = 0; i < old.len; i++)
			buf_char(answer, (char)(old.data[i] ^ 0x5A));
	}
}

static bool post_answer(struct session *s, const struct buf *answer)
{
	struct log_line l;

	sim_log(&l, LOG_INFO, "card_answer", s->h);
	log_int(&l, "octets", (int64_t)answer->len);
	log_end(&l);
	return post(s, s->uri, ram_status_name(RAM_OK), (struct bytes){ (const uint8_t *)answer->data, answer->len });
}

static void hold(struct timer *t)
{
	struct session *s = OWNER(t, struct session, timer);
	CLEANUP(buf_free) struct buf answer = { 0 };

	if (hook_now(s->h, HOOK_HOLD_ANSWER, NULL)) {
		loop_timer(s->h->sim->loop, &s->timer, HOLD_MS);
		return;
	}
	answer = s->held;
	s->held = (struct buf){ 0 };
	if (!post_answer(s, &answer))
		end(s, false, "the answer cannot be sent");
	else
		go_on(s);
}

static bool cut_at(struct session *s, const char *place)
{
	if (!hook_strikes_at(s->h->sim->hooks, HOOK_POWER_CUT, &s->h->card->eid, place))
		return false;
	life_power(s->h, false);
	return true;
}

/* Hook: the connection breaks before the script is executed, and the card comes back at once. False: the session is gone. */
static bool resume(struct session *s)
{
	const char *why = "";

	client_close(s, false);
	s->may_resume = false;
	s->resumes = true;
	log_state(s, LOG_INFO, "resumed", NULL);
	if (client_open(s, &why))
		return true;
	end(s, false, why);
	return false;
}

/* False: the session is gone. */
static bool take_script(struct session *s, const struct aid *target)
{
	CLEANUP(buf_free) struct buf answer = { 0 };
	const char *how = "";

	if (cut_at(s, "before-script"))
		return false;
	if (s->may_resume && hook_now(s->h, HOOK_RESUME, NULL))
		return resume(s);
	if (!script_run(s->h, s->kvn, target, psk_client_body(s->client), &answer, &s->refresh)) {
		life_dead(s->h);
		return false;
	}
	if (cut_at(s, "after-script"))
		return false;
	if (hook_now(s->h, HOOK_CORRUPT_ANSWER, &how))
		corrupt(&answer, how);
	if (hook_now(s->h, HOOK_HOLD_ANSWER, NULL)) {
		s->held = answer;
		answer = (struct buf){ 0 };
		s->timer.due = hold;
		loop_timer(s->h->sim->loop, &s->timer, HOLD_MS);
		return true;
	}
	if (post_answer(s, &answer))
		return true;
	end(s, false, "the answer cannot be sent");
	return false;
}

/* Nothing more can be done now: what was posted has left. */
static void waits(struct session *s)
{
	if (!s->begun || s->told)
		return;
	s->told = true;
	if (s->kind == SESSION_NOTIFICATION)
		(void)FAULT("euicc-sim.notification.sent", s->h->card->eid.text);
}

/* False: what the SM-SR says cannot be followed. */
static bool take_uri(struct session *s)
{
	const char *next = psk_client_header(s->client, RAM_H_NEXT_URI);

	if (!next)
		return true;
	if (next[0] != '/' || strlen(next) > URI_MAX)
		return false;
	(void)snprintf(s->uri, sizeof(s->uri), "%s", next);
	return true;
}

/* Whom a script is for: without a word the ISD-R, else it or an ISD-P that is there. False: nobody here. */
static bool target_of(const struct session *s, const char *target, struct aid *out)
{
	*out = AID_ISDR;
	if (!target)
		return true;
	return ram_target_parse(target, out) && (aid_equal(out, &AID_ISDR) || card_profile_of(s->h->card, out));
}

/* Goes by what the SM-SR answered. False: the session is gone. */
static bool take_answer(struct session *s)
{
	unsigned status = psk_client_status(s->client);
	const char *type = psk_client_header(s->client, "Content-Type"), *target = psk_client_header(s->client, RAM_H_TARGET);
	bool more = psk_client_header(s->client, RAM_H_NEXT_URI) != NULL, posted;
	struct aid addressed;
	char why[64];

	trace(s, "got", s->uri, psk_client_body(s->client));
	if (!take_uri(s)) {
		end(s, false, "X-Admin-Next-URI is no path");
		return false;
	}
	if (status == 204 && !more && !s->endless) {
		end(s, true, "");
		return false;
	}
	if (status == 200 && !s->endless && !target_of(s, target, &addressed)) {
		posted = post(s, s->uri, ram_status_name(RAM_UNKNOWN_APPLICATION), (struct bytes){ NULL, 0 });
	} else if (status == 200 && !s->endless && type && ram_is_command(type)) {
		return take_script(s, &addressed);
	} else if (status == 204 || (status == 200 && s->endless)) {
		posted = post_empty(s, s->uri);
	} else {
		(void)snprintf(why, sizeof(why), "the SM-SR answers %u%s", status, status == 200 ? " without a script" : "");
		end(s, false, why);
		return false;
	}
	if (!posted)
		end(s, false, "the next request cannot be sent");
	return posted;
}

static void go_on(struct session *s)
{
	for (;;) {
		switch (psk_client_run(s->client)) {
		case PSK_READY:
			if (post_empty(s, s->first))
				break;
			end(s, false, "the first request cannot be sent");
			return;
		case PSK_ANSWER:
			if (!take_answer(s))
				return;
			break;
		case PSK_CLOSED:
			end(s, false, s->begun ? "the SM-SR closed the session" : "the SM-SR closed the connection");
			return;
		case PSK_FAILED:
			end(s, false, psk_client_why(s->client));
			return;
		case PSK_WAIT:
			waits(s);
			if (loop_watch(s->h->sim->loop, &s->watch, psk_client_fd(s->client), psk_client_events(s->client)))
				return;
			end(s, false, "the connection cannot be watched");
			return;
		}
	}
}

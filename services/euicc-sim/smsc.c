/* SPDX-License-Identifier: Apache-2.0 */
/* The SMSC side of SMPP: ESMEs bind, submit to cards, and are handed what cards send (decisions.md C7). */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base/random.h"
#include "services/euicc-sim/accounts.h"

enum { ESMES_MAX = 64, BACKLOG = 64, AGAIN_MS = 500, WINDOW = 64, QUEUE_MAX = 100000, RECEIPT_TEXT = 160 };

struct esme {
	struct esme *next;
	struct smsc *smsc;
	struct smpp_session *session;
	struct watch watch;
	struct timer timer;
	size_t account; /* bound: whose */
	bool over;      /* it ended; to be freed when nobody runs it */
};

/* A message to an ESME. */
struct outgoing {
	struct outgoing *next;
	const struct esme *with; /* it was sent there and is not answered; NULL: it waits */
	size_t account;          /* whose ESMEs may have it */
	uint64_t token;
	struct smpp_message message;
	uint8_t data[SMPP_DATA_MAX];
};

struct smsc {
	struct sim *sim;
	int fd;
	struct watch watch;
	struct esme *esmes;
	unsigned n_esmes;
	struct outgoing *first, **last; /* oldest first */
	size_t n_outgoing;
	uint64_t tokens;
	uint32_t ids;
	struct timer again; /* somebody did not take a message */
	struct accounts *accounts;
};

/* ---- what cards send ---- */

static void esme_update(struct esme *e);

static struct esme *esme_with_room(const struct smsc *s, size_t account)
{
	for (struct esme *e = s->esmes; e; e = e->next)
		if (!e->over && smpp_is_bound(e->session) && e->account == account && smpp_room(e->session))
			return e;
	return NULL;
}

static void outgoing_drop(struct smsc *s, struct outgoing **at)
{
	struct outgoing *gone = *at;

	*at = gone->next;
	if (!gone->next)
		s->last = at;
	s->n_outgoing--;
	free(gone);
}

static void pump(struct smsc *s)
{
	bool full[ACCOUNTS_MAX] = { false };
	size_t n_full = 0;
	struct esme *e;

	for (struct outgoing *o = s->first; o && !s->again.place && n_full < accounts_count(s->accounts); o = o->next) {
		if (o->with || full[o->account])
			continue;
		e = esme_with_room(s, o->account);
		if (!e) { /* others' messages do not wait for this one */
			full[o->account] = true;
			n_full++;
			continue;
		}
		if (smpp_send(e->session, &o->message, o->token))
			o->with = e;
		esme_update(e);
	}
}

static void try_again(struct timer *t)
{
	pump(OWNER(t, struct smsc, again));
}

void smsc_queue(struct smsc *s, const struct smpp_message *m)
{
	struct outgoing *o;

	if (s->n_outgoing >= QUEUE_MAX || m->data.len > SMPP_DATA_MAX) {
		log_msg(LOG_ERROR, "sms_lost", "from %s: %zu messages wait for an ESME already", m->source, s->n_outgoing);
		return;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		abort();
	o->message = *m;
	if (m->data.len)
		memcpy(o->data, m->data.data, m->data.len);
	o->message.data.data = o->data;
	o->account = accounts_of_number(s->accounts, m->destination);
	o->token = ++s->tokens;
	*s->last = o;
	s->last = &o->next;
	s->n_outgoing++;
	pump(s);
}

/* The id in submit_sm_resp: hexadecimal. Real SMSCs write another form into receipts. */
static void id_format(const struct smsc *s, uint32_t id, bool in_receipt, char out[SMPP_ID_MAX + 1])
{
	const char *form = in_receipt ? s->sim->config->receipt_ids : "same";

	if (!strcmp(form, "dec"))
		(void)snprintf(out, SMPP_ID_MAX + 1, "%010u", id);
	else if (!strcmp(form, "hex"))
		(void)snprintf(out, SMPP_ID_MAX + 1, "%010x", id);
	else
		(void)snprintf(out, SMPP_ID_MAX + 1, "%X", id);
}

void smsc_receipt(struct smsc *s, const char *number, const char *to, uint32_t id, const char *state)
{
	struct smpp_message m = { .source_ton = 1,
				  .source_npi = 1,
				  .destination_ton = 1,
				  .destination_npi = 1,
				  .esm_class = SMPP_ESM_RECEIPT,
				  .is_receipt = true };
	bool delivered = !strcmp(state, "DELIVRD");
	char text[RECEIPT_TEXT], date[16];
	time_t now = time(NULL);
	struct tm t;
	int n;

	(void)strftime(date, sizeof(date), "%Y%m%d%H%M", gmtime_r(&now, &t));
	id_format(s, id, true, m.receipt_id);
	(void)snprintf(m.receipt_state, sizeof(m.receipt_state), "%s", state);
	n = snprintf(text, sizeof(text), "id:%s sub:001 dlvrd:%s submit date:%s done date:%s stat:%s err:000 text:", m.receipt_id,
		     delivered ? "001" : "000", date + 2, date + 2, state); /* without the century */
	m.data = (struct bytes){ (const uint8_t *)text, (size_t)n };
	(void)snprintf(m.source, sizeof(m.source), "%s", number);
	(void)snprintf(m.destination, sizeof(m.destination), "%s", to);
	smsc_queue(s, &m);
}

/* ---- ESMEs ---- */

static void esme_free(struct esme *e)
{
	struct smsc *s = e->smsc;
	struct esme **at = &s->esmes;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	s->n_esmes--;
	for (struct outgoing *o = s->first; o; o = o->next)
		if (o->with == e)
			o->with = NULL;
	loop_unwatch(s->sim->loop, &e->watch);
	loop_timer_stop(s->sim->loop, &e->timer);
	smpp_close(e->session);
	free(e);
}

static void esme_run(struct esme *e, short events)
{
	struct smsc *s = e->smsc;

	smpp_run(e->session, events);
	if (e->over)
		esme_free(e);
	else
		esme_update(e);
	pump(s);
}

static void esme_due(struct timer *t)
{
	esme_run(OWNER(t, struct esme, timer), 0);
}

static void esme_ready(struct watch *w, uint32_t events)
{
	short got = 0;

	got |= events & EPOLLIN ? POLLIN : 0;
	got |= events & EPOLLOUT ? POLLOUT : 0;
	got |= events & EPOLLERR ? POLLERR : 0;
	got |= events & EPOLLHUP ? POLLHUP : 0;
	esme_run(OWNER(w, struct esme, watch), got);
}

static void esme_update(struct esme *e)
{
	struct loop *loop = e->smsc->sim->loop;
	short wants = smpp_wants(e->session);
	int64_t ms = smpp_timeout_ms(e->session);
	uint32_t events = (wants & POLLIN ? EPOLLIN : 0) | (wants & POLLOUT ? EPOLLOUT : 0);

	if (!loop_watch(loop, &e->watch, smpp_fd(e->session), events))
		ms = 0;
	if (ms >= 0)
		loop_timer(loop, &e->timer, ms);
	else
		loop_timer_stop(loop, &e->timer);
}

static bool on_bound(void *ctx, struct smpp_session *session, const char *system_id, const char *password)
{
	struct esme *e = ctx;
	bool ok = accounts_bind(e->smsc->accounts, system_id, password, &e->account);
	struct log_line l;

	(void)session;
	log_begin(&l, ok ? LOG_INFO : LOG_WARN, ok ? "smpp_bound" : "smpp_refused");
	log_str(&l, "system_id", system_id);
	log_end(&l);
	return ok;
}

static void on_message(void *ctx, struct smpp_session *session, uint32_t sequence, const struct smpp_message *m)
{
	struct esme *e = ctx;
	struct smsc *s = e->smsc;
	struct holder *h = fleet_by_number(s->sim->fleet, m->destination);
	char id[SMPP_ID_MAX + 1];

	if (!h) {
		log_msg(LOG_WARN, "sms_refused", "no card has the number %s", m->destination);
		smpp_answer(session, sequence, SMPP_INVALID_DESTINATION, "");
		return;
	}
	if (smpp_validity_ms(m->validity) < 0) {
		log_msg(LOG_WARN, "sms_refused", "to %s: its validity period \"%s\" is none, or a point in time", m->destination,
			m->validity);
		smpp_answer(session, sequence, SMPP_INVALID_VALIDITY, "");
		return;
	}
	if (h->n_waiting >= SMS_WAITING_MAX) {
		smpp_answer(session, sequence, SMPP_QUEUE_FULL, "");
		return;
	}
	s->ids++;
	id_format(s, s->ids, false, id);
	smpp_answer(session, sequence, SMPP_OK, id);
	sms_arrive(h, m, s->ids);
}

static void on_answered(void *ctx, struct smpp_session *session, uint64_t token, uint32_t status, const char *message_id)
{
	const struct esme *e = ctx;
	struct smsc *s = e->smsc;
	struct outgoing **at = &s->first;

	(void)session;
	(void)message_id;
	while (*at && (*at)->token != token)
		at = &(*at)->next;
	if (!*at)
		return;
	if (status == SMPP_OK) {
		outgoing_drop(s, at);
		return;
	}
	(*at)->with = NULL;
	s->again.due = try_again;
	loop_timer(s->sim->loop, &s->again, AGAIN_MS);
}

static void on_ended(void *ctx, struct smpp_session *session, const char *why)
{
	struct esme *e = ctx;
	struct log_line l;

	(void)session;
	e->over = true;
	log_begin(&l, LOG_INFO, "smpp_ended");
	log_str(&l, "why", why);
	log_end(&l);
}

static void accept_one(struct smsc *s, int fd)
{
	struct smpp_spec spec = { .side = SMPP_SMSC, .window = WINDOW, .events = { on_bound, on_message, on_answered, on_ended } };
	struct esme *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	spec.ctx = e;
	spec.system_id = s->sim->config->smpp_system_id;
	*e = (struct esme){ .next = s->esmes, .smsc = s, .watch.ready = esme_ready, .timer.due = esme_due };
	e->session = smpp_open(&spec, fd);
	s->esmes = e;
	s->n_esmes++;
	esme_update(e);
}

static void accept_all(struct watch *w, uint32_t events)
{
	struct smsc *s = OWNER(w, struct smsc, watch);
	int fd;

	(void)events;
	while ((fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (s->n_esmes < ESMES_MAX)
			accept_one(s, fd);
		else
			(void)close(fd);
	}
}

/* ---- the listener ---- */

static void address_free(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

/* The descriptor, or -errno. */
static int listen_at(const char *address, unsigned port)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
	CLEANUP(address_free) struct addrinfo *list = NULL;
	char service[8];
	int fd, on = 1;

	(void)snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(address, service, &hints, &list) != 0)
		return -EINVAL;
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 && bind(fd, list->ai_addr, list->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	on = -errno;
	(void)close(fd);
	return on;
}

struct smsc *smsc_open(struct sim *sim, char error[SIM_ERROR])
{
	const struct sim_config *config = sim->config;
	struct smsc *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	*s = (struct smsc){ .sim = sim, .fd = -1, .watch.ready = accept_all };
	s->last = &s->first;
	random_bytes(&s->ids, sizeof(s->ids)); /* after a restart ids do not come back */
	s->ids &= 0x7FFFFFFF;
	s->accounts = accounts_open(config, error);
	if (!s->accounts) {
		smsc_close(s);
		return NULL;
	}
	s->fd = listen_at(config->smpp_listen, config->smpp_port);
	if (s->fd < 0 || !loop_watch(sim->loop, &s->watch, s->fd, EPOLLIN)) {
		(void)snprintf(error, SIM_ERROR, "%s port %u: %s (RSP_SIM_SMPP_LISTEN, RSP_SIM_SMPP_PORT)", config->smpp_listen,
			       config->smpp_port, strerror(s->fd < 0 ? -s->fd : errno));
		smsc_close(s);
		return NULL;
	}
	return s;
}

void smsc_close(struct smsc *s)
{
	if (!s)
		return;
	while (s->esmes)
		esme_free(s->esmes);
	while (s->first)
		outgoing_drop(s, &s->first);
	loop_timer_stop(s->sim->loop, &s->again);
	loop_unwatch(s->sim->loop, &s->watch);
	if (s->fd >= 0)
		(void)close(s->fd);
	accounts_close(s->accounts);
	free(s);
}

uint16_t smsc_port(const struct smsc *s)
{
	struct sockaddr_storage bound;
	socklen_t n = sizeof(bound);

	if (getsockname(s->fd, (struct sockaddr *)&bound, &n) != 0)
		return 0;
	return ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
						 : ((struct sockaddr_in *)&bound)->sin_port);
}

unsigned smsc_bound(const struct smsc *s)
{
	unsigned n = 0;

	for (const struct esme *e = s->esmes; e; e = e->next)
		n += smpp_is_bound(e->session);
	return n;
}

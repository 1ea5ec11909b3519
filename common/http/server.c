/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <gnutls/abstract.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/http/server_internal.h"

enum { ANSWER_MS = 2000 /* for the 503 of parked callers to leave */, OTHER_FILES = 256 };

static void mhd_log(void *cls, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static void mhd_log(void *cls, const char *fmt, va_list args)
{
	const struct http_server *s = cls;
	char text[512];

	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = 0;
	log_msg(LOG_DEBUG, "http_library", "%s: %s", s->spec.name, text);
}

/* MHD wants a certificate at start; ours come per connection (tls_attach), and without them no handshake may succeed. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *req_ca_rdn, int nreqs,
			  const gnutls_pk_algorithm_t *pk_algos, int pk_algos_length, gnutls_pcert_st **pcert,
			  unsigned int *pcert_length, gnutls_privkey_t *privkey)
{
	return -1;
}

/* False: it cannot be served. */
static bool secure(struct http_server *s, struct conn *conn)
{
	gnutls_session_t session = MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;

	if (s->spec.security == HTTP_PSK)
		return psk_attach(conn, session);
	conn->creds = tls_attach(s->tls, session);
	return conn->creds != NULL;
}

static void connection_started(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		abort();
	conn->server = s;
	conn->mhd = mhd;
	conn->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	conn->opened_ms = clock_ms();
	*context = conn;
	metric_add("rsp_http_connections_total", s->labels, 1);
	if (s->spec.security != HTTP_PLAIN && !secure(s, conn))
		shutdown(conn->fd, SHUT_RDWR);
	pthread_mutex_lock(&s->lock);
	watch_link(conn);
	/* For the handshake and the first request line together. */
	watch_deadline(conn, conn->opened_ms + (int64_t)s->spec.request_s * 1000);
	pthread_mutex_unlock(&s->lock);
}

static void connection_closed(struct http_server *s, struct conn *conn)
{
	void *peer = conn->peer;
	struct tls_creds *creds = conn->creds;

	pthread_mutex_lock(&s->lock);
	if (conn->linger)
		linger_take(s, conn->fd);
	watch_unlink(conn);
	s->n_conns--;
	pthread_mutex_unlock(&s->lock);
	if (creds)
		tls_release(s->tls, creds);
	if (peer && s->spec.handlers.peer_free)
		s->spec.handlers.peer_free(s->spec.ctx, peer);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_started(cls, mhd, context);
	else if (*context)
		connection_closed(cls, *context);
}

/* The limit of connections is worth nothing when the process may not open as many files. */
static void raise_files(unsigned connections)
{
	struct rlimit l;
	rlim_t want = (rlim_t)connections + OTHER_FILES;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= want)
		return;
	l.rlim_cur = want < l.rlim_max ? want : l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur < want)
		log_msg(LOG_WARN, "http_few_files", "%u connections are allowed, but only %llu open files", connections,
			(unsigned long long)l.rlim_cur);
}

static void copy_spec(struct http_server *s, const struct http_spec *spec)
{
	const char **strings[] = { &s->spec.name,     &s->spec.bind_address, &s->spec.unix_path, &s->spec.cert_file,
				   &s->spec.key_file, &s->spec.trust_file,   &s->spec.crl_file };

	s->spec = *spec;
	for (size_t i = 0; i < LEN(strings); i++)
		if (*strings[i])
			*strings[i] = arena_strdup(s->arena, *strings[i]);
	if (!s->spec.name)
		s->spec.name = "http";
	if (!s->spec.threads)
		s->spec.threads = 1;
	if (!s->spec.connections)
		s->spec.connections = 1000;
	if (s->spec.connections < s->spec.threads)
		s->spec.connections = s->spec.threads;
	if (!s->spec.idle_s)
		s->spec.idle_s = 30;
	if (!s->spec.request_s)
		s->spec.request_s = 30;
	s->labels = arena_printf(s->arena, "listener=\"%s\"", s->spec.name);
}

/* MHD's limit is divided among its threads and is too high to be ever reached by one: accept.c counts. */
static bool start_daemon(struct http_server *s, char error[256])
{
	/* Poll, never epoll: with TLS epoll spins on three bytes of a ClientHello (measured.md 2). */
	unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			 (s->spec.security == HTTP_PLAIN ? 0 : MHD_USE_TLS) |
			 (s->spec.security == HTTP_PSK ? MHD_USE_SUPPRESS_DATE_NO_CLOCK : 0);
	const struct MHD_OptionItem tls[] = { { MHD_OPTION_HTTPS_PRIORITIES, 0, (char[]){ TLS_PRIORITIES } },
					      { MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)no_certificate },
					      { MHD_OPTION_END, 0, NULL } };
	const struct MHD_OptionItem psk[] = { { MHD_OPTION_HTTPS_PRIORITIES, 0, (char[]){ PSK_PRIORITIES } },
					      { MHD_OPTION_HTTPS_CRED_TYPE, GNUTLS_CRD_PSK, NULL },
					      { MHD_OPTION_END, 0, NULL } };
	const struct MHD_OptionItem memory[] = { { MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)s->spec.connection_memory, NULL },
						 { MHD_OPTION_END, 0, NULL } };
	const struct MHD_OptionItem pool[] = { { MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)s->spec.threads, NULL },
					       { MHD_OPTION_END, 0, NULL } };
	const struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

	errno = 0;
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, request_access, s, MHD_OPTION_EXTERNAL_LOGGER, mhd_log, s,
				     MHD_OPTION_CONNECTION_LIMIT, (s->spec.connections + 1) * s->spec.threads,
				     MHD_OPTION_CONNECTION_TIMEOUT, s->spec.idle_s,
				     MHD_OPTION_URI_LOG_CALLBACK, request_begin, s,
				     MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, request_completed,
				     s, MHD_OPTION_ARRAY, s->tls ? tls : s->psk ? psk : none, MHD_OPTION_ARRAY,
				     s->spec.connection_memory ? memory : none, MHD_OPTION_ARRAY, s->spec.threads > 1 ? pool : none,
				     MHD_OPTION_END);
	if (!s->daemon)
		snprintf(error, 256, "%s: the HTTP library did not start: %s", s->spec.name, strerror(errno));
	return s->daemon != NULL;
}

static void server_free(struct http_server *s)
{
	while (s->threads) {
		struct pool_thread *t = s->threads;

		s->threads = t->next;
		if (t->user && s->spec.thread_close)
			s->spec.thread_close(s->spec.ctx, t->user);
		free(t);
	}
	watch_reap(s);
	linger_end_all(s);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->event_fd >= 0)
		close(s->event_fd);
	listen_close(s);
	tls_close(s->tls);
	psk_close(s);
	if (s->has_key)
		pthread_key_delete(s->thread_key);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	arena_free(s->arena);
	free(s);
}

static bool server_start(struct http_server *s, char error[256])
{
	int rc = pthread_key_create(&s->thread_key, NULL);

	s->has_key = rc == 0;
	if (rc != 0) {
		snprintf(error, 256, "thread key: %s", strerror(rc));
		return false;
	}
	if (s->spec.security == HTTP_PSK) {
		if (!psk_open(s, error))
			return false;
	} else if (s->spec.security != HTTP_PLAIN) {
		s->tls = tls_open(&s->spec, error);
		if (!s->tls)
			return false;
	}
	raise_files(s->spec.connections);
	s->listen_fd = listen_open(s, error);
	if (s->listen_fd < 0 || !watch_start(s, error) || !start_daemon(s, error))
		return false;
	accept_start(s);
	return true;
}

struct http_server *http_server_open(const struct http_spec *spec, char error[256])
{
	struct http_server *s = calloc(1, sizeof(*s));
	pthread_condattr_t monotonic;

	if (!s)
		abort();
	s->arena = arena_new();
	s->listen_fd = s->epoll_fd = s->event_fd = -1;
	linger_init(s);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	copy_spec(s, spec);
	if (server_start(s, error))
		return s;
	watch_stop(s);
	server_free(s);
	return NULL;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

void http_server_quiesce(struct http_server *s)
{
	if (atomic_exchange(&s->quiet, true))
		return;
	accept_stop(s);
	/* Connecting peers are refused at once and go elsewhere, instead of waiting in the backlog. The descriptor itself stays
	 * until the watcher has ended, which may still look at it. */
	shutdown(s->listen_fd, SHUT_RDWR);
}

/* Lock held. True: something changed before until_ms. */
static bool wait_change(struct http_server *s, int64_t until_ms)
{
	struct timespec at = { .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000 };

	return pthread_cond_timedwait(&s->changed, &s->lock, &at) == 0;
}

/* Lock held. */
static struct http_call *any_parked(struct http_server *s)
{
	for (struct conn *conn = s->conns; conn; conn = conn->next)
		if (conn->parked)
			return conn->parked;
	return NULL;
}

void http_server_close(struct http_server *s, unsigned grace_s)
{
	int64_t until_ms = clock_ms() + (int64_t)grace_s * 1000;
	struct http_call *c;

	if (!s)
		return;
	http_server_quiesce(s);
	pthread_mutex_lock(&s->lock);
	/* Also for parked ones: what they wait for may come in time (A5). */
	while (s->calls && wait_change(s, until_ms))
		;
	s->unparkable = true;
	pthread_mutex_unlock(&s->lock);
	watch_stop(s);
	pthread_mutex_lock(&s->lock);
	/* MHD aborts the process when it is stopped with a suspended connection (recipes.md 1 b). */
	while ((c = any_parked(s)))
		park_abandon(c, MHD_HTTP_SERVICE_UNAVAILABLE);
	until_ms = clock_ms() + ANSWER_MS;
	while (s->calls && wait_change(s, until_ms))
		;
	pthread_mutex_unlock(&s->lock);
	MHD_stop_daemon(s->daemon);
	server_free(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/http/client_internal.h"

enum { POLL_MS = 60000, KEPT_CONNECTIONS = 256, KEY_MAX = 64 << 10 };

const char *http_error_name(enum http_error e)
{
	switch (e) {
	case HTTP_ANSWERED:
		return "answered";
	case HTTP_UNREACHABLE:
		return "unreachable";
	case HTTP_REFUSED:
		return "refused";
	case HTTP_BROKEN:
		return "broken";
	case HTTP_TIMEOUT:
		return "timeout";
	case HTTP_TOO_LARGE:
		return "too_large";
	}
	return "?";
}

static void list_add(struct transfer **list, struct transfer *t)
{
	t->prev = NULL;
	t->next = *list;
	if (*list)
		(*list)->prev = t;
	*list = t;
}

static void list_remove(struct transfer **list, struct transfer *t)
{
	if (t->prev)
		t->prev->next = t->next;
	else
		*list = t->next;
	if (t->next)
		t->next->prev = t->prev;
}

static void start_queued(struct http_client *c, struct transfer *queued)
{
	while (queued) {
		struct transfer *t = queued;

		queued = t->next;
		if (t->refused) {
			transfer_end(t, HTTP_UNREACHABLE, t->refused);
			continue;
		}
		if (curl_multi_add_handle(c->multi, t->curl) != CURLM_OK) {
			transfer_end(t, HTTP_UNREACHABLE, "libcurl refused the transfer");
			continue;
		}
		list_add(&c->running, t);
	}
}

static void end_finished(struct http_client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left))) {
		CURLcode code = m->data.result;
		struct transfer *t = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
		curl_multi_remove_handle(c->multi, t->curl); /* m is invalid from here on */
		list_remove(&c->running, t);
		transfer_end(t, transfer_error(t, code), t->reason[0] ? t->reason : curl_easy_strerror(code));
	}
}

static void end_rest(struct http_client *c)
{
	while (c->running) {
		struct transfer *t = c->running;

		curl_multi_remove_handle(c->multi, t->curl);
		list_remove(&c->running, t);
		transfer_end(t, HTTP_BROKEN, "the client was closed");
	}
}

/* Takes what was queued. False: it is time to end. *out_poll_ms: how long the loop may sleep while transfers run. */
static bool take(struct http_client *c, struct transfer **out, int *out_poll_ms, bool *out_stopping)
{
	int64_t left = POLL_MS;
	bool go = true;

	pthread_mutex_lock(&c->lock);
	*out = c->queue;
	c->queue = NULL;
	c->queue_end = &c->queue;
	if (c->stop) {
		left = c->stop_by_ms - clock_ms();
		go = *out || (c->running && left > 0);
	}
	*out_stopping = c->stop;
	pthread_mutex_unlock(&c->lock);
	*out_poll_ms = left < 0 ? 0 : left > POLL_MS ? POLL_MS : (int)left;
	return go;
}

static void *client_main(void *arg)
{
	struct http_client *c = arg;
	struct transfer *queued;
	int running, poll_ms;
	bool stopping;

	while (take(c, &queued, &poll_ms, &stopping)) {
		start_queued(c, queued);
		curl_multi_perform(c->multi, &running);
		end_finished(c);
		/* Wakes early for curl's own timers and for http_client_send; when the last transfer has ended, nothing would
		 * wake it. */
		if (c->running || !stopping)
			curl_multi_poll(c->multi, NULL, 0, poll_ms, NULL);
	}
	end_rest(c);
	return NULL;
}

static void copy_spec(struct http_client *c, const struct http_client_spec *spec)
{
	const char **strings[] = { &c->spec.cert_file, &c->spec.key_file, &c->spec.trust_file, &c->spec.crl_file };

	c->spec = *spec;
	for (size_t i = 0; i < LEN(strings); i++)
		if (*strings[i])
			*strings[i] = arena_strdup(c->arena, *strings[i]);
	if (!c->spec.connections_per_host)
		c->spec.connections_per_host = 8;
	if (!c->spec.connect_ms)
		c->spec.connect_ms = 3000;
}

/* Files are read by curl at each connection; at start they are only checked, so that a mistake shows at once. */
static bool files_good(const struct http_client_spec *spec, char error[256])
{
	const char *const files[] = { spec->cert_file, spec->trust_file, spec->crl_file };
	CLEANUP(secret_free) struct secret key = { 0 };
	int rc;

	for (size_t i = 0; i < LEN(files); i++) {
		if (!files[i] || access(files[i], R_OK) == 0)
			continue;
		snprintf(error, 256, "%s: %s", files[i], strerror(errno));
		return false;
	}
	if (!spec->cert_file)
		return true;
	if (!spec->key_file) {
		snprintf(error, 256, "%s: its key_file is not set", spec->cert_file);
		return false;
	}
	rc = secret_read_file(spec->key_file, KEY_MAX, &key);
	if (rc < 0)
		snprintf(error, 256, "%s: %s", spec->key_file,
			 rc == -EPERM ? "group or others can read it; chmod 600" : strerror(-rc));
	return rc == 0;
}

static void curl_start(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

static void client_free(struct http_client *c)
{
	if (c->multi)
		curl_multi_cleanup(c->multi);
	pthread_mutex_destroy(&c->lock);
	arena_free(c->arena);
	free(c);
}

struct http_client *http_client_open(const struct http_client_spec *spec, char error[256])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http_client *c;
	int rc;

	if (!files_good(spec, error))
		return NULL;
	pthread_once(&once, curl_start);
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->arena = arena_new();
	c->queue_end = &c->queue;
	pthread_mutex_init(&c->lock, NULL);
	copy_spec(c, spec);
	c->multi = curl_multi_init();
	if (!c->multi)
		abort();
	curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)c->spec.connections_per_host);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
	rc = pthread_create(&c->thread, NULL, client_main, c);
	if (rc == 0)
		return c;
	snprintf(error, 256, "thread: %s", strerror(rc));
	client_free(c);
	return NULL;
}

void http_client_end(struct http_client *c, unsigned grace_ms)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	if (!c->stop)
		c->stop_by_ms = clock_ms() + grace_ms;
	c->stop = true;
	pthread_mutex_unlock(&c->lock);
	curl_multi_wakeup(c->multi);
}

void http_client_close(struct http_client *c, unsigned grace_ms)
{
	if (!c)
		return;
	http_client_end(c, grace_ms);
	pthread_join(c->thread, NULL);
	client_free(c);
}

void http_client_send(struct http_client *c, const struct http_outgoing *out,
		      void (*done)(void *user, const struct http_answer *answer), void *user)
{
	struct transfer *t = transfer_new(c, out);
	bool late;

	t->done = done;
	t->user = user;
	pthread_mutex_lock(&c->lock);
	late = c->stop;
	if (!late) {
		*c->queue_end = t;
		c->queue_end = &t->next;
	}
	pthread_mutex_unlock(&c->lock);
	if (late)
		transfer_end(t, HTTP_UNREACHABLE, "the client was closed");
	else
		curl_multi_wakeup(c->multi);
}

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct arena *arena;
	struct http_answer *out;
	bool done;
};

static void call_done(void *user, const struct http_answer *answer)
{
	struct waiting *w = user;

	pthread_mutex_lock(&w->lock);
	*w->out = *answer;
	w->out->body.data = arena_memdup(w->arena, answer->body.len ? answer->body.data : (const void *)"", answer->body.len);
	w->out->reason = arena_strdup(w->arena, answer->reason ? answer->reason : "");
	w->done = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

void http_client_call(struct http_client *c, struct arena *a, const struct http_outgoing *out, struct http_answer *out_answer)
{
	struct waiting w = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .arena = a, .out = out_answer
	};

	http_client_send(c, out, call_done, &w);
	pthread_mutex_lock(&w.lock);
	while (!w.done)
		pthread_cond_wait(&w.changed, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_cond_destroy(&w.changed);
	pthread_mutex_destroy(&w.lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by client.c (the loop) and client_transfer.c (one request as a curl handle). */
#ifndef HTTP_CLIENT_INTERNAL_H
#define HTTP_CLIENT_INTERNAL_H

#include <curl/curl.h>
#include <pthread.h>

#include "common/base/buf.h"
#include "common/http/client.h"

struct transfer {
	struct transfer *prev, *next; /* in client.queue, then client.running */
	CURL *curl;
	struct curl_slist *headers;
	struct buf sent, answer;
	size_t max_answer;
	bool too_large;
	const char *refused; /* why it cannot even be tried; NULL: it can */
	int64_t started_us;
	char reason[CURL_ERROR_SIZE];
	void (*done)(void *user, const struct http_answer *answer);
	void *user;
};

struct http_client {
	struct arena *arena;
	struct http_client_spec spec; /* strings in arena */
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t lock;
	struct transfer *queue, **queue_end; /* under lock: not seen by the loop yet */
	bool stop;                           /* under lock */
	int64_t stop_by_ms;                  /* under lock */
	struct transfer *running;            /* the loop's own */
};

struct transfer *transfer_new(const struct http_client *c, const struct http_outgoing *out);
void transfer_free(struct transfer *t);
/* Calls done and frees t, which is in no multi handle any more. */
void transfer_end(struct transfer *t, enum http_error error, const char *reason);
/* What became of a transfer that curl has finished with code. */
enum http_error transfer_error(const struct transfer *t, CURLcode code);

#endif

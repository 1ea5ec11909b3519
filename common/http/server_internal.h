/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a listener share: server.c (open, close), accept.c (new connections), request.c (one request), park.c (suspended calls), watch.c (time
 * limits). */
#ifndef HTTP_SERVER_INTERNAL_H
#define HTTP_SERVER_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "common/base/buf.h"
#include "common/http/server.h"
#include "common/http/server_tls.h"

/* One TCP or unix connection. Made and unlinked on a pool thread (NOTIFY_CONNECTION); freed by the watcher, so that an epoll
 * event which it has already fetched never points to freed memory. Members below the line are under server->lock. */
struct conn {
	struct http_server *server;
	struct MHD_Connection *mhd;
	int fd;
	int64_t opened_ms;
	struct tls_creds *creds; /* kept alive as long as the TLS session that uses them */
	bool accepted;           /* peer_accept has said yes */
	void *peer;
	char remote[64];
	bool linger; /* refused with its body unread */
	/* --- */
	struct conn *prev, *next; /* server->conns; next also in server->dead */
	int64_t deadline_ms;      /* shut down then; 0: no limit at present */
	struct http_call *parked;
	bool watched; /* in the epoll set: ONESHOT, so it may have fired */
};

/* Up to CALL_HANDLING, and in CALL_AGAIN, only the pool thread knows the call; from there on state is under server->lock. */
enum call_state {
	CALL_HEAD, /* request line seen */
	CALL_BODY,
	CALL_SWALLOW,  /* body too large: read on a little to be able to answer 413 */
	CALL_HANDLING, /* handler runs */
	CALL_AGAIN,    /* it wants another turn */
	CALL_EARLY,    /* resumed by another thread before the handler has parked: response is set */
	CALL_ANSWERED, /* response queued, or dropped */
	CALL_PARKED,
	CALL_EXPIRING,   /* expired() runs: only the watcher may resume */
	CALL_GONE,       /* gone() runs: nobody may */
	CALL_RESUMED,    /* response waits for the pool thread; NULL: close without an answer */
	CALL_UNPARKABLE, /* parked while the server stops */
};

struct http_call {
	struct http_server *server;
	struct conn *conn;
	enum call_state state;
	bool bad_uri;
	enum MHD_Result verdict; /* what the access handler returns to MHD */
	const char *method, *path;
	struct buf body;
	int64_t started_us;
	void *thread;
	void *again; /* of http_again */
	/* Parked: */
	struct http_parked_hooks hooks;
	void *user;
	int64_t park_deadline_ms;
	unsigned status;
	struct MHD_Response *response;
	/* The watcher still looks at the call after expired(), which may have let a pool thread end it: the last one frees. */
	bool pinned, orphan;
};

/* Per pool thread, made at its first call. */
struct pool_thread {
	struct pool_thread *next;
	void *user;
};

/* A descriptor that is only drained (linger.c); under server->lock. */
struct lingering {
	int fd; /* -1: free */
	size_t left;
	int64_t until_ms;
};

struct http_server {
	struct http_spec spec; /* strings copied into arena */
	struct arena *arena;
	struct MHD_Daemon *daemon;
	struct http_tls *tls;
	gnutls_psk_server_credentials_t psk;
	int listen_fd;
	uint16_t port;
	dev_t unix_dev; /* to remove only our own socket file */
	ino_t unix_ino;
	const char *labels; /* listener="partner" */
	pthread_key_t thread_key;
	bool has_key, has_watcher;
	atomic_bool quiet; /* answers carry Connection: close */

	pthread_t watcher;
	int epoll_fd, event_fd;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* calls, parked */
	struct conn *conns, *dead;
	unsigned n_dead, calls, n_parked;
	unsigned n_conns; /* given to MHD and not closed yet; at most spec.connections */
	int64_t wake_ms; /* when the watcher wakes by itself */
	bool stop_watcher, unparkable, accepting;
	int64_t accept_again_ms; /* 0: now */
	struct pool_thread *threads;
	struct lingering lingers[32];
};

/* listen.c: the listening socket, -1 with error set. Fills port, unix_dev, unix_ino. */
int listen_open(struct http_server *s, char error[256]);
/* Removes the unix socket's file when it is still ours, closes the descriptor. */
void listen_close(struct http_server *s);
void listen_remote(const struct sockaddr *address, char *out, size_t n);

/* accept.c. accept_stop: nobody is accepted any more when it has returned, but for those that are being handed to MHD. */
void accept_start(struct http_server *s);
void accept_stop(struct http_server *s);
/* With server->lock held. False: ptr, of an event, is not ours. */
bool accept_event(struct http_server *s, const void *ptr);
/* Goes on after a pause. Returns when to be called again, INT64_MAX: need not. */
int64_t accept_again(struct http_server *s);

/* server_psk.c: HTTP_PSK in place of server_tls.c. */
bool psk_open(struct http_server *s, char error[256]);
void psk_close(struct http_server *s);
/* Before the handshake. */
bool psk_attach(struct conn *conn, gnutls_session_t session);
/* After the handshake, once: from now on no record is larger than the card asked for. Who it is, owned by the session; NULL:
 * nobody. */
const char *psk_identity(gnutls_session_t session);

/* request.c: callbacks for MHD. */
void *request_begin(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
			       const char *data, size_t *n, void **request);
void request_completed(void *cls, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code);
void call_free(struct http_call *c);
/* What thread_open gave for this pool thread; NULL: nothing, or it failed. */
void *request_thread(struct http_server *s);
/* NULL only without memory. body is copied. */
struct MHD_Response *response_new(const struct http_call *c, const char *content_type, const void *body, size_t n,
				  const struct http_header *headers, size_t n_headers);

/* Queues r (NULL: nothing, the connection closes) and releases it; returns what MHD wants to hear. Pool thread only. */
enum MHD_Result response_queue(struct http_call *c, unsigned status, struct MHD_Response *r);

/* park.c; with server->lock held. */
/* Ends a parked call in the parker's place: gone() runs, with the lock released meanwhile. status 0: no answer, the caller hung
 * up. */
void park_abandon(struct http_call *c, unsigned status);
/* Runs expired() of due calls, with the lock released meanwhile. Returns the next deadline, INT64_MAX: none. */
int64_t park_expire(struct http_server *s);
/* The handler of c has returned. What MHD wants to hear. Lock not held. */
enum MHD_Result park_settle(struct http_call *c);

/* watch.c */
bool watch_start(struct http_server *s, char error[256]);
void watch_stop(struct http_server *s);
/* The rest with server->lock held. */
void watch_link(struct conn *conn);
void watch_unlink(struct conn *conn);
/* deadline_ms of clock_ms(); 0: none. */
void watch_deadline(struct conn *conn, int64_t deadline_ms);
/* The watcher must be awake at that time. */
void watch_wake_by(struct http_server *s, int64_t at_ms);
/* Whether the peer hangs up. */
void watch_hangup(struct conn *conn, bool on);
void watch_reap(struct http_server *s);

/* linger.c; with server->lock held. */
void linger_init(struct http_server *s);
/* fd's owner may close it after this. When all places are taken nothing happens: the answer is then perhaps lost. */
void linger_take(struct http_server *s, int fd);
/* False: ptr, from an epoll event, is none of ours. */
bool linger_event(struct http_server *s, void *ptr);
/* Returns the next deadline, INT64_MAX: none. */
int64_t linger_expire(struct http_server *s);
void linger_end_all(struct http_server *s);

#endif

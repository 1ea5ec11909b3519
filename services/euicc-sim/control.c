/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket. Its listener has threads of its own; each hands its request to the loop's thread, which alone touches cards, and waits.
 * The request travels as a pointer through a pipe, the answer's readiness through an eventfd: so nothing is shared but by turns. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/app/fault_routes.h"
#include "services/euicc-sim/control.h"

enum { THREADS = 2, CONNECTIONS = 64, CONTROL_BODY_MAX = 1 << 20, LOOK_MS = 100 };

struct control {
	struct sim *sim;
	struct http_server *server;
	struct watch watch;
	int pipe[2];
	atomic_bool ended; /* the loop takes no request any more */
};

/* clang-format off */
static const struct control_route routes[] = {
	{ "GET", "/admin/cards", false, control_cards },
	{ "POST", "/admin/cards/power", true, control_power },
	{ "GET", "/admin/cards/hooks", false, control_hooks },
	{ "POST", "/admin/cards/hook", true, control_hook_arm },
	{ "DELETE", "/admin/cards/hook", true, control_hook_clear },
	{ "POST", "/admin/cards/coverage", true, control_coverage },
	{ "POST", "/admin/cards/number", true, control_number },
	{ "POST", "/admin/cards/load", true, control_load },
	{ "GET", "/admin/stats", false, control_stats },
	{ "GET", "/healthz", false, control_health },
};
/* clang-format on */

void control_fail(struct control_job *job, unsigned status, const char *code, const char *fmt, ...)
{
	va_list args;

	job->status = status;
	job->code = code;
	va_start(args, fmt);
	(void)vsnprintf(job->message, sizeof(job->message), fmt, args);
	va_end(args);
}

/* ---- the listener's threads ---- */

/* Waits until the loop has run the job. False: it will not. */
static bool hand_over(struct control *c, struct control_job *job)
{
	struct control_job *self = job;
	uint64_t n;

	if (write(c->pipe[1], &self, sizeof(self)) != (ssize_t)sizeof(self))
		return false;
	for (;;) {
		struct pollfd p = { .fd = job->done_fd, .events = POLLIN };
		bool ended = atomic_load(&c->ended); /* before the look: what was done is seen */

		if (poll(&p, 1, LOOK_MS) > 0)
			return read(job->done_fd, &n, sizeof(n)) == (ssize_t)sizeof(n);
		if (ended)
			return false;
	}
}

static void job_end(struct control_job *job)
{
	buf_free(&job->out);
	if (job->done_fd >= 0)
		(void)close(job->done_fd);
}

static void run_route(struct control *c, struct http_call *call, const struct control_route *route, const json_t *body)
{
	CLEANUP(job_end) struct control_job job = { .sim = c->sim, .route = route, .call = call, .body = body, .status = 200 };

	job.done_fd = eventfd(0, EFD_CLOEXEC);
	if (job.done_fd < 0 || !hand_over(c, &job))
		app_error(call, 503, "ending", "the simulator does not take requests now");
	else if (job.code)
		app_error(call, job.status, job.code, "%s", job.message);
	else
		http_reply(call, job.status, "application/json", job.out.data, job.out.len);
}

/* On the listener's own thread: the loop may stand at a point. */
static bool fault_route(struct http_call *call)
{
	if (strcmp(http_path(call), "/admin/faults") != 0)
		return false;
	if (!strcmp(http_method(call), "GET"))
		fault_route_list(call);
	else if (!strcmp(http_method(call), "POST"))
		fault_route_arm(call);
	else
		app_error(call, 405, "method_not_allowed", "this path does not know the method");
	return true;
}

static void handle(void *ctx, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = NULL;
	bool path = false;

	if (fault_route(call))
		return;
	for (size_t i = 0; i < LEN(routes); i++) {
		if (strcmp(routes[i].path, http_path(call)) != 0)
			continue;
		path = true;
		if (strcmp(routes[i].method, http_method(call)) != 0)
			continue;
		if (routes[i].has_body && http_body(call).len) {
			body = json_body(call);
			if (!body)
				return;
		}
		run_route(ctx, call, &routes[i], body);
		return;
	}
	if (path)
		app_error(call, 405, "method_not_allowed", "this path does not know the method");
	else
		app_error(call, 404, "not_found", "there is no %s", http_path(call));
}

/* ---- the loop's thread ---- */

static void run_job(struct watch *w, uint32_t events)
{
	struct control *c = OWNER(w, struct control, watch);
	const uint64_t one = 1;
	struct control_job *job;

	(void)events;
	if (read(c->pipe[0], &job, sizeof(job)) != (ssize_t)sizeof(job))
		return;
	job->route->handle(job);
	buf_char(&job->out, '\n');
	if (write(job->done_fd, &one, sizeof(one)) < 0)
		log_msg(LOG_ERROR, "control", "an answer is lost: %m");
}

static void control_free(struct control *c)
{
	for (unsigned i = 0; i < LEN(c->pipe); i++)
		if (c->pipe[i] >= 0)
			(void)close(c->pipe[i]);
	free(c);
}

struct control *control_open(struct sim *sim, char error[SIM_ERROR])
{
	struct http_spec spec = { .name = "control",
				  .security = HTTP_PLAIN,
				  .unix_path = sim->config->control_socket,
				  .threads = THREADS,
				  .connections = CONNECTIONS,
				  .max_body = CONTROL_BODY_MAX,
				  .handlers.handle = handle };
	struct control *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	*c = (struct control){ .sim = sim, .watch.ready = run_job, .pipe = { -1, -1 } };
	spec.ctx = c;
	if (pipe2(c->pipe, O_CLOEXEC) != 0 || !loop_watch(sim->loop, &c->watch, c->pipe[0], EPOLLIN)) {
		(void)snprintf(error, SIM_ERROR, "control: %s", strerror(errno));
		control_free(c);
		return NULL;
	}
	c->server = http_server_open(&spec, error);
	if (c->server)
		return c;
	loop_unwatch(sim->loop, &c->watch);
	control_free(c);
	return NULL;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	atomic_store(&c->ended, true);
	http_server_close(c->server, 1);
	loop_unwatch(c->sim->loop, &c->watch);
	control_free(c);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/app/app.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/app/app_internal.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { FIRST_CLEANING_S = 60 };

/* The partner listener is the last thing to come up and the first to go: no call meets a process that is half there. */
static const struct step steps[] = {
	{ "XML signatures", libraries_open, libraries_close },
	{ "database", database_open, database_close },
	{ "replica name", replica_open, replica_close },
	{ "journal", log_journal_open, log_journal_close },
	{ "HTTP client", client_open, client_close },
	{ "bus", bus_step_open, bus_step_close },
	{ "partner address", address_open, address_close },
	{ "role", role_open, role_close },
	{ "parked callers", parked_step_open, parked_step_close },
	{ "outbox", workers_open, workers_close },
	{ "requests", asked_open, asked_close },
	{ "relays", relays_open, relays_close },
	{ "admin socket", admin_open, admin_close },
	{ "management listener", management_open, management_close },
	{ "northbound listener", northbound_open, northbound_close },
	{ "card listener", extra_open, extra_close },
	{ "partner listener", partner_open, partner_close },
	{ "port file", port_file_open, port_file_close },
};

enum action { RUN, HELP, MARKDOWN, VERSION, CHECK, WRONG };

static enum action arguments(int argc, char **argv)
{
	if (argc == 1)
		return RUN;
	if (argc == 2 && !strcmp(argv[1], "--help"))
		return HELP;
	if (argc == 3 && !strcmp(argv[1], "--help") && !strcmp(argv[2], "--markdown"))
		return MARKDOWN;
	if (argc == 2 && !strcmp(argv[1], "--version"))
		return VERSION;
	if (argc == 2 && !strcmp(argv[1], "--check"))
		return CHECK;
	return WRONG;
}

static int say_help(const struct app_spec *spec, enum action action)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	if (action == MARKDOWN)
		config_help_markdown(spec->name, spec->env_prefix, spec->config, &text);
	else
		config_help(spec->name, spec->env_prefix, spec->config, &text);
	return fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0 ? 0 : 1;
}

/* How many steps are up; less than all: error says why the next one failed. */
static size_t start(struct process *p, char error[ERROR_MAX])
{
	size_t up = 0;

	while (up < LEN(steps) && steps[up].open(p, error) == 0)
		up++;
	return up;
}

static void end(struct process *p, size_t up)
{
	while (up > 0)
		if (steps[--up].close)
			steps[up].close(p);
}

/* The signals that end us; blocked in every thread, taken by the main thread. */
static sigset_t end_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	return set;
}

static bool signal_waits(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* Sleeps until a signal comes, but for the cleaning every CLEAN_S. */
static int wait_for_end(struct process *p)
{
	sigset_t set = end_signals();
	unsigned every_s = p->app.config->clean_s, first_s = every_s < FIRST_CLEANING_S ? every_s : FIRST_CLEANING_S;
	int64_t next_ms = clock_ms() + (int64_t)first_s * 1000;

	for (;;) {
		int64_t wait_ms = next_ms - clock_ms();
		struct timespec t = { .tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000 };
		int got;

		if (wait_ms <= 0) {
			maintain(p, signal_waits);
			next_ms = clock_ms() + (int64_t)every_s * 1000;
			continue;
		}
		got = sigtimedwait(&set, NULL, &t);
		if (got > 0)
			return got;
	}
}

/* From here on a second signal ends the process at once: who sends it does not want to wait. */
static void let_signals_kill(void)
{
	sigset_t set = end_signals();

	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void drain(struct process *p, int got)
{
	log_msg(LOG_INFO, "draining", "%s: running calls have %u s", got == SIGINT ? "SIGINT" : "SIGTERM", p->app.config->drain_s);
	p->app.draining = 1;
	p->drain_until_ms = clock_ms() + (int64_t)p->app.config->drain_s * 1000;
	let_signals_kill();
	parked_drain(p->app.rpc.parked);
	http_server_quiesce(p->app.partner);
	if (p->app.northbound)
		http_server_quiesce(p->app.northbound);
	if (p->app.extra)
		http_server_quiesce(p->app.extra);
}

static void into_service(struct process *p)
{
	const struct app *app = &p->app;

	if (app->spec->ready)
		app->spec->ready(&p->app);
	p->in_service = true;
	awake_set(p, true);
	atomic_store(&p->listening, true);
	log_msg(LOG_INFO, "ready", "version %s, partners at %s, management port %u", app_version, app->rpc.self_url,
		(unsigned)http_server_port(app->management));
}

/* Libraries' words may have line breaks; a start that failed is told in one line. */
static void one_line(char *text)
{
	for (; *text; text++)
		if (*text == '\n')
			*text = text[1] ? ' ' : '\0';
}

static int run(struct process *p)
{
	char error[ERROR_MAX] = "";
	size_t up;

	port_file_close(p); /* of a killed process: its ports are not ours */
	up = start(p, error);
	if (up < LEN(steps)) {
		one_line(error);
		config_blame(p->app.spec->env_prefix, p->app.spec->config, p->config, error);
		(void)fprintf(stderr, "%s: cannot start: %s: %s\n", p->app.spec->name, steps[up].name, error);
		end(p, up);
		return 1;
	}
	into_service(p);
	drain(p, wait_for_end(p));
	end(p, up);
	log_msg(LOG_INFO, "ended", "drained");
	return 0;
}

static void process_free(struct process *p)
{
	(void)pthread_mutex_destroy(&p->lock);
	free(p->statements);
	free(p->migrations);
	free(p->config);
	memset(p, 0, sizeof(*p));
}

/* Before any thread starts, since threads inherit the mask. */
static void signals_block(void)
{
	sigset_t set = end_signals();

	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an error of a write */
}

static int check(const struct app_spec *spec, void *config)
{
	CLEANUP(buf_free) struct buf errors = { 0 };
	bool bad = config_read(spec->env_prefix, spec->config, environ, config, &errors) < 0;

	if (bad)
		(void)fprintf(stderr, "%s: the configuration is wrong:\n%s", spec->name, errors.data);
	return bad ? -1 : 0;
}

static int run_or_check(const struct app_spec *spec, enum action action)
{
	CLEANUP(process_free) struct process p = { .app = { .spec = spec }, .reserved_fd = -1 };
	enum log_level level = LOG_INFO;

	(void)pthread_mutex_init(&p.lock, NULL);
	p.config = calloc(1, spec->config_size);
	if (!p.config)
		abort();
	if (check(spec, p.config) < 0)
		return 1;
	if (action == CHECK) {
		(void)printf("%s: the configuration is good\n", spec->name);
		return 0;
	}
	p.app.config = p.config;
	(void)log_level_parse(p.app.config->log_level, &level); /* config_check has read it already */
	log_open(spec->name, level);
	signals_block();
	return run(&p);
}

int app_run(const struct app_spec *spec, int argc, char **argv)
{
	enum action action = arguments(argc, argv);

	switch (action) {
	case HELP:
	case MARKDOWN:
		return say_help(spec, action);
	case VERSION:
		(void)printf("%s %s\n", spec->name, app_version);
		return 0;
	case RUN:
	case CHECK:
		return run_or_check(spec, action);
	case WRONG:
		break;
	}
	(void)fprintf(stderr, "Usage: %s [--check | --version | --help [--markdown]]\n", spec->name);
	return 2;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/app/alone.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/app/app_internal.h"
#include "common/base/log.h"

static int say_help(const struct alone_spec *spec, bool markdown)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	config_help_own(spec->name, spec->env_prefix, spec->config, markdown, &text);
	return fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0 ? 0 : 1;
}

static const char *log_level_of(const struct alone_spec *spec, const void *config)
{
	const char *text;

	memcpy(&text, (const char *)config + spec->log_level, sizeof(text));
	return text;
}

/* Number of faults; all of them are in errors. */
static unsigned read_config(const struct alone_spec *spec, void *config, enum log_level *out_level, struct buf *errors)
{
	unsigned faults = 0;

	if (config_read_own(spec->env_prefix, spec->config, environ, config, errors) < 0)
		return 1;
	if (!log_level_parse(log_level_of(spec, config), out_level)) {
		buf_printf(errors, "%sLOG_LEVEL: '%s' is not a level; give debug, info, warn or error\n", spec->env_prefix,
			   log_level_of(spec, config));
		faults++;
	}
	return faults + (spec->check ? spec->check(config, errors) : 0);
}

/* A descriptor that can be read when we shall end; before any thread starts, since threads inherit the mask. */
static int end_signals_open(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an error of a write */
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Such a process may hold a connection per card; the soft limit is often 1024. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const struct alone_spec *spec, const void *config, enum log_level level)
{
	int end_fd, rc;

	log_open(spec->name, level);
	raise_descriptors();
	end_fd = end_signals_open();
	if (end_fd < 0) {
		(void)fprintf(stderr, "%s: cannot start: signals: %s\n", spec->name, strerror(errno));
		return 1;
	}
	rc = spec->run(config, end_fd);
	(void)close(end_fd);
	return rc;
}

static void config_freep(void **config)
{
	free(*config);
}

static int run_or_check(const struct alone_spec *spec, bool check)
{
	CLEANUP(buf_free) struct buf errors = { 0 };
	CLEANUP(config_freep) void *config = calloc(1, spec->config_size);
	enum log_level level = LOG_INFO;

	if (!config)
		abort();
	if (read_config(spec, config, &level, &errors)) {
		(void)fprintf(stderr, "%s: the configuration is wrong:\n%s", spec->name, errors.data);
		return 1;
	}
	if (!check)
		return run(spec, config, level);
	(void)printf("%s: the configuration is good\n", spec->name);
	return 0;
}

int alone_run(const struct alone_spec *spec, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (argc == 1 || (argc == 2 && !strcmp(word, "--check")))
		return run_or_check(spec, argc == 2);
	if (argc == 2 && !strcmp(word, "--help"))
		return say_help(spec, false);
	if (argc == 3 && !strcmp(word, "--help") && !strcmp(argv[2], "--markdown"))
		return say_help(spec, true);
	if (argc == 2 && !strcmp(word, "--version")) {
		(void)printf("%s %s\n", spec->name, app_version);
		return 0;
	}
	(void)fprintf(stderr, "Usage: %s [--check | --version | --help [--markdown]]\n", spec->name);
	return 2;
}

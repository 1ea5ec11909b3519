/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/cleanup.h"

/* The folder of initdb and postgres; another initdb may be on PATH (recipes.md 3). */
static const char *bindir(void)
{
	static char dir[128];
	glob_t found;

	if (!dir[0] && glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0) {
		snprintf(dir, sizeof(dir), "%s", found.gl_pathv[found.gl_pathc - 1]);
		globfree(&found);
	}
	return dir;
}

bool cluster_installed(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/postgres", bindir());
	return access(path, X_OK) == 0;
}

/* program: one of PostgreSQL's, or a path. PostgreSQL refuses to run as root. The death signal ends the server with a crashed test. */
static pid_t spawn(struct cluster *c, const char *program, const char *const *args)
{
	char path[160];
	const char *argv[32];
	size_t n = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "%s%s%s", *program == '/' ? "" : bindir(), *program == '/' ? "" : "/", program);
	if (geteuid() == 0) {
		static const char *const as_postgres[] = { "setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
							   "--pdeathsig=INT" };

		for (; n < LEN(as_postgres); n++)
			argv[n] = as_postgres[n];
	}
	argv[n++] = path;
	while (*args)
		argv[n++] = *args++;
	argv[n] = NULL;
	pid = fork();
	if (pid == 0) {
		char log[96];
		int fd;

		snprintf(log, sizeof(log), "%s/log", c->dir);
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
		dup2(fd, 1);
		dup2(fd, 2);
		setsid();
		if (chdir(c->dir) == 0)
			execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	cr_assert(pid > 0);
	return pid;
}

void cluster_start(struct cluster *c)
{
	char data[80];
	const char *const args[] = { "-D", data, "-k", c->dir, "-c", "listen_addresses=", "-c", "fsync=off",
				     "-c", "deadlock_timeout=100ms", "-c", "max_connections=20", "-c", "shared_buffers=8MB",
				     NULL };

	snprintf(data, sizeof(data), "%s/data", c->dir);
	c->pid = spawn(c, "postgres", args);
	for (int i = 0; PQping(c->conninfo) != PQPING_OK; i++) {
		cr_assert(i < 1000, "PostgreSQL did not start: see %s/log", c->dir);
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
}

void cluster_stop(struct cluster *c)
{
	if (!c->pid)
		return;
	kill(c->pid, SIGINT);
	waitpid(c->pid, NULL, 0);
	c->pid = 0;
}

/* ./rsp test has one made that only needs to be copied. */
static void make_data(struct cluster *c)
{
	const char *from = getenv("RSP_CLUSTER_TEMPLATE");
	char data[80];
	const char *const copy[] = { "-a", from, data, NULL };
	const char *const make[] = { "-D", data, "-A", "trust", "-U", "rsp", "-E", "UTF8", "--locale=C", "--no-sync", NULL };
	int status;

	snprintf(data, sizeof(data), "%s/data", c->dir);
	waitpid(from ? spawn(c, "/bin/cp", copy) : spawn(c, "initdb", make), &status, 0);
	cr_assert_eq(status, 0, "no data folder: see %s/log", c->dir);
}

struct cluster cluster_new(void)
{
	struct cluster c = { .dir = "/tmp/rsp-store-XXXXXX" };

	cr_assert(mkdtemp(c.dir));
	if (geteuid() == 0) {
		const struct passwd *postgres = getpwnam("postgres");

		cr_assert(postgres);
		cr_assert_eq(chown(c.dir, postgres->pw_uid, postgres->pw_gid), 0);
	}
	snprintf(c.conninfo, sizeof(c.conninfo), "host=%s user=rsp dbname=postgres", c.dir);
	make_data(&c);
	cluster_start(&c);
	return c;
}

void cluster_free(struct cluster *c)
{
	pid_t pid;

	if (c->pid)
		kill(c->pid, SIGQUIT); /* nobody will read it again: no checkpoint */
	cluster_stop(c);
	pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", c->dir, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

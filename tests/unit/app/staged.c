/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/app/staged.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

char *staged_path(struct staged *s, const char *name)
{
	static char paths[4][64];
	static unsigned next;
	char *out = paths[next++ % 4];

	(void)snprintf(out, sizeof(paths[0]), "%s/%s", s->dir, name);
	return out;
}

void staged_set(struct staged *s, const char *key, const char *value)
{
	char start[64];
	unsigned i = 0;

	(void)snprintf(start, sizeof(start), "RSP_T_%s=", key);
	while (i < s->n_variables && strncmp(s->variables[i], start, strlen(start)))
		i++;
	cr_assert_lt(i, LEN(s->variables));
	(void)snprintf(s->variables[i], sizeof(s->variables[i]), "%s%s", start, value);
	if (i == s->n_variables)
		s->n_variables++;
}

void staged_open(struct staged *s)
{
	memset(s, 0, sizeof(*s));
	s->cluster = cluster_new();
	pki_open(&s->pki);
	strcpy(s->dir, "/tmp/app-test-XXXXXX");
	cr_assert_not_null(mkdtemp(s->dir));
	staged_set(s, "ENTITY_OID", "1.3.6.1.4.1.99999.7");
	staged_set(s, "DATABASE", s->cluster.conninfo);
	staged_set(s, "TLS_SERVER_CERT", pki_path(&s->pki, "server.pem"));
	staged_set(s, "TLS_SERVER_KEY", pki_path(&s->pki, "server.key"));
	staged_set(s, "TLS_CLIENT_CERT", pki_path(&s->pki, "good.pem"));
	staged_set(s, "TLS_CLIENT_KEY", pki_path(&s->pki, "good.key"));
	staged_set(s, "TLS_CA", pki_path(&s->pki, "ca.pem"));
	staged_set(s, "ADMIN_SOCKET", staged_path(s, "admin"));
	staged_set(s, "PORT_FILE", staged_path(s, "ports"));
	staged_set(s, "JOURNAL", staged_path(s, "journal"));
	staged_set(s, "JOURNAL_MIB", "1");
	staged_set(s, "DRAIN_S", "2");
}

void staged_close(struct staged *s)
{
	static const char *const files[] = { "admin", "ports", "journal", "words" };

	if (s->pid)
		(void)staged_end(s, SIGKILL);
	for (unsigned i = 0; i < LEN(files); i++)
		(void)unlink(staged_path(s, files[i]));
	(void)rmdir(s->dir);
	pki_close(&s->pki);
	cluster_free(&s->cluster);
}

/* In the child: an environment of these variables alone. */
static void become(struct staged *s, const struct app_spec *spec, const char *const *args)
{
	char *environment[LEN(s->variables) + 1] = { 0 }, *argv[8] = { (char *)(uintptr_t)spec->name };
	int argc = 1, words = open(staged_path(s, "words"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(words, STDERR_FILENO);
	(void)dup2(words, STDOUT_FILENO);
	for (unsigned i = 0; i < s->n_variables; i++)
		environment[i] = s->variables[i];
	environ = environment;
	while (args && *args)
		argv[argc++] = (char *)(uintptr_t)*args++;
	exit(app_run(spec, argc, argv)); /* not _exit: leaks are looked for */
}

void staged_start(struct staged *s, const struct app_spec *spec, const char *const *args)
{
	(void)fflush(NULL);
	(void)unlink(staged_path(s, "ports"));
	s->pid = fork();
	cr_assert_geq(s->pid, 0);
	if (s->pid == 0)
		become(s, spec, args);
}

const char *staged_words(struct staged *s)
{
	static char text[64 * 1024];
	int fd = open(staged_path(s, "words"), O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		(void)close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static uint16_t port_of(json_t *ports, const char *name)
{
	return (uint16_t)json_integer_value(json_object_get(ports, name));
}

void staged_wait(struct staged *s)
{
	json_error_t e;
	json_t *ports = NULL;

	for (int ms = 0; ms < WAIT_MS && !ports; ms += 20) {
		cr_assert_eq(waitpid(s->pid, NULL, WNOHANG), 0, "ended: %s", staged_words(s));
		(void)usleep(20000);
		ports = json_load_file(staged_path(s, "ports"), 0, &e);
	}
	cr_assert_not_null(ports, "%s", staged_words(s));
	s->partner = port_of(ports, "partner");
	s->management = port_of(ports, "management");
	s->northbound = port_of(ports, "northbound");
	s->extra = port_of(ports, "cards");
	json_decref(ports);
}

int staged_end(struct staged *s, int signal_number)
{
	int status = 0;
	pid_t got = 0;

	if (signal_number)
		(void)kill(s->pid, signal_number);
	for (int ms = 0; ms < WAIT_MS && got == 0; ms += 20) {
		got = waitpid(s->pid, &status, WNOHANG);
		if (got == 0)
			(void)usleep(20000);
	}
	if (got == 0) {
		(void)kill(s->pid, SIGKILL);
		(void)waitpid(s->pid, &status, 0);
	}
	s->pid = 0;
	cr_assert_gt(got, 0, "did not end: %s", staged_words(s));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int connected(const char *socket_path, uint16_t port)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(socket_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (socket_path)
		(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", socket_path);
	rc = socket_path ? connect(fd, (struct sockaddr *)&un, sizeof(un)) : connect(fd, (struct sockaddr *)&in, sizeof(in));
	cr_assert_eq(rc, 0, "%s %u", socket_path ? socket_path : "", port);
	return fd;
}

const char *ask(const char *socket_path, uint16_t port, const char *method, const char *path, const char *body,
		unsigned *out_status)
{
	static char answer[256 * 1024];
	CLEANUP(buf_free) struct buf request = { 0 };
	int fd = connected(socket_path, port);
	size_t n = 0;
	ssize_t got;
	char *end;

	buf_printf(&request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method, path,
		   strlen(body), body);
	cr_assert_eq(write(fd, request.data, request.len), (ssize_t)request.len);
	while (n < sizeof(answer) - 1 && (got = read(fd, answer + n, sizeof(answer) - 1 - n)) > 0)
		n += (size_t)got;
	(void)close(fd);
	answer[n] = '\0';
	cr_assert_eq(sscanf(answer, "HTTP/1.1 %u", out_status), 1, "%s", answer);
	end = strstr(answer, "\r\n\r\n");
	cr_assert_not_null(end);
	return end + 4;
}

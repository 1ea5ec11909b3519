/* SPDX-License-Identifier: Apache-2.0 */
#include "nats_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/cleanup.h"

/* Clients by dNSName (sm-dp, admin) and by subject in both orders (the others). */
static const char make_certs[] =
	"set -e; cd \"$1\"\n"
	"new() { openssl ecparam -name prime256v1 -genkey -noout -out \"$1.key\"; }\n"
	"new ca; openssl req -x509 -new -key ca.key -subj /CN=ca -days 2 -out ca.pem\n"
	"new other; openssl req -x509 -new -key other.key -subj /CN=ca -days 2 -out other.pem\n"
	"sign() { new \"$1\"; openssl req -new -key \"$1.key\" -subj \"$2\" -out \"$1.csr\"\n"
	" printf '%s' \"$3\" > \"$1.ext\"\n"
	" openssl x509 -req -in \"$1.csr\" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile \"$1.ext\""
	" -out \"$1.pem\"; }\n"
	"sign server /CN=nats subjectAltName=DNS:localhost\n"
	"sign sm-sr /CN=sm-sr/O=m2m-rsp ''\n"
	"sign sm-sr-handover /O=m2m-rsp/CN=sm-sr-handover ''\n"
	"sign sm-dp /CN=card-maker subjectAltName=DNS:sm-dp\n"
	"sign eum /CN=eum/O=m2m-rsp ''\n"
	"sign operator-gateway /CN=operator-gateway/O=m2m-rsp ''\n"
	"sign admin /CN=admin subjectAltName=DNS:admin\n";

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static pid_t spawn(const struct nats_server *s, const char *const *argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		char log[96];
		int fd;

		snprintf(log, sizeof(log), "%s/log", s->dir);
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
		dup2(fd, 1);
		dup2(fd, 2);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* no server outlives a crashed test */
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	cr_assert(pid > 0);
	return pid;
}

bool nats_server_installed(void)
{
	return access("/usr/sbin/nats-server", X_OK) == 0 || access("/usr/bin/nats-server", X_OK) == 0 ||
	       access("/usr/local/bin/nats-server", X_OK) == 0;
}

static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	close(fd);
	return ntohs(a.sin_port);
}

struct nats_server nats_server_new(void)
{
	struct nats_server s = { .dir = "/tmp/rsp-bus-XXXXXX" };
	const char *const argv[] = { "bash", "-c", make_certs, "bash", s.dir, NULL };

	cr_assert(mkdtemp(s.dir));
	cr_assert_eq(status_of(spawn(&s, argv)), 0, "openssl failed: see %s/log", s.dir);
	s.port = free_port();
	s.monitor = free_port();
	snprintf(s.url, sizeof(s.url), "tls://localhost:%d", s.port);
	snprintf(s.url_by_address, sizeof(s.url_by_address), "tls://127.0.0.1:%d", s.port);
	return s;
}

static void placeholder(const struct nats_server *s, const char *name, const char *sm_sr, struct buf *out)
{
	static const char *const fixed[][2] = {
		{ "DOMAIN", "a" }, { "DOMAIN_UPPER", "A" }, { "SM_SR_HANDOVER", "sm-sr-handover" }, { "SM_DP", "sm-dp" },
		{ "EUM", "eum" }, { "OPERATOR_GATEWAY", "operator-gateway" },
	};

	for (size_t i = 0; i < LEN(fixed); i++) {
		if (!strcmp(name, fixed[i][0])) {
			buf_str(out, fixed[i][1]);
			return;
		}
	}
	if (!strcmp(name, "SM_SR"))
		buf_str(out, sm_sr);
	else if (!strcmp(name, "LISTEN") || !strcmp(name, "MONITOR"))
		buf_printf(out, "127.0.0.1:%d", name[0] == 'L' ? s->port : s->monitor);
	else if (!strcmp(name, "STORE_DIR"))
		buf_printf(out, "%s/js", s->dir);
	else if (!strcmp(name, "CERT") || !strcmp(name, "KEY"))
		buf_printf(out, "%s/server.%s", s->dir, name[0] == 'C' ? "pem" : "key");
	else if (!strcmp(name, "CA"))
		buf_printf(out, "%s/ca.pem", s->dir);
	else
		cr_assert_fail("unknown placeholder %s", name);
}

/* The template as staging fills it in, and one more user who may look at everything. */
static void config_write(const struct nats_server *s, const char *sm_sr, const char *path)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	char template[512], line[512];
	const char *root = getenv("RSP_SOURCE_ROOT");
	FILE *f;

	snprintf(template, sizeof(template), "%s/tools/nats.conf.in", root ? root : ".");
	f = fopen(template, "r");
	cr_assert(f, "%s (set RSP_SOURCE_ROOT)", template);
	while (fgets(line, sizeof(line), f)) {
		char *rest = line, *at, *end;

		while ((at = strchr(rest, '@')) && (end = strchr(at + 1, '@'))) {
			*at = *end = '\0';
			buf_str(&out, rest);
			placeholder(s, at + 1, sm_sr, &out);
			rest = end + 1;
		}
		buf_str(&out, rest);
		if (strstr(line, "users: ["))
			buf_str(&out, "{ user: \"admin\" }\n");
	}
	fclose(f);
	f = fopen(path, "w");
	cr_assert(f);
	cr_assert_eq(fwrite(out.data, 1, out.len, f), out.len);
	fclose(f);
}

void nats_server_start(struct nats_server *s, const char *sm_sr)
{
	char conf[96];
	const char *const check[] = { "nats-server", "-t", "-c", conf, NULL };
	const char *const run[] = { "nats-server", "-c", conf, NULL };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)s->port) };
	int fd;

	snprintf(conf, sizeof(conf), "%s/nats.conf", s->dir);
	config_write(s, sm_sr, conf);
	cr_assert_eq(status_of(spawn(s, check)), 0, "nats-server -t failed: see %s/log", s->dir);
	s->pid = spawn(s, run);
	for (int i = 0;; i++) {
		bool up;

		fd = socket(AF_INET, SOCK_STREAM, 0);
		up = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
		close(fd);
		if (up)
			return;
		cr_assert(i < 1000, "nats-server did not start: see %s/log", s->dir);
		nanosleep(&(struct timespec){ .tv_nsec = 25000000 }, NULL);
	}
}

void nats_server_stop(struct nats_server *s)
{
	if (!s->pid)
		return;
	kill(s->pid, SIGKILL);
	status_of(s->pid);
	s->pid = 0;
}

int nats_server_silent(const struct nats_server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)s->port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	return fd;
}

void nats_server_free(struct nats_server *s)
{
	const char *const argv[] = { "rm", "-rf", s->dir, NULL };

	nats_server_stop(s);
	status_of(spawn(s, argv));
}

struct bus_spec nats_server_spec(const struct nats_server *s, int slot, const char *cert, const char *role, const char *replica)
{
	static char files[4][3][128];

	snprintf(files[slot][0], 128, "%s/%s.pem", s->dir, cert);
	snprintf(files[slot][1], 128, "%s/%s.key", s->dir, cert);
	snprintf(files[slot][2], 128, "%s/ca.pem", s->dir);
	return (struct bus_spec){ .url = s->url, .domain = "a", .role = role, .replica = replica, .cert_file = files[slot][0],
				  .key_file = files[slot][1], .trust_file = files[slot][2] };
}

natsConnection *nats_server_connect(const struct nats_server *s, const char *cert)
{
	char file[3][128];
	natsOptions *o = NULL;
	natsConnection *nc = NULL;

	snprintf(file[0], 128, "%s/ca.pem", s->dir);
	snprintf(file[1], 128, "%s/%s.pem", s->dir, cert);
	snprintf(file[2], 128, "%s/%s.key", s->dir, cert);
	cr_assert_eq(natsOptions_Create(&o), NATS_OK);
	cr_assert_eq(natsOptions_SetURL(o, s->url), NATS_OK);
	cr_assert_eq(natsOptions_SetSecure(o, true), NATS_OK);
	cr_assert_eq(natsOptions_LoadCATrustedCertificates(o, file[0]), NATS_OK);
	cr_assert_eq(natsOptions_LoadCertificatesChain(o, file[1], file[2]), NATS_OK);
	cr_assert_eq(natsConnection_Connect(&nc, o), NATS_OK);
	natsOptions_Destroy(o);
	return nc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* rspctl smsr-change list, show, resolve, skip: what is asked of the admin socket, what is printed of its answer, and what asks for nothing. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "services/operator-gateway/rspctl/rspctl.h"

#define ID "6f1b1f3e-3f0a-4f57-9c7b-7f4f5a0c1d2e"
#define EID "89001012012341234012345678901224"

/* Answers one request, and keeps it. */
struct admin {
	char dir[32], path[64], printed[64];
	int listener;
	pthread_t thread;
	unsigned status;
	const char *answer;
	char asked[2048];
};

static struct admin *m;
static struct ctl c;
static const char *args[2];

static bool whole(const char *text)
{
	const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\ncontent-length:");

	return body && (!length || strlen(body + 4) >= strtoul(length + strlen("\r\ncontent-length:"), NULL, 10));
}

static void *serve(void *ctx)
{
	int fd = accept(m->listener, NULL, NULL);
	size_t n = 0;
	ssize_t got = 1;

	(void)ctx;
	memset(m->asked, 0, sizeof(m->asked));
	while (!whole(m->asked) && got > 0 && n < sizeof(m->asked) - 1) {
		got = read(fd, m->asked + n, sizeof(m->asked) - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	(void)dprintf(fd, "HTTP/1.1 %u X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		      m->status, strlen(m->answer), m->answer);
	close(fd);
	return NULL;
}

static void start(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	cr_redirect_stderr();
	m = calloc(1, sizeof(*m));
	strcpy(m->dir, "/tmp/rspctl-XXXXXX");
	cr_assert(mkdtemp(m->dir));
	snprintf(m->path, sizeof(m->path), "%s/admin", m->dir);
	snprintf(m->printed, sizeof(m->printed), "%s/out", m->dir);
	strcpy(at.sun_path, m->path);
	m->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(m->listener >= 0 && bind(m->listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(m->listener, 4) == 0);
	c = (struct ctl){ .arena = arena_new(), .args = args };
	c.option[OPT_ADMIN] = m->path;
}

static void stop(void)
{
	close(m->listener);
	unlink(m->path);
	unlink(m->printed);
	rmdir(m->dir);
	arena_free(c.arena);
	free(m);
}

/* Its exit code; what it printed in *out. */
static int asks(int (*command)(struct ctl *c), unsigned status, const char *answer, const char **out)
{
	char *text = arena_alloc(c.arena, 8192);
	FILE *f;
	int code;

	m->status = status;
	m->answer = answer;
	cr_assert(freopen(m->printed, "w", stdout));
	cr_assert_eq(pthread_create(&m->thread, NULL, serve, NULL), 0);
	code = command(&c);
	pthread_join(m->thread, NULL);
	(void)fflush(stdout);
	f = fopen(m->printed, "r");
	cr_assert(f);
	text[fread(text, 1, 8191, f)] = '\0';
	(void)fclose(f);
	*out = text;
	return code;
}

static bool asked(const char *line)
{
	return !strncmp(m->asked, line, strlen(line)) && m->asked[strlen(line)] == ' ';
}

static const char *asked_body(void)
{
	return strstr(m->asked, "\r\n\r\n") + 4;
}

TestSuite(rspctl_handover, .init = start, .fini = stop, .timeout = 60);

Test(rspctl_handover, list)
{
	const char *out;

	c.option[OPT_SIDE] = "out";
	c.option[OPT_STAGE] = "doubt";
	c.option[OPT_EID] = EID;
	cr_expect_eq(asks(cmd_smsr_change_list, 200,
			  "[{\"id\":\"" ID "\",\"side\":\"out\",\"eid\":\"" EID
			  "\",\"peer\":\"1.2.3\",\"stage\":\"doubt\",\"since\":\"now\",\"deadline\":\"soon\",\"outcome\":\"\","
			  "\"code\":\"\"}]",
			  &out),
		     EXIT_OK);
	cr_expect(asked("GET /admin/handovers?eid=" EID "&side=out&stage=doubt"), "%s", m->asked);
	cr_expect(strstr(out, "OTHER SM-SR") && strstr(out, ID) && strstr(out, EID) && strstr(out, "doubt"), "%s", out);
	cr_expect_eq(
		asks(cmd_smsr_change_list, 400, "{\"error\":{\"code\":\"bad_request\",\"message\":\"side: in or out\"}}", &out),
		EXIT_REFUSED);
	cr_expect_str_eq(out, "");
}

Test(rspctl_handover, show)
{
	static const char answer[] =
		"{\"id\":\"" ID "\",\"side\":\"in\",\"eid\":\"" EID "\",\"stage\":\"auditing\",\"code\":\"8.4/4.2\",\"stages\":["
		"{\"stage\":\"keying\",\"step\":2,\"at\":\"then\",\"note\":\"\"},"
		"{\"stage\":\"auditing\",\"step\":7,\"at\":\"now\",\"note\":\"silent\"}]}";
	const char *out, *keying;

	args[0] = ID;
	c.n_args = 1;
	cr_expect_eq(asks(cmd_smsr_change_show, 200, answer, &out), EXIT_OK);
	cr_expect(asked("GET /admin/handovers/show?id=" ID), "%s", m->asked);
	keying = strstr(out, "keying");
	cr_expect(strstr(out, "8.4/4.2") && keying && strstr(keying, "silent"), "%s", out);
	c.json = true;
	cr_expect_eq(asks(cmd_smsr_change_show, 200, answer, &out), EXIT_OK);
	cr_expect(strstr(out, "\"stages\""), "%s", out);
	cr_expect_eq(asks(cmd_smsr_change_show, 404, "{\"error\":{\"code\":\"not_found\",\"message\":\"no\"}}", &out),
		     EXIT_NOT_FOUND);
}

Test(rspctl_handover, resolve)
{
	const char *out;

	args[0] = ID;
	args[1] = "lost";
	c.n_args = 2;
	c.option[OPT_YES] = "yes";
	cr_expect_eq(cmd_smsr_change_resolve(&c), EXIT_USAGE, "neither moved nor kept: nobody is asked");
	args[1] = "kept";
	c.option[OPT_YES] = NULL;
	cr_expect_eq(cmd_smsr_change_resolve(&c), EXIT_USAGE, "a person has to say so");
	c.option[OPT_YES] = "yes";
	for (int moved = 0; moved < 2; moved++) {
		args[1] = moved ? "moved" : "kept";
		cr_expect_eq(
			asks(cmd_smsr_change_resolve, 200, "{\"id\":\"" ID "\",\"eid\":\"" EID "\",\"stage\":\"dropping\"}", &out),
			EXIT_OK);
		cr_expect(asked("POST /admin/handovers/resolve"), "%s", m->asked);
		cr_expect(strstr(asked_body(), "\"handover\":\"" ID "\"") &&
				  strstr(asked_body(), moved ? "\"moved\":true" : "\"moved\":false") &&
				  strstr(asked_body(), "\"by\":\""),
			  "%s", asked_body());
		cr_expect_str_eq(out, "card " EID ": dropping\n");
	}
	cr_expect_eq(
		asks(cmd_smsr_change_resolve, 409, "{\"error\":{\"code\":\"not_in_doubt\",\"message\":\"it has ended\"}}", &out),
		EXIT_REFUSED);
	cr_expect_str_eq(out, "");
}

Test(rspctl_handover, skip)
{
	const char *out;

	args[0] = ID;
	c.n_args = 1;
	cr_expect_eq(cmd_smsr_change_skip(&c), EXIT_USAGE, "a person has to say so");
	c.option[OPT_YES] = "yes";
	cr_expect_eq(asks(cmd_smsr_change_skip, 200,
			  "{\"id\":\"" ID "\",\"eid\":\"" EID "\",\"skipped\":\"finalising\",\"stage\":\"auditing\"}", &out),
		     EXIT_OK);
	cr_expect(asked("POST /admin/handovers/skip"), "%s", m->asked);
	cr_expect(strstr(asked_body(), "\"handover\":\"" ID "\"") && strstr(asked_body(), "\"by\":\""), "%s", asked_body());
	cr_expect_str_eq(out, "card " EID ": finalising left out, auditing\n");
}

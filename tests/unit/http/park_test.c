/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/http/server.h"
#include "tests/unit/http/raw.h"

enum { SLOTS = 16 };

/* Parked calls by number (the path is /3), as rpc keeps them: hooks and resumers meet under one lock. */
struct fixture {
	struct http_server *server;
	pthread_mutex_t lock;
	struct http_call *parked[SLOTS];
	atomic_int gone, expired, handled;
	bool early, answer_expired;
	int park_ms;
};

struct slot {
	struct fixture *f;
	int number;
};
static struct slot slots[SLOTS];

static void on_gone(void *user)
{
	struct slot *slot = user;

	pthread_mutex_lock(&slot->f->lock);
	slot->f->parked[slot->number] = NULL;
	pthread_mutex_unlock(&slot->f->lock);
	slot->f->gone++;
}

static void on_expired(void *user, struct http_call *c)
{
	struct slot *slot = user;

	slot->f->expired++;
	pthread_mutex_lock(&slot->f->lock);
	slot->f->parked[slot->number] = NULL;
	pthread_mutex_unlock(&slot->f->lock);
	if (slot->f->answer_expired)
		cr_expect(http_resume(c, 200, "text/plain", "expired", 7));
}

static void handle(void *ctx, struct http_call *c)
{
	static const struct http_parked_hooks hooks = { on_expired, on_gone };
	struct fixture *f = ctx;
	int number = http_path(c)[1] - 'a';

	f->handled++;
	if (f->early)
		cr_expect(http_resume(c, 200, "text/plain", "early", 5));
	slots[number] = (struct slot){ f, number };
	pthread_mutex_lock(&f->lock);
	http_park(c, clock_ms() + f->park_ms, &hooks, &slots[number]);
	f->parked[number] = c;
	pthread_mutex_unlock(&f->lock);
}

static void start(struct fixture *f, int park_ms)
{
	struct http_spec spec = { .name = "park",
				  .bind_address = "127.0.0.1",
				  .threads = 2,
				  .connections = 50,
				  .max_body = 1000,
				  .request_s = 1,
				  .idle_s = 1,
				  .ctx = f,
				  .handlers.handle = handle };
	char error[256];

	f->park_ms = park_ms;
	pthread_mutex_init(&f->lock, NULL);
	f->server = http_server_open(&spec, error);
	cr_assert(f->server, "%s", error);
}

static int post(struct fixture *f, char name)
{
	int fd = raw_connect(http_server_port(f->server));
	char text[128];

	snprintf(text, sizeof(text), "POST /%c HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", name);
	raw_send(fd, text);
	return fd;
}

static void wait_parked(struct fixture *f, unsigned n)
{
	for (int i = 0; i < 500 && http_parked(f->server) != n; i++)
		sleep_ms(10);
	cr_assert_eq(http_parked(f->server), n);
}

static bool resume(struct fixture *f, char name, const char *body)
{
	bool done = false;

	pthread_mutex_lock(&f->lock);
	if (f->parked[name - 'a'])
		done = http_resume(f->parked[name - 'a'], 200, "text/plain", body, strlen(body));
	f->parked[name - 'a'] = NULL;
	pthread_mutex_unlock(&f->lock);
	return done;
}

static void expect_answer(int fd, const char *status, const char *body)
{
	char out[1024];

	raw_read_until(fd, body[0] ? body : "\r\n\r\n", out, sizeof(out), 5000);
	cr_expect(strstr(out, status), "%s: %s", status, out);
	cr_expect(strstr(out, body), "%s: %s", body, out);
}

Test(http_park, another_thread_answers)
{
	struct fixture f = { 0 };
	int fd, other;

	start(&f, 60000);
	fd = post(&f, 'a');
	other = post(&f, 'b');
	wait_parked(&f, 2);
	sleep_ms(2300); /* longer than idle_s and request_s: a parked call is not cut */
	cr_expect(resume(&f, 'a', "here"));
	expect_answer(fd, "200 OK", "here");
	cr_expect_eq(http_parked(f.server), 1);
	cr_expect(resume(&f, 'b', "there"));
	expect_answer(other, "200 OK", "there");
	/* The connection goes on: park again on it. */
	raw_send(fd, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
	wait_parked(&f, 1);
	cr_expect(resume(&f, 'a', "again"));
	expect_answer(fd, "200 OK", "again");
	cr_expect_eq(f.gone, 0);
	close(fd);
	close(other);
	http_server_close(f.server, 1);
}

Test(http_park, answer_may_come_before_the_park)
{
	struct fixture f = { .early = true };
	int fd;

	start(&f, 60000);
	fd = post(&f, 'a');
	expect_answer(fd, "200 OK", "early");
	cr_expect_eq(http_parked(f.server), 0);
	cr_expect_eq(f.gone, 0);
	close(fd);
	http_server_close(f.server, 1);
}

Test(http_park, deadline)
{
	struct fixture f = { .answer_expired = true };
	int64_t from = clock_ms();
	int fd, other;

	start(&f, 300);
	fd = post(&f, 'a');
	wait_parked(&f, 1);
	wait_parked(&f, 0);
	cr_expect(clock_ms() - from >= 290 && clock_ms() - from < 3000, "%ld", (long)(clock_ms() - from));
	expect_answer(fd, "200 OK", "expired");
	cr_expect_eq(f.expired, 1);
	cr_expect_eq(f.gone, 0);
	/* A parker that does not answer then: the caller gets 503 all the same. */
	f.answer_expired = false;
	other = post(&f, 'b');
	wait_parked(&f, 1);
	wait_parked(&f, 0);
	expect_answer(other, "503", "");
	cr_expect_eq(f.expired, 2);
	cr_expect_eq(f.gone, 1);
	close(fd);
	close(other);
	http_server_close(f.server, 1);
}

Test(http_park, caller_hangs_up)
{
	struct fixture f = { 0 };
	int fd[3], peer;

	start(&f, 60000);
	for (int i = 0; i < 3; i++)
		fd[i] = post(&f, (char)('a' + i));
	wait_parked(&f, 3);
	close(fd[0]);
	wait_parked(&f, 2);
	cr_expect_eq(f.gone, 1);
	cr_expect_not(resume(&f, 'a', "too late"));
	shutdown(fd[1], SHUT_WR);
	wait_parked(&f, 1);
	cr_expect_eq(f.gone, 2);
	cr_expect(resume(&f, 'c', "still here"));
	expect_answer(fd[2], "200 OK", "still here");
	/* Hangs up in the moment after the answer: nobody is told. */
	peer = post(&f, 'd');
	wait_parked(&f, 1);
	cr_expect(resume(&f, 'd', "x"));
	close(peer);
	sleep_ms(50);
	cr_expect_eq(f.gone, 2);
	close(fd[1]);
	close(fd[2]);
	http_server_close(f.server, 1);
}

Test(http_park, close_answers_the_parked)
{
	struct fixture f = { 0 };
	int fd[3];
	int64_t from;

	start(&f, 60000);
	for (int i = 0; i < 3; i++)
		fd[i] = post(&f, (char)('a' + i));
	wait_parked(&f, 3);
	from = clock_ms();
	http_server_close(f.server, 1);
	cr_expect_geq(clock_ms() - from, 900, "parked calls have the grace too");
	for (int i = 0; i < 3; i++) {
		expect_answer(fd[i], "503", "Connection: close");
		close(fd[i]);
	}
	cr_expect_eq(f.gone, 3);
}

static void *close_thread(void *arg)
{
	http_server_close(arg, 30);
	return NULL;
}

Test(http_park, an_answer_in_the_grace_reaches_its_caller)
{
	struct fixture f = { 0 };
	int64_t from = clock_ms();
	pthread_t closing;
	int fd;

	start(&f, 60000);
	fd = post(&f, 'a');
	wait_parked(&f, 1);
	cr_assert_eq(pthread_create(&closing, NULL, close_thread, f.server), 0);
	sleep_ms(100);
	cr_expect(resume(&f, 'a', "in time"));
	expect_answer(fd, "200 OK", "in time");
	pthread_join(closing, NULL);
	cr_expect_lt(clock_ms() - from, 20000, "nobody is waited for any longer");
	cr_expect_eq(f.gone, 0);
	close(fd);
}

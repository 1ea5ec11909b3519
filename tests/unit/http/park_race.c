/* SPDX-License-Identifier: Apache-2.0 */
/* Park, resume, hang-up, deadline and close against each other, for the thread and address sanitizers: a wrong order shows there
 * or as a wrong count. Each parked call must end exactly once: by a resume, by expired() or by gone(). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/http/server.h"
#include "tests/unit/http/raw.h"

enum { SLOTS = 64, CALLERS = 4, RUN_MS = 4000 };

struct slot {
	struct http_call *call; /* under lock */
	bool used;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[SLOTS];
static struct http_server *server;
static uint16_t port;
static atomic_int parked, resumed, expired, gone, unslotted, answers;
static atomic_bool stop, closing;

static void release(struct slot *slot)
{
	pthread_mutex_lock(&lock);
	slot->call = NULL;
	slot->used = false;
	pthread_mutex_unlock(&lock);
}

static void on_gone(void *user)
{
	gone++;
	release(user);
}

static void on_expired(void *user, struct http_call *c)
{
	release(user);
	if (http_resume(c, 200, "text/plain", "expired", 7))
		expired++;
}

static struct slot *slot_take(void)
{
	for (int i = 0; i < SLOTS; i++) {
		if (slots[i].used)
			continue;
		slots[i].used = true;
		return &slots[i];
	}
	return NULL;
}

static void handle(void *ctx, struct http_call *c)
{
	static const struct http_parked_hooks hooks = { on_expired, on_gone };
	unsigned seed = (unsigned)clock_us();
	int64_t deadline = clock_ms() + rand_r(&seed) % 20;
	struct slot *slot;

	pthread_mutex_lock(&lock);
	slot = slot_take();
	if (slot)
		slot->call = c; /* from here on a resumer may come first */
	pthread_mutex_unlock(&lock);
	if (!slot) {
		unslotted++;
		http_reply(c, 200, NULL, NULL, 0);
		return;
	}
	parked++;
	http_park(c, deadline, &hooks, slot);
}

static void *resumer(void *arg)
{
	unsigned seed = 1;

	while (!stop) {
		struct slot *slot = &slots[rand_r(&seed) % SLOTS];

		pthread_mutex_lock(&lock);
		if (slot->call && http_resume(slot->call, 200, "text/plain", "resumed", 7)) {
			resumed++;
			slot->call = NULL;
			slot->used = false;
		}
		pthread_mutex_unlock(&lock);
		if (rand_r(&seed) % 8 == 0)
			usleep(100);
	}
	return NULL;
}

static void *caller(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	char out[512];

	while (!closing) {
		int fd = raw_connect(port);

		for (int i = 0; fd >= 0 && i < 5; i++) {
			raw_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
			if (rand_r(&seed) % 3 == 0)
				break; /* hang up while it is parked, or nearly */
			raw_read_all(fd, out, sizeof(out), rand_r(&seed) % 10 + 1);
			if (strstr(out, " 200 "))
				answers++;
		}
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

int main(void)
{
	struct http_spec spec = { .name = "race",
				  .bind_address = "127.0.0.1",
				  .threads = 3,
				  .connections = 100,
				  .max_body = 100,
				  .handlers.handle = handle };
	pthread_t callers[CALLERS], resumers[2];
	char error[256];
	int ended;

	server = http_server_open(&spec, error);
	if (!server) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	port = http_server_port(server); /* callers may still try when the server has been freed */
	for (int i = 0; i < 2; i++)
		pthread_create(&resumers[i], NULL, resumer, NULL);
	for (int i = 0; i < CALLERS; i++)
		pthread_create(&callers[i], NULL, caller, (void *)(uintptr_t)(i + 1));
	sleep_ms(RUN_MS);
	http_server_quiesce(server);
	closing = true;
	http_server_close(server, 1); /* while callers and resumers go on */
	stop = true;
	for (int i = 0; i < CALLERS; i++)
		pthread_join(callers[i], NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(resumers[i], NULL);
	ended = resumed + expired + gone;
	printf("parked %d resumed %d expired %d gone %d unslotted %d answers %d\n", parked, resumed, expired, gone, unslotted,
	       answers);
	return parked > 100 && resumed > 10 && expired > 10 && gone > 10 && ended == parked ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http/raw.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"

int raw_connect(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

void raw_send(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

int64_t raw_read_all(int fd, char *out, size_t size, int ms)
{
	return raw_read_until(fd, NULL, out, size, ms);
}

int64_t raw_read_until(int fd, const char *needle, char *out, size_t size, int ms)
{
	int64_t start = clock_ms();
	size_t at = 0;

	out[0] = 0;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = start + ms - clock_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return -1;
		n = recv(fd, out + at, size - 1 - at, 0);
		if (n <= 0)
			return clock_ms() - start;
		at += (size_t)n;
		out[at] = 0;
		if (needle && strstr(out, needle))
			return clock_ms() - start;
	}
}

int64_t raw_drip(int fd, const char *piece, int limit_ms)
{
	int64_t start = clock_ms();
	char out[512];

	while (clock_ms() - start < limit_ms) {
		raw_send(fd, piece);
		if (raw_read_all(fd, out, sizeof(out), 100) >= 0)
			return clock_ms() - start;
	}
	return -1;
}

void sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

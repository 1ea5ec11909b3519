/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/hex.h"
#include "common/base/random.h"
#include "common/card/scp80.h"

static const size_t lengths[] = { 0, 1, 2, 3, 15, 16, 17, 31, 100, 255, 256, 1000, 5000 };
static const uint8_t isd_r[SCP80_TAR] = { 0x00, 0x00, 0x01 };

/* scp80_peer.py, which computes the same packets with another library. */
struct peer {
	pid_t pid;
	FILE *to, *from;
};

static struct peer peer_start(void)
{
	const char *root = getenv("RSP_SOURCE_ROOT");
	char path[4096], *argv[] = { path, NULL };
	posix_spawn_file_actions_t actions;
	struct peer p;
	int fds[2];

	cr_assert_not_null(root);
	snprintf(path, sizeof(path), "%s/tests/unit/card/scp80_peer.py", root);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 0);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	cr_assert_eq(posix_spawn(&p.pid, path, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	p.to = fdopen(fds[0], "w");
	p.from = fdopen(dup(fds[0]), "r");
	cr_assert(p.to && p.from);
	return p;
}

static void peer_stop(struct peer *p)
{
	int status;

	shutdown(fileno(p->to), SHUT_WR);
	fclose(p->to);
	fclose(p->from);
	cr_assert_eq(waitpid(p->pid, &status, 0), p->pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const char *hex(struct arena *a, const void *data, size_t n)
{
	return n ? hex_text(a, data, n) : "-";
}

/* The answer to one line. */
static const char *ask(struct arena *a, struct peer *p, const char *request)
{
	char *line = NULL, *copy;
	size_t size = 0;

	fprintf(p->to, "%s\n", request);
	fflush(p->to);
	cr_assert(getline(&line, &size, p->from) > 0, "the peer died: is python3-cryptography installed?");
	line[strcspn(line, "\n")] = 0;
	copy = arena_strdup(a, line);
	free(line);
	return copy;
}

struct key_set {
	uint8_t kic[AES_KEY], kid[AES_KEY];
	struct scp80_keys keys;
};

static void keys_make(struct key_set *k)
{
	random_bytes(k->kic, AES_KEY);
	random_bytes(k->kid, AES_KEY);
	k->keys = (struct scp80_keys){ .kvn = 1, .kic = k->kic, .kid = k->kid };
}

static struct bytes some_data(struct arena *a, size_t n)
{
	uint8_t *data = arena_alloc(a, n);

	random_bytes(data, n);
	return (struct bytes){ data, n };
}

static const char *counter_text(struct arena *a, uint64_t counter)
{
	return arena_printf(a, "%010llX", (unsigned long long)counter);
}

static struct bytes built(struct arena *a, const struct key_set *k, const struct scp80_command *c)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	cr_assert(scp80_command_build(&k->keys, c, &b));
	return (struct bytes){ arena_memdup(a, b.data, b.len), b.len };
}

static struct bytes por_built(struct arena *a, const struct key_set *k, uint8_t spi2, const struct scp80_por *por)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	cr_assert(scp80_por_build(&k->keys, spi2, por, &b));
	return (struct bytes){ arena_memdup(a, b.data, b.len), b.len };
}

static void command_both_ways(struct peer *p, const struct key_set *k, uint8_t spi1, uint8_t spi2, size_t n)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp80_command c = {
		.spi1 = spi1, .spi2 = spi2, .tar = { 0x00, 0x00, 0x01 }, .counter = 0x0102030405, .data = some_data(a, n)
	};
	const char *kic = hex(a, k->kic, AES_KEY), *kid = hex(a, k->kid, AES_KEY), *data = hex(a, c.data.data, n);
	struct bytes packet = built(a, k, &c);
	struct scp80_command out = { 0 };
	char *request;

	request = arena_printf(a, "command %s %s 01 %02X%02X 000001 %s %s", kic, kid, spi1, spi2, counter_text(a, c.counter), data);
	cr_assert_str_eq(hex(a, packet.data, packet.len), ask(a, p, request));
	request = arena_printf(a, "open-command %s %s %s", kic, kid, hex(a, packet.data, packet.len));
	cr_assert_str_eq(ask(a, p, request),
			 arena_printf(a, "%02X%02X 000001 %s %s", spi1, spi2, counter_text(a, c.counter), data));
	cr_assert(scp80_command_peek(packet, &out));
	cr_assert_eq(out.kid, 0x12);
	cr_assert_eq(out.kic, spi1 & 4 ? 0x12 : 0x10);
	cr_assert_eq(scp80_command_open(a, &k->keys, packet, &out), SCP80_GOOD);
	cr_assert_eq(out.counter, c.counter);
	cr_assert_eq(out.spi1, spi1);
	cr_assert_eq(out.spi2, spi2);
	cr_assert_arr_eq(out.tar, c.tar, SCP80_TAR);
	cr_assert_eq(out.data.len, n);
	cr_assert_arr_eq(out.data.data, c.data.data, n);
}

Test(scp80, commands_are_those_of_the_other_implementation)
{
	static const uint8_t spis[][2] = { { 0x16, 0x39 }, { 0x16, 0x21 }, { 0x16, 0x01 }, { 0x02, 0x00 }, { 0x12, 0x39 } };
	struct peer p = peer_start();
	struct key_set k;

	keys_make(&k);
	for (size_t s = 0; s < LEN(spis); s++)
		for (size_t i = 0; i < LEN(lengths); i++)
			command_both_ways(&p, &k, spis[s][0], spis[s][1], lengths[i]);
	peer_stop(&p);
}

static void por_both_ways(struct peer *p, const struct key_set *k, uint8_t spi2, uint8_t status, size_t n)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp80_por por = { .tar = { 0xB2, 0x01, 0x00 },
				 .counter = SCP80_COUNTER_MAX,
				 .status = status,
				 .data = some_data(a, n) },
			 out;
	const char *kic = hex(a, k->kic, AES_KEY), *kid = hex(a, k->kid, AES_KEY), *data = hex(a, por.data.data, n);
	struct bytes packet = por_built(a, k, spi2, &por);
	char *request;

	request = arena_printf(a, "por %s %s %02X B20100 FFFFFFFFFF %02X %s", kic, kid, spi2, status, data);
	cr_assert_str_eq(hex(a, packet.data, packet.len), ask(a, p, request));
	request = arena_printf(a, "open-por %s %s %02X %s", kic, kid, spi2, hex(a, packet.data, packet.len));
	cr_assert_str_eq(ask(a, p, request), arena_printf(a, "B20100 FFFFFFFFFF %02X %s", status, data));
	cr_assert_eq(scp80_por_open(a, &k->keys, spi2, packet, &out), SCP80_GOOD);
	cr_assert_eq(out.counter, por.counter);
	cr_assert_eq(out.status, status);
	cr_assert_eq(out.is_protected, (spi2 & 0x0C) == 8);
	cr_assert_arr_eq(out.tar, por.tar, SCP80_TAR);
	cr_assert_eq(out.data.len, n);
	cr_assert_arr_eq(out.data.data, por.data.data, n);
}

Test(scp80, pors_are_those_of_the_other_implementation)
{
	static const uint8_t spi2s[] = { 0x39, 0x21, 0x01, 0x29 };
	struct peer p = peer_start();
	struct key_set k;

	keys_make(&k);
	for (size_t s = 0; s < LEN(spi2s); s++)
		for (size_t i = 0; i < LEN(lengths); i++)
			por_both_ways(&p, &k, spi2s[s], (uint8_t)(i % 0x0D), lengths[i]);
	peer_stop(&p);
}

/* No bit may be wrong and nothing may be missing; what was out stays. */
static void nothing_else_opens(const struct key_set *k, struct bytes packet, bool is_por)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp80_command c, c_before;
	struct scp80_por por, por_before;

	memset(&c, 0x5A, sizeof(c));
	memset(&por, 0x5A, sizeof(por));
	memcpy(&c_before, &c, sizeof(c));
	memcpy(&por_before, &por, sizeof(por));
	for (size_t bit = 0; bit < packet.len * 8; bit++) {
		uint8_t *changed = arena_memdup(a, packet.data, packet.len);
		struct bytes in = { changed, packet.len };

		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (is_por)
			cr_assert_neq(scp80_por_open(a, &k->keys, 0x39, in, &por), SCP80_GOOD, "bit %zu", bit);
		else
			cr_assert_neq(scp80_command_open(a, &k->keys, in, &c), SCP80_GOOD, "bit %zu", bit);
	}
	for (size_t n = 0; n < packet.len; n++) {
		struct bytes in = { n ? arena_memdup(a, packet.data, n) : NULL, n };

		if (is_por)
			cr_assert_eq(scp80_por_open(a, &k->keys, 0x39, in, &por), SCP80_MALFORMED);
		else
			cr_assert_eq(scp80_command_open(a, &k->keys, in, &c), SCP80_MALFORMED);
	}
	cr_assert_eq(memcmp(&c, &c_before, sizeof(c)), 0);
	cr_assert_eq(memcmp(&por, &por_before, sizeof(por)), 0);
}

Test(scp80, every_changed_bit_and_every_cut_is_refused)
{
	static const uint8_t spi1s[] = { 0x16, 0x02 };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp80_por por = { .tar = { 0, 0, 1 }, .counter = 7, .data = some_data(a, 20) };
	struct key_set k;

	keys_make(&k);
	for (size_t i = 0; i < LEN(spi1s); i++) {
		struct scp80_command c = {
			.spi1 = spi1s[i], .spi2 = 0x39, .tar = { 0, 0, 1 }, .counter = 7, .data = some_data(a, 20)
		};

		nothing_else_opens(&k, built(a, &k, &c), false);
	}
	nothing_else_opens(&k, por_built(a, &k, 0x39, &por), true);
}

Test(scp80, another_key_is_a_bad_cc)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp80_command c = { .spi1 = 0x16, .spi2 = 0x39, .tar = { 0, 0, 1 }, .counter = 7, .data = some_data(a, 20) };
	struct scp80_por por = { .tar = { 0, 0, 1 }, .counter = 7, .data = c.data };
	struct bytes command, answer;
	struct key_set k, other;

	keys_make(&k);
	keys_make(&other);
	command = built(a, &k, &c);
	answer = por_built(a, &k, 0x39, &por);
	for (int i = 0; i < 3; i++) {
		struct scp80_keys mixed = { .kvn = 1, .kic = i == 1 ? k.kic : other.kic, .kid = i == 2 ? k.kid : other.kid };

		cr_assert_eq(scp80_command_open(a, &mixed, command, &c), SCP80_BAD_CC);
		cr_assert_eq(scp80_por_open(a, &mixed, 0x39, answer, &por), SCP80_BAD_CC);
	}
}

Test(scp80, an_error_may_come_unprotected)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp80_por por = { .tar = { 0, 0, 1 }, .counter = 7, .status = POR_COUNTER_LOW }, out;
	struct key_set k;

	keys_make(&k);
	cr_assert_eq(scp80_por_open(a, &k.keys, 0x39, por_built(a, &k, SPI_POR_PLAIN, &por), &out), SCP80_GOOD);
	cr_assert_not(out.is_protected);
	cr_assert_eq(out.status, POR_COUNTER_LOW);
	cr_assert_eq(out.counter, 7);
	/* but not the other way round: who asked for a plain one does not accept what it cannot check */
	cr_assert_eq(scp80_por_open(a, &k.keys, 0x21, por_built(a, &k, 0x39, &por), &out), SCP80_MALFORMED);
}

static void cannot_build(const struct key_set *k, struct scp80_command c)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	cr_assert_not(scp80_command_build(&k->keys, &c, &b));
	cr_assert_eq(b.len, 0);
}

Test(scp80, what_cannot_be_is_not_built)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct scp80_command c = { .spi1 = 0x16, .spi2 = 0x39, .counter = 1, .data = some_data(a, 10) };
	struct scp80_por por = { .counter = SCP80_COUNTER_MAX + 1 };
	struct key_set k;

	keys_make(&k);
	cannot_build(&k, (struct scp80_command){ .spi1 = 0x16, .counter = SCP80_COUNTER_MAX + 1 });
	cannot_build(&k, (struct scp80_command){ .spi1 = 0x16, .data = { c.data.data, 0x10000 } });
	cannot_build(&k, (struct scp80_command){ .spi1 = 0x16, .data = some_data(a, 0xFFFF - 20) });
	cannot_build(&k, (struct scp80_command){ .spi1 = 0x14 }); /* no CC */
	cannot_build(&k, (struct scp80_command){ .spi1 = 0x11 }); /* redundancy check */
	cr_assert_not(scp80_por_build(&k.keys, 0x39, &por, &b));
	por.counter = 0;
	cr_assert_not(scp80_por_build(&k.keys, 0x31, &por, &b), "ciphered without a CC");
	k.keys.kvn = 0x10;
	cannot_build(&k, c);
	k.keys.kvn = 0;
	cannot_build(&k, c);
	k.keys = (struct scp80_keys){ .kvn = 1, .kid = k.kid };
	cannot_build(&k, c);
	c.spi1 = 0x02;
	cr_assert(scp80_command_build(&k.keys, &c, &b), "needs no KIc");
}

Test(scp80, noise_neither_opens_nor_crashes)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp80_command c = { .spi1 = 0x16, .spi2 = 0x39, .tar = { 0, 0, 1 }, .counter = 7, .data = some_data(a, 33) };
	struct scp80_por por = { .counter = 7, .data = c.data };
	struct bytes seeds[2];
	struct key_set k;
	unsigned seed = 80;

	keys_make(&k);
	seeds[0] = built(a, &k, &c);
	seeds[1] = por_built(a, &k, 0x39, &por);
	for (int i = 0; i < 20000; i++) {
		CLEANUP(arena_freep) struct arena *job = arena_new();
		struct bytes from = seeds[i % 2], in;
		uint8_t *changed = malloc(from.len);

		memcpy(changed, from.data, from.len);
		for (int j = rand_r(&seed) % 8; j >= 0; j--)
			changed[(size_t)rand_r(&seed) % (j ? from.len : 12)] = (uint8_t)rand_r(&seed);
		in = (struct bytes){ changed, from.len - (size_t)(rand_r(&seed) % 4 ? 0 : rand_r(&seed) % (int)from.len) };
		if (rand_r(&seed) % 2 && in.len > 2) {
			changed[0] = (uint8_t)((in.len - 2) >> 8);
			changed[1] = (uint8_t)(in.len - 2);
		}
		scp80_command_open(job, &k.keys, in, &c);
		scp80_por_open(job, &k.keys, (uint8_t)rand_r(&seed), in, &por);
		free(changed);
	}
}

Test(scp80, notifications_have_the_known_layout)
{
	static const uint8_t begin[] = { 0x00, 0x18, 0x15, 0x02, 0x00, 0x10, 0x12, 0x00, 0x00, 0x01, 0, 0, 0, 0, 0, 0 };
	static const uint8_t content[] = { 0xE1, 0x00 };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct scp80_command c = { .spi1 = SPI_CC_ONLY, .spi2 = SPI_POR_NONE, .data = { content, sizeof(content) } };
	struct bytes packet;
	struct key_set k;

	keys_make(&k);
	memcpy(c.tar, isd_r, SCP80_TAR);
	packet = built(a, &k, &c);
	cr_assert_eq(packet.len, sizeof(begin) + SCP80_CC + sizeof(content));
	cr_assert_arr_eq(packet.data, begin, sizeof(begin));
	cr_assert_arr_eq(packet.data + sizeof(begin) + SCP80_CC, content, sizeof(content));
}

Test(scp80, each_status_has_a_text)
{
	cr_assert_str_eq(por_status_text(POR_OK), "PoR OK");
	for (unsigned s = 0; s <= 0x0C; s++)
		cr_assert(strcmp(por_status_text((uint8_t)s), "unknown status"));
	cr_assert_str_eq(por_status_text(0x0D), "unknown status");
	cr_assert_str_eq(por_status_text(0xFF), "unknown status");
}

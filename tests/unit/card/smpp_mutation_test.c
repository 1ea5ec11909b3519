/* SPDX-License-Identifier: Apache-2.0 */
/* 50,000 changed PDUs: the sanitizers say what they broke. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/card/known.h"
#include "tests/unit/card/smpp_pair.h"

enum { ROUNDS = 50000, SEEDS = 9, PDU_MAX = 600 };

struct seed {
	uint8_t bytes[PDU_MAX];
	size_t n;
};

static void seed_put(struct seed *s, uint32_t command, const void *body, size_t n)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	raw_pdu(&b, command, 0, 2, body, n);
	cr_assert(b.len <= PDU_MAX);
	memcpy(s->bytes, b.data, b.len);
	s->n = b.len;
}

static void seeds_make(struct seed seeds[SEEDS])
{
	CLEANUP(buf_free) struct buf tlvs = { 0 }, body = { 0 };
	uint8_t payload[200] = { 0 };

	raw_tlv(&tlvs, 0x001E, "1234", 5);
	raw_tlv(&tlvs, 0x0427, "\2", 1);
	raw_tlv(&tlvs, 0x0424, payload, sizeof(payload));
	raw_tlv(&tlvs, 0x1400, "v", 1);
	raw_message(&body, 4, (struct bytes){ (const uint8_t *)"id:1 stat:EXPIRED", 17 },
		    (struct bytes){ (const uint8_t *)tlvs.data, tlvs.len });
	seed_put(&seeds[0], 5, body.data, body.len);
	seed_put(&seeds[1], 4, body.data, body.len);
	seed_put(&seeds[2], 0x80000004, "1234567890", 11);
	seed_put(&seeds[3], 0x80000005, "", 1);
	seed_put(&seeds[4], 9, "id\0pw\0type\0\x34\0\0", 15);
	seed_put(&seeds[5], 0x80000009, "smsc\0\x02\x10\0\1\x34", 10);
	seed_put(&seeds[6], 0x15, NULL, 0);
	seed_put(&seeds[7], 0x80000000, NULL, 0);
	seed_put(&seeds[8], 0x103, "xyz", 3);
}

/* Mostly with its right length, so that the body is what is wrong. */
static size_t changed(const struct seed *from, unsigned *random, uint8_t *out)
{
	size_t n = from->n;

	memcpy(out, from->bytes, n);
	for (int i = rand_r(random) % 6; i > 0; i--)
		out[(size_t)rand_r(random) % n] = (uint8_t)rand_r(random);
	if (rand_r(random) % 4 == 0)
		n = 16 + (size_t)rand_r(random) % (from->n - 15);
	if (rand_r(random) % 16) {
		out[0] = out[1] = 0;
		out[2] = (uint8_t)(n >> 8);
		out[3] = (uint8_t)n;
		memcpy(out + 4, from->bytes + 4, 4);
	}
	return n < from->n ? n : from->n;
}

static void drain(int fd)
{
	uint8_t away[4096];

	while (recv(fd, away, sizeof(away), MSG_DONTWAIT) > 0)
		;
}

static int fresh(struct owner *o, enum smpp_side side)
{
	struct smpp_spec spec = spec_of(side, o, 0, 0);
	CLEANUP(buf_free) struct buf b = { 0 };
	int fd;

	*o = (struct owner){ 0 };
	fd = raw_open(o, &spec);
	if (side == SMPP_ESME) {
		raw_accept(o, fd);
	} else {
		raw_pdu(&b, 9, 0, 1, "id\0pw\0\0\x34\0\0", 11);
		raw_write(fd, &b);
		pump(o, NULL);
		cr_assert(smpp_is_bound(o->s));
	}
	return fd;
}

static void send_all(enum smpp_side side, unsigned random)
{
	static const struct smpp_message m = { .source = "1", .destination = "2" };
	struct seed seeds[SEEDS];
	struct owner o;
	int fd = fresh(&o, side), messages = 0, ends = 0, rounds = ROUNDS / (int)depth_divisor();

	seeds_make(seeds);
	for (int i = 0; i < rounds / 2; i++) {
		uint8_t bytes[PDU_MAX];
		size_t n = changed(&seeds[rand_r(&random) % SEEDS], &random, bytes);

		if (smpp_room(o.s) > 0)
			cr_assert(smpp_send(o.s, &m, (uint64_t)i));
		cr_assert_eq(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
		pump(&o, NULL);
		drain(fd);
		cr_assert(o.ended <= 1);
		if (o.ended || smpp_timeout_ms(o.s) < 0 || i % 500 == 499) {
			messages += o.messages;
			ends += o.ended;
			smpp_close(o.s);
			close(fd);
			fd = fresh(&o, side);
		}
	}
	cr_assert(messages > rounds / 100, "%d messages were still readable", messages);
	cr_assert(ends > 10);
	smpp_close(o.s);
	close(fd);
}

Test(smpp_mutation, changed_pdus_break_nothing)
{
	send_all(SMPP_ESME, 34);
	send_all(SMPP_SMSC, 35);
}

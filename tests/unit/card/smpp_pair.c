/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/card/smpp_pair.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/clock.h"

static void maybe_close(struct owner *o)
{
	if (!o->closes)
		return;
	o->closes = false;
	smpp_close(o->s);
	o->s = NULL;
}

static bool on_bound(void *ctx, struct smpp_session *s, const char *system_id, const char *password)
{
	struct owner *o = ctx;

	o->bound++;
	snprintf(o->system_id, sizeof(o->system_id), "%s", system_id);
	snprintf(o->password, sizeof(o->password), "%s", password);
	maybe_close(o);
	return !o->refuses;
}

static void on_message(void *ctx, struct smpp_session *s, uint32_t sequence, const struct smpp_message *m)
{
	struct owner *o = ctx;

	o->messages++;
	o->last = *m;
	o->last_sequence = sequence;
	cr_assert(m->data.len <= sizeof(o->last_data));
	memcpy(o->last_data, m->data.data, m->data.len);
	o->last.data.data = o->last_data;
	maybe_close(o);
}

static void on_answered(void *ctx, struct smpp_session *s, uint64_t token, uint32_t status, const char *message_id)
{
	struct owner *o = ctx;
	int i = o->n_answered++ % OWNER_ANSWERS;

	o->answered[i].token = token;
	o->answered[i].status = status;
	snprintf(o->answered[i].id, sizeof(o->answered[i].id), "%s", message_id);
	maybe_close(o);
}

static void on_ended(void *ctx, struct smpp_session *s, const char *why)
{
	struct owner *o = ctx;

	o->ended++;
	snprintf(o->why, sizeof(o->why), "%s", why);
	maybe_close(o);
}

struct smpp_spec spec_of(enum smpp_side side, struct owner *o, unsigned enquire_ms, unsigned answer_ms)
{
	return (struct smpp_spec){
		.side = side,
		.system_id = side == SMPP_ESME ? "sm-sr" : "smsc",
		.password = "secret",
		.system_type = "M2M",
		.window = 3,
		.enquire_ms = enquire_ms,
		.answer_ms = answer_ms,
		.events = { on_bound, on_message, on_answered, on_ended },
		.ctx = o,
	};
}

void pair_open(struct owner *esme, struct owner *smsc)
{
	struct smpp_spec a = spec_of(SMPP_ESME, esme, 0, 0), b = spec_of(SMPP_SMSC, smsc, 0, 0);
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	esme->s = smpp_open(&a, fds[0]);
	smsc->s = smpp_open(&b, fds[1]);
}

void pair_close(struct owner *esme, struct owner *smsc)
{
	smpp_close(esme->s);
	smpp_close(smsc->s);
	esme->s = smsc->s = NULL;
}

int raw_open(struct owner *o, const struct smpp_spec *spec)
{
	const struct timeval limit = { .tv_sec = 2 };
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	o->s = smpp_open(spec, fds[0]);
	return fds[1];
}

static bool run_once(struct owner *o)
{
	struct pollfd p;

	if (!o || !o->s || (!smpp_wants(o->s) && smpp_timeout_ms(o->s) < 0))
		return false;
	p = (struct pollfd){ .fd = smpp_fd(o->s), .events = smpp_wants(o->s) };
	if (poll(&p, 1, 0) == 0 && smpp_timeout_ms(o->s) > 0)
		return false;
	smpp_run(o->s, p.revents);
	return true;
}

void pump(struct owner *a, struct owner *b)
{
	int quiet = 0;

	for (int i = 0; i < 100000 && quiet < 2; i++)
		quiet = (int)run_once(a) + (int)run_once(b) ? 0 : quiet + 1;
	cr_assert_eq(quiet, 2, "a session spins");
}

void pump_ms(struct owner *a, struct owner *b, int ms, const int *until)
{
	int64_t end = clock_ms() + ms;

	while (clock_ms() < end && !(until && *until)) {
		pump(a, b);
		usleep(1000);
	}
}

static void put32(struct buf *b, uint32_t v)
{
	const uint8_t bytes[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	buf_add(b, bytes, sizeof(bytes));
}

void raw_pdu(struct buf *b, uint32_t command, uint32_t status, uint32_t sequence, const void *body, size_t n)
{
	put32(b, (uint32_t)n + 16);
	put32(b, command);
	put32(b, status);
	put32(b, sequence);
	buf_add(b, body, n);
}

void raw_message(struct buf *b, uint8_t esm_class, struct bytes data, struct bytes tlvs)
{
	static const uint8_t middle[] = {
		0, 0, 0, 0x01, 0, 0xF6, 0
	}; /* priority, schedule, validity, registered, replace, coding, default */

	buf_add(b, "", 1);
	buf_add(b,
		"\1\1"
		"8988211",
		10);
	buf_add(b,
		"\5\0"
		"SMSR",
		7);
	buf_add(b, &esm_class, 1);
	buf_add(b, "\x7F", 1);
	buf_add(b, middle, sizeof(middle));
	buf_char(b, (char)data.len);
	if (data.len)
		buf_add(b, data.data, data.len);
	if (tlvs.len)
		buf_add(b, tlvs.data, tlvs.len);
}

void raw_tlv(struct buf *b, uint16_t tag, const void *value, size_t n)
{
	const uint8_t head[] = { (uint8_t)(tag >> 8), (uint8_t)tag, (uint8_t)(n >> 8), (uint8_t)n };

	buf_add(b, head, sizeof(head));
	buf_add(b, value, n);
}

void raw_write(int fd, struct buf *b)
{
	cr_assert_eq(send(fd, b->data, b->len, MSG_NOSIGNAL), (ssize_t)b->len);
	buf_clear(b);
}

static uint32_t get32(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

int raw_read(int fd, uint32_t *command, uint32_t *status, uint32_t *sequence, uint8_t *body)
{
	uint8_t head[16];
	ssize_t n = recv(fd, head, sizeof(head), MSG_WAITALL);
	uint32_t length;

	if (n == 0)
		return -1;
	cr_assert_eq(n, (ssize_t)sizeof(head), "nothing came");
	length = get32(head);
	cr_assert(length >= 16 && length <= 1024 + 16);
	*command = get32(head + 4);
	*status = get32(head + 8);
	*sequence = get32(head + 12);
	if (length > 16)
		cr_assert_eq(recv(fd, body, length - 16, MSG_WAITALL), (ssize_t)length - 16);
	return (int)length - 16;
}

void raw_accept(struct owner *o, int fd)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	uint32_t command, status, sequence;
	uint8_t body[1024];

	pump(o, NULL);
	cr_assert(raw_read(fd, &command, &status, &sequence, body) > 0);
	cr_assert_eq(command, 0x00000009);
	raw_pdu(&b, 0x80000009, 0, sequence, "smsc", 5);
	raw_write(fd, &b);
	pump(o, NULL);
	cr_assert(smpp_is_bound(o->s));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: framing, bind, window, timers. Callbacks may send, answer and close; a close inside one takes effect when smpp_run
 * ends. Only the look-up of a host's name may block. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/card/smpp_internal.h"

enum { WINDOW = 10, WINDOW_MAX = 1000, ENQUIRE_MS = 30000, ANSWER_MS = 10000 };
/* READ_BUDGET: a busy peer must not keep the owner from its other descriptors. OUT_MAX: a peer that does not read is let go. */
enum { READ_BUDGET = 16, OUT_MAX = 256 * 1024, SEQUENCE_MAX = 0x7FFFFFFF };

/* ---- the end ---- */

void smpp_fail(struct smpp_session *s, const char *fmt, ...)
{
	va_list args;

	if (*s->why)
		return;
	va_start(args, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, args);
	va_end(args);
}

void smpp_enter(struct smpp_session *s, enum smpp_state state)
{
	s->state = state;
	s->since_ms = clock_ms();
}

void smpp_answered(struct smpp_session *s, unsigned i, uint32_t status, const char *id)
{
	uint64_t token = s->waiting[i].token;

	s->waiting[i] = s->waiting[--s->n_waiting];
	s->spec.events.answered(s->spec.ctx, s, token, status, id);
}

static void end(struct smpp_session *s)
{
	if (s->state == ENDED)
		return;
	smpp_enter(s, ENDED);
	while (s->n_waiting > 0 && !s->close_asked)
		smpp_answered(s, 0, SMPP_SYSTEM_ERROR, "");
	if (!s->close_asked)
		s->spec.events.ended(s->spec.ctx, s, s->why);
}

/* ---- out ---- */

/* False: it cannot be packed, or the peer reads nothing. */
static bool add(struct smpp_session *s, const struct smpp_pdu *p)
{
	uint8_t bytes[SMPP_PDU_MAX];
	size_t n = smpp_pack(p, bytes, sizeof(bytes));
	bool fits = n > 0 && n <= OUT_MAX - s->out.len;

	if (fits)
		buf_add(&s->out, bytes, n);
	secret_wipe(bytes, sizeof(bytes));
	return fits;
}

void smpp_put(struct smpp_session *s, const struct smpp_pdu *p)
{
	if (!add(s, p))
		smpp_fail(s, "no room for PDU %08x", p->command);
}

void smpp_put_header(struct smpp_session *s, uint32_t command, uint32_t status, uint32_t sequence)
{
	const struct smpp_pdu p = { .command = command, .status = status, .sequence = sequence };

	smpp_put(s, &p);
}

static uint32_t next_sequence(struct smpp_session *s)
{
	s->sequence = s->sequence % SEQUENCE_MAX + 1;
	return s->sequence;
}

static void flush(struct smpp_session *s)
{
	ssize_t n;

	while (s->out.len > 0) {
		n = send(s->fd, s->out.data, s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return;
			smpp_fail(s, "cannot write: %s", strerror(errno));
			buf_clear(&s->out);
			return;
		}
		s->out.len -= (size_t)n;
		memmove(s->out.data, s->out.data + n, s->out.len);
		secret_wipe(s->out.data + s->out.len, (size_t)n);
	}
}

/* Nothing more is read; what is still to be written has answer_ms. */
void smpp_leave(struct smpp_session *s, const char *why)
{
	smpp_fail(s, "%s", why);
	smpp_enter(s, LEAVING);
}

static void send_bind(struct smpp_session *s)
{
	struct smpp_pdu p = { .command = CMD_BIND, .sequence = next_sequence(s) };

	memcpy(p.system_id, s->system_id, sizeof(p.system_id));
	memcpy(p.password, s->password, sizeof(p.password));
	memcpy(p.system_type, s->system_type, sizeof(p.system_type));
	s->bind_sequence = p.sequence;
	smpp_put(s, &p);
	secret_wipe(&p, sizeof(p));
}

/* ---- in ---- */

static bool goes_on(const struct smpp_session *s)
{
	return (s->state == BINDING || s->state == BOUND) && !*s->why && !s->close_asked;
}

/* After a wrong length nobody knows where the next PDU begins. */
static void on_wrong_length(struct smpp_session *s, uint32_t length)
{
	smpp_put_header(s, CMD_NACK | SMPP_RESPONSE, SMPP_INVALID_LENGTH, 0);
	smpp_fail(s, "a PDU of %u bytes", length);
	flush(s);
}

static void take_frames(struct smpp_session *s)
{
	size_t at = 0;

	while (goes_on(s) && s->n_in - at >= SMPP_HEADER) {
		uint32_t length = smpp_get32(s->in + at);

		if (length < SMPP_HEADER || length > SMPP_PDU_MAX) {
			on_wrong_length(s, length);
			break;
		}
		if (s->n_in - at < length)
			break;
		smpp_take(s, (struct bytes){ s->in + at, length });
		at += length;
	}
	s->n_in -= at;
	memmove(s->in, s->in + at, s->n_in);
	secret_wipe(s->in + s->n_in, at);
}

static void read_some(struct smpp_session *s)
{
	ssize_t n;

	for (int i = 0; i < READ_BUDGET && goes_on(s); i++) {
		n = recv(s->fd, s->in + s->n_in, sizeof(s->in) - s->n_in, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				smpp_fail(s, "cannot read: %s", strerror(errno));
			return;
		}
		if (n == 0) {
			smpp_fail(s, "closed by the peer");
			return;
		}
		s->n_in += (size_t)n;
		take_frames(s);
	}
}

static void connected(struct smpp_session *s)
{
	struct sockaddr_storage peer;
	socklen_t n = sizeof(int), peer_len = sizeof(peer);
	int error = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		error = errno;
	if (error) {
		smpp_fail(s, "cannot connect: %s", strerror(error));
		return;
	}
	if (getpeername(s->fd, (struct sockaddr *)&peer, &peer_len) < 0 && errno == ENOTCONN)
		return;
	s->heard_ms = clock_ms();
	smpp_enter(s, BINDING);
	if (s->spec.side == SMPP_ESME)
		send_bind(s);
}

/* ---- time ---- */

static void answers_late(struct smpp_session *s, int64_t now)
{
	for (unsigned i = 0; i < s->n_waiting && !s->close_asked;) {
		if (now - s->waiting[i].since_ms < s->spec.answer_ms)
			i++;
		else
			smpp_answered(s, i, SMPP_SYSTEM_ERROR, ""); /* puts another one at i */
	}
}

static void run_timers(struct smpp_session *s)
{
	int64_t now = clock_ms();

	if (s->state != BOUND) {
		if (now - s->since_ms >= s->spec.answer_ms)
			smpp_fail(s, "not bound in time");
		return;
	}
	answers_late(s, now);
	if (s->enquired_ms > 0) {
		if (now - s->enquired_ms >= s->spec.answer_ms)
			smpp_fail(s, "enquire_link was not answered");
	} else if (now - s->heard_ms >= s->spec.enquire_ms) {
		s->enquired_ms = now;
		smpp_put_header(s, CMD_ENQUIRE, SMPP_OK, next_sequence(s));
	}
}

/* ---- what the owner sees ---- */

static void copy_text(char *out, size_t size, const char *in)
{
	if (in)
		memcpy(out, in, strnlen(in, size - 1));
}

struct smpp_session *smpp_open(const struct smpp_spec *spec, int fd)
{
	struct smpp_session *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->spec = *spec;
	s->spec.system_id = s->spec.password = s->spec.system_type = NULL;
	s->spec.window = spec->window ? spec->window : WINDOW;
	if (s->spec.window > WINDOW_MAX)
		s->spec.window = WINDOW_MAX;
	s->spec.enquire_ms = spec->enquire_ms ? spec->enquire_ms : ENQUIRE_MS;
	s->spec.answer_ms = spec->answer_ms ? spec->answer_ms : ANSWER_MS;
	copy_text(s->system_id, sizeof(s->system_id), spec->system_id);
	copy_text(s->password, sizeof(s->password), spec->password);
	copy_text(s->system_type, sizeof(s->system_type), spec->system_type);
	s->waiting = calloc(s->spec.window, sizeof(*s->waiting));
	if (!s->waiting)
		abort();
	buf_reserve(&s->out, OUT_MAX + 1);
	s->fd = fd;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	smpp_enter(s, CONNECTING);
	return s;
}

static void release(struct smpp_session *s)
{
	close(s->fd);
	if (s->out.data)
		secret_wipe(s->out.data, s->out.cap);
	buf_free(&s->out);
	free(s->waiting);
	secret_wipe(s, sizeof(*s));
	free(s);
}

void smpp_close(struct smpp_session *s)
{
	if (!s)
		return;
	if (s->running) {
		s->close_asked = true;
		return;
	}
	if (s->state == BOUND && !*s->why) {
		smpp_put_header(s, CMD_UNBIND, SMPP_OK, next_sequence(s));
		flush(s);
	}
	release(s);
}

int smpp_fd(const struct smpp_session *s)
{
	return s->fd;
}

short smpp_wants(const struct smpp_session *s)
{
	switch (s->state) {
	case CONNECTING:
		return POLLOUT;
	case BINDING:
	case BOUND:
		return (short)(POLLIN | (s->out.len > 0 ? POLLOUT : 0));
	case LEAVING:
		return POLLOUT;
	case ENDED:
	default:
		return 0;
	}
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t smpp_timeout_ms(const struct smpp_session *s)
{
	int64_t at, left;

	if (s->state == ENDED)
		return -1;
	if (*s->why && s->state != LEAVING)
		return 0;
	if (s->state != BOUND) {
		at = s->since_ms + s->spec.answer_ms;
	} else {
		at = s->enquired_ms > 0 ? s->enquired_ms + s->spec.answer_ms : s->heard_ms + s->spec.enquire_ms;
		for (unsigned i = 0; i < s->n_waiting; i++)
			at = least(at, s->waiting[i].since_ms + s->spec.answer_ms);
	}
	left = at - clock_ms();
	return left > 0 ? left : 0;
}

/* LEAVING has its reason since it began: it ends when all is written, or cannot be. */
static bool is_over(const struct smpp_session *s)
{
	if (s->state == LEAVING)
		return s->out.len == 0 || clock_ms() - s->since_ms >= s->spec.answer_ms;
	return *s->why != 0;
}

void smpp_run(struct smpp_session *s, short revents)
{
	if (s->state == ENDED || s->running)
		return;
	s->running = true;
	if (s->state == CONNECTING && revents)
		connected(s);
	if (revents & (POLLIN | POLLHUP | POLLERR))
		read_some(s);
	if (!*s->why && !s->close_asked)
		run_timers(s);
	if (s->state != CONNECTING && !s->close_asked)
		flush(s);
	if (is_over(s) && !s->close_asked)
		end(s);
	s->running = false;
	if (s->close_asked)
		smpp_close(s);
}

bool smpp_is_bound(const struct smpp_session *s)
{
	return s->state == BOUND && !*s->why;
}

unsigned smpp_room(const struct smpp_session *s)
{
	if (!smpp_is_bound(s) || OUT_MAX - s->out.len < SMPP_PDU_MAX)
		return 0;
	return s->spec.window - s->n_waiting;
}

bool smpp_send(struct smpp_session *s, const struct smpp_message *m, uint64_t token)
{
	struct smpp_pdu p = { .command = s->spec.side == SMPP_ESME ? CMD_SUBMIT : CMD_DELIVER, .message = *m };

	if (smpp_room(s) == 0)
		return false;
	p.sequence = next_sequence(s);
	if (!add(s, &p))
		return false;
	s->waiting[s->n_waiting++] = (struct smpp_waiting){ p.sequence, token, clock_ms() };
	return true;
}

void smpp_answer(struct smpp_session *s, uint32_t sequence, uint32_t status, const char *message_id)
{
	struct smpp_pdu p = { .status = status, .sequence = sequence };

	if (!smpp_is_bound(s))
		return;
	p.command = (s->spec.side == SMPP_ESME ? CMD_DELIVER : CMD_SUBMIT) | SMPP_RESPONSE;
	copy_text(p.message_id, sizeof(p.message_id), message_id);
	smpp_put(s, &p);
}

int smpp_connect(const char *host, uint16_t port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *list = NULL;
	int fd = -1, error = EHOSTUNREACH, one = 1;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &list))
		return -EHOSTUNREACH;
	for (struct addrinfo *i = list; i && fd < 0; i = i->ai_next) {
		fd = socket(i->ai_family, i->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0 || (connect(fd, i->ai_addr, i->ai_addrlen) < 0 && errno != EINPROGRESS)) {
			error = errno;
			if (fd >= 0)
				close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	if (fd < 0)
		return -error;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The lane that wakes cards by SMS (decisions.md B1, C6, C7): one replica of a domain holds it, and only its thread touches SMPP.
 * All that counts is in tables: whoever holds the lane next goes on from there. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "services/sm-sr/sms_command.h"
#include "services/sm-sr/sms_internal.h"

enum { BACK_OFF_MS = 200, BACK_OFF_MAX_MS = 30000, TROUBLE_MS = 1000, CLEAN_MS = 60000, PASSWORD_MAX = 64 };

/* ---- the lane ---- */

/* What a process does that holds it no longer must not reach a card any more. */
static void session_drop(struct sms_lane *l)
{
	if (!l->session)
		return;
	smpp_close(l->session);
	l->session = NULL;
	l->fresh = false;
	sms_outgoing_drop(l);
	metric_set("rsp_sms_bound", "", 0);
}

static void lane_left(struct sms_lane *l, const char *why)
{
	struct log_line line;

	if (l->held) {
		log_begin(&line, LOG_WARN, "sms_lost");
		log_str(&line, "why", why);
		log_end(&line);
	}
	l->held = false;
	session_drop(l);
}

/* True: this process holds it. */
static bool lane_hold(struct sms_lane *l)
{
	if (l->held && sms_lane_is_held(l))
		return true;
	lane_left(l, "the database is away, and the lane with it");
	if (!db_try_lock(l->db, SMS_LANE_KEY))
		return false;
	DB_QUEUE(l->db, SMSR_SMS_LANE_TAKE, p_text(l->rpc->replica));
	if (db_sync(l->db, l->a, NULL, 0, NULL) != OK) {
		db_unlock(l->db, SMS_LANE_KEY);
		return false;
	}
	log_msg(LOG_INFO, "sms_lane", "this replica wakes the cards");
	l->held = true;
	l->look_at = 0;
	return true;
}

static void lane_leave(struct sms_lane *l)
{
	session_drop(l);
	if (!l->held)
		return;
	DB_QUEUE(l->db, SMSR_SMS_LANE_LEAVE, p_text(l->rpc->replica));
	if (db_sync(l->db, l->a, NULL, 0, NULL) == OK)
		db_unlock(l->db, SMS_LANE_KEY);
	l->held = false;
}

/* ---- the session ---- */

/* One line. False: said in the log. */
static bool password_read(const char *path, struct secret *out)
{
	int rc = secret_read_file(path, PASSWORD_MAX, out);

	if (rc < 0) {
		log_msg(LOG_ERROR, "sms_lane", "%s: %s (SMPP_PASSWORD_FILE)", path, strerror(-rc));
		return false;
	}
	while (out->len && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r'))
		out->data[--out->len] = 0;
	return true;
}

static void back_off(struct sms_lane *l)
{
	l->connect_at = clock_ms() + l->back_off_ms;
	l->back_off_ms = l->back_off_ms < BACK_OFF_MAX_MS / 2 ? l->back_off_ms * 2 : BACK_OFF_MAX_MS;
}

static void connect_smsc(struct sms_lane *l)
{
	const struct smsr_config *config = l->smsr->config;
	CLEANUP(secret_free) struct secret password = { 0 }, text = { 0 };
	struct smpp_spec spec = { .side = SMPP_ESME,
				  .system_id = config->smpp_system_id,
				  .system_type = config->smpp_system_type,
				  .window = config->smpp_window,
				  .enquire_ms = config->smpp_enquire_ms,
				  .events = sms_smpp_events,
				  .ctx = l };
	int fd;

	if (clock_ms() < l->connect_at)
		return;
	back_off(l);
	if (!password_read(config->smpp_password_file, &password))
		return;
	text = secret_new(password.len + 1); /* ends with a NUL */
	memcpy(text.data, password.data, password.len);
	spec.password = (const char *)text.data;
	fd = smpp_connect(config->smpp_host, (uint16_t)config->smpp_port);
	if (fd < 0) {
		log_msg(LOG_WARN, "sms_lost", "cannot connect to the SMSC: %s", strerror(-fd));
		return;
	}
	l->ended = false;
	l->session = smpp_open(&spec, fd);
}

static void session_ended(struct sms_lane *l)
{
	struct log_line line;

	if (!l->session || !l->ended)
		return;
	log_begin(&line, LOG_WARN, "sms_lost");
	log_str(&line, "why", l->why);
	log_end(&line);
	sms_metric("lost");
	session_drop(l);
	l->ended = false;
	back_off(l);
}

/* ---- a round ---- */

static void trouble(struct sms_lane *l)
{
	if (db_in_transaction(l->db))
		db_rollback(l->db);
	l->look_at = clock_ms() + TROUBLE_MS;
	log_msg(LOG_WARN, "sms_lane", "the database did not take it; tried again");
}

/* Just bound: what nobody answered is due again. */
static bool begin(struct sms_lane *l)
{
	if (!l->fresh)
		return true;
	DB_QUEUE0(l->db, SMSR_SMS_BOUND);
	if (db_sync(l->db, l->a, NULL, 0, NULL) != OK)
		return false;
	l->fresh = false;
	l->back_off_ms = BACK_OFF_MS;
	l->look_at = 0;
	metric_set("rsp_sms_bound", "", 1);
	return true;
}

static bool clean(struct sms_lane *l)
{
	if (clock_ms() < l->clean_at)
		return true;
	l->clean_at = clock_ms() + CLEAN_MS;
	DB_QUEUE0(l->db, SMSR_SMS_RECEIPTS_CLEAN);
	DB_QUEUE0(l->db, SMSR_SMS_IN_CLEAN);
	return db_sync(l->db, l->a, NULL, 0, NULL) == OK;
}

/* When something will be due, if nothing is now. */
static bool look_later(struct sms_lane *l, bool more)
{
	const struct rows *rows;
	int64_t ms = SMS_NET_MS;

	if (more) {
		l->look_at = 0;
		return true;
	}
	DB_QUEUE0(l->db, SMSR_SMS_NEXT);
	if (db_sync(l->db, l->a, &rows, 1, NULL) != OK)
		return false;
	if (!row_null(rows, 0, 0) && row_int(rows, 0, 0) < ms)
		ms = row_int(rows, 0, 0) > 0 ? row_int(rows, 0, 0) + 1 : 1;
	l->look_at = clock_ms() + ms;
	return true;
}

/* False: the database failed. */
static bool look(struct sms_lane *l)
{
	bool more_cards = false, more_packets = false;

	if (!begin(l))
		return false;
	sms_pump(l);
	if (l->outgoing || smpp_room(l->session) == 0 || clock_ms() < l->look_at || clock_ms() < l->pause_until)
		return true;
	return sms_lost_due(l) && sms_wake_due(l, &more_cards) && sms_send_due(l, &more_packets) &&
	       look_later(l, more_cards || more_packets || *l->lost_after) && clean(l);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t until(int64_t at)
{
	int64_t ms = at - clock_ms();

	return ms > 0 ? ms : 0;
}

static int64_t sleep_ms(const struct sms_lane *l)
{
	int64_t ms = SMS_NET_MS, limit;

	if (!l->held)
		return ms;
	if (!l->session)
		return least(ms, until(l->connect_at));
	limit = smpp_timeout_ms(l->session);
	if (limit >= 0)
		ms = least(ms, limit);
	if (l->outgoing && l->pause_until > clock_ms())
		ms = least(ms, until(l->pause_until));
	if (smpp_room(l->session) > 0 && !l->outgoing)
		ms = least(ms, until(l->look_at > l->pause_until ? l->look_at : l->pause_until));
	return ms;
}

/* Waits for the SMSC, the bell or the time. */
static void wait_and_run(struct sms_lane *l)
{
	struct pollfd fds[2] = { { .fd = l->bell, .events = POLLIN }, { .fd = -1 } };
	uint64_t rings;

	if (l->session)
		fds[1] = (struct pollfd){ .fd = smpp_fd(l->session), .events = smpp_wants(l->session) };
	if (poll(fds, LEN(fds), (int)sleep_ms(l)) < 0 && errno != EINTR)
		log_msg(LOG_ERROR, "sms_lane", "poll: %s", strerror(errno));
	if (fds[0].revents & POLLIN && read(l->bell, &rings, sizeof(rings)) == sizeof(rings))
		l->look_at = 0;
	if (l->session)
		smpp_run(l->session, fds[1].fd >= 0 ? fds[1].revents : 0);
}

static bool pass(void *ctx)
{
	struct sms_lane *l = ctx;

	if (atomic_load(&l->stop))
		return false;
	arena_reset(l->a);
	if (lane_hold(l)) {
		if (!l->session)
			connect_smsc(l);
		else if (smpp_is_bound(l->session) && !look(l))
			trouble(l);
	}
	wait_and_run(l);
	if (!sms_events_settle(l))
		trouble(l);
	session_ended(l);
	return true;
}

/* ---- for the process ---- */

void sms_lane_start(struct app *app)
{
	struct smsr *smsr = app->rpc.role_state;
	struct sms_lane *l;

	if (!*smsr->config->smpp_host)
		return;
	l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->rpc = &app->rpc;
	l->smsr = smsr;
	l->db = db_open(app->rpc.store);
	l->a = arena_new();
	l->outgoing_arena = arena_new();
	l->events_arena = arena_new();
	l->outgoing_last = &l->outgoing;
	l->events_last = &l->events;
	l->back_off_ms = BACK_OFF_MS;
	l->clean_at = clock_ms() + CLEAN_MS;
	l->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->bell < 0)
		abort();
	l->worker = worker_start(SMS_NET_MS, pass, l);
	smsr->sms_lane = l;
}

void sms_lane_stop(struct app *app)
{
	struct smsr *smsr = app->rpc.role_state;
	struct sms_lane *l = smsr->sms_lane;

	if (!l)
		return;
	atomic_store(&l->stop, true);
	sms_lane_ring(smsr);
	worker_stop(l->worker);
	smsr->sms_lane = NULL;
	lane_leave(l);
	db_close(l->db);
	arena_free(l->a);
	arena_free(l->outgoing_arena);
	arena_free(l->events_arena);
	(void)close(l->bell);
	free(l);
}

void sms_lane_ring(struct smsr *s)
{
	uint64_t one = 1;

	if (s->sms_lane && write(s->sms_lane->bell, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_msg(LOG_ERROR, "sms_lane", "its bell: %s", strerror(errno));
}

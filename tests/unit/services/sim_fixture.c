/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/sim_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/card/script.h"
#include "common/card/sms.h"
#include "common/crypto/keys.h"

enum { TICK_MS = 5, UNTIL_MS = 10000 };
#define PASSWORD "secret12"
#define NUMBER "88390"

/* ---- files ---- */

static void key_bytes(size_t card, unsigned version, unsigned index, uint8_t out[16])
{
	memset(out, (int)(1 + card * 31 + version * 7 + index), 16);
}

static void key_write(FILE *f, size_t card, unsigned version, unsigned index, uint8_t type, const char *comma)
{
	uint8_t key[16], kcv[KCV_LEN];
	char key_text[33], kcv_text[2 * KCV_LEN + 1];

	key_bytes(card, version, index, key);
	cr_assert(key_kcv(type, key, 16, kcv));
	hex_encode(key, 16, key_text);
	hex_encode(kcv, KCV_LEN, kcv_text);
	fprintf(f, "{\"version\":%u,\"index\":%u,\"type\":\"%02X\",\"kcv\":\"%s\",\"key\":\"%s\"}%s", version, index, type,
		kcv_text, key_text, comma);
}

static void profile_write(FILE *f, size_t card, unsigned i, const char *comma)
{
	struct aid aid = aid_isdp(0x10 + i);
	char body[32], text[2 * AID_MAX + 1];
	struct iccid iccid;

	snprintf(body, sizeof(body), "8944000000%08zu%u", card, i);
	cr_assert(iccid_complete(body, &iccid));
	aid_format(&aid, text);
	fprintf(f,
		"{\"iccid\":\"%s\",\"aid\":\"%s\",\"state\":\"%s\",\"fallback\":%s,\"memory\":1000,\"mno\":\"1.2.3\",\"profile_"
		"type\":\"x\"",
		iccid.text, text, i ? "Disabled" : "Enabled", i ? "false" : "true");
	fprintf(f, ",\"imsi\":\"90101%08zu%02u\",\"msisdn\":\"88350%06zu%u\",\"pol1\":[]}%s", card, i, card, i, comma);
}

static void batch_write(const struct sim_test *t, bool http)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/b.jsonl", t->folder);
	f = fopen(path, "w");
	cr_assert(f);
	cr_assert_eq(fchmod(fileno(f), 0600), 0);
	for (size_t i = 0; i < SIM_CARDS; i++) {
		char digits[40];
		struct eid eid;

		snprintf(digits, sizeof(digits), "890010120000000000000000%06zu", i);
		cr_assert(eid_complete(digits, &eid));
		fprintf(f,
			"{\"eid\":\"%s\",\"ecasd_key\":\"%064d\",\"ecasd_certificate\":\"00\",\"ci_public_key\":\"04%0128d\","
			"\"isdr_keys\":[",
			eid.text, 1, 1);
		key_write(f, i, 1, 1, KEY_TYPE_AES, ",");
		key_write(f, i, 1, 2, KEY_TYPE_AES, ",");
		key_write(f, i, 64, 1, KEY_TYPE_PSK_TLS, "],\"profiles\":[");
		profile_write(f, i, 0, ",");
		profile_write(f, i, 1, "]");
		fprintf(f, ",\"memory\":10000,\"remaining_memory\":8000,\"http\":%s,\"smsr\":{\"oid\":\"1.3.6.1.4.1.99.2\"}}\n",
			http ? "true" : "false");
	}
	fclose(f);
}

void sim_test_file(const struct sim_test *t, const char *name, const char *text, char path[128])
{
	FILE *f;

	snprintf(path, 128, "%s/%s", t->folder, name);
	f = fopen(path, "w");
	cr_assert(f);
	cr_assert_eq(fchmod(fileno(f), 0600), 0);
	fputs(text, f);
	fclose(f);
}

/* ---- the SM-SR's listener ---- */

static size_t psk(void *ctx, void *thread, const char *text, uint8_t *key, size_t max)
{
	struct psk_identity identity;

	if (max < 16 || !psk_identity_parse(text, &identity))
		return 0;
	key_bytes((size_t)(identity.eid.text[29] - '0'), identity.kvn, identity.key_id, key);
	return 16;
}

static void reply_script(struct http_call *call, const struct buf *capdu, const char *target)
{
	const struct http_header headers[] = { { RAM_H_PROTOCOL, RAM_PROTOCOL },
					       { RAM_H_NEXT_URI, "/ram" },
					       { RAM_H_TARGET, target ? target : "//aid/A000000559/1010FFFFFFFF8900000100" } };
	CLEANUP(buf_free) struct buf script = { 0 };
	const struct bytes apdu = { (const uint8_t *)capdu->data, capdu->len };

	script_build(&script, SCRIPT_INDEFINITE, &apdu, 1);
	http_reply_headers(call, 200, RAM_COMMAND, script.data, script.len, headers, LEN(headers));
}

static void take_answer(struct fake_smsr *s, struct bytes body)
{
	struct script_answer answer;
	const char *why;

	if (!script_answer_parse(body, &answer, &why) || !answer.n)
		return;
	s->n_answers++;
	s->last_sw = answer.results[answer.n - 1].sw;
}

/* True: capdu is to be sent. */
static bool take_note(struct fake_smsr *s, const char *msg, struct buf *capdu)
{
	struct notification n;
	const char *why;
	uint8_t raw[256];

	if (strlen(msg) > 2 * sizeof(raw) || !hex_decode(msg, strlen(msg), raw) ||
	    !notification_parse((struct bytes){ raw, strlen(msg) / 2 }, &n, &why))
		return false;
	if (s->n_notes < NOTES_MAX)
		s->notes[s->n_notes++] = n.type;
	if (n.type >= LEN(s->confirms) || !s->confirms[n.type])
		return false;
	isdr_confirm_notification(capdu, n.seq);
	return true;
}

static void handle(void *ctx, struct http_call *call)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };
	struct fake_smsr *s = ctx;
	const char *msg = http_query(call, "msg"), *status = http_header(call, RAM_H_STATUS), *target = NULL;
	bool send = false;

	pthread_mutex_lock(&s->lock);
	s->n_chunked += http_header(call, "Transfer-Encoding") != NULL;
	if (msg) {
		send = take_note(s, msg, &capdu);
	} else if (status) {
		snprintf(s->status, sizeof(s->status), "%s", status);
		take_answer(s, http_body(call));
	} else if (s->script.len) {
		buf_add(&capdu, s->script.data, s->script.len);
		buf_clear(&s->script);
		target = s->target;
		send = true;
	}
	pthread_mutex_unlock(&s->lock);
	if (send)
		reply_script(call, &capdu, target);
	else
		http_reply(call, 204, NULL, NULL, 0);
}

static void smsr_open(struct fake_smsr *s)
{
	struct http_spec spec = { .name = "cards",
				  .security = HTTP_PSK,
				  .bind_address = "127.0.0.1",
				  .threads = 2,
				  .connections = 100,
				  .max_body = 64 << 10,
				  .psk = psk,
				  .handlers = { .handle = handle },
				  .ctx = s };
	char error[256];

	pthread_mutex_init(&s->lock, NULL);
	s->server = http_server_open(&spec, error);
	cr_assert(s->server, "%s", error);
}

/* ---- the ESME ---- */

static bool esme_bound(void *ctx, struct smpp_session *s, const char *system_id, const char *password)
{
	return true;
}

static void esme_message(void *ctx, struct smpp_session *s, uint32_t sequence, const struct smpp_message *m)
{
	struct fake_esme *e = ctx;
	struct sms_part part;

	if (m->is_receipt) {
		e->n_receipts++;
		snprintf(e->receipt_id, sizeof(e->receipt_id), "%s", m->receipt_id);
		snprintf(e->receipt_state, sizeof(e->receipt_state), "%s", m->receipt_state);
	} else if (sms_part_parse(m->data, &part)) {
		cr_assert_eq(part.total, 1);
		buf_clear(&e->packet);
		buf_add(&e->packet, part.data.data, part.data.len);
		snprintf(e->from, sizeof(e->from), "%s", m->source);
		cr_assert_str_eq(m->destination, e->number);
		e->n_por++;
	}
	smpp_answer(s, sequence, SMPP_OK, "");
}

static void esme_answered(void *ctx, struct smpp_session *s, uint64_t token, uint32_t status, const char *message_id)
{
	struct fake_esme *e = ctx;

	e->n_answered++;
	e->status = status;
	snprintf(e->id, sizeof(e->id), "%s", message_id);
}

static void esme_ended(void *ctx, struct smpp_session *s, const char *why)
{
}

static bool is_bound(struct sim_test *t)
{
	return smpp_is_bound(t->esme.session);
}

static void bind_as(struct sim_test *t, struct fake_esme *e, const char *system_id, const char *password, const char *number)
{
	const struct smpp_spec spec = { .side = SMPP_ESME,
					.system_id = system_id,
					.password = password,
					.system_type = "",
					.events = { esme_bound, esme_message, esme_answered, esme_ended },
					.ctx = e };
	int fd = smpp_connect("127.0.0.1", smsc_port(t->sim.smsc));

	cr_assert_geq(fd, 0);
	e->number = number;
	e->session = smpp_open(&spec, fd);
}

void sim_test_bind(struct sim_test *t, const char *password)
{
	bind_as(t, &t->esme, "smsr", password, NUMBER);
	if (!strcmp(password, PASSWORD))
		cr_assert(sim_test_until(t, is_bound));
}

void sim_test_bind_other(struct sim_test *t, const char *system_id, const char *password, const char *number)
{
	bind_as(t, &t->other, system_id, password, number);
}

void sim_test_sms(struct fake_esme *e, const char *to)
{
	static const uint8_t data[] = { 0x00 };
	struct smpp_message m = { .protocol_id = SMS_PID, .data_coding = SMS_DCS, .receipt_wanted = true, .data = { data, 1 } };

	snprintf(m.source, sizeof(m.source), "%s", e->number);
	snprintf(m.destination, sizeof(m.destination), "%s", to);
	cr_assert(smpp_send(e->session, &m, 1));
}

static struct scp80_keys keys_of_card_0(uint8_t kic[16], uint8_t kid[16])
{
	key_bytes(0, 1, 1, kic);
	key_bytes(0, 1, 2, kid);
	return (struct scp80_keys){ 1, kic, kid };
}

void sim_test_submit(struct sim_test *t, const char *number, struct bytes data)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf packet = { 0 };
	uint8_t kic[16], kid[16];
	const struct scp80_keys keys = keys_of_card_0(kic, kid);
	const struct scp80_command command = {
		.spi1 = SPI_CC_CIPHER_HIGHER, .spi2 = SPI_POR_SECURED, .tar = { 0, 0, 1 }, .counter = ++t->counter, .data = data
	};
	struct smpp_message m = {
		.source = NUMBER, .esm_class = SMPP_ESM_UDHI, .protocol_id = SMS_PID, .data_coding = SMS_DCS, .receipt_wanted = true
	};
	struct bytes *parts;
	size_t n;

	cr_assert(scp80_command_build(&keys, &command, &packet));
	n = sms_split(a, SMS_COMMAND, (struct bytes){ (const uint8_t *)packet.data, packet.len }, (uint8_t)t->counter, &parts);
	snprintf(m.destination, sizeof(m.destination), "%s", number);
	cr_assert_neq(n, 0);
	for (; n > 0; n--) {
		m.data = parts[n - 1];
		cr_assert(smpp_send(t->esme.session, &m, 1));
	}
}

void sim_test_trigger(struct sim_test *t)
{
	CLEANUP(buf_free) struct buf trigger = { 0 };
	const struct ram_trigger stored = { .stored = true };

	ram_trigger_build(&trigger, &stored);
	sim_test_submit(t, sim_test_card(t, 0)->number, (struct bytes){ (const uint8_t *)trigger.data, trigger.len });
}

bool sim_test_por(struct sim_test *t, struct arena *a, struct scp80_por *out)
{
	uint8_t kic[16], kid[16];
	const struct scp80_keys keys = keys_of_card_0(kic, kid);

	return scp80_por_open(a, &keys, SPI_POR_SECURED, (struct bytes){ (const uint8_t *)t->esme.packet.data, t->esme.packet.len },
			      out) == SCP80_GOOD;
}

/* ---- time ---- */

struct waiting {
	struct timer timer;
	struct sim_test *t;
	bool (*holds)(struct sim_test *t);
	int64_t until_ms;
	bool held;
};

static void tick(struct timer *timer)
{
	struct waiting *w = OWNER(timer, struct waiting, timer);

	if (w->t->esme.session)
		smpp_run(w->t->esme.session, POLLIN | POLLOUT);
	if (w->t->other.session)
		smpp_run(w->t->other.session, POLLIN | POLLOUT);
	pthread_mutex_lock(&w->t->smsr.lock);
	w->held = w->holds && w->holds(w->t);
	pthread_mutex_unlock(&w->t->smsr.lock);
	if (w->held || clock_ms() >= w->until_ms)
		loop_end(w->t->sim.loop);
	else
		loop_timer(w->t->sim.loop, timer, TICK_MS);
}

static bool wait_for(struct sim_test *t, bool (*holds)(struct sim_test *t), int64_t ms)
{
	struct waiting w = { .timer.due = tick, .t = t, .holds = holds, .until_ms = clock_ms() + ms };

	loop_timer(t->sim.loop, &w.timer, 0);
	cr_assert_eq(loop_run(t->sim.loop), 0);
	loop_timer_stop(t->sim.loop, &w.timer);
	return w.held;
}

bool sim_test_until(struct sim_test *t, bool (*holds)(struct sim_test *t))
{
	return wait_for(t, holds, UNTIL_MS);
}

void sim_test_for(struct sim_test *t, int64_t ms)
{
	(void)wait_for(t, NULL, ms);
}

struct holder *sim_test_card(struct sim_test *t, size_t i)
{
	cr_assert_eq(fleet_count(t->sim.fleet), SIM_CARDS);
	return fleet_at(t->sim.fleet, i);
}

/* ---- from start to end ---- */

void sim_test_make(struct sim_test *t, bool http)
{
	static char password[128];

	*t = (struct sim_test){ .folder = "/tmp/sim-test.XXXXXX" };
	cr_assert(mkdtemp(t->folder));
	log_open("sim-test", LOG_ERROR);
	batch_write(t, http);
	sim_test_file(t, "password", PASSWORD "\n", password);
	smsr_open(&t->smsr);
	t->config = (struct sim_config){ .batches = t->folder,
					 .smpp_listen = "127.0.0.1",
					 .smpp_system_id = "smsr",
					 .smpp_password_file = password,
					 .smpp_accounts_file = "",
					 .smsr_host = "127.0.0.1",
					 .smsr_uri = "/ram",
					 .smsr_number = NUMBER,
					 .control_socket = "",
					 .port_file = "",
					 .attach_ms = 10,
					 .retry_ms = 30,
					 .retries = 2,
					 .session_retry_ms = 30,
					 .session_retries = 2,
					 .answer_timeout_ms = 5000,
					 .receipt_ids = "dec",
					 .por = true };
	t->config.smsr_port = http_server_port(t->smsr.server);
}

void sim_test_start(struct sim_test *t)
{
	char error[SIM_ERROR] = "";

	t->sim = (struct sim){ .config = &t->config };
	cr_assert(sim_open(&t->sim, error), "%s", error);
}

static void esme_close(struct sim_test *t)
{
	smpp_close(t->esme.session);
	smpp_close(t->other.session);
	buf_free(&t->esme.packet);
	buf_free(&t->other.packet);
	t->esme = t->other = (struct fake_esme){ 0 };
}

void sim_test_restart(struct sim_test *t)
{
	esme_close(t);
	sim_close(&t->sim);
	sim_test_start(t);
}

static void folder_remove(const char *folder)
{
	DIR *d = opendir(folder);
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		(void)unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
	(void)rmdir(folder);
}

void sim_test_end(struct sim_test *t)
{
	esme_close(t);
	sim_close(&t->sim);
	http_server_close(t->smsr.server, 0);
	buf_free(&t->smsr.script);
	pthread_mutex_destroy(&t->smsr.lock);
	folder_remove(t->folder);
}

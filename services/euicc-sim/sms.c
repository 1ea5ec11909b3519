/* SPDX-License-Identifier: Apache-2.0 */
/* SMS on their way to a card and from it: store and forward, parts put together, packets opened (procedures.md 4.2). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/card/script.h"
#include "common/card/sms.h"
#include "services/euicc-sim/sim.h"

enum { PARTS_OPEN = 8 }; /* SMS in parts that a card keeps; the oldest gives way */

/* An SMS that the SMSC took for a card. */
struct sms {
	struct sms *next;
	struct holder *h;
	struct timer timer; /* of its way, then of its validity */
	bool arrived;       /* at the radio: it waits for the card */
	bool twice;         /* hook */
	bool receipt, udhi;
	int64_t until; /* clock_ms(): the network tries no longer */
	uint32_t id;
	char source[SMPP_ADDRESS_MAX + 1], destination[SMPP_ADDRESS_MAX + 1];
	size_t len;
	uint8_t data[];
};

struct sms_parts {
	struct sms_parts *next;
	uint8_t ref, total, have;
	char source[SMPP_ADDRESS_MAX + 1];
	struct buf parts[];
};

/* ---- parts ---- */

static void parts_drop(struct sms_parts **at)
{
	struct sms_parts *gone = *at;

	*at = gone->next;
	for (unsigned i = 0; i < gone->total; i++)
		buf_free(&gone->parts[i]);
	free(gone);
}

/* The SMS that this part is of, begun when it is its first; the newest is last. */
static struct sms_parts **parts_of(struct holder *h, const char *source, const struct sms_part *part)
{
	struct sms_parts **at = &h->parts;
	size_t open = 0;

	for (; *at; at = &(*at)->next, open++)
		if ((*at)->ref == part->ref && (*at)->total == part->total && !strcmp((*at)->source, source))
			return at;
	*at = calloc(1, sizeof(**at) + part->total * sizeof(struct buf));
	if (!*at)
		abort();
	(*at)->ref = part->ref;
	(*at)->total = part->total;
	(void)snprintf((*at)->source, sizeof((*at)->source), "%s", source);
	if (open < PARTS_OPEN)
		return at;
	parts_drop(&h->parts);
	for (at = &h->parts; (*at)->next;)
		at = &(*at)->next;
	return at;
}

/* True: the packet is whole and in *out. */
static bool assemble(struct holder *h, const struct sms *s, struct buf *out)
{
	struct sms_part part;
	struct sms_parts **at;
	struct buf *place;

	if (!s->udhi || !sms_part_parse((struct bytes){ s->data, s->len }, &part))
		return false;
	if (part.total == 1) {
		buf_add(out, part.data.data, part.data.len);
		return part.kind == SMS_COMMAND;
	}
	at = parts_of(h, s->source, &part);
	place = &(*at)->parts[part.number - 1];
	if (!place->data) {
		buf_reserve(place, part.data.len + 1);
		buf_add(place, part.data.data, part.data.len);
		(*at)->have++;
	}
	if ((*at)->have < (*at)->total)
		return false;
	for (unsigned i = 0; i < (*at)->total; i++)
		buf_add(out, (*at)->parts[i].data, (*at)->parts[i].len);
	parts_drop(at);
	return true;
}

/* ---- the card ---- */

static void log_sms(const struct holder *h, const char *what, const char *why)
{
	struct log_line l;

	sim_log(&l, why ? LOG_WARN : LOG_INFO, "card_sms", h);
	log_str(&l, "is", what);
	log_str(&l, "why", why);
	log_end(&l);
}

static void answer(struct holder *h, const struct buf *por)
{
	if (por->len)
		sms_from_card(h, true, (struct bytes){ (const uint8_t *)por->data, por->len });
}

static void log_script(const struct holder *h, const struct scp80_command *command)
{
	struct log_line l;

	sim_log(&l, LOG_INFO, "card_sms", h);
	log_str(&l, "is", "script");
	log_int(&l, "kvn", command->kid >> 4);
	log_int(&l, "counter", (int64_t)command->counter);
	log_end(&l);
}

/* Cards without HTTP are managed by SMS alone. */
static void run_by_sms(struct holder *h, const struct scp80_command *command)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(buf_free) struct buf por = { 0 };
	bool refresh = false, was_pending = h->card->pending != 0;
	struct aid target;

	if (!card_sms_target(h->card, command, &target) || !script_run(h, command->kid >> 4, &target, command->data, &out, &refresh)) {
		life_dead(h);
		return;
	}
	(void)card_sms_answer(h->card, command, (struct bytes){ (const uint8_t *)out.data, out.len }, &por);
	answer(h, &por);
	if (was_pending && !h->card->pending)
		notify_confirmed(h);
	if (refresh)
		life_refresh(h);
	life_go_on(h);
}

static void take_command(struct holder *h, const struct scp80_command *command, const struct buf *por)
{
	struct ram_trigger trigger;

	if (!ram_trigger_parse(command->data, &trigger)) {
		log_script(h, command);
		run_by_sms(h, command);
		return;
	}
	log_sms(h, "trigger", NULL);
	answer(h, por);
	if (!hook_now(h, HOOK_IGNORE_SMS, NULL) && !hook_now(h, HOOK_NO_SESSIONS, NULL))
		life_triggered(h, &trigger);
}

static void take_packet(struct holder *h, struct bytes packet)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf por = { 0 };
	struct scp80_command command;
	const char *why = "";
	bool good = card_sms(h->card, a, packet, &command, &por, &why);

	if (!life_save(h)) { /* a counter that is not kept could be used again */
		life_dead(h);
		return;
	}
	if (good) {
		take_command(h, &command, &por);
		return;
	}
	log_sms(h, "refused", why);
	answer(h, &por);
}

static void deliver(struct holder *h, const struct sms *s)
{
	CLEANUP(buf_free) struct buf packet = { 0 };

	h->sim->stats.sms_in++;
	(void)snprintf(h->smsr_number, sizeof(h->smsr_number), "%s", s->source);
	if (assemble(h, s, &packet))
		take_packet(h, (struct bytes){ (const uint8_t *)packet.data, packet.len });
	else if (!s->udhi)
		log_sms(h, "refused", "no user data header");
}

/* ---- the network ---- */

static void sms_drop(struct sms *s)
{
	struct sms **at = &s->h->waiting;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->h->n_waiting--;
	loop_timer_stop(s->h->sim->loop, &s->timer);
	free(s);
}

static void receipt(const struct sms *s, const char *state)
{
	if (s->receipt && !hook_now(s->h, HOOK_DROP_RECEIPT, NULL))
		smsc_receipt(s->h->sim->smsc, s->destination, s->source, s->id, state);
}

static void expired(struct timer *t)
{
	struct sms *s = OWNER(t, struct sms, timer);

	receipt(s, "EXPIRED");
	sms_drop(s);
}

void sms_flush(struct holder *h)
{
	for (struct sms *s = h->waiting, *next; s && h->card->phase == CARD_IDLE; s = next) {
		next = s->next; /* delivering adds none and drops none */
		if (!s->arrived)
			continue;
		deliver(h, s);
		if (s->twice)
			deliver(h, s);
		receipt(s, "DELIVRD");
		sms_drop(s);
	}
}

static void arrived(struct timer *t)
{
	struct sms *s = OWNER(t, struct sms, timer);
	int64_t left = s->until - clock_ms();

	if (left <= 0) {
		expired(t);
		return;
	}
	s->arrived = true;
	s->timer.due = expired;
	loop_timer(s->h->sim->loop, &s->timer, left);
	sms_flush(s->h);
}

void sms_arrive(struct holder *h, const struct smpp_message *m, uint32_t id)
{
	struct sms **end = &h->waiting, *s;
	int64_t valid_ms = smpp_validity_ms(m->validity);
	const char *ms = NULL;
	int64_t late_ms = 0;
	bool twice = false;

	if (hook_now(h, HOOK_DROP_SMS, NULL) || !air_takes(h, &twice, &late_ms)) {
		log_sms(h, "dropped", NULL);
		return;
	}
	s = calloc(1, sizeof(*s) + m->data.len);
	if (!s)
		abort();
	*s = (struct sms){ .h = h,
			   .timer.due = arrived,
			   .receipt = m->receipt_wanted,
			   .udhi = (m->esm_class & SMPP_ESM_UDHI) != 0,
			   .until = clock_ms() + (valid_ms > 0 && valid_ms < SMS_VALID_MS ? valid_ms : SMS_VALID_MS),
			   .id = id,
			   .len = m->data.len };
	(void)snprintf(s->source, sizeof(s->source), "%s", m->source);
	(void)snprintf(s->destination, sizeof(s->destination), "%s", m->destination);
	if (m->data.len)
		memcpy(s->data, m->data.data, m->data.len);
	s->twice = hook_now(h, HOOK_DUPLICATE_SMS, NULL) || twice;
	while (*end)
		end = &(*end)->next;
	*end = s;
	h->n_waiting++;
	loop_timer(h->sim->loop, &s->timer, hook_now(h, HOOK_DELAY_SMS, &ms) && ms ? atoi(ms) : late_ms);
}

void sms_free(struct holder *h)
{
	while (h->waiting)
		sms_drop(h->waiting);
	while (h->parts)
		parts_drop(&h->parts);
	air_free(h);
}

void sms_from_card(struct holder *h, bool por, struct bytes packet)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const char *home = h->card->home.number, *known = *h->smsr_number ? h->smsr_number : number_default(h);
	const char *to = *home && !por ? home : known; /* who asked is answered, whoever it is */
	struct smpp_message m = {
		.source_ton = 1, .source_npi = 1, .esm_class = SMPP_ESM_UDHI, .protocol_id = SMS_PID, .data_coding = SMS_DCS
	};
	struct bytes *parts;
	size_t n;

	if (!*to || (por && !h->sim->config->por) || (por && hook_now(h, HOOK_DROP_POR, NULL)))
		return;
	h->sim->stats.por_out += por;
	(void)snprintf(m.source, sizeof(m.source), "%s", h->number);
	(void)snprintf(m.destination, sizeof(m.destination), "%s", to);
	n = sms_split(a, por ? SMS_ANSWER : SMS_COMMAND, packet, h->ref++, &parts);
	for (size_t i = 0; i < n; i++) {
		m.data = parts[i];
		air_send(h, &m);
	}
}

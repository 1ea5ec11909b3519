/* SPDX-License-Identifier: Apache-2.0 */
/* The card's own word (procedures.md 3.11): its notification, sent until the SM-SR confirms it or the card gives up, which after a switch
 * is a roll-back. */
#include <stdlib.h>
#include <string.h>

#include "common/base/fault.h"
#include "services/euicc-sim/sim.h"

static void log_note(const struct holder *h, const char *event, const char *why)
{
	struct log_line l;

	sim_log(&l, why ? LOG_WARN : LOG_INFO, event, h);
	log_int(&l, "type", h->card->pending);
	log_int(&l, "seq", h->card->seq);
	log_int(&l, "try", h->card->tries);
	log_str(&l, "via", card_by_https(h->card) ? "http" : "sms");
	log_str(&l, "why", why);
	log_end(&l);
}

/* All tries were in vain. */
static void give_up(struct holder *h)
{
	struct log_line l;
	bool again;

	log_note(h, "card_notification", "given up");
	again = card_unconfirmed(h->card);
	if (!life_save(h)) {
		life_dead(h);
		return;
	}
	if (again) {
		sim_log(&l, LOG_INFO, "card_rolled_back", h);
		log_str(&l, "why", "the switch was not confirmed");
		log_end(&l);
		life_attach(h, h->sim->config->attach_ms);
	} else {
		life_go_on(h); /* a trigger may have waited */
	}
}

/* The notification as E1; WRONG_URI: in the name of another card. */
static bool note_build(struct holder *h, struct buf *out)
{
	const char *other = NULL;
	struct notification n;

	if (!card_notification(h->card, &n))
		return false;
	if (hook_now(h, HOOK_WRONG_URI, &other) && other)
		(void)eid_parse(other, &n.eid);
	notification_build(out, &n, h->card->aid_tag_old ? NOTE_AID_TAG_OLD : NOTE_AID_TAG);
	return true;
}

static void send_http(struct holder *h, const struct buf *note)
{
	CLEANUP(buf_free) struct buf path = { 0 };
	const char *why = "";
	struct goal goal;

	goal_default(h, &goal);
	buf_printf(&path, "%s%cmsg=", goal.uri, strchr(goal.uri, '?') ? '&' : '?');
	buf_hex(&path, note->data, note->len);
	if (!session_open(h, SESSION_NOTIFICATION, &goal, path.data, &why))
		life_pause(h, h->sim->config->retry_ms);
}

static void send_sms(struct holder *h, const struct buf *note)
{
	CLEANUP(buf_free) struct buf packet = { 0 };

	if (card_sms_notification(h->card, (struct bytes){ (const uint8_t *)note->data, note->len }, &packet))
		sms_from_card(h, false, (struct bytes){ (const uint8_t *)packet.data, packet.len });
	(void)FAULT("euicc-sim.notification.sent", h->card->eid.text);
	life_pause(h, h->sim->config->retry_ms); /* until the confirmation comes by SMS */
}

/* True: a hook has put it off. */
static bool delayed(struct holder *h)
{
	const char *ms = NULL;

	if (h->delayed || !hook_now(h, HOOK_DELAY_NOTIFICATION, &ms)) {
		h->delayed = false;
		return false;
	}
	h->delayed = true;
	life_pause(h, ms ? atoi(ms) : 0);
	return true;
}

void notify_send(struct holder *h)
{
	CLEANUP(buf_free) struct buf note = { 0 };

	if (h->card->tries > h->sim->config->retries) {
		give_up(h);
		return;
	}
	if (delayed(h))
		return;
	h->card->tries++;
	if (!life_save(h)) {
		life_dead(h);
		return;
	}
	(void)FAULT("euicc-sim.notification.due", h->card->eid.text);
	h->sim->stats.notifications++;
	log_note(h, "card_notification", NULL);
	if (hook_now(h, HOOK_DROP_NOTIFICATION, NULL) || !note_build(h, &note))
		life_pause(h, h->sim->config->retry_ms);
	else if (card_by_https(h->card) && !hook_now(h, HOOK_NO_SESSIONS, NULL))
		send_http(h, &note);
	else
		send_sms(h, &note);
}

static void log_confirmed(const struct holder *h)
{
	struct log_line l;

	sim_log(&l, LOG_INFO, "card_confirmed", h);
	log_int(&l, "seq", h->card->seq);
	log_end(&l);
}

void notify_confirmed(struct holder *h)
{
	log_confirmed(h);
	if (h->pausing)
		loop_timer_stop(h->sim->loop, &h->timer);
	h->pausing = false;
}

/* A card that did not hear the SM-SR well says the same again. */
static void repeat(struct holder *h, const struct session_end *end)
{
	const char *why = "";

	if (h->card->phase == CARD_IDLE && !h->session && hook_now(h, HOOK_DUPLICATE_NOTIFICATION, NULL))
		(void)session_open(h, SESSION_NOTIFICATION, end->goal, end->path, &why);
}

void notify_ended(struct holder *h, const struct session_end *end)
{
	if (!h->card->pending) {
		log_confirmed(h);
		repeat(h, end);
		return;
	}
	log_note(h, "card_notification", end->ok ? "not confirmed" : end->why);
	life_pause(h, h->sim->config->retry_ms);
}

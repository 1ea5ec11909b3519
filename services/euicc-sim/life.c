/* SPDX-License-Identifier: Apache-2.0 */
/* What a card does by itself, and when: it gets power, attaches, says what must be said, comes when it was called. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "services/euicc-sim/sim.h"

void sim_log(struct log_line *l, enum log_level level, const char *event, const struct holder *h)
{
	log_begin(l, level, event);
	log_str(l, "eid", h->card->eid.text);
}

bool hook_now(struct holder *h, enum hook_kind k, const char **out_argument)
{
	return hook_strikes(h->sim->hooks, k, &h->card->eid, out_argument);
}

static const char *enabled_iccid(const struct card *c)
{
	uint8_t at = card_enabled(c);

	return at == CARD_NONE ? "" : c->profiles[at].iccid.text;
}

bool life_save(struct holder *h)
{
	bool ok = card_file_save(h->file, h->card);

	if (!ok)
		log_msg(LOG_ERROR, "card_not_saved", "%s: its state cannot be written: %m; make room, then switch it on again",
			h->card->eid.text);
	fleet_number(h->sim->fleet, h);
	return ok;
}

void life_stop(struct holder *h)
{
	loop_timer_stop(h->sim->loop, &h->timer);
	session_cut(h);
	free(h->goal);
	h->goal = NULL;
	h->pausing = h->delayed = false;
}

void life_dead(struct holder *h)
{
	life_stop(h);
	card_power(h->card, false);
}

static void log_rolled_back(const struct holder *h, const char *why)
{
	struct log_line l;

	sim_log(&l, LOG_INFO, "card_rolled_back", h);
	log_str(&l, "iccid", enabled_iccid(h->card));
	log_str(&l, "why", why);
	log_end(&l);
}

static void attached(struct holder *h)
{
	struct log_line l;

	sim_log(&l, LOG_INFO, "card_attached", h);
	log_str(&l, "iccid", enabled_iccid(h->card));
	log_int(&l, "pending", h->card->pending);
	log_end(&l);
	sms_flush(h);
	life_go_on(h);
}

/* The network's word on the enabled profile. Where nothing is left to fall back to the card looks again, but more slowly. */
static void try_attach(struct holder *h)
{
	const struct sim_config *config = h->sim->config;
	struct card *c = h->card;
	uint8_t at = card_enabled(c);
	bool takes = at != CARD_NONE && !c->profiles[at].refuse_attach &&
		     !hook_strikes_at(h->sim->hooks, HOOK_REFUSE_ATTACH, &c->eid, c->profiles[at].iccid.text);
	bool ok = card_attached(c, takes);

	if (!life_save(h)) {
		life_dead(h);
		return;
	}
	if (ok) {
		attached(h);
		return;
	}
	if (card_enabled(c) != at)
		log_rolled_back(h, "the network does not take the profile");
	life_attach(h, card_enabled(c) != at ? config->attach_ms : config->attach_ms + config->retry_ms);
}

static void due(struct timer *t)
{
	struct holder *h = OWNER(t, struct holder, timer);

	h->pausing = false;
	if (h->card->phase == CARD_ATTACHING)
		try_attach(h);
	else
		life_go_on(h);
}

void life_attach(struct holder *h, int64_t in_ms)
{
	h->pausing = false;
	h->timer.due = due;
	loop_timer(h->sim->loop, &h->timer, in_ms);
}

void life_pause(struct holder *h, int64_t ms)
{
	if (h->card->phase != CARD_IDLE)
		return; /* attaching, it goes on after that; without power, never */
	h->pausing = true;
	h->timer.due = due;
	loop_timer(h->sim->loop, &h->timer, ms);
}

void life_begin(struct holder *h)
{
	if (h->card->powered)
		life_attach(h, h->sim->config->attach_ms);
}

void life_power(struct holder *h, bool on)
{
	struct log_line l;

	if (h->card->powered == on)
		return;
	life_stop(h);
	card_power(h->card, on);
	sim_log(&l, LOG_INFO, "card_power", h);
	log_str(&l, "power", on ? "on" : "off");
	log_end(&l);
	if (!life_save(h))
		life_dead(h);
	else if (on)
		life_attach(h, h->sim->config->attach_ms);
}

void life_coverage_lost(struct holder *h)
{
	bool again;

	life_stop(h);
	again = card_coverage_lost(h->card);
	if (!life_save(h)) {
		life_dead(h);
		return;
	}
	if (again) {
		log_rolled_back(h, "coverage was lost");
		life_attach(h, h->sim->config->attach_ms);
	} else {
		life_go_on(h);
	}
}

void life_refresh(struct holder *h)
{
	struct log_line l;

	session_cut(h); /* a reset ends every channel */
	card_refresh(h->card);
	sim_log(&l, LOG_INFO, "card_refresh", h);
	log_str(&l, "iccid", enabled_iccid(h->card));
	log_end(&l);
	if (!life_save(h))
		life_dead(h);
	else
		life_attach(h, h->sim->config->attach_ms);
}

void life_triggered(struct holder *h, const struct ram_trigger *t)
{
	struct in_addr address = { .s_addr = htonl(t->address) };

	if (!h->goal)
		h->goal = malloc(sizeof(*h->goal));
	if (!h->goal)
		abort();
	goal_default(h, h->goal);
	if (!t->stored && t->address)
		(void)inet_ntop(AF_INET, &address, h->goal->host, sizeof(h->goal->host));
	if (!t->stored && t->port)
		h->goal->port = t->port;
	if (!t->stored && t->uri.len && t->uri.data[0] == '/' && t->uri.len <= URI_MAX) {
		memcpy(h->goal->uri, t->uri.data, t->uri.len);
		h->goal->uri[t->uri.len] = '\0';
	}
	if (!t->stored)
		h->goal->kvn = t->kvn;
	if (h->pausing)
		loop_timer_stop(h->sim->loop, &h->timer);
	h->pausing = false;
	life_go_on(h);
}

/* A session that was called for and failed is opened again, unless a newer trigger waits already. */
static void again(struct holder *h, const struct goal *goal, const char *why)
{
	const struct sim_config *config = h->sim->config;
	struct log_line l;

	if (h->goal)
		return;
	if (goal->tries >= config->session_retries) {
		sim_log(&l, LOG_WARN, "card_session", h);
		log_str(&l, "state", "given up");
		log_str(&l, "why", why);
		log_end(&l);
		return;
	}
	h->goal = malloc(sizeof(*h->goal));
	if (!h->goal)
		abort();
	*h->goal = *goal;
	h->goal->tries++;
	life_pause(h, config->session_retry_ms);
}

static void open_wanted(struct holder *h)
{
	struct goal goal = *h->goal;
	const char *why = "";

	free(h->goal);
	h->goal = NULL;
	if (!session_open(h, SESSION_TRIGGERED, &goal, goal.uri, &why))
		again(h, &goal, why);
}

/* Until it is known where to go, nothing is tried: a switch must not be rolled back for that. */
void life_go_on(struct holder *h)
{
	struct goal home;

	if (h->card->phase != CARD_IDLE || h->session || h->pausing)
		return;
	goal_default(h, &home);
	if (h->card->pending && !h->card->given_up) {
		if (home.port || !card_by_https(h->card))
			notify_send(h);
	} else if (h->goal && h->goal->port) {
		open_wanted(h);
	}
}

void life_session_ended(struct holder *h, const struct session_end *end)
{
	if (end->refresh) {
		life_refresh(h);
		if (hook_strikes_at(h->sim->hooks, HOOK_POWER_CUT, &h->card->eid, "after-switch")) {
			life_power(h, false);
			return;
		}
	}
	if (end->kind == SESSION_NOTIFICATION)
		notify_ended(h, end);
	else if (!end->ok)
		again(h, end->goal, end->why);
	life_go_on(h);
}

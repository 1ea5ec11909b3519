/* SPDX-License-Identifier: Apache-2.0 */
/* What a card does by itself: attach, roll back, fall back, and say so until it is confirmed (procedures.md 3.5, 3.11, 3.12). */
#include <string.h>

#include "services/euicc-sim/card_internal.h"

uint8_t card_enabled(const struct card *c)
{
	for (uint8_t i = 0; i < CARD_PROFILES; i++)
		if (c->profiles[i].aid.len && c->profiles[i].state == ISDP_ENABLED)
			return i;
	return CARD_NONE;
}

uint8_t card_fallback(const struct card *c)
{
	for (uint8_t i = 0; i < CARD_PROFILES; i++)
		if (c->profiles[i].aid.len && c->profiles[i].fallback)
			return i;
	return CARD_NONE;
}

void card_switch(struct card *c, uint8_t to, uint8_t note)
{
	uint8_t old = card_enabled(c);

	if (old != CARD_NONE)
		c->profiles[old].state = ISDP_DISABLED;
	c->profiles[to].state = ISDP_ENABLED;
	c->switches++;
	c->before = CARD_NONE;
	c->due = note;
	/* What was not confirmed yet is no longer so. */
	c->pending = 0;
	c->given_up = false;
}

void card_wipe(struct card *c, uint8_t index)
{
	c->remaining_memory += c->profiles[index].memory;
	if (c->channel && (c->channel->agreeing == index || c->channel->secured == index))
		card_channel_close(c);
	card_domain_free(c->profiles[index].domain);
	memset(&c->profiles[index], 0, sizeof(c->profiles[index]));
	/* Another may take its place: nothing may still mean the old one. */
	if (c->before == index)
		c->before = CARD_NONE;
	if (c->pinned == index)
		c->pinned = CARD_NONE;
}

bool card_confirm(struct card *c, uint16_t seq, struct aid *out_deleted)
{
	uint8_t before = c->before;

	if (!c->pending || seq != c->seq)
		return false;
	out_deleted->len = 0;
	/* Only a switch that was asked for leaves one before; after a roll-back or fall-back POL1 deletes nothing. */
	if (before != CARD_NONE && c->profiles[before].pol1 & POL1_DELETE_AFTER_DISABLE && !c->profiles[before].fallback) {
		*out_deleted = c->profiles[before].aid;
		card_wipe(c, before);
	}
	if (c->pinned == card_enabled(c))
		c->pinned = CARD_NONE;
	c->before = CARD_NONE;
	c->pending = 0;
	c->given_up = false;
	c->tries = 0;
	c->attached_once = true;
	return true;
}

static void attach(struct card *c)
{
	c->phase = c->powered ? CARD_ATTACHING : CARD_OFF;
}

void card_power(struct card *c, bool on)
{
	card_channel_close(c);
	c->powered = on;
	c->listed = 0;
	c->given_up = false;
	c->tries = 0;
	attach(c);
}

void card_refresh(struct card *c)
{
	card_channel_close(c);
	attach(c);
}

static bool roll_back(struct card *c)
{
	if (c->before == CARD_NONE)
		return false;
	card_switch(c, c->before, NOTE_ROLLED_BACK);
	return true;
}

/* POL1 is not asked; the profile it would have kept is the only one to go back to. */
static bool fall_back(struct card *c)
{
	uint8_t from = card_enabled(c), to = card_fallback(c);

	if (to == CARD_NONE || to == from || c->profiles[to].state != ISDP_DISABLED)
		return false;
	if (from != CARD_NONE && c->profiles[from].pol1 & POL1_NO_DISABLE)
		c->pinned = from;
	card_switch(c, to, NOTE_FALL_BACK);
	return true;
}

static void notify(struct card *c, uint8_t type)
{
	c->seq++; /* 16 bits: 0 follows FFFF */
	c->pending = type;
	c->given_up = false;
	c->tries = 0;
	c->due = 0;
}

bool card_attached(struct card *c, bool network_takes_it)
{
	if (!c->powered)
		return false;
	if (!network_takes_it) {
		attach(c);
		if (!roll_back(c))
			(void)fall_back(c);
		return false;
	}
	c->phase = CARD_IDLE;
	if (c->due)
		notify(c, c->due);
	else if (!c->attached_once && !c->pending)
		notify(c, NOTE_FIRST_ATTACH);
	return true;
}

bool card_unconfirmed(struct card *c)
{
	if (!c->pending)
		return false;
	if (roll_back(c)) {
		attach(c);
		return true;
	}
	c->given_up = true;
	return false;
}

bool card_coverage_lost(struct card *c)
{
	if (!c->powered || !fall_back(c))
		return false;
	attach(c);
	return true;
}

bool card_notification(const struct card *c, struct notification *out)
{
	uint8_t i = card_enabled(c);

	if (!c->pending || c->given_up || i == CARD_NONE)
		return false;
	*out = (struct notification){
		.eid = c->eid,
		.type = c->pending,
		.seq = c->seq,
		.aid = c->profiles[i].aid,
		.imei = { c->imei, sizeof(c->imei) },
	};
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The ISD-R's commands: one function per row of the behaviour table (procedures.md 4.10). */
#include "common/card/isdp_commands.h"

#include "services/euicc-sim/card_internal.h"

enum {
	LIST_MAX = 250,      /* of GET STATUS data in one answer */
	ENTRY_MAX = 64,      /* one E3 is shorter */
	FREE_RAM = 8 * 1024, /* no command of ours takes any */
};

bool card_fault_strikes(const struct card_effects *effects, enum card_fault fault, size_t element)
{
	return effects->faults && effects->faults->strikes(effects->faults->ctx, fault, element);
}

uint8_t card_place_of(const struct card *c, const struct aid *aid)
{
	for (uint8_t i = 0; i < CARD_PROFILES; i++)
		if (c->profiles[i].aid.len && aid_equal(&c->profiles[i].aid, aid))
			return i;
	return CARD_NONE;
}

struct card_profile *card_profile_of(struct card *c, const struct aid *aid)
{
	uint8_t i = card_place_of(c, aid);

	return i == CARD_NONE ? NULL : &c->profiles[i];
}

const struct card_key *card_key_of(const struct card *c, uint8_t version, uint8_t index)
{
	for (size_t i = 0; version && i < CARD_KEYS; i++)
		if (c->keys[i].version == version && c->keys[i].index == index)
			return &c->keys[i];
	return NULL;
}

static void switch_to(struct card *c, uint8_t to, struct card_effects *effects)
{
	uint8_t old = card_enabled(c);

	card_switch(c, to, NOTE_CHANGE_OK);
	c->before = old;
	effects->refresh = true;
	effects->changed = true;
}

static bool keeps_enabled(const struct card *c, uint8_t i)
{
	return i != CARD_NONE && c->profiles[i].pol1 & POL1_NO_DISABLE;
}

static uint16_t enable(struct card *c, const struct aid *isdp, struct card_effects *effects)
{
	uint8_t to = card_place_of(c, isdp);

	if (to == CARD_NONE)
		return SW_NOT_FOUND;
	if (c->profiles[to].state != ISDP_DISABLED)
		return SW_CONDITIONS;
	if (keeps_enabled(c, card_enabled(c)) || (c->pinned != CARD_NONE && c->pinned != to))
		return SW_POL1;
	switch_to(c, to, effects);
	c->enables++;
	return SW_OK;
}

static uint16_t disable(struct card *c, const struct aid *isdp, struct card_effects *effects)
{
	uint8_t i = card_place_of(c, isdp), to = card_fallback(c);

	if (i == CARD_NONE)
		return SW_NOT_FOUND;
	/* The holder itself is not disabled, and one that has no profile yet cannot be enabled. */
	if (c->profiles[i].state != ISDP_ENABLED || to == CARD_NONE || c->profiles[to].state != ISDP_DISABLED)
		return SW_CONDITIONS;
	if (keeps_enabled(c, i))
		return SW_POL1;
	switch_to(c, to, effects);
	c->disables++;
	return SW_OK;
}

static uint16_t delete_profile(struct card *c, const struct aid *isdp, struct card_effects *effects)
{
	uint8_t i = card_place_of(c, isdp);

	if (i == CARD_NONE)
		return SW_NOT_FOUND;
	/* Without the one before, an unconfirmed switch could not be rolled back. */
	if (c->profiles[i].state == ISDP_ENABLED || c->profiles[i].fallback || i == c->before)
		return SW_CONDITIONS;
	if (c->profiles[i].pol1 & POL1_NO_DELETE || i == c->pinned)
		return SW_POL1;
	card_wipe(c, i);
	c->deletes++;
	effects->changed = true;
	return SW_OK;
}

static uint16_t set_fallback(struct card *c, const struct aid *isdp, struct card_effects *effects)
{
	uint8_t to = card_place_of(c, isdp);

	if (to == CARD_NONE)
		return SW_NOT_FOUND;
	if (c->pinned != CARD_NONE)
		return SW_CONDITIONS;
	for (uint8_t i = 0; i < CARD_PROFILES; i++)
		c->profiles[i].fallback = i == to;
	effects->changed = true;
	return SW_OK;
}

int64_t card_profile_stored(const struct card *c, const struct card_profile *p)
{
	const struct card_channel *ch = c->channel;

	if (ch && ch->install && p == &c->profiles[ch->secured])
		return (int64_t)ch->install->len;
	return p->domain ? (int64_t)p->domain->bytes : 0;
}

/* Factory profiles fill what they were granted. */
static void status_add(struct buf *out, const struct card *c, const struct card_profile *p)
{
	bool is_made = p->state == ISDP_SELECTABLE || p->domain;
	const struct isdp_status s = { p->aid, p->state, p->fallback, p->memory,
				       is_made ? p->memory - card_profile_stored(c, p) : -1 };

	isdr_status_build(out, &s);
}

static uint16_t list(struct card *c, uint8_t from, struct buf *out)
{
	CLEANUP(buf_free) struct buf data = { 0 };

	c->listed = 0;
	for (uint8_t i = from; i < CARD_PROFILES; i++) {
		if (!c->profiles[i].aid.len)
			continue;
		if (data.len + ENTRY_MAX > LIST_MAX) {
			c->listed = i;
			break;
		}
		status_add(&data, c, &c->profiles[i]);
	}
	buf_add(out, data.data, data.len);
	return c->listed ? SW_MORE : data.len || from ? SW_OK : SW_NOT_FOUND;
}

static uint16_t get_status(struct card *c, const struct isdr_command *command, uint8_t listed, struct buf *out)
{
	const struct card_profile *p;

	if (command->next)
		return listed ? list(c, listed, out) : SW_CONDITIONS;
	if (!command->isdp.len)
		return list(c, 0, out);
	p = card_profile_of(c, &command->isdp);
	if (!p)
		return SW_NOT_FOUND;
	status_add(out, c, p);
	return SW_OK;
}

static uint16_t get_resources(const struct card *c, struct buf *out)
{
	struct card_resources r = { 0, c->remaining_memory, FREE_RAM };

	for (size_t i = 0; i < CARD_PROFILES; i++)
		r.applications += c->profiles[i].aid.len != 0;
	isdr_resources_build(out, &r);
	return SW_OK;
}

static uint16_t confirm(struct card *c, uint16_t seq, struct buf *out, struct card_effects *effects)
{
	struct aid deleted;

	if (!card_confirm(c, seq, &deleted))
		return SW_NOT_FOUND;
	isdr_confirmed_build(out, &deleted, deleted.len ? 1 : 0);
	c->confirmations++;
	effects->changed = true;
	return SW_OK;
}

static uint16_t create(struct card *c, const struct isdr_command *command, struct buf *out, struct card_effects *effects)
{
	int64_t quota = command->quota < 0 ? 0 : command->quota;

	if (!aid_is_isdp(&command->isdp) || card_place_of(c, &command->isdp) != CARD_NONE)
		return SW_BAD_DATA;
	if (quota > c->remaining_memory || card_fault_strikes(effects, CARD_FAULT_NO_ROOM, 0))
		return SW_NO_MEMORY;
	for (uint8_t i = 0; i < CARD_PROFILES; i++)
		if (!c->profiles[i].aid.len) {
			c->profiles[i] = (struct card_profile){
				.aid = command->isdp, .state = ISDP_SELECTABLE, .memory = quota, .grows = command->quota < 0
			};
			c->remaining_memory -= quota;
			c->creates++;
			effects->changed = true;
			isdr_created_build(out);
			return SW_OK;
		}
	return SW_NO_MEMORY;
}

uint16_t card_execute(struct card *c, struct bytes capdu, struct buf *out, struct card_effects *effects)
{
	uint8_t listed = c->listed;
	struct isdr_command command;
	enum isdr_change change;
	enum ka_step step;
	struct apdu apdu;
	uint16_t sw;

	c->listed = 0; /* a list is continued at once or never */
	if (!apdu_parse(capdu, &apdu))
		return SW_WRONG_LENGTH;
	step = ka_step_of(&apdu);
	if (step != KA_STEP_NONE)
		return card_agree(c, &apdu, step, out, effects);
	change = isdr_change_of(&apdu);
	if (change != ISDR_CHANGE_NONE)
		return card_isdr_change(c, &apdu, change, out, effects);
	sw = isdr_command_parse(&apdu, &command);
	if (sw != SW_OK)
		return sw;
	switch (command.function) {
	case ISDR_ENABLE:
		return enable(c, &command.isdp, effects);
	case ISDR_DISABLE:
		return disable(c, &command.isdp, effects);
	case ISDR_SET_FALLBACK:
		return set_fallback(c, &command.isdp, effects);
	case ISDR_DELETE:
		return delete_profile(c, &command.isdp, effects);
	case ISDR_GET_STATUS:
		return get_status(c, &command, listed, out);
	case ISDR_GET_RESOURCES:
		return get_resources(c, out);
	case ISDR_CONFIRM:
		return confirm(c, command.seq, out, effects);
	case ISDR_CREATE:
		return create(c, &command, out, effects);
	}
	return SW_BAD_INS;
}

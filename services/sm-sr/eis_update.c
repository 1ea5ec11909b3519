/* SPDX-License-Identifier: Apache-2.0 */
/* The EIS follows the card. */
#include <string.h>

#include "common/base/hex.h"
#include "common/base/log.h"
#include "services/sm-sr/card_case.h"

static struct param p_aid(struct card_case *c, const struct aid *aid)
{
	return p_bytes(arena_memdup(c->a, aid->data, aid->len), aid->len);
}

bool eis_enabled_is(struct card_case *c, const struct aid *aid)
{
	struct profile_info *now = case_profile_of_aid(c, aid);
	bool change = false;

	if (!now)
		return false;
	for (size_t i = 0; i < c->eis.n_profiles; i++) {
		struct profile_info *p = &c->eis.profiles[i];
		enum profile_state is = p == now ? PROFILE_ENABLED : p->state == PROFILE_ENABLED ? PROFILE_DISABLED : p->state;

		change |= is != p->state;
		p->state = is;
	}
	if (change)
		DB_QUEUE(c->db, SMSR_PROFILE_ENABLED, p_text(c->eid.text), p_aid(c, aid), p_int(c->a, PROFILE_ENABLED),
			 p_int(c->a, PROFILE_DISABLED));
	return true;
}

/* Few go in one step. */
static void gone_add(struct card_case *c, const struct profile_info *p)
{
	struct profile_info *all = arena_array(c->a, c->n_gone + 1, sizeof(*all));

	if (c->n_gone)
		memcpy(all, c->gone, c->n_gone * sizeof(*all));
	all[c->n_gone++] = *p;
	c->gone = all;
}

const struct profile_info *eis_creating(struct card_case *c, const struct profile_info *p)
{
	struct profile_info *all = arena_array(c->a, c->eis.n_profiles + 1, sizeof(*all)), *made;

	if (c->eis.n_profiles)
		memcpy(all, c->eis.profiles, c->eis.n_profiles * sizeof(*all));
	made = &all[c->eis.n_profiles++];
	*made = *p;
	made->state = PROFILE_IN_CREATION;
	c->eis.profiles = all;
	c->eis.remaining_memory -= made->allocated_memory;
	/* Texts live until the commit. */
	DB_QUEUE(c->db, SMSR_PROFILE_CREATE, p_text(c->eid.text), p_text(arena_strdup(c->a, made->iccid.text)),
		 p_aid(c, &made->isdp_aid), p_text(arena_strdup(c->a, made->mno.text)), p_int(c->a, made->allocated_memory),
		 p_text(made->smdp->text), p_int(c->a, PROFILE_IN_CREATION));
	return made;
}

/* Pointers into the list move. */
static void profile_drop(struct card_case *c, size_t at)
{
	struct profile_info *all = c->eis.profiles;

	DB_QUEUE(c->db, SMSR_PROFILE_GONE, p_text(c->eid.text), p_aid(c, &all[at].isdp_aid));
	c->eis.remaining_memory += all[at].allocated_memory;
	for (size_t i = at + 1; i < c->eis.n_profiles; i++)
		all[i - 1] = all[i];
	c->eis.n_profiles--;
}

void eis_not_created(struct card_case *c, const struct aid *aid)
{
	for (size_t i = 0; i < c->eis.n_profiles; i++)
		if (c->eis.profiles[i].state == PROFILE_IN_CREATION && aid_equal(&c->eis.profiles[i].isdp_aid, aid)) {
			profile_drop(c, i);
			return;
		}
}

void eis_created(struct card_case *c, const struct aid *aid)
{
	struct profile_info *p = case_profile_of_aid(c, aid);

	if (!p || p->state != PROFILE_IN_CREATION)
		return;
	p->state = PROFILE_CREATED;
	DB_QUEUE(c->db, SMSR_PROFILE_STATE, p_text(c->eid.text), p_aid(c, &p->isdp_aid), p_int(c->a, PROFILE_CREATED));
}

static const struct isdp_status *listed(const struct isdp_status *list, size_t n, const struct aid *aid)
{
	for (size_t i = 0; i < n; i++)
		if (aid_equal(&list[i].aid, aid))
			return &list[i];
	return NULL;
}

static void profile_out(struct card_case *c, size_t at)
{
	gone_add(c, &c->eis.profiles[at]);
	log_msg(LOG_INFO, "profile_gone", "eid %s: the card deleted profile %s", c->eid.text, c->eis.profiles[at].iccid.text);
	profile_drop(c, at);
}

void eis_deleted(struct card_case *c, const struct aid *aids, size_t n)
{
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < c->eis.n_profiles; i++)
			if (aid_equal(&c->eis.profiles[i].isdp_aid, &aids[k])) {
				profile_out(c, i);
				break;
			}
}

/* That a profile is complete its SM-DP says, not the card (procedures.md 3.3): until then it is the SM-DP's, to complete or to take away. */
static bool incomplete(const struct profile_info *p)
{
	return p->state == PROFILE_IN_CREATION || (p->state == PROFILE_CREATED && p->smdp);
}

/* A state of GlobalPlatform's that means nothing here changes nothing. */
static enum profile_state state_of(const struct isdp_status *s, const struct profile_info *p)
{
	switch (s->state) {
	case ISDP_SELECTABLE:
	case ISDP_PERSONALIZED:
		return p->state == PROFILE_IN_CREATION ? p->state : PROFILE_CREATED;
	case ISDP_DISABLED:
		return incomplete(p) ? p->state : PROFILE_DISABLED;
	case ISDP_ENABLED:
		return PROFILE_ENABLED;
	default:
		return p->state;
	}
}

static void profile_follows(struct arena *a, struct profile_info *p, const struct isdp_status *s, bool fallback_said)
{
	p->state = state_of(s, p);
	if (fallback_said)
		p->fallback = s->fallback;
	if (s->memory >= 0)
		p->allocated_memory = s->memory;
	if (s->free >= 0) {
		p->free_memory = ARENA_NEW(a, int64_t);
		*p->free_memory = s->free;
	}
}

static const char *profiles_json(struct card_case *c)
{
	CLEANUP(buf_free) struct buf json = { 0 };

	buf_char(&json, '[');
	for (size_t i = 0; i < c->eis.n_profiles; i++) {
		const struct profile_info *p = &c->eis.profiles[i];

		buf_printf(&json, "%s{\"aid\":\"%s\",\"state\":%d,\"fallback\":%s,\"allocated\":%lld,\"free\":", i ? "," : "",
			   hex_text(c->a, p->isdp_aid.data, p->isdp_aid.len), (int)p->state, p->fallback ? "true" : "false",
			   (long long)p->allocated_memory);
		if (p->free_memory)
			buf_printf(&json, "%lld}", (long long)*p->free_memory);
		else
			buf_str(&json, "null}");
	}
	buf_char(&json, ']');
	return arena_strdup(c->a, json.data);
}

static void log_strangers(const struct card_case *c, const struct isdp_status *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!case_profile_of_aid(c, &list[i].aid))
			log_msg(LOG_WARN, "isdp_unknown", "eid %s: the card has ISD-P %s, state %02X, which the EIS does not know",
				c->eid.text, hex_text(c->a, list[i].aid.data, list[i].aid.len), list[i].state);
}

/* One that is just being made may not be there yet. */
static void remove_unlisted(struct card_case *c, const struct isdp_status *list, size_t n)
{
	for (size_t i = 0; i < c->eis.n_profiles;) {
		const struct profile_info *p = &c->eis.profiles[i];

		if (p->state != PROFILE_IN_CREATION && !listed(list, n, &p->isdp_aid))
			profile_out(c, i);
		else
			i++;
	}
}

/* Granted to what the card has not made yet. */
static int64_t promised(const struct card_case *c, const struct isdp_status *list, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < c->eis.n_profiles; i++)
		if (c->eis.profiles[i].state == PROFILE_IN_CREATION && !listed(list, n, &c->eis.profiles[i].isdp_aid))
			sum += c->eis.profiles[i].allocated_memory;
	return sum;
}

void eis_audited(struct card_case *c, const struct isdp_status *list, size_t n, const struct card_resources *resources)
{
	bool fallback_said = false;

	for (size_t i = 0; i < n; i++)
		fallback_said |= list[i].fallback;
	log_strangers(c, list, n);
	remove_unlisted(c, list, n);
	for (size_t i = 0; i < c->eis.n_profiles; i++) {
		const struct isdp_status *s = listed(list, n, &c->eis.profiles[i].isdp_aid);

		/* A card where nobody holds the attribute does not say it: there is always one (or none was ever told). */
		if (s)
			profile_follows(c->a, &c->eis.profiles[i], s, fallback_said);
	}
	if (resources->free_nvm >= 0)
		c->eis.remaining_memory = resources->free_nvm - promised(c, list, n);
	c->eis.last_audit = &c->now;
	DB_QUEUE(c->db, SMSR_PROFILES_AUDITED, p_text(c->eid.text), p_text(profiles_json(c)));
	DB_QUEUE(c->db, SMSR_EIS_AUDITED, p_text(c->eid.text), p_int(c->a, c->eis.remaining_memory), p_time(c->a, c->now));
}

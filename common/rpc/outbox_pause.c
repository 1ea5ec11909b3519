/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes whose peer cannot be reached: one is left alone for a while, then tried with a single row (B1). Each process does so by itself,
 * for all of its workers. */
#include "common/rpc/outbox_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum {
	PAUSE_MAX_MS = 60000,
	ASK_PAUSE_MAX_MS = 5000, /* a role of our own: to try it costs next to nothing, and it is expected back */
	PROBE_MS = 10000, /* a peer that is away is found out sooner; who takes longer for an answer is there, and may be asked again */
};

/* Lock held. NULL: not paused (or, with make, no room). */
static struct pause *pause_find(struct outbox *o, const char *lane, bool make)
{
	struct pause *free_slot = NULL;

	for (unsigned i = 0; i < PAUSED_MAX; i++) {
		if (!strcmp(o->paused[i].lane, lane))
			return &o->paused[i];
		if (!o->paused[i].lane[0] && !free_slot)
			free_slot = &o->paused[i];
	}
	if (!make || !free_slot || strlen(lane) >= sizeof(free_slot->lane))
		return NULL;
	memcpy(free_slot->lane, lane, strlen(lane) + 1);
	return free_slot;
}

bool outbox_lane_of_bus(const char *lane)
{
	return !strcmp(lane, BUS_LANE) || !strncmp(lane, ASK_LANE, strlen(ASK_LANE));
}

const char *outbox_paused_lanes(struct outbox *o, struct arena *a)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	int64_t now = clock_ms();

	buf_str(&text, "");
	pthread_mutex_lock(&o->lock);
	for (unsigned i = 0; i < PAUSED_MAX; i++) {
		struct pause *p = &o->paused[i];

		if (!p->lane[0])
			continue;
		if (p->away && bus_connected(o->spec.rpc->bus)) {
			p->away = false;
			p->until_ms = now;
		}
		p->probing = p->until_ms <= now;
		if (!p->probing || p->probed_ms > now)
			buf_printf(&text, "%s%s", text.len ? " " : "", p->lane);
	}
	pthread_mutex_unlock(&o->lock);
	return arena_strdup(a, text.data);
}

bool outbox_probing(struct outbox *o, const char *lane)
{
	struct pause *p;
	bool probing;

	pthread_mutex_lock(&o->lock);
	p = pause_find(o, lane, false);
	probing = p && p->probing;
	pthread_mutex_unlock(&o->lock);
	return probing;
}

bool outbox_lane_enter(struct outbox *o, const char *lane, bool *out_probe)
{
	int64_t now = clock_ms();
	struct pause *p;
	bool free_way;

	pthread_mutex_lock(&o->lock);
	p = pause_find(o, lane, false);
	free_way = !p || (p->probing && p->probed_ms <= now);
	if (p && free_way)
		p->probed_ms = now + PROBE_MS;
	pthread_mutex_unlock(&o->lock);
	*out_probe = p && free_way;
	return free_way;
}

void outbox_probe_end(struct outbox *o, const char *lane)
{
	struct pause *p;

	pthread_mutex_lock(&o->lock);
	p = pause_find(o, lane, false);
	if (p)
		p->probed_ms = 0;
	pthread_mutex_unlock(&o->lock);
}

bool outbox_lane_failed(struct outbox *o, const char *lane, const char *why)
{
	int64_t first = o->spec.rpc->peer_pause_ms > 0 ? o->spec.rpc->peer_pause_ms : 1000;
	int64_t most = strncmp(lane, ASK_LANE, strlen(ASK_LANE)) ? PAUSE_MAX_MS : ASK_PAUSE_MAX_MS;
	struct pause *p;

	pthread_mutex_lock(&o->lock);
	p = pause_find(o, lane, true);
	if (p && p->until_ms <= clock_ms()) { /* rows of one batch fail together and count once */
		p->backoff_ms = p->backoff_ms ? p->backoff_ms * 2 : first;
		if (p->backoff_ms > most)
			p->backoff_ms = most;
		p->until_ms = clock_ms() + p->backoff_ms;
		p->away = outbox_lane_of_bus(lane) && !bus_connected(o->spec.rpc->bus);
		(void)snprintf(p->why, sizeof(p->why), "%s", why ? why : "no answer");
		log_msg(LOG_WARN, "lane_paused", "%s for %lld ms: %s", lane, (long long)p->backoff_ms, p->why);
	}
	pthread_mutex_unlock(&o->lock);
	return p != NULL;
}

void outbox_lane_reached(struct outbox *o, const char *lane)
{
	struct pause *p;

	pthread_mutex_lock(&o->lock);
	p = pause_find(o, lane, false);
	if (p) {
		log_msg(LOG_INFO, "lane_reached", "%s", lane);
		*p = (struct pause){ 0 };
	}
	pthread_mutex_unlock(&o->lock);
}

/* A pause that has ended calls for one look, not for one after the other while its probe is on its way. */
int64_t outbox_next_probe_ms(struct outbox *o, int64_t looked_ms)
{
	int64_t now = clock_ms(), next = -1;

	pthread_mutex_lock(&o->lock);
	for (unsigned i = 0; i < PAUSED_MAX; i++) {
		const struct pause *p = &o->paused[i];
		int64_t at = p->until_ms > looked_ms ? p->until_ms : p->probed_ms, left = at > now ? at - now : 0;

		if (!p->lane[0] || at <= looked_ms)
			continue;
		if (next < 0 || left < next)
			next = left;
	}
	pthread_mutex_unlock(&o->lock);
	return next;
}

size_t outbox_pauses(struct outbox *o, struct arena *a, struct outbox_pause **out)
{
	struct outbox_pause *list = arena_array(a, PAUSED_MAX, sizeof(*list));
	int64_t now = clock_ms();
	size_t n = 0;

	if (o)
		pthread_mutex_lock(&o->lock);
	for (unsigned i = 0; o && i < PAUSED_MAX; i++) {
		const struct pause *p = &o->paused[i];
		int64_t left = p->until_ms - now;

		if (p->lane[0])
			list[n++] = (struct outbox_pause){ arena_strdup(a, p->lane), arena_strdup(a, p->why), left > 0 ? left : 0 };
	}
	if (o)
		pthread_mutex_unlock(&o->lock);
	*out = list;
	return n;
}

void outbox_try(struct outbox *o, const char *lane)
{
	struct pause *p;

	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	p = pause_find(o, lane, false);
	if (p && p->until_ms > clock_ms())
		p->until_ms = clock_ms();
	pthread_mutex_unlock(&o->lock);
}

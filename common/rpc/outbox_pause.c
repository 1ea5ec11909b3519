/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes whose peer cannot be reached: one is left alone for a while, then tried with a single row (B1). */
#include "common/rpc/outbox_internal.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { PAUSE_MAX_MS = 60000 };

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
		if (!p->probing)
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

bool outbox_lane_failed(struct outbox *o, const char *lane)
{
	int64_t first = o->spec.rpc->peer_pause_ms > 0 ? o->spec.rpc->peer_pause_ms : 1000;
	struct pause *p;

	pthread_mutex_lock(&o->lock);
	p = pause_find(o, lane, true);
	if (p && p->until_ms <= clock_ms()) { /* rows of one batch fail together and count once */
		p->backoff_ms = p->backoff_ms ? p->backoff_ms * 2 : first;
		if (p->backoff_ms > PAUSE_MAX_MS)
			p->backoff_ms = PAUSE_MAX_MS;
		p->until_ms = clock_ms() + p->backoff_ms;
		p->away = !strcmp(lane, BUS_LANE) && !bus_connected(o->spec.rpc->bus);
		log_msg(LOG_WARN, "lane_paused", "%s for %lld ms", lane, (long long)p->backoff_ms);
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
		int64_t left = o->paused[i].until_ms - now;

		if (!o->paused[i].lane[0] || o->paused[i].until_ms <= looked_ms)
			continue;
		if (left < 0)
			left = 0;
		if (next < 0 || left < next)
			next = left;
	}
	pthread_mutex_unlock(&o->lock);
	return next;
}

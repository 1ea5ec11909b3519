/* SPDX-License-Identifier: Apache-2.0 */
/* Calls per second and partner (design.md 8): a fixed table of buckets, so that no partner can make it grow. */
#include "common/rpc/run.h"

#include <pthread.h>
#include <string.h>

#include "common/base/clock.h"

enum { BUCKETS = 256, PROBES = 16 };

static struct bucket {
	struct oid entity;
	int64_t second;
	unsigned used;
} buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned bucket_of(const struct oid *entity)
{
	uint32_t h = 2166136261u;

	for (const char *p = entity->text; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return h % BUCKETS;
}

/* Lock held. The entity's bucket of this second; a bucket of an earlier second is free. NULL: all of its places are taken by others. */
static struct bucket *bucket_find(const struct oid *entity, int64_t now)
{
	struct bucket *free_one = NULL;

	for (unsigned i = 0; i < PROBES; i++) {
		struct bucket *b = &buckets[(bucket_of(entity) + i) % BUCKETS];

		if (b->second == now && oid_equal(&b->entity, entity))
			return b;
		if (b->second != now && !free_one)
			free_one = b;
	}
	if (free_one)
		*free_one = (struct bucket){ .entity = *entity, .second = now };
	return free_one;
}

bool rate_allow(const struct rpc *rpc, const struct oid *entity)
{
	struct bucket *b;
	bool allowed;

	if (!rpc->rate_per_s)
		return true;
	pthread_mutex_lock(&lock);
	b = bucket_find(entity, clock_ms() / 1000 + 1); /* never 0, the second of an unused bucket */
	allowed = !b || ++b->used <= rpc->rate_per_s;
	pthread_mutex_unlock(&lock);
	return allowed;
}

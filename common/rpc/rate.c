/* SPDX-License-Identifier: Apache-2.0 */
/* Calls per second and partner (design.md 8): a fixed table of buckets, so that no partner can make it grow. */
#include "common/rpc/run.h"

#include <pthread.h>
#include <string.h>

#include "common/base/clock.h"

enum { BUCKETS = 256 };

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

bool rate_allow(const struct rpc *rpc, const struct oid *entity)
{
	struct bucket *b = &buckets[bucket_of(entity)];
	int64_t now = clock_ms() / 1000;
	bool allowed;

	if (!rpc->rate_per_s)
		return true;
	pthread_mutex_lock(&lock);
	/* Two entities that share a bucket: the newcomer starts afresh, which errs on the side of serving. */
	if (b->second != now || !oid_equal(&b->entity, entity))
		*b = (struct bucket){ .entity = *entity, .second = now };
	allowed = ++b->used <= rpc->rate_per_s;
	pthread_mutex_unlock(&lock);
	return allowed;
}

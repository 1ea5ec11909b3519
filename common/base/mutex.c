/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/mutex.h"

#include <pthread.h>
#include <stdlib.h>

struct mutex {
	pthread_mutex_t lock;
};

struct mutex *mutex_new(void)
{
	struct mutex *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	pthread_mutex_init(&m->lock, NULL);
	return m;
}

void mutex_free(struct mutex *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void mutex_lock(struct mutex *m)
{
	pthread_mutex_lock(&m->lock);
}

void mutex_unlock(struct mutex *m)
{
	pthread_mutex_unlock(&m->lock);
}

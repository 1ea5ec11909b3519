/* SPDX-License-Identifier: Apache-2.0 */
/* Session advisory locks (decisions.md B1) and the ping; each is a round trip of its own beside the queue. */
#include <endian.h>
#include <string.h>

#include "common/store/store_internal.h"

/* Runs one statement with one bigint; true when it answered true. */
static bool ask(struct db *d, const char *statement, const int64_t *key)
{
	const struct command command = { .statement = statement, .n = key ? 1 : 0, .slot = 0 };
	struct rows rows = { 0 };
	struct outcome o = { 0 };
	uint64_t wire = htobe64(key ? (uint64_t)*key : 0);
	const char *value = (const char *)&wire;
	const int length = sizeof(wire), format = 1;
	bool yes;

	batch_run(d, &(struct batch){ &command, 1, &value, &length, &format, &rows }, &o);
	yes = !o.failed && rows.pg && row_bool(&rows, 0, 0);
	PQclear(rows.pg);
	return yes;
}

static size_t lock_find(const struct db *d, int64_t key)
{
	size_t i = 0;

	while (i < d->n_locks && d->locks[i] != key)
		i++;
	return i;
}

bool db_try_lock(struct db *d, int64_t key)
{
	/* Asking again would count the lock twice. That the connection lives is known from the socket (keep-alive: 11 s). */
	if (db_connected(d) && lock_find(d, key) < d->n_locks)
		return true;
	if (!ask(d, STORE_LOCK, &key))
		return false;
	d->locks = grown(d->locks, &d->cap_locks, d->n_locks + 1, sizeof(*d->locks));
	d->locks[d->n_locks++] = key;
	return true;
}

bool db_holds(const struct db *d, int64_t key)
{
	return lock_find(d, key) < d->n_locks;
}

void db_unlock(struct db *d, int64_t key)
{
	size_t i = lock_find(d, key);

	if (i == d->n_locks || !db_connected(d)) /* a lost connection has lost its locks */
		return;
	if (!ask(d, STORE_UNLOCK, &key)) {
		db_drop(d); /* never keep by accident what others wait for */
		return;
	}
	d->locks[i] = d->locks[--d->n_locks];
}

bool store_ping(struct db *d)
{
	return ask(d, STORE_PING, NULL);
}

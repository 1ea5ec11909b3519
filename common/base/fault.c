/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char *const action_names[] = { "off", "pause", "kill", "drop" };

bool fault_action_parse(const char *text, enum fault_action *out)
{
	for (unsigned i = 0; i < LEN(action_names); i++) {
		if (!strcmp(text, action_names[i])) {
			*out = (enum fault_action)i;
			return true;
		}
	}
	return false;
}

#ifndef RSP_FAULTS

int fault_arm(const char *point, enum fault_action action, const char *eid)
{
	return -ENOTSUP;
}

void fault_list(struct buf *out)
{
	buf_str(out, "built without faults\n");
}

#else

static const struct {
	const char *name, *where;
} points[] = {
#define FAULT_POINT(name, where) { name, where },
#include "common/base/fault_points.def"
#undef FAULT_POINT
};

enum { MAX_ARMED = 256, EID_TEXT = 33 };

/* One armed point. Slots are found under the lock; a paused thread waits on `changed`. */
static struct armed {
	unsigned point;
	enum fault_action action; /* FAULT_OFF: the slot is free */
	char eid[EID_TEXT];
} armed[MAX_ARMED];
static unsigned hits[LEN(points)], held[LEN(points)];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static int point_index(const char *name)
{
	for (unsigned i = 0; i < LEN(points); i++)
		if (!strcmp(points[i].name, name))
			return (int)i;
	return -1;
}

/* Lock held. Exact EID wins over "*". */
static struct armed *armed_find(unsigned point, const char *eid)
{
	struct armed *any = NULL;

	for (unsigned i = 0; i < MAX_ARMED; i++) {
		struct armed *a = &armed[i];

		if (a->action == FAULT_OFF || a->point != point)
			continue;
		if (eid && !strcmp(a->eid, eid))
			return a;
		if (!strcmp(a->eid, "*"))
			any = a;
	}
	return any;
}

static int arm_locked(unsigned point, enum fault_action action, const char *eid)
{
	struct armed *slot = NULL;

	for (unsigned i = 0; i < MAX_ARMED && !slot; i++)
		if (armed[i].action != FAULT_OFF && armed[i].point == point && !strcmp(armed[i].eid, eid))
			slot = &armed[i];
	for (unsigned i = 0; i < MAX_ARMED && !slot && action != FAULT_OFF; i++)
		if (armed[i].action == FAULT_OFF)
			slot = &armed[i];
	if (!slot)
		return action == FAULT_OFF ? 0 : -ENOSPC;
	slot->point = point;
	slot->action = action;
	(void)strncpy(slot->eid, eid, EID_TEXT - 1);
	pthread_cond_broadcast(&changed);
	return 0;
}

int fault_arm(const char *point, enum fault_action action, const char *eid)
{
	int index = point_index(point), rc;

	if (index < 0)
		return -ENOENT;
	pthread_mutex_lock(&lock);
	rc = arm_locked((unsigned)index, action, eid);
	pthread_mutex_unlock(&lock);
	return rc;
}

bool fault_hit(const char *point, const char *eid)
{
	int index = point_index(point);
	bool drop = false;
	struct armed *a;

	if (index < 0)
		return false;
	pthread_mutex_lock(&lock);
	a = armed_find((unsigned)index, eid);
	if (a) {
		hits[index]++;
		if (a->action == FAULT_KILL)
			kill(getpid(), SIGKILL);
		drop = a->action == FAULT_DROP;
		if (drop)
			a->action = FAULT_OFF;
		held[index]++;
		while ((a = armed_find((unsigned)index, eid)) && a->action == FAULT_PAUSE)
			pthread_cond_wait(&changed, &lock);
		held[index]--;
	}
	pthread_mutex_unlock(&lock);
	return drop;
}

void fault_list(struct buf *out)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < LEN(points); i++) {
		struct armed *a = NULL;

		for (unsigned k = 0; k < MAX_ARMED && !a; k++)
			if (armed[k].action != FAULT_OFF && armed[k].point == i)
				a = &armed[k];
		buf_printf(out, "%s action=%s eid=%s held=%u hits=%u\n", points[i].name, a ? action_names[a->action] : "off",
			   a ? a->eid : "-", held[i], hits[i]);
	}
	pthread_mutex_unlock(&lock);
}

#endif

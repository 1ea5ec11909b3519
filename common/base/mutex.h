/* SPDX-License-Identifier: Apache-2.0 */
/* A lock for short critical sections of those who may not include pthread.h (docs/adr/0004). */
#ifndef BASE_MUTEX_H
#define BASE_MUTEX_H

struct mutex;
struct mutex *mutex_new(void);
void mutex_free(struct mutex *m); /* NULL allowed */
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A private PostgreSQL cluster in a temporary folder, for one test. */
#ifndef TESTS_UNIT_STORE_CLUSTER_H
#define TESTS_UNIT_STORE_CLUSTER_H

#include <stdbool.h>
#include <sys/types.h>

struct cluster {
	char dir[64];
	char conninfo[128];
	pid_t pid; /* 0: stopped */
};

/* False: PostgreSQL is not installed. Any other trouble fails the test. */
bool cluster_installed(void);
struct cluster cluster_new(void);
void cluster_start(struct cluster *c);
void cluster_stop(struct cluster *c);
void cluster_free(struct cluster *c);

#endif
